/**
 * The entries of a struct hmm_range, in and out, as each family of releases writes them (include/linux/hmm.h):
 * fixed low bits (4.14 to 4.16), bits and values of the driver (4.17 to 5.7), the top bits of a word (5.8 on).
 */
import type { Kernel } from '../machine/kernel.ts';

/** What an entry asks for, and what the CPU's page table gives. */
export const WANT_FAULT = 1;
export const WANT_WRITE = 2;
/** To 5.6: device-private pages too are to be faulted back. */
export const WANT_DEVICE = 4;
export const CPU_VALID = 1;
export const CPU_WRITE = 2;
export const CPU_DEVICE = 4;

export interface HmmEntries {
  /** What every entry asks for, where single ones have no say. */
  readonly constant: number | undefined;
  want(i: number): number;
  page(i: number, pfn: number, cpu: number, order: number): void;
  none(i: number): void;
  /** An empty place in the page table; apart from `none` only to 4.16. */
  empty(i: number): void;
  error(i: number): void;
  special(i: number): void;
}

/* ---- 5.8 on ---- */

/* Entries of the engine are numbers: pfn * 256 + bits. */
export const HMM_PFN_VALID = 1;
export const HMM_PFN_WRITE = 2;
export const HMM_PFN_ERROR = 4;
export const HMM_PFN_REQ_FAULT = HMM_PFN_VALID;
export const HMM_PFN_REQ_WRITE = HMM_PFN_WRITE;
const ORDER_SHIFT = 3;
/** From 6.17: HMM_PFN_P2PDMA_BUS, P2PDMA and DMA_MAPPED, which a walk leaves alone; above the page frame. */
export const HMM_PFN_P2PDMA_BUS = 2 ** 50;
export const HMM_PFN_P2PDMA = 2 ** 51;
export const HMM_PFN_DMA_MAPPED = 2 ** 52;
const INOUT = 2 ** 50;

const inout = (entry: number): number => (entry >= INOUT ? Math.floor(entry / INOUT) * INOUT : 0);
export const hmm_pfn = (entry: number): number => Math.floor((entry % INOUT) / 256);
export const hmm_pfn_to_map_order = (entry: number): number => (entry % 256) >> ORDER_SHIFT;

/** The word that the kernel has for an entry. Before 5.9 it holds no order. */
export function hmmPfnWord(kernel: Kernel, entry: number): bigint {
  const bits = BigInt(entry % 256);
  const shift = kernel.facts.hmmPfnDmaMapped ? 53n : 56n;
  return (
    BigInt(hmm_pfn(entry)) |
    ((bits & 1n) << 63n) |
    (((bits >> 1n) & 1n) << 62n) |
    (((bits >> 2n) & 1n) << 61n) |
    ((bits >> 3n) << shift) |
    (BigInt(Math.floor(entry / INOUT)) << 58n)
  );
}

/** The entry for a word of the kernel. */
export function hmmPfnEntry(kernel: Kernel, word: bigint): number {
  const mapped = kernel.facts.hmmPfnDmaMapped;
  const order = (word >> (mapped ? 53n : 56n)) & 0x1fn;
  const bits = (word >> 63n) | (((word >> 62n) & 1n) << 1n) | (((word >> 61n) & 1n) << 2n) | (order << 3n);
  const kept = mapped ? (word >> 58n) & 7n : 0n;
  return Number(word & ((1n << (mapped ? 53n : 56n)) - 1n) & 0xffffffffffn) * 256 + Number(bits) + Number(kept) * INOUT;
}

export class TopBitEntries implements HmmEntries {
  readonly constant: number | undefined;
  private readonly pfns: number[];
  private readonly mask: number;
  private readonly fixed: number;
  private readonly keeps: boolean;
  private readonly orders: boolean;

  constructor(kernel: Kernel, pfns: number[], default_flags: number, pfn_flags_mask: number) {
    this.pfns = pfns;
    this.mask = pfn_flags_mask & 3;
    this.fixed = default_flags & 3;
    this.constant = this.mask === 0 ? this.fixed : undefined;
    this.keeps = kernel.facts.hmmPfnDmaMapped;
    this.orders = kernel.facts.hmmPfnOrder;
  }

  want(i: number): number {
    return (((this.pfns[i] ?? 0) % 256) & this.mask) | this.fixed;
  }
  private put(i: number, value: number): void {
    this.pfns[i] = this.keeps ? inout(this.pfns[i] ?? 0) + value : value;
  }
  page(i: number, pfn: number, cpu: number, order: number): void {
    this.put(i, pfn * 256 + (cpu & 3) + (this.orders ? order << ORDER_SHIFT : 0));
  }
  none(i: number): void {
    this.put(i, 0);
  }
  empty(i: number): void {
    this.put(i, 0);
  }
  error(i: number): void {
    this.put(i, HMM_PFN_ERROR);
  }
  special(i: number): void {
    this.error(i);
  }
}

/* ---- to 5.7 ---- */

/** Words that a range of 4.14 to 5.7 fills: those of the driver's array from `first` on. They may outlive the call. */
export interface PfnWords {
  readonly words: bigint[];
  readonly first: number;
}

