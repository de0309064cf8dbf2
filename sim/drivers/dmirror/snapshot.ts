/** lib/test_hmm.c: HMM_DMIRROR_SNAPSHOT: what the CPU's page table holds, a byte a page, without touching anything. */
import { mmget_not_zero, mmput } from '../../kernel/fork.ts';
import { mutex_unlock } from '../../kernel/locking.ts';
import type { Kernel } from '../../machine/kernel.ts';
import { HMM_PFN_ERROR, HMM_PFN_VALID, HMM_PFN_WRITE, type HmmRange } from '../../mm/hmm.ts';
import { zero_pfn } from '../../mm/memory.ts';
import {
  type IntervalSub,
  type MmuNotifierRange,
  mmu_interval_notifier_insert,
  mmu_interval_notifier_remove,
  mmu_interval_set_seq,
} from '../../mm/mmu_notifier.ts';
import type { KernelGenerator } from '../../task/task.ts';
import { batchOf, faultUntilStable } from './access.ts';
import { type Dmirror, type DmirrorCmd, dmirror_page_to_chunk } from './dmirror.ts';
import { type DmirrorOps, lockForInvalidation } from './mirror.ts';

const EINVAL = -22;

/* lib/test_hmm_uapi.h: HMM_DMIRROR_PROT_* */
export const PROT_NONE = 0x00;
export const PROT_READ = 0x01;
export const PROT_WRITE = 0x02;
export const PROT_PMD = 0x04;
export const PROT_PUD = 0x08;
export const PROT_ZERO = 0x10;
export const PROT_DEV_PRIVATE_LOCAL = 0x20;
export const PROT_DEV_PRIVATE_REMOTE = 0x30;
export const PROT_DEV_COHERENT_LOCAL = 0x40;
export const PROT_DEV_COHERENT_REMOTE = 0x50;
export const PROT_ERROR = 0xff;

const KINDS: ReadonlyMap<number, string> = new Map([
  [PROT_ZERO, 'ZERO'],
  [PROT_DEV_PRIVATE_LOCAL, 'DEVPRIV_LOCAL'],
  [PROT_DEV_PRIVATE_REMOTE, 'DEVPRIV_REMOTE'],
  [PROT_DEV_COHERENT_LOCAL, 'DEVCOH_LOCAL'],
  [PROT_DEV_COHERENT_REMOTE, 'DEVCOH_REMOTE'],
]);

/** A byte of a snapshot in words: `DEVPRIV_LOCAL|WRITE`. */
export function protName(byte: number): string {
  if (byte === PROT_ERROR) return 'ERROR';
  if (byte === PROT_NONE) return 'NONE';
  const kind = KINDS.get(byte & 0xf0);
  const bits = [
    byte & PROT_READ ? 'READ' : '',
    byte & PROT_WRITE ? 'WRITE' : '',
    byte & PROT_PMD ? 'PMD' : '',
    byte & PROT_PUD ? 'PUD' : '',
  ];
  return [kind ?? '', ...bits].filter(Boolean).join('|');
}

/** dmirror_mkentry. */
function dmirror_mkentry(kernel: Kernel, dmirror: Dmirror, entry: number): number {
  const bits = entry & 255;
  if ((bits & HMM_PFN_ERROR) !== 0) return PROT_ERROR;
  if ((bits & HMM_PFN_VALID) === 0) return PROT_NONE;
  const pfn = Math.floor(entry / 256);
  const order = bits >> 3;
  let byte = kindByte(kernel, dmirror, pfn);
  byte |= (bits & HMM_PFN_WRITE) !== 0 ? PROT_WRITE : PROT_READ;
  if (order === 9) byte |= PROT_PMD;
  else if (order === 18) byte |= PROT_PUD;
  return byte;
}

function kindByte(kernel: Kernel, dmirror: Dmirror, pfn: number): number {
  const owner = dmirror_page_to_chunk(kernel, pfn)?.mdevice;
  if (!owner) return pfn === zero_pfn(kernel) ? PROT_ZERO : PROT_NONE;
  const isLocal = owner === dmirror.mdevice;
  if (owner.type === 'PRIVATE') return isLocal ? PROT_DEV_PRIVATE_LOCAL : PROT_DEV_PRIVATE_REMOTE;
  return isLocal ? PROT_DEV_COHERENT_LOCAL : PROT_DEV_COHERENT_REMOTE;
}

/** dmirror_snapshot_invalidate: any change of the window makes the snapshot stale; there is nothing to erase. */
function* dmirror_snapshot_invalidate(
  kernel: Kernel,
  sub: IntervalSub,
  range: MmuNotifierRange,
  cur_seq: number,
): KernelGenerator<boolean> {
  const { dmirror } = sub.ops as DmirrorOps;
  if (!(yield* lockForInvalidation(kernel, dmirror, range))) return false;
  mmu_interval_set_seq(kernel, sub, cur_seq);
  mutex_unlock(kernel, dmirror.mutex);
  return true;
}

/** dmirror_range_snapshot: one window under a notifier of its own. */
function* dmirror_range_snapshot(
  kernel: Kernel,
  dmirror: Dmirror,
  start: number,
  end: number,
  perm: number[],
): KernelGenerator<number> {
  const mm = dmirror.notifier?.mm;
  if (!mm) return EINVAL;
  const ops: DmirrorOps = { dmirror, invalidate: dmirror_snapshot_invalidate };
  const notifier = yield* mmu_interval_notifier_insert(kernel, mm, start, end, ops);
  if (typeof notifier === 'number') return notifier;
  const range: HmmRange = {
    notifier,
    notifier_seq: 0,
    start,
    end,
    hmm_pfns: new Array<number>(end - start).fill(0),
    default_flags: 0,
    pfn_flags_mask: 0,
    dev_private_owner: dmirror.mdevice.owner,
  };
  const result = yield* faultUntilStable(kernel, dmirror, range);
  if (result === 0) {
    for (const entry of range.hmm_pfns) perm.push(dmirror_mkentry(kernel, dmirror, entry));
    mutex_unlock(kernel, dmirror.mutex);
  }
  yield* mmu_interval_notifier_remove(kernel, notifier);
  return result;
}

/** HMM_DMIRROR_SNAPSHOT: the bytes, or an errno. */
export function* dmirror_snapshot(
  kernel: Kernel,
  dmirror: Dmirror,
  cmd: DmirrorCmd,
): KernelGenerator<number[] | number> {
  const mm = dmirror.notifier?.mm;
  if (!mm || !mmget_not_zero(kernel, mm)) return EINVAL;
  const end = cmd.addr + cmd.npages;
  const batch = batchOf(kernel);
  const perm: number[] = [];
  let result = 0;
  for (let vpn = cmd.addr; vpn < end && result === 0; vpn += batch) {
    result = yield* dmirror_range_snapshot(kernel, dmirror, vpn, Math.min(vpn + batch, end), perm);
    cmd.cpages = perm.length;
  }
  yield* mmput(kernel, mm);
  return result === 0 ? perm : result;
}
