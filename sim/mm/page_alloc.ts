/**
 * The buddy allocator: mm/page_alloc.c (6.12) without per-CPU lists, that is, the
 * state after drain_all_pages(). ZONE_DEVICE never takes part.
 */
import { MAX_PAGE_ORDER, pageblock_nr_pages } from '../arch/x86_64.ts';
import {
  kindOf,
  MIGRATE_HIGHATOMIC,
  MIGRATE_ISOLATE,
  MIGRATE_MOVABLE,
  MIGRATE_RECLAIMABLE,
  MIGRATE_TYPES,
  MIGRATE_UNMOVABLE,
  orderOf,
  type Pglist,
  stateWord,
  type Zone,
  zoneOf,
} from '../include/mmzone.ts';
import { PageKind, ZONE_DEVICE, ZONE_MOVABLE, ZONE_NORMAL } from '../include/types.ts';
import type { Kernel } from '../machine/kernel.ts';
import type { PageColumn } from '../store/column.ts';

/** page_alloc.c:fallbacks[]: where an empty list may take from, best first. */
const FALLBACKS: Readonly<Record<number, readonly number[]>> = {
  [MIGRATE_UNMOVABLE]: [MIGRATE_RECLAIMABLE, MIGRATE_MOVABLE],
  [MIGRATE_MOVABLE]: [MIGRATE_RECLAIMABLE, MIGRATE_UNMOVABLE],
  [MIGRATE_RECLAIMABLE]: [MIGRATE_UNMOVABLE, MIGRATE_MOVABLE],
};

const isMergeable = (type: number): boolean => type < MIGRATE_HIGHATOMIC;

function freeArea(zone: Zone, order: number) {
  const area = zone.free_area[order];
  if (!area) throw new RangeError(`order ${order}`);
  return area;
}

/** Sets a few pages one by one where a range would cost more than they do. */
function fill(column: PageColumn, pfn: number, pages: number, value: number): void {
  if (pages <= 2) {
    column.set(pfn, value);
    if (pages === 2) column.set(pfn + 1, value);
  } else column.setRange(pfn, pfn + pages, value);
}

/** page_alloc.c:page_is_buddy: is `pfn` the head of a free block of `order` in this zone? */
function page_is_buddy(kernel: Kernel, zone: Zone, pfn: number, order: number): boolean {
  const word = kernel.pages.state.get(pfn);
  return (
    kindOf(word) === PageKind.Free &&
    orderOf(word) === order &&
    zoneOf(word) === zone.index &&
    kernel.nodeAt(pfn) === zone.node
  );
}

/** page_alloc.c:__free_one_page: merges with free buddies, then lists the block. */
export function __free_one_page(kernel: Kernel, zone: Zone, start: number, startOrder: number, toTail: boolean): void {
  const { store, pages } = kernel;
  const type = pages.pageblock.get(start);
  let pfn = start;
  let order = startOrder;
  while (order < MAX_PAGE_ORDER) {
    const buddy = buddyOf(pfn, order);
    if (!page_is_buddy(kernel, zone, buddy, order)) break;
    const buddyType = pages.pageblock.get(buddy);
    if (buddyType !== type && !(isMergeable(type) && isMergeable(buddyType))) break;
    freeArea(zone, order).remove(store, buddyType, buddy);
    if (buddyType !== type) setPageblocks(kernel, buddy, 1 << order, type);
    pfn = Math.min(pfn, buddy);
    order++;
  }
  fill(pages.state, pfn, 1 << order, stateWord(PageKind.Free, order, zone.index, zone.node));
  freeArea(zone, order).add(store, type, pfn, 1, toTail || mergesSoon(kernel, zone, pfn, order));
}

/** page_alloc.c:buddy_merge_likely. */
function mergesSoon(kernel: Kernel, zone: Zone, pfn: number, order: number): boolean {
  if (order >= MAX_PAGE_ORDER - 1) return false;
  const parent = pfn - (pfn % (2 << order));
  return page_is_buddy(kernel, zone, buddyOf(parent, order + 1), order + 1);
}

