/** DIMMs that come and go: drivers/acpi/acpi_memhotplug.c and acpi_scan_hot_remove of drivers/acpi/scan.c (6.12). */
import { type Dimm, type MemoryBlock, MHP_MEMMAP_ON_MEMORY, MHP_NID_IS_MGID, MHP_NONE } from '../include/memory.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import { __add_memory, __remove_memory } from '../mm/add_memory.ts';
import { lock_device_hotplug } from '../mm/hotplug_lock.ts';
import {
  blocksOf,
  memory_block_offline,
  memory_block_online,
  memory_group_register_static,
  memory_group_unregister,
} from '../mm/memory_block.ts';
import { mhp_supports_memmap_on_memory } from '../mm/mhp_range.ts';
import { removeItem } from '../store/remove.ts';
import type { KernelGenerator } from '../task/task.ts';

const EINVAL = -22;
const EBUSY = -16;
const ENODEV = -19;

/** `PNP0C80:00`: the lowest instance that is free. */
const instanceOf = (kernel: Kernel): number => {
  let instance = 0;
  while (kernel.state.dimms.some((dimm) => dimm.instance === instance)) instance++;
  return instance;
};
export const acpiName = (instance: number): string => `PNP0C80:${instance.toString(16).padStart(2, '0')}`;

/** acpi_memory_device_add for a DIMM of one range. 0, or -EINVAL when the kernel did not take it. */
export function* acpi_memory_device_add(
  kernel: Kernel,
  name: string,
  nid: number,
  start: bigint,
  size: bigint,
): KernelGenerator<number> {
  return yield* kernel.call(
    'acpi_memory_device_add',
    [name, hex(start), hex(size)],
    lock_device_hotplug(kernel, `dimm plug ${name}`, enable(kernel, name, nid, start, size)),
    String,
  );
}

/** acpi_memory_enable_device: one static group for the DIMM, then __add_memory. */
function* enable(kernel: Kernel, name: string, nid: number, start: bigint, size: bigint): KernelGenerator<number> {
  const instance = instanceOf(kernel);
  const group = memory_group_register_static(kernel, nid, Number((size + 4095n) >> 12n));
  const hasGroups = kernel.facts.memoryGroups;
  const own = kernel.facts.memmapOnMemory && mhp_supports_memmap_on_memory(kernel) ? MHP_MEMMAP_ON_MEMORY : MHP_NONE;
  const flags = (hasGroups ? MHP_NID_IS_MGID : MHP_NONE) | own;
  const error = yield* __add_memory(kernel, hasGroups ? group.id : nid, start, size, flags);
  // The driver takes -EEXIST for memory of boot that it finds again; a DIMM that is plugged now cannot be that.
  if (error) {
    kernel.pr_err(`acpi ${acpiName(instance)}: add_memory failed`);
    kernel.pr_err(`acpi ${acpiName(instance)}: acpi_memory_enable_device() error`);
    memory_group_unregister(kernel, group);
    return EINVAL;
  }
  const dimm: Dimm = { name, instance, start, size, group };
  kernel.store.splice(kernel.state.dimms, kernel.state.dimms.length, 0, dimm);
  return 0;
}

/** acpi_scan_hot_remove: every block goes offline, then the memory away. -EBUSY, with the blocks back, where one cannot. */
export function* acpi_scan_hot_remove(kernel: Kernel, dimm: Dimm): KernelGenerator<number> {
  return yield* kernel.call(
    'acpi_scan_hot_remove',
    [dimm.name],
    lock_device_hotplug(kernel, `dimm unplug ${dimm.name}`, eject(kernel, dimm)),
    String,
  );
}

function* eject(kernel: Kernel, dimm: Dimm): KernelGenerator<number> {
  // Gone while this waited for the lock.
  if (!kernel.state.dimms.includes(dimm)) return ENODEV;
  const offline: MemoryBlock[] = [];
  const failed = yield* kernel.call(
    'acpi_scan_try_to_offline',
    [acpiName(dimm.instance)],
    tryToOffline(kernel, dimm, offline),
    (block) => (block ? '-16' : '0'),
  );
  if (failed) {
    kernel.pr_warn(`memory memory${failed.id}: Offline failed.`);
    // Online again by the policy, not in the zone they had.
    for (const block of offline) yield* memory_block_online(kernel, block);
    return EBUSY;
  }
  __remove_memory(kernel, dimm.start, dimm.size);
  memory_group_unregister(kernel, dimm.group);
  removeItem(kernel.store, kernel.state.dimms, dimm);
  return 0;
}

/** acpi_scan_try_to_offline: twice, because one block may hold what describes the others. The block that refused. */
function* tryToOffline(kernel: Kernel, dimm: Dimm, offline: MemoryBlock[]): KernelGenerator<MemoryBlock | undefined> {
  let failed: MemoryBlock | undefined;
  for (const block of [...blocksOf(kernel, dimm.start, dimm.size)]) {
    const status = yield* memory_block_offline(kernel, block);
    if (status === 0) offline.push(block);
    if (status < 0) failed ??= block;
  }
  if (!failed) return undefined;
  for (const block of [...blocksOf(kernel, dimm.start, dimm.size)]) {
    if (offline.includes(block)) continue;
    const status = yield* memory_block_offline(kernel, block);
    if (status === 0) offline.push(block);
    if (status < 0) return block;
  }
  return undefined;
}
