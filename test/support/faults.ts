/** A machine with a process `p`, and what its page table says, for claims about page faults. */
import { expect } from 'vitest';
import {
  PTE_DIRTY,
  PTE_EXCLUSIVE,
  PTE_WRITE,
  PTE_YOUNG,
  type Pte,
  PteKind,
  pte_pfn,
  pte_special,
  pteBits,
  pteKind,
} from '../../sim/arch/pte.ts';
import type { Folio, Mm, Vma } from '../../sim/include/mm_types.ts';
import { type Machine, type Release, runShellLine, statusOf } from '../../sim/index.ts';
import { lineProgram } from '../../sim/machine/machine.ts';
import type { TraceNode } from '../../sim/machine/trace.ts';
import { folioOf } from '../../sim/mm/folio.ts';
import { pageAnonExclusive } from '../../sim/mm/rmap.ts';
import type { KernelGenerator } from '../../sim/task/task.ts';
import { checkAddressSpaces } from './addressSpaces.ts';
import { boot, sh } from './machines.ts';
import { short } from './same.ts';

const KINDS = Object.fromEntries(Object.entries(PteKind).map(([name, kind]) => [kind, name]));

export class FaultWorld {
  readonly machine: Machine;

  constructor(release: Release = '6.12') {
    this.machine = boot('qemu-2g', release);
    this.sh('p = proc new prog');
  }

  get kernel() {
    return this.machine.kernel;
  }

  sh(...lines: string[]): string {
    return sh(this.machine, ...lines).output.join('\n');
  }

  /** A mapping of `p`: its first page. */
  map(pages: number, how = 'rw'): number {
    return Number(this.sh(`proc mmap p ${pages} ${how}`)) / 4096;
  }

  /** A mapping at 2 MiB that wants huge pages. */
  mapHuge(pages = 512): number {
    const at = 0x7f0000000;
    this.map(pages, `rw at=0x${(at * 4096).toString(16)}`);
    this.sh(`proc madvise p ${addr(at)} ${pages} HUGEPAGE`);
    return at;
  }

  write(vpn: number, pages = 1, value = '7', who = 'p'): string {
    return this.sh(`proc write ${who} ${addr(vpn)} ${pages} ${value}`);
  }
  read(vpn: number, pages = 1, who = 'p'): string {
    return this.sh(`proc read ${who} ${addr(vpn)} ${pages}`);
  }

  /** The errno of a line. */
  status(line: string): number {
    const program = runShellLine(this.machine, line);
    expect(program?.isOver, line).toBe(true);
    return program ? statusOf(program) : 0;
  }

  /** Runs kernel code of a test. */
  run<T>(body: () => KernelGenerator<T>): T {
    const results: T[] = [];
    const program = this.machine.run(
      lineProgram('test', function* () {
        results.push(yield* body());
        return undefined;
      }),
    );
    if (program.error) throw program.error;
    expect(program.isOver).toBe(true);
    return results[0] as T;
  }

  mm(pid = 100): Mm {
    const mm = this.kernel.state.processes.get(pid)?.mm;
    if (!mm) throw new Error(`no process ${pid}`);
    return mm;
  }
  vma(vpn: number, pid = 100): Vma {
    const vma = this.mm(pid).vmas.find(({ start, end }) => vpn >= start && vpn < end);
    if (!vma) throw new Error('no VMA');
    return vma;
  }

  entry(vpn: number, pid = 100): Pte {
    const pmd = this.mm(pid).pmds.get(Math.floor(vpn / 512));
    if (!pmd) return 0;
    return pmd.kind === 'huge' ? pmd.entry : (pmd.entries[vpn % 512] ?? 0);
  }
  isHuge(vpn: number, pid = 100): boolean {
    return this.mm(pid).pmds.get(Math.floor(vpn / 512))?.kind === 'huge';
  }
  /** `Present write dirty young`, for example. */
  pte(vpn: number, pid = 100): string {
    const entry = this.entry(vpn, pid);
    const bits = pteBits(entry);
    const words = [KINDS[pteKind(entry)] ?? '?'];
    if (pte_special(entry)) words.push('special');
    if (bits & PTE_WRITE) words.push('write');
    if (bits & PTE_DIRTY) words.push('dirty');
    if (bits & PTE_YOUNG) words.push('young');
    if (bits & PTE_EXCLUSIVE) words.push('exclusive');
    return words.join(' ');
  }
  pfn(vpn: number, pid = 100): number {
    return pte_pfn(this.entry(vpn, pid)) + (this.isHuge(vpn, pid) ? vpn % 512 : 0);
  }
  folio(vpn: number, pid = 100): Folio {
    const folio = folioOf(this.kernel, this.pfn(vpn, pid));
    if (!folio) throw new Error('no folio');
    return folio;
  }
  /** refcount and mapcount of the page, as the kernel prints them. */
  counts(vpn: number, pid = 100): [ref: number, mapcount: number] {
    const { refcount, mapcount } = this.kernel.pages;
    return [refcount.get(this.folio(vpn, pid).pfn), mapcount.get(this.pfn(vpn, pid)) | 0];
  }
  exclusive(vpn: number, pid = 100): boolean {
    return pageAnonExclusive(this.kernel, this.pfn(vpn, pid));
  }

  vm(name: string): number {
    return this.kernel.state.vm.get(name) ?? 0;
  }

  /** Names of the calls of the last step, each with its callers. */
  calls(): string[] {
    const names: string[] = [];
    const walk = (nodes: readonly TraceNode[]): void => {
      for (const { name, calls } of nodes) {
        names.push(name);
        walk(calls);
      }
    };
    walk(this.machine.lastStep?.trace ?? []);
    return names;
  }

  /** Everything agrees, and the last step can be undone and redone exactly. */
  check(): void {
    checkAddressSpaces(this.machine);
    const { machine } = this;
    const after = short(machine.canonical());
    const position = machine.position;
    machine.travel(0);
    machine.travel(position);
    expect(short(machine.canonical()), 'undone and redone').toBe(after);
  }
}

export const addr = (vpn: number): string => `0x${(vpn * 4096).toString(16)}`;
