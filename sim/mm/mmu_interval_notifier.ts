/** mm/mmu_notifier.c: interval notifiers (5.5 on) and the sequence numbers that their readers compare. */
import type { CStruct } from '../c/value.ts';
import type { Mm } from '../include/mm_types.ts';
import { mmdrop, mmgrab } from '../kernel/mm_count.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import { removeItem } from '../store/remove.ts';
import type { KernelGenerator } from '../task/task.ts';
import { __mmu_notifier_register, mmu_notifier_register } from './mmu_notifier_list.ts';
import {
  type IntervalOps,
  type IntervalSub,
  isInvalidating,
  itreeInsert,
  itreeRemove,
  type Subscriptions,
  sequenceWait,
  subscriptionsOf,
} from './mmu_notifier_state.ts';

const EINVAL = -22;
const EOVERFLOW = -75;

/** The page behind the last one of 64 bits. */
const LIMIT = 2 ** 52;

/** interval_sub->invalidate_seq: of a driver in C, what stands in its struct. */
const seqOf = (sub: IntervalSub): number =>
  typeof sub.c?.invalidate_seq === 'bigint' ? Number(sub.c.invalidate_seq) : sub.invalidate_seq;

function setSeq(kernel: Kernel, sub: IntervalSub, seq: number): void {
  kernel.store.set(sub, 'invalidate_seq', seq);
  if (sub.c) kernel.store.set(sub.c, 'invalidate_seq', BigInt(seq));
}

const argsOf = (mm: Mm, start: number, end: number): string[] => [
  `mm of ${mm.owner.comm} (${mm.owner.pid})`,
  hex(start * 4096),
  hex((end - start) * 4096),
];
const resultText = (result: IntervalSub | number): string => String(typeof result === 'number' ? result : 0);

/**
 * mmu_interval_notifier_insert over pages [start, end). The first one of an mm takes the mmap lock for writing.
 * Gives the subscription, or -EOVERFLOW, -EINVAL (with a warning), -ENOMEM.
 */
export function* mmu_interval_notifier_insert(
  kernel: Kernel,
  mm: Mm,
  start: number,
  end: number,
  ops: IntervalOps,
  c?: CStruct,
): KernelGenerator<IntervalSub | number> {
  return yield* kernel.call(
    'mmu_interval_notifier_insert',
    argsOf(mm, start, end),
    insert(kernel, mm, start, end, ops, c),
    resultText,
  );
}

function* insert(
  kernel: Kernel,
  mm: Mm,
  start: number,
  end: number,
  ops: IntervalOps,
  c?: CStruct,
): KernelGenerator<IntervalSub | number> {
  if (mm.mm_users > 0 && !subscriptionsOf(mm)?.has_itree) {
    const error = yield* mmu_notifier_register(kernel, undefined, mm);
    if (error !== 0) return error;
  }
  return __mmu_interval_notifier_insert(kernel, mm, start, end, ops, c);
}

/** The same for a caller that holds the mmap lock for writing. */
export function mmu_interval_notifier_insert_locked(
  kernel: Kernel,
  mm: Mm,
  start: number,
  end: number,
  ops: IntervalOps,
  c?: CStruct,
): IntervalSub | number {
  return kernel.leaf(
    'mmu_interval_notifier_insert_locked',
    argsOf(mm, start, end),
    () => {
      if (mm.mm_users > 0 && !subscriptionsOf(mm)?.has_itree) {
        const error = __mmu_notifier_register(kernel, undefined, mm);
        if (error !== 0) return error;
      }
      return __mmu_interval_notifier_insert(kernel, mm, start, end, ops, c);
    },
    resultText,
  );
}

function __mmu_interval_notifier_insert(
  kernel: Kernel,
  mm: Mm,
  start: number,
  end: number,
  ops: IntervalOps,
  c: CStruct | undefined,
): IntervalSub | number {
  if (end <= start || end > LIMIT) return EOVERFLOW;
  const subscriptions = subscriptionsOf(mm);
  if (mm.mm_users <= 0 || !subscriptions) {
    kernel.WARN('WARN_ON(atomic_read(&mm->mm_users) <= 0): the process has exited');
    return EINVAL;
  }
  mmgrab(kernel, mm);
  const sub: IntervalSub = { mm, start, end, invalidate_seq: 0, ops, in_tree: false, c };
  if (subscriptions.active_invalidate_ranges === 0) {
    // Odd, and not the number of any invalidation to come: readers do not wait.
    setSeq(kernel, sub, subscriptions.invalidate_seq - 1);
    itreeInsert(kernel, subscriptions, sub);
    return sub;
  }
  if (isInvalidating(subscriptions)) kernel.store.splice(subscriptions.deferred_list, 0, 0, sub);
  else {
    kernel.store.set(subscriptions, 'invalidate_seq', subscriptions.invalidate_seq + 1);
    itreeInsert(kernel, subscriptions, sub);
  }
  // The running invalidation may be of its pages: readers wait for its end.
  setSeq(kernel, sub, subscriptions.invalidate_seq);
  return sub;
}

/** mmu_interval_notifier_remove: sleeps until a running invalidation is over, so not to be called by invalidate(). */
export function* mmu_interval_notifier_remove(kernel: Kernel, sub: IntervalSub): KernelGenerator<void> {
  yield* kernel.call(
    'mmu_interval_notifier_remove',
    [hex(sub.start * 4096), hex((sub.end - sub.start) * 4096)],
    remove(kernel, sub),
    () => '',
  );
}

function* remove(kernel: Kernel, sub: IntervalSub): KernelGenerator<void> {
  const { store } = kernel;
  const subscriptions = subscriptionsOf(sub.mm);
  if (!subscriptions) return;
  if (!isInvalidating(subscriptions)) {
    if (!sub.in_tree) kernel.WARN('WARN_ON(RB_EMPTY_NODE): this interval notifier is not registered');
    itreeRemove(kernel, subscriptions, sub);
  } else if (!sub.in_tree) removeItem(store, subscriptions.deferred_list, sub);
  else {
    store.splice(subscriptions.deferred_list, 0, 0, sub);
    const seq = subscriptions.invalidate_seq;
    yield { kind: 'wait', on: sequenceWait(subscriptions, sub.mm, seq) };
  }
  mmdrop(kernel, sub.mm);
}

/** mmu_interval_read_begin: the sequence number of the interval; sleeps while an invalidation of it is running. */
export function* mmu_interval_read_begin(kernel: Kernel, sub: IntervalSub): KernelGenerator<number> {
  return yield* kernel.call('mmu_interval_read_begin', [hex(sub.start * 4096)], readBegin(sub), String);
}

function* readBegin(sub: IntervalSub): KernelGenerator<number> {
  const subscriptions: Subscriptions | undefined = subscriptionsOf(sub.mm);
  const seq = seqOf(sub);
  if (subscriptions?.invalidate_seq === seq) yield { kind: 'wait', on: sequenceWait(subscriptions, sub.mm, seq) };
  return seq;
}

/** True: it was invalidated since. The caller holds the lock that its invalidate() takes. */
export const mmu_interval_read_retry = (sub: IntervalSub, seq: number): boolean => seqOf(sub) !== seq;

/** The same without the lock: true is certain, false is a hint. */
export const mmu_interval_check_retry = mmu_interval_read_retry;

/** For invalidate(), under the driver's lock, with the number it was given. */
export function mmu_interval_set_seq(kernel: Kernel, sub: IntervalSub, cur_seq: number): void {
  setSeq(kernel, sub, cur_seq);
}
