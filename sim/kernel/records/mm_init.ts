/** Names of boot code, zones and memory models that the texts of older releases use. */
import type { FunctionRecord, NeverRecord } from '../registry.ts';

const functions: readonly FunctionRecord[] = [
  {
    kind: 'function',
    name: 'free_area_init_node',
    contract:
      'Sets up one node: its zones, its page counts and, without SPARSEMEM, its memory map. Architectures called it for each node until 5.7; afterwards free_area_init does that for them.',
    replacedBy: 'free_area_init',
    variants: [
      {
        since: '4.3',
        until: '5.7',
        file: 'mm/page_alloc.c',
        prototype:
          'void free_area_init_node(int nid, unsigned long *zones_size, unsigned long node_start_pfn, unsigned long *zholes_size)',
      },
    ],
  },
  {
    kind: 'function',
    name: 'pfn_to_nid',
    contract:
      'The node of a page frame number. With DISCONTIGMEM each architecture supplied it; with SPARSEMEM it asks the struct page, and without NUMA it is 0.',
    variants: [{ since: '4.3', file: 'include/linux/mmzone.h', prototype: 'int pfn_to_nid(unsigned long pfn)' }],
  },
  {
    kind: 'function',
    name: 'memory_present',
    contract:
      'Marks the sections of a range as present and remembers their node, before sparse_init makes the memory maps.',
    replacedBy: 'sparse_init',
    variants: [
      {
        since: '4.3',
        until: '5.8',
        file: 'mm/sparse.c',
        prototype: 'void memory_present(int nid, unsigned long start, unsigned long end)',
      },
    ],
  },
  {
    kind: 'function',
    name: 'memblocks_present',
    contract: 'Calls memory_present for every memory range that memblock knows.',
    replacedBy: 'sparse_init',
    variants: [{ since: '5.0', until: '5.8', file: 'mm/sparse.c', prototype: 'void memblocks_present(void)' }],
  },
  {
    kind: 'function',
    name: 'sparse_memory_present_with_active_regions',
    contract: 'Calls memory_present for every memory range of one node, or of all nodes.',
    replacedBy: 'sparse_init',
    variants: [
      {
        since: '4.3',
        until: '5.8',
        file: 'mm/page_alloc.c',
        prototype: 'void sparse_memory_present_with_active_regions(int nid)',
      },
    ],
  },
  {
    kind: 'function',
    name: 'altmap_alloc_block_buf',
    contract:
      'Takes pages for struct pages from the storage that a device set aside. Since 5.9 vmemmap_alloc_block_buf does it when it is given an altmap.',
    replacedBy: 'vmemmap_alloc_block_buf',
    variants: [
      {
        since: '4.16',
        until: '5.8',
        file: 'mm/sparse-vmemmap.c',
        prototype: 'void *altmap_alloc_block_buf(unsigned long size, struct vmem_altmap *altmap)',
        errors: [{ returns: 'NULL', when: 'the altmap has no room, or size is not a multiple of the page size' }],
      },
    ],
  },
];

const names: readonly NeverRecord[] = [
  {
    kind: 'never',
    name: 'mem_sections',
    documents: { since: '5.2' },
    contract:
      'The texts call the array of sections by this plural. The array in the kernel is named mem_section, like its elements.',
    instead: 'mem_section',
  },
];

export const MM_INIT_RECORDS = [...functions, ...names];
