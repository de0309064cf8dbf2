/**
 * An architecture as data: the constants a memory model is computed from, in one
 * configuration and one release. The registry of names takes its values from here.
 */
import { type Release, type Span, spanHolds } from '../kernel/release.ts';

export type ArchName = 'x86_64' | 'x86_32' | 'arm64' | 'arm' | 'alpha' | 'arc' | 'ia64' | 'm68k' | 'mips' | 'parisc';

/** The ways to find the struct page of a page frame. */
export const MEMORY_MODELS = [
  'flatmem',
  'discontigmem',
  'sparsemem-static',
  'sparsemem-extreme',
  'sparsemem-vmemmap',
] as const;
export type MemoryModel = (typeof MEMORY_MODELS)[number];

/** How DISCONTIGMEM finds the node of a page frame: `pfn_to_nid` or its like. */
export type NidRule =
  /** One entry for each 2^unitBits bytes, -1 where no node has them. */
  | { kind: 'table'; name: string; unitBits: number; entries: number; signed: boolean }
  /** Address bits name the node. */
  | { kind: 'bits'; name: string; shift: number; mask: bigint }
  /** ARC: node 0 is what the kernel maps permanently, node 1 is everything else. */
  | { kind: 'arc'; lowEnd: bigint }
  /** m68k: a table by the kernel virtual address, in units that boot chose. */
  | { kind: 'virtual-table'; name: string; slotBits: number }
  /** The ranges of each node, one after the other. */
  | { kind: 'ranges'; name: string };

/** What pfn_valid asks where the memory model has no sections. */
export type ValidRule =
  | 'max_mapnr'
  | 'node span'
  | 'node end'
  | 'node end inclusive'
  | 'high_memory'
  | 'memblock'
  | 'memblock pageblock';

export interface ArchOptions {
  /** x86_64: 4 or 5. */
  pageTableLevels?: 4 | 5;
  /** x86_32: physical address extension. */
  pae?: boolean;
  /** arm64: bytes of a page, in KiB. */
  pageKiB?: 4 | 16 | 64;
  /** arm64: width of physical addresses. */
  physBits?: 48 | 52;
}

export interface ArchLayout {
  readonly name: ArchName;
  /** What was chosen, for a heading: `5-level page tables`. */
  readonly variant: string;
  readonly BITS_PER_LONG: 32 | 64;
  readonly PAGE_SHIFT: number;
  readonly PMD_SHIFT: number;
  readonly MAX_PAGE_ORDER: number;
  readonly pageblock_order: number;
  /** Absent where the architecture has no SPARSEMEM (in the releases the engine knows). */
  readonly SECTION_SIZE_BITS?: number;
  readonly MAX_PHYSMEM_BITS?: number;
  /** Default number of bits of a node number. */
  readonly NODES_SHIFT: number;
  /** CONFIG_NUMA_BALANCING in an ordinary configuration, and the log2 of NR_CPUS. */
  readonly numaBalancing: boolean;
  readonly NR_CPUS_BITS: number;
  /** Zones at boot, lowest first, with the byte where each ends; no end: to the top of memory. */
  readonly zones: readonly { readonly name: string; readonly end?: bigint }[];
  readonly zoneDevice: boolean;
  /** Virtual address of the physical address where the permanent mapping begins. */
  readonly PAGE_OFFSET: bigint;
  /** Bytes that are mapped permanently; no value: all. */
  readonly lowmem?: bigint;
  /** How far the physical start of RAM is rounded down to where PAGE_OFFSET stands (0: it stands for address 0). */
  readonly linearAlign: bigint;
  /** FLATMEM: mem_map begins with the first page frame of RAM (ARCH_PFN_OFFSET), not with 0. */
  readonly pfnOffsetIsRamStart: boolean;
  /** struct page has a member `virtual`. */
  readonly wantPageVirtual: boolean;
  /** VMEMMAP_START for a size of struct page; absent where there is none or the engine does not know it. */
  readonly vmemmapStart?: (sizeofPage: number) => bigint;
  readonly nid?: NidRule;
  readonly valid: ValidRule;
  /** What the configuration may choose, the default first. */
  readonly models: readonly MemoryModel[];
  /** Something to know about a model here: why it cannot be chosen, or a peculiarity. */
  readonly notes: Partial<Record<MemoryModel, string>>;
  readonly file: string;
}

/** A value that changed: the first whose span holds. */
export function inRelease<T>(values: readonly (Span & { value: T })[], release: Release): T | undefined {
  return values.find((value) => spanHolds(value, release))?.value;
}

export const bytesPerPage = (layout: ArchLayout): bigint => 1n << BigInt(layout.PAGE_SHIFT);
export const maxOrderPages = (layout: ArchLayout): number => 2 ** layout.MAX_PAGE_ORDER;
