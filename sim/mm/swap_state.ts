/** mm/swap_state.c and the slots of mm/swapfile.c: who uses a swap slot, and the pages kept for slots (the swap cache). */
import { mkPte, type Pte, PteKind, pte_pfn } from '../arch/pte.ts';
import type { Folio } from '../include/mm_types.ts';
import type { SwapInfo } from '../include/vm_state.ts';
import type { Kernel } from '../machine/kernel.ts';
import { folio_mark_dirty } from './filemap.ts';
import { folio_get, folio_put_system } from './folio.ts';
import { clearFlag, PG_SWAPCACHE, setFlag } from './folio_record.ts';
import { mod_vm } from './vmstat.ts';

/** A slot as an entry and folio->swap hold it: slot * 32 + type. */
export type SwapEntry = number & { readonly unit?: 'swap entry' };

const TYPES = 32;
export const swapPte = (entry: SwapEntry, bits = 0): Pte => mkPte(PteKind.Swap, entry, bits);
export const swapEntryOf = (pte: Pte): SwapEntry => pte_pfn(pte);
const infoOf = (kernel: Kernel, entry: SwapEntry): SwapInfo | undefined => kernel.state.swap.get(entry % TYPES);
const slotOf = (entry: SwapEntry): number => Math.floor(entry / TYPES);

/** Slots in use, by entries or by the cache. */
export const inUse = (info: SwapInfo): number => info.used;

/** swapfile.c:get_swap_pages: a free slot of the file with the highest priority. Undefined if all are full. */
export function folio_alloc_swap(kernel: Kernel): SwapEntry | undefined {
  const files = [...kernel.state.swap.values()].sort((a, b) => b.prio - a.prio);
  for (const info of files)
    for (let tried = inUse(info) < info.max - 1 ? 1 : info.max; tried < info.max; tried++) {
      const slot = 1 + ((info.next - 1 + tried - 1) % (info.max - 1));
      if (info.map.has(slot) || info.cache.has(slot)) continue;
      kernel.store.set(info, 'next', slot + 1 < info.max ? slot + 1 : 1);
      return slot * TYPES + info.type;
    }
  return undefined;
}

/** swapfile.c:swap_duplicate: one more entry refers to the slot. False if it is not in use at all. */
export function swap_duplicate(kernel: Kernel, entry: SwapEntry): boolean {
  const info = infoOf(kernel, entry);
  const slot = slotOf(entry);
  if (!info || !(info.map.has(slot) || info.cache.has(slot))) return false;
  kernel.store.mapSet(info.map, slot, (info.map.get(slot) ?? 0) + 1);
  return true;
}

/** swapfile.c:swap_free: one entry fewer. The last one, if the cache has no page for it, frees the slot. */
export function swap_free(kernel: Kernel, entry: SwapEntry): void {
  const info = infoOf(kernel, entry);
  const slot = slotOf(entry);
  const count = info?.map.get(slot);
  if (!info || count === undefined) {
    kernel.pr_err(`swap_free: Unused swap offset entry ${entry.toString(16)}`);
    return;
  }
  if (count > 1) kernel.store.mapSet(info.map, slot, count - 1);
  else kernel.store.mapDelete(info.map, slot);
  forgetIfFree(kernel, info, slot);
}

function forgetIfFree(kernel: Kernel, info: SwapInfo, slot: number): void {
  if (info.map.has(slot) || info.cache.has(slot)) return;
  kernel.store.mapDelete(info.data, slot);
  kernel.store.add(info, 'used', -1);
}

/** swapfile.c:free_swap_and_cache: the entry goes; a page that only waited in the cache for it goes, too. */
export function free_swap_and_cache(kernel: Kernel, entry: SwapEntry): void {
  swap_free(kernel, entry);
  const folio = swap_cache_get_folio(kernel, entry);
  if (folio && !isSwapped(kernel, entry) && kernel.pages.mapcount.get(folio.pfn) === 0xffffffff)
    folio_free_swap(kernel, folio);
}

const isSwapped = (kernel: Kernel, entry: SwapEntry): boolean => infoOf(kernel, entry)?.map.has(slotOf(entry)) ?? false;

