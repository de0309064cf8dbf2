/**
 * The free lists of a zone: the lower half of mm/page_alloc.c (6.12.117, for every
 * release but the end of the list that boot memory goes to). There are no per-CPU
 * lists: the state is always that after drain_all_pages().
 */
import { MAX_PAGE_ORDER, pageblock_nr_pages, pageblock_order } from '../arch/x86_64.ts';
import {
  kindOf,
  MIGRATE_HIGHATOMIC,
  MIGRATE_ISOLATE,
  MIGRATE_MOVABLE,
  MIGRATE_RECLAIMABLE,
  MIGRATE_UNMOVABLE,
  nodeOf,
  orderOf,
  PG,
  stateWord,
  type Zone,
  zoneOf,
} from '../include/mmzone.ts';
import { PageKind } from '../include/types.ts';
import type { Kernel } from '../machine/kernel.ts';
import type { PageColumn } from '../store/column.ts';

/** page_alloc.c:fallbacks[]: where an empty list may take from, best first. */
const FALLBACKS: readonly (readonly number[])[] = [
  [MIGRATE_RECLAIMABLE, MIGRATE_MOVABLE],
  [MIGRATE_RECLAIMABLE, MIGRATE_UNMOVABLE],
  [MIGRATE_UNMOVABLE, MIGRATE_MOVABLE],
];

export const migratetype_is_mergeable = (type: number): boolean => type < MIGRATE_HIGHATOMIC;

export function freeArea(zone: Zone, order: number) {
  const area = zone.free_area[order];
  if (!area) throw new RangeError(`order ${order}`);
  return area;
}

/** Sets a few pages one by one where a range would cost more than they do. */
export function fill(column: PageColumn, pfn: number, pages: number, value: number): void {
  if (pages <= 8) for (let i = 0; i < pages; i++) column.set(pfn + i, value);
  else column.setRange(pfn, pfn + pages, value);
}

/** page_alloc.c:account_freepages: free pages of isolated blocks are not counted, those of the reserve twice. */
export function account_freepages(kernel: Kernel, zone: Zone, pages: number, type: number): void {
  if (type === MIGRATE_ISOLATE) return;
  kernel.store.add(zone, 'nr_free', pages);
  if (type === MIGRATE_HIGHATOMIC) kernel.store.add(zone, 'nr_free_highatomic', pages);
}

/** page_alloc.c:page_is_buddy: is `pfn` the head of a free block of `order` in this zone? */
export function page_is_buddy(kernel: Kernel, zone: Zone, pfn: number, order: number): boolean {
  return kernel.pages.state.get(pfn) === freeWord(zone, order);
}

const freeWord = (zone: Zone, order: number): number => stateWord(PageKind.Free, order, zone.index, zone.node);

/** page_alloc.c:set_pageblock_migratetype, for all pageblocks that the range touches. */
export function setPageblocks(kernel: Kernel, pfn: number, pages: number, type: number): void {
  const wanted = kernel.state.page_group_by_mobility_disabled && type < MIGRATE_HIGHATOMIC ? MIGRATE_UNMOVABLE : type;
  kernel.pages.pageblock.setRange(
    pfn - (pfn % pageblock_nr_pages),
    Math.ceil((pfn + pages) / pageblock_nr_pages) * pageblock_nr_pages,
    wanted,
  );
}

/** `pfn ^ (1 << order)` for pfns beyond 32 bits. */
const buddyOf = (pfn: number, order: number): number => {
  const size = 1 << order;
  return (pfn & size) === 0 ? pfn + size : pfn - size;
};

/* ---- freeing ---- */

