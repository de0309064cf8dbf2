/** The world of the kernel's HMM tests: a machine with the test GPU, processes, and command lines about them. */
import { expect } from 'vitest';
import { errorText, type Machine, type Program, type Release, runShellLine, statusOf } from '../../sim/index.ts';
import type { FactId } from '../../sim/kernel/release.ts';
import { factHolds } from '../../sim/kernel/release.ts';
import { boot } from './machines.ts';

/** Where the special purpose memory of the coherent devices lies. */
const SPM = 'spm_addr_dev0=0x200000000 spm_addr_dev1=0x210000000';

/** Fixture variants: which devices a test uses. */
export interface Variant {
  readonly name: 'private' | 'coherent';
  readonly dev0: number;
  readonly dev1: number;
}
export const PRIVATE: Variant = { name: 'private', dev0: 0, dev1: 1 };
export const COHERENT: Variant = { name: 'coherent', dev0: 2, dev1: 3 };

/** What a device command gave. */
export interface Ioctl {
  readonly ret: number;
  readonly cpages: number;
  readonly faults: number;
  /** What the device saw, or the bytes of a snapshot. */
  readonly lines: readonly string[];
}

export class HmmWorld {
  readonly machine: Machine;
  readonly variant: Variant;
  readonly release: Release;

  constructor(release: Release, variant: Variant = PRIVATE) {
    this.release = release;
    this.variant = variant;
    this.machine = boot('qemu-2g', release);
    this.sh(`modprobe test_hmm${variant === COHERENT ? ` ${SPM}` : ''}`);
  }

  has(fact: FactId): boolean {
    return this.machine.kernel.facts[fact];
  }

  /** A line that must succeed: what it printed. */
  sh(line: string): string[] {
    const program = this.run(line);
    if (program.error) throw new Error(`${line}: ${errorText(program.error)}`, { cause: program.error });
    if (!program.isOver) throw new Error(`${line}: ${program.status} for ${program.waitsFor?.what}`);
    return program.output;
  }

  run(line: string): Program {
    const program = runShellLine(this.machine, line);
    if (!program) throw new Error('no line');
    return program;
  }

  /** The errno of a line that fails, 0 of one that does not. */
  status(line: string): number {
    const program = this.run(line);
    expect(program.isOver, `${line} ends`).toBe(true);
    return statusOf(program);
  }

  /* ---- processes ---- */

  newProcess(...devices: number[]): number {
    const pid = numberIn(this.sh('proc new'));
    for (const device of devices) this.sh(`gpu open ${device} ${pid}`);
    return pid;
  }

  fork(pid: number): number {
    return numberIn(this.sh(`proc fork ${pid}`));
  }

  mmap(pid: number, pages: number, how = 'rw anon private'): number {
    return numberIn(this.sh(`proc mmap ${pid} ${pages} ${how}`));
  }

  write(pid: number, address: number, pages: number, value = 'i'): void {
    this.sh(`proc write ${pid} ${hex(address)} ${pages} ${value}`);
  }

  /** What the CPU reads. */
  read(pid: number, address: number, pages: number): string[] {
    return this.sh(`proc read ${pid} ${hex(address)} ${pages}`).flatMap((line) => {
      const match = /^(0x[0-9a-f]+) (\d+) page\(s\): (?:word i holds )?(.*)$/.exec(line);
      if (!match) return [];
      const first = (Number(match[1]) - address) / 4;
      const rule = /^(0x[0-9a-f]+|\d+)$/.test(match[3] ?? '') ? String(Number(match[3]) | 0) : match[3];
      return [`words ${first}-${first + Number(match[2]) * 1024 - 1}: ${rule}`];
    });
  }

  mprotect(pid: number, address: number, pages: number, prot: string): void {
    this.sh(`proc mprotect ${pid} ${hex(address)} ${pages} ${prot}`);
  }

  munmap(pid: number, address: number, pages: number): void {
    this.sh(`proc munmap ${pid} ${hex(address)} ${pages}`);
  }

  madvise(pid: number, address: number, pages: number, advice: string): void {
    this.sh(`proc madvise ${pid} ${hex(address)} ${pages} ${advice}`);
  }

  /* ---- devices ---- */

  /** A device command: `gpu WHAT DEVICE PID ADDRESS PAGES [VALUE]`. */
  gpu(what: string, device: number, pid: number, address: number, pages: number, value = ''): Ioctl {
    const program = this.run(`gpu ${what} ${device} ${pid} ${hex(address)} ${pages} ${value}`);
    expect(program.isOver, `gpu ${what} ends`).toBe(true);
    const ret = statusOf(program);
    const match = /^ret 0 cpages (\d+) faults (\d+)$/.exec(program.output[0] ?? '');
    if (ret === 0 && !match)
      throw program.error ?? new Error(`gpu ${what}: ${program.output.join('; ')} ${program.status}`);
    return {
      ret,
      cpages: Number(match?.[1] ?? 0),
      faults: Number(match?.[2] ?? 0),
      lines: program.output.slice(1),
    };
  }

  /** The bytes of a snapshot. */
  snapshot(device: number, pid: number, address: number, pages: number): number[] {
    const { ret, cpages, lines } = this.gpu('snapshot', device, pid, address, pages);
    expect({ ret, cpages }).toEqual({ ret: 0, cpages: pages });
    return lines.flatMap((line) => {
      const match = /^pages? (\d+)(?:-(\d+))?: 0x([0-9a-f]+)/.exec(line);
      if (!match) throw new Error(line);
      const first = Number(match[1]);
      return new Array<number>(Number(match[2] ?? first) - first + 1).fill(Number.parseInt(match[3] ?? '', 16));
    });
  }

  /** Nobody holds a lock, and every device page is home or accounted for. */
  expectAtRest(): void {
    const { state } = this.machine.kernel;
    expect(state.mutexes.filter(({ owner }) => owner)).toEqual([]);
    for (const mm of state.mms.values()) {
      expect(mm.mmap_lock.writer).toBeUndefined();
      expect(mm.mmap_lock.readers).toEqual([]);
    }
    expect([...state.folios.values()].filter(({ locked_by }) => locked_by)).toEqual([]);
    // A coherent device has one chunk: asked for a huge page, test_hmm maps the same memory once more and is refused.
    const isKnown = (text: string): boolean =>
      this.variant === COHERENT && this.has('devicePrivateThp') && text === 'Conflicting mapping in same section';
    expect(state.log.filter(({ warn, text }) => warn && !isKnown(text)).map(({ text }) => text)).toEqual([]);
  }
}

const hex = (value: number): string => `0x${value.toString(16)}`;

/** The first number of what was printed: a pid, or an address. */
function numberIn(lines: readonly string[]): number {
  const found = /0x[0-9a-f]+|\d+/.exec(lines.join('\n'))?.[0];
  if (found === undefined) throw new Error(`no number in ${lines.join('; ')}`);
  return Number(found);
}

/** How a buffer that follows one rule reads: `words 0-4095: i`. */
export const all = (pages: number, what: string): string[] => [`words 0-${pages * 1024 - 1}: ${what}`];

/** Do releases have all these facts? */
export const hasAll = (release: Release, facts: readonly FactId[]): boolean =>
  facts.every((fact) => factHolds(fact, release));
export const hasAny = (release: Release, facts: readonly FactId[]): boolean =>
  facts.some((fact) => factHolds(fact, release));
