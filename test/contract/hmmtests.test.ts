/**
 * The kernel's own HMM tests (tools/testing/selftests/mm/hmm-tests.c) by the ids of their list, T01 to T29, on each
 * release that has the test device, with private and with coherent memory. What a release lacks is left out by a fact.
 */
import { describe, expect, it } from 'vitest';
import type { Release } from '../../sim/index.ts';
import { shellProgram } from '../../sim/index.ts';
import { RELEASES as ALL_RELEASES, type FactId } from '../../sim/kernel/release.ts';
import { all, COHERENT, HmmWorld, hasAll, hasAny, PRIVATE } from '../support/hmm.ts';

/** The long tier runs every release that has the device. */
const RELEASES: readonly Release[] =
  process.env.ZONESCOPE_TIER === 'long'
    ? ALL_RELEASES.filter((release) => hasAll(release, ['testHmm']))
    : ['5.8', '5.15', '6.1', '6.6', '6.12', '7.3'];
/** HMM_BUFFER_SIZE in pages. */
const N = 1024;
/** NTIMES. */
const TIMES = 10;
const EPERM = -1;
const ENOENT = -2;
const EFAULT = -14;
const EINVAL = -22;
const DONE = { ret: 0, cpages: N, faults: 0 };
const FAULTED = { ret: 0, cpages: N, faults: 1 };
const PATTERN = all(N, 'i');

interface HmmTest {
  readonly id: string;
  readonly name: string;
  readonly needs?: readonly FactId[];
  readonly lacks?: readonly FactId[];
  run(world: HmmWorld): void;
}

/** A process with device 0 open, and with a buffer of N pages. */
function setUp(world: HmmWorld, how = 'rw anon private', pages = N): { pid: number; at: number; dev: number } {
  const dev = world.variant.dev0;
  const pid = world.newProcess(dev);
  return { pid, at: world.mmap(pid, pages, how), dev };
}

/** The same with a pattern in it. */
function patterned(world: HmmWorld, how?: string, pages = N): { pid: number; at: number; dev: number } {
  const made = setUp(world, how, pages);
  world.write(made.pid, made.at, pages);
  return made;
}

/** Two devices open. */
function two(world: HmmWorld): { pid: number; dev0: number; dev1: number } {
  const { dev0, dev1 } = world.variant;
  return { pid: world.newProcess(dev0, dev1), dev0, dev1 };
}

const PAGE = 4096;