/** page_alloc.c:__free_one_page: merges with free buddies, then lists the block. */
export function __free_one_page(
  kernel: Kernel,
  zone: Zone,
  start: number,
  startOrder: number,
  type: number,
  toTail: boolean,
): void {
  const { store, pages } = kernel;
  let pfn = start;
  let order = startOrder;
  while (order < MAX_PAGE_ORDER) {
    const buddy = buddyOf(pfn, order);
    if (!page_is_buddy(kernel, zone, buddy, order)) break;
    // Below the size of a pageblock the buddy is in the same one.
    const buddyType = order < pageblock_order ? type : pages.pageblock.get(buddy);
    if (buddyType !== type && !(migratetype_is_mergeable(type) && migratetype_is_mergeable(buddyType))) break;
    freeArea(zone, order).remove(store, buddyType, buddy);
    if (buddyType !== type) setPageblocks(kernel, buddy, 1 << order, type);
    pfn = Math.min(pfn, buddy);
    order++;
  }
  fill(pages.state, pfn, 1 << order, freeWord(zone, order));
  const last = toTail || buddy_merge_likely(kernel, zone, pfn, order);
  const size = 1 << startOrder;
  if (migratetype_is_mergeable(type)) freeArea(zone, order).add(store, type, pfn, 1, last, zone, size);
  else {
    account_freepages(kernel, zone, size, type);
    freeArea(zone, order).add(store, type, pfn, 1, last);
  }
}

/** page_alloc.c:buddy_merge_likely: would the merged block find its own buddy free? Then it is taken last. */
function buddy_merge_likely(kernel: Kernel, zone: Zone, pfn: number, order: number): boolean {
  if (order >= MAX_PAGE_ORDER - 1) return false;
  const parent = pfn - (pfn & ((2 << order) - 1));
  return page_is_buddy(kernel, zone, buddyOf(parent, order + 1), order + 1);
}

/** page_alloc.c:split_large_buddy: frees pageblock by pageblock, because each may be of another type. */
export function split_large_buddy(kernel: Kernel, zone: Zone, pfn: number, order: number, toTail: boolean): void {
  const step = Math.min(order, pageblock_order);
  for (let at = pfn; at < pfn + (1 << order); at += 1 << step)
    __free_one_page(kernel, zone, at, step, kernel.pages.pageblock.get(at), toTail);
}

/** page_alloc.c:del_page_from_free_list. */
export function del_page_from_free_list(kernel: Kernel, zone: Zone, pfn: number, order: number, type: number): void {
  freeArea(zone, order).remove(kernel.store, type, pfn);
  account_freepages(kernel, zone, -(1 << order), type);
}

/* ---- taking ---- */

/**
 * page_alloc.c:__rmqueue_smallest: the first block of the smallest order that has one of
 * this type; the lower half is kept, upper halves go back. -1 if there is none.
 */
export function __rmqueue_smallest(kernel: Kernel, zone: Zone, order: number, type: number): number {
  for (let from = order; from <= MAX_PAGE_ORDER; from++) {
    const area = freeArea(zone, from);
    const pfn = area.first(type);
    if (pfn === undefined) continue;
    if (migratetype_is_mergeable(type)) area.takeFirst(kernel.store, type, 1, zone, -(1 << order));
    else {
      area.takeFirst(kernel.store, type, 1);
      account_freepages(kernel, zone, -(1 << order), type);
    }
    expand(kernel, zone, pfn, order, from, type);
    return pfn;
  }
  return -1;
}

/** page_alloc.c:expand: lists the upper halves of a block that is larger than wanted. */
function expand(kernel: Kernel, zone: Zone, pfn: number, order: number, from: number, type: number): void {
  for (let o = from - 1; o >= order; o--) {
    const upper = pfn + (1 << o);
    fill(kernel.pages.state, upper, 1 << o, freeWord(zone, o));
    freeArea(zone, o).add(kernel.store, type, upper, 1, false);
  }
}

/**
 * __rmqueue_smallest `wanted` times at once, as long as one run of whole blocks gives it: splitting
 * block after block from the lower end gives ascending pfns. Returns how many blocks were taken from `first`.
 */
