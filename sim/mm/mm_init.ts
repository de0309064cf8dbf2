/** Zones and their memmap at boot: mm/mm_init.c (6.12). */
import { NR_PAGE_ORDERS, PAGES_PER_SECTION } from '../arch/x86_64.ts';
import { MIGRATE_TYPES, nodeOf, PG_RESERVED, type Pglist, stateWord, withKind, type Zone } from '../include/mmzone.ts';
import { PageKind, ZONE_DMA, ZONE_DMA32, ZONE_MOVABLE, ZONE_NAMES, ZONE_NORMAL } from '../include/types.ts';
import type { Kernel } from '../machine/kernel.ts';
import { zoneDeviceIsOn } from '../machine/options.ts';
import { runsOf } from '../store/column.ts';
import { FreeArea } from './free_list.ts';
import { FREED_AFTER_INIT, freeRanges, type NodeRange, type ReservedRange } from './memblock.ts';
import { __free_pages_ok, freeBootRange } from './page_alloc.ts';

export function newZone(node: number, index: number): Zone {
  return {
    index,
    name: ZONE_NAMES[index] ?? `zone ${index}`,
    node,
    zone_start_pfn: 0,
    spanned_pages: 0,
    present_pages: 0,
    present_early_pages: 0,
    managed_pages: 0,
    nr_free: 0,
    initialized: false,
    watermark: { min: 0, low: 0, high: 0, promo: 0 },
    lowmem_reserve: ZONE_NAMES.map(() => 0),
    free_area: Array.from({ length: NR_PAGE_ORDERS }, (_, order) => new FreeArea(order, MIGRATE_TYPES)),
  };
}

const clamp = (value: number, low: number, high: number): number => Math.min(Math.max(value, low), high);

/** arch/x86/mm/init.c:zone_sizes_init and mm_init.c:free_area_init. */
export function free_area_init(kernel: Kernel, memory: readonly NodeRange[]): void {
  const { arch, state } = kernel;
  const maxPfn = state.max_low_pfn;
  const limits: Record<number, number> = {
    [ZONE_DMA]: Math.min(arch.MAX_DMA_PFN, maxPfn),
    [ZONE_DMA32]: Math.min(arch.MAX_DMA32_PFN, maxPfn),
    [ZONE_NORMAL]: maxPfn,
  };
  const lowest: number[] = [];
  const highest: number[] = [];
  let start = memory[0]?.start ?? 0;
  for (const index of [ZONE_DMA, ZONE_DMA32, ZONE_NORMAL]) {
    const end = Math.max(limits[index] ?? 0, start);
    lowest[index] = start;
    highest[index] = end;
    start = end;
  }
  const zones = zoneDeviceIsOn(kernel) ? ZONE_NAMES.length : ZONE_NAMES.length - 1;
  for (const node of kernel.config.nodes) {
    const own = memory.filter((range) => range.nid === node.id);
    const pgdat: Pglist = {
      node_id: node.id,
      node_start_pfn: own[0]?.start ?? 0,
      node_spanned_pages: 0,
      node_present_pages: 0,
      node_zones: Array.from({ length: zones }, (_, index) => newZone(node.id, index)),
      distance: node.distance,
      cpus: node.cpus,
      nr_memmap: 0,
      nr_memmap_boot: 0,
    };
    state.nodes.push(pgdat);
    calculate_node_totalpages(pgdat, own, lowest, highest);
  }
  memmap_init(kernel, memory);
}

