/**
 * The memory map's own memory: mm/sparse-vmemmap.c and arch/x86/mm/init_64.c (6.12).
 * A whole section's struct pages fill one 2 MiB block; parts of a section use single pages.
 */
import { PAGES_PER_SECTION } from '../arch/x86_64.ts';
import type { CStruct } from '../c/value.ts';
import { MIGRATE_UNMOVABLE, orderOf, stateWord } from '../include/mmzone.ts';
import { PageKind, ZONE_DEVICE } from '../include/types.ts';
import type { Kernel } from '../machine/kernel.ts';
import type { MemmapRun } from '../machine/state.ts';
import { __free_pages_ok } from './freePages.ts';
import { alloc_pages_node } from './page_alloc.ts';

/** struct vmem_altmap: fields in page frames. */
export interface VmemAltmap extends CStruct {
  readonly $struct: 'vmem_altmap';
  base_pfn: bigint;
  end_pfn: bigint;
  reserve: bigint;
  free: bigint;
  align: bigint;
  alloc: bigint;
}

/** include/linux/memremap.h:vmem_altmap_offset: the first page that is not memmap or reserved. */
export const vmem_altmap_offset = (altmap: VmemAltmap | undefined): number =>
  altmap ? Number(altmap.reserve + altmap.free) : 0;

/** Compound device pages: the first pfn of the pagemap, and pages in each. */
export interface CompoundDevmap {
  readonly base: number;
  readonly pages: number;
}

/** Struct pages described by one page frame full of them, and by a 2 MiB block. */
const DESCRIBED_BY_PAGE = 64;
const HUGE_ORDER = 9;
const USE = { kind: PageKind.Memmap, migratetype: MIGRATE_UNMOVABLE };
const TABLE = { kind: PageKind.Kernel, migratetype: MIGRATE_UNMOVABLE };

/** sparse-vmemmap.c:altmap_alloc_block_buf for up to `blocks` blocks of `pages` pages: first frame and how many. */
function altmap_alloc(
  kernel: Kernel,
  altmap: VmemAltmap,
  pages: number,
  blocks: number,
): { from: number; blocks: number } {
  const { store } = kernel;
  const next = altmap.base_pfn + altmap.reserve + altmap.alloc + altmap.align;
  const alignment = BigInt(pages & -pages);
  const pad = (alignment - (next % alignment)) % alignment;
  const room = altmap.free - altmap.alloc - altmap.align - pad;
  const taken = room < 0n ? 0n : room / BigInt(pages);
  const got = taken < BigInt(blocks) ? Number(taken) : blocks;
  if (got > 0) {
    store.set(altmap, 'alloc', altmap.alloc + BigInt(pages * got));
    store.set(altmap, 'align', altmap.align + pad);
  }
  return { from: Number(next + pad), blocks: got };
}

/**
 * sparse-vmemmap.c:__populate_section_memmap for one chunk or a run of whole sections.
 * Returns the pages whose struct pages have memory now; fewer than asked means -ENOMEM.
 */
export function populate_section_memmap(
  kernel: Kernel,
  pfn: number,
  pages: number,
  nid: number,
  altmap: VmemAltmap | undefined,
  compound?: CompoundDevmap,
): number {
  if (!populateTables(kernel, pfn, pages, nid)) return 0;
  if (compound && vmemmap_can_optimize(altmap, compound))
    return vmemmap_populate_compound_pages(kernel, pfn, pages, nid, compound);
  // x86 vmemmap_populate: less than a section's worth is mapped with base pages, and not from the altmap.
  if (pages < PAGES_PER_SECTION) return vmemmap_populate_basepages(kernel, pfn, pages, nid) ? pages : 0;
  const sections = pages / PAGES_PER_SECTION;
  if (altmap) {
    const { from, blocks } = altmap_alloc(kernel, altmap, 1 << HUGE_ORDER, sections);
    if (blocks > 0)
      addRun(kernel, { start: pfn, pages: blocks * PAGES_PER_SECTION, from, order: HUGE_ORDER, altmap: true }, nid);
    return blocks * PAGES_PER_SECTION;
  }
  let done = 0;
  for (const run of alloc_pages_node(kernel, nid, HUGE_ORDER, USE, sections)) {
    addRun(
      kernel,
      {
        start: pfn + done * PAGES_PER_SECTION,
        pages: run.blocks * PAGES_PER_SECTION,
        from: run.pfn,
        order: HUGE_ORDER,
        altmap: false,
      },
      nid,
    );
    done += run.blocks;
  }
  // No 2 MiB block left: fall back to base pages, section by section.
  while (done < sections && vmemmap_populate_basepages(kernel, pfn + done * PAGES_PER_SECTION, PAGES_PER_SECTION, nid))
    done++;
  if (done < sections) kernel.pr_warn(`vmemmap alloc failure: order:${HUGE_ORDER}, mode:0xdc0(GFP_KERNEL|__GFP_ZERO)`);
  return done * PAGES_PER_SECTION;
}

