/** mm/huge_memory.c: faults that a whole huge page answers, and what becomes of huge entries. */
import {
  is_device_private_entry,
  is_migration_entry,
  PTE_DIRTY,
  PTE_SPECIAL,
  PTE_WRITE,
  PTE_YOUNG,
  PteKind,
  pte_pfn,
  pte_special,
  pteBits,
  withBits,
} from '../arch/pte.ts';
import {
  FAULT_FLAG_UNSHARE,
  FAULT_FLAG_WRITE,
  type Folio,
  type HugePmd,
  MM_ANONPAGES,
  VM_FAULT_FALLBACK,
  VM_FAULT_OOM,
  VM_HUGEPAGE,
  VM_NOHUGEPAGE,
  VM_WRITE,
  type Vma,
  type VmFault,
} from '../include/mm_types.ts';
import { folio_trylock, folio_unlock } from '../kernel/locking.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { copy_highpage } from './contents.ts';
import { device_private_fault, migration_entry_wait } from './device_private.ts';
import { alloc_folio, folio_put_system, folioOf } from './folio.ts';
import { PG_UPTODATE, setFlag } from './folio_record.ts';
import { split_huge_pmd } from './huge_split.ts';
import { mem_cgroup_charge } from './memcontrol.ts';
import { add_mm_counter } from './mm_counter.ts';
import {
  MMU_NOTIFY_CLEAR,
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
  mmu_notifier_range,
} from './mmu_notifier.ts';
import { is_numa_hint, maybe_mkwrite, mk_pte, pte_modify, vma_is_anonymous } from './page_prot.ts';
import { hugePmdAt, PTRS_PER_PTE, pmd_alloc, pte_alloc_one, pte_free, set_pmd_at } from './pgtable.ts';
import {
  anon_vma_prepare,
  folio_add_new_anon_rmap,
  folio_move_anon_rmap,
  folio_remove_rmap_pmd,
  pageAnonExclusive,
  setPageAnonExclusive,
} from './rmap.ts';
import { folio_add_lru_vma } from './swap.ts';
import { count_vm_event } from './vmstat.ts';
import { huge_zero_pfn, thp_vma_suitable } from './zero_page.ts';

export const HPAGE_PMD_ORDER = 9;
const NR = PTRS_PER_PTE;

/** huge_memory.c:thp_vma_allowable_order for a page fault: by VMA, and by what /sys/kernel/mm/transparent_hugepage/enabled says. */
export function thp_vma_allowable(kernel: Kernel, vma: Vma, enforceSysfs = true): boolean {
  if (!kernel.config.config.transparentHugepage || (vma.flags & VM_NOHUGEPAGE) !== 0) return false;
  const { enabled } = kernel.state.thp;
  return !enforceSysfs || enabled === 'always' || (enabled === 'madvise' && (vma.flags & VM_HUGEPAGE) !== 0);
}

/** huge_memory.c:create_huge_pmd: nothing is mapped in these 2 MiB yet. VM_FAULT_FALLBACK where a small page must do. */
export function do_huge_pmd_missing(kernel: Kernel, vmf: VmFault): number {
  const { vma, vpn } = vmf;
  // Huge pages of shmem are off unless somebody asks for them with a mount option, which is not modelled.
  if (!vma_is_anonymous(vma) || !thp_vma_allowable(kernel, vma) || !thp_vma_suitable(vma, vpn))
    return VM_FAULT_FALLBACK;
  return kernel.leaf('do_huge_pmd_anonymous_page', [hex(vpn * 4096)], () => anonymous(kernel, vmf), hex);
}

/** huge_memory.c:do_huge_pmd_anonymous_page. */
function anonymous(kernel: Kernel, { vma, vpn, flags }: VmFault): number {
  if (!pmd_alloc(kernel, vma.mm, vpn)) return VM_FAULT_OOM;
  anon_vma_prepare(kernel, vma);
  const start = vpn - (vpn % NR);
  if ((flags & FAULT_FLAG_WRITE) === 0 && kernel.state.thp.use_zero_page) {
    const deposited = pte_alloc_one(kernel, vma.mm);
    if (!deposited) return VM_FAULT_OOM;
    const zero = huge_zero_pfn(kernel);
    if (zero !== undefined) {
      const entry = mk_pte(vma, zero, PTE_SPECIAL);
      set_pmd_at(kernel, vma.mm, start, { kind: 'huge', entry, deposited });
      return 0;
    }
    pte_free(kernel, vma.mm, deposited);
    count_vm_event(kernel, 'thp_fault_fallback');
    return VM_FAULT_FALLBACK;
  }
  const folio = allocHuge(kernel, vma);
  if (!folio) return VM_FAULT_FALLBACK;
  const deposited = pte_alloc_one(kernel, vma.mm);
  if (!deposited) {
    folio_put_system(kernel, folio.pfn);
    return VM_FAULT_OOM;
  }
  mapHuge(kernel, vma, start, folio, { kind: 'huge', entry: 0, deposited });
  add_mm_counter(kernel, vma.mm, MM_ANONPAGES, NR);
  count_vm_event(kernel, 'thp_fault_alloc');
  return 0;
}

/** vma_alloc_folio of order 9 and its charge; what fails is counted. */
function allocHuge(kernel: Kernel, vma: Vma): Folio | undefined {
  const folio = alloc_folio(kernel, HPAGE_PMD_ORDER);
  if (!folio) {
    count_vm_event(kernel, 'thp_fault_fallback');
    return undefined;
  }
  if (mem_cgroup_charge(kernel, folio, vma.mm)) {
    setFlag(kernel, folio.pfn, PG_UPTODATE);
    return folio;
  }
  folio_put_system(kernel, folio.pfn);
  count_vm_event(kernel, 'thp_fault_fallback');
  count_vm_event(kernel, 'thp_fault_fallback_charge');
  return undefined;
}

