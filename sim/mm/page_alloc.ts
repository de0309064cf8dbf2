/**
 * The page allocator's upper half: mm/page_alloc.c (6.12.117), over the free lists of
 * buddy.ts. There are no per-CPU lists, so every state is that after drain_all_pages().
 * ZONE_DEVICE never takes part: nothing of it is present, so no zonelist has it.
 *
 * A simulated machine has no page cache to reclaim and no process to kill: a request that
 * would wait for either is refused, as it would be once the last of them was gone.
 */
import { MAX_PAGE_ORDER, pageblock_nr_pages, pageblock_order } from '../arch/x86_64.ts';
import { BadAccess } from '../c/value.ts';
import {
  kindOf,
  MIGRATE_HIGHATOMIC,
  MIGRATE_RECLAIMABLE,
  orderOf,
  PG_HEAD,
  stateWord,
  withKind,
  type Zone,
} from '../include/mmzone.ts';
import { PageKind, ZONE_DMA32, ZONE_NORMAL } from '../include/types.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import type { PageColumn } from '../store/column.ts';
import {
  __free_one_page,
  __rmqueue_claim,
  __rmqueue_smallest,
  __rmqueue_steal,
  account_freepages,
  fill,
  freeArea,
  migratetype_is_mergeable,
  move_freepages_block,
  setPageblocks,
  split_large_buddy,
  takeAdjacent,
  wakeup_kswapd,
} from './buddy.ts';
import {
  __GFP_COMP,
  __GFP_DIRECT_RECLAIM,
  __GFP_HIGH,
  __GFP_KSWAPD_RECLAIM,
  __GFP_MEMALLOC,
  __GFP_NOFAIL,
  __GFP_NOMEMALLOC,
  __GFP_NORETRY,
  __GFP_NOWARN,
  __GFP_RETRY_MAYFAIL,
  __GFP_THISNODE,
  gfp_migratetype,
  gfp_zone,
  gfpOf,
  gfpText,
} from './gfp.ts';

/* mm/internal.h: what a request may do. The watermark it must leave is in the low bits. */
const ALLOC_WMARK_MIN = 0;
const ALLOC_WMARK_LOW = 1;
const ALLOC_WMARK_HIGH = 2;
const ALLOC_WMARK_MASK = 3;
const ALLOC_NO_WATERMARKS = 4;
const ALLOC_OOM = 8;
const ALLOC_NON_BLOCK = 0x10;
const ALLOC_MIN_RESERVE = __GFP_HIGH;
const ALLOC_NOFRAGMENT = 0x100;
const ALLOC_HIGHATOMIC = 0x200;
const ALLOC_KSWAPD = __GFP_KSWAPD_RECLAIM;
const ALLOC_RESERVES = ALLOC_NON_BLOCK | ALLOC_MIN_RESERVE | ALLOC_HIGHATOMIC | ALLOC_OOM;
const PAGE_ALLOC_COSTLY_ORDER = 3;

/** struct alloc_context. */
interface AllocContext {
  readonly zones: readonly Zone[];
  readonly highest: number;
  readonly preferred: Zone | undefined;
  readonly migratetype: number;
  readonly gfp: number;
  readonly kind: PageKind;
}

/* ---- watermarks ---- */

const wmark = (zone: Zone, flags: number): number => {
  const { min, low, high } = zone.watermark;
  const level = flags & ALLOC_WMARK_MASK;
  return level === ALLOC_WMARK_MIN ? min : level === ALLOC_WMARK_HIGH ? high : low;
};

/**
 * page_alloc.c:__zone_watermark_ok: would a request of 2^order pages leave more than `mark`
 * and the reserve kept from requests that could have used higher zones? For order > 0 a
 * large enough block must be free, too.
 */
export function zone_watermark_ok(zone: Zone, order: number, mark: number, highestZone: number, flags = 0): boolean {
  if (headroom(zone, order, mark, highestZone, flags) <= 0) return false;
  if (order === 0) return true;
  for (let o = order; o <= MAX_PAGE_ORDER; o++) {
    const area = freeArea(zone, o);
    if (area.nr_free === 0) continue;
    for (let type = 0; type <= MIGRATE_RECLAIMABLE; type++) if (!area.isEmpty(type)) return true;
    if ((flags & (ALLOC_HIGHATOMIC | ALLOC_OOM)) !== 0 && !area.isEmpty(MIGRATE_HIGHATOMIC)) return true;
  }
  return false;
}

