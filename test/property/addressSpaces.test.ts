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

/** A line, given how to say a process, an address and a number of pages. */
type Line = (pid: string, at: (page: number) => string, n: (pages: number) => number) => string;

const operation: fc.Arbitrary<{ who: number; line: Line }> = fc
  .tuple(
    who,
    fc.oneof(
      fc.tuple(page, count, prot, kind).map(
        ([at, pages, access, what]): Line =>
          (pid, address, n) =>
            `proc mmap ${pid} ${n(pages)} ${access} ${what} at=${address(at)}`,
      ),
      fc.tuple(count, prot).map(
        ([pages, access]): Line =>
          (pid, _, n) =>
            `proc mmap ${pid} ${n(pages)} ${access}`,
      ),
      ...(['munmap', 'read', 'write', 'write', 'mlock', 'munlock'] as const).map((word) =>
        fc.tuple(page, count).map(
          ([at, pages]): Line =>
            (pid, address, n) =>
              `proc ${word} ${pid} ${address(at)} ${n(pages)}`,
        ),
      ),
      fc.tuple(page, count, prot).map(
        ([at, pages, access]): Line =>
          (pid, address, n) =>
            `proc mprotect ${pid} ${address(at)} ${n(pages)} ${access}`,
      ),
      fc
        .tuple(
          page,
          count,
          fc.constantFrom('DONTNEED', 'FREE', 'DONTFORK', 'DOFORK', 'PAGEOUT', 'PAGEOUT', 'COLLAPSE', 'NOHUGEPAGE'),
        )
        .map(
          ([at, pages, advice]): Line =>
            (pid, address, n) =>
              `proc madvise ${pid} ${address(at)} ${n(pages)} ${advice}`,
        ),
      fc.tuple(page, count, count, page, fc.nat({ max: 5 })).map(
        ([at, pages, more, to, how]): Line =>
          (pid, address, n) =>
            `proc mremap ${pid} ${address(at)} ${n(pages)}${how < 4 ? ` new=${n(how === 3 ? pages : more)}` : ''}${
              how > 2 ? ` to=${address(to)}` : ''
            }${how === 5 ? ' dontunmap' : ''}`,
      ),
      fc.constant<Line>((pid) => `proc fork ${pid}`),
      fc.constant<Line>(() => 'inject page'),
      fc.tuple(page, count).map(
        ([at, pages]): Line =>
          (pid, address, n) =>
            `proc gup ${pid} ${address(at)} ${n(pages)} write`,
      ),
      fc.tuple(page, count).map(
        ([at, pages]): Line =>
          (pid, address, n) =>
            `proc gup-put ${pid} ${address(at)} ${n(pages)}`,
      ),
    ),
    fc.nat({ max: 39 }),
  )
  // Seldom, for much has to be made again.
  .map(([process, line, end]) => ({
    who: process,
    line: end === 0 ? (pid: string) => `proc exit ${pid} SIGKILL` : line,
  }));

const living = (machine: Machine): number[] =>
  [...machine.kernel.state.processes.values()].filter(({ mm }) => mm).map(({ pid }) => pid);

function run(machine: Machine, { who: index, line }: { who: number; line: Line }, scale: number): void {
  const pids = living(machine);
  if (pids.length === 0) {
    const fresh = sh(machine, 'proc new').output[0] ?? '';
    sh(machine, `proc mmap ${fresh} ${PAGES * scale} at=0x${BASE.toString(16)}`);
  }
  const pid = String(pids[index % Math.max(1, pids.length)] ?? living(machine)[0]);
  // In large, edges are a little off the borders of huge pages.
  const text = line(
    pid,
    (at) => `0x${(BASE + BigInt(at * scale) * 4096n).toString(16)}`,
    (pages) => pages * scale + (scale > 1 ? pages % 3 : 0),
  );
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

/** Runs them on a machine of this release, checks, undoes everything and does it again; then all processes end. */
function lifetime(
  release: Release,
  prepare: readonly string[],
  operations: readonly { who: number; line: Line }[],
  scale = 1,
): void {
  const machine = boot('qemu-2g', release);
  const first = short(machine.canonical());
  if (prepare.length > 0) sh(machine, ...prepare);
  for (const each of operations) run(machine, each, scale);
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
}

describe('system calls of processes', () => {
  it('leave every page held by whom it says, and undoing everything gives the first bytes back', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...RELEASES),
        fc.boolean(),
        fc.array(operation, { minLength: 5, maxLength: 60 }),
        (release, swap, operations) => lifetime(release, swap ? ['swapon /swap 40'] : [], operations),
      ),
      { numRuns: RUNS, interruptAfterTimeLimit: 120_000 },
    );
  }, 180_000);

  it('do so with huge pages, which are split where an edge would cut them', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...RELEASES),
        fc.array(operation, { minLength: 3, maxLength: 25 }),
        (release, operations) =>
          lifetime(
            release,
            ['echo always > /sys/kernel/mm/transparent_hugepage/enabled', 'swapon /swap 700'],
            operations,
            64,
          ),
      ),
      { numRuns: Math.ceil(RUNS / 4), interruptAfterTimeLimit: 120_000 },
    );
  }, 180_000);
});
