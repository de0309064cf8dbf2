/** Names of mm/hmm.c and include/linux/hmm.h around ranges: faulting, snapshots, and the entries they fill. */
import type { ErrorCase, FieldRecord, FunctionRecord, NeverRecord, StructRecord } from '../registry.ts';
import type { Release } from '../release.ts';

const FILE = 'mm/hmm.c';
const HEADER = 'include/linux/hmm.h';

const RANGE_ERRORS: readonly ErrorCase[] = [
  { returns: '-EBUSY', when: 'the range was invalidated, or is being invalidated: read the sequence again and retry' },
  {
    returns: '-EFAULT',
    when: 'a requested entry lies in a hole, in an I/O or unreadable VMA, or the fault handler failed',
  },
  { returns: '-EPERM', when: 'write access is requested and the VMA does not permit writing' },
  { returns: '-EINVAL', when: 'start is not below end' },
];

/** Their code is in sim/mm/hmmFunctions.ts. */
export const HMM_FUNCTION_RECORDS: readonly FunctionRecord[] = [
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

const member = (name: string, type: string, contract: string, since: Release, until?: Release): FieldRecord => ({
  name,
  type,
  contract,
  since,
  ...(until ? { until } : {}),
});

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
];

const names: readonly NeverRecord[] = [
  {
    kind: 'never',
    name: 'HMM_RANGE_SNAPSHOT',
    documents: { since: '5.4', until: '5.6' },
    contract:
      'The texts use this flag to ask for a snapshot. The header of those releases calls it HMM_FAULT_SNAPSHOT.',
    instead: 'HMM_FAULT_SNAPSHOT',
  },
];

export const HMM_RECORDS = [...structs, ...names];
