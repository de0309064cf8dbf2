/**
 * SPARSEMEM_VMEMMAP: the maps of all sections side by side in one virtual range
 * (include/asm-generic/memory_model.h, mm/sparse-vmemmap.c, arch vmemmap_populate).
 * Of the running machine it shows the state it is in, not a computed one.
 */
import { bytesPerPage } from '../arch/layout.ts';
import type { Kernel } from '../machine/kernel.ts';
import { memblockMemory, memblockReserved, type PfnRange } from './memblock.ts';
import { mminit_validate_memmodel_limits } from './memmodel_limits.ts';
import { alignmentFor, TOP_DOWN_RULE, TopDown } from './model_alloc.ts';
import { populatesPmds, presentSections, runOf, sectionMapSize, sectionNumbers } from './model_sections.ts';
import {
  flagsOf,
  hx,
  isRam,
  linearStart,
  type MapPiece,
  type ModelInstance,
  type ModelSetup,
  NoModel,
  pointerIn,
  StepList,
} from './model_setup.ts';
import { pfn_valid } from './sparse.ts';

export function vmemmap(setup: ModelSetup): ModelInstance {
  const { layout, booted } = setup;
  const flags = flagsOf(setup, 'sparsemem-vmemmap');
  if (!layout.vmemmapStart)
    throw new NoModel(layout.notes['sparsemem-vmemmap'] ?? `${layout.name} has no SPARSEMEM_VMEMMAP`);
  if (flags.problems.length > 0 && flags.NODE_NOT_IN_PAGE_FLAGS) throw new NoModel(flags.problems.join('; '));
  const numbers = sectionNumbers(setup, true);
  const size = BigInt(flags.sizeofPage);
  const start = layout.vmemmapStart(flags.sizeofPage);
  // arm64 moves vmemmap so that the first struct page it maps is that of the first page frame of RAM.
  const shifted = layout.pfnOffsetIsRamStart ? linearStart(setup) / bytesPerPage(layout) : 0n;
  const base = pointerIn(setup, start - shifted * size);
  const mapSize = sectionMapSize(setup, numbers, size);
  const runs = presentSections(setup, numbers);
  const maps = booted
    ? bootedMaps(booted, base, size)
    : computedMaps(setup, runs, numbers.PAGES_PER_SECTION, mapSize, base, size);
  const isValid = (pfn: number): boolean =>
    booted ? pfn_valid(booted, pfn) : runOf(runs, Math.floor(pfn / numbers.PAGES_PER_SECTION)) !== undefined;

  const addBase = (list: StepList): void => {
    if (shifted === 0n) list.add('vmemmap', 'VMEMMAP_START', '', base);
    else
      list.add(
        'vmemmap',
        'VMEMMAP_START - (memstart_addr >> PAGE_SHIFT)',
        `${hx(start)} - ${hx(shifted)} * ${size}`,
        base,
      );
  };
  const remark = (list: StepList, pfn: number, address: bigint): void => {
    const valid = isValid(pfn);
    list.notes.push(
      `pfn_valid: ${valid}${valid ? '' : '; the page tables map nothing there, and reading it is a bad access'}`,
    );
    if (!valid) return;
    const piece = maps.find((one) => pfn >= one.start && pfn < one.start + one.pages);
    if (piece?.frame !== undefined) {
      const page = bytesPerPage(layout);
      const into = (address - piece.address) / page;
      list.notes.push(`the struct page lies in page frame ${hx(BigInt(piece.frame) + into)} (${piece.what})`);
    }
    if (!booted && !isRam(setup, pfn)) list.notes.push('a hole inside the section: it has a struct page and no memory');
  };

  return {
    model: 'sparsemem-vmemmap',
    setup,
    flags,
    rule: booted
      ? 'VMEMMAP_START of the architecture; backed as the running machine has it'
      : `VMEMMAP_START of the architecture; backed by ${TOP_DOWN_RULE}`,
    facts: [
      `vmemmap ${hx(base)}, sizeof(struct page) ${size}`,
      `a section of ${numbers.PAGES_PER_SECTION} pages has ${BigInt(numbers.PAGES_PER_SECTION) * size} bytes of struct pages`,
      populateText(setup, BigInt(numbers.PAGES_PER_SECTION) * size),
    ],
    maps,
    freed: [],
    remarks: [],
    pfnToPage(pfn) {
      const list = new StepList();
      addBase(list);
      const bytes = list.add('bytes', 'pfn * sizeof(struct page)', `${hx(pfn)} * ${size}`, BigInt(pfn) * size);
      const value = list.add('page', 'vmemmap + pfn', `${hx(base)} + ${hx(bytes)}`, pointerIn(setup, base + bytes));
      remark(list, pfn, value);
      return list.end(isValid(pfn), value);
    },
    pageToPfn(address) {
      const list = new StepList();
      addBase(list);
      const bytes = list.add('bytes', 'page - vmemmap', `${hx(address)} - ${hx(base)}`, address - base);
      const pfn = list.add('pfn', 'bytes / sizeof(struct page)', `${hx(bytes)} / ${size}`, bytes / size);
      const limit = BigInt(numbers.NR_MEM_SECTIONS) * BigInt(numbers.PAGES_PER_SECTION);
      if (bytes < 0n || pfn >= limit || bytes % size !== 0n) {
        list.notes.push('the address is not that of a struct page in the vmemmap');
        return list.end(false, pfn);
      }
      remark(list, Number(pfn), address);
      return list.end(isValid(Number(pfn)), pfn);
    },
  };
}

