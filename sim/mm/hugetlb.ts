/** mm/hugetlb.c: mappings of huge pages that were set aside: faults, fork, protection, moving, unmapping. */
import { PTE_DIRTY, PTE_WRITE, PTE_YOUNG, PteKind, pte_pfn, pteBits, withBits } from '../arch/pte.ts';
import {
  FAULT_FLAG_WRITE,
  type Folio,
  type HugePmd,
  VM_FAULT_OOM,
  VM_FAULT_SIGBUS,
  VM_SHARED,
  type Vma,
  type VmFault,
} from '../include/mm_types.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { copy_highpage } from './contents.ts';
import { folio_get, folio_put_system, folioOf } from './folio.ts';
import { newFolio, PG_ANON_EXCLUSIVE, PG_UPTODATE, setFlag } from './folio_record.ts';
import { __free_pages_ok } from './freePages.ts';
import { dequeue_hugetlb, grow, HUGETLB_ORDER, PAGES_PER_HUGE_PAGE, shrink } from './hugetlb_pool.ts';
import {
  MMU_NOTIFY_CLEAR,
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
  mmu_notifier_range,
} from './mmu_notifier.ts';
import { is_cow_mapping, maybe_mkwrite, mk_pte, pte_modify } from './page_prot.ts';
import { hugePmdAt, pmd_alloc, pmd_clear, set_pmd_at } from './pgtable.ts';
import { anon_vma_prepare, folio_maybe_dma_pinned, folio_test_anon, pageAnonExclusive } from './rmap.ts';

export { hugetlb_reserve_pages, hugetlb_unreserve_pages } from './hugetlb_pool.ts';

const ENOMEM = -12;
const NR = PAGES_PER_HUGE_PAGE;
const headOf = (vpn: number): number => vpn - (vpn % NR);
const indexOf = (vma: Vma, vpn: number): number => vma.pgoff + (headOf(vpn) - vma.start);

/** hugetlb.c:set_max_huge_pages: what `echo N > /proc/sys/vm/nr_hugepages` asks for, as far as memory allows it. */
export function set_max_huge_pages(kernel: Kernel, count: number): void {
  const { hugetlb } = kernel.state;
  while (hugetlb.nr_huge_pages < count && grow(kernel));
  while (hugetlb.nr_huge_pages > count) {
    const pfn = shrink(kernel);
    if (pfn < 0) return;
    __free_pages_ok(kernel, pfn, HUGETLB_ORDER);
  }
}

/** hugetlb.c:alloc_hugetlb_folio: a page of the pool, holding zeros, with its record; it is charged to nobody. A number: VM_FAULT_* bits. */
function alloc_hugetlb_folio(kernel: Kernel, vma: Vma): Folio | number {
  const { file } = vma;
  const pfn = file ? dequeue_hugetlb(kernel, file, vma.mm) : -1;
  if (pfn < 0) return VM_FAULT_SIGBUS;
  const folio = newFolio(kernel, pfn, HUGETLB_ORDER);
  setFlag(kernel, pfn, PG_UPTODATE);
  return folio;
}

/** hugetlb_add_new_anon_rmap, hugetlb_add_file_rmap: mappings count as a whole, in none of the counters of other pages. */
function addRmap(kernel: Kernel, folio: Folio): void {
  kernel.store.set(folio, 'entire_mapcount', folio.entire_mapcount + 1);
}

function setAnon(kernel: Kernel, folio: Folio, vma: Vma, vpn: number): void {
  kernel.store.set(folio, 'mapping', anon_vma_prepare(kernel, vma));
  kernel.store.set(folio, 'index', indexOf(vma, vpn));
  if (kernel.facts.anonExclusive) setFlag(kernel, folio.pfn, PG_ANON_EXCLUSIVE);
}

const setEntry = (kernel: Kernel, vma: Vma, vpn: number, entry: number): boolean =>
  set_pmd_at(kernel, vma.mm, headOf(vpn), { kind: 'huge', entry, deposited: undefined });

/* ---- faults ---- */