/** Pages above what must stay free; a request may go ahead while it is positive. */
function headroom(zone: Zone, order: number, mark: number, highestZone: number, flags: number): number {
  let free = zone.nr_free - ((1 << order) - 1);
  let min = mark;
  if ((flags & ALLOC_RESERVES) === 0) free -= zone.nr_free_highatomic;
  else {
    if ((flags & ALLOC_MIN_RESERVE) !== 0) {
      min -= Math.floor(min / 2);
      if ((flags & ALLOC_NON_BLOCK) !== 0) min -= Math.floor(min / 4);
    }
    if ((flags & ALLOC_OOM) !== 0) min -= Math.floor(min / 2);
  }
  return free - min - (zone.lowmem_reserve[highestZone] ?? 0);
}

/** page_alloc.c:zone_watermark_fast: urgent single pages do not wait for a boosted mark. */
function zone_watermark_fast(zone: Zone, order: number, highestZone: number, flags: number): boolean {
  const mark = wmark(zone, flags);
  if (zone_watermark_ok(zone, order, mark + zone.watermark_boost, highestZone, flags)) return true;
  const urgent = order === 0 && (flags & ALLOC_MIN_RESERVE) !== 0 && (flags & ALLOC_WMARK_MASK) === ALLOC_WMARK_MIN;
  return urgent && zone.watermark_boost > 0 && zone_watermark_ok(zone, order, mark, highestZone, flags);
}

/* ---- one allocation ---- */

/** page_alloc.c:prepare_alloc_pages. */
function prepare_alloc_pages(kernel: Kernel, gfp: number, nid: number, kind: PageKind): AllocContext {
  const highest = gfp_zone(gfp);
  const zones = kernel.node(nid).node_zonelists[(gfp & __GFP_THISNODE) !== 0 ? 1 : 0];
  return {
    zones,
    highest,
    preferred: firstUpTo(zones, highest),
    migratetype: gfp_migratetype(kernel, gfp),
    gfp,
    kind,
  };
}

/** mmzone.h:first_zones_zonelist. */
function firstUpTo(zones: readonly Zone[], highest: number): Zone | undefined {
  for (const zone of zones) if (zone.index <= highest) return zone;
  return undefined;
}

/** page_alloc.c:alloc_flags_nofragment: where NORMAL is preferred, DMA32 is used before pageblocks are mixed. */
function alloc_flags_nofragment(kernel: Kernel, ac: AllocContext): number {
  const flags = ac.gfp & __GFP_KSWAPD_RECLAIM;
  const zone = ac.preferred;
  if (zone?.index !== ZONE_NORMAL) return flags;
  const below = kernel.zone(zone.node, ZONE_DMA32);
  return kernel.nodes.length > 1 && below.present_pages === 0 ? flags : flags | ALLOC_NOFRAGMENT;
}

/** page_alloc.c:gfp_to_alloc_flags: what the slow path may do. */
function gfp_to_alloc_flags(gfp: number, order: number): number {
  let flags = ALLOC_WMARK_MIN | (gfp & (__GFP_HIGH | __GFP_KSWAPD_RECLAIM));
  if ((gfp & (__GFP_DIRECT_RECLAIM | __GFP_NOMEMALLOC)) === 0) {
    flags |= ALLOC_NON_BLOCK;
    if (order > 0 && (flags & ALLOC_MIN_RESERVE) !== 0) flags |= ALLOC_HIGHATOMIC;
  }
  return flags;
}

/** page_alloc.c:rmqueue_buddy: own lists, another type's blocks, and in need the atomic reserve. -1 if the zone has nothing. */
function rmqueue(kernel: Kernel, zone: Zone, order: number, type: number, flags: number): number {
  let pfn = -1;
  if ((flags & ALLOC_HIGHATOMIC) !== 0) pfn = __rmqueue_smallest(kernel, zone, order, MIGRATE_HIGHATOMIC);
  if (pfn < 0) pfn = __rmqueue_smallest(kernel, zone, order, type);
  if (pfn < 0) pfn = rmqueue_fallback(kernel, zone, order, type, flags);
  if (pfn < 0 && (flags & (ALLOC_OOM | ALLOC_NON_BLOCK)) !== 0)
    pfn = __rmqueue_smallest(kernel, zone, order, MIGRATE_HIGHATOMIC);
  if (pfn >= 0 && zone.watermark_boost > 0 && (flags & ALLOC_KSWAPD) !== 0) wakeup_kswapd(kernel, zone);
  return pfn;
}

