/** mm/memory.c:copy_page_range: fork gives a child what its parent has mapped. */
import {
  is_device_exclusive_entry,
  is_device_private_entry,
  is_migration_entry,
  NO_PTE,
  PTE_DIRTY,
  PTE_EXCLUSIVE,
  PTE_WRITE,
  PTE_YOUNG,
  type Pte,
  PteKind,
  pte_pfn,
  pte_present,
  pte_special,
  pte_write,
  pteKind,
  withBits,
  withPteKind,
} from '../arch/pte.ts';
import {
  type Folio,
  type HugePmd,
  MM_ANONPAGES,
  MM_SWAPENTS,
  type PteTable,
  VM_HUGETLB,
  VM_MIXEDMAP,
  VM_PFNMAP,
  VM_SHARED,
  type Vma,
} from '../include/mm_types.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { folio_prealloc } from './anon_folio.ts';
import { copy_highpage } from './contents.ts';
import { try_restore_exclusive_pte } from './device_exclusive.ts';
import { folio_get, folioOf } from './folio.ts';
import { PG_UPTODATE, setFlag } from './folio_record.ts';
import { split_huge_pmd } from './huge_split.ts';
import { copy_hugetlb_page_range } from './hugetlb.ts';
import { add_mm_counter, mm_counter } from './mm_counter.ts';
import {
  MMU_NOTIFY_CLEAR,
  MMU_NOTIFY_PROTECTION_PAGE,
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
  mmu_notifier_range,
} from './mmu_notifier.ts';
import { is_cow_mapping, maybe_mkwrite, mk_pte, vma_is_anonymous } from './page_prot.ts';
import { PTRS_PER_PTE, pmd_alloc, pte_alloc, pte_alloc_one, pte_free, set_pmd_at } from './pgtable.ts';
import { folio_add_new_anon_rmap, folio_add_rmap_pte, folio_test_anon, folio_try_dup_anon_rmap } from './rmap.ts';
import { folio_add_lru_vma } from './swap.ts';
import { swap_duplicate, swapEntryOf } from './swap_state.ts';

const ENOMEM = -12;
const EBUSY = -16;
const NR = PTRS_PER_PTE;

/** memory.c:vma_needs_copy: what a fault would find again in a file is not copied. */
const vma_needs_copy = (src: Vma): boolean =>
  (src.flags & (VM_PFNMAP | VM_MIXEDMAP)) !== 0 || src.anon_vma !== undefined;

/** memory.c:copy_page_range: 0 or an errno. Devices of the parent are told where its entries lose their write bit. */
export function* copy_page_range(kernel: Kernel, dst: Vma, src: Vma): KernelGenerator<number> {
  if (!vma_needs_copy(src)) return 0;
  return yield* kernel.call('copy_page_range', [hex(src.start * 4096)], copyVma(kernel, dst, src), String);
}

function* copyVma(kernel: Kernel, dst: Vma, src: Vma): KernelGenerator<number> {
  const isCow = is_cow_mapping(src.flags);
  const isHugetlb = (src.flags & VM_HUGETLB) !== 0;
  const event = isHugetlb ? MMU_NOTIFY_CLEAR : MMU_NOTIFY_PROTECTION_PAGE;
  const range = mmu_notifier_range(event, src.mm, src.start, src.end);
  if (isCow) yield* mmu_notifier_invalidate_range_start(kernel, range);
  const result = isHugetlb ? copy_hugetlb_page_range(kernel, dst, src) : yield* copyRange(kernel, dst, src);
  if (isCow) yield* mmu_notifier_invalidate_range_end(kernel, range);
  return result;
}

function* copyRange(kernel: Kernel, dst: Vma, src: Vma): KernelGenerator<number> {
  for (let vpn = src.start; vpn < src.end; ) {
    const next = Math.min(src.end, vpn - (vpn % NR) + NR);
    let pmd = src.mm.pmds.get(Math.floor(vpn / NR));
    if (pmd?.kind === 'huge') {
      const result = copy_huge_pmd(kernel, dst, src, vpn, pmd);
      if (result === ENOMEM) return result;
      if (result !== 0) {
        yield* split_huge_pmd(kernel, src, vpn);
        pmd = src.mm.pmds.get(Math.floor(vpn / NR));
      }
    }
    if (pmd?.kind === 'table') {
      const result = copy_pte_range(kernel, dst, src, pmd, vpn, next);
      if (result !== 0) return result;
    }
    vpn = next;
  }
  return 0;
}

/* ---- small entries ---- */

function copy_pte_range(kernel: Kernel, dst: Vma, src: Vma, from: PteTable, start: number, end: number): number {
  const to = pte_alloc(kernel, dst.mm, start);
  if (!to) return ENOMEM;
  for (let vpn = start; vpn < end; vpn++) {
    let pte = from.entries[vpn % NR] ?? NO_PTE;
    if (pte === NO_PTE) continue;
    if (is_device_exclusive_entry(pte)) {
      const error = try_restore_exclusive_pte(kernel, src, vpn);
      if (error !== 0) return EBUSY;
      pte = from.entries[vpn % NR] ?? NO_PTE;
    }
    const error = pte_present(pte)
      ? copy_present_pte(kernel, dst, src, from, to, vpn, pte)
      : copy_nonpresent_pte(kernel, dst, src, from, to, vpn, pte);
    if (error !== 0) return error;
  }
  return 0;
}

