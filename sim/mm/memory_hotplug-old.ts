/**
 * Adding and removing sections before sub-sections: mm/memory_hotplug.c and arch/x86/mm/init_64.c
 * of 4.3 to 5.2 (the shrinking of ZONE_DEVICE also of 5.3). Everything is whole sections.
 */
import { PAGES_PER_SECTION, PAGES_PER_SUBSECTION } from '../arch/x86_64.ts';
import { BadAccess } from '../c/value.ts';
import {
  HOLE,
  MIGRATE_MOVABLE,
  nodeOf,
  PG_RESERVED,
  type Pglist,
  SECTION_HAS_MEM_MAP,
  SECTION_MARKED_PRESENT,
  stateWord,
  type Zone,
  zoneOf,
} from '../include/mmzone.ts';
import { PageKind, ZONE_DEVICE, ZONE_MOVABLE, ZONE_NORMAL } from '../include/types.ts';
import { release_mem_region_adjustable } from '../kernel/resource-adjust.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import { runsOf } from '../store/column.ts';
import { pfn_valid, sparse_add_section, sparse_remove_section } from './sparse.ts';
import { type VmemAltmap, vmem_altmap_offset } from './sparse-vmemmap.ts';

const EEXIST = -17;

export const sectionFloor = (pfn: number): number => Math.floor(pfn / PAGES_PER_SECTION) * PAGES_PER_SECTION;
export const sectionCeil = (pfn: number): number => Math.ceil(pfn / PAGES_PER_SECTION) * PAGES_PER_SECTION;

/** memory_hotplug.c:zone_for_memory (4.3 to 4.13): device memory goes to ZONE_DEVICE, other memory never below ZONE_NORMAL. */
export function zone_for_memory(kernel: Kernel, nid: number, startPfn: number, forDevice: boolean): Zone {
  return kernel.leaf(
    'zone_for_memory',
    [`nid ${nid}`, hex(startPfn), forDevice ? 'for_device' : ''],
    () => {
      if (forDevice) return kernel.zone(nid, ZONE_DEVICE);
      const movable = kernel.zone(nid, ZONE_MOVABLE);
      return movable.spanned_pages > 0 && movable.zone_start_pfn <= startPfn ? movable : kernel.zone(nid, ZONE_NORMAL);
    },
    (zone) => zone.name,
  );
}

export interface OldAdd {
  nid: number;
  startPfn: number;
  pages: number;
  altmap: VmemAltmap | undefined;
  /** 4.3 to 4.13: the zone the sections go to as they are added. Later that is a step of its own. */
  zone: Zone | undefined;
}

/** init_64.c:arch_add_memory: linear mapping and struct pages, then max_pfn, which follows even a failure. */
export function arch_add_memory_old(kernel: Kernel, add: OldAdd, name = 'arch_add_memory'): number {
  return kernel.leaf(
    name,
    [`nid ${add.nid}`, hex(BigInt(add.startPfn) << 12n), hex(BigInt(add.pages) << 12n)],
    () => {
      const error = __add_pages_old(kernel, add);
      if (error) kernel.WARN(`${name}: __add_pages returned ${error}`);
      update_end_of_memory_vars(kernel, add.startPfn + add.pages);
      return error;
    },
    String,
  );
}

function update_end_of_memory_vars(kernel: Kernel, end: number): void {
  const { state, store } = kernel;
  if (end <= state.max_pfn) return;
  store.set(state, 'max_pfn', end);
  store.set(state, 'max_low_pfn', end);
}

/** memory_hotplug.c:__add_pages: every section the range touches; one that is there already is passed over. */
function __add_pages_old(kernel: Kernel, add: OldAdd): number {
  return kernel.leaf(
    '__add_pages',
    [`nid ${add.nid}`, hex(add.startPfn), String(add.pages)],
    () => {
      const { altmap } = add;
      if (altmap) {
        if (altmap.base_pfn !== BigInt(add.startPfn) || vmem_altmap_offset(altmap) > add.pages) {
          kernel.pr_warn('memory add fail, invalid altmap');
          return -22;
        }
        kernel.store.set(altmap, 'alloc', 0n);
      }
      const end = sectionCeil(add.startPfn + add.pages);
      for (const run of sectionRuns(kernel, sectionFloor(add.startPfn), end)) {
        if (run.present) continue;
        const { added, error } = sparse_add_section(kernel, add.nid, run.start, run.end - run.start, altmap);
        if (added > 0 && add.zone) add_to_zone(kernel, add.zone, run.start, added, altmap);
        if (error && error !== EEXIST) return error;
      }
      return 0;
    },
    String,
  );
}

