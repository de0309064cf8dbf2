/** mm/memory.c:unmap_vmas and what is below it: entries are taken out, pages lose a mapping and a reference. */
import {
  is_device_exclusive_entry,
  is_device_private_entry,
  is_migration_entry,
  NO_PTE,
  type Pte,
  PteKind,
  pte_dirty,
  pte_pfn,
  pte_special,
  pte_young,
  pteBits,
  pteKind,
} from '../arch/pte.ts';
import {
  type Folio,
  type HugePmd,
  MM_ANONPAGES,
  MM_SWAPENTS,
  type PteTable,
  VM_HUGETLB,
  VM_LOCKED,
  type Vma,
} from '../include/mm_types.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { folio_mark_dirty } from './filemap.ts';
import { folio_put, folio_put_system, folioOf, isDevicePage } from './folio.ts';
import { split_huge_pmd } from './huge_split.ts';
import { unmap_hugepage_range } from './hugetlb.ts';
import { munlock_vma_folio } from './mlock_folio.ts';
import { add_mm_counter, mm_counter } from './mm_counter.ts';
import {
  MMU_NOTIFY_CLEAR,
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
  mmu_notifier_range,
} from './mmu_notifier.ts';
import { PTRS_PER_PTE, pmd_clear, pte_free } from './pgtable.ts';
import { folio_remove_rmap_pmd, folio_remove_rmap_pte, folio_test_anon } from './rmap.ts';
import { folio_mark_accessed, lru_add_drain } from './swap.ts';
import { drop_mapped } from './swap_free.ts';
import { free_swap_and_cache, swapEntryOf } from './swap_state.ts';

const NR = PTRS_PER_PTE;

/**
 * memory.c:unmap_vmas for one VMA: everything mapped in [start, end) is taken out. Devices have been told by the
 * caller. Tables stay.
 */
export function* unmap_vmas(kernel: Kernel, vma: Vma, start: number, end: number): KernelGenerator<void> {
  yield* kernel.call('unmap_page_range', [hex(start * 4096), hex(end * 4096)], zap(kernel, vma, start, end), () => '');
}

/** memory.c:zap_page_range_single: the same with the devices told before and after (MADV_DONTNEED, truncation). */
export function* zap_page_range_single(kernel: Kernel, vma: Vma, start: number, end: number): KernelGenerator<void> {
  const range = mmu_notifier_range(MMU_NOTIFY_CLEAR, vma.mm, start, end);
  lru_add_drain(kernel);
  yield* mmu_notifier_invalidate_range_start(kernel, range);
  yield* unmap_vmas(kernel, vma, start, end);
  yield* mmu_notifier_invalidate_range_end(kernel, range);
}

function* zap(kernel: Kernel, vma: Vma, start: number, end: number): KernelGenerator<void> {
  const { pmds } = vma.mm;
  if ((vma.flags & VM_HUGETLB) !== 0) {
    unmap_hugepage_range(kernel, vma, start, end);
    return;
  }
  // The pages go when the gathered batch is flushed, which drains the LRU batch first (free_pages_and_swap_cache).
  lru_add_drain(kernel);
  for (let vpn = start; vpn < end; ) {
    const next = Math.min(end, vpn - (vpn % NR) + NR);
    let pmd = pmds.get(Math.floor(vpn / NR));
    if (pmd?.kind === 'huge') {
      if (next - vpn === NR) {
        yield* zap_huge_pmd(kernel, vma, vpn, pmd);
        pmd = undefined;
      } else {
        yield* split_huge_pmd(kernel, vma, vpn);
        pmd = pmds.get(Math.floor(vpn / NR));
      }
    }
    if (pmd?.kind === 'table') yield* zap_pte_range(kernel, vma, pmd, vpn, next);
    vpn = next;
  }
  // That flush comes when pages of files have been marked as accessed.
  if (kernel.state.lru_activate.length > 0) lru_add_drain(kernel);
}

/* ---- small entries ---- */

function* zap_pte_range(kernel: Kernel, vma: Vma, table: PteTable, start: number, end: number): KernelGenerator<void> {
  for (let vpn = start; vpn < end; vpn++) {
    const device = zapUntilDevice(kernel, vma, table, vpn, end);
    if (device < 0) return;
    // A device's page: its driver may have to be told that it is free.
    vpn = device;
    const pfn = zapOne(kernel, vma, table, device);
    if (pfn >= 0) yield* folio_put(kernel, pfn);
  }
}

