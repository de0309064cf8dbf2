/** mm/migrate_device.c: migrate_vma_prepare (to 5.15) and migrate_device_unmap: off the LRU, unmapped everywhere, not pinned. */
import type { Folio } from '../include/mm_types.ts';
import { folio_trylock, folio_unlock } from '../kernel/locking.ts';
import type { Kernel } from '../machine/kernel.ts';
import { finished, giving, type KernelGenerator } from '../task/task.ts';
import { folio_get, folio_put_system } from './folio.ts';
import { clearFlag, countLru, PG_LRU, testFlag } from './folio_record.ts';
import { folio_mapping, folioType, remove_migration_ptes } from './migrate.ts';
import { hasBit, MIGRATE_PFN_LOCKED, MIGRATE_PFN_MIGRATE, migratePfnOf, withBit, withoutBit } from './migrate_pfn.ts';
import type { MigrateVma } from './migrate_vma.ts';
import { handedOutByDriver } from './pagemap.ts';
import { folio_mapcount } from './rmap.ts';
import { folio_putback_lru, lru_add_drain, lru_add_drain_all } from './swap.ts';
import { folio_mapped, try_to_migrate } from './try_to_migrate.ts';
import { put_device_page } from './zone_device_page.ts';

export const isZoneDevice = (kernel: Kernel, pfn: number): boolean => kernel.pages.pgmap.get(pfn) !== 0;

/** Drops one reference; what is left to do where a driver has to be told in its own code. */
export function putFolio(kernel: Kernel, pfn: number): KernelGenerator<void> | undefined {
  if (isZoneDevice(kernel, pfn)) return put_device_page(kernel, pfn);
  folio_put_system(kernel, pfn);
  return undefined;
}

/**
 * migrate_vma_check_page: does anyone hold the page whom neither its mappings nor the migration explain? From 5.18
 * one more reference passes for a device page; to 5.17 a private one always passes. Both are found out later.
 */
function migrate_vma_check_page(kernel: Kernel, folio: Folio, faultPage: number | undefined): boolean {
  const { pfn } = folio;
  if (folio.order > 0 && !kernel.facts.devicePrivateThp) return false;
  let extra = 1 + (pfn === faultPage ? 1 : 0);
  if (folio.pgmap) {
    const type = folioType(kernel, folio);
    if (kernel.facts.pageFreeAtOne && type !== 'PUBLIC') return type === 'PRIVATE';
    if (!handedOutByDriver(type)) return false;
    extra++;
  }
  if (folio_mapping(kernel, folio)) extra += 1 << folio.order;
  return kernel.pages.refcount.get(pfn) - extra <= folio_mapcount(kernel, folio);
}

/** folio_isolate_lru, whose reference takes the place of the one of collecting. */
function isolate(kernel: Kernel, folio: Folio): boolean {
  if (!testFlag(kernel, folio.pfn, PG_LRU)) return false;
  countLru(kernel, folio, -1);
  clearFlag(kernel, folio.pfn, PG_LRU);
  return true;
}

/** A page that cannot move after all goes back to its list. */
function putback(kernel: Kernel, pfn: number): void {
  folio_get(kernel, pfn);
  folio_putback_lru(kernel, pfn);
}

/** The folio of an entry of src. */
function folioAt(kernel: Kernel, src: readonly number[], index: number): Folio | undefined {
  const pfn = migratePfnOf(src[index] ?? 0);
  return pfn < 0 ? undefined : kernel.state.folios.get(pfn);
}

/** Entries that lost MIGRATE: their mappings come back, the page is unlocked and let go. */
function* restore(
  kernel: Kernel,
  src: number[],
  npages: number,
  count: number,
  keepLocked: number | undefined,
): KernelGenerator<void> {
  let left = count;
  for (let i = 0; i < npages && left > 0; i++) {
    const folio = folioAt(kernel, src, i);
    if (!folio || hasBit(src[i] ?? 0, MIGRATE_PFN_MIGRATE)) continue;
    remove_migration_ptes(kernel, folio, folio);
    src[i] = 0;
    if (folio.pfn !== keepLocked) folio_unlock(kernel, folio.pfn);
    const told = putFolio(kernel, folio.pfn);
    if (told) yield* told;
    left--;
  }
}

