/**
 * mm/hmm.c: what one entry of the CPU's page table means to a range: reported, to be faulted, waited for, or an
 * error. For every release from 4.14 on; what differs is asked of the release.
 */
import {
  is_device_exclusive_entry,
  is_device_private_entry,
  is_migration_entry,
  type Pte,
  PteKind,
  pte_devmap,
  pte_none,
  pte_pfn,
  pte_present,
  pte_special,
  pte_write,
  pteKind,
} from '../arch/pte.ts';
import type { Mm } from '../include/mm_types.ts';
import { percpu_ref_is_live } from '../lib/percpu-refcount.ts';
import type { Kernel } from '../machine/kernel.ts';
import {
  CPU_DEVICE,
  CPU_VALID,
  CPU_WRITE,
  type HmmEntries,
  WANT_DEVICE,
  WANT_FAULT,
  WANT_WRITE,
} from './hmm_entries.ts';
import { page_pgmap, pagemapAt, refOf } from './pagemap.ts';
import { sameOwner } from './pagemap_owner.ts';
import { zero_pfn } from './zero_page.ts';

const EFAULT = -14;

/* How a walk ends that neither succeeded (0) nor failed (an errno). */
/** A fault was served, or a page had moved: go on from `last`. */
export const RESTART = 1;
/** The fault handler gave the mmap lock up. */
export const LOCK_DROPPED = 2;
/** 7.3: a fault is noted, to be served outside the walk. */
export const FAULT_PENDING = 3;
/** 5.2 to 5.6: a device page whose pagemap is going; the kernel tries again at once, over and over. */
export const DEAD_PAGEMAP = 4;

/* What an entry of a page table needs, inside the walk. */
export const FAULT = 5;
export const MIGRATION = 6;

export const NEED_FAULT = 1;
export const NEED_WRITE_FAULT = 2;
/** PTE_MARKER_UFFD_WP. */
const UFFD_WP_MARKER = 1;

export interface WalkOptions {
  readonly start: number;
  readonly end: number;
  /** 5.7 on: whose device-private pages are reported as they are. */
  readonly owner?: unknown;
  /** The fault handler may drop the mmap lock. */
  readonly allowRetry?: boolean;
  /** Entries stand for so many pages (5.2, 5.3). */
  readonly pagesPerEntry?: number;
}

export abstract class HmmPtes {
  /** Entries below are outputs, from here on they are inputs still. */
  last: number;
  protected required = 0;
  protected readonly kernel: Kernel;
  protected readonly mm: Mm;
  protected readonly entries: HmmEntries;
  protected readonly options: WalkOptions;
  protected readonly per: number;
  /** To 5.6: a hole is filled while it is faulted, page by page. */
  protected readonly fillsAsItFaults: boolean;
  protected readonly fixedBits: boolean;
  protected readonly ownerRule: boolean;
  protected readonly protNoneIsAbsent: boolean;
  protected readonly zero: number;
  protected owned: { pgmap: number; yes: boolean } = { pgmap: 0, yes: false };

  constructor(kernel: Kernel, mm: Mm, entries: HmmEntries, options: WalkOptions) {
    this.kernel = kernel;
    this.mm = mm;
    this.entries = entries;
    this.options = options;
    this.last = options.start;
    this.per = options.pagesPerEntry ?? 1;
    this.ownerRule = kernel.facts.hmmDevPrivateOwner;
    this.fillsAsItFaults = !this.ownerRule;
    this.fixedBits = kernel.facts.hmmFixedPfnBits;
    this.protNoneIsAbsent = kernel.facts.hmmProtNoneIsAbsent;
    this.zero = kernel.facts.hmmZeroPageOrdinary ? zero_pfn(kernel) : -1;
  }

  protected index(addr: number): number {
    return Math.floor((addr - this.options.start) / this.per);
  }

  /* ---- what is asked for ---- */

  /** hmm_pte_need_fault. */
  protected need(want: number, cpu: number): number {
    if ((want & WANT_FAULT) === 0) return 0;
    if ((cpu & CPU_DEVICE) !== 0 && !this.fixedBits) {
      if ((want & WANT_DEVICE) === 0) return 0;
      return (want & WANT_WRITE) !== 0 ? NEED_FAULT | NEED_WRITE_FAULT : NEED_FAULT;
    }
    if ((want & WANT_WRITE) !== 0 && (cpu & CPU_WRITE) === 0) return NEED_FAULT | NEED_WRITE_FAULT;
    return (cpu & CPU_VALID) === 0 ? NEED_FAULT : 0;
  }