/** mm_init.c:calculate_node_totalpages with zone_spanned_pages_in_node and zone_absent_pages_in_node. */
function calculate_node_totalpages(
  pgdat: Pglist,
  own: readonly NodeRange[],
  lowest: readonly number[],
  highest: readonly number[],
): void {
  const nodeStart = own[0]?.start ?? 0;
  const nodeEnd = own.at(-1)?.end ?? 0;
  for (const zone of pgdat.node_zones) {
    if (zone.index > ZONE_NORMAL) continue;
    const low = lowest[zone.index] ?? 0;
    const high = highest[zone.index] ?? 0;
    if (own.length === 0 || high <= nodeStart || low >= nodeEnd) continue;
    const start = clamp(nodeStart, low, high);
    const end = clamp(nodeEnd, low, high);
    if (end <= start) continue;
    const present = own.reduce(
      (sum, range) => sum + Math.max(0, Math.min(range.end, end) - Math.max(range.start, start)),
      0,
    );
    zone.zone_start_pfn = start;
    zone.spanned_pages = end - start;
    zone.present_pages = present;
    zone.present_early_pages = present;
    zone.initialized = true;
    pgdat.node_spanned_pages += zone.spanned_pages;
    pgdat.node_present_pages += present;
  }
}

/** mm_init.c:memmap_init: struct pages of memory, and of the holes that share a section with it. */
function memmap_init(kernel: Kernel, memory: readonly NodeRange[]): void {
  let hole = 0;
  let lastZone: Zone | undefined;
  for (const pgdat of kernel.nodes)
    for (const zone of pgdat.node_zones) {
      const zoneEnd = zone.zone_start_pfn + zone.spanned_pages;
      for (const range of memory) {
        if (range.nid !== pgdat.node_id) continue;
        const start = clamp(range.start, zone.zone_start_pfn, zoneEnd);
        const end = clamp(range.end, zone.zone_start_pfn, zoneEnd);
        if (start >= end) continue;
        initPages(kernel, start, end, PageKind.Reserved, zone);
        if (hole < start) init_unavailable_range(kernel, hole, start, zone);
        hole = end;
        lastZone = zone;
      }
    }
  // SPARSEMEM: the rest of the last section has struct pages too.
  if (lastZone) init_unavailable_range(kernel, hole, Math.ceil(hole / PAGES_PER_SECTION) * PAGES_PER_SECTION, lastZone);
}

function initPages(kernel: Kernel, start: number, end: number, kind: PageKind, zone: Zone): void {
  kernel.pages.state.setRange(start, end, stateWord(kind, 0, zone.index, zone.node));
  kernel.pages.flags.setRange(start, end, PG_RESERVED);
  kernel.pages.refcount.setRange(start, end, 1);
}

/** mm_init.c:init_unavailable_range: only where a section gives the hole struct pages (pfn_valid). */
function init_unavailable_range(kernel: Kernel, start: number, end: number, zone: Zone): void {
  for (const run of runsOf(kernel.pages.section, start, end))
    if (run.value !== 0) initPages(kernel, run.start, run.end, PageKind.Unavailable, zone);
}

/** mm/memblock.c:memblock_free_all: hands what is not reserved to the buddy allocator. */
export function memblock_free_all(
  kernel: Kernel,
  memory: readonly NodeRange[],
  reserved: readonly ReservedRange[],
): void {
  for (const range of reserved) if (range.what === 'memmap') markMemmap(kernel, range);
  for (const range of freeRanges(memory, reserved))
    forEachZone(kernel, range, (zone, start, end) => freeBootRange(kernel, zone, start, end));
  kernel.state.totalram_pages = kernel.nodes.reduce(
    (sum, node) => sum + node.node_zones.reduce((n, zone) => n + zone.managed_pages, 0),
    0,
  );
}

function markMemmap(kernel: Kernel, range: ReservedRange): void {
  for (const { start, end, value } of runsOf(kernel.pages.state, range.start, range.end)) {
    kernel.pages.state.setRange(start, end, withKind(value, PageKind.Memmap));
    kernel.node(nodeOf(value)).nr_memmap_boot += end - start;
  }
}

function forEachZone(kernel: Kernel, range: NodeRange, visit: (zone: Zone, start: number, end: number) => void): void {
  for (const zone of kernel.node(range.nid).node_zones) {
    const start = Math.max(range.start, zone.zone_start_pfn);
    const end = Math.min(range.end, zone.zone_start_pfn + zone.spanned_pages);
    if (start < end) visit(zone, start, end);
  }
}

