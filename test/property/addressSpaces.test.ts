/** Random system calls of up to three processes: whatever they do, every page is somebody's and every count is right. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Machine, type Release, runShellLine } from '../../sim/index.ts';
import { checkAddressSpaces } from '../support/addressSpaces.ts';
import { check } from '../support/invariants.ts';
import { boot, sh } from '../support/machines.ts';
import { short } from '../support/same.ts';

const RUNS = Number(process.env.ZONESCOPE_PROPERTY_RUNS ?? 40);
const RELEASES: readonly Release[] = ['4.14', '5.4', '5.10', '5.17', '6.1', '6.12', '7.3'];
/** A window that crosses a page table and a 2 MiB border, so that edges meet. */
const BASE = 0x7f00001f8000n;
const PAGES = 24;

const page = fc.nat({ max: PAGES - 1 });
const count = fc.integer({ min: 1, max: 9 });
const who = fc.nat({ max: 2 });
const prot = fc.constantFrom('none', 'r', 'rw', 'rw', 'rw');
const kind = fc.constantFrom('anon', 'anon', 'anon shared', 'file:data', 'file:data shared');

/** A line, given how to say a process and an address. */
type Line = (pid: string, at: (page: number) => string) => string;

const operation: fc.Arbitrary<{ who: number; line: Line }> = fc
  .tuple(
    who,
    fc.oneof(
      fc.tuple(page, count, prot, kind).map(
        ([at, pages, access, what]): Line =>
          (pid, address) =>
            `proc mmap ${pid} ${pages} ${access} ${what} at=${address(at)}`,
      ),
      fc.tuple(count, prot).map(
        ([pages, access]): Line =>
          (pid) =>
            `proc mmap ${pid} ${pages} ${access}`,
      ),
      ...(['munmap', 'read', 'write', 'write', 'mlock', 'munlock'] as const).map((word) =>
        fc.tuple(page, count).map(
          ([at, pages]): Line =>
            (pid, address) =>
              `proc ${word} ${pid} ${address(at)} ${pages}`,
        ),
      ),
      fc.tuple(page, count, prot).map(
        ([at, pages, access]): Line =>
          (pid, address) =>
            `proc mprotect ${pid} ${address(at)} ${pages} ${access}`,
      ),
      fc.tuple(page, count, fc.constantFrom('DONTNEED', 'FREE', 'DONTFORK', 'DOFORK', 'PAGEOUT', 'NOHUGEPAGE')).map(
        ([at, pages, advice]): Line =>
          (pid, address) =>
            `proc madvise ${pid} ${address(at)} ${pages} ${advice}`,
      ),
      fc.tuple(page, count, count, page, fc.nat({ max: 5 })).map(
        ([at, pages, more, to, how]): Line =>
          (pid, address) =>
            `proc mremap ${pid} ${address(at)} ${pages}${how < 4 ? ` new=${how === 3 ? pages : more}` : ''}${
              how > 2 ? ` to=${address(to)}` : ''
            }${how === 5 ? ' dontunmap' : ''}`,
      ),
      fc.constant<Line>((pid) => `proc fork ${pid}`),
      fc.tuple(page, count).map(
        ([at, pages]): Line =>
          (pid, address) =>
            `proc gup ${pid} ${address(at)} ${pages} write`,
      ),
      fc.tuple(page, count).map(
        ([at, pages]): Line =>
          (pid, address) =>
            `proc gup-put ${pid} ${address(at)} ${pages}`,
      ),
      fc.constant<Line>((pid) => `proc exit ${pid} SIGKILL`),
    ),
  )
  .map(([process, line]) => ({ who: process, line }));

const living = (machine: Machine): number[] =>
  [...machine.kernel.state.processes.values()].filter(({ mm }) => mm).map(({ pid }) => pid);

function run(machine: Machine, { who: index, line }: { who: number; line: Line }): void {
  const pids = living(machine);
  if (pids.length === 0) sh(machine, 'proc new');
  const pid = String(pids[index % Math.max(1, pids.length)] ?? living(machine)[0]);
  const text = line(pid, (at) => `0x${(BASE + BigInt(at) * 4096n).toString(16)}`);
  if (text.startsWith('proc fork') && pids.length >= 3) return;
  const program = runShellLine(machine, text);
  expect(program?.isOver, `${text} ends`).toBe(true);
  if (program?.error) expect(program.error.name, `${text}: ${program.error.stack}`).toBe('ShellError');
  try {
    checkAddressSpaces(machine);
  } catch (error) {
    throw new Error(`after ${text}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

describe('system calls of processes', () => {
  it('leave every page held by whom it says, and undoing everything gives the first bytes back', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...RELEASES),
        fc.array(operation, { minLength: 5, maxLength: 60 }),
        (release, operations) => {
          const machine = boot('qemu-2g', release);
          const first = short(machine.canonical());
          sh(machine, 'proc new one');
          for (const each of operations) run(machine, each);
          check(machine);
          const end = short(machine.canonical());
          const at = machine.position;
          machine.travel(0);
          expect(short(machine.canonical())).toBe(first);
          machine.travel(at);
          expect(short(machine.canonical())).toBe(end);
          for (const pid of living(machine)) sh(machine, `proc exit ${pid}`);
          checkAddressSpaces(machine);
          expect([...machine.kernel.state.mms.values()], 'no address space is left').toEqual([]);
        },
      ),
      { numRuns: RUNS, interruptAfterTimeLimit: 120_000 },
    );
  }, 180_000);
});
