/** Folios of processes and of the page cache: finding, allocating, and references (include/linux/mm.h, page_ref.h). */
import type { Folio } from '../include/mm_types.ts';
import { kindOf, withKind } from '../include/mmzone.ts';
import { PageKind } from '../include/types.ts';
import { should_fail } from '../lib/fault-inject.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { compound_head } from './compound_page.ts';
import { newFolio } from './folio_record.ts';
import { __folio_put } from './freePages.ts';
import { __GFP_COMP, __GFP_NOWARN, GFP_HIGHUSER_MOVABLE } from './gfp.ts';
import { __alloc_pages } from './page_alloc.ts';
import { page_pgmap } from './pagemap.ts';
import { put_page } from './zone_device_page.ts';
import { numa_node_id } from './zonelist.ts';

/** The folio a page belongs to, if it is one of a process or of the page cache. */
export const folioOf = (kernel: Kernel, pfn: number): Folio | undefined => {
  const { folios } = kernel.state;
  return folios.get(pfn) ?? folios.get(folioHead(kernel, pfn));
};

/** page_folio: the pfn of the head. */
export function folioHead(kernel: Kernel, pfn: number): number {
  const { folios } = kernel.state;
  if (folios.has(pfn)) return pfn;
  for (let order = 1; order <= 18; order++) {
    const head = pfn - (pfn % (1 << order));
    const folio = folios.get(head);
    if (folio && folio.order >= order && pfn < head + (1 << folio.order)) return head;
  }
  return compound_head(kernel, pfn);
}

/** mempolicy.c:vma_alloc_folio with GFP_HIGHUSER_MOVABLE: a folio of 2^order pages that hold zeros, or undefined. */
export function alloc_folio(kernel: Kernel, order = 0, kind: PageKind = PageKind.Anon): Folio | undefined {
  if (should_fail(kernel, order === 0 ? 'page' : 'huge-page')) return undefined;
  const gfp = order === 0 ? GFP_HIGHUSER_MOVABLE | __GFP_NOWARN : GFP_HIGHUSER_MOVABLE | __GFP_COMP;
  const pfn = __alloc_pages(kernel, gfp, order, numa_node_id(kernel), kind);
  return pfn < 0 ? undefined : newFolio(kernel, pfn, order);
}

export const folio_ref_count = (kernel: Kernel, pfn: number): number => kernel.pages.refcount.get(pfn);

/** mm.h:folio_get. `pfn` is that of the head page. */
export function folio_get(kernel: Kernel, pfn: number, count = 1): void {
  kernel.pages.refcount.add(pfn, count);
}

/** Is it a page of ZONE_DEVICE, whose last reference is its driver's business? */
export const isDevicePage = (kernel: Kernel, pfn: number): boolean => page_pgmap(kernel, pfn) !== undefined;

/** mm.h:folio_put for a folio of system memory, which nobody is told of. */
export function folio_put_system(kernel: Kernel, pfn: number, count = 1): void {
  const { refcount } = kernel.pages;
  const held = refcount.get(pfn);
  if (held < count) {
    kernel.WARN(`VM_BUG_ON_FOLIO: put of ${hex(pfn)} with refcount ${held}`);
    return;
  }
  refcount.set(pfn, held - count);
  if (held === count) __folio_put(kernel, pfn);
}

/** mm.h:folio_put: the last reference frees the folio; that of a device page tells its driver. */
export function* folio_put(kernel: Kernel, pfn: number): KernelGenerator<void> {
  if (isDevicePage(kernel, pfn)) yield* put_page(kernel, pfn);
  else folio_put_system(kernel, pfn);
}

/** The folio changes what people see of it: anonymous, page cache, kernel. */
export function setPageKind(kernel: Kernel, folio: Folio, kind: PageKind): void {
  const { state } = kernel.pages;
  for (let i = 0; i < 1 << folio.order; i++) {
    const word = state.get(folio.pfn + i);
    if (kindOf(word) !== kind) state.set(folio.pfn + i, withKind(word, kind));
  }
}
