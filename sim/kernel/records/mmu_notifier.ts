/** Names of mm/mmu_notifier.c and include/linux/mmu_notifier.h. */
import type { CallbackRecord, FunctionRecord, NeverRecord } from '../registry.ts';

const FILE = 'mm/mmu_notifier.c';
const HEADER = 'include/linux/mmu_notifier.h';

export const MMU_NOTIFIER_CALLBACKS: readonly CallbackRecord[] = [
  {
    kind: 'callback',
    name: 'invalidate',
    struct: 'mmu_interval_notifier_ops',
    file: HEADER,
    since: '5.5',
    prototype:
      'bool (*invalidate)(struct mmu_interval_notifier *interval_sub, const struct mmu_notifier_range *range, unsigned long cur_seq)',
    contract:
      'The CPU page table is about to change inside the interval. Under its own lock the driver notes cur_seq with mmu_interval_set_seq and makes its device forget the addresses before it returns true; false is allowed only when it must not sleep.',
  },
  {
    kind: 'callback',
    name: 'invalidate_range_start',
    struct: 'mmu_notifier_ops',
    file: HEADER,
    since: '4.3',
    until: '4.18',
    prototype:
      'void (*invalidate_range_start)(struct mmu_notifier *mn, struct mm_struct *mm, unsigned long start, unsigned long end)',
    contract:
      'Runs before the CPU page table changes in a range; until the matching end no new device mapping may be made.',
  },
  {
    kind: 'callback',
    name: 'invalidate_range_start',
    struct: 'mmu_notifier_ops',
    file: HEADER,
    since: '4.19',
    until: '4.20',
    prototype:
      'int (*invalidate_range_start)(struct mmu_notifier *mn, struct mm_struct *mm, unsigned long start, unsigned long end, bool blockable)',
    contract:
      'Runs before the CPU page table changes in a range; until the matching end no new device mapping may be made.',
  },
  {
    kind: 'callback',
    name: 'invalidate_range_start',
    struct: 'mmu_notifier_ops',
    file: HEADER,
    since: '5.0',
    prototype:
      'int (*invalidate_range_start)(struct mmu_notifier *subscription, const struct mmu_notifier_range *range)',
    contract:
      'Runs before the CPU page table changes in a range; until the matching end no new device mapping may be made. It belongs to ordinary notifiers: interval notifiers get the same event through invalidate().',
  },
  {
    kind: 'callback',
    name: 'invalidate_range_end',
    struct: 'mmu_notifier_ops',
    file: HEADER,
    since: '4.3',
    until: '4.20',
    prototype:
      'void (*invalidate_range_end)(struct mmu_notifier *mn, struct mm_struct *mm, unsigned long start, unsigned long end)',
    contract: 'Runs when the change that invalidate_range_start announced is done.',
  },
  {
    kind: 'callback',
    name: 'invalidate_range_end',
    struct: 'mmu_notifier_ops',
    file: HEADER,
    since: '5.0',
    prototype:
      'void (*invalidate_range_end)(struct mmu_notifier *subscription, const struct mmu_notifier_range *range)',
    contract: 'Runs when the change that invalidate_range_start announced is done.',
  },
];

