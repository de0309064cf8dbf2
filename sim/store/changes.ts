/** Collects what a stretch of the journal wrote, and states it as few ascending runs. */

import type { Changes } from './store.ts';

/** Columns are written at the same pages, and pages in turn: most writes extend the last interval. */
export class ChangeSet {
  private starts = new Float64Array(64);
  private ends = new Float64Array(64);
  private used = 0;
  private readonly objects = new Map<object, Set<unknown>>();

  /** Pages [start, end) were written. */
  pages(start: number, end: number): void {
    const last = this.used - 1;
    const lastStart = this.starts[last] as number;
    const lastEnd = this.ends[last] as number;
    if (last >= 0 && start <= lastEnd && end >= lastStart) {
      this.starts[last] = Math.min(start, lastStart);
      this.ends[last] = Math.max(end, lastEnd);
      return;
    }
    if (this.used === this.starts.length) {
      this.starts = doubled(this.starts);
      this.ends = doubled(this.ends);
    }
    this.starts[this.used] = start;
    this.ends[this.used++] = end;
  }

  /** `key` of `object` was written. */
  key(object: object, key: unknown): void {
    const keys = this.objects.get(object);
    if (keys === undefined) this.objects.set(object, new Set([key]));
    else keys.add(key);
  }

  result(limit: number): Changes {
    return { pages: joinClosest(this.union(), Math.max(1, limit)), objects: this.objects };
  }

  /**
   * The union of the intervals. Which start belongs to which end does not matter for
   * it: where as many have ended as begun, a run is over.
   */
  private union(): { start: number; end: number }[] {
    const starts = this.starts.subarray(0, this.used).sort();
    const ends = this.ends.subarray(0, this.used).sort();
    const runs: { start: number; end: number }[] = [];
    let start = starts[0] as number;
    for (let i = 0; i < this.used; i++) {
      const next = starts[i + 1];
      if (next !== undefined && next <= (ends[i] as number)) continue;
      runs.push({ start, end: ends[i] as number });
      start = next as number;
    }
    return runs;
  }
}

function doubled(array: Float64Array): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(array.length * 2);
  larger.set(array);
  return larger;
}

/** At most `limit` runs that cover `runs`, closing the smallest gaps, of equal ones the first. */
function joinClosest(runs: { start: number; end: number }[], limit: number): { start: number; end: number }[] {
  let toClose = runs.length - limit;
  if (toClose <= 0) return runs;
  const gaps = new Float64Array(runs.length - 1);
  for (let i = 0; i < gaps.length; i++) gaps[i] = gapAfter(runs, i);
  const widest = gaps.sort()[toClose - 1] as number;
  for (const gap of gaps) if (gap < widest) toClose--;
  const joined: { start: number; end: number }[] = [];
  for (let i = 0; i < runs.length; i++) {
    const run = runs[i] as { start: number; end: number };
    const last = joined[joined.length - 1];
    const gap = i === 0 ? Number.POSITIVE_INFINITY : gapAfter(runs, i - 1);
    const isClosed = gap < widest || (gap === widest && toClose-- > 0);
    if (last !== undefined && isClosed) last.end = run.end;
    else joined.push({ ...run });
  }
  return joined;
}

function gapAfter(runs: { start: number; end: number }[], i: number): number {
  return (runs[i + 1]?.start ?? 0) - (runs[i]?.end ?? 0);
}
