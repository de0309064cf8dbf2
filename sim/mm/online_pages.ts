/** Bringing memory online and taking it offline: mm/memory_hotplug.c (6.12). */
import { PAGES_PER_SECTION, pageblock_nr_pages } from '../arch/x86_64.ts';
import type { MemoryGroup } from '../include/memory.ts';
import { MIGRATE_ISOLATE, MIGRATE_MOVABLE, PG, stateWord, type Zone } from '../include/mmzone.ts';
import { PageKind } from '../include/types.ts';
import { IORESOURCE_BUSY, IORESOURCE_SYSTEM_RAM, walk } from '../kernel/resource.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { freeOnlinedRange } from './freePages.ts';
import { move_pfn_range_to_zone } from './memory_hotplug.ts';
import { adjust_present_page_count, initHotpluggedPages, remove_pfn_range_from_zone } from './mhp_zone.ts';
import { do_migrate_range, whatStays } from './migrate_range.ts';
import { init_per_zone_wmark_min } from './mm_init.ts';
import {
  removeIsolatedRange,
  start_isolate_page_range,
  test_pages_isolated,
  undo_isolate_page_range,
} from './page_isolation.ts';
import { offline_mem_sections, online_mem_sections } from './sparse.ts';
import { build_all_zonelists } from './zonelist.ts';

const EINVAL = -22;

const isAligned = (start: number, pages: number): boolean =>
  pages > 0 && start % pageblock_nr_pages === 0 && (start + pages) % PAGES_PER_SECTION === 0;

/**
 * memory_hotplug.c:online_pages: gives the pages to a zone and to the page allocator.
 * -EINVAL for a range that does not start at a pageblock or end with a section.
 */
export function* online_pages(
  kernel: Kernel,
  start: number,
  pages: number,
  zone: Zone,
  group: MemoryGroup | undefined,
): KernelGenerator<number> {
  return yield* kernel.call(
    'online_pages',
    [hex(start), String(pages), `zone ${zone.name}`],
    doOnline(kernel, start, pages, zone, group),
    String,
  );
}

function* doOnline(
  kernel: Kernel,
  start: number,
  pages: number,
  zone: Zone,
  group: MemoryGroup | undefined,
): KernelGenerator<number> {
  if (!isAligned(start, pages)) {
    kernel.WARN(`online_pages: ${hex(start)} + ${pages} pages is not pageblock and section aligned`);
    return EINVAL;
  }
  const end = start + pages;
  move_pfn_range_to_zone(kernel, zone, start, pages, undefined, MIGRATE_ISOLATE);
  initHotpluggedPages(kernel, zone, start, end);
  const wasEmpty = zone.present_pages === 0;
  kernel.leaf(
    'online_pages_range',
    [hex(start), String(pages)],
    () => {
      // Its pageblocks came isolated.
      kernel.store.set(zone, 'nr_isolate_pageblock', zone.nr_isolate_pageblock + pages / pageblock_nr_pages);
      freeOnlinedRange(kernel, zone, start, end);
      online_mem_sections(kernel, start, end);
    },
    () => '',
  );
  adjust_present_page_count(kernel, zone, start, group, pages);
  if (wasEmpty) build_all_zonelists(kernel);
  undo_isolate_page_range(kernel, start, end, MIGRATE_MOVABLE);
  recomputeWatermarks(kernel);
  return 0;
}

function recomputeWatermarks(kernel: Kernel): void {
  kernel.leaf(
    'init_per_zone_wmark_min',
    [],
    () => init_per_zone_wmark_min(kernel),
    () => '',
  );
}

/** resource.c:walk_system_ram_range: how many pages of the range are busy System RAM. */
function systemRamPages(kernel: Kernel, start: number, end: number): number {
  const wanted = IORESOURCE_SYSTEM_RAM | IORESOURCE_BUSY;
  let cursor = BigInt(start) << 12n;
  const last = (BigInt(end) << 12n) - 1n;
  let pages = 0;
  for (const { resource } of walk(kernel.state.iomem)) {
    if ((resource.flags & wanted) !== wanted || resource.end < cursor || resource.start > last) continue;
    const from = resource.start > cursor ? resource.start : cursor;
    const to = resource.end < last ? resource.end : last;
    pages += Math.max(0, Number((to + 1n) >> 12n) - Number((from + 4095n) >> 12n));
    cursor = to + 1n;
  }
  return pages;
}