/** hugetlb.c:hugetlb_fault. */
export function* hugetlb_fault(kernel: Kernel, vmf: VmFault): KernelGenerator<number> {
  return yield* kernel.call('hugetlb_fault', [hex(vmf.vpn * 4096)], fault(kernel, vmf), hex);
}

function* fault(kernel: Kernel, vmf: VmFault): KernelGenerator<number> {
  const { vma, vpn, flags } = vmf;
  const pmd = hugePmdAt(vma.mm, vpn);
  if (!pmd) return hugetlb_no_page(kernel, vmf);
  const { entry } = pmd;
  if ((pteBits(entry) & 15) !== PteKind.Present) return 0;
  const isWrite = (flags & FAULT_FLAG_WRITE) !== 0;
  if (isWrite && (pteBits(entry) & PTE_WRITE) === 0) return yield* hugetlb_wp(kernel, vmf, pmd);
  setEntry(kernel, vma, vpn, withBits(entry, isWrite ? PTE_YOUNG | PTE_DIRTY : PTE_YOUNG));
  return 0;
}

/** hugetlb.c:hugetlb_no_page: the page of the file, or one of the pool; a private mapping keeps it to itself. */
function hugetlb_no_page(kernel: Kernel, { vma, vpn, flags }: VmFault): number {
  const { file } = vma;
  if (!file || indexOf(vma, vpn) >= file.size) return VM_FAULT_SIGBUS;
  if (!pmd_alloc(kernel, vma.mm, vpn)) return VM_FAULT_OOM;
  const isShared = (vma.flags & VM_SHARED) !== 0;
  const cached = file.pages.get(indexOf(vma, vpn));
  const folio = cached === undefined ? alloc_hugetlb_folio(kernel, vma) : folioOf(kernel, cached);
  if (folio === undefined || typeof folio === 'number') return folio ?? VM_FAULT_SIGBUS;
  if (cached !== undefined) folio_get(kernel, folio.pfn);
  else if (isShared) {
    kernel.store.set(folio, 'mapping', file);
    kernel.store.set(folio, 'index', indexOf(vma, vpn));
    kernel.store.mapSet(file.pages, indexOf(vma, vpn), folio.pfn);
    folio_get(kernel, folio.pfn);
  } else setAnon(kernel, folio, vma, vpn);
  addRmap(kernel, folio);
  // make_huge_pte: of a VMA that may write, shared or with a page of its own, the entry may, too.
  const writable = isShared || folio_test_anon(folio);
  const entry = mk_pte(vma, folio.pfn);
  const isWrite = (flags & FAULT_FLAG_WRITE) !== 0;
  setEntry(kernel, vma, vpn, writable ? maybe_mkwrite(vma, withBits(entry, isWrite ? PTE_DIRTY : 0)) : entry);
  return 0;
}

/** hugetlb.c:hugetlb_wp: its only user writes in place, others copy; without a free page the copy fails. */
function* hugetlb_wp(kernel: Kernel, { vma, vpn }: VmFault, pmd: HugePmd): KernelGenerator<number> {
  const old = folioOf(kernel, pte_pfn(pmd.entry));
  if (!old) return VM_FAULT_SIGBUS;
  const isOurs = (vma.flags & VM_SHARED) !== 0 || (folio_test_anon(old) && old.entire_mapcount === 0);
  if (isOurs) {
    if (folio_test_anon(old) && !pageAnonExclusive(kernel, old.pfn)) setAnon(kernel, old, vma, vpn);
    setEntry(kernel, vma, vpn, maybe_mkwrite(vma, withBits(pmd.entry, PTE_DIRTY | PTE_YOUNG)));
    return 0;
  }
  const copy = alloc_hugetlb_folio(kernel, vma);
  if (typeof copy === 'number') return copy;
  for (let i = 0; i < NR; i++) copy_highpage(kernel, copy.pfn + i, old.pfn + i);
  const range = mmu_notifier_range(MMU_NOTIFY_CLEAR, vma.mm, headOf(vpn), headOf(vpn) + NR);
  yield* mmu_notifier_invalidate_range_start(kernel, range);
  const isSame = hugePmdAt(vma.mm, vpn) === pmd;
  if (isSame) {
    setAnon(kernel, copy, vma, vpn);
    addRmap(kernel, copy);
    setEntry(kernel, vma, vpn, maybe_mkwrite(vma, mk_pte(vma, copy.pfn, PTE_DIRTY)));
    kernel.store.set(old, 'entire_mapcount', old.entire_mapcount - 1);
  }
  folio_put_system(kernel, isSame ? old.pfn : copy.pfn);
  yield* mmu_notifier_invalidate_range_end(kernel, range);
  return 0;
}