const functions: readonly FunctionRecord[] = [
  {
    kind: 'function',
    name: 'mmu_interval_notifier_insert',
    contract:
      'Registers a callback for every change of the CPU page table between start and start + length of an mm. The first registration of an mm takes the mmap lock for writing, so the caller must not hold it; a change that is under way delays the insertion.',
    variants: [
      {
        since: '5.5',
        file: FILE,
        prototype:
          'int mmu_interval_notifier_insert(struct mmu_interval_notifier *interval_sub, struct mm_struct *mm, unsigned long start, unsigned long length, const struct mmu_interval_notifier_ops *ops)',
        errors: [
          { returns: '-EOVERFLOW', when: 'length is 0 or the interval passes the end of the address space' },
          { returns: '-EINVAL', when: 'nobody uses the address space any more; also a warning' },
          { returns: '-ENOMEM', when: 'the notifier state of the mm could not be allocated' },
        ],
      },
    ],
  },
  {
    kind: 'function',
    name: 'mmu_interval_notifier_insert_locked',
    contract: 'The same as mmu_interval_notifier_insert for a caller that holds the mmap lock for writing.',
    variants: [
      {
        since: '5.5',
        file: FILE,
        prototype:
          'int mmu_interval_notifier_insert_locked(struct mmu_interval_notifier *interval_sub, struct mm_struct *mm, unsigned long start, unsigned long length, const struct mmu_interval_notifier_ops *ops)',
        errors: [
          { returns: '-EOVERFLOW', when: 'length is 0 or the interval passes the end of the address space' },
          { returns: '-ENOMEM', when: 'the notifier state of the mm could not be allocated' },
        ],
      },
    ],
  },
  {
    kind: 'function',
    name: 'mmu_interval_notifier_remove',
    contract:
      'Ends a registration. It sleeps until an invalidation that is under way has ended, so it must not be called from the callback.',
    variants: [
      {
        since: '5.5',
        file: FILE,
        prototype: 'void mmu_interval_notifier_remove(struct mmu_interval_notifier *interval_sub)',
      },
    ],
  },
  {
    kind: 'function',
    name: 'mmu_interval_read_begin',
    contract:
      'Returns the sequence number of the interval before its pages are looked up. It sleeps while an invalidation that covers the interval is running.',
    variants: [
      {
        since: '5.5',
        file: FILE,
        prototype: 'unsigned long mmu_interval_read_begin(struct mmu_interval_notifier *interval_sub)',
      },
    ],
  },
  {
    kind: 'function',
    name: 'mmu_interval_read_retry',
    contract:
      'True if the interval was invalidated since the sequence number was read, so that the look-up must be repeated. The driver holds the lock that its invalidate() takes.',
    variants: [
      {
        since: '5.5',
        file: HEADER,
        prototype: 'bool mmu_interval_read_retry(struct mmu_interval_notifier *interval_sub, unsigned long seq)',
      },
    ],
  },
  {
    kind: 'function',
    name: 'mmu_interval_check_retry',
    contract: 'The test of mmu_interval_read_retry without the lock: true is certain, false is only a hint.',
    variants: [
      {
        since: '5.5',
        file: HEADER,
        prototype: 'bool mmu_interval_check_retry(struct mmu_interval_notifier *interval_sub, unsigned long seq)',
      },
    ],
  },
  {
    kind: 'function',
    name: 'mmu_interval_set_seq',
    contract:
      'Called by invalidate() under the driver lock, with the number it was given: readers then see a collision.',
    variants: [
      {
        since: '5.5',
        file: HEADER,
        prototype: 'void mmu_interval_set_seq(struct mmu_interval_notifier *interval_sub, unsigned long cur_seq)',
      },
    ],
  },
  {
    kind: 'function',
    name: 'mmu_notifier_invalidate_range_start',
    contract:
      'Core code announces that it will change the CPU page table in a range: interval notifiers are called, then ordinary ones. It may sleep.',
    variants: [
      {
        since: '4.3',
        until: '4.20',
        file: HEADER,
        prototype:
          'void mmu_notifier_invalidate_range_start(struct mm_struct *mm, unsigned long start, unsigned long end)',
      },
      {
        since: '5.0',
        file: HEADER,
        prototype: 'void mmu_notifier_invalidate_range_start(struct mmu_notifier_range *range)',
      },
    ],
  },
  {
    kind: 'function',
    name: 'mmu_notifier_invalidate_range_end',
    contract:
      'Core code reports that the announced change is done: ordinary notifiers are told, and readers of interval notifiers that wait for it go on.',
    variants: [
      {
        since: '4.3',
        until: '4.20',
        file: HEADER,
        prototype:
          'void mmu_notifier_invalidate_range_end(struct mm_struct *mm, unsigned long start, unsigned long end)',
      },
      {
        since: '5.0',
        file: HEADER,
        prototype: 'void mmu_notifier_invalidate_range_end(struct mmu_notifier_range *range)',
      },
    ],
  },
  {
    kind: 'function',
    name: 'mmu_notifier_range_blockable',
    contract: 'Whether the callbacks of this invalidation may sleep.',
    variants: [
      {
        since: '5.2',
        file: HEADER,
        prototype: 'bool mmu_notifier_range_blockable(const struct mmu_notifier_range *range)',
      },
    ],
  },
];

const names: readonly NeverRecord[] = [
  {
    kind: 'never',
    name: 'interval_sub->notifier.mm',
    documents: { since: '5.6', until: '7.2' },
    contract:
      'The example reaches for the mm through a member called notifier, but an interval notifier holds its mm directly. The same example uses interval_sub as an object elsewhere, so the expression meant is interval_sub.mm.',
    instead: 'mmu_interval_notifier.mm',
  },
];

export const MMU_NOTIFIER_RECORDS = [...functions, ...MMU_NOTIFIER_CALLBACKS, ...names];
