/** Names of mm/hmm.c that ended with 5.1 to 5.4: mirrors, look-ups by VMA, and hmm_devmem. */
import type { CallbackRecord, ErrorCase, FieldRecord, FunctionRecord, NeverRecord, StructRecord } from '../registry.ts';
import type { Release } from '../release.ts';

const FILE = 'mm/hmm.c';
const HEADER = 'include/linux/hmm.h';

const NOT_PREPARED: readonly ErrorCase[] = [
  {
    returns: '-EINVAL',
    when: 'the range is not inside one VMA, no mirror is registered, or the VMA is hugetlb or special',
  },
  { returns: '-ENOMEM', when: 'the HMM state of the mm could not be allocated' },
];

/** Their code is in sim/mm/hmmMirrorFunctions.ts. */
export const HMM_MIRROR_FUNCTION_RECORDS: readonly FunctionRecord[] = [
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
          { returns: '-EINVAL', when: 'the range is not inside the VMA, or no mirror is registered' },
          { returns: '-ENOMEM', when: 'the HMM state of the mm could not be allocated' },
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
];

export const HMM_CALLBACKS: readonly CallbackRecord[] = [
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
];

export const HMM_MIRROR_RECORDS = [...HMM_CALLBACKS, ...structs, ...names];