/** page_alloc.c:__rmqueue behind its first step: claim a pageblock, else take from it and leave it be. */
function rmqueue_fallback(kernel: Kernel, zone: Zone, order: number, type: number, flags: number): number {
  const noFragment = (flags & ALLOC_NOFRAGMENT) !== 0;
  const pfn = __rmqueue_claim(kernel, zone, order, type, noFragment, (flags & ALLOC_KSWAPD) !== 0);
  return pfn >= 0 || noFragment ? pfn : __rmqueue_steal(kernel, zone, order, type);
}

/** page_alloc.c:get_page_from_freelist: the first zone of the list that may give. -1 if none does. */
function get_page_from_freelist(kernel: Kernel, ac: AllocContext, order: number, wanted: number): number {
  let flags = wanted;
  for (;;) {
    const noFragment = (flags & ALLOC_NOFRAGMENT) !== 0;
    for (const zone of ac.zones) {
      if (zone.index > ac.highest) continue;
      // Locality counts for more than unmixed pageblocks: before going to another node try again, mixing.
      if (noFragment && zone.node !== ac.preferred?.node) break;
      if ((flags & ALLOC_NO_WATERMARKS) === 0 && !zone_watermark_fast(zone, order, ac.highest, flags)) continue;
      const pfn = rmqueue(kernel, zone, order, ac.migratetype, flags);
      if (pfn < 0) continue;
      prep_new_page(kernel, zone, pfn, order, ac);
      if ((flags & ALLOC_HIGHATOMIC) !== 0) reserve_highatomic_pageblock(kernel, zone, pfn, order);
      return pfn;
    }
    if (!noFragment) return -1;
    flags &= ~ALLOC_NOFRAGMENT;
  }
}

/** page_alloc.c:prep_new_page: one reference on the first page; with __GFP_COMP it is the head of the others. */
function prep_new_page(kernel: Kernel, zone: Zone, pfn: number, order: number, ac: AllocContext): void {
  const { state, refcount, flags } = kernel.pages;
  fill(state, pfn, 1 << order, stateWord(ac.kind, order, zone.index, zone.node));
  refcount.set(pfn, 1);
  if (order > 0 && (ac.gfp & __GFP_COMP) !== 0) flags.set(pfn, PG_HEAD);
}

/** page_alloc.c:reserve_highatomic_pageblock: at most about one percent of a zone, whole pageblocks. */
function reserve_highatomic_pageblock(kernel: Kernel, zone: Zone, pfn: number, order: number): void {
  const { store, pages } = kernel;
  const percent = Math.floor(zone.managed_pages / 100);
  if (percent < pageblock_nr_pages) return;
  if (zone.nr_reserved_highatomic >= Math.ceil(percent / pageblock_nr_pages) * pageblock_nr_pages) return;
  const type = pages.pageblock.get(pfn);
  if (!migratetype_is_mergeable(type)) return;
  if (order < pageblock_order) {
    if (move_freepages_block(kernel, zone, pfn, type, MIGRATE_HIGHATOMIC) < 0) return;
  } else setPageblocks(kernel, pfn, 1 << order, MIGRATE_HIGHATOMIC);
  const reserved = Math.max(pageblock_nr_pages, 1 << order);
  store.set(zone, 'nr_reserved_highatomic', zone.nr_reserved_highatomic + reserved);
}

