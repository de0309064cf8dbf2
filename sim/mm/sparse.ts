/**
 * Sections and sub-sections: mm/sparse.c and include/linux/mmzone.h (6.12),
 * SPARSEMEM_VMEMMAP with SPARSEMEM_EXTREME. The state of a section is kept for each
 * of its pfns, so that a run of equal sections is one entry.
 */
import { PAGES_PER_SECTION, PAGES_PER_SUBSECTION } from '../arch/x86_64.ts';
import {
  SECTION_FLAGS,
  SECTION_HAS_MEM_MAP,
  SECTION_IS_EARLY,
  SECTION_IS_ONLINE,
  SECTION_MARKED_PRESENT,
  SECTION_NID_SHIFT,
  SECTION_TAINT_ZONE_DEVICE,
  SUBSECTION_POPULATED,
} from '../include/mmzone.ts';
import type { Kernel } from '../machine/kernel.ts';
import { hex } from '../machine/kernel.ts';
import { runsOf } from '../store/column.ts';
import type { NodeRange } from './memblock.ts';
import {
  type CompoundDevmap,
  depopulate_section_memmap,
  populate_section_memmap,
  type VmemAltmap,
} from './sparse-vmemmap.ts';

const floorTo = (pfn: number, size: number): number => pfn - (pfn % size);

/** How many mem_sections a root holds: a page of them. */
export const SECTIONS_PER_ROOT = (kernel: Kernel): number => 4096 / (kernel.config.config.pageExtension ? 32 : 16);
export const NR_MEM_SECTIONS = (kernel: Kernel): number =>
  2 ** (kernel.arch.MAX_PHYSMEM_BITS - kernel.arch.SECTION_SIZE_BITS);

/** The flag bits of the section that holds `pfn`. */
export const sectionFlags = (kernel: Kernel, pfn: number): number => kernel.pages.section.get(pfn) & SECTION_FLAGS;

/** mmzone.h:pfn_valid: has the page frame a struct page? An early section says yes for all of its 128 MiB. */
export function pfn_valid(kernel: Kernel, pfn: number): boolean {
  if (pfn < 0 || pfn >= NR_MEM_SECTIONS(kernel) * PAGES_PER_SECTION) return false;
  const value = kernel.pages.section.get(pfn);
  if ((value & SECTION_HAS_MEM_MAP) === 0) return false;
  return (value & SECTION_IS_EARLY) !== 0 || (value & SUBSECTION_POPULATED) !== 0;
}

/** mm/memory_hotplug.c:pfn_to_online_page: the same, but never for ZONE_DEVICE. */
export function pfn_is_online(kernel: Kernel, pfn: number): boolean {
  const value = pfn_valid(kernel, pfn) ? kernel.pages.section.get(pfn) : 0;
  if ((value & SECTION_IS_ONLINE) === 0) return false;
  // Since 5.12 the sub-section counts in early sections too (pfn_section_valid).
  const wholeSection = (value & SECTION_IS_EARLY) !== 0 && !kernel.facts.sectionTaintZoneDevice;
  if ((value & SUBSECTION_POPULATED) === 0 && !wholeSection) return false;
  if ((value & SECTION_TAINT_ZONE_DEVICE) === 0) return true;
  return !kernel.state.pgmaps.some((map) => map.ranges.some((range) => pfn >= range.start && pfn < range.end));
}

/** sparse.c:sparse_init: boot memory's sections are present, have their map, are online and early. */
export function sparse_init(kernel: Kernel, memory: readonly NodeRange[]): void {
  const flags = SECTION_MARKED_PRESENT | SECTION_HAS_MEM_MAP | SECTION_IS_ONLINE | SECTION_IS_EARLY;
  for (const range of memory) {
    const first = floorTo(range.start, PAGES_PER_SECTION);
    const end = Math.ceil(range.end / PAGES_PER_SECTION) * PAGES_PER_SECTION;
    // A section shared by two ranges keeps the node that came first, and the bits of both.
    for (const run of runsOf(kernel.pages.section, first, end))
      if (run.value === 0) kernel.pages.section.setRange(run.start, run.end, flags | (range.nid << SECTION_NID_SHIFT));
    addRoots(kernel, first, end);
  }
  for (const range of memory) subsection_map_init(kernel, range.start, range.end);
}

/** sparse.c:subsection_map_init. */
function subsection_map_init(kernel: Kernel, start: number, end: number): void {
  const first = floorTo(start, PAGES_PER_SUBSECTION);
  const last = Math.ceil(end / PAGES_PER_SUBSECTION) * PAGES_PER_SUBSECTION;
  setBits(kernel, first, last, SUBSECTION_POPULATED, 0);
}

function setBits(kernel: Kernel, start: number, end: number, set: number, clear: number): void {
  for (const run of runsOf(kernel.pages.section, start, end)) {
    const next = ((run.value | set) & ~clear) >>> 0;
    if (next !== run.value) kernel.pages.section.setRange(run.start, run.end, next);
  }
}

/** sparse.c:sparse_index_init: a root is a page of mem_sections, allocated on first use. */
function addRoots(kernel: Kernel, start: number, end: number): void {
  const pages = PAGES_PER_SECTION * SECTIONS_PER_ROOT(kernel);
  for (let root = Math.floor(start / pages); root * pages < end; root++)
    if (!kernel.state.sectionRoots.has(root)) kernel.store.mapSet(kernel.state.sectionRoots, root, true);
}

const sectionStart = (pfn: number): number => floorTo(pfn, PAGES_PER_SECTION);