/** To 5.15: migrate_vma_prepare. Pages whose lock was taken by others are tried once more; then LRU and pins. */
export function* migrate_device_prepare(kernel: Kernel, args: MigrateVma): KernelGenerator<void> {
  const { src, npages } = args;
  let mayDrain = true;
  let back = 0;
  lru_add_drain(kernel);
  for (let i = 0; i < npages; i++) {
    const folio = folioAt(kernel, src, i);
    if (!folio) continue;
    const entry = src[i] ?? 0;
    const wasUnmapped = hasBit(entry, MIGRATE_PFN_LOCKED);
    if (!wasUnmapped && !folio_trylock(kernel, folio.pfn)) {
      src[i] = 0;
      args.cpages--;
      const told = putFolio(kernel, folio.pfn);
      if (told) yield* told;
      continue;
    }
    src[i] = withBit(entry, MIGRATE_PFN_LOCKED);
    const isSystem = !folio.pgmap;
    if (isSystem && mayDrain && !testFlag(kernel, folio.pfn, PG_LRU)) {
      lru_add_drain_all(kernel);
      mayDrain = false;
    }
    const isIsolated = !isSystem || isolate(kernel, folio);
    if (isIsolated && migrate_vma_check_page(kernel, folio, undefined)) continue;
    if (isIsolated && isSystem) putback(kernel, folio.pfn);
    args.cpages--;
    if (wasUnmapped) {
      src[i] = withoutBit(src[i] ?? 0, MIGRATE_PFN_MIGRATE);
      back++;
      continue;
    }
    src[i] = 0;
    folio_unlock(kernel, folio.pfn);
    const told = putFolio(kernel, folio.pfn);
    if (told) yield* told;
  }
  if (back > 0) yield* restore(kernel, src, npages, back, undefined);
}

/** What migrate_device_unmap works on, and how far it has come. */
interface Unmapping {
  readonly src: number[];
  readonly npages: number;
  readonly faultPage: number | undefined;
  readonly isPrepared: boolean;
  index: number;
  mayDrain: boolean;
  /** Entries that may migrate, those without a page included. */
  unmapped: number;
  /** Entries that may not, after all. */
  back: number;
}

/**
 * migrate_device_unmap (migrate_vma_unmap): isolates system pages, unless prepare did, unmaps whatever is mapped
 * elsewhere, and gives pages back that someone holds. How many entries may migrate, those without a page included.
 */
export function migrate_device_unmap(
  kernel: Kernel,
  src: number[],
  npages: number,
  faultPage: number | undefined,
  isPrepared: boolean,
): KernelGenerator<number> {
  const at: Unmapping = { src, npages, faultPage, isPrepared, index: 0, mayDrain: true, unmapped: 0, back: 0 };
  if (!isPrepared) lru_add_drain(kernel);
  const mapped = nextMapped(kernel, at);
  return mapped ? unmapElsewhere(kernel, at, mapped) : withRestored(kernel, at);
}

/** How many entries may migrate, when the others are as they were. */
function withRestored(kernel: Kernel, { src, npages, faultPage, unmapped, back }: Unmapping): KernelGenerator<number> {
  if (back === 0) return finished(unmapped);
  const keepLocked = kernel.facts.migrateToRamUnderPageLock ? faultPage : undefined;
  return giving(restore(kernel, src, npages, back, keepLocked), unmapped);
}

/** Entry after entry, up to the first whose folio is mapped elsewhere too: that folio. */
function nextMapped(kernel: Kernel, at: Unmapping): Folio | undefined {
  const { src, npages } = at;
  for (; at.index < npages; at.index++) {
    const entry = src[at.index] ?? 0;
    const folio = folioAt(kernel, src, at.index);
    if (!folio) {
      if (hasBit(entry, MIGRATE_PFN_MIGRATE)) at.unmapped++;
      continue;
    }
    if (!at.isPrepared && !folio.pgmap) {
      if (at.mayDrain && !testFlag(kernel, folio.pfn, PG_LRU)) {
        lru_add_drain_all(kernel);
        at.mayDrain = false;
      }
      if (!isolate(kernel, folio)) {
        src[at.index] = withoutBit(entry, MIGRATE_PFN_MIGRATE);
        at.back++;
        continue;
      }
    }
    if (folio_mapped(kernel, folio)) return folio;
    judge(kernel, folio, at);
  }
  return undefined;
}

/** The rest of the entries, the first of which has a folio that is mapped elsewhere. */
function* unmapElsewhere(kernel: Kernel, at: Unmapping, first: Folio): KernelGenerator<number> {
  for (let folio: Folio | undefined = first; folio; folio = nextMapped(kernel, at)) {
    yield* try_to_migrate(kernel, folio);
    judge(kernel, folio, at);
    at.index++;
  }
  return yield* withRestored(kernel, at);
}

/** May the folio migrate, now that it should be mapped nowhere? */
function judge(kernel: Kernel, folio: Folio, at: Unmapping): void {
  if (!folio_mapped(kernel, folio) && migrate_vma_check_page(kernel, folio, at.faultPage)) {
    at.unmapped++;
    return;
  }
  if (!folio.pgmap) putback(kernel, folio.pfn);
  at.src[at.index] = withoutBit(at.src[at.index] ?? 0, MIGRATE_PFN_MIGRATE);
  at.back++;
}
