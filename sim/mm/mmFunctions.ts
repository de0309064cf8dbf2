/** Address spaces for C code and the shell: finding one, its lock and its references. */
import { BadAccess, type CallArgs, type CValue, integer, isNull, NULL, objectPointer, VOID } from '../c/value.ts';
import type { Mm } from '../include/mm_types.ts';
import { mmdrop, mmget_not_zero, mmgrab, mmput } from '../kernel/fork.ts';
import { down_read, down_read_trylock, down_write, up_read, up_write } from '../kernel/locking.ts';
import { MM_LOCK_RECORDS } from '../kernel/records/mm.ts';
import { type FunctionRecord, withCode } from '../kernel/registry.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { vpnOf } from './cnotifier.ts';
import { mmOf, mmPointer, processOf, semOf, taskStruct, vmaOf, vmaPointer } from './cviews.ts';
import { HZ } from './hmm_range.ts';
import { handle_mm_fault } from './memory.ts';
import { find_vma, vma_lookup } from './vma.ts';

/** A timeout that never comes: half of what a long holds. */
const MAX_JIFFY_OFFSET = (1n << 62n) - 2n;

function msecs_to_jiffies(ms: bigint): bigint {
  const m = BigInt.asUintN(32, ms);
  // What does not fit an int is no time at all, but for ever.
  return m >= 1n << 31n ? MAX_JIFFY_OFFSET : (m * BigInt(HZ) + 999n) / 1000n;
}

export const mmArg = (args: CallArgs, index: number): Mm => mmOf(args.pointer(index), args.name);

/** handle_mm_fault with the VMA as argument `first`: VM_FAULT_* bits. */
function* mmFault(kernel: Kernel, args: CallArgs, first: number): KernelGenerator<CValue> {
  const vma = vmaOf(args.pointer(first), args.name);
  const vpn = vpnOf(args.big(first + 1));
  if (vpn < vma.start || vpn >= vma.end)
    throw new BadAccess(`${args.name}: ${hex(args.big(first + 1))} is not in the VMA; find_vma() looks one up`);
  return integer(yield* handle_mm_fault(kernel, vma, vpn, args.num(first + 2)), 'unsigned int');
}

export const MM_FUNCTIONS: readonly FunctionRecord[] = withCode(MM_LOCK_RECORDS, {
  *mmap_read_lock(kernel: Kernel, args: CallArgs) {
    yield* down_read(kernel, mmArg(args, 0).mmap_lock);
    return VOID;
  },
  mmap_read_unlock(kernel: Kernel, args: CallArgs) {
    up_read(kernel, mmArg(args, 0).mmap_lock);
    return VOID;
  },
  *mmap_write_lock(kernel: Kernel, args: CallArgs) {
    yield* down_write(kernel, mmArg(args, 0).mmap_lock);
    return VOID;
  },
  mmap_write_unlock(kernel: Kernel, args: CallArgs) {
    up_write(kernel, mmArg(args, 0).mmap_lock);
    return VOID;
  },
  *down_read(kernel: Kernel, args: CallArgs) {
    yield* down_read(kernel, semOf(args.pointer(0), args.name));
    return VOID;
  },
  up_read(kernel: Kernel, args: CallArgs) {
    up_read(kernel, semOf(args.pointer(0), args.name));
    return VOID;
  },
  *down_write(kernel: Kernel, args: CallArgs) {
    yield* down_write(kernel, semOf(args.pointer(0), args.name));
    return VOID;
  },
  up_write(kernel: Kernel, args: CallArgs) {
    up_write(kernel, semOf(args.pointer(0), args.name));
    return VOID;
  },
  mmget_not_zero: (kernel, args) => integer(mmget_not_zero(kernel, mmArg(args, 0)) ? 1 : 0, 'bool'),
  *mmput(kernel: Kernel, args: CallArgs) {
    yield* mmput(kernel, mmArg(args, 0));
    return VOID;
  },
  find_task_by_vpid(kernel, args) {
    const process = kernel.state.processes.get(args.num(0));
    return process ? objectPointer(taskStruct(kernel, process)) : NULL;
  },
  get_task_mm(kernel, args) {
    if (isNull(args.pointer(0))) return NULL;
    const { mm } = processOf(args.pointer(0), args.name);
    return mm && mmget_not_zero(kernel, mm) ? mmPointer(kernel, mm) : NULL;
  },
  mmgrab(kernel, args) {
    mmgrab(kernel, mmArg(args, 0));
    return VOID;
  },
  mmdrop(kernel, args) {
    mmdrop(kernel, mmArg(args, 0));
    return VOID;
  },
  mmap_read_trylock: (kernel, args) => integer(down_read_trylock(kernel, mmArg(args, 0).mmap_lock) ? 1 : 0, 'bool'),
  down_read_trylock: (kernel, args) => integer(down_read_trylock(kernel, semOf(args.pointer(0), args.name)) ? 1 : 0),
  vma_lookup: (kernel, args) => vmaPointer(kernel, vma_lookup(mmArg(args, 0), vpnOf(args.big(1)))),
  handle_mm_fault: {
    '4.3': (kernel, args) => mmFault(kernel, args, 1),
    '4.8': (kernel, args) => mmFault(kernel, args, 0),
    '4.19': (kernel, args) => mmFault(kernel, args, 0),
    '5.9': (kernel, args) => mmFault(kernel, args, 0),
  },
  msecs_to_jiffies: (_kernel, args) => integer(msecs_to_jiffies(args.big(0)), 'unsigned long'),
  jiffies_to_msecs: (_kernel, args) => integer((BigInt.asUintN(64, args.big(0)) * 1000n) / BigInt(HZ), 'unsigned int'),
  msleep({ state, store }, args) {
    store.set(state, 'jiffies', state.jiffies + Number(msecs_to_jiffies(args.big(0)) + 1n));
    return VOID;
  },
  find_vma: (kernel, args) => vmaPointer(kernel, find_vma(mmArg(args, 0), vpnOf(args.big(1)))),
});
