/**
 * The objects of the virtual half (include/linux/mm_types.h and around): processes, address
 * spaces, page tables, what pages belong to. Virtual addresses are kept as page numbers (`vpn`,
 * address >> 12), which fit a double in every layout; a `pgoff` is a page number inside a file.
 *
 * All of them change only through the store.
 */

import type { Pte } from '../arch/pte.ts';
import type { Kernel } from '../machine/kernel.ts';
import type { MappedPagemap } from '../machine/state.ts';
import type { KernelGenerator } from '../task/task.ts';

/** A virtual address divided by the page size. */
export type Vpn = number & { readonly unit?: 'vpn' };

/** Who holds or waits for a lock: a task by its number, and how it is called for people. */
export interface TaskRef {
  readonly id: number;
  readonly label: string;
}

/** struct rw_semaphore. */
export interface RwSem {
  readonly name: string;
  readonly readers: TaskRef[];
  writer: TaskRef | undefined;
  /** Writers that wait: readers that come later wait behind them. */
  readonly waiting: TaskRef[];
}

/** struct mutex. */
export interface Mutex {
  readonly name: string;
  owner: TaskRef | undefined;
}

/** struct task_struct, as far as memory is concerned: one thread a process. */
export interface Process {
  readonly pid: number;
  readonly comm: string;
  readonly parent: Process | undefined;
  /** Undefined once it has exited. */
  mm: Mm | undefined;
  /** Open files of drivers that want to hear of the end. fork shares them. */
  readonly fds: OpenFile[];
  /** The signal that ended it, or its exit code, once it is over. */
  exit: { code: number; signal: string | undefined } | undefined;
  /** signal->oom_score_adj, -1000 to 1000. */
  oom_score_adj: number;
  /** A signal that ends it as soon as it leaves the kernel (fatal_signal_pending). */
  fatal_signal: string | undefined;
}

/** struct file, of a device: its driver's release runs when the last process has closed it. */
export interface OpenFile {
  readonly name: string;
  /** Processes that have it open. */
  f_count: number;
  readonly release: (kernel: Kernel) => KernelGenerator<void>;
}

/** rss_stat: indices are MM_FILEPAGES, MM_ANONPAGES, MM_SWAPENTS, MM_SHMEMPAGES. */
export const MM_FILEPAGES = 0;
export const MM_ANONPAGES = 1;
export const MM_SWAPENTS = 2;
export const MM_SHMEMPAGES = 3;

/** struct mm_struct. */
export interface Mm {
  readonly id: number;
  readonly owner: Process;
  mm_users: number;
  mm_count: number;
  readonly mmap_lock: RwSem;
  /** Tasks in the middle of a system call of its process: each would be a thread with the address space in use. */
  readonly callers: TaskRef[];
  /** Ascending, never overlapping. */
  readonly vmas: Vma[];
  /** The lowest two levels of the page table, by vpn >> 9. */
  readonly pmds: Map<number, PmdEntry>;
  /** Page frames of the upper tables: PUD, P4D and PGD, by `level:index`. */
  readonly upper: Map<string, number>;
  readonly rss: [file: number, anon: number, swap: number, shmem: number];
  pgtables_bytes: number;
  total_vm: number;
  locked_vm: number;
  pinned_vm: number;
  /** The most that was ever resident and mapped, as far as it was more than what is now. */
  hiwater_rss: number;
  hiwater_vm: number;
  /** MMF_UNSTABLE: the OOM reaper went over it, so what looks untouched may have been written once. */
  unstable: boolean;
  memcg: MemCgroup;
  /** mm->notifier_subscriptions (mmu_notifier_mm before 5.6); made by the first registration. */
  notifier_subscriptions: NotifierSubscriptions | undefined;
  /** mm->hmm of 4.14 to 5.3: `struct hmm`. */
  hmm: object | undefined;
}

/** What mm/mmu_notifier.ts hangs on an mm; its own business. */
export type NotifierSubscriptions = object;

/** struct vm_area_struct. */
export interface Vma {
  readonly mm: Mm;
  /** First page, and the page behind the last. */
  start: Vpn;
  end: Vpn;
  /** VM_* flags. */
  flags: number;
  /** Page offset of `start`: in the file, or for anonymous memory the vpn where it was first mapped. */
  pgoff: number;
  /** The file mapped, or the shmem object behind MAP_SHARED | MAP_ANONYMOUS. */
  readonly file: AddressSpace | undefined;
  anon_vma: AnonVma | undefined;
  /** Every anon_vma whose pages this VMA may map: its own and, after fork, those of its ancestors. */
  readonly anon_vma_chain: AnonVma[];
}

export const VM_READ = 0x1;
export const VM_WRITE = 0x2;
export const VM_EXEC = 0x4;
export const VM_SHARED = 0x8;
export const VM_MAYREAD = 0x10;
export const VM_MAYWRITE = 0x20;
export const VM_MAYEXEC = 0x40;
export const VM_MAYSHARE = 0x80;
/** A handler in user space fills what is missing. */
export const VM_UFFD_MISSING = 0x200;
export const VM_PFNMAP = 0x400;
export const VM_LOCKED = 0x2000;
export const VM_IO = 0x4000;
export const VM_DONTCOPY = 0x20000;
export const VM_DONTEXPAND = 0x40000;
export const VM_ACCOUNT = 0x100000;
export const VM_HUGETLB = 0x400000;
export const VM_MIXEDMAP = 0x10000000;
export const VM_HUGEPAGE = 0x20000000;
export const VM_NOHUGEPAGE = 0x40000000;
/** VMAs whose pages are nobody's business but their driver's. */
export const VM_SPECIAL = VM_IO | VM_DONTEXPAND | VM_PFNMAP | VM_MIXEDMAP;