/** hmm_pfn_t of 4.14 to 4.16. */
export const OLD_VALID = 1n;
export const OLD_READ = 2n;
export const OLD_WRITE = 4n;
export const OLD_ERROR = 8n;
export const OLD_EMPTY = 16n;
export const OLD_SPECIAL = 32n;
export const OLD_DEVICE = 64n;
const OLD_SHIFT = 7n;

export class FixedBitEntries implements HmmEntries {
  readonly constant: number;
  private readonly kernel: Kernel;
  private readonly to: PfnWords;
  private readonly read: bigint;

  /** `want`: of every entry; `readable`: the VMA has VM_READ. */
  constructor(kernel: Kernel, to: PfnWords, want: number, readable: boolean) {
    this.kernel = kernel;
    this.to = to;
    this.constant = want;
    this.read = readable ? OLD_READ : 0n;
  }
  want(): number {
    return this.constant;
  }
  private put(i: number, word: bigint): void {
    this.kernel.store.set(this.to.words, this.to.first + i, word);
  }
  page(i: number, pfn: number, cpu: number): void {
    let word = (BigInt(pfn) << OLD_SHIFT) | OLD_VALID | this.read;
    if ((cpu & CPU_WRITE) !== 0) word |= OLD_WRITE;
    if ((cpu & CPU_DEVICE) !== 0) word |= OLD_DEVICE;
    this.put(i, word);
  }
  none(i: number): void {
    this.put(i, 0n);
  }
  empty(i: number): void {
    this.put(i, OLD_EMPTY);
  }
  error(i: number): void {
    this.put(i, OLD_ERROR);
  }
  special(i: number): void {
    this.put(i, OLD_SPECIAL);
  }
}

/** What a driver says of its entries, 4.17 to 5.7. */
export interface DriverFormat {
  /** By HMM_PFN_VALID, HMM_PFN_WRITE, HMM_PFN_DEVICE_PRIVATE (to 5.6). */
  readonly flags: readonly bigint[];
  /** By HMM_PFN_ERROR, HMM_PFN_NONE, HMM_PFN_SPECIAL. */
  readonly values: readonly bigint[];
  readonly pfn_shift: number;
  /** 5.2 on. */
  readonly default_flags: bigint;
  readonly pfn_flags_mask: bigint;
}

/** hmm_device_entry_to_pfn (hmm_pfn_to_pfn to 5.1): undefined for the three values and without the valid flag. */
export function driverPfn({ flags, values, pfn_shift }: DriverFormat, word: bigint): number | undefined {
  const valid = flags[0] ?? 0n;
  return values.includes(word) || (word & valid) === 0n ? undefined : Number(word >> BigInt(pfn_shift));
}

export class DriverEntries implements HmmEntries {
  readonly constant: number | undefined;
  private readonly kernel: Kernel;
  private readonly to: PfnWords;
  private readonly format: DriverFormat;
  private readonly valid: bigint;
  private readonly write: bigint;
  private readonly device: bigint;
  private readonly shift: bigint;

  /** `snapshot`: nothing is asked for, whatever the entries say. */
  constructor(kernel: Kernel, to: PfnWords, format: DriverFormat, snapshot: boolean) {
    this.kernel = kernel;
    this.to = to;
    this.format = format;
    [this.valid = 0n, this.write = 0n] = format.flags;
    this.device = kernel.facts.hmmDevPrivateOwner ? 0n : (format.flags[2] ?? 0n);
    this.shift = BigInt(format.pfn_shift);
    if (snapshot) this.constant = 0;
    else if ((format.pfn_flags_mask & (this.valid | this.write | this.device)) === 0n)
      this.constant = this.bits(format.default_flags);
  }
  private bits(word: bigint): number {
    return (
      ((word & this.valid) !== 0n ? WANT_FAULT : 0) |
      ((word & this.write) !== 0n ? WANT_WRITE : 0) |
      ((word & this.device) !== 0n ? WANT_DEVICE : 0)
    );
  }
  want(i: number): number {
    const { default_flags, pfn_flags_mask } = this.format;
    return this.bits(((this.to.words[this.to.first + i] ?? 0n) & pfn_flags_mask) | default_flags);
  }
  private put(i: number, word: bigint): void {
    this.kernel.store.set(this.to.words, this.to.first + i, BigInt.asUintN(64, word));
  }
  page(i: number, pfn: number, cpu: number): void {
    let word = BigInt(pfn) << this.shift;
    if ((cpu & CPU_VALID) !== 0) word |= this.valid;
    if ((cpu & CPU_WRITE) !== 0) word |= this.write;
    if ((cpu & CPU_DEVICE) !== 0) word |= this.device;
    this.put(i, word);
  }
  error(i: number): void {
    this.put(i, this.format.values[0] ?? 0n);
  }
  none(i: number): void {
    this.put(i, this.format.values[1] ?? 0n);
  }
  empty(i: number): void {
    this.none(i);
  }
  special(i: number): void {
    this.put(i, this.format.values[2] ?? 0n);
  }
}