/** huge_memory.c:map_anon_folio_pmd: a fresh huge page, dirty and writable where the VMA is. */
export function mapHuge(kernel: Kernel, vma: Vma, start: number, folio: Folio, old: HugePmd): void {
  folio_add_new_anon_rmap(kernel, folio, vma, start);
  folio_add_lru_vma(kernel, folio.pfn, vma);
  const entry = maybe_mkwrite(vma, mk_pte(vma, folio.pfn, PTE_DIRTY));
  set_pmd_at(kernel, vma.mm, start, { ...old, entry });
}

/* ---- a huge entry is there ---- */

/** memory.c:__handle_mm_fault where the PMD is huge or says where a huge page went. VM_FAULT_FALLBACK: it is a table now. */
export function* do_huge_pmd_fault(kernel: Kernel, vmf: VmFault, pmd: HugePmd): KernelGenerator<number> {
  const { vma, vpn, flags } = vmf;
  const { entry } = pmd;
  const start = vpn - (vpn % NR);
  if (is_migration_entry(entry)) {
    yield* migration_entry_wait(kernel, vma.mm, vpn, entry);
    return 0;
  }
  if (is_device_private_entry(entry)) {
    const page = pte_pfn(entry) + (vpn - start);
    return yield* device_private_fault(kernel, { ...vmf, page }, page);
  }
  const set = (next: number): void => {
    set_pmd_at(kernel, vma.mm, start, { ...pmd, entry: next });
  };
  if (is_numa_hint(vma, entry)) {
    const open = withBits(pte_modify(vma, entry), PTE_YOUNG);
    set((pteBits(entry) & PTE_WRITE) !== 0 ? maybe_mkwrite(vma, open) : open);
    return 0;
  }
  if ((pteBits(entry) & 15) !== PteKind.Present) return 0;
  const isWrite = (flags & FAULT_FLAG_WRITE) !== 0;
  if ((isWrite || (flags & FAULT_FLAG_UNSHARE) !== 0) && (pteBits(entry) & PTE_WRITE) === 0)
    return yield* kernel.call('do_huge_pmd_wp_page', [hex(start * 4096)], wp_huge(kernel, vmf, pmd), hex);
  set(withBits(entry, isWrite ? PTE_YOUNG | PTE_DIRTY : PTE_YOUNG));
  return 0;
}

/** huge_memory.c:do_huge_pmd_wp_page: written in place by its only user; else split, and copied page by page. */
function* wp_huge(kernel: Kernel, vmf: VmFault, pmd: HugePmd): KernelGenerator<number> {
  const { vma, vpn, flags } = vmf;
  const start = vpn - (vpn % NR);
  const { entry } = pmd;
  // pmd_same
  if (hugePmdAt(vma.mm, vpn) !== pmd) return 0;
  const isZero = pte_special(entry);
  const folio = isZero ? undefined : folioOf(kernel, pte_pfn(entry));
  if (folio && wp_can_reuse_huge(kernel, vma, folio)) {
    if ((flags & FAULT_FLAG_UNSHARE) === 0 && (vma.flags & VM_WRITE) !== 0)
      set_pmd_at(kernel, vma.mm, start, { ...pmd, entry: withBits(entry, PTE_WRITE | PTE_DIRTY | PTE_YOUNG) });
    return 0;
  }
  const copies = isZero ? kernel.facts.hugeZeroWpAllocates : !kernel.facts.thpCowSplits;
  if (copies) {
    const result = yield* copy_huge(kernel, vma, start, pmd, folio);
    if ((result & VM_FAULT_FALLBACK) === 0) return result;
  }
  yield* split_huge_pmd(kernel, vma, vpn);
  return VM_FAULT_FALLBACK;
}

function wp_can_reuse_huge(kernel: Kernel, vma: Vma, folio: Folio): boolean {
  if (kernel.facts.anonExclusive && pageAnonExclusive(kernel, folio.pfn)) return true;
  if (!folio_trylock(kernel, folio.pfn)) return false;
  const isAlone = kernel.pages.refcount.get(folio.pfn) === 1;
  if (isAlone) {
    folio_move_anon_rmap(kernel, folio, vma);
    setPageAnonExclusive(kernel, folio.pfn);
  }
  folio_unlock(kernel, folio.pfn);
  return isAlone;
}

/** A huge page in place of the huge zero page (from 6.13), or of a shared one (to 5.7). */
function* copy_huge(
  kernel: Kernel,
  vma: Vma,
  start: number,
  pmd: HugePmd,
  old: Folio | undefined,
): KernelGenerator<number> {
  anon_vma_prepare(kernel, vma);
  const folio = allocHuge(kernel, vma);
  if (!folio) return VM_FAULT_FALLBACK;
  if (old) for (let i = 0; i < NR; i++) copy_highpage(kernel, folio.pfn + i, old.pfn + i);
  const range = mmu_notifier_range(MMU_NOTIFY_CLEAR, vma.mm, start, start + NR);
  yield* mmu_notifier_invalidate_range_start(kernel, range);
  const isSame = hugePmdAt(vma.mm, start) === pmd;
  if (isSame) {
    mapHuge(kernel, vma, start, folio, pmd);
    if (old) {
      folio_remove_rmap_pmd(kernel, old);
      folio_put_system(kernel, old.pfn);
    } else add_mm_counter(kernel, vma.mm, MM_ANONPAGES, NR);
    count_vm_event(kernel, 'thp_fault_alloc');
  } else folio_put_system(kernel, folio.pfn);
  yield* mmu_notifier_invalidate_range_end(kernel, range);
  return 0;
}
