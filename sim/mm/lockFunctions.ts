/**
 * Locks and completions of programs in C. A lock is whatever object the program hands over; who holds it is known, so
 * that a wait names its holder and a circle is a deadlock. A spinlock waits here like a mutex: nothing runs beside it.
 */
import { ownerOf } from '../c/objects.ts';
import {
  BadAccess,
  type CallArgs,
  type CObject,
  type CStruct,
  type CValue,
  integer,
  structAt,
  VOID,
} from '../c/value.ts';
import type { Mutex } from '../include/mm_types.ts';
import { mutex_destroy, mutex_init, mutex_lock, mutex_trylock, mutex_unlock } from '../kernel/locking.ts';
import { type FunctionRecord, fn, variant } from '../kernel/registry.ts';
import type { Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';

const MUTEX = 'kernel/locking/mutex.c';
const SPIN = 'include/linux/spinlock.h';
const COMPLETION = 'kernel/sched/completion.c';

/** The struct that a lock pointer leads to, and the name it has in the program. */
function lockObject(args: CallArgs): { object: CObject; name: string } {
  const pointer = args.pointer(0);
  const object = structAt(pointer);
  if (!object) throw new BadAccess(`${args.name}: argument 1 does not point to a lock`);
  const { target } = pointer;
  const key = target.kind === 'slot' ? target.key : ownerOf(object)?.key;
  return { object, name: typeof key === 'string' ? key.replace(/@\d+$/, '') : object.$struct };
}

function known(kernel: Kernel, object: CObject): Mutex | undefined {
  return kernel.state.driverLocks.get(object);
}
function lockOf(kernel: Kernel, args: CallArgs): Mutex {
  const { object, name } = lockObject(args);
  const held = known(kernel, object);
  if (held) return held;
  const made = mutex_init(kernel, name);
  kernel.store.mapSet(kernel.state.driverLocks, object, made);
  return made;
}
function forget(kernel: Kernel, args: CallArgs): void {
  const { object } = lockObject(args);
  const held = known(kernel, object);
  if (!held) return;
  mutex_destroy(kernel, held);
  kernel.store.mapDelete(kernel.state.driverLocks, object);
}

const init = (kernel: Kernel, args: CallArgs): CValue => {
  forget(kernel, args);
  lockOf(kernel, args);
  return VOID;
};
function* lock(kernel: Kernel, args: CallArgs): KernelGenerator<CValue> {
  yield* mutex_lock(kernel, lockOf(kernel, args));
  return VOID;
}
function* lockOrFail(kernel: Kernel, args: CallArgs): KernelGenerator<CValue> {
  yield* mutex_lock(kernel, lockOf(kernel, args));
  return integer(0);
}
const trylock = (kernel: Kernel, args: CallArgs): CValue =>
  integer(mutex_trylock(kernel, lockOf(kernel, args)) ? 1 : 0);
const unlock = (kernel: Kernel, args: CallArgs): CValue => {
  mutex_unlock(kernel, lockOf(kernel, args));
  return VOID;
};
const isLocked = (kernel: Kernel, args: CallArgs): CValue => integer(lockOf(kernel, args).owner ? 1 : 0, 'bool');

const spin = (suffix: string, takes: string, gives: string): FunctionRecord[] =>
  ['spin', 'raw_spin'].flatMap((kind) => {
    const type = `${kind === 'spin' ? '' : 'raw_'}spinlock_t`;
    return [
      fn(`${kind}_lock${suffix}`, takes, [variant('4.3', SPIN, `void ${kind}_lock${suffix}(${type} *lock)`, lock)]),
      fn(`${kind}_unlock${suffix}`, gives, [
        variant('4.3', SPIN, `void ${kind}_unlock${suffix}(${type} *lock)`, unlock),
      ]),
    ];
  });

function completion(args: CallArgs): CStruct {
  const object = structAt(args.pointer(0));
  if (object?.$struct !== 'completion') throw new BadAccess(`${args.name}: argument 1 is no struct completion`);
  return object;
}
const ALL = 0x7fffffffn;
const done = (of: CStruct): bigint => (typeof of.done === 'bigint' ? of.done : 0n);

export const LOCK_FUNCTIONS: readonly FunctionRecord[] = [
  fn(
    'mutex_init',
    'Makes a mutex ready, unlocked. One on the stack or in allocated memory needs it before its first use.',
    [variant('4.3', 'include/linux/mutex.h', 'void mutex_init(struct mutex *lock)', init)],
    { macro: true },
  ),
  fn(
    'mutex_lock',
    'Takes a mutex and sleeps while another task holds it. A task that holds it already waits for itself.',
    [variant('4.3', MUTEX, 'void mutex_lock(struct mutex *lock)', lock)],
  ),
  fn('mutex_lock_interruptible', 'Takes a mutex unless a signal comes while it waits.', [
    variant('4.3', MUTEX, 'int mutex_lock_interruptible(struct mutex *lock)', lockOrFail),
  ]),
  fn('mutex_lock_killable', 'Takes a mutex unless a signal that ends the task comes while it waits.', [
    variant('4.3', MUTEX, 'int mutex_lock_killable(struct mutex *lock)', lockOrFail),
  ]),
  fn('mutex_trylock', 'Takes a mutex if nobody holds it, and says by 1 or 0 whether it did.', [
    variant('4.3', MUTEX, 'int mutex_trylock(struct mutex *lock)', trylock),
  ]),
  fn('mutex_unlock', 'Gives up a mutex; only the task that took it may.', [
    variant('4.3', MUTEX, 'void mutex_unlock(struct mutex *lock)', unlock),
  ]),
  fn('mutex_is_locked', 'Whether anybody holds the mutex.', [
    variant('4.3', MUTEX, 'bool mutex_is_locked(struct mutex *lock)', isLocked),
  ]),
  fn('mutex_destroy', 'Ends the use of a mutex, which must be unlocked.', [
    variant('4.3', MUTEX, 'void mutex_destroy(struct mutex *lock)', (kernel, args) => {
      forget(kernel, args);
      return VOID;
    }),
  ]),
  fn(
    'spin_lock_init',
    'Makes a spinlock ready, unlocked.',
    [variant('4.3', SPIN, 'void spin_lock_init(spinlock_t *lock)', init)],
    { macro: true },
  ),
  fn(
    'raw_spin_lock_init',
    'Makes a raw spinlock ready, unlocked.',
    [variant('4.3', SPIN, 'void raw_spin_lock_init(raw_spinlock_t *lock)', init)],
    { macro: true },
  ),
  fn('spin_trylock', 'Takes a spinlock if nobody holds it, and says by 1 or 0 whether it did.', [
    variant('4.3', SPIN, 'int spin_trylock(spinlock_t *lock)', trylock),
  ]),
  ...spin('', 'Takes a spinlock; who holds one must not sleep.', 'Gives up a spinlock.'),
  ...spin('_irq', 'Takes a spinlock with interrupts off.', 'Gives up a spinlock and turns interrupts on.'),
  ...spin('_bh', 'Takes a spinlock with softirqs off.', 'Gives up a spinlock and turns softirqs on.'),
  fn('reinit_completion', 'Makes a completion that was used ready again.', [
    variant('4.3', 'include/linux/completion.h', 'void reinit_completion(struct completion *x)', (kernel, args) => {
      kernel.store.set(completion(args), 'done', 0n);
      return VOID;
    }),
  ]),
  fn('complete_all', 'Says that it is done, to all who wait and will wait.', [
    variant('4.3', COMPLETION, 'void complete_all(struct completion *x)', (kernel, args) => {
      kernel.store.set(completion(args), 'done', ALL);
      return VOID;
    }),
  ]),
  fn('completion_done', 'Whether one who waited for it would go on at once.', [
    variant('4.3', COMPLETION, 'bool completion_done(struct completion *x)', (_, args) =>
      integer(done(completion(args)) > 0n ? 1 : 0, 'bool'),
    ),
  ]),
];
