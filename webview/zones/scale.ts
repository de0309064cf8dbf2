/**
 * The piecewise scale of the physical address axis: memory is drawn true to scale, the gaps
 * between it are cut to a fixed width. All in page frames and CSS pixels.
 */
import type { SectionRunView } from '../../sim/view/types.ts';

export interface Extent {
  start: number;
  end: number;
}

export interface Segment extends Extent {
  kind: 'extent' | 'gap';
  x: number;
  width: number;
  /** Too small to be seen true to scale, and drawn wider. */
  widened: boolean;
}

export interface ScaleOptions {
  /** Width of a cut. */
  gap: number;
  /** Narrowest extent. */
  min: number;
}

export interface Scale {
  readonly segments: readonly Segment[];
  readonly width: number;
  /** Pixels of one page inside an extent that is true to scale. */
  readonly perPage: number;
  /** Where a page frame begins. Frames inside a cut share it proportionally; frames outside all extents clamp. */
  x(pfn: number): number;
  /** The inverse of `x`. */
  pfn(x: number): number;
}

/** Sorted, joined where they touch or overlap, empty ones left out. */
export function joinExtents(extents: readonly Extent[]): Extent[] {
  const sorted = extents.filter((e) => e.end > e.start).sort((a, b) => a.start - b.start || a.end - b.end);
  const joined: Extent[] = [];
  for (const extent of sorted) {
    const last = joined.at(-1);
    if (last !== undefined && extent.start <= last.end) last.end = Math.max(last.end, extent.end);
    else joined.push({ ...extent });
  }
  return joined;
}

/** What is worth drawing: every run of sections that exist. */
export function extentsOf(sections: readonly SectionRunView[], sectionPages: number): Extent[] {
  return joinExtents(
    sections
      .filter((run) => run.present || run.hasMemMap)
      .map((run) => ({ start: run.first * sectionPages, end: (run.first + run.count) * sectionPages })),
  );
}

export function buildScale(extents: readonly Extent[], width: number, options: ScaleOptions): Scale {
  const joined = joinExtents(extents);
  const cuts = Math.max(0, joined.length - 1);
  // Many cuts must not eat the memory between them.
  const gap = cuts === 0 ? 0 : Math.min(options.gap, (width * 0.35) / cuts);
  const room = Math.max(0, width - gap * cuts);
  const min = Math.min(options.min, joined.length === 0 ? 0 : room / joined.length);

  const widened = new Set<number>();
  let perPage = 0;
  for (;;) {
    const pages = joined.reduce((sum, e, i) => (widened.has(i) ? sum : sum + e.end - e.start), 0);
    perPage = pages === 0 ? 0 : Math.max(0, room - min * widened.size) / pages;
    const before = widened.size;
    joined.forEach((e, i) => {
      if ((e.end - e.start) * perPage < min) widened.add(i);
    });
    if (widened.size === before || widened.size === joined.length) break;
  }
  // All would be too small (or the room is nil): equal shares.
  const allWidened = widened.size === joined.length;

  const segments: Segment[] = [];
  let x = 0;
  joined.forEach((extent, i) => {
    const before = joined[i - 1];
    if (before !== undefined) {
      segments.push({ kind: 'gap', start: before.end, end: extent.start, x, width: gap, widened: false });
      x += gap;
    }
    const isWidened = widened.has(i);
    const w = allWidened ? room / joined.length : isWidened ? min : (extent.end - extent.start) * perPage;
    segments.push({ kind: 'extent', ...extent, x, width: w, widened: isWidened });
    x += w;
  });
  return { segments, width, perPage, x: (pfn) => toX(segments, pfn), pfn: (at) => toPfn(segments, at) };
}

function toX(segments: readonly Segment[], pfn: number): number {
  const segment = segments.find((s) => pfn < s.end) ?? segments.at(-1);
  if (segment === undefined) return 0;
  const share = (pfn - segment.start) / (segment.end - segment.start);
  return segment.x + Math.min(1, Math.max(0, share)) * segment.width;
}

function toPfn(segments: readonly Segment[], x: number): number {
  const segment = segments.find((s) => x < s.x + s.width) ?? segments.at(-1);
  if (segment === undefined) return 0;
  const share = segment.width === 0 ? 0 : (x - segment.x) / segment.width;
  const pfn = Math.floor(segment.start + Math.min(1, Math.max(0, share)) * (segment.end - segment.start));
  return Math.min(pfn, segment.end - 1);
}

/** The parts of a range that lie in extents: a bar is solid there and leaps over the cuts. */
export function solidParts(scale: Scale, start: number, end: number): { x: number; width: number }[] {
  return scale.segments
    .filter((s) => s.kind === 'extent' && s.start < end && start < s.end)
    .map((s) => {
      const x = toX([s], Math.max(start, s.start));
      return { x, width: toX([s], Math.min(end, s.end)) - x };
    });
}

export interface Tick {
  x: number;
  pfn: number;
  /** Empty where a label would touch its neighbour. */
  label: string;
  anchor: 'start' | 'middle' | 'end';
}

/** Ticks at the ends of extents and at round addresses inside, labels only where they fit. */
export function ticks(scale: Scale, label: (pfn: number) => string, charWidth = 6.4): Tick[] {
  const wanted: { pfn: number; x: number; edge: boolean }[] = [];
  for (const segment of scale.segments) {
    if (segment.kind === 'gap') continue;
    wanted.push({ pfn: segment.start, x: segment.x, edge: true });
    wanted.push({ pfn: segment.end, x: segment.x + segment.width, edge: true });
    const step = roundStep(segment.end - segment.start, segment.width / 96);
    for (let pfn = Math.ceil((segment.start + 1) / step) * step; pfn < segment.end; pfn += step) {
      wanted.push({ pfn, x: toX([segment], pfn), edge: false });
    }
  }
  // Edges first: they are what a reader looks for. The very ends before the inner ones.
  const ends = [wanted[0], scale.segments.length > 0 ? wanted.find((t) => t.x >= scale.width - 0.5) : undefined];
  const order = [...wanted].sort(
    (a, b) => Number(ends.includes(b)) - Number(ends.includes(a)) || Number(b.edge) - Number(a.edge) || a.x - b.x,
  );
  const taken: [number, number][] = [];
  const out: Tick[] = [];
  for (const { pfn, x, edge } of order) {
    const text = label(pfn);
    const w = text.length * charWidth;
    const anchor = x - w / 2 < 0 ? 'start' : x + w / 2 > scale.width ? 'end' : 'middle';
    const from = anchor === 'start' ? x : anchor === 'end' ? x - w : x - w / 2;
    const fits = taken.every(([a, b]) => from + w + 8 <= a || from >= b + 8);
    if (fits) taken.push([from, from + w]);
    if (fits || edge) out.push({ x, pfn, label: fits ? text : '', anchor });
  }
  return out.sort((a, b) => a.x - b.x);
}

/** A power of two that divides `span` into at most `parts` steps. */
function roundStep(span: number, parts: number): number {
  if (parts < 1) return span * 2;
  return 2 ** Math.ceil(Math.log2(span / parts));
}
