/**
 * A page table entry, architecture free: what it is, its bits, and a page frame or swap offset.
 * It is one number: the offset times 4096 plus twelve bits (kind 0-3, then the flags below), so that a
 * table of 512 is an array of doubles. `pteWord` makes the word that the hardware sees.
 */
import type { Kernel } from '../machine/kernel.ts';

export type Pte = number & { readonly unit?: 'pte' };

/** What an entry is. Up to Huge it is present; from Swap on it is a swap entry of one of the kernel's types. */
export const PteKind = {
  None: 0,
  Present: 1,
  /** Present for the kernel, without access for the user (PROT_NONE, NUMA hinting). */
  ProtNone: 2,
  /** A swap slot; the offset holds slot * 32 + file. */
  Swap: 3,
  MigrationRead: 4,
  /** From 5.19: readable, and the page was exclusive. */
  MigrationReadExclusive: 5,
  MigrationWrite: 6,
  DeviceRead: 7,
  DeviceWrite: 8,
  /** From 5.14 to 6.14 readable and writable ones; one kind since (Write). */
  DeviceExclusiveRead: 9,
  DeviceExclusiveWrite: 10,
  Hwpoison: 11,
  /** From 5.19: no page, but a note (poisoned by userfaultfd, write protected, guard). The offset is the note. */
  Marker: 12,
} as const;
export type PteKind = (typeof PteKind)[keyof typeof PteKind];

export const PTE_WRITE = 0x10;
export const PTE_DIRTY = 0x20;
export const PTE_YOUNG = 0x40;
export const PTE_SOFT_DIRTY = 0x80;
export const PTE_UFFD_WP = 0x100;
/** No struct page counts for it (the zero page, page frames of a driver). */
export const PTE_SPECIAL = 0x200;
export const PTE_DEVMAP = 0x400;
/** Of a swap entry: the page was exclusive (from 5.19). */
export const PTE_EXCLUSIVE = 0x800;
const FLAGS = 0x1000;

export const NO_PTE: Pte = 0;
export const mkPte = (kind: PteKind, pfn: number, flags = 0): Pte => pfn * FLAGS + (flags | kind);
export const pte_pfn = (pte: Pte): number => Math.floor(pte / FLAGS);
/** Kind and flags, as an integer for bit operations. (`&` is exact up to 2^53, and an instruction; `%` is a division.) */
export const pteBits = (pte: Pte): number => pte & (FLAGS - 1);
/** pte_index(): which entry of its table maps a page. */
export const pte_index = (vpn: number): number => vpn & 511;
export const pteKind = (pte: Pte): PteKind => (pteBits(pte) & 15) as PteKind;
export const pte_none = (pte: Pte): boolean => pte === 0;
/** True for PROT_NONE too, as in the kernel. */
export const pte_present = (pte: Pte): boolean => {
  const kind = pteKind(pte);
  return kind === PteKind.Present || kind === PteKind.ProtNone;
};
export const pte_write = (pte: Pte): boolean => (pteBits(pte) & PTE_WRITE) !== 0;
export const pte_dirty = (pte: Pte): boolean => (pteBits(pte) & PTE_DIRTY) !== 0;
export const pte_young = (pte: Pte): boolean => (pteBits(pte) & PTE_YOUNG) !== 0;
export const pte_special = (pte: Pte): boolean => (pteBits(pte) & PTE_SPECIAL) !== 0;
export const pte_devmap = (pte: Pte): boolean => (pteBits(pte) & PTE_DEVMAP) !== 0;
export const is_swap_pte = (pte: Pte): boolean => pteKind(pte) >= PteKind.Swap;
export const is_migration_entry = (pte: Pte): boolean => {
  const kind = pteKind(pte);
  return kind >= PteKind.MigrationRead && kind <= PteKind.MigrationWrite;
};
export const is_device_private_entry = (pte: Pte): boolean => {
  const kind = pteKind(pte);
  return kind === PteKind.DeviceRead || kind === PteKind.DeviceWrite;
};
export const is_device_exclusive_entry = (pte: Pte): boolean => {
  const kind = pteKind(pte);
  return kind === PteKind.DeviceExclusiveRead || kind === PteKind.DeviceExclusiveWrite;
};
/** Migration, device-private, device-exclusive and hwpoison entries name a page frame (is_pfn_swap_entry). */
export const is_pfn_swap_entry = (pte: Pte): boolean => {
  const kind = pteKind(pte);
  return kind >= PteKind.MigrationRead && kind <= PteKind.Hwpoison;
};
/** The same entry with bits set and cleared. */
export const withBits = (pte: Pte, set: number, clear = 0): Pte => pte - pteBits(pte) + ((pteBits(pte) & ~clear) | set);
/** The same page and bits as another kind. */
export const withPteKind = (pte: Pte, kind: PteKind): Pte => pte - pteKind(pte) + kind;

