/** Adding and removing whole memory blocks: mm/memory_hotplug.c (6.12). */
import { BadAccess } from '../c/value.ts';
import {
  type MemoryBlock,
  type MemoryGroup,
  MHP_MEMMAP_ON_MEMORY,
  MHP_MERGE_RESOURCE,
  MHP_NID_IS_MGID,
  MMOP_OFFLINE,
  MMOP_ONLINE_KERNEL,
  MMOP_ONLINE_MOVABLE,
  type Mmop,
} from '../include/memory.ts';
import { ZONE_MOVABLE } from '../include/types.ts';
import type { Resource } from '../kernel/resource.ts';
import { release_resource } from '../kernel/resource.ts';
import { release_mem_region_adjustable } from '../kernel/resource-adjust.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { lock_device_hotplug } from './hotplug_lock.ts';
import {
  blockStart,
  blocksOf,
  memory_block_offline,
  memory_block_online,
  memory_block_size_bytes,
  remove_memory_block_devices,
} from './memory_block.ts';
import {
  addBlocks,
  create_altmaps_and_memory_blocks,
  mhp_supports_memmap_on_memory,
  remove_memory_blocks_and_altmaps,
  removePages,
} from './mhp_range.ts';
import { pfn_is_online } from './sparse.ts';
import { merge_system_ram_resource, register_memory_resource } from './system_ram.ts';

const EINVAL = -22;
const EBUSY = -16;

const isBlockAligned = (kernel: Kernel, start: bigint, size: bigint): boolean =>
  size > 0n && start % memory_block_size_bytes(kernel) === 0n && size % memory_block_size_bytes(kernel) === 0n;

/** memory_hotplug.c:check_hotplug_memory_range. */
function check_hotplug_memory_range(kernel: Kernel, start: bigint, size: bigint): number {
  if (isBlockAligned(kernel, start, size)) return 0;
  const block = hex(memory_block_size_bytes(kernel));
  kernel.pr_err(`Block size [${block}] unaligned hotplug range: start ${hex(start)}, size ${hex(size)}`);
  return EINVAL;
}

/** memory_hotplug.c:__add_memory, for callers that hold the lock. */
export function* __add_memory(
  kernel: Kernel,
  nid: number,
  start: bigint,
  size: bigint,
  flags: number,
): KernelGenerator<number> {
  return yield* kernel.call(
    '__add_memory',
    [String(nid), hex(start), hex(size), hex(flags)],
    addNamed(kernel, nid, start, size, 'System RAM', flags),
    String,
  );
}

function* addNamed(
  kernel: Kernel,
  nid: number,
  start: bigint,
  size: bigint,
  name: string,
  flags: number,
): KernelGenerator<number> {
  const resource = register_memory_resource(kernel, start, size, name);
  if (typeof resource === 'number') return resource;
  const error = yield* kernel.call(
    'add_memory_resource',
    [String(nid), `[mem ${hex(start)}-${hex(start + size - 1n)}]`, hex(flags)],
    add_memory_resource(kernel, nid, resource, flags),
    String,
  );
  if (error < 0) release_resource(kernel.store, resource);
  return error;
}

/** memory_hotplug.c:add_memory: System RAM that the firmware or a driver found. */
export function* add_memory(
  kernel: Kernel,
  nid: number,
  start: bigint,
  size: bigint,
  flags: number,
): KernelGenerator<number> {
  return yield* kernel.call(
    'add_memory',
    [String(nid), hex(start), hex(size), hex(flags)],
    lock_device_hotplug(kernel, 'add_memory', __add_memory(kernel, nid, start, size, flags)),
    String,
  );
}

/**
 * memory_hotplug.c:add_memory_driver_managed: memory that a driver brings and takes away, which
 * firmware does not know. -EINVAL for a name that is not `System RAM ($DRIVER)`.
 */
export function* add_memory_driver_managed(
  kernel: Kernel,
  nid: number,
  start: bigint,
  size: bigint,
  resourceName: string,
  flags: number,
): KernelGenerator<number> {
  return yield* kernel.call(
    'add_memory_driver_managed',
    [String(nid), hex(start), hex(size), JSON.stringify(resourceName), hex(flags)],
    (function* () {
      if (!resourceName.startsWith('System RAM (') || !resourceName.endsWith(')')) return EINVAL;
      const add = addNamed(kernel, nid, start, size, resourceName, flags);
      return yield* lock_device_hotplug(kernel, 'add_memory_driver_managed', add);
    })(),
    String,
  );
}

/**
 * memory_hotplug.c:add_memory_resource: struct pages and blocks for a resource, offline unless
 * auto_online_blocks says otherwise. How that onlining ends is not told to the caller.
 */
function* add_memory_resource(kernel: Kernel, id: number, resource: Resource, flags: number): KernelGenerator<number> {
  const { start } = resource;
  const size = resource.end - start + 1n;
  const misaligned = check_hotplug_memory_range(kernel, start, size);
  if (misaligned) return misaligned;
  let nid = id;
  let group: MemoryGroup | undefined;
  if ((flags & MHP_NID_IS_MGID) !== 0) {
    group = kernel.state.memoryGroups.find((candidate) => candidate.id === id);
    if (!group) return EINVAL;
    nid = group.nid;
  }
  if (!kernel.nodes.some((node) => node.node_id === nid)) {
    kernel.WARN(`node ${nid} was absent from the node_possible_map`);
    return EINVAL;
  }
  const isSelfHosted = (flags & MHP_MEMMAP_ON_MEMORY) !== 0 && mhp_supports_memmap_on_memory(kernel);
  const error = isSelfHosted
    ? create_altmaps_and_memory_blocks(kernel, nid, group, start, size)
    : addBlocks(kernel, nid, start, size, undefined, group);
  if (error) return error;
  if ((flags & MHP_MERGE_RESOURCE) !== 0) merge_system_ram_resource(kernel, resource);
  const type = kernel.state.mhp_default_online_type;
  if (type !== MMOP_OFFLINE)
    for (const block of [...blocksOf(kernel, start, size)]) yield* memory_block_online(kernel, block, type);
  return 0;
}

