/** The objects of include/linux/mmzone.h that a machine holds, and the words of its page columns. */
import type { FreeArea } from '../mm/free_list.ts';
import type { PageColumn } from '../store/column.ts';
import { PageKind } from './types.ts';

export interface Zone {
  readonly index: number;
  readonly name: string;
  readonly node: number;
  zone_start_pfn: number;
  spanned_pages: number;
  present_pages: number;
  present_early_pages: number;
  managed_pages: number;
  /** NR_FREE_PAGES of the zone. */
  nr_free: number;
  initialized: boolean;
  /** Raised for a while after a pageblock was broken into; counts on every mark. */
  watermark_boost: number;
  /** Pages of the pageblocks that are MIGRATE_HIGHATOMIC, and how many of those pages are free. */
  nr_reserved_highatomic: number;
  nr_free_highatomic: number;
  /** Pageblocks that are MIGRATE_ISOLATE: their free pages are listed, but not counted in nr_free. */
  nr_isolate_pageblock: number;
  readonly watermark: { min: number; low: number; high: number; promo: number };
  readonly lowmem_reserve: number[];
  readonly free_area: readonly FreeArea[];
}

export interface Pglist {
  readonly node_id: number;
  node_start_pfn: number;
  node_spanned_pages: number;
  node_present_pages: number;
  readonly node_zones: readonly Zone[];
  /** ZONELIST_FALLBACK and ZONELIST_NOFALLBACK: zones in the order an allocation tries them. Made by build_all_zonelists. */
  node_zonelists: readonly [fallback: readonly Zone[], thisNode: readonly Zone[]];
  /** Distance to each node, for zonelists. */
  readonly distance: readonly number[];
  readonly cpus: readonly number[];
  /** nr_memmap_pages and nr_memmap_boot_pages: struct pages' own memory (since 6.12 counted here). */
  nr_memmap: number;
  nr_memmap_boot: number;
}

/** The columns of struct page. */
export interface PageColumns {
  /** Kind, order, zone and node: see `stateWord`. */
  readonly state: PageColumn;
  /** The PG_ bits of page->flags (the node, zone and cpupid bits follow from the state). */
  readonly flags: PageColumn;
  readonly refcount: PageColumn;
  /** `_mapcount`: -1 (0xffffffff) where nothing maps the page. */
  readonly mapcount: PageColumn;
  /** Number of the dev_pagemap that page->pgmap points to, 0 for none. */
  readonly pgmap: PageColumn;
  /** Migrate type of the pageblock. */
  readonly pageblock: PageColumn;
  /** mem_section flags and the sub-section bit, for every pfn of the section: see `SECTION_*`. */
  readonly section: PageColumn;
}

/* The state word: kind 0-3, order 4-7, zone 8-10, node 11-20. In a free block every page carries its order. */
export const stateWord = (kind: PageKind, order: number, zone: number, node: number): number =>
  (kind | (order << 4) | (zone << 8) | (node << 11)) >>> 0;
export const kindOf = (word: number): PageKind => (word & 15) as PageKind;
export const orderOf = (word: number): number => (word >>> 4) & 15;
export const zoneOf = (word: number): number => (word >>> 8) & 7;
export const nodeOf = (word: number): number => (word >>> 11) & 1023;
export const withKind = (word: number, kind: PageKind): number => ((word & ~15) | kind) >>> 0;
export const HOLE = stateWord(PageKind.Hole, 0, 0, 0);

/* Low bits of section_mem_map, then the sub-section bit of the pfn asked for, then the node. */
export const SECTION_MARKED_PRESENT = 1;
export const SECTION_HAS_MEM_MAP = 2;
export const SECTION_IS_ONLINE = 4;
export const SECTION_IS_EARLY = 8;
export const SECTION_TAINT_ZONE_DEVICE = 16;
export const SECTION_FLAGS = 31;
export const SUBSECTION_POPULATED = 32;
export const SECTION_NID_SHIFT = 8;

/** enum migratetype (without CMA). */
export const MIGRATE_UNMOVABLE = 0;
export const MIGRATE_MOVABLE = 1;
export const MIGRATE_RECLAIMABLE = 2;
export const MIGRATE_HIGHATOMIC = 3;
export const MIGRATE_ISOLATE = 4;
export const MIGRATE_TYPES = 5;

/** PG_ bits as the recorded 6.12 kernel numbers them (include/linux/page-flags.h). */
export const PG = {
  locked: 0,
  writeback: 1,
  referenced: 2,
  uptodate: 3,
  dirty: 4,
  lru: 5,
  head: 6,
  waiters: 7,
  active: 8,
  workingset: 9,
  owner_priv_1: 10,
  owner_2: 11,
  arch_1: 12,
  reserved: 13,
  private: 14,
  private_2: 15,
  reclaim: 16,
  swapbacked: 17,
  unevictable: 18,
  mlocked: 19,
} as const;
export const PG_RESERVED = 1 << PG.reserved;
export const PG_LOCKED = 1 << PG.locked;
export const PG_HEAD = 1 << PG.head;
