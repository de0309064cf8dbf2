/**
 * The kernel's own HMM tests that came after 6.12: T30 to T38 on releases whose devices take huge pages, and the
 * read without the mmap lock of T39.
 */
import { describe, expect, it } from 'vitest';
import type { Release } from '../../sim/index.ts';
import type { FactId } from '../../sim/kernel/release.ts';
import { all, COHERENT, HmmWorld, hasAll, PRIVATE } from '../support/hmm.ts';

const RELEASES: readonly Release[] = ['6.19', '7.3'];
/** Pages of a PMD. */
const H = 512;
const PAGE = 4096;
const SIZE = H * PAGE;
const DONE = { ret: 0, cpages: H, faults: 0 };
const WHOLE = all(H, 'i');
/** Where half a huge page is unmapped, or how far from a border of 2 MiB it is moved. */
const OFFSETS = [0, H / 4, H / 2];

interface HugeTest {
  readonly id: string;
  readonly name: string;
  readonly needs?: readonly FactId[];
  run(world: HmmWorld): void;
}

interface Buffer {
  readonly pid: number;
  readonly dev: number;
  /** The whole mapping, and the aligned part of it. */
  readonly base: number;
  readonly at: number;
}

/** A mapping with room for an aligned 2 MiB, advised. */
function huge(world: HmmWorld, prot: string, advice = 'hugepage', pid = 0, pages = 2 * H): Buffer {
  const dev = world.variant.dev0;
  const process = pid || world.newProcess(dev);
  const base = world.mmap(process, pages, `${prot} anon private`);
  const at = Math.ceil(base / SIZE) * SIZE;
  world.madvise(process, at, H, advice);
  return { pid: process, dev, base, at };
}

function toDevice(world: HmmWorld, { pid, dev }: Buffer, at: number, what: string): void {
  const seen = world.gpu('to-dev', dev, pid, at, H);
  expect(seen).toMatchObject(DONE);
  expect(seen.lines).toEqual(all(H, what));
}

const TESTS: readonly HugeTest[] = [
  {
    id: 'T30',
    name: 'migrate_anon_huge_empty: 2 MiB that nobody touched become zeros on the device',
    run(world) {
      const buffer = huge(world, 'r');
      toDevice(world, buffer, buffer.at, '0');
    },
  },
  {
    id: 'T31',
    name: 'migrate_anon_huge_zero: the huge page of zeros moves as zeros, and comes back as zeros',
    run(world) {
      const buffer = huge(world, 'r');
      expect(world.read(buffer.pid, buffer.at, 1)).toEqual(all(1, '0'));
      toDevice(world, buffer, buffer.at, '0');
      expect(world.read(buffer.pid, buffer.at, H)).toEqual(all(H, '0'));
    },
  },
  {
    id: 'T32',
    name: 'migrate_anon_huge_free: MADV_FREE of a huge page that is on the device',
    run(world) {
      const buffer = huge(world, 'rw');
      world.write(buffer.pid, buffer.at, H);
      toDevice(world, buffer, buffer.at, 'i');
      world.madvise(buffer.pid, buffer.at, H, 'free');
    },
  },
  {
    id: 'T33',
    name: 'migrate_anon_huge_fault: a huge page is one entry on the device, and comes back whole',
    run(world) {
      const buffer = huge(world, 'rw');
      const { pid, dev, at } = buffer;
      world.write(pid, at, H);
      world.madvise(pid, at, H, 'collapse');
      toDevice(world, buffer, at, 'i');
      if (world.variant === PRIVATE) {
        expect(world.snapshot(dev, pid, at, H)).toEqual(new Array(H).fill(0x26));
        const words = world
          .sh(`pagemap ${pid} 0x${at.toString(16)} ${H}`)
          .join('\n')
          .split('\n');
        expect(words).toHaveLength(H);
        for (const word of words) expect(word).toMatch(/swap/i);
        for (const word of words) expect(word).not.toMatch(/present/i);
      }
      expect(world.read(pid, at, H)).toEqual(WHOLE);
    },
  },
  {
    id: 'T34',
    name: 'migrate_partial_unmap_fault: half of what is on the device is unmapped, the rest is whole',
    run(world) {
      for (const advice of ['nohugepage', 'hugepage'])
        for (const offset of OFFSETS) {
          const buffer = huge(world, 'rw', advice);
          const { pid, at } = buffer;
          world.write(pid, at, H);
          toDevice(world, buffer, at, 'i');
          world.munmap(pid, at + offset * PAGE, H / 2);
          if (offset > 0) expect(world.read(pid, at, offset)).toEqual(all(offset, 'i'));
          const behind = offset + H / 2;
          const rest = H - behind;
          if (rest > 0)
            expect(world.read(pid, at + behind * PAGE, rest), `${advice} ${offset}`).toEqual(
              all(rest, `i+${behind * 1024}`),
            );
          world.sh(`proc exit ${pid}`);
        }
    },
  },
  {
    id: 'T35',
    name: 'migrate_remap_fault: mremap before or after the move, aligned or not, with and without DONTUNMAP',
    run(world) {
      for (const before of [false, true])
        for (const dontunmap of ['', ' dontunmap'])
          for (const advice of ['nohugepage', 'hugepage'])
            for (const offset of OFFSETS) {
              const buffer = huge(world, 'rw', advice, 0, 8 * H);
              const { pid, at } = buffer;
              world.munmap(pid, at + SIZE, 2 * H);
              world.write(pid, at, H);
              const to = at + SIZE + offset * PAGE;
              const move = (): void => {
                world.sh(`proc mremap ${pid} 0x${at.toString(16)} ${H} to=0x${to.toString(16)}${dontunmap}`);
              };
              if (before) move();
              toDevice(world, buffer, before ? to : at, 'i');
              if (!before) move();
              expect(world.read(pid, to, H), `${before} ${dontunmap} ${advice} ${offset}`).toEqual(WHOLE);
              world.sh(`proc exit ${pid}`);
            }
    },
  },
  {
    id: 'T36',
    name: 'migrate_anon_huge_err: without a huge page of the device, or of RAM, small ones do',
    needs: ['dmirrorFlags'],
    run(world) {
      const first = huge(world, 'rw');
      const { pid, dev, base } = first;
      world.write(pid, first.at, H);
      world.sh(`gpu flags ${dev} ${pid} 1`);
      toDevice(world, first, first.at, 'i');
      expect(world.read(pid, first.at + 2 * PAGE, 1)).toEqual(all(1, 'i+2048'));
      world.munmap(pid, base, 2 * H);
      const again = huge(world, 'rw', 'hugepage', pid);
      world.write(pid, again.at, H);
      toDevice(world, again, again.at, 'i');
      world.sh(`gpu flags ${dev} ${pid} 1`);
      expect(world.gpu('to-sys', dev, pid, again.at, H).ret).toBe(0);
      expect(world.read(pid, again.at, H)).toEqual(WHOLE);
    },
  },
  {
    id: 'T37',
    name: 'migrate_anon_huge_zero_err: the same with the huge page of zeros',
    needs: ['dmirrorFlags'],
    run(world) {
      const first = huge(world, 'r');
      const { pid, dev, base } = first;
      world.sh(`gpu flags ${dev} ${pid} 1`);
      toDevice(world, first, first.at, '0');
      expect(world.read(pid, first.at + 2 * PAGE, 1)).toEqual(all(1, '0'));
      world.munmap(pid, base, 2 * H);
      const again = huge(world, 'r', 'hugepage', pid);
      expect(world.read(pid, again.at, 1)).toEqual(all(1, '0'));
      toDevice(world, again, again.at, '0');
      world.sh(`gpu flags ${dev} ${pid} 1`);
      expect(world.read(pid, again.at, H)).toEqual(all(H, '0'));
    },
  },
  {
    id: 'T38',
    name: 'benchmark_thp_migration: from a quarter of a huge page to many, with and without THP, there and back',
    run(world) {
      for (const advice of ['nohugepage', 'hugepage'])
        for (const pages of [H / 4, H / 2, H, 2 * H, 4 * H, 8 * H, 128 * H]) {
          const dev = world.variant.dev0;
          const pid = world.newProcess(dev);
          const base = world.mmap(pid, pages + H, 'rw anon private');
          const at = Math.ceil(base / SIZE) * SIZE;
          world.madvise(pid, at, pages, advice);
          world.write(pid, at, pages);
          const seen = world.gpu('to-dev', dev, pid, at, pages);
          expect(seen, `${pages} pages, ${advice}`).toMatchObject({ ret: 0, cpages: pages });
          expect(world.gpu('to-sys', dev, pid, at, pages).ret).toBe(0);
          expect(world.read(pid, at, pages)).toEqual(all(pages, 'i'));
          world.sh(`proc exit ${pid}`);
        }
    },
  },
];

