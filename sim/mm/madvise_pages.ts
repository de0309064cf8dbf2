/** mm/madvise.c, page by page: MADV_FREE, MADV_COLD and MADV_PAGEOUT. */
import {
  NO_PTE,
  PTE_DIRTY,
  PTE_YOUNG,
  PteKind,
  pte_index,
  pte_pfn,
  pte_present,
  pte_special,
  pteBits,
  pteKind,
  withBits,
} from '../arch/pte.ts';
import { type Folio, MM_SWAPENTS, type Mm, VM_HUGETLB, type Vma } from '../include/mm_types.ts';
import { folio_trylock, folio_unlock } from '../kernel/locking.ts';
import type { Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { folio_get, folio_put_system, folioOf, isDevicePage } from './folio.ts';
import { clearFlag, PG_DIRTY, PG_LRU, PG_REFERENCED, PG_UNEVICTABLE, testFlag } from './folio_record.ts';
import { split_folio, split_huge_pmd } from './huge_split.ts';
import { add_mm_counter } from './mm_counter.ts';
import { hugePmdAt, pteAt, pteTableAt, set_pmd_at, set_pte_at } from './pgtable.ts';
import { folio_mapcount, folio_test_anon } from './rmap.ts';
import { folio_deactivate, folio_mark_lazyfree } from './swap.ts';
import { folio_free_swap, free_swap_and_cache, swapEntryOf } from './swap_state.ts';
import { pageout_folio } from './vmscan.ts';

/** A huge mapping that the range covers in part is split first, the folio with it. */
function* splitPart(kernel: Kernel, vma: Vma, vpn: number, end: number): KernelGenerator<void> {
  const huge = hugePmdAt(vma.mm, vpn);
  if (!huge || (vma.flags & VM_HUGETLB) !== 0) return;
  if (pte_index(vpn) === 0 && end - vpn >= 512) return;
  const folio = folioOf(kernel, pte_pfn(huge.entry));
  yield* split_huge_pmd(kernel, vma, vpn);
  if (folio && folio_trylock(kernel, folio.pfn)) {
    yield* split_folio(kernel, folio);
    folio_unlock(kernel, folio.pfn);
  }
}

/** madvise_folio_pte_batch: how many entries from `vpn` on, within the range, map pages of the folio in a row. */
function mappedInRow(mm: Mm, folio: Folio, vpn: number, end: number): number {
  const first = pte_pfn(pteAt(mm, vpn));
  const most = Math.min(end - vpn, folio.pfn + (1 << folio.order) - first);
  let count = 1;
  while (count < most) {
    const pte = pteAt(mm, vpn + count);
    if (!pte_present(pte) || pte_pfn(pte) !== first + count) break;
    count++;
  }
  return count;
}

/**
 * A large folio that is mapped page by page, not all of it in the range: split, if nobody else maps it. True: look
 * at the entry again. (To 6.9 such a folio was split wherever it lay.)
 */
function* splitMapped(kernel: Kernel, folio: Folio, pfn: number): KernelGenerator<boolean> {
  // folio_likely_mapped_shared
  if (kernel.pages.mapcount.get(pfn) !== 0 || !folio_trylock(kernel, folio.pfn)) return false;
  folio_get(kernel, folio.pfn);
  const error = yield* split_folio(kernel, folio);
  folio_unlock(kernel, folio.pfn);
  folio_put_system(kernel, folio.pfn);
  return error === 0;
}

/** huge_memory.c:madvise_free_huge_pmd: a whole huge page that nobody else maps. */
function madvise_free_huge_pmd(kernel: Kernel, vma: Vma, vpn: number): void {
  const huge = hugePmdAt(vma.mm, vpn);
  if (!huge || !pte_present(huge.entry) || pte_special(huge.entry)) return;
  const folio = folioOf(kernel, pte_pfn(huge.entry));
  if (!folio || isDevicePage(kernel, folio.pfn) || folio_mapcount(kernel, folio) !== 1) return;
  if (!folio_trylock(kernel, folio.pfn)) return;
  clearFlag(kernel, folio.pfn, PG_DIRTY);
  folio_unlock(kernel, folio.pfn);
  const entry = withBits(huge.entry, 0, PTE_YOUNG | PTE_DIRTY);
  if (entry !== huge.entry) set_pmd_at(kernel, vma.mm, vpn, { ...huge, entry });
  if (folio_test_anon(folio)) folio_mark_lazyfree(kernel, folio);
}

/** madvise.c:madvise_free_pte_range. Entries of devices stay as they are; swapped pages are dropped. */
export function* madvise_free_range(kernel: Kernel, vma: Vma, start: number, end: number): KernelGenerator<void> {
  const { mm } = vma;
  for (let vpn = start; vpn < end; vpn++) {
    yield* splitPart(kernel, vma, vpn, end);
    const table = pteTableAt(mm, vpn);
    if (!table) {
      madvise_free_huge_pmd(kernel, vma, vpn);
      vpn += 511 - pte_index(vpn);
      continue;
    }
    const pte = table.entries[pte_index(vpn)] ?? NO_PTE;
    if (pteKind(pte) === PteKind.Swap) {
      kernel.store.set(table.entries, pte_index(vpn), NO_PTE);
      free_swap_and_cache(kernel, swapEntryOf(pte));
      add_mm_counter(kernel, mm, MM_SWAPENTS, -1);
      continue;
    }
    if (!pte_present(pte) || pte_special(pte)) continue;
    const folio = folioOf(kernel, pte_pfn(pte));
    if (!folio || isDevicePage(kernel, folio.pfn)) continue;
    const count = folio.order > 0 ? mappedInRow(mm, folio, vpn, end) : 1;
    if (count < 1 << folio.order) {
      if (yield* splitMapped(kernel, folio, pte_pfn(pte))) vpn--;
      continue;
    }
    const first = vpn;
    vpn += count - 1;
    if (testFlag(kernel, folio.pfn, PG_DIRTY) || folio.swap !== undefined) {
      if (!folio_trylock(kernel, folio.pfn)) continue;
      const isOurs =
        folio_mapcount(kernel, folio) === count && (folio.swap === undefined || folio_free_swap(kernel, folio));
      if (isOurs) clearFlag(kernel, folio.pfn, PG_DIRTY);
      folio_unlock(kernel, folio.pfn);
      if (!isOurs) continue;
    }
    for (let at = first; at <= vpn; at++) {
      const mapped = pteAt(mm, at);
      if ((pteBits(mapped) & (PTE_YOUNG | PTE_DIRTY)) !== 0)
        set_pte_at(kernel, mm, at, withBits(mapped, 0, PTE_YOUNG | PTE_DIRTY));
    }
    if (folio_test_anon(folio)) folio_mark_lazyfree(kernel, folio);
  }
}

/** Its entry forgets that the page was used. */
function makeOld(kernel: Kernel, vma: Vma, vpn: number): void {
  const huge = hugePmdAt(vma.mm, vpn);
  const table = pteTableAt(vma.mm, vpn);
  if (huge) set_pmd_at(kernel, vma.mm, vpn, { ...huge, entry: withBits(huge.entry, 0, PTE_YOUNG) });
  else if (table)
    kernel.store.set(table.entries, pte_index(vpn), withBits(table.entries[pte_index(vpn)] ?? NO_PTE, 0, PTE_YOUNG));
}

/**
 * madvise.c:madvise_cold_or_pageout_pte_range: pages that only this mapping has go out, or with `cold` are the next
 * to go; those of devices stay.
 */
export function* madvise_cold_or_pageout_range(
  kernel: Kernel,
  vma: Vma,
  start: number,
  end: number,
  cold: boolean,
): KernelGenerator<void> {
  const { mm } = vma;
  for (let vpn = start; vpn < end; vpn++) {
    yield* splitPart(kernel, vma, vpn, end);
    const huge = hugePmdAt(mm, vpn);
    const table = pteTableAt(mm, vpn);
    if (!huge && !table) {
      vpn += 511 - pte_index(vpn);
      continue;
    }
    const pte = huge ? huge.entry : (table?.entries[pte_index(vpn)] ?? NO_PTE);
    const at = vpn;
    if (huge) vpn += 511 - pte_index(vpn);
    if (!pte_present(pte) || pte_special(pte)) continue;
    const folio = folioOf(kernel, pte_pfn(pte));
    if (!folio || isDevicePage(kernel, folio.pfn)) continue;
    // What is mapped page by page is split here even if all of it is in the range: it goes page by page.
    if (!huge && folio.order > 0) {
      if (yield* splitMapped(kernel, folio, pte_pfn(pte))) vpn--;
      continue;
    }
    if (folio_mapcount(kernel, folio) !== 1) continue;
    if (testFlag(kernel, folio.pfn, PG_UNEVICTABLE) || !testFlag(kernel, folio.pfn, PG_LRU)) continue;
    const old = withBits(pte, 0, PTE_YOUNG);
    if (old !== pte && !kernel.facts.pageoutIgnoresReferences) {
      if (huge) set_pmd_at(kernel, mm, at, { ...huge, entry: old });
      else if (table) kernel.store.set(table.entries, at % 512, old);
    }
    clearFlag(kernel, folio.pfn, PG_REFERENCED);
    if (!cold) yield* pageout_folio(kernel, folio.pfn);
    else {
      makeOld(kernel, vma, at);
      folio_deactivate(kernel, folio);
    }
  }
}
