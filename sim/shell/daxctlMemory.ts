/** The memory blocks of a DAX device in system-ram mode, through sysfs as libdaxctl reaches them. */
import { type DevDax, findDevDax } from '../drivers/dax/dax.ts';
import type { VirtualFile, VirtualNode } from '../fs/files.ts';
import type { Kernel } from '../machine/kernel.ts';
import { memory_block_size_bytes } from '../mm/memory_block.ts';
import type { KernelGenerator } from '../task/task.ts';

type FindNode = (kernel: Kernel, path: string) => VirtualNode | undefined;
const ROOT = '/sys/devices/system/memory';

/** A memory block of the device: what its files say. */
export interface Memblock {
  readonly name: string;
  readonly state: string;
  readonly zones: string;
}

const file = (node: VirtualNode | undefined): VirtualFile | undefined => (node?.kind === 'file' ? node : undefined);

/** libdaxctl:daxctl_memory_op: the blocks of the device that sysfs has, in order. */
export function memblocks(kernel: Kernel, find: FindNode, dev: DevDax): Memblock[] {
  const held = dev.kmem;
  if (!held) return [];
  const size = memory_block_size_bytes(kernel);
  const blocks: Memblock[] = [];
  for (let id = held.start / size; id <= held.end / size; id++) {
    const name = `memory${id}`;
    const state = file(find(kernel, `${ROOT}/${name}/state`))?.read?.();
    if (state === undefined) continue;
    blocks.push({
      name,
      state: state.trim(),
      zones:
        file(find(kernel, `${ROOT}/${name}/valid_zones`))
          ?.read?.()
          .trim() ?? '',
    });
  }
  return blocks;
}

export const isOnline = (block: Memblock): boolean => block.state === 'online';

/** libdaxctl:daxctl_memory_is_online for a device by name: how many blocks are. */
export function onlineBlocks(kernel: Kernel, find: FindNode, name: string): number {
  const dev = findDevDax(kernel, name);
  return dev ? memblocks(kernel, find, dev).filter(isOnline).length : 0;
}

/** libdaxctl:daxctl_memory_online and _offline: writes each block's state file; the first errno ends it. */
export function* setBlocks(
  kernel: Kernel,
  find: FindNode,
  dev: DevDax,
  action: 'online_movable' | 'online_kernel' | 'offline',
): KernelGenerator<number> {
  let changed = 0;
  for (const block of memblocks(kernel, find, dev)) {
    if (isOnline(block) === (action !== 'offline')) continue;
    const result = file(find(kernel, `${ROOT}/${block.name}/state`))?.write?.(`${action}\n`) ?? -13;
    const status = typeof result === 'number' ? result : yield* result;
    if (status < 0) return status;
    changed++;
  }
  return changed;
}
