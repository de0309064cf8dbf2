/** mm/hmm.c from 5.8 on: hmm_range_fault and its form that takes the mmap lock itself. */
import type { Mm } from '../include/mm_types.ts';
import { fatal_signal_pending } from '../kernel/exit.ts';
import { down_read_killable, rwsem_is_locked, up_read } from '../kernel/locking.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { TopBitEntries } from './hmm_entries.ts';
import { FAULT_PENDING, HmmWalk, LOCK_DROPPED, RESTART } from './hmm_walk.ts';
import { type IntervalSub, mmu_interval_check_retry, mmu_interval_read_begin } from './mmu_notifier.ts';

export {
  HMM_PFN_DMA_MAPPED,
  HMM_PFN_ERROR,
  HMM_PFN_P2PDMA,
  HMM_PFN_P2PDMA_BUS,
  HMM_PFN_REQ_FAULT,
  HMM_PFN_REQ_WRITE,
  HMM_PFN_VALID,
  HMM_PFN_WRITE,
  hmm_pfn,
  hmm_pfn_to_map_order,
  hmmPfnEntry,
  hmmPfnWord,
} from './hmm_entries.ts';

const EINTR = -4;
const EFAULT = -14;
const EBUSY = -16;

/** struct hmm_range; entries are numbers, see hmm_entries.ts. */
export interface HmmRange {
  readonly notifier: IntervalSub;
  notifier_seq: number;
  /** Page numbers; the end is not included. */
  readonly start: number;
  readonly end: number;
  readonly hmm_pfns: number[];
  readonly default_flags: number;
  readonly pfn_flags_mask: number;
  readonly dev_private_owner: unknown;
}

const argsOf = ({ start, end }: HmmRange): string[] => [`${hex(start * 4096)}-${hex(end * 4096)}`];

/**
 * hmm_range_fault: 0; -EBUSY if the range was invalidated since notifier_seq was read; -EFAULT, -EPERM, -EINVAL,
 * from 7.3 -ENOMEM. The mmap lock is held by the caller.
 */
export function* hmm_range_fault(kernel: Kernel, range: HmmRange): KernelGenerator<number> {
  return yield* kernel.call('hmm_range_fault', argsOf(range), fault(kernel, range, undefined), String);
}

/** hmm_range_fault_locked. `lock`: the fault handler may drop the mmap lock, which is noted there. */
function* fault(kernel: Kernel, range: HmmRange, lock: { held: boolean } | undefined): KernelGenerator<number> {
  const { mm } = range.notifier;
  if (!rwsem_is_locked(mm.mmap_lock)) kernel.WARN(`mmap_assert_locked: nobody holds the ${mm.mmap_lock.name}`);
  const entries = new TopBitEntries(kernel, range.hmm_pfns, range.default_flags, range.pfn_flags_mask);
  const walk = new HmmWalk(kernel, mm, entries, {
    start: range.start,
    end: range.end,
    owner: range.dev_private_owner,
    allowRetry: lock !== undefined,
  });
  for (;;) {
    if (mmu_interval_check_retry(range.notifier, range.notifier_seq)) return EBUSY;
    let code = yield* walk.range(walk.last, range.end);
    if (code === FAULT_PENDING) code = yield* walk.serve();
    if (code === LOCK_DROPPED) {
      if (lock) lock.held = false;
      return EBUSY;
    }
    if (code !== RESTART) return code;
  }
}

/**
 * hmm_range_fault_unlocked_timeout (7.3): for callers that do not hold the mmap lock. `timeout` in jiffies bounds
 * the attempts after invalidations, never the service of a fault; 0: no bound.
 */
export function* hmm_range_fault_unlocked_timeout(
  kernel: Kernel,
  range: HmmRange,
  timeout: number,
): KernelGenerator<number> {
  return yield* kernel.call(
    'hmm_range_fault_unlocked_timeout',
    [...argsOf(range), String(timeout)],
    unlocked(kernel, range, timeout),
    String,
  );
}

function* unlocked(kernel: Kernel, range: HmmRange, timeout: number): KernelGenerator<number> {
  const { mm } = range.notifier;
  const lock = { held: false };
  let deadline = 0;
  for (;;) {
    // A fault that dropped the lock made progress: the time begins anew.
    if (!lock.held) deadline = kernel.state.jiffies + timeout;
    range.notifier_seq = yield* mmu_interval_read_begin(kernel, range.notifier);
    if (!(yield* down_read_killable(kernel, mm.mmap_lock, () => isDying(mm)))) return EINTR;
    // check_stable_address_space: the OOM reaper was here.
    if (mm.unstable) {
      up_read(kernel, mm.mmap_lock);
      return EFAULT;
    }
    if (timeout > 0 && kernel.state.jiffies > deadline) {
      up_read(kernel, mm.mmap_lock);
      return EBUSY;
    }
    lock.held = true;
    const result = yield* fault(kernel, range, lock);
    if (lock.held) up_read(kernel, mm.mmap_lock);
    if (result !== EBUSY) return result;
    if (!lock.held && isDying(mm)) return EINTR;
  }
}

/** fatal_signal_pending of the process behind: killed, or gone already. */
const isDying = (mm: Mm): boolean => fatal_signal_pending(mm.owner) || mm.owner.mm !== mm;
