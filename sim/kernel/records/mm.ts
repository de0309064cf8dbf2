/** The mmap lock, page faults, page locks and a few page table tests. */
import type { FunctionRecord } from '../registry.ts';

const LOCK = 'include/linux/mmap_lock.h';
const ATOMIC_USERS = 'include/linux/sched/mm.h';

/** Their code is in sim/mm/mmFunctions.ts. */
export const MM_LOCK_RECORDS: readonly FunctionRecord[] = [
  {
    kind: 'function',
    name: 'mmap_read_lock',
    contract:
      'Takes the lock of an address space for reading: its VMAs and the shape of its page tables stay. It sleeps while somebody holds the lock for writing and must not be taken twice by one task.',
    variants: [{ since: '5.8', file: LOCK, prototype: 'void mmap_read_lock(struct mm_struct *mm)' }],
  },
  {
    kind: 'function',
    name: 'mmap_read_unlock',
    contract:
      'Gives up one reader hold of the lock of an address space; a waiting writer goes on when the last reader leaves.',
    variants: [{ since: '5.8', file: LOCK, prototype: 'void mmap_read_unlock(struct mm_struct *mm)' }],
  },
  {
    kind: 'function',
    name: 'mmap_write_lock',
    contract:
      'Takes the lock of an address space for writing, alone, as everything that adds, removes or changes VMAs does.',
    variants: [{ since: '5.8', file: LOCK, prototype: 'void mmap_write_lock(struct mm_struct *mm)' }],
  },
  {
    kind: 'function',
    name: 'mmap_write_unlock',
    contract: 'Gives up the writer hold of the lock of an address space.',
    variants: [{ since: '5.8', file: LOCK, prototype: 'void mmap_write_unlock(struct mm_struct *mm)' }],
  },
  {
    kind: 'function',
    name: 'down_read',
    contract:
      'Takes a read-write semaphore for reading. Until 5.7 the lock of an address space was taken this way, by its name mmap_sem.',
    variants: [{ since: '4.3', file: 'kernel/locking/rwsem.c', prototype: 'void down_read(struct rw_semaphore *sem)' }],
  },
  {
    kind: 'function',
    name: 'up_read',
    contract: 'Gives up a read-write semaphore that was taken for reading.',
    variants: [{ since: '4.3', file: 'kernel/locking/rwsem.c', prototype: 'void up_read(struct rw_semaphore *sem)' }],
  },
  {
    kind: 'function',
    name: 'mmget_not_zero',
    contract:
      'Takes a reference on the users of an address space, so that it stays populated, unless its last user is gone. Every success needs one mmput.',
    variants: [
      {
        since: '4.11',
        file: ATOMIC_USERS,
        prototype: 'bool mmget_not_zero(struct mm_struct *mm)',
        errors: [{ returns: 'false', when: 'the process has given up the address space' }],
      },
    ],
  },
  {
    kind: 'function',
    name: 'mmput',
    contract:
      'Drops a reference on the users of an address space. The last one takes it apart: notifiers are released and everything is unmapped, which may sleep.',
    variants: [{ since: '4.3', file: 'kernel/fork.c', prototype: 'void mmput(struct mm_struct *mm)' }],
  },
  {
    kind: 'function',
    name: 'down_write',
    contract: 'Takes a read-write semaphore for writing, alone.',
    variants: [
      { since: '4.3', file: 'kernel/locking/rwsem.c', prototype: 'void down_write(struct rw_semaphore *sem)' },
    ],
  },
  {
    kind: 'function',
    name: 'up_write',
    contract: 'Gives up a read-write semaphore that was taken for writing.',
    variants: [{ since: '4.3', file: 'kernel/locking/rwsem.c', prototype: 'void up_write(struct rw_semaphore *sem)' }],
  },
  {
    kind: 'function',
    name: 'find_task_by_vpid',
    contract: 'The task with a process number, or NULL.',
    variants: [{ since: '4.3', file: 'kernel/pid.c', prototype: 'struct task_struct *find_task_by_vpid(pid_t nr)' }],
  },
  {
    kind: 'function',
    name: 'get_task_mm',
    contract:
      'The address space of a task with one more user, which mmput gives back; NULL if the task has none any more.',
    variants: [
      { since: '4.3', file: 'kernel/fork.c', prototype: 'struct mm_struct *get_task_mm(struct task_struct *task)' },
    ],
  },
  {
    kind: 'function',
    name: 'find_vma',
    contract: 'The first VMA that ends behind an address, which it need not contain; NULL if there is none.',
    variants: [
      {
        since: '4.3',
        file: 'mm/mmap.c',
        prototype: 'struct vm_area_struct *find_vma(struct mm_struct *mm, unsigned long addr)',
      },
    ],
  },
  {
    kind: 'function',
    name: 'vma_lookup',
    contract: 'The VMA that contains an address; NULL if none does.',
    variants: [
      {
        since: '5.14',
        file: 'include/linux/mm.h',
        prototype: 'struct vm_area_struct *vma_lookup(struct mm_struct *mm, unsigned long addr)',
      },
    ],
  },
  {
    kind: 'function',
    name: 'mmgrab',
    contract:
      'Takes a reference on struct mm_struct itself: the structure stays, but what it maps may go. Every one needs an mmdrop.',
    variants: [{ since: '4.11', file: ATOMIC_USERS, prototype: 'void mmgrab(struct mm_struct *mm)' }],
  },
  {
    kind: 'function',
    name: 'mmdrop',
    contract: 'Drops a reference on struct mm_struct itself; the last one frees it.',
    variants: [{ since: '4.3', file: ATOMIC_USERS, prototype: 'void mmdrop(struct mm_struct *mm)' }],
  },
  {
    kind: 'function',
    name: 'mmap_read_trylock',
    contract: 'Takes the lock of an address space for reading if that needs no sleep.',
    variants: [
      {
        since: '5.8',
        file: LOCK,
        prototype: 'bool mmap_read_trylock(struct mm_struct *mm)',
        errors: [{ returns: 'false', when: 'a writer holds the lock or waits for it' }],
      },
    ],
  },
  {
    kind: 'function',
    name: 'down_read_trylock',
    contract: 'Takes a read-write semaphore for reading if that needs no sleep.',
    variants: [
      {
        since: '4.3',
        file: 'kernel/locking/rwsem.c',
        prototype: 'int down_read_trylock(struct rw_semaphore *sem)',
        errors: [{ returns: '0', when: 'a writer holds the semaphore or waits for it' }],
      },
    ],
  },
  {
    kind: 'function',
    name: 'handle_mm_fault',
    contract:
      'The one entry to page fault handling: makes an address of a VMA accessible by a new page, a file page, a copy, or by bringing a swapped, migrating or device page back. Returns VM_FAULT_* bits; with VM_FAULT_RETRY the mmap lock may already be dropped.',
    variants: [
      {
        since: '4.3',
        until: '4.7',
        file: 'mm/memory.c',
        prototype:
          'int handle_mm_fault(struct mm_struct *mm, struct vm_area_struct *vma, unsigned long address, unsigned int flags)',
      },
      {
        since: '4.8',
        until: '4.18',
        file: 'mm/memory.c',
        prototype: 'int handle_mm_fault(struct vm_area_struct *vma, unsigned long address, unsigned int flags)',
      },
      {
        since: '4.19',
        until: '5.8',
        file: 'mm/memory.c',
        prototype: 'vm_fault_t handle_mm_fault(struct vm_area_struct *vma, unsigned long address, unsigned int flags)',
      },
      {
        since: '5.9',
        file: 'mm/memory.c',
        prototype:
          'vm_fault_t handle_mm_fault(struct vm_area_struct *vma, unsigned long address, unsigned int flags, struct pt_regs *regs)',
        errors: [
          { returns: 'VM_FAULT_OOM', when: 'no page could be allocated' },
          {
            returns: 'VM_FAULT_SIGBUS',
            when: 'the page cannot be had, as when a driver fails to bring a device page back',
          },
          { returns: 'VM_FAULT_SIGSEGV', when: 'the VMA does not permit the access' },
          { returns: 'VM_FAULT_HWPOISON', when: 'the page was lost to a memory error' },
          { returns: 'VM_FAULT_RETRY', when: 'the handler had to give up the lock: look the VMA up and try again' },
        ],
      },
    ],
  },
  {
    kind: 'function',
    name: 'msecs_to_jiffies',
    contract: 'Converts milliseconds to jiffies, the ticks that kernel timeouts count, rounding up.',
    variants: [
      {
        since: '4.3',
        file: 'include/linux/jiffies.h',
        prototype: 'unsigned long msecs_to_jiffies(const unsigned int m)',
      },
    ],
  },
  {
    kind: 'function',
    name: 'jiffies_to_msecs',
    contract: 'Converts jiffies, the ticks that kernel timeouts count, to milliseconds.',
    variants: [
      { since: '4.3', file: 'kernel/time/time.c', prototype: 'unsigned int jiffies_to_msecs(const unsigned long j)' },
    ],
  },
  {
    kind: 'function',
    name: 'msleep',
    contract: 'Sleeps for so many milliseconds, and a jiffy longer than asked for.',
    variants: [{ since: '4.3', file: 'kernel/time/timer.c', prototype: 'void msleep(unsigned int msecs)' }],
  },
];

