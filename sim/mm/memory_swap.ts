/** mm/memory.c:do_swap_page: an access to an entry that is not present, by what it stands for. */
import {
  is_device_exclusive_entry,
  is_device_private_entry,
  is_migration_entry,
  NO_PTE,
  PTE_DIRTY,
  PTE_EXCLUSIVE,
  PTE_WRITE,
  type Pte,
  PteKind,
  pte_pfn,
  pteBits,
  pteKind,
  withBits,
} from '../arch/pte.ts';
import {
  FAULT_FLAG_WRITE,
  type Folio,
  MM_ANONPAGES,
  MM_SWAPENTS,
  VM_FAULT_ERROR,
  VM_FAULT_HWPOISON,
  VM_FAULT_MAJOR,
  VM_FAULT_OOM,
  VM_FAULT_SIGBUS,
  VM_FAULT_SIGSEGV,
  VM_LOCKED,
  VM_WRITE,
  type VmFault,
} from '../include/mm_types.ts';
import { folio_lock, folio_unlock } from '../kernel/locking.ts';
import { hex, type Kernel, type TracedCall } from '../machine/kernel.ts';
import { finished, giving, type KernelGenerator } from '../task/task.ts';
import { folio_prealloc } from './anon_folio.ts';
import { remove_device_exclusive_entry } from './device_exclusive.ts';
import { device_private_fault, migration_entry_wait } from './device_private.ts';
import { folio_get, folio_put_system } from './folio.ts';
import { PG_LRU, PG_SWAPBACKED, PG_SWAPCACHE, PG_UPTODATE, setFlag, testFlag } from './folio_record.ts';
import { do_wp_page } from './memory_wp.ts';
import { mlock_vma_folio } from './mlock_folio.ts';
import { add_mm_counter } from './mm_counter.ts';
import { maybe_mkwrite, mk_pte } from './page_prot.ts';
import { pteAt, set_pte_at } from './pgtable.ts';
import {
  anon_vma_prepare,
  folio_add_new_anon_rmap,
  folio_add_rmap_pte,
  folio_test_anon,
  setPageAnonExclusive,
} from './rmap.ts';
import { folio_add_lru, lru_add_drain } from './swap.ts';
import {
  add_to_swap_cache,
  folio_free_swap,
  swap_cache_get_folio,
  swap_free,
  swap_read_folio,
  swapEntryOf,
  vm_swap_full,
} from './swap_state.ts';
import { count_vm_event } from './vmstat.ts';

/** include/linux/swapops.h: what a marker says. */
export const PTE_MARKER_UFFD_WP = 1;
export const PTE_MARKER_POISONED = 2;
export const PTE_MARKER_GUARD = 4;

/** memory.c:do_swap_page. */
export function do_swap_page(kernel: Kernel, vmf: VmFault, pte: Pte): KernelGenerator<number> {
  vmf.orig_pte = pte;
  return kernel.run(DO_SWAP_PAGE, vmf);
}

const DO_SWAP_PAGE: TracedCall<VmFault, number> = {
  name: 'do_swap_page',
  args: ({ vpn }) => [hex(vpn * 4096)],
  body: byKind,
  print: hex,
};

function byKind(kernel: Kernel, vmf: VmFault): KernelGenerator<number> {
  const pte = vmf.orig_pte ?? NO_PTE;
  // pte_same: what it named may be somebody else's by now.
  if (pteAt(vmf.vma.mm, vmf.vpn) !== pte) return finished(0);
  if (is_migration_entry(pte)) return giving(migration_entry_wait(kernel, vmf.vma.mm, vmf.vpn, pte), 0);
  if (is_device_exclusive_entry(pte)) return remove_device_exclusive_entry(kernel, vmf);
  if (is_device_private_entry(pte)) return device_private_fault(kernel, vmf, pte_pfn(pte));
  if (pteKind(pte) === PteKind.Hwpoison) return finished(VM_FAULT_HWPOISON);
  if (pteKind(pte) === PteKind.Marker) return finished(handle_pte_marker(kernel, pte));
  return swapIn(kernel, vmf, pte);
}

/** memory.c:handle_pte_marker. */
function handle_pte_marker(kernel: Kernel, pte: Pte): number {
  const marker = pte_pfn(pte);
  if ((marker & PTE_MARKER_POISONED) !== 0) return kernel.facts.markerIsHwpoison ? VM_FAULT_HWPOISON : VM_FAULT_SIGBUS;
  return (marker & PTE_MARKER_GUARD) !== 0 ? VM_FAULT_SIGSEGV : VM_FAULT_SIGBUS;
}

