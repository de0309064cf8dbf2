/** Names of mm/mmu_notifier.c and include/linux/mmu_notifier.h. */
import type { CallbackRecord, FunctionRecord, NeverRecord, StructRecord } from '../registry.ts';

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
    name: 'release',
    struct: 'mmu_notifier_ops',
    file: HEADER,
    since: '4.3',
    prototype: 'void (*release)(struct mmu_notifier *subscription, struct mm_struct *mm)',
    contract: 'The process exits, or the notifier is unregistered before that: no further use of the address space.',
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
  {
    kind: 'callback',
    name: 'alloc_notifier',
    struct: 'mmu_notifier_ops',
    file: HEADER,
    since: '5.4',
    prototype: 'struct mmu_notifier *(*alloc_notifier)(struct mm_struct *mm)',
    contract: 'Makes the struct that mmu_notifier_get registers, usually inside one of the driver; or an ERR_PTR.',
  },
  {
    kind: 'callback',
    name: 'free_notifier',
    struct: 'mmu_notifier_ops',
    file: HEADER,
    since: '5.4',
    prototype: 'void (*free_notifier)(struct mmu_notifier *subscription)',
    contract: 'Frees what alloc_notifier made, once the last mmu_notifier_put is done and nobody is in a callback.',
  },
];

/** Their code is in sim/mm/notifierFunctions.ts. */
export const MMU_NOTIFIER_FUNCTION_RECORDS: readonly FunctionRecord[] = [
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
    name: 'mmu_notifier_register',
    contract:
      'Puts a notifier on the list of an address space, whose users the caller holds; it takes the mmap lock for writing. The notifier keeps a reference on the mm structure until it is unregistered.',
    variants: [
      {
        since: '4.3',
        file: FILE,
        prototype: 'int mmu_notifier_register(struct mmu_notifier *subscription, struct mm_struct *mm)',
        errors: [{ returns: '-ENOMEM', when: 'the notifier state of the mm could not be allocated' }],
      },
    ],
  },
  {
    kind: 'function',
    name: '__mmu_notifier_register',
    contract: 'The same as mmu_notifier_register for a caller that holds the mmap lock for writing.',
    variants: [
      {
        since: '4.3',
        file: FILE,
        prototype: 'int __mmu_notifier_register(struct mmu_notifier *subscription, struct mm_struct *mm)',
        errors: [{ returns: '-ENOMEM', when: 'the notifier state of the mm could not be allocated' }],
      },
    ],
  },
  {
    kind: 'function',
    name: 'mmu_notifier_get',
    contract:
      'The notifier with these callbacks on an address space, one for all who ask: alloc_notifier makes it for the first, and each call needs an mmu_notifier_put. It takes the mmap lock for writing.',
    variants: [
      {
        since: '5.4',
        file: FILE,
        prototype: 'struct mmu_notifier *mmu_notifier_get(const struct mmu_notifier_ops *ops, struct mm_struct *mm)',
        errors: [
          { returns: 'ERR_PTR', when: 'alloc_notifier gives an error' },
          { returns: 'ERR_PTR(-ENOMEM)', when: 'the notifier state of the mm could not be allocated' },
        ],
      },
    ],
  },
  {
    kind: 'function',
    name: 'mmu_notifier_put',
    contract:
      'Gives back what mmu_notifier_get gave. The last one takes the notifier off its address space and has free_notifier free it once nobody can be inside its callbacks; release() is not called.',
    variants: [{ since: '5.4', file: FILE, prototype: 'void mmu_notifier_put(struct mmu_notifier *subscription)' }],
  },
  {
    kind: 'function',
    name: 'mmu_notifier_unregister',
    contract:
      'Takes a notifier off its address space. Its release() runs first, unless the exit of the process has called it already.',
    variants: [
      {
        since: '4.3',
        file: FILE,
        prototype: 'void mmu_notifier_unregister(struct mmu_notifier *subscription, struct mm_struct *mm)',
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

const structs: readonly StructRecord[] = [
  {
    kind: 'struct',
    name: 'interval_tree_node',
    file: 'include/linux/interval_tree.h',
    since: '4.3',
    contract: 'An interval in a tree, with both of its ends included.',
    fields: [
      { name: 'start', type: 'unsigned long', contract: 'first address', since: '4.3' },
      { name: 'last', type: 'unsigned long', contract: 'last address', since: '4.3' },
    ],
  },
  {
    kind: 'struct',
    name: 'mmu_notifier',
    file: HEADER,
    since: '4.3',
    contract: 'A subscription to all changes of one address space.',
    fields: [
      { name: 'ops', type: 'const struct mmu_notifier_ops *', contract: 'the callbacks', since: '4.3' },
      { name: 'mm', type: 'struct mm_struct *', contract: 'the address space it watches', since: '5.4' },
      { name: 'users', type: 'unsigned int', contract: 'calls of mmu_notifier_get that were not put', since: '5.4' },
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

export const MMU_NOTIFIER_RECORDS = [...MMU_NOTIFIER_CALLBACKS, ...structs, ...names];
