/** mm/khugepaged.c: MADV_COLLAPSE: 512 small pages become a huge one. Anonymous memory only. */
import {
  is_device_private_entry,
  is_swap_pte,
  NO_PTE,
  type Pte,
  pte_pfn,
  pte_present,
  pte_special,
  pte_write,
} from '../arch/pte.ts';
import {
  type Folio,
  MM_ANONPAGES,
  type PteTable,
  VM_FAULT_ERROR,
  VM_FAULT_RETRY,
  VM_HUGETLB,
  VM_SPECIAL,
  type Vma,
} from '../include/mm_types.ts';
import { folio_test_locked } from '../kernel/locking.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { copy_highpage } from './contents.ts';
import { alloc_folio, folio_put_system, folioOf, isDevicePage } from './folio.ts';
import { PG_LRU, PG_SWAPCACHE, PG_UPTODATE, setFlag, testFlag } from './folio_record.ts';
import { HPAGE_PMD_ORDER, mapHuge, thp_vma_allowable } from './huge_memory.ts';
import { mem_cgroup_charge } from './memcontrol.ts';
import { do_swap_page } from './memory_swap.ts';
import { add_mm_counter } from './mm_counter.ts';
import {
  MMU_NOTIFY_CLEAR,
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
  mmu_notifier_range,
} from './mmu_notifier.ts';
import { vma_is_anonymous } from './page_prot.ts';
import { PTRS_PER_PTE, pmdAt, pteAt, pteTableAt } from './pgtable.ts';
import { folio_mapcount, folio_remove_rmap_pte, folio_test_anon } from './rmap.ts';
import { lru_add_drain_all } from './swap.ts';
import { drop_mapped } from './swap_free.ts';
import { count_vm_event } from './vmstat.ts';
import { thp_vma_suitable } from './zero_page.ts';

const EAGAIN = -11;
const ENOMEM = -12;
const EBUSY = -16;
const EINVAL = -22;
const NR = PTRS_PER_PTE;

/**
 * khugepaged.c:madvise_collapse for the 2 MiB at `vpn`: 0, or why not: -EINVAL for a place that cannot have a huge
 * page, -EAGAIN for pages in somebody's hands, -ENOMEM and -EBUSY without a huge page or its charge. The mmap lock
 * is held; the kernel takes it for writing meanwhile.
 */
export function* collapse_huge_page(kernel: Kernel, vma: Vma, vpn: number): KernelGenerator<number> {
  return yield* kernel.call('collapse_huge_page', [hex(vpn * 4096)], collapse(kernel, vma, vpn), String);
}

function* collapse(kernel: Kernel, vma: Vma, start: number): KernelGenerator<number> {
  if ((vma.flags & (VM_SPECIAL | VM_HUGETLB)) !== 0 || !thp_vma_allowable(kernel, vma, false)) return EINVAL;
  if (!vma_is_anonymous(vma) || !thp_vma_suitable(vma, start)) return EINVAL;
  lru_add_drain_all(kernel);
  const pmd = pmdAt(vma.mm, start);
  if (pmd?.kind === 'huge') return 0;
  if (!pmd) return EINVAL;
  const scanned = scan_pmd(kernel, pmd);
  if (scanned !== 0) return scanned;
  const folio = alloc_folio(kernel, HPAGE_PMD_ORDER);
  if (!folio) {
    count_vm_event(kernel, 'thp_collapse_alloc_failed');
    return ENOMEM;
  }
  count_vm_event(kernel, 'thp_collapse_alloc');
  const charged = mem_cgroup_charge(kernel, folio, vma.mm);
  const error = charged ? yield* collapseInto(kernel, vma, start, folio) : EBUSY;
  if (error !== 0) folio_put_system(kernel, folio.pfn);
  return error;
}

