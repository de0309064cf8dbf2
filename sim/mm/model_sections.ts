/** What all kinds of SPARSEMEM share: sections, their table and its roots (include/linux/mmzone.h, mm/sparse.c). */
import { bytesPerPage } from '../arch/layout.ts';
import { SECTION_HAS_MEM_MAP, SECTION_IS_EARLY, SECTION_IS_ONLINE, SECTION_MARKED_PRESENT } from '../include/mmzone.ts';
import { sectionFlagMask, sectionMapLastBit } from '../include/section_flags.ts';
import type { PfnRange } from './memblock.ts';
import { type ModelSetup, NoModel, pointerIn } from './model_setup.ts';

export interface SectionNumbers {
  PFN_SECTION_SHIFT: number;
  PAGES_PER_SECTION: number;
  NR_MEM_SECTIONS: number;
  /** sizeof(struct mem_section): two words, four with CONFIG_PAGE_EXTENSION. */
  sizeofSection: number;
  SECTIONS_PER_ROOT: number;
  NR_SECTION_ROOTS: number;
  SECTION_MAP_MASK: bigint;
}

export function sectionNumbers(setup: ModelSetup, extreme: boolean): SectionNumbers {
  const { layout, release } = setup;
  if (layout.SECTION_SIZE_BITS === undefined || layout.MAX_PHYSMEM_BITS === undefined)
    throw new NoModel(layout.notes['sparsemem-extreme'] ?? `${layout.name} has no SPARSEMEM`);
  const PFN_SECTION_SHIFT = layout.SECTION_SIZE_BITS - layout.PAGE_SHIFT;
  const NR_MEM_SECTIONS = 2 ** (layout.MAX_PHYSMEM_BITS - layout.SECTION_SIZE_BITS);
  const sizeofSection = (layout.BITS_PER_LONG / 8) * (setup.pageExtension ? 4 : 2);
  const SECTIONS_PER_ROOT = extreme ? 2 ** layout.PAGE_SHIFT / sizeofSection : 1;
  return {
    PFN_SECTION_SHIFT,
    PAGES_PER_SECTION: 2 ** PFN_SECTION_SHIFT,
    NR_MEM_SECTIONS,
    sizeofSection,
    SECTIONS_PER_ROOT,
    NR_SECTION_ROOTS: Math.ceil(NR_MEM_SECTIONS / SECTIONS_PER_ROOT),
    SECTION_MAP_MASK: pointerIn(setup, -(1n << BigInt(sectionMapLastBit(release)))),
  };
}

/** Sections with memory that follow each other on one node. */
export interface SectionRun {
  first: number;
  count: number;
  nid: number;
}

/** sparse.c:memory_present: every section that RAM touches, with the node that came first. */
export function presentSections(setup: ModelSetup, numbers: SectionNumbers): SectionRun[] {
  const runs: SectionRun[] = [];
  const pages = numbers.PAGES_PER_SECTION;
  for (const range of setup.memory) {
    const before = runs.at(-1);
    const first = Math.max(Math.floor(range.start / pages), before ? before.first + before.count : 0);
    const end = Math.min(Math.ceil(range.end / pages), numbers.NR_MEM_SECTIONS);
    if (end <= first) continue;
    if (before && before.nid === range.nid && before.first + before.count === first) before.count += end - first;
    else runs.push({ first, count: end - first, nid: range.nid });
  }
  return runs;
}

/** The flag bits of a boot section in this release. */
export const earlyFlags = (setup: ModelSetup): number =>
  (SECTION_MARKED_PRESENT | SECTION_HAS_MEM_MAP | SECTION_IS_ONLINE | SECTION_IS_EARLY) &
  sectionFlagMask(setup.release);

/** sparse.c:sparse_encode_mem_map: the map less as many struct pages as there are page frames before the section. */
export const sparse_encode_mem_map = (setup: ModelSetup, map: bigint, startPfn: number, sizeofPage: bigint): bigint =>
  pointerIn(setup, map - BigInt(startPfn) * sizeofPage);

/** The roots that hold any section, ascending. */
export function allocatedRoots(runs: readonly SectionRun[], numbers: SectionNumbers): PfnRange[] {
  const roots: PfnRange[] = [];
  for (const run of runs) {
    const start = Math.floor(run.first / numbers.SECTIONS_PER_ROOT);
    const end = Math.ceil((run.first + run.count) / numbers.SECTIONS_PER_ROOT);
    const last = roots.at(-1);
    if (last && last.end >= start) last.end = Math.max(last.end, end);
    else roots.push({ start, end });
  }
  return roots;
}

/** vmemmap_populate: x86_64 maps with PMDs what fills them, arm64 only with 4 KiB pages. */
export const populatesPmds = ({ layout }: ModelSetup, sectionBytes: bigint): boolean =>
  sectionBytes % (1n << BigInt(layout.PMD_SHIFT)) === 0n && (layout.name === 'x86_64' || layout.PAGE_SHIFT === 12);

/** Bytes that the struct pages of one section take, in whole pages. */
export function sectionMapSize(setup: ModelSetup, numbers: SectionNumbers, sizeofPage: bigint): bigint {
  const page = bytesPerPage(setup.layout);
  const bytes = BigInt(numbers.PAGES_PER_SECTION) * sizeofPage;
  return ((bytes + page - 1n) / page) * page;
}

export function runOf(runs: readonly SectionRun[], section: number): SectionRun | undefined {
  return runs.find((run) => section >= run.first && section < run.first + run.count);
}
