/** Adding and removing struct pages: mm/memory_hotplug.c and arch/x86/mm/init_64.c (6.12). */
import { PAGES_PER_SECTION, PAGES_PER_SUBSECTION } from '../arch/x86_64.ts';
import { type Pglist, stateWord, type Zone } from '../include/mmzone.ts';
import { PageKind, ZONE_DEVICE } from '../include/types.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import { section_taint_zone_device, sparse_add_section, sparse_remove_section } from './sparse.ts';
import { type CompoundDevmap, type VmemAltmap, vmem_altmap_offset } from './sparse-vmemmap.ts';

/** struct mhp_params, as far as the simulator needs it. */
export interface MhpParams {
  altmap: VmemAltmap | undefined;
  /** Whether a dev_pagemap asked (6.15 on: max_pfn stays as it is then). */
  pgmap: boolean;
  /** pgmap->vmemmap_shift and where its compound pages begin: the tails' struct pages are shared. */
  compound?: CompoundDevmap | undefined;
}

/** mm/memory_hotplug.c:mhp_range_allowed. */
export function mhp_range_allowed(kernel: Kernel, start: bigint, size: bigint): boolean {
  const end = BigInt.asUintN(64, start + size - 1n);
  if (start < end && end <= kernel.physmemEnd) return true;
  kernel.pr_warn(
    `Hotplug memory [${hex(start)}-${hex(end)}] exceeds maximum addressable range [${hex(0)}-${hex(kernel.physmemEnd)}]`,
  );
  return false;
}

/** arch/x86/mm/init_64.c:arch_add_memory: the linear mapping, then the struct pages. */
export function arch_add_memory(
  kernel: Kernel,
  nid: number,
  startPfn: number,
  pages: number,
  params: MhpParams,
): number {
  return kernel.leaf(
    'arch_add_memory',
    [`nid ${nid}`, hex(BigInt(startPfn) << 12n), hex(BigInt(pages) << 12n)],
    () => add_pages(kernel, nid, startPfn, pages, params),
    String,
  );
}

/** arch/x86/mm/init_64.c:add_pages. */
export function add_pages(kernel: Kernel, nid: number, startPfn: number, pages: number, params: MhpParams): number {
  return kernel.leaf(
    'add_pages',
    [`nid ${nid}`, hex(startPfn), String(pages)],
    () => {
      if ((BigInt(startPfn + pages) << 12n) - 1n > kernel.physmemEnd) {
        kernel.WARN('add_pages: the range ends beyond PHYSMEM_END');
        return -34;
      }
      const error = __add_pages(kernel, nid, startPfn, pages, params);
      if (error) kernel.WARN(`add_pages: __add_pages returned ${error}`);
      const { state, store } = kernel;
      const end = startPfn + pages;
      // Since 6.15 (and 6.1.y, 6.12.y) device memory no longer moves max_pfn.
      if (end > state.max_pfn && !(params.pgmap && kernel.facts.maxPfnIgnoresPagemap)) {
        store.set(state, 'max_pfn', end);
        store.set(state, 'max_low_pfn', end);
      }
      return error;
    },
    String,
  );
}

/** mm/memory_hotplug.c:__add_pages: section by section, stopping at the first error and keeping what was added. */
export function __add_pages(kernel: Kernel, nid: number, startPfn: number, pages: number, params: MhpParams): number {
  return kernel.leaf(
    '__add_pages',
    [`nid ${nid}`, hex(startPfn), String(pages)],
    () => {
      const { altmap } = params;
      if (altmap) {
        if (altmap.base_pfn !== BigInt(startPfn) || vmem_altmap_offset(altmap) > pages) {
          kernel.pr_warn('memory add fail, invalid altmap');
          return -22;
        }
        kernel.store.set(altmap, 'alloc', 0n);
      }
      if (startPfn % PAGES_PER_SUBSECTION !== 0 || pages % PAGES_PER_SUBSECTION !== 0 || pages === 0) {
        kernel.WARN(`Misaligned __add_pages start: ${hex(startPfn)} end: ${hex(startPfn + pages - 1)}`);
        return -22;
      }
      for (const chunk of chunks(startPfn, pages)) {
        const { error } = sparse_add_section(kernel, nid, chunk.pfn, chunk.pages, altmap, params.compound);
        if (error) return error;
      }
      return 0;
    },
    String,
  );
}