/** khugepaged.c:hpage_collapse_scan_pmd for MADV_COLLAPSE: are these 512 entries fit? Swapped pages are. */
function scan_pmd(kernel: Kernel, { entries }: PteTable): number {
  let writable = false;
  for (const pte of entries) {
    if (pte === NO_PTE || is_swap_pte(pte) || pte_special(pte)) continue;
    const unfit = unfitPage(kernel, pte);
    if (unfit !== 0) return unfit;
    if (pte_write(pte)) writable = true;
  }
  return writable ? 0 : EINVAL;
}

/** An errno if a mapped page cannot be taken now. */
function unfitPage(kernel: Kernel, pte: Pte): number {
  if (!pte_present(pte)) return EINVAL;
  const folio = folioOf(kernel, pte_pfn(pte));
  if (!folio || isDevicePage(kernel, folio.pfn) || !folio_test_anon(folio)) return EINVAL;
  if (!testFlag(kernel, folio.pfn, PG_LRU) || folio_test_locked(kernel, folio.pfn)) return EAGAIN;
  const cached = testFlag(kernel, folio.pfn, PG_SWAPCACHE) ? 1 : 0;
  // is_refcount_suitable: somebody besides the mappings and the swap cache refers to it.
  return kernel.pages.refcount.get(folio.pfn) === folio_mapcount(kernel, folio) + cached ? 0 : EAGAIN;
}

function* collapseInto(kernel: Kernel, vma: Vma, start: number, folio: Folio): KernelGenerator<number> {
  const swapped = yield* swapIn(kernel, vma, start);
  if (swapped !== 0) return swapped;
  const range = mmu_notifier_range(MMU_NOTIFY_CLEAR, vma.mm, start, start + NR);
  yield* mmu_notifier_invalidate_range_start(kernel, range);
  const table = pteTableAt(vma.mm, start);
  const error = table ? collapseTable(kernel, vma, start, table, folio) : EINVAL;
  yield* mmu_notifier_invalidate_range_end(kernel, range);
  return error;
}

/** khugepaged.c:__collapse_huge_page_swapin: what is in swap, or on a device, comes home first. */
function* swapIn(kernel: Kernel, vma: Vma, start: number): KernelGenerator<number> {
  for (let vpn = start; vpn < start + NR; vpn++) {
    const pte = pteAt(vma.mm, vpn);
    if (!is_swap_pte(pte)) continue;
    const result = yield* do_swap_page(kernel, { vma, vpn, flags: 0 }, pte);
    if ((result & (VM_FAULT_ERROR | VM_FAULT_RETRY)) !== 0) return EINVAL;
    if (is_device_private_entry(pteAt(vma.mm, vpn))) return EINVAL;
  }
  lru_add_drain_all(kernel);
  return 0;
}

/** khugepaged.c:__collapse_huge_page_isolate and _copy: all of them are fit, or nothing happens. */
function collapseTable(kernel: Kernel, vma: Vma, start: number, table: PteTable, folio: Folio): number {
  const entries = table.entries.slice();
  const scanned = entries.some(is_swap_pte) ? EAGAIN : scan_pmd(kernel, table);
  if (scanned !== 0) return scanned;
  let fresh = 0;
  for (let i = 0; i < NR; i++) {
    const pte = entries[i] ?? NO_PTE;
    const old = pte === NO_PTE || pte_special(pte) ? undefined : folioOf(kernel, pte_pfn(pte));
    if (!old) fresh++;
    else {
      copy_highpage(kernel, folio.pfn + i, pte_pfn(pte));
      folio_remove_rmap_pte(kernel, old, pte_pfn(pte));
      drop_mapped(kernel, old.pfn);
    }
  }
  // The table is put aside for the day the huge page is split.
  kernel.store.touch(table.entries);
  table.entries.fill(NO_PTE);
  add_mm_counter(kernel, vma.mm, MM_ANONPAGES, fresh);
  setFlag(kernel, folio.pfn, PG_UPTODATE);
  mapHuge(kernel, vma, start, folio, { kind: 'huge', entry: NO_PTE, deposited: table });
  return 0;
}
