/**
 * mm/hmm.c, 4.14 to 5.4: struct hmm, one per mm, with its mirrors and ranges, and the notifier that tells both
 * of changes: what is invalidated when, by release.
 */
import { type CStruct, NULL, objectPointer } from '../c/value.ts';
import type { Mm, Vma } from '../include/mm_types.ts';
import { mmdrop, mmgrab } from '../kernel/mm_count.ts';
import { should_fail } from '../lib/fault-inject.ts';
import type { Kernel } from '../machine/kernel.ts';
import { removeItem } from '../store/remove.ts';
import type { KernelGenerator } from '../task/task.ts';
import { hmmStruct } from './cviews.ts';
import type { DriverFormat, PfnWords } from './hmm_entries.ts';
import {
  __mmu_notifier_register,
  mmu_notifier_get_locked,
  mmu_notifier_put,
  mmu_notifier_unregister_no_release,
} from './mmu_notifier_list.ts';
import {
  type ListNotifier,
  type ListNotifierOps,
  type MmuNotifierRange,
  newListNotifier,
} from './mmu_notifier_state.ts';

const EAGAIN = -11;
const EINVAL = -22;
const ENOMEM = -12;

/** struct hmm_mirror_ops. */
export interface MirrorOps {
  /** 0, or -EAGAIN if it would have to sleep and may not. To 4.19 nobody looks at it. */
  sync_cpu_device_pagetables(kernel: Kernel, mirror: HmmMirror, update: MmuNotifierRange): KernelGenerator<number>;
  /** 4.17 on, optional. */
  release?(kernel: Kernel, mirror: HmmMirror): KernelGenerator<void>;
}

/** struct hmm_mirror. */
export interface HmmMirror {
  hmm: StructHmm | undefined;
  readonly ops: MirrorOps | undefined;
  /** The struct of a driver in C. */
  readonly c: CStruct | undefined;
}

/** struct hmm_range of 4.14 to 5.4 while it is watched. */
export interface OldHmmRange {
  /** Page numbers; the end is not included. */
  start: number;
  end: number;
  readonly pfns: PfnWords;
  /** 4.17 on: what the driver says of its entries. */
  readonly format: DriverFormat | undefined;
  /** 4.17 to 5.1: the VMA; before it is an argument. */
  readonly vma: Vma | undefined;
  hmm: StructHmm | undefined;
  valid: boolean;
  /** Log2 of the bytes an entry stands for (5.2, 5.3). */
  page_shift: number;
  readonly c: CStruct | undefined;
}

export interface StructHmm {
  /** 4.17 to 5.0 undefined from the first hmm_mirror_unregister on; 5.2 when the mm is gone. */
  mm: Mm | undefined;
  /** Newest first. */
  readonly mirrors: HmmMirror[];
  /** Registered and not yet unregistered; an exit takes them off `mirrors` in some releases. */
  readonly registered: HmmMirror[];
  readonly ranges: OldHmmRange[];
  /** Invalidations that are running (5.2 on). */
  notifiers: number;
  /** 5.2: the process is exiting. */
  dead: boolean;
  /** kref (5.2, 5.3). */
  refs: number;
  readonly notifier: ListNotifier;
}

/** mm->hmm; 5.4 finds it through the notifier. */
export const structHmmOf = (mm: Mm): StructHmm | undefined => mm.hmm as StructHmm | undefined;

/** range->valid, in C too. */
export function setValid(kernel: Kernel, range: OldHmmRange, valid: boolean): void {
  kernel.store.set(range, 'valid', valid);
  if (range.c) kernel.store.set(range.c, 'valid', valid ? 1n : 0n);
}

/** The update ends at the address behind it, yet a range that begins right there counts as hit: so in all releases. */
const isHit = (range: OldHmmRange, update: MmuNotifierRange): boolean =>
  !(update.end < range.start || update.start >= range.end);

/** To 5.0 the entries hit are cleared, whatever the driver calls none. */
function invalidateRanges(kernel: Kernel, hmm: StructHmm, update: MmuNotifierRange): void {
  const clears = !kernel.facts.hmmRangeFault;
  for (const range of hmm.ranges) {
    if (!isHit(range, update)) continue;
    setValid(kernel, range, false);
    if (!clears) continue;
    const { words, first } = range.pfns;
    const start = Math.max(update.start, range.start);
    const end = Math.min(update.end, range.end);
    for (let vpn = start; vpn < end; vpn++) kernel.store.set(words, first + vpn - range.start, 0n);
  }
}

