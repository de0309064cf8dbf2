/**
 * mm/swap.c: the way to the LRU lists. A new folio waits in a per-CPU batch, which holds a reference, until the
 * batch is full or someone drains it; one CPU runs here, so there is one batch.
 */
import type { Kernel } from '../machine/kernel.ts';
import { folio_get, folio_put_system, folioHead } from './folio.ts';
import {
  clearFlag,
  countLru,
  PG_ACTIVE,
  PG_LRU,
  PG_MLOCKED,
  PG_REFERENCED,
  PG_UNEVICTABLE,
  setFlag,
  testFlag,
} from './folio_record.ts';
import { count_vm_event } from './vmstat.ts';

/** include/linux/pagevec.h: PAGEVEC_SIZE; 14 before 4.16, 15 to 6.8, 31 since. */
const batchSize = (kernel: Kernel): number => (kernel.has('folioBatchOf31') ? 31 : kernel.has('pagevecOf15') ? 15 : 14);

/** swap.c:folio_add_lru (lru_cache_add): a large folio goes through at once. */
export function folio_add_lru(kernel: Kernel, pfn: number): void {
  const { lru_add, folios } = kernel.state;
  folio_get(kernel, pfn);
  kernel.store.touch(lru_add);
  lru_add.push(pfn);
  const isLarge = (folios.get(pfn)?.order ?? 0) > 0;
  if (lru_add.length >= batchSize(kernel) || isLarge) lru_add_drain(kernel);
}

/** swap.c:lru_add_drain: what waits goes to its list and loses the reference of the batch. */
export function lru_add_drain(kernel: Kernel): void {
  const { lru_add, folios } = kernel.state;
  if (lru_add.length === 0) return;
  kernel.store.touch(lru_add);
  for (const pfn of lru_add.splice(0)) {
    const folio = folios.get(pfn);
    if (folio && !testFlag(kernel, pfn, PG_LRU)) {
      // lru_add: what is mlocked goes to the list that is never looked at.
      if (testFlag(kernel, pfn, PG_MLOCKED)) {
        clearFlag(kernel, pfn, PG_ACTIVE);
        setFlag(kernel, pfn, PG_UNEVICTABLE);
      }
      setFlag(kernel, pfn, PG_LRU);
      countLru(kernel, folio, 1);
    }
    folio_put_system(kernel, pfn);
  }
}

/** swap.c:lru_add_drain_all: every CPU's batch. */
export const lru_add_drain_all = lru_add_drain;

/** vmscan.c:folio_isolate_lru: off its list, with a reference. False if it is on none. */
export function folio_isolate_lru(kernel: Kernel, page: number): boolean {
  const pfn = folioHead(kernel, page);
  const folio = kernel.state.folios.get(pfn);
  if (!folio || !testFlag(kernel, pfn, PG_LRU)) return false;
  folio_get(kernel, pfn);
  countLru(kernel, folio, -1);
  kernel.pages.flags.set(pfn, (kernel.pages.flags.get(pfn) & ~PG_LRU) >>> 0);
  return true;
}

/** vmscan.c:folio_putback_lru: back to a list; the reference of the isolation is dropped. */
export function folio_putback_lru(kernel: Kernel, pfn: number): void {
  folio_add_lru(kernel, pfn);
  folio_put_system(kernel, pfn);
}

/** Changes what decides the list of a folio, which may be on one. */
function relist(kernel: Kernel, pfn: number, set: number, clear: number): void {
  const folio = kernel.state.folios.get(pfn);
  const listed = folio !== undefined && testFlag(kernel, pfn, PG_LRU);
  if (listed) countLru(kernel, folio, -1);
  kernel.pages.flags.set(pfn, ((kernel.pages.flags.get(pfn) | set) & ~clear) >>> 0);
  if (listed) countLru(kernel, folio, 1);
}

/** swap.c:folio_mark_accessed: seen once it is referenced, seen twice it is active. (The activation waits in no batch here.) */
export function folio_mark_accessed(kernel: Kernel, pfn: number): void {
  if (!testFlag(kernel, pfn, PG_REFERENCED)) setFlag(kernel, pfn, PG_REFERENCED);
  else if (!testFlag(kernel, pfn, PG_UNEVICTABLE) && !testFlag(kernel, pfn, PG_ACTIVE)) {
    relist(kernel, pfn, PG_ACTIVE, PG_REFERENCED);
    count_vm_event(kernel, 'pgactivate');
  }
}
