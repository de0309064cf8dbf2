/** Zones and their memmap at boot: mm/mm_init.c (6.12). */
import { NR_PAGE_ORDERS, PAGES_PER_SECTION, pageblock_nr_pages, pageblock_order } from '../arch/x86_64.ts';
import {
  kindOf,
  MIGRATE_MOVABLE,
  MIGRATE_TYPES,
  MIGRATE_UNMOVABLE,
  nodeOf,
  PG_RESERVED,
  type Pglist,
  stateWord,
  withKind,
  type Zone,
} from '../include/mmzone.ts';
import { PageKind, ZONE_DMA, ZONE_DMA32, ZONE_MOVABLE, ZONE_NAMES, ZONE_NORMAL } from '../include/types.ts';
import { memoryParameters } from '../machine/commandLine.ts';
import { type Kernel, mem } from '../machine/kernel.ts';
import { zoneDeviceIsOn } from '../machine/options.ts';
import { runsOf } from '../store/column.ts';
import { FreeArea } from './free_list.ts';
import { __free_pages_ok, freeBootRange } from './freePages.ts';
import { FREED_AFTER_INIT, freeRanges, type NodeRange, type ReservedRange } from './memblock.ts';
import { find_zone_movable_pfns_for_nodes } from './zone_movable.ts';
import { build_all_zonelists } from './zonelist.ts';

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
    watermark_boost: 0,
    nr_reserved_highatomic: 0,
    nr_free_highatomic: 0,
    nr_isolate_pageblock: 0,
    watermark: { min: 0, low: 0, high: 0, promo: 0 },
    lowmem_reserve: ZONE_NAMES.map(() => 0),
    free_area: Array.from({ length: NR_PAGE_ORDERS }, (_, order) => new FreeArea(order, MIGRATE_TYPES)),
  };
}

const clamp = (value: number, low: number, high: number): number => Math.min(Math.max(value, low), high);

/** arch/x86/mm/init.c:zone_sizes_init and mm_init.c:free_area_init. */
export function free_area_init(kernel: Kernel, memory: readonly NodeRange[], reserved: readonly ReservedRange[]): void {
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
  const cut = Math.max(
    ZONE_DMA,
    ...[ZONE_DMA, ZONE_DMA32, ZONE_NORMAL].filter((index) => (highest[index] ?? 0) > (lowest[index] ?? 0)),
  );
  const movable = find_zone_movable_pfns_for_nodes(
    memory,
    reserved,
    memoryParameters(kernel.config.cmdline),
    lowest[cut] ?? 0,
    (text) => kernel.pr_warn(text),
  );
  logZones(kernel, memory, lowest, highest, movable);
  const zones = zoneDeviceIsOn(kernel) ? ZONE_NAMES.length : ZONE_NAMES.length - 1;
  for (const node of kernel.config.nodes) {
    const own = memory.filter((range) => range.nid === node.id);
    const pgdat: Pglist = {
      node_id: node.id,
      node_start_pfn: own[0]?.start ?? 0,
      node_spanned_pages: 0,
      node_present_pages: 0,
      node_zones: Array.from({ length: zones }, (_, index) => newZone(node.id, index)),
      node_zonelists: [[], []],
      distance: node.distance,
      cpus: node.cpus,
      nr_memmap: 0,
      nr_memmap_boot: 0,
    };
    state.nodes.push(pgdat);
    calculate_node_totalpages(pgdat, own, lowest, highest, {
      start: movable.get(node.id) ?? 0,
      end: highest[cut] ?? 0,
    });
    logNode(kernel, pgdat, own);
  }
  memmap_init(kernel, memory);
}