/* ---- the mapping as a whole ---- */

/** hugetlb.c:__unmap_hugepage_range: whole huge pages only. */
export function unmap_hugepage_range(kernel: Kernel, vma: Vma, start: number, end: number): void {
  for (let vpn = headOf(start); vpn < end; vpn += NR) {
    const pmd = hugePmdAt(vma.mm, vpn);
    if (!pmd) continue;
    pmd_clear(kernel, vma.mm, vpn);
    const folio = folioOf(kernel, pte_pfn(pmd.entry));
    if (!folio) continue;
    kernel.store.set(folio, 'entire_mapcount', folio.entire_mapcount - 1);
    folio_put_system(kernel, folio.pfn);
  }
}

/** hugetlb.c:copy_hugetlb_page_range: a page that is pinned is copied at once. */
export function copy_hugetlb_page_range(kernel: Kernel, dst: Vma, src: Vma): number {
  const isCow = is_cow_mapping(src.flags);
  for (let vpn = headOf(src.start); vpn < src.end; vpn += NR) {
    const pmd = hugePmdAt(src.mm, vpn);
    const folio = pmd && folioOf(kernel, pte_pfn(pmd.entry));
    if (!pmd || !folio) continue;
    if (!pmd_alloc(kernel, dst.mm, vpn)) return ENOMEM;
    if (isCow && folio_test_anon(folio) && folio_maybe_dma_pinned(kernel, folio)) {
      const copy = alloc_hugetlb_folio(kernel, dst);
      if (typeof copy === 'number') return ENOMEM;
      for (let i = 0; i < NR; i++) copy_highpage(kernel, copy.pfn + i, folio.pfn + i);
      setAnon(kernel, copy, dst, vpn);
      addRmap(kernel, copy);
      setEntry(kernel, dst, vpn, maybe_mkwrite(dst, mk_pte(dst, copy.pfn, PTE_DIRTY)));
      continue;
    }
    folio_get(kernel, folio.pfn);
    addRmap(kernel, folio);
    const entry = isCow ? withBits(pmd.entry, 0, PTE_WRITE) : pmd.entry;
    if (isCow) {
      kernel.pages.flags.set(folio.pfn, (kernel.pages.flags.get(folio.pfn) & ~PG_ANON_EXCLUSIVE) >>> 0);
      setEntry(kernel, src, vpn, entry);
    }
    setEntry(kernel, dst, vpn, entry);
  }
  return 0;
}

/** hugetlb.c:hugetlb_change_protection: a private page becomes writable again with its next write only. */
export function hugetlb_change_protection(kernel: Kernel, vma: Vma, start: number, end: number): void {
  for (let vpn = headOf(start); vpn < end; vpn += NR) {
    const pmd = hugePmdAt(vma.mm, vpn);
    if (pmd) setEntry(kernel, vma, vpn, pte_modify(vma, pmd.entry));
  }
}

/** hugetlb.c:move_hugetlb_page_tables. */
export function move_hugetlb_page_tables(
  kernel: Kernel,
  vma: Vma,
  oldVpn: number,
  newVma: Vma,
  newVpn: number,
  pages: number,
): number {
  for (let done = 0; done < pages; done += NR) {
    const pmd = hugePmdAt(vma.mm, oldVpn + done);
    if (!pmd) continue;
    if (!pmd_alloc(kernel, newVma.mm, newVpn + done)) return done;
    pmd_clear(kernel, vma.mm, oldVpn + done);
    setEntry(kernel, newVma, newVpn + done, pmd.entry);
  }
  return pages;
}