/** page_alloc.c:unreserve_highatomic_pageblock: gives one pageblock of the reserve back. `force`: even the last one. */
function unreserve_highatomic_pageblock(kernel: Kernel, ac: AllocContext, force: boolean): boolean {
  const { store } = kernel;
  for (const zone of ac.zones) {
    if (zone.index > ac.highest || (!force && zone.nr_reserved_highatomic <= pageblock_nr_pages)) continue;
    for (let order = 0; order <= MAX_PAGE_ORDER; order++) {
      const area = freeArea(zone, order);
      const pfn = area.first(MIGRATE_HIGHATOMIC);
      if (pfn === undefined) continue;
      const size = Math.min(Math.max(pageblock_nr_pages, 1 << order), zone.nr_reserved_highatomic);
      store.set(zone, 'nr_reserved_highatomic', zone.nr_reserved_highatomic - size);
      if (order < pageblock_order) {
        if (move_freepages_block(kernel, zone, pfn, MIGRATE_HIGHATOMIC, ac.migratetype) > 0) return true;
        continue;
      }
      area.remove(store, MIGRATE_HIGHATOMIC, pfn);
      area.add(store, ac.migratetype, pfn, 1, true);
      account_freepages(kernel, zone, -(1 << order), MIGRATE_HIGHATOMIC);
      account_freepages(kernel, zone, 1 << order, ac.migratetype);
      setPageblocks(kernel, pfn, 1 << order, ac.migratetype);
      return true;
    }
  }
  return false;
}

/**
 * page_alloc.c:__alloc_pages: 2^order pages near node `nid`. Returns the first pfn, -1 for NULL:
 * order above MAX_PAGE_ORDER, or no zone that the flags allow has such a block above its mark.
 */
export function __alloc_pages(
  kernel: Kernel,
  gfp: number,
  order: number,
  nid: number,
  kind: PageKind = PageKind.Kernel,
): number {
  if (order > MAX_PAGE_ORDER) {
    if ((gfp & __GFP_NOWARN) === 0) kernel.WARN(`__alloc_pages: order ${order} is above MAX_PAGE_ORDER`);
    return -1;
  }
  const ac = prepare_alloc_pages(kernel, gfp, nid, kind);
  const pfn = get_page_from_freelist(kernel, ac, order, ALLOC_WMARK_LOW | alloc_flags_nofragment(kernel, ac));
  return pfn >= 0 ? pfn : __alloc_pages_slowpath(kernel, ac, order);
}

/** page_alloc.c:__alloc_pages_slowpath where reclaim and compaction find nothing to do. */
function __alloc_pages_slowpath(kernel: Kernel, ac: AllocContext, order: number): number {
  const { gfp } = ac;
  const may = (bits: number): boolean => (gfp & bits) !== 0;
  let flags = gfp_to_alloc_flags(gfp, order);
  if (!ac.preferred) return nopage(kernel, ac, order);
  let pfn = get_page_from_freelist(kernel, ac, order, flags | (alloc_flags_nofragment(kernel, ac) & ALLOC_NOFRAGMENT));
  if (pfn >= 0) return pfn;
  if (may(ALLOC_KSWAPD)) for (const zone of ac.zones) wakeup_kswapd(kernel, zone);
  if (may(__GFP_MEMALLOC) && !may(__GFP_NOMEMALLOC)) flags = (flags & ALLOC_KSWAPD) | ALLOC_NO_WATERMARKS;
  const again = (): number => get_page_from_freelist(kernel, ac, order, flags);
  pfn = again();
  if (pfn >= 0) return pfn;
  if (may(__GFP_DIRECT_RECLAIM) && !may(__GFP_NORETRY)) {
    const costly = order > PAGE_ALLOC_COSTLY_ORDER && !may(__GFP_RETRY_MAYFAIL);
    // Nothing can be reclaimed: the reserve for atomic requests is what is left before the OOM killer.
    while (!costly && unreserve_highatomic_pageblock(kernel, ac, true)) {
      pfn = again();
      if (pfn >= 0) return pfn;
    }
    if (!costly) pfn = get_page_from_freelist(kernel, ac, order, ALLOC_WMARK_HIGH);
    if (pfn >= 0) return pfn;
  }
  return nopage(kernel, ac, order);
}

function nopage(kernel: Kernel, ac: AllocContext, order: number): number {
  if ((ac.gfp & (__GFP_NOFAIL | __GFP_DIRECT_RECLAIM)) === (__GFP_NOFAIL | __GFP_DIRECT_RECLAIM)) {
    const pfn = get_page_from_freelist(kernel, ac, order, ALLOC_MIN_RESERVE);
    if (pfn >= 0) return pfn;
    throw new BadAccess(
      `an allocation of order ${order} with __GFP_NOFAIL finds no memory: the kernel would try again for ever`,
    );
  }
  if ((ac.gfp & __GFP_NOWARN) === 0)
    kernel.pr_warn(`page allocation failure: order:${order}, mode:${gfpText(ac.gfp)}, nodemask=(null)`);
  return -1;
}

