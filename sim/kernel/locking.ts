/**
 * Locks that sleep: kernel/locking/rwsem.c and PG_locked. A lock knows its holders by task, so that a wait
 * says whom it waits for. Nothing is released by being thrown away: a task that is stopped or fails leaves
 * its locks, and `releaseLocksOf` takes them, as the death of a task would.
 */
import type { Mutex, RwSem, TaskRef } from '../include/mm_types.ts';
import { PG_LOCKED } from '../include/mmzone.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import { setLockedBy } from '../mm/folio_record.ts';
import type { KernelGenerator, WaitObject } from '../task/task.ts';

export const rwsem = (name: string): RwSem => ({ name, readers: [], writer: undefined, waiting: [] });

export const rwsem_is_locked = (sem: RwSem): boolean => sem.writer !== undefined || sem.readers.length > 0;

const holdersOf = (sem: RwSem): TaskRef[] => (sem.writer ? [sem.writer] : [...sem.readers]);

const wait = (what: string, ready: () => boolean, holders: () => readonly TaskRef[]): WaitObject => ({
  what,
  ready,
  holders: () => holders().map((holder) => holder.label),
  holderTasks: () => holders().map((holder) => holder.id),
});

/** down_read: shared; sleeps while a writer holds the lock or waits for it. */
export function* down_read(kernel: Kernel, sem: RwSem): KernelGenerator<void> {
  const { current } = kernel;
  const ready = (): boolean => sem.writer === undefined && sem.waiting.every((task) => task.id === current.id);
  if (!ready())
    yield {
      kind: 'wait',
      on: wait(`${sem.name} for reading`, ready, () => [...holdersOf(sem), ...sem.waiting]),
    };
  kernel.store.splice(sem.readers, sem.readers.length, 0, current);
}

/** rwsem.c:down_read_killable: false where the wait was ended by a signal that ends the task. */
export function* down_read_killable(kernel: Kernel, sem: RwSem, isKilled: () => boolean): KernelGenerator<boolean> {
  const { current } = kernel;
  const ready = (): boolean => sem.writer === undefined && sem.waiting.every((task) => task.id === current.id);
  if (!ready())
    yield {
      kind: 'wait',
      on: wait(
        `${sem.name} for reading`,
        () => ready() || isKilled(),
        () => [...holdersOf(sem), ...sem.waiting],
      ),
    };
  if (!ready()) return false;
  kernel.store.splice(sem.readers, sem.readers.length, 0, current);
  return true;
}

/** down_read_trylock. */
export function down_read_trylock(kernel: Kernel, sem: RwSem): boolean {
  if (sem.writer !== undefined || sem.waiting.length > 0) return false;
  kernel.store.splice(sem.readers, sem.readers.length, 0, kernel.current);
  return true;
}

export function up_read(kernel: Kernel, sem: RwSem): void {
  const own = sem.readers.findLastIndex((task) => task.id === kernel.current.id);
  const index = own >= 0 ? own : sem.readers.length - 1;
  if (index < 0) kernel.WARN(`DEBUG_RWSEMS_WARN_ON: ${sem.name} is released and nobody reads`);
  else kernel.store.splice(sem.readers, index, 1);
}

/** down_write: alone; sleeps while anyone holds the lock. */
export function* down_write(kernel: Kernel, sem: RwSem): KernelGenerator<void> {
  const { current, store } = kernel;
  if (rwsem_is_locked(sem)) {
    store.splice(sem.waiting, sem.waiting.length, 0, current);
    yield {
      kind: 'wait',
      on: wait(
        `${sem.name} for writing`,
        () => !rwsem_is_locked(sem) && sem.waiting[0]?.id === current.id,
        () => holdersOf(sem),
      ),
    };
    const index = sem.waiting.findIndex((task) => task.id === current.id);
    store.splice(sem.waiting, index, 1);
  }
  store.set(sem, 'writer', current);
}

export function up_write(kernel: Kernel, sem: RwSem): void {
  if (!sem.writer) kernel.WARN(`DEBUG_RWSEMS_WARN_ON: ${sem.name} is released and nobody writes`);
  kernel.store.set(sem, 'writer', undefined);
}

/* ---- struct mutex ---- */

