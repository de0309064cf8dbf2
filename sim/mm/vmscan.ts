/**
 * mm/vmscan.c:shrink_folio_list for one folio, and the unmapping it needs (mm/rmap.c:try_to_unmap): an anonymous
 * page goes to swap, one that was given up (MADV_FREE) is dropped. Pages of files and shmem stay: nothing here
 * writes them back.
 */
import { NO_PTE, PTE_EXCLUSIVE, pte_dirty, pte_pfn, pte_present } from '../arch/pte.ts';
import { type Folio, MM_ANONPAGES, MM_SWAPENTS, VM_LOCKED } from '../include/mm_types.ts';
import { folio_trylock, folio_unlock } from '../kernel/locking.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { folio_clear_dirty, folio_mark_dirty } from './filemap.ts';
import { folio_get, folio_put_system, folioOf } from './folio.ts';
import {
  clearFlag,
  PG_ACTIVE,
  PG_DIRTY,
  PG_MLOCKED,
  PG_SWAPBACKED,
  PG_UNEVICTABLE,
  setFlag,
  testFlag,
} from './folio_record.ts';
import { split_folio } from './huge_split.ts';
import { add_mm_counter } from './mm_counter.ts';
import {
  MMU_NOTIFY_CLEAR,
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
  mmu_notifier_range,
} from './mmu_notifier.ts';
import { pteAt, set_pte_at } from './pgtable.ts';
import {
  clearPageAnonExclusive,
  folio_mapcount,
  folio_maybe_dma_pinned,
  folio_remove_rmap_pte,
  folio_test_anon,
  type Mapping,
  mappingsOf,
  pageAnonExclusive,
} from './rmap.ts';
import { folio_isolate_lru, folio_putback_lru } from './swap.ts';
import {
  add_to_swap_cache,
  delete_from_swap_cache,
  folio_alloc_swap,
  swap_duplicate,
  swap_free,
  swap_writepage,
  swapPte,
} from './swap_state.ts';
import { count_vm_event } from './vmstat.ts';

/** Takes a folio off its LRU list and out of memory, if that can be done: how many pages that freed. */
export function* pageout_folio(kernel: Kernel, pfn: number): KernelGenerator<number> {
  const folio = folioOf(kernel, pfn);
  if (!folio || !folio_isolate_lru(kernel, folio.pfn)) return 0;
  // reclaim_pages
  clearFlag(kernel, folio.pfn, PG_ACTIVE);
  return yield* kernel.call('shrink_folio_list', [hex(folio.pfn)], shrink(kernel, folio), String);
}

/** Splits what is huge (the kernel may swap a huge page whole), then each page for itself. */
function* shrink(kernel: Kernel, folio: Folio): KernelGenerator<number> {
  const { pfn } = folio;
  if (folio.order === 0) return (yield* shrinkOne(kernel, folio)) ? 1 : 0;
  const end = pfn + (1 << folio.order);
  const canSplit = folio_test_anon(folio) && folio_trylock(kernel, pfn);
  const error = canSplit ? yield* split_folio(kernel, folio) : -1;
  if (canSplit) folio_unlock(kernel, pfn);
  if (error !== 0) {
    folio_putback_lru(kernel, pfn);
    return 0;
  }
  let freed = (yield* shrinkOne(kernel, folio)) ? 1 : 0;
  for (let page = pfn + 1; page < end; page++) {
    const tail = kernel.state.folios.get(page);
    if (!tail) continue;
    // The head was off its list when it was split, so its pages are, each held by us.
    folio_get(kernel, page);
    if (yield* shrinkOne(kernel, tail)) freed++;
  }
  return freed;
}

/** One isolated page: gone, or back on its list. */
function* shrinkOne(kernel: Kernel, folio: Folio): KernelGenerator<boolean> {
  const { pfn } = folio;
  const end = folio_trylock(kernel, pfn) ? yield* tryOut(kernel, folio) : 'locked';
  if (end === 'free') return true;
  if (end === 'activate' && !testFlag(kernel, pfn, PG_MLOCKED)) {
    setFlag(kernel, pfn, PG_ACTIVE);
    count_vm_event(kernel, 'pgactivate');
  }
  if (end !== 'locked') folio_unlock(kernel, pfn);
  folio_putback_lru(kernel, pfn);
  return false;
}

/**
 * The page is free, or stays: where it was, or among the active ones if there is no swap for it or its mappings do
 * not go. It is locked; the caller has the isolation's reference, and loses both with it.
 */
