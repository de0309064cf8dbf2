/** mm/migrate.c:migrate_pages for one folio at a time: isolated, unmapped, moved to a new place, mapped again. */
import type { Folio } from '../include/mm_types.ts';
import { PG_HEAD } from '../include/mmzone.ts';
import { folio_test_locked, folio_trylock, folio_unlock } from '../kernel/locking.ts';
import type { Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { folio_put_system } from './folio.ts';
import { newFolio, PG_LRU, testFlag } from './folio_record.ts';
import { folio_expected_refs, MIGRATEPAGE_SUCCESS, migrate_folio, remove_migration_ptes } from './migrate.ts';
import { folio_mapcount } from './rmap.ts';
import { folio_add_lru, folio_isolate_lru, folio_putback_lru } from './swap.ts';
import { folio_mapped, try_to_migrate } from './try_to_migrate.ts';
import { count_vm_event } from './vmstat.ts';

/** Does somebody hold the folio whom its mappings, its page cache and the batches of the LRU do not explain? */
const isHeld = (kernel: Kernel, folio: Folio, waits: number): boolean =>
  kernel.pages.refcount.get(folio.pfn) > folio_mapcount(kernel, folio) + folio_expected_refs(kernel, folio) - 1 + waits;

/** Can it not move just now: held, locked by somebody, or on no list (the batches of the LRU are on their way to one)? */
export const isStuck = (kernel: Kernel, folio: Folio): boolean => {
  const { lru_add, lru_activate, lru_deactivate, lru_lazyfree } = kernel.state;
  const batches = [lru_add, lru_activate, lru_deactivate, lru_lazyfree];
  const waits = batches.reduce((sum, batch) => sum + batch.filter((pfn) => pfn === folio.pfn).length, 0);
  const isListed = waits > 0 || testFlag(kernel, folio.pfn, PG_LRU);
  return !isListed || folio_test_locked(kernel, folio.pfn) || isHeld(kernel, folio, waits);
};

/**
 * unmap_and_move. `place` gives the frames of the destination, -1 without memory. True if the folio lives there
 * now; what it was is freed.
 */
export function* migrate_pages(kernel: Kernel, from: Folio, place: () => number): KernelGenerator<boolean> {
  if (!folio_isolate_lru(kernel, from.pfn)) return false;
  const count = 1 << from.order;
  const isMoved = yield* unmapAndMove(kernel, from, place);
  count_vm_event(kernel, isMoved ? 'pgmigrate_success' : 'pgmigrate_fail', count);
  if (isMoved) folio_put_system(kernel, from.pfn);
  else folio_putback_lru(kernel, from.pfn);
  return isMoved;
}

function* unmapAndMove(kernel: Kernel, from: Folio, place: () => number): KernelGenerator<boolean> {
  if (!folio_trylock(kernel, from.pfn)) return false;
  const pfn = place();
  if (pfn < 0) {
    folio_unlock(kernel, from.pfn);
    return false;
  }
  const to = newFolio(kernel, pfn, from.order);
  if (from.order > 0) kernel.pages.flags.set(pfn, PG_HEAD);
  folio_trylock(kernel, pfn);
  if (folio_mapped(kernel, from)) yield* try_to_migrate(kernel, from);
  const isMoved = !folio_mapped(kernel, from) && migrate_folio(kernel, to, from) === MIGRATEPAGE_SUCCESS;
  const stays = isMoved ? to : from;
  if (isMoved) folio_add_lru(kernel, to.pfn);
  remove_migration_ptes(kernel, from, stays);
  folio_unlock(kernel, from.pfn);
  folio_unlock(kernel, to.pfn);
  // Its mappings and the LRU hold the new folio; a destination that was not wanted is freed.
  folio_put_system(kernel, to.pfn);
  return isMoved;
}
