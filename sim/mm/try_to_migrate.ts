/** mm/rmap.c:try_to_migrate (try_to_unmap with TTU_MIGRATION to 5.12): every mapping of a folio becomes a migration entry. */
import {
  is_device_private_entry,
  is_migration_entry,
  mkPte,
  PTE_DIRTY,
  PTE_SOFT_DIRTY,
  PTE_UFFD_WP,
  PTE_YOUNG,
  type Pte,
  PteKind,
  pte_dirty,
  pte_present,
  pte_write,
  pteBits,
  pteKind,
} from '../arch/pte.ts';
import type { Folio, Vma } from '../include/mm_types.ts';
import type { Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { folio_put } from './folio.ts';
import { clearFlag, PG_ANON_EXCLUSIVE, PG_DIRTY, setFlag, testFlag } from './folio_record.ts';
import { folioType } from './migrate.ts';
import { munlock_vma_folio } from './mlock_folio.ts';
import {
  MMU_NOTIFY_CLEAR,
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
  mmu_notifier_range,
} from './mmu_notifier.ts';
import { hugePmdAt, set_pte_at } from './pgtable.ts';
import {
  folio_mapcount,
  folio_maybe_dma_pinned,
  folio_remove_rmap_pmd,
  folio_remove_rmap_pte,
  folio_test_anon,
  type Mapping,
  mappingsOf,
} from './rmap.ts';

/** The condition of folio_try_share_anon_rmap_pte. */
export const maySharePage = (kernel: Kernel, folio: Folio): boolean =>
  !folio_maybe_dma_pinned(kernel, folio) || folioType(kernel, folio) === 'PRIVATE';

/** rmap.c:folio_try_share_anon_rmap_pte: the page loses its mark of being exclusive; not while it may be pinned for DMA. */
export function folio_try_share_anon_rmap(kernel: Kernel, folio: Folio, pfn: number): boolean {
  if (!maySharePage(kernel, folio)) return false;
  clearFlag(kernel, pfn, PG_ANON_EXCLUSIVE);
  return true;
}

/** The migration entry in place of `entry`; `wasExclusive` as the page was marked until now. */
export function migrationEntryOf(
  kernel: Kernel,
  entry: Pte,
  pfn: number,
  isWritable: boolean,
  wasExclusive: boolean,
): Pte {
  const kind = isWritable
    ? PteKind.MigrationWrite
    : wasExclusive
      ? PteKind.MigrationReadExclusive
      : PteKind.MigrationRead;
  const bits = pteBits(entry);
  let kept = bits & (PTE_SOFT_DIRTY | PTE_UFFD_WP);
  if (pte_present(entry) && kernel.facts.migrationEntryYoungDirty) kept |= bits & (PTE_YOUNG | PTE_DIRTY);
  return mkPte(kind, pfn, kept);
}

/** Which entries the walk takes: those of exclusive access only while they count as mappings (from 6.15). */
const isTaken = (kernel: Kernel, entry: Pte): boolean => {
  if (pte_present(entry) || is_device_private_entry(entry)) return true;
  const kind = pteKind(entry);
  const isExclusive = kind === PteKind.DeviceExclusiveRead || kind === PteKind.DeviceExclusiveWrite;
  return isExclusive && kernel.facts.makeDeviceExclusiveOnePage;
};

/** One entry; false if the page must not be shared, so that the walk ends. */
function* one(kernel: Kernel, folio: Folio, { vma, vpn, entry, huge }: Mapping, pfn: number): KernelGenerator<boolean> {
  const wasExclusive = kernel.facts.anonExclusive && folio_test_anon(folio) && testFlag(kernel, pfn, PG_ANON_EXCLUSIVE);
  if (wasExclusive && !folio_try_share_anon_rmap(kernel, folio, pfn)) return false;
  const isWritable = pte_present(entry) ? pte_write(entry) : pteKind(entry) === PteKind.DeviceWrite;
  const next = migrationEntryOf(kernel, entry, huge ? folio.pfn : pfn, isWritable, wasExclusive);
  if (pte_present(entry) && pte_dirty(entry)) setFlag(kernel, folio.pfn, PG_DIRTY);
  if (huge) unmapHuge(kernel, folio, vma, vpn, next);
  else {
    set_pte_at(kernel, vma.mm, vpn, next);
    folio_remove_rmap_pte(kernel, folio, pfn);
  }
  munlock_vma_folio(kernel, folio, vma);
  yield* folio_put(kernel, folio.pfn);
  return true;
}

/** huge_memory.c:set_pmd_migration_entry. */
export function unmapHuge(kernel: Kernel, folio: Folio, vma: Vma, vpn: number, entry: Pte): void {
  const huge = hugePmdAt(vma.mm, vpn);
  if (!huge) return;
  kernel.store.mapSet(vma.mm.pmds, Math.floor(vpn / 512), { ...huge, entry });
  folio_remove_rmap_pmd(kernel, folio);
}

/** What each page of the folio is mapped by; a huge entry once. */
function mappings(kernel: Kernel, folio: Folio): { mapping: Mapping; pfn: number }[] {
  const found: { mapping: Mapping; pfn: number }[] = [];
  for (let i = 0; i < 1 << folio.order; i++)
    for (const mapping of mappingsOf(kernel, folio, folio.pfn + i))
      if (isTaken(kernel, mapping.entry) && (!mapping.huge || i === 0)) found.push({ mapping, pfn: folio.pfn + i });
  return found;
}

/**
 * rmap.c:try_to_migrate. The caller holds a reference and the lock of the folio. Device memory other than private
 * and coherent is left alone, and so is what may be pinned; folio_mapcount tells.
 */
export function* try_to_migrate(kernel: Kernel, folio: Folio): KernelGenerator<void> {
  const type = folioType(kernel, folio);
  if (type !== undefined && type !== 'PRIVATE' && type !== 'COHERENT' && type !== 'PUBLIC') return;
  for (const { mapping, pfn } of mappings(kernel, folio)) {
    const { vma, vpn, huge } = mapping;
    const range = mmu_notifier_range(MMU_NOTIFY_CLEAR, vma.mm, vpn, vpn + (huge ? 512 : 1));
    yield* mmu_notifier_invalidate_range_start(kernel, range);
    // A callback may have slept, and the entry be another by now.
    const now = mappingsOf(kernel, folio, pfn).find((other) => other.vma === vma && !is_migration_entry(other.entry));
    const goesOn = !now || (yield* one(kernel, folio, now, pfn));
    yield* mmu_notifier_invalidate_range_end(kernel, range);
    if (!goesOn) return;
  }
}

export const folio_mapped = (kernel: Kernel, folio: Folio): boolean =>
  folio.order === 0 ? kernel.pages.mapcount.get(folio.pfn) !== 0xffffffff : folio_mapcount(kernel, folio) > 0;