export function takeAdjacent(
  kernel: Kernel,
  zone: Zone,
  order: number,
  type: number,
  wanted: number,
): { pfn: number; blocks: number } | undefined {
  for (let from = order; from <= MAX_PAGE_ORDER; from++) {
    const area = freeArea(zone, from);
    const pfn = area.first(type);
    if (pfn === undefined) continue;
    const each = 1 << (from - order);
    if (wanted < each) break;
    const blocks = area.takeFirst(kernel.store, type, Math.floor(wanted / each)) * each;
    account_freepages(kernel, zone, -blocks * (1 << order), type);
    return { pfn, blocks };
  }
  const pfn = __rmqueue_smallest(kernel, zone, order, type);
  return pfn < 0 ? undefined : { pfn, blocks: 1 };
}

/* ---- taking from another type's blocks ---- */

/** page_alloc.c:find_suitable_fallback: the type to take from; -1 if no list of this order has a block, -2 if it is too small to claim. */
function find_suitable_fallback(kernel: Kernel, zone: Zone, order: number, type: number, claimable: boolean): number {
  if (claimable && !should_try_claim_block(kernel, order, type)) return -2;
  const area = freeArea(zone, order);
  if (area.nr_free === 0) return -1;
  for (const fallback of FALLBACKS[type] ?? []) if (!area.isEmpty(fallback)) return fallback;
  return -1;
}

/** page_alloc.c:should_try_claim_block: movable pages leave small blocks of others alone, as they can be moved out later. */
const should_try_claim_block = (kernel: Kernel, order: number, type: number): boolean =>
  order >= pageblock_order >> 1 ||
  type === MIGRATE_RECLAIMABLE ||
  type === MIGRATE_UNMOVABLE ||
  kernel.state.page_group_by_mobility_disabled;

/**
 * page_alloc.c:__rmqueue_claim: from the largest order down, makes a block of another type ours
 * and takes from it. `noFragment`: only whole pageblocks. -1 if no block could be claimed.
 */
export function __rmqueue_claim(
  kernel: Kernel,
  zone: Zone,
  order: number,
  type: number,
  noFragment: boolean,
  wakeKswapd: boolean,
): number {
  const least = noFragment ? Math.max(order, pageblock_order) : order;
  for (let from = MAX_PAGE_ORDER; from >= least; from--) {
    const fallback = find_suitable_fallback(kernel, zone, from, type, true);
    if (fallback === -1) continue;
    if (fallback === -2) break;
    const pfn = try_to_claim_block(kernel, zone, from, order, type, fallback, wakeKswapd);
    if (pfn >= 0) return pfn;
  }
  return -1;
}

/** page_alloc.c:try_to_claim_block: a whole pageblock at once, or one that is at least half free or of our kind. */
function try_to_claim_block(
  kernel: Kernel,
  zone: Zone,
  from: number,
  order: number,
  type: number,
  blockType: number,
  wakeKswapd: boolean,
): number {
  const pfn = freeArea(zone, from).first(blockType) ?? -1;
  if (from >= pageblock_order) {
    del_page_from_free_list(kernel, zone, pfn, from, blockType);
    setPageblocks(kernel, pfn, 1 << from, type);
    account_freepages(kernel, zone, (1 << from) - (1 << order), type);
    expand(kernel, zone, pfn, order, from, type);
    return pfn;
  }
  if (boost_watermark(kernel, zone) && wakeKswapd) wakeup_kswapd(kernel, zone);
  const start = pfn - (pfn % pageblock_nr_pages);
  const block = prep_move_freepages_block(kernel, zone, start);
  if (!block) return -1;
  let alike = 0;
  if (type === MIGRATE_MOVABLE) alike = block.movable;
  else if (blockType === MIGRATE_MOVABLE) alike = pageblock_nr_pages - (block.free + block.movable);
  if (block.free + alike < pageblock_nr_pages / 2 && !kernel.state.page_group_by_mobility_disabled) return -1;
  __move_freepages_block(kernel, zone, start, blockType, type);
  setPageblocks(kernel, start, pageblock_nr_pages, type);
  return __rmqueue_smallest(kernel, zone, order, type);
}