const TESTS: readonly HmmTest[] = [
  {
    id: 'T01',
    name: 'open_close: a mirror opens and closes, and nothing is left of it',
    run(world) {
      const pid = world.newProcess();
      const before = world.machine.kernel.state.mms.size;
      world.sh(`gpu open ${world.variant.dev0} ${pid}`);
      world.sh(`gpu close ${world.variant.dev0} ${pid}`);
      const { state } = world.machine.kernel;
      expect(state.dmirror?.mirrors).toEqual([]);
      expect([...state.mms.values()].map(({ mm_count }) => mm_count)).toEqual(new Array(before).fill(1));
    },
  },
  {
    id: 'T02',
    name: 'anon_read: the device faults memory in, reads zeros where nothing was written',
    run(world) {
      const { pid, at, dev } = setUp(world);
      world.write(pid, at + 2 * PAGE, N - 2, 'i+2048');
      world.mprotect(pid, at, N, 'r');
      expect(world.read(pid, at + PAGE, 1)).toEqual(all(1, '0'));
      const seen = world.gpu('read', dev, pid, at, N);
      expect(seen).toMatchObject(FAULTED);
      expect(seen.lines).toEqual(['words 0-2047: 0', `words 2048-${N * 1024 - 1}: i`]);
    },
  },
  {
    id: 'T03',
    name: 'anon_read_prot: the device may not read what the process may not',
    run(world) {
      const { pid, at, dev } = patterned(world);
      world.mprotect(pid, at, N, 'none');
      expect(world.gpu('read', dev, pid, at, N)).toMatchObject({ ret: EFAULT, lines: [] });
      world.mprotect(pid, at, N, 'r');
      expect(world.read(pid, at, N)).toEqual(PATTERN);
    },
  },
  {
    id: 'T04',
    name: 'anon_write: the device writes memory nobody has touched',
    run(world) {
      const { pid, at, dev } = setUp(world);
      expect(world.gpu('write', dev, pid, at, N)).toMatchObject(FAULTED);
      expect(world.read(pid, at, N)).toEqual(PATTERN);
    },
  },
  {
    id: 'T05',
    name: 'anon_write_prot: the device may not write what the process may not, and zero pages are replaced later',
    run(world) {
      const { pid, at, dev } = setUp(world, 'r anon private');
      expect(world.gpu('read', dev, pid, at, 1)).toMatchObject({ ret: 0, cpages: 1, faults: 1 });
      expect(world.gpu('write', dev, pid, at, N).ret).toBe(EPERM);
      expect(world.read(pid, at, N)).toEqual(all(N, '0'));
      world.mprotect(pid, at, N, 'rw');
      expect(world.gpu('write', dev, pid, at, N)).toMatchObject(FAULTED);
      expect(world.read(pid, at, N)).toEqual(PATTERN);
    },
  },
  {
    id: 'T06',
    name: 'anon_write_child: a device write in the child breaks copy-on-write for the child only',
    run(world) {
      const huge = world.has('devicePrivateThp') ? ['nohugepage', 'hugepage'] : ['nohugepage'];
      const places = world.has('devicePrivateThp') ? [false, true] : [false];
      for (const advice of huge)
        for (const onDevice of places) {
          const { pid, at, dev } = setUp(world);
          world.madvise(pid, at, N, advice);
          world.write(pid, at, N);
          if (onDevice) expect(world.gpu('to-dev', dev, pid, at, N), advice).toMatchObject(DONE);
          const child = world.fork(pid);
          expect(world.read(pid, at, N), 'the parent after fork').toEqual(PATTERN);
          world.sh(`gpu open ${dev} ${child}`);
          expect(world.gpu('write', dev, child, at, N, '-i'), `${advice} ${onDevice}`).toMatchObject(FAULTED);
          expect(world.read(child, at, N)).toEqual(all(N, '-i'));
          expect(world.read(pid, at, N)).toEqual(PATTERN);
          world.sh(`proc exit ${child}`);
          world.sh(`proc exit ${pid}`);
        }
    },
  },
  {
    id: 'T07',
    name: 'anon_write_child_shared: of shared memory the parent sees what the device writes for the child',
    run(world) {
      const { pid, at, dev } = patterned(world, 'rw anon shared');
      const child = world.fork(pid);
      world.sh(`gpu open ${dev} ${child}`);
      expect(world.gpu('write', dev, child, at, N, '-i')).toMatchObject(FAULTED);
      expect(world.read(child, at, N)).toEqual(all(N, '-i'));
      expect(world.read(pid, at, N)).toEqual(all(N, '-i'));
    },
  },
  {
    id: 'T08',
    name: 'anon_write_huge: the device writes a huge page',
    run(world) {
      const { pid, at, dev } = setUp(world, 'rw anon private', 1024);
      const aligned = Math.ceil(at / (512 * PAGE)) * 512 * PAGE;
      world.madvise(pid, aligned, 512, 'hugepage');
      expect(world.gpu('write', dev, pid, aligned, 512)).toMatchObject({ ret: 0, cpages: 512, faults: 1 });
      expect(world.read(pid, aligned, 512)).toEqual(all(512, 'i'));
    },
  },
  {
    id: 'T09',
    name: 'anon_write_hugetlbfs: the device writes a page of a hugetlb pool',
    run(world) {
      world.sh('echo 4 > /proc/sys/vm/nr_hugepages');
      const { pid, at, dev } = setUp(world, 'rw hugetlb private', 512);
      expect(world.gpu('write', dev, pid, at, 512)).toMatchObject({ ret: 0, cpages: 512, faults: 1 });
      expect(world.read(pid, at, 512)).toEqual(all(512, 'i'));
    },
  },
  {
    id: 'T10',
    name: 'file_read: the device reads a file through a read-only mapping',
    run(world) {
      const dev = world.variant.dev0;
      const pid = world.newProcess(dev);
      const writer = world.newProcess();
      world.write(writer, world.mmap(writer, N, 'rw file:data shared'), N);
      const at = world.mmap(pid, N, 'r file:data shared');
      const seen = world.gpu('read', dev, pid, at, N);
      expect(seen).toMatchObject(FAULTED);
      expect(seen.lines).toEqual(PATTERN);
    },
  },
  {
    id: 'T11',
    name: 'file_write: what the device writes is in the file',
    run(world) {
      const { pid, at, dev } = setUp(world, 'rw file:data shared');
      expect(world.gpu('write', dev, pid, at, N)).toMatchObject(FAULTED);
      expect(world.read(pid, at, N)).toEqual(PATTERN);
      const reader = world.newProcess();
      expect(world.read(reader, world.mmap(reader, N, 'r file:data private'), N)).toEqual(PATTERN);
    },
  },
  {
    id: 'T12',
    name: 'migrate: anonymous memory moves to the device',
    run(world) {
      const { pid, at, dev } = patterned(world);
      const seen = world.gpu('to-dev', dev, pid, at, N);
      expect(seen).toMatchObject(DONE);
      expect(seen.lines).toEqual(PATTERN);
    },
  },
  {
    id: 'T13',
    name: "migrate_file_private: a private mapping's own copies move like anonymous memory",
    run(world) {
      const { pid, at, dev } = patterned(world, 'rw file:data private');
      const seen = world.gpu('to-dev', dev, pid, at, N);
      expect(seen).toMatchObject(DONE);
      expect(seen.lines).toEqual(PATTERN);
    },
  },
  {
    id: 'T14',
    name: 'migrate_fault: what the CPU touches comes home, and can move again among pages that stayed',
    // In 5.8 a device is told of its own migrations, and forgets the pages that stay.
    needs: ['notifyMigrate'],
    run(world) {
      const { pid, at, dev } = patterned(world);
      expect(world.gpu('to-dev', dev, pid, at, N)).toMatchObject(DONE);
      expect(world.read(pid, at, N / 2)).toEqual(all(N / 2, 'i'));
      const seen = world.gpu('to-dev', dev, pid, at, N);
      expect(seen).toMatchObject(DONE);
      expect(seen.lines).toEqual(PATTERN);
    },
  },
  {
    id: 'T15',
    name: 'migrate_release: the device gives its memory up, and everything is in RAM',
    needs: ['migrateDeviceRange'],
    run(world) {
      const { pid, at, dev } = patterned(world);
      expect(world.gpu('to-dev', dev, pid, at, N)).toMatchObject(DONE);
      world.sh(`gpu release ${dev}`);
      expect(world.read(pid, at, N / 2)).toEqual(all(N / 2, 'i'));
    },
  },
  {
    id: 'T16',
    name: 'migrate_shared: shared memory stays where it is',
    run(world) {
      const { pid, at, dev } = setUp(world, 'rw anon shared');
      expect(world.gpu('to-dev', dev, pid, at, N).ret).toBe(ENOENT);
    },
  },
  {
    id: 'T17',
    name: 'migrate_mixed: protections, holes, zero pages and pages of the other device in one range',
    run(world) {
      const { pid, dev0, dev1 } = two(world);
      const at = world.mmap(pid, 6, 'none anon private');
      const page = (index: number): number => at + index * PAGE;
      expect(world.gpu('to-dev', dev0, pid, at, 6).ret).toBe(EINVAL);
      world.munmap(pid, page(1), 1);
      expect(world.gpu('to-dev', dev0, pid, at, 3).ret).toBe(EINVAL);
      world.mprotect(pid, page(2), 1, 'r');
      expect(world.read(pid, page(2), 1)).toEqual(all(1, '0'));
      world.mprotect(pid, page(3), 1, 'rw');
      world.write(pid, page(3), 1, '3');
      world.mprotect(pid, page(3), 1, 'r');
      world.mprotect(pid, page(4), 2, 'rw');
      world.write(pid, page(4), 2, '3');
      const seen = world.gpu('to-dev', dev1, pid, page(2), 4);
      expect(seen).toMatchObject({ ret: 0, cpages: 4 });
      expect(seen.lines).toEqual(['words 0-1023: 0', 'words 1024-4095: 3']);
      expect(world.gpu('to-dev', dev0, pid, page(5), 1).ret).toBe(ENOENT);
    },
  },
  {
    id: 'T18',
    name: 'migrate_multiple: to the device and back, again and again',
    run(world) {
      const dev = world.variant.dev0;
      const pid = world.newProcess(dev);
      for (let c = 0; c < TIMES; c++) {
        const at = world.mmap(pid, N);
        world.write(pid, at, N);
        const seen = world.gpu('to-dev', dev, pid, at, N);
        expect(seen).toMatchObject(DONE);
        expect(seen.lines).toEqual(PATTERN);
        if (world.variant === COHERENT) expect(world.gpu('to-sys', dev, pid, at, N)).toMatchObject(DONE);
        expect(world.read(pid, at, N)).toEqual(PATTERN);
        world.munmap(pid, at, N);
      }
    },
  },
  {
    id: 'T19',
    name: 'anon_read_multiple: the device reads one mapping after the other',
    run(world) {
      const dev = world.variant.dev0;
      const pid = world.newProcess(dev);
      for (let c = 0; c < TIMES; c++) {
        const what = c === 0 ? 'i' : `i+${c}`;
        const at = world.mmap(pid, N);
        world.write(pid, at, N, what);
        const seen = world.gpu('read', dev, pid, at, N);
        expect(seen).toMatchObject(FAULTED);
        expect(seen.lines).toEqual(all(N, what));
        world.munmap(pid, at, N);
      }
    },
  },
  {
    id: 'T20',
    name: 'anon_teardown: a read that races with munmap has all of the data, or fails',
    run(world) {
      const dev = world.variant.dev0;
      const { machine } = world;
      const pid = world.newProcess(dev);
      for (let c = 0; c < TIMES; c++) {
        const at = world.mmap(pid, N);
        world.write(pid, at, N);
        const line = `gpu read ${dev} ${pid} 0x${at.toString(16)} ${N}`;
        const reader = machine.start(shellProgram(machine.kernel, line));
        let points = 0;
        machine.advance(reader, { shouldPause: () => ++points === 1 + c * 37 });
        const unmapper = world.run(`proc munmap ${pid} 0x${(at + (N / 2) * PAGE).toString(16)} ${N / 2}`);
        while (!reader.isOver && machine.advance(reader) !== 'waiting');
        machine.runReady();
        expect({ reader: reader.isOver, unmapper: unmapper.isOver, why: unmapper.error }).toMatchObject({
          reader: true,
          unmapper: true,
          why: undefined,
        });
        if (!reader.error) expect(reader.output).toEqual([`ret 0 cpages ${N} faults 1`, ...PATTERN]);
        else expect(reader.error.message).toMatch(/^gpu read: -E/);
        world.munmap(pid, at, N);
      }
    },
  },
  {
    id: 'T21',
    name: 'mixedmap: a snapshot of pages that a driver put into a mapping',
    lacks: ['hmmRefusesMixedmap'],
    run(world) {
      const dev = world.variant.dev0;
      const pid = world.newProcess(dev);
      const at = Number(world.sh(`gpu mmap ${dev} ${pid} 1 rw`)[0]);
      expect(world.snapshot(dev, pid, at, 1)).toEqual([0x01]);
    },
  },
  {
    id: 'T22',
    name: 'snapshot: one byte for each kind of page',
    run(world) {
      const { pid, dev0, dev1 } = two(world);
      const at = world.mmap(pid, 7, 'none anon private');
      const page = (index: number): number => at + index * PAGE;
      world.munmap(pid, page(1), 1);
      world.mprotect(pid, page(2), 1, 'r');
      expect(world.read(pid, page(2), 1)).toEqual(all(1, '0'));
      world.mprotect(pid, page(3), 1, 'rw');
      world.write(pid, page(3), 1, '3');
      world.mprotect(pid, page(3), 1, 'r');
      world.mprotect(pid, page(4), 3, 'rw');
      world.write(pid, page(4), 1, '3');
      expect(world.gpu('to-dev', dev0, pid, page(5), 1)).toMatchObject({ ret: 0, cpages: 1 });
      expect(world.gpu('to-dev', dev1, pid, page(6), 1)).toMatchObject({ ret: 0, cpages: 1 });
      const devices = world.variant === COHERENT ? [0x42, 0x52] : [0x22, 0x00];
      expect(world.snapshot(dev0, pid, at, 7)).toEqual([0xff, 0xff, 0x11, 0x01, 0x02, ...devices]);
    },
  },
  {
    id: 'T23',
    name: 'compound: a hugetlb page is one huge entry, writable and then not',
    needs: ['hmmPfnOrder'],
    run(world) {
      world.sh('echo 4 > /proc/sys/vm/nr_hugepages');
      const { pid, at, dev } = patterned(world, 'rw hugetlb private', 512);
      expect(world.snapshot(dev, pid, at, 512)).toEqual(new Array(512).fill(0x06));
      world.mprotect(pid, at, 512, 'r');
      expect(world.snapshot(dev, pid, at, 512)).toEqual(new Array(512).fill(0x05));
    },
  },
  {
    id: 'T24',
    name: 'double_map: two devices read the same memory, also after it moved to one of them',
    run(world) {
      const { pid, dev0, dev1 } = two(world);
      const at = world.mmap(pid, 6);
      world.write(pid, at, 6);
      world.mprotect(pid, at, 6, 'r');
      for (const dev of [dev0, dev1]) {
        const seen = world.gpu('read', dev, pid, at, 6);
        expect(seen).toMatchObject({ ret: 0, cpages: 6, faults: 1 });
        expect(seen.lines).toEqual(all(6, 'i'));
      }
      expect(world.gpu('to-dev', dev1, pid, at, 6)).toMatchObject({ ret: 0, cpages: 6 });
      const seen = world.gpu('read', dev0, pid, at, 6);
      expect(seen).toMatchObject({ ret: 0, cpages: 6, faults: 1 });
      expect(seen.lines).toEqual(all(6, 'i'));
    },
  },
  {
    id: 'T25',
    name: 'exclusive: the device has pages alone until the CPU touches them',
    needs: ['deviceExclusive'],
    run(world) {
      const { pid, at, dev } = patterned(world);
      const seen = world.gpu('exclusive', dev, pid, at, N);
      expect(seen).toMatchObject(DONE);
      expect(seen.lines).toEqual(PATTERN);
      expect(world.gpu('check-exclusive', dev, pid, at, N).ret).toBe(EPERM);
      expect(world.read(pid, at, N)).toEqual(PATTERN);
      world.write(pid, at, N, 'i+1');
      expect(world.read(pid, at, N)).toEqual(all(N, 'i+1'));
      expect(world.gpu('check-exclusive', dev, pid, at, N).ret).toBe(0);
    },
  },
  {
    id: 'T26',
    name: 'exclusive_mprotect: a page that became read-only cannot be written by the device',
    needs: ['deviceExclusive'],
    run(world) {
      const { pid, at, dev } = patterned(world);
      expect(world.gpu('exclusive', dev, pid, at, N).lines).toEqual(PATTERN);
      world.mprotect(pid, at, N, 'r');
      expect(world.gpu('write', dev, pid, at, N).ret).toBe(EPERM);
    },
  },
  {
    id: 'T27',
    name: 'exclusive_cow: fork ends exclusive access, and copy-on-write works',
    needs: ['deviceExclusive'],
    run(world) {
      const { pid, at, dev } = patterned(world);
      expect(world.gpu('exclusive', dev, pid, at, N)).toMatchObject(DONE);
      const child = world.fork(pid);
      for (const each of [pid, child]) {
        expect(world.read(each, at, N)).toEqual(PATTERN);
        world.write(each, at, N, 'i+1');
        expect(world.read(each, at, N)).toEqual(all(N, 'i+1'));
      }
      world.sh(`proc exit ${child}`);
    },
  },
  {
    id: 'T28',
    name: 'hmm_gup_test: who takes a page of a device by get_user_pages, and what it does to the page',
    needs: ['pinUserPages'],
    run(world) {
      const { pid, at, dev } = patterned(world, undefined, 4);
      const seen = world.gpu('to-dev', dev, pid, at, 4);
      expect(seen).toMatchObject({ ret: 0, cpages: 4 });
      expect(seen.lines).toEqual(all(4, 'i'));
      const ways = ['write', 'write fast', 'write pin fast longterm', 'write pin longterm'];
      for (const [index, flags] of ways.entries()) {
        const where = `${pid} 0x${(at + index * PAGE).toString(16)} 1`;
        world.sh(`proc gup ${where} ${flags}`);
        world.sh(`proc gup-put ${where}${flags.includes('pin') ? ' pin' : ''}`);
      }
      const coherent = world.variant === COHERENT;
      expect(world.snapshot(dev, pid, at, 4)).toEqual(coherent ? [0x42, 0x42, 0x02, 0x02] : [2, 2, 2, 2]);
      expect(world.read(pid, at, 4)).toEqual(all(4, 'i'));
    },
  },
  {
    id: 'T29',
    name: 'hmm_cow_in_device: the parent writes pages it shares with its child on the device',
    run(world) {
      const { pid, at, dev } = patterned(world, undefined, 4);
      expect(world.gpu('to-dev', dev, pid, at, 4)).toMatchObject({ ret: 0, cpages: 4 });
      const child = world.fork(pid);
      world.write(pid, at, 4);
      world.sh(`proc exit ${child} SIGTERM`);
      expect(world.snapshot(dev, pid, at, 4)).toEqual([2, 2, 2, 2]);
      expect(world.read(pid, at, 4)).toEqual(all(4, 'i'));
    },
  },
];

for (const release of RELEASES)
  for (const variant of [PRIVATE, COHERENT])
    describe(`hmm-tests on ${release}, device memory ${variant.name}`, () => {
      const base: readonly FactId[] = variant === COHERENT ? ['testHmm', 'deviceCoherent'] : ['testHmm'];
      for (const test of TESTS)
        it.skipIf(!hasAll(release, [...base, ...(test.needs ?? [])]) || hasAny(release, test.lacks ?? []))(
          `${test.id} ${test.name}`,
          () => {
            const world = new HmmWorld(release, variant);
            test.run(world);
            world.expectAtRest();
          },
        );
    });
