/** MMU notifiers for C code and the shell: mm/mmu_notifier.c. */
import { type CallArgs, type CStruct, type CValue, ERR_PTR, integer, isNull, objectPointer, VOID } from '../c/value.ts';
import { MMU_NOTIFIER_FUNCTION_RECORDS } from '../kernel/records/mmu_notifier.ts';
import { type FunctionRecord, withCode } from '../kernel/registry.ts';
import type { Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { C_INTERVAL_OPS, C_LIST_OPS, intervalArg, listNotifierOf, pagesOf, rangeOfStruct, vpnOf } from './cnotifier.ts';
import { get_c_notifier, put_c_notifier } from './cnotifier_get.ts';
import { mmPointer } from './cviews.ts';
import { mmArg } from './mmFunctions.ts';
import {
  type IntervalSub,
  MMU_NOTIFY_UNMAP,
  type MmuNotifierRange,
  mmu_interval_notifier_insert,
  mmu_interval_notifier_insert_locked,
  mmu_interval_notifier_remove,
  mmu_interval_read_begin,
  mmu_interval_read_retry,
  mmu_interval_set_seq,
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
  mmu_notifier_range,
} from './mmu_notifier.ts';
import { __mmu_notifier_register, mmu_notifier_register, mmu_notifier_unregister } from './mmu_notifier_list.ts';
import { newListNotifier } from './mmu_notifier_state.ts';
import { integerField } from './pagemap.ts';

const errnoOf = (result: IntervalSub | number): CValue => integer(typeof result === 'number' ? result : 0);

/** What both forms of insert write into the driver's struct before they look at anything. */
function prepare(kernel: Kernel, args: CallArgs): { sub: CStruct; start: number; end: number } {
  const sub = args.struct(0, 'mmu_interval_notifier');
  const { store } = kernel;
  const [start, length] = [args.big(2), args.big(3)];
  store.set(sub, 'mm', mmPointer(kernel, mmArg(args, 1)));
  store.set(sub, 'ops', args.pointer(4));
  const last = BigInt.asUintN(64, start + length - 1n);
  store.set(sub, 'interval_tree', { $struct: 'interval_tree_node', start, last });
  return { sub, ...pagesOf(start, length) };
}

function* insert(kernel: Kernel, args: CallArgs): KernelGenerator<CValue> {
  const { sub, start, end } = prepare(kernel, args);
  return errnoOf(yield* mmu_interval_notifier_insert(kernel, mmArg(args, 1), start, end, C_INTERVAL_OPS, sub));
}
function insertLocked(kernel: Kernel, args: CallArgs): CValue {
  const { sub, start, end } = prepare(kernel, args);
  return errnoOf(mmu_interval_notifier_insert_locked(kernel, mmArg(args, 1), start, end, C_INTERVAL_OPS, sub));
}

const retry = (_kernel: Kernel, args: CallArgs): CValue =>
  integer(mmu_interval_read_retry(intervalArg(args, 0), args.num(1)) ? 1 : 0, 'bool');

/** The range of core functions: a struct, to 4.20 mm, start and end. */
function rangeArg(kernel: Kernel, args: CallArgs): MmuNotifierRange {
  if (kernel.facts.notifierRange) return rangeOfStruct(kernel, args.struct(0, 'mmu_notifier_range'), args.name);
  return mmu_notifier_range(MMU_NOTIFY_UNMAP, mmArg(args, 0), vpnOf(args.big(1)), vpnOf(args.big(2) + 4095n));
}

export const NOTIFIER_FUNCTIONS: readonly FunctionRecord[] = withCode(MMU_NOTIFIER_FUNCTION_RECORDS, {
  mmu_interval_notifier_insert: insert,
  mmu_interval_notifier_insert_locked: insertLocked,
  *mmu_interval_notifier_remove(kernel: Kernel, args: CallArgs) {
    yield* mmu_interval_notifier_remove(kernel, intervalArg(args, 0));
    return VOID;
  },
  *mmu_interval_read_begin(kernel: Kernel, args: CallArgs) {
    return integer(yield* mmu_interval_read_begin(kernel, intervalArg(args, 0)), 'unsigned long');
  },
  mmu_interval_read_retry: retry,
  mmu_interval_check_retry: retry,
  mmu_interval_set_seq(kernel, args) {
    mmu_interval_set_seq(kernel, intervalArg(args, 0), args.num(1));
    return VOID;
  },
  *mmu_notifier_invalidate_range_start(kernel: Kernel, args: CallArgs) {
    yield* mmu_notifier_invalidate_range_start(kernel, rangeArg(kernel, args));
    return VOID;
  },
  *mmu_notifier_invalidate_range_end(kernel: Kernel, args: CallArgs) {
    yield* mmu_notifier_invalidate_range_end(kernel, rangeArg(kernel, args));
    return VOID;
  },
  mmu_notifier_range_blockable: (_kernel, args) =>
    integer(integerField(args.struct(0, 'mmu_notifier_range'), 'flags') & 1n, 'bool'),
  *mmu_notifier_register(kernel: Kernel, args: CallArgs) {
    const sub = newListNotifier(C_LIST_OPS, args.struct(0, 'mmu_notifier'));
    return integer(yield* mmu_notifier_register(kernel, sub, mmArg(args, 1)));
  },
  __mmu_notifier_register(kernel, args) {
    const sub = isNull(args.pointer(0)) ? undefined : newListNotifier(C_LIST_OPS, args.struct(0, 'mmu_notifier'));
    return integer(__mmu_notifier_register(kernel, sub, mmArg(args, 1)));
  },
  *mmu_notifier_get(kernel: Kernel, args: CallArgs) {
    const result = yield* get_c_notifier(kernel, args.pointer(0), mmArg(args, 1));
    return typeof result === 'number' ? ERR_PTR(result, 'struct mmu_notifier') : objectPointer(result);
  },
  *mmu_notifier_put(kernel: Kernel, args: CallArgs) {
    yield* put_c_notifier(kernel, args.struct(0, 'mmu_notifier'));
    return VOID;
  },
  *mmu_notifier_unregister(kernel: Kernel, args: CallArgs) {
    const struct = args.struct(0, 'mmu_notifier');
    const mm = mmArg(args, 1);
    // One that the exit took off the list has only its reference on the mm left.
    const sub = listNotifierOf(kernel, struct) ?? newListNotifier(C_LIST_OPS, struct);
    yield* mmu_notifier_unregister(kernel, sub, mm);
    return VOID;
  },
});