/** page_alloc.c:__rmqueue_steal: the smallest block of another type, which keeps what is left of it. */
export function __rmqueue_steal(kernel: Kernel, zone: Zone, order: number, type: number): number {
  for (let from = order; from <= MAX_PAGE_ORDER; from++) {
    const fallback = find_suitable_fallback(kernel, zone, from, type, false);
    if (fallback < 0) continue;
    const pfn = freeArea(zone, from).first(fallback) ?? -1;
    del_page_from_free_list(kernel, zone, pfn, from, fallback);
    account_freepages(kernel, zone, (1 << from) - (1 << order), fallback);
    expand(kernel, zone, pfn, order, from, fallback);
    return pfn;
  }
  return -1;
}

/** page_alloc.c:prep_move_freepages_block: what is in the pageblock at `start`; undefined if the zone does not span it. */
function prep_move_freepages_block(
  kernel: Kernel,
  zone: Zone,
  start: number,
): { free: number; movable: number } | undefined {
  if (!zoneSpansBlock(zone, start)) return undefined;
  const { state, flags } = kernel.pages;
  let free = 0;
  let movable = 0;
  state.runs(start, start + pageblock_nr_pages, (from, to, word) => {
    if (kindOf(word) === PageKind.Free) free += to - from;
    else
      flags.runs(from, to, (first, last, bits) => {
        if ((bits & (1 << PG.lru)) !== 0) movable += last - first;
        return undefined;
      });
    return undefined;
  });
  return { free, movable };
}

const zoneSpansBlock = (zone: Zone, start: number): boolean =>
  start >= zone.zone_start_pfn && start + pageblock_nr_pages <= zone.zone_start_pfn + zone.spanned_pages;

/** page_alloc.c:__move_freepages_block: the free blocks inside one pageblock go to the tail of another list. Returns pages moved. */
export function __move_freepages_block(kernel: Kernel, zone: Zone, start: number, from: number, to: number): number {
  const found: { pfn: number; order: number }[] = [];
  kernel.pages.state.runs(start, start + pageblock_nr_pages, (first, last, word) => {
    if (kindOf(word) === PageKind.Free && zoneOf(word) === zone.index && nodeOf(word) === zone.node)
      for (let pfn = first; pfn < last; pfn += 1 << orderOf(word)) found.push({ pfn, order: orderOf(word) });
    return undefined;
  });
  let moved = 0;
  for (const { pfn, order } of found) {
    del_page_from_free_list(kernel, zone, pfn, order, from);
    account_freepages(kernel, zone, 1 << order, to);
    freeArea(zone, order).add(kernel.store, to, pfn, 1, true);
    moved += 1 << order;
  }
  return moved;
}

/** page_alloc.c:move_freepages_block: with the type of the pageblock. -1 if the zone does not span it. */
export function move_freepages_block(kernel: Kernel, zone: Zone, pfn: number, from: number, to: number): number {
  const start = pfn - (pfn % pageblock_nr_pages);
  if (!zoneSpansBlock(zone, start)) return -1;
  const moved = __move_freepages_block(kernel, zone, start, from, to);
  setPageblocks(kernel, start, pageblock_nr_pages, to);
  return moved;
}

/* ---- watermark boost ---- */

const WATERMARK_BOOST_FACTOR = 15000;

/** page_alloc.c:boost_watermark: a pageblock was broken into; kswapd shall free more than usual. */
function boost_watermark(kernel: Kernel, zone: Zone): boolean {
  if (pageblock_nr_pages * 4 > zone.managed_pages) return false;
  const most = Math.floor((zone.watermark.high * WATERMARK_BOOST_FACTOR) / 10000);
  if (most === 0) return false;
  const limit = Math.max(pageblock_nr_pages, most);
  kernel.store.set(zone, 'watermark_boost', Math.min(zone.watermark_boost + pageblock_nr_pages, limit));
  return true;
}

/** mm/vmscan.c:wakeup_kswapd and balance_pgdat: nothing here can be reclaimed, so kswapd takes the boosts back and sleeps. */
export function wakeup_kswapd(kernel: Kernel, zone: Zone): void {
  for (const each of kernel.node(zone.node).node_zones)
    if (each.watermark_boost !== 0) kernel.store.set(each, 'watermark_boost', 0);
}
