/** Which zone memory goes to, and what a zone loses with it: mm/memory_hotplug.c (6.12; the zone rules hold since 4.14). */
import { PAGES_PER_SECTION, PAGES_PER_SUBSECTION } from '../arch/x86_64.ts';
import {
  type MemoryGroup,
  MMOP_ONLINE,
  MMOP_ONLINE_KERNEL,
  MMOP_ONLINE_MOVABLE,
  type Mmop,
} from '../include/memory.ts';
import { nodeOf, SECTION_IS_EARLY, SECTION_IS_ONLINE, stateWord, type Zone, zoneOf } from '../include/mmzone.ts';
import { PageKind, ZONE_DEVICE, ZONE_MOVABLE, ZONE_NORMAL } from '../include/types.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import { runsOf } from '../store/column.ts';
import { hotplugParams, movable_node_enabled } from './mhp_params.ts';
import { pfn_is_online } from './sparse.ts';

/** mmzone.h:zone_intersects. */
export const zone_intersects = (zone: Zone, start: number, pages: number): boolean =>
  zone.spanned_pages > 0 && start < zone.zone_start_pfn + zone.spanned_pages && start + pages > zone.zone_start_pfn;

function default_kernel_zone_for_pfn(kernel: Kernel, nid: number, start: number, pages: number): Zone {
  for (let index = 0; index < ZONE_NORMAL; index++) {
    const zone = kernel.zone(nid, index);
    if (zone_intersects(zone, start, pages)) return zone;
  }
  return kernel.zone(nid, ZONE_NORMAL);
}

/** The contig-zones policy: the one zone that spans part of the range already, else the default. */
function default_zone_for_pfn(kernel: Kernel, nid: number, start: number, pages: number): Zone {
  const kernelZone = default_kernel_zone_for_pfn(kernel, nid, start, pages);
  const movable = kernel.zone(nid, ZONE_MOVABLE);
  const inKernel = zone_intersects(kernelZone, start, pages);
  if (inKernel !== zone_intersects(movable, start, pages)) return inKernel ? kernelZone : movable;
  return movable_node_enabled(kernel) ? movable : kernelZone;
}

/** auto_movable_can_online_movable: would MOVABLE stay within its ratio to the kernel memory of boot? */
function ratioAllows(kernel: Kernel, nodes: readonly number[], pages: number, ratio: number): boolean {
  let early = 0;
  let movable = pages;
  for (const node of kernel.nodes)
    for (const zone of nodes.includes(node.node_id) ? node.node_zones : [])
      if (zone.index === ZONE_MOVABLE) movable += zone.present_pages;
      else early += zone.present_early_pages;
  return movable <= Math.floor((ratio * early) / 100);
}

function auto_movable_zone_for_pfn(
  kernel: Kernel,
  nid: number,
  group: MemoryGroup | undefined,
  start: number,
  pages: number,
): Zone {
  const { auto_movable_ratio: ratio, auto_movable_numa_aware } = hotplugParams(kernel);
  const kernelZone = default_kernel_zone_for_pfn(kernel, nid, start, pages);
  // One kernel block in a DIMM, and the rest of it goes the same way: it could not be unplugged anyway.
  if (ratio === 0 || (group && group.present_kernel_pages > 0)) return kernelZone;
  const wanted = group ? group.max_pages - group.present_movable_pages : pages;
  const everywhere = kernel.nodes.map((node) => node.node_id);
  if (!ratioAllows(kernel, everywhere, wanted, ratio)) return kernelZone;
  if (auto_movable_numa_aware && !ratioAllows(kernel, [nid], wanted, ratio)) return kernelZone;
  return kernel.zone(nid, ZONE_MOVABLE);
}

/** memory_hotplug.c:zone_for_pfn_range. */
export function zone_for_pfn_range(
  kernel: Kernel,
  type: Mmop,
  nid: number,
  group: MemoryGroup | undefined,
  start: number,
  pages: number,
): Zone {
  if (type === MMOP_ONLINE_KERNEL) return default_kernel_zone_for_pfn(kernel, nid, start, pages);
  if (type === MMOP_ONLINE_MOVABLE) return kernel.zone(nid, ZONE_MOVABLE);
  if (hotplugParams(kernel).online_policy === 'auto-movable')
    return auto_movable_zone_for_pfn(kernel, nid, group, start, pages);
  return default_zone_for_pfn(kernel, nid, start, pages);
}

/** drivers/base/memory.c:valid_zones_show for a block that is offline: the default first, then the others. */
export function allowedZones(
  kernel: Kernel,
  nid: number,
  group: MemoryGroup | undefined,
  start: number,
  pages: number,
): Zone[] {
  const of = (type: Mmop): Zone => zone_for_pfn_range(kernel, type, nid, group, start, pages);
  const first = of(MMOP_ONLINE);
  return [first, ...[of(MMOP_ONLINE_KERNEL), of(MMOP_ONLINE_MOVABLE)].filter((zone) => zone !== first)];
}

/**
 * Of the pfns from, from + 512 and so on below `end`, the first (or last) that is online and
 * belongs to the zone: find_smallest_section_pfn and, counted from the top, find_biggest_section_pfn.
 */
