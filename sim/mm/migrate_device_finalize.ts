/** mm/migrate_device.c: migrate_vma_finalize: entries for the pages that count now, and everything held is let go. */
import type { Folio } from '../include/mm_types.ts';
import { folio_unlock } from '../kernel/locking.ts';
import type { Kernel } from '../machine/kernel.ts';
import { after, DONE, isFinished, type KernelGenerator } from '../task/task.ts';
import { remove_migration_ptes } from './migrate.ts';
import { folioOfDestination } from './migrate_device_pages.ts';
import { isZoneDevice, putFolio } from './migrate_device_unmap.ts';
import { hasBit, MIGRATE_PFN_MIGRATE, migratePfnOf } from './migrate_pfn.ts';
import { folio_add_lru } from './swap.ts';

/** To 6.11 even a page that is about to be freed passes the batch of mm/swap.c. */
function letGo(kernel: Kernel, pfn: number, putsBack: boolean): KernelGenerator<void> | undefined {
  if (putsBack && !isZoneDevice(kernel, pfn)) folio_add_lru(kernel, pfn);
  return putFolio(kernel, pfn);
}

/** Does nobody run who could look, when this page is let go? */
const isQuietlyFreed = ({ pgmap }: Folio): boolean => !pgmap || pgmap.native !== undefined;

/** A page of system memory that is about to go with its last reference: its lock goes with it. */
const isFreed = (kernel: Kernel, { pfn, order, pgmap }: Folio, letsGo: boolean): boolean =>
  letsGo && order === 0 && !pgmap && kernel.pages.refcount.get(pfn) === 1;

/** __migrate_device_finalize. */
export function __migrate_device_finalize(
  kernel: Kernel,
  src: readonly number[],
  dst: readonly number[],
  npages: number,
  faultPage: number | undefined,
): KernelGenerator<void> {
  for (let i = 0; i < npages; i++) {
    const call = finalizeOne(kernel, src[i] ?? 0, dst[i] ?? 0, faultPage);
    if (!isFinished(call)) return finalizeOthers(kernel, src, dst, npages, faultPage, i, call);
  }
  return DONE;
}

/** The rest of the entries from `first` on, with which `call` has begun: a driver is told in its own code. */
function* finalizeOthers(
  kernel: Kernel,
  src: readonly number[],
  dst: readonly number[],
  npages: number,
  faultPage: number | undefined,
  first: number,
  call: KernelGenerator<void>,
): KernelGenerator<void> {
  yield* call;
  for (let i = first + 1; i < npages; i++) yield* finalizeOne(kernel, src[i] ?? 0, dst[i] ?? 0, faultPage);
}

function finalizeOne(
  kernel: Kernel,
  entry: number,
  toEntry: number,
  faultPage: number | undefined,
): KernelGenerator<void> {
  const fromPfn = migratePfnOf(entry);
  const toPfn = migratePfnOf(toEntry);
  const from = fromPfn < 0 ? undefined : kernel.state.folios.get(fromPfn);
  const isMoved = from !== undefined && toPfn >= 0 && hasBit(entry, MIGRATE_PFN_MIGRATE);
  if (toPfn < 0 || isMoved) return from ? settle(kernel, from, isMoved ? toPfn : -1, faultPage) : DONE;
  folio_unlock(kernel, toPfn);
  const told = putFolio(kernel, toPfn);
  if (told) return settleThen(kernel, from, faultPage, told);
  return from ? settle(kernel, from, -1, faultPage) : DONE;
}

function* settleThen(
  kernel: Kernel,
  from: Folio | undefined,
  faultPage: number | undefined,
  told: KernelGenerator<void>,
): KernelGenerator<void> {
  yield* told;
  if (from) yield* settle(kernel, from, -1, faultPage);
}

/** The entries of a page lead to where it is now, at `toPfn` if it moved; what the migration held is let go. */
function settle(kernel: Kernel, from: Folio, toPfn: number, faultPage: number | undefined): KernelGenerator<void> {
  const keepLocked = kernel.facts.migrateToRamUnderPageLock ? faultPage : undefined;
  const putsBack = kernel.facts.migratedSourceGoesToLru;
  const isMoved = toPfn >= 0;
  const to = isMoved ? folioOfDestination(kernel, toPfn) : from;
  if (!putsBack && !to.pgmap) folio_add_lru(kernel, to.pfn);
  // Where no driver in C is told in between, lock and reference of the new page go at once.
  const letsGo = isMoved && !putsBack && to.order === 0 && isQuietlyFreed(from);
  const isGone = remove_migration_ptes(kernel, from, to, letsGo);
  if (from.pfn !== keepLocked && !isFreed(kernel, from, letsGo)) folio_unlock(kernel, from.pfn);
  const told = letGo(kernel, from.pfn, putsBack) ?? DONE;
  return !isMoved || isGone ? told : after(told, unlockAndLetGo, kernel, toPfn);
}

function unlockAndLetGo(kernel: Kernel, pfn: number): KernelGenerator<void> {
  folio_unlock(kernel, pfn);
  return letGo(kernel, pfn, kernel.facts.migratedSourceGoesToLru) ?? DONE;
}
