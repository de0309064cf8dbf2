/** mm/hugetlb.c: the pool of huge pages, and what mappings have reserved of it. */
import type { AddressSpace, Mm } from '../include/mm_types.ts';
import { PG_HEAD } from '../include/mmzone.ts';
import { PageKind } from '../include/types.ts';
import type { Kernel } from '../machine/kernel.ts';
import { __GFP_COMP, __GFP_NOWARN, GFP_HIGHUSER_MOVABLE } from './gfp.ts';
import { __alloc_pages } from './page_alloc.ts';
import { numa_node_id } from './zonelist.ts';

export const HUGETLB_ORDER = 9;
export const PAGES_PER_HUGE_PAGE = 2 ** HUGETLB_ORDER;
const ENOMEM = -12;

/** Is it the head of a page of the pool? They are marked while they are in nobody's use and while they are. */
export const is_hugetlb_head = (kernel: Kernel, pfn: number): boolean =>
  kernel.state.hugetlb.nr_huge_pages > 0 && kernel.state.hugetlb.heads.has(pfn);

/** hugetlb.c:free_huge_folio: back to the pool. Its count is 0, its record is gone. */
export function free_huge_folio(kernel: Kernel, pfn: number): void {
  const { free } = kernel.state.hugetlb;
  kernel.pages.flags.set(pfn, PG_HEAD);
  kernel.pages.refcount.set(pfn, 0);
  kernel.store.set(free, free.length, pfn);
}

/** hugetlb.c:alloc_fresh_hugetlb_folio. False without memory. */
export function grow(kernel: Kernel): boolean {
  const gfp = GFP_HIGHUSER_MOVABLE | __GFP_COMP | __GFP_NOWARN;
  const pfn = __alloc_pages(kernel, gfp, HUGETLB_ORDER, numa_node_id(kernel), PageKind.Kernel);
  if (pfn < 0) return false;
  const { hugetlb } = kernel.state;
  kernel.store.mapSet(hugetlb.heads, pfn, true);
  kernel.store.set(hugetlb, 'nr_huge_pages', hugetlb.nr_huge_pages + 1);
  free_huge_folio(kernel, pfn);
  return true;
}

/** A free page that nobody has reserved leaves the pool; its pfn, for the page allocator, or -1. */
export function shrink(kernel: Kernel): number {
  const { hugetlb } = kernel.state;
  const { free } = hugetlb;
  if (free.length <= hugetlb.resv_huge_pages) return -1;
  const [pfn = -1] = kernel.store.splice(free, free.length - 1, 1);
  kernel.store.mapDelete(hugetlb.heads, pfn);
  kernel.store.set(hugetlb, 'nr_huge_pages', hugetlb.nr_huge_pages - 1);
  return pfn;
}

/* ---- reservations ---- */

/**
 * hugetlb.c:hugetlb_reserve_pages: huge pages for a mapping of `pages` small pages of the file, before anyone
 * touches it. -ENOMEM if the pool has not so many left. `owner`: a private mapping, whose maker they are for.
 */
export function hugetlb_reserve_pages(
  kernel: Kernel,
  file: AddressSpace,
  pages: number,
  owner: Mm | undefined,
): number {
  const { hugetlb } = kernel.state;
  const wanted = Math.ceil(pages / PAGES_PER_HUGE_PAGE);
  const known = hugetlb.reserves.get(file);
  // What is mapped shared already, or there, needs no second promise.
  const has = owner ? 0 : (known?.left ?? 0) + file.pages.size;
  const missing = Math.max(0, wanted - has);
  if (hugetlb.free.length - hugetlb.resv_huge_pages < missing) return ENOMEM;
  kernel.store.set(hugetlb, 'resv_huge_pages', hugetlb.resv_huge_pages + missing);
  kernel.store.mapSet(hugetlb.reserves, file, { owner, left: (known?.left ?? 0) + missing });
  return 0;
}

/** hugetlb.c:hugetlb_vm_op_close: the last mapping of the file goes, and with it what was reserved and not used. */
export function hugetlb_unreserve_pages(kernel: Kernel, file: AddressSpace): void {
  const { hugetlb } = kernel.state;
  const reserve = hugetlb.reserves.get(file);
  if (!reserve) return;
  kernel.store.set(hugetlb, 'resv_huge_pages', hugetlb.resv_huge_pages - reserve.left);
  kernel.store.mapDelete(hugetlb.reserves, file);
}

/** May this process take from what is reserved for the file? */
export function has_reserve(kernel: Kernel, file: AddressSpace, mm: Mm): boolean {
  const reserve = kernel.state.hugetlb.reserves.get(file);
  return reserve !== undefined && reserve.left > 0 && (reserve.owner === undefined || reserve.owner === mm);
}

/** hugetlb.c:dequeue_hugetlb_folio_vma: a free page of the pool with its first reference; -1 if all others are promised. */
export function dequeue_hugetlb(kernel: Kernel, file: AddressSpace, mm: Mm): number {
  const { hugetlb } = kernel.state;
  const reserved = has_reserve(kernel, file, mm);
  if (hugetlb.free.length - (reserved ? 0 : hugetlb.resv_huge_pages) <= 0) return -1;
  const [pfn = -1] = kernel.store.splice(hugetlb.free, hugetlb.free.length - 1, 1);
  if (reserved) {
    const { owner, left } = hugetlb.reserves.get(file) ?? { owner: undefined, left: 0 };
    kernel.store.set(hugetlb, 'resv_huge_pages', hugetlb.resv_huge_pages - 1);
    kernel.store.mapSet(hugetlb.reserves, file, { owner, left: left - 1 });
  }
  kernel.pages.refcount.set(pfn, 1);
  return pfn;
}
