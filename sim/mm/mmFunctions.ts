/** Address spaces for C code and the shell: finding one, its lock and its references. */
import { type CallArgs, integer, isNull, NULL, objectPointer, VOID } from '../c/value.ts';
import type { Mm } from '../include/mm_types.ts';
import { mmget_not_zero, mmput } from '../kernel/fork.ts';
import { down_read, down_write, up_read, up_write } from '../kernel/locking.ts';
import { MM_LOCK_RECORDS } from '../kernel/records/mm.ts';
import { type FunctionRecord, withCode } from '../kernel/registry.ts';
import type { Kernel } from '../machine/kernel.ts';
import { vpnOf } from './cnotifier.ts';
import { mmOf, mmPointer, processOf, semOf, taskStruct, vmaPointer } from './cviews.ts';
import { find_vma } from './mmap.ts';

export const mmArg = (args: CallArgs, index: number): Mm => mmOf(args.pointer(index), args.name);

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
  find_vma: (kernel, args) => vmaPointer(kernel, find_vma(mmArg(args, 0), vpnOf(args.big(1)))),
});