/** `pfn ^ (1 << order)` for pfns beyond 32 bits. */
const buddyOf = (pfn: number, order: number): number => {
  const size = 1 << order;
  return Math.floor(pfn / size) % 2 === 0 ? pfn + size : pfn - size;
};

function setPageblocks(kernel: Kernel, pfn: number, pages: number, type: number): void {
  kernel.pages.pageblock.setRange(
    pfn - (pfn % pageblock_nr_pages),
    Math.ceil((pfn + pages) / pageblock_nr_pages) * pageblock_nr_pages,
    type,
  );
}

/** page_alloc.c:__free_pages: gives 2^order pages with refcount 0 back. */
export function __free_pages_ok(kernel: Kernel, pfn: number, order: number, toTail = false): void {
  const zone = kernel.zoneAt(pfn);
  const pages = 1 << order;
  fill(kernel.pages.flags, pfn, pages, 0);
  fill(kernel.pages.refcount, pfn, pages, 0);
  // Pages of an isolated pageblock are free but not NR_FREE_PAGES.
  if (kernel.pages.pageblock.get(pfn) !== MIGRATE_ISOLATE) kernel.store.set(zone, 'nr_free', zone.nr_free + pages);
  __free_one_page(kernel, zone, pfn, order, toTail);
}

/**
 * mm/memblock.c:__free_pages_memory for one free range inside one zone: naturally
 * aligned blocks, ascending, each to the tail. The middle is one run of order-10 blocks.
 */
export function freeBootRange(kernel: Kernel, zone: Zone, start: number, end: number): void {
  const { store, pages } = kernel;
  const top = 1 << MAX_PAGE_ORDER;
  pages.flags.setRange(start, end, 0);
  pages.refcount.setRange(start, end, 0);
  store.set(zone, 'nr_free', zone.nr_free + (end - start));
  store.set(zone, 'managed_pages', zone.managed_pages + (end - start));
  let pfn = start;
  while (pfn < end) {
    if (pfn % top === 0 && end - pfn >= top) {
      const blocks = Math.floor((end - pfn) / top);
      pages.state.setRange(pfn, pfn + blocks * top, stateWord(PageKind.Free, MAX_PAGE_ORDER, zone.index, zone.node));
      freeArea(zone, MAX_PAGE_ORDER).add(store, pages.pageblock.get(pfn), pfn, blocks, true);
      pfn += blocks * top;
      continue;
    }
    let order = 0;
    while (order < MAX_PAGE_ORDER && pfn % (2 << order) === 0 && pfn + (2 << order) <= end) order++;
    __free_one_page(kernel, zone, pfn, order, true);
    pfn += 1 << order;
  }
}

/** page_alloc.c:__zone_watermark_ok for a request that may wait: free pages above `mark` and the reserve. */
export function zone_watermark_ok(zone: Zone, order: number, mark: number, highestZone: number): boolean {
  const free = zone.nr_free - ((1 << order) - 1);
  if (free <= mark + (zone.lowmem_reserve[highestZone] ?? 0)) return false;
  if (order === 0) return true;
  for (let o = order; o <= MAX_PAGE_ORDER; o++) {
    const area = freeArea(zone, o);
    for (const type of [MIGRATE_UNMOVABLE, MIGRATE_MOVABLE, MIGRATE_RECLAIMABLE]) if (!area.isEmpty(type)) return true;
  }
  return false;
}

/** What the pages of an allocation become. */
export interface Use {
  kind: PageKind;
  migratetype: number;
}

/**
 * page_alloc.c:__rmqueue for up to `count` blocks of 2^order pages from one zone.
 * Returns runs of adjacent blocks, in the order single allocations would have given them.
 */