/** vmemmap_populate: PMD blocks where the map of a section fills them, else base pages. */
function populateText(setup: ModelSetup, sectionBytes: bigint): string {
  const { layout } = setup;
  const pmd = 1n << BigInt(layout.PMD_SHIFT);
  return populatesPmds(setup, sectionBytes)
    ? `vmemmap_populate maps it with ${sectionBytes / pmd} PMD(s) of ${pmd} bytes; less than a section with base pages`
    : `vmemmap_populate maps it with ${(sectionBytes + bytesPerPage(layout) - 1n) / bytesPerPage(layout)} base pages of ${bytesPerPage(layout)} bytes`;
}

function computedMaps(
  setup: ModelSetup,
  runs: ReturnType<typeof presentSections>,
  pages: number,
  mapSize: bigint,
  base: bigint,
  size: bigint,
): MapPiece[] {
  const alloc = new TopDown(setup);
  const page = bytesPerPage(setup.layout);
  const align = populatesPmds(setup, mapSize) ? alignmentFor(mapSize, page) : page;
  const maps: MapPiece[] = [];
  for (const nid of new Set(runs.map((run) => run.nid))) {
    const own = runs.filter((run) => run.nid === nid);
    const count = BigInt(own.reduce((sum, run) => sum + run.count, 0));
    let at = alloc.alloc(count * mapSize, align, nid);
    if (at === undefined)
      throw new NoModel(`node ${nid} has no room for the ${count * mapSize} bytes of its memory map`);
    for (const run of own) {
      maps.push({
        start: run.first * pages,
        pages: run.count * pages,
        address: pointerIn(setup, base + BigInt(run.first * pages) * size),
        what: `memory map of node ${nid}`,
        frame: Number(at / page),
      });
      at += BigInt(run.count) * mapSize;
    }
  }
  return maps.sort((a, b) => a.start - b.start);
}

/** What backs the vmemmap now: what was reserved for it at boot, section by section, and what was allocated since. */
export function bootedMaps(kernel: Kernel, base: bigint, size: bigint): MapPiece[] {
  const { arch } = kernel;
  const pages = 2 ** (arch.SECTION_SIZE_BITS - arch.PAGE_SHIFT);
  const frames = (pages * Number(size)) / 2 ** arch.PAGE_SHIFT;
  const memory = mminit_validate_memmodel_limits(arch, memblockMemory(kernel.config));
  const reserved = memblockReserved(kernel.config, memory, pages).filter((range) => range.what === 'memmap');
  const at = (pfn: number): bigint => BigInt.asUintN(64, base + BigInt(pfn) * size);
  const maps: MapPiece[] = [];
  for (const node of kernel.nodes) {
    const ranges = memory.filter((range) => range.nid === node.node_id);
    // The buffer of a node lies in the node and its sections take it in ascending order.
    const buffers: PfnRange[] = reserved
      .filter((buffer) => ranges.some((range) => buffer.start < range.end && buffer.end > range.start))
      .map((buffer) => ({ start: buffer.start, end: buffer.end }));
    for (const [first, count] of bootSections(memory, node.node_id, pages))
      for (let section = first, left = count; left > 0; ) {
        const buffer = buffers[0];
        const fit = buffer ? Math.min(left, Math.floor((buffer.end - buffer.start) / frames)) : left;
        if (buffer && fit === 0) {
          buffers.shift();
          continue;
        }
        maps.push({
          start: section * pages,
          pages: fit * pages,
          address: at(section * pages),
          what: 'reserved at boot',
          ...(buffer ? { frame: buffer.start } : {}),
        });
        if (buffer) buffer.start += fit * frames;
        section += fit;
        left -= fit;
      }
  }
  for (const run of kernel.state.memmapRuns)
    maps.push({
      start: run.start,
      pages: run.pages,
      address: at(run.start),
      what: run.altmap ? 'from the altmap' : run.order > 0 ? 'a PMD block from RAM' : 'base pages from RAM',
      frame: run.from,
    });
  return maps.sort((a, b) => a.start - b.start);
}

/** Sections that belong to a node, as [first, count]: a section shared by two nodes is the first one's. */
function bootSections(memory: ReturnType<typeof memblockMemory>, nid: number, pages: number): [number, number][] {
  const found: [number, number][] = [];
  let next = 0;
  for (const range of memory) {
    const first = Math.max(next, Math.floor(range.start / pages));
    const end = Math.ceil(range.end / pages);
    if (range.nid === nid && end > first) found.push([first, end - first]);
    next = Math.max(next, end);
  }
  return found;
}
