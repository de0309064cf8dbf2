/**
 * mm/hmm.c: the walk over the CPU's page table that fills the entries of a range, of every release from 4.14 on:
 * VMAs, holes, tables and huge entries, and the faults that are served on the way.
 */
import {
  is_device_private_entry,
  is_migration_entry,
  NO_PTE,
  type Pte,
  PteKind,
  pte_devmap,
  pte_pfn,
  pte_present,
  pteKind,
} from '../arch/pte.ts';
import { BadAccess } from '../c/value.ts';
import {
  FAULT_FLAG_ALLOW_RETRY,
  FAULT_FLAG_KILLABLE,
  FAULT_FLAG_REMOTE,
  FAULT_FLAG_WRITE,
  type HugePmd,
  type PteTable,
  VM_FAULT_ERROR,
  VM_FAULT_OOM,
  VM_FAULT_RETRY,
  VM_HUGETLB,
  VM_IO,
  VM_MIXEDMAP,
  VM_PFNMAP,
  VM_READ,
  VM_WRITE,
  type Vma,
} from '../include/mm_types.ts';
import { hex } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { folioOf } from './folio.ts';
import { CPU_VALID, CPU_WRITE } from './hmm_entries.ts';
import {
  DEAD_PAGEMAP,
  FAULT,
  FAULT_PENDING,
  HmmPtes,
  LOCK_DROPPED,
  MIGRATION,
  NEED_WRITE_FAULT,
  RESTART,
} from './hmm_pte.ts';
import { handle_mm_fault } from './memory.ts';
import { find_vma, vma_lookup } from './mmap.ts';
import { hugePmdAt, pmdAt, pteAt } from './pgtable.ts';

export { DEAD_PAGEMAP, FAULT_PENDING, LOCK_DROPPED, RESTART } from './hmm_pte.ts';

const EPERM = -1;
const ENOMEM = -12;
const EFAULT = -14;
const EINVAL = -22;

const PAGES_PER_PMD = 512;
const PMD_ORDER = 9;

export class HmmWalk extends HmmPtes {
  /** 7.3: what is to be faulted in. */
  private pending = { end: 0, required: 0 };

  /** pagewalk.c:walk_page_range. */
  *range(start: number, end: number): KernelGenerator<number> {
    if (start >= end) return EINVAL;
    for (let addr = start; addr < end; ) {
      const vma = find_vma(this.mm, addr);
      const isHole = !vma || addr < vma.start;
      const next = Math.min(end, isHole ? (vma?.start ?? end) : vma.end);
      const code = isHole ? yield* this.hole(undefined, addr, next) : yield* this.inVma(vma, addr, next);
      if (code !== 0) return code;
      addr = next;
    }
    return 0;
  }

  private *inVma(vma: Vma, start: number, end: number): KernelGenerator<number> {
    const test = this.kernel.facts.mmuIntervalNotifier ? this.test(vma, start, end) : 0;
    if (test !== 0) return test < 0 ? test : 0;
    for (let addr = start; addr < end; ) {
      const pmd = pmdAt(this.mm, addr);
      const next = Math.min(end, pmd ? pmdEnd(addr) : this.holeEnd(addr));
      let code: number;
      if (!pmd) code = yield* this.hole(vma, addr, next);
      else if (pmd.kind === 'table') code = yield* this.table(vma, pmd, addr, next);
      else if ((vma.flags & VM_HUGETLB) !== 0) code = yield* this.hugetlb(vma, pmd, addr, next);
      else code = yield* this.huge(vma, pmd, addr, next);
      if (code !== 0) return code;
      addr = next;
    }
    return 0;
  }

  /** hmm_vma_walk_test (5.5 on): 1 for a VMA that is passed over, an errno, or 0. */
  private test(vma: Vma, start: number, end: number): number {
    const { kernel } = this;
    const device = VM_IO | VM_PFNMAP | (kernel.facts.hmmRefusesMixedmap ? VM_MIXEDMAP : 0);
    const isDevice = (vma.flags & device) !== 0;
    if (!isDevice && (vma.flags & VM_READ) !== 0) return 0;
    if (isDevice && this.fillsAsItFaults) return EFAULT;
    if (this.needRange(start, end, 0) !== 0) return EFAULT;
    for (let addr = start; addr < end; addr++)
      if (this.fillsAsItFaults) this.entries.none(this.index(addr));
      else this.entries.error(this.index(addr));
    this.last = end;
    return 1;
  }

  /** How far nothing is mapped for want of a table: upper tables first. */
  private holeEnd(addr: number): number {
    for (let level = this.kernel.arch.pageTableLevels - 1; level >= 2; level--) {
      const pages = 2 ** (9 * level);
      const index = Math.floor(addr / pages);
      if (!this.mm.upper.has(`${level}:${index}`)) return (index + 1) * pages;
    }
    return pmdEnd(addr);
  }

  /* ---- holes and faults ---- */

