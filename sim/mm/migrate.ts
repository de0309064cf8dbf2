/**
 * mm/migrate.c: the identity of a folio passes to another one. Between unmapping the old and mapping the new
 * folio migration entries stand in the page tables; whoever meets one waits for the lock of the old folio.
 */
import {
  is_migration_entry,
  mkPte,
  PTE_DEVMAP,
  PTE_DIRTY,
  PTE_SOFT_DIRTY,
  PTE_UFFD_WP,
  PTE_WRITE,
  PTE_YOUNG,
  type Pte,
  PteKind,
  pte_index,
  pte_pfn,
  pteBits,
  pteKind,
} from '../arch/pte.ts';
import {
  type AddressSpace,
  type Folio,
  type HugePmd,
  type Mm,
  VM_EXEC,
  VM_READ,
  VM_WRITE,
  type Vma,
} from '../include/mm_types.ts';
import { PG, PG_LOCKED } from '../include/mmzone.ts';
import { PageKind } from '../include/types.ts';
import { folio_test_locked, folioLockWait } from '../kernel/locking.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { copy_highpage } from './contents.ts';
import { folioHead, setPageKind } from './folio.ts';
import {
  PG_ACTIVE,
  PG_ANON_EXCLUSIVE,
  PG_DIRTY,
  PG_REFERENCED,
  PG_SWAPBACKED,
  PG_SWAPCACHE,
  PG_UNEVICTABLE,
  PG_UPTODATE,
  setIndex,
  setLockedBy,
  setMapping,
  testFlag,
} from './folio_record.ts';
import { mem_cgroup_migrate } from './memcontrol.ts';
import { mlock_vma_folio } from './mlock_folio.ts';
import { handedOutByDriver, type PagemapType, page_pgmap, typeOf } from './pagemap.ts';
import { entryAt, hugePmdAt, pteTableAt } from './pgtable.ts';
import { folio_add_rmap_pmd, folio_add_rmap_pte, folio_test_anon, isAnonVma, vma_address } from './rmap.ts';
import { replace_in_swap_cache } from './swap_state.ts';

export const MIGRATEPAGE_SUCCESS = 0;
const EAGAIN = -11;
const PG_WORKINGSET = 1 << PG.workingset;
/** Flags that follow the identity (folio_migrate_flags; PG_swapbacked with the mapping, a moment before). */
const CARRIED = PG_SWAPBACKED | PG_REFERENCED | PG_UPTODATE | PG_ACTIVE | PG_UNEVICTABLE | PG_WORKINGSET | PG_DIRTY;

/** folio_mapping: the page cache a folio is in, or 'swap'; nothing for other anonymous pages. */
export function folio_mapping(kernel: Kernel, folio: Folio): AddressSpace | 'swap' | undefined {
  if (isAnonVma(folio.mapping) || !folio.mapping) return testFlag(kernel, folio.pfn, PG_SWAPCACHE) ? 'swap' : undefined;
  return folio.mapping;
}

/** The type of device memory a page is, if it is any. */
export function deviceType(kernel: Kernel, pfn: number): PagemapType | undefined {
  const map = page_pgmap(kernel, pfn);
  return map && typeOf(kernel, map.pgmap);
}

/** The same for a folio. */
export const folioType = (kernel: Kernel, { pgmap }: Folio): PagemapType | undefined =>
  pgmap && typeOf(kernel, pgmap.pgmap);

/** folio_expected_refs (expected_page_count): who holds an unmapped folio that nobody else uses, the caller included. */
export function folio_expected_refs(kernel: Kernel, folio: Folio): number {
  const mapping = folio_mapping(kernel, folio);
  // While free device pages rest at 1, one in use has that reference besides.
  const resting = kernel.facts.pageFreeAtOne && handedOutByDriver(folioType(kernel, folio)) ? 1 : 0;
  return 1 + resting + (mapping === undefined ? 0 : 1 << folio.order);
}

