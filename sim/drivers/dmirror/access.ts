/** lib/test_hmm.c: the device reads and writes memory of a process through its own page table, and faults. */
import type { PageData } from '../../include/mm_types.ts';
import { mmget_not_zero, mmput } from '../../kernel/fork.ts';
import { down_read, mutex_lock, mutex_unlock, up_read } from '../../kernel/locking.ts';
import type { Kernel } from '../../machine/kernel.ts';
import { pageData, setPageData } from '../../mm/contents.ts';
import {
  HMM_PFN_ERROR,
  HMM_PFN_REQ_FAULT,
  HMM_PFN_REQ_WRITE,
  HMM_PFN_VALID,
  HMM_PFN_WRITE,
  type HmmRange,
  hmm_range_fault,
  hmm_range_fault_unlocked_timeout,
} from '../../mm/hmm.ts';
import { type IntervalSub, mmu_interval_read_begin, mmu_interval_read_retry } from '../../mm/mmu_notifier.ts';
import type { KernelGenerator } from '../../task/task.ts';
import { backingPage } from './backing.ts';
import {
  type Dmirror,
  type DmirrorCmd,
  DPT_XA_TAG_NONE,
  DPT_XA_TAG_WRITE,
  dptEntry,
  dptPfn,
  dptTag,
  TIMEOUT_JIFFIES,
} from './dmirror.ts';

const ENOENT = -2;
const EBUSY = -16;
const EFAULT = -14;

/** Entries that one hmm_range_fault call is asked for: what fits on the kernel's stack. */
export const batchOf = (kernel: Kernel): number => (kernel.facts.devicePrivateThp ? 32 : 64);

/** dmirror_do_fault: what the CPU's page table says goes into the device's. */
function dmirror_do_fault(kernel: Kernel, dmirror: Dmirror, range: HmmRange): number {
  for (let i = 0; i < range.end - range.start; i++) {
    const entry = range.hmm_pfns[i] ?? 0;
    const bits = entry & 255;
    if ((bits & HMM_PFN_ERROR) !== 0 || (bits & HMM_PFN_VALID) === 0)
      kernel.WARN('dmirror_do_fault: hmm_range_fault succeeded without a page');
    const write = (bits & HMM_PFN_WRITE) !== 0;
    if (!write && (range.default_flags & HMM_PFN_REQ_WRITE) !== 0) {
      kernel.WARN('dmirror_do_fault: write access was asked for and is not there');
      return EFAULT;
    }
    // The kernel keeps the device page itself, and could not look into a private one; its memory is meant.
    const pfn = backingPage(kernel, Math.floor(entry / 256));
    kernel.store.mapSet(dmirror.pt, range.start + i, dptEntry(pfn, write ? DPT_XA_TAG_WRITE : DPT_XA_TAG_NONE));
  }
  return 0;
}

/** The notifier of an open mirror. */
const notifierOf = (dmirror: Dmirror): IntervalSub => {
  if (!dmirror.notifier) throw new Error('the mirror is closed');
  return dmirror.notifier;
};

/**
 * The loop of hmm.rst: fault, take the device's lock, see whether it still holds. 0 with the mutex held, or an
 * errno without. A further attempt takes a jiffy.
 */
export function* faultUntilStable(
  kernel: Kernel,
  dmirror: Dmirror,
  range: HmmRange,
  unlocked = false,
): KernelGenerator<number> {
  const { state, store } = kernel;
  const timeout = state.jiffies + TIMEOUT_JIFFIES;
  for (let attempt = 0; ; attempt++) {
    if (attempt > 0) store.set(state, 'jiffies', state.jiffies + 1);
    if (state.jiffies > timeout) return EBUSY;
    const result = yield* unlocked ? hmm_range_fault_unlocked_timeout(kernel, range, 0) : faultLocked(kernel, range);
    if (result === EBUSY) continue;
    if (result !== 0) return result;
    yield* mutex_lock(kernel, dmirror.mutex);
    if (!mmu_interval_read_retry(range.notifier, range.notifier_seq)) return 0;
    mutex_unlock(kernel, dmirror.mutex);
  }
}

function* faultLocked(kernel: Kernel, range: HmmRange): KernelGenerator<number> {
  const { mm } = range.notifier;
  range.notifier_seq = yield* mmu_interval_read_begin(kernel, range.notifier);
  yield* down_read(kernel, mm.mmap_lock);
  const result = yield* hmm_range_fault(kernel, range);
  up_read(kernel, mm.mmap_lock);
  return result;
}

