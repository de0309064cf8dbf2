/** The part of mm/memory_hotplug.c (6.12) that drivers/dax/kmem.c calls: struct pages and the resource. */
import { PAGES_PER_SECTION } from '../../arch/x86_64.ts';
import {
  __request_region,
  IORESOURCE_BUSY,
  IORESOURCE_SYSTEM_RAM,
  type Resource,
  release_resource,
  walk,
} from '../../kernel/resource.ts';
import { hex, type Kernel } from '../../machine/kernel.ts';
import { arch_add_memory, arch_remove_memory } from '../../mm/memory_hotplug.ts';
import type { KernelGenerator } from '../../task/task.ts';

const EEXIST = -17;
const EINVAL = -22;
const SECTION_BYTES = BigInt(PAGES_PER_SECTION) << 12n;
const MAX_BLOCK_SIZE = 2n << 30n;
const LARGE_MEMORY = 64n << 30n;

/** arch/x86/mm/init_64.c:probe_memory_block_size: a section below 64 GiB, else the largest size that divides the end of memory. */
export function memory_block_size_bytes(kernel: Kernel): bigint {
  const end = BigInt(kernel.state.max_pfn) << 12n;
  if (end < LARGE_MEMORY) return SECTION_BYTES;
  let size = MAX_BLOCK_SIZE;
  while (size > SECTION_BYTES && end % size !== 0n) size >>= 1n;
  return size;
}

/** memory_hotplug.c:add_memory_driver_managed: the range under `name`, with struct pages, offline. */
export function add_memory_driver_managed(
  kernel: Kernel,
  nid: number,
  start: bigint,
  size: bigint,
  name: string,
  _flags: number,
): KernelGenerator<number> | number {
  return kernel.leaf(
    'add_memory_driver_managed',
    [`nid ${nid}`, hex(start), hex(size), JSON.stringify(name)],
    () => {
      if (!/^System RAM \(.+\)$/.test(name)) return EINVAL;
      const block = memory_block_size_bytes(kernel);
      if (size === 0n || start % block !== 0n || size % block !== 0n) {
        kernel.pr_err(`Block size [${hex(block)}] unaligned hotplug range: start ${hex(start)}, size ${hex(size)}`);
        return EINVAL;
      }
      const got = __request_region(kernel.store, kernel.state.iomem, start, size, name);
      if (!('resource' in got)) return EEXIST;
      kernel.store.set(got.resource, 'flags', IORESOURCE_SYSTEM_RAM | IORESOURCE_BUSY);
      const params = { altmap: undefined, pgmap: false };
      const error = arch_add_memory(kernel, nid, Number(start >> 12n), Number(size >> 12n), params);
      if (error) release_resource(kernel.store, got.resource);
      return error;
    },
    String,
  );
}

/** memory_hotplug.c:remove_memory. */
export function remove_memory(kernel: Kernel, start: bigint, size: bigint): KernelGenerator<number> | number {
  return kernel.leaf(
    'remove_memory',
    [hex(start), hex(size)],
    () => {
      arch_remove_memory(kernel, Number(start >> 12n), Number(size >> 12n), undefined);
      const held = memoryAt(kernel, start, start + size - 1n);
      if (held) release_resource(kernel.store, held);
      return 0;
    },
    String,
  );
}

function memoryAt(kernel: Kernel, start: bigint, end: bigint): Resource | undefined {
  for (const { resource } of walk(kernel.state.iomem))
    if (resource.start === start && resource.end === end && (resource.flags & IORESOURCE_BUSY) !== 0n) return resource;
  return undefined;
}