/** struct anon_vma: the VMAs that may map a set of anonymous pages. */
export interface AnonVma {
  readonly id: number;
  readonly parent: AnonVma | undefined;
  readonly vmas: Vma[];
  /** VMAs whose own anon_vma this is. */
  num_active_vmas: number;
  /** anon_vmas below it. */
  num_children: number;
}

/** struct address_space: the page cache of a file, a shmem object or a hugetlb pool, and who maps it. */
export interface AddressSpace {
  readonly id: number;
  readonly name: string;
  readonly kind: 'file' | 'shmem' | 'hugetlb' | 'device' | 'dax';
  /** Head page frame by page offset. */
  readonly pages: Map<number, number>;
  /** VMAs that map it (i_mmap). */
  readonly vmas: Vma[];
  /** Pages of the file: a fault behind the end is SIGBUS. */
  size: number;
  /** Of `dax`: the first page frame of its storage, and whether nobody has struct pages for it. */
  readonly storage?: { readonly start: number; readonly bare: boolean };
}

/** A page table of 512 PTEs and the frame that holds it. */
export interface PteTable {
  readonly kind: 'table';
  readonly pfn: number;
  /** A PTE each. */
  readonly entries: Float64Array;
}
/** A PMD that maps 2 MiB itself (or says where it went), with the table kept ready for a split. */
export interface HugePmd {
  readonly kind: 'huge';
  readonly entry: Pte;
  readonly deposited: PteTable | undefined;
}
export type PmdEntry = PteTable | HugePmd;

/**
 * What the kernel keeps in struct page (or struct folio) of a page of a process or of the page
 * cache, apart from the columns (flags, refcount, mapcount). By the pfn of the head page.
 */
export interface Folio {
  readonly pfn: number;
  order: number;
  /** folio->mapping: an anon_vma, or the file it caches. */
  mapping: AnonVma | AddressSpace | undefined;
  /** Page offset inside the mapping. */
  index: number;
  memcg: MemCgroup | undefined;
  /** folio->swap: its slot while it is in the swap cache. */
  swap: number | undefined;
  /** Mappings of a large folio as a whole; -1: none. Single pages of it count in the mapcount column. */
  entire_mapcount: number;
  /** _pincount of a large folio. */
  pincount: number;
  /** Who holds PG_locked. */
  locked_by: TaskRef | undefined;
  /** folio->pgmap, of pages of ZONE_DEVICE. */
  readonly pgmap: MappedPagemap | undefined;
}

/** struct mem_cgroup: pages charged, and their limit. */
export interface MemCgroup {
  readonly name: string;
  /** Pages. */
  usage: number;
  max: number;
  /** Charges refused or that had to wait: memory.events. */
  readonly events: { max: number; oom: number; oom_kill: number };
  /** What memory.stat counts; pages by kind are counted anew when it is read. */
  readonly stat: { pgfault: number };
  /** Where reclaim goes on: an address space and a page of it. */
  readonly hand: { mm: number; vpn: number };
}

/**
 * What a page holds, where someone wrote: word i (of 1024, 32 bits each) is base + i * step.
 * Never changed, only replaced, so copies of a page share it. A page without contents holds zeros.
 */
export interface PageData {
  readonly base: number;
  readonly step: number;
}

/** Result bits of a fault (include/linux/mm_types.h: enum vm_fault_reason). */
export const VM_FAULT_OOM = 0x1;
export const VM_FAULT_SIGBUS = 0x2;
export const VM_FAULT_MAJOR = 0x4;
export const VM_FAULT_HWPOISON = 0x10;
export const VM_FAULT_SIGSEGV = 0x40;
export const VM_FAULT_NOPAGE = 0x100;
export const VM_FAULT_LOCKED = 0x200;
export const VM_FAULT_RETRY = 0x400;
export const VM_FAULT_FALLBACK = 0x800;
export const VM_FAULT_ERROR = VM_FAULT_OOM | VM_FAULT_SIGBUS | VM_FAULT_SIGSEGV | VM_FAULT_HWPOISON;

export const FAULT_FLAG_WRITE = 0x1;
export const FAULT_FLAG_ALLOW_RETRY = 0x4;
export const FAULT_FLAG_KILLABLE = 0x10;
export const FAULT_FLAG_USER = 0x40;
export const FAULT_FLAG_REMOTE = 0x80;
export const FAULT_FLAG_UNSHARE = 0x400;

/** struct vm_fault. */
export interface VmFault {
  readonly vma: Vma;
  readonly vpn: Vpn;
  readonly flags: number;
  /** What do_swap_page found in the page table. */
  orig_pte?: number | undefined;
  /** The device page whose migrate_to_ram is called. */
  page?: number | undefined;
}
