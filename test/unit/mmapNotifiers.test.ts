/** Whom the calls that change mappings tell, about which pages, and why. */
import { expect, it } from 'vitest';
import type { Machine } from '../../sim/index.ts';
import { END_OF_ADDRESSES } from '../../sim/mm/mmap.ts';
import { mmu_interval_notifier_insert, mmu_interval_set_seq } from '../../sim/mm/mmu_notifier.ts';
import { boot, sh } from '../support/machines.ts';
import { done } from '../support/mirrors.ts';

const BASE = 0x7f0000000;
const EVENTS = ['UNMAP', 'CLEAR', 'PROTECTION_VMA', 'PROTECTION_PAGE', 'SOFT_DIRTY', 'RELEASE', 'MIGRATE', 'EXCLUSIVE'];

/** A process whose whole address space is mirrored; what its mirror is told, in pages from BASE. */
function mirrored(): { machine: Machine; told: string[]; of(...lines: string[]): string[] } {
  const machine = boot();
  sh(machine, 'p = proc new', `A = ${BASE * 4096}UL`, 'proc mmap p 8 at=A', 'proc write p A 8');
  const { kernel } = machine;
  const mm = kernel.state.processes.get(100)?.mm;
  if (!mm) throw new Error('no process');
  const told: string[] = [];
  done(machine, 'mirror', () =>
    mmu_interval_notifier_insert(kernel, mm, 0, END_OF_ADDRESSES, {
      *invalidate(_kernel, sub, range, seq) {
        yield* [];
        mmu_interval_set_seq(kernel, sub, seq);
        const isAll = range.end - range.start > 2 ** 40;
        told.push(`${EVENTS[range.event]} ${isAll ? 'all' : `${range.start - BASE}-${range.end - BASE}`}`);
        return true;
      },
    }),
  );
  return {
    machine,
    told,
    of(...lines) {
      told.length = 0;
      sh(machine, ...lines);
      return [...told];
    },
  };
}

it('munmap tells once of the whole range between its first and last VMA, holes and all', () => {
  const { of } = mirrored();
  of('proc mmap p 4 r at=A+0x10000');
  expect(of('proc munmap p A+0x4000 0x20')).toEqual(['UNMAP 4-20']);
  expect(of('proc munmap p A+0x4000 0x20')).toEqual([]);
});

it('mprotect tells each VMA that has page tables; of memory never touched nobody is told', () => {
  const { of } = mirrored();
  of('proc mmap p 4 at=A+0x200000');
  expect(of('proc mprotect p A+0x2000 4 r')).toEqual(['PROTECTION_VMA 2-6']);
  expect(of('proc mprotect p A+0x200000 4 r')).toEqual([]);
});

it('mremap tells of the old place, before and when it is unmapped', () => {
  const { of } = mirrored();
  expect(of('proc mremap p A+0x2000 2 to=A+0x40000')).toEqual(['UNMAP 2-4', 'UNMAP 2-4']);
});

it('madvise DONTNEED and FREE clear', () => {
  const { of } = mirrored();
  expect(of('proc madvise p A+0x1000 2 DONTNEED', 'proc madvise p A+0x3000 2 FREE')).toEqual([
    'CLEAR 1-3',
    'CLEAR 3-5',
  ]);
});

it('fork protects pages for copying, of private mappings with pages only', () => {
  const { of } = mirrored();
  of('proc mmap p 4 shared at=A+0x10000', 'proc write p A+0x10000 4');
  expect(of('proc fork p')).toEqual(['PROTECTION_PAGE 0-8']);
});

it('exit releases the mirror, then unmaps everything', () => {
  const { of, machine } = mirrored();
  expect(of('proc exit p')).toEqual(['RELEASE all', 'UNMAP all']);
  // The mirror holds the structure, not the address space.
  expect([...machine.kernel.state.mms.values()].map(({ mm_users, vmas }) => [mm_users, vmas.length])).toEqual([[0, 0]]);
});