  /** hmm_vma_walk_hole. */
  private *hole(vma: Vma | undefined, start: number, end: number): KernelGenerator<number> {
    const required = this.needRange(start, end, 0);
    if (this.fillsAsItFaults) return yield* this.fillHole(vma, start, end, required, true);
    if (!vma) {
      if (required !== 0) return EFAULT;
      for (let addr = start; addr < end; addr++) this.entries.error(this.index(addr));
      return 0;
    }
    if (required !== 0) return yield* this.fault(vma, start, end, required);
    // To 5.7 what a call counts ends where the last hole begins.
    this.last = start;
    for (let addr = start; addr < end; addr++) this.entries.none(this.index(addr));
    return 0;
  }

  /** hmm_vma_walk_hole_ (to 5.6): each page is none first, and faulted then if one of them needs it. */
  private *fillHole(
    vma: Vma | undefined,
    start: number,
    end: number,
    required: number,
    empty = false,
  ): KernelGenerator<number> {
    const { kernel, entries } = this;
    this.last = start;
    const isWrite = (required & NEED_WRITE_FAULT) !== 0;
    if (isWrite && vma && kernel.facts.hmmWritePermission && (vma.flags & VM_WRITE) === 0) return EPERM;
    for (let addr = start; addr < end; addr += this.per) {
      const i = this.index(addr);
      if (empty) entries.empty(i);
      else entries.none(i);
      if (required === 0) continue;
      if (!vma && !kernel.facts.hmmFaultFlags && !kernel.facts.mmuIntervalNotifier)
        throw new BadAccess(`hmm_vma_do_fault: there is no VMA at ${hex(addr * 4096)}, and this release does not look`);
      const bits = vma ? yield* handle_mm_fault(kernel, vma, addr, this.faultFlags(isWrite)) : VM_FAULT_ERROR;
      if ((bits & VM_FAULT_RETRY) !== 0) return LOCK_DROPPED;
      if ((bits & VM_FAULT_ERROR) === 0) continue;
      entries.error(i);
      return EFAULT;
    }
    return required === 0 ? 0 : RESTART;
  }

  private faultFlags(write: boolean): number {
    const { allowRetry } = this.options;
    const killable = this.kernel.facts.hmmFaultOutsideWalk ? FAULT_FLAG_KILLABLE : 0;
    return FAULT_FLAG_REMOTE | (write ? FAULT_FLAG_WRITE : 0) | (allowRetry ? FAULT_FLAG_ALLOW_RETRY | killable : 0);
  }

  /** hmm_vma_fault (5.7 on), hmm_record_fault (7.3). */
  private *fault(vma: Vma, start: number, end: number, required: number): KernelGenerator<number> {
    this.last = start;
    if (this.kernel.facts.hmmFaultOutsideWalk) {
      this.pending = { end, required };
      return FAULT_PENDING;
    }
    const isWrite = (required & NEED_WRITE_FAULT) !== 0;
    if (isWrite && (vma.flags & VM_WRITE) === 0) return EPERM;
    const flags = this.faultFlags(isWrite);
    for (let addr = start; addr < end; addr++)
      if (((yield* handle_mm_fault(this.kernel, vma, addr, flags)) & VM_FAULT_ERROR) !== 0) return EFAULT;
    return RESTART;
  }

  /** hmm_do_fault (7.3): serves what the walk noted; errors by kind (mm.h:vm_fault_to_errno). */
  *serve(): KernelGenerator<number> {
    const { kernel } = this;
    const vma = vma_lookup(this.mm, this.last);
    if (!vma) return EFAULT;
    const isWrite = (this.pending.required & NEED_WRITE_FAULT) !== 0;
    if (isWrite && (vma.flags & VM_WRITE) === 0) return EPERM;
    const flags = this.faultFlags(isWrite);
    for (let addr = this.last; addr < this.pending.end; addr++) {
      const bits = yield* handle_mm_fault(kernel, vma, addr, flags);
      if ((bits & VM_FAULT_RETRY) !== 0) return LOCK_DROPPED;
      if ((bits & VM_FAULT_OOM) !== 0) return ENOMEM;
      if ((bits & VM_FAULT_ERROR) !== 0) return EFAULT;
    }
    return RESTART;
  }

  /* ---- PTEs ---- */

  private *table(vma: Vma, table: PteTable, start: number, end: number): KernelGenerator<number> {
    const { entries } = table;
    let addr = start;
    let code = 0;
    for (; addr < end; addr++) {
      code = this.pte(this.index(addr), entries[addr % PAGES_PER_PMD] ?? NO_PTE);
      if (code !== 0) break;
    }
    this.last = addr;
    if (code === FAULT) {
      if (!this.fillsAsItFaults) return yield* this.fault(vma, addr, end, this.required);
      // To 4.16 all of the PMD's part is done again.
      return yield* this.fillHole(vma, this.fixedBits ? start : addr, end, this.required);
    }
    if (code !== MIGRATION) return code;
    yield* this.moved(addr, entries[addr % PAGES_PER_PMD] ?? NO_PTE);
    return RESTART;
  }