/* ---- many allocations at once, for memory maps ---- */

/** What the pages of an allocation become. */
export interface Use {
  kind: PageKind;
  migratetype: number;
}

/**
 * page_alloc.c:alloc_pages_node `count` times with GFP_KERNEL | __GFP_RETRY_MAYFAIL | __GFP_NOWARN
 * (for movable pages: GFP_HIGHUSER_MOVABLE), in the order and with the result of single calls, but whole
 * free blocks at a time. Returns runs of adjacent blocks; fewer blocks than asked means ENOMEM.
 */
export function alloc_pages_node(
  kernel: Kernel,
  node: number,
  order: number,
  use: Use,
  count = 1,
): { pfn: number; blocks: number }[] {
  const gfp = gfpOf(use.migratetype) | __GFP_RETRY_MAYFAIL | __GFP_NOWARN;
  const ac = prepare_alloc_pages(kernel, gfp, node, use.kind);
  const noFragment = alloc_flags_nofragment(kernel, ac);
  const taken: { pfn: number; blocks: number }[] = [];
  let left = count;
  const take = (pfn: number, blocks: number): void => {
    const last = taken.at(-1);
    if (last && last.pfn + last.blocks * 2 ** order === pfn) last.blocks += blocks;
    else taken.push({ pfn, blocks });
    left -= blocks;
  };
  for (const level of [ALLOC_WMARK_LOW, ALLOC_WMARK_MIN]) {
    while (left > 0) {
      takeFromZones(kernel, ac, order, level | noFragment, left, take);
      if (left === 0) break;
      // What only mixing pageblocks gives is taken one by one: each may leave whole blocks for the next.
      const pfn = get_page_from_freelist(kernel, ac, order, level | noFragment);
      if (pfn < 0) break;
      take(pfn, 1);
    }
  }
  if (left === 0) return taken;
  // The slow path's last resorts.
  for (let pfn = 0; left > 0 && pfn >= 0; ) {
    pfn = __alloc_pages_slowpath(kernel, ac, order);
    if (pfn >= 0) take(pfn, 1);
  }
  return taken;
}

/** What the zones give from their own free lists, as many blocks as their marks allow without asking again. */
function takeFromZones(
  kernel: Kernel,
  ac: AllocContext,
  order: number,
  flags: number,
  wanted: number,
  take: (pfn: number, blocks: number) => void,
): void {
  let left = wanted;
  for (const zone of ac.zones) {
    if (zone.index > ac.highest) continue;
    if ((flags & ALLOC_NOFRAGMENT) !== 0 && zone.node !== ac.preferred?.node) return;
    const room = headroom(zone, order, wmark(zone, flags) + zone.watermark_boost, ac.highest, flags);
    if (room <= 0) continue;
    for (let may = Math.min(left, Math.ceil(room / (1 << order))); may > 0; ) {
      const run = takeAdjacent(kernel, zone, order, ac.migratetype, may);
      // Not from our own lists: then the order of zones and fallbacks must be that of single calls.
      if (!run) return;
      prepRun(kernel, zone, run, order, ac.kind);
      take(run.pfn, run.blocks);
      may -= run.blocks;
      left -= run.blocks;
    }
    if (left === 0) return;
  }
}

function prepRun(
  kernel: Kernel,
  zone: Zone,
  run: { pfn: number; blocks: number },
  order: number,
  kind: PageKind,
): void {
  const { state, refcount } = kernel.pages;
  const size = 1 << order;
  fill(state, run.pfn, run.blocks * size, stateWord(kind, order, zone.index, zone.node));
  if (order === 0) fill(refcount, run.pfn, run.blocks, 1);
  else for (let i = 0; i < run.blocks; i++) refcount.set(run.pfn + i * size, 1);
}

/* ---- freeing ---- */