  /** hmm_range_need_fault: to 5.1 what the first entry needs that needs something, since then all of them. */
  protected needRange(start: number, end: number, cpu: number): number {
    const { constant } = this.entries;
    if (constant !== undefined) return this.need(constant, cpu);
    const firstOnly = !this.kernel.facts.hmmRangeFault;
    let required = 0;
    for (let i = this.index(start), stop = this.index(end - 1); i <= stop; i++) {
      required |= this.need(this.entries.want(i), cpu);
      if (required === (NEED_FAULT | NEED_WRITE_FAULT) || (firstOnly && required !== 0)) break;
    }
    return required;
  }

  protected cpuFlags(pte: Pte): number {
    const kind = pteKind(pte);
    if (kind !== PteKind.Present && kind !== PteKind.ProtNone) return 0;
    if (kind === PteKind.ProtNone && this.protNoneIsAbsent) return 0;
    return pte_write(pte) ? CPU_VALID | CPU_WRITE : CPU_VALID;
  }

  /** hmm_vma_handle_pte. */
  protected pte(i: number, pte: Pte): number {
    const { entries } = this;
    const want = entries.constant ?? entries.want(i);
    if (pte_none(pte) || (pteKind(pte) === PteKind.Marker && (pte_pfn(pte) & UFFD_WP_MARKER) !== 0)) {
      if (this.missing(want, 0)) return FAULT;
      entries.empty(i);
      return 0;
    }
    if (!pte_present(pte)) return this.absent(i, want, pte);
    const cpu = this.cpuFlags(pte);
    if (this.missing(want, cpu)) return FAULT;
    if ((pte_special(pte) && pte_pfn(pte) !== this.zero) || pte_devmap(pte)) {
      const code = this.special(i, want, pte);
      if (code !== undefined) return code;
    }
    entries.page(i, pte_pfn(pte), cpu, 0);
    return 0;
  }

  protected missing(want: number, cpu: number): boolean {
    this.required = this.need(want, cpu);
    return this.required !== 0;
  }

  /** A present PTE without an ordinary struct page, or of a device; undefined: it counts like any other. */
  protected special(i: number, want: number, pte: Pte): number | undefined {
    const { kernel, entries } = this;
    if (!kernel.facts.hmmRangeFault) return undefined;
    if (pte_devmap(pte)) return this.fillsAsItFaults && !this.isLive(pte_pfn(pte)) ? DEAD_PAGEMAP : undefined;
    if (this.fillsAsItFaults) {
      entries.special(i);
      return EFAULT;
    }
    if (this.missing(want, 0)) return EFAULT;
    entries.special(i);
    return 0;
  }

  /** get_dev_pagemap would give it. */
  protected isLive(pfn: number): boolean {
    const map = pagemapAt(this.kernel, pfn);
    const ref = map && refOf(map.pgmap);
    return ref !== undefined && percpu_ref_is_live(ref);
  }

  protected owns(pfn: number): boolean {
    const pgmap = this.kernel.pages.pgmap.get(pfn);
    if (this.owned.pgmap !== pgmap)
      this.owned = { pgmap, yes: sameOwner(page_pgmap(this.kernel, pfn)?.pgmap.owner, this.options.owner) };
    return this.owned.yes;
  }

  /** Swap entries of all kinds. */
  protected absent(i: number, want: number, pte: Pte): number {
    const { kernel, entries } = this;
    const kind = pteKind(pte);
    if (is_device_private_entry(pte)) {
      const cpu = CPU_VALID | (kind === PteKind.DeviceWrite ? CPU_WRITE : 0);
      if (this.ownerRule && !this.owns(pte_pfn(pte))) return this.orNone(i, want);
      if (!this.ownerRule && this.missing(want, cpu | CPU_DEVICE)) return FAULT;
      entries.page(i, pte_pfn(pte), this.ownerRule ? cpu : cpu | CPU_DEVICE, 0);
      return 0;
    }
    if (kind === PteKind.Swap) return kernel.facts.hmmForgetsSwap ? this.orNone(i, 0) : this.orNone(i, want);
    if (is_migration_entry(pte)) {
      const code = this.orNone(i, kernel.facts.hmmForgetsMigration ? 0 : want);
      return code === FAULT ? MIGRATION : code;
    }
    if (this.fillsAsItFaults) {
      entries.error(i);
      return this.fixedBits ? 0 : EFAULT;
    }
    const code = this.orNone(i, want);
    return code === FAULT && !is_device_exclusive_entry(pte) ? EFAULT : code;
  }

  protected orNone(i: number, want: number): number {
    if (this.missing(want, 0)) return FAULT;
    this.entries.none(i);
    return 0;
  }
}
