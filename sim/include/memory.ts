/** Memory blocks and groups: include/linux/memory.h and include/linux/memory_hotplug.h (6.12). */
import type { VmemAltmap } from '../mm/sparse-vmemmap.ts';
import type { Zone } from './mmzone.ts';

/** How a block is to come online: enum mmop, whose names are what sysfs reads and writes. */
export const MMOP_OFFLINE = 0;
export const MMOP_ONLINE = 1;
export const MMOP_ONLINE_KERNEL = 2;
export const MMOP_ONLINE_MOVABLE = 3;
export type Mmop = 0 | 1 | 2 | 3;
export const ONLINE_TYPES = ['offline', 'online', 'online_kernel', 'online_movable'] as const;

/* mhp_t flags of add_memory. */
export const MHP_NONE = 0;
export const MHP_MERGE_RESOURCE = 1;
export const MHP_MEMMAP_ON_MEMORY = 2;
export const MHP_NID_IS_MGID = 4;

/** A static memory group: the memory of one DIMM. */
export interface MemoryGroup {
  readonly id: number;
  readonly nid: number;
  readonly max_pages: number;
  present_kernel_pages: number;
  present_movable_pages: number;
  /** Blocks that belong to it; it cannot be unregistered before they are gone. */
  blocks: number;
}

/** struct memory_block: the unit in which memory goes online and offline. */
export interface MemoryBlock {
  /** Number in `memoryN`: first pfn divided by the pages of a block. */
  readonly id: number;
  state: 'online' | 'going-offline' | 'offline';
  /** What the next onlining asked for; MMOP_OFFLINE when nobody did. */
  online_type: Mmop;
  nid: number;
  /** Every node that has a link here: boot memory of two nodes can share a block. */
  readonly nodes: number[];
  /** The zone of an online block; undefined when it spans several (it can never go offline) or is offline. */
  zone: Zone | undefined;
  /** Where its own struct pages lie inside it (memmap_on_memory). */
  altmap: VmemAltmap | undefined;
  readonly group: MemoryGroup | undefined;
}

/** A DIMM the firmware told of: drivers/acpi/acpi_memhotplug.c. */
export interface Dimm {
  readonly name: string;
  /** Instance of the ACPI device PNP0C80. */
  readonly instance: number;
  readonly start: bigint;
  readonly size: bigint;
  readonly group: MemoryGroup;
}
