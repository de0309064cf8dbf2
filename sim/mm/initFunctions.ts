/** Kernel functions that the engine performs at boot or inside others, and that C code does not call by itself. */

import type { FunctionRecord } from '../kernel/registry.ts';
import { add_memory } from './zoneFunctions.ts';

export const INIT_FUNCTIONS: readonly FunctionRecord[] = [
  {
    kind: 'function',
    name: 'free_area_init',
    contract:
      'Computes the bounds of every zone of every node from the memory ranges and the limits of the architecture, and initialises the struct pages of the memory map. The page allocator is still empty afterwards.',
    variants: [
      {
        since: '4.3',
        until: '5.7',
        file: 'mm/page_alloc.c',
        prototype: 'void free_area_init(unsigned long *zones_size)',
      },
      {
        since: '5.8',
        until: '6.3',
        file: 'mm/page_alloc.c',
        prototype: 'void free_area_init(unsigned long *max_zone_pfn)',
      },
      {
        since: '6.4',
        until: '6.19',
        file: 'mm/mm_init.c',
        prototype: 'void free_area_init(unsigned long *max_zone_pfn)',
      },
      {
        since: '7.0',
        file: 'mm/mm_init.c',
        prototype: 'static void free_area_init(void)',
        note: 'Only mm/mm_init.c can call it; architectures give their limits by arch_zone_limits_init.',
      },
    ],
  },
  {
    kind: 'function',
    name: 'memblock_free_all',
    contract:
      'Ends the life of the boot-time allocator: every range of memory that is not reserved goes to the page allocator, in naturally aligned blocks. Only from here on does managed_pages count anything.',
    variants: [
      { since: '4.20', until: '5.12', file: 'mm/memblock.c', prototype: 'unsigned long memblock_free_all(void)' },
      { since: '5.13', file: 'mm/memblock.c', prototype: 'void memblock_free_all(void)' },
    ],
  },
  {
    kind: 'function',
    name: 'sparse_init',
    contract:
      'Marks the sections of all boot memory present, gives each its part of the memory map and its map of sub-sections, and marks them early and online.',
    variants: [
      { since: '4.3', until: '6.19', file: 'mm/sparse.c', prototype: 'void sparse_init(void)' },
      {
        since: '7.0',
        file: 'mm/sparse.c',
        prototype: 'void sparse_init(void)',
        note: 'mm/mm_init.c calls it; architectures no longer do.',
      },
    ],
  },
  {
    kind: 'function',
    name: 'arch_add_memory',
    contract:
      'The top half of memory hotplug: maps the range in the linear mapping and adds sections with struct pages. It neither onlines the memory nor gives a page to the page allocator.',
    variants: [
      {
        since: '4.3',
        until: '4.13',
        file: 'arch/x86/mm/init_64.c',
        prototype: 'int arch_add_memory(int nid, u64 start, u64 size, bool for_device)',
        run: add_memory,
      },
      {
        since: '4.14',
        until: '4.15',
        file: 'arch/x86/mm/init_64.c',
        prototype: 'int arch_add_memory(int nid, u64 start, u64 size, bool want_memblock)',
      },
      {
        since: '4.16',
        until: '5.1',
        file: 'arch/x86/mm/init_64.c',
        prototype: 'int arch_add_memory(int nid, u64 start, u64 size, struct vmem_altmap *altmap, bool want_memblock)',
      },
      {
        since: '5.2',
        until: '5.6',
        file: 'arch/x86/mm/init_64.c',
        prototype: 'int arch_add_memory(int nid, u64 start, u64 size, struct mhp_restrictions *restrictions)',
      },
      {
        since: '5.7',
        file: 'arch/x86/mm/init_64.c',
        prototype: 'int arch_add_memory(int nid, u64 start, u64 size, struct mhp_params *params)',
        errors: [
          { returns: '-EINVAL', when: 'start or size is not a multiple of 2 MiB, or an altmap does not fit the range' },
          { returns: '-EEXIST', when: 'a sub-section of the range is populated already' },
          { returns: '-ENOMEM', when: 'there is no memory for the struct pages' },
          { returns: '-ERANGE', when: 'the range ends beyond the addressable limit' },
        ],
      },
    ],
  },
  {
    kind: 'function',
    name: 'vmemmap_populate',
    contract:
      'Backs a stretch of the virtual memory map with memory and page tables. On x86_64 a whole section gets one 2 MiB block, from the altmap if there is one; a smaller part gets single pages, and never from the altmap.',
    variants: [
      {
        since: '4.3',
        until: '4.15',
        file: 'arch/x86/mm/init_64.c',
        prototype: 'int vmemmap_populate(unsigned long start, unsigned long end, int node)',
      },
      {
        since: '4.16',
        file: 'arch/x86/mm/init_64.c',
        prototype: 'int vmemmap_populate(unsigned long start, unsigned long end, int node, struct vmem_altmap *altmap)',
        errors: [
          { returns: '-ENOMEM', when: 'the altmap is used up, or neither 2 MiB blocks nor single pages are left' },
        ],
      },
    ],
  },
  {
    kind: 'function',
    name: 'vmemmap_populate_basepages',
    contract:
      'The generic way to back a stretch of the virtual memory map: one base page after the other, with the page tables they need.',
    variants: [
      {
        since: '4.3',
        until: '5.8',
        file: 'mm/sparse-vmemmap.c',
        prototype: 'int vmemmap_populate_basepages(unsigned long start, unsigned long end, int node)',
      },
      {
        since: '5.9',
        file: 'mm/sparse-vmemmap.c',
        prototype:
          'int vmemmap_populate_basepages(unsigned long start, unsigned long end, int node, struct vmem_altmap *altmap)',
        errors: [{ returns: '-ENOMEM', when: 'no page is left for the map or its page tables' }],
      },
    ],
  },
  {
    kind: 'function',
    name: 'vmemmap_alloc_block_buf',
    contract:
      'Hands out the memory that will hold struct pages: from the altmap and nowhere else if one is given, else from RAM of the node.',
    variants: [
      {
        since: '4.3',
        until: '5.8',
        file: 'mm/sparse-vmemmap.c',
        prototype: 'void *vmemmap_alloc_block_buf(unsigned long size, int node)',
      },
      {
        since: '5.9',
        file: 'mm/sparse-vmemmap.c',
        prototype: 'void *vmemmap_alloc_block_buf(unsigned long size, int node, struct vmem_altmap *altmap)',
        errors: [{ returns: 'NULL', when: 'the altmap, or the memory of the machine, has no such block left' }],
      },
    ],
  },
];
