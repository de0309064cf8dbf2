/** lib/test_hmm.c: what stands behind a page of the test device: ordinary RAM for a private one, itself for a coherent one. */
import { PageKind } from '../../include/types.ts';
import { should_fail } from '../../lib/fault-inject.ts';
import type { Kernel } from '../../machine/kernel.ts';
import { __free_pages, split_page } from '../../mm/freePages.ts';
import { GFP_HIGHUSER } from '../../mm/gfp.ts';
import { __alloc_pages } from '../../mm/page_alloc.ts';
import { numa_node_id } from '../../mm/zonelist.ts';
import type { DmirrorState } from './dmirror.ts';
import { HPAGE_PMD_NR } from './dmirror.ts';

export const stateOf = (kernel: Kernel): DmirrorState => {
  const { dmirror } = kernel.state;
  if (!dmirror) throw new Error('test_hmm is not loaded');
  return dmirror;
};

/** alloc_page(GFP_HIGHUSER), or folio_alloc of a huge page: RAM that plays the device's memory. -1: none. */
export function allocBacking(kernel: Kernel, order: number): number {
  if (should_fail(kernel, order === 0 ? 'page' : 'huge-page')) return -1;
  const pfn = __alloc_pages(kernel, GFP_HIGHUSER, order, numa_node_id(kernel), PageKind.Kernel);
  // Nobody looks at it as one page, and its parts go one by one where the device page is split.
  if (pfn >= 0 && order > 0) split_page(kernel, pfn, order);
  return pfn;
}

export function freeBacking(kernel: Kernel, pfn: number, pages: number): void {
  for (let i = 0; i < pages; i++) {
    kernel.store.mapDelete(kernel.state.contents, pfn + i);
    __free_pages(kernel, pfn + i, 0);
  }
}

/** The head of the huge page of the device that `pfn` is part of, or `pfn` itself. */
export function deviceHead(kernel: Kernel, pfn: number): number {
  const { huge } = stateOf(kernel);
  if (huge.size === 0) return pfn;
  const head = pfn - (pfn % HPAGE_PMD_NR);
  return huge.has(head) ? head : pfn;
}

/** BACKING_PAGE: where the contents of a device page are. */
export function backingPage(kernel: Kernel, pfn: number): number {
  const head = deviceHead(kernel, pfn);
  const first = stateOf(kernel).backing.get(head);
  return first === undefined ? pfn : first + (pfn - head);
}

/** dmirror_devmem_folio_split (6.19): each part of a huge page gets its part of the RAM behind it. */
export function dmirror_devmem_folio_split(kernel: Kernel, head: number): void {
  const { store } = kernel;
  const { backing, user, huge } = stateOf(kernel);
  if (!huge.has(head)) return;
  store.mapDelete(huge, head);
  const first = backing.get(head);
  const mirror = user.get(head);
  for (let i = 1; i < HPAGE_PMD_NR; i++) {
    if (first !== undefined) store.mapSet(backing, head + i, first + i);
    if (mirror) store.mapSet(user, head + i, mirror);
  }
}
