/** mm/migrate_device.c: migrate_vma_pages: the new pages get the identity of the old ones; for entries without a page they are inserted. */
import {
  mkPte,
  PTE_DEVMAP,
  PTE_DIRTY,
  PTE_WRITE,
  PteKind,
  pte_index,
  pte_none,
  pte_present,
  pte_special,
} from '../arch/pte.ts';
import { type Folio, MM_ANONPAGES, VM_UFFD_MISSING, VM_WRITE, type Vma } from '../include/mm_types.ts';
import { PageKind } from '../include/types.ts';
import type { Kernel } from '../machine/kernel.ts';
import { DONE, type KernelGenerator } from '../task/task.ts';
import { folio_get, setPageKind } from './folio.ts';
import { newFolio, PG_UPTODATE, setFlag } from './folio_record.ts';
import { split_huge_pmd } from './huge_split.ts';
import { mem_cgroup_charge } from './memcontrol.ts';
import {
  deviceType,
  folio_mapping,
  folio_migrate_flags,
  folio_migrate_mapping,
  folioType,
  MIGRATEPAGE_SUCCESS,
} from './migrate.ts';
import { insertHuge, isCompound, splitHole, splitSource } from './migrate_device_compound.ts';
import { isZoneDevice } from './migrate_device_unmap.ts';
import { hasBit, MIGRATE_PFN_MIGRATE, migratePfnOf, withoutBit } from './migrate_pfn.ts';
import { faultPageOf, type MigrateVma, migrateRange } from './migrate_vma.ts';
import {
  type MmuNotifierRange,
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
} from './mmu_notifier.ts';
import { hugePmdAt, pte_alloc } from './pgtable.ts';
import { anon_vma_prepare, folio_add_new_anon_rmap, folio_test_anon } from './rmap.ts';
import { folio_add_lru_vma } from './swap.ts';
import { folio_free_swap } from './swap_state.ts';
import { folioOfDevice } from './zone_device_page.ts';

/** The record of a page that a driver offers as a destination, however it was allocated. */
export function folioOfDestination(kernel: Kernel, pfn: number): Folio {
  return (
    kernel.state.folios.get(pfn) ?? (isZoneDevice(kernel, pfn) ? folioOfDevice(kernel, pfn) : newFolio(kernel, pfn))
  );
}

/** Can a folio go to device memory? Only anonymous ones that are not in the swap cache; from 6.6 those that can leave it. */
function mayGoToDevice(kernel: Kernel, folio: Folio): boolean {
  if (!folio_mapping(kernel, folio)) return true;
  return kernel.facts.migrateFreesSwapCache && folio_test_anon(folio) && folio_free_swap(kernel, folio);
}

/** __migrate_device_pages for one entry with a page: MIGRATE stays in src if it worked. */
function moveOne(kernel: Kernel, from: Folio, toPfn: number, faultPage: number | undefined): boolean {
  const known = kernel.state.folios.get(toPfn);
  const type = known ? folioType(kernel, known) : deviceType(kernel, toPfn);
  if (type === 'PRIVATE' || type === 'COHERENT') {
    if (!mayGoToDevice(kernel, from)) return false;
  } else if (type !== undefined && type !== 'PUBLIC') return false;
  const to = known ?? folioOfDestination(kernel, toPfn);
  const extra = from.pfn === faultPage ? 1 : 0;
  if (folio_migrate_mapping(kernel, to, from, extra) !== MIGRATEPAGE_SUCCESS) return false;
  folio_migrate_flags(kernel, to, from);
  return true;
}

/** migrate_vma_insert_page: an anonymous page where none, or the page of zeros, is mapped. False: something is in the way, or lacking. */
function migrate_vma_insert_page(kernel: Kernel, vma: Vma, vpn: number, toPfn: number): boolean {
  // What is missing there is a handler's business.
  if ((vma.flags & VM_UFFD_MISSING) !== 0) return false;
  if (vma.file) return false;
  const { mm } = vma;
  const table = pte_alloc(kernel, mm, vpn);
  if (!table) return false;
  anon_vma_prepare(kernel, vma);
  const type = deviceType(kernel, toPfn);
  const folio = folioOfDestination(kernel, toPfn);
  if (!mem_cgroup_charge(kernel, folio, mm)) return false;
  setFlag(kernel, toPfn, PG_UPTODATE);
  if (type !== undefined && type !== 'PRIVATE' && type !== 'PUBLIC' && type !== 'COHERENT') {
    kernel.pr_warn('Unsupported ZONE_DEVICE page type.');
    return false;
  }
  const old = table.entries[pte_index(vpn)] ?? 0;
  if (pte_present(old) ? !pte_special(old) : !pte_none(old)) return false;
  if (mm.mm_users === 0) return false;
  kernel.store.add(mm.rss, MM_ANONPAGES, 1);
  folio_add_new_anon_rmap(kernel, folio, vma, vpn);
  if (type === undefined) {
    setPageKind(kernel, folio, PageKind.Anon);
    folio_add_lru_vma(kernel, toPfn, vma);
  }
  folio_get(kernel, toPfn);
  const isWritable = (vma.flags & VM_WRITE) !== 0;
  const present = (isWritable ? PTE_WRITE | PTE_DIRTY : 0) | (type === 'PUBLIC' ? PTE_DEVMAP : 0);
  kernel.store.setDense(
    table.entries,
    pte_index(vpn),
    type === 'PRIVATE'
      ? mkPte(isWritable ? PteKind.DeviceWrite : PteKind.DeviceRead, toPfn)
      : mkPte(PteKind.Present, toPfn, present),
  );
  return true;
}

