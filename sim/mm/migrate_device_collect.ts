/**
 * mm/migrate_device.c (mm/migrate.c to 5.17), migrate_vma_collect: which pages of a range may migrate. Each
 * is referenced and locked, and a migration entry stands in its place; migrate_device_unmap.ts does the rest.
 */
import {
  is_device_private_entry,
  type Pte,
  PteKind,
  pte_dirty,
  pte_index,
  pte_none,
  pte_pfn,
  pte_present,
  pte_special,
  pte_write,
  pteKind,
} from '../arch/pte.ts';
import type { Folio, PteTable, Vma } from '../include/mm_types.ts';
import { PG_LOCKED } from '../include/mmzone.ts';
import { folio_lock, folio_test_locked, folio_unlock } from '../kernel/locking.ts';
import type { Kernel } from '../machine/kernel.ts';
import { isFinished, type KernelGenerator } from '../task/task.ts';
import { folio_get, folio_put, folioHead, folioOf } from './folio.ts';
import { PG_ANON_EXCLUSIVE, PG_DIRTY, setLockedBy } from './folio_record.ts';
import { split_folio } from './huge_split.ts';
import { deviceType } from './migrate.ts';
import { collectHugeHole, collectHugePmd, isHugeHole } from './migrate_device_huge.ts';
import {
  hasBit,
  MIGRATE_PFN_DEVICE,
  MIGRATE_PFN_LOCKED,
  MIGRATE_PFN_MIGRATE,
  MIGRATE_PFN_WRITE,
  MIGRATE_VMA_SELECT_COMPOUND,
  MIGRATE_VMA_SELECT_DEVICE_COHERENT,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  MIGRATE_VMA_SELECT_SYSTEM,
  migrate_pfn,
} from './migrate_pfn.ts';
import { collectSkip, faultPageOf, type MigrateVma, migrateRange, note, type Selection } from './migrate_vma.ts';
import { munlock_vma_folio } from './mlock_folio.ts';
import {
  type MmuNotifierRange,
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
} from './mmu_notifier.ts';
import { isOwner, ownsPage } from './pagemap_owner.ts';
import { pmdAt } from './pgtable.ts';
import { folio_remove_rmap_pte, folio_test_anon } from './rmap.ts';
import { maySharePage, migrationEntryOf } from './try_to_migrate.ts';

/**
 * A driver of the engine says with the flags of 5.9 what it wants. One in C says it in its release's way: in 5.7 and
 * 5.8 an owner asks for its device pages, none for system memory; before, everything is taken.
 */
function selectionOf(kernel: Kernel, args: MigrateVma): Selection {
  const byOwner = kernel.facts.migrateSrcOwner;
  const byFlags = kernel.facts.migrateSelect || (byOwner && args.flags !== 0);
  const asked = byFlags ? args.flags : -1;
  return {
    system: byOwner && !byFlags ? !isOwner(args.pgmap_owner) : (asked & MIGRATE_VMA_SELECT_SYSTEM) !== 0,
    devicePrivate: (asked & MIGRATE_VMA_SELECT_DEVICE_PRIVATE) !== 0,
    coherent: (asked & MIGRATE_VMA_SELECT_DEVICE_COHERENT) !== 0,
    checksOwner: byFlags || byOwner,
    owner: args.pgmap_owner,
    fileHoles: !kernel.facts.migrateHolesAnonOnly,
    compound: kernel.facts.devicePrivateThp && (args.flags & MIGRATE_VMA_SELECT_COMPOUND) !== 0,
    lockedByFault: kernel.facts.migrateToRamUnderPageLock ? faultPageOf(kernel, args) : undefined,
  };
}

/** migrate_vma_collect_hole: nothing there; an anonymous page can be put there. */
function collectHole(args: MigrateVma, vma: Vma, select: Selection, pages: number): void {
  const isTaken = vma.file === undefined || select.fileHoles;
  if (isTaken) args.cpages += pages;
  for (let i = 0; i < pages; i++) note(args, isTaken ? MIGRATE_PFN_MIGRATE : 0);
}

