/** References, pins and exclusive access among forks, unmapping, swapping and exits: counts are the sum of who holds. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Machine, type Release, runShellLine } from '../../sim/index.ts';
import { down_read, folio_unlock, up_read } from '../../sim/kernel/locking.ts';
import { gup_put_folio } from '../../sim/mm/gup_refs.ts';
import { make_device_exclusive, make_device_exclusive_range, NULL_PAGE } from '../../sim/mm/make_device_exclusive.ts';
import { checkAddressSpaces } from '../support/addressSpaces.ts';
import { boot } from '../support/machines.ts';
import { run } from '../support/testDevice.ts';

const RUNS = Number(process.env.ZONESCOPE_PROPERTY_RUNS ?? 40);
const RELEASES_TRIED: readonly Release[] = ['4.14', '5.6', '5.10', '5.15', '6.1', '6.12', '6.17', '7.3'];
const BASE = 0x10000000;

type Operation = (machine: Machine) => void;
const pid = fc.integer({ min: 100, max: 103 });
const page = fc.nat({ max: 15 });
const count = fc.integer({ min: 1, max: 8 });
const at = (index: number): string => `0x${(BASE + index * 4096).toString(16)}`;
const line =
  (text: string): Operation =>
  (machine) =>
    void runShellLine(machine, text);

/** Takes exclusive access and lets go of the pages at once, as a driver does once its device has the entries. */
const exclusive =
  (process: number, index: number, pages: number): Operation =>
  (machine) => {
    const mm = machine.kernel.state.processes.get(process)?.mm;
    if (!mm || !machine.kernel.facts.deviceExclusive) return;
    const start = BASE / 4096 + index;
    run(machine, function* (kernel) {
      yield* down_read(kernel, mm.mmap_lock);
      const got: number[] = [];
      if (kernel.facts.makeDeviceExclusiveRange)
        yield* make_device_exclusive_range(kernel, mm, start, start + pages, got, {});
      else {
        const pfn = yield* make_device_exclusive(kernel, mm, start, {});
        if (pfn >= 0) got.push(pfn);
      }
      for (const pfn of got) {
        if (pfn === NULL_PAGE) continue;
        folio_unlock(kernel, kernel.state.folios.has(pfn) ? pfn : pfn - (pfn % 512));
        yield* gup_put_folio(kernel, pfn, 1, false);
      }
      up_read(kernel, mm.mmap_lock);
    });
  };

const flags = fc.subarray(['write', 'pin', 'longterm', 'fast']).map((words) => words.join(' '));
const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.tuple(pid, page, count, flags).map(([p, i, n, words]) => line(`proc gup ${p} ${at(i)} ${n} ${words}`)),
  fc.tuple(pid, page, count, flags).map(([p, i, n, words]) => line(`proc gup ${p} ${at(i)} ${n} ${words}`)),
  fc
    .tuple(pid, page, count, fc.boolean())
    .map(([p, i, n, pin]) => line(`proc gup-put ${p} ${at(i)} ${n}${pin ? ' pin' : ''}`)),
  fc.tuple(pid, page, count).map(([p, i, n]) => exclusive(p, i, n)),
  fc.tuple(pid, page, count).map(([p, i, n]) => line(`proc write ${p} ${at(i)} ${n} 7`)),
  fc.tuple(pid, page, count).map(([p, i, n]) => line(`proc read ${p} ${at(i)} ${n}`)),
  fc
    .tuple(pid, page, count, fc.constantFrom('rw', 'r'))
    .map(([p, i, n, prot]) => line(`proc mprotect ${p} ${at(i)} ${n} ${prot}`)),
  fc
    .tuple(pid, page, count, fc.constantFrom('dontneed', 'pageout', 'free', 'cold'))
    .map(([p, i, n, advice]) => line(`proc madvise ${p} ${at(i)} ${n} ${advice}`)),
  fc.tuple(pid, page, count).map(([p, i, n]) => line(`proc munmap ${p} ${at(i)} ${n}`)),
  fc.tuple(pid, page, count).map(([p, i, n]) => line(`proc mmap ${p} ${n} rw at=${at(i)}`)),
  pid.map((p) => line(`proc fork ${p}`)),
  pid.map((p) => line(`proc exit ${p}`)),
);

it('every count agrees after every operation, in old and new releases, and undoing all gives the first state back', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...RELEASES_TRIED),
      fc.array(operation, { minLength: 5, maxLength: 40 }),
      (release, operations) => {
        const machine = boot('qemu-2g', release);
        const { kernel } = machine;
        const first = kernel.store.canonical(kernel.roots());
        const mark = kernel.mark();
        runShellLine(machine, 'swapon swapfile 64');
        runShellLine(machine, 'proc new one');
        runShellLine(machine, `proc mmap 100 16 rw at=${at(0)}`);
        for (const apply of operations) {
          apply(machine);
          checkAddressSpaces(machine);
        }
        expect(kernel.state.log.filter(({ text }) => /VM_|BUG/.test(text))).toEqual([]);
        kernel.store.travel(mark);
        expect(kernel.store.canonical(kernel.roots()) === first).toBe(true);
      },
    ),
    { numRuns: RUNS },
  );
}, 120_000);
