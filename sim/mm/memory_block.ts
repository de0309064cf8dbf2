/** Memory blocks, the devices behind /sys/devices/system/memory: drivers/base/memory.c (6.12). */
import { PAGES_PER_SECTION } from '../arch/x86_64.ts';
import { type MemoryBlock, type MemoryGroup, MMOP_OFFLINE, MMOP_ONLINE, type Mmop } from '../include/memory.ts';
import type { Zone } from '../include/mmzone.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import type { NodeRange } from './memblock.ts';
import { defaultOnlineType } from './mhp_params.ts';
import { adjust_present_page_count, zone_for_pfn_range, zone_intersects } from './mhp_zone.ts';
import { mhp_deinit_memmap_on_memory, mhp_init_memmap_on_memory, offline_pages, online_pages } from './online_pages.ts';
import type { VmemAltmap } from './sparse-vmemmap.ts';

const EINVAL = -22;
const EEXIST = -17;

/** arch/x86/mm/init_64.c:probe_memory_block_size, in pages: fixed by the memory of boot. */
export function probe_memory_block_size(kernel: Kernel): number {
  const bootEnd = BigInt(kernel.state.max_pfn) << 12n;
  if (bootEnd < 64n << 30n) return PAGES_PER_SECTION;
  const largest = 16 * PAGES_PER_SECTION;
  if (!kernel.config.hypervisor) return largest;
  for (let pages = largest; pages > PAGES_PER_SECTION; pages /= 2) if (kernel.state.max_pfn % pages === 0) return pages;
  return PAGES_PER_SECTION;
}

export const memory_block_size_bytes = (kernel: Kernel): bigint => BigInt(kernel.state.memoryBlockPages) << 12n;
export const blockStart = (kernel: Kernel, block: MemoryBlock): number => block.id * kernel.state.memoryBlockPages;
/** The block that holds a page frame. */
export const blockAt = (kernel: Kernel, pfn: number): MemoryBlock | undefined =>
  kernel.state.memoryBlocks.get(Math.floor(pfn / kernel.state.memoryBlockPages));

/** The blocks of a range, ascending (walk_memory_blocks). */
export function* blocksOf(kernel: Kernel, start: bigint, size: bigint): Generator<MemoryBlock> {
  const bytes = memory_block_size_bytes(kernel);
  for (let id = Number(start / bytes); BigInt(id) * bytes < start + size; id++) {
    const block = kernel.state.memoryBlocks.get(id);
    if (block) yield block;
  }
}

/** base/memory.c:memory_dev_init with register_memory_blocks_under_node_early: the blocks of boot memory are online. */
export function memory_dev_init(kernel: Kernel, memory: readonly NodeRange[]): void {
  const { state } = kernel;
  state.memoryBlockPages = probe_memory_block_size(kernel);
  state.mhp_default_online_type = defaultOnlineType(kernel);
  const ids = new Map<number, number[]>();
  for (const range of [...memory].sort((a, b) => a.nid - b.nid || a.start - b.start)) {
    const last = Math.floor((range.end - 1) / state.memoryBlockPages);
    for (let id = Math.floor(range.start / state.memoryBlockPages); id <= last; id++) {
      const nodes = ids.get(id) ?? [];
      if (!nodes.includes(range.nid)) nodes.push(range.nid);
      ids.set(id, nodes);
    }
  }
  for (const [id, nodes] of [...ids].sort(([a], [b]) => a - b)) {
    const nid = nodes.at(-1) ?? 0;
    const zone = nodes.length === 1 ? earlyZone(kernel, id, nid) : undefined;
    state.memoryBlocks.set(id, {
      id,
      state: 'online',
      online_type: MMOP_OFFLINE,
      nid,
      nodes,
      zone,
      altmap: undefined,
      group: undefined,
    });
  }
}

/** base/memory.c:early_node_zone_for_memory_block: the one populated zone that the block touches, if it is one. */
function earlyZone(kernel: Kernel, id: number, nid: number): Zone | undefined {
  const pages = kernel.state.memoryBlockPages;
  const zones = kernel
    .node(nid)
    .node_zones.filter((zone) => zone.present_pages > 0 && zone_intersects(zone, id * pages, pages));
  return zones.length === 1 ? zones[0] : undefined;
}

/** base/memory.c:create_memory_block_devices: new blocks are offline. -EEXIST with none of them made if one is there. */
export function create_memory_block_devices(
  kernel: Kernel,
  start: bigint,
  size: bigint,
  nid: number,
  altmap: VmemAltmap | undefined,
  group: MemoryGroup | undefined,
): number {
  return kernel.leaf(
    'create_memory_block_devices',
    [hex(start), hex(size)],
    () => {
      const { state, store } = kernel;
      const bytes = memory_block_size_bytes(kernel);
      for (const _ of blocksOf(kernel, start, size)) return EEXIST;
      for (let id = Number(start / bytes); BigInt(id) * bytes < start + size; id++) {
        store.mapSet(state.memoryBlocks, id, {
          id,
          state: 'offline',
          online_type: MMOP_OFFLINE,
          nid,
          nodes: [nid],
          zone: undefined,
          altmap,
          group,
        });
        if (group) store.set(group, 'blocks', group.blocks + 1);
      }
      return 0;
    },
    String,
  );
}