function* tryOut(kernel: Kernel, folio: Folio): KernelGenerator<'free' | 'keep' | 'activate'> {
  const { pfn } = folio;
  if (!folio_test_anon(folio)) return 'keep';
  if (testFlag(kernel, pfn, PG_UNEVICTABLE)) return 'activate';
  if (testFlag(kernel, pfn, PG_SWAPBACKED) && folio.swap === undefined) {
    if (folio_maybe_dma_pinned(kernel, folio)) return 'keep';
    const entry = folio_alloc_swap(kernel);
    if (entry === undefined) return 'activate';
    add_to_swap_cache(kernel, folio, entry);
    folio_mark_dirty(kernel, folio);
  }
  for (const mapping of mappingsOf(kernel, folio, pfn)) yield* unmapOne(kernel, folio, mapping);
  if (folio_mapcount(kernel, folio) > 0) return 'activate';
  return release(kernel, folio) ? 'free' : 'keep';
}

/** vmscan.c:pageout and __remove_mapping: written to its slot, and free if nobody else refers to it. */
function release(kernel: Kernel, folio: Folio): boolean {
  const { pfn } = folio;
  const inSwap = folio.swap !== undefined;
  if (inSwap && testFlag(kernel, pfn, PG_DIRTY)) {
    swap_writepage(kernel, folio);
    folio_clear_dirty(kernel, folio);
  }
  // The isolation's reference and the swap cache's.
  if (kernel.pages.refcount.get(pfn) !== (inSwap ? 2 : 1)) return false;
  folio_unlock(kernel, pfn);
  if (inSwap) delete_from_swap_cache(kernel, folio);
  else count_vm_event(kernel, 'pglazyfreed');
  folio_put_system(kernel, pfn);
  return true;
}

/** rmap.c:try_to_unmap_one: a swap entry, or nothing for a page that may be dropped, takes the entry's place. */
function* unmapOne(kernel: Kernel, folio: Folio, { vma, vpn }: Mapping): KernelGenerator<void> {
  if ((vma.flags & VM_LOCKED) !== 0) return;
  const range = mmu_notifier_range(MMU_NOTIFY_CLEAR, vma.mm, vpn, vpn + 1);
  yield* mmu_notifier_invalidate_range_start(kernel, range);
  const pte = pteAt(vma.mm, vpn);
  const { pfn } = folio;
  // page_vma_mapped_walk: while others were told, a copy may have taken the page's place.
  if (pte_present(pte) && pte_pfn(pte) === pfn) {
    if (pte_dirty(pte)) folio_mark_dirty(kernel, folio);
    const entry = folio.swap;
    if (entry === undefined) dropLazy(kernel, folio, vma.mm, vpn);
    else if (swap_duplicate(kernel, entry)) {
      const exclusive = kernel.facts.anonExclusive && pageAnonExclusive(kernel, pfn);
      // folio_try_share_anon_rmap_pte: a pin needs the page to stay where it is.
      if (exclusive && folio_maybe_dma_pinned(kernel, folio)) swap_free(kernel, entry);
      else {
        clearPageAnonExclusive(kernel, pfn);
        add_mm_counter(kernel, vma.mm, MM_ANONPAGES, -1);
        add_mm_counter(kernel, vma.mm, MM_SWAPENTS, 1);
        set_pte_at(kernel, vma.mm, vpn, swapPte(entry, exclusive ? PTE_EXCLUSIVE : 0));
        folio_remove_rmap_pte(kernel, folio, pfn);
        folio_put_system(kernel, pfn);
      }
    }
  }
  yield* mmu_notifier_invalidate_range_end(kernel, range);
}

/** A page given up with MADV_FREE goes if nobody wrote to it since, and nobody else refers to it. */
function dropLazy(kernel: Kernel, folio: Folio, mm: Mapping['vma']['mm'], vpn: number): void {
  const { pfn } = folio;
  const others = kernel.pages.refcount.get(pfn) !== 1 + folio_mapcount(kernel, folio);
  if (testFlag(kernel, pfn, PG_DIRTY) || others) return;
  add_mm_counter(kernel, mm, MM_ANONPAGES, -1);
  set_pte_at(kernel, mm, vpn, NO_PTE);
  folio_remove_rmap_pte(kernel, folio, pfn);
  folio_put_system(kernel, pfn);
}
