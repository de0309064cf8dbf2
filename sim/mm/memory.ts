/**
 * mm/memory.c: the way of a page fault. Faults that cannot sleep (a fresh page, the zero page, a copy that no
 * device must be told of) are plain functions; the others go the long way, which is a generator.
 */
import {
  is_swap_pte,
  NO_PTE,
  PTE_DIRTY,
  PTE_SPECIAL,
  PTE_WRITE,
  PTE_YOUNG,
  type Pte,
  PteKind,
  pte_index,
  pte_pfn,
  pteBits,
  withBits,
} from '../arch/pte.ts';
import {
  FAULT_FLAG_UNSHARE,
  FAULT_FLAG_WRITE,
  type HugePmd,
  MM_ANONPAGES,
  type PteTable,
  VM_EXEC,
  VM_FAULT_FALLBACK,
  VM_FAULT_OOM,
  VM_FAULT_RETRY,
  VM_FAULT_SIGBUS,
  VM_FAULT_SIGSEGV,
  VM_HUGETLB,
  VM_READ,
  VM_SHARED,
  VM_UFFD_MISSING,
  VM_WRITE,
  type Vma,
  type VmFault,
} from '../include/mm_types.ts';
import { hex, type Kernel, type TracedCall } from '../machine/kernel.ts';
import { after, finished, isFinished, type KernelGenerator } from '../task/task.ts';
import { alloc_anon_folio } from './anon_folio.ts';
import { isDevicePage } from './folio.ts';
import { do_huge_pmd_fault, do_huge_pmd_missing } from './huge_memory.ts';
import { hugetlb_fault } from './hugetlb.ts';
import { fault_out_of_memory } from './memcg_oom.ts';
import { do_fault } from './memory_file.ts';
import { do_swap_page } from './memory_swap.ts';
import { do_wp_page, quick_wp_page } from './memory_wp.ts';
import { add_mm_counter } from './mm_counter.ts';
import { mmu_notifier_may_tell_now } from './mmu_notifier.ts';
import { is_numa_hint, is_shared, maybe_mkwrite, mk_pte, pte_modify, vma_is_anonymous } from './page_prot.ts';
import { PTRS_PER_PTE, pte_alloc, pteTableAt } from './pgtable.ts';
import { anon_vma_prepare } from './rmap.ts';
import { folio_add_lru_vma } from './swap.ts';
import { handle_userfault } from './userfaultfd.ts';
import { count_vm_event } from './vmstat.ts';
import { zero_pfn } from './zero_page.ts';

export { zero_pfn };

/** What a quick path gives where only the long way leads on. */
const LONG_WAY = -1;

/**
 * memory.c:handle_mm_fault: makes the page at `vpn` accessible as the flags say; VM_FAULT_* bits. The mmap lock
 * is held for reading.
 */
export function handle_mm_fault(kernel: Kernel, vma: Vma, vpn: number, flags: number): KernelGenerator<number> {
  if ((vma.flags & accessOf(flags)) === 0) return finished(VM_FAULT_SIGSEGV);
  const refusals = vma.mm.memcg.events.max;
  const result = quick_mm_fault(kernel, vma, vpn, flags);
  if (result !== LONG_WAY && (result & VM_FAULT_OOM) === 0) return finished(result);
  const vmf: VmFault = { vma, vpn, flags, orig_pte: undefined, page: undefined };
  if (result !== LONG_WAY) return untilMemory(kernel, vmf, result, refusals);
  const call = long_mm_fault(kernel, vmf);
  if (isFinished(call) && (call.value & VM_FAULT_OOM) === 0) return call;
  return oomLater(kernel, vmf, call, refusals);
}

/** The long way, once. */
const long_mm_fault = (kernel: Kernel, vmf: VmFault): KernelGenerator<number> => kernel.run(HANDLE_MM_FAULT, vmf);

function* oomLater(
  kernel: Kernel,
  vmf: VmFault,
  call: KernelGenerator<number>,
  refusals: number,
): KernelGenerator<number> {
  return yield* untilMemory(kernel, vmf, yield* call, refusals);
}

/** The result of a fault; again where memory was found after all. `refusals` is what the limit had refused before. */
function* untilMemory(kernel: Kernel, vmf: VmFault, first: number, refusals: number): KernelGenerator<number> {
  const { vma, vpn, flags } = vmf;
  const { events, stat } = vma.mm.memcg;
  let result = first;
  let before = refusals;
  for (;;) {
    if ((result & VM_FAULT_OOM) === 0) return result;
    if (!(yield* fault_out_of_memory(kernel, vma.mm, flags, events.max > before))) return result;
    // The kernel waits inside the fault, which is one.
    count_vm_event(kernel, 'pgfault', -1);
    kernel.store.add(stat, 'pgfault', -1);
    before = events.max;
    result = quick_mm_fault(kernel, vma, vpn, flags);
    if (result === LONG_WAY) result = yield* long_mm_fault(kernel, vmf);
  }
}

