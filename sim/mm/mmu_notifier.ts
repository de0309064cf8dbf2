/** mm/mmu_notifier.c: who is told before and after the page table of a process changes. */
import type { Mm } from '../include/mm_types.ts';
import type { Kernel, TracedCall } from '../machine/kernel.ts';
import { pushTouched, removeTouched } from '../store/remove.ts';
import { DONE, finished, isFinished, type KernelGenerator } from '../task/task.ts';
import {
  eventName,
  type IntervalSub,
  type Invalidation,
  isInvalidating,
  type MmuNotifierRange,
  mn_itree_inv_end,
  rangeText,
  type Subscriptions,
  subscriptionsOf,
} from './mmu_notifier_state.ts';

export {
  mmu_interval_check_retry,
  mmu_interval_notifier_insert,
  mmu_interval_notifier_insert_locked,
  mmu_interval_notifier_remove,
  mmu_interval_read_begin,
  mmu_interval_read_retry,
  mmu_interval_set_seq,
} from './mmu_interval_notifier.ts';
export type { IntervalOps, IntervalSub, MmuNotifierRange } from './mmu_notifier_state.ts';

/** enum mmu_notifier_event. */
export const MMU_NOTIFY_UNMAP = 0;
export const MMU_NOTIFY_CLEAR = 1;
export const MMU_NOTIFY_PROTECTION_VMA = 2;
export const MMU_NOTIFY_PROTECTION_PAGE = 3;
export const MMU_NOTIFY_SOFT_DIRTY = 4;
export const MMU_NOTIFY_RELEASE = 5;
export const MMU_NOTIFY_MIGRATE = 6;
export const MMU_NOTIFY_EXCLUSIVE = 7;

const EAGAIN = -11;
/** The page behind the last one that an address of 64 bits reaches: a range to ULONG_MAX ends here. */
export const VPN_LIMIT = 2 ** 52;

export const mmu_notifier_range = (
  event: number,
  mm: Mm,
  start: number,
  end: number,
  owner: unknown = undefined,
  blockable = true,
): MmuNotifierRange => ({ mm, start, end, event, blockable, owner });

/**
 * Tells everyone that the range is about to change. -EAGAIN if someone would have to sleep and may not: then
 * there is no end to be called. Of a range that may sleep it is always 0.
 */
export function mmu_notifier_invalidate_range_start(kernel: Kernel, range: MmuNotifierRange): KernelGenerator<number> {
  const subscriptions = subscriptionsOf(range.mm);
  if (!subscriptions) return finished(0);
  if (kernel.isQuiet() && mmu_notifier_may_tell_now(kernel, range.mm)) {
    startNow(kernel, subscriptions, range);
    return finished(0);
  }
  return kernel.run(START, { subscriptions, range });
}

/** An invalidation, and who is told of it. */
interface Telling {
  readonly subscriptions: Subscriptions;
  readonly range: MmuNotifierRange;
}

const START: TracedCall<Telling, number> = {
  name: 'mmu_notifier_invalidate_range_start',
  args: ({ range }) => [rangeText(range), eventName(range)],
  body: start,
  print: String,
};

/** May everyone who would hear of a change of the range be told without sleeping? Only where nobody looks. */
export function mmu_notifier_may_tell_now(kernel: Kernel, mm: Mm): boolean {
  const subscriptions = subscriptionsOf(mm);
  if (!subscriptions) return true;
  const { itree, list } = subscriptions;
  const [sub] = itree;
  if (!sub || itree.length > 1 || list.length > 0 || !kernel.hasManyCalls()) return false;
  return sub.ops.mayInvalidateNow?.(sub) ?? false;
}

/** The start of an invalidation of which everyone may be told without sleeping. */
export function mmu_notifier_start_now(kernel: Kernel, range: MmuNotifierRange): void {
  const subscriptions = subscriptionsOf(range.mm);
  if (subscriptions) startNow(kernel, subscriptions, range);
}

/** The end of what mmu_notifier_start_now began. */
export function mmu_notifier_end_now(kernel: Kernel, range: MmuNotifierRange): void {
  const subscriptions = subscriptionsOf(range.mm);
  if (subscriptions) endActive(kernel, subscriptions, range);
}

