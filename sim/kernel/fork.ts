/** kernel/fork.c and kernel/exit.c: processes and their address spaces come and go. */
import type { Mm, Process } from '../include/mm_types.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import { mem_cgroup } from '../mm/memcontrol.ts';
import { exit_mmap } from '../mm/mmap.ts';
import { mmu_notifier_release } from '../mm/mmu_notifier.ts';
import type { KernelGenerator } from '../task/task.ts';
import { rwsem } from './locking.ts';
import { mmdrop } from './mm_count.ts';

export { mmdrop, mmgrab } from './mm_count.ts';

/** fork.c:mm_alloc. */
export function mm_alloc(kernel: Kernel, owner: Process, memcg = mem_cgroup(kernel, '/')): Mm {
  const { state, store } = kernel;
  const mm: Mm = {
    id: state.nextMm,
    owner,
    mm_users: 1,
    mm_count: 1,
    mmap_lock: rwsem(`mmap_lock of ${owner.comm} (${owner.pid})`),
    vmas: [],
    pmds: new Map(),
    upper: new Map(),
    rss: [0, 0, 0, 0],
    pgtables_bytes: 0,
    total_vm: 0,
    locked_vm: 0,
    pinned_vm: 0,
    memcg,
    notifier_subscriptions: undefined,
    hmm: undefined,
  };
  store.set(state, 'nextMm', state.nextMm + 1);
  store.mapSet(state.mms, mm.id, mm);
  return mm;
}

/** A process out of nothing, as the first one of a program: `proc new`. */
export function newProcess(kernel: Kernel, comm: string, parent?: Process): Process {
  const { state, store } = kernel;
  const process: Process = { pid: state.nextPid, comm, parent, mm: undefined, exit: undefined };
  store.set(state, 'nextPid', state.nextPid + 1);
  store.mapSet(state.processes, process.pid, process);
  return process;
}

/** sched/mm.h:mmget_not_zero: false if the process is exiting. */
export function mmget_not_zero(kernel: Kernel, mm: Mm): boolean {
  if (mm.mm_users === 0) return false;
  kernel.store.set(mm, 'mm_users', mm.mm_users + 1);
  return true;
}

/** fork.c:mmput: the last user takes the address space down. */
export function* mmput(kernel: Kernel, mm: Mm): KernelGenerator<void> {
  if (mm.mm_users === 0) {
    kernel.WARN(`mmput: mm ${hex(mm.id)} has no users`);
    return;
  }
  kernel.store.set(mm, 'mm_users', mm.mm_users - 1);
  if (mm.mm_users > 0) return;
  yield* mmu_notifier_release(kernel, mm);
  yield* exit_mmap(kernel, mm);
  mmdrop(kernel, mm);
}