/**
 * memory_hotplug.c:offline_pages: takes every page of the range out of use. -EINVAL where the range has
 * holes or several zones, -EBUSY where something cannot be moved. Pages that could move but do not
 * (pinned, or nowhere to go) are tried again for ever: the call waits.
 */
export function* offline_pages(
  kernel: Kernel,
  start: number,
  pages: number,
  zone: Zone,
  group: MemoryGroup | undefined,
): KernelGenerator<number> {
  return yield* kernel.call(
    'offline_pages',
    [hex(start), String(pages), `zone ${zone.name}`],
    doOffline(kernel, start, pages, zone, group),
    String,
  );
}

function* doOffline(
  kernel: Kernel,
  start: number,
  pages: number,
  zone: Zone,
  group: MemoryGroup | undefined,
): KernelGenerator<number> {
  const end = start + pages;
  if (!isAligned(start, pages)) {
    kernel.WARN(`offline_pages: ${hex(start)} + ${pages} pages is not pageblock and section aligned`);
    return EINVAL;
  }
  // "memory holes"
  if (systemRamPages(kernel, start, end) !== pages) return EINVAL;
  if (kernel.zoneAt(start) !== zone || kernel.zoneAt(end - 1) !== zone) {
    kernel.WARN('offline_pages: the range lies in several zones');
    return EINVAL;
  }
  // "failure to isolate range"
  const error = start_isolate_page_range(kernel, zone, start, end, MIGRATE_MOVABLE);
  if (error) return error;
  for (;;) {
    yield* do_migrate_range(kernel, zone, start, end);
    if (test_pages_isolated(kernel, start, end) === undefined) break;
    yield { kind: 'wait', on: whatStays(kernel, zone, start, end) };
  }
  kernel.leaf(
    '__offline_isolated_pages',
    [hex(start), hex(end)],
    () => {
      offline_mem_sections(kernel, start, end);
      removeIsolatedRange(kernel, zone, start, end);
      return pages;
    },
    String,
  );
  const { store, state } = kernel;
  store.set(zone, 'managed_pages', zone.managed_pages - pages);
  store.set(state, 'totalram_pages', state.totalram_pages - pages);
  adjust_present_page_count(kernel, zone, start, group, -pages);
  recomputeWatermarks(kernel);
  if (zone.present_pages === 0) build_all_zonelists(kernel);
  remove_pfn_range_from_zone(kernel, zone, start, pages);
  return 0;
}

/** memory_hotplug.c:mhp_init_memmap_on_memory: the first pages of a block, which hold its struct pages, get their zone. */
export function mhp_init_memmap_on_memory(kernel: Kernel, start: number, pages: number, zone: Zone): void {
  kernel.leaf(
    'mhp_init_memmap_on_memory',
    [hex(start), String(pages), `zone ${zone.name}`],
    () => {
      move_pfn_range_to_zone(kernel, zone, start, pages, undefined, 0);
      initHotpluggedPages(kernel, zone, start, start + pages);
      kernel.pages.state.setRange(start, start + pages, stateWord(PageKind.Memmap, 0, zone.index, zone.node));
      // PG_vmemmap_self_hosted shares its bit with PG_owner_priv_1.
      kernel.pages.flags.setRange(start, start + pages, 1 << PG.owner_priv_1);
      const sections = Math.floor(pages / PAGES_PER_SECTION) * PAGES_PER_SECTION;
      if (sections > 0) online_mem_sections(kernel, start, start + sections);
    },
    () => '',
  );
}

/** memory_hotplug.c:mhp_deinit_memmap_on_memory. The pages go on holding the memmap of the block that is offline now. */
export function mhp_deinit_memmap_on_memory(kernel: Kernel, start: number, pages: number): void {
  kernel.leaf(
    'mhp_deinit_memmap_on_memory',
    [hex(start), String(pages)],
    () => {
      const zone = kernel.zoneAt(start);
      const sections = Math.floor(pages / PAGES_PER_SECTION) * PAGES_PER_SECTION;
      if (sections > 0) offline_mem_sections(kernel, start, start + sections);
      remove_pfn_range_from_zone(kernel, zone, start, pages);
      kernel.pages.state.setRange(start, start + pages, stateWord(PageKind.Memmap, 0, zone.index, zone.node));
    },
    () => '',
  );
}
