/** mm/mmu_notifier.c: notifiers of a whole address space, on its list. */
import type { Mm } from '../include/mm_types.ts';
import { down_write, rwsem_is_locked, up_write } from '../kernel/locking.ts';
import { mmdrop, mmgrab } from '../kernel/mm_count.ts';
import { should_fail } from '../lib/fault-inject.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import { removeItem } from '../store/remove.ts';
import type { KernelGenerator } from '../task/task.ts';
import { type ListNotifier, type ListNotifierOps, newSubscriptions, subscriptionsOf } from './mmu_notifier_state.ts';

const ENOMEM = -12;

const mmText = (mm: Mm): string => `mm of ${mm.owner.comm} (${mm.owner.pid})`;

/**
 * __mmu_notifier_register: the mmap lock is held for writing. Without a notifier it only makes the interval tree
 * ready. The mm keeps a reference for the notifier until it is unregistered.
 */
export function __mmu_notifier_register(kernel: Kernel, sub: ListNotifier | undefined, mm: Mm): number {
  const { store } = kernel;
  if (!rwsem_is_locked(mm.mmap_lock)) kernel.WARN(`mmap_assert_write_locked: nobody holds the ${mm.mmap_lock.name}`);
  let subscriptions = subscriptionsOf(mm);
  if (!subscriptions) {
    if (should_fail(kernel, 'notifier')) return ENOMEM;
    subscriptions = newSubscriptions();
    store.set(mm, 'notifier_subscriptions', subscriptions);
  }
  if (!sub) {
    store.set(subscriptions, 'has_itree', true);
    return 0;
  }
  mmgrab(kernel, mm);
  store.set(sub, 'mm', mm);
  store.set(sub, 'users', 1);
  store.set(sub, 'hashed', true);
  store.splice(subscriptions.list, 0, 0, sub);
  return 0;
}

/** mmu_notifier_register: takes the mmap lock for writing. 0 or -ENOMEM. */
export function* mmu_notifier_register(kernel: Kernel, sub: ListNotifier | undefined, mm: Mm): KernelGenerator<number> {
  return yield* kernel.call('mmu_notifier_register', [sub ? 'notifier' : 'NULL', mmText(mm)], locked(), String);
  function* locked(): KernelGenerator<number> {
    yield* down_write(kernel, mm.mmap_lock);
    const error = __mmu_notifier_register(kernel, sub, mm);
    up_write(kernel, mm.mmap_lock);
    return error;
  }
}

function unhash(kernel: Kernel, sub: ListNotifier, mm: Mm): void {
  const list = subscriptionsOf(mm)?.list;
  if (list?.includes(sub)) removeItem(kernel.store, list, sub);
  kernel.store.set(sub, 'hashed', false);
}

/** mmu_notifier_unregister: release() runs first unless the exit of the mm called it already. */
export function* mmu_notifier_unregister(kernel: Kernel, sub: ListNotifier, mm: Mm): KernelGenerator<void> {
  yield* kernel.call('mmu_notifier_unregister', [mmText(mm)], unregister(), () => '');
  function* unregister(): KernelGenerator<void> {
    if (sub.hashed) {
      if (sub.ops.release) yield* sub.ops.release(kernel, sub, mm);
      unhash(kernel, sub, mm);
    }
    mmdrop(kernel, mm);
  }
}

/** mmu_notifier_unregister_no_release (to 5.3). */
export function mmu_notifier_unregister_no_release(kernel: Kernel, sub: ListNotifier, mm: Mm): void {
  unhash(kernel, sub, mm);
  mmdrop(kernel, mm);
}

/** mmu_notifier_get_locked (5.4 on): the notifier with these ops on the mm, made if there is none. An errno if that fails. */
export function mmu_notifier_get_locked(kernel: Kernel, ops: ListNotifierOps, mm: Mm): ListNotifier | number {
  const known = subscriptionsOf(mm)?.list.find((sub) => sub.ops === ops);
  if (known) {
    kernel.store.set(known, 'users', known.users + 1);
    return known;
  }
  const made = ops.alloc_notifier?.(kernel, mm) ?? ENOMEM;
  if (typeof made === 'number') return made;
  const error = __mmu_notifier_register(kernel, made, mm);
  if (error === 0) return made;
  ops.free_notifier?.(kernel, made);
  return error;
}

export function* mmu_notifier_get(
  kernel: Kernel,
  ops: ListNotifierOps,
  mm: Mm,
): KernelGenerator<ListNotifier | number> {
  yield* down_write(kernel, mm.mmap_lock);
  const result = mmu_notifier_get_locked(kernel, ops, mm);
  up_write(kernel, mm.mmap_lock);
  return result;
}

/** mmu_notifier_put: the last user takes the notifier away, without release(). No one waits for SRCU here: it is free at once. */
export function mmu_notifier_put(kernel: Kernel, sub: ListNotifier): void {
  kernel.leaf(
    'mmu_notifier_put',
    [hex(sub.users)],
    () => {
      const { mm } = sub;
      if (sub.users === 0 || !mm) {
        kernel.WARN('WARN_ON(!subscription->users): mmu_notifier_put without mmu_notifier_get');
        return;
      }
      kernel.store.set(sub, 'users', sub.users - 1);
      if (sub.users > 0) return;
      unhash(kernel, sub, mm);
      sub.ops.free_notifier?.(kernel, sub);
      mmdrop(kernel, mm);
    },
    () => '',
  );
}
