/** mm/huge_memory.c: a huge entry becomes a table of 512, a huge page becomes 512 pages. */
import {
  is_device_private_entry,
  is_migration_entry,
  mkPte,
  PTE_SPECIAL,
  type Pte,
  PteKind,
  pte_dirty,
  pte_pfn,
  pte_present,
  pteBits,
} from '../arch/pte.ts';
import { type Folio, VM_HUGETLB, type Vma } from '../include/mm_types.ts';
import { kindOf, PG_HEAD, withKind } from '../include/mmzone.ts';
import { folio_trylock } from '../kernel/locking.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { fill } from './buddy.ts';
import { folio_put_system, folioOf, isDevicePage } from './folio.ts';
import {
  newFolio,
  PG_ACTIVE,
  PG_ANON_EXCLUSIVE,
  PG_DIRTY,
  PG_LRU,
  PG_MLOCKED,
  PG_REFERENCED,
  PG_SWAPBACKED,
  PG_UNEVICTABLE,
  PG_UPTODATE,
  setFlag,
} from './folio_record.ts';
import {
  MMU_NOTIFY_CLEAR,
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
  mmu_notifier_range,
} from './mmu_notifier.ts';
import { mk_pte } from './page_prot.ts';
import { page_pgmap } from './pagemap.ts';
import { hugePmdAt, PTRS_PER_PTE, pte_alloc_one } from './pgtable.ts';
import {
  clearPageAnonExclusive,
  folio_mapcount,
  folio_remove_rmap_pmd,
  folio_test_anon,
  pageAnonExclusive,
} from './rmap.ts';
import { count_vm_event } from './vmstat.ts';
import { zero_pfn } from './zero_page.ts';
import { put_device_page } from './zone_device_page.ts';

const EBUSY = -16;
const EAGAIN = -11;
const NR = PTRS_PER_PTE;

/**
 * huge_memory.c:__split_huge_pmd: the huge entry that covers `vpn`, if there is one, becomes a table of its pages.
 * Devices are told that the 2 MiB change. Huge pages of hugetlb are never split.
 */
export function* split_huge_pmd(kernel: Kernel, vma: Vma, vpn: number): KernelGenerator<void> {
  const start = vpn - (vpn % NR);
  if (!hugePmdAt(vma.mm, start) || (vma.flags & VM_HUGETLB) !== 0) return;
  yield* kernel.call('__split_huge_pmd', [hex(start * 4096)], splitPmd(kernel, vma, start), () => '');
}

function* splitPmd(kernel: Kernel, vma: Vma, start: number): KernelGenerator<void> {
  const range = mmu_notifier_range(MMU_NOTIFY_CLEAR, vma.mm, start, start + NR);
  yield* mmu_notifier_invalidate_range_start(kernel, range);
  __split_huge_pmd_locked(kernel, vma, start);
  yield* mmu_notifier_invalidate_range_end(kernel, range);
}

/** huge_memory.c:__split_huge_pmd_locked. */
export function __split_huge_pmd_locked(kernel: Kernel, vma: Vma, start: number): void {
  const pmd = hugePmdAt(vma.mm, start);
  if (!pmd) return;
  count_vm_event(kernel, 'thp_split_pmd');
  // The table was put aside when the huge entry was made; only a driver's entry has none.
  const frame = pmd.deposited?.pfn ?? pte_alloc_one(kernel, vma.mm)?.pfn;
  if (frame === undefined) throw new RangeError('__split_huge_pmd_locked: no table was deposited');
  const entries = smallEntries(kernel, vma, pmd.entry);
  kernel.store.mapSet(vma.mm.pmds, Math.floor(start / NR), { kind: 'table', pfn: frame, entries });
}

/** The 512 entries that say what the huge one said; the folio's mapping as a whole becomes 512 mappings of its pages. */
function smallEntries(kernel: Kernel, vma: Vma, entry: Pte): Float64Array {
  const first = pte_pfn(entry);
  const bits = pteBits(entry);
  const entries = new Float64Array(NR);
  if ((bits & PTE_SPECIAL) !== 0) return entries.fill(mk_pte(vma, zero_pfn(kernel), PTE_SPECIAL));
  for (let i = 0; i < NR; i++) entries[i] = mkPte(PteKind.None, first + i, bits);
  const folio = folioOf(kernel, first);
  if (!folio || is_migration_entry(entry)) return entries;
  const { refcount, mapcount } = kernel.pages;
  if (pte_present(entry) && pte_dirty(entry)) setFlag(kernel, folio.pfn, PG_DIRTY);
  const exclusive = pageAnonExclusive(kernel, folio.pfn);
  refcount.add(folio.pfn, NR - 1);
  // Each page gains a mapping of its own before the one of the whole goes, so no counter falls in between.
  for (let i = 0; i < NR; i++) mapcount.add(first + i, 1);
  if (exclusive) for (let i = 1; i < NR; i++) setFlag(kernel, first + i, PG_ANON_EXCLUSIVE);
  else if (is_device_private_entry(entry)) clearPageAnonExclusive(kernel, folio.pfn);
  folio_remove_rmap_pmd(kernel, folio);
  return entries;
}

/* ---- the folio ---- */

/** What a page of a split folio takes from its head (huge_memory.c:__split_huge_page_tail). */
const TAIL_FLAGS =
  PG_REFERENCED | PG_SWAPBACKED | PG_MLOCKED | PG_UPTODATE | PG_ACTIVE | PG_UNEVICTABLE | PG_DIRTY | PG_LRU;

