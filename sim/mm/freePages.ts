/** How pages come to the free lists: the freeing half of mm/page_alloc.c (6.12), and memory that boot or hotplug brings. */
import { MAX_PAGE_ORDER, pageblock_order } from '../arch/x86_64.ts';
import { BadAccess } from '../c/value.ts';
import { kindOf, orderOf, PG_HEAD, stateWord, withKind, type Zone } from '../include/mmzone.ts';
import { PageKind } from '../include/types.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import type { PageColumn } from '../store/column.ts';
import { __free_one_page, account_freepages, fill, freeArea, split_large_buddy } from './buddy.ts';
import { releaseFolio } from './folio_record.ts';
import { free_huge_folio, is_hugetlb_head } from './hugetlb_pool.ts';

/** page_alloc.c:__free_pages_ok: gives 2^order pages with no reference left back to their zone. */
export function __free_pages_ok(kernel: Kernel, pfn: number, order: number, toTail = false): void {
  const zone = kernel.zoneAt(pfn);
  const pages = 1 << order;
  fill(kernel.pages.flags, pfn, pages, 0);
  fill(kernel.pages.refcount, pfn, pages, 0);
  if (order > pageblock_order) split_large_buddy(kernel, zone, pfn, order, toTail);
  else __free_one_page(kernel, zone, pfn, order, kernel.pages.pageblock.get(pfn), toTail);
}

/**
 * page_alloc.c:__free_pages: drops one reference; the last one frees. Where someone else still
 * holds the first page of a block that is not compound, the pages behind it are freed already now.
 */
export function __free_pages(kernel: Kernel, pfn: number, order: number): void {
  const { refcount, flags } = kernel.pages;
  const count = refcount.get(pfn);
  const isHead = (flags.get(pfn) & PG_HEAD) !== 0;
  checkFree(kernel, pfn, order, count, isHead);
  refcount.set(pfn, count - 1);
  if (count === 1) __free_pages_ok(kernel, pfn, order);
  else if (!isHead) for (let o = order - 1; o >= 0; o--) __free_pages_ok(kernel, pfn + (1 << o), o);
}

function isOwned(word: number): boolean {
  const kind = kindOf(word);
  return kind === PageKind.Kernel || kind === PageKind.Anon || kind === PageKind.File;
}

/** What VM_BUG_ON_PAGE and bad_page find, or would corrupt memory unseen: such a free stops the program instead. */
function checkFree(kernel: Kernel, pfn: number, order: number, count: number, isHead: boolean): void {
  const word = kernel.pages.state.get(pfn);
  if (count === 0 || !isOwned(word))
    throw new BadAccess(
      `__free_pages: page ${hex(pfn)} is not allocated: freed already, reserved, device memory or inside a block`,
    );
  if (order === 0 && !isHead) return;
  if (order > MAX_PAGE_ORDER || pfn % (1 << order) !== 0)
    throw new BadAccess(`__free_pages: page ${hex(pfn)} does not begin a block of order ${order}`);
  if (isHead && orderOf(word) !== order)
    throw new BadAccess(`__free_pages: the compound page ${hex(pfn)} has order ${orderOf(word)}, not ${order}`);
  if (order > 0 && !areTails(kernel, pfn, pfn + (1 << order)))
    throw new BadAccess(
      `__free_pages: the pages behind page ${hex(pfn)} are no part of an allocation of order ${order}`,
    );
}

/** Are the pages behind `pfn` allocated, without a reference of their own? */
function areTails(kernel: Kernel, pfn: number, end: number): boolean {
  const { refcount, state } = kernel.pages;
  if (end - pfn <= 16) {
    for (let tail = pfn + 1; tail < end; tail++)
      if (refcount.get(tail) !== 0 || !isOwned(state.get(tail))) return false;
    return true;
  }
  const all = (column: PageColumn, isRight: (value: number) => boolean): boolean => {
    let right = true;
    column.runs(pfn + 1, end, (_from, _to, value) => {
      right = isRight(value);
      return right;
    });
    return right;
  };
  return all(refcount, (value) => value === 0) && all(state, isOwned);
}