/** mutex_init. The kernel's state knows every mutex, so that those of a task that is gone can be found. */
export function mutex_init(kernel: Kernel, name: string): Mutex {
  const mutex: Mutex = { name, owner: undefined };
  kernel.store.splice(kernel.state.mutexes, kernel.state.mutexes.length, 0, mutex);
  return mutex;
}

export function mutex_destroy(kernel: Kernel, mutex: Mutex): void {
  const index = kernel.state.mutexes.indexOf(mutex);
  if (index >= 0) kernel.store.splice(kernel.state.mutexes, index, 1);
}

/** kernel/locking/mutex.c:mutex_lock: sleeps while someone holds it. */
export function* mutex_lock(kernel: Kernel, mutex: Mutex): KernelGenerator<void> {
  const { current } = kernel;
  if (mutex.owner)
    yield {
      kind: 'wait',
      on: wait(
        mutex.name,
        () => mutex.owner === undefined,
        () => (mutex.owner ? [mutex.owner] : []),
      ),
    };
  kernel.store.set(mutex, 'owner', current);
}

export function mutex_trylock(kernel: Kernel, mutex: Mutex): boolean {
  if (mutex.owner) return false;
  kernel.store.set(mutex, 'owner', kernel.current);
  return true;
}

export function mutex_unlock(kernel: Kernel, mutex: Mutex): void {
  if (!mutex.owner) kernel.WARN(`DEBUG_LOCKS_WARN_ON: ${mutex.name} is released and nobody holds it`);
  kernel.store.set(mutex, 'owner', undefined);
}

/* ---- PG_locked ---- */

export const folio_test_locked = (kernel: Kernel, pfn: number): boolean =>
  (kernel.pages.flags.get(pfn) & PG_LOCKED) !== 0;

/** pagemap.h:folio_trylock. `pfn` is that of the head page, here and below. */
export function folio_trylock(kernel: Kernel, pfn: number): boolean {
  const { flags } = kernel.pages;
  const word = flags.get(pfn);
  if ((word & PG_LOCKED) !== 0) return false;
  flags.set(pfn, word | PG_LOCKED);
  const folio = kernel.state.folios.get(pfn);
  if (folio) setLockedBy(kernel, folio, kernel.current);
  return true;
}

/** filemap.c:__folio_lock: sleeps until PG_locked is ours. */
export function* folio_lock(kernel: Kernel, pfn: number): KernelGenerator<void> {
  if (folio_trylock(kernel, pfn)) return;
  yield { kind: 'wait', on: folioLockWait(kernel, pfn) };
  folio_trylock(kernel, pfn);
}

export function folioLockWait(kernel: Kernel, pfn: number): WaitObject {
  return wait(
    `the lock of page ${hex(pfn)}`,
    () => !folio_test_locked(kernel, pfn),
    () => {
      const holder = kernel.state.folios.get(pfn)?.locked_by;
      return holder ? [holder] : [];
    },
  );
}

export function folio_unlock(kernel: Kernel, pfn: number): void {
  const { flags } = kernel.pages;
  const word = flags.get(pfn);
  if ((word & PG_LOCKED) === 0) kernel.WARN(`VM_BUG_ON_FOLIO: page ${hex(pfn)} is unlocked and was not locked`);
  flags.set(pfn, (word & ~PG_LOCKED) >>> 0);
  const folio = kernel.state.folios.get(pfn);
  if (folio?.locked_by) setLockedBy(kernel, folio, undefined);
}

/** What a task leaves behind that is stopped or fails: its locks are released, its place in queues is given up. */
export function releaseLocksOf(kernel: Kernel, task: number): void {
  const { state, store } = kernel;
  const isOurs = (holder: TaskRef): boolean => holder.id === task;
  for (const mm of state.mms.values()) {
    const sem = mm.mmap_lock;
    if (sem.writer && isOurs(sem.writer)) store.set(sem, 'writer', undefined);
    for (const list of [sem.readers, sem.waiting, mm.callers])
      for (let i = list.length - 1; i >= 0; i--) if (isOurs(list[i] as TaskRef)) store.splice(list, i, 1);
  }
  for (const mutex of state.mutexes) if (mutex.owner && isOurs(mutex.owner)) store.set(mutex, 'owner', undefined);
  for (const folio of state.folios.values())
    if (folio.locked_by && isOurs(folio.locked_by)) folio_unlock(kernel, folio.pfn);
}
