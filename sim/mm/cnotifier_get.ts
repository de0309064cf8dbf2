/** mm/mmu_notifier.c:mmu_notifier_get and mmu_notifier_put (5.4 on) for drivers in C, who allocate their own struct. */
import { BadAccess, type CPointer, type CStruct, errorOf, isNull, objectPointer, structAt } from '../c/value.ts';
import type { Mm } from '../include/mm_types.ts';
import { down_write, up_write } from '../kernel/locking.ts';
import { mmdrop } from '../kernel/mm_count.ts';
import type { Kernel } from '../machine/kernel.ts';
import { removeItem } from '../store/remove.ts';
import type { KernelGenerator } from '../task/task.ts';
import { C_LIST_OPS, callMember, listNotifierOf } from './cnotifier.ts';
import { mmOf, mmPointer } from './cviews.ts';
import { __mmu_notifier_register } from './mmu_notifier_list.ts';
import { type ListNotifier, newListNotifier, subscriptionsOf } from './mmu_notifier_state.ts';
import { integerField, pointerField } from './pagemap.ts';

const ENOMEM = -12;

const opsOf = (pointer: CPointer | undefined): CStruct | undefined => (pointer ? structAt(pointer) : undefined);

function* callOps(
  kernel: Kernel,
  ops: CStruct,
  name: string,
  argument: CPointer,
): KernelGenerator<CPointer | undefined> {
  const member = pointerField(ops, name);
  if (!member || isNull(member)) throw new BadAccess(`mmu_notifier_ops.${name} is NULL: the kernel calls it`);
  const result = yield* callMember(kernel, member, [argument]);
  return result.kind === 'pointer' ? result : undefined;
}

/** The struct that watches `mm` with these ops, one more user of it; made by the driver if there is none. Or an errno. */
export function* get_c_notifier(kernel: Kernel, pointer: CPointer, mm: Mm): KernelGenerator<CStruct | number> {
  const ops = opsOf(pointer);
  if (!ops) throw new BadAccess('mmu_notifier_get: no struct mmu_notifier_ops');
  yield* down_write(kernel, mm.mmap_lock);
  const result = yield* getLocked(kernel, ops, pointer, mm);
  up_write(kernel, mm.mmap_lock);
  return result;
}

function* getLocked(kernel: Kernel, ops: CStruct, pointer: CPointer, mm: Mm): KernelGenerator<CStruct | number> {
  const known = subscriptionsOf(mm)?.list.find(({ c }) => c && opsOf(pointerField(c, 'ops')) === ops);
  if (known?.c) {
    setUsers(kernel, known, known.c, known.users + 1);
    return known.c;
  }
  const made = yield* callOps(kernel, ops, 'alloc_notifier', mmPointer(kernel, mm));
  const error = made && errorOf(made);
  if (error !== undefined) return error;
  const struct = made && structAt(made);
  if (struct?.$struct !== 'mmu_notifier') return made && isNull(made) ? ENOMEM : stray();
  kernel.store.set(struct, 'ops', pointer);
  kernel.store.set(struct, 'mm', mmPointer(kernel, mm));
  const sub = newListNotifier(C_LIST_OPS, struct);
  const failed = __mmu_notifier_register(kernel, sub, mm);
  if (failed === 0) {
    setUsers(kernel, sub, struct, 1);
    return struct;
  }
  yield* callOps(kernel, ops, 'free_notifier', objectPointer(struct));
  return failed;
}

const stray = (): never => {
  throw new BadAccess('mmu_notifier_ops.alloc_notifier gave no struct mmu_notifier');
};

/** The struct outlives the list, from which the exit of the process takes it. */
function setUsers(kernel: Kernel, sub: ListNotifier | undefined, struct: CStruct, users: number): void {
  if (sub) kernel.store.set(sub, 'users', users);
  kernel.store.set(struct, 'users', BigInt(users));
}

/** One user fewer; behind the last one the driver frees it. Nobody waits for SRCU here: it is free at once. */
export function* put_c_notifier(kernel: Kernel, struct: CStruct): KernelGenerator<void> {
  const sub = listNotifierOf(kernel, struct);
  const users = Number(integerField(struct, 'users'));
  if (users === 0) {
    kernel.WARN('WARN_ON(!subscription->users): mmu_notifier_put without mmu_notifier_get');
    return;
  }
  setUsers(kernel, sub, struct, users - 1);
  if (users > 1) return;
  const mm = mmOf(pointerField(struct, 'mm') ?? stray(), 'mmu_notifier_put');
  const list = subscriptionsOf(mm)?.list;
  if (sub && list) {
    removeItem(kernel.store, list, sub);
    kernel.store.set(sub, 'hashed', false);
  }
  const ops = opsOf(pointerField(struct, 'ops'));
  if (ops) yield* callOps(kernel, ops, 'free_notifier', objectPointer(struct));
  mmdrop(kernel, mm);
}
