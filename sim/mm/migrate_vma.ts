/** include/linux/migrate.h: struct migrate_vma, the arguments of one migration, and what collecting notes in it. */
import type { Vma } from '../include/mm_types.ts';
import type { Kernel } from '../machine/kernel.ts';
import { folioHead } from './folio.ts';
import { MMU_NOTIFY_CLEAR, MMU_NOTIFY_MIGRATE, mmu_notifier_range } from './mmu_notifier.ts';

/** struct migrate_vma. It lives as long as the call that migrates; src and dst are arrays of numbers (migrate_pfn.ts). */
export interface MigrateVma {
  readonly vma: Vma | undefined;
  /** Page numbers; `end` is not included. */
  start: number;
  end: number;
  readonly src: number[];
  readonly dst: number[];
  cpages: number;
  npages: number;
  /** pgmap_owner (src_owner in 5.7 and 5.8): whose device pages are collected, and who is told to notifiers. */
  readonly pgmap_owner: unknown;
  /** MIGRATE_VMA_SELECT_*, from 5.9. */
  readonly flags: number;
  /** The device page whose CPU fault is being served, from 6.1. */
  readonly fault_page: number | undefined;
}

/** What one release collects of what it was asked for. */
export interface Selection {
  readonly system: boolean;
  readonly devicePrivate: boolean;
  readonly coherent: boolean;
  readonly checksOwner: boolean;
  readonly owner: unknown;
  /** A hole of a file's VMA counts as a page that may migrate, to 5.8. */
  readonly fileHoles: boolean;
  readonly compound: boolean;
  /** The page that the fault path has locked already, from 6.15. */
  readonly lockedByFault: number | undefined;
}

/** Notes what was found at one address. */
export function note(args: MigrateVma, entry: number): void {
  args.src[args.npages] = entry;
  args.dst[args.npages] = 0;
  args.npages++;
}

/** migrate_vma_collect_skip. */
export function collectSkip(args: MigrateVma, pages: number): void {
  for (let i = 0; i < pages; i++) note(args, 0);
}

/** The event and owner of the invalidation that a migration sends, by release. */
export const migrateRange = (kernel: Kernel, args: MigrateVma, vma: Vma, start: number) =>
  mmu_notifier_range(
    kernel.facts.notifyMigrate ? MMU_NOTIFY_MIGRATE : MMU_NOTIFY_CLEAR,
    vma.mm,
    start,
    args.end,
    kernel.facts.notifyMigrate ? args.pgmap_owner : undefined,
  );

/** The head of the page whose fault is served, where the release knows of it. */
export const faultPageOf = (kernel: Kernel, args: MigrateVma | undefined): number | undefined =>
  kernel.facts.migrateFaultPage && args?.fault_page !== undefined ? folioHead(kernel, args.fault_page) : undefined;