const accessOf = (flags: number): number =>
  (flags & FAULT_FLAG_WRITE) !== 0 ? VM_WRITE : VM_READ | VM_WRITE | VM_EXEC;
const faultArgs = (vpn: number, flags: number) => (): string[] => [
  hex(vpn * 4096),
  (flags & FAULT_FLAG_WRITE) !== 0 ? 'FAULT_FLAG_WRITE' : hex(flags),
];

/** memory.c:mm_account_fault. */
function account(kernel: Kernel, vma: Vma, result: number): number {
  if ((result & VM_FAULT_RETRY) !== 0 && kernel.facts.pgfaultNotOnRetry) return result;
  count_vm_event(kernel, 'pgfault');
  const { stat } = vma.mm.memcg;
  kernel.store.willAdd(stat, 'pgfault');
  stat.pgfault++;
  return result;
}

/* ---- what cannot sleep ---- */

/** The fault if nothing in its way can sleep, or LONG_WAY, and then nothing has happened. */
function quick_mm_fault(kernel: Kernel, vma: Vma, vpn: number, flags: number): number {
  if ((vma.flags & VM_HUGETLB) !== 0) return LONG_WAY;
  const pmd = vma.mm.pmds.get(Math.floor(vpn / PTRS_PER_PTE));
  if (pmd?.kind !== 'table') return LONG_WAY;
  const pte = pmd.entries[pte_index(vpn)] ?? NO_PTE;
  if (
    pte === NO_PTE
      ? !vma_is_anonymous(vma) || (vma.flags & (VM_SHARED | VM_UFFD_MISSING)) !== 0
      : !isQuickPresent(kernel, vma, pte, flags)
  )
    return LONG_WAY;
  if (kernel.isCrowded()) return account(kernel, vma, quick_pte_fault(kernel, vma, vpn, flags, pmd, pte));
  return kernel.leaf(
    'handle_mm_fault',
    faultArgs(vpn, flags),
    () => account(kernel, vma, tracedPteFault(kernel, vma, vpn, flags, pmd, pte)),
    hex,
  );
}

/** A present entry that needs its bits set, or a private copy that no device has to hear of. */
function isQuickPresent(kernel: Kernel, vma: Vma, pte: Pte, flags: number): boolean {
  if ((pteBits(pte) & 15) !== PteKind.Present) return false;
  if ((flags & FAULT_FLAG_UNSHARE) !== 0) return false;
  if ((flags & FAULT_FLAG_WRITE) === 0 || (pteBits(pte) & PTE_WRITE) !== 0) return true;
  if (is_shared(vma) || !mmu_notifier_may_tell_now(kernel, vma.mm)) return false;
  return (pteBits(pte) & PTE_SPECIAL) !== 0 || !isDevicePage(kernel, pte_pfn(pte));
}

function quick_pte_fault(kernel: Kernel, vma: Vma, vpn: number, flags: number, table: PteTable, pte: Pte): number {
  if (pte === NO_PTE) return do_anonymous_page(kernel, vma, vpn, flags, table);
  if ((flags & FAULT_FLAG_WRITE) !== 0 && (pteBits(pte) & PTE_WRITE) === 0)
    return quick_wp_page(kernel, vma, vpn, table, pte);
  return set_access_flags(kernel, vpn, flags, table, pte);
}

/** The same with the kernel's function on the way in the trace. */
function tracedPteFault(kernel: Kernel, vma: Vma, vpn: number, flags: number, table: PteTable, pte: Pte): number {
  const isWrite = (flags & FAULT_FLAG_WRITE) !== 0 && (pteBits(pte) & PTE_WRITE) === 0;
  const name = pte === NO_PTE ? 'do_anonymous_page' : isWrite ? 'do_wp_page' : 'ptep_set_access_flags';
  return kernel.leaf(name, [], () => quick_pte_fault(kernel, vma, vpn, flags, table, pte), hex);
}

/** The end of handle_pte_fault: the entry permits the access, and learns of it. */
function set_access_flags(kernel: Kernel, vpn: number, flags: number, table: PteTable, pte: Pte): number {
  const bits = (flags & FAULT_FLAG_WRITE) !== 0 ? PTE_YOUNG | PTE_DIRTY : PTE_YOUNG;
  kernel.store.setDense(table.entries, pte_index(vpn), withBits(pte, bits));
  return 0;
}

