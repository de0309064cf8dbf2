/** Global objects of the kernel that the texts and small programs name. */
import type { SymbolRecord } from '../registry.ts';

export const SYMBOL_RECORDS: readonly SymbolRecord[] = [
  {
    kind: 'symbol',
    name: 'iomem_resource',
    file: 'kernel/resource.c',
    type: 'struct resource',
    since: '4.3',
    contract:
      'The root of the tree of physical address ranges: memory, device registers, and what is busy in them. /proc/iomem prints it.',
  },
  {
    kind: 'symbol',
    name: 'current',
    file: 'arch/x86/include/asm/current.h',
    type: 'struct task_struct *',
    since: '4.3',
    contract:
      'The task that runs this code. A program here speaks for the process that `proc use` named, or else for the youngest one.',
  },
  {
    kind: 'symbol',
    name: 'mem_map',
    file: 'mm/memory.c',
    type: 'struct page *',
    since: '4.3',
    contract:
      'The one array of struct pages of FLATMEM, indexed by page frame number less ARCH_PFN_OFFSET. Other memory models have no such array.',
  },
  {
    kind: 'symbol',
    name: 'vmemmap',
    file: 'arch/x86/include/asm/pgtable_64.h',
    type: 'struct page *',
    since: '4.3',
    contract:
      'Where the virtually contiguous memory map begins: vmemmap + pfn is the struct page of a page frame. The address is valid only where the memory map is populated.',
  },
  {
    kind: 'symbol',
    name: 'mem_section',
    file: 'mm/sparse.c',
    type: 'struct mem_section **',
    since: '4.3',
    contract:
      'The table of all sections. With SPARSEMEM_EXTREME it is an array of pointers to roots of PAGE_SIZE, made on first use; otherwise one static array with a section a row.',
  },
  {
    kind: 'symbol',
    name: 'max_pfn',
    file: 'mm/memblock.c',
    type: 'unsigned long',
    since: '4.3',
    contract:
      'One above the highest page frame of memory that the kernel knows. Whether device memory raises it depends on the release.',
  },
  {
    kind: 'symbol',
    name: 'max_low_pfn',
    file: 'mm/memblock.c',
    type: 'unsigned long',
    since: '4.3',
    contract:
      'One above the highest page frame that the kernel maps permanently; on 64-bit machines the same as max_pfn.',
  },
  {
    kind: 'symbol',
    name: 'max_mapnr',
    file: 'mm/memory.c',
    type: 'unsigned long',
    since: '4.3',
    contract: 'With FLATMEM, the number of entries of mem_map: page frames beyond it are not valid.',
  },
  {
    kind: 'symbol',
    name: 'high_memory',
    file: 'mm/memory.c',
    type: 'void *',
    since: '4.3',
    contract: 'The virtual address where the permanent mapping of memory ends.',
  },
  {
    kind: 'symbol',
    name: 'node_data',
    file: 'mm/numa.c',
    type: 'struct pglist_data *[]',
    since: '4.3',
    contract: 'The descriptors of the NUMA nodes, by node number; NODE_DATA(nid) reads it.',
  },
  {
    kind: 'symbol',
    name: 'contig_page_data',
    file: 'mm/memblock.c',
    type: 'struct pglist_data',
    since: '4.3',
    contract: 'The descriptor of the only node of a kernel without NUMA.',
  },
  {
    kind: 'symbol',
    name: 'jiffies',
    file: 'kernel/time/timer.c',
    type: 'unsigned long',
    since: '4.3',
    contract: 'The tick counter that kernel timeouts are measured in.',
  },
];
