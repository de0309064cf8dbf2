/** mm/hmm.c, 4.14 to 5.1: hmm_vma_get_pfns, hmm_vma_fault and hmm_vma_range_done, for a part of one VMA. */
import { BadAccess } from '../c/value.ts';
import { VM_HUGETLB, VM_READ, VM_SPECIAL, type Vma } from '../include/mm_types.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import { removeItem } from '../store/remove.ts';
import type { KernelGenerator } from '../task/task.ts';
import { DriverEntries, FixedBitEntries, type HmmEntries, WANT_FAULT, WANT_WRITE } from './hmm_entries.ts';
import { hmm_get_or_create, type OldHmmRange, type StructHmm, setValid } from './hmm_struct.ts';
import { HmmWalk, LOCK_DROPPED, RESTART } from './hmm_walk.ts';

const EPERM = -1;
const ENOMEM = -12;
const EBUSY = -16;
const EINVAL = -22;

/** What to 4.16 is an argument: of hmm_vma_fault; undefined takes a snapshot. */
interface Asked {
  readonly write: boolean;
  readonly block: boolean;
}

function entriesOf(kernel: Kernel, vma: Vma, range: OldHmmRange, asked: Asked | undefined): HmmEntries {
  if (range.format) return new DriverEntries(kernel, range.pfns, range.format, asked === undefined);
  const want = asked ? WANT_FAULT | (asked.write ? WANT_WRITE : 0) : 0;
  return new FixedBitEntries(kernel, range.pfns, want, (vma.flags & VM_READ) !== 0);
}

const isSpecial = (kernel: Kernel, vma: Vma): boolean =>
  (vma.flags & (VM_HUGETLB | VM_SPECIAL)) !== 0 || (kernel.facts.hmmRefusesDax && vma.file?.kind === 'device');

const isInside = (vma: Vma, { start, end }: OldHmmRange): boolean =>
  start >= vma.start && start < vma.end && end >= vma.start && end <= vma.end;

function watch(kernel: Kernel, hmm: StructHmm, range: OldHmmRange): void {
  setValid(kernel, range, true);
  kernel.store.splice(hmm.ranges, 0, 0, range);
}

const walkOf = (kernel: Kernel, vma: Vma, range: OldHmmRange, entries: HmmEntries): HmmWalk =>
  new HmmWalk(kernel, vma.mm, entries, { start: range.start, end: range.end, allowRetry: true });

function each(range: OldHmmRange, from: number, put: (i: number) => void): void {
  for (let i = from; i < range.end - range.start; i++) put(i);
}

const argsOf = (range: OldHmmRange): string[] => [`${hex(range.start * 4096)}-${hex(range.end * 4096)}`];

/** hmm_vma_get_pfns: a snapshot, and the range is watched from then on. -EINVAL, -ENOMEM, from 4.17 -EPERM. */
export function* hmm_vma_get_pfns(kernel: Kernel, vma: Vma, range: OldHmmRange): KernelGenerator<number> {
  return yield* kernel.call('hmm_vma_get_pfns', argsOf(range), getPfns(kernel, vma, range), String);
}

function* getPfns(kernel: Kernel, vma: Vma, range: OldHmmRange): KernelGenerator<number> {
  const entries = entriesOf(kernel, vma, range, undefined);
  // To 4.16 the kind of VMA is looked at first, later the bounds are.
  if (!range.format && isSpecial(kernel, vma)) return special(range, entries);
  if (!isInside(vma, range)) return EINVAL;
  const hmm = hmm_get_or_create(kernel, vma.mm);
  if (!hmm) return ENOMEM;
  if (range.format) {
    if (isSpecial(kernel, vma)) return special(range, entries);
    if ((vma.flags & VM_READ) === 0) return unreadable(range, entries);
  }
  watch(kernel, hmm, range);
  // What the walk says is not looked at.
  yield* walkOf(kernel, vma, range, entries).range(range.start, range.end);
  return 0;
}

function special(range: OldHmmRange, entries: HmmEntries): number {
  each(range, 0, (i) => entries.special(i));
  return EINVAL;
}
function unreadable(range: OldHmmRange, entries: HmmEntries): number {
  each(range, 0, (i) => entries.none(i));
  return EPERM;
}

/**
 * hmm_vma_fault: like the snapshot, with faults. -EBUSY: the handler dropped mmap_sem. After any error the range
 * is not watched.
 */
export function* hmm_vma_fault(kernel: Kernel, vma: Vma, range: OldHmmRange, asked: Asked): KernelGenerator<number> {
  return yield* kernel.call('hmm_vma_fault', argsOf(range), vmaFault(kernel, vma, range, asked), String);
}

function* vmaFault(kernel: Kernel, vma: Vma, range: OldHmmRange, asked: Asked): KernelGenerator<number> {
  const entries = entriesOf(kernel, vma, range, asked);
  if (!isInside(vma, range)) return EINVAL;
  const hmm = hmm_get_or_create(kernel, vma.mm);
  if (!hmm) {
    each(range, 0, (i) => entries.none(i));
    return ENOMEM;
  }
  if (range.format) {
    if (isSpecial(kernel, vma)) return special(range, entries);
    if ((vma.flags & VM_READ) === 0) return unreadable(range, entries);
  }
  watch(kernel, hmm, range);
  if (!range.format && isSpecial(kernel, vma)) {
    // To 4.16 this is a success, and the range has to be let go.
    special(range, entries);
    return 0;
  }
  const walk = walkOf(kernel, vma, range, entries);
  let code: number = RESTART;
  while (code === RESTART) code = yield* walk.range(walk.last, range.end);
  if (code === 0) return 0;
  each(range, walk.last - range.start, (i) => entries.none(i));
  removeItem(kernel.store, hmm.ranges, range);
  return code === LOCK_DROPPED ? EBUSY : code;
}

/** hmm_vma_range_done: the watch ends; whether what was read is good still. Under the driver's lock. */
export function hmm_vma_range_done(kernel: Kernel, vma: Vma, range: OldHmmRange): boolean {
  if (range.end <= range.start) throw new BadAccess('kernel BUG in hmm_vma_range_done: the range is empty');
  const hmm = hmm_get_or_create(kernel, vma.mm);
  if (!hmm) {
    for (let i = 0; i < range.end - range.start; i++) kernel.store.set(range.pfns.words, range.pfns.first + i, 0n);
    return false;
  }
  if (!removeItem(kernel.store, hmm.ranges, range))
    kernel.WARN('list_del corruption: this hmm_range is not on the list of its mm');
  return range.valid;
}