/** sparse-vmemmap.c:vmemmap_populate_basepages: false is -ENOMEM, with nothing kept. */
export function vmemmap_populate_basepages(kernel: Kernel, pfn: number, pages: number, nid: number): boolean {
  if (!table(kernel, `pte:${Math.floor(pfn / PAGES_PER_SECTION)}`, nid)) return false;
  const wanted = pages / DESCRIBED_BY_PAGE;
  const runs = alloc_pages_node(kernel, nid, 0, USE, wanted);
  const got = runs.reduce((sum, run) => sum + run.blocks, 0);
  let done = 0;
  for (const run of runs) {
    if (got < wanted) for (let i = 0; i < run.blocks; i++) __free_pages_ok(kernel, run.pfn + i, 0);
    else
      addRun(
        kernel,
        {
          start: pfn + done * DESCRIBED_BY_PAGE,
          pages: run.blocks * DESCRIBED_BY_PAGE,
          from: run.pfn,
          order: 0,
          altmap: false,
        },
        nid,
      );
    done += run.blocks;
  }
  if (got < wanted) dropTables(kernel, pfn, pages);
  return got === wanted;
}

/** Vmemmap pages kept for one compound page: the head's and one for all tails (VMEMMAP_RESERVE_NR). */
const VMEMMAP_RESERVE_NR = 2;

/** include/linux/mm.h:vmemmap_can_optimize: no altmap, and more vmemmap pages than are kept. */
const vmemmap_can_optimize = (altmap: VmemAltmap | undefined, compound: CompoundDevmap): boolean =>
  !altmap && compound.pages / DESCRIBED_BY_PAGE > VMEMMAP_RESERVE_NR;

/** Compound pages that begin in [pfn, pfn + pages). */
function headsIn(compound: CompoundDevmap, pfn: number, pages: number): number {
  const from = Math.ceil((pfn - compound.base) / compound.pages);
  return Math.max(0, Math.ceil((pfn + pages - compound.base) / compound.pages) - from);
}

/**
 * sparse-vmemmap.c:vmemmap_populate_compound_pages: two base pages for each compound page, its
 * other struct pages being mapped to the second. A section in the middle of one needs none.
 * The pages that have memory now: all, or none for -ENOMEM.
 */
function vmemmap_populate_compound_pages(
  kernel: Kernel,
  pfn: number,
  pages: number,
  nid: number,
  compound: CompoundDevmap,
): number {
  for (let section = Math.floor(pfn / PAGES_PER_SECTION); section * PAGES_PER_SECTION < pfn + pages; section++)
    if (!table(kernel, `pte:${section}`, nid)) {
      dropTables(kernel, pfn, pages);
      return 0;
    }
  const wanted = headsIn(compound, pfn, pages) * VMEMMAP_RESERVE_NR;
  const runs = alloc_pages_node(kernel, nid, 0, USE, wanted);
  if (runs.reduce((sum, run) => sum + run.blocks, 0) < wanted) {
    for (const run of runs) for (let i = 0; i < run.blocks; i++) __free_pages_ok(kernel, run.pfn + i, 0);
    dropTables(kernel, pfn, pages);
    return 0;
  }
  // The frames of a run follow each other; one compound page's two may come from two runs.
  let start = pfn;
  let taken = 0;
  for (const run of runs) {
    taken += run.blocks;
    const last = taken === wanted;
    const end = last ? pfn + pages : frameBorder(compound, pfn, taken);
    addRun(kernel, { start, pages: end - start, from: run.pfn, order: 0, altmap: false, compound }, nid);
    start = end;
  }
  if (wanted === 0) addRun(kernel, { start: pfn, pages, from: 0, order: 0, altmap: false, compound }, nid);
  return pages;
}

/** The pfn whose struct page is the first in frame number `frame` of those taken for a chunk that begins at `pfn`. */
function frameBorder(compound: CompoundDevmap, pfn: number, frame: number): number {
  const first = compound.base + Math.ceil((pfn - compound.base) / compound.pages) * compound.pages;
  return first + Math.floor(frame / 2) * compound.pages + (frame % 2) * DESCRIBED_BY_PAGE;
}

/** Frames before `pfn` of a run, or all of them: 64 struct pages each, or two a compound page. */
function framesOf(run: Pick<MemmapRun, 'compound'>, start: number, end: number): number {
  const { compound } = run;
  if (!compound) return (end - start) / DESCRIBED_BY_PAGE;
  const upTo = (pfn: number): number => {
    const offset = pfn - compound.base;
    const within = offset % compound.pages;
    return (
      Math.floor(offset / compound.pages) * VMEMMAP_RESERVE_NR +
      (within === 0 ? 0 : within <= DESCRIBED_BY_PAGE ? 1 : VMEMMAP_RESERVE_NR)
    );
  };
  return upTo(end) - upTo(start);
}

