/** mm/mmu_notifier.c: who is told before and after the page table of a process changes. */
import type { Mm } from '../include/mm_types.ts';
import type { Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';

/** enum mmu_notifier_event. */
export const MMU_NOTIFY_UNMAP = 0;
export const MMU_NOTIFY_CLEAR = 1;
export const MMU_NOTIFY_PROTECTION_VMA = 2;
export const MMU_NOTIFY_PROTECTION_PAGE = 3;
export const MMU_NOTIFY_SOFT_DIRTY = 4;
export const MMU_NOTIFY_RELEASE = 5;
export const MMU_NOTIFY_MIGRATE = 6;
export const MMU_NOTIFY_EXCLUSIVE = 7;

/** struct mmu_notifier_range; start and end are page numbers, end not included. */
export interface MmuNotifierRange {
  readonly mm: Mm;
  readonly start: number;
  readonly end: number;
  readonly event: number;
  /** MMU_NOTIFIER_RANGE_BLOCKABLE. */
  readonly blockable: boolean;
  /** Who causes a MIGRATE or EXCLUSIVE event: the owner of the device's pagemap, by identity. */
  readonly owner: unknown;
}

export const mmu_notifier_range = (
  event: number,
  mm: Mm,
  start: number,
  end: number,
  owner: unknown = undefined,
  blockable = true,
): MmuNotifierRange => ({ mm, start, end, event, blockable, owner });

/** Tells everyone that the range is about to change. -EAGAIN if someone would have to sleep and may not. */
export function* mmu_notifier_invalidate_range_start(
  _kernel: Kernel,
  range: MmuNotifierRange,
): KernelGenerator<number> {
  if (!range.mm.notifier_subscriptions) return 0;
  return 0;
}

/** Tells everyone that the range has changed. */
export function* mmu_notifier_invalidate_range_end(_kernel: Kernel, range: MmuNotifierRange): KernelGenerator<void> {
  if (!range.mm.notifier_subscriptions) return;
}

/** mmu_notifier.c:__mmu_notifier_release: the address space goes away. */
export function* mmu_notifier_release(_kernel: Kernel, mm: Mm): KernelGenerator<void> {
  if (!mm.notifier_subscriptions) return;
}
