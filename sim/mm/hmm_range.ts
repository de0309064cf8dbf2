/** mm/hmm.c, 5.2 to 5.7: ranges that are registered with the mm (to 5.4), and hmm_range_fault that counts pages. */
import { type Mm, VM_HUGETLB, VM_IO, VM_MIXEDMAP, VM_PFNMAP, VM_READ, type Vma } from '../include/mm_types.ts';
import { mmget_not_zero, mmput } from '../kernel/fork.ts';
import { rwsem_is_locked, up_read } from '../kernel/locking.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import { removeItem } from '../store/remove.ts';
import type { KernelGenerator } from '../task/task.ts';
import { DriverEntries, type DriverFormat, type HmmEntries, type PfnWords } from './hmm_entries.ts';
import {
  type HmmMirror,
  hmm_get_or_create,
  hmm_put,
  type OldHmmRange,
  type StructHmm,
  setValid,
} from './hmm_struct.ts';
import { DEAD_PAGEMAP, HmmWalk, LOCK_DROPPED, RESTART } from './hmm_walk.ts';
import { find_vma } from './mmap.ts';
import { type IntervalSub, mmu_interval_check_retry } from './mmu_notifier.ts';
import { subscriptionsOf } from './mmu_notifier_state.ts';

const EPERM = -1;
const EAGAIN = -11;
const EFAULT = -14;
const EBUSY = -16;
const EINVAL = -22;
const PAGE_SHIFT = 12;
const DEVICE_VMA = VM_IO | VM_PFNMAP | VM_MIXEDMAP;
/** HZ of the machine: jiffies a second. */
export const HZ = 250;

const argsOf = ({ start, end }: { start: number; end: number }): string[] => [
  `${hex(start * 4096)}-${hex(end * 4096)}`,
];

/** hmm_range_register. `of`: the mm in 5.2, a mirror in 5.3 and 5.4. The range becomes valid if nothing is being invalidated. */
export function hmm_range_register(kernel: Kernel, range: OldHmmRange, of: Mm | HmmMirror): number {
  const { store } = kernel;
  setValid(kernel, range, false);
  store.set(range, 'hmm', undefined);
  const pages = 2 ** (range.page_shift - PAGE_SHIFT);
  if (range.start % pages !== 0 || range.end % pages !== 0 || range.start >= range.end) return EINVAL;
  let hmm: StructHmm | undefined;
  if ('mmap_lock' in of) {
    hmm = hmm_get_or_create(kernel, of);
    if (!hmm) return EFAULT;
    if (hmm.dead || !hmm.mm) {
      hmm_put(kernel, hmm);
      return EFAULT;
    }
  } else {
    hmm = of.hmm;
    if (!hmm?.mm || !mmget_not_zero(kernel, hmm.mm)) return EFAULT;
    if (!kernel.facts.hmmMirrorGet) store.set(hmm, 'refs', hmm.refs + 1);
  }
  store.set(range, 'hmm', hmm);
  store.splice(hmm.ranges, 0, 0, range);
  if (hmm.notifiers === 0) setValid(kernel, range, true);
  return 0;
}

/** hmm_range_unregister. From 5.3 on the last user of the mm may be this one. */
export function* hmm_range_unregister(kernel: Kernel, range: OldHmmRange): KernelGenerator<void> {
  const { hmm } = range;
  if (!hmm) {
    if (kernel.facts.hmmRangeLockKept) kernel.WARN('hmm_range_unregister: this range is not registered');
    return;
  }
  removeItem(kernel.store, hmm.ranges, range);
  setValid(kernel, range, false);
  kernel.store.set(range, 'hmm', undefined);
  const { mm } = hmm;
  if (kernel.facts.hmmRangeLockKept && mm) yield* mmput(kernel, mm);
  if (!kernel.facts.hmmMirrorGet) hmm_put(kernel, hmm);
}

/** hmm_range_wait_until_valid: sleeps until nothing is being invalidated, or so many milliseconds. Not with mmap_sem held. */
export function* hmm_range_wait_until_valid(kernel: Kernel, range: OldHmmRange, ms: number): KernelGenerator<boolean> {
  const { hmm } = range;
  if (!hmm || hmm.dead || !hmm.mm) {
    setValid(kernel, range, false);
    return false;
  }
  const { mm } = hmm;
  const deadline = kernel.state.jiffies + Math.ceil((ms * HZ) / 1000);
  if (!range.valid)
    yield {
      kind: 'wait',
      on: {
        what: `the range ${argsOf(range)[0]} to be valid`,
        ready: () => range.valid || hmm.dead || kernel.state.jiffies >= deadline,
        holders: () => runningOf(mm).map(({ label }) => label),
        holderTasks: () => runningOf(mm).map(({ id }) => id),
        until: deadline,
      },
    };
  return range.valid;
}

const runningOf = (mm: Mm) => subscriptionsOf(mm)?.active.map(({ task }) => task) ?? [];

/* ---- snapshot and fault ---- */

export interface FaultFlags {
  /** HMM_FAULT_SNAPSHOT (5.4 to 5.6), hmm_range_snapshot (5.2, 5.3). */
  readonly snapshot: boolean;
  /** The handler may drop mmap_sem: always in 5.2, `!block` in 5.3, HMM_FAULT_ALLOW_RETRY later. */
  readonly allowRetry: boolean;
}

