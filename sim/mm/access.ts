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
  pte_index,
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
  type Vma,
} from '../include/mm_types.ts';
import { fatal_signal_pending } from '../kernel/exit.ts';
import { down_read, up_read } from '../kernel/locking.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import { isFinished, type KernelGenerator } from '../task/task.ts';
import { pageData, setPageData } from './contents.ts';
import { handle_mm_fault } from './memory.ts';
import { entryAt, pmdAt, set_pmd_at } from './pgtable.ts';
import { isStuck, strikesLeft, stuckPageWait } from './stuck_page.ts';
import { vma_lookup } from './vma.ts';

/** What a process gets for an access that fails. */
export interface Fault {
  /** SIGKILL: of the OOM killer; the process ends behind this. */
  readonly signal: 'SIGSEGV' | 'SIGBUS' | 'SIGKILL' | 'OOM';
  readonly vpn: number;
}

const USER = FAULT_FLAG_USER | FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_KILLABLE;

/** The page frame behind `vpn` where its entry allows the access; the CPU notes accessed and dirty. -1: a fault. */
function translate(kernel: Kernel, mm: Mm, vpn: number, write: boolean): number {
  const pmd = pmdAt(mm, vpn);
  if (!pmd) return -1;
  const isHuge = pmd.kind === 'huge';
  const entry: Pte = isHuge ? pmd.entry : (pmd.entries[pte_index(vpn)] ?? 0);
  const bits = pteBits(entry);
  if (pteKind(entry) !== PteKind.Present || (write && (bits & PTE_WRITE) === 0)) return -1;
  const wanted = write ? PTE_YOUNG | PTE_DIRTY : PTE_YOUNG;
  if ((bits & wanted) !== wanted) {
    const touched = withBits(entry, wanted);
    if (isHuge) set_pmd_at(kernel, mm, vpn, { ...pmd, entry: touched });
    else kernel.store.setDense(pmd.entries, pte_index(vpn), touched);
  }
  return isHuge ? pte_pfn(entry) + pte_index(vpn) : pte_pfn(entry);
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

/** What is done with each page: its position in the range, and its frame. */
type Visit = (index: number, pfn: number) => void;

/** The pages of a range one after the other, as long as no entry is in the way; then with faults. */
function* touch(
  kernel: Kernel,
  mm: Mm,
  start: number,
  pages: number,
  write: boolean,
  visit: Visit,
): KernelGenerator<Fault | undefined> {
  let index = 0;
  for (; index < pages; index++) {
    const pfn = translate(kernel, mm, start + index, write);
    if (pfn < 0) break;
    visit(index, pfn);
  }
  if (index === pages) return undefined;
  const at = hex(BigInt(start + index) << 12n);
  return yield* kernel.call(
    'exc_page_fault',
    [at, write ? 'write' : 'read'],
    faults(kernel, mm, start, index, pages, write, visit),
    (fault) => fault?.signal ?? '',
  );
}

/**
 * fault.c:do_user_addr_fault for each page that needs it, until the access is possible. The mmap lock is kept from
 * one fault to the next as long as nobody waits for it, which nobody can tell from taking it anew.
 */
function* faults(
  kernel: Kernel,
  mm: Mm,
  start: number,
  from: number,
  pages: number,
  write: boolean,
  visit: Visit,
): KernelGenerator<Fault | undefined> {
  const flags = write ? USER | FAULT_FLAG_WRITE : USER;
  let isLocked = false;
  let vma: Vma | undefined;
  for (let index = from; index < pages; index++) {
    const vpn = start + index;
    let pfn = translate(kernel, mm, vpn, write);
    while (pfn < 0) {
      if (!isLocked) {
        yield* down_read(kernel, mm.mmap_lock);
        isLocked = true;
        vma = undefined;
      }
      if (!vma || vpn >= vma.end) vma = vma_lookup(mm, vpn);
      const before = entryAt(mm, vpn);
      const strikes = strikesLeft(kernel);
      let result = VM_FAULT_SIGSEGV;
      if (vma && allows(vma.flags, write)) {
        const call = handle_mm_fault(kernel, vma, vpn, flags);
        result = isFinished(call) ? call.value : yield* call;
      }
      // A handler that asks for another try has dropped the lock.
      if ((result & VM_FAULT_RETRY) !== 0) isLocked = isReading(kernel, mm);
      const signal = signalOf(mm, result);
      const stuck = !signal && isStuck(kernel, mm, vpn, before, strikes);
      if (isLocked && (signal || stuck || mm.mmap_lock.waiting.length > 0)) {
        up_read(kernel, mm.mmap_lock);
        isLocked = false;
      }
      if (signal) return { vpn, signal };
      if (stuck) yield* stuckPageWait(kernel, mm, vpn, before);
      pfn = translate(kernel, mm, vpn, write);
    }
    visit(index, pfn);
  }
  if (isLocked) up_read(kernel, mm.mmap_lock);
  return undefined;
}

function signalOf(mm: Mm, result: number): Fault['signal'] | undefined {
  if ((result & VM_FAULT_ERROR) === 0) return undefined;
  if ((result & VM_FAULT_OOM) !== 0) return fatal_signal_pending(mm.owner) ? 'SIGKILL' : 'OOM';
  return (result & VM_FAULT_SIGSEGV) !== 0 ? 'SIGSEGV' : 'SIGBUS';
}

/** Reads pages one after the other; `take` gets what each holds. */
export function* readMemory(
  kernel: Kernel,
  mm: Mm,
  start: number,
  pages: number,
  take: (data: PageData, index: number) => void,
): KernelGenerator<Fault | undefined> {
  return yield* touch(kernel, mm, start, pages, false, (index, pfn) => take(pageData(kernel, pfn), index));
}

/** Writes pages one after the other; `make` says what each is to hold, from what it held. */
export function* writeMemory(
  kernel: Kernel,
  mm: Mm,
  start: number,
  pages: number,
  make: (index: number, old: PageData) => PageData,
): KernelGenerator<Fault | undefined> {
  return yield* touch(kernel, mm, start, pages, true, (index, pfn) =>
    setPageData(kernel, pfn, make(index, pageData(kernel, pfn))),
  );
}