/** The page an entry leads to, if this call wants it: its entry for src; 0 if it does not. */
function wanted(kernel: Kernel, pte: Pte, select: Selection): number {
  if (!pte_present(pte)) {
    if (!is_device_private_entry(pte) || !select.devicePrivate) return 0;
    const pfn = pte_pfn(pte);
    if (select.checksOwner && !ownsPage(kernel, pfn, select.owner)) return 0;
    const isWritable = pteKind(pte) === PteKind.DeviceWrite;
    const device = kernel.facts.migrateVmaCallbacks ? MIGRATE_PFN_DEVICE : 0;
    return migrate_pfn(pfn) + MIGRATE_PFN_MIGRATE + device + (isWritable ? MIGRATE_PFN_WRITE : 0);
  }
  const pfn = pte_pfn(pte);
  const type = deviceType(kernel, pfn);
  if (type === undefined ? !select.system : type === 'COHERENT' && !wantsCoherent(kernel, pfn, select)) return 0;
  return migrate_pfn(pfn) + MIGRATE_PFN_MIGRATE + (pte_write(pte) ? MIGRATE_PFN_WRITE : 0);
}

const wantsCoherent = (kernel: Kernel, pfn: number, select: Selection): boolean =>
  select.coherent && ownsPage(kernel, pfn, select.owner);

/**
 * migrate_vma_collect_pmd, its loop over one table of PTEs. It ends early at a page of a huge folio that is mapped
 * by single entries, which is split first (6.19 on): how many were noted.
 */
function collectTable(
  kernel: Kernel,
  args: MigrateVma,
  vma: Vma,
  select: Selection,
  table: PteTable,
  first: number,
  pages: number,
): number {
  const { folios } = kernel.state;
  const splits = kernel.facts.devicePrivateThp;
  const locksLater = kernel.facts.migratePfnLocked;
  for (let slot = first; slot < first + pages; slot++) {
    const pte = table.entries[slot] as Pte;
    if (pte_none(pte)) {
      collectHole(args, vma, select, 1);
      continue;
    }
    // In a VMA that may be here only the page of zeros is special.
    if (pte_present(pte) && pte_special(pte)) {
      if (select.system) args.cpages++;
      note(args, select.system ? MIGRATE_PFN_MIGRATE : 0);
      continue;
    }
    const entry = wanted(kernel, pte, select);
    const pfn = pte_pfn(pte);
    const folio = entry === 0 ? undefined : folios.get(pfn);
    if (splits && entry !== 0 && isPartOfHuge(kernel, folio, pfn)) return slot - first;
    // No page, no mapping, or part of a compound page.
    if (!folio?.mapping || folio.order > 0) {
      note(args, 0);
      continue;
    }
    if (pfn === select.lockedByFault || !folio_test_locked(kernel, pfn)) {
      const isTaken = lockAndUnmap(kernel, vma, table, slot, pte, folio, entry, pfn !== select.lockedByFault);
      if (isTaken) args.cpages++;
      note(args, isTaken ? entry + (locksLater ? MIGRATE_PFN_LOCKED : 0) : 0);
    } else if (locksLater) {
      // To 5.15 the lock is tried again when all pages of the range are known.
      kernel.pages.refcount.add(pfn, 1);
      args.cpages++;
      note(args, entry);
    } else note(args, 0);
  }
  return pages;
}

/** A page of a huge folio of anonymous memory. */
const isPartOfHuge = (kernel: Kernel, own: Folio | undefined, pfn: number): boolean => {
  const folio = own ?? folioOf(kernel, pfn);
  return folio !== undefined && folio.order > 0 && folio_test_anon(folio);
};

/**
 * The page is locked (its lock is free) and its entry becomes a migration entry at once; where the page is mapped only here no walk over its mappings is
 * needed later. The reference of the mapping becomes that of the migration.
 */
function lockAndUnmap(
  kernel: Kernel,
  vma: Vma,
  table: PteTable,
  slot: number,
  pte: Pte,
  folio: Folio,
  entry: number,
  locks: boolean,
): boolean {
  const { pfn } = folio;
  const { flags } = kernel.pages;
  let word = flags.get(pfn);
  const wasExclusive = (word & PG_ANON_EXCLUSIVE) !== 0 && kernel.facts.anonExclusive && folio_test_anon(folio);
  if (wasExclusive && !maySharePage(kernel, folio)) return false;
  const isPresent = pte_present(pte);
  // folio_trylock, folio_try_share_anon_rmap_pte and folio_mark_dirty in one word.
  if (wasExclusive) word &= ~PG_ANON_EXCLUSIVE;
  if (isPresent && pte_dirty(pte) && kernel.facts.migrateKeepsDirty) word |= PG_DIRTY;
  if (locks) {
    word |= PG_LOCKED;
    setLockedBy(kernel, folio, kernel.current);
  }
  flags.set(pfn, word >>> 0);
  const isWritable = isPresent
    ? pte_write(pte)
    : kernel.facts.migrateEntryFollowsPfn && hasBit(entry, MIGRATE_PFN_WRITE);
  kernel.store.setDense(table.entries, slot, migrationEntryOf(kernel, pte, pfn, isWritable, wasExclusive));
  folio_remove_rmap_pte(kernel, folio, pfn);
  munlock_vma_folio(kernel, folio, vma);
  return true;
}

