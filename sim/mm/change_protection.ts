/** mm/mprotect.c:change_protection: the entries of a range follow the new protection of their VMA. */
import {
  is_migration_entry,
  is_swap_pte,
  NO_PTE,
  PTE_WRITE,
  type Pte,
  PteKind,
  pte_dirty,
  pte_pfn,
  pte_special,
  pteBits,
  pteKind,
  withBits,
  withPteKind,
} from '../arch/pte.ts';
import { type HugePmd, type PteTable, VM_HUGETLB, VM_SHARED, VM_WRITE, type Vma } from '../include/mm_types.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { folioOf } from './folio.ts';
import { split_huge_pmd } from './huge_split.ts';
import { hugetlb_change_protection } from './hugetlb.ts';
import {
  MMU_NOTIFY_PROTECTION_VMA,
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
  mmu_notifier_range,
} from './mmu_notifier.ts';
import { pte_modify, vma_wants_writenotify } from './page_prot.ts';
import { PTRS_PER_PTE, set_pmd_at } from './pgtable.ts';
import { folio_test_anon, pageAnonExclusive } from './rmap.ts';

const NR = PTRS_PER_PTE;

/**
 * mprotect.c:change_protection with its notification (PROTECTION_VMA, where anything is mapped at all). `newFlags`
 * are the VMA's flags from now on, whether the caller has set them already or not.
 */
export function* change_protection(
  kernel: Kernel,
  vma: Vma,
  start: number,
  end: number,
  newFlags: number,
): KernelGenerator<void> {
  // The entries follow vm_page_prot, which follows the flags.
  if (vma.flags !== newFlags) kernel.store.set(vma, 'flags', newFlags);
  yield* kernel.call(
    'change_protection',
    [hex(start * 4096), hex(end * 4096)],
    change(kernel, vma, start, end),
    () => '',
  );
}

function* change(kernel: Kernel, vma: Vma, start: number, end: number): KernelGenerator<void> {
  const first = firstMapped(vma, start, end);
  if (first < 0) return;
  const range = mmu_notifier_range(MMU_NOTIFY_PROTECTION_VMA, vma.mm, start, end);
  yield* mmu_notifier_invalidate_range_start(kernel, range);
  if ((vma.flags & VM_HUGETLB) !== 0) hugetlb_change_protection(kernel, vma, start, end);
  else yield* change_pmd_range(kernel, vma, first, end);
  yield* mmu_notifier_invalidate_range_end(kernel, range);
}

/** Where the first table or huge entry of the range is; -1: nowhere. */
function firstMapped(vma: Vma, start: number, end: number): number {
  for (let vpn = start; vpn < end; vpn += NR - (vpn % NR)) if (vma.mm.pmds.has(Math.floor(vpn / NR))) return vpn;
  return -1;
}

function* change_pmd_range(kernel: Kernel, vma: Vma, start: number, end: number): KernelGenerator<void> {
  const { pmds } = vma.mm;
  for (let vpn = start; vpn < end; ) {
    const next = Math.min(end, vpn - (vpn % NR) + NR);
    let pmd = pmds.get(Math.floor(vpn / NR));
    if (pmd?.kind === 'huge' && next - vpn < NR) {
      yield* split_huge_pmd(kernel, vma, vpn);
      pmd = pmds.get(Math.floor(vpn / NR));
    }
    if (pmd?.kind === 'huge') change_huge_pmd(kernel, vma, vpn, pmd);
    else if (pmd) change_pte_range(kernel, vma, pmd, vpn, next);
    vpn = next;
  }
}

function change_pte_range(kernel: Kernel, vma: Vma, { entries }: PteTable, start: number, end: number): void {
  for (let vpn = start; vpn < end; vpn++) {
    const pte = entries[vpn % NR] ?? NO_PTE;
    if (pte === NO_PTE) continue;
    const next = changed(kernel, vma, pte);
    if (next !== pte) kernel.store.setDense(entries, vpn % NR, next);
  }
}

function change_huge_pmd(kernel: Kernel, vma: Vma, vpn: number, pmd: HugePmd): void {
  const entry = changed(kernel, vma, pmd.entry);
  if (entry !== pmd.entry) set_pmd_at(kernel, vma.mm, vpn, { ...pmd, entry });
}

/** What an entry is under the VMA's protection. */
function changed(kernel: Kernel, vma: Vma, pte: Pte): Pte {
  if (is_swap_pte(pte)) return changedSwap(kernel, pte);
  const next = pte_modify(vma, pte);
  const tries = kernel.facts.mprotectKeepsWrite && wants_write_upgrade(vma);
  return tries && can_change_pte_writable(kernel, vma, next) ? withBits(next, PTE_WRITE) : next;
}

/** Entries that would let somebody write lose that, whatever the new protection: the next write finds out. */
function changedSwap(kernel: Kernel, pte: Pte): Pte {
  switch (pteKind(pte)) {
    case PteKind.MigrationWrite: {
      const folio = folioOf(kernel, pte_pfn(pte));
      const isAnon = folio !== undefined && folio_test_anon(folio) && is_migration_entry(pte);
      return withPteKind(
        pte,
        isAnon && kernel.facts.anonExclusive ? PteKind.MigrationReadExclusive : PteKind.MigrationRead,
      );
    }
    case PteKind.DeviceWrite:
      return withPteKind(pte, PteKind.DeviceRead);
    case PteKind.DeviceExclusiveWrite:
      return kernel.facts.twoExclusiveSwapTypes ? withPteKind(pte, PteKind.DeviceExclusiveRead) : pte;
    default:
      return pte;
  }
}

/** mm.h:vma_wants_manual_pte_write_upgrade. */
const wants_write_upgrade = (vma: Vma): boolean =>
  (vma.flags & VM_SHARED) !== 0 ? vma_wants_writenotify(vma) : (vma.flags & VM_WRITE) !== 0;

/** mprotect.c:can_change_pte_writable: a private page that is nobody else's, a shared one that is dirty already. */
function can_change_pte_writable(kernel: Kernel, vma: Vma, pte: Pte): boolean {
  if ((vma.flags & VM_WRITE) === 0 || (pteBits(pte) & 15) === PteKind.ProtNone) return false;
  if ((vma.flags & VM_SHARED) !== 0) return pte_dirty(pte);
  if (pte_special(pte)) return false;
  const folio = folioOf(kernel, pte_pfn(pte));
  return folio !== undefined && folio_test_anon(folio) && pageAnonExclusive(kernel, pte_pfn(pte));
}
