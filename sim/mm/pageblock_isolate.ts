/** Pageblocks taken from the allocator's reach while their memory goes offline or comes online: mm/page_isolation.c (6.12). */
import { MAX_PAGE_ORDER, pageblock_nr_pages, pageblock_order } from '../arch/x86_64.ts';
import { BadAccess } from '../c/value.ts';
import { kindOf, MIGRATE_ISOLATE, orderOf, withKind, type Zone } from '../include/mmzone.ts';
import { PageKind } from '../include/types.ts';
import type { Kernel } from '../machine/kernel.ts';
import { runsOf } from '../store/column.ts';
import {
  __free_one_page,
  __move_freepages_block,
  account_freepages,
  del_page_from_free_list,
  freeArea,
  page_is_buddy,
  setPageblocks,
  split_large_buddy,
} from './buddy.ts';

const EBUSY = -16;

/** The free block that `pfn` is in: its first page and order. */
function freeBlockAt(kernel: Kernel, pfn: number): { start: number; order: number } | undefined {
  const word = kernel.pages.state.get(pfn);
  if (kindOf(word) !== PageKind.Free) return undefined;
  const order = orderOf(word);
  return { start: pfn - (pfn % (1 << order)), order };
}

/** page_alloc.c:move_freepages_block_isolate: one pageblock changes its type; a free block that reaches beyond it is split. */
function move_freepages_block_isolate(kernel: Kernel, zone: Zone, start: number, type: number): void {
  const block = freeBlockAt(kernel, start);
  const old = kernel.pages.pageblock.get(start);
  if (block && block.order > pageblock_order) {
    del_page_from_free_list(kernel, zone, block.start, block.order, kernel.pages.pageblock.get(block.start));
    setPageblocks(kernel, start, pageblock_nr_pages, type);
    split_large_buddy(kernel, zone, block.start, block.order, false);
    return;
  }
  __move_freepages_block(kernel, zone, start, old, type);
  setPageblocks(kernel, start, pageblock_nr_pages, type);
}

function checkAligned(what: string, pfn: number, pages: number): void {
  if (pfn % pageblock_nr_pages !== 0 || pages % pageblock_nr_pages !== 0 || pages <= 0)
    throw new BadAccess(`${what}: pages ${pfn.toString(16)} + ${pages} are not whole pageblocks`);
}

/**
 * page_isolation.c:set_migratetype_isolate for each pageblock of a range: their free pages go to the lists
 * nothing is taken from, and are not counted as free. Whether the others can be moved is the caller's question.
 * @returns 0, or -EBUSY if one of them is isolated already; then nothing was done.
 */
export function set_migratetype_isolate(kernel: Kernel, pfn: number, pages: number): number {
  checkAligned('set_migratetype_isolate', pfn, pages);
  for (const run of runsOf(kernel.pages.pageblock, pfn, pfn + pages)) if (run.value === MIGRATE_ISOLATE) return EBUSY;
  for (let start = pfn; start < pfn + pages; start += pageblock_nr_pages) {
    const zone = kernel.zoneAt(start);
    move_freepages_block_isolate(kernel, zone, start, MIGRATE_ISOLATE);
    kernel.store.set(zone, 'nr_isolate_pageblock', zone.nr_isolate_pageblock + 1);
  }
  return 0;
}

/**
 * page_isolation.c:unset_migratetype_isolate for each isolated pageblock of a range: back to the lists of
 * `type`. Free blocks that could not merge while only one of them was isolated do so now, and go to the tail.
 */
export function unset_migratetype_isolate(kernel: Kernel, pfn: number, pages: number, type: number): void {
  checkAligned('unset_migratetype_isolate', pfn, pages);
  const { store } = kernel;
  for (let start = pfn; start < pfn + pages; ) {
    const zone = kernel.zoneAt(start);
    const whole = wholeBlocks(kernel, start, pfn + pages);
    if (whole > 0) {
      // Splitting each at its first pageblock and merging it at its second leaves it at the tail.
      const size = whole * (1 << MAX_PAGE_ORDER);
      freeArea(zone, MAX_PAGE_ORDER).remove(store, MIGRATE_ISOLATE, start, whole);
      setPageblocks(kernel, start, size, type);
      account_freepages(kernel, zone, size, type);
      freeArea(zone, MAX_PAGE_ORDER).add(store, type, start, whole, true);
      uncount(kernel, zone, size / pageblock_nr_pages);
      start += size;
      continue;
    }
    if (kernel.pages.pageblock.get(start) === MIGRATE_ISOLATE) unsetOne(kernel, zone, start, type);
    start += pageblock_nr_pages;
  }
}

/** How many isolated free blocks of the highest order follow each other from `start` on, inside the range. */
function wholeBlocks(kernel: Kernel, start: number, end: number): number {
  const block = freeBlockAt(kernel, start);
  if (block?.order !== MAX_PAGE_ORDER || block.start !== start) return 0;
  if (kernel.pages.pageblock.get(start) !== MIGRATE_ISOLATE) return 0;
  const area = freeArea(kernel.zoneAt(start), MAX_PAGE_ORDER);
  return Math.min(area.adjacentFrom(MIGRATE_ISOLATE, start), Math.floor((end - start) / (1 << MAX_PAGE_ORDER)));
}

function unsetOne(kernel: Kernel, zone: Zone, start: number, type: number): void {
  const isUpper = (start / pageblock_nr_pages) % 2 === 1;
  const buddy = isUpper ? start - pageblock_nr_pages : start + pageblock_nr_pages;
  const merges =
    page_is_buddy(kernel, zone, start, pageblock_order) &&
    page_is_buddy(kernel, zone, buddy, pageblock_order) &&
    kernel.pages.pageblock.get(buddy) !== MIGRATE_ISOLATE;
  if (merges) {
    del_page_from_free_list(kernel, zone, start, pageblock_order, MIGRATE_ISOLATE);
    setPageblocks(kernel, start, pageblock_nr_pages, type);
    __free_one_page(kernel, zone, start, pageblock_order, type, true);
  } else move_freepages_block_isolate(kernel, zone, start, type);
  uncount(kernel, zone, 1);
}

/** Pageblocks that came isolated with their memory were counted only if whoever put it online did. */
const uncount = (kernel: Kernel, zone: Zone, blocks: number): void =>
  kernel.store.set(zone, 'nr_isolate_pageblock', Math.max(0, zone.nr_isolate_pageblock - blocks));

/**
 * page_alloc.c:__offline_isolated_pages: takes the free pages of an isolated range off the lists; they were
 * not counted any more. Everything in the range must be free. Returns how many pages were taken.
 */
export function __offline_isolated_pages(kernel: Kernel, start: number, end: number): number {
  const { state, pageblock } = kernel.pages;
  let taken = 0;
  for (let pfn = start; pfn < end; ) {
    const zone = kernel.zoneAt(pfn);
    const block = freeBlockAt(kernel, pfn);
    if (!block || block.start !== pfn || pageblock.get(pfn) !== MIGRATE_ISOLATE)
      throw new BadAccess(`__offline_isolated_pages: page ${pfn.toString(16)} is not free and isolated`);
    const size = 1 << block.order;
    del_page_from_free_list(kernel, zone, pfn, block.order, MIGRATE_ISOLATE);
    state.setRange(pfn, pfn + size, withKind(state.get(pfn) & ~(15 << 4), PageKind.Offline));
    taken += size;
    pfn += size;
  }
  return taken;
}
