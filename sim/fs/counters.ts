/**
 * Counters of /proc/vmstat and its kin by node and zone: counted anew from the folios and page tables when a file
 * is read. The sums over the machine are those that mod_vm keeps.
 */
import type { Folio } from '../include/mm_types.ts';
import type { Kernel } from '../machine/kernel.ts';
import { lruOf, PG_DIRTY, PG_LRU, PG_MLOCKED, PG_SWAPBACKED, PG_SWAPCACHE, testFlag } from '../mm/folio_record.ts';
import { is_hugetlb_head } from '../mm/hugetlb_pool.ts';
import { folio_mapcount, folio_test_anon } from '../mm/rmap.ts';

/** Pages by counter name. */
export type Counters = Map<string, number>;
export interface ZoneCounters {
  readonly node: number;
  readonly zone: number;
  readonly counters: Counters;
}

const add = (counters: Counters, name: string, pages: number): void => {
  if (pages !== 0) counters.set(name, (counters.get(name) ?? 0) + pages);
};

/** Pages of a folio that something maps: single mappings are counted page by page, a huge one as a whole. */
function mappedPages(kernel: Kernel, folio: Folio): number {
  if (folio.entire_mapcount >= 0) return 1 << folio.order;
  let pages = 0;
  for (let i = 0; i < 1 << folio.order; i++) if ((kernel.pages.mapcount.get(folio.pfn + i) | 0) >= 0) pages++;
  return pages;
}

/** What one folio adds to the counters of its node or memory cgroup. */
export function countFolio(kernel: Kernel, folio: Folio, counters: Counters): void {
  const { pfn, mapping } = folio;
  const pages = 1 << folio.order;
  if (testFlag(kernel, pfn, PG_LRU)) add(counters, lruOf(kernel.pages.flags.get(pfn)), pages);
  if (testFlag(kernel, pfn, PG_MLOCKED)) add(counters, 'nr_mlock', pages);
  if (!mapping) return;
  if (is_hugetlb_head(kernel, pfn)) return;
  if (folio_test_anon(folio)) {
    add(counters, 'nr_anon_pages', mappedPages(kernel, folio));
    if (folio.entire_mapcount >= 0) add(counters, 'nr_anon_transparent_hugepages', 1);
    if (testFlag(kernel, pfn, PG_SWAPCACHE)) {
      add(counters, 'nr_swapcached', pages);
      add(counters, 'nr_file_pages', pages);
    }
    return;
  }
  if (!('kind' in mapping) || mapping.kind === 'hugetlb' || mapping.kind === 'device') return;
  add(counters, 'nr_file_pages', pages);
  if (testFlag(kernel, pfn, PG_SWAPBACKED)) add(counters, 'nr_shmem', pages);
  else if (testFlag(kernel, pfn, PG_DIRTY)) add(counters, 'nr_dirty', pages);
  if (folio_mapcount(kernel, folio) > 0) add(counters, 'nr_mapped', mappedPages(kernel, folio));
}

/** Frames that hold page tables, of every process. */
function* pageTables(kernel: Kernel): Generator<number> {
  for (const mm of kernel.state.mms.values()) {
    yield* mm.upper.values();
    for (const pmd of mm.pmds.values()) {
      const table = pmd.kind === 'table' ? pmd : pmd.deposited;
      if (table) yield table.pfn;
    }
  }
}

/** The counters of every zone that has pages of processes. */
export function recount(kernel: Kernel): ZoneCounters[] {
  const zones = new Map<number, ZoneCounters>();
  const at = (pfn: number): Counters => {
    const node = kernel.nodeAt(pfn);
    const zone = kernel.zoneAt(pfn).index;
    const key = node * 8 + zone;
    const known = zones.get(key) ?? { node, zone, counters: new Map() };
    zones.set(key, known);
    return known.counters;
  };
  for (const folio of kernel.state.folios.values()) countFolio(kernel, folio, at(folio.pfn));
  for (const pfn of pageTables(kernel)) add(at(pfn), 'nr_page_table_pages', 1);
  return [...zones.values()];
}

/** The sum over those zones that `of` takes. */
export function sumOf(zones: readonly ZoneCounters[], of: (zone: ZoneCounters) => boolean): (name: string) => number {
  const sums: Counters = new Map();
  for (const zone of zones) if (of(zone)) for (const [name, pages] of zone.counters) add(sums, name, pages);
  return (name) => sums.get(nodeName(name)) ?? 0;
}

/** nr_zone_inactive_anon of a zone is what nr_inactive_anon is of a node. */
const nodeName = (name: string): string =>
  name === 'nr_zone_write_pending' ? 'nr_dirty' : name.startsWith('nr_zone_') ? `nr_${name.slice(8)}` : name;

/** One counter of the whole machine, as mod_vm keeps it; page tables are counted where they are. */
export function globalCounter(kernel: Kernel, name: string): number {
  // The swap cache is a page cache, too.
  if (name === 'nr_file_pages') return counted(kernel, name) + counted(kernel, 'nr_swapcached');
  if (name === 'nr_page_table_pages') {
    let bytes = 0;
    for (const mm of kernel.state.mms.values()) bytes += mm.pgtables_bytes;
    return bytes / 4096;
  }
  return counted(kernel, nodeName(name));
}

const counted = (kernel: Kernel, name: string): number => kernel.state.vm.get(name) ?? 0;
