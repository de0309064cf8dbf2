/**
 * One column of `struct page`: a 32-bit value for every page frame, held by runs.
 * A radix tree with 512-way nodes (2 MiB, 1 GiB, 512 GiB ...); a subtree whose
 * pages are all alike is one uniform entry, so 16 TiB of equal pages cost a slot.
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
  /** Calls `visit` for maximal runs of equal value in [start, end), ascending. Returning false stops. */
  runs(start: number, end: number, visit: (start: number, end: number, value: number) => boolean | undefined): void;
  /** Bytes held by the tree, free pool included. */
  bytes(): number;
}