/** base/memory.c:remove_memory_block_devices. */
export function remove_memory_block_devices(kernel: Kernel, start: bigint, size: bigint): void {
  kernel.leaf(
    'remove_memory_block_devices',
    [hex(start), hex(size)],
    () => {
      for (const block of [...blocksOf(kernel, start, size)]) {
        kernel.store.mapDelete(kernel.state.memoryBlocks, block.id);
        if (block.group) kernel.store.set(block.group, 'blocks', block.group.blocks - 1);
      }
    },
    () => '',
  );
}

/**
 * drivers/base/core.c:device_online with memory_subsys_online: 1 when it is online already.
 * `type` is what sysfs asked for; without, the policy decides.
 */
export function* memory_block_online(kernel: Kernel, block: MemoryBlock, type?: Mmop): KernelGenerator<number> {
  const { store } = kernel;
  if (type !== undefined) store.set(block, 'online_type', type);
  if (block.state === 'online') return 1;
  if (block.online_type === MMOP_OFFLINE) store.set(block, 'online_type', MMOP_ONLINE);
  // Going offline in another task: memory_block_change_state finds a state it did not expect.
  const error =
    block.state === 'offline'
      ? yield* kernel.call('memory_block_online', [`memory${block.id}`], doOnline(kernel, block), String)
      : EINVAL;
  store.set(block, 'online_type', MMOP_OFFLINE);
  return error;
}

function* doOnline(kernel: Kernel, block: MemoryBlock): KernelGenerator<number> {
  const { store, state } = kernel;
  const start = blockStart(kernel, block);
  const pages = state.memoryBlockPages;
  const zone = zone_for_pfn_range(kernel, block.online_type, block.nid, block.group, start, pages);
  const own = Number(block.altmap?.free ?? 0n);
  if (own > 0) mhp_init_memmap_on_memory(kernel, start, own, zone);
  const error = yield* online_pages(kernel, start + own, pages - own, zone, block.group);
  if (error) {
    if (own > 0) mhp_deinit_memmap_on_memory(kernel, start, own);
    return error;
  }
  if (own > 0) adjust_present_page_count(kernel, zone, start, block.group, own);
  store.set(block, 'zone', zone);
  store.set(block, 'state', 'online');
  return 0;
}

/** device_offline with memory_subsys_offline: 1 when it is offline already. */
export function* memory_block_offline(kernel: Kernel, block: MemoryBlock): KernelGenerator<number> {
  if (block.state === 'offline') return 1;
  if (block.state !== 'online') return EINVAL;
  const { store } = kernel;
  store.set(block, 'state', 'going-offline');
  const error = yield* kernel.call('memory_block_offline', [`memory${block.id}`], doOffline(kernel, block), String);
  store.set(block, 'state', error ? 'online' : 'offline');
  return error;
}

function* doOffline(kernel: Kernel, block: MemoryBlock): KernelGenerator<number> {
  const { zone, group } = block;
  // Several zones or nodes: never offline.
  if (!zone) return EINVAL;
  const start = blockStart(kernel, block);
  const own = Number(block.altmap?.free ?? 0n);
  if (own > 0) adjust_present_page_count(kernel, zone, start, group, -own);
  const error = yield* offline_pages(kernel, start + own, kernel.state.memoryBlockPages - own, zone, group);
  if (error) {
    if (own > 0) adjust_present_page_count(kernel, zone, start, group, own);
    return error;
  }
  if (own > 0) mhp_deinit_memmap_on_memory(kernel, start, own);
  kernel.store.set(block, 'zone', undefined);
  return 0;
}

/** base/memory.c:memory_group_register_static: the group of one DIMM. */
export function memory_group_register_static(kernel: Kernel, nid: number, max_pages: number): MemoryGroup {
  const { state, store } = kernel;
  const id = state.memoryGroups.reduce((next, group) => (group.id === next ? next + 1 : next), 0);
  const group: MemoryGroup = {
    id,
    nid,
    max_pages,
    present_kernel_pages: 0,
    present_movable_pages: 0,
    blocks: 0,
  };
  const index = state.memoryGroups.findIndex((other) => other.id > id);
  store.splice(state.memoryGroups, index < 0 ? state.memoryGroups.length : index, 0, group);
  return group;
}

export function memory_group_unregister(kernel: Kernel, group: MemoryGroup): void {
  const index = kernel.state.memoryGroups.indexOf(group);
  if (index >= 0 && group.blocks === 0) kernel.store.splice(kernel.state.memoryGroups, index, 1);
}