function findOnline(kernel: Kernel, zone: Zone, from: number, end: number, last: boolean): number | undefined {
  let found: number | undefined;
  const step = PAGES_PER_SUBSECTION;
  kernel.pages.state.runs(from, end, (start, stop, word) => {
    if (zoneOf(word) !== zone.index || nodeOf(word) !== zone.node) return undefined;
    for (const run of runsOf(kernel.pages.section, start, stop)) {
      if ((run.value & SECTION_IS_ONLINE) === 0) continue;
      const first = from + Math.ceil((run.start - from) / step) * step;
      if (first >= run.end || !pfn_is_online(kernel, first)) continue;
      found = last ? first + Math.floor((run.end - 1 - first) / step) * step : first;
      if (!last) return false;
    }
    return undefined;
  });
  return found;
}

/** The last match, looked for backwards in windows that grow: most often it is near. */
function findOnlineBackwards(kernel: Kernel, zone: Zone, start: number, end: number): number | undefined {
  let window = PAGES_PER_SECTION;
  for (let top = end; top > start; window *= 4) {
    const bottom = Math.max(start, top - window);
    // Candidates are end - 1, end - 1 - 512 and so on.
    const first = end - 1 - Math.floor((end - 1 - bottom) / PAGES_PER_SUBSECTION) * PAGES_PER_SUBSECTION;
    const found = first < top ? findOnline(kernel, zone, first, top, true) : undefined;
    if (found !== undefined) return found;
    top = bottom;
  }
  return undefined;
}

function shrink_zone_span(kernel: Kernel, zone: Zone, start: number, end: number): void {
  const { store } = kernel;
  const zoneEnd = zone.zone_start_pfn + zone.spanned_pages;
  const set = (first: number, spanned: number): void => {
    store.set(zone, 'zone_start_pfn', first);
    store.set(zone, 'spanned_pages', spanned);
  };
  if (zone.zone_start_pfn === start) {
    const pfn = findOnline(kernel, zone, end, zoneEnd, false);
    if (pfn === undefined) set(0, 0);
    else set(pfn, zoneEnd - pfn);
  } else if (zoneEnd === end) {
    const pfn = findOnlineBackwards(kernel, zone, zone.zone_start_pfn, start);
    if (pfn === undefined) set(0, 0);
    else set(zone.zone_start_pfn, pfn - zone.zone_start_pfn + 1);
  }
}

/** The node spans what its zones span, ZONE_DEVICE included. */
function update_pgdat_span(kernel: Kernel, nid: number): void {
  const pgdat = kernel.node(nid);
  const zones = pgdat.node_zones.filter((zone) => zone.spanned_pages > 0);
  const start = zones.length === 0 ? 0 : Math.min(...zones.map((zone) => zone.zone_start_pfn));
  const end = zones.reduce((top, zone) => Math.max(top, zone.zone_start_pfn + zone.spanned_pages), 0);
  kernel.store.set(pgdat, 'node_start_pfn', start);
  kernel.store.set(pgdat, 'node_spanned_pages', end - start);
}

/**
 * memory_hotplug.c:remove_pfn_range_from_zone: the struct pages mean nothing any more (but keep their
 * bits, as the recorded kernel's do), and the zone gives up what it spans at its ends.
 */
export function remove_pfn_range_from_zone(kernel: Kernel, zone: Zone, start: number, pages: number): void {
  kernel.leaf(
    'remove_pfn_range_from_zone',
    [zone.name, hex(start), String(pages)],
    () => {
      const end = start + pages;
      const { state, flags, refcount, mapcount } = kernel.pages;
      state.setRange(start, end, stateWord(PageKind.Offline, 0, zone.index, zone.node));
      flags.setRange(start, end, 0);
      refcount.setRange(start, end, 0);
      mapcount.setRange(start, end, 0xffffffff);
      if (zone.index === ZONE_DEVICE) return;
      shrink_zone_span(kernel, zone, start, end);
      update_pgdat_span(kernel, zone.node);
    },
    () => '',
  );
}

/** memory_hotplug.c:adjust_present_page_count. */
export function adjust_present_page_count(
  kernel: Kernel,
  zone: Zone,
  pfn: number,
  group: MemoryGroup | undefined,
  pages: number,
): void {
  const { store } = kernel;
  const pgdat = kernel.node(zone.node);
  if ((kernel.pages.section.get(pfn) & SECTION_IS_EARLY) !== 0)
    store.set(zone, 'present_early_pages', zone.present_early_pages + pages);
  store.set(zone, 'present_pages', zone.present_pages + pages);
  store.set(pgdat, 'node_present_pages', pgdat.node_present_pages + pages);
  if (!group) return;
  const counter = zone.index === ZONE_MOVABLE ? 'present_movable_pages' : 'present_kernel_pages';
  store.set(group, counter, group[counter] + pages);
}

/** What mhp_init_memmap_on_memory and online_pages make of struct pages: linked to their zone, still offline. */
export function initHotpluggedPages(kernel: Kernel, zone: Zone, start: number, end: number): void {
  const { state, flags, refcount, mapcount } = kernel.pages;
  state.setRange(start, end, stateWord(PageKind.Offline, 0, zone.index, zone.node));
  flags.setRange(start, end, 0);
  refcount.setRange(start, end, 1);
  mapcount.setRange(start, end, 0xffffffff);
}