function rmqueue(
  kernel: Kernel,
  zone: Zone,
  order: number,
  use: Use,
  count: number,
): { pfn: number; blocks: number }[] {
  const { store } = kernel;
  const taken: { pfn: number; blocks: number }[] = [];
  const take = (pfn: number, blocks: number): void => {
    const last = taken.at(-1);
    if (last && last.pfn + (last.blocks << order) === pfn) last.blocks += blocks;
    else taken.push({ pfn, blocks });
    const pages = blocks * (1 << order);
    fill(kernel.pages.state, pfn, pages, stateWord(use.kind, order, zone.index, zone.node));
    fill(kernel.pages.refcount, pfn, pages, 1);
    store.set(zone, 'nr_free', zone.nr_free - pages);
  };
  let left = count;
  while (left > 0) {
    const own = smallestWith(zone, order, use.migratetype);
    if (own !== undefined) {
      left -= takeFrom(kernel, zone, own, order, use.migratetype, left, take);
      continue;
    }
    const found = findFallback(zone, order, use.migratetype);
    if (!found) break;
    claim(kernel, zone, found, use.migratetype);
  }
  return taken;
}

function smallestWith(zone: Zone, order: number, type: number): number | undefined {
  for (let o = order; o <= MAX_PAGE_ORDER; o++) if (!freeArea(zone, o).isEmpty(type)) return o;
  return undefined;
}

/** Takes blocks of `order` out of the first block(s) of order `from`, upper halves going back to the head (expand). */
function takeFrom(
  kernel: Kernel,
  zone: Zone,
  from: number,
  order: number,
  type: number,
  wanted: number,
  take: (pfn: number, blocks: number) => void,
): number {
  const { store } = kernel;
  const area = freeArea(zone, from);
  const first = area.first(type);
  if (first === undefined) return 0;
  const per = 1 << (from - order);
  if (wanted >= per) {
    // Whole blocks: splitting each and taking lower then upper halves gives ascending pfns.
    const blocks = area.takeFirst(store, type, Math.floor(wanted / per));
    take(first, blocks * per);
    return blocks * per;
  }
  area.takeFirst(store, type, 1);
  for (let o = from - 1; o >= order; o--) {
    const upper = first + (1 << o);
    fill(kernel.pages.state, upper, 1 << o, stateWord(PageKind.Free, o, zone.index, zone.node));
    freeArea(zone, o).add(store, type, upper, 1, false);
  }
  take(first, 1);
  return 1;
}

/** page_alloc.c:find_suitable_fallback, largest block first: another type's block worth claiming. */
function findFallback(zone: Zone, order: number, type: number): { order: number; type: number } | undefined {
  for (let o = MAX_PAGE_ORDER; o >= order; o--) {
    const area = freeArea(zone, o);
    const donor = (FALLBACKS[type] ?? []).find((candidate) => !area.isEmpty(candidate));
    if (donor !== undefined) return { order: o, type: donor };
  }
  return undefined;
}

/** page_alloc.c:try_to_claim_block: the donor's first block changes lists; whole pageblocks change their type. */
function claim(kernel: Kernel, zone: Zone, found: { order: number; type: number }, type: number): void {
  const { store } = kernel;
  const area = freeArea(zone, found.order);
  const pfn = area.first(found.type);
  if (pfn === undefined) return;
  area.takeFirst(store, found.type, 1);
  if (1 << found.order >= pageblock_nr_pages) kernel.pages.pageblock.setRange(pfn, pfn + (1 << found.order), type);
  area.add(store, type, pfn, 1, false);
}

/** The zones an allocation for `node` may use, best first: node order by distance, zones from high to low. */
export function zonelist(kernel: Kernel, node: number, highestZone: number): readonly Zone[] {
  const lists = kernelLists(kernel);
  const key = node * 8 + highestZone;
  const known = lists.get(key);
  if (known) return known;
  const list: Zone[] = [];
  lists.set(key, list);
  for (const pgdat of nodeOrder(kernel, node))
    for (let index = highestZone; index >= 0; index--) {
      const zone = pgdat.node_zones[index];
      if (zone && zone.present_pages > 0 && index !== ZONE_DEVICE) list.push(zone);
    }
  return list;
}

