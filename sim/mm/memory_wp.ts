/** mm/memory.c:do_wp_page: a write to a page whose entry forbids it, which copies the page or writes it in place. */
import { PTE_DIRTY, PTE_YOUNG, type Pte, pte_index, pte_pfn, pte_special, withBits } from '../arch/pte.ts';
import {
  FAULT_FLAG_UNSHARE,
  type Folio,
  MM_ANONPAGES,
  type PteTable,
  VM_FAULT_ERROR,
  VM_FAULT_NOPAGE,
  VM_FAULT_OOM,
  type Vma,
  type VmFault,
} from '../include/mm_types.ts';
import { folio_lock, folio_trylock, folio_unlock } from '../kernel/locking.ts';
import type { Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { folio_prealloc } from './anon_folio.ts';
import { copy_highpage } from './contents.ts';
import { do_page_mkwrite, fault_dirty_shared_page } from './filemap_write.ts';
import { folio_get, folio_put, folio_put_system, folioOf, isDevicePage } from './folio.ts';
import { PG_LRU, PG_SWAPCACHE, PG_UPTODATE, setFlag, testFlag } from './folio_record.ts';
import { munlock_vma_folio } from './mlock_folio.ts';
import { add_mm_counter, mm_counter_file } from './mm_counter.ts';
import {
  MMU_NOTIFY_CLEAR,
  mmu_notifier_end_now,
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
  mmu_notifier_range,
  mmu_notifier_start_now,
} from './mmu_notifier.ts';
import { is_shared, maybe_mkwrite, mk_pte } from './page_prot.ts';
import { pteAt, pteTableAt } from './pgtable.ts';
import {
  anon_vma_prepare,
  folio_add_new_anon_rmap,
  folio_mapcount,
  folio_move_anon_rmap,
  folio_remove_rmap_pte,
  folio_test_anon,
  pageAnonExclusive,
  setPageAnonExclusive,
} from './rmap.ts';
import { folio_add_lru_vma, lru_add_drain } from './swap.ts';
import { drop_mapped } from './swap_free.ts';
import { folio_free_swap, page_swapcount } from './swap_state.ts';
import { count_vm_event } from './vmstat.ts';

/** memory.c:vm_normal_page: the folio of a present entry; none for the zero page and frames of a driver. */
const normalFolio = (kernel: Kernel, pte: Pte): Folio | undefined =>
  pte_special(pte) ? undefined : folioOf(kernel, pte_pfn(pte));

/** A private page of a process, of which everyone may be told without sleeping. */
export function quick_wp_page(kernel: Kernel, vma: Vma, vpn: number, table: PteTable, pte: Pte): number {
  const old = normalFolio(kernel, pte);
  if (old && folio_test_anon(old) && can_reuse(kernel, old, pte_pfn(pte), vma)) {
    reuse(kernel, vma, vpn, table, pte);
    return 0;
  }
  const copy = wp_page_prepare(kernel, vma, pte);
  if (!copy) return VM_FAULT_OOM;
  if (vma.mm.notifier_subscriptions === undefined) {
    wp_page_install(kernel, vma, vpn, pte, old, copy);
    return 0;
  }
  const range = mmu_notifier_range(MMU_NOTIFY_CLEAR, vma.mm, vpn, vpn + 1);
  mmu_notifier_start_now(kernel, range);
  wp_page_install(kernel, vma, vpn, pte, old, copy);
  mmu_notifier_end_now(kernel, range);
  return 0;
}

/** memory.c:do_wp_page. Nothing is done for an entry that has changed since it was looked at (pte_same). */
export function* do_wp_page(kernel: Kernel, vmf: VmFault, pte: Pte): KernelGenerator<number> {
  const { vma, vpn, flags } = vmf;
  if (pteAt(vma.mm, vpn) !== pte) return 0;
  const old = normalFolio(kernel, pte);
  const unshare = (flags & FAULT_FLAG_UNSHARE) !== 0;
  if (is_shared(vma)) return unshare ? 0 : yield* wp_shared(kernel, vmf, pte, old);
  if (old && folio_test_anon(old) && can_reuse(kernel, old, pte_pfn(pte), vma)) {
    const table = pteTableAt(vma.mm, vpn);
    if (!unshare && table) reuse(kernel, vma, vpn, table, pte);
    return 0;
  }
  return yield* wp_page_copy(kernel, vmf, pte, old);
}

/* ---- in place ---- */

/**
 * May the only user write the page in place? Since 5.19 the mark says so, or the count of references (with what
 * the LRU batches hold drained, since 5.18); from 5.9 the bare count; before, mappings and swap users.
 */
function can_reuse(kernel: Kernel, folio: Folio, pfn: number, vma: Vma): boolean {
  if (pageAnonExclusive(kernel, pfn) && kernel.facts.anonExclusive) return true;
  if (!kernel.facts.wpReuseByCount) return reuse_swap_page(kernel, folio, vma);
  return wp_can_reuse_anon_folio(kernel, folio, pfn, vma);
}

/** memory.c:wp_can_reuse_anon_folio. */
function wp_can_reuse_anon_folio(kernel: Kernel, folio: Folio, pfn: number, vma: Vma): boolean {
  const { refcount } = kernel.pages;
  const head = folio.pfn;
  if (folio.order > 0) return false;
  if (kernel.facts.wpReuseDrains) {
    if (refcount.get(head) > 3) return false;
    if (!testFlag(kernel, head, PG_LRU)) lru_add_drain(kernel);
    if (refcount.get(head) > 1 + (testFlag(kernel, head, PG_SWAPCACHE) ? 1 : 0)) return false;
  } else if (refcount.get(head) !== 1) return false;
  if (!folio_trylock(kernel, head)) return false;
  if (testFlag(kernel, head, PG_SWAPCACHE)) folio_free_swap(kernel, folio);
  const isAlone = refcount.get(head) === 1;
  if (isAlone) {
    folio_move_anon_rmap(kernel, folio, vma);
    setPageAnonExclusive(kernel, pfn);
  }
  folio_unlock(kernel, head);
  return isAlone;
}

/** swapfile.c:reuse_swap_page (to 5.8): nobody else maps it or has it in swap, whoever may hold references. */
function reuse_swap_page(kernel: Kernel, folio: Folio, vma: Vma): boolean {
  if (!folio_trylock(kernel, folio.pfn)) return false;
  const users = folio_mapcount(kernel, folio) + page_swapcount(kernel, folio);
  const isAlone = folio.order === 0 && users <= 1;
  if (isAlone) {
    if (testFlag(kernel, folio.pfn, PG_SWAPCACHE)) folio_free_swap(kernel, folio);
    folio_move_anon_rmap(kernel, folio, vma);
  }
  folio_unlock(kernel, folio.pfn);
  return isAlone;
}

/** memory.c:wp_page_reuse. */
function reuse(kernel: Kernel, vma: Vma, vpn: number, table: PteTable, pte: Pte): void {
  const entry = maybe_mkwrite(vma, withBits(pte, PTE_YOUNG | PTE_DIRTY));
  kernel.store.setDense(table.entries, pte_index(vpn), entry);
  count_vm_event(kernel, 'pgreuse');
}

/* ---- a copy ---- */

/** The first half of wp_page_copy: a page with the same contents, charged. */
function wp_page_prepare(kernel: Kernel, vma: Vma, pte: Pte): Folio | undefined {
  anon_vma_prepare(kernel, vma);
  const copy = folio_prealloc(kernel, vma);
  if (!copy) return undefined;
  if (!pte_special(pte)) copy_highpage(kernel, copy.pfn, pte_pfn(pte));
  setFlag(kernel, copy.pfn, PG_UPTODATE);
  return copy;
}

/** The second half: the copy takes the place of the old page, which loses a mapping and its reference. */
function wp_page_install(
  kernel: Kernel,
  vma: Vma,
  vpn: number,
  pte: Pte,
  old: Folio | undefined,
  copy: Folio,
  unshare = false,
): void {
  const table = pteTableAt(vma.mm, vpn);
  if (!table) return;
  if (!old) add_mm_counter(kernel, vma.mm, MM_ANONPAGES, 1);
  else if (!folio_test_anon(old)) {
    add_mm_counter(kernel, vma.mm, mm_counter_file(kernel, old), -1);
    add_mm_counter(kernel, vma.mm, MM_ANONPAGES, 1);
  }
  folio_add_new_anon_rmap(kernel, copy, vma, vpn);
  folio_add_lru_vma(kernel, copy.pfn, vma);
  const entry = mk_pte(vma, copy.pfn);
  kernel.store.setDense(
    table.entries,
    pte_index(vpn),
    unshare ? entry : maybe_mkwrite(vma, withBits(entry, PTE_DIRTY)),
  );
  if (!old) return;
  folio_remove_rmap_pte(kernel, old, pte_pfn(pte));
  munlock_vma_folio(kernel, old, vma);
  if (!isDevicePage(kernel, old.pfn)) drop_mapped(kernel, old.pfn);
}

/** memory.c:wp_page_copy: devices are told before and after. */
function* wp_page_copy(kernel: Kernel, vmf: VmFault, pte: Pte, old: Folio | undefined): KernelGenerator<number> {
  const { vma, vpn, flags } = vmf;
  if (old) folio_get(kernel, old.pfn);
  const copy = wp_page_prepare(kernel, vma, pte);
  if (copy) {
    const range = mmu_notifier_range(MMU_NOTIFY_CLEAR, vma.mm, vpn, vpn + 1);
    yield* mmu_notifier_invalidate_range_start(kernel, range);
    const isSame = pteAt(vma.mm, vpn) === pte;
    if (isSame) wp_page_install(kernel, vma, vpn, pte, old, copy, (flags & FAULT_FLAG_UNSHARE) !== 0);
    yield* mmu_notifier_invalidate_range_end(kernel, range);
    if (!isSame) folio_put_system(kernel, copy.pfn);
    else if (old && isDevicePage(kernel, old.pfn)) yield* folio_put(kernel, old.pfn);
  }
  if (old) yield* folio_put(kernel, old.pfn);
  return copy ? 0 : VM_FAULT_OOM;
}

/* ---- shared mappings ---- */

/** memory.c:wp_page_shared and wp_pfn_shared: never a copy; a file system is asked first. */
function* wp_shared(kernel: Kernel, vmf: VmFault, pte: Pte, folio: Folio | undefined): KernelGenerator<number> {
  const { vma, vpn } = vmf;
  const table = pteTableAt(vma.mm, vpn);
  if (!table) return 0;
  // A page of a device belongs to no file system that wants to hear of it.
  if (!folio || vma.file?.kind === 'dax') {
    reuse(kernel, vma, vpn, table, pte);
    return 0;
  }
  folio_get(kernel, folio.pfn);
  let result = 0;
  if (vma.file?.kind === 'file') {
    result = yield* do_page_mkwrite(kernel, vma, folio);
    if ((result & (VM_FAULT_ERROR | VM_FAULT_NOPAGE)) !== 0) {
      yield* folio_put(kernel, folio.pfn);
      return result & ~VM_FAULT_NOPAGE;
    }
    const isSame = pteAt(vma.mm, vpn) === pte;
    if (isSame) reuse(kernel, vma, vpn, table, pte);
    else {
      folio_unlock(kernel, folio.pfn);
      yield* folio_put(kernel, folio.pfn);
      return 0;
    }
  } else {
    reuse(kernel, vma, vpn, table, pte);
    yield* folio_lock(kernel, folio.pfn);
  }
  fault_dirty_shared_page(kernel, vma, folio);
  yield* folio_put(kernel, folio.pfn);
  return 0;
}