/** huge_memory.c:can_split_folio: nobody but its mappings and the caller refers to it (huge pages are not swapped whole here). */
export function can_split_folio(kernel: Kernel, folio: Folio, callerPins = 1): boolean {
  return folio_mapcount(kernel, folio) === kernel.pages.refcount.get(folio.pfn) - callerPins;
}

/**
 * huge_memory.c:split_folio (split_huge_page_to_list): the caller holds a reference and the lock. -EAGAIN if
 * someone else holds a reference, -EBUSY if it is not a page of a process any more.
 */
export function* split_folio(kernel: Kernel, folio: Folio): KernelGenerator<number> {
  return yield* kernel.call('split_folio', [hex(folio.pfn)], splitFolio(kernel, folio), String);
}

function* splitFolio(kernel: Kernel, folio: Folio): KernelGenerator<number> {
  if (folio.order === 0) return 0;
  if (!folio_test_anon(folio)) return EBUSY;
  const result = yield* splitMapped(kernel, folio);
  count_vm_event(kernel, result === 0 ? 'thp_split_page' : 'thp_split_page_failed');
  return result;
}

function* splitMapped(kernel: Kernel, folio: Folio): KernelGenerator<number> {
  if (!can_split_folio(kernel, folio)) return EAGAIN;
  for (const vma of folio.mapping?.vmas.slice() ?? []) {
    const vpn = vma.start + (folio.index - vma.pgoff);
    const pmd = hugePmdAt(vma.mm, vpn);
    if (pmd && pte_pfn(pmd.entry) === folio.pfn) yield* split_huge_pmd(kernel, vma, vpn);
  }
  // Devices were told meanwhile, and somebody may have taken a reference: then it stays mapped by its pages.
  if (!can_split_folio(kernel, folio)) return EAGAIN;
  for (const pfn of __split_huge_page(kernel, folio)) {
    kernel.pages.refcount.set(pfn, 1);
    const told = isDevicePage(kernel, pfn) ? put_device_page(kernel, pfn) : folio_put_system(kernel, pfn);
    if (told) yield* told;
  }
  return 0;
}

/**
 * huge_memory.c:__split_huge_page: records of single pages, each with the references of its own mappings. The
 * pages that nothing maps were only part of the whole, and are to be freed.
 */
function __split_huge_page(kernel: Kernel, folio: Folio): number[] {
  const { refcount, mapcount, flags, state } = kernel.pages;
  const { pfn: head } = folio;
  const end = head + (1 << folio.order);
  const inherited = flags.get(head) & TAIL_FLAGS;
  const word = state.get(head);
  fill(state, head, end - head, withKind(word & ~(15 << 4), kindOf(word)));
  flags.set(head, (flags.get(head) & ~PG_HEAD) >>> 0);
  kernel.store.set(folio, 'order', 0);
  const unmapped: number[] = [];
  const mappings = (pfn: number): number => (mapcount.get(pfn) + 1) >>> 0;
  for (let pfn = head + 1; pfn < end; pfn++) {
    newFolio(kernel, pfn, 0, folio.mapping, folio.index + (pfn - head), folio.memcg, folio.pgmap);
    flags.set(pfn, ((flags.get(pfn) & PG_ANON_EXCLUSIVE) | inherited) >>> 0);
    refcount.set(pfn, mappings(pfn));
    if (mappings(pfn) === 0) unmapped.push(pfn);
  }
  // The caller's reference stays on the first page.
  refcount.set(head, mappings(head) + 1);
  page_pgmap(kernel, head)?.native?.folio_split?.(kernel, head);
  return unmapped;
}

/**
 * migrate_device.c:migrate_vma_split_unmapped_folio (6.19 on): a folio in the middle of its migration becomes
 * single pages, each locked, with the reference of the migration; its migration entry becomes 512.
 */
export function* split_unmapped_folio(kernel: Kernel, folio: Folio, vma: Vma, vpn: number): KernelGenerator<number> {
  const { refcount } = kernel.pages;
  if (refcount.get(folio.pfn) !== 1) return EAGAIN;
  yield* split_huge_pmd(kernel, vma, vpn);
  if (refcount.get(folio.pfn) !== 1) return EAGAIN;
  splitOthers(kernel, folio);
  for (const pfn of __split_huge_page(kernel, folio)) {
    refcount.set(pfn, 1);
    folio_trylock(kernel, pfn);
  }
  count_vm_event(kernel, 'thp_split_page');
  return 0;
}

/**
 * The kernel splits the entry of the VMA that migrates only. Where others share the folio, remove_migration_pte then
 * meets their huge entry for what is a single page: a VM_BUG_ON_FOLIO, or without CONFIG_DEBUG_VM a huge mapping of
 * whatever lies behind that page. Here it is told, and the entry split as well.
 */
function splitOthers(kernel: Kernel, folio: Folio): void {
  for (const vma of folio.mapping?.vmas ?? []) {
    const vpn = vma.start + (folio.index - vma.pgoff);
    const pmd = hugePmdAt(vma.mm, vpn);
    if (!pmd || pte_pfn(pmd.entry) !== folio.pfn || !is_migration_entry(pmd.entry)) continue;
    kernel.WARN(
      `VM_BUG_ON_FOLIO(!folio_test_pmd_mappable(folio)) in remove_migration_pte: ${hex(vpn * 4096)} of process ${vma.mm.owner.pid} is a huge migration entry of a folio that was split`,
    );
    __split_huge_pmd_locked(kernel, vma, vpn);
  }
}
