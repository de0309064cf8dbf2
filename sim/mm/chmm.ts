/** struct hmm_range and struct hmm_mirror of drivers in C, of every release. */
import { escapedTarget } from '../c/objects.ts';
import {
  BadAccess,
  type CArray,
  type CPointer,
  type CStruct,
  type CValue,
  integer,
  isNull,
  NULL,
  objectPointer,
} from '../c/value.ts';
import type { Kernel } from '../machine/kernel.ts';
import { addressOf, callMember, intervalOf, opsMember, rangeStruct, vpnOf } from './cnotifier.ts';
import { vmaOf } from './cviews.ts';
import { type HmmRange, hmmPfnEntry, hmmPfnWord } from './hmm.ts';
import type { DriverFormat, PfnWords } from './hmm_entries.ts';
import type { FaultFlags, NotifierRange } from './hmm_range.ts';
import { type HmmMirror, type MirrorOps, type OldHmmRange, structHmmOf } from './hmm_struct.ts';
import type { MmuNotifierRange } from './mmu_notifier.ts';
import { integerField, pointerField, structField } from './pagemap.ts';

/** Pages that one call may ask for: more than C can declare room for. */
const MAX_PAGES = 2 ** 24;

/** The array a pointer leads into, with room for `count` elements from there on. */
export function wordsAt(pointer: CPointer | undefined, count: number, who: string): PfnWords {
  const target = pointer?.target;
  const object = target?.kind === 'slot' || target?.kind === 'object' ? target.object : undefined;
  if (!target || !object || !('$array' in object)) throw new BadAccess(`${who}: the array of the range is missing`);
  const first = target.kind === 'slot' ? Number(target.key) : 0;
  const words = (object as CArray).elements as bigint[];
  if (count > MAX_PAGES || first + count > words.length)
    throw new BadAccess(`${who}: the range has ${count} pages, and its array has room for ${words.length - first}`);
  // Whoever has the address may have written it, as this call does.
  escapedTarget(target);
  return { words, first };
}

const boundsOf = (struct: CStruct): { start: number; end: number } => ({
  start: vpnOf(integerField(struct, 'start')),
  end: vpnOf(integerField(struct, 'end')),
});
const countOf = ({ start, end }: { start: number; end: number }): number => Math.max(0, end - start);

function notifierOf(struct: CStruct, who: string) {
  const notifier = structField(struct, 'notifier');
  if (!notifier) throw new BadAccess(`${who}: range->notifier is NULL`);
  return intervalOf(notifier, who);
}

const FAULT = 1n << 63n;
const WRITE = 1n << 62n;
const requestBits = (word: bigint): number => ((word & FAULT) !== 0n ? 1 : 0) | ((word & WRITE) !== 0n ? 2 : 0);

/** 5.8 on: the range of a call, and how its outputs get back. */
export function hmmRangeOf(kernel: Kernel, struct: CStruct, who: string): { range: HmmRange; writeBack: () => void } {
  const bounds = boundsOf(struct);
  const { words, first } = wordsAt(pointerField(struct, 'hmm_pfns'), countOf(bounds), who);
  const hmm_pfns: number[] = [];
  for (let i = 0; i < countOf(bounds); i++)
    hmm_pfns.push(hmmPfnEntry(kernel, BigInt.asUintN(64, words[first + i] ?? 0n)));
  const before = [...hmm_pfns];
  const range: HmmRange = {
    ...bounds,
    notifier: notifierOf(struct, who),
    notifier_seq: Number(integerField(struct, 'notifier_seq')),
    hmm_pfns,
    default_flags: requestBits(integerField(struct, 'default_flags')),
    pfn_flags_mask: requestBits(integerField(struct, 'pfn_flags_mask')),
    dev_private_owner: pointerField(struct, 'dev_private_owner'),
  };
  const writeBack = (): void => {
    hmm_pfns.forEach((entry, i) => {
      if (entry !== before[i]) kernel.store.set(words, first + i, hmmPfnWord(kernel, entry));
    });
    kernel.store.set(struct, 'notifier_seq', BigInt(range.notifier_seq));
  };
  return { range, writeBack };
}

/** 4.17 to 5.7: flags, values and pfn_shift of the driver. */
export function formatOf(kernel: Kernel, struct: CStruct, who: string): DriverFormat {
  const listOf = (name: string, count: number): bigint[] => {
    const { words, first } = wordsAt(pointerField(struct, name), count, `${who}: range->${name}`);
    return words.slice(first, first + count).map((word) => BigInt.asUintN(64, word));
  };
  const policy = kernel.facts.hmmRangeFault;
  return {
    flags: listOf('flags', kernel.facts.hmmDevPrivateOwner ? 2 : 3),
    values: listOf('values', 3),
    pfn_shift: Number(integerField(struct, 'pfn_shift')),
    // Before there was a policy, every entry spoke for itself.
    default_flags: policy ? integerField(struct, 'default_flags') : 0n,
    pfn_flags_mask: policy ? integerField(struct, 'pfn_flags_mask') : 0xffffffffffffffffn,
  };
}

