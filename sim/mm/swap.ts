/**
 * mm/swap.c: the way to the LRU lists. A new folio waits in a per-CPU batch, which holds a reference, until the
 * batch is full or someone drains it; so does one that shall go to another list. One CPU runs here.
 */
import { type Folio, VM_LOCKED, VM_SPECIAL, type Vma } from '../include/mm_types.ts';
import type { Kernel } from '../machine/kernel.ts';
import { folio_get, folio_put_system, folioHead } from './folio.ts';
import {
  clearFlag,
  countLru,
  lruOf,
  PG_ACTIVE,
  PG_LRU,
  PG_MLOCKED,
  PG_REFERENCED,
  PG_SWAPBACKED,
  PG_SWAPCACHE,
  PG_UNEVICTABLE,
  setFlag,
  testFlag,
} from './folio_record.ts';
import { count_vm_event, mod_vm } from './vmstat.ts';

/** include/linux/pagevec.h: PAGEVEC_SIZE; 14 before 4.16, 15 to 6.8, 31 since. */
const batchSize = (kernel: Kernel): number => (kernel.facts.folioBatchOf31 ? 31 : kernel.facts.pagevecOf15 ? 15 : 14);

/** A folio waits in a batch, which holds a reference. The batch moves when it is full; a large folio at once. */
function folio_batch_add_and_move(kernel: Kernel, batch: number[], pfn: number, move: Move): void {
  folio_get(kernel, pfn);
  kernel.store.touch(batch);
  batch.push(pfn);
  const isLarge = (kernel.state.folios.get(pfn)?.order ?? 0) > 0;
  if (batch.length >= batchSize(kernel) || isLarge) folio_batch_move_lru(kernel, batch, move);
}

type Move = (kernel: Kernel, folio: Folio) => void;

function folio_batch_move_lru(kernel: Kernel, batch: number[], move: Move): void {
  if (batch.length === 0) return;
  kernel.store.touch(batch);
  for (const pfn of batch) {
    const folio = kernel.state.folios.get(pfn);
    if (folio) move(kernel, folio);
    folio_put_system(kernel, pfn);
  }
  // One by one, for an array that is cut gives up its room, and a batch fills again at once.
  while (batch.length > 0) batch.pop();
}

/** swap.c:folio_add_lru (lru_cache_add). */
export const folio_add_lru = (kernel: Kernel, pfn: number): void =>
  folio_batch_add_and_move(kernel, kernel.state.lru_add, pfn, lru_add);

/**
 * swap.c:folio_add_lru_vma, for fresh anonymous folios (lru_cache_add_active_or_unevictable to 5.8, which says where
 * they begin). Who is mlocked has been marked with its mapping.
 */
export function folio_add_lru_vma(kernel: Kernel, pfn: number, vma: Vma): void {
  if (kernel.facts.anonStartsActive && (vma.flags & (VM_LOCKED | VM_SPECIAL)) !== VM_LOCKED)
    setFlag(kernel, pfn, PG_ACTIVE);
  folio_add_lru(kernel, pfn);
}

/** swap.c:lru_add. What is mlocked goes to the list that is never looked at, and what no longer is leaves it. */
function lru_add(kernel: Kernel, folio: Folio): void {
  const { flags } = kernel.pages;
  let word = flags.get(folio.pfn);
  if ((word & PG_LRU) !== 0) return;
  const wasUnevictable = (word & PG_UNEVICTABLE) !== 0;
  const isMlocked = (word & PG_MLOCKED) !== 0;
  if (isMlocked) word = (word & ~PG_ACTIVE) | PG_UNEVICTABLE;
  else word &= ~PG_UNEVICTABLE;
  if (isMlocked !== wasUnevictable)
    count_vm_event(kernel, isMlocked ? 'unevictable_pgs_culled' : 'unevictable_pgs_rescued', 1 << folio.order);
  word |= PG_LRU;
  flags.set(folio.pfn, word);
  mod_vm(kernel, lruOf(word), 1 << folio.order);
}