/** memory.c:copy_present_ptes. */
function copy_present_pte(
  kernel: Kernel,
  dst: Vma,
  src: Vma,
  from: PteTable,
  to: PteTable,
  vpn: number,
  pte: Pte,
): number {
  const slot = vpn % NR;
  const pfn = pte_pfn(pte);
  const folio = pte_special(pte) ? undefined : folioOf(kernel, pfn);
  if (folio && folio_test_anon(folio)) {
    if (!folio_try_dup_anon_rmap(kernel, folio, pfn)) return copy_present_page(kernel, dst, to, vpn, pfn);
  } else if (folio) folio_add_rmap_pte(kernel, folio, pfn);
  if (folio) {
    folio_get(kernel, folio.pfn);
    add_mm_counter(kernel, dst.mm, mm_counter(kernel, folio), 1);
  }
  let copy = pte;
  if (is_cow_mapping(src.flags) && pte_write(pte)) {
    copy = withBits(pte, 0, PTE_WRITE);
    kernel.store.setDense(from.entries, slot, copy);
  }
  const cleaned = (src.flags & VM_SHARED) !== 0 ? PTE_DIRTY | PTE_YOUNG : PTE_YOUNG;
  kernel.store.setDense(to.entries, slot, withBits(copy, 0, cleaned));
  return 0;
}

/** memory.c:copy_present_page: somebody pins the page, so the child gets its copy now and the parent keeps the page. */
function copy_present_page(kernel: Kernel, dst: Vma, to: PteTable, vpn: number, pfn: number): number {
  const copy = folio_prealloc(kernel, dst);
  if (!copy) return ENOMEM;
  copy_highpage(kernel, copy.pfn, pfn);
  setFlag(kernel, copy.pfn, PG_UPTODATE);
  folio_add_new_anon_rmap(kernel, copy, dst, vpn);
  folio_add_lru_vma(kernel, copy.pfn, dst);
  add_mm_counter(kernel, dst.mm, MM_ANONPAGES, 1);
  kernel.store.setDense(to.entries, vpn % NR, maybe_mkwrite(dst, mk_pte(dst, copy.pfn, PTE_DIRTY)));
  return 0;
}

/** memory.c:copy_nonpresent_pte. */
function copy_nonpresent_pte(
  kernel: Kernel,
  dst: Vma,
  src: Vma,
  from: PteTable,
  to: PteTable,
  vpn: number,
  pte: Pte,
): number {
  const kind = pteKind(pte);
  let copy = pte;
  if (kind === PteKind.Swap) {
    if (!swap_duplicate(kernel, swapEntryOf(pte))) return -5;
    copy = withBits(pte, 0, PTE_EXCLUSIVE);
    add_mm_counter(kernel, dst.mm, MM_SWAPENTS, 1);
  } else if (is_migration_entry(pte)) {
    const folio = folioOf(kernel, pte_pfn(pte));
    if (folio) add_mm_counter(kernel, dst.mm, mm_counter(kernel, folio), 1);
    if (is_cow_mapping(src.flags)) copy = withPteKind(pte, PteKind.MigrationRead);
  } else if (is_device_private_entry(pte)) {
    const folio = folioOf(kernel, pte_pfn(pte));
    if (folio) dupDevice(kernel, dst, folio, pte_pfn(pte));
    if (is_cow_mapping(src.flags)) copy = withPteKind(pte, PteKind.DeviceRead);
  }
  if (copy !== pte) kernel.store.setDense(from.entries, vpn % NR, copy);
  kernel.store.setDense(to.entries, vpn % NR, copy);
  return 0;
}

/** The device's page gets one more reference and mapping. No pin can keep it: it is nothing a CPU could pin. */
function dupDevice(kernel: Kernel, dst: Vma, folio: Folio, pfn: number): void {
  folio_get(kernel, folio.pfn);
  add_mm_counter(kernel, dst.mm, MM_ANONPAGES, 1);
  folio_try_dup_anon_rmap(kernel, folio, pfn);
}

/* ---- huge entries ---- */

/** huge_memory.c:copy_huge_pmd: 0, -ENOMEM, or -EAGAIN where a pin wants the parent's page to be split and copied. */
function copy_huge_pmd(kernel: Kernel, dst: Vma, src: Vma, vpn: number, pmd: HugePmd): number {
  if (!vma_is_anonymous(dst)) return 0;
  const deposited = pmd_alloc(kernel, dst.mm, vpn) ? pte_alloc_one(kernel, dst.mm) : undefined;
  if (!deposited) return ENOMEM;
  const { entry } = pmd;
  const folio = pte_special(entry) ? undefined : folioOf(kernel, pte_pfn(entry));
  let copy = withBits(entry, 0, PTE_WRITE);
  if (is_migration_entry(entry)) copy = withPteKind(entry, PteKind.MigrationRead);
  else if (folio) {
    if (!folio_try_dup_anon_rmap(kernel, folio, folio.pfn, true)) {
      pte_free(kernel, dst.mm, deposited);
      return -11;
    }
    folio_get(kernel, folio.pfn);
    if (is_device_private_entry(entry)) copy = withPteKind(entry, PteKind.DeviceRead);
  }
  if (folio) add_mm_counter(kernel, dst.mm, MM_ANONPAGES, NR);
  if (copy !== entry) set_pmd_at(kernel, src.mm, vpn, { ...pmd, entry: copy });
  const entryOfChild = pte_present(copy) ? withBits(copy, 0, PTE_YOUNG) : copy;
  set_pmd_at(kernel, dst.mm, vpn, { kind: 'huge', entry: entryOfChild, deposited });
  return 0;
}
