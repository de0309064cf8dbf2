/**
 * Which struct page is the head of a compound page, and which a tail: include/linux/page-flags.h.
 * In a device map (pgmap->vmemmap_shift) it follows from the pagemap, so that the columns of a
 * large map stay uniform: they hold what its heads have. Heads of the page allocator are flagged.
 */
import { orderOf, PG_HEAD } from '../include/mmzone.ts';
import type { Kernel } from '../machine/kernel.ts';
import { page_pgmap, pgmap_altmap, shiftOf } from './pagemap.ts';
import { vmem_altmap_offset } from './sparse-vmemmap.ts';

/** The compound page that `pfn` belongs to: mm_init.c:memmap_init_zone_device made them from pfn_first on. */
export function devmapCompound(kernel: Kernel, pfn: number): { head: number; order: number } | undefined {
  if (!kernel.facts.vmemmapShift) return undefined;
  const map = page_pgmap(kernel, pfn);
  const order = map ? shiftOf(map.pgmap) : 0;
  const range = map?.ranges.find(({ start, end }) => pfn >= start && pfn < end);
  if (!map || !range || order === 0) return undefined;
  const first = range.start + vmem_altmap_offset(pgmap_altmap(kernel, map.pgmap));
  return { head: pfn - ((pfn - first) % (1 << order)), order };
}

/** The order of an allocation counts back to its head, if it was made with __GFP_COMP. */
function allocatedHead(kernel: Kernel, pfn: number): number {
  const head = pfn - (pfn % (1 << orderOf(kernel.pages.state.get(pfn))));
  return (kernel.pages.flags.get(head) & PG_HEAD) !== 0 ? head : pfn;
}

/** page-flags.h:compound_head: the head of the compound page that `pfn` is part of; `pfn` itself if it is none. */
export const compound_head = (kernel: Kernel, pfn: number): number =>
  devmapCompound(kernel, pfn)?.head ?? allocatedHead(kernel, pfn);

/** page->_refcount: tails have none. */
export const page_ref_count = (kernel: Kernel, pfn: number): number =>
  compound_head(kernel, pfn) === pfn ? kernel.pages.refcount.get(pfn) : 0;

/** What prep_compound_page adds to page->flags: PG_head, and the order in the first tail's low bits. */
export function compoundFlags(kernel: Kernel, pfn: number): number {
  const compound = devmapCompound(kernel, pfn);
  if (!compound) return 0;
  return pfn === compound.head ? PG_HEAD : pfn === compound.head + 1 ? compound.order : 0;
}
