/**
 * The page allocator's upper half: mm/page_alloc.c (6.12.117), over the free lists of
 * buddy.ts. There are no per-CPU lists, so every state is that after drain_all_pages().
 * ZONE_DEVICE never takes part: nothing of it is present, so no zonelist has it.
 *
 * An allocation here does not sleep: a request that would reclaim or kill is refused. Where a
 * process faults, that comes behind it, and the fault is done again (memcg_oom.ts).
 */
import { MAX_PAGE_ORDER, pageblock_nr_pages, pageblock_order } from '../arch/x86_64.ts';
import { BadAccess } from '../c/value.ts';
import { MIGRATE_HIGHATOMIC, PG_HEAD, stateWord, type Zone } from '../include/mmzone.ts';
import { PageKind, ZONE_DMA32, ZONE_NORMAL } from '../include/types.ts';
import type { Kernel } from '../machine/kernel.ts';
import {
  __rmqueue_claim,
  __rmqueue_smallest,
  __rmqueue_steal,
  account_freepages,
  fill,
  freeArea,
  migratetype_is_mergeable,
  move_freepages_block,
  setPageblocks,
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
import {
  ALLOC_HIGHATOMIC,
  ALLOC_KSWAPD,
  ALLOC_MIN_RESERVE,
  ALLOC_NO_WATERMARKS,
  ALLOC_NOFRAGMENT,
  ALLOC_NON_BLOCK,
  ALLOC_OOM,
  ALLOC_WMARK_HIGH,
  ALLOC_WMARK_LOW,
  ALLOC_WMARK_MIN,
  headroom,
  wmark,
  zone_watermark_fast,
} from './watermark.ts';

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

/* ---- one allocation ---- */

/** page_alloc.c:prepare_alloc_pages. */
function prepare_alloc_pages(kernel: Kernel, gfp: number, nid: number, kind: PageKind): AllocContext {
  const zones = kernel.node(nid).node_zonelists[(gfp & __GFP_THISNODE) !== 0 ? 1 : 0];
  const migratetype = gfp_migratetype(kernel, gfp);
  const last = lastContext;
  if (last?.zones === zones && last.gfp === gfp && last.kind === kind && last.migratetype === migratetype) return last;
  const highest = gfp_zone(gfp);
  lastContext = { zones, highest, preferred: firstUpTo(zones, highest), migratetype, gfp, kind };
  return lastContext;
}

/** Of the last request: the next is mostly of its kind. A zonelist never changes, it is replaced. */
let lastContext: AllocContext | undefined;

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

/** What a nodemask and a zone of the caller's choice leave of the zonelist. */
export interface AllocationLimit {
  highest: number;
  allowed: ReadonlySet<number>;
}

function limited(ac: AllocContext, limit: AllocationLimit | undefined): AllocContext {
  if (!limit) return ac;
  const highest = Math.min(ac.highest, limit.highest);
  const zones = ac.zones.filter((zone) => limit.allowed.has(zone.node));
  return { ...ac, highest, zones, preferred: firstUpTo(zones, highest) };
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
  limit?: AllocationLimit,
): { pfn: number; blocks: number }[] {
  const gfp = gfpOf(use.migratetype) | __GFP_RETRY_MAYFAIL | __GFP_NOWARN;
  const ac = limited(prepare_alloc_pages(kernel, gfp, node, use.kind), limit);
  const noFragment = alloc_flags_nofragment(kernel, ac);
  const taken: { pfn: number; blocks: number }[] = [];
  let left = count;
  const take = (pfn: number, blocks: number): void => {
    const last = taken.at(-1);
    if (last && last.pfn + last.blocks * (1 << order) === pfn) last.blocks += blocks;
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
