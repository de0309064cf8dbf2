/**
 * What the kernel keeps in struct page of a folio beyond the columns (flags, refcount, mapcount): the record of
 * its life, from its allocation to its last reference; and the flags that speak of processes.
 */
import type { Folio, MemCgroup } from '../include/mm_types.ts';
import { PG } from '../include/mmzone.ts';
import type { Kernel } from '../machine/kernel.ts';
import { mod_vm } from './vmstat.ts';

const bit = (name: keyof typeof PG): number => 1 << PG[name];
export const PG_UPTODATE = bit('uptodate');
export const PG_DIRTY = bit('dirty');
export const PG_LRU = bit('lru');
export const PG_ACTIVE = bit('active');
export const PG_REFERENCED = bit('referenced');
export const PG_SWAPBACKED = bit('swapbacked');
export const PG_UNEVICTABLE = bit('unevictable');
export const PG_MLOCKED = bit('mlocked');
/** PG_anon_exclusive shares the bit of PG_owner_2 (mappedtodisk). */
export const PG_ANON_EXCLUSIVE = bit('owner_2');
/** PG_swapcache shares the bit of PG_owner_priv_1. */
export const PG_SWAPCACHE = bit('owner_priv_1');

export const testFlag = (kernel: Kernel, pfn: number, flag: number): boolean =>
  (kernel.pages.flags.get(pfn) & flag) !== 0;
export function setFlag(kernel: Kernel, pfn: number, flag: number): void {
  kernel.pages.flags.set(pfn, (kernel.pages.flags.get(pfn) | flag) >>> 0);
}
export function clearFlag(kernel: Kernel, pfn: number, flag: number): void {
  kernel.pages.flags.set(pfn, (kernel.pages.flags.get(pfn) & ~flag) >>> 0);
}

/** A record that knows the epoch of the store in which it was made; that is no part of what it says. */
class FolioRecord implements Folio {
  readonly pfn: number;
  order: number;
  mapping: Folio['mapping'];
  index: number;
  memcg: MemCgroup | undefined;
  swap: Folio['swap'] = undefined;
  entire_mapcount = -1;
  pincount = 0;
  locked_by: Folio['locked_by'] = undefined;
  readonly pgmap: Folio['pgmap'];
  readonly #born: number;

  constructor(
    pfn: number,
    order: number,
    mapping: Folio['mapping'],
    index: number,
    memcg: MemCgroup | undefined,
    pgmap: Folio['pgmap'],
    born: number,
  ) {
    this.pfn = pfn;
    this.order = order;
    this.mapping = mapping;
    this.index = index;
    this.memcg = memcg;
    this.pgmap = pgmap;
    this.#born = born;
  }

  static isNew(folio: Folio, epoch: number): boolean {
    return folio instanceof FolioRecord && folio.#born === epoch;
  }
}

/** A field was written. A record that came with the step that runs goes with its entry when that is undone. */
function wrote<K extends keyof Folio>(kernel: Kernel, folio: Folio, key: K, old: Folio[K]): void {
  if (!FolioRecord.isNew(folio, kernel.store.epoch)) kernel.store.wrote(folio, key, old);
}

/* The fields that change with every page that moves. A function for each: one for all would look them up by name. */
export function setMapping(kernel: Kernel, folio: Folio, value: Folio['mapping']): void {
  const old = folio.mapping;
  if (old === value) return;
  folio.mapping = value;
  wrote(kernel, folio, 'mapping', old);
}
export function setIndex(kernel: Kernel, folio: Folio, value: number): void {
  const old = folio.index;
  if (old === value) return;
  folio.index = value;
  wrote(kernel, folio, 'index', old);
}
export function setMemcg(kernel: Kernel, folio: Folio, value: Folio['memcg']): void {
  const old = folio.memcg;
  if (old === value) return;
  folio.memcg = value;
  wrote(kernel, folio, 'memcg', old);
}
export function setLockedBy(kernel: Kernel, folio: Folio, value: Folio['locked_by']): void {
  const old = folio.locked_by;
  if (old === value) return;
  folio.locked_by = value;
  wrote(kernel, folio, 'locked_by', old);
}

/** Begins the life of a folio on pages that have their first reference already; `pgmap` is that of a device's pages. */
export function newFolio(
  kernel: Kernel,
  pfn: number,
  order = 0,
  mapping: Folio['mapping'] = undefined,
  index = 0,
  memcg: MemCgroup | undefined = undefined,
  pgmap: Folio['pgmap'] = undefined,
): Folio {
  const folio = new FolioRecord(pfn, order, mapping, index, memcg, pgmap, kernel.store.epoch);
  kernel.store.mapSet(kernel.state.folios, pfn, folio);
  return folio;
}

/** What ends with the last reference, whoever frees the pages: the charge, the place on the LRU, the record, the contents. */
export function releaseFolio(kernel: Kernel, pfn: number): void {
  const { state, store } = kernel;
  const folio = state.folios.get(pfn);
  if (!folio) return;
  // The record goes: what it says need not be wiped, and is there again when this is undone.
  const pages = 1 << folio.order;
  const flags = kernel.pages.flags.get(pfn);
  const { memcg } = folio;
  if (memcg) {
    store.willAdd(memcg, 'usage');
    memcg.usage -= pages;
  }
  if ((flags & PG_LRU) !== 0) mod_vm(kernel, lruOf(flags), -pages);
  // free_pages_prepare; a device page keeps the mark, and stays counted.
  if ((flags & PG_MLOCKED) !== 0 && !folio.pgmap) {
    mod_vm(kernel, 'nr_mlock', -pages);
    mod_vm(kernel, 'unevictable_pgs_cleared', pages);
  }
  for (let i = 0; i < pages; i++) store.mapDelete(state.contents, pfn + i);
  store.mapDelete(state.folios, pfn);
}

/** The LRU list of a folio with these flags, as /proc/vmstat names its counter. */
export function lruOf(flags: number): string {
  if ((flags & PG_UNEVICTABLE) !== 0) return 'nr_unevictable';
  if ((flags & PG_SWAPBACKED) !== 0) return (flags & PG_ACTIVE) !== 0 ? 'nr_active_anon' : 'nr_inactive_anon';
  return (flags & PG_ACTIVE) !== 0 ? 'nr_active_file' : 'nr_inactive_file';
}

export function countLru(kernel: Kernel, folio: Folio, sign: 1 | -1): void {
  mod_vm(kernel, lruOf(kernel.pages.flags.get(folio.pfn)), sign * (1 << folio.order));
}