/** Frames that hold the struct pages of a run. */
export const memmapFrames = (run: MemmapRun): number => framesOf(run, run.start, run.start + run.pages);

function addRun(kernel: Kernel, run: MemmapRun, nid: number): void {
  const { store, state } = kernel;
  const index = state.memmapRuns.findIndex((other) => other.start > run.start);
  store.splice(state.memmapRuns, index < 0 ? state.memmapRuns.length : index, 0, run);
  const node = kernel.node(nid);
  const frames = memmapFrames(run);
  store.set(node, 'nr_memmap', node.nr_memmap + frames);
  if (run.altmap) {
    const end = run.from + frames;
    kernel.pages.state.setRange(run.from, end, stateWord(PageKind.Memmap, 0, ZONE_DEVICE, nid));
  }
}

/**
 * arch/x86/mm/init_64.c:vmemmap_free for one chunk: its memory goes back to the page
 * allocator, or to the altmap (whose `align` never shrinks).
 */
export function depopulate_section_memmap(
  kernel: Kernel,
  pfn: number,
  pages: number,
  altmap: VmemAltmap | undefined,
): void {
  const { store, state } = kernel;
  const end = pfn + pages;
  for (const run of [...state.memmapRuns]) {
    const from = Math.max(run.start, pfn);
    const to = Math.min(run.start + run.pages, end);
    if (from >= to) continue;
    const index = state.memmapRuns.indexOf(run);
    const part = (start: number, stop: number): MemmapRun => ({
      ...run,
      start,
      pages: stop - start,
      from: run.from + framesOf(run, run.start, start),
    });
    const rest = [];
    if (run.start < from) rest.push(part(run.start, from));
    if (to < run.start + run.pages) rest.push(part(to, run.start + run.pages));
    store.splice(state.memmapRuns, index, 1, ...rest);
    const freed = part(from, to);
    const frames = framesOf(run, from, to);
    const node = kernel.node((kernel.pages.section.get(pfn) >>> 8) & 1023);
    store.set(node, 'nr_memmap', node.nr_memmap - frames);
    if (freed.altmap) {
      if (altmap) store.set(altmap, 'alloc', altmap.alloc - BigInt(frames));
    } else {
      for (let frame = freed.from; frame < freed.from + frames; frame += 1 << freed.order)
        __free_pages_ok(kernel, frame, freed.order);
    }
  }
  dropTables(kernel, pfn, pages);
}

/* Page tables of the vmemmap: always from RAM. A PMD table maps 1 GiB of it (the struct pages of 64 GiB), a PUD table 512 GiB. */
const PMD_TABLE_PAGES = 2 ** 24;
const PUD_TABLE_PAGES = 2 ** 33;

function* tables(pfn: number, pages: number): Generator<string> {
  for (let i = Math.floor(pfn / PUD_TABLE_PAGES); i * PUD_TABLE_PAGES < pfn + pages; i++) yield `pud:${i}`;
  for (let i = Math.floor(pfn / PMD_TABLE_PAGES); i * PMD_TABLE_PAGES < pfn + pages; i++) yield `pmd:${i}`;
}

function populateTables(kernel: Kernel, pfn: number, pages: number, nid: number): boolean {
  for (const key of tables(pfn, pages)) if (!table(kernel, key, nid)) return false;
  return true;
}

function table(kernel: Kernel, key: string, nid: number): boolean {
  const { store, state } = kernel;
  if (state.vmemmapTables.has(key)) return true;
  const [run] = alloc_pages_node(kernel, nid, 0, TABLE, 1);
  if (!run) return false;
  store.mapSet(state.vmemmapTables, key, run.pfn);
  return true;
}

/** At boot the tables come from memblock, which the machine's reservations already count: 0 marks them. */
export function bootTables(kernel: Kernel, pfn: number, pages: number): void {
  for (const key of tables(pfn, pages)) kernel.store.mapSet(kernel.state.vmemmapTables, key, 0);
}

/** init_64.c:free_pte_table and free_pmd_table: a table that maps nothing any more is freed. */
function dropTables(kernel: Kernel, pfn: number, pages: number): void {
  const spans: [string, number][] = [
    ['pte', PAGES_PER_SECTION],
    ['pmd', PMD_TABLE_PAGES],
    ['pud', PUD_TABLE_PAGES],
  ];
  for (const [level, span] of spans)
    for (let i = Math.floor(pfn / span); i * span < pfn + pages; i++) {
      const key = `${level}:${i}`;
      const frame = kernel.state.vmemmapTables.get(key);
      if (frame === undefined || frame === 0) continue;
      const inUse = kernel.state.memmapRuns.some(
        (run) => run.start < (i + 1) * span && run.start + run.pages > i * span && (level !== 'pte' || run.order === 0),
      );
      if (inUse) continue;
      kernel.store.mapDelete(kernel.state.vmemmapTables, key);
      __free_pages_ok(kernel, frame, orderOf(kernel.pages.state.get(frame)));
    }
}
