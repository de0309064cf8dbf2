/** Notifiers of drivers in C: their structs, their callbacks, and struct mmu_notifier_range as they see it. */
import {
  addressPointer,
  BadAccess,
  type CallArgs,
  type CPointer,
  type CStruct,
  type CValue,
  integer,
  NULL,
  objectPointer,
} from '../c/value.ts';
import type { Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { mmOf, mmPointer } from './cviews.ts';
import {
  type IntervalOps,
  type IntervalSub,
  type ListNotifier,
  type ListNotifierOps,
  type MmuNotifierRange,
  subscriptionsOf,
} from './mmu_notifier_state.ts';
import { integerField, pointerField, structField } from './pagemap.ts';

const ULONG_MAX = 0xffffffffffffffffn;

/** An address as a page number, the end of a range upwards. */
export const vpnOf = (address: bigint): number => Number(address >> 12n);
/** The address of a page; behind the last page it is ULONG_MAX, as the kernel writes a whole address space. */
export const addressOf = (vpn: number): bigint => {
  const address = BigInt(vpn) << 12n;
  return address > ULONG_MAX ? ULONG_MAX : address;
};

/** An owner that C compares with its own. */
function ownerPointer(kernel: Kernel, owner: unknown): CPointer {
  if (typeof owner !== 'object' || owner === null) return NULL;
  if ('kind' in owner && owner.kind === 'pointer') return owner as CPointer;
  return addressPointer(kernel.addressOf(owner));
}

export function rangeStruct(kernel: Kernel, range: MmuNotifierRange): CStruct {
  const struct: CStruct = {
    $struct: 'mmu_notifier_range',
    mm: mmPointer(kernel, range.mm),
    start: addressOf(range.start),
    end: addressOf(range.end),
  };
  if (kernel.facts.notifierEvents) {
    struct.flags = range.blockable ? 1n : 0n;
    struct.event = BigInt(range.event);
  } else struct.blockable = range.blockable ? 1n : 0n;
  if (kernel.facts.notifyMigrate)
    struct[kernel.facts.notifierOwner ? 'owner' : 'migrate_pgmap_owner'] = ownerPointer(kernel, range.owner);
  return struct;
}

/** The range a struct of C text describes, for core functions called from there. */
export function rangeOfStruct(kernel: Kernel, struct: CStruct, who: string): MmuNotifierRange {
  const owner = pointerField(struct, kernel.facts.notifierOwner ? 'owner' : 'migrate_pgmap_owner');
  return {
    mm: mmOf(pointerField(struct, 'mm') ?? NULL, who),
    start: vpnOf(integerField(struct, 'start')),
    end: vpnOf(integerField(struct, 'end') + 4095n),
    event: Number(integerField(struct, 'event')),
    blockable: true,
    owner,
  };
}

const isTrue = (value: CValue): boolean => value.kind === 'integer' && value.value !== 0n;
const numberOf = (value: CValue): number => (value.kind === 'integer' ? Number(BigInt.asIntN(32, value.value)) : 0);

/** Calls a member of the driver's ops; undefined where there is none. */
export function opsMember(struct: CStruct | undefined, name: string): CPointer | undefined {
  const ops = struct && structField(struct, 'ops');
  return ops && pointerField(ops, name);
}
export function* callMember(kernel: Kernel, pointer: CPointer, args: readonly CValue[]): KernelGenerator<CValue> {
  if (!kernel.callBack) throw new BadAccess('a callback of a driver cannot run here');
  return yield* kernel.callBack(pointer, args);
}

/* ---- interval notifiers ---- */

export const C_INTERVAL_OPS: IntervalOps = {
  *invalidate(kernel, sub, range, cur_seq) {
    const member = opsMember(sub.c, 'invalidate');
    if (!sub.c || !member) throw new BadAccess('mmu_interval_notifier_ops.invalidate is NULL: the kernel calls it');
    const args = [objectPointer(sub.c), objectPointer(rangeStruct(kernel, range)), integer(cur_seq, 'unsigned long')];
    return isTrue(yield* callMember(kernel, member, args));
  },
};

/** The subscription behind a struct mmu_interval_notifier; one that was never inserted is a bad access. */
export function intervalOf(struct: CStruct, who: string): IntervalSub {
  const pointer = pointerField(struct, 'mm');
  const subscriptions = pointer && subscriptionsOf(mmOf(pointer, who));
  const isIt = (sub: IntervalSub): boolean => sub.c === struct;
  const found = subscriptions?.itree.find(isIt) ?? subscriptions?.deferred_list.find(isIt);
  if (!found) throw new BadAccess(`${who}: this mmu_interval_notifier is not inserted`);
  return found;
}

export const intervalArg = (args: CallArgs, index: number): IntervalSub =>
  intervalOf(args.struct(index, 'mmu_interval_notifier'), args.name);

/* ---- notifiers of an address space ---- */

/** What its callbacks are given, by release. */
function rangeArgs(kernel: Kernel, sub: CStruct, range: MmuNotifierRange, isStart: boolean): CValue[] {
  if (kernel.facts.notifierRange) return [objectPointer(sub), objectPointer(rangeStruct(kernel, range))];
  const args: CValue[] = [
    objectPointer(sub),
    mmPointer(kernel, range.mm),
    integer(addressOf(range.start), 'unsigned long'),
    integer(addressOf(range.end), 'unsigned long'),
  ];
  if (isStart && kernel.facts.notifierBlockable) args.push(integer(range.blockable ? 1 : 0, 'bool'));
  return args;
}

export const C_LIST_OPS: ListNotifierOps = {
  *release(kernel, sub, mm) {
    const member = opsMember(sub.c, 'release');
    if (sub.c && member) yield* callMember(kernel, member, [objectPointer(sub.c), mmPointer(kernel, mm)]);
  },
  *invalidate_range_start(kernel, sub, range) {
    const member = opsMember(sub.c, 'invalidate_range_start');
    if (!sub.c || !member) return 0;
    const result = yield* callMember(kernel, member, rangeArgs(kernel, sub.c, range, true));
    return kernel.facts.notifierBlockable ? numberOf(result) : 0;
  },
  *invalidate_range_end(kernel, sub, range) {
    const member = opsMember(sub.c, 'invalidate_range_end');
    if (sub.c && member) yield* callMember(kernel, member, rangeArgs(kernel, sub.c, range, false));
  },
};

/** The notifier behind a struct mmu_notifier on the list of an mm, if it is on one. */
export function listNotifierOf(kernel: Kernel, struct: CStruct): ListNotifier | undefined {
  for (const mm of kernel.state.mms.values()) {
    const found = subscriptionsOf(mm)?.list.find((sub) => sub.c === struct);
    if (found) return found;
  }
  return undefined;
}

/** start and length in bytes as pages [start, end): what overflows stays beyond the limit, nothing stays empty. */
export function pagesOf(start: bigint, length: bigint): { start: number; end: number } {
  const first = vpnOf(start);
  if (length === 0n) return { start: first, end: first };
  return { start: first, end: Number((start + length + 4095n) >> 12n) };
}
