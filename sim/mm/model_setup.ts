/** What a memory model is computed over: an architecture, a release, RAM by node, and what the boot allocator holds. */
import { type ArchLayout, bytesPerPage, type MemoryModel } from '../arch/layout.ts';
import type { Release } from '../kernel/release.ts';
import type { Kernel } from '../machine/kernel.ts';
import type { NodeRange, PfnRange } from './memblock.ts';
import { type PageFlagsConfig, type PageFlagsLayout, pageFlagsLayout } from './page_flags_layout.ts';

export interface ModelSetup {
  readonly layout: ArchLayout;
  readonly release: Release;
  readonly flags: PageFlagsConfig;
  readonly pageExtension: boolean;
  /** RAM as memblock has it, ascending. */
  readonly memory: readonly NodeRange[];
  /** Held before the memory map is allocated: the kernel image, the initrd and the like. */
  readonly taken: readonly PfnRange[];
  /** Whose RAM it is, for a heading. */
  readonly source: string;
  /** The running kernel, where its own state is what is shown. */
  readonly booted?: Kernel;
}

/** One line of arithmetic: `name = expression = numbers = value`. */
export interface ModelStep {
  readonly name: string;
  readonly expression: string;
  /** The expression with its numbers; empty where it has none. */
  readonly numbers: string;
  readonly value: bigint;
  /** The value as text, where hexadecimal does not do. */
  readonly text?: string;
}

export interface Conversion {
  readonly steps: readonly ModelStep[];
  /** The struct page's address, or the pfn; absent where the kernel would access what is not there. */
  readonly value?: bigint;
  /** What pfn_valid says of the page frame. */
  readonly valid: boolean;
  readonly notes: readonly string[];
}

/** A stretch of struct pages that lie one after the other. */
export interface MapPiece {
  readonly start: number;
  readonly pages: number;
  readonly address: bigint;
  readonly what: string;
  /** The page frame that holds the first of them, where that is known. */
  readonly frame?: number;
}

export interface ModelInstance {
  readonly model: MemoryModel;
  readonly setup: ModelSetup;
  readonly flags: PageFlagsLayout;
  /** The rule that places the map. */
  readonly rule: string;
  /** What the model keeps, in words: sizes of its tables. */
  readonly facts: readonly string[];
  readonly maps: readonly MapPiece[];
  readonly freed: readonly MapPiece[];
  /** Why there is no such model here, or something to know about it. */
  readonly remarks: readonly string[];
  pfnToPage(pfn: number): Conversion;
  pageToPfn(address: bigint): Conversion;
}

/** This model cannot be computed for the setup; the message says why. */
export class NoModel extends Error {
  override readonly name = 'NoModel';
}

export const hx = (value: bigint | number): string =>
  value < 0 ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`;
export const pointerIn = (setup: ModelSetup, value: bigint): bigint =>
  BigInt.asUintN(setup.layout.BITS_PER_LONG, value);

/** page->flags of the model: FLATMEM knows no nodes. */
export const flagsOf = (setup: ModelSetup, model: MemoryModel): PageFlagsLayout =>
  pageFlagsLayout(
    setup.layout,
    model,
    setup.release,
    model === 'flatmem' ? { ...setup.flags, NODES_SHIFT: 0 } : setup.flags,
  );

/** The first page frame of node 0: where RAM that the kernel maps begins. */
function ramStart({ memory }: ModelSetup): number {
  return (memory.find((range) => range.nid === 0) ?? memory[0])?.start ?? 0;
}

/** The physical address that PAGE_OFFSET stands for (PHYS_OFFSET, memstart_addr, m68k_memoffset). */
export function linearStart(setup: ModelSetup): bigint {
  const { linearAlign } = setup.layout;
  if (linearAlign === 0n) return 0n;
  const start = BigInt(ramStart(setup)) * bytesPerPage(setup.layout);
  return start - (start % linearAlign);
}

export const virtualOf = (setup: ModelSetup, physical: bigint): bigint =>
  pointerIn(setup, setup.layout.PAGE_OFFSET + physical - linearStart(setup));

export const pfnOffset = (setup: ModelSetup): number =>
  setup.layout.pfnOffsetIsRamStart ? Number(linearStart(setup) / bytesPerPage(setup.layout)) : 0;

/** One above the last page frame of RAM. */
export const maxPfn = ({ memory }: ModelSetup): number => memory.reduce((end, range) => Math.max(end, range.end), 0);

/** The page frames that can be asked for: those of addresses the architecture has. */
export function pfnLimit({ layout }: ModelSetup): number {
  const bits = layout.MAX_PHYSMEM_BITS ?? (layout.BITS_PER_LONG === 32 ? 40 : 52);
  return 2 ** (bits - layout.PAGE_SHIFT);
}

export const isRam = ({ memory }: ModelSetup, pfn: number): boolean =>
  memory.some((range) => pfn >= range.start && pfn < range.end);

/** The node of a page frame: of the RAM it is in, else of the RAM before it (a hole belongs to what it follows). */
export function nodeAt({ memory }: ModelSetup, pfn: number): number {
  let nid = memory[0]?.nid ?? 0;
  for (const range of memory) if (range.start <= pfn) nid = range.nid;
  return nid;
}

/** The index of the zone by the limits of the architecture; ZONE_MOVABLE is empty without kernelcore. */
export function zoneAt(setup: ModelSetup, pfn: number): number {
  const { zones } = setup.layout;
  const address = BigInt(pfn) * bytesPerPage(setup.layout);
  const relative = setup.layout.lowmem === undefined ? address : address - linearStart(setup);
  const found = zones.findIndex(
    (zone) =>
      zone.end !== undefined && (setup.layout.lowmem === undefined ? address : relative) < zone.end && relative >= 0n,
  );
  if (found >= 0) return found;
  return Math.max(
    0,
    zones.findIndex((zone) => zone.end === undefined && zone.name !== 'Movable'),
  );
}

export class StepList {
  readonly steps: ModelStep[] = [];
  readonly notes: string[] = [];
  add(name: string, expression: string, numbers: string, value: bigint | number, text?: string): bigint {
    const big = BigInt(value);
    this.steps.push({ name, expression, numbers, value: big, ...(text === undefined ? {} : { text }) });
    return big;
  }
  end(valid: boolean, value?: bigint): Conversion {
    return { steps: this.steps, notes: this.notes, valid, ...(value === undefined ? {} : { value }) };
  }
}
