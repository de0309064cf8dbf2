/** Who keeps a pagemap alive, for people: pages in use and the processes that map them, and callers of get_dev_pagemap. */
import { PageKind } from '../include/types.ts';
import type { PercpuRef } from '../lib/percpu-refcount.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import type { MappedPagemap } from '../machine/state.ts';
import { folioOf } from './folio.ts';
import { countsEachPage, typeOf } from './pagemap.ts';
import { mappingsOf } from './rmap.ts';

/** So many runs of pages are named, and so many pages of each are asked who maps them. */
const NAMED = 4;
const ASKED = 64;

/** The processes whose page tables lead to a page. */
function mappers(kernel: Kernel, pfn: number): string[] {
  const folio = folioOf(kernel, pfn);
  if (!folio) return [];
  return mappingsOf(kernel, folio, pfn, true).map(({ vma }) => `${vma.mm.owner.comm} (${vma.mm.owner.pid})`);
}

function describe(kernel: Kernel, start: number, end: number): string {
  const pages = end - start === 1 ? `page ${hex(start)}` : `pages ${hex(start)}-${hex(end - 1)}`;
  const names = new Set<string>();
  for (let pfn = start; pfn < Math.min(end, start + ASKED); pfn++)
    for (const name of mappers(kernel, pfn)) names.add(name);
  return names.size === 0 ? pages : `${pages}, mapped by ${[...names].join(', ')}`;
}

export function holdersOf(kernel: Kernel, map: MappedPagemap, ref: PercpuRef): string[] {
  const inUse: string[] = [];
  let pages = 0;
  const perPage = countsEachPage(kernel, typeOf(kernel, map.pgmap));
  const { state, refcount } = kernel.pages;
  for (const range of map.ranges)
    (perPage ? refcount : state).runs(range.start, range.end, (start, end, word) => {
      if (perPage ? word === 0 : (word & 15) !== PageKind.DeviceInUse) return undefined;
      pages += end - start;
      if (inUse.length < NAMED) inUse.push(describe(kernel, start, end));
      return undefined;
    });
  const claims = [...kernel.state.pci.values()].flatMap(({ address, p2pdma }) =>
    (p2pdma?.chunks ?? [])
      .filter(({ pgmap }) => pgmap === map.pgmap)
      .flatMap(({ used }) => used.map((part) => `${address}: ${part.pages} page(s) of pci_alloc_p2pmem`)),
  );
  // Where pages do not count on a dead pagemap, only its own references hold it.
  const counted = Number(ref.count) < pages ? 0 : pages;
  if (counted === 0) inUse.length = 0;
  const others = Number(ref.count) - counted - claims.length;
  return [...inUse, ...claims, ...(others > 0 ? [`${others} reference(s) of get_dev_pagemap`] : [])];
}
