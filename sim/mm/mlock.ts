/** mm/mlock.c: mlock and munlock of a range. */
import { PTE_SPECIAL, pte_index, pte_pfn, pte_present, pteBits } from '../arch/pte.ts';
import { type Mm, VM_HUGETLB, VM_LOCKED, VM_SHARED, VM_SPECIAL, VM_WRITE, type Vma } from '../include/mm_types.ts';
import { down_read, down_write, up_read, up_write } from '../kernel/locking.ts';
import type { Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { folioOf, isDevicePage } from './folio.ts';
import { __get_user_pages, put_user_pages } from './gup.ts';
import { mlock_folio, munlock_folio } from './mlock_folio.ts';
import { TASK_SIZE } from './mmap.ts';
import { pmdAt } from './pgtable.ts';
import { lru_add_drain } from './swap.ts';
import { find_vma, find_vma_intersection, vma_lookup } from './vma.ts';
import { vma_modify_flags } from './vma_merge.ts';

const EAGAIN = -11;
const ENOMEM = -12;
const EFAULT = -14;
const EINVAL = -22;
/** Pages that are faulted in at a time. */
const CHUNK = 512;

/** mlock.c:do_mlock: 0 or an errno; what is mapped before a hole is locked all the same. */
export function* do_mlock(kernel: Kernel, mm: Mm, start: number, pages: number): KernelGenerator<number> {
  lru_add_drain(kernel);
  yield* down_write(kernel, mm.mmap_lock);
  const error = yield* apply_vma_lock_flags(kernel, mm, start, pages, true);
  up_write(kernel, mm.mmap_lock);
  if (error !== 0) return error;
  // __mlock_posix_error_return
  const populated = yield* mm_populate(kernel, mm, start, pages);
  return populated === EFAULT ? ENOMEM : populated === ENOMEM ? EAGAIN : populated;
}

/** mlock.c:munlock. */
export function* do_munlock(kernel: Kernel, mm: Mm, start: number, pages: number): KernelGenerator<number> {
  yield* down_write(kernel, mm.mmap_lock);
  const error = yield* apply_vma_lock_flags(kernel, mm, start, pages, false);
  up_write(kernel, mm.mmap_lock);
  return error;
}

function* apply_vma_lock_flags(
  kernel: Kernel,
  mm: Mm,
  start: number,
  pages: number,
  lock: boolean,
): KernelGenerator<number> {
  const end = start + pages;
  if (pages < 0 || end > TASK_SIZE + 1) return EINVAL;
  if (pages === 0) return 0;
  if (!vma_lookup(mm, start)) return ENOMEM;
  let at = start;
  while (at < end) {
    const vma = find_vma_intersection(mm, at, end);
    if (!vma || vma.start > at) return ENOMEM;
    const flags = lock ? vma.flags | VM_LOCKED : vma.flags & ~VM_LOCKED;
    const last = Math.min(vma.end, end);
    const error = yield* mlock_fixup(kernel, vma, at, last, flags);
    if (error !== 0) return error;
    at = last;
  }
  return 0;
}

/** mlock.c:mlock_fixup. Special VMAs and huge pages of hugetlbfs are not swapped anyway: nothing is done. */
function* mlock_fixup(kernel: Kernel, vma: Vma, start: number, end: number, flags: number): KernelGenerator<number> {
  const { store } = kernel;
  const { mm } = vma;
  if (flags === vma.flags || (vma.flags & (VM_SPECIAL | VM_HUGETLB)) !== 0) return 0;
  const changed = yield* vma_modify_flags(kernel, vma, start, end, flags);
  if (typeof changed === 'number') return changed;
  const isLocking = (flags & VM_LOCKED) !== 0;
  store.set(mm, 'locked_vm', mm.locked_vm + (isLocking ? end - start : start - end));
  store.set(changed, 'flags', flags);
  mlock_vma_pages_range(kernel, changed, start, end, isLocking);
  return 0;
}

/** mlock.c:mlock_vma_pages_range: the pages that are there. What is on a device is not looked at. */
function mlock_vma_pages_range(kernel: Kernel, vma: Vma, start: number, end: number, lock: boolean): void {
  lru_add_drain(kernel);
  for (let vpn = start; vpn < end; vpn++) {
    const pmd = pmdAt(vma.mm, vpn);
    if (!pmd) {
      vpn += 511 - pte_index(vpn);
      continue;
    }
    const entry = pmd.kind === 'huge' ? pmd.entry : (pmd.entries[pte_index(vpn)] ?? 0);
    if (pmd.kind === 'huge') vpn += 511 - pte_index(vpn);
    if (!pte_present(entry) || (pteBits(entry) & PTE_SPECIAL) !== 0) continue;
    const folio = folioOf(kernel, pte_pfn(entry));
    if (!folio || isDevicePage(kernel, folio.pfn) || (pmd.kind === 'table' && folio.order > 0)) continue;
    if (lock) mlock_folio(kernel, folio);
    else munlock_folio(kernel, folio);
  }
  lru_add_drain(kernel);
}

/** gup.c:__mm_populate: faults the range in, as a write where that makes pages private. */
export function* mm_populate(kernel: Kernel, mm: Mm, start: number, pages: number): KernelGenerator<number> {
  const end = start + pages;
  let at = start;
  while (at < end) {
    yield* down_read(kernel, mm.mmap_lock);
    const vma = find_vma(mm, at);
    if (!vma || vma.start >= end) {
      up_read(kernel, mm.mmap_lock);
      return 0;
    }
    at = Math.max(at, vma.start);
    if ((vma.flags & VM_SPECIAL) !== 0) {
      at = vma.end;
      up_read(kernel, mm.mmap_lock);
      continue;
    }
    const done = yield* populate_vma_page_range(kernel, vma, at, Math.min(vma.end, end));
    up_read(kernel, mm.mmap_lock);
    if (done < 0) return done;
    at += done;
  }
  return 0;
}

/** gup.c:populate_vma_page_range, a chunk of it: how many pages, or an errno. */
export function* populate_vma_page_range(
  kernel: Kernel,
  vma: Vma,
  start: number,
  end: number,
  write = (vma.flags & (VM_WRITE | VM_SHARED)) === VM_WRITE,
): KernelGenerator<number> {
  const pages: number[] = [];
  const count = Math.min(end - start, CHUNK);
  const done = yield* __get_user_pages(kernel, vma.mm, start, count, { write, remote: false }, pages);
  // FOLL_GET is not asked for: nobody keeps them.
  yield* put_user_pages(kernel, pages, false);
  lru_add_drain(kernel);
  return done;
}