/** memory.c:do_anonymous_page for a small page: the zero page for reading, a fresh page for writing. */
function do_anonymous_page(kernel: Kernel, vma: Vma, vpn: number, flags: number, table: PteTable): number {
  // check_stable_address_space: what looks untouched may have been reaped.
  if ((vma.flags & VM_SHARED) !== 0 || vma.mm.unstable) return VM_FAULT_SIGBUS;
  let pte: Pte;
  if ((flags & FAULT_FLAG_WRITE) === 0) pte = mk_pte(vma, zero_pfn(kernel), PTE_SPECIAL);
  else {
    anon_vma_prepare(kernel, vma);
    const folio = alloc_anon_folio(kernel, vma, vpn);
    if (!folio) return VM_FAULT_OOM;
    add_mm_counter(kernel, vma.mm, MM_ANONPAGES, 1);
    folio_add_lru_vma(kernel, folio.pfn, vma);
    pte = mk_pte(vma, folio.pfn, (vma.flags & VM_WRITE) !== 0 ? PTE_WRITE | PTE_DIRTY : 0);
  }
  kernel.store.setDense(table.entries, pte_index(vpn), pte);
  return 0;
}

/* ---- the long way ---- */

function counted(kernel: Kernel, vmf: VmFault): KernelGenerator<number> {
  const isHugetlb = (vmf.vma.flags & VM_HUGETLB) !== 0;
  const call = isHugetlb ? hugetlb_fault(kernel, vmf) : __handle_mm_fault(kernel, vmf);
  return after(call, accounted, kernel, vmf);
}

const accounted = (kernel: Kernel, { vma }: VmFault, result: number): KernelGenerator<number> =>
  finished(account(kernel, vma, result));

const HANDLE_MM_FAULT: TracedCall<VmFault, number> = {
  name: 'handle_mm_fault',
  args: ({ vpn, flags }) => faultArgs(vpn, flags)(),
  body: counted,
  print: hex,
};

/** memory.c:__handle_mm_fault: huge entries first, then the table. */
function __handle_mm_fault(kernel: Kernel, vmf: VmFault): KernelGenerator<number> {
  const { vma, vpn } = vmf;
  const pmd = vma.mm.pmds.get(Math.floor(vpn / PTRS_PER_PTE));
  if (pmd?.kind === 'huge') return handle_huge_fault(kernel, vmf, pmd);
  if (!pmd && (vma.flags & VM_UFFD_MISSING) === 0) {
    const result = do_huge_pmd_missing(kernel, vmf);
    if ((result & VM_FAULT_FALLBACK) === 0) return finished(result);
  }
  return handle_pte_fault(kernel, vmf);
}

function* handle_huge_fault(kernel: Kernel, vmf: VmFault, pmd: HugePmd): KernelGenerator<number> {
  const result = yield* do_huge_pmd_fault(kernel, vmf, pmd);
  return (result & VM_FAULT_FALLBACK) === 0 ? result : yield* handle_pte_fault(kernel, vmf);
}

/** memory.c:handle_pte_fault. */
function handle_pte_fault(kernel: Kernel, vmf: VmFault): KernelGenerator<number> {
  const { vma, vpn, flags } = vmf;
  const table = pteTableAt(vma.mm, vpn);
  const pte = table?.entries[pte_index(vpn)] ?? NO_PTE;
  if (!table || pte === NO_PTE) return do_pte_missing(kernel, vmf);
  if (is_swap_pte(pte)) return do_swap_page(kernel, vmf, pte);
  if (is_numa_hint(vma, pte)) return finished(do_numa_page(kernel, vmf, table, pte));
  if ((flags & (FAULT_FLAG_WRITE | FAULT_FLAG_UNSHARE)) !== 0 && (pteBits(pte) & PTE_WRITE) === 0)
    return kernel.call('do_wp_page', () => [hex(vpn * 4096)], do_wp_page(kernel, vmf, pte), hex);
  return finished(set_access_flags(kernel, vpn, flags, table, pte));
}

/** memory.c:do_pte_missing. */
function* do_pte_missing(kernel: Kernel, vmf: VmFault): KernelGenerator<number> {
  const { vma, vpn, flags } = vmf;
  if (!vma_is_anonymous(vma)) return yield* do_fault(kernel, vmf);
  const table = pte_alloc(kernel, vma.mm, vpn);
  if (!table) return VM_FAULT_OOM;
  if ((vma.flags & VM_UFFD_MISSING) !== 0) return yield* handle_userfault(kernel, vmf);
  return kernel.leaf(
    'do_anonymous_page',
    () => [hex(vpn * 4096)],
    () => do_anonymous_page(kernel, vma, vpn, flags, table),
    hex,
  );
}

/** memory.c:do_numa_page where the page is on a node that will do: the entry becomes accessible again. */
function do_numa_page(kernel: Kernel, { vma, vpn }: VmFault, table: PteTable, pte: Pte): number {
  count_vm_event(kernel, 'numa_hint_faults');
  const open = withBits(pte_modify(vma, pte), PTE_YOUNG);
  const wasWritable = (pteBits(pte) & PTE_WRITE) !== 0;
  kernel.store.setDense(table.entries, pte_index(vpn), wasWritable ? maybe_mkwrite(vma, open) : open);
  return 0;
}