function startNow(kernel: Kernel, subscriptions: Subscriptions, range: MmuNotifierRange): void {
  const { store } = kernel;
  const [sub] = subscriptions.itree;
  const isMet = sub !== undefined && sub.start < range.end && sub.end > range.start;
  const becomesOdd = isMet && !isInvalidating(subscriptions);
  if (isMet) sub.ops.invalidateNow?.(kernel, sub, range, subscriptions.invalidate_seq + (becomesOdd ? 1 : 0));
  pushTouched(store, subscriptions.active, { task: kernel.current, range });
  store.willAdd(subscriptions, 'active_invalidate_ranges');
  subscriptions.active_invalidate_ranges++;
  if (!becomesOdd) return;
  store.willAdd(subscriptions, 'invalidate_seq');
  subscriptions.invalidate_seq++;
}

function start(kernel: Kernel, { subscriptions, range }: Telling): KernelGenerator<number> {
  const record = { task: kernel.current, range };
  pushTouched(kernel.store, subscriptions.active, record);
  const told = subscriptions.has_itree ? mn_itree_invalidate(kernel, subscriptions, range) : finished(true);
  return isFinished(told) && told.value && subscriptions.list.length === 0
    ? finished(0)
    : startOnwards(kernel, subscriptions, record, told);
}

function* startOnwards(
  kernel: Kernel,
  subscriptions: Subscriptions,
  record: Invalidation,
  told: KernelGenerator<boolean>,
): KernelGenerator<number> {
  const { store } = kernel;
  const { range } = record;
  if (!(yield* told)) {
    // Who may not sleep is not allowed to call the end either.
    removeTouched(store, subscriptions.active, record);
    mn_itree_inv_end(kernel, subscriptions);
    return EAGAIN;
  }
  if (subscriptions.list.length === 0) return 0;
  const error = yield* mn_hlist_invalidate_range_start(kernel, subscriptions, range);
  // As in the kernel, an interval tree told before stays in its invalidation: it never hears of an end.
  if (error !== 0 && !range.blockable && !subscriptions.has_itree) removeTouched(store, subscriptions.active, record);
  return range.blockable ? 0 : error;
}

/** mn_itree_invalidate with mn_itree_inv_start_range. False: a driver would have to sleep. */
function mn_itree_invalidate(
  kernel: Kernel,
  subscriptions: Subscriptions,
  range: MmuNotifierRange,
): KernelGenerator<boolean> {
  const { store } = kernel;
  store.add(subscriptions, 'active_invalidate_ranges', 1);
  // The tree is not changed while the sequence is odd.
  const met = subscriptions.itree.filter((sub) => sub.start < range.end && sub.end > range.start);
  if (met.length === 0) return finished(true);
  if (!isInvalidating(subscriptions)) store.add(subscriptions, 'invalidate_seq', 1);
  const cur_seq = subscriptions.invalidate_seq;
  for (const [index, sub] of met.entries()) {
    const told = kernel.run(INVALIDATE, { sub, range, cur_seq });
    if (!isFinished(told) || !told.value) return invalidateOthers(kernel, told, met.slice(index + 1), range, cur_seq);
  }
  return finished(true);
}

/** The rest of those who are told, behind one who sleeps or refuses. */
function* invalidateOthers(
  kernel: Kernel,
  told: KernelGenerator<boolean>,
  others: readonly IntervalSub[],
  range: MmuNotifierRange,
  cur_seq: number,
): KernelGenerator<boolean> {
  if (!goesOn(kernel, range, yield* told)) return false;
  for (const sub of others)
    if (!goesOn(kernel, range, yield* kernel.run(INVALIDATE, { sub, range, cur_seq }))) return false;
  return true;
}

/** After what an invalidate() gave: the others are told, unless it would have to sleep and may not. */
function goesOn(kernel: Kernel, range: MmuNotifierRange, result: boolean): boolean {
  if (!result && range.blockable)
    kernel.WARN('WARN_ON(mmu_notifier_range_blockable(range)): invalidate() gave false where it may sleep');
  return result || range.blockable;
}

const INVALIDATE: TracedCall<
  { readonly sub: IntervalSub; readonly range: MmuNotifierRange; readonly cur_seq: number },
  boolean
> = {
  name: 'invalidate',
  args: ({ range, cur_seq }) => [rangeText(range), eventName(range), `cur_seq ${cur_seq}`],
  body: (kernel, { sub, range, cur_seq }) => sub.ops.invalidate(kernel, sub, range, cur_seq),
  print: String,
};