for (const release of RELEASES)
  for (const variant of [PRIVATE, COHERENT])
    describe(`hmm-tests of huge pages on ${release}, device memory ${variant.name}`, () => {
      for (const test of TESTS)
        it.skipIf(!hasAll(release, ['testHmm', 'devicePrivateThp', ...(test.needs ?? [])]))(
          `${test.id} ${test.name}`,
          () => {
            const world = new HmmWorld(release, variant);
            test.run(world);
            world.expectAtRest();
          },
        );
    });

describe('hmm-tests with a handler in user space', () => {
  for (const release of ['6.12', '7.3'] as const)
    for (const variant of [PRIVATE, COHERENT]) {
      const setUp = (): { world: HmmWorld; pid: number; at: number; dev: number } => {
        const world = new HmmWorld(release, variant);
        const dev = variant.dev0;
        const pid = world.newProcess(dev);
        const at = world.mmap(pid, 4);
        world.sh(`proc uffd ${pid} 0x${at.toString(16)} 4 0xabababab`);
        return { world, pid, at, dev };
      };
      const filled = all(4, String(0xabababab | 0));

      it.skipIf(!hasAll(release, ['hmmRangeFaultUnlocked']))(
        `T39 userfaultfd_read on ${release}, ${variant.name}: the lock is dropped while the handler fills pages`,
        () => {
          const { world, pid, at, dev } = setUp();
          const seen = world.gpu('read-unlocked', dev, pid, at, 4);
          expect(seen).toMatchObject({ ret: 0, cpages: 4 });
          expect(seen.lines).toEqual(filled);
          world.expectAtRest();
        },
      );

      it(`on ${release}, ${variant.name}: a read that keeps the lock cannot wait for the handler, the CPU can`, () => {
        const { world, pid, at, dev } = setUp();
        expect(world.gpu('read', dev, pid, at, 4).ret).toBe(-14);
        expect(world.read(pid, at, 4)).toEqual(filled);
        expect(world.gpu('read', dev, pid, at, 4)).toMatchObject({ ret: 0, cpages: 4, lines: filled });
        const child = world.fork(pid);
        expect(world.read(child, at, 4)).toEqual(filled);
        world.expectAtRest();
      });
    }
});
