/**
 * mm/migrate_device.c (mm/migrate.c to 5.17): the three steps by which a driver moves pages of a process to its
 * memory and back, and the same without a VMA.
 */
import { type Folio, VM_HUGETLB, VM_SPECIAL } from '../include/mm_types.ts';
import { PageKind } from '../include/types.ts';
import { folio_lock, folio_test_locked, folio_trylock } from '../kernel/locking.ts';
import { hex, type Kernel, type TracedCall } from '../machine/kernel.ts';
import { runsOf } from '../store/column.ts';
import { after, finished, isFinished, type KernelGenerator } from '../task/task.ts';
import { copy_highpage } from './contents.ts';
import { alloc_folio, folioHead } from './folio.ts';
import { deviceType } from './migrate.ts';
import { migrate_vma_collect } from './migrate_device_collect.ts';
import { __migrate_device_finalize } from './migrate_device_finalize.ts';
import { __migrate_device_pages } from './migrate_device_pages.ts';
import { migrate_device_prepare, migrate_device_unmap } from './migrate_device_unmap.ts';
import { hasBit, MIGRATE_PFN_COMPOUND, MIGRATE_PFN_MIGRATE, migrate_pfn } from './migrate_pfn.ts';
import { faultPageOf, type MigrateVma } from './migrate_vma.ts';

export {
  MIGRATE_PFN_COMPOUND,
  MIGRATE_PFN_DEVICE,
  MIGRATE_PFN_ERROR,
  MIGRATE_PFN_LOCKED,
  MIGRATE_PFN_MIGRATE,
  MIGRATE_PFN_VALID,
  MIGRATE_PFN_WRITE,
  MIGRATE_VMA_SELECT_COMPOUND,
  MIGRATE_VMA_SELECT_DEVICE_COHERENT,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  MIGRATE_VMA_SELECT_SYSTEM,
} from './migrate_pfn.ts';
export type { MigrateVma } from './migrate_vma.ts';

const EINVAL = -22;
const EBUSY = -16;

const rangeOf = ({ start, end }: MigrateVma): string => `${hex(start * 4096)}-${hex(end * 4096)}`;

/* ---- a range of one VMA ---- */

/** The checks of the range that migrate_vma and migrate_vma_setup have in common. */
export function badRange({ vma, start, end }: Pick<MigrateVma, 'vma' | 'start' | 'end'>): boolean {
  if (!vma || (vma.flags & (VM_HUGETLB | VM_SPECIAL)) !== 0 || vma.file?.kind === 'hugetlb') return true;
  return !(end > start) || start < vma.start || start >= vma.end || end > vma.end;
}

/**
 * migrate_vma_setup: collects and unmaps. 0, even if nothing can move: cpages tells. -EINVAL for no VMA, one that
 * is hugetlb or special, an empty range or one that leaves the VMA, or a fault page that is not private (from 6.15:
 * or not locked).
 */
export const migrate_vma_setup = (kernel: Kernel, args: MigrateVma): KernelGenerator<number> =>
  kernel.run(MIGRATE_VMA_SETUP, args);

const MIGRATE_VMA_SETUP: TracedCall<MigrateVma, number> = {
  name: 'migrate_vma_setup',
  args: (args) => [rangeOf(args)],
  body: setup,
  print: (error, { cpages }) => (error ? String(error) : `0, cpages ${cpages}`),
};

function setup(kernel: Kernel, args: MigrateVma): KernelGenerator<number> {
  const { vma } = args;
  const fault_page = faultPageOf(kernel, args);
  if (!vma || badRange(args)) return finished(EINVAL);
  if (fault_page !== undefined) {
    if (deviceType(kernel, fault_page) !== 'PRIVATE') return finished(EINVAL);
    const isLocked = folio_test_locked(kernel, folioHead(kernel, fault_page));
    if (kernel.facts.migrateToRamUnderPageLock && !isLocked) return finished(EINVAL);
  }
  args.cpages = 0;
  args.npages = 0;
  const collected = migrate_vma_collect(kernel, args, vma);
  return isFinished(collected) && !kernel.facts.migratePfnLocked
    ? unmap(kernel, args, fault_page, false)
    : prepareAndUnmap(kernel, args, fault_page, collected);
}

