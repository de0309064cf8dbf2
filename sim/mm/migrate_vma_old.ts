/** mm/migrate.c:migrate_vma of 4.14 to 5.3: one call does it all, and calls its driver twice in between. */
import type { Vma } from '../include/mm_types.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { badRange } from './migrate_device.ts';
import { migrate_vma_collect } from './migrate_device_collect.ts';
import { __migrate_device_finalize } from './migrate_device_finalize.ts';
import { __migrate_device_pages } from './migrate_device_pages.ts';
import { migrate_device_prepare, migrate_device_unmap } from './migrate_device_unmap.ts';
import type { MigrateVma } from './migrate_vma.ts';

const EINVAL = -22;

/** struct migrate_vma_ops: start and end are page numbers here, `end` not included. */
export interface MigrateVmaOps {
  /** Allocates destinations for what it wants to move, copies, and fills dst. */
  alloc_and_copy(kernel: Kernel, args: MigrateVma): KernelGenerator<void>;
  /** Learns from src what moved. */
  finalize_and_map(kernel: Kernel, args: MigrateVma): KernelGenerator<void>;
}

/**
 * migrate_vma: -EINVAL for no VMA, a hugetlb or special one, or a range that is empty or leaves it; 0 otherwise,
 * even if nothing moved. The callbacks are not called where nothing can move.
 */
export function* migrate_vma(
  kernel: Kernel,
  ops: MigrateVmaOps,
  vma: Vma | undefined,
  start: number,
  end: number,
  src: number[],
  dst: number[],
): KernelGenerator<number> {
  const args: MigrateVma = {
    vma,
    start,
    end,
    src,
    dst,
    cpages: 0,
    npages: 0,
    pgmap_owner: undefined,
    flags: 0,
    fault_page: undefined,
  };
  return yield* kernel.call('migrate_vma', [`${hex(start * 4096)}-${hex(end * 4096)}`], all(kernel, ops, args), String);
}

function* all(kernel: Kernel, ops: MigrateVmaOps, args: MigrateVma): KernelGenerator<number> {
  const { vma, src, dst } = args;
  if (!vma || badRange(args)) return EINVAL;
  yield* migrate_vma_collect(kernel, args, vma);
  if (args.cpages === 0) return 0;
  yield* migrate_device_prepare(kernel, args);
  if (args.cpages === 0) return 0;
  args.cpages = yield* migrate_device_unmap(kernel, src, args.npages, undefined, true);
  if (args.cpages === 0) return 0;
  yield* kernel.call('alloc_and_copy', [], ops.alloc_and_copy(kernel, args), () => '');
  yield* __migrate_device_pages(kernel, src, dst, args.npages, args);
  yield* kernel.call('finalize_and_map', [], ops.finalize_and_map(kernel, args), () => '');
  yield* __migrate_device_finalize(kernel, src, dst, args.npages, undefined);
  return 0;
}
