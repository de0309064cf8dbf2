/** mm/gup.c: what the page table says of an address, for get_user_pages: follow_page_mask and the lockless walk. */
import {
  PTE_DIRTY,
  PTE_YOUNG,
  type Pte,
  PteKind,
  pte_devmap,
  pte_dirty,
  pte_index,
  pte_pfn,
  pte_special,
  pte_write,
  pteKind,
  withBits,
} from '../arch/pte.ts';
import type { CStruct } from '../c/value.ts';
import { type Mm, VM_SHARED, type Vma } from '../include/mm_types.ts';
import { ZONE_MOVABLE } from '../include/types.ts';
import type { Kernel } from '../machine/kernel.ts';
import { is_cow_mapping } from './device_exclusive.ts';
import { folio_mark_dirty } from './filemap.ts';
import { folioHead } from './folio.ts';
import { PG_REFERENCED, setFlag } from './folio_record.ts';
import { type GupFlags, try_grab_folio } from './gup_refs.ts';
import { get_dev_pagemap, page_pgmap, typeOf } from './pagemap.ts';
import { pmdAt, set_pmd_at } from './pgtable.ts';
import { folio_test_anon, pageAnonExclusive } from './rmap.ts';
import { folio_mark_accessed } from './swap.ts';
import { zero_pfn } from './zero_page.ts';

const EFAULT = -14;
/** Not errnos of ours: the page has to be faulted in; it is shared and must be unshared first (-EMLINK there). */
export const NO_PAGE = -1000;
export const MUST_UNSHARE = -1001;
/** The PMD is huge and FOLL_SPLIT_PMD is given. */
export const MUST_SPLIT = -1002;

/** struct follow_page_context, for one call of get_user_pages. */
export interface FollowContext {
  /** Pagemaps whose reference is held until the walk is over (devmap entries, to 6.16). */
  readonly pgmaps: CStruct[];
  /** Pages from the one found to the end of its huge page: they are taken together. */
  run: number;
}

/** gup.c:gup_must_unshare: may a page be pinned for reading while other processes share it? */
function gup_must_unshare(kernel: Kernel, vma: Vma | undefined, flags: GupFlags, pfn: number): boolean {
  if (!kernel.facts.anonExclusive || !flags.pin || flags.write) return false;
  const folio = kernel.state.folios.get(folioHead(kernel, pfn));
  if (folio && folio_test_anon(folio)) return !pageAnonExclusive(kernel, folio.entire_mapcount >= 0 ? folio.pfn : pfn);
  if (!kernel.facts.gupUnsharesFilePages || !flags.longterm) return false;
  return vma === undefined || is_cow_mapping(vma.flags);
}

/** FOLL_TOUCH, which all variants imply but pin_user_pages. */
const isTouched = ({ pin, remote, fast }: GupFlags): boolean => !pin || fast === true || remote !== false;

/** The page was used, and written if the caller may. */
function touch(kernel: Kernel, pfn: number, pte: Pte, flags: GupFlags): void {
  const head = folioHead(kernel, pfn);
  const folio = kernel.state.folios.get(head);
  if (!folio) return;
  if (flags.write && !pte_dirty(pte)) folio_mark_dirty(kernel, folio);
  folio_mark_accessed(kernel, head);
}

/** A devmap entry is only followed under a reference of its pagemap; false if that is dying. */
function holdPagemap(kernel: Kernel, pfn: number, context: FollowContext): boolean {
  if (!kernel.facts.gupTakesPagemapRef) return true;
  if (context.pgmaps.includes(page_pgmap(kernel, pfn)?.pgmap as CStruct)) return true;
  const map = get_dev_pagemap(kernel, pfn);
  if (!map) return false;
  context.pgmaps.push(map.pgmap);
  return true;
}

/** gup.c:follow_page_pte: the page, with its reference; an errno, or one of the marks above. */
function follow_page_pte(kernel: Kernel, vma: Vma, pte: Pte, flags: GupFlags, context: FollowContext): number {
  if (pteKind(pte) !== PteKind.Present) return NO_PAGE;
  const pfn = pte_pfn(pte);
  const isZero = pfn === zero_pfn(kernel);
  if (flags.write && !pte_write(pte)) return NO_PAGE;
  if (pte_devmap(pte)) {
    if (!holdPagemap(kernel, pfn, context)) return NO_PAGE;
  } else if (pte_special(pte) && !isZero) return EFAULT;
  if (!pte_write(pte) && gup_must_unshare(kernel, vma, flags, pfn)) return MUST_UNSHARE;
  const error = try_grab_folio(kernel, pfn, 1, flags);
  if (error < 0) return error;
  if (isTouched(flags)) touch(kernel, pfn, pte, flags);
  return pfn;
}

