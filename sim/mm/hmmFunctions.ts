/** HMM ranges for C code and the shell, from 5.2 on; the mirror API stands in hmmMirrorFunctions.ts. */
import { BadAccess, type CallArgs, type CValue, integer, isNull, NULL, pagePointer, VOID } from '../c/value.ts';
import { deviceArg } from '../drivers/base/devres.ts';
import type { Mm } from '../include/mm_types.ts';
import { HMM_FUNCTION_RECORDS } from '../kernel/records/hmm.ts';
import { type FunctionRecord, withCode } from '../kernel/registry.ts';
import type { Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import {
  faultFlags,
  formatOf,
  hmmRangeOf,
  mirrorOf,
  newOldRange,
  notifierRangeOf,
  watchedRange,
  wordsAt,
} from './chmm.ts';
import { hmm_range_fault, hmm_range_fault_unlocked_timeout } from './hmm.ts';
import { hmm_range_dma_map, hmm_range_dma_unmap } from './hmm_dma.ts';
import { driverPfn, hmm_pfn, hmm_pfn_to_map_order, hmmPfnEntry, type PfnWords } from './hmm_entries.ts';
import {
  type FaultFlags,
  hmm_notifier_fault,
  hmm_range_register,
  hmm_range_unregister,
  hmm_range_wait_until_valid,
  hmm_registered_fault,
} from './hmm_range.ts';
import type { HmmMirror, OldHmmRange } from './hmm_struct.ts';
import { mmArg } from './mmFunctions.ts';
import { pointerField } from './pagemap.ts';

const rangeStructOf = (args: CallArgs) => args.struct(0, 'hmm_range');

/* ---- 5.8 on ---- */

function* fault(kernel: Kernel, args: CallArgs): KernelGenerator<CValue> {
  const { range, writeBack } = hmmRangeOf(kernel, rangeStructOf(args), args.name);
  const result = yield* hmm_range_fault(kernel, range);
  writeBack();
  return integer(result);
}
function* faultUnlocked(kernel: Kernel, args: CallArgs): KernelGenerator<CValue> {
  const { range, writeBack } = hmmRangeOf(kernel, rangeStructOf(args), args.name);
  const result = yield* hmm_range_fault_unlocked_timeout(kernel, range, args.num(1));
  writeBack();
  return integer(result);
}

/* ---- 5.2 to 5.7 ---- */

function registered(kernel: Kernel, args: CallArgs): OldHmmRange {
  const struct = rangeStructOf(args);
  const range = watchedRange(kernel, struct);
  if (!range) return newOldRange(kernel, struct, args.name);
  // What the driver asks for it may write into the range after registering it.
  if (range.format) kernel.store.set(range, 'format', formatOf(kernel, struct, args.name));
  return range;
}

function* oldFault(kernel: Kernel, args: CallArgs, flags: FaultFlags): KernelGenerator<CValue> {
  const result = kernel.facts.mmuIntervalNotifier
    ? yield* hmm_notifier_fault(kernel, notifierRangeOf(kernel, rangeStructOf(args), args.name), flags)
    : yield* hmm_registered_fault(kernel, registered(kernel, args), flags);
  return integer(result, 'long');
}

function register(kernel: Kernel, args: CallArgs, of: Mm | HmmMirror, page_shift: number, bounds: boolean): CValue {
  const struct = rangeStructOf(args);
  const { store } = kernel;
  const [start, end] = bounds ? [args.big(2), args.big(3)] : [struct.start, struct.end];
  const mask = (1n << BigInt(page_shift)) - 1n;
  store.set(struct, 'valid', 0n);
  const isAligned = ((start as bigint) & mask) === 0n && ((end as bigint) & mask) === 0n;
  if (page_shift < 12 || page_shift > 30 || !isAligned || (start as bigint) >= (end as bigint)) return integer(-22);
  if (bounds) {
    store.set(struct, 'start', start as bigint);
    store.set(struct, 'end', end as bigint);
    store.set(struct, 'page_shift', BigInt(page_shift));
  }
  return integer(hmm_range_register(kernel, newOldRange(kernel, struct, args.name, undefined, page_shift), of));
}
const mirrorArg = (kernel: Kernel, args: CallArgs): HmmMirror => mirrorOf(kernel, args.struct(1, 'hmm_mirror'));

function entryToPage(kernel: Kernel, args: CallArgs): CValue {
  const pfn = driverPfn(formatOf(kernel, rangeStructOf(args), args.name), BigInt.asUintN(64, args.big(1)));
  if (pfn !== undefined && pfn >= 2 ** 40)
    throw new BadAccess(`${args.name}: the entry leads to no struct page; are its flags below pfn_shift?`);
  return pfn === undefined ? NULL : pagePointer(pfn);
}

function daddrsOf(range: OldHmmRange, args: CallArgs, index: number): PfnWords | undefined {
  if (isNull(args.pointer(index)) || range.end <= range.start) return undefined;
  return wordsAt(args.pointer(index), range.end - range.start, args.name);
}
function* dmaMap(kernel: Kernel, args: CallArgs, flags: FaultFlags): KernelGenerator<CValue> {
  const range = registered(kernel, args);
  deviceArg(kernel, args, 1);
  const daddrs = daddrsOf(range, args, 2);
  if (!daddrs) throw new BadAccess(`${args.name}: daddrs is NULL`);
  return integer(yield* hmm_range_dma_map(kernel, range, daddrs, flags), 'long');
}
function dmaUnmap(kernel: Kernel, args: CallArgs, device: number): CValue {
  const struct = rangeStructOf(args);
  if (!pointerField(struct, 'pfns')) return integer(-22, 'long');
  const range = registered(kernel, args);
  deviceArg(kernel, args, device);
  const daddrs = daddrsOf(range, args, device + 1);
  return integer(hmm_range_dma_unmap(kernel, range, daddrs, args.big(device + 2) !== 0n), 'long');
}

const CODE = {
  hmm_range_dma_map: {
    '5.2': (kernel: Kernel, args: CallArgs) =>
      dmaMap(kernel, args, {
        snapshot: false,
        allowRetry: !kernel.facts.hmmRangeLockKept || args.big(3) === 0n,
      }),
    '5.4': (kernel: Kernel, args: CallArgs) => dmaMap(kernel, args, faultFlags(args.num(3))),
  },
  hmm_range_dma_unmap: {
    '5.2': (kernel: Kernel, args: CallArgs) => dmaUnmap(kernel, args, 2),
    '5.4': (kernel: Kernel, args: CallArgs) => dmaUnmap(kernel, args, 1),
  },
  hmm_range_fault: {
    '5.2': (kernel: Kernel, args: CallArgs) =>
      oldFault(kernel, args, {
        snapshot: false,
        // 5.2 lets the handler drop mmap_sem whatever was asked.
        allowRetry: !kernel.facts.hmmRangeLockKept || args.big(1) === 0n,
      }),
    '5.4': (kernel: Kernel, args: CallArgs) => oldFault(kernel, args, faultFlags(args.num(1))),
    '5.7': (kernel: Kernel, args: CallArgs) => oldFault(kernel, args, { snapshot: false, allowRetry: false }),
    '5.8': fault,
    '7.3': fault,
  },
  hmm_range_fault_unlocked_timeout: faultUnlocked,
  hmm_range_snapshot: (kernel: Kernel, args: CallArgs) => oldFault(kernel, args, { snapshot: true, allowRetry: false }),
  hmm_range_register: {
    '5.2': (kernel: Kernel, args: CallArgs) => register(kernel, args, mmArg(args, 1), args.num(4), true),
    '5.3': (kernel: Kernel, args: CallArgs) => register(kernel, args, mirrorArg(kernel, args), args.num(4), true),
    '5.4': (kernel: Kernel, args: CallArgs) => register(kernel, args, mirrorArg(kernel, args), 12, false),
  },
  *hmm_range_unregister(kernel: Kernel, args: CallArgs) {
    const range = watchedRange(kernel, rangeStructOf(args));
    if (range) yield* hmm_range_unregister(kernel, range);
    else if (kernel.facts.hmmRangeLockKept) kernel.WARN('hmm_range_unregister: this range is not registered');
    return VOID;
  },
  *hmm_range_wait_until_valid(kernel: Kernel, args: CallArgs) {
    const isValid = yield* hmm_range_wait_until_valid(kernel, registered(kernel, args), args.num(1));
    return integer(isValid ? 1 : 0, 'bool');
  },
  hmm_range_valid: (_kernel: Kernel, args: CallArgs) => integer(rangeStructOf(args).valid === 1n ? 1 : 0, 'bool'),
  hmm_device_entry_to_page: entryToPage,
  hmm_pfn_to_page: {
    '4.17': entryToPage,
    '5.8': (kernel: Kernel, args: CallArgs) =>
      pagePointer(hmm_pfn(hmmPfnEntry(kernel, BigInt.asUintN(64, args.big(0))))),
  },
  hmm_pfn_to_map_order: (kernel: Kernel, args: CallArgs) =>
    integer(hmm_pfn_to_map_order(hmmPfnEntry(kernel, BigInt.asUintN(64, args.big(0)))), 'unsigned int'),
};

export const HMM_FUNCTIONS: readonly FunctionRecord[] = withCode(HMM_FUNCTION_RECORDS, CODE);
