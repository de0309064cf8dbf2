/** Names of mm/hmm.c and include/linux/hmm.h (4.14 to 7.3), the mirror and devmem interfaces of older releases included. */
import type { CallbackRecord, ErrorCase, FunctionRecord, NeverRecord, StructRecord } from '../registry.ts';

const FILE = 'mm/hmm.c';
const HEADER = 'include/linux/hmm.h';

const NOT_PREPARED: readonly ErrorCase[] = [
  {
    returns: '-EINVAL',
    when: 'the range is not inside one VMA, no mirror is registered, or the VMA is hugetlb or special',
  },
  { returns: '-ENOMEM', when: 'the HMM state of the mm could not be allocated' },
];
const RANGE_ERRORS: readonly ErrorCase[] = [
  { returns: '-EBUSY', when: 'the range was invalidated, or is being invalidated: read the sequence again and retry' },
  {
    returns: '-EFAULT',
    when: 'a requested entry lies in a hole, in an I/O or unreadable VMA, or the fault handler failed',
  },
  { returns: '-EPERM', when: 'write access is requested and the VMA does not permit writing' },
  { returns: '-EINVAL', when: 'start is not below end' },
];

const functions: readonly FunctionRecord[] = [
  {
    kind: 'function',
    name: 'hmm_range_fault',
    contract:
      'Walks the CPU page tables of a range and writes one entry a page into the array of the range. Pages that the caller requests and the CPU does not map with the wanted access are faulted in first; with nothing requested it only takes a snapshot. The mmap lock is held by the caller.',
    variants: [
      {
        since: '5.2',
        until: '5.3',
        file: FILE,
        prototype: 'long hmm_range_fault(struct hmm_range *range, bool block)',
        note: 'It returns the number of pages it went through. A page that is swapped out is reported as none and never faulted in.',
        errors: [
          {
            returns: '-EAGAIN',
            when: 'mmap_sem was dropped by the fault handler (5.2: also when the range was not valid)',
          },
          { returns: '-EBUSY', when: 'the range is not valid (5.3)' },
          { returns: '-EFAULT', when: 'no VMA, a device VMA, or the fault handler failed' },
          { returns: '-EPERM', when: 'the VMA is not readable' },
          { returns: '-EINVAL', when: 'the page shift of the range does not fit the VMA' },
        ],
      },
      {
        since: '5.4',
        until: '5.6',
        file: FILE,
        prototype: 'long hmm_range_fault(struct hmm_range *range, unsigned int flags)',
        note: 'It returns the number of pages it went through. HMM_FAULT_SNAPSHOT in the flags forbids faulting, HMM_FAULT_ALLOW_RETRY lets the handler drop mmap_sem.',
        errors: [
          { returns: '-EAGAIN', when: 'mmap_sem was dropped, which HMM_FAULT_ALLOW_RETRY permits' },
          { returns: '-EBUSY', when: 'the range is not valid any more' },
          { returns: '-EFAULT', when: 'no VMA, a device VMA, or the fault handler failed' },
          { returns: '-EPERM', when: 'the VMA does not permit the access' },
        ],
      },
      {
        since: '5.7',
        until: '5.7',
        file: FILE,
        prototype: 'long hmm_range_fault(struct hmm_range *range)',
        note: 'It returns the number of pages it went through.',
        errors: RANGE_ERRORS,
      },
      {
        since: '5.8',
        until: '7.2',
        file: FILE,
        prototype: 'int hmm_range_fault(struct hmm_range *range)',
        note: 'It returns 0 on success.',
        errors: RANGE_ERRORS,
      },
      {
        since: '7.3',
        file: FILE,
        prototype: 'int hmm_range_fault(struct hmm_range *range)',
        note: 'It returns 0 on success. Faults are served after the page table walk, and an out-of-memory fault is told apart.',
        errors: [...RANGE_ERRORS, { returns: '-ENOMEM', when: 'the fault handler ran out of memory' }],
      },
    ],
  },
  {
    kind: 'function',
    name: 'hmm_range_fault_unlocked_timeout',
    contract:
      'Does what hmm_range_fault does, but takes the mmap lock itself, lets fault handlers drop it, and reads the notifier sequence anew for each attempt. The timeout is in jiffies and is looked at between attempts only; 0 means to try for ever.',
    variants: [
      {
        since: '7.3',
        file: FILE,
        prototype: 'int hmm_range_fault_unlocked_timeout(struct hmm_range *range, unsigned long timeout)',
        errors: [
          { returns: '-EBUSY', when: 'the time was up before a stable range was found' },
          { returns: '-EINTR', when: 'a fatal signal arrived while waiting for the mmap lock or after it was dropped' },
          { returns: '-EFAULT', when: 'the address space is being taken apart, or as for hmm_range_fault' },
          { returns: '-EPERM', when: 'write access is requested and the VMA does not permit writing' },
          { returns: '-ENOMEM', when: 'the fault handler ran out of memory' },
        ],
      },
    ],
  },
  {
    kind: 'function',
    name: 'hmm_range_snapshot',
    contract:
      'Copies the present CPU page table entries of a registered range into its array and never faults. It returns how far it came, in pages. mmap_sem is held by the caller.',
    replacedBy: 'hmm_range_fault',
    variants: [
      {
        since: '5.2',
        until: '5.3',
        file: FILE,
        prototype: 'long hmm_range_snapshot(struct hmm_range *range)',
        errors: [
          { returns: '-EAGAIN', when: 'the range is not valid (5.2)' },
          { returns: '-EBUSY', when: 'the range is not valid (5.3)' },
          { returns: '-EFAULT', when: 'no VMA, a device VMA, or the mm is gone' },
          { returns: '-EPERM', when: 'the VMA is not readable' },
          { returns: '-EINVAL', when: 'the page shift of the range does not fit the VMA' },
        ],
      },
    ],
  },
  {
    kind: 'function',
    name: 'hmm_range_register',
    contract:
      'Puts a range on the list of the mm so that invalidations mark it invalid. The range becomes valid at once only if no invalidation of that mm is running, at whatever address.',
    replacedBy: 'mmu_interval_read_begin',
    variants: [
      {
        since: '5.2',
        until: '5.2',
        file: FILE,
        prototype:
          'int hmm_range_register(struct hmm_range *range, struct mm_struct *mm, unsigned long start, unsigned long end, unsigned page_shift)',
        errors: [
          { returns: '-EINVAL', when: 'start or end is not aligned to the page shift, or start is not below end' },
          { returns: '-EFAULT', when: 'the mm has no HMM state or is gone' },
        ],
      },
      {
        since: '5.3',
        until: '5.3',
        file: FILE,
        prototype:
          'int hmm_range_register(struct hmm_range *range, struct hmm_mirror *mirror, unsigned long start, unsigned long end, unsigned page_shift)',
        errors: [
          { returns: '-EINVAL', when: 'start or end is not aligned to the page shift, or start is not below end' },
          { returns: '-EFAULT', when: 'the process is exiting' },
        ],
      },
      {
        since: '5.4',
        until: '5.4',
        file: FILE,
        prototype: 'int hmm_range_register(struct hmm_range *range, struct hmm_mirror *mirror)',
        errors: [
          { returns: '-EINVAL', when: 'start or end is not page aligned, or start is not below end' },
          { returns: '-EFAULT', when: 'the process is exiting' },
        ],
      },
    ],
  },
  {
    kind: 'function',
    name: 'hmm_range_unregister',
    contract:
      'Takes a range off the list of its mm, marks it invalid and drops what registering took. Exactly one call for each registration.',
    replacedBy: 'mmu_interval_read_retry',
    variants: [
      { since: '5.2', until: '5.4', file: FILE, prototype: 'void hmm_range_unregister(struct hmm_range *range)' },
    ],
  },
  {
    kind: 'function',
    name: 'hmm_range_wait_until_valid',
    contract:
      'Sleeps until no invalidation of the mm is running or the timeout, in milliseconds, is over; returns whether the range is valid. Not to be called with mmap_sem held.',
    replacedBy: 'mmu_interval_read_begin',
    variants: [
      {
        since: '5.2',
        until: '5.4',
        file: HEADER,
        prototype: 'bool hmm_range_wait_until_valid(struct hmm_range *range, unsigned long timeout)',
        errors: [{ returns: 'false', when: 'the range did not become valid in time' }],
      },
    ],
  },
  {
    kind: 'function',
    name: 'hmm_range_valid',
    contract:
      'Reads the valid flag of a range; asked under the driver lock. The flag comes back by itself when the last running invalidation of the mm ends, so the check is only as good as the lock that the mirror callback takes.',
    replacedBy: 'mmu_interval_read_retry',
    variants: [
      { since: '5.2', until: '5.4', file: HEADER, prototype: 'bool hmm_range_valid(struct hmm_range *range)' },
    ],
  },
  {
    kind: 'function',
    name: 'hmm_range_dma_map',
    contract:
      'Faults a range and maps every page found for DMA, writing the addresses into an array; it undoes everything if the range turns invalid on the way.',
    variants: [
      {
        since: '5.2',
        until: '5.3',
        file: FILE,
        prototype:
          'long hmm_range_dma_map(struct hmm_range *range, struct device *device, dma_addr_t *daddrs, bool block)',
        errors: [
          { returns: '-EBUSY', when: 'no page was found or the range turned invalid' },
          { returns: '-EFAULT', when: 'a DMA mapping failed' },
        ],
      },
      {
        since: '5.4',
        until: '5.4',
        file: FILE,
        prototype:
          'long hmm_range_dma_map(struct hmm_range *range, struct device *device, dma_addr_t *daddrs, unsigned int flags)',
        errors: [
          { returns: '-EBUSY', when: 'no page was found or the range turned invalid' },
          { returns: '-EFAULT', when: 'a DMA mapping failed' },
        ],
      },
    ],
  },
  {
    kind: 'function',
    name: 'hmm_range_dma_unmap',
    contract:
      'Undoes hmm_range_dma_map, marks written pages dirty if asked to, and returns how many pages it unmapped.',
    variants: [
      {
        since: '5.2',
        until: '5.3',
        file: FILE,
        prototype:
          'long hmm_range_dma_unmap(struct hmm_range *range, struct vm_area_struct *vma, struct device *device, dma_addr_t *daddrs, bool dirty)',
        errors: [{ returns: '-EINVAL', when: 'the range is empty or an array is missing' }],
      },
      {
        since: '5.4',
        until: '5.4',
        file: FILE,
        prototype:
          'long hmm_range_dma_unmap(struct hmm_range *range, struct device *device, dma_addr_t *daddrs, bool dirty)',
        errors: [{ returns: '-EINVAL', when: 'the range is empty or an array is missing' }],
      },
    ],
  },
  {
    kind: 'function',
    name: 'hmm_vma_get_pfns',
    contract:
      'Copies the CPU page table entries of a part of one VMA into an array without faulting, and puts the range on the list of the mm. After success the caller owes one hmm_vma_range_done.',
    replacedBy: 'hmm_range_snapshot',
    variants: [
      {
        since: '4.14',
        until: '4.16',
        file: FILE,
        prototype:
          'int hmm_vma_get_pfns(struct vm_area_struct *vma, struct hmm_range *range, unsigned long start, unsigned long end, hmm_pfn_t *pfns)',
        errors: NOT_PREPARED,
      },
      {
        since: '4.17',
        until: '5.1',
        file: FILE,
        prototype: 'int hmm_vma_get_pfns(struct hmm_range *range)',
        errors: [...NOT_PREPARED, { returns: '-EPERM', when: 'the VMA is not readable' }],
      },
    ],
  },
  {
    kind: 'function',
    name: 'hmm_vma_fault',
    contract:
      'Like hmm_vma_get_pfns, but faults in what is missing or not writable. If the fault handler had to drop mmap_sem the caller gets -EBUSY and no longer holds it.',
    replacedBy: 'hmm_range_fault',
    variants: [
      {
        since: '4.14',
        until: '4.16',
        file: FILE,
        prototype:
          'int hmm_vma_fault(struct vm_area_struct *vma, struct hmm_range *range, unsigned long start, unsigned long end, hmm_pfn_t *pfns, bool write, bool block)',
        errors: [
          ...NOT_PREPARED,
          { returns: '-EBUSY', when: 'mmap_sem was dropped by the fault handler' },
          { returns: '-EFAULT', when: 'the fault handler failed' },
        ],
      },
      {
        since: '4.17',
        until: '5.1',
        file: FILE,
        prototype: 'int hmm_vma_fault(struct hmm_range *range, bool block)',
        note: 'Only entries whose input carries the valid flag are faulted in.',
        errors: [
          ...NOT_PREPARED,
          { returns: '-EBUSY', when: 'mmap_sem was dropped by the fault handler' },
          { returns: '-EFAULT', when: 'the fault handler failed' },
          { returns: '-EPERM', when: 'the VMA is not readable' },
        ],
      },
      {
        since: '5.2',
        until: '5.2',
        file: HEADER,
        prototype: 'int hmm_vma_fault(struct hmm_range *range, bool block)',
        note: 'A helper for the transition: it registers the range, waits up to a second and calls hmm_range_fault.',
        errors: [
          { returns: '-EAGAIN', when: 'the range did not become valid in a second; mmap_sem was dropped' },
          { returns: '-EBUSY', when: 'the range turned invalid or no page was found; mmap_sem was dropped' },
        ],
      },
    ],
  },
  {
    kind: 'function',
    name: 'hmm_vma_range_done',
    contract:
      'Ends the watch over a range that hmm_vma_get_pfns or hmm_vma_fault began, and tells whether the entries are still good. Called under the driver lock for its page table.',
    replacedBy: 'hmm_range_valid',
    variants: [
      {
        since: '4.14',
        until: '4.16',
        file: FILE,
        prototype: 'bool hmm_vma_range_done(struct vm_area_struct *vma, struct hmm_range *range)',
        errors: [{ returns: 'false', when: 'the CPU page table changed meanwhile: start again' }],
      },
      {
        since: '4.17',
        until: '5.1',
        file: FILE,
        prototype: 'bool hmm_vma_range_done(struct hmm_range *range)',
        errors: [{ returns: 'false', when: 'the CPU page table changed meanwhile: start again' }],
      },
      {
        since: '5.2',
        until: '5.2',
        file: HEADER,
        prototype: 'bool hmm_vma_range_done(struct hmm_range *range)',
        note: 'A helper for the transition: hmm_range_valid followed by hmm_range_unregister.',
      },
    ],
  },
  {
    kind: 'function',
    name: 'hmm_mirror_register',
    contract:
      'Ties a mirror, with its callbacks, to the address space of a process. The caller already holds mmap_sem for writing, in every release that has this function.',
    replacedBy: 'mmu_interval_notifier_insert',
    variants: [
      {
        since: '4.14',
        until: '5.4',
        file: FILE,
        prototype: 'int hmm_mirror_register(struct hmm_mirror *mirror, struct mm_struct *mm)',
        errors: [
          { returns: '-EINVAL', when: 'the mm, the mirror or its ops is missing' },
          { returns: '-ENOMEM', when: 'the HMM state could not be allocated or its notifier not registered' },
        ],
      },
    ],
  },
  {
    kind: 'function',
    name: 'hmm_mirror_unregister',
    contract: 'Ends a mirror: its callbacks are not called afterwards. It must not be called from inside release().',
    replacedBy: 'mmu_interval_notifier_remove',
    variants: [
      { since: '4.14', until: '5.4', file: FILE, prototype: 'void hmm_mirror_unregister(struct hmm_mirror *mirror)' },
    ],
  },
  {
    kind: 'function',
    name: 'hmm_devmem_add',
    contract:
      'Finds a free physical range for unaddressable device memory, makes private device pages for it and returns their descriptor. The size is rounded up to whole sections; the search goes down from the top of the physical address space.',
    replacedBy: 'devm_memremap_pages',
    variants: [
      {
        since: '4.14',
        until: '5.2',
        file: FILE,
        prototype:
          'struct hmm_devmem *hmm_devmem_add(const struct hmm_devmem_ops *ops, struct device *device, unsigned long size)',
        errors: [
          { returns: 'ERR_PTR(-ENOMEM)', when: 'memory or the resource could not be had' },
          { returns: 'ERR_PTR(-ERANGE)', when: 'no free range of that size' },
        ],
      },
    ],
  },
  {
    kind: 'function',
    name: 'hmm_devmem_add_resource',
    contract: 'Makes public device pages over a resource that the caller already owns.',
    replacedBy: 'devm_memremap_pages',
    variants: [
      {
        since: '4.14',
        until: '5.2',
        file: FILE,
        prototype:
          'struct hmm_devmem *hmm_devmem_add_resource(const struct hmm_devmem_ops *ops, struct device *device, struct resource *res)',
        errors: [{ returns: 'ERR_PTR(-EINVAL)', when: 'the resource is not described as public device memory' }],
      },
    ],
  },
  {
    kind: 'function',
    name: 'hmm_devmem_remove',
    contract:
      'Takes device memory away again: kills its reference, waits until it is gone, and removes pages and resource. Unbinding the device does the same. The stable 4.19.y kernels lost it through a backport and leave all of it to unbinding.',
    replacedBy: 'memunmap_pages',
    variants: [
      { since: '4.14', until: '4.18', file: FILE, prototype: 'void hmm_devmem_remove(struct hmm_devmem *devmem)' },
      { since: '4.20', until: '4.20', file: FILE, prototype: 'void hmm_devmem_remove(struct hmm_devmem *devmem)' },
    ],
  },
  {
    kind: 'function',
    name: 'hmm_devmem_page_set_drvdata',
    contract:
      'Keeps one word of the driver in the struct page of a device page. Nothing clears it when the page is freed.',
    variants: [
      {
        since: '4.14',
        until: '5.2',
        file: HEADER,
        prototype: 'void hmm_devmem_page_set_drvdata(struct page *page, unsigned long data)',
      },
    ],
  },
  {
    kind: 'function',
    name: 'hmm_devmem_page_get_drvdata',
    contract: 'Reads back the word that hmm_devmem_page_set_drvdata kept in a device page.',
    variants: [
      {
        since: '4.14',
        until: '4.15',
        file: HEADER,
        prototype: 'unsigned long hmm_devmem_page_get_drvdata(struct page *page)',
      },
      {
        since: '4.16',
        until: '5.2',
        file: HEADER,
        prototype: 'unsigned long hmm_devmem_page_get_drvdata(const struct page *page)',
      },
    ],
  },
  {
    kind: 'function',
    name: 'hmm_vma_alloc_locked_page',
    contract: 'Allocates a system page fit for an address of a VMA and returns it locked, or NULL.',
    variants: [
      {
        since: '4.14',
        until: '5.2',
        file: FILE,
        prototype: 'struct page *hmm_vma_alloc_locked_page(struct vm_area_struct *vma, unsigned long addr)',
        errors: [{ returns: 'NULL', when: 'no page could be allocated' }],
      },
    ],
  },
  {
    kind: 'function',
    name: 'hmm_device_entry_to_page',
    contract: 'The struct page behind an entry of a range, or NULL for an entry that holds none.',
    replacedBy: 'hmm_pfn_to_page',
    variants: [
      {
        since: '5.2',
        until: '5.7',
        file: HEADER,
        prototype: 'struct page *hmm_device_entry_to_page(const struct hmm_range *range, uint64_t entry)',
        errors: [{ returns: 'NULL', when: 'the entry is none, error or special, or lacks the valid flag' }],
      },
    ],
  },
  {
    kind: 'function',
    name: 'hmm_pfn_to_page',
    contract:
      'The struct page behind an HMM entry. Since 5.8 the entry must be valid: nothing is checked and the flag bits are masked off.',
    variants: [
      {
        since: '4.17',
        until: '5.3',
        file: HEADER,
        prototype: 'struct page *hmm_pfn_to_page(const struct hmm_range *range, uint64_t pfn)',
        errors: [{ returns: 'NULL', when: 'the entry is none, error or special, or lacks the valid flag' }],
      },
      { since: '5.8', file: HEADER, prototype: 'struct page *hmm_pfn_to_page(unsigned long hmm_pfn)' },
    ],
  },
  {
    kind: 'function',
    name: 'hmm_pfn_to_map_order',
    contract: 'The order of the CPU mapping that an HMM entry belongs to: 0 for a base page, 9 for a 2 MiB mapping.',
    variants: [{ since: '5.9', file: HEADER, prototype: 'unsigned int hmm_pfn_to_map_order(unsigned long hmm_pfn)' }],
  },
];