/* ---- swap types ---- */

/** Which number each kind of swap entry has, and how many are left for swap files (include/linux/swap.h). */
export interface SwapTypes {
  readonly MAX_SWAPFILES: number;
  readonly of: ReadonlyMap<PteKind, number>;
}

const MAX_SWAPFILES_SHIFT = 5;

/** From the top down: PTE markers, device entries, migration entries, hwpoison; swap files get the rest. */
export function swapTypes(kernel: Kernel): SwapTypes {
  const kinds: PteKind[] = [PteKind.Hwpoison, PteKind.MigrationRead];
  if (kernel.facts.anonExclusive) kinds.push(PteKind.MigrationReadExclusive);
  kinds.push(PteKind.MigrationWrite);
  if (kernel.options.devicePrivate) {
    kinds.push(PteKind.DeviceWrite, PteKind.DeviceRead);
    if (kernel.facts.deviceExclusive) kinds.push(PteKind.DeviceExclusiveWrite);
    if (kernel.facts.twoExclusiveSwapTypes) kinds.push(PteKind.DeviceExclusiveRead);
  }
  if (kernel.facts.pteMarkers) kinds.push(PteKind.Marker);
  const first = 2 ** MAX_SWAPFILES_SHIFT - kinds.length;
  return { MAX_SWAPFILES: first, of: new Map(kinds.map((kind, index) => [kind, first + index])) };
}

/** What include/linux/swap.h calls the type of a kind of entry. */
export function swapTypeName(kernel: Kernel, kind: PteKind): string {
  switch (kind) {
    case PteKind.Hwpoison:
      return 'SWP_HWPOISON';
    case PteKind.MigrationRead:
      return 'SWP_MIGRATION_READ';
    case PteKind.MigrationReadExclusive:
      return 'SWP_MIGRATION_READ_EXCLUSIVE';
    case PteKind.MigrationWrite:
      return 'SWP_MIGRATION_WRITE';
    case PteKind.DeviceRead:
      return 'SWP_DEVICE_READ';
    case PteKind.DeviceWrite:
      return 'SWP_DEVICE_WRITE';
    case PteKind.DeviceExclusiveRead:
      return 'SWP_DEVICE_EXCLUSIVE_READ';
    case PteKind.DeviceExclusiveWrite:
      return kernel.facts.twoExclusiveSwapTypes ? 'SWP_DEVICE_EXCLUSIVE_WRITE' : 'SWP_DEVICE_EXCLUSIVE';
    case PteKind.Marker:
      return 'SWP_PTE_MARKER';
    default:
      return 'a swap file';
  }
}

/** Type and offset of a swap entry: what swp_type() and swp_offset() give. */
export function swpEntry(kernel: Kernel, pte: Pte): { type: number; offset: bigint } {
  const kind = pteKind(pte);
  const value = pte_pfn(pte);
  if (kind === PteKind.Swap) return { type: value % 32, offset: BigInt(Math.floor(value / 32)) };
  const type = swapTypes(kernel).of.get(kind) ?? 0;
  let offset = BigInt(value);
  if (is_migration_entry(pte) && kernel.facts.migrationEntryYoungDirty) {
    const bits = BigInt(kernel.arch.MAX_PHYSMEM_BITS - 12);
    if (pte_young(pte)) offset |= 1n << bits;
    if (pte_dirty(pte)) offset |= 1n << (bits + 1n);
  }
  return { type, offset };
}

/** arch/x86/include/asm/pgtable_64.h:__swp_entry since 4.19: the type in the top five bits, below it the inverted offset. */
export const x86SwapWord = (type: number, offset: bigint): bigint =>
  (BigInt.asUintN(64, ~offset << 14n) >> 5n) | (BigInt(type) << 59n);