function* prepareAndUnmap(
  kernel: Kernel,
  args: MigrateVma,
  fault_page: number | undefined,
  collected: KernelGenerator<void>,
): KernelGenerator<number> {
  yield* collected;
  const isPrepared = kernel.facts.migratePfnLocked;
  if (args.cpages > 0 && isPrepared) yield* migrate_device_prepare(kernel, args);
  return yield* unmap(kernel, args, fault_page, isPrepared);
}

function unmap(
  kernel: Kernel,
  args: MigrateVma,
  fault_page: number | undefined,
  isPrepared: boolean,
): KernelGenerator<number> {
  if (args.cpages === 0) return finished(0);
  return after(migrate_device_unmap(kernel, args.src, args.npages, fault_page, isPrepared), noteUnmapped, kernel, args);
}

function noteUnmapped(_kernel: Kernel, args: MigrateVma, unmapped: number): KernelGenerator<number> {
  args.cpages = unmapped;
  return finished(0);
}

/** migrate_vma_pages: MIGRATE stays in src where the new page counts now. */
export const migrate_vma_pages = (kernel: Kernel, args: MigrateVma): KernelGenerator<void> =>
  kernel.run(MIGRATE_VMA_PAGES, args);

const MIGRATE_VMA_PAGES: TracedCall<MigrateVma, void> = {
  name: 'migrate_vma_pages',
  args: (args) => [rangeOf(args)],
  body: (kernel, args) => __migrate_device_pages(kernel, args.src, args.dst, args.npages, args),
  print: () => '',
};

/** migrate_vma_finalize: everything is mapped, unlocked and let go. */
export const migrate_vma_finalize = (kernel: Kernel, args: MigrateVma): KernelGenerator<void> =>
  kernel.run(MIGRATE_VMA_FINALIZE, args);

const MIGRATE_VMA_FINALIZE: TracedCall<MigrateVma, void> = {
  name: 'migrate_vma_finalize',
  args: (args) => [rangeOf(args)],
  body: (kernel, args) => __migrate_device_finalize(kernel, args.src, args.dst, args.npages, faultPageOf(kernel, args)),
  print: () => '',
};

/* ---- device pages by page frame (6.1 on) ---- */

/** migrate_device_pfn_lock: 0 for a page that is free, or locked by someone else. */
function lockPfn(kernel: Kernel, pfn: number): number {
  const { refcount } = kernel.pages;
  const folio = kernel.state.folios.get(pfn);
  // folio_get_nontail_page.
  if (!folio || refcount.get(pfn) === 0 || !folio_trylock(kernel, pfn)) return 0;
  refcount.add(pfn, 1);
  return migrate_pfn(pfn) + MIGRATE_PFN_MIGRATE + (folio.order > 0 ? MIGRATE_PFN_COMPOUND : 0);
}

const orderAt = (kernel: Kernel, pfn: number): number => kernel.state.folios.get(pfn)?.order ?? 0;

/** Locks what is in use in the range; of a large folio the head. Most of a device is free: that is passed as a whole. */
function* lockRange(kernel: Kernel, src: number[], start: number, npages: number): KernelGenerator<number> {
  src.fill(0, 0, npages);
  let next = start;
  for (const run of runsOf(kernel.pages.refcount, start, start + npages)) {
    if (run.value === 0) continue;
    for (let pfn = Math.max(run.start, next); pfn < run.end; pfn = next) {
      const entry = lockPfn(kernel, pfn);
      next = pfn + (entry === 0 ? 1 : 1 << orderAt(kernel, pfn));
      if (entry === 0) continue;
      while (src.length < pfn - start) src.push(0);
      src[pfn - start] = entry;
    }
  }
  yield* migrate_device_unmap(kernel, src, Math.min(npages, src.length), undefined, false);
  return 0;
}

