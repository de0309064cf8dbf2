/** kernel/exit.c: the end of a process. */
import type { Mm, OpenFile, Process } from '../include/mm_types.ts';
import type { Kernel } from '../machine/kernel.ts';
import type { KernelGenerator, Point } from '../task/task.ts';
import { mmput } from './fork.ts';

/** A driver's device is opened by a process. */
export function open_device(kernel: Kernel, process: Process, name: string, release: OpenFile['release']): OpenFile {
  const file: OpenFile = { name, f_count: 1, release };
  kernel.store.splice(process.fds, process.fds.length, 0, file);
  return file;
}

/** fs/open.c:filp_close: the last close calls the driver's release. */
export function* close_device(kernel: Kernel, process: Process, file: OpenFile): KernelGenerator<void> {
  const index = process.fds.indexOf(file);
  if (index < 0) return;
  kernel.store.splice(process.fds, index, 1);
  yield* fput(kernel, file);
}

/** file.h:fdget: who is in the middle of a call on the file keeps it open. */
export const fget = ({ store }: Kernel, file: OpenFile): void => store.set(file, 'f_count', file.f_count + 1);

/** file_table.c:fput. */
export function* fput(kernel: Kernel, file: OpenFile): KernelGenerator<void> {
  kernel.store.set(file, 'f_count', file.f_count - 1);
  if (file.f_count === 0) yield* file.release(kernel);
}

/**
 * A system call of a process. As soon as others may run, the address space counts the task as a thread of it, so
 * that the process does not end around it.
 */
export function* system_call<T>(kernel: Kernel, mm: Mm, call: KernelGenerator<T>): KernelGenerator<T> {
  const { current, store } = kernel;
  let isCounted = false;
  const done = (): void => {
    const index = mm.callers.findIndex(({ id }) => id === current.id);
    if (isCounted && index >= 0) store.splice(mm.callers, index, 1);
  };
  for (;;) {
    let next: IteratorResult<Point, T>;
    try {
      next = call.next();
    } catch (error) {
      done();
      throw error;
    }
    if (next.done) {
      done();
      return next.value;
    }
    if (!isCounted) store.splice(mm.callers, mm.callers.length, 0, current);
    isCounted = true;
    yield next.value;
  }
}

/** The last thread takes the address space down; the end of the process is told when that has happened. */
function* othersLeave(mm: Mm): KernelGenerator<void> {
  if (mm.callers.length === 0) return;
  yield {
    kind: 'wait',
    on: {
      what: `system calls of ${mm.owner.comm} (${mm.owner.pid}) to return`,
      ready: () => mm.callers.length === 0,
      holders: () => mm.callers.map(({ label }) => label),
      holderTasks: () => mm.callers.map(({ id }) => id),
    },
  };
}

/** exit.c:do_exit: the address space first (exit_mm), then the files (exit_files); a zombie is left. */
export function* do_exit(kernel: Kernel, process: Process, code: number, signal?: string): KernelGenerator<void> {
  yield* kernel.call('do_exit', [signal ?? String(code)], leave(kernel, process, code, signal), () => 'void');
}

function* leave(kernel: Kernel, process: Process, code: number, signal: string | undefined): KernelGenerator<void> {
  const { store, state } = kernel;
  const { mm } = process;
  store.set(process, 'mm', undefined);
  if (mm) {
    yield* othersLeave(mm);
    yield* mmput(kernel, mm);
  }
  while (process.fds.length > 0) yield* close_device(kernel, process, process.fds[0] as OpenFile);
  store.set(process, 'exit', { code, signal });
  if (process.fatal_signal !== undefined) store.set(process, 'fatal_signal', undefined);
  // exit_notify: children that are over already are waited for by init.
  for (const child of [...state.processes.values()])
    if (child.parent === process && child.exit) store.mapDelete(state.processes, child.pid);
  // Whoever has no parent here, or none that lives, is waited for at once.
  if (!process.parent || process.parent.exit) store.mapDelete(state.processes, process.pid);
}

const ECHILD = -10;

/** exit.c:do_wait for any child: the pid of one that is over, which is forgotten now; -ECHILD if there is none at all. */
export function* wait4(kernel: Kernel, parent: Process): KernelGenerator<number> {
  const children = (): Process[] => [...kernel.state.processes.values()].filter((child) => child.parent === parent);
  const over = (): Process | undefined => children().find(({ exit }) => exit !== undefined);
  if (children().length === 0) return ECHILD;
  if (!over())
    yield {
      kind: 'wait',
      on: {
        what: `a child of ${parent.pid} to exit`,
        ready: () => over() !== undefined || children().length === 0 || parent.mm === undefined,
        holders: () => children().map(({ pid, comm }) => `${comm} (${pid})`),
      },
    };
  const child = over();
  if (!child) return ECHILD;
  kernel.store.mapDelete(kernel.state.processes, child.pid);
  return child.pid;
}

/** signal.h:fatal_signal_pending. */
export const fatal_signal_pending = (process: Process): boolean => process.fatal_signal !== undefined;

const SIGKILL = 9;

/**
 * signal.c:get_signal, for whoever was killed while it was in the kernel: on the way back to user space it ends. Gives
 * those that did.
 */
export function* deliver_fatal_signals(kernel: Kernel): KernelGenerator<readonly Process[]> {
  const dead: Process[] = [];
  for (const process of [...kernel.state.processes.values()])
    if (fatal_signal_pending(process) && process.mm) {
      dead.push(process);
      yield* do_exit(kernel, process, SIGKILL, process.fatal_signal);
    }
  return dead;
}