/** page_alloc.c:__free_pages_ok: gives 2^order pages with no reference left back to their zone. */
export function __free_pages_ok(kernel: Kernel, pfn: number, order: number, toTail = false): void {
  const zone = kernel.zoneAt(pfn);
  const pages = 1 << order;
  fill(kernel.pages.flags, pfn, pages, 0);
  fill(kernel.pages.refcount, pfn, pages, 0);
  if (order > pageblock_order) split_large_buddy(kernel, zone, pfn, order, toTail);
  else __free_one_page(kernel, zone, pfn, order, kernel.pages.pageblock.get(pfn), toTail);
}

/** The head of the compound page that `pfn` is part of; `pfn` itself if it is none. */
export function compound_head(kernel: Kernel, pfn: number): number {
  const head = pfn - (pfn % (1 << orderOf(kernel.pages.state.get(pfn))));
  return (kernel.pages.flags.get(head) & PG_HEAD) !== 0 ? head : pfn;
}

/**
 * page_alloc.c:__free_pages: drops one reference; the last one frees. Where someone else still
 * holds the first page of a block that is not compound, the pages behind it are freed already now.
 */
export function __free_pages(kernel: Kernel, pfn: number, order: number): void {
  const { refcount, flags } = kernel.pages;
  const count = refcount.get(pfn);
  const isHead = (flags.get(pfn) & PG_HEAD) !== 0;
  checkFree(kernel, pfn, order, isHead);
  refcount.set(pfn, count - 1);
  if (count === 1) __free_pages_ok(kernel, pfn, order);
  else if (!isHead) for (let o = order - 1; o >= 0; o--) __free_pages_ok(kernel, pfn + (1 << o), o);
}

const OWNED: ReadonlySet<PageKind> = new Set([PageKind.Kernel, PageKind.Anon, PageKind.File]);

/** What VM_BUG_ON_PAGE and bad_page find, or would corrupt memory unseen: such a free stops the program instead. */
function checkFree(kernel: Kernel, pfn: number, order: number, isHead: boolean): void {
  const { refcount, state } = kernel.pages;
  const page = (): string => `page ${hex(pfn)}`;
  const end = pfn + 2 ** order;
  if (refcount.get(pfn) === 0 || !OWNED.has(kindOf(state.get(pfn))))
    throw new BadAccess(
      `__free_pages: ${page()} is not allocated: freed already, reserved, device memory or inside a block`,
    );
  if (order > MAX_PAGE_ORDER || pfn % 2 ** order !== 0)
    throw new BadAccess(`__free_pages: ${page()} does not begin a block of order ${order}`);
  if (isHead && orderOf(state.get(pfn)) !== order)
    throw new BadAccess(`__free_pages: the compound ${page()} has order ${orderOf(state.get(pfn))}, not ${order}`);
  if (order === 0) return;
  const holds = (column: PageColumn, isWrong: (value: number) => boolean): boolean => {
    let found = false;
    column.runs(pfn + 1, end, (_from, _to, value) => {
      found = isWrong(value);
      return !found;
    });
    return found;
  };
  if (holds(refcount, (value) => value !== 0) || holds(state, (word) => !OWNED.has(kindOf(word))))
    throw new BadAccess(`__free_pages: the pages behind ${page()} are no part of an allocation of order ${order}`);
}

/** mm/swap.c:__folio_put: the last reference of a page that is no device page is gone; a compound page goes whole. */
export function __folio_put(kernel: Kernel, pfn: number): void {
  const word = kernel.pages.state.get(pfn);
  if (!OWNED.has(kindOf(word))) {
    kernel.WARN(`BUG: Bad page state: pfn:${pfn.toString(16)} is freed and was never allocated`);
    return;
  }
  __free_pages_ok(kernel, pfn, (kernel.pages.flags.get(pfn) & PG_HEAD) !== 0 ? orderOf(word) : 0);
}

/** page_alloc.c:split_page: makes 2^order single pages, each with its own reference, of a block that is not compound. */
export function split_page(kernel: Kernel, pfn: number, order: number): void {
  const { refcount, state, flags } = kernel.pages;
  if (refcount.get(pfn) === 0 || (flags.get(pfn) & PG_HEAD) !== 0)
    throw new BadAccess(`split_page: page ${pfn.toString(16)} is ${refcount.get(pfn) === 0 ? 'free' : 'compound'}`);
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

export { build_all_zonelists, zonelist } from './zonelist.ts';
