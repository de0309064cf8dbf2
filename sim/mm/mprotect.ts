/** mm/mprotect.c: the protection of a range of VMAs changes. */
import {
  type Mm,
  VM_ACCOUNT,
  VM_EXEC,
  VM_HUGETLB,
  VM_LOCKED,
  VM_READ,
  VM_SHARED,
  VM_WRITE,
  type Vma,
} from '../include/mm_types.ts';
import { down_write, up_write } from '../kernel/locking.ts';
import type { Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { change_protection } from './change_protection.ts';
import { populate_vma_page_range } from './mlock.ts';
import { vm_enough_memory } from './mmap.ts';
import { find_vma_intersection, vma_is_anonymous } from './vma.ts';
import { vma_modify_flags } from './vma_merge.ts';

const ENOMEM = -12;
const EACCES = -13;
const EINVAL = -22;
const ACCESS = VM_READ | VM_WRITE | VM_EXEC;

/** mprotect.c:do_mprotect_pkey: 0 or an errno. What lies before a hole or a refusal has changed by then. */
export function* do_mprotect(
  kernel: Kernel,
  mm: Mm,
  start: number,
  pages: number,
  prot: number,
): KernelGenerator<number> {
  if (pages === 0) return 0;
  if (pages < 0) return ENOMEM;
  if ((prot & ~ACCESS) !== 0) return EINVAL;
  yield* down_write(kernel, mm.mmap_lock);
  const error = yield* protectRange(kernel, mm, start, start + pages, prot);
  up_write(kernel, mm.mmap_lock);
  return error;
}

function* protectRange(kernel: Kernel, mm: Mm, start: number, end: number, prot: number): KernelGenerator<number> {
  let at = start;
  while (at < end) {
    const vma = find_vma_intersection(mm, at, end);
    if (!vma || vma.start > at) return ENOMEM;
    const flags = (vma.flags & ~ACCESS) | prot;
    // VM_MAYREAD and its kin stand four bits above what they allow.
    if ((flags & ~(flags >> 4) & ACCESS) !== 0) return EACCES;
    const last = Math.min(vma.end, end);
    const error = yield* mprotect_fixup(kernel, vma, at, last, flags);
    if (error !== 0) return error;
    at = last;
  }
  return 0;
}

/** mprotect.c:mprotect_fixup. */
function* mprotect_fixup(
  kernel: Kernel,
  vma: Vma,
  start: number,
  end: number,
  wanted: number,
): KernelGenerator<number> {
  const old = vma.flags;
  if (wanted === old) return 0;
  let flags = wanted;
  if ((flags & VM_WRITE) !== 0) {
    if ((old & (VM_ACCOUNT | VM_WRITE | VM_HUGETLB | VM_SHARED)) === 0) {
      if (!vm_enough_memory(kernel, end - start)) return ENOMEM;
      flags |= VM_ACCOUNT;
    }
  } else if ((old & VM_ACCOUNT) !== 0 && vma_is_anonymous(vma) && !vma.anon_vma) flags &= ~VM_ACCOUNT;
  const changed = yield* vma_modify_flags(kernel, vma, start, end, flags);
  if (typeof changed === 'number') return changed;
  kernel.store.set(changed, 'flags', flags);
  yield* change_protection(kernel, changed, start, end, flags);
  // Locked private memory that becomes writable is made private now; the lock is held all the while.
  const isLockedCow = (old & (VM_WRITE | VM_SHARED | VM_LOCKED)) === VM_LOCKED && (flags & VM_WRITE) !== 0;
  for (let at = start; isLockedCow && at < end; ) {
    const done = yield* populate_vma_page_range(kernel, changed, at, end);
    if (done <= 0) break;
    at += done;
  }
  return 0;
}