const callbacks: readonly CallbackRecord[] = [
  {
    kind: 'callback',
    name: 'sync_cpu_device_pagetables',
    struct: 'hmm_mirror_ops',
    file: HEADER,
    since: '4.14',
    until: '4.19',
    prototype:
      'void (*sync_cpu_device_pagetables)(struct hmm_mirror *mirror, enum hmm_update_type update_type, unsigned long start, unsigned long end)',
    contract:
      'Tells the driver that the CPU page table changed in a range; the device page table must be in step before it returns. In these releases it runs after the CPU page table was changed.',
    replacedBy: 'invalidate',
  },
  {
    kind: 'callback',
    name: 'sync_cpu_device_pagetables',
    struct: 'hmm_mirror_ops',
    file: HEADER,
    since: '4.20',
    until: '5.3',
    prototype: 'int (*sync_cpu_device_pagetables)(struct hmm_mirror *mirror, const struct hmm_update *update)',
    contract:
      'Tells the driver that the CPU page table is about to change in a range; the device page table must be in step before it returns. It may give -EAGAIN when it would have to sleep and must not.',
    replacedBy: 'invalidate',
  },
  {
    kind: 'callback',
    name: 'sync_cpu_device_pagetables',
    struct: 'hmm_mirror_ops',
    file: HEADER,
    since: '5.4',
    until: '5.4',
    prototype: 'int (*sync_cpu_device_pagetables)(struct hmm_mirror *mirror, const struct mmu_notifier_range *update)',
    contract:
      'Tells the driver that the CPU page table is about to change in a range; the device page table must be in step before it returns. It may give -EAGAIN when it would have to sleep and must not.',
    replacedBy: 'invalidate',
  },
  {
    kind: 'callback',
    name: 'release',
    struct: 'hmm_mirror_ops',
    file: HEADER,
    since: '4.17',
    until: '5.4',
    prototype: 'void (*release)(struct hmm_mirror *mirror)',
    contract: 'Optional: runs for every mirror when the process exits. Unregistering the mirror does not call it.',
  },
  {
    kind: 'callback',
    name: 'free',
    struct: 'hmm_devmem_ops',
    file: HEADER,
    since: '4.14',
    until: '5.2',
    prototype: 'void (*free)(struct hmm_devmem *devmem, struct page *page)',
    contract: 'The last user of a device page is gone (its count fell from 2 to 1): the driver may reuse it.',
    replacedBy: 'page_free',
  },
  {
    kind: 'callback',
    name: 'fault',
    struct: 'hmm_devmem_ops',
    file: HEADER,
    since: '4.14',
    until: '5.0',
    prototype:
      'int (*fault)(struct hmm_devmem *devmem, struct vm_area_struct *vma, unsigned long addr, const struct page *page, unsigned int flags, pmd_t *pmdp)',
    contract:
      'The CPU touched an address whose page is on the device; the driver must migrate it back to system memory.',
    replacedBy: 'migrate_to_ram',
  },
  {
    kind: 'callback',
    name: 'fault',
    struct: 'hmm_devmem_ops',
    file: HEADER,
    since: '5.1',
    until: '5.2',
    prototype:
      'vm_fault_t (*fault)(struct hmm_devmem *devmem, struct vm_area_struct *vma, unsigned long addr, const struct page *page, unsigned int flags, pmd_t *pmdp)',
    contract:
      'The CPU touched an address whose page is on the device; the driver must migrate it back to system memory.',
    replacedBy: 'migrate_to_ram',
  },
];

