/**
 * mm/rmap.c: from a page to the page table entries that map it. An anonymous page knows its anon_vma and its
 * index; the anon_vma knows the VMAs that may map it. A page of a file is found through the file's VMAs.
 */
import { is_pfn_swap_entry, type Pte, pte_pfn, pte_present, pteKind } from '../arch/pte.ts';
import { type AddressSpace, type AnonVma, type Folio, VM_LOCKED, type Vma } from '../include/mm_types.ts';
import { kindOf } from '../include/mmzone.ts';
import { PageKind } from '../include/types.ts';
import type { Kernel } from '../machine/kernel.ts';
import { isDevicePage } from './folio.ts';
import {
  clearFlag,
  PG_ANON_EXCLUSIVE,
  PG_SWAPBACKED,
  setFlag,
  setIndex,
  setMapping,
  testFlag,
} from './folio_record.ts';
import { mlock_vma_folio } from './mlock_folio.ts';
import { hugePmdAt, pteAt } from './pgtable.ts';
import { find_mergeable_anon_vma } from './vma.ts';
import { mod_vm } from './vmstat.ts';

export const isAnonVma = (mapping: AnonVma | AddressSpace | undefined): mapping is AnonVma =>
  mapping !== undefined && 'num_active_vmas' in mapping;

/** folio_test_anon. */
export const folio_test_anon = (folio: Folio): boolean => isAnonVma(folio.mapping);

/* ---- anon_vma ---- */

function anon_vma_alloc(kernel: Kernel, parent: AnonVma | undefined): AnonVma {
  const { anonVmas } = kernel.state;
  const anon_vma: AnonVma = { id: anonVmas.next, parent, vmas: [], num_active_vmas: 1, num_children: 0 };
  kernel.store.set(anonVmas, 'next', anonVmas.next + 1);
  if (parent) kernel.store.set(parent, 'num_children', parent.num_children + 1);
  return anon_vma;
}

/** anon_vma_chain_link. */
export function anon_vma_chain_link(kernel: Kernel, vma: Vma, anon_vma: AnonVma): void {
  kernel.store.splice(vma.anon_vma_chain, vma.anon_vma_chain.length, 0, anon_vma);
  kernel.store.splice(anon_vma.vmas, anon_vma.vmas.length, 0, vma);
}

/** rmap.c:__anon_vma_prepare. A neighbour's anon_vma is taken where the two could become one VMA (find_mergeable_anon_vma). */
export function anon_vma_prepare(kernel: Kernel, vma: Vma): AnonVma {
  if (vma.anon_vma) return vma.anon_vma;
  const mergeable = find_mergeable_anon_vma(vma);
  const anon_vma = mergeable ?? anon_vma_alloc(kernel, undefined);
  if (mergeable) kernel.store.set(anon_vma, 'num_active_vmas', anon_vma.num_active_vmas + 1);
  kernel.store.set(vma, 'anon_vma', anon_vma);
  anon_vma_chain_link(kernel, vma, anon_vma);
  return anon_vma;
}

/** rmap.c:anon_vma_clone: `to` may map whatever `from` may (a split, or a move). */
export function anon_vma_clone(kernel: Kernel, to: Vma, from: Vma): void {
  for (const anon_vma of from.anon_vma_chain) {
    anon_vma_chain_link(kernel, to, anon_vma);
    // fork: one that nobody calls his own any more, and that has at most one child, is used again.
    const isIdle = anon_vma.num_active_vmas === 0 && anon_vma.num_children < (anon_vma.parent ? 2 : 1);
    if (!to.anon_vma && from.anon_vma && isIdle) kernel.store.set(to, 'anon_vma', anon_vma);
  }
  if (to.anon_vma) kernel.store.set(to.anon_vma, 'num_active_vmas', to.anon_vma.num_active_vmas + 1);
}

/** rmap.c:anon_vma_fork: the child's VMA may map all the parent's pages, and puts its own under an anon_vma of its own. */
export function anon_vma_fork(kernel: Kernel, child: Vma, parent: Vma): void {
  if (!parent.anon_vma) return;
  kernel.store.set(child, 'anon_vma', undefined);
  anon_vma_clone(kernel, child, parent);
  if (child.anon_vma) return;
  const own = anon_vma_alloc(kernel, parent.anon_vma);
  kernel.store.set(child, 'anon_vma', own);
  anon_vma_chain_link(kernel, child, own);
}

/** rmap.c:unlink_anon_vmas: the VMA goes. */
export function unlink_anon_vmas(kernel: Kernel, vma: Vma): void {
  const { store } = kernel;
  for (const anon_vma of vma.anon_vma_chain) {
    const index = anon_vma.vmas.indexOf(vma);
    if (index >= 0) store.splice(anon_vma.vmas, index, 1);
    if (anon_vma.vmas.length === 0 && anon_vma.parent)
      store.set(anon_vma.parent, 'num_children', anon_vma.parent.num_children - 1);
  }
  store.splice(vma.anon_vma_chain, 0, vma.anon_vma_chain.length);
  if (!vma.anon_vma) return;
  store.set(vma.anon_vma, 'num_active_vmas', vma.anon_vma.num_active_vmas - 1);
  store.set(vma, 'anon_vma', undefined);
}

