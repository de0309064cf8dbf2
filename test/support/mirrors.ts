/** Processes with page tables set by hand, and programs that stop where they are told, for tests of notifiers and HMM. */
import { expect } from 'vitest';
import type { Pte } from '../../sim/arch/pte.ts';
import type { Mm, Process, Vma } from '../../sim/include/mm_types.ts';
import { VM_MAYREAD, VM_MAYWRITE, VM_READ, VM_WRITE } from '../../sim/include/mm_types.ts';
import type { Machine, Program, Release } from '../../sim/index.ts';
import { newProcess } from '../../sim/kernel/fork.ts';
import type { Kernel } from '../../sim/machine/kernel.ts';
import { lineProgram } from '../../sim/machine/machine.ts';
import type { HmmRange } from '../../sim/mm/hmm.ts';
import type { IntervalOps, IntervalSub, MmuNotifierRange } from '../../sim/mm/mmu_notifier.ts';
import { mmu_interval_set_seq } from '../../sim/mm/mmu_notifier.ts';
import { pte_alloc, set_pte_at } from '../../sim/mm/pgtable.ts';
import type { KernelGenerator, Point } from '../../sim/task/task.ts';
import { boot } from './machines.ts';

/** Runs to the end; the program must not wait. */
export function done<T>(machine: Machine, label: string, body: () => KernelGenerator<T>): T {
  const { program, result } = begin(machine, label, body);
  expect(program.error?.message, label).toBeUndefined();
  expect(program.status, `${label}: ${program.waitsFor?.what}`).toBe('done');
  return result.value as T;
}

/** Runs until it ends, waits, or comes to a pause. */
export function begin<T>(
  machine: Machine,
  label: string,
  body: () => KernelGenerator<T>,
): { program: Program; result: { value: T | undefined } } {
  const result: { value: T | undefined } = { value: undefined };
  const program = machine.run(
    lineProgram(label, function* () {
      result.value = yield* body();
      return undefined;
    }),
  );
  return { program, result };
}

/** Lets a paused program go on, and whoever waited for it. */
export function goOn(machine: Machine, program: Program): void {
  machine.advance(program);
  machine.runReady();
}

export const pause: Point = { kind: 'pause', why: 'the test goes on elsewhere' };

export interface World {
  readonly machine: Machine;
  readonly kernel: Kernel;
  readonly process: Process;
  readonly mm: Mm;
}

export function world(release: Release = '6.12'): World {
  const machine = boot('qemu-2g', release);
  const { kernel } = machine;
  const process = newProcess(kernel, 'test');
  if (typeof process === 'number' || !process.mm) throw new Error('no process');
  return { machine, kernel, process, mm: process.mm };
}

/** An anonymous VMA over [start, start + pages), flags beyond the protection added. */
export function map(kernel: Kernel, mm: Mm, start: number, pages: number, prot = VM_READ | VM_WRITE, more = 0): Vma {
  const flags = prot | VM_MAYREAD | VM_MAYWRITE | more;
  const vma: Vma = {
    mm,
    start,
    end: start + pages,
    flags,
    pgoff: start,
    file: undefined,
    anon_vma: undefined,
    anon_vma_chain: [],
  };
  const at = mm.vmas.findIndex((other) => other.start > start);
  kernel.store.splice(mm.vmas, at < 0 ? mm.vmas.length : at, 0, vma);
  return vma;
}

export function setPte(kernel: Kernel, mm: Mm, vpn: number, pte: Pte): void {
  if (!pte_alloc(kernel, mm, vpn)) throw new Error('no page table');
  set_pte_at(kernel, mm, vpn, pte);
}

/** A driver that notes what it is told, and answers. */
export function listener(answer = true): IntervalOps & { readonly heard: { range: MmuNotifierRange; seq: number }[] } {
  const heard: { range: MmuNotifierRange; seq: number }[] = [];
  return {
    heard,
    // biome-ignore lint/correctness/useYield: a driver that does not sleep
    *invalidate(kernel, sub, range, cur_seq) {
      heard.push({ range, seq: cur_seq });
      if (answer) mmu_interval_set_seq(kernel, sub, cur_seq);
      return answer;
    },
  };
}

export const hmmRange = (
  notifier: IntervalSub,
  start: number,
  pages: number,
  more: Partial<HmmRange> = {},
): HmmRange => ({
  notifier,
  notifier_seq: 0,
  start,
  end: start + pages,
  hmm_pfns: new Array<number>(pages).fill(0),
  default_flags: 0,
  pfn_flags_mask: 0,
  dev_private_owner: undefined,
  ...more,
});
