import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildScale, type Extent, extentsOf, joinExtents, solidParts, ticks } from '../../webview/zones/scale.ts';
import { sample } from '../e2e/webviewHarness/samples.ts';

const extents = fc
  .array(fc.record({ start: fc.integer({ min: 0, max: 2 ** 40 }), length: fc.integer({ min: 1, max: 2 ** 34 }) }), {
    minLength: 1,
    maxLength: 24,
  })
  .map((list): Extent[] => list.map(({ start, length }) => ({ start, end: start + length })));
const width = fc.integer({ min: 80, max: 3000 });
const OPTIONS = { gap: 46, min: 3 };

describe('the axis of the Zones panel', () => {
  it('draws extents true to scale to one another, all cuts alike', () => {
    fc.assert(
      fc.property(extents, width, (list, w) => {
        const scale = buildScale(list, w, OPTIONS);
        const drawn = scale.segments.filter((s) => s.kind === 'extent');
        for (const s of drawn.filter((d) => !d.widened)) {
          expect(s.width / (s.end - s.start)).toBeCloseTo(scale.perPage, 9);
          expect(s.width).toBeGreaterThanOrEqual(Math.min(OPTIONS.min, w / drawn.length) * 0.64);
        }
        const gaps = scale.segments.filter((s) => s.kind === 'gap').map((s) => s.width);
        expect(new Set(gaps).size).toBeLessThanOrEqual(1);
        for (const s of drawn.filter((d) => d.widened)) {
          expect((s.end - s.start) * scale.perPage).toBeLessThanOrEqual(s.width + 1e-6);
        }
      }),
    );
  });

  it('fills the width exactly, segments touching in ascending order', () => {
    fc.assert(
      fc.property(extents, width, (list, w) => {
        const { segments } = buildScale(list, w, OPTIONS);
        let x = 0;
        let pfn = segments[0]?.start ?? 0;
        for (const segment of segments) {
          expect(segment.x).toBeCloseTo(x, 6);
          expect(segment.start).toBe(pfn);
          x += segment.width;
          pfn = segment.end;
        }
        expect(x).toBeCloseTo(w, 5);
        expect(segments.filter((s) => s.kind === 'extent').map(({ start, end }) => ({ start, end }))).toEqual(
          joinExtents(list),
        );
      }),
    );
  });

  it('keeps the order of page frames, and finds them again', () => {
    fc.assert(
      fc.property(extents, width, fc.nat(), fc.nat(), (list, w, a, b) => {
        const scale = buildScale(list, w, OPTIONS);
        const first = scale.segments[0]?.start ?? 0;
        const span = (scale.segments.at(-1)?.end ?? 1) - first;
        const [low, high] = [first + (a % span), first + (b % span)].sort((p, q) => p - q) as [number, number];
        expect(scale.x(low)).toBeLessThanOrEqual(scale.x(high) + 1e-9);
        const segment = scale.segments.find((s) => low < s.end);
        const perPixel =
          segment === undefined || segment.width === 0 ? 1 : (segment.end - segment.start) / segment.width;
        expect(Math.abs(scale.pfn(scale.x(low)) - low)).toBeLessThanOrEqual(1 + perPixel * 1e-6);
      }),
    );
  });

  it('never lets two labels of the axis touch', () => {
    fc.assert(
      fc.property(extents, width, (list, w) => {
        const boxes = ticks(buildScale(list, w, OPTIONS), (pfn) => `${pfn}`, 6)
          .filter((tick) => tick.label !== '')
          .map((tick) => {
            const size = tick.label.length * 6;
            const from = tick.anchor === 'start' ? tick.x : tick.anchor === 'end' ? tick.x - size : tick.x - size / 2;
            return [from, from + size] as const;
          })
          .sort((a, b) => a[0] - b[0]);
        for (let i = 1; i < boxes.length; i++) expect(boxes[i]?.[0]).toBeGreaterThanOrEqual(boxes[i - 1]?.[1] ?? 0);
      }),
    );
  });

  it('leaps over a cut: a bar has a part in each extent it reaches and none between', () => {
    const { zones } = sample('server-2n-pmem', 1, 1);
    const scale = buildScale(extentsOf(zones.sections, zones.sectionPages), 900, OPTIONS);
    expect(scale.segments.filter((s) => s.kind === 'gap')).toHaveLength(2);
    expect(solidParts(scale, 4096, 0x100000)).toHaveLength(1);
    expect(solidParts(scale, 0, zones.maxPfn)).toHaveLength(3);
  });
});
