/**
 * What mm/mmu_notifier.c hangs on an mm (struct mmu_notifier_subscriptions; mmu_notifier_mm before 5.6):
 * the list of notifiers, the interval tree with its sequence number, and who is between start and end.
 */
import type { CStruct } from '../c/value.ts';
import type { Mm, TaskRef } from '../include/mm_types.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import { removeItem, removeTouched } from '../store/remove.ts';
import type { KernelGenerator, WaitObject } from '../task/task.ts';

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

/** mmu_interval_notifier_ops. */
export interface IntervalOps {
  /** False: it would have to sleep and may not. `cur_seq` is for mmu_interval_set_seq. */
  invalidate(kernel: Kernel, sub: IntervalSub, range: MmuNotifierRange, cur_seq: number): KernelGenerator<boolean>;
  /** Would it not have to sleep, as things stand? */
  mayInvalidateNow?(sub: IntervalSub): boolean;
  /** The same at once, where it may and nobody looks. */
  invalidateNow?(kernel: Kernel, sub: IntervalSub, range: MmuNotifierRange, cur_seq: number): void;
}

/** struct mmu_interval_notifier. */
export interface IntervalSub {
  readonly mm: Mm;
  /** Page numbers; the end is not included. */
  readonly start: number;
  readonly end: number;
  /** Of a driver in C the field of its struct counts: see seqOf. */
  invalidate_seq: number;
  readonly ops: IntervalOps;
  /** False while it waits on the deferred list to be inserted (RB_EMPTY_NODE). */
  in_tree: boolean;
  /** The struct of a driver in C. */
  readonly c: CStruct | undefined;
}

/** mmu_notifier_ops. */
export interface ListNotifierOps {
  release?(kernel: Kernel, sub: ListNotifier, mm: Mm): KernelGenerator<void>;
  /** 0, or -EAGAIN if it would have to sleep and may not. */
  invalidate_range_start?(kernel: Kernel, sub: ListNotifier, range: MmuNotifierRange): KernelGenerator<number>;
  invalidate_range_end?(kernel: Kernel, sub: ListNotifier, range: MmuNotifierRange): KernelGenerator<void>;
  /** From 5.4, for mmu_notifier_get: a notifier, or an errno. */
  alloc_notifier?(kernel: Kernel, mm: Mm): ListNotifier | number;
  free_notifier?(kernel: Kernel, sub: ListNotifier): void;
  /** The engine's own: a task ended between start and end, and nobody will call invalidate_range_end. */
  abandoned?(kernel: Kernel, sub: ListNotifier): void;
}

/** struct mmu_notifier. */
export interface ListNotifier {
  readonly ops: ListNotifierOps;
  mm: Mm | undefined;
  /** Of mmu_notifier_get. */
  users: number;
  /** On the list of the mm. */
  hashed: boolean;
  /** The struct of a driver in C. */
  readonly c: CStruct | undefined;
}

export const newListNotifier = (ops: ListNotifierOps, c?: CStruct): ListNotifier => ({
  ops,
  mm: undefined,
  users: 0,
  hashed: false,
  c,
});

/** A task between invalidate_range_start and invalidate_range_end. */
export interface Invalidation {
  readonly task: TaskRef;
  readonly range: MmuNotifierRange;
}

export interface Subscriptions {
  /** Newest first. */
  readonly list: ListNotifier[];
  has_itree: boolean;
  /** In the order of the interval tree: by start, equal ones as they came. */
  readonly itree: IntervalSub[];
  /** Odd while an invalidation has met an interval. */
  invalidate_seq: number;
  active_invalidate_ranges: number;
  /** To be inserted or removed when the running invalidations have ended; newest first. */
  readonly deferred_list: IntervalSub[];
  readonly active: Invalidation[];
}

export const subscriptionsOf = (mm: Mm): Subscriptions | undefined =>
  mm.notifier_subscriptions as Subscriptions | undefined;

export const newSubscriptions = (): Subscriptions => ({
  list: [],
  has_itree: false,
  itree: [],
  invalidate_seq: 2,
  active_invalidate_ranges: 0,
  deferred_list: [],
  active: [],
});

/** mn_itree_is_invalidating. */
export const isInvalidating = (subscriptions: Subscriptions): boolean => (subscriptions.invalidate_seq & 1) === 1;

/** interval_tree_insert. */
export function itreeInsert(kernel: Kernel, subscriptions: Subscriptions, sub: IntervalSub): void {
  const { itree } = subscriptions;
  let low = 0;
  let high = itree.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((itree[middle] as IntervalSub).start > sub.start) high = middle;
    else low = middle + 1;
  }
  kernel.store.splice(itree, low, 0, sub);
  kernel.store.set(sub, 'in_tree', true);
}

export function itreeRemove(kernel: Kernel, subscriptions: Subscriptions, sub: IntervalSub): void {
  removeItem(kernel.store, subscriptions.itree, sub);
  kernel.store.set(sub, 'in_tree', false);
}

/** mn_itree_inv_end: the last invalidation makes the sequence even, does what was deferred, and wakes who waits for it. */
export function mn_itree_inv_end(kernel: Kernel, subscriptions: Subscriptions): void {
  const { store } = kernel;
  store.willAdd(subscriptions, 'active_invalidate_ranges');
  subscriptions.active_invalidate_ranges--;
  if (subscriptions.active_invalidate_ranges > 0 || !isInvalidating(subscriptions)) return;
  store.willAdd(subscriptions, 'invalidate_seq');
  subscriptions.invalidate_seq++;
  if (subscriptions.deferred_list.length === 0) return;
  const deferred = store.splice(subscriptions.deferred_list, 0, subscriptions.deferred_list.length);
  for (const sub of deferred)
    if (sub.in_tree) itreeRemove(kernel, subscriptions, sub);
    else itreeInsert(kernel, subscriptions, sub);
}

const EVENTS = ['UNMAP', 'CLEAR', 'PROTECTION_VMA', 'PROTECTION_PAGE', 'SOFT_DIRTY', 'RELEASE', 'MIGRATE', 'EXCLUSIVE'];
export const rangeText = ({ start, end }: MmuNotifierRange): string => `${hex(start * 4096)}-${hex(end * 4096)}`;
export const eventName = ({ event }: MmuNotifierRange): string => `MMU_NOTIFY_${EVENTS[event] ?? event}`;

/** wait_event(subscriptions->wq, invalidate_seq != seq): until those between start and end are through. */
export const sequenceWait = (subscriptions: Subscriptions, mm: Mm, seq: number): WaitObject => ({
  what: `the invalidation of memory of ${mm.owner.comm} (${mm.owner.pid}) that made its sequence ${seq}`,
  ready: () => subscriptions.invalidate_seq !== seq,
  holders: () =>
    subscriptions.active.map(({ task, range }) => `${task.label} (${rangeText(range)}, ${eventName(range)})`),
  holderTasks: () => subscriptions.active.map(({ task }) => task.id),
});

/** What a task leaves behind that is stopped or fails between start and end: nobody else would end it. */
export function endInvalidationsOf(kernel: Kernel, task: number): void {
  for (const mm of kernel.state.mms.values()) {
    const subscriptions = subscriptionsOf(mm);
    if (!subscriptions) continue;
    for (const one of subscriptions.active.filter((each) => each.task.id === task)) {
      removeTouched(kernel.store, subscriptions.active, one);
      if (subscriptions.active_invalidate_ranges > 0) mn_itree_inv_end(kernel, subscriptions);
      for (const sub of subscriptions.list) sub.ops.abandoned?.(kernel, sub);
    }
  }
}