/**
 * migrate_device_range: npages page frames from `start`; 0. An empty array comes back only as long as what is in it:
 * behind its end nothing was collected.
 */
export function* migrate_device_range(
  kernel: Kernel,
  src: number[],
  start: number,
  npages: number,
): KernelGenerator<number> {
  const body = lockRange(kernel, src, start, npages);
  return yield* kernel.call('migrate_device_range', [hex(start), String(npages)], body, String);
}

/** Locks the frames that src names; of a large folio the head, and the rest is skipped. */
function* lockPfns(kernel: Kernel, src: number[], npages: number): KernelGenerator<number> {
  for (let i = 0; i < npages; i++) {
    const pfn = src[i] ?? 0;
    src[i] = lockPfn(kernel, pfn);
    const order = src[i] === 0 ? 0 : orderAt(kernel, pfn);
    for (let left = (1 << order) - 1; left > 0 && i + 1 < npages; left--) src[++i] = 0;
  }
  yield* migrate_device_unmap(kernel, src, npages, undefined, false);
  return 0;
}

/** migrate_device_pfns (6.15 on): page frames that need not be neighbours, named by src itself; 0. */
export function* migrate_device_pfns(kernel: Kernel, src: number[], npages: number): KernelGenerator<number> {
  const body = lockPfns(kernel, src, npages);
  return yield* kernel.call('migrate_device_pfns', [String(npages)], body, String);
}

export function* migrate_device_pages(
  kernel: Kernel,
  src: number[],
  dst: number[],
  npages: number,
): KernelGenerator<void> {
  const body = () => __migrate_device_pages(kernel, src, dst, Math.min(npages, src.length), undefined);
  yield* kernel.call('migrate_device_pages', [String(npages)], body, () => '');
}

export function* migrate_device_finalize(
  kernel: Kernel,
  src: readonly number[],
  dst: readonly number[],
  npages: number,
): KernelGenerator<void> {
  const body = () => __migrate_device_finalize(kernel, src, dst, Math.min(npages, src.length), undefined);
  yield* kernel.call('migrate_device_finalize', [String(npages)], body, () => '');
}

/**
 * migrate_device_coherent_folio (migrate_device_coherent_page from 6.0): moves one coherent page to system memory
 * for a long-term pin; the caller's reference goes with it. 0, or -EBUSY if it cannot move.
 */
export function* migrate_device_coherent_folio(kernel: Kernel, folio: Folio): KernelGenerator<number> {
  return yield* kernel.call('migrate_device_coherent_folio', [hex(folio.pfn)], moveHome(kernel, folio), String);
}

function* moveHome(kernel: Kernel, folio: Folio): KernelGenerator<number> {
  yield* folio_lock(kernel, folio.pfn);
  const src = [migrate_pfn(folio.pfn) + MIGRATE_PFN_MIGRATE];
  const dst = [0];
  // The reference of the caller is the one of the migration.
  yield* migrate_device_unmap(kernel, src, 1, undefined, false);
  if (!hasBit(src[0] ?? 0, MIGRATE_PFN_MIGRATE)) return EBUSY;
  const to = alloc_folio(kernel, 0, PageKind.Anon);
  if (to) {
    folio_trylock(kernel, to.pfn);
    dst[0] = migrate_pfn(to.pfn);
  }
  yield* __migrate_device_pages(kernel, src, dst, 1, undefined);
  const isMoved = hasBit(src[0] ?? 0, MIGRATE_PFN_MIGRATE);
  if (isMoved && to) copy_highpage(kernel, to.pfn, folio.pfn);
  yield* __migrate_device_finalize(kernel, src, dst, 1, undefined);
  return isMoved ? 0 : EBUSY;
}