/** dmirror_fault: pages [start, end) come into the device's page table. */
function* dmirror_fault(
  kernel: Kernel,
  dmirror: Dmirror,
  start: number,
  end: number,
  write: boolean,
  unlocked: boolean,
): KernelGenerator<number> {
  const notifier = notifierOf(dmirror);
  const { mm } = notifier;
  if (!mmget_not_zero(kernel, mm)) return EFAULT;
  const batch = batchOf(kernel);
  let result = 0;
  for (let vpn = start; vpn < end && result === 0; vpn += batch) {
    const next = Math.min(vpn + batch, end);
    const range: HmmRange = {
      notifier,
      notifier_seq: 0,
      start: vpn,
      end: next,
      hmm_pfns: new Array<number>(next - vpn).fill(0),
      default_flags: HMM_PFN_REQ_FAULT | (write ? HMM_PFN_REQ_WRITE : 0),
      pfn_flags_mask: 0,
      dev_private_owner: dmirror.mdevice.owner,
    };
    result = yield* faultUntilStable(kernel, dmirror, range, unlocked);
    if (result !== 0) break;
    result = dmirror_do_fault(kernel, dmirror, range);
    mutex_unlock(kernel, dmirror.mutex);
  }
  yield* mmput(kernel, mm);
  return result;
}

/** dmirror_do_read: from `start`, as far as the device's table goes; what is read is appended. -ENOENT: it ends early. */
export function dmirror_do_read(
  kernel: Kernel,
  dmirror: Dmirror,
  start: number,
  end: number,
  data: PageData[],
): number {
  for (let vpn = start; vpn < end; vpn++) {
    const entry = dmirror.pt.get(vpn);
    if (entry === undefined) return ENOENT;
    data.push(pageData(kernel, dptPfn(entry)));
  }
  return 0;
}

/** HMM_DMIRROR_READ: what the device read, or an errno. */
export function* dmirror_read(
  kernel: Kernel,
  dmirror: Dmirror,
  cmd: DmirrorCmd,
  unlocked = false,
): KernelGenerator<PageData[] | number> {
  const end = cmd.addr + cmd.npages;
  const data: PageData[] = [];
  for (;;) {
    yield* mutex_lock(kernel, dmirror.mutex);
    const result = dmirror_do_read(kernel, dmirror, cmd.addr + data.length, end, data);
    mutex_unlock(kernel, dmirror.mutex);
    cmd.cpages = data.length;
    if (result !== ENOENT) return data;
    const error = yield* dmirror_fault(kernel, dmirror, cmd.addr + data.length, end, false, unlocked);
    if (error !== 0) return error;
    cmd.faults++;
  }
}

/** dmirror_do_write: from `start`, as far as the table allows writing. Gives where it ended. */
function dmirror_do_write(
  kernel: Kernel,
  dmirror: Dmirror,
  cmd: DmirrorCmd,
  start: number,
  data: (page: number) => PageData,
): number {
  const end = cmd.addr + cmd.npages;
  for (let vpn = start; vpn < end; vpn++) {
    const entry = dmirror.pt.get(vpn);
    if (entry === undefined || dptTag(entry) !== DPT_XA_TAG_WRITE) return vpn;
    setPageData(kernel, dptPfn(entry), data(vpn - cmd.addr));
  }
  return end;
}

/** HMM_DMIRROR_WRITE: 0 or an errno. `data` is the buffer, page by page. */
export function* dmirror_write(
  kernel: Kernel,
  dmirror: Dmirror,
  cmd: DmirrorCmd,
  data: (page: number) => PageData,
): KernelGenerator<number> {
  const end = cmd.addr + cmd.npages;
  let vpn = cmd.addr;
  for (;;) {
    yield* mutex_lock(kernel, dmirror.mutex);
    vpn = dmirror_do_write(kernel, dmirror, cmd, vpn, data);
    mutex_unlock(kernel, dmirror.mutex);
    cmd.cpages = vpn - cmd.addr;
    if (vpn === end) return 0;
    const error = yield* dmirror_fault(kernel, dmirror, vpn, end, true, false);
    if (error !== 0) return error;
    cmd.faults++;
  }
}