/** Zaps entries up to the first one of a device page, whose vpn it gives; -1 at the end. Never sleeps. */
function zapUntilDevice(kernel: Kernel, vma: Vma, table: PteTable, start: number, end: number): number {
  const { entries } = table;
  for (let vpn = start; vpn < end; vpn++) {
    const pte = entries[vpn % NR] ?? NO_PTE;
    if (pte === NO_PTE) continue;
    if (isOfDevice(kernel, pte)) return vpn;
    const pfn = zapOne(kernel, vma, table, vpn);
    if (pfn >= 0) drop_mapped(kernel, pfn);
  }
  return -1;
}

function isOfDevice(kernel: Kernel, pte: Pte): boolean {
  if (is_device_private_entry(pte)) return true;
  const kind = pteKind(pte);
  // A coherent page may be exclusive, too.
  const isMapped = kind === PteKind.Present || kind === PteKind.ProtNone || is_device_exclusive_entry(pte);
  return isMapped && !pte_special(pte) && isDevicePage(kernel, pte_pfn(pte));
}

/** One entry goes, with what it counted. The head pfn whose reference is left to drop, or -1. */
function zapOne(kernel: Kernel, vma: Vma, table: PteTable, vpn: number): number {
  const slot = vpn % NR;
  const pte = table.entries[slot] ?? NO_PTE;
  kernel.store.setDense(table.entries, slot, NO_PTE);
  const kind = pteBits(pte) & 15;
  if (kind === PteKind.Present || kind === PteKind.ProtNone) return zapPresent(kernel, vma, pte);
  if (kind === PteKind.Swap) {
    add_mm_counter(kernel, vma.mm, MM_SWAPENTS, -1);
    free_swap_and_cache(kernel, swapEntryOf(pte));
    return -1;
  }
  // Hwpoison entries and markers count nothing.
  if (kind >= PteKind.Hwpoison) return -1;
  const folio = folioOf(kernel, pte_pfn(pte));
  if (!folio) return -1;
  add_mm_counter(kernel, vma.mm, mm_counter(kernel, folio), -1);
  // Who migrates the page holds it.
  if (is_migration_entry(pte)) return -1;
  // To 6.14 an exclusive entry's mapping was not counted while it lasted.
  if (!is_device_exclusive_entry(pte) || !kernel.facts.twoExclusiveSwapTypes)
    folio_remove_rmap_pte(kernel, folio, pte_pfn(pte));
  if ((vma.flags & VM_LOCKED) !== 0) munlock_vma_folio(kernel, folio, vma);
  return folio.pfn;
}

function zapPresent(kernel: Kernel, vma: Vma, pte: Pte): number {
  if (pte_special(pte)) return -1;
  const pfn = pte_pfn(pte);
  const folio = folioOf(kernel, pfn);
  if (!folio) return -1;
  if (folio_test_anon(folio)) add_mm_counter(kernel, vma.mm, MM_ANONPAGES, -1);
  else {
    keepBits(kernel, folio, pte);
    add_mm_counter(kernel, vma.mm, mm_counter(kernel, folio), -1);
  }
  folio_remove_rmap_pte(kernel, folio, pfn);
  if ((vma.flags & VM_LOCKED) !== 0) munlock_vma_folio(kernel, folio, vma);
  return folio.pfn;
}

/** What the entry knew of a file's page goes to the page. */
function keepBits(kernel: Kernel, folio: Folio, pte: Pte): void {
  if (pte_dirty(pte)) folio_mark_dirty(kernel, folio);
  if (pte_young(pte)) folio_mark_accessed(kernel, folio.pfn);
}

/* ---- huge entries ---- */

/** huge_memory.c:zap_huge_pmd: the deposited table goes with the entry. */
function* zap_huge_pmd(kernel: Kernel, vma: Vma, vpn: number, pmd: HugePmd): KernelGenerator<void> {
  const { entry, deposited } = pmd;
  pmd_clear(kernel, vma.mm, vpn);
  if (deposited) pte_free(kernel, vma.mm, deposited);
  if (pte_special(entry)) return;
  const folio = folioOf(kernel, pte_pfn(entry));
  if (!folio) return;
  add_mm_counter(kernel, vma.mm, mm_counter(kernel, folio), -NR);
  if (is_migration_entry(entry)) return;
  folio_remove_rmap_pmd(kernel, folio);
  if ((vma.flags & VM_LOCKED) !== 0) munlock_vma_folio(kernel, folio, vma);
  if (isDevicePage(kernel, folio.pfn)) yield* folio_put(kernel, folio.pfn);
  else folio_put_system(kernel, folio.pfn);
}
