/** The HMM of 4.14 to 5.4 for C code and the shell: mirrors, and look-ups by VMA. */
import { type CallArgs, type CValue, integer, isNull, VOID } from '../c/value.ts';
import type { Vma } from '../include/mm_types.ts';
import { up_read } from '../kernel/locking.ts';
import { HMM_MIRROR_FUNCTION_RECORDS } from '../kernel/records/hmm_mirror.ts';
import { type FunctionRecord, withCode } from '../kernel/registry.ts';
import type { Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { mirrorOf, newOldRange, watchedRange } from './chmm.ts';
import { vmaOf } from './cviews.ts';
import {
  hmm_range_register,
  hmm_range_unregister,
  hmm_range_wait_until_valid,
  hmm_registered_fault,
} from './hmm_range.ts';
import { hmm_mirror_register, hmm_mirror_unregister, type OldHmmRange } from './hmm_struct.ts';
import { hmm_vma_fault, hmm_vma_get_pfns, hmm_vma_range_done } from './hmm_vma.ts';
import { mmArg } from './mmFunctions.ts';

const EAGAIN = -11;
const EBUSY = -16;

/** To 4.16 (vma, range, start, end, pfns), later the range alone. */
function rangeOf(kernel: Kernel, args: CallArgs): { vma: Vma; range: OldHmmRange } {
  const fixed = kernel.facts.hmmFixedPfnBits;
  const struct = args.struct(fixed ? 1 : 0, 'hmm_range');
  const given = fixed ? { start: args.big(2), end: args.big(3), pfns: args.pointer(4) } : undefined;
  const range = newOldRange(kernel, struct, args.name, given);
  return { range, vma: range.vma ?? vmaOf(args.pointer(0), args.name) };
}

function* getPfns(kernel: Kernel, args: CallArgs): KernelGenerator<CValue> {
  const { vma, range } = rangeOf(kernel, args);
  return integer(yield* hmm_vma_get_pfns(kernel, vma, range));
}
function* vmaFault(kernel: Kernel, args: CallArgs): KernelGenerator<CValue> {
  const { vma, range } = rangeOf(kernel, args);
  const fixed = kernel.facts.hmmFixedPfnBits;
  const asked = { write: fixed && args.big(5) !== 0n, block: args.big(fixed ? 6 : 1) !== 0n };
  return integer(yield* hmm_vma_fault(kernel, vma, range, asked));
}

function rangeDone(kernel: Kernel, args: CallArgs): CValue {
  const fixed = kernel.facts.hmmFixedPfnBits;
  const struct = args.struct(fixed ? 1 : 0, 'hmm_range');
  const range = watchedRange(kernel, struct) ?? newOldRange(kernel, struct, args.name);
  const vma = range.vma ?? vmaOf(args.pointer(0), args.name);
  return integer(hmm_vma_range_done(kernel, vma, range) ? 1 : 0, 'bool');
}

/** hmm.h of 5.2: the old call on top of the new ones. */
function* transitional(kernel: Kernel, args: CallArgs): KernelGenerator<CValue> {
  const struct = args.struct(0, 'hmm_range');
  const { store } = kernel;
  store.set(struct, 'default_flags', 0n);
  store.set(struct, 'pfn_flags_mask', 0xffffffffffffffffn);
  const range = newOldRange(kernel, struct, args.name);
  const vma = vmaOf(structVma(struct.vma), args.name);
  const { mm } = vma;
  const error = hmm_range_register(kernel, range, mm);
  if (error !== 0) return integer(error);
  if (!(yield* hmm_range_wait_until_valid(kernel, range, 1000))) {
    up_read(kernel, mm.mmap_lock);
    return integer(EAGAIN);
  }
  const result = yield* hmm_registered_fault(kernel, range, { snapshot: false, allowRetry: true });
  if (result > 0) return integer(0);
  yield* hmm_range_unregister(kernel, range);
  if (result === EBUSY || result === 0) {
    up_read(kernel, mm.mmap_lock);
    return integer(EBUSY);
  }
  return integer(result === EAGAIN ? EBUSY : result);
}
const structVma = (slot: unknown): Parameters<typeof vmaOf>[0] => slot as Parameters<typeof vmaOf>[0];

function* doneOf52(kernel: Kernel, args: CallArgs): KernelGenerator<CValue> {
  const range = watchedRange(kernel, args.struct(0, 'hmm_range'));
  if (!range) return integer(0, 'bool');
  const isValid = range.valid;
  yield* hmm_range_unregister(kernel, range);
  return integer(isValid ? 1 : 0, 'bool');
}

export const HMM_MIRROR_FUNCTIONS: readonly FunctionRecord[] = withCode(HMM_MIRROR_FUNCTION_RECORDS, {
  hmm_vma_get_pfns: getPfns,
  hmm_vma_fault: { '4.14': vmaFault, '4.17': vmaFault, '5.2': transitional },
  hmm_vma_range_done: { '4.14': rangeDone, '4.17': rangeDone, '5.2': doneOf52 },
  *hmm_mirror_register(kernel: Kernel, args: CallArgs) {
    const mirror = isNull(args.pointer(0)) ? undefined : mirrorOf(kernel, args.struct(0, 'hmm_mirror'));
    const mm = isNull(args.pointer(1)) ? undefined : mmArg(args, 1);
    return integer(yield* hmm_mirror_register(kernel, mirror, mm));
  },
  hmm_mirror_unregister(kernel, args) {
    hmm_mirror_unregister(kernel, mirrorOf(kernel, args.struct(0, 'hmm_mirror')));
    return VOID;
  },
});