/** __migrate_device_pages: for all entries; `args` is absent where there is no VMA, and nothing is inserted. */
export function __migrate_device_pages(
  kernel: Kernel,
  src: number[],
  dst: readonly number[],
  npages: number,
  args: MigrateVma | undefined,
): KernelGenerator<void> {
  const first = moveAll(kernel, src, dst, npages, args, 0);
  return first < npages ? moveOthers(kernel, src, dst, npages, args, first) : DONE;
}

/** Entries from `from` on, up to the first for which a page is inserted, or split: its index. */
function moveAll(
  kernel: Kernel,
  src: number[],
  dst: readonly number[],
  npages: number,
  args: MigrateVma | undefined,
  from: number,
): number {
  const takesHuge = kernel.facts.devicePrivateThp;
  for (let i = from; i < npages; i++) {
    const entry = src[i] ?? 0;
    const toEntry = dst[i] ?? 0;
    const toPfn = migratePfnOf(toEntry);
    const fromPfn = migratePfnOf(entry);
    const mayMove = toPfn >= 0 && hasBit(entry, MIGRATE_PFN_MIGRATE);
    if (mayMove && (fromPfn < 0 || (takesHuge && isCompound(entry) && !isCompound(toEntry)))) return i;
    const folio = mayMove ? kernel.state.folios.get(fromPfn) : undefined;
    const fits = !takesHuge || isCompound(entry) === isCompound(toEntry);
    if (!folio || !fits || !moveOne(kernel, folio, toPfn, faultPageOf(kernel, args)))
      src[i] = withoutBit(entry, MIGRATE_PFN_MIGRATE);
  }
  return npages;
}

/** The rest of the entries from `first` on, one that needs a page inserted or split: others hear of it. */
function* moveOthers(
  kernel: Kernel,
  src: number[],
  dst: readonly number[],
  npages: number,
  args: MigrateVma | undefined,
  first: number,
): KernelGenerator<void> {
  let notified: MmuNotifierRange | undefined;
  const takesHuge = kernel.facts.devicePrivateThp;
  for (let i = first; i < npages; i = moveAll(kernel, src, dst, npages, args, i + 1)) {
    const toEntry = dst[i] ?? 0;
    const toPfn = migratePfnOf(toEntry);
    const entry = src[i] ?? 0;
    const fromPfn = migratePfnOf(entry);
    if (fromPfn >= 0) {
      const folio = kernel.state.folios.get(fromPfn);
      const isSplit = folio !== undefined && (yield* splitSource(kernel, args, src, i, folio));
      if (!isSplit || !moveOne(kernel, folio, toPfn, faultPageOf(kernel, args)))
        src[i] = withoutBit(src[i] ?? 0, MIGRATE_PFN_MIGRATE);
      continue;
    }
    const vma = args?.vma;
    if (!args || !vma) continue;
    if (!notified) {
      notified = migrateRange(kernel, args, vma, args.start + i);
      yield* mmu_notifier_invalidate_range_start(kernel, notified);
    }
    const isHuge = takesHuge && isCompound(entry) && isCompound(toEntry);
    if (takesHuge && isCompound(entry) && !isHuge) splitHole(src, i, npages);
    const isInserted = isHuge
      ? insertHuge(kernel, vma, args.start + i, folioOfDestination(kernel, toPfn))
      : yield* insertSmall(kernel, vma, args.start + i, toPfn);
    if (!isInserted) src[i] = withoutBit(src[i] ?? 0, MIGRATE_PFN_MIGRATE);
  }
  if (notified) yield* mmu_notifier_invalidate_range_end(kernel, notified);
}

/** A small page; where the huge page of zeros is mapped it is split first. */
function* insertSmall(kernel: Kernel, vma: Vma, vpn: number, toPfn: number): KernelGenerator<boolean> {
  const huge = hugePmdAt(vma.mm, vpn);
  if (huge && kernel.facts.devicePrivateThp && pte_special(huge.entry)) yield* split_huge_pmd(kernel, vma, vpn);
  return migrate_vma_insert_page(kernel, vma, vpn, toPfn);
}
