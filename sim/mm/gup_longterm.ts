/** mm/gup.c: FOLL_LONGTERM. Pages in places that must stay free of long pins are moved before they are handed out. */
import type { Folio } from '../include/mm_types.ts';
import { PageKind, ZONE_MOVABLE } from '../include/types.ts';
import { folio_lock, folio_trylock, folio_unlock } from '../kernel/locking.ts';
import { should_fail } from '../lib/fault-inject.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { folio_get, folio_put_system, folioOf, isDevicePage } from './folio.ts';
import { newFolio, PG_LRU, testFlag } from './folio_record.ts';
import { __GFP_COMP, __GFP_HIGHMEM, __GFP_NOWARN, GFP_USER } from './gfp.ts';
import { is_longterm_pinnable } from './gup_follow.ts';
import { gup_put_folio } from './gup_refs.ts';
import { MIGRATEPAGE_SUCCESS, migrate_folio, remove_migration_ptes } from './migrate.ts';
import { migrate_device_coherent_folio } from './migrate_device.ts';
import { __alloc_pages } from './page_alloc.ts';
import { folio_isolate_lru, folio_putback_lru, lru_add_drain_all } from './swap.ts';
import { folio_mapped, try_to_migrate } from './try_to_migrate.ts';
import { count_vm_event } from './vmstat.ts';
import { numa_node_id } from './zonelist.ts';

const EAGAIN = -11;
const ENOMEM = -12;
const EBUSY = -16;

/**
 * gup.c:check_and_migrate_movable_pages, of pages[from..]: 0 if all may stay; otherwise every reference is given
 * back: -EAGAIN if what stood in the way has moved, -EBUSY or -ENOMEM if it could not.
 */
export function* check_and_migrate_movable_pages(
  kernel: Kernel,
  pages: readonly number[],
  from: number,
  pin: boolean,
): KernelGenerator<number> {
  const unpinnable = collect_longterm_unpinnable_folios(kernel, pages, from);
  if (!unpinnable) return 0;
  return yield* kernel.call(
    'migrate_longterm_unpinnable_folios',
    [String(unpinnable.isolated.length + unpinnable.coherent.size)],
    migrate_longterm_unpinnable_folios(kernel, unpinnable, pages, from, pin),
    String,
  );
}

interface Unpinnable {
  /** Taken off the LRU, each with a reference more. */
  readonly isolated: Folio[];
  /** Pages of a coherent device. */
  readonly coherent: Set<number>;
}

/** gup.c:collect_longterm_unpinnable_folios; nothing if all may stay. */
function collect_longterm_unpinnable_folios(
  kernel: Kernel,
  pages: readonly number[],
  from: number,
): Unpinnable | undefined {
  const isolated: Folio[] = [];
  const coherent = new Set<number>();
  let count = 0;
  let previous: Folio | undefined;
  for (let i = from; i < pages.length; i++) {
    const pfn = pages[i] as number;
    if (is_longterm_pinnable(kernel, pfn)) continue;
    const folio = folioOf(kernel, pfn);
    if (folio && folio === previous) continue;
    previous = folio;
    count++;
    if (isDevicePage(kernel, pfn)) coherent.add(pfn);
    else if (folio) {
      if (!testFlag(kernel, folio.pfn, PG_LRU)) lru_add_drain_all(kernel);
      if (folio_isolate_lru(kernel, folio.pfn)) isolated.push(folio);
    }
  }
  return count > 0 ? { isolated, coherent } : undefined;
}

/** gup.c:migrate_longterm_unpinnable_folios (migrate_longterm_unpinnable_pages to 6.10). */
function* migrate_longterm_unpinnable_folios(
  kernel: Kernel,
  { isolated, coherent }: Unpinnable,
  pages: readonly number[],
  from: number,
  pin: boolean,
): KernelGenerator<number> {
  let error = 0;
  for (let i = from; i < pages.length; i++) {
    const pfn = pages[i] as number;
    const folio = coherent.has(pfn) ? folioOf(kernel, pfn) : undefined;
    if (!folio || error < 0) {
      yield* gup_put_folio(kernel, pfn, 1, pin);
      continue;
    }
    // The pin becomes the reference that the migration takes over.
    folio_get(kernel, folio.pfn);
    yield* gup_put_folio(kernel, pfn, 1, pin);
    if ((yield* migrate_device_coherent_folio(kernel, folio)) !== 0) error = EBUSY;
  }
  for (const folio of isolated) {
    if (error === 0 && (yield* moveOut(kernel, folio))) continue;
    folio_putback_lru(kernel, folio.pfn);
    if (error === 0) error = ENOMEM;
  }
  return error < 0 ? error : EAGAIN;
}

/** migrate.c:alloc_migration_target for a page of ZONE_MOVABLE: from a zone where it may stay. */
function alloc_migration_target(kernel: Kernel, order: number): Folio | undefined {
  if (should_fail(kernel, 'page')) return undefined;
  const gfp = GFP_USER | __GFP_NOWARN | __GFP_HIGHMEM | (order > 0 ? __GFP_COMP : 0);
  const pfn = __alloc_pages(kernel, gfp, order, numa_node_id(kernel), PageKind.Anon);
  if (pfn < 0) return undefined;
  if (kernel.zoneAt(pfn).index === ZONE_MOVABLE) throw new Error('alloc_migration_target: a movable page');
  return newFolio(kernel, pfn, order);
}

/** migrate.c:migrate_pages for one isolated folio: true if it moved. False: it is as before, and still isolated. */
function* moveOut(kernel: Kernel, folio: Folio): KernelGenerator<boolean> {
  const to = alloc_migration_target(kernel, folio.order);
  if (!to) return false;
  return yield* kernel.call('migrate_pages', [hex(folio.pfn), hex(to.pfn)], move(kernel, folio, to), String);
}

function* move(kernel: Kernel, folio: Folio, to: Folio): KernelGenerator<boolean> {
  yield* folio_lock(kernel, folio.pfn);
  folio_trylock(kernel, to.pfn);
  yield* try_to_migrate(kernel, folio);
  const isMoved = !folio_mapped(kernel, folio) && migrate_folio(kernel, to, folio) === MIGRATEPAGE_SUCCESS;
  remove_migration_ptes(kernel, folio, isMoved ? to : folio);
  folio_unlock(kernel, to.pfn);
  folio_unlock(kernel, folio.pfn);
  count_vm_event(kernel, isMoved ? 'pgmigrate_success' : 'pgmigrate_fail');
  if (!isMoved) {
    folio_put_system(kernel, to.pfn);
    return false;
  }
  folio_putback_lru(kernel, to.pfn);
  folio_put_system(kernel, folio.pfn);
  return true;
}
