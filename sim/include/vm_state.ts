/** What mm/huge_memory.c, mm/hugetlb.c and mm/swapfile.c keep for the whole machine. */
import type { AddressSpace, Mm, PageData } from './mm_types.ts';

export type ThpEnabled = 'always' | 'madvise' | 'never';

/** transparent_hugepage_flags and the huge zero page. */
export interface ThpState {
  enabled: ThpEnabled;
  /** use_zero_page. */
  use_zero_page: boolean;
  /** Head of the huge zero page, once somebody read through it; it stays, for nothing here shrinks it. */
  huge_zero_pfn: number | undefined;
}

/** struct hstate of the 2 MiB pages, and who has pages reserved. */
export interface HugetlbState {
  /** Heads of the free huge pages; the last one is taken first. */
  readonly free: number[];
  /** Heads of all pages of the pool. */
  readonly heads: Map<number, true>;
  nr_huge_pages: number;
  resv_huge_pages: number;
  /** Huge pages promised to a mapping and not handed out yet, by the file behind it. */
  readonly reserves: Map<AddressSpace, HugetlbReserve>;
}
export interface HugetlbReserve {
  /** For a private mapping only its maker may take from it; undefined: whoever maps the file. */
  readonly owner: Mm | undefined;
  left: number;
}

/** struct swap_info_struct: one swap file. */
export interface SwapInfo {
  readonly name: string;
  /** Which swap type its entries have. */
  readonly type: number;
  readonly prio: number;
  /** Slots, that of the header among them, which is slot 0. */
  readonly max: number;
  /** swap_map: users of each slot in use; the swap cache is not counted among them. */
  readonly map: Map<number, number>;
  /** The swap cache: head page by slot. */
  readonly cache: Map<number, number>;
  /** What is written in the slots. */
  readonly data: Map<number, PageData>;
  /** inuse_pages: slots in use, by entries or by the cache. */
  used: number;
  /** Where the search for a free slot begins. */
  next: number;
}

export const newThpState = (enabled: ThpEnabled): ThpState => ({
  enabled,
  use_zero_page: true,
  huge_zero_pfn: undefined,
});
export const newHugetlbState = (): HugetlbState => ({
  free: [],
  heads: new Map(),
  nr_huge_pages: 0,
  resv_huge_pages: 0,
  reserves: new Map(),
});