/** Where a walk of one VMA may not go: an errno, or 0. */
function refused(range: OldHmmRange, vma: Vma | undefined, entries: HmmEntries): number {
  if (!vma || (vma.flags & DEVICE_VMA) !== 0) return EFAULT;
  const isHuge = (vma.flags & VM_HUGETLB) !== 0;
  if (range.page_shift !== PAGE_SHIFT && !(isHuge && range.page_shift === PAGE_SHIFT + 9)) return EINVAL;
  if ((vma.flags & VM_READ) !== 0) return 0;
  for (let i = 0; i < entryCount(range); i++) entries.none(i);
  return EPERM;
}

const perEntry = (range: OldHmmRange): number => 2 ** (range.page_shift - PAGE_SHIFT);
const entryCount = (range: OldHmmRange): number => (range.end - range.start) / perEntry(range);

/** hmm_range_snapshot (5.2, 5.3) and hmm_range_fault (5.2 to 5.4): pages passed, or an errno. mmap_sem is held for reading. */
export function* hmm_registered_fault(kernel: Kernel, range: OldHmmRange, flags: FaultFlags): KernelGenerator<number> {
  const name = flags.snapshot && !kernel.facts.hmmFaultFlags ? 'hmm_range_snapshot' : 'hmm_range_fault';
  return yield* kernel.call(name, argsOf(range), registeredFault(kernel, range, flags), String);
}

function* registeredFault(kernel: Kernel, range: OldHmmRange, flags: FaultFlags): KernelGenerator<number> {
  const { hmm, format } = range;
  const mm = hmm?.mm;
  if (!hmm || !mm || !format || hmm.dead) return EFAULT;
  const entries = new DriverEntries(kernel, range.pfns, format, flags.snapshot);
  const walk = new HmmWalk(kernel, mm, entries, {
    start: range.start,
    end: range.end,
    allowRetry: flags.allowRetry,
    pagesPerEntry: perEntry(range),
  });
  const ignoresWalk = flags.snapshot && !kernel.facts.hmmFaultFlags;
  for (let start = range.start; start < range.end; ) {
    if (!range.valid) return notValid(kernel, mm, flags);
    const vma = find_vma(mm, start);
    const error = refused(range, vma, entries);
    if (error !== 0 || !vma) return error;
    const end = Math.min(range.end, vma.end);
    walk.last = start;
    // 5.4 walks once more than it needs; what this first walk says is thrown away.
    if (kernel.facts.hmmFaultFlags) yield* walk.range(start, end);
    let code: number;
    do {
      code = yield* walk.range(start, end);
      start = walk.last;
      if (code === DEAD_PAGEMAP && !ignoresWalk) yield spins(range);
    } while (!ignoresWalk && (code === RESTART || code === DEAD_PAGEMAP) && range.valid);
    if (code !== 0 && !ignoresWalk) {
      for (let i = Math.floor((walk.last - range.start) / perEntry(range)); i < entryCount(range); i++) entries.none(i);
      if (code === LOCK_DROPPED) return EAGAIN;
      return code > 0 ? EBUSY : code;
    }
    start = end;
  }
  return walk.last - range.start;
}

/** The kernel tries again and again while the range is valid. */
const spins = (range: OldHmmRange) =>
  ({
    kind: 'wait',
    on: {
      what: 'a pagemap that is going away to be gone, which hmm_range_fault tries over and over',
      ready: () => !range.valid,
      holders: () => ['nobody: the kernel loops until the range is invalidated'],
    },
  }) as const;

function notValid(kernel: Kernel, mm: Mm, flags: FaultFlags): number {
  if (kernel.facts.hmmRangeLockKept) return EBUSY;
  // 5.2: the fault, unlike the snapshot, gives the lock up.
  if (!flags.snapshot) up_read(kernel, mm.mmap_lock);
  return EAGAIN;
}

/** struct hmm_range of 5.5 to 5.7. */
export interface NotifierRange {
  readonly notifier: IntervalSub;
  readonly notifier_seq: number;
  readonly start: number;
  readonly end: number;
  readonly pfns: PfnWords;
  readonly format: DriverFormat;
  /** 5.7. */
  readonly dev_private_owner: unknown;
}

/** hmm_range_fault of 5.5 to 5.7: pages passed, or an errno. The mmap lock is held for reading. */
export function* hmm_notifier_fault(kernel: Kernel, range: NotifierRange, flags: FaultFlags): KernelGenerator<number> {
  return yield* kernel.call('hmm_range_fault', argsOf(range), notifierFault(kernel, range, flags), String);
}

function* notifierFault(kernel: Kernel, range: NotifierRange, flags: FaultFlags): KernelGenerator<number> {
  const { mm } = range.notifier;
  if (!rwsem_is_locked(mm.mmap_lock)) kernel.WARN(`lockdep_assert_held: nobody holds the ${mm.mmap_lock.name}`);
  const entries = new DriverEntries(kernel, range.pfns, range.format, flags.snapshot);
  const walk = new HmmWalk(kernel, mm, entries, {
    start: range.start,
    end: range.end,
    owner: range.dev_private_owner,
    allowRetry: flags.allowRetry,
  });
  for (;;) {
    if (mmu_interval_check_retry(range.notifier, range.notifier_seq)) return EBUSY;
    const code = yield* walk.range(walk.last, range.end);
    if (code === 0) return walk.last - range.start;
    if (code === LOCK_DROPPED) return EAGAIN;
    if (code === DEAD_PAGEMAP) yield spinsOn(range);
    else if (code !== RESTART) return code;
  }
}

const spinsOn = ({ notifier, notifier_seq }: NotifierRange) =>
  ({
    kind: 'wait',
    on: {
      what: 'a pagemap that is going away to be gone, which hmm_range_fault tries over and over',
      ready: () => mmu_interval_check_retry(notifier, notifier_seq),
      holders: () => ['nobody: the kernel loops until the range is invalidated'],
    },
  }) as const;