/** free_reserved_area: initrd, init sections and gaps in the image, once init has run. */
export function freeInitMemory(kernel: Kernel, reserved: readonly ReservedRange[]): void {
  for (const range of reserved) {
    if (!FREED_AFTER_INIT.includes(range.what)) continue;
    for (let pfn = range.start; pfn < range.end; pfn++) {
      const zone = kernel.zoneAt(pfn);
      zone.managed_pages++;
      kernel.state.totalram_pages++;
      __free_pages_ok(kernel, pfn, 0);
    }
  }
}

/** Pages that one round of watermarks is shared over: managed above high, zones up to NORMAL. */
function nr_free_buffer_pages(kernel: Kernel): number {
  let sum = 0;
  for (const node of kernel.nodes)
    for (const zone of node.node_zones)
      if (zone.index <= ZONE_NORMAL) sum += Math.max(0, zone.managed_pages - zone.watermark.high);
  return sum;
}

const SYSCTL_LOWMEM_RESERVE_RATIO: readonly number[] = [256, 256, 32, 0, 0];
const WATERMARK_SCALE_FACTOR = 10;

/** page_alloc.c:init_per_zone_wmark_min, then khugepaged.c:set_recommended_min_free_kbytes. */
export function init_per_zone_wmark_min(kernel: Kernel): void {
  const lowmemKbytes = nr_free_buffer_pages(kernel) * 4;
  kernel.state.min_free_kbytes = clamp(Math.floor(Math.sqrt(lowmemKbytes * 16)), 128, 262144);
  setup_per_zone_wmarks(kernel);
  setup_per_zone_lowmem_reserve(kernel);
  if (!kernel.config.config.transparentHugepage) return;
  const populated = kernel.nodes
    .flatMap((node) => node.node_zones)
    .filter((zone) => zone.present_pages > 0 && zone.index <= ZONE_NORMAL).length;
  const wanted = Math.min(512 * populated * 2 + 512 * populated * 9, Math.floor(nr_free_buffer_pages(kernel) / 20)) * 4;
  if (wanted > kernel.state.min_free_kbytes) {
    kernel.state.min_free_kbytes = wanted;
    setup_per_zone_wmarks(kernel);
  }
}

/** page_alloc.c:__setup_per_zone_wmarks. */
export function setup_per_zone_wmarks(kernel: Kernel): void {
  const { store } = kernel;
  const pagesMin = Math.floor(kernel.state.min_free_kbytes / 4);
  const zones = kernel.nodes.flatMap((node) => node.node_zones);
  const lowmem = zones.filter((zone) => zone.index !== ZONE_MOVABLE).reduce((sum, zone) => sum + zone.managed_pages, 0);
  for (const zone of zones) {
    const share = lowmem === 0 ? 0 : Math.floor((pagesMin * zone.managed_pages) / lowmem);
    const min = zone.index === ZONE_MOVABLE ? clamp(Math.floor(zone.managed_pages / 1024), 32, 128) : share;
    const delta = Math.max(Math.floor(share / 4), Math.floor((zone.managed_pages * WATERMARK_SCALE_FACTOR) / 10000));
    store.set(zone.watermark, 'min', min);
    store.set(zone.watermark, 'low', min + delta);
    store.set(zone.watermark, 'high', min + 2 * delta);
    store.set(zone.watermark, 'promo', min + 3 * delta);
  }
}

/** page_alloc.c:setup_per_zone_lowmem_reserve. */
export function setup_per_zone_lowmem_reserve(kernel: Kernel): void {
  for (const node of kernel.nodes)
    for (const zone of node.node_zones) {
      const ratio = SYSCTL_LOWMEM_RESERVE_RATIO[zone.index] ?? 0;
      let above = 0;
      for (let j = zone.index + 1; j < node.node_zones.length; j++) {
        above += node.node_zones[j]?.managed_pages ?? 0;
        kernel.store.set(
          zone.lowmem_reserve,
          j,
          ratio === 0 || zone.managed_pages === 0 ? 0 : Math.floor(above / ratio),
        );
      }
    }
}