/** The callback of each mirror; an answer that aborts the walk, or 0. */
function* sync(kernel: Kernel, hmm: StructHmm, update: MmuNotifierRange): KernelGenerator<number> {
  for (const mirror of [...hmm.mirrors]) {
    if (!mirror.ops) continue;
    const result = yield* kernel.call(
      'sync_cpu_device_pagetables',
      [],
      mirror.ops.sync_cpu_device_pagetables(kernel, mirror, update),
      String,
    );
    if (result === 0 || !kernel.facts.hmmSyncAtStart) continue;
    if (kernel.facts.hmmRangeLockKept) {
      if (!update.blockable && result === EAGAIN) return EAGAIN;
      kernel.WARN('WARN_ON: sync_cpu_device_pagetables() failed where it may sleep, or not with -EAGAIN');
    } else if (!update.blockable && result === EAGAIN) return EAGAIN;
  }
  return 0;
}

function notifiers_decrement(kernel: Kernel, hmm: StructHmm): void {
  kernel.store.set(hmm, 'notifiers', hmm.notifiers - 1);
  if (hmm.notifiers !== 0) return;
  // The last of all invalidations makes every range valid again, those whose pages changed among them.
  for (const range of hmm.ranges) if (!range.valid) setValid(kernel, range, true);
}

function* invalidate_range_start(kernel: Kernel, sub: ListNotifier, update: MmuNotifierRange): KernelGenerator<number> {
  const hmm = hmmOf(sub);
  if (!hmm || !kernel.facts.hmmSyncAtStart) return 0;
  if (kernel.facts.hmmRangeFault) kernel.store.set(hmm, 'notifiers', hmm.notifiers + 1);
  invalidateRanges(kernel, hmm, update);
  const error = yield* sync(kernel, hmm, update);
  if (error === 0 || !kernel.facts.hmmRangeFault) return error;
  if (kernel.facts.hmmRangeLockKept) {
    notifiers_decrement(kernel, hmm);
    return error;
  }
  // 5.2: the answer stays in a variable of the inner block, and the invalidation goes on.
  return 0;
}

function* invalidate_range_end(kernel: Kernel, sub: ListNotifier, update: MmuNotifierRange): KernelGenerator<void> {
  const hmm = hmmOf(sub);
  if (!hmm) return;
  if (kernel.facts.hmmRangeFault) {
    notifiers_decrement(kernel, hmm);
    return;
  }
  invalidateRanges(kernel, hmm, update);
  if (!kernel.facts.hmmSyncAtStart) yield* sync(kernel, hmm, update);
}

/** hmm_release: the process exits. */
function* release(kernel: Kernel, sub: ListNotifier): KernelGenerator<void> {
  const hmm = hmmOf(sub);
  if (!hmm) return;
  const { store } = kernel;
  if (kernel.facts.hmmRangeLockKept) {
    if (hmm.ranges.length > 0) kernel.WARN('WARN_ON(!list_empty_careful(&hmm->ranges)): a range outlives its process');
    for (const mirror of [...hmm.mirrors]) if (mirror.ops?.release) yield* mirror.ops.release(kernel, mirror);
    return;
  }
  if (!kernel.facts.hmmMirrorRelease) return;
  if (kernel.facts.hmmRangeFault) {
    store.set(hmm, 'dead', true);
    for (const range of hmm.ranges) setValid(kernel, range, false);
  }
  for (let mirror = hmm.mirrors[0]; mirror; mirror = hmm.mirrors[0]) {
    store.splice(hmm.mirrors, 0, 1);
    if (mirror.ops?.release) yield* mirror.ops.release(kernel, mirror);
  }
}

/** The notifier inside a struct hmm. */
interface HmmNotifier extends ListNotifier {
  hmm?: StructHmm;
}
/** container_of(mn, struct hmm, mmu_notifier). */
const hmmOf = (sub: HmmNotifier): StructHmm | undefined => sub.hmm;

const OPS: ListNotifierOps = {
  release,
  invalidate_range_start,
  invalidate_range_end,
  alloc_notifier: (kernel) => (should_fail(kernel, 'notifier') ? ENOMEM : newHmm(undefined).notifier),
  free_notifier: (kernel, sub) => {
    const hmm = hmmOf(sub);
    if (!hmm) return;
    if (hmm.ranges.length > 0 || hmm.mirrors.length > 0)
      kernel.WARN('WARN_ON in hmm_free_notifier: a range or a mirror is left');
    if (hmm.mm?.hmm === hmm) kernel.store.set(hmm.mm, 'hmm', undefined);
  },
  abandoned: (kernel, sub) => {
    const hmm = hmmOf(sub);
    if (hmm && hmm.notifiers > 0) notifiers_decrement(kernel, hmm);
  },
};

function newHmm(mm: Mm | undefined): StructHmm {
  const notifier: HmmNotifier = newListNotifier(OPS);
  const hmm: StructHmm = { mm, mirrors: [], registered: [], ranges: [], notifiers: 0, dead: false, refs: 1, notifier };
  notifier.hmm = hmm;
  return hmm;
}

