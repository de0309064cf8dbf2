/** Structs of the memory manager, with the fields that the texts and small programs use, and since when each exists. */
import type { CallbackRecord, FieldRecord, StructRecord } from '../registry.ts';
import type { Release } from '../release.ts';
import { HMM_CALLBACKS } from './hmm_mirror.ts';
import { MEMREMAP_CALLBACKS } from './memremap.ts';
import { MIGRATE_CALLBACKS } from './migrate_device.ts';
import { MMU_NOTIFIER_CALLBACKS } from './mmu_notifier.ts';

const field = (name: string, type: string, contract: string, since: Release = '4.3', until?: Release): FieldRecord => ({
  name,
  type,
  contract,
  since,
  ...(until ? { until } : {}),
});

/** The members of an ops table, from its callback records: `void (*f)(int)` becomes a field `f` of type `void (*)(int)`. */
const callbackFields = (struct: string, callbacks: readonly CallbackRecord[]): FieldRecord[] =>
  callbacks
    .filter((callback) => callback.struct === struct)
    .map((callback) => ({
      name: callback.name,
      type: callback.prototype.replace(`(*${callback.name})`, '(*)'),
      contract: callback.contract,
      since: callback.since,
      ...(callback.until ? { until: callback.until } : {}),
      ...(callback.replacedBy ? { replacedBy: callback.replacedBy } : {}),
    }));

const MM_TYPES = 'include/linux/mm_types.h';
const MEMREMAP = 'include/linux/memremap.h';
const MMZONE = 'include/linux/mmzone.h';
const NOTIFIER = 'include/linux/mmu_notifier.h';