/** migrate.c:folio_migrate_mapping (migrate_page_move_mapping): -EAGAIN if someone unexpected holds the old folio. */
export function folio_migrate_mapping(kernel: Kernel, to: Folio, from: Folio, extra: number): number {
  const { store, pages } = kernel;
  if (pages.refcount.get(from.pfn) !== folio_expected_refs(kernel, from) + extra) return EAGAIN;
  setIndex(kernel, to, from.index);
  setMapping(kernel, to, from.mapping);
  const mapping = folio_mapping(kernel, from);
  if (mapping === undefined) return MIGRATEPAGE_SUCCESS;
  const count = 1 << from.order;
  if (mapping === 'swap') replace_in_swap_cache(kernel, from, to);
  else for (const index of cachedAt(mapping, from)) store.mapSet(mapping.pages, index, to.pfn);
  pages.refcount.add(to.pfn, count);
  pages.refcount.add(from.pfn, -count);
  return MIGRATEPAGE_SUCCESS;
}

/** The offsets under which a folio stands in its page cache. */
const cachedAt = (mapping: AddressSpace, folio: Folio): number[] =>
  Array.from({ length: 1 << folio.order }, (_, i) => folio.index + i).filter(
    (index) => mapping.pages.get(index) === folio.pfn,
  );

/** migrate.c:folio_migrate_flags: flags, kind, and the charge, which is moved and not tried against the limit. */
export function folio_migrate_flags(kernel: Kernel, to: Folio, from: Folio): void {
  const { flags } = kernel.pages;
  const old = flags.get(from.pfn);
  flags.set(to.pfn, (flags.get(to.pfn) | (old & CARRIED)) >>> 0);
  flags.set(from.pfn, (old & ~(PG_ACTIVE | PG_UNEVICTABLE | PG_SWAPCACHE)) >>> 0);
  if (!to.pgmap) setPageKind(kernel, to, folio_test_anon(from) ? PageKind.Anon : PageKind.File);
  mem_cgroup_migrate(kernel, from, to);
}

/** migrate.c:migrate_folio: mapping, contents, flags. */
export function migrate_folio(kernel: Kernel, to: Folio, from: Folio): number {
  const result = folio_migrate_mapping(kernel, to, from, 0);
  if (result !== MIGRATEPAGE_SUCCESS) return result;
  for (let i = 0; i < 1 << from.order; i++) copy_highpage(kernel, to.pfn + i, from.pfn + i);
  folio_migrate_flags(kernel, to, from);
  return MIGRATEPAGE_SUCCESS;
}

/* ---- migration entries ---- */

const isMovedFrom = (entry: Pte, pfn: number): boolean => is_migration_entry(entry) && pte_pfn(entry) === pfn;

/** Which kind of entry maps a folio: a present one, with a mark for MEMORY_DEVICE_PUBLIC; a swap entry for private memory. */
type Target = 'present' | 'public' | 'private';

const targetOf = (kernel: Kernel, folio: Folio): Target => {
  const type = folioType(kernel, folio);
  return type === 'PRIVATE' ? 'private' : type === 'PUBLIC' ? 'public' : 'present';
};

/** The entry that takes the place of a migration entry. */
function restored(vma: Vma, entry: Pte, pfn: number, target: Target): Pte {
  const bits = pteBits(entry);
  const isWritable = pteKind(entry) === PteKind.MigrationWrite;
  const kept = bits & (PTE_SOFT_DIRTY | PTE_UFFD_WP);
  if (target === 'private') return mkPte(isWritable ? PteKind.DeviceWrite : PteKind.DeviceRead, pfn, kept);
  const access = (isWritable ? PTE_WRITE : 0) | (target === 'public' ? PTE_DEVMAP : 0);
  const kind = (vma.flags & (VM_READ | VM_WRITE | VM_EXEC)) === 0 ? PteKind.ProtNone : PteKind.Present;
  return mkPte(kind, pfn, kept | access | (bits & (PTE_YOUNG | PTE_DIRTY)));
}

