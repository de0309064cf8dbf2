/** x86_64 as data (arch/x86/include/asm/{page_64_types,sparsemem,pgtable_64_types}.h). */

export interface Arch {
  readonly name: 'x86_64';
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

/** With 5-level page tables both bases move and physical addresses have 52 bits (pgtable_l5_enabled). */
export const x86_64 = (levels: 4 | 5): Arch => ({
  name: 'x86_64',
  PAGE_SHIFT: 12,
  SECTION_SIZE_BITS: 27,
  SUBSECTION_SHIFT: 21,
  MAX_PHYSMEM_BITS: levels === 5 ? 52 : 46,
  MAX_PAGE_ORDER: 10,
  pageblock_order: 9,
  PAGE_OFFSET: levels === 5 ? 0xff11000000000000n : 0xffff888000000000n,
  VMEMMAP_START: levels === 5 ? 0xffd4000000000000n : 0xffffea0000000000n,
  sizeofPage: 64,
  MAX_DMA_PFN: 0x1000,
  MAX_DMA32_PFN: 0x100000,
});

export const PAGE_SHIFT = 12;
export const PAGE_SIZE = 4096;
/** 128 MiB: the size of a section and of a memory block on small machines. */
export const PAGES_PER_SECTION = 0x8000;
/** 2 MiB: the granularity of ZONE_DEVICE since 5.3. */
export const PAGES_PER_SUBSECTION = 512;
export const pageblock_nr_pages = 512;
export const pageblock_order = 9;
export const MAX_PAGE_ORDER = 10;
export const NR_PAGE_ORDERS = 11;
export const MAX_ORDER_NR_PAGES = 1024;
