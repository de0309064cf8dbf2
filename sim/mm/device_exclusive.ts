/**
 * mm/memory.c: the end of a device's exclusive access. The entry keeps the page's reference; to 6.14 its mapping
 * was not counted while it lasted. Revocation makes an ordinary entry of it again, under the page's lock, and
 * tells the devices.
 */
import {
  is_device_exclusive_entry,
  mkPte,
  PTE_DIRTY,
  PTE_SOFT_DIRTY,
  PTE_UFFD_WP,
  PTE_WRITE,
  type Pte,
  PteKind,
  pte_pfn,
  pteBits,
  pteKind,
} from '../arch/pte.ts';
import { VM_MAYWRITE, VM_READ, VM_SHARED, VM_WRITE, type Vma, type VmFault } from '../include/mm_types.ts';
import { folio_lock, folio_trylock, folio_unlock } from '../kernel/locking.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { folio_get, folio_put, folio_ref_count, folioOf } from './folio.ts';
import { PG_DIRTY, testFlag } from './folio_record.ts';
import { mlock_vma_folio } from './mlock_folio.ts';
import {
  MMU_NOTIFY_EXCLUSIVE,
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
  mmu_notifier_range,
} from './mmu_notifier.ts';
import { pteAt, set_pte_at } from './pgtable.ts';
import { folio_add_rmap_pte, folio_test_anon, pageAnonExclusive } from './rmap.ts';

/** is_cow_mapping: private, and may become writable. */
export const is_cow_mapping = (flags: number): boolean => (flags & (VM_SHARED | VM_MAYWRITE)) === VM_MAYWRITE;

/** Does the restored entry permit writing? To 6.14 the entry knows; since 6.15 it is decided anew (can_change_pte_writable). */
function restoredBits(kernel: Kernel, vma: Vma, pte: Pte, head: number): number {
  const pfn = pte_pfn(pte);
  let bits = pteBits(pte) & (PTE_SOFT_DIRTY | PTE_UFFD_WP);
  if ((bits & PTE_UFFD_WP) !== 0) return bits;
  if (kernel.facts.twoExclusiveSwapTypes) {
    if (pteKind(pte) === PteKind.DeviceExclusiveWrite) {
      bits |= PTE_DIRTY;
      if ((vma.flags & VM_WRITE) !== 0) bits |= PTE_WRITE;
    }
  } else if ((vma.flags & VM_WRITE) !== 0 && pageAnonExclusive(kernel, pfn)) {
    bits |= PTE_WRITE;
    if (testFlag(kernel, head, PG_DIRTY)) bits |= PTE_DIRTY;
  }
  return bits;
}

/** memory.c:restore_exclusive_pte: an old entry of the page again. The page is locked. */
export function restore_exclusive_pte(kernel: Kernel, vma: Vma, vpn: number): void {
  const pte = pteAt(vma.mm, vpn);
  const pfn = pte_pfn(pte);
  const folio = folioOf(kernel, pfn);
  if (!is_device_exclusive_entry(pte) || !folio) return;
  if (!folio_test_anon(folio)) kernel.WARN('restore_exclusive_pte: exclusive access to a page that is not anonymous');
  else if (kernel.facts.twoExclusiveSwapTypes) {
    folio_add_rmap_pte(kernel, folio, pfn);
    mlock_vma_folio(kernel, folio, vma);
  }
  const kind = (vma.flags & (VM_READ | VM_WRITE)) === 0 ? PteKind.ProtNone : PteKind.Present;
  set_pte_at(kernel, vma.mm, vpn, mkPte(kind, pfn, restoredBits(kernel, vma, pte, folio.pfn)));
}

/** memory.c:try_restore_exclusive_pte, for fork: -EBUSY if someone holds the page's lock. */
export function try_restore_exclusive_pte(kernel: Kernel, vma: Vma, vpn: number): number {
  const pfn = folioOf(kernel, pte_pfn(pteAt(vma.mm, vpn)))?.pfn;
  if (pfn === undefined || !folio_trylock(kernel, pfn)) return -16;
  restore_exclusive_pte(kernel, vma, vpn);
  folio_unlock(kernel, pfn);
  return 0;
}

/** memory.c:remove_device_exclusive_entry: a CPU touches the page. VM_FAULT_* bits. */
export function remove_device_exclusive_entry(kernel: Kernel, vmf: VmFault): KernelGenerator<number> {
  return kernel.call('remove_device_exclusive_entry', () => [hex(vmf.vpn * 4096)], remove(kernel, vmf), hex);
}

function* remove(kernel: Kernel, { vma, vpn }: VmFault): KernelGenerator<number> {
  const entry = pteAt(vma.mm, vpn);
  const pfn = folioOf(kernel, pte_pfn(entry))?.pfn;
  // Whoever freed the page has taken the entry out already.
  if (pfn === undefined || folio_ref_count(kernel, pfn) === 0) return 0;
  folio_get(kernel, pfn);
  yield* folio_lock(kernel, pfn);
  const range = mmu_notifier_range(MMU_NOTIFY_EXCLUSIVE, vma.mm, vpn, vpn + 1);
  yield* mmu_notifier_invalidate_range_start(kernel, range);
  if (pteAt(vma.mm, vpn) === entry) restore_exclusive_pte(kernel, vma, vpn);
  folio_unlock(kernel, pfn);
  yield* folio_put(kernel, pfn);
  yield* mmu_notifier_invalidate_range_end(kernel, range);
  return 0;
}