export const STRUCT_RECORDS: readonly StructRecord[] = [
  {
    kind: 'struct',
    name: 'page',
    file: MM_TYPES,
    since: '4.3',
    contract:
      'The descriptor of one page frame, 64 bytes on 64-bit machines: its flags with zone and node, its counts, and words whose meaning depends on who uses the page.',
    fields: [
      field(
        'flags',
        'unsigned long',
        'state bits from the bottom; zone, node and, in classic sparse, the section number from the top',
        '4.3',
        '6.17',
      ),
      field(
        'flags',
        'memdesc_flags_t',
        'state bits from the bottom; zone, node and, in classic sparse, the section number from the top',
        '6.18',
      ),
      field('lru', 'struct list_head', 'link on a list of reclaimable pages; device pages use the two words otherwise'),
      field('mapping', 'struct address_space *', 'the file the page caches, or the anonymous reverse mapping'),
      field(
        'private',
        'unsigned long',
        'a word of whoever owns the page; the order of a free block in the buddy lists',
      ),
      {
        ...field('pgmap', 'struct dev_pagemap *', 'for device pages: the pagemap that made them', '4.5', '6.14'),
        replacedBy: 'folio.pgmap',
      },
      {
        ...field('hmm_data', 'unsigned long', 'for device pages: a word of the driver', '4.18', '5.2'),
        replacedBy: 'zone_device_data',
      },
      field('zone_device_data', 'void *', 'for device pages: a word of the driver', '5.3'),
      { ...field('_count', 'atomic_t', 'the reference count', '4.3', '4.6'), replacedBy: '_refcount' },
      field('_refcount', 'atomic_t', 'the reference count: 0 for a free page', '4.7'),
      field('_mapcount', 'atomic_t', 'how many page tables map the page, less one'),
    ],
  },
  {
    kind: 'struct',
    name: 'folio',
    file: MM_TYPES,
    since: '5.16',
    contract:
      'A page, or a power of two of pages that are managed as one; its first part overlays the first struct page.',
    fields: [
      field('page', 'struct page', 'the first page of the folio', '5.16'),
      field('flags', 'unsigned long', 'those of its first page', '5.16', '6.17'),
      field('flags', 'memdesc_flags_t', 'those of its first page', '6.18'),
      field('lru', 'struct list_head', 'link on a list of reclaimable folios', '5.16'),
      field('mapping', 'struct address_space *', 'the file it caches, or the anonymous reverse mapping', '5.16'),
      field('index', 'unsigned long', 'where it stands in its mapping, in pages', '5.16'),
      field('_mapcount', 'atomic_t', 'how many page tables map its first page, less one', '5.16'),
      field('_refcount', 'atomic_t', 'the reference count of the folio', '5.16'),
      field('pgmap', 'struct dev_pagemap *', 'for device folios: the pagemap that made them', '6.15'),
    ],
  },
  {
    kind: 'struct',
    name: 'dev_pagemap',
    file: MEMREMAP,
    since: '4.5',
    contract:
      'What a driver tells the kernel to get struct pages for its memory: which ranges, of which kind, with which callbacks. It must outlive the mapping.',
    fields: [
      field('altmap', 'struct vmem_altmap *', 'storage on the device for the struct pages themselves', '4.5', '4.15'),
      field(
        'altmap',
        'struct vmem_altmap',
        'storage on the device for the struct pages themselves; used if PGMAP_ALTMAP_VALID (to 5.2 altmap_valid) is set',
        '4.16',
      ),
      { ...field('altmap_valid', 'bool', 'whether altmap is used', '4.16', '5.2'), replacedBy: 'flags' },
      {
        ...field('res', 'const struct resource *', 'the physical range', '4.5', '4.15'),
        replacedBy: 'range',
      },
      { ...field('res', 'struct resource', 'the physical range', '4.16', '5.9'), replacedBy: 'range' },
      field(
        'ref',
        'struct percpu_ref *',
        'the reference that keeps the mapping, supplied by the driver',
        '4.5',
        '5.16',
      ),
      field(
        'ref',
        'struct percpu_ref',
        'the reference that keeps the mapping; set up when the memory is mapped',
        '5.17',
      ),
      field('internal_ref', 'struct percpu_ref', 'the reference used when the driver supplies none', '5.3', '5.16'),
      field('done', 'struct completion', 'completed when the last reference is gone, which unmapping waits for', '5.3'),
      field('dev', 'struct device *', 'the host device, for messages', '4.5', '5.3'),
      field('data', 'void *', 'handed to page_free', '4.14', '5.2'),
      field('type', 'enum memory_type', 'the kind of memory: one of MEMORY_DEVICE_*', '4.14'),
      field(
        'pci_p2pdma_bus_offset',
        'u64',
        'what an address on the bus differs by from that of the CPU; later it is private to p2pdma',
        '4.20',
        '5.3',
      ),
      field('flags', 'unsigned int', 'PGMAP_ALTMAP_VALID or 0', '5.3'),
      field(
        'vmemmap_shift',
        'unsigned long',
        'order of the compound pages to make of the memory; 0 for single pages',
        '5.17',
      ),
      field('ops', 'const struct dev_pagemap_ops *', 'callbacks; required for private memory', '5.3'),
      field(
        'owner',
        'void *',
        'identifies the driver, so that it is not given pages of others; required for private and coherent memory',
        '5.7',
      ),
      field('nr_range', 'int', 'how many ranges there are; 0 is refused', '5.10'),
      field('range', 'struct range', 'the physical range, both ends included, of a mapping with one range', '5.10'),
      field(
        'ranges',
        'struct range[]',
        'all ranges of a mapping with several; the first has the place of range',
        '5.10',
      ),
      ...callbackFields('dev_pagemap', MEMREMAP_CALLBACKS),
    ],
  },
  {
    kind: 'struct',
    name: 'dev_pagemap_ops',
    file: MEMREMAP,
    since: '5.3',
    contract: 'The callbacks of a driver for its device pages.',
    fields: callbackFields('dev_pagemap_ops', MEMREMAP_CALLBACKS),
  },
  {
    kind: 'struct',
    name: 'vmem_altmap',
    file: MEMREMAP,
    since: '4.5',
    contract:
      'Storage that a device sets aside at the start of its own range for the struct pages of that range, counted in pages.',
    fields: [
      field('base_pfn', 'unsigned long', 'first page frame of the mapping', '4.5'),
      field('end_pfn', 'const unsigned long', 'last page frame of the namespace; 0 if not known', '5.4'),
      field('reserve', 'const unsigned long', 'pages at the start that the driver keeps for itself', '4.5'),
      field('free', 'unsigned long', 'pages set aside for struct pages', '4.5'),
      field('align', 'unsigned long', 'pages skipped for alignment so far', '4.5'),
      field('alloc', 'unsigned long', 'pages handed out so far', '4.5'),
      field('inaccessible', 'bool', 'the storage cannot be used until the memory is brought online', '6.9'),
    ],
  },
  {
    kind: 'struct',
    name: 'range',
    file: 'include/linux/range.h',
    since: '4.3',
    contract: 'A range of addresses, both ends included.',
    fields: [field('start', 'u64', 'first address'), field('end', 'u64', 'last address')],
  },
  {
    kind: 'struct',
    name: 'resource',
    file: 'include/linux/ioport.h',
    since: '4.3',
    contract: 'A named range of physical addresses in the tree that /proc/iomem shows.',
    fields: [
      field('start', 'resource_size_t', 'first address'),
      field('end', 'resource_size_t', 'last address'),
      field('name', 'const char *', 'what it is called in /proc/iomem'),
      field('flags', 'unsigned long', 'IORESOURCE_* bits: memory, busy, System RAM'),
      field('desc', 'unsigned long', 'IORES_DESC_*: what kind of memory', '4.6'),
      field('parent', 'struct resource *', 'the range that contains it'),
      field('sibling', 'struct resource *', 'the next range in the same parent'),
      field('child', 'struct resource *', 'the first range inside it'),
    ],
  },
  {
    kind: 'struct',
    name: 'list_head',
    file: 'include/linux/types.h',
    since: '4.3',
    contract: 'Two pointers that link an object into a doubly linked list.',
    fields: [
      field('next', 'struct list_head *', 'the next element'),
      field('prev', 'struct list_head *', 'the one before'),
    ],
  },
  {
    kind: 'struct',
    name: 'mem_section',
    file: MMZONE,
    since: '4.3',
    contract:
      'The descriptor of one section, 128 MiB on x86_64: where its struct pages are, which of its parts are there, and flags.',
    fields: [
      field(
        'section_mem_map',
        'unsigned long',
        'address of the memory map less the first pfn of the section, so that adding a pfn gives its struct page; the low bits are flags, and before a memory map exists the node is stored here',
      ),
      field(
        'usage',
        'struct mem_section_usage *',
        'which 2 MiB sub-sections are populated, and the pageblock flags',
        '5.3',
      ),
      {
        ...field('pageblock_flags', 'unsigned long *', 'migrate types of the blocks of the section', '4.3', '5.2'),
        replacedBy: 'usage',
      },
      {
        ...field('page_ext', 'struct page_ext *', 'extra data for each page, with CONFIG_PAGE_EXTENSION'),
        option: 'CONFIG_PAGE_EXTENSION',
      },
      {
        ...field('pad', 'unsigned long', 'makes the size a power of two, with CONFIG_PAGE_EXTENSION'),
        option: 'CONFIG_PAGE_EXTENSION',
      },
    ],
  },
  {
    kind: 'struct',
    name: 'zone',
    file: MMZONE,
    since: '4.3',
    contract: 'A range of page frames of one node that serves the same requests, with its free lists and watermarks.',
    fields: [
      field('zone_start_pfn', 'unsigned long', 'first page frame'),
      field('spanned_pages', 'unsigned long', 'pages from the first to the last, holes included'),
      field('present_pages', 'unsigned long', 'pages that exist; 0 for ZONE_DEVICE'),
      field('managed_pages', 'unsigned long', 'pages handed to the page allocator; 0 for ZONE_DEVICE', '4.3', '4.20'),
      field('managed_pages', 'atomic_long_t', 'pages handed to the page allocator; 0 for ZONE_DEVICE', '5.0'),
      field('zone_pgdat', 'struct pglist_data *', 'the node it belongs to'),
      field('name', 'const char *', 'its name in /proc/zoneinfo'),
    ],
  },
  {
    kind: 'struct',
    name: 'pglist_data',
    file: MMZONE,
    since: '4.3',
    contract:
      'The descriptor of one node of memory, also called pg_data_t: its zones, its page counts and its reclaim state.',
    fields: [
      field('node_zones', 'struct zone[]', 'its zones, by index'),
      field('node_mem_map', 'struct page *', 'its array of struct pages, with FLATMEM or DISCONTIGMEM'),
      field('node_start_pfn', 'unsigned long', 'first page frame'),
      field('node_present_pages', 'unsigned long', 'pages that exist'),
      field('node_spanned_pages', 'unsigned long', 'pages from the first to the last, holes included'),
      field('node_id', 'int', 'its number'),
      field('nr_zones', 'int', 'how many of its zones have been set up'),
    ],
  },
  {
    kind: 'struct',
    name: 'mm_struct',
    file: MM_TYPES,
    since: '4.3',
    contract: 'The address space of a process: its VMAs, page tables and counters, shared by its threads.',
    fields: [
      {
        ...field('mmap_sem', 'struct rw_semaphore', 'the lock of the address space', '4.3', '5.7'),
        replacedBy: 'mmap_lock',
      },
      field('mmap_lock', 'struct rw_semaphore', 'the lock of the address space', '5.8'),
      field('mm_users', 'atomic_t', 'users of the address space; at 0 it is taken apart'),
      field('mm_count', 'atomic_t', 'references on the descriptor itself'),
      field('hmm', 'struct hmm *', 'the HMM state of the address space', '4.14', '5.3'),
    ],
  },
  {
    kind: 'struct',
    name: 'vm_area_struct',
    file: MM_TYPES,
    since: '4.3',
    contract:
      'One mapping of a process, called VMA: a range of virtual addresses with one backing and one set of rights.',
    fields: [
      field('vm_start', 'unsigned long', 'first address'),
      field('vm_end', 'unsigned long', 'the address after the last one'),
      field('vm_mm', 'struct mm_struct *', 'the address space'),
      field('vm_flags', 'unsigned long', 'VM_* bits: rights and kind', '4.3', '6.2'),
      field('vm_flags', 'const vm_flags_t', 'VM_* bits: rights and kind', '6.3'),
      field('vm_page_prot', 'pgprot_t', 'access bits for its page table entries'),
      field('vm_pgoff', 'unsigned long', 'offset in the file, in pages'),
      field('vm_file', 'struct file *', 'the file mapped, or NULL'),
      field('vm_ops', 'const struct vm_operations_struct *', 'callbacks; NULL for anonymous memory'),
    ],
  },
  {
    kind: 'struct',
    name: 'vm_fault',
    file: 'include/linux/mm.h',
    since: '4.3',
    contract: 'What is known of a page fault while it is handled.',
    fields: [
      field('vma', 'struct vm_area_struct *', 'the mapping that was touched', '4.10'),
      field('address', 'unsigned long', 'the address that was touched', '4.10'),
      field('flags', 'unsigned int', 'FAULT_FLAG_* bits'),
      field('page', 'struct page *', 'the page that resolves the fault; for migrate_to_ram the device page'),
    ],
  },
  {
    kind: 'struct',
    name: 'device',
    file: 'include/linux/device.h',
    since: '4.3',
    contract: 'A device as the driver core knows it. Resources tied to it are released when its driver is unbound.',
    fields: [
      field('parent', 'struct device *', 'the device it hangs on'),
      field('driver', 'struct device_driver *', 'the driver bound to it'),
      field('driver_data', 'void *', 'a word of the driver'),
      field('numa_node', 'int', 'the node it is near to, or -1'),
    ],
  },
  {
    kind: 'struct',
    name: 'mmu_interval_notifier',
    file: NOTIFIER,
    since: '5.5',
    contract:
      'A subscription to changes of the CPU page table in one interval of addresses, with the sequence number that readers compare.',
    fields: [
      field('interval_tree', 'struct interval_tree_node', 'the interval, both ends included', '5.5'),
      field('ops', 'const struct mmu_interval_notifier_ops *', 'the callback', '5.5'),
      field('mm', 'struct mm_struct *', 'the address space it watches', '5.5'),
      field('deferred_item', 'struct hlist_node', 'link while insertion or removal waits', '5.5'),
      field('invalidate_seq', 'unsigned long', 'the sequence number of its last invalidation, always odd', '5.5'),
    ],
  },
  {
    kind: 'struct',
    name: 'mmu_interval_notifier_ops',
    file: NOTIFIER,
    since: '5.5',
    contract: 'The callback of an interval notifier.',
    fields: callbackFields('mmu_interval_notifier_ops', MMU_NOTIFIER_CALLBACKS),
  },
  {
    kind: 'struct',
    name: 'mmu_notifier_ops',
    file: NOTIFIER,
    since: '4.3',
    contract: 'The callbacks of a notifier for a whole address space.',
    fields: callbackFields('mmu_notifier_ops', MMU_NOTIFIER_CALLBACKS),
  },
  {
    kind: 'struct',
    name: 'mmu_notifier_range',
    file: NOTIFIER,
    since: '5.0',
    contract: 'What notifiers are told of one change: which addresses of which mm, why, and on whose behalf.',
    fields: [
      field('vma', 'struct vm_area_struct *', 'the mapping that changes, or NULL', '5.2', '6.2'),
      field('mm', 'struct mm_struct *', 'the address space that changes', '5.0'),
      field('start', 'unsigned long', 'first address', '5.0'),
      field('end', 'unsigned long', 'the address after the last one', '5.0'),
      { ...field('blockable', 'bool', 'whether callbacks may sleep', '5.0', '5.1'), replacedBy: 'flags' },
      field('flags', 'unsigned int', 'whether callbacks may sleep', '5.2'),
      field('event', 'enum mmu_notifier_event', 'why: one of MMU_NOTIFY_*', '5.2'),
      {
        ...field('migrate_pgmap_owner', 'void *', 'whose migration it is', '5.9', '5.13'),
        replacedBy: 'owner',
      },
      field(
        'owner',
        'void *',
        'on whose behalf: for MMU_NOTIFY_MIGRATE and MMU_NOTIFY_EXCLUSIVE the owner of the pagemap, so that a driver can skip its own changes',
        '5.14',
      ),
    ],
  },
  {
    kind: 'struct',
    name: 'hmm_mirror_ops',
    file: 'include/linux/hmm.h',
    since: '4.14',
    until: '5.4',
    contract: 'The callbacks of a mirror.',
    replacedBy: 'mmu_interval_notifier_ops',
    fields: callbackFields('hmm_mirror_ops', HMM_CALLBACKS),
  },
  {
    kind: 'struct',
    name: 'hmm_devmem_ops',
    file: 'include/linux/hmm.h',
    since: '4.14',
    until: '5.2',
    contract: 'The callbacks of a driver for its device pages.',
    replacedBy: 'dev_pagemap_ops',
    fields: callbackFields('hmm_devmem_ops', HMM_CALLBACKS),
  },
  {
    kind: 'struct',
    name: 'migrate_vma_ops',
    file: 'include/linux/migrate.h',
    since: '4.14',
    until: '5.3',
    contract: 'The two steps of migrate_vma that a driver does itself.',
    replacedBy: 'migrate_vma',
    fields: callbackFields('migrate_vma_ops', MIGRATE_CALLBACKS),
  },
];
