/** mm/mlock.c: pages that a locked VMA maps are kept off the lists that reclaim looks at. */
import { pte_index, pte_pfn, pte_present } from '../arch/pte.ts';
import { type Folio, VM_LOCKED, VM_SPECIAL, type Vma } from '../include/mm_types.ts';
import type { Kernel } from '../machine/kernel.ts';
import {
  clearFlag,
  countLru,
  PG_ACTIVE,
  PG_LRU,
  PG_MLOCKED,
  PG_UNEVICTABLE,
  setFlag,
  testFlag,
} from './folio_record.ts';
import { pmdAt } from './pgtable.ts';
import { count_vm_event, mod_vm } from './vmstat.ts';

const isLocked = (vma: Vma): boolean => (vma.flags & (VM_LOCKED | VM_SPECIAL)) === VM_LOCKED;

/** From one LRU list to another: PG_unevictable decides (and there is nothing active among the unevictable). */
function moveTo(kernel: Kernel, folio: Folio, unevictable: boolean): void {
  const { pfn } = folio;
  if (testFlag(kernel, pfn, PG_UNEVICTABLE) === unevictable || !testFlag(kernel, pfn, PG_LRU)) return;
  countLru(kernel, folio, -1);
  if (unevictable) {
    clearFlag(kernel, pfn, PG_ACTIVE);
    setFlag(kernel, pfn, PG_UNEVICTABLE);
  } else clearFlag(kernel, pfn, PG_UNEVICTABLE);
  countLru(kernel, folio, 1);
  count_vm_event(kernel, unevictable ? 'unevictable_pgs_culled' : 'unevictable_pgs_rescued', 1 << folio.order);
}

/** mlock.c:mlock_new_folio (and mlock_folio): PG_mlocked now, the other list now or when the batch is drained. */
export function mlock_folio(kernel: Kernel, folio: Folio): void {
  if (!testFlag(kernel, folio.pfn, PG_MLOCKED)) {
    setFlag(kernel, folio.pfn, PG_MLOCKED);
    mod_vm(kernel, 'nr_mlock', 1 << folio.order);
    count_vm_event(kernel, 'unevictable_pgs_mlocked', 1 << folio.order);
  }
  moveTo(kernel, folio, true);
}

/** mm/internal.h:mlock_vma_folio: where a VMA maps a page of the folio. Parts of large folios are left alone. */
export function mlock_vma_folio(kernel: Kernel, folio: Folio, vma: Vma): void {
  if (isLocked(vma) && (folio.order === 0 || folio.entire_mapcount >= 0)) mlock_folio(kernel, folio);
}

/** Is the first page of the folio there in this VMA? */
function maps(vma: Vma, folio: Folio): boolean {
  const vpn = vma.start + (folio.index - vma.pgoff);
  if (vpn < vma.start || vpn >= vma.end) return false;
  const pmd = pmdAt(vma.mm, vpn);
  const entry = pmd?.kind === 'huge' ? pmd.entry : (pmd?.entries[pte_index(vpn)] ?? 0);
  return pte_present(entry) && pte_pfn(entry) === folio.pfn;
}

/** mlock.c:munlock_folio: unless another locked VMA maps it, it is a page like others again. */
export function munlock_folio(kernel: Kernel, folio: Folio): void {
  if (!testFlag(kernel, folio.pfn, PG_MLOCKED)) return;
  // mlock_count: how many locked VMAs map it.
  if (folio.mapping?.vmas.some((vma) => isLocked(vma) && maps(vma, folio))) return;
  clearFlag(kernel, folio.pfn, PG_MLOCKED);
  mod_vm(kernel, 'nr_mlock', -(1 << folio.order));
  count_vm_event(kernel, 'unevictable_pgs_munlocked', 1 << folio.order);
  moveTo(kernel, folio, false);
}

/** mm/internal.h:munlock_vma_folio: where a VMA maps the folio no more; its entry is gone already. */
export function munlock_vma_folio(kernel: Kernel, folio: Folio, vma: Vma): void {
  if (isLocked(vma)) munlock_folio(kernel, folio);
}
