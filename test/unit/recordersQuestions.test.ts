/** Sequences that somebody with a real kernel and its test GPU would try, and what is to be seen after each. */
import { describe, expect, it } from 'vitest';
import { PG_MLOCKED, PG_UNEVICTABLE } from '../../sim/mm/folio_record.ts';
import { COHERENT, HmmWorld } from '../support/hmm.ts';

const PAGE = 4096;
const counter = (world: HmmWorld, name: string): number => {
  const line = world
    .sh('cat /proc/vmstat')
    .join('\n')
    .split('\n')
    .find((text) => text.startsWith(`${name} `));
  return Number(line?.split(' ')[1]);
};
/** What lines do to counters of /proc/vmstat. */
function deltas(world: HmmWorld, names: readonly string[], act: () => void): number[] {
  const before = names.map((name) => counter(world, name));
  act();
  return names.map((name, i) => counter(world, name) - (before[i] ?? 0));
}

describe('mlock and the device', () => {
  const NAMES = ['nr_mlock', 'nr_unevictable', 'unevictable_pgs_culled', 'unevictable_pgs_rescued'];

  it('locked pages are culled from the lists, and rescued when they go to the device, which counts them as locked', () => {
    const world = new HmmWorld('6.12');
    const pid = world.newProcess(0);
    const at = world.mmap(pid, 4);
    expect(deltas(world, NAMES, () => world.sh(`proc mlock ${pid} ${at} 4`))).toEqual([4, 4, 4, 0]);
    expect(deltas(world, NAMES, () => world.gpu('to-dev', 0, pid, at, 4))).toEqual([0, -4, 0, 4]);
  });

  it('munlock does not look at pages on the device: they stay counted, even when they come back', () => {
    const world = new HmmWorld('6.12');
    const pid = world.newProcess(0);
    const at = world.mmap(pid, 2);
    world.sh(`proc mlock ${pid} ${at} 2`);
    world.gpu('to-dev', 0, pid, at, 2);
    const act = (): void => {
      world.sh(`proc munlock ${pid} ${at} 2`);
      world.read(pid, at, 2);
    };
    expect(deltas(world, NAMES, act)).toEqual([0, 0, 0, 0]);
  });

  it('mlock leaves coherent pages as they are', () => {
    const world = new HmmWorld('6.12', COHERENT);
    const pid = world.newProcess(2);
    const at = world.mmap(pid, 1);
    world.write(pid, at, 1);
    world.gpu('to-dev', 2, pid, at, 1);
    const { flags } = world.machine.kernel.pages;
    expect(deltas(world, NAMES, () => world.sh(`proc mlock ${pid} ${at} 1`))).toEqual([0, 0, 0, 0]);
    expect(flags.get(0x21ffff) & (PG_MLOCKED | PG_UNEVICTABLE)).toBe(0);
  });
});

describe('exclusive access', () => {
  it('of a coherent page ends with the mapping, and the page is free again', () => {
    const world = new HmmWorld('6.12', COHERENT);
    const pid = world.newProcess(2);
    const at = world.mmap(pid, 2);
    world.write(pid, at, 2);
    world.gpu('to-dev', 2, pid, at, 2);
    expect(world.gpu('exclusive', 2, pid, at, 2)).toMatchObject({ ret: 0, cpages: 2 });
    world.munmap(pid, at, 1);
    world.sh(`proc madvise ${pid} ${at + PAGE} 1 DONTNEED`);
    const { refcount } = world.machine.kernel.pages;
    expect([refcount.get(0x21ffff), refcount.get(0x21fffe)]).toEqual([0, 0]);
    world.expectAtRest();
  });
});

describe('a memory cgroup that is full', () => {
  it('gives the device no page for an empty place, and never holds more than its limit', () => {
    const world = new HmmWorld('6.12');
    const pid = Number(world.sh('proc new two')[0]);
    world.sh(`gpu open 0 ${pid}`);
    const at = world.mmap(pid, 64);
    world.sh('echo 64K > /sys/fs/cgroup/two/memory.max');
    expect(world.gpu('to-dev', 0, pid, at, 64).ret).toBe(-2);
    expect(world.sh('cat /sys/fs/cgroup/two/memory.current').join('').trim()).toBe('65536');
    // Three page tables, and thirteen pages.
    const bytes = world.snapshot(0, pid, at, 64);
    expect([bytes.filter((byte) => byte === 0x22).length, bytes.filter((byte) => byte === 0).length]).toEqual([13, 51]);
  });
});

describe('a huge page that moves whole (6.19 on)', () => {
  it('stays dirty on the device and when it comes back', () => {
    const world = new HmmWorld('7.3');
    const pid = world.newProcess(0);
    const at = 0x7f0000000000;
    world.mmap(pid, 512, `rw at=${at}`);
    world.madvise(pid, at, 512, 'HUGEPAGE');
    world.write(pid, at, 1);
    const smaps = (): (string | undefined)[] => {
      const text = world.sh(`cat /proc/${pid}/smaps`).join('\n');
      return ['Private_Dirty', 'Private_Clean', 'AnonHugePages'].map(
        (name) => new RegExp(`${name}: +(\\d+) kB`).exec(text)?.[1],
      );
    };
    world.gpu('to-dev', 0, pid, at, 512);
    expect(smaps()).toEqual(['2048', '0', '2048']);
    world.read(pid, at, 1);
    expect(smaps()).toEqual(['2048', '0', '2048']);
  });
});

describe('the bits of an entry', () => {
  const smaps = (world: HmmWorld, pid: number, name: string): string | undefined =>
    new RegExp(`${name}: +(\\d+) kB`).exec(world.sh(`cat /proc/${pid}/smaps`).join('\n'))?.[1];

  it('to 5.18 a page that only one process maps loses its dirty bit on the way to the device', () => {
    const seen = (['5.8', '5.18', '5.19', '6.12'] as const).map((release) => {
      const world = new HmmWorld(release);
      const pid = world.newProcess(0);
      const at = world.mmap(pid, 2);
      world.write(pid, at, 2);
      world.gpu('to-dev', 0, pid, at, 2);
      return [smaps(world, pid, 'Private_Clean'), smaps(world, pid, 'Private_Dirty')];
    });
    expect(seen).toEqual([
      ['8', '0'],
      ['8', '0'],
      ['0', '8'],
      ['0', '8'],
    ]);
  });

  it('MADV_PAGEOUT of a page that stays clears its accessed bit to 6.8', () => {
    const seen = (['6.8', '6.9'] as const).map((release) => {
      const world = new HmmWorld(release);
      const pid = world.newProcess();
      const at = world.mmap(pid, 1);
      world.write(pid, at, 1);
      world.madvise(pid, at, 1, 'DONTNEED');
      world.write(pid, at, 1);
      world.sh(`proc mlock ${pid} ${at} 1`);
      world.sh(`proc munlock ${pid} ${at} 1`);
      world.madvise(pid, at, 1, 'PAGEOUT');
      return smaps(world, pid, 'Referenced');
    });
    expect(seen).toEqual(['0', '4']);
  });
});
