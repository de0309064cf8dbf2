/**
 * One column of `struct page`: a 32-bit value for every page frame, held by runs.
 * A radix tree with leaves of 512 pages (2 MiB) under 256-way nodes (512 MiB, 128 GiB,
 * 32 TiB, 4 PiB); a subtree whose pages are all alike is one uniform entry, so 16 TiB
 * of equal pages cost a few slots.
 *
 * Page frame numbers run from 0 to 2^40 - 1 (52-bit physical addresses); any other
 * throws a RangeError. Values are taken modulo 2^32.
 */
export interface PageColumn {
  /** The value of page `pfn`; the column's default where nothing was ever set. */
  get(pfn: number): number;
  /** Sets one page. Journalled. */
  set(pfn: number, value: number): void;
  /** Sets [start, end). Cost follows the edges, not the length. Journalled. */
  setRange(start: number, end: number, value: number): void;
  /** Adds `delta` to one page (as int32 arithmetic). Journalled. */
  add(pfn: number, delta: number): void;
  /** Adds to `out[value & 15]` the number of pages of [start, end) with that low nibble. */
  count(start: number, end: number, out: Float64Array): void;
  /**
   * Calls `visit` for maximal runs of equal value in [start, end), ascending. Returning
   * false stops. The visitor may write to this column: what lies behind it is read anew.
   */
  runs(start: number, end: number, visit: (start: number, end: number, value: number) => boolean | undefined): void;
  /** Bytes held by the tree, free pool included; subtrees kept for undo belong to the journal. */
  bytes(): number;
}

/** The runs of [start, end) as a list, for callers that change the column while they go through it. */
export function runsOf(
  column: PageColumn,
  start: number,
  end: number,
): { start: number; end: number; value: number }[] {
  const runs: { start: number; end: number; value: number }[] = [];
  column.runs(start, end, (from, to, value) => {
    runs.push({ start: from, end: to, value });
    return undefined;
  });
  return runs;
}