/** Neighbouring sections that are alike: present or not. */
function sectionRuns(kernel: Kernel, start: number, end: number): { start: number; end: number; present: boolean }[] {
  const runs: { start: number; end: number; present: boolean }[] = [];
  for (const run of runsOf(kernel.pages.section, start, end)) {
    const present = (run.value & SECTION_MARKED_PRESENT) !== 0;
    const last = runs.at(-1);
    if (last?.present === present) last.end = run.end;
    else runs.push({ start: run.start, end: run.end, present });
  }
  return runs;
}

/**
 * Gives sections to a zone: __add_zone while they are added (to 4.13), move_pfn_range_to_zone afterwards (to 5.2).
 * The spans of zone and node grow; each page is reserved and has one reference. With an altmap the pages before
 * its offset hold struct pages.
 */
export function add_to_zone(
  kernel: Kernel,
  zone: Zone,
  startPfn: number,
  pages: number,
  altmap: VmemAltmap | undefined,
): void {
  kernel.leaf(
    kernel.facts.zoneSetByMove ? 'move_pfn_range_to_zone' : '__add_zone',
    [zone.name, hex(startPfn), String(pages)],
    () => {
      const { store } = kernel;
      const pgdat = kernel.node(zone.node);
      if (!zone.initialized) store.set(zone, 'initialized', true);
      const end = startPfn + pages;
      span(kernel, zone, 'zone_start_pfn', 'spanned_pages', startPfn, end);
      span(kernel, pgdat, 'node_start_pfn', 'node_spanned_pages', startPfn, end);
      const kind = zone.index === ZONE_DEVICE ? PageKind.Reserved : PageKind.Offline;
      const first = altmap ? Math.max(startPfn, Number(altmap.base_pfn) + Number(altmap.reserve)) : startPfn;
      const usable = altmap ? Number(altmap.base_pfn) + vmem_altmap_offset(altmap) : startPfn;
      const columns = kernel.pages;
      if (startPfn < first)
        columns.state.setRange(startPfn, Math.min(first, end), stateWord(PageKind.Poisoned, 0, 0, 0));
      if (first < Math.min(usable, end))
        columns.state.setRange(first, Math.min(usable, end), stateWord(PageKind.Memmap, 0, zone.index, zone.node));
      if (usable < end)
        columns.state.setRange(Math.max(usable, startPfn), end, stateWord(kind, 0, zone.index, zone.node));
      if (first < end) {
        columns.flags.setRange(first, end, PG_RESERVED);
        columns.refcount.setRange(first, end, 1);
        columns.mapcount.setRange(first, end, 0xffffffff);
      }
      columns.pageblock.setRange(startPfn, end, MIGRATE_MOVABLE);
    },
    () => '',
  );
}

function span<S extends string, P extends string, T extends Record<S | P, number>>(
  kernel: Kernel,
  owner: T,
  start: S,
  pages: P,
  from: number,
  to: number,
): void {
  const isEmpty = owner[pages] === 0;
  const first = isEmpty ? from : Math.min(owner[start], from);
  const end = isEmpty ? to : Math.max(owner[start] + owner[pages], to);
  kernel.store.set(owner, start, first as T[S]);
  kernel.store.set(owner, pages, (end - first) as T[P]);
}

/** init_64.c:arch_remove_memory: the sections, then the linear mapping. */
export function arch_remove_memory_old(
  kernel: Kernel,
  startPfn: number,
  pages: number,
  altmap: VmemAltmap | undefined,
): void {
  kernel.leaf(
    'arch_remove_memory',
    [hex(BigInt(startPfn) << 12n), hex(BigInt(pages) << 12n)],
    () => __remove_pages_old(kernel, startPfn, pages, altmap),
    () => '',
  );
}

/** memory_hotplug.c:__remove_pages: what is not whole sections is a bug; to 5.0 ordinary memory's resource goes here too. */
export function __remove_pages_old(
  kernel: Kernel,
  startPfn: number,
  pages: number,
  altmap: VmemAltmap | undefined,
): void {
  kernel.leaf(
    '__remove_pages',
    [hex(startPfn), String(pages)],
    () => {
      // With an altmap the first pages belong to nobody.
      const zone = kernel.zoneAt(startPfn + vmem_altmap_offset(altmap));
      if (kernel.facts.removeReleasesResource && zone.index !== ZONE_DEVICE) {
        const start = BigInt(startPfn) << 12n;
        const size = BigInt(pages) << 12n;
        const error = release_mem_region_adjustable(kernel.store, kernel.state.iomem, start, size);
        if (error) kernel.pr_warn(`Unable to release resource <${hex(start)}-${hex(start + size - 1n)}> (${error})`);
      }
      if (startPfn % PAGES_PER_SECTION !== 0 || pages % PAGES_PER_SECTION !== 0)
        throw new BadAccess(
          `kernel BUG in __remove_pages: ${hex(startPfn)} with ${pages} pages is not whole sections of ${PAGES_PER_SECTION}`,
        );
      shrink_zone(kernel, zone, startPfn, startPfn + pages, PAGES_PER_SECTION);
      for (const run of sectionRuns(kernel, startPfn, startPfn + pages)) {
        if (!run.present) continue;
        sparse_remove_section(kernel, run.start, run.end - run.start, altmap);
        forget(kernel, run.start, run.end);
      }
    },
    () => '',
  );
}