/** swap.c:lru_activate (__activate_page). */
function lru_activate(kernel: Kernel, folio: Folio): void {
  const { pfn } = folio;
  if (!testFlag(kernel, pfn, PG_LRU) || testFlag(kernel, pfn, PG_ACTIVE | PG_UNEVICTABLE)) return;
  relist(kernel, folio, PG_ACTIVE, 0);
  count_vm_event(kernel, 'pgactivate', 1 << folio.order);
}

/** swap.c:lru_lazyfree (lru_lazyfree_fn): among the pages of files, clean, and the next to go. */
function lru_lazyfree(kernel: Kernel, folio: Folio): void {
  if (!canBeLazyfree(kernel, folio)) return;
  relist(kernel, folio, 0, PG_ACTIVE | PG_REFERENCED | PG_SWAPBACKED);
  count_vm_event(kernel, 'pglazyfree', 1 << folio.order);
}

/** swap.c:lru_deactivate (lru_deactivate_fn): the next to go. */
function lru_deactivate(kernel: Kernel, folio: Folio): void {
  if (!canBeDeactivated(kernel, folio)) return;
  relist(kernel, folio, 0, PG_ACTIVE | PG_REFERENCED);
  count_vm_event(kernel, 'pgdeactivate', 1 << folio.order);
}

const canBeDeactivated = (kernel: Kernel, { pfn }: Folio): boolean =>
  testFlag(kernel, pfn, PG_LRU) && testFlag(kernel, pfn, PG_ACTIVE) && !testFlag(kernel, pfn, PG_UNEVICTABLE);

/** swap.c:folio_deactivate (deactivate_page). */
export function folio_deactivate(kernel: Kernel, folio: Folio): void {
  if (canBeDeactivated(kernel, folio))
    folio_batch_add_and_move(kernel, kernel.state.lru_deactivate, folio.pfn, lru_deactivate);
}

/** Anonymous (only such pages are asked for), on a list that reclaim looks at, and not in the swap cache. */
const canBeLazyfree = (kernel: Kernel, { pfn }: Folio): boolean =>
  testFlag(kernel, pfn, PG_LRU) &&
  testFlag(kernel, pfn, PG_SWAPBACKED) &&
  !testFlag(kernel, pfn, PG_SWAPCACHE | PG_UNEVICTABLE);

/** swap.c:folio_mark_lazyfree (mark_page_lazyfree), of an anonymous folio. */
export function folio_mark_lazyfree(kernel: Kernel, folio: Folio): void {
  if (canBeLazyfree(kernel, folio))
    folio_batch_add_and_move(kernel, kernel.state.lru_lazyfree, folio.pfn, lru_lazyfree);
}

/** swap.c:lru_add_drain: what waits goes to its list and loses the reference of the batch. */
export function lru_add_drain(kernel: Kernel): void {
  const { state } = kernel;
  folio_batch_move_lru(kernel, state.lru_add, lru_add);
  folio_batch_move_lru(kernel, state.lru_deactivate, lru_deactivate);
  folio_batch_move_lru(kernel, state.lru_lazyfree, lru_lazyfree);
  folio_batch_move_lru(kernel, state.lru_activate, lru_activate);
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

/** Changes what decides the list of a folio that is on one. */
function relist(kernel: Kernel, folio: Folio, set: number, clear: number): void {
  const { pfn } = folio;
  countLru(kernel, folio, -1);
  kernel.pages.flags.set(pfn, ((kernel.pages.flags.get(pfn) | set) & ~clear) >>> 0);
  countLru(kernel, folio, 1);
}

/**
 * swap.c:folio_mark_accessed: seen once it is referenced, seen twice it becomes active: with the next drain if it is
 * on a list; at once if it waits for one.
 */
export function folio_mark_accessed(kernel: Kernel, pfn: number): void {
  const { lru_add: added, lru_activate: activated } = kernel.state;
  if (!testFlag(kernel, pfn, PG_REFERENCED)) setFlag(kernel, pfn, PG_REFERENCED);
  else if (!testFlag(kernel, pfn, PG_UNEVICTABLE | PG_ACTIVE)) {
    if (testFlag(kernel, pfn, PG_LRU)) folio_batch_add_and_move(kernel, activated, pfn, lru_activate);
    else if (added.includes(pfn)) setFlag(kernel, pfn, PG_ACTIVE);
    clearFlag(kernel, pfn, PG_REFERENCED);
  }
}