/** The parts of a range: up to the first section border, all whole sections together, the rest. */
function* chunks(start: number, pages: number): Generator<{ pfn: number; pages: number }> {
  const end = start + pages;
  const first = Math.min(end, Math.ceil(start / PAGES_PER_SECTION) * PAGES_PER_SECTION);
  if (first > start) yield { pfn: start, pages: first - start };
  const last = Math.max(first, Math.floor(end / PAGES_PER_SECTION) * PAGES_PER_SECTION);
  if (last > first) yield { pfn: first, pages: last - first };
  if (end > last) yield { pfn: last, pages: end - last };
}

/** mm/memory_hotplug.c:__remove_pages. */
export function __remove_pages(kernel: Kernel, startPfn: number, pages: number, altmap: VmemAltmap | undefined): void {
  kernel.leaf(
    '__remove_pages',
    [hex(startPfn), String(pages)],
    () => {
      if (startPfn % PAGES_PER_SUBSECTION !== 0 || pages % PAGES_PER_SUBSECTION !== 0) {
        kernel.WARN(`Misaligned __remove_pages start: ${hex(startPfn)} end: ${hex(startPfn + pages - 1)}`);
        return;
      }
      for (const chunk of chunks(startPfn, pages)) sparse_remove_section(kernel, chunk.pfn, chunk.pages, altmap);
    },
    () => '',
  );
}

/** arch/x86/mm/init_64.c:arch_remove_memory: struct pages, then the linear mapping. */
export function arch_remove_memory(
  kernel: Kernel,
  startPfn: number,
  pages: number,
  altmap: VmemAltmap | undefined,
): void {
  kernel.leaf(
    'arch_remove_memory',
    [hex(BigInt(startPfn) << 12n), hex(BigInt(pages) << 12n)],
    () => __remove_pages(kernel, startPfn, pages, altmap),
    () => '',
  );
}

/** mm/memory_hotplug.c:move_pfn_range_to_zone with resize_zone_range and resize_pgdat_range. */
export function move_pfn_range_to_zone(
  kernel: Kernel,
  zone: Zone,
  startPfn: number,
  pages: number,
  altmap: VmemAltmap | undefined,
  migratetype: number,
): void {
  kernel.leaf(
    'move_pfn_range_to_zone',
    [zone.name, hex(startPfn), String(pages)],
    () => {
      const { store } = kernel;
      const pgdat = kernel.node(zone.node);
      if (!zone.initialized) store.set(zone, 'initialized', true);
      grow(kernel, zone, startPfn, pages);
      growNode(kernel, pgdat, startPfn, pages);
      if (zone.index === ZONE_DEVICE) {
        if (startPfn % PAGES_PER_SECTION !== 0) section_taint_zone_device(kernel, startPfn);
        if ((startPfn + pages) % PAGES_PER_SECTION !== 0) section_taint_zone_device(kernel, startPfn + pages - 1);
      }
      kernel.pages.pageblock.setRange(startPfn, startPfn + pages, migratetype);
      if (altmap) initAltmapPages(kernel, zone, altmap);
    },
    () => '',
  );
}

function grow(kernel: Kernel, zone: Zone, startPfn: number, pages: number): void {
  const empty = zone.spanned_pages === 0;
  const oldEnd = zone.zone_start_pfn + zone.spanned_pages;
  const start = empty ? startPfn : Math.min(zone.zone_start_pfn, startPfn);
  const end = empty ? startPfn + pages : Math.max(oldEnd, startPfn + pages);
  kernel.store.set(zone, 'zone_start_pfn', start);
  kernel.store.set(zone, 'spanned_pages', end - start);
}

function growNode(kernel: Kernel, pgdat: Pglist, startPfn: number, pages: number): void {
  const empty = pgdat.node_spanned_pages === 0;
  const oldEnd = pgdat.node_start_pfn + pgdat.node_spanned_pages;
  const start = empty ? startPfn : Math.min(pgdat.node_start_pfn, startPfn);
  const end = empty ? startPfn + pages : Math.max(oldEnd, startPfn + pages);
  kernel.store.set(pgdat, 'node_start_pfn', start);
  kernel.store.set(pgdat, 'node_spanned_pages', end - start);
}

/** memmap_init_range with an altmap: the struct pages of the frames that hold the memmap. The first `reserve` stay zero. */
function initAltmapPages(kernel: Kernel, zone: Zone, altmap: VmemAltmap): void {
  const base = Number(altmap.base_pfn);
  const from = base + Number(altmap.reserve);
  const to = base + vmem_altmap_offset(altmap);
  kernel.pages.state.setRange(base, from, stateWord(PageKind.Poisoned, 0, 0, 0));
  kernel.pages.state.setRange(from, to, stateWord(PageKind.Memmap, 0, zone.index, zone.node));
  kernel.pages.flags.setRange(from, to, 1 << 13);
  kernel.pages.refcount.setRange(from, to, 1);
}