/** The same in a release: before 4.19 the offset is on top as it is, and the type low. */
export function x86SwapWordIn(kernel: Kernel, type: number, offset: bigint): bigint {
  if (kernel.facts.swapEntryInverted) return x86SwapWord(type, offset);
  const [typeBit, offsetBit] = kernel.facts.swapEntryAboveGlobal ? [9n, 14n] : [1n, 9n];
  return BigInt.asUintN(64, (offset << offsetBit) | (BigInt(type) << typeBit));
}
/** Where x86SwapWordIn puts them, in words. */
export const x86SwapWhere = (kernel: Kernel): string => {
  if (kernel.facts.swapEntryInverted) return 'type in bits 59-63, the inverted offset in bits 9-58';
  return kernel.facts.swapEntryAboveGlobal
    ? 'type in bits 9-13, the offset in bits 14-63'
    : 'type in bits 1-5, the offset in bits 9-63';
};
/** arch/arm64/include/asm/pgtable.h:__swp_entry (6.12): type in bits 6 to 10, offset from bit 12. */
export const arm64SwapWord = (type: number, offset: bigint): bigint => (BigInt(type) << 6n) | (offset << 12n);
/** include/linux/swapops.h:SWP_TYPE_SHIFT: what exceptional entries of the radix tree, later of the xarray, leave. */
export const swapTypeShift = (kernel: Kernel): number => (kernel.facts.swapEntryInXarray ? 58 : 57);
/** The architecture independent word: 5 bits of type above the offset. */
export const genericSwapWord = (type: number, offset: bigint, shift = 58): bigint =>
  (BigInt(type) << BigInt(shift)) + offset;

/* ---- the word ---- */

/** Bits of an x86_64 entry (arch/x86/include/asm/pgtable_types.h), of present entries and, below them, of swap entries. */
const X86_PRESENT_BITS = {
  PRESENT: 0,
  RW: 1,
  USER: 2,
  ACCESSED: 5,
  DIRTY: 6,
  PSE: 7,
  PROTNONE: 8,
  SPECIAL: 9,
  UFFD_WP: 10,
  SOFT_DIRTY: 11,
  DEVMAP: 57,
  SAVED_DIRTY: 58,
  NX: 63,
} as const;
const X86_SWAP_BITS = { SOFT_DIRTY: 1, UFFD_WP: 2, EXCLUSIVE: 3 } as const;

const bitsOf = (table: Readonly<Record<string, number>>, names: readonly string[]): bigint =>
  names.reduce((word, name) => word | (1n << BigInt(table[name] ?? 0)), 0n);

/** The names of the bits of an entry that are set, as the architecture calls them without their prefix. */
export function pteBitNames(kernel: Kernel, pte: Pte, huge = false): string[] {
  const bits = pteBits(pte);
  const kind = pteKind(pte);
  const names: string[] = [];
  if (kind === PteKind.None) return names;
  const add = (flag: number, name: string): void => {
    if ((bits & flag) !== 0) names.push(name);
  };
  if (kind >= PteKind.Swap) {
    add(PTE_SOFT_DIRTY, 'SOFT_DIRTY');
    add(PTE_UFFD_WP, 'UFFD_WP');
    add(PTE_EXCLUSIVE, 'EXCLUSIVE');
    return names;
  }
  // PAGE_NONE has neither the user's bit nor that against execution.
  if (kind === PteKind.Present) names.push('PRESENT');
  add(PTE_WRITE, 'RW');
  if (kind === PteKind.Present) names.push('USER');
  add(PTE_YOUNG, 'ACCESSED');
  add(PTE_DIRTY, kernel.facts.savedDirty && (bits & PTE_WRITE) === 0 ? 'SAVED_DIRTY' : 'DIRTY');
  if (huge) names.push('PSE');
  if (kind === PteKind.ProtNone) names.push('PROTNONE');
  add(PTE_SPECIAL, 'SPECIAL');
  add(PTE_UFFD_WP, 'UFFD_WP');
  add(PTE_SOFT_DIRTY, 'SOFT_DIRTY');
  add(PTE_DEVMAP, 'DEVMAP');
  if (kind === PteKind.Present) names.push('NX');
  return names;
}

/** PTE_PFN_MASK: where the page frame number stands. */
const PFN_MASK = ((1n << 52n) - 1n) & ~0xfffn;

/** x86_64: what stands in the page table. `huge`: a PMD that maps 2 MiB. */
export function pteWord(kernel: Kernel, pte: Pte, huge = false): bigint {
  const kind = pteKind(pte);
  if (kind === PteKind.None) return 0n;
  const names = pteBitNames(kernel, pte, huge);
  if (kind >= PteKind.Swap) {
    const { type, offset } = swpEntry(kernel, pte);
    const bits = kernel.facts.swapSoftDirtyLow ? X86_SWAP_BITS : { ...X86_SWAP_BITS, SOFT_DIRTY: 7 };
    return x86SwapWordIn(kernel, type, offset) | bitsOf(bits, names);
  }
  const frame = BigInt(pte_pfn(pte)) << 12n;
  // An entry that is not present must not name memory the CPU might speculate on (pgtable-invert.h, 4.19).
  const isInverted = kind === PteKind.ProtNone && kernel.facts.swapEntryInverted;
  return (isInverted ? ~frame & PFN_MASK : frame & PFN_MASK) | bitsOf(X86_PRESENT_BITS, names);
}
