/**
 * The memory map and the block devices of a range that is added or removed, with memmap_on_memory:
 * mm/memory_hotplug.c (6.12).
 */
import { PAGES_PER_SECTION, pageblock_nr_pages } from '../arch/x86_64.ts';
import type { MemoryGroup } from '../include/memory.ts';
import { HOLE, MIGRATE_MOVABLE, SUBSECTION_POPULATED, stateWord } from '../include/mmzone.ts';
import { PageKind } from '../include/types.ts';
import type { Kernel } from '../machine/kernel.ts';
import {
  blockStart,
  blocksOf,
  create_memory_block_devices,
  memory_block_size_bytes,
  remove_memory_block_devices,
} from './memory_block.ts';
import { arch_add_memory, arch_remove_memory } from './memory_hotplug.ts';
import { hotplugParams } from './mhp_params.ts';
import type { VmemAltmap } from './sparse-vmemmap.ts';

const pfnOf = (address: bigint): number => Number(address >> 12n);

/** Pages of its own memory map that a block keeps for itself (memory_block_memmap_on_memory_pages). */
function memmapPages(kernel: Kernel): number {
  const pages = (kernel.state.memoryBlockPages * kernel.arch.sizeofPage) / 4096;
  const isForced = hotplugParams(kernel).memmap_on_memory === 'force';
  return isForced ? Math.ceil(pages / pageblock_nr_pages) * pageblock_nr_pages : pages;
}

/** memory_hotplug.c:mhp_supports_memmap_on_memory. */
export function mhp_supports_memmap_on_memory(kernel: Kernel): boolean {
  const pages = memmapPages(kernel);
  return (
    hotplugParams(kernel).memmap_on_memory !== 'N' &&
    pages % pageblock_nr_pages === 0 &&
    pages !== kernel.state.memoryBlockPages
  );
}

/** The memory map of a range and its block devices; all or nothing. */
export function addBlocks(
  kernel: Kernel,
  nid: number,
  start: bigint,
  size: bigint,
  altmap: VmemAltmap | undefined,
  group: MemoryGroup | undefined,
): number {
  const pages = pfnOf(size);
  let error = arch_add_memory(kernel, nid, pfnOf(start), pages, { altmap, pgmap: false });
  if (error) return error;
  markOffline(kernel, pfnOf(start), pages, altmap);
  error = create_memory_block_devices(kernel, start, size, nid, altmap, group);
  if (error) removePages(kernel, start, size, undefined);
  return error;
}

/** Struct pages that nobody initialised yet (zeros: node 0, zone DMA), and those of the memory map itself. */
function markOffline(kernel: Kernel, start: number, pages: number, altmap: VmemAltmap | undefined): void {
  const { state, flags, refcount, mapcount, pgmap, pageblock } = kernel.pages;
  const end = start + pages;
  state.setRange(start, end, stateWord(PageKind.Offline, 0, 0, 0));
  if (altmap) state.setRange(start, start + Number(altmap.free), stateWord(PageKind.Memmap, 0, 0, 0));
  for (const column of [flags, refcount, pgmap]) column.setRange(start, end, 0);
  mapcount.setRange(start, end, 0xffffffff);
  pageblock.setRange(start, end, MIGRATE_MOVABLE);
}

/** arch_remove_memory, after which the range has no struct pages. */
export function removePages(kernel: Kernel, start: bigint, size: bigint, altmap: VmemAltmap | undefined): void {
  const first = pfnOf(start);
  const pages = pfnOf(size);
  let isUniform = true;
  kernel.pages.section.runs(first, first + pages, (_from, _to, value) => {
    isUniform &&= (value & SUBSECTION_POPULATED) !== 0;
    return isUniform;
  });
  // Where parts are gone already, each section is told apart, as the kernel always does.
  const step = isUniform ? pages : PAGES_PER_SECTION;
  for (let pfn = first; pfn < first + pages; pfn += step) arch_remove_memory(kernel, pfn, step, altmap);
  markOffline(kernel, first, pages, undefined);
  kernel.pages.state.setRange(first, first + pages, HOLE);
}

/** memory_hotplug.c:create_altmaps_and_memory_blocks: every block brings the memory of its own struct pages. */
export function create_altmaps_and_memory_blocks(
  kernel: Kernel,
  nid: number,
  group: MemoryGroup | undefined,
  start: bigint,
  size: bigint,
): number {
  const bytes = memory_block_size_bytes(kernel);
  for (let at = start; at < start + size; at += bytes) {
    const altmap: VmemAltmap = {
      $struct: 'vmem_altmap',
      base_pfn: at >> 12n,
      end_pfn: (at + bytes - 1n) >> 12n,
      reserve: 0n,
      free: BigInt(memmapPages(kernel)),
      align: 0n,
      alloc: 0n,
    };
    const error = addBlocks(kernel, nid, at, bytes, altmap, group);
    if (error) {
      if (at > start) remove_memory_blocks_and_altmaps(kernel, start, at - start);
      return error;
    }
  }
  return 0;
}

export function remove_memory_blocks_and_altmaps(kernel: Kernel, start: bigint, size: bigint): void {
  const bytes = memory_block_size_bytes(kernel);
  for (const block of [...blocksOf(kernel, start, size)]) {
    const { altmap } = block;
    const at = BigInt(blockStart(kernel, block)) << 12n;
    remove_memory_block_devices(kernel, at, bytes);
    removePages(kernel, at, bytes, altmap);
    if (altmap && altmap.alloc !== 0n) kernel.WARN('Altmap not fully unmapped');
  }
}
