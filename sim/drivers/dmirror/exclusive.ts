/** lib/test_hmm.c: HMM_DMIRROR_EXCLUSIVE and HMM_DMIRROR_CHECK_EXCLUSIVE (5.14): pages only the device may touch. */
import type { Mm, PageData } from '../../include/mm_types.ts';
import { mmget_not_zero, mmput } from '../../kernel/fork.ts';
import { down_read, folio_unlock, mutex_lock, mutex_unlock, up_read } from '../../kernel/locking.ts';
import type { Kernel } from '../../machine/kernel.ts';
import { folio_put, folioHead } from '../../mm/folio.ts';
import { make_device_exclusive, make_device_exclusive_range } from '../../mm/make_device_exclusive.ts';
import type { KernelGenerator } from '../../task/task.ts';
import { type Dmirror, type DmirrorCmd, DPT_XA_TAG_ATOMIC, dptEntry, dptTag } from './dmirror.ts';
import { readBack } from './migrate.ts';

const EPERM = -1;
const EBUSY = -16;
const EINVAL = -22;
const BATCH = 64;

/** dmirror_atomic_map. */
function* dmirror_atomic_map(
  kernel: Kernel,
  dmirror: Dmirror,
  start: number,
  pages: readonly number[],
): KernelGenerator<number> {
  let mapped = 0;
  yield* mutex_lock(kernel, dmirror.mutex);
  for (const [i, pfn] of pages.entries()) {
    if (pfn < 0) continue;
    kernel.store.mapSet(dmirror.pt, start + i, dptEntry(pfn, DPT_XA_TAG_ATOMIC));
    mapped++;
  }
  mutex_unlock(kernel, dmirror.mutex);
  return mapped;
}

/** To 6.14: 64 pages at a time; all of them or -EBUSY, those already taken stay. */
function* byRange(kernel: Kernel, dmirror: Dmirror, mm: Mm, cmd: DmirrorCmd): KernelGenerator<number> {
  const end = cmd.addr + cmd.npages;
  for (let vpn = cmd.addr; vpn < end; vpn += BATCH) {
    const next = Math.min(end, vpn + BATCH);
    const pages: number[] = [];
    const count = yield* make_device_exclusive_range(kernel, mm, vpn, next, pages, undefined);
    const mapped = count === next - vpn ? yield* dmirror_atomic_map(kernel, dmirror, vpn, pages) : 0;
    for (const pfn of pages.slice(0, Math.max(count, 0)))
      if (pfn >= 0) {
        folio_unlock(kernel, pfn);
        yield* folio_put(kernel, pfn);
      }
    if (mapped < next - vpn) return EBUSY;
  }
  return 0;
}

/** From 6.15: page by page, with the error of the first that refuses. */
function* byPage(kernel: Kernel, dmirror: Dmirror, mm: Mm, cmd: DmirrorCmd): KernelGenerator<number> {
  for (let vpn = cmd.addr; vpn < cmd.addr + cmd.npages; vpn++) {
    const pfn = yield* make_device_exclusive(kernel, mm, vpn, undefined);
    if (pfn < 0) return pfn;
    yield* dmirror_atomic_map(kernel, dmirror, vpn, [pfn]);
    const head = folioHead(kernel, pfn);
    folio_unlock(kernel, head);
    yield* folio_put(kernel, head);
  }
  return 0;
}

/** HMM_DMIRROR_EXCLUSIVE: what the device reads there, or an errno. */
export function* dmirror_exclusive(
  kernel: Kernel,
  dmirror: Dmirror,
  cmd: DmirrorCmd,
): KernelGenerator<PageData[] | number> {
  const mm = dmirror.notifier?.mm;
  if (!mm || !mmget_not_zero(kernel, mm)) return EINVAL;
  yield* down_read(kernel, mm.mmap_lock);
  const take = kernel.facts.makeDeviceExclusiveOnePage ? byPage : byRange;
  const result = yield* take(kernel, dmirror, mm, cmd);
  up_read(kernel, mm.mmap_lock);
  yield* mmput(kernel, mm);
  return result === 0 ? yield* readBack(kernel, dmirror, cmd) : result;
}

/** HMM_DMIRROR_CHECK_EXCLUSIVE (dmirror_check_atomic): -EPERM while a page of the range is still the device's alone. */
export function dmirror_check_atomic(dmirror: Dmirror, cmd: DmirrorCmd): number {
  for (let vpn = cmd.addr; vpn < cmd.addr + cmd.npages; vpn++) {
    const entry = dmirror.pt.get(vpn);
    if (entry !== undefined && dptTag(entry) === DPT_XA_TAG_ATOMIC) return EPERM;
  }
  return 0;
}