  /** migration_entry_wait, over and over, as the walk does until the entry is another one. */
  private *moved(vpn: number, entry: Pte): KernelGenerator<void> {
    const { kernel, mm } = this;
    const pfn = pte_pfn(entry);
    const holder = () => folioOf(kernel, pfn)?.locked_by;
    const body = function* (): KernelGenerator<void> {
      yield {
        kind: 'wait',
        on: {
          what: `the migration of page ${hex(pfn)} to end`,
          ready: () => (hugePmdAt(mm, vpn)?.entry ?? pteAt(mm, vpn)) !== entry,
          holders: () => [holder()?.label ?? 'whoever migrates it'],
          holderTasks: () => {
            const task = holder();
            return task ? [task.id] : [];
          },
        },
      };
    };
    yield* kernel.call('migration_entry_wait', [hex(vpn * 4096)], body(), () => '');
  }

  /* ---- huge entries ---- */

  private fill(start: number, end: number, pmd: HugePmd, cpu: number, order: number, within: boolean): void {
    let pfn = pte_pfn(pmd.entry) + (within ? start % PAGES_PER_PMD : 0);
    for (let addr = start; addr < end; addr += this.per, pfn += this.per)
      this.entries.page(this.index(addr), pfn, cpu, order);
    this.last = end;
  }

  /** hmm_vma_walk_pmd for an entry that is no table: hmm_vma_handle_pmd, and what is not present. */
  private *huge(vma: Vma, pmd: HugePmd, start: number, end: number): KernelGenerator<number> {
    const { entry } = pmd;
    if (!pte_present(entry)) return yield* this.absentPmd(vma, pmd, start, end);
    // Of a PMD, unlike a PTE, PROT_NONE was always seen.
    const isNone = pteKind(entry) === PteKind.ProtNone;
    const cpu = isNone ? 0 : this.cpuFlags(entry);
    const required = this.needRange(start, end, cpu);
    if (this.fillsAsItFaults && (isNone || required !== 0)) return yield* this.fillHole(vma, start, end, required);
    if (required !== 0) return yield* this.fault(vma, start, end, required);
    if (this.fillsAsItFaults && pte_devmap(entry) && !this.isLive(pte_pfn(entry))) return DEAD_PAGEMAP;
    this.fill(start, end, pmd, cpu, isNone ? 0 : PMD_ORDER, true);
    return 0;
  }

  /** A PMD migration entry, from 6.19 device-private ones (hmm_vma_handle_absent_pmd), and others. */
  private *absentPmd(vma: Vma, pmd: HugePmd, start: number, end: number): KernelGenerator<number> {
    const { kernel } = this;
    const { entry } = pmd;
    if (is_migration_entry(entry) && kernel.facts.hmmPmdMigration) {
      if (this.needRange(start, end, 0) !== 0) {
        this.last = start;
        yield* this.moved(start, entry);
        return RESTART;
      }
      // To 5.6 the entries stay as they came in.
      if (!this.fillsAsItFaults) for (let addr = start; addr < end; addr++) this.entries.none(this.index(addr));
      return 0;
    }
    const isPrivate = kernel.facts.devicePrivateThp && is_device_private_entry(entry);
    if (isPrivate && this.owns(pte_pfn(entry))) {
      const write = pteKind(entry) === PteKind.DeviceWrite ? CPU_WRITE : 0;
      // As written there, counted from the first page of the mapping wherever the range begins.
      this.fill(start, end, pmd, CPU_VALID | write, PMD_ORDER, false);
      return 0;
    }
    if (!this.fillsAsItFaults) {
      const required = this.needRange(start, end, 0);
      if (required !== 0) return isPrivate ? yield* this.fault(vma, start, end, required) : EFAULT;
    }
    for (let addr = start; addr < end; addr++) this.entries.error(this.index(addr));
    return 0;
  }

  /** hmm_vma_walk_hugetlb_entry (5.2 on): the first entry speaks for all of the page. */
  private *hugetlb(vma: Vma, pmd: HugePmd, start: number, end: number): KernelGenerator<number> {
    const { entries } = this;
    const first = this.index(start);
    if (this.per > 1 && (start % PAGES_PER_PMD !== 0 || end - start < PAGES_PER_PMD)) return EINVAL;
    const want = entries.constant ?? entries.want(first);
    const isPresent = pte_present(pmd.entry);
    const cpu = isPresent ? this.cpuFlags(pmd.entry) : 0;
    const required = this.need(want, cpu);
    if (this.fillsAsItFaults) {
      if (required !== 0) return yield* this.fillHole(vma, start, end, required);
    } else if (required !== 0) return yield* this.fault(vma, start, end, required);
    this.fill(start, end, pmd, cpu, PMD_ORDER, true);
    return 0;
  }
}

const pmdEnd = (addr: number): number => (Math.floor(addr / PAGES_PER_PMD) + 1) * PAGES_PER_PMD;
