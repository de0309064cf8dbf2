/**
 * How drivers of persistent memory map it in 4.3 to 5.2: drivers/nvdimm/pmem.c and drivers/dax/pmem.c. The
 * reference is the driver's (for pmem that of its queue), and who kills it and who waits for it, before the
 * mapping is undone or after, is a matter of the release.
 */
import { type CPointer, type CStruct, errorOf, NULL, objectPointer } from '../../c/value.ts';
import { IORESOURCE_MEM, resource } from '../../kernel/resource.ts';
import { kernelFunction, newPercpuRef, type PercpuRef } from '../../lib/percpu-refcount.ts';
import type { Kernel } from '../../machine/kernel.ts';
import type { DeviceState } from '../../machine/state.ts';
import { devm_memremap_pages_pgmap, devm_memremap_pages_res } from '../../mm/memremap-old.ts';
import { integerField, structField } from '../../mm/pagemap.ts';
import type { VmemAltmap } from '../../mm/sparse-vmemmap.ts';
import type { KernelGenerator } from '../../task/task.ts';
import { devm_add_action, dropAction } from '../base/devres.ts';

/** devm_memremap_pages as the release has it: a pagemap from 4.16 on, before what would go into one. */
function* map(
  kernel: Kernel,
  device: DeviceState,
  pgmap: CStruct,
  ref: PercpuRef | undefined,
): KernelGenerator<CPointer> {
  const pointer = ref ? objectPointer(ref) : NULL;
  if (kernel.facts.pagemapArgument) {
    kernel.store.set(pgmap, 'ref', pointer);
    return yield* devm_memremap_pages_pgmap(kernel, device, pgmap);
  }
  const range = structField(pgmap, 'res') ?? pgmap;
  const res = resource(integerField(range, 'start'), integerField(range, 'end'), device.name, IORESOURCE_MEM);
  const altmap = integerField(pgmap, 'altmap_valid') !== 0n ? (structField(pgmap, 'altmap') as VmemAltmap) : undefined;
  return yield* devm_memremap_pages_res(kernel, device, res, pointer, altmap);
}

/** The callbacks of the pagemap, where the release has them. */
function setTeardown(kernel: Kernel, pgmap: CStruct, kill: string, cleanup: string): void {
  if (kernel.facts.pagemapKillRequired) kernel.store.set(pgmap, 'kill', kernelFunction(kill));
  if (kernel.facts.pagemapCleanupRequired) kernel.store.set(pgmap, 'cleanup', kernelFunction(cleanup));
}

/** pmem.c:pmem_attach_disk, from its queue to the mapping. 0 or an errno; what it took is undone with the device. */
export function* pmem_map_pages(kernel: Kernel, device: DeviceState, pgmap: CStruct): KernelGenerator<number> {
  // 4.3 and 4.4: nobody counts who uses the pages.
  if (!kernel.facts.devPagemap) return errorOf(yield* map(kernel, device, pgmap, undefined)) ?? 0;
  const ref = newPercpuRef();
  const queue: CStruct = { $struct: 'request_queue', q_usage_counter: ref };
  const add = (what: 'blk_cleanup_queue' | 'percpu_ref_kill' | 'dev_pagemap_put_ops', subject: CStruct): void =>
    devm_add_action(kernel, device, what, subject);
  const isFrozenFirst = kernel.facts.pageHoldsPagemapRef;
  if (isFrozenFirst && !kernel.facts.pagemapCleanupRequired) add('blk_cleanup_queue', queue);
  if (kernel.facts.devmapManagedByDriver) {
    kernel.store.set(kernel.state, 'devmap_managed_key', kernel.state.devmap_managed_key + 1);
    add('dev_pagemap_put_ops', pgmap);
  }
  setTeardown(kernel, pgmap, 'pmem_freeze_queue', 'blk_cleanup_queue');
  const address = yield* map(kernel, device, pgmap, ref);
  // To 4.13 the queue is dead, and all pages are back, before the mapping goes; later it is frozen only.
  if (!isFrozenFirst) add('blk_cleanup_queue', queue);
  else if (!kernel.facts.pagemapKillRequired) add('percpu_ref_kill', ref);
  return errorOf(address) ?? 0;
}

/** dax/pmem.c:dax_pmem_probe (4.7 to 5.0), dax/device.c:dev_dax_probe (5.1, 5.2): the same for a DAX device. */
export function* dax_map_pages(kernel: Kernel, device: DeviceState, pgmap: CStruct): KernelGenerator<number> {
  const ref = newPercpuRef();
  const isFrozenFirst = kernel.facts.pageHoldsPagemapRef;
  const exit = { $struct: 'dax_pmem', ref } satisfies CStruct;
  if (isFrozenFirst && !kernel.facts.pagemapCleanupRequired) devm_add_action(kernel, device, 'percpu_ref_exit', exit);
  const kill = kernel.facts.daxBus ? 'dev_dax_percpu_kill' : 'dax_pmem_percpu_kill';
  setTeardown(kernel, pgmap, kill, 'dev_dax_percpu_exit');
  const error = errorOf(yield* map(kernel, device, pgmap, ref));
  if (error !== undefined) {
    // Nobody killed the reference: waiting for it would be for ever.
    if (!kernel.facts.pagemapKillRequired) dropAction(kernel, device, exit);
    return error;
  }
  if (!isFrozenFirst) devm_add_action(kernel, device, 'percpu_ref_exit', exit);
  if (!kernel.facts.pagemapKillRequired) devm_add_action(kernel, device, 'percpu_ref_kill', ref);
  return 0;
}