const member = (
  name: string,
  type: string,
  contract: string,
  since: `${number}.${number}`,
  until?: `${number}.${number}`,
) => ({ name, type, contract, since, ...(until ? { until } : {}) }) as const;

const structs: readonly StructRecord[] = [
  {
    kind: 'struct',
    name: 'hmm_range',
    file: HEADER,
    since: '4.14',
    contract:
      'One request to HMM: which addresses, what access is wanted, and the array that receives one entry a page.',
    fields: [
      member(
        'notifier',
        'struct mmu_interval_notifier *',
        'the interval notifier whose interval contains the range',
        '5.5',
      ),
      member(
        'notifier_seq',
        'unsigned long',
        'the sequence number read before the walk; a later retry check compares it',
        '5.5',
      ),
      member('start', 'unsigned long', 'first virtual address, page aligned', '4.14'),
      member('end', 'unsigned long', 'the address after the last one', '4.14'),
      member(
        'hmm_pfns',
        'unsigned long *',
        'one entry a page: requests (HMM_PFN_REQ_*) on the way in, HMM_PFN_* flags and the pfn on the way out',
        '5.8',
      ),
      {
        ...member(
          'pfns',
          'hmm_pfn_t *',
          'one entry a page with fixed low flag bits and the pfn above bit 7',
          '4.14',
          '4.16',
        ),
        replacedBy: 'hmm_pfns',
      },
      {
        ...member(
          'pfns',
          'uint64_t *',
          'one entry a page in the layout that flags, values and pfn_shift describe',
          '4.17',
          '5.7',
        ),
        replacedBy: 'hmm_pfns',
      },
      member(
        'flags',
        'const uint64_t *',
        'the bits the driver uses for valid, write and (to 5.6) device private',
        '4.17',
        '5.7',
      ),
      member(
        'values',
        'const uint64_t *',
        'the values the driver uses for error, none and special entries',
        '4.17',
        '5.7',
      ),
      member('pfn_shift', 'uint8_t', 'where the pfn begins in an entry', '4.17', '5.7'),
      member('page_shift', 'uint8_t', 'log2 of the bytes one entry stands for', '5.2', '5.3'),
      member('default_flags', 'uint64_t', 'request flags that count for every entry of the range', '5.2', '5.7'),
      member('default_flags', 'unsigned long', 'request flags that count for every entry of the range', '5.8'),
      member('pfn_flags_mask', 'uint64_t', 'which request flags of the single entries are looked at', '5.2', '5.7'),
      member('pfn_flags_mask', 'unsigned long', 'which request flags of the single entries are looked at', '5.8'),
      member(
        'dev_private_owner',
        'void *',
        'device-private pages of this owner are reported as they are; those of others are faulted back if requested',
        '5.7',
      ),
      member('vma', 'struct vm_area_struct *', 'the VMA that contains the range', '4.17', '5.3'),
      member('hmm', 'struct hmm *', 'the HMM state of the mm while the range is registered', '5.2', '5.4'),
      member('list', 'struct list_head', 'link on the list of ranges of the mm', '4.14', '5.4'),
      member('valid', 'bool', 'false while an invalidation touches the range', '4.14', '5.4'),
    ],
  },
  {
    kind: 'struct',
    name: 'hmm',
    file: HEADER,
    since: '4.14',
    until: '5.4',
    contract: 'What HMM kept for one mm: its mirrors, its registered ranges and one MMU notifier.',
    replacedBy: 'mmu_interval_notifier',
    fields: [
      member('mm', 'struct mm_struct *', 'the address space', '4.14', '5.3'),
      member('ranges', 'struct list_head', 'ranges being watched', '4.14', '5.4'),
      member('mirrors', 'struct list_head', 'registered mirrors', '4.14', '5.4'),
      member('mmu_notifier', 'struct mmu_notifier', 'the notifier all mirrors share', '4.14', '5.4'),
    ],
  },
  {
    kind: 'struct',
    name: 'hmm_mirror',
    file: HEADER,
    since: '4.14',
    until: '5.4',
    contract: 'The registration of one device for one address space.',
    replacedBy: 'mmu_interval_notifier',
    fields: [
      member('hmm', 'struct hmm *', 'the HMM state of the mm', '4.14', '5.4'),
      member('ops', 'const struct hmm_mirror_ops *', 'callbacks of the driver', '4.14', '5.4'),
      member('list', 'struct list_head', 'link on the list of mirrors', '4.14', '5.4'),
    ],
  },
  {
    kind: 'struct',
    name: 'hmm_update',
    file: HEADER,
    since: '4.20',
    until: '5.3',
    contract: 'What changed in the CPU page table, as told to a mirror.',
    replacedBy: 'mmu_notifier_range',
    fields: [
      member('start', 'unsigned long', 'first address', '4.20', '5.3'),
      member('end', 'unsigned long', 'the address after the last one', '4.20', '5.3'),
      member('event', 'enum hmm_update_event', 'why; the only value is HMM_UPDATE_INVALIDATE', '4.20', '5.3'),
      member('blockable', 'bool', 'whether the callback may sleep', '4.20', '5.3'),
    ],
  },
  {
    kind: 'struct',
    name: 'hmm_devmem',
    file: HEADER,
    since: '4.14',
    until: '5.2',
    contract: 'Device memory made by hmm_devmem_add: its page frames, resource, pagemap and reference.',
    replacedBy: 'dev_pagemap',
    fields: [
      member('completion', 'struct completion', 'done when the last reference is dropped', '4.14', '5.2'),
      member('pfn_first', 'unsigned long', 'first page frame', '4.14', '5.2'),
      member('pfn_last', 'unsigned long', 'the page frame after the last one', '4.14', '5.2'),
      member('resource', 'struct resource *', 'the physical range', '4.14', '5.2'),
      member('device', 'struct device *', 'the device it belongs to', '4.14', '5.2'),
      member('pagemap', 'struct dev_pagemap', 'the pagemap of its pages', '4.14', '5.2'),
      member('ops', 'const struct hmm_devmem_ops *', 'callbacks of the driver', '4.14', '5.2'),
      member('ref', 'struct percpu_ref', 'reference on the whole', '4.14', '5.2'),
      member('page_fault', 'dev_page_fault_t', 'called when the CPU touches a private page', '5.0', '5.2'),
    ],
  },
];

const names: readonly NeverRecord[] = [
  {
    kind: 'never',
    name: 'hmm_mirror_register_locked',
    documents: { since: '4.14', until: '5.2' },
    contract:
      'The texts announce it as the form for callers that hold mmap_sem for writing. No kernel defines it: hmm_mirror_register itself expects that lock.',
    instead: 'hmm_mirror_register',
  },
  {
    kind: 'never',
    name: 'hmm_mirror_ops.update',
    documents: { since: '4.14', until: '5.2' },
    contract:
      'The texts call the mirror callback update(). In every kernel that had mirrors it is named sync_cpu_device_pagetables.',
    instead: 'sync_cpu_device_pagetables',
  },
  {
    kind: 'never',
    name: 'HMM_RANGE_SNAPSHOT',
    documents: { since: '5.4', until: '5.6' },
    contract:
      'The texts use this flag to ask for a snapshot. The header of those releases calls it HMM_FAULT_SNAPSHOT.',
    instead: 'HMM_FAULT_SNAPSHOT',
  },
];

export const HMM_CALLBACKS = callbacks;
export const HMM_RECORDS = [...functions, ...callbacks, ...structs, ...names];
