/**
 * Taking ranges away from the page allocator: mm/page_isolation.c with move_freepages_block_isolate
 * and take_page_off_buddy of mm/page_alloc.c (6.12). Free pages of an isolated pageblock stand on
 * the MIGRATE_ISOLATE lists, are not counted in NR_FREE_PAGES, and are never allocated.
 */
import { pageblock_nr_pages } from '../arch/x86_64.ts';
import { kindOf, MIGRATE_ISOLATE, orderOf, PG, PG_RESERVED, stateWord, type Zone } from '../include/mmzone.ts';
import { PageKind, ZONE_MOVABLE } from '../include/types.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import { runsOf } from '../store/column.ts';
import { set_migratetype_isolate, unset_migratetype_isolate } from './pageblock_isolate.ts';

const EBUSY = -16;
const PG_LRU = 1 << PG.lru;

const areaOf = (zone: Zone, order: number) => {
  const area = zone.free_area[order];
  if (!area) throw new RangeError(`order ${order}`);
  return area;
};
const countFree = (kernel: Kernel, zone: Zone, pages: number): void =>
  kernel.store.set(zone, 'nr_free', zone.nr_free + pages);

/** Pages that can be moved elsewhere: those on an LRU list. */
export const isMovable = (kernel: Kernel, pfn: number, word: number): boolean =>
  kindOf(word) === PageKind.Anon || kindOf(word) === PageKind.File || (kernel.pages.flags.get(pfn) & PG_LRU) !== 0;

/** page_isolation.c:has_unmovable_pages: the first page of [start, end) that nothing can move. */
export function has_unmovable_pages(kernel: Kernel, zone: Zone, start: number, end: number): number | undefined {
  let found: number | undefined;
  kernel.pages.state.runs(start, end, (from, to, word) => {
    if (kindOf(word) === PageKind.Free) return undefined;
    // Flags and references may differ inside a run of equal kind.
    kernel.pages.flags.runs(from, to, (first, last, flags) => {
      if ((flags & PG_RESERVED) !== 0) found = first;
      else if (zone.index !== ZONE_MOVABLE && !isMovable(kernel, first, word)) found = referenced(kernel, first, last);
      return found === undefined;
    });
    return found === undefined;
  });
  return found;
}

/** The first page of [start, end) with a reference: others are on their way to the allocator. */
function referenced(kernel: Kernel, start: number, end: number): number | undefined {
  let found: number | undefined;
  kernel.pages.refcount.runs(start, end, (from, _to, count) => {
    if (count !== 0) found = from;
    return found === undefined;
  });
  return found;
}

/** mm/debug.c:dump_page: the lines that can be told here. */
function dump_page(kernel: Kernel, pfn: number, reason: string): void {
  const { refcount, mapcount } = kernel.pages;
  kernel.pr_warn(
    `page: refcount:${refcount.get(pfn)} mapcount:${(mapcount.get(pfn) | 0) + 1} mapping:0000000000000000 index:0x0 pfn:${hex(pfn)}`,
  );
  kernel.pr_warn(`page dumped because: ${reason}`);
}

/** page_isolation.c:undo_isolate_page_range: the pageblocks that are isolated become `type`, whatever they were before. */
export function undo_isolate_page_range(kernel: Kernel, start: number, end: number, type: number): void {
  kernel.leaf(
    'undo_isolate_page_range',
    [hex(start), hex(end)],
    () => {
      for (const run of runsOf(kernel.pages.pageblock, start, end))
        if (run.value === MIGRATE_ISOLATE) unset_migratetype_isolate(kernel, run.start, run.end - run.start, type);
    },
    () => '',
  );
}

/**
 * page_isolation.c:start_isolate_page_range for offlining: first pageblock, last pageblock, then those
 * between. -EBUSY where something unmovable lies, or a pageblock is isolated already; what was
 * isolated by then goes back as `type`. Memory blocks end where no free block straddles.
 */
export function start_isolate_page_range(kernel: Kernel, zone: Zone, start: number, end: number, type: number): number {
  return kernel.leaf(
    'start_isolate_page_range',
    [hex(start), hex(end)],
    () => {
      const last = end - pageblock_nr_pages;
      const first = start + pageblock_nr_pages;
      if (!isolate(kernel, zone, start, Math.min(first, end))) return EBUSY;
      if (last >= first && !isolate(kernel, zone, last, end)) {
        undo_isolate_page_range(kernel, start, first, type);
        return EBUSY;
      }
      if (last <= first || isolate(kernel, zone, first, last)) return 0;
      undo_isolate_page_range(kernel, start, end, type);
      return EBUSY;
    },
    String,
  );
}