/** 5.5 to 5.7. */
export function notifierRangeOf(kernel: Kernel, struct: CStruct, who: string): NotifierRange {
  const bounds = boundsOf(struct);
  return {
    ...bounds,
    notifier: notifierOf(struct, who),
    notifier_seq: Number(integerField(struct, 'notifier_seq')),
    pfns: wordsAt(pointerField(struct, 'pfns'), countOf(bounds), who),
    format: formatOf(kernel, struct, who),
    dev_private_owner: pointerField(struct, 'dev_private_owner'),
  };
}

/** HMM_FAULT_* of 5.4 to 5.6. */
export const faultFlags = (flags: number): FaultFlags => ({
  allowRetry: (flags & 1) !== 0,
  snapshot: (flags & 2) !== 0,
});

/* ---- to 5.4 ---- */

/** A range on the list of its mm. */
export function watchedRange(kernel: Kernel, struct: CStruct): OldHmmRange | undefined {
  for (const mm of kernel.state.mms.values()) {
    const found = structHmmOf(mm)?.ranges.find((range) => range.c === struct);
    if (found) return found;
  }
  return undefined;
}

/** A range as a driver fills it in, not watched yet. To 4.16 bounds and array are arguments. */
export function newOldRange(
  kernel: Kernel,
  struct: CStruct,
  who: string,
  given?: { start: bigint; end: bigint; pfns: CPointer },
  page_shift = 12,
): OldHmmRange {
  const { store } = kernel;
  if (given) {
    store.set(struct, 'start', given.start);
    store.set(struct, 'end', given.end);
    store.set(struct, 'pfns', given.pfns);
  }
  const bounds = boundsOf(struct);
  const vma = pointerField(struct, 'vma');
  const count = Math.ceil(countOf(bounds) / 2 ** Math.max(0, page_shift - 12));
  return {
    ...bounds,
    pfns: wordsAt(pointerField(struct, 'pfns'), count, who),
    format: kernel.facts.hmmFixedPfnBits ? undefined : formatOf(kernel, struct, who),
    vma: vma && !kernel.facts.hmmRangeFault ? vmaOf(vma, who) : undefined,
    hmm: undefined,
    valid: false,
    page_shift,
    c: struct,
  };
}

/** enum hmm_update_event has this value only. */
const HMM_UPDATE_INVALIDATE = 0n;

function updateArgs(kernel: Kernel, update: MmuNotifierRange): CValue[] {
  const [start, end] = [addressOf(update.start), addressOf(update.end)];
  if (!kernel.facts.hmmSyncAtStart)
    return [integer(HMM_UPDATE_INVALIDATE), integer(start, 'unsigned long'), integer(end, 'unsigned long')];
  if (kernel.facts.hmmMirrorGet) return [objectPointer(rangeStruct(kernel, update))];
  const blockable = update.blockable ? 1n : 0n;
  return [objectPointer({ $struct: 'hmm_update', start, end, event: HMM_UPDATE_INVALIDATE, blockable })];
}

const C_MIRROR_OPS: MirrorOps = {
  *sync_cpu_device_pagetables(kernel, mirror, update) {
    const member = opsMember(mirror.c, 'sync_cpu_device_pagetables');
    if (!mirror.c || !member)
      throw new BadAccess('hmm_mirror_ops.sync_cpu_device_pagetables is NULL: the kernel calls it');
    const result = yield* callMember(kernel, member, [objectPointer(mirror.c), ...updateArgs(kernel, update)]);
    return result.kind === 'integer' ? Number(BigInt.asIntN(32, result.value)) : 0;
  },
  *release(kernel, mirror) {
    const member = opsMember(mirror.c, 'release');
    if (mirror.c && member) yield* callMember(kernel, member, [objectPointer(mirror.c)]);
  },
};

/** The mirror behind a struct hmm_mirror: the registered one, or as it would be registered. */
export function mirrorOf(kernel: Kernel, struct: CStruct): HmmMirror {
  for (const mm of kernel.state.mms.values()) {
    const found = structHmmOf(mm)?.registered.find((mirror) => mirror.c === struct);
    if (found) return found;
  }
  return { hmm: undefined, ops: isNull(pointerField(struct, 'ops') ?? NULL) ? undefined : C_MIRROR_OPS, c: struct };
}
