/** Names of mm/migrate_device.c (mm/migrate.c to 5.17), include/linux/migrate.h and the exclusive access of mm/rmap.c. */
import type { CallbackRecord, ErrorCase, FunctionRecord, NeverRecord, StructRecord } from '../registry.ts';
import type { Release } from '../release.ts';

const HEADER = 'include/linux/migrate.h';
const OLD = 'mm/migrate.c';
const FILE = 'mm/migrate_device.c';

/** A function that moved from mm/migrate.c to mm/migrate_device.c unchanged. */
const moved = (prototype: string, errors: readonly ErrorCase[] = []): FunctionRecord['variants'] => [
  { since: '5.4', until: '5.17', file: OLD, prototype, errors },
  { since: '5.18', file: FILE, prototype, errors },
];

/** Their code is in sim/mm/migrateFunctions.ts. */
export const MIGRATE_FUNCTION_RECORDS: readonly FunctionRecord[] = [
  {
    kind: 'function',
    name: 'migrate_vma_setup',
    contract:
      'Collects the pages of a range that may migrate: each is referenced, locked, taken off the LRU and unmapped, with a migration entry left in its place. src tells which; dst is cleared. It returns 0 even if nothing can move, so cpages must be looked at.',
    variants: moved('int migrate_vma_setup(struct migrate_vma *args)', [
      {
        returns: '-EINVAL',
        when: 'no VMA, a special, DAX or hugetlb VMA, an empty range or one that leaves the VMA, or src or dst missing',
      },
    ]),
  },
  {
    kind: 'function',
    name: 'migrate_vma_pages',
    contract:
      'Commits the migration: identity, flags and memory cgroup charge of each source page pass to the destination; for entries without a source page the new page is put into the page table. Where that cannot be done MIGRATE_PFN_MIGRATE is cleared in src.',
    variants: moved('void migrate_vma_pages(struct migrate_vma *migrate)'),
  },
  {
    kind: 'function',
    name: 'migrate_vma_finalize',
    contract:
      'Replaces every migration entry by an entry for the page that now counts (the destination, or the source where the move failed), unlocks both pages and drops the references held for the migration.',
    variants: moved('void migrate_vma_finalize(struct migrate_vma *migrate)'),
  },
  {
    kind: 'function',
    name: 'migrate_vma',
    contract:
      'Migrates the pages of a virtual range in one call: collects and unmaps them, has alloc_and_copy choose and fill the destinations, moves what can be moved and reports through finalize_and_map. It returns 0 even if nothing moved.',
    replacedBy: 'migrate_vma_setup',
    variants: [
      {
        since: '4.14',
        until: '5.3',
        file: OLD,
        prototype:
          'int migrate_vma(const struct migrate_vma_ops *ops, struct vm_area_struct *vma, unsigned long start, unsigned long end, unsigned long *src, unsigned long *dst, void *private)',
        errors: [
          {
            returns: '-EINVAL',
            when: 'no VMA, a special or hugetlb VMA, a range outside it, or ops, src or dst missing',
          },
        ],
      },
    ],
  },
  {
    kind: 'function',
    name: 'migrate_pfn',
    contract: 'Encodes a page frame number as an entry of src or dst: shifted left by six, with the valid bit set.',
    variants: [{ since: '4.14', file: HEADER, prototype: 'unsigned long migrate_pfn(unsigned long pfn)' }],
  },
  {
    kind: 'function',
    name: 'migrate_pfn_to_page',
    contract:
      'The struct page of an entry of src or dst. NULL if the valid bit is clear, as for an address that no page backs yet.',
    variants: [
      {
        since: '4.14',
        file: HEADER,
        prototype: 'struct page *migrate_pfn_to_page(unsigned long mpfn)',
        errors: [{ returns: 'NULL', when: 'the entry holds no page' }],
      },
    ],
  },
  {
    kind: 'function',
    name: 'migrate_device_range',
    contract:
      'Collects device pages by page frame number instead of by address, so that a driver can empty its memory before it gives it up. Frames without references are left out.',
    variants: [
      {
        since: '6.1',
        file: FILE,
        prototype: 'int migrate_device_range(unsigned long *src_pfns, unsigned long start, unsigned long npages)',
      },
    ],
  },
  {
    kind: 'function',
    name: 'migrate_device_pfns',
    contract: 'The same as migrate_device_range for frames that are not neighbours; the array names them.',
    variants: [
      {
        since: '6.15',
        file: FILE,
        prototype: 'int migrate_device_pfns(unsigned long *src_pfns, unsigned long npages)',
      },
    ],
  },
  {
    kind: 'function',
    name: 'migrate_device_pages',
    contract: 'The step of migrate_vma_pages for pages collected by migrate_device_range.',
    variants: [
      {
        since: '6.1',
        file: FILE,
        prototype: 'void migrate_device_pages(unsigned long *src_pfns, unsigned long *dst_pfns, unsigned long npages)',
      },
    ],
  },
  {
    kind: 'function',
    name: 'migrate_device_finalize',
    contract: 'The step of migrate_vma_finalize for pages collected by migrate_device_range.',
    variants: [
      {
        since: '6.1',
        file: FILE,
        prototype:
          'void migrate_device_finalize(unsigned long *src_pfns, unsigned long *dst_pfns, unsigned long npages)',
      },
    ],
  },
];

