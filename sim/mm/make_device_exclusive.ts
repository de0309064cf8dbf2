/**
 * mm/rmap.c: exclusive access of a device to anonymous memory. The CPU's entries become device-exclusive ones, so
 * that the next access faults and the device is told (device_exclusive.ts). 5.14 to 6.14 by range, since by page.
 */
import {
  is_device_exclusive_entry,
  is_device_private_entry,
  mkPte,
  PTE_SOFT_DIRTY,
  PTE_UFFD_WP,
  type Pte,
  PteKind,
  pte_dirty,
  pte_pfn,
  pte_present,
  pte_write,
  pteBits,
} from '../arch/pte.ts';
import type { Folio, Mm, Vma } from '../include/mm_types.ts';
import { folio_lock, folio_trylock, folio_unlock } from '../kernel/locking.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { folio_mark_dirty } from './filemap.ts';
import { folio_put, folioOf } from './folio.ts';
import { get_user_pages_remote } from './gup.ts';
import { gup_put_folio } from './gup_refs.ts';
import { is_hugetlb_head } from './hugetlb_pool.ts';
import { munlock_vma_folio } from './mlock_folio.ts';
import {
  MMU_NOTIFY_EXCLUSIVE,
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
  mmu_notifier_range,
} from './mmu_notifier.ts';
import { pteAt, set_pte_at } from './pgtable.ts';
import { folio_mapcount, folio_remove_rmap_pte, folio_test_anon } from './rmap.ts';
import { vma_lookup } from './vma.ts';

const EFAULT = -14;
const EOPNOTSUPP = -95;
/** Stands for NULL in an array of pages. */
export const NULL_PAGE = -1;

/** The entry of exclusive access to the page that `pte` maps. Before 6.15 readable ones are a type of their own. */
function exclusiveEntry(kernel: Kernel, pte: Pte): Pte {
  const isWritable = pte_write(pte) || !kernel.facts.twoExclusiveSwapTypes;
  const kind = isWritable ? PteKind.DeviceExclusiveWrite : PteKind.DeviceExclusiveRead;
  return mkPte(kind, pte_pfn(pte), pteBits(pte) & (PTE_SOFT_DIRTY | PTE_UFFD_WP));
}

/* ---- 5.14 to 6.14 ---- */

/**
 * rmap.c:make_device_exclusive_range: how many pages were found, or an errno. `pages` gets them, locked and with a
 * reference; NULL_PAGE in place of those that could not be made exclusive. The mmap lock is held.
 */
export function* make_device_exclusive_range(
  kernel: Kernel,
  mm: Mm,
  start: number,
  end: number,
  pages: number[],
  owner: unknown,
): KernelGenerator<number> {
  return yield* kernel.call(
    'make_device_exclusive_range',
    () => [hex(start * 4096), hex(end * 4096)],
    exclusiveRange(kernel, mm, start, end, pages, owner),
    String,
  );
}

function* exclusiveRange(
  kernel: Kernel,
  mm: Mm,
  start: number,
  end: number,
  pages: number[],
  owner: unknown,
): KernelGenerator<number> {
  const from = pages.length;
  const flags = { write: true, splitPmd: true, remote: true };
  const found = yield* get_user_pages_remote(kernel, mm, start, end - start, flags, pages);
  if (found < 0) return found;
  for (let i = 0; i < found; i++) {
    const pfn = pages[from + i] as number;
    const folio = folioOf(kernel, pfn);
    if (folio?.pfn !== pfn || !folio_trylock(kernel, pfn)) {
      yield* gup_put_folio(kernel, pfn, 1, false);
      pages[from + i] = NULL_PAGE;
      continue;
    }
    if (yield* folio_make_device_exclusive(kernel, folio, mm, start + i, owner)) continue;
    folio_unlock(kernel, pfn);
    yield* folio_put(kernel, pfn);
    pages[from + i] = NULL_PAGE;
  }
  return found;
}