/** The struct pages of sections that are gone. */
function forget(kernel: Kernel, start: number, end: number): void {
  for (const run of runsOf(kernel.pages.section, start, end)) {
    if ((run.value & SECTION_HAS_MEM_MAP) !== 0) continue;
    kernel.pages.state.setRange(run.start, run.end, HOLE);
    kernel.pages.flags.setRange(run.start, run.end, 0);
    kernel.pages.refcount.setRange(run.start, run.end, 0);
    kernel.pages.mapcount.setRange(run.start, run.end, 0xffffffff);
    kernel.pages.pgmap.setRange(run.start, run.end, 0);
    kernel.pages.pageblock.setRange(run.start, run.end, MIGRATE_MOVABLE);
  }
}

/** 5.3, the last release whose ZONE_DEVICE shrinks, does it by sub-sections. */
export const shrink_device_zone = (kernel: Kernel, start: number, end: number): void =>
  shrink_zone(kernel, kernel.zoneAt(start), start, end, PAGES_PER_SUBSECTION);

/**
 * memory_hotplug.c:__remove_zone, shrink_zone_span and shrink_pgdat_span for a range about to go: a range at
 * an end of the span takes the end to the nearest section that stays; one in the middle leaves the span.
 */
function shrink_zone(kernel: Kernel, zone: Zone, start: number, end: number, step: number): void {
  kernel.leaf(
    'shrink_zone_span',
    [zone.name, hex(start), hex(end)],
    () => {
      const inZone = (word: number): boolean => zoneOf(word) === zone.index && nodeOf(word) === zone.node;
      shrinkSpan(kernel, zone, 'zone_start_pfn', 'spanned_pages', { start, end, step, holds: inZone });
      const pgdat: Pglist = kernel.node(zone.node);
      const onNode = (word: number): boolean => nodeOf(word) === zone.node;
      shrinkSpan(kernel, pgdat, 'node_start_pfn', 'node_spanned_pages', { start, end, step, holds: onNode });
    },
    () => '',
  );
}

interface Going {
  start: number;
  end: number;
  step: number;
  /** Whether a page belongs to what shrinks. */
  holds: (word: number) => boolean;
}

function shrinkSpan<S extends string, P extends string, T extends Record<S | P, number>>(
  kernel: Kernel,
  owner: T,
  start: S,
  pages: P,
  going: Going,
): void {
  const first: number = owner[start];
  const end = first + owner[pages];
  if (owner[pages] === 0 || going.end <= first || going.start >= end) return;
  let from: number = first;
  let to = end;
  if (going.start <= first) {
    const found = find_smallest_section_pfn(kernel, going.end, end, going);
    from = found ?? 0;
    if (found === undefined) to = 0;
  } else if (going.end >= end) {
    const found = find_biggest_section_pfn(kernel, first, going.start, going);
    if (found === undefined) {
      from = 0;
      to = 0;
    } else to = found + 1;
  }
  kernel.store.set(owner, start, from as T[S]);
  kernel.store.set(owner, pages, (to - from) as T[P]);
}

function find_smallest_section_pfn(kernel: Kernel, start: number, end: number, going: Going): number | undefined {
  for (const run of runsOf(kernel.pages.state, start, end)) {
    if (!going.holds(run.value)) continue;
    const pfn = Math.ceil(run.start / going.step) * going.step;
    // The kernel looks at the first page of each step only.
    if (pfn < run.end && pfn_valid(kernel, pfn)) return pfn;
  }
  return undefined;
}

function find_biggest_section_pfn(kernel: Kernel, start: number, end: number, going: Going): number | undefined {
  for (const run of runsOf(kernel.pages.state, start, end).reverse()) {
    if (!going.holds(run.value)) continue;
    const pfn = end - 1 - Math.ceil((end - run.end) / going.step) * going.step;
    if (pfn >= run.start && pfn_valid(kernel, pfn)) return pfn;
  }
  return undefined;
}
