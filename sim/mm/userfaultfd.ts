/**
 * fs/userfaultfd.c and mm/userfaultfd.c, the part that fills missing pages: a range of anonymous memory whose first
 * touches are served by a handler in user space. The handler here gives every page the same word; it needs the mmap
 * lock, so whoever faults has to let go of it.
 */
import { NO_PTE, PTE_DIRTY, PTE_WRITE } from '../arch/pte.ts';
import {
  FAULT_FLAG_ALLOW_RETRY,
  MM_ANONPAGES,
  type Mm,
  VM_FAULT_RETRY,
  VM_FAULT_SIGBUS,
  VM_UFFD_MISSING,
  VM_WRITE,
  type VmFault,
} from '../include/mm_types.ts';
import { down_read, down_write, up_read, up_write } from '../kernel/locking.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { alloc_anon_folio } from './anon_folio.ts';
import { setPageData } from './contents.ts';
import { add_mm_counter } from './mm_counter.ts';
import { mk_pte } from './page_prot.ts';
import { pte_alloc, pteAt, set_pte_at } from './pgtable.ts';
import { anon_vma_prepare } from './rmap.ts';
import { folio_add_lru_vma } from './swap.ts';
import { vma_lookup } from './vma.ts';
import { __split_vma } from './vma_merge.ts';

const EINVAL = -22;

/** UFFDIO_REGISTER with UFFDIO_REGISTER_MODE_MISSING, for a range inside one anonymous mapping. 0 or an errno. */
export function* userfaultfd_register(
  kernel: Kernel,
  mm: Mm,
  start: number,
  pages: number,
  word: number,
): KernelGenerator<number> {
  yield* down_write(kernel, mm.mmap_lock);
  const result = yield* register(kernel, mm, start, start + pages);
  if (result === 0) kernel.store.mapSet(kernel.state.uffd, mm.id, word);
  up_write(kernel, mm.mmap_lock);
  return result;
}

function* register(kernel: Kernel, mm: Mm, start: number, end: number): KernelGenerator<number> {
  const vma = vma_lookup(mm, start);
  if (!vma || vma.file || end > vma.end || start >= end) return EINVAL;
  if (start > vma.start) yield* __split_vma(kernel, vma, start, true);
  const inner = vma_lookup(mm, start);
  if (inner && end < inner.end) yield* __split_vma(kernel, inner, end, false);
  const found = vma_lookup(mm, start);
  if (found) kernel.store.set(found, 'flags', found.flags | VM_UFFD_MISSING);
  return 0;
}

/** handle_userfault: the handler is woken, and the fault is tried again when it has filled the page. */
export function* handle_userfault(kernel: Kernel, vmf: VmFault): KernelGenerator<number> {
  return yield* kernel.call('handle_userfault', [hex(vmf.vpn * 4096)], serve(kernel, vmf), hex);
}

function* serve(kernel: Kernel, { vma, vpn, flags }: VmFault): KernelGenerator<number> {
  const { mm } = vma;
  // Whoever cannot try again would sleep with the lock that the handler needs.
  if ((flags & FAULT_FLAG_ALLOW_RETRY) === 0) return VM_FAULT_SIGBUS;
  up_read(kernel, mm.mmap_lock);
  yield* down_read(kernel, mm.mmap_lock);
  mfill_atomic_copy(kernel, mm, vpn);
  up_read(kernel, mm.mmap_lock);
  return VM_FAULT_RETRY;
}

/** mm/userfaultfd.c:mfill_atomic_copy (UFFDIO_COPY) for one page; where something is mapped by now, nothing is done. */
function mfill_atomic_copy(kernel: Kernel, mm: Mm, vpn: number): void {
  const vma = vma_lookup(mm, vpn);
  const word = kernel.state.uffd.get(mm.id);
  if (!vma || word === undefined || (vma.flags & VM_UFFD_MISSING) === 0) return;
  if (!pte_alloc(kernel, mm, vpn) || pteAt(mm, vpn) !== NO_PTE) return;
  anon_vma_prepare(kernel, vma);
  const folio = alloc_anon_folio(kernel, vma, vpn);
  if (!folio) return;
  setPageData(kernel, folio.pfn, { base: word, step: 0 });
  add_mm_counter(kernel, mm, MM_ANONPAGES, 1);
  folio_add_lru_vma(kernel, folio.pfn, vma);
  const isWritable = (vma.flags & VM_WRITE) !== 0;
  set_pte_at(kernel, mm, vpn, mk_pte(vma, folio.pfn, PTE_DIRTY | (isWritable ? PTE_WRITE : 0)));
}
