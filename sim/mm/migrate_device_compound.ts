/** mm/migrate_device.c (6.19 on): huge pages that move whole, or are taken apart on the way. */
import { mkPte, PTE_DIRTY, PTE_WRITE, PteKind, pte_special } from '../arch/pte.ts';
import { type Folio, MM_ANONPAGES, VM_WRITE, type Vma } from '../include/mm_types.ts';
import { PageKind } from '../include/types.ts';
import type { Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { folio_get, setPageKind } from './folio.ts';
import { PG_UPTODATE, setFlag } from './folio_record.ts';
import { split_unmapped_folio } from './huge_split.ts';
import { mem_cgroup_charge } from './memcontrol.ts';
import { folioType } from './migrate.ts';
import {
  hasBit,
  MIGRATE_PFN_COMPOUND,
  MIGRATE_PFN_MIGRATE,
  migrate_pfn,
  migratePfnOf,
  withoutBit,
} from './migrate_pfn.ts';
import type { MigrateVma } from './migrate_vma.ts';
import { hugePmdAt, pmdAt, pte_alloc_one, set_pmd_at } from './pgtable.ts';
import { anon_vma_prepare, folio_add_new_anon_rmap } from './rmap.ts';
import { folio_add_lru } from './swap.ts';

export const HPAGE_PMD_NR = 512;

export const isCompound = (entry: number): boolean => hasBit(entry, MIGRATE_PFN_COMPOUND);

/** migrate_vma_insert_huge_pmd_page: a huge page where nothing, or the huge page of zeros, is mapped. */
export function insertHuge(kernel: Kernel, vma: Vma, vpn: number, folio: Folio): boolean {
  if (vma.file || vpn % HPAGE_PMD_NR !== 0 || folio.order !== 9) return false;
  const { mm } = vma;
  anon_vma_prepare(kernel, vma);
  if (!mem_cgroup_charge(kernel, folio, mm)) return false;
  setFlag(kernel, folio.pfn, PG_UPTODATE);
  const old = hugePmdAt(mm, vpn);
  if (old ? !pte_special(old.entry) : pmdAt(mm, vpn) !== undefined) return false;
  const deposited = old?.deposited ?? pte_alloc_one(kernel, mm);
  if (!deposited || mm.mm_users === 0) return false;
  const isWritable = (vma.flags & VM_WRITE) !== 0;
  const isPrivate = folioType(kernel, folio) === 'PRIVATE';
  const kind = isPrivate ? (isWritable ? PteKind.DeviceWrite : PteKind.DeviceRead) : PteKind.Present;
  const bits = isPrivate || !isWritable ? 0 : PTE_WRITE | PTE_DIRTY;
  if (!set_pmd_at(kernel, mm, vpn, { kind: 'huge', entry: mkPte(kind, folio.pfn, bits), deposited })) return false;
  kernel.store.set(mm.rss, MM_ANONPAGES, mm.rss[MM_ANONPAGES] + HPAGE_PMD_NR);
  folio_add_new_anon_rmap(kernel, folio, vma, vpn);
  if (!folio.pgmap) {
    setPageKind(kernel, folio, PageKind.Anon);
    folio_add_lru(kernel, folio.pfn);
  }
  folio_get(kernel, folio.pfn);
  return true;
}

/** The driver gives small pages for a hole of 2 MiB: each entry may migrate on its own. */
export function splitHole(src: number[], at: number, npages: number): void {
  for (let i = at; i < Math.min(at + HPAGE_PMD_NR, npages); i++) src[i] = MIGRATE_PFN_MIGRATE;
}

/**
 * A huge source for which there are small destinations is split, and all its entries are filled. False: it does not
 * move.
 */
export function* splitSource(
  kernel: Kernel,
  args: MigrateVma | undefined,
  src: number[],
  at: number,
  folio: Folio,
): KernelGenerator<boolean> {
  const entry = src[at] ?? 0;
  if (!args?.vma || (yield* split_unmapped_folio(kernel, folio, args.vma, args.start + at)) !== 0) {
    src[at] = withoutBit(withoutBit(entry, MIGRATE_PFN_COMPOUND), MIGRATE_PFN_MIGRATE);
    return false;
  }
  const first = withoutBit(entry, MIGRATE_PFN_COMPOUND);
  src[at] = first;
  const bits = first - migrate_pfn(migratePfnOf(first));
  for (let i = 1; i < HPAGE_PMD_NR; i++) src[at + i] = migrate_pfn(folio.pfn + i) + bits;
  return true;
}