/* ---- from page to entries ---- */

/** One place where a page is mapped. */
export interface Mapping {
  readonly vma: Vma;
  readonly vpn: number;
  /** The entry: of the PTE, or of the huge PMD. */
  readonly entry: Pte;
  readonly huge: boolean;
}

/** The vpn where a VMA would map page `index` of a mapping, or -1 (vma_address). */
export const vma_address = (vma: Vma, index: number): number => {
  const vpn = vma.start + (index - vma.pgoff);
  return index >= vma.pgoff && vpn < vma.end ? vpn : -1;
};

/**
 * rmap.c:rmap_walk: every entry that refers to page `pfn` of the folio: present ones, and entries that name its
 * frame (device-private, device-exclusive and, with `migration`, migration entries), in the order of the VMAs.
 */
export function mappingsOf(_kernel: Kernel, folio: Folio, pfn: number, migration = false): Mapping[] {
  const { mapping } = folio;
  if (!mapping) return [];
  const index = folio.index + (pfn - folio.pfn);
  const found: Mapping[] = [];
  for (const vma of mapping.vmas) {
    const vpn = vma_address(vma, index);
    if (vpn < 0) continue;
    const huge = hugePmdAt(vma.mm, vpn);
    const entry = huge ? huge.entry : pteAt(vma.mm, vpn);
    const named = pte_present(entry) || is_pfn_swap_entry(entry);
    if (!named || (isMigration(entry) && !migration)) continue;
    const first = pte_pfn(entry);
    if (huge ? pfn >= first && pfn < first + 512 : pfn === first)
      found.push({ vma, vpn, entry, huge: huge !== undefined });
  }
  return found;
}

const isMigration = (entry: Pte): boolean => {
  const kind = pteKind(entry);
  return kind >= 4 && kind <= 6;
};

/* ---- mapping and unmapping ---- */

const MINUS_ONE = 0xffffffff;
const GUP_PIN_COUNTING_BIAS = 1024;

/** NR_ANON_MAPPED or NR_FILE_MAPPED. */
function countMapped(kernel: Kernel, folio: Folio, pages: number): void {
  if (pages !== 0) mod_vm(kernel, folio_test_anon(folio) ? 'nr_anon_pages' : 'nr_mapped', pages);
}

/** rmap.c:__folio_set_anon: a page that others may map too belongs to the oldest anon_vma, which leads to all of them. */
function setAnon(kernel: Kernel, folio: Folio, vma: Vma, vpn: number, exclusive: boolean): void {
  let { anon_vma } = vma;
  if (!anon_vma) throw new Error('__folio_set_anon: anon_vma_prepare comes first');
  while (!exclusive && anon_vma.parent) anon_vma = anon_vma.parent;
  setMapping(kernel, folio, anon_vma);
  setIndex(kernel, folio, vma.pgoff + (vpn - vma.start));
}

/**
 * rmap.c:folio_add_new_anon_rmap: a fresh folio gets its anon_vma, its index and its first mapping, a large one
 * as a whole; it is exclusive, unless it comes from a swap slot that others use too.
 */
export function folio_add_new_anon_rmap(kernel: Kernel, folio: Folio, vma: Vma, vpn: number, exclusive = true): void {
  const { store, pages } = kernel;
  setAnon(kernel, folio, vma, vpn, exclusive);
  let flags = pages.flags.get(folio.pfn) | PG_SWAPBACKED;
  if (exclusive && kernel.facts.anonExclusive) flags |= PG_ANON_EXCLUSIVE;
  pages.flags.set(folio.pfn, flags >>> 0);
  if (folio.order === 0) pages.mapcount.set(folio.pfn, 0);
  else {
    store.set(folio, 'entire_mapcount', 0);
    mod_vm(kernel, 'nr_anon_transparent_hugepages', 1);
  }
  countMapped(kernel, folio, 1 << folio.order);
  // folio_add_lru_vma: mlock_new_folio. A page of a device is on no list.
  if ((vma.flags & VM_LOCKED) !== 0 && !isDevicePage(kernel, folio.pfn)) mlock_vma_folio(kernel, folio, vma);
}

/** One more entry maps a page (folio_add_anon_rmap_pte, folio_add_file_rmap_pte, folio_dup_..._rmap_pte). */
export function folio_add_rmap_pte(kernel: Kernel, folio: Folio, pfn: number): void {
  const { mapcount } = kernel.pages;
  if (mapcount.get(pfn) === MINUS_ONE && folio.entire_mapcount < 0) countMapped(kernel, folio, 1);
  mapcount.add(pfn, 1);
}