/**
 * migrate.c:remove_migration_ptes: every migration entry that stands for a page of `from` maps the same page of
 * `to`, which gets a mapping and a reference for each. With from === to the move is taken back. With `letsGo` lock
 * and reference of the migration go with it, unless nothing maps the page: says whether they did.
 */
export function remove_migration_ptes(kernel: Kernel, from: Folio, to: Folio, letsGo = false): boolean {
  const { store, pages } = kernel;
  const { mapping } = to;
  if (!mapping) return false;
  const target = targetOf(kernel, to);
  const isAnon = isAnonVma(mapping);
  const marksExclusive = isAnon && kernel.facts.anonExclusive;
  const count = 1 << to.order;
  let mapped = 0;
  for (const vma of mapping.vmas) {
    for (let i = 0; i < count; i++) {
      const vpn = vma_address(vma, to.index + i);
      if (vpn < 0) continue;
      const table = pteTableAt(vma.mm, vpn);
      if (!table) {
        const huge = hugePmdAt(vma.mm, vpn);
        if (huge && i === 0 && isMovedFrom(huge.entry, from.pfn)) restoreHuge(kernel, vma, vpn, huge, to, target);
        continue;
      }
      const slot = pte_index(vpn);
      const entry = table.entries[slot] as Pte;
      if (!isMovedFrom(entry, from.pfn + i)) continue;
      const pfn = to.pfn + i;
      store.setDense(table.entries, slot, restored(vma, entry, pfn, target));
      folio_add_rmap_pte(kernel, to, pfn);
      let word = pages.flags.get(pfn);
      if (marksExclusive && pteKind(entry) !== PteKind.MigrationRead) word |= PG_ANON_EXCLUSIVE;
      // The first reference of a mapping is the one that the migration lets go.
      if (letsGo && mapped++ === 0) {
        word &= ~PG_LOCKED;
        if (to.locked_by) setLockedBy(kernel, to, undefined);
      } else pages.refcount.add(to.pfn, 1);
      pages.flags.set(pfn, word >>> 0);
      mlock_vma_folio(kernel, to, vma);
    }
  }
  return mapped > 0;
}

/** huge_memory.c:remove_migration_pmd. */
function restoreHuge(kernel: Kernel, vma: Vma, vpn: number, huge: HugePmd, to: Folio, target: Target): void {
  const { store, pages } = kernel;
  store.mapSet(vma.mm.pmds, Math.floor(vpn / 512), { ...huge, entry: restored(vma, huge.entry, to.pfn, target) });
  folio_add_rmap_pmd(kernel, to);
  pages.refcount.add(to.pfn, 1);
  if (kernel.facts.anonExclusive && folio_test_anon(to) && pteKind(huge.entry) !== PteKind.MigrationRead)
    pages.flags.set(to.pfn, (pages.flags.get(to.pfn) | PG_ANON_EXCLUSIVE) >>> 0);
  mlock_vma_folio(kernel, to, vma);
}

/**
 * migrate.c:migration_entry_wait: sleeps until the page that moves is unlocked, or the entry is gone. What the
 * entry has become is for the caller to find out.
 */
export function* migration_entry_wait(kernel: Kernel, mm: Mm, vpn: number, pte: Pte): KernelGenerator<void> {
  const head = folioHead(kernel, pte_pfn(pte));
  const current = (): Pte => entryAt(mm, vpn);
  const ready = (): boolean => current() !== pte || !folio_test_locked(kernel, head);
  if (ready()) return;
  const lock = folioLockWait(kernel, head);
  yield* kernel.call(
    'migration_entry_wait',
    [hex(vpn * 4096)],
    (function* () {
      yield { kind: 'wait', on: { ...lock, what: `the migration of page ${hex(head)} to end`, ready } };
    })(),
    () => '',
  );
}