/** The pageblocks of [start, end), up to the first that refuses. */
function isolate(kernel: Kernel, zone: Zone, start: number, end: number): boolean {
  let stop = end;
  kernel.pages.pageblock.runs(start, end, (from, _to, type) => {
    if (type === MIGRATE_ISOLATE) stop = from;
    return stop === end;
  });
  const unmovable = has_unmovable_pages(kernel, zone, start, stop);
  if (unmovable !== undefined) stop = unmovable - (unmovable % pageblock_nr_pages);
  if (stop > start) set_migratetype_isolate(kernel, start, stop - start);
  if (unmovable !== undefined) dump_page(kernel, unmovable, 'unmovable page');
  return stop === end;
}

/** page_isolation.c:test_pages_isolated: is everything in [start, end) free? The first page that is not. */
export function test_pages_isolated(kernel: Kernel, start: number, end: number): number | undefined {
  let found: number | undefined;
  kernel.pages.state.runs(start, end, (from, _to, word) => {
    if (kindOf(word) !== PageKind.Free) found = from;
    return found === undefined;
  });
  return found;
}

/** memory_hotplug.c:__offline_isolated_pages: takes the isolated free blocks off their lists. */
export function removeIsolatedRange(kernel: Kernel, zone: Zone, start: number, end: number): void {
  for (const run of runsOf(kernel.pages.state, start, end)) {
    const order = orderOf(run.value);
    const area = areaOf(zone, order);
    for (let pfn = run.start; pfn < run.end; ) {
      const count = Math.min(area.adjacentFrom(MIGRATE_ISOLATE, pfn), (run.end - pfn) / (1 << order));
      area.remove(kernel.store, MIGRATE_ISOLATE, pfn, count);
      pfn += count * (1 << order);
    }
  }
  kernel.store.set(zone, 'nr_isolate_pageblock', zone.nr_isolate_pageblock - (end - start) / pageblock_nr_pages);
}

/**
 * page_alloc.c:take_page_off_buddy: takes one page out of the free block it is in; the halves it does
 * not lie in go back to the head of their lists. False if the page is not free.
 */
export function take_page_off_buddy(kernel: Kernel, pfn: number, kind: PageKind, type?: number): boolean {
  const { store, pages } = kernel;
  const word = pages.state.get(pfn);
  if (kindOf(word) !== PageKind.Free) return false;
  const zone = kernel.zoneAt(pfn);
  let order = orderOf(word);
  let head = pfn - (pfn % (1 << order));
  const old = pages.pageblock.get(head);
  areaOf(zone, order).remove(store, old, head);
  // An allocation of another type claims a block that fills whole pageblocks (try_to_claim_block).
  const claims = type !== undefined && type !== old && 1 << order >= pageblock_nr_pages;
  if (claims) pages.pageblock.setRange(head, head + (1 << order), type);
  const list = claims ? type : old;
  while (order > 0) {
    order--;
    const middle = head + (1 << order);
    const buddy = pfn >= middle ? head : middle;
    if (pfn >= middle) head = middle;
    pages.state.setRange(buddy, buddy + (1 << order), stateWord(PageKind.Free, order, zone.index, zone.node));
    areaOf(zone, order).add(store, list, buddy, 1, false);
  }
  if (old !== MIGRATE_ISOLATE) countFree(kernel, zone, -1);
  pages.state.set(pfn, stateWord(kind, 0, zone.index, zone.node));
  pages.refcount.set(pfn, 1);
  return true;
}

/** The first free page of [start, end): what an allocation from just there would get. */
export function firstFree(kernel: Kernel, start: number, end: number): number | undefined {
  let found: number | undefined;
  kernel.pages.state.runs(start, end, (from, _to, word) => {
    if (kindOf(word) === PageKind.Free) found = from;
    return found === undefined;
  });
  return found;
}

export const LRU_FLAGS = PG_LRU | (1 << PG.uptodate) | (1 << PG.swapbacked);
