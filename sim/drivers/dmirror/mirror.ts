/** lib/test_hmm.c: an open device file: the mirror of one address space, and what keeps it true. */
import type { Process } from '../../include/mm_types.ts';
import { open_device } from '../../kernel/exit.ts';
import { mutex_destroy, mutex_init, mutex_lock, mutex_trylock, mutex_unlock } from '../../kernel/locking.ts';
import type { Kernel } from '../../machine/kernel.ts';
import {
  type IntervalSub,
  MMU_NOTIFY_MIGRATE,
  type MmuNotifierRange,
  mmu_interval_notifier_insert,
  mmu_interval_notifier_remove,
  mmu_interval_set_seq,
} from '../../mm/mmu_notifier.ts';
import { removeItem } from '../../store/remove.ts';
import { UnorderedMap } from '../../store/unorderedMap.ts';
import { finished, type KernelGenerator } from '../../task/task.ts';
import { stateOf } from './backing.ts';
import { type Dmirror, type DmirrorDevice, deviceName } from './dmirror.ts';
import { dmirror_device_evict_chunk } from './to_ram.ts';

const ENOMEM = -12;
/** ULONG_MAX & PAGE_MASK bytes from address 0, in pages. */
const WHOLE_ADDRESS_SPACE = 2 ** 52 - 1;

export interface DmirrorOps {
  readonly dmirror: Dmirror;
  invalidate(kernel: Kernel, sub: IntervalSub, range: MmuNotifierRange, cur_seq: number): KernelGenerator<boolean>;
  mayInvalidateNow?(sub: IntervalSub): boolean;
  invalidateNow?(kernel: Kernel, sub: IntervalSub, range: MmuNotifierRange, cur_seq: number): void;
}

/** Takes the mirror's mutex as an invalidation may: sleeping, or not at all. */
export function* lockForInvalidation(
  kernel: Kernel,
  dmirror: Dmirror,
  range: MmuNotifierRange,
): KernelGenerator<boolean> {
  if (!range.blockable) return mutex_trylock(kernel, dmirror.mutex);
  yield* mutex_lock(kernel, dmirror.mutex);
  return true;
}

/**
 * dmirror_do_update: forgets what the device mapped of the range. The look-up takes the page frame behind the last
 * address along, too: xa_for_each_range includes its end.
 */
export function dmirror_do_update(kernel: Kernel, dmirror: Dmirror, start: number, end: number): void {
  const { pt } = dmirror;
  if (end - start < pt.size) {
    for (let vpn = start; vpn <= end; vpn++) kernel.store.mapDelete(pt, vpn);
    return;
  }
  for (const vpn of [...pt.keys()]) if (vpn >= start && vpn <= end) kernel.store.mapDelete(pt, vpn);
}

/** The device's own migrations bring its table up to date themselves. */
const isOwn = (kernel: Kernel, dmirror: Dmirror, range: MmuNotifierRange): boolean =>
  range.event === MMU_NOTIFY_MIGRATE && range.owner === dmirror.mdevice.owner && kernel.facts.notifyMigrate;

/** dmirror_interval_invalidate: the CPU's page table is about to change. */
function dmirror_interval_invalidate(
  kernel: Kernel,
  sub: IntervalSub,
  range: MmuNotifierRange,
  cur_seq: number,
): KernelGenerator<boolean> {
  const { dmirror } = sub.ops as DmirrorOps;
  return isOwn(kernel, dmirror, range) ? finished(true) : update(kernel, sub, dmirror, range, cur_seq);
}

function* update(
  kernel: Kernel,
  sub: IntervalSub,
  dmirror: Dmirror,
  range: MmuNotifierRange,
  cur_seq: number,
): KernelGenerator<boolean> {
  if (!(yield* lockForInvalidation(kernel, dmirror, range))) return false;
  mmu_interval_set_seq(kernel, sub, cur_seq);
  dmirror_do_update(kernel, dmirror, range.start, range.end);
  mutex_unlock(kernel, dmirror.mutex);
  return true;
}

const mayInvalidateNow = ({ ops }: IntervalSub): boolean => (ops as DmirrorOps).dmirror.mutex.owner === undefined;

/** The same where nobody holds the mutex. */
function invalidateNow(kernel: Kernel, sub: IntervalSub, range: MmuNotifierRange, cur_seq: number): void {
  const { dmirror } = sub.ops as DmirrorOps;
  if (isOwn(kernel, dmirror, range)) return;
  // Taken and let go again before anyone could see it.
  mmu_interval_set_seq(kernel, sub, cur_seq);
  dmirror_do_update(kernel, dmirror, range.start, range.end);
}

/** dmirror_fops_open: the mirror of the process that opens the device; or an errno. */
export function* dmirror_fops_open(
  kernel: Kernel,
  mdevice: DmirrorDevice,
  process: Process,
): KernelGenerator<Dmirror | number> {
  const { store } = kernel;
  const { mm } = process;
  if (!mm) return ENOMEM;
  const mutex = mutex_init(kernel, `the mirror of ${process.comm} (${process.pid}) on ${deviceName(mdevice.id)}`);
  const dmirror: Dmirror = {
    mdevice,
    process,
    pt: new UnorderedMap(),
    mutex,
    file: undefined,
    notifier: undefined,
    flags: 0,
  };
  const ops: DmirrorOps = { dmirror, invalidate: dmirror_interval_invalidate, mayInvalidateNow, invalidateNow };
  // From here on the module is in use (chrdev_open has its reference).
  const { mirrors } = stateOf(kernel);
  store.splice(mirrors, mirrors.length, 0, dmirror);
  const sub = yield* mmu_interval_notifier_insert(kernel, mm, 0, WHOLE_ADDRESS_SPACE, ops);
  if (typeof sub === 'number') {
    removeItem(store, mirrors, dmirror);
    mutex_destroy(kernel, mutex);
    return sub;
  }
  store.set(dmirror, 'notifier', sub);
  const release = (on: Kernel): KernelGenerator<void> => dmirror_fops_release(on, dmirror);
  store.set(dmirror, 'file', open_device(kernel, process, `/dev/${deviceName(mdevice.id)}`, release));
  return dmirror;
}

/** dmirror_fops_release: the last reference of the file. What is on the device is brought home. */
function* dmirror_fops_release(kernel: Kernel, dmirror: Dmirror): KernelGenerator<void> {
  const { store } = kernel;
  if (dmirror.notifier) yield* mmu_interval_notifier_remove(kernel, dmirror.notifier);
  store.set(dmirror, 'notifier', undefined);
  if (kernel.facts.dmirrorEvictsOnClose)
    for (const chunk of [...dmirror.mdevice.chunks]) yield* dmirror_device_evict_chunk(kernel, chunk);
  for (const vpn of [...dmirror.pt.keys()]) store.mapDelete(dmirror.pt, vpn);
  mutex_destroy(kernel, dmirror.mutex);
  // Until now the module was in use.
  removeItem(store, stateOf(kernel).mirrors, dmirror);
}
