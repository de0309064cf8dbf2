/** Page table functions in their smallest form: anonymous small pages. */
import { PTE_WRITE, pte_none, pte_pfn, pte_special, withBits } from '../arch/pte.ts';
import { type Folio, MM_ANONPAGES, VM_SHARED, VM_WRITE, type Vma } from '../include/mm_types.ts';
import type { Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { folio_get, folioOf } from './folio.ts';
import { add_mm_counter, unmap_vmas } from './memory.ts';
import {
  MMU_NOTIFY_CLEAR,
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
  mmu_notifier_range,
} from './mmu_notifier.ts';
import { pte_alloc, pteAt, set_pte_at } from './pgtable.ts';
import { clearPageAnonExclusive, folio_add_rmap_pte } from './rmap.ts';
import { lru_add_drain } from './swap.ts';

export function* split_huge_pmd(_kernel: Kernel, _vma: Vma, vpn: number): KernelGenerator<void> {
  throw new Error(`no huge pages yet at ${vpn}`);
}

export function* zap_page_range_single(kernel: Kernel, vma: Vma, start: number, end: number): KernelGenerator<void> {
  const range = mmu_notifier_range(MMU_NOTIFY_CLEAR, vma.mm, start, end);
  lru_add_drain(kernel);
  yield* mmu_notifier_invalidate_range_start(kernel, range);
  yield* unmap_vmas(kernel, vma, start, end);
  yield* mmu_notifier_invalidate_range_end(kernel, range);
}

export function* copy_page_range(kernel: Kernel, dst: Vma, src: Vma): KernelGenerator<number> {
  for (let vpn = src.start; vpn < src.end; vpn++) {
    let pte = pteAt(src.mm, vpn);
    if (pte_none(pte)) continue;
    if (!pte_alloc(kernel, dst.mm, vpn)) return -12;
    if ((src.flags & VM_SHARED) === 0) pte = withBits(pte, 0, PTE_WRITE);
    set_pte_at(kernel, src.mm, vpn, pte);
    set_pte_at(kernel, dst.mm, vpn, pte);
    const folio = folioOf(kernel, pte_pfn(pte));
    if (pte_special(pte) || !folio) continue;
    folio_get(kernel, folio.pfn);
    clearPageAnonExclusive(kernel, folio.pfn);
    folio_add_rmap_pte(kernel, folio, pte_pfn(pte));
    add_mm_counter(kernel, dst.mm, MM_ANONPAGES, 1);
  }
  return 0;
}

export function* change_protection(
  kernel: Kernel,
  vma: Vma,
  start: number,
  end: number,
  newFlags: number,
): KernelGenerator<void> {
  for (let vpn = start; vpn < end; vpn++) {
    const pte = pteAt(vma.mm, vpn);
    if (pte_none(pte)) continue;
    set_pte_at(kernel, vma.mm, vpn, (newFlags & VM_WRITE) === 0 ? withBits(pte, 0, PTE_WRITE) : pte);
  }
}

export function* move_page_tables(
  kernel: Kernel,
  vma: Vma,
  oldVpn: number,
  newVma: Vma,
  newVpn: number,
  pages: number,
): KernelGenerator<number> {
  for (let i = 0; i < pages; i++) {
    const pte = pteAt(vma.mm, oldVpn + i);
    if (pte_none(pte)) continue;
    if (!pte_alloc(kernel, newVma.mm, newVpn + i)) return i;
    set_pte_at(kernel, vma.mm, oldVpn + i, 0);
    set_pte_at(kernel, newVma.mm, newVpn + i, pte);
  }
  return pages;
}

export function* collapse_huge_page(_kernel: Kernel, _vma: Vma, _vpn: number): KernelGenerator<number> {
  yield* [];
  return -22;
}
export function* split_folio(_kernel: Kernel, _folio: Folio): KernelGenerator<number> {
  yield* [];
  return 0;
}
export function* pageout_folio(_kernel: Kernel, _pfn: number): KernelGenerator<void> {
  yield* [];
}
export function* free_swap_and_cache(_kernel: Kernel, _pte: number): KernelGenerator<void> {
  yield* [];
}
