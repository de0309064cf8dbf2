/** Device memory as system RAM: drivers/dax/kmem.c (6.12). */
import { __request_region, IORESOURCE_SYSTEM_RAM, release_resource } from '../../kernel/resource.ts';
import { hex, type Kernel } from '../../machine/kernel.ts';
import { add_memory_driver_managed, remove_memory } from '../../mm/add_memory.ts';
import { memory_block_size_bytes } from '../../mm/memory_block.ts';
import type { KernelGenerator } from '../../task/task.ts';
import { alignDown, alignUp, EBUSY, EINVAL } from '../nvdimm/nd.ts';
import type { DevDax } from './dax.ts';

const KMEM_NAME = 'System RAM (kmem)';

/** kmem.c:dax_kmem_range: whole memory blocks only. */
export function dax_kmem_range(kernel: Kernel, dev: DevDax): { start: bigint; end: bigint } | undefined {
  const block = memory_block_size_bytes(kernel);
  const start = alignUp(dev.start, block);
  const end = alignDown(dev.end + 1n, block) - 1n;
  return start >= end ? undefined : { start, end };
}

/** kmem.c:dev_dax_kmem_probe: reserves the blocks and adds them as driver-managed memory, offline. */
export function* dev_dax_kmem_probe(kernel: Kernel, dev: DevDax): KernelGenerator<number> {
  if (dev.target_node < 0) {
    kernel.pr_warn(`kmem ${dev.name}: rejecting DAX region with invalid node: ${dev.target_node}`);
    return EINVAL;
  }
  const range = dax_kmem_range(kernel, dev);
  if (!range) {
    kernel.pr_info(`kmem ${dev.name}: mapping0: ${hex(dev.start)}-${hex(dev.end)} too small after alignment`);
    kernel.pr_warn(`kmem ${dev.name}: rejecting DAX region without any memory after alignment`);
    return EINVAL;
  }
  const size = range.end - range.start + 1n;
  const { store, state } = kernel;
  // Not devm: the region stays taken if the memory cannot be removed.
  const got = __request_region(store, state.iomem, range.start, size, dev.name);
  if (!('resource' in got)) {
    kernel.pr_warn(`kmem ${dev.name}: mapping0: ${hex(range.start)}-${hex(range.end)} could not reserve region`);
    return EBUSY;
  }
  // Not busy, so that the memory can become its child.
  store.set(got.resource, 'flags', IORESOURCE_SYSTEM_RAM);
  const result = add_memory_driver_managed(kernel, dev.target_node, range.start, size, KMEM_NAME, 0);
  const error = typeof result === 'number' ? result : yield* result;
  if (error) {
    kernel.pr_warn(`kmem ${dev.name}: mapping0: ${hex(range.start)}-${hex(range.end)} memory add failed`);
    release_resource(store, got.resource);
    return error;
  }
  store.set(dev, 'kmem', got.resource);
  return 0;
}

/** kmem.c:dev_dax_kmem_remove: memory with online blocks stays, and its region stays taken until the next boot. */
export function* dev_dax_kmem_remove(kernel: Kernel, dev: DevDax): KernelGenerator<void> {
  const held = dev.kmem;
  if (!held) return;
  const result = remove_memory(kernel, held.start, held.end - held.start + 1n);
  const error = typeof result === 'number' ? result : yield* result;
  kernel.store.set(dev, 'kmem', undefined);
  if (error) {
    kernel.pr_err(
      `kmem ${dev.name}: mapping0: ${hex(held.start)}-${hex(held.end)} cannot be hotremoved until the next reboot`,
    );
    return;
  }
  release_resource(kernel.store, held);
}