/** A swap slot: its page comes from the swap cache or is read, and mapped where it was. */
function* swapIn(kernel: Kernel, vmf: VmFault, pte: Pte): KernelGenerator<number> {
  const { vma, vpn, flags } = vmf;
  const entry = swapEntryOf(pte);
  let result = 0;
  let folio = swap_cache_get_folio(kernel, entry);
  if (folio) folio_get(kernel, folio.pfn);
  else {
    folio = swapin(kernel, vmf, pte);
    if (!folio) return VM_FAULT_OOM;
    result = VM_FAULT_MAJOR;
    count_vm_event(kernel, 'pgmajfault');
  }
  yield* folio_lock(kernel, folio.pfn);
  // A reference of the LRU batch would be taken for another user of the page.
  const isWrite = (flags & FAULT_FLAG_WRITE) !== 0;
  if (kernel.facts.wpReuseDrains && isWrite && !testFlag(kernel, folio.pfn, PG_LRU)) lru_add_drain(kernel);
  // Somebody else was faster, or the page left the cache while we slept.
  if (pteAt(vma.mm, vpn) !== pte || folio.swap !== entry) {
    folio_unlock(kernel, folio.pfn);
    folio_put_system(kernel, folio.pfn);
    return result;
  }
  return (yield* map(kernel, vmf, pte, folio)) | result;
}

/** swap_state.c:__read_swap_cache_async: a page for the slot, charged and in the swap cache. Neighbours are not read. */
function swapin(kernel: Kernel, { vma }: VmFault, pte: Pte): Folio | undefined {
  const folio = folio_prealloc(kernel, vma);
  if (!folio) return undefined;
  const entry = swapEntryOf(pte);
  setFlag(kernel, folio.pfn, PG_SWAPBACKED);
  add_to_swap_cache(kernel, folio, entry);
  folio_add_lru(kernel, folio.pfn);
  swap_read_folio(kernel, folio, entry);
  setFlag(kernel, folio.pfn, PG_UPTODATE);
  return folio;
}

/** The second half of do_swap_page: the entry becomes present. The folio is locked and referenced. */
function* map(kernel: Kernel, vmf: VmFault, pte: Pte, folio: Folio): KernelGenerator<number> {
  const { vma, vpn, flags } = vmf;
  const { mm } = vma;
  const { pfn } = folio;
  const isWrite = (flags & FAULT_FLAG_WRITE) !== 0;
  const marked = (pteBits(pte) & PTE_EXCLUSIVE) !== 0;
  anon_vma_prepare(kernel, vma);
  swap_free(kernel, swapEntryOf(pte));
  if (should_try_to_free_swap(kernel, vmf, folio)) folio_free_swap(kernel, folio);
  add_mm_counter(kernel, mm, MM_ANONPAGES, 1);
  add_mm_counter(kernel, mm, MM_SWAPENTS, -1);
  const alone = kernel.pages.refcount.get(pfn) === 1;
  const exclusive = marked || alone;
  let present = mk_pte(vma, pfn);
  let leftToDo = isWrite;
  if (exclusive && (isWrite || (kernel.facts.swapinMapsWritable && (vma.flags & VM_WRITE) !== 0))) {
    present = maybe_mkwrite(vma, present);
    if (isWrite && (pteBits(present) & PTE_WRITE) !== 0) {
      present = withBits(present, PTE_DIRTY);
      leftToDo = false;
    }
  }
  if (folio_test_anon(folio)) {
    folio_add_rmap_pte(kernel, folio, pfn);
    mlock_vma_folio(kernel, folio, vma);
    if (exclusive) setPageAnonExclusive(kernel, pfn);
  } else folio_add_new_anon_rmap(kernel, folio, vma, vpn, exclusive);
  set_pte_at(kernel, mm, vpn, present);
  folio_unlock(kernel, pfn);
  if (!leftToDo) return 0;
  const result = yield* do_wp_page(kernel, vmf, present);
  return (result & VM_FAULT_ERROR) !== 0 ? result & VM_FAULT_ERROR : result;
}

/** memory.c:should_try_to_free_swap. */
function should_try_to_free_swap(kernel: Kernel, { vma, flags }: VmFault, folio: Folio): boolean {
  if (!testFlag(kernel, folio.pfn, PG_SWAPCACHE)) return false;
  if (vm_swap_full(kernel) || (vma.flags & VM_LOCKED) !== 0) return true;
  return (flags & FAULT_FLAG_WRITE) !== 0 && kernel.pages.refcount.get(folio.pfn) === 2;
}
