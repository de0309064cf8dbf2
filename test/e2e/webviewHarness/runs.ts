/** Page frames of a sample machine as runs of one kind, and the tiles and totals they make. */
import { PAGE_KINDS, PageKind } from '../../../sim/include/types.ts';
import { TILE_CELLS, type Tile } from '../../../sim/view/types.ts';

export interface Run {
  start: number;
  end: number;
  kind: PageKind;
}

/** Lays a run over what is there. */
export function put(runs: Run[], start: number, end: number, kind: PageKind): Run[] {
  const out: Run[] = [];
  for (const run of runs) {
    if (run.end <= start || run.start >= end) out.push(run);
    else {
      if (run.start < start) out.push({ ...run, end: start });
      if (run.end > end) out.push({ ...run, start: end });
    }
  }
  out.push({ start, end, kind });
  return out.sort((a, b) => a.start - b.start);
}

/** The same numbers on every run. */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** RAM as it looks on a machine in use: free, with patches of everything else. */
export function usedRam(start: number, end: number, seed: number, patches: number): Run[] {
  const rnd = random(seed);
  const kinds = [PageKind.Anon, PageKind.File, PageKind.Kernel, PageKind.Anon, PageKind.File] as const;
  const cuts: Run[] = [];
  for (let i = 0; i < patches; i++) {
    const at = start + Math.floor(rnd() ** 1.4 * (end - start));
    const length = Math.max(1, Math.floor(2 ** (rnd() * Math.log2((end - start) / 40))));
    cuts.push({
      start: at,
      end: Math.min(end, at + length),
      kind: kinds[Math.floor(rnd() * kinds.length)] ?? PageKind.Anon,
    });
  }
  cuts.sort((a, b) => a.start - b.start);
  const out: Run[] = [];
  let at = start;
  for (const cut of cuts) {
    if (cut.start < at) continue;
    if (cut.start > at) out.push({ start: at, end: cut.start, kind: PageKind.Free });
    out.push(cut);
    at = cut.end;
  }
  if (at < end) out.push({ start: at, end, kind: PageKind.Free });
  return out;
}

export function kindAt(runs: readonly Run[], pfn: number): PageKind {
  return runs.find((run) => pfn >= run.start && pfn < run.end)?.kind ?? PageKind.Hole;
}

export function totals(runs: readonly Run[]): number[] {
  const out: number[] = new Array(PAGE_KINDS).fill(0);
  for (const run of runs) out[run.kind] = (out[run.kind] ?? 0) + run.end - run.start;
  return out;
}

export function tile(
  runs: readonly Run[],
  changed: readonly { startPfn: number; endPfn: number }[],
  level: number,
  index: number,
): Tile {
  const cellPages = 2 ** level;
  const first = index * TILE_CELLS * cellPages;
  const cells = new Uint8Array(TILE_CELLS * 2);
  let at = runs.findIndex((run) => run.end > first);
  if (at < 0) at = runs.length;
  const sums = new Array<number>(PAGE_KINDS);
  for (let cell = 0; cell < TILE_CELLS; cell++) {
    const start = first + cell * cellPages;
    const end = start + cellPages;
    sums.fill(0);
    let covered = 0;
    while (at < runs.length && (runs[at]?.end ?? 0) <= start) at++;
    for (let i = at; i < runs.length; i++) {
      const run = runs[i];
      if (run === undefined || run.start >= end) break;
      const pages = Math.min(end, run.end) - Math.max(start, run.start);
      sums[run.kind] = (sums[run.kind] ?? 0) + pages;
      covered += pages;
    }
    sums[PageKind.Hole] = (sums[PageKind.Hole] ?? 0) + cellPages - covered;
    let most = 0;
    for (let kind = 1; kind < PAGE_KINDS; kind++) if ((sums[kind] ?? 0) > (sums[most] ?? 0)) most = kind;
    let second = most;
    for (let kind = 0; kind < PAGE_KINDS; kind++) {
      if (kind !== most && (sums[kind] ?? 0) > 0 && (second === most || (sums[kind] ?? 0) > (sums[second] ?? 0)))
        second = kind;
    }
    const share = Math.round(((sums[most] ?? 0) / cellPages) * 127);
    const isChanged = changed.some((run) => run.startPfn < end && start < run.endPfn);
    cells[2 * cell] = most | (second << 4);
    cells[2 * cell + 1] = share | (isChanged ? 128 : 0);
  }
  return { level, index, cells: cells.buffer };
}