/** mn_hlist_invalidate_range_start: all are asked, whatever one of them answers. */
function* mn_hlist_invalidate_range_start(
  kernel: Kernel,
  subscriptions: Subscriptions,
  range: MmuNotifierRange,
): KernelGenerator<number> {
  let result = 0;
  const list = [...subscriptions.list];
  for (const sub of list) {
    const error = sub.ops.invalidate_range_start ? yield* sub.ops.invalidate_range_start(kernel, sub, range) : 0;
    if (error === 0) continue;
    kernel.pr_info(
      `invalidate_range_start callback failed with ${error} in ${range.blockable ? '' : 'non-'}blockable context.`,
    );
    if (kernel.facts.notifierFailureWarned && (range.blockable || error !== EAGAIN))
      kernel.WARN('WARN_ON: a notifier may only fail with -EAGAIN, and only where it must not sleep');
    result = error;
  }
  if (result !== 0 && !range.blockable && kernel.facts.notifierEndAfterFailure)
    for (const sub of list) if (sub.ops.invalidate_range_end) yield* sub.ops.invalidate_range_end(kernel, sub, range);
  return result;
}

/** Tells everyone that the range has changed. */
export function mmu_notifier_invalidate_range_end(kernel: Kernel, range: MmuNotifierRange): KernelGenerator<void> {
  const subscriptions = subscriptionsOf(range.mm);
  if (!subscriptions) return DONE;
  if (kernel.isQuiet() && subscriptions.list.length === 0) {
    endActive(kernel, subscriptions, range);
    return DONE;
  }
  return kernel.run(END, { subscriptions, range });
}

const END: TracedCall<Telling, void> = {
  name: 'mmu_notifier_invalidate_range_end',
  args: ({ range }) => [rangeText(range), eventName(range)],
  body: (kernel, { subscriptions, range }) =>
    endActive(kernel, subscriptions, range) && subscriptions.list.length > 0
      ? endListed(kernel, subscriptions, range)
      : DONE,
  print: () => '',
};

function* endListed(kernel: Kernel, subscriptions: Subscriptions, range: MmuNotifierRange): KernelGenerator<void> {
  for (const sub of [...subscriptions.list])
    if (sub.ops.invalidate_range_end) yield* sub.ops.invalidate_range_end(kernel, sub, range);
}

/** The start of which this is the end: C text has a struct where the engine has a record, and at the shell they are two tasks. */
function activeOf(kernel: Kernel, active: readonly Invalidation[], range: MmuNotifierRange): Invalidation | undefined {
  const sameBounds = active.filter((one) => one.range.start === range.start && one.range.end === range.end);
  return (
    active.findLast((one) => one.range === range) ??
    sameBounds.findLast((one) => one.task.id === kernel.current.id) ??
    sameBounds.at(-1)
  );
}

/** The invalidation is under way no more, and the last one makes the sequence even. False: its start is not known. */
function endActive(kernel: Kernel, subscriptions: Subscriptions, range: MmuNotifierRange): boolean {
  const { active } = subscriptions;
  const last = active[active.length - 1];
  const record = last?.range === range ? last : activeOf(kernel, active, range);
  // A registration takes all locks of the mm, so none comes between a start and its end.
  if (!record) return false;
  removeTouched(kernel.store, active, record);
  if (subscriptions.active_invalidate_ranges > 0) mn_itree_inv_end(kernel, subscriptions);
  return true;
}

/** mmu_notifier.c:__mmu_notifier_release: the address space goes away, of which every interval and notifier is told. */
export function* mmu_notifier_release(kernel: Kernel, mm: Mm): KernelGenerator<void> {
  const subscriptions = subscriptionsOf(mm);
  if (!subscriptions) return;
  yield* kernel.call(
    '__mmu_notifier_release',
    [`${mm.owner.comm} (${mm.owner.pid})`],
    release(kernel, subscriptions, mm),
    () => '',
  );
}

function* release(kernel: Kernel, subscriptions: Subscriptions, mm: Mm): KernelGenerator<void> {
  const { store } = kernel;
  if (subscriptions.has_itree) {
    const range = mmu_notifier_range(MMU_NOTIFY_RELEASE, mm, 0, VPN_LIMIT);
    const record = { task: kernel.current, range };
    pushTouched(store, subscriptions.active, record);
    yield* mn_itree_invalidate(kernel, subscriptions, range);
    removeTouched(store, subscriptions.active, record);
    mn_itree_inv_end(kernel, subscriptions);
  }
  for (const sub of [...subscriptions.list]) if (sub.ops.release) yield* sub.ops.release(kernel, sub, mm);
  for (const sub of store.splice(subscriptions.list, 0, subscriptions.list.length)) store.set(sub, 'hashed', false);
}
