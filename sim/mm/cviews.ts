/**
 * How C sees the engine's processes: struct mm_struct, vm_area_struct, task_struct. A view reads what is there now
 * and is the same object each time; the state itself is elsewhere, so nothing of a view is kept.
 */
import { BadAccess, type CPointer, type CStruct, NULL, objectPointer, type Slot, structAt } from '../c/value.ts';
import type { Mm, Process, RwSem, Vma } from '../include/mm_types.ts';
import type { Kernel } from '../machine/kernel.ts';

type Members = Readonly<Record<string, () => Slot>>;

function view(struct: string, members: Members): CStruct {
  const object: CStruct = { $struct: struct };
  for (const [name, get] of Object.entries(members))
    Object.defineProperty(object, name, {
      enumerable: true,
      get,
      set: () => {
        throw new BadAccess(`${struct}.${name} belongs to the kernel: a program does not write it`);
      },
    });
  return object;
}

const atomic = (value: number): CStruct => ({ $struct: 'atomic_t', counter: BigInt(value) });

const views = new WeakMap<object, CStruct>();
const behind = new WeakMap<CStruct, object>();

function viewOf(object: object, struct: string, members: () => Members): CStruct {
  const known = views.get(object);
  if (known) return known;
  const made = view(struct, members());
  views.set(object, made);
  behind.set(made, object);
  return made;
}

/** struct hmm, which a driver only holds. */
export const hmmStruct = (hmm: object): CStruct => viewOf(hmm, 'hmm', () => ({}));

export const semStruct = (sem: RwSem): CStruct => viewOf(sem, 'rw_semaphore', () => ({}));

export function mmStruct(kernel: Kernel, mm: Mm): CStruct {
  return viewOf(mm, 'mm_struct', () => ({
    [kernel.facts.mmapLockNames ? 'mmap_lock' : 'mmap_sem']: () => semStruct(mm.mmap_lock),
    mm_users: () => atomic(mm.mm_users),
    mm_count: () => atomic(mm.mm_count),
  }));
}
export const mmPointer = (kernel: Kernel, mm: Mm | undefined): CPointer =>
  mm ? objectPointer(mmStruct(kernel, mm)) : { ...NULL, to: 'struct mm_struct' };

export function vmaStruct(kernel: Kernel, vma: Vma): CStruct {
  return viewOf(vma, 'vm_area_struct', () => ({
    vm_start: () => BigInt(vma.start) * 4096n,
    vm_end: () => BigInt(vma.end) * 4096n,
    vm_mm: () => mmPointer(kernel, vma.mm),
    vm_flags: () => BigInt(vma.flags >>> 0),
    vm_pgoff: () => BigInt(vma.pgoff),
  }));
}
export const vmaPointer = (kernel: Kernel, vma: Vma | undefined): CPointer =>
  vma ? objectPointer(vmaStruct(kernel, vma)) : { ...NULL, to: 'struct vm_area_struct' };

export function taskStruct(kernel: Kernel, process: Process): CStruct {
  return viewOf(process, 'task_struct', () => ({
    pid: () => BigInt(process.pid),
    comm: () => process.comm,
    mm: () => mmPointer(kernel, process.mm),
  }));
}

function objectBehind(pointer: CPointer, struct: string, who: string): object {
  const found = structAt(pointer);
  const object = found?.$struct === struct ? behind.get(found) : undefined;
  if (!object) throw new BadAccess(`${who}: this pointer leads to no ${struct} of a process`);
  return object;
}

/** The engine's object behind a pointer that C brings; a stray one is a bad access. */
export const mmOf = (pointer: CPointer, who: string): Mm => objectBehind(pointer, 'mm_struct', who) as Mm;
export const vmaOf = (pointer: CPointer, who: string): Vma => objectBehind(pointer, 'vm_area_struct', who) as Vma;
export const semOf = (pointer: CPointer, who: string): RwSem => objectBehind(pointer, 'rw_semaphore', who) as RwSem;
export const processOf = (pointer: CPointer, who: string): Process =>
  objectBehind(pointer, 'task_struct', who) as Process;
