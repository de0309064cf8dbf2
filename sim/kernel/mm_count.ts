/** include/linux/sched/mm.h and kernel/fork.c: references on struct mm_struct itself, apart from its users. */
import type { Mm } from '../include/mm_types.ts';
import type { Kernel } from '../machine/kernel.ts';

export function mmgrab(kernel: Kernel, mm: Mm): void {
  kernel.store.set(mm, 'mm_count', mm.mm_count + 1);
}

/** fork.c:__mmdrop: the last reference of the structure itself. */
export function mmdrop(kernel: Kernel, mm: Mm): void {
  kernel.store.set(mm, 'mm_count', mm.mm_count - 1);
  if (mm.mm_count === 0) kernel.store.mapDelete(kernel.state.mms, mm.id);
}