/** Their code is in sim/mm/migrateFunctions.ts. */
export const PAGE_LOCK_RECORDS: readonly FunctionRecord[] = [
  {
    kind: 'function',
    name: 'lock_page',
    contract:
      'Sleeps until the lock bit of a page is free and takes it. Whoever holds it keeps the page from being truncated, migrated or mapped anew by others who respect it.',
    variants: [{ since: '4.3', file: 'include/linux/pagemap.h', prototype: 'void lock_page(struct page *page)' }],
  },
  {
    kind: 'function',
    name: 'trylock_page',
    contract: 'Takes the lock bit of a page if nobody has it; never sleeps.',
    variants: [
      {
        since: '4.3',
        file: 'include/linux/pagemap.h',
        prototype: 'bool trylock_page(struct page *page)',
        errors: [{ returns: 'false', when: 'somebody else has the lock' }],
      },
    ],
  },
  {
    kind: 'function',
    name: 'alloc_page_vma',
    contract: 'Allocates a page for an address of a VMA, where its memory policy wants it.',
    variants: [
      {
        since: '4.3',
        file: 'include/linux/gfp.h',
        prototype: 'struct page *alloc_page_vma(gfp_t gfp, struct vm_area_struct *vma, unsigned long addr)',
        errors: [{ returns: 'NULL', when: 'no page could be allocated' }],
      },
    ],
  },
  {
    kind: 'function',
    name: 'copy_highpage',
    contract:
      'Copies what one page holds to another. A driver of a real device lets its own engine copy, because the CPU cannot address device memory.',
    variants: [
      {
        since: '4.3',
        file: 'include/linux/highmem.h',
        prototype: 'void copy_highpage(struct page *to, struct page *from)',
      },
    ],
  },
];

export const MM_RECORDS: readonly FunctionRecord[] = [
  {
    kind: 'function',
    name: 'pte_none',
    contract: 'True if a page table entry is empty: nothing was ever mapped there, or it was unmapped again.',
    variants: [{ since: '4.3', file: 'arch/x86/include/asm/pgtable.h', prototype: 'int pte_none(pte_t pte)' }],
  },
  {
    kind: 'function',
    name: 'is_zero_pfn',
    contract: 'True for the page frame of the zero page, which all read faults on untouched anonymous memory share.',
    variants: [
      {
        since: '4.3',
        until: '5.7',
        file: 'include/asm-generic/pgtable.h',
        prototype: 'int is_zero_pfn(unsigned long pfn)',
      },
      { since: '5.8', file: 'include/linux/pgtable.h', prototype: 'int is_zero_pfn(unsigned long pfn)' },
    ],
  },
];