/** hmm_register (to 5.1), hmm_get_or_create: the struct of the mm, made with its notifier if there is none. */
export function hmm_get_or_create(kernel: Kernel, mm: Mm): StructHmm | undefined {
  const { store } = kernel;
  const known = mm.hmm as StructHmm | undefined;
  if (known) {
    if (kernel.facts.hmmRangeFault) store.set(known, 'refs', known.refs + 1);
    return known;
  }
  if (should_fail(kernel, 'notifier')) return undefined;
  const hmm = newHmm(mm);
  store.set(mm, 'hmm', hmm);
  if (__mmu_notifier_register(kernel, hmm.notifier, mm) !== 0) {
    store.set(mm, 'hmm', undefined);
    return undefined;
  }
  if (kernel.facts.hmmRangeLockKept) mmgrab(kernel, mm);
  return hmm;
}

/** hmm_put (5.2, 5.3): the last reference takes the notifier away. */
export function hmm_put(kernel: Kernel, hmm: StructHmm): void {
  const { store } = kernel;
  const { mm } = hmm;
  store.set(hmm, 'refs', hmm.refs - 1);
  if (hmm.refs > 0 || !mm) return;
  mmu_notifier_unregister_no_release(kernel, hmm.notifier, mm);
  if (mm.hmm === hmm) store.set(mm, 'hmm', undefined);
  if (kernel.facts.hmmRangeLockKept) mmdrop(kernel, mm);
}

function setHmm(kernel: Kernel, mirror: HmmMirror, hmm: StructHmm | undefined): void {
  kernel.store.set(mirror, 'hmm', hmm);
  if (mirror.c) kernel.store.set(mirror.c, 'hmm', hmm ? objectPointer(hmmStruct(hmm)) : NULL);
}

/** hmm_mirror_register: the caller holds mmap_sem for writing. */
export function* hmm_mirror_register(
  kernel: Kernel,
  mirror: HmmMirror | undefined,
  mm: Mm | undefined,
): KernelGenerator<number> {
  if (!mm || !mirror?.ops) return EINVAL;
  let hmm: StructHmm | undefined;
  if (kernel.facts.hmmMirrorGet) {
    const sub = mmu_notifier_get_locked(kernel, OPS, mm);
    if (typeof sub === 'number') return sub;
    hmm = hmmOf(sub);
    if (hmm && !hmm.mm) {
      kernel.store.set(hmm, 'mm', mm);
      kernel.store.set(mm, 'hmm', hmm);
    }
  } else hmm = hmm_get_or_create(kernel, mm);
  if (!hmm) return ENOMEM;
  if (!hmm.mm && kernel.facts.hmmMirrorRelease && !kernel.facts.hmmRangeFault) {
    // A first unregistration cut it from the mm, and with another mirror on it nobody frees it: tried for ever.
    const dead = hmm;
    yield {
      kind: 'wait',
      on: {
        what: 'hmm_mirror_register to find another struct hmm than the one that an unregistration left',
        ready: () => mm.hmm !== dead,
        holders: () => [`${dead.mirrors.length} mirror(s) that keep it`],
      },
    };
    return yield* hmm_mirror_register(kernel, mirror, mm);
  }
  setHmm(kernel, mirror, hmm);
  kernel.store.splice(hmm.registered, 0, 0, mirror);
  kernel.store.splice(hmm.mirrors, 0, 0, mirror);
  return 0;
}

/** hmm_mirror_unregister. */
export function hmm_mirror_unregister(kernel: Kernel, mirror: HmmMirror): void {
  const { store } = kernel;
  const { hmm } = mirror;
  if (!hmm) {
    if (kernel.facts.hmmRangeLockKept || kernel.facts.hmmFixedPfnBits)
      kernel.WARN('list_del corruption: this mirror is not registered');
    return;
  }
  removeItem(store, hmm.mirrors, mirror);
  removeItem(store, hmm.registered, mirror);
  setHmm(kernel, mirror, undefined);
  if (kernel.facts.hmmMirrorGet) mmu_notifier_put(kernel, hmm.notifier);
  else if (kernel.facts.hmmRangeFault) hmm_put(kernel, hmm);
  else if (kernel.facts.hmmMirrorRelease) {
    // mm is forgotten whether or not other mirrors remain, so only who finds it there frees the struct.
    const { mm } = hmm;
    store.set(hmm, 'mm', undefined);
    if (hmm.mirrors.length > 0 || !mm) return;
    mmu_notifier_unregister_no_release(kernel, hmm.notifier, mm);
    if (mm.hmm === hmm) store.set(mm, 'hmm', undefined);
  }
}
