/** x86_64 as data (arch/x86/include/asm/{page_64_types,sparsemem,pgtable_64_types}.h). */
import type { Release } from '../kernel/release.ts';
import { type ArchLayout, type ArchOptions, inRelease } from './layout.ts';

export interface Arch {
  readonly name: 'x86_64';
  readonly pageTableLevels: 4 | 5;
  readonly PAGE_SHIFT: number;
  readonly SECTION_SIZE_BITS: number;
  readonly SUBSECTION_SHIFT: number;
  readonly MAX_PHYSMEM_BITS: number;
  readonly MAX_PAGE_ORDER: number;
  readonly pageblock_order: number;
  readonly PAGE_OFFSET: bigint;
  readonly VMEMMAP_START: bigint;
  readonly sizeofPage: number;
  /** Pages below which ZONE_DMA and ZONE_DMA32 end. */
  readonly MAX_DMA_PFN: number;
  readonly MAX_DMA32_PFN: number;
}

export const PAGE_SHIFT = 12;
export const PAGE_SIZE = 1 << PAGE_SHIFT;
export const PMD_SHIFT = 21;
const SECTION_SIZE_BITS = 27;
/** 2 MiB on every architecture (include/linux/mmzone.h): the granularity of ZONE_DEVICE since 5.3. */
export const SUBSECTION_SHIFT = 21;
/** 128 MiB: the size of a section and of a memory block on small machines. */
export const PAGES_PER_SECTION = 1 << (SECTION_SIZE_BITS - PAGE_SHIFT);
export const PAGES_PER_SUBSECTION = 1 << (SUBSECTION_SHIFT - PAGE_SHIFT);
export const MAX_PAGE_ORDER = 10;
export const NR_PAGE_ORDERS = MAX_PAGE_ORDER + 1;
export const MAX_ORDER_NR_PAGES = 1 << MAX_PAGE_ORDER;
export const pageblock_order = PMD_SHIFT - PAGE_SHIFT;
export const pageblock_nr_pages = 1 << pageblock_order;
const DMA_END = 0x1000000n;
const DMA32_END = 0x100000000n;

/** pgtable_l5_enabled moves both bases and widens physical addresses. */
const BY_LEVELS = {
  4: { MAX_PHYSMEM_BITS: 46, PAGE_OFFSET: 0xffff888000000000n, VMEMMAP_START: 0xffffea0000000000n },
  5: { MAX_PHYSMEM_BITS: 52, PAGE_OFFSET: 0xff11000000000000n, VMEMMAP_START: 0xffd4000000000000n },
} as const;

export const maxPhysmemBits = (levels: 4 | 5): number => BY_LEVELS[levels].MAX_PHYSMEM_BITS;

export const x86_64 = (levels: 4 | 5): Arch => ({
  name: 'x86_64',
  pageTableLevels: levels,
  PAGE_SHIFT,
  SECTION_SIZE_BITS,
  SUBSECTION_SHIFT,
  ...BY_LEVELS[levels],
  MAX_PAGE_ORDER,
  pageblock_order,
  sizeofPage: 64,
  MAX_DMA_PFN: Number(DMA_END) / PAGE_SIZE,
  MAX_DMA32_PFN: Number(DMA32_END) / PAGE_SIZE,
});

/** 5-level page tables can be configured from 4.14, and chosen at boot from 4.17. */
export const hasFiveLevels = (release: Release): boolean =>
  inRelease([{ since: '4.14', value: true }], release) ?? false;

export function x86_64Layout(release: Release, options: ArchOptions): ArchLayout {
  const levels = options.pageTableLevels === 5 && hasFiveLevels(release) ? 5 : 4;
  const arch = x86_64(levels);
  return {
    name: 'x86_64',
    variant: `${levels}-level page tables`,
    BITS_PER_LONG: 64,
    PAGE_SHIFT,
    PMD_SHIFT,
    MAX_PAGE_ORDER,
    pageblock_order,
    SECTION_SIZE_BITS,
    MAX_PHYSMEM_BITS: arch.MAX_PHYSMEM_BITS,
    NODES_SHIFT: 10,
    numaBalancing: true,
    NR_CPUS_BITS: 13,
    zones: [{ name: 'DMA', end: DMA_END }, { name: 'DMA32', end: DMA32_END }, { name: 'Normal' }, { name: 'Movable' }],
    zoneDevice: true,
    PAGE_OFFSET: arch.PAGE_OFFSET,
    linearAlign: 0n,
    pfnOffsetIsRamStart: false,
    wantPageVirtual: false,
    vmemmapStart: () => arch.VMEMMAP_START,
    nid: { kind: 'ranges', name: 'the ranges of each node' },
    valid: 'max_mapnr',
    models: ['sparsemem-vmemmap', 'sparsemem-extreme'],
    notes: {
      flatmem: 'x86_64 has no FLATMEM; the arithmetic is shown for comparison',
      discontigmem: 'x86_64 has no DISCONTIGMEM; the arithmetic is shown for comparison',
      'sparsemem-static': 'SPARSEMEM_EXTREME is the default on 64 bits and x86_64 does not ask for the static table',
    },
    file: 'arch/x86/include/asm/sparsemem.h',
  };
}
