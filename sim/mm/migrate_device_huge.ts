/** mm/migrate_device.c: what a huge PMD in the range means: split to 6.18; from 6.19 taken whole where the driver can. */
import {
  is_device_private_entry,
  is_migration_entry,
  PteKind,
  pte_dirty,
  pte_pfn,
  pte_present,
  pte_write,
  pteKind,
} from '../arch/pte.ts';
import type { Folio, HugePmd, Vma } from '../include/mm_types.ts';
import { folio_trylock, folio_unlock } from '../kernel/locking.ts';
import type { Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { folio_get } from './folio.ts';
import { PG_ANON_EXCLUSIVE, PG_DIRTY, setFlag, testFlag } from './folio_record.ts';
import { split_folio, split_huge_pmd } from './huge_split.ts';
import { migration_entry_wait } from './migrate.ts';
import { putFolio } from './migrate_device_unmap.ts';
import { MIGRATE_PFN_COMPOUND, MIGRATE_PFN_MIGRATE, MIGRATE_PFN_WRITE, migrate_pfn } from './migrate_pfn.ts';
import { collectSkip, type MigrateVma, note, type Selection } from './migrate_vma.ts';
import { munlock_vma_folio } from './mlock_folio.ts';
import { ownsPage } from './pagemap_owner.ts';
import { folio_try_share_anon_rmap, migrationEntryOf, unmapHuge } from './try_to_migrate.ts';

const HPAGE_PMD_NR = 512;

/** Is all of the huge page asked for, by a driver that takes huge pages? */
const isWhole = (select: Selection, vpn: number, pages: number): boolean =>
  select.compound && vpn % HPAGE_PMD_NR === 0 && pages === HPAGE_PMD_NR;

/**
 * The huge PMD at `vpn`, of which `pages` are asked for. True: their entries are noted. False: it is a table of
 * small pages now, to be looked at.
 */
export function* collectHugePmd(
  kernel: Kernel,
  args: MigrateVma,
  vma: Vma,
  select: Selection,
  pmd: HugePmd,
  vpn: number,
  pages: number,
): KernelGenerator<boolean> {
  const { entry } = pmd;
  if (is_migration_entry(entry)) {
    yield* migration_entry_wait(kernel, vma.mm, vpn, entry);
    return false;
  }
  const pfn = pte_pfn(entry);
  const isDevice = is_device_private_entry(entry);
  if (!pte_present(entry) && !isDevice) return skip(args, pages);
  const folio = kernel.state.folios.get(pfn);
  // The huge page of zeros is nobody's.
  if (!folio) return yield* hugeZero(kernel, args, vma, select, vpn, pages);
  if (isDevice ? !(select.devicePrivate && ownsPage(kernel, pfn, select.owner)) : wantsNothing(kernel, select))
    return skip(args, pages);
  if (folio.pfn !== select.lockedByFault && !folio_trylock(kernel, folio.pfn)) return skip(args, pages);
  folio_get(kernel, folio.pfn);
  if (isWhole(select, vpn, pages) && collectWhole(kernel, args, vma, folio, pmd, vpn)) return true;
  const error = yield* split_folio(kernel, folio);
  if (folio.pfn !== select.lockedByFault) folio_unlock(kernel, folio.pfn);
  const told = putFolio(kernel, folio.pfn);
  if (told) yield* told;
  return error ? skip(args, pages) : false;
}

/** To 6.18 a huge page is split whoever is asked for; later only system memory is looked at, if it is asked for. */
const wantsNothing = (kernel: Kernel, select: Selection): boolean => kernel.facts.devicePrivateThp && !select.system;

function skip(args: MigrateVma, pages: number): true {
  collectSkip(args, pages);
  return true;
}

/** A hole, for a driver that takes huge pages; otherwise small pages of zeros. */
function* hugeZero(
  kernel: Kernel,
  args: MigrateVma,
  vma: Vma,
  select: Selection,
  vpn: number,
  pages: number,
): KernelGenerator<boolean> {
  if (kernel.facts.devicePrivateThp && !select.system) return skip(args, pages);
  if (isWhole(select, vpn, pages)) {
    collectHugeHole(args);
    return true;
  }
  yield* split_huge_pmd(kernel, vma, vpn);
  return false;
}

/** migrate_vma_collect_hole of 6.19 on: one entry for all, the others are noted in case it has to be done in small. */
export function collectHugeHole(args: MigrateVma): void {
  args.cpages++;
  note(args, MIGRATE_PFN_MIGRATE + MIGRATE_PFN_COMPOUND);
  collectSkip(args, HPAGE_PMD_NR - 1);
}

/** Is a hole of this size collected whole? */
export const isHugeHole = (select: Selection, vma: Vma, vpn: number, pages: number): boolean =>
  isWhole(select, vpn, pages) && vma.file === undefined;

/** The PMD becomes a migration entry. The reference taken is the one of the migration; that of the mapping is dropped. */
function collectWhole(
  kernel: Kernel,
  args: MigrateVma,
  vma: Vma,
  folio: Folio,
  { entry }: HugePmd,
  vpn: number,
): boolean {
  const wasExclusive = testFlag(kernel, folio.pfn, PG_ANON_EXCLUSIVE);
  if (wasExclusive && !folio_try_share_anon_rmap(kernel, folio, folio.pfn)) return false;
  const isWritable = pte_present(entry) ? pte_write(entry) : pteKind(entry) === PteKind.DeviceWrite;
  // set_pmd_migration_entry: what the entry knew goes with the folio.
  if (pte_present(entry) && pte_dirty(entry)) setFlag(kernel, folio.pfn, PG_DIRTY);
  unmapHuge(kernel, folio, vma, vpn, migrationEntryOf(kernel, entry, folio.pfn, isWritable, wasExclusive));
  munlock_vma_folio(kernel, folio, vma);
  folio_get(kernel, folio.pfn, -1);
  args.cpages++;
  const write = isWritable ? MIGRATE_PFN_WRITE : 0;
  note(args, migrate_pfn(folio.pfn) + write + MIGRATE_PFN_MIGRATE + MIGRATE_PFN_COMPOUND);
  collectSkip(args, HPAGE_PMD_NR - 1);
  return true;
}
