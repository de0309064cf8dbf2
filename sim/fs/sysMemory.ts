/** /sys/devices/system/memory: drivers/base/memory.c (6.12). */
import { type MemoryBlock, MHP_NONE, MMOP_OFFLINE, ONLINE_TYPES } from '../include/memory.ts';
import { kstrtobool } from '../lib/kstrtox.ts';
import type { Kernel } from '../machine/kernel.ts';
import { __add_memory } from '../mm/add_memory.ts';
import { lock_device_hotplug } from '../mm/hotplug_lock.ts';
import { blockStart, memory_block_offline, memory_block_online, memory_block_size_bytes } from '../mm/memory_block.ts';
import { hotplugParams, mhp_online_type_from_str } from '../mm/mhp_params.ts';
import { allowedZones } from '../mm/mhp_zone.ts';
import type { KernelGenerator } from '../task/task.ts';
import { fixedFiles, type Mount, type VirtualFile, type VirtualNode } from './files.ts';

const EINVAL = -22;
const ERANGE = -34;

const BLOCK_FILES = ['phys_index', 'state', 'online', 'phys_device', 'valid_zones', 'removable'];
const ROOT_FILES = ['block_size_bytes', 'auto_online_blocks'];

export const SYS_MEMORY: Mount = {
  path: '/sys/devices/system/memory',
  at(kernel, [name, file, ...rest]) {
    if (name === undefined) return directory([...rootFiles(kernel), ...blockNames(kernel)]);
    const id = /^memory(0|[1-9]\d{0,9})$/.exec(name)?.[1];
    const block = id === undefined ? undefined : kernel.state.memoryBlocks.get(Number(id));
    if (block) return blockNode(kernel, block, file, rest);
    return file === undefined && rootFiles(kernel).includes(name) ? rootFile(kernel, name) : undefined;
  },
};

/** The parameters of mm/memory_hotplug.c as the command line set them. */
export const MEMORY_HOTPLUG_PARAMETERS = fixedFiles('/sys/module/memory_hotplug/parameters', {
  memmap_on_memory: (kernel) => `${hotplugParams(kernel).memmap_on_memory}\n`,
  online_policy: (kernel) => `${hotplugParams(kernel).online_policy}\n`,
  auto_movable_ratio: (kernel) => `${hotplugParams(kernel).auto_movable_ratio}\n`,
  auto_movable_numa_aware: (kernel) => `${hotplugParams(kernel).auto_movable_numa_aware ? 'Y' : 'N'}\n`,
});

const directory = (names: readonly string[]): VirtualNode => ({ kind: 'directory', names: () => names });
const rootFiles = (kernel: Kernel): string[] => [...ROOT_FILES, ...(kernel.config.config.memoryProbe ? ['probe'] : [])];
const blockNames = (kernel: Kernel): string[] => [...kernel.state.memoryBlocks.keys()].map((id) => `memory${id}`);

function rootFile(kernel: Kernel, name: string): VirtualFile {
  if (name === 'block_size_bytes')
    return { kind: 'file', read: () => `${memory_block_size_bytes(kernel).toString(16)}\n` };
  if (name === 'probe') return { kind: 'file', write: (text) => probe_store(kernel, text) };
  return {
    kind: 'file',
    read: () => `${ONLINE_TYPES[kernel.state.mhp_default_online_type]}\n`,
    write(text) {
      const type = mhp_online_type_from_str(text);
      if (type === undefined) return EINVAL;
      kernel.store.set(kernel.state, 'mhp_default_online_type', type);
      return 0;
    },
  };
}

/** base/memory.c:probe_store: adds one block at a physical address. */
function probe_store(kernel: Kernel, text: string): number | KernelGenerator<number> {
  const digits = /^\+?(0x[0-9a-f]+|0[0-7]*|[1-9]\d*)\n?$/i.exec(text)?.[1];
  if (digits === undefined) return EINVAL;
  const address = BigInt(/^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits);
  if (address >= 1n << 64n) return ERANGE;
  const size = memory_block_size_bytes(kernel);
  if (address % size !== 0n) return EINVAL;
  return lock_device_hotplug(kernel, 'write to probe', __add_memory(kernel, 0, address, size, MHP_NONE));
}

function blockNode(
  kernel: Kernel,
  block: MemoryBlock,
  file: string | undefined,
  rest: readonly string[],
): VirtualNode | undefined {
  if (file === undefined) return directory([...BLOCK_FILES, ...block.nodes.map((nid) => `node${nid}`)]);
  if (rest.length > 0) return undefined;
  // A link to the node; its files are read below /sys/devices/system/node.
  if (block.nodes.some((nid) => file === `node${nid}`)) return directory([]);
  switch (file) {
    case 'phys_index':
      return { kind: 'file', read: () => `${block.id.toString(16).padStart(8, '0')}\n` };
    case 'phys_device':
      return { kind: 'file', read: () => '0\n' };
    case 'removable':
      return { kind: 'file', read: () => '1\n' };
    case 'valid_zones':
      return { kind: 'file', read: () => `${validZones(kernel, block)}\n` };
    case 'state':
      return { kind: 'file', read: () => `${block.state}\n`, write: (text) => state_store(kernel, block, text) };
    case 'online':
      return {
        kind: 'file',
        read: () => `${block.state === 'offline' ? 0 : 1}\n`,
        write: (text) => online_store(kernel, block, text),
      };
    default:
      return undefined;
  }
}

/** base/memory.c:valid_zones_show. */
export function validZones(kernel: Kernel, block: MemoryBlock): string {
  if (block.state === 'online') return block.zone?.name ?? 'none';
  const pages = kernel.state.memoryBlockPages;
  return allowedZones(kernel, block.nid, block.group, blockStart(kernel, block), pages)
    .map((zone) => zone.name)
    .join(' ');
}

/** base/memory.c:state_store: asking for the state it has is an error. */
function state_store(kernel: Kernel, block: MemoryBlock, text: string): number | KernelGenerator<number> {
  const type = mhp_online_type_from_str(text);
  if (type === undefined) return EINVAL;
  return lock_device_hotplug(
    kernel,
    `write to memory${block.id}/state`,
    (function* () {
      // It may have been removed while this write waited for the lock.
      if (kernel.state.memoryBlocks.get(block.id) !== block) return -19;
      const status =
        type === MMOP_OFFLINE
          ? yield* memory_block_offline(kernel, block)
          : yield* memory_block_online(kernel, block, type);
      return status > 0 ? EINVAL : status;
    })(),
  );
}

/** drivers/base/core.c:online_store: here the state it has already is no error. */
function online_store(kernel: Kernel, block: MemoryBlock, text: string): number | KernelGenerator<number> {
  const wanted = kstrtobool(text.trim());
  if (wanted === undefined) return EINVAL;
  return lock_device_hotplug(
    kernel,
    `write to memory${block.id}/online`,
    (function* () {
      if (kernel.state.memoryBlocks.get(block.id) !== block) return -19;
      const status = wanted ? yield* memory_block_online(kernel, block) : yield* memory_block_offline(kernel, block);
      return Math.min(status, 0);
    })(),
  );
}