/** gup.c:follow_page_mask: the page behind one address of a VMA. */
export function follow_page_mask(
  kernel: Kernel,
  vma: Vma,
  vpn: number,
  flags: GupFlags,
  context: FollowContext,
): number {
  context.run = 1;
  const pmd = pmdAt(vma.mm, vpn);
  if (!pmd) return NO_PAGE;
  if (pmd.kind === 'table') return follow_page_pte(kernel, vma, pmd.entries[pte_index(vpn)] ?? 0, flags, context);
  const { entry } = pmd;
  if (pteKind(entry) !== PteKind.Present) return NO_PAGE;
  if (flags.splitPmd) return MUST_SPLIT;
  if (flags.write && !pte_write(entry)) return NO_PAGE;
  const pfn = pte_pfn(entry) + pte_index(vpn);
  if (pte_devmap(entry) && !holdPagemap(kernel, pfn, context)) return NO_PAGE;
  if (!pte_write(entry) && gup_must_unshare(kernel, vma, flags, pfn)) return MUST_UNSHARE;
  const error = try_grab_folio(kernel, pfn, 1, flags);
  if (error < 0) return error;
  // touch_pmd: the entry is what was used, not the page.
  const bits = isTouched(flags) ? PTE_YOUNG | (flags.write ? PTE_DIRTY : 0) : 0;
  if (withBits(entry, bits) !== entry) set_pmd_at(kernel, vma.mm, vpn, { ...pmd, entry: withBits(entry, bits) });
  context.run = 512 - pte_index(vpn);
  return pfn;
}

/**
 * gup.c:gup_fast: pages of [vpn, vpn + count) as far as they can be had without any lock: present, permitted, with
 * a struct page, pinnable for as long as is wanted, not to be unshared. How many.
 */
export function gup_fast(
  kernel: Kernel,
  mm: Mm,
  start: number,
  count: number,
  flags: GupFlags,
  pages: number[],
  context: FollowContext,
): number {
  for (let i = 0; i < count; i++) {
    const vpn = start + i;
    const pmd = pmdAt(mm, vpn);
    if (!pmd) return i;
    const entry = pmd.kind === 'table' ? (pmd.entries[pte_index(vpn)] ?? 0) : pmd.entry;
    if (pteKind(entry) !== PteKind.Present || (flags.write && !pte_write(entry)) || pte_special(entry)) return i;
    const pfn = pte_pfn(entry) + (pmd.kind === 'table' ? 0 : pte_index(vpn));
    if (pte_devmap(entry) && (flags.longterm || !holdPagemap(kernel, pfn, context))) return i;
    if (flags.longterm && !is_longterm_pinnable(kernel, pfn)) return i;
    if (!pte_write(entry) && gup_must_unshare(kernel, undefined, flags, pfn)) return i;
    if (try_grab_folio(kernel, pfn, 1, flags) < 0) return i;
    const head = folioHead(kernel, pfn);
    if (kernel.state.folios.has(head)) setFlag(kernel, head, PG_REFERENCED);
    pages.push(pfn);
  }
  return count;
}

/** mm.h:folio_is_longterm_pinnable (since 5.13): what stands in the way of hot unplug or of its device does not stay. */
export function is_longterm_pinnable(kernel: Kernel, pfn: number): boolean {
  if (!kernel.facts.longtermLeavesMovable || pfn === zero_pfn(kernel)) return true;
  const map = page_pgmap(kernel, pfn);
  if (map) return typeOf(kernel, map.pgmap) !== 'COHERENT';
  return kernel.zoneAt(pfn).index !== ZONE_MOVABLE;
}

/** vma_needs_dirty_tracking: a shared mapping of a file that is written back. */
export const vma_needs_dirty_tracking = (vma: Vma): boolean =>
  vma.file?.kind === 'file' && (vma.flags & VM_SHARED) !== 0;

/** vma_is_fsdax: the file's pages are those of a device. */
export function vma_is_fsdax(kernel: Kernel, vma: Vma): boolean {
  const first = vma.file?.storage?.start ?? vma.file?.pages.values().next().value;
  const map = first === undefined ? undefined : page_pgmap(kernel, first);
  return map !== undefined && (!kernel.facts.fsdaxType || typeOf(kernel, map.pgmap) === 'FS_DAX');
}