/** rmap.c:folio_remove_rmap_pte: one entry fewer maps a page. */
export function folio_remove_rmap_pte(kernel: Kernel, folio: Folio, pfn: number): void {
  const { mapcount } = kernel.pages;
  const count = mapcount.get(pfn);
  if (count === MINUS_ONE) {
    kernel.WARN(`VM_WARN_ON_FOLIO: mapcount of ${pfn.toString(16)} falls below none`);
    return;
  }
  mapcount.set(pfn, (count - 1) >>> 0);
  if (count === 0 && folio.entire_mapcount < 0) countMapped(kernel, folio, -1);
}

/** Pages of a large folio that entries of their own map. */
function pagesMapped(kernel: Kernel, folio: Folio): number {
  let mapped = 0;
  kernel.pages.mapcount.runs(folio.pfn, folio.pfn + (1 << folio.order), (start, end, value) => {
    if (value !== MINUS_ONE) mapped += end - start;
    return undefined;
  });
  return mapped;
}

/** rmap.c:folio_add_anon_rmap_pmd and folio_dup_..._rmap_pmd: one more huge entry maps a large folio. */
export function folio_add_rmap_pmd(kernel: Kernel, folio: Folio): void {
  if (folio.entire_mapcount < 0) {
    countMapped(kernel, folio, (1 << folio.order) - pagesMapped(kernel, folio));
    if (folio_test_anon(folio)) mod_vm(kernel, 'nr_anon_transparent_hugepages', 1);
  }
  kernel.store.set(folio, 'entire_mapcount', folio.entire_mapcount + 1);
}

/** rmap.c:folio_remove_rmap_pmd. */
export function folio_remove_rmap_pmd(kernel: Kernel, folio: Folio): void {
  kernel.store.set(folio, 'entire_mapcount', folio.entire_mapcount - 1);
  if (folio.entire_mapcount >= 0) return;
  countMapped(kernel, folio, pagesMapped(kernel, folio) - (1 << folio.order));
  if (folio_test_anon(folio)) mod_vm(kernel, 'nr_anon_transparent_hugepages', -1);
}

/** mm.h:folio_maybe_dma_pinned: a small folio may be taken for pinned where it has very many references. */
export const folio_maybe_dma_pinned = (kernel: Kernel, folio: Folio): boolean =>
  folio.order > 0 ? folio.pincount > 0 : kernel.pages.refcount.get(folio.pfn) >= GUP_PIN_COUNTING_BIAS;

/**
 * rmap.h:folio_try_dup_anon_rmap_pte and _pmd: a child is to share an anonymous page, which is exclusive no more.
 * False where a pin needs it to stay the parent's: then the child gets a copy. (Before 5.19 there is no mark, but
 * pinned pages are copied since 5.9.)
 */
export function folio_try_dup_anon_rmap(kernel: Kernel, folio: Folio, pfn: number, huge = false): boolean {
  const isDevice = kindOf(kernel.pages.state.get(pfn)) === PageKind.DeviceInUse;
  const pinned = !isDevice && kernel.facts.forkCopiesPinned && folio_maybe_dma_pinned(kernel, folio);
  if (kernel.facts.anonExclusive) {
    if (pageAnonExclusive(kernel, pfn)) {
      if (pinned) return false;
      clearPageAnonExclusive(kernel, pfn);
    }
  } else if (pinned) return false;
  if (huge) folio_add_rmap_pmd(kernel, folio);
  else folio_add_rmap_pte(kernel, folio, pfn);
  return true;
}

/** rmap.c:folio_move_anon_rmap: the page belongs to this VMA's own anon_vma from now on. */
export function folio_move_anon_rmap(kernel: Kernel, folio: Folio, vma: Vma): void {
  if (vma.anon_vma) setMapping(kernel, folio, vma.anon_vma);
}

/** folio_mapcount: all entries that map the folio or a page of it. */
export function folio_mapcount(kernel: Kernel, folio: Folio): number {
  if (folio.order === 0) return (kernel.pages.mapcount.get(folio.pfn) + 1) >>> 0;
  let count = folio.entire_mapcount + 1;
  kernel.pages.mapcount.runs(folio.pfn, folio.pfn + (1 << folio.order), (start, end, value) => {
    count += (end - start) * ((value + 1) >>> 0);
    return undefined;
  });
  return count;
}

/** PageAnonExclusive. Before 5.19 there is no such mark. */
export const pageAnonExclusive = (kernel: Kernel, pfn: number): boolean => testFlag(kernel, pfn, PG_ANON_EXCLUSIVE);
export const setPageAnonExclusive = (kernel: Kernel, pfn: number): void => {
  if (kernel.facts.anonExclusive) setFlag(kernel, pfn, PG_ANON_EXCLUSIVE);
};
export const clearPageAnonExclusive = (kernel: Kernel, pfn: number): void => clearFlag(kernel, pfn, PG_ANON_EXCLUSIVE);