/** swapfile.c:page_swapcount: entries that refer to the slot of a page in the swap cache. */
export const page_swapcount = (kernel: Kernel, folio: Folio): number =>
  folio.swap === undefined ? 0 : (infoOf(kernel, folio.swap)?.map.get(slotOf(folio.swap)) ?? 0);

/* ---- the swap cache ---- */

export function swap_cache_get_folio(kernel: Kernel, entry: SwapEntry): Folio | undefined {
  const pfn = infoOf(kernel, entry)?.cache.get(slotOf(entry));
  return pfn === undefined ? undefined : kernel.state.folios.get(pfn);
}

/** swap_state.c:add_to_swap_cache: the cache holds a reference. */
export function add_to_swap_cache(kernel: Kernel, folio: Folio, entry: SwapEntry): void {
  const info = infoOf(kernel, entry);
  if (!info) return;
  if (!info.map.has(slotOf(entry))) kernel.store.add(info, 'used', 1);
  kernel.store.mapSet(info.cache, slotOf(entry), folio.pfn);
  kernel.store.set(folio, 'swap', entry);
  setFlag(kernel, folio.pfn, PG_SWAPCACHE);
  folio_get(kernel, folio.pfn);
  mod_vm(kernel, 'nr_swapcached', 1);
}

/** swap_state.c:delete_from_swap_cache; the caller holds a reference of its own. */
export function delete_from_swap_cache(kernel: Kernel, folio: Folio): void {
  const entry = folio.swap;
  const info = entry === undefined ? undefined : infoOf(kernel, entry);
  if (entry === undefined || !info) return;
  kernel.store.mapDelete(info.cache, slotOf(entry));
  kernel.store.set(folio, 'swap', undefined);
  clearFlag(kernel, folio.pfn, PG_SWAPCACHE);
  mod_vm(kernel, 'nr_swapcached', -1);
  forgetIfFree(kernel, info, slotOf(entry));
  folio_put_system(kernel, folio.pfn);
}

/** mm/migrate.c: another page takes the place of a page in the swap cache, without its references. */
export function replace_in_swap_cache(kernel: Kernel, from: Folio, to: Folio): void {
  const entry = from.swap;
  const info = entry === undefined ? undefined : infoOf(kernel, entry);
  if (entry === undefined || !info) return;
  kernel.store.mapSet(info.cache, slotOf(entry), to.pfn);
  kernel.store.set(to, 'swap', entry);
  kernel.store.set(from, 'swap', undefined);
  setFlag(kernel, to.pfn, PG_SWAPCACHE);
  clearFlag(kernel, from.pfn, PG_SWAPCACHE);
}

/** swapfile.c:folio_free_swap: a page whose slot no entry refers to leaves the cache, and is dirty again. */
export function folio_free_swap(kernel: Kernel, folio: Folio): boolean {
  if (folio.swap === undefined || isSwapped(kernel, folio.swap)) return false;
  folio_mark_dirty(kernel, folio);
  delete_from_swap_cache(kernel, folio);
  return true;
}

/** swap_writepage and swap_read_folio: the slot and the page hold the same. */
export function swap_writepage(kernel: Kernel, folio: Folio): void {
  const info = folio.swap === undefined ? undefined : infoOf(kernel, folio.swap);
  if (!info || folio.swap === undefined) return;
  const data = kernel.state.contents.get(folio.pfn);
  if (data) kernel.store.mapSet(info.data, slotOf(folio.swap), data);
  else kernel.store.mapDelete(info.data, slotOf(folio.swap));
  mod_vm(kernel, 'pswpout', 1);
}
export function swap_read_folio(kernel: Kernel, folio: Folio, entry: SwapEntry): void {
  const data = infoOf(kernel, entry)?.data.get(slotOf(entry));
  if (data) kernel.store.mapSet(kernel.state.contents, folio.pfn, data);
  mod_vm(kernel, 'pswpin', 1);
}

/** swap.h:vm_swap_full: half of all slots are in use, so slots of pages that are back are given up. */
export function vm_swap_full(kernel: Kernel): boolean {
  let total = 0;
  let used = 0;
  for (const info of kernel.state.swap.values()) {
    total += info.max - 1;
    used += inUse(info);
  }
  return (total - used) * 2 < total;
}