/** mm_init.c:calculate_node_totalpages with zone_spanned_pages_in_node and zone_absent_pages_in_node. */
function calculate_node_totalpages(
  pgdat: Pglist,
  own: readonly NodeRange[],
  lowest: readonly number[],
  highest: readonly number[],
  movable: { start: number; end: number },
): void {
  const nodeStart = own[0]?.start ?? 0;
  const nodeEnd = own.at(-1)?.end ?? 0;
  for (const zone of pgdat.node_zones) {
    if (zone.index > ZONE_MOVABLE || own.length === 0) continue;
    const bounds = zoneBounds(zone.index, lowest, highest, movable);
    const start = Math.max(clamp(nodeStart, bounds.start, bounds.end), nodeStart);
    const end = Math.min(clamp(nodeEnd, bounds.start, bounds.end), nodeEnd);
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

/** mm_init.c:adjust_zone_range_for_zone_movable: ZONE_MOVABLE takes what lies behind its start on this node from the zones there. */
function zoneBounds(
  index: number,
  lowest: readonly number[],
  highest: readonly number[],
  movable: { start: number; end: number },
): { start: number; end: number } {
  if (index === ZONE_MOVABLE) return movable.start > 0 ? movable : { start: 0, end: 0 };
  const start = lowest[index] ?? 0;
  const end = highest[index] ?? 0;
  if (movable.start === 0 || end <= movable.start) return { start, end };
  return start < movable.start ? { start, end: movable.start } : { start: end, end };
}

const memoryText = (start: number, end: number): string => mem(BigInt(start) << 12n, (BigInt(end) << 12n) - 1n);

/** What free_area_init tells of the zones it found. */
function logZones(
  kernel: Kernel,
  memory: readonly NodeRange[],
  lowest: readonly number[],
  highest: readonly number[],
  movable: ReadonlyMap<number, number>,
): void {
  kernel.pr_info('Zone ranges:');
  ZONE_NAMES.forEach((name, index) => {
    if (index === ZONE_MOVABLE || (name === 'Device' && !kernel.facts.zoneDevice)) return;
    const [start, end] = [lowest[index] ?? 0, highest[index] ?? 0];
    kernel.pr_info(`  ${name.padEnd(8)} ${start === end ? 'empty' : memoryText(start, end)}`);
  });
  kernel.pr_info('Movable zone start for each node');
  for (const [nid, start] of movable)
    kernel.pr_info(`  Node ${nid}: 0x${(BigInt(start) << 12n).toString(16).padStart(16, '0')}`);
  kernel.pr_info('Early memory node ranges');
  for (const range of memory)
    kernel.pr_info(`  node ${String(range.nid).padStart(3)}: ${memoryText(range.start, range.end)}`);
}

function logNode(kernel: Kernel, pgdat: Pglist, own: readonly NodeRange[]): void {
  const [first, last] = [own[0], own.at(-1)];
  if (first && last) kernel.pr_info(`Initmem setup node ${pgdat.node_id} ${memoryText(first.start, last.end)}`);
  else kernel.pr_info(`Initmem setup node ${pgdat.node_id} as memoryless`);
}

/** mm_init.c:memmap_init: struct pages of memory, and of the holes that share a section with it. */
function memmap_init(kernel: Kernel, memory: readonly NodeRange[]): void {
  let hole = 0;
  let lastZone: Zone | undefined;
  // By address, whatever node has it: nodes may lie between each other.
  for (const range of memory)
    for (const zone of kernel.node(range.nid).node_zones) {
      const zoneEnd = zone.zone_start_pfn + zone.spanned_pages;
      const start = clamp(range.start, zone.zone_start_pfn, zoneEnd);
      const end = clamp(range.end, zone.zone_start_pfn, zoneEnd);
      if (start >= end) continue;
      initPages(kernel, start, end, PageKind.Reserved, zone);
      initPageblocks(kernel, start, end);
      if (hole < start) init_unavailable_range(kernel, hole, start, zone);
      hole = end;
      lastZone = zone;
    }
  // SPARSEMEM: the rest of the last section has struct pages too.
  if (lastZone) init_unavailable_range(kernel, hole, Math.ceil(hole / PAGES_PER_SECTION) * PAGES_PER_SECTION, lastZone);
}

function initPages(kernel: Kernel, start: number, end: number, kind: PageKind, zone: Zone): void {
  kernel.pages.state.setRange(start, end, stateWord(kind, 0, zone.index, zone.node));
  kernel.pages.flags.setRange(start, end, PG_RESERVED);
  kernel.pages.refcount.setRange(start, end, 1);
}

/** memmap_init_range makes a pageblock movable when it comes to its first page: one that begins in a hole stays unmovable. */
function initPageblocks(kernel: Kernel, start: number, end: number): void {
  const { pageblock } = kernel.pages;
  const first = start - (start % pageblock_nr_pages);
  if (first !== start) {
    const word = kernel.pages.state.get(first);
    if (kindOf(word) === PageKind.Hole || kindOf(word) === PageKind.Unavailable)
      pageblock.setRange(first, first + pageblock_nr_pages, MIGRATE_UNMOVABLE);
  }
  const whole = Math.ceil(start / pageblock_nr_pages) * pageblock_nr_pages;
  if (whole < end) pageblock.setRange(whole, Math.ceil(end / pageblock_nr_pages) * pageblock_nr_pages, MIGRATE_MOVABLE);
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
  build_all_zonelists(kernel);
  for (const range of reserved) if (range.what === 'memmap') markMemmap(kernel, range);
  const free = freeRanges(memory, reserved);
  const deferred = new Map(kernel.nodes.map((node) => [node.node_id, firstDeferred(kernel, node, memory)]));
  for (const range of free) {
    const end = Math.min(range.end, deferred.get(range.nid) ?? range.end);
    forEachZone(kernel, { ...range, end }, (zone, from, to) => freeBootRange(kernel, zone, from, to));
  }
  page_alloc_init_late(kernel, free, deferred);
  kernel.state.totalram_pages = kernel.nodes.reduce(
    (sum, node) => sum + node.node_zones.reduce((n, zone) => n + zone.managed_pages, 0),
    0,
  );
}

/**
 * mm_init.c:defer_init: with CONFIG_DEFERRED_STRUCT_PAGE_INIT the last zone of a node is initialised only to the
 * first section border behind a section's worth of pages; lower zones always are, for requests that need them.
 */
function firstDeferred(kernel: Kernel, node: Pglist, memory: readonly NodeRange[]): number | undefined {
  if (!kernel.config.config.deferredStructPageInit) return undefined;
  const nodeEnd = node.node_start_pfn + node.node_spanned_pages;
  const zone = node.node_zones.find(
    (each) => each.present_pages > 0 && each.zone_start_pfn + each.spanned_pages === nodeEnd,
  );
  let done = 0;
  for (const range of memory) {
    if (!zone || range.nid !== node.node_id) continue;
    const start = Math.max(range.start, zone.zone_start_pfn);
    const end = Math.min(range.end, nodeEnd);
    if (start >= end) continue;
    const pfn = Math.ceil((start + Math.max(0, PAGES_PER_SECTION - done)) / PAGES_PER_SECTION) * PAGES_PER_SECTION;
    if (pfn < end) return pfn;
    done += end - start;
  }
  return undefined;
}

/** mm_init.c:page_alloc_init_late: a thread of each node frees the rest, before user space and before watermarks are set. */
function page_alloc_init_late(
  kernel: Kernel,
  free: readonly NodeRange[],
  deferred: ReadonlyMap<number, number | undefined>,
): void {
  for (const [nid, first] of deferred) {
    if (first === undefined) continue;
    for (const range of free)
      if (range.nid === nid)
        forEachZone(kernel, { ...range, start: Math.max(range.start, first) }, (zone, from, to) =>
          freeBootRange(kernel, zone, from, to),
        );
    kernel.pr_info(`node ${nid} deferred pages initialised in 0ms`);
  }
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

/**
 * free_reserved_area: initrd, init sections and gaps in the image, once init has run. The kernel frees each page; the
 * buddies that they merge to in the end are freed here, in the same order.
 */
export function freeInitMemory(kernel: Kernel, reserved: readonly ReservedRange[]): void {
  for (const range of reserved) {
    if (!FREED_AFTER_INIT.includes(range.what)) continue;
    for (let pfn = range.start; pfn < range.end; ) {
      const zone = kernel.zoneAt(pfn);
      const end = Math.min(range.end, zone.zone_start_pfn + zone.spanned_pages);
      let order = 0;
      while (order < pageblock_order && pfn % 2 ** (order + 1) === 0 && pfn + 2 ** (order + 1) <= end) order++;
      zone.managed_pages += 1 << order;
      kernel.state.totalram_pages += 1 << order;
      __free_pages_ok(kernel, pfn, order);
      pfn += 1 << order;
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
  const { state, store } = kernel;
  store.set(state, 'min_free_kbytes', clamp(Math.floor(Math.sqrt(lowmemKbytes * 16)), 128, 262144));
  setup_per_zone_wmarks(kernel);
  setup_per_zone_lowmem_reserve(kernel);
  if (!kernel.config.config.transparentHugepage) return;
  const populated = kernel.nodes
    .flatMap((node) => node.node_zones)
    .filter((zone) => zone.present_pages > 0 && zone.index <= ZONE_NORMAL).length;
  const wanted = Math.min(512 * populated * 2 + 512 * populated * 9, Math.floor(nr_free_buffer_pages(kernel) / 20)) * 4;
  if (wanted > state.min_free_kbytes) {
    store.set(state, 'min_free_kbytes', wanted);
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