/** Exclusive access, which runs: mm/exclusiveFunctions.ts. */
export const EXCLUSIVE_RECORDS: readonly FunctionRecord[] = [
  {
    kind: 'function',
    name: 'make_device_exclusive_range',
    contract:
      'Faults in the anonymous pages of a range for writing and replaces all their mappings by exclusive entries, so that any CPU access faults. It returns how many pages it found; those it could not make exclusive are NULL in the array, the others come back locked and referenced.',
    replacedBy: 'make_device_exclusive',
    variants: [
      {
        since: '5.14',
        until: '6.14',
        file: 'mm/rmap.c',
        prototype:
          'int make_device_exclusive_range(struct mm_struct *mm, unsigned long start, unsigned long end, struct page **pages, void *owner)',
        errors: [{ returns: '-errno', when: 'no page of the range could be faulted in' }],
      },
    ],
  },
  {
    kind: 'function',
    name: 'make_device_exclusive',
    contract:
      'Makes one anonymous page exclusive to a device: its mapping becomes an exclusive entry and the page is returned locked and referenced. The first CPU access brings the mapping back and tells the driver.',
    variants: [
      {
        since: '6.15',
        file: 'mm/rmap.c',
        prototype:
          'struct page *make_device_exclusive(struct mm_struct *mm, unsigned long addr, void *owner, struct folio **foliop)',
        errors: [
          { returns: 'ERR_PTR(-EOPNOTSUPP)', when: 'the page is not anonymous, or hugetlb' },
          { returns: 'ERR_PTR(-EINTR)', when: 'killed while waiting for the page lock' },
          { returns: 'ERR_PTR(-errno)', when: 'the page could not be faulted in' },
        ],
      },
    ],
  },
];

export const MIGRATE_CALLBACKS: readonly CallbackRecord[] = [
  {
    kind: 'callback',
    name: 'alloc_and_copy',
    struct: 'migrate_vma_ops',
    file: HEADER,
    since: '4.14',
    until: '5.3',
    prototype:
      'void (*alloc_and_copy)(struct vm_area_struct *vma, const unsigned long *src, unsigned long *dst, unsigned long start, unsigned long end, void *private)',
    contract:
      'Allocates a destination for every page the driver wants moved, copies the data and fills dst; an empty entry leaves the page where it is.',
    replacedBy: 'migrate_vma_setup',
  },
  {
    kind: 'callback',
    name: 'finalize_and_map',
    struct: 'migrate_vma_ops',
    file: HEADER,
    since: '4.14',
    until: '5.3',
    prototype:
      'void (*finalize_and_map)(struct vm_area_struct *vma, const unsigned long *src, const unsigned long *dst, unsigned long start, unsigned long end, void *private)',
    contract: 'Learns which pages really moved, and updates the device page table accordingly.',
    replacedBy: 'migrate_vma_pages',
  },
];

const field = (name: string, type: string, contract: string, since: Release, until?: Release) => ({
  name,
  type,
  contract,
  since,
  ...(until ? { until } : {}),
});

const structs: readonly StructRecord[] = [
  {
    kind: 'struct',
    name: 'migrate_vma',
    file: HEADER,
    since: '5.4',
    contract:
      'The arguments of one migration: a range of one VMA, the arrays for source and destination, and what to collect.',
    fields: [
      field('vma', 'struct vm_area_struct *', 'the VMA that contains the range', '5.4'),
      field(
        'dst',
        'unsigned long *',
        'one entry a page that the driver fills with migrate_pfn() of its new, locked page',
        '5.4',
      ),
      field('src', 'unsigned long *', 'one entry a page that the kernel fills: MIGRATE_PFN_* bits and the pfn', '5.4'),
      field('cpages', 'unsigned long', 'how many entries may migrate, those without a page included', '5.4'),
      field('npages', 'unsigned long', 'how many entries the range has', '5.4'),
      field('start', 'unsigned long', 'first virtual address', '5.4'),
      field('end', 'unsigned long', 'the address after the last one', '5.4'),
      {
        ...field('src_owner', 'void *', 'the owner whose device-private pages may be collected', '5.7', '5.8'),
        replacedBy: 'pgmap_owner',
      },
      field(
        'pgmap_owner',
        'void *',
        'whose device pages may be collected; also told to notifiers, so that a driver knows its own migration',
        '5.9',
      ),
      field('flags', 'unsigned long', 'which source pages to collect: MIGRATE_VMA_SELECT_*', '5.9'),
      field(
        'fault_page',
        'struct page *',
        'the device page whose CPU fault is being handled: one more reference on it is expected',
        '6.1',
      ),
    ],
  },
];

const names: readonly NeverRecord[] = [
  {
    kind: 'never',
    name: 'mentries',
    documents: { since: '4.14', until: '5.3' },
    contract:
      'The texts give migrate_vma() a parameter of this name. The function has none: the number of entries follows from start and end.',
  },
];

export const MIGRATE_RECORDS = [...MIGRATE_CALLBACKS, ...structs, ...names];