/** memory_hotplug.c:try_remove_memory: -EBUSY while a block is not offline, -EINVAL where only some hold their own memmap. */
function try_remove_memory(kernel: Kernel, start: bigint, size: bigint): number {
  return kernel.leaf(
    'try_remove_memory',
    [hex(start), hex(size)],
    () => {
      const bytes = memory_block_size_bytes(kernel);
      const blocks = [...blocksOf(kernel, start, size)];
      const online = blocks.find((block) => block.state !== 'offline');
      if (online) {
        const at = BigInt(blockStart(kernel, online)) << 12n;
        const text = (address: bigint): string => `0x${address.toString(16).padStart(16, '0')}`;
        kernel.pr_warn(`removing memory fails, because memory [${text(at)}-${text(at + bytes - 1n)}] is onlined`);
        return EBUSY;
      }
      const selfHosted = blocks.filter((block) => block.altmap).length;
      if (selfHosted > 0 && selfHosted < Number(size / bytes)) {
        kernel.WARN('try_remove_memory: only some blocks of the range hold their own memory map');
        return EINVAL;
      }
      if (selfHosted > 0) remove_memory_blocks_and_altmaps(kernel, start, size);
      else {
        remove_memory_block_devices(kernel, start, size);
        removePages(kernel, start, size, undefined);
      }
      release_mem_region_adjustable(kernel.store, kernel.state.iomem, start, size);
      return 0;
    },
    String,
  );
}

function checkEnd(kernel: Kernel, start: bigint, size: bigint): void {
  if (start + size - 1n > kernel.physmemEnd)
    throw new BadAccess(
      `try_remove_memory: ${hex(start)} + ${hex(size)} ends beyond ${hex(kernel.physmemEnd)}, where no mem_section can be`,
    );
}

function checkOrBug(kernel: Kernel, start: bigint, size: bigint): void {
  checkEnd(kernel, start, size);
  if (!isBlockAligned(kernel, start, size))
    throw new BadAccess(
      `try_remove_memory: ${hex(start)} + ${hex(size)} is not made of whole memory blocks (${hex(memory_block_size_bytes(kernel))}): kernel BUG in mm/memory_hotplug.c`,
    );
}

// biome-ignore lint/correctness/useYield: the lock's body is a generator
function* removeLocked(kernel: Kernel, start: bigint, size: bigint): KernelGenerator<number> {
  return try_remove_memory(kernel, start, size);
}

/** memory_hotplug.c:__remove_memory, for callers that hold the lock and have offlined everything: anything else is a BUG. */
export function __remove_memory(kernel: Kernel, start: bigint, size: bigint): void {
  checkOrBug(kernel, start, size);
  if (try_remove_memory(kernel, start, size))
    throw new BadAccess('__remove_memory: a block is not offline: kernel BUG in mm/memory_hotplug.c');
}

/** memory_hotplug.c:remove_memory. */
export function* remove_memory(kernel: Kernel, start: bigint, size: bigint): KernelGenerator<number> {
  checkOrBug(kernel, start, size);
  return yield* kernel.call(
    'remove_memory',
    [hex(start), hex(size)],
    lock_device_hotplug(kernel, 'remove_memory', removeLocked(kernel, start, size)),
    String,
  );
}

/** memory_hotplug.c:offline_and_remove_memory: all or nothing; blocks it had taken offline come back on failure. */
export function* offline_and_remove_memory(kernel: Kernel, start: bigint, size: bigint): KernelGenerator<number> {
  return yield* kernel.call(
    'offline_and_remove_memory',
    [hex(start), hex(size)],
    (function* () {
      if (!isBlockAligned(kernel, start, size)) return EINVAL;
      checkEnd(kernel, start, size);
      return yield* lock_device_hotplug(kernel, 'offline_and_remove_memory', offlineAll(kernel, start, size));
    })(),
    String,
  );
}

function* offlineAll(kernel: Kernel, start: bigint, size: bigint): KernelGenerator<number> {
  const taken: { block: MemoryBlock; type: Mmop }[] = [];
  let error = 0;
  for (const block of [...blocksOf(kernel, start, size)]) {
    const first = blockStart(kernel, block);
    const isMovableZone = pfn_is_online(kernel, first) && kernel.zoneAt(first).index === ZONE_MOVABLE;
    const status = yield* memory_block_offline(kernel, block);
    if (status === 0) taken.push({ block, type: isMovableZone ? MMOP_ONLINE_MOVABLE : MMOP_ONLINE_KERNEL });
    error = Math.min(status, 0);
    if (error) break;
  }
  if (!error) {
    error = try_remove_memory(kernel, start, size);
    if (error) kernel.pr_err(`offline_and_remove_memory: Failed to remove memory: ${error}`);
  }
  if (error)
    for (const { block, type } of taken) {
      const status = yield* memory_block_online(kernel, block, type);
      if (status < 0) kernel.pr_warn(`offline_and_remove_memory: Failed to re-online memory: ${status}`);
    }
  return error;
}