/** rmap.c:folio_make_device_exclusive: every mapping of the page becomes an exclusive entry. */
function* folio_make_device_exclusive(
  kernel: Kernel,
  folio: Folio,
  mm: Mm,
  vpn: number,
  owner: unknown,
): KernelGenerator<boolean> {
  if (!folio_test_anon(folio) || is_hugetlb_head(kernel, folio.pfn)) return false;
  let valid = false;
  const pages = 1 << folio.order;
  for (const vma of [...(folio.mapping?.vmas ?? [])]) {
    // The part of the folio that this VMA may map.
    const first = vma.start + folio.index - vma.pgoff;
    const start = Math.max(first, vma.start);
    const end = Math.min(vma.end, first + pages);
    if (start >= end) continue;
    const range = mmu_notifier_range(MMU_NOTIFY_EXCLUSIVE, vma.mm, start, end, owner);
    yield* mmu_notifier_invalidate_range_start(kernel, range);
    let goesOn = true;
    for (let at = start; at < end && goesOn; at++) {
      const pte = pteAt(vma.mm, at);
      const pfn = folio.pfn + at - first;
      if (pte_pfn(pte) !== pfn) continue;
      // page_vma_mapped_walk stops at device entries of the page too.
      if (pte_present(pte)) {
        if (pte_dirty(pte)) folio_mark_dirty(kernel, folio);
        if (vma.mm === mm && at === vpn && pte_write(pte)) valid = true;
        set_pte_at(kernel, vma.mm, at, exclusiveEntry(kernel, pte));
        folio_remove_rmap_pte(kernel, folio, pfn);
        munlock_vma_folio(kernel, folio, vma);
      } else if (is_device_private_entry(pte) || is_device_exclusive_entry(pte)) goesOn = false;
    }
    yield* mmu_notifier_invalidate_range_end(kernel, range);
    // rmap_walk ends early, too, when nothing maps the page any more (folio_not_mapped).
    if (!goesOn || folio_mapcount(kernel, folio) === 0) break;
  }
  return valid && folio_mapcount(kernel, folio) === 0;
}

/* ---- since 6.15 ---- */

/**
 * rmap.c:make_device_exclusive: the page at `vpn`, locked and with a reference, or an errno: -EOPNOTSUPP for what is
 * not anonymous, or hugetlb. The mapping stays counted. The mmap lock is held.
 */
export function* make_device_exclusive(kernel: Kernel, mm: Mm, vpn: number, owner: unknown): KernelGenerator<number> {
  return yield* kernel.call(
    'make_device_exclusive',
    () => [hex(vpn * 4096)],
    exclusivePage(kernel, mm, vpn, owner),
    (pfn) => (pfn < 0 ? String(pfn) : hex(pfn)),
  );
}

function* exclusivePage(kernel: Kernel, mm: Mm, vpn: number, owner: unknown): KernelGenerator<number> {
  for (;;) {
    const pages: number[] = [];
    const found = yield* get_user_pages_remote(
      kernel,
      mm,
      vpn,
      1,
      { write: true, splitPmd: true, remote: true },
      pages,
    );
    if (found < 0) return found;
    const [pfn] = pages;
    const vma = vma_lookup(mm, vpn);
    if (pfn === undefined || !vma) return EFAULT;
    const folio = folioOf(kernel, pfn);
    if (!folio || !folio_test_anon(folio) || is_hugetlb_head(kernel, folio.pfn)) {
      yield* gup_put_folio(kernel, pfn, 1, false);
      return EOPNOTSUPP;
    }
    yield* folio_lock(kernel, folio.pfn);
    const range = mmu_notifier_range(MMU_NOTIFY_EXCLUSIVE, mm, vpn, vpn + 1, owner);
    yield* mmu_notifier_invalidate_range_start(kernel, range);
    const isDone = replaceEntry(kernel, vma, vpn, pfn, folio);
    yield* mmu_notifier_invalidate_range_end(kernel, range);
    if (isDone) return pfn;
    // Someone was there between the fault and the lock.
    folio_unlock(kernel, folio.pfn);
    yield* gup_put_folio(kernel, pfn, 1, false);
  }
}

function replaceEntry(kernel: Kernel, vma: Vma, vpn: number, pfn: number, folio: Folio): boolean {
  const pte = pteAt(vma.mm, vpn);
  if (!pte_present(pte) || pte_pfn(pte) !== pfn || !pte_write(pte)) return false;
  if (pte_dirty(pte)) folio_mark_dirty(kernel, folio);
  set_pte_at(kernel, vma.mm, vpn, exclusiveEntry(kernel, pte));
  return true;
}