/** Any sub-section of the section that is populated. */
function sectionIsEmpty(kernel: Kernel, pfn: number): boolean {
  let empty = true;
  kernel.pages.section.runs(sectionStart(pfn), sectionStart(pfn) + PAGES_PER_SECTION, (_from, _to, value) => {
    if ((value & SUBSECTION_POPULATED) !== 0) empty = false;
    return empty;
  });
  return empty;
}

/**
 * sparse.c:sparse_add_section for one chunk inside a section, or for a run of whole
 * sections at once. Returns how many pages were added, and -EEXIST (a sub-section is
 * there already), -EINVAL (nothing to add) or -ENOMEM if that is not all of them.
 */
export function sparse_add_section(
  kernel: Kernel,
  nid: number,
  pfn: number,
  pages: number,
  altmap: VmemAltmap | undefined,
  compound?: CompoundDevmap,
): { added: number; error: number } {
  if (pages <= 0) return { added: 0, error: -22 };
  let free = pages;
  let early = false;
  kernel.pages.section.runs(pfn, pfn + pages, (from, _to, value) => {
    if ((value & SECTION_IS_EARLY) !== 0 && from === pfn) early = true;
    const stop = (value & SUBSECTION_POPULATED) !== 0 || (!early && (value & SECTION_IS_EARLY) !== 0);
    if (stop) free = Math.min(free, from - pfn);
    return !stop;
  });
  const exists = free < pages;
  const room = exists && pages > PAGES_PER_SECTION ? floorTo(free, PAGES_PER_SECTION) : exists ? 0 : pages;
  if (room === 0) return { added: 0, error: -17 };
  addRoots(kernel, pfn, pfn + room);
  let added = room;
  if (!early) {
    // Part of a boot section needs none of this: its memmap covers the whole section, the altmap is not used.
    added = populate_section_memmap(kernel, pfn, room, nid, altmap, compound);
    const first = sectionStart(pfn);
    const end = added === 0 ? first : Math.ceil((pfn + added) / PAGES_PER_SECTION) * PAGES_PER_SECTION;
    setBits(kernel, first, end, SECTION_MARKED_PRESENT | SECTION_HAS_MEM_MAP, SECTION_IS_ONLINE);
    setBits(kernel, first, end, nid << SECTION_NID_SHIFT, (1023 << SECTION_NID_SHIFT) & ~(nid << SECTION_NID_SHIFT));
  }
  setBits(kernel, pfn, pfn + added, SUBSECTION_POPULATED, 0);
  return { added, error: added < room ? -12 : exists ? -17 : 0 };
}

/** sparse.c:sparse_remove_section / section_deactivate for a part of one section or a run of whole ones. */
export function sparse_remove_section(
  kernel: Kernel,
  pfn: number,
  pages: number,
  altmap: VmemAltmap | undefined,
): void {
  const value = kernel.pages.section.get(pfn);
  if ((value & SECTION_HAS_MEM_MAP) === 0) {
    kernel.WARN(`section_deactivate: no section at pfn ${hex(pfn)}`);
    return;
  }
  let populated = true;
  kernel.pages.section.runs(pfn, pfn + pages, (_from, _to, word) => {
    if ((word & SUBSECTION_POPULATED) === 0) populated = false;
    return populated;
  });
  if (!populated) {
    kernel.WARN(`section already deactivated (${hex(pfn)} + ${pages})`);
    return;
  }
  const early = (value & SECTION_IS_EARLY) !== 0;
  setBits(kernel, pfn, pfn + pages, 0, SUBSECTION_POPULATED);
  const first = sectionStart(pfn);
  const end = Math.ceil((pfn + pages) / PAGES_PER_SECTION) * PAGES_PER_SECTION;
  const whole = pages >= PAGES_PER_SECTION || sectionIsEmpty(kernel, pfn);
  if (!early) depopulate_section_memmap(kernel, pfn, pages, altmap);
  if (whole) {
    if (early) depopulate_section_memmap(kernel, first, PAGES_PER_SECTION, undefined);
    kernel.pages.section.setRange(first, end, 0);
  }
}

/** sparse.c:online_mem_sections and offline_mem_sections: the sections that [start, end) touches. */
export function online_mem_sections(kernel: Kernel, start: number, end: number): void {
  setBits(kernel, sectionStart(start), sectionStart(end - 1) + PAGES_PER_SECTION, SECTION_IS_ONLINE, 0);
}
export function offline_mem_sections(kernel: Kernel, start: number, end: number): void {
  setBits(kernel, sectionStart(start), sectionStart(end - 1) + PAGES_PER_SECTION, 0, SECTION_IS_ONLINE);
}

/** mmzone.h:SECTION_TAINT_ZONE_DEVICE on the sections of `pfn`: device and other memory share it. */
export function section_taint_zone_device(kernel: Kernel, pfn: number): void {
  if (!kernel.facts.sectionTaintZoneDevice) return;
  const first = sectionStart(pfn);
  setBits(kernel, first, first + PAGES_PER_SECTION, SECTION_TAINT_ZONE_DEVICE, 0);
}

/** The populated sub-sections of the section at `pfn`, as two words, low first. */
export function subsection_map(kernel: Kernel, pfn: number): [number, number] {
  const words: [number, number] = [0, 0];
  const first = sectionStart(pfn);
  kernel.pages.section.runs(first, first + PAGES_PER_SECTION, (from, to, value) => {
    if ((value & SUBSECTION_POPULATED) === 0) return undefined;
    for (let bit = Math.floor((from - first) / PAGES_PER_SUBSECTION); bit < (to - first) / PAGES_PER_SUBSECTION; bit++)
      if (bit < 32) words[0] = (words[0] | (1 << bit)) >>> 0;
      else words[1] = (words[1] | (1 << (bit - 32))) >>> 0;
    return undefined;
  });
  return words;
}