/** migrate_vma_split_folio (6.19 on). False: the folio stays whole, and the rest of the table is left alone. */
function* splitAt(kernel: Kernel, args: MigrateVma, pte: Pte): KernelGenerator<boolean> {
  const folio = folioOf(kernel, pte_pfn(pte));
  if (!folio) return false;
  const { pfn: head } = folio;
  const { fault_page } = args;
  const isFaults = fault_page !== undefined && folioHead(kernel, fault_page) === head;
  if (!isFaults) {
    folio_get(kernel, head);
    yield* folio_lock(kernel, head);
  }
  const error = yield* split_folio(kernel, folio);
  // The fault path holds reference and lock of its page, which is one of its own now.
  if (error === 0 && isFaults && fault_page !== head) {
    folio_get(kernel, fault_page);
    yield* folio_lock(kernel, fault_page);
  }
  if (!isFaults || (error === 0 && fault_page !== head)) {
    folio_unlock(kernel, head);
    yield* folio_put(kernel, head);
  }
  return error === 0;
}

/** migrate_vma_collect. */
export function migrate_vma_collect(kernel: Kernel, args: MigrateVma, vma: Vma): KernelGenerator<void> {
  const range = migrateRange(kernel, args, vma, args.start);
  const select = selectionOf(kernel, args);
  const told = mmu_notifier_invalidate_range_start(kernel, range);
  if (!isFinished(told)) return collectWaiting(kernel, args, vma, select, args.start, range, told);
  const vpn = collect(kernel, args, vma, select, args.start);
  return vpn < args.end
    ? collectWaiting(kernel, args, vma, select, vpn, range, told)
    : mmu_notifier_invalidate_range_end(kernel, range);
}

/** Collects from `from` on, up to the first huge page that has to be looked at as a whole: where that stands. */
function collect(kernel: Kernel, args: MigrateVma, vma: Vma, select: Selection, from: number): number {
  let vpn = from;
  while (vpn < args.end) {
    const pmd = pmdAt(vma.mm, vpn);
    const pages = pagesOfTable(args, vpn);
    if (pmd?.kind === 'huge') break;
    if (pmd) {
      const noted = collectTable(kernel, args, vma, select, pmd, pte_index(vpn), pages);
      if (noted < pages) return vpn + noted;
    } else if (isHugeHole(select, vma, vpn, pages)) collectHugeHole(args);
    else collectHole(args, vma, select, pages);
    vpn += pages;
  }
  return vpn;
}

/** The range from `from` on, where others are told, or a huge page has to be split, or waited for. */
function* collectWaiting(
  kernel: Kernel,
  args: MigrateVma,
  vma: Vma,
  select: Selection,
  from: number,
  range: MmuNotifierRange,
  told: KernelGenerator<number>,
): KernelGenerator<void> {
  yield* told;
  for (let vpn = collect(kernel, args, vma, select, from); vpn < args.end; ) {
    const pmd = pmdAt(vma.mm, vpn);
    const pages = pagesOfTable(args, vpn);
    // What is left to do with small pages is looked at again.
    if (pmd?.kind === 'huge') {
      if (yield* collectHugePmd(kernel, args, vma, select, pmd, vpn, pages)) vpn += pages;
    } else if (pmd && !(yield* splitAt(kernel, args, pmd.entries[pte_index(vpn)] as Pte))) {
      collectSkip(args, pages);
      vpn += pages;
    }
    vpn = collect(kernel, args, vma, select, vpn);
  }
  yield* mmu_notifier_invalidate_range_end(kernel, range);
}

/** How many pages of the range one table maps, from `vpn` on. */
const pagesOfTable = (args: MigrateVma, vpn: number): number => Math.min(args.end - vpn, 512 - pte_index(vpn));
