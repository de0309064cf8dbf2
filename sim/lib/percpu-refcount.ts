/** lib/percpu-refcount.c, as the one counter it behaves like. */
import { BadAccess, type CPointer, type CStruct, isNull, objectPointer, structAt } from '../c/value.ts';
import type { Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';

export interface PercpuRef extends CStruct {
  readonly $struct: 'percpu_ref';
  count: bigint;
  /** 1 from percpu_ref_kill on. */
  dead: bigint;
}

/** A reference that the kernel keeps for itself: one for its life. */
export const newPercpuRef = (): PercpuRef => ({ $struct: 'percpu_ref', count: 1n, dead: 0n });

/** `percpu_ref_init`: live, with the one reference that percpu_ref_kill drops. */
export function percpu_ref_init(kernel: Kernel, ref: CStruct, release: CPointer): void {
  kernel.store.set(ref, 'count', 1n);
  kernel.store.set(ref, 'dead', 0n);
  kernel.store.set(ref, 'release', release);
}

/** A struct percpu_ref that was initialised; a kernel would follow a wild pointer otherwise. */
export function percpuRef(object: CStruct, who: string): PercpuRef {
  if (typeof object.dead !== 'bigint')
    throw new BadAccess(`${who}: this struct percpu_ref was never initialised; percpu_ref_init(&ref, release, 0, 0)`);
  return object as PercpuRef;
}

export const percpu_ref_is_live = (ref: PercpuRef): boolean => ref.dead === 0n;

export function percpu_ref_get_many(kernel: Kernel, ref: PercpuRef, count: number): void {
  if (count !== 0) kernel.store.add(ref, 'count', BigInt(count));
}

export function percpu_ref_tryget_live(kernel: Kernel, ref: PercpuRef): boolean {
  if (!percpu_ref_is_live(ref) || ref.count === 0n) return false;
  percpu_ref_get_many(kernel, ref, 1);
  return true;
}

/** Drops references of a ref whose release tells nobody: the kernel's own. Never below zero. */
export function dropReferences(kernel: Kernel, ref: PercpuRef, count: number): void {
  const dropped = BigInt(count);
  kernel.store.add(ref, 'count', dropped > ref.count ? -ref.count : -dropped);
}

/** `percpu_ref_put_many`: the last one calls the release function. */
export function* percpu_ref_put_many(kernel: Kernel, ref: PercpuRef, count: number): KernelGenerator<void> {
  if (count === 0 || ref.count === 0n) return;
  dropReferences(kernel, ref, count);
  const { release } = ref;
  if (ref.count > 0n || typeof release !== 'object' || !('kind' in release)) return;
  if (!isNull(release as CPointer)) yield* callFunction(kernel, release as CPointer, [ref]);
}

/** `percpu_ref_kill`: no new references; the first one is dropped. */
export function* percpu_ref_kill(kernel: Kernel, ref: PercpuRef): KernelGenerator<void> {
  return yield* kernel.call(
    'percpu_ref_kill',
    ['ref'],
    (function* () {
      if (!percpu_ref_is_live(ref)) {
        kernel.WARN('percpu_ref_kill_and_confirm: called more than once');
        return;
      }
      kernel.store.set(ref, 'dead', 1n);
      yield* percpu_ref_put_many(kernel, ref, 1);
    })(),
    () => '',
  );
}

/** A pointer to a function of the kernel, for the callbacks of its own drivers. */
export const kernelFunction = (name: string): CPointer => ({
  kind: 'pointer',
  to: name,
  target: { kind: 'function', function: { kind: 'kernel', name } },
});

/** Callbacks of the kernel's own drivers that end a reference, and those that wait until it is gone. */
const KILLS = [
  'pci_p2pdma_percpu_kill',
  'pmem_freeze_queue',
  'dax_pmem_percpu_kill',
  'dev_dax_percpu_kill',
  'hmm_devmem_ref_kill',
];
const WAITS = ['blk_cleanup_queue', 'dev_dax_percpu_exit', 'hmm_devmem_ref_exit'];

/** Calls a function pointer that a driver gave, with structs as its arguments. */
export function* callFunction(kernel: Kernel, pointer: CPointer, args: readonly CStruct[]): KernelGenerator<void> {
  const { target } = pointer;
  const [first] = args;
  const name = target.kind === 'function' && target.function.kind === 'kernel' ? target.function.name : '';
  if (first && (name === 'percpu_ref_kill' || KILLS.includes(name))) {
    const ref = percpuRef(first, name);
    // A driver may be asked more than once for one reference; percpu_ref_kill itself may not.
    if (name === 'percpu_ref_kill' || percpu_ref_is_live(ref)) yield* percpu_ref_kill(kernel, ref);
    return;
  }
  if (first && WAITS.includes(name)) return yield* percpu_ref_drain(kernel, name, percpuRef(first, name));
  if (!kernel.callBack) throw new BadAccess('a callback of a driver cannot run here');
  yield* kernel.callBack(
    pointer,
    args.map((object) => objectPointer(object)),
  );
}

/**
 * blk-core.c:blk_cleanup_queue and the exit functions of DAX drivers: sleeps until nobody holds a reference
 * that was killed. A queue is killed here if nobody did.
 */
export function* percpu_ref_drain(kernel: Kernel, name: string, ref: PercpuRef): KernelGenerator<void> {
  return yield* kernel.call(
    name,
    [],
    (function* () {
      if (name === 'blk_cleanup_queue' && percpu_ref_is_live(ref)) yield* percpu_ref_kill(kernel, ref);
      if (ref.count === 0n) return;
      yield {
        kind: 'wait',
        on: {
          what: 'the references of a driver to be dropped',
          ready: () => ref.count === 0n,
          holders: () => {
            const held = [...kernel.state.dax.values()].flatMap((mapping) =>
              [...mapping.held.keys()].map((pfn) => `get_user_pages on page 0x${pfn.toString(16)}`),
            );
            return held.length > 0 ? held : [`${ref.count} reference(s)`];
          },
        },
      };
    })(),
    () => '',
  );
}

/** The struct percpu_ref a pointer leads to, if it is one that was initialised. */
export function refAt(pointer: CPointer, who: string): PercpuRef | undefined {
  const object = structAt(pointer);
  return object?.$struct === 'percpu_ref' ? percpuRef(object, who) : undefined;
}