/** mm/swap.c:__folio_put: the last reference of a page that is no device page is gone; a compound page goes whole. */
export function __folio_put(kernel: Kernel, pfn: number): void {
  const word = kernel.pages.state.get(pfn);
  if (!isOwned(word)) {
    kernel.WARN(`BUG: Bad page state: pfn:${pfn.toString(16)} is freed and was never allocated`);
    return;
  }
  releaseFolio(kernel, pfn);
  if (is_hugetlb_head(kernel, pfn)) {
    free_huge_folio(kernel, pfn);
    return;
  }
  __free_pages_ok(kernel, pfn, (kernel.pages.flags.get(pfn) & PG_HEAD) !== 0 ? orderOf(word) : 0);
}

/** page_alloc.c:split_page: makes 2^order single pages, each with its own reference, of a block that is not compound. */
export function split_page(kernel: Kernel, pfn: number, order: number): void {
  const { refcount, state, flags } = kernel.pages;
  if (refcount.get(pfn) === 0 || (flags.get(pfn) & PG_HEAD) !== 0)
    throw new BadAccess(`split_page: page ${pfn.toString(16)} is ${refcount.get(pfn) === 0 ? 'free' : 'compound'}`);
  if (order > MAX_PAGE_ORDER || !areTails(kernel, pfn, pfn + (1 << order)))
    throw new BadAccess(`split_page: page ${pfn.toString(16)} was not allocated with order ${order}`);
  const word = state.get(pfn);
  fill(state, pfn, 1 << order, withKind(word & ~(15 << 4), kindOf(word)));
  fill(refcount, pfn + 1, (1 << order) - 1, 1);
}

/* ---- memory that comes to the allocator ---- */

/**
 * mm/memblock.c:__free_pages_memory and page_alloc.c:__free_pages_core for one free range inside one zone:
 * naturally aligned blocks, ascending, each to the tail, so that free lists ascend. (Before 5.10 they went
 * to the head and lists came out descending; the engine lists them ascending there, too.)
 */
export function freeBootRange(kernel: Kernel, zone: Zone, start: number, end: number): void {
  const { store, pages } = kernel;
  const top = 1 << MAX_PAGE_ORDER;
  pages.flags.setRange(start, end, 0);
  pages.refcount.setRange(start, end, 0);
  store.set(zone, 'managed_pages', zone.managed_pages + (end - start));
  let pfn = start;
  while (pfn < end) {
    if (pfn % top === 0 && end - pfn >= top) {
      pfn = freeBlocks(kernel, zone, pfn, end);
      continue;
    }
    let order = 0;
    while (order < MAX_PAGE_ORDER && pfn % (2 << order) === 0 && pfn + (2 << order) <= end) order++;
    split_large_buddy(kernel, zone, pfn, order, true);
    pfn += 1 << order;
  }
}

/** As many blocks of the highest order as are of one type, at once. Returns where they end. */
function freeBlocks(kernel: Kernel, zone: Zone, start: number, end: number): number {
  const { store, pages } = kernel;
  const top = 1 << MAX_PAGE_ORDER;
  let same = start;
  const type = pages.pageblock.get(start);
  pages.pageblock.runs(start, end, (_from, to, value) => {
    if (value !== type) return false;
    same = to;
    return undefined;
  });
  const blocks = Math.floor((same - start) / top);
  if (blocks === 0) {
    split_large_buddy(kernel, zone, start, MAX_PAGE_ORDER, true);
    return start + top;
  }
  account_freepages(kernel, zone, blocks * top, type);
  pages.state.setRange(start, start + blocks * top, stateWord(PageKind.Free, MAX_PAGE_ORDER, zone.index, zone.node));
  freeArea(zone, MAX_PAGE_ORDER).add(store, type, start, blocks, true);
  return start + blocks * top;
}

/**
 * mm/memory_hotplug.c:online_pages_range with generic_online_page: struct pages of a block that is put
 * online go to the allocator in blocks of the highest order, to the tail of the list of their pageblocks
 * (MIGRATE_ISOLATE until undo_isolate_page_range). Managed and total pages grow; present is the caller's.
 */
export function freeOnlinedRange(kernel: Kernel, zone: Zone, start: number, end: number): void {
  freeBootRange(kernel, zone, start, end);
  kernel.store.set(kernel.state, 'totalram_pages', kernel.state.totalram_pages + (end - start));
}

/** page_alloc.c:drain_all_pages: there are no per-CPU lists to drain. */
export function drain_all_pages(_kernel: Kernel): void {}