/* Kept by the object that build_all_zonelists replaces: undo brings the old object back, and its lists with it. */
const builtLists = new WeakMap<object, Map<number, readonly Zone[]>>();
function kernelLists(kernel: Kernel): Map<number, readonly Zone[]> {
  const { zonelists } = kernel.state;
  let lists = builtLists.get(zonelists);
  if (!lists) {
    lists = new Map();
    builtLists.set(zonelists, lists);
  }
  return lists;
}

/** page_alloc.c:build_all_zonelists: a zone has become populated or empty. */
export function build_all_zonelists(kernel: Kernel): void {
  kernel.leaf(
    'build_all_zonelists',
    [],
    () => {
      const { state, store } = kernel;
      store.set(state, 'zonelists', {});
      const online = kernel.nodes.filter((node) => node.cpus.length > 0 || node.node_present_pages > 0);
      for (const node of online) {
        const order = new Set(zonelist(kernel, node.node_id, ZONE_MOVABLE).map((zone) => zone.node));
        kernel.pr_info(`Fallback order for Node ${node.node_id}: ${[...order].join(' ')} `);
      }
      const total = kernel.nodes
        .flatMap((node) => node.node_zones)
        .reduce((sum, zone) => sum + Math.max(0, zone.managed_pages - zone.watermark.high), 0);
      const grouping = total < pageblock_nr_pages * MIGRATE_TYPES ? 'off' : 'on';
      kernel.pr_info(`Built ${online.length} zonelists, mobility grouping ${grouping}.  Total pages: ${total}`);
    },
    () => '',
  );
}

/** page_alloc.c:build_zonelists: the node itself, then the others by distance, ties by id. */
function nodeOrder(kernel: Kernel, node: number): Pglist[] {
  const from = kernel.nodes[node];
  const distance = (other: Pglist): number => from?.distance[other.node_id] ?? (other.node_id === node ? 10 : 20);
  return [...kernel.nodes].sort(
    (a, b) =>
      Number(b.node_id === node) - Number(a.node_id === node) || distance(a) - distance(b) || a.node_id - b.node_id,
  );
}

/** What a caller's gfp flags and nodemask narrow. */
export interface AllocationLimit {
  highest?: number;
  allowed?: ReadonlySet<number>;
}

/**
 * page_alloc.c:alloc_pages_node for `count` blocks of 2^order pages with plain GFP_KERNEL
 * (highest zone NORMAL). Each zone gives down to its low watermark, then, when no zone is
 * left above it, down to min. Returns the runs taken; fewer blocks than asked means ENOMEM.
 */
export function alloc_pages_node(
  kernel: Kernel,
  node: number,
  order: number,
  use: Use,
  count = 1,
  limit: AllocationLimit = {},
): { pfn: number; blocks: number }[] {
  const highest = limit.highest ?? (use.migratetype === MIGRATE_MOVABLE ? ZONE_MOVABLE : ZONE_NORMAL);
  const every = zonelist(kernel, node, highest);
  const { allowed } = limit;
  const zones = allowed ? every.filter((zone) => allowed.has(zone.node)) : every;
  const taken: { pfn: number; blocks: number }[] = [];
  let left = count;
  for (const level of ['low', 'min'] as const) {
    for (const zone of zones) {
      while (left > 0 && zone_watermark_ok(zone, order, zone.watermark[level], highest)) {
        // As many as stay above the mark without asking again after each.
        const room = zone.nr_free - ((1 << order) - 1) - zone.watermark[level] - (zone.lowmem_reserve[highest] ?? 0);
        const runs = rmqueue(kernel, zone, order, use, Math.min(left, Math.ceil(room / (1 << order))));
        const blocks = runs.reduce((sum, run) => sum + run.blocks, 0);
        if (blocks === 0) break;
        taken.push(...runs);
        left -= blocks;
      }
    }
  }
  return taken;
}
