/** kernel/fork.c: processes and their address spaces, and who keeps one alive. */
import { type Mm, type Process, VM_ACCOUNT, VM_DONTCOPY, VM_LOCKED, VM_UFFD_MISSING } from '../include/mm_types.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import { mem_cgroup } from '../mm/memcontrol.ts';
import { copy_page_range } from '../mm/memory_copy.ts';
import { exit_mmap, vm_enough_memory } from '../mm/mmap.ts';
import { mmu_notifier_release } from '../mm/mmu_notifier.ts';
import { anon_vma_fork } from '../mm/rmap.ts';
import { vma_pages } from '../mm/vma.ts';
import { vm_area_dup, vma_link } from '../mm/vma_merge.ts';
import { UnorderedMap } from '../store/unorderedMap.ts';
import type { KernelGenerator } from '../task/task.ts';
import { down_write, rwsem, up_write } from './locking.ts';
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
    callers: [],
    vmas: [],
    pmds: new UnorderedMap(),
    upper: new Map(),
    rss: [0, 0, 0, 0],
    pgtables_bytes: 0,
    total_vm: 0,
    locked_vm: 0,
    pinned_vm: 0,
    hiwater_rss: 0,
    hiwater_vm: 0,
    unstable: false,
    memcg,
    notifier_subscriptions: undefined,
    hmm: undefined,
  };
  store.set(state, 'nextMm', state.nextMm + 1);
  store.mapSet(state.mms, mm.id, mm);
  return mm;
}

const EAGAIN = -11;
const ENOMEM = -12;
/** RLIMIT_NPROC of these machines. */
const MAX_PROCESSES = 1024;

/** Its number is its own from now on: others may be made while this one sleeps. */
function task_struct({ state, store }: Kernel, comm: string, parent: Process | undefined): Process {
  const pid = state.nextPid;
  store.set(state, 'nextPid', pid + 1);
  return {
    pid,
    comm,
    parent,
    mm: undefined,
    fds: [],
    exit: undefined,
    oom_score_adj: parent?.oom_score_adj ?? 0,
    fatal_signal: undefined,
  };
}

/** A process that did not come about: its number is the next one again, if nobody has got one since. */
function forget_task({ state, store }: Kernel, { pid }: Process): void {
  if (state.nextPid === pid + 1) store.set(state, 'nextPid', pid);
}

const isFull = (kernel: Kernel): boolean => kernel.state.processes.size >= MAX_PROCESSES;

function publish(kernel: Kernel, process: Process, mm: Mm): void {
  const { state, store } = kernel;
  store.set(process, 'mm', mm);
  store.mapSet(state.processes, process.pid, process);
}

/** A process out of nothing, as the first one of a program: `proc new`. -EAGAIN: there are too many. */
export function newProcess(kernel: Kernel, comm: string, memcg = '/'): Process | number {
  if (isFull(kernel)) return EAGAIN;
  const process = task_struct(kernel, comm, undefined);
  publish(kernel, process, mm_alloc(kernel, process, mem_cgroup(kernel, memcg)));
  return process;
}

/** fork.c:kernel_clone without CLONE_VM: the child, or an errno. */
export function* fork(kernel: Kernel, parent: Process): KernelGenerator<Process | number> {
  return yield* kernel.call('kernel_clone', [`pid ${parent.pid}`], copy_process(kernel, parent), (child) =>
    String(typeof child === 'number' ? child : child.pid),
  );
}

function* copy_process(kernel: Kernel, parent: Process): KernelGenerator<Process | number> {
  const old = parent.mm;
  if (isFull(kernel) || !old) return EAGAIN;
  const child = task_struct(kernel, parent.comm, parent);
  const mm = mm_alloc(kernel, child, old.memcg);
  const error = yield* kernel.call('dup_mmap', [hex(mm.id), hex(old.id)], dup_mmap(kernel, mm, old), String);
  if (error !== 0) {
    yield* mmput(kernel, mm);
    forget_task(kernel, child);
    return error;
  }
  // copy_files: the descriptors are the same files.
  for (const file of parent.fds) {
    kernel.store.set(file, 'f_count', file.f_count + 1);
    kernel.store.splice(child.fds, child.fds.length, 0, file);
  }
  publish(kernel, child, mm);
  return child;
}

/** fork.c:dup_mmap (mm/mmap.c from 6.16): every VMA and what it maps, under the locks of both. */
function* dup_mmap(kernel: Kernel, mm: Mm, old: Mm): KernelGenerator<number> {
  const { store } = kernel;
  yield* down_write(kernel, old.mmap_lock);
  yield* down_write(kernel, mm.mmap_lock);
  let error = 0;
  for (const vma of [...old.vmas]) {
    if ((vma.flags & VM_DONTCOPY) !== 0) continue;
    if ((vma.flags & VM_ACCOUNT) !== 0 && !vm_enough_memory(kernel, vma_pages(vma))) {
      error = ENOMEM;
      break;
    }
    const copy = vm_area_dup(vma, mm);
    // dup_userfaultfd: the handler is the parent's.
    copy.flags &= ~(VM_LOCKED | VM_UFFD_MISSING);
    anon_vma_fork(kernel, copy, vma);
    vma_link(kernel, copy);
    store.set(mm, 'total_vm', mm.total_vm + vma_pages(copy));
    error = yield* copy_page_range(kernel, copy, vma);
    if (error !== 0) break;
  }
  up_write(kernel, mm.mmap_lock);
  up_write(kernel, old.mmap_lock);
  return error;
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
  kernel.store.mapDelete(kernel.state.uffd, mm.id);
  mmdrop(kernel, mm);
}
