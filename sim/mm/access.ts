/**
 * A process touches its memory: what the CPU does by itself (arch/x86/mm/fault.c around it), and what the page
 * then holds. Page by page, with a fault where the entry does not allow the access.
 */
import {
  PTE_DIRTY,
  PTE_WRITE,
  PTE_YOUNG,
  type Pte,
  PteKind,
  pte_pfn,
  pteBits,
  pteKind,
  withBits,
} from '../arch/pte.ts';
import {
  FAULT_FLAG_ALLOW_RETRY,
  FAULT_FLAG_KILLABLE,
  FAULT_FLAG_USER,
  FAULT_FLAG_WRITE,
  type Mm,
  type PageData,
  VM_FAULT_ERROR,
  VM_FAULT_OOM,
  VM_FAULT_RETRY,
  VM_FAULT_SIGSEGV,
  VM_READ,
  VM_WRITE,
} from '../include/mm_types.ts';
import { down_read, up_read } from '../kernel/locking.ts';
import type { Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { pageData, setPageData } from './contents.ts';
import { handle_mm_fault } from './memory.ts';
import { pmdAt, set_pmd_at } from './pgtable.ts';
import { vma_lookup } from './vma.ts';

/** What a process gets for an access that fails. */
export interface Fault {
  readonly signal: 'SIGSEGV' | 'SIGBUS' | 'OOM';
  readonly vpn: number;
}

const USER = FAULT_FLAG_USER | FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_KILLABLE;

/** The page frame behind `vpn` where its entry allows the access; the CPU notes accessed and dirty. -1: a fault. */
function translate(kernel: Kernel, mm: Mm, vpn: number, write: boolean): number {
  const pmd = pmdAt(mm, vpn);
  if (!pmd) return -1;
  const isHuge = pmd.kind === 'huge';
  const entry: Pte = isHuge ? pmd.entry : (pmd.entries[vpn % 512] ?? 0);
  const bits = pteBits(entry);
  if (pteKind(entry) !== PteKind.Present || (write && (bits & PTE_WRITE) === 0)) return -1;
  const wanted = write ? PTE_YOUNG | PTE_DIRTY : PTE_YOUNG;
  if ((bits & wanted) !== wanted) {
    const touched = withBits(entry, wanted);
    if (isHuge) set_pmd_at(kernel, mm, vpn, { ...pmd, entry: touched });
    else kernel.store.set(pmd.entries, vpn % 512, touched);
  }
  return isHuge ? pte_pfn(entry) + (vpn % 512) : pte_pfn(entry);
}

/** fault.c:do_user_addr_fault, until the access is possible: the page frame, or how it ended. */
function* accessPage(kernel: Kernel, mm: Mm, vpn: number, write: boolean): KernelGenerator<number | Fault> {
  for (;;) {
    const pfn = translate(kernel, mm, vpn, write);
    if (pfn >= 0) return pfn;
    yield* down_read(kernel, mm.mmap_lock);
    const vma = vma_lookup(mm, vpn);
    const result =
      vma && allows(vma.flags, write)
        ? yield* handle_mm_fault(kernel, vma, vpn, write ? USER | FAULT_FLAG_WRITE : USER)
        : VM_FAULT_SIGSEGV;
    // A handler that asks for another try has dropped the lock.
    if ((result & VM_FAULT_RETRY) === 0 || isReading(kernel, mm)) up_read(kernel, mm.mmap_lock);
    if ((result & VM_FAULT_ERROR) !== 0)
      return { vpn, signal: result & VM_FAULT_OOM ? 'OOM' : result & VM_FAULT_SIGSEGV ? 'SIGSEGV' : 'SIGBUS' };
  }
}

const isReading = (kernel: Kernel, mm: Mm): boolean =>
  mm.mmap_lock.readers.some((task) => task.id === kernel.current.id);

/** fault.c:access_error. */
const allows = (flags: number, write: boolean): boolean =>
  write ? (flags & VM_WRITE) !== 0 : (flags & (VM_READ | VM_WRITE)) !== 0;

/** The first page of the range that no VMA allows to access; a file that ends before it is a bus error. */
export function* forbidden(
  kernel: Kernel,
  mm: Mm,
  start: number,
  pages: number,
  write: boolean,
): KernelGenerator<Fault | undefined> {
  yield* down_read(kernel, mm.mmap_lock);
  let found: Fault | undefined;
  for (let vpn = start; vpn < start + pages && !found; ) {
    const vma = vma_lookup(mm, vpn);
    if (!vma || !allows(vma.flags, write)) found = { vpn, signal: 'SIGSEGV' };
    else {
      const { file } = vma;
      const end = Math.min(start + pages, vma.end);
      const last = file && file.kind !== 'device' ? vma.start + (file.size - vma.pgoff) : end;
      if (last < end) found = { vpn: Math.max(vpn, last), signal: 'SIGBUS' };
      vpn = vma.end;
    }
  }
  up_read(kernel, mm.mmap_lock);
  return found;
}

/** Reads pages one after the other; `take` gets what each holds. */
export function* readMemory(
  kernel: Kernel,
  mm: Mm,
  start: number,
  pages: number,
  take: (data: PageData, index: number) => void,
): KernelGenerator<Fault | undefined> {
  for (let i = 0; i < pages; i++) {
    let pfn: number | Fault = translate(kernel, mm, start + i, false);
    if (pfn < 0) pfn = yield* accessPage(kernel, mm, start + i, false);
    if (typeof pfn !== 'number') return pfn;
    take(pageData(kernel, pfn), i);
  }
  return undefined;
}

/** Writes pages one after the other; `make` says what each is to hold, from what it held. */
export function* writeMemory(
  kernel: Kernel,
  mm: Mm,
  start: number,
  pages: number,
  make: (index: number, old: PageData) => PageData,
): KernelGenerator<Fault | undefined> {
  for (let i = 0; i < pages; i++) {
    let pfn: number | Fault = translate(kernel, mm, start + i, true);
    if (pfn < 0) pfn = yield* accessPage(kernel, mm, start + i, true);
    if (typeof pfn !== 'number') return pfn;
    setPageData(kernel, pfn, make(i, pageData(kernel, pfn)));
  }
  return undefined;
}
