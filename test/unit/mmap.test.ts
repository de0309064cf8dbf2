/** Mappings of a process: what mmap, munmap, mprotect, mremap, madvise and mlock do to VMAs, and what they refuse. */
import { describe, expect, it } from 'vitest';
import { type Mm, VM_DONTCOPY, VM_LOCKED, VM_READ, VM_WRITE } from '../../sim/include/mm_types.ts';
import { type Machine, type Release, runShellLine, statusOf } from '../../sim/index.ts';
import { checkAddressSpaces } from '../support/addressSpaces.ts';
import { boot, sh } from '../support/machines.ts';
import { short } from '../support/same.ts';

const BASE = 0x7f0000000;

/** A machine with one process, `p`, and lines with `A`, 0x7f0000000000, as an address. */
function start(release: Release = '6.12'): Machine {
  const machine = boot('qemu-2g', release);
  sh(machine, 'p = proc new prog', `A = ${BASE * 4096}UL`);
  return machine;
}

const mmOf = (machine: Machine, pid = 100): Mm => {
  const mm = machine.kernel.state.processes.get(pid)?.mm;
  if (!mm) throw new Error(`no process ${pid}`);
  return mm;
};

/** VMAs as `first-last protection`, in pages from A. */
const vmas = (machine: Machine, pid = 100): string[] =>
  mmOf(machine, pid).vmas.map(({ start: first, end, flags }) => {
    const prot = `${flags & VM_READ ? 'r' : '-'}${flags & VM_WRITE ? 'w' : '-'}`;
    return `${first - BASE}-${end - BASE - 1} ${prot}`;
  });

const status = (machine: Machine, line: string): number => {
  const program = runShellLine(machine, line);
  expect(program?.isOver, line).toBe(true);
  return program ? statusOf(program) : 0;
};

const output = (machine: Machine, line: string): string => sh(machine, line).output.join('\n');

/** The errno of a line that must leave everything as it was. */
function refused(machine: Machine, line: string): number {
  const before = short(machine.canonical());
  const result = status(machine, line);
  expect(short(machine.canonical()), `${line} changes nothing`).toBe(before);
  return result;
}

describe('mmap', () => {
  it('gives the highest gap, and two mappings side by side are one VMA', () => {
    const machine = start();
    sh(machine, 'a = proc mmap p 4', 'b = proc mmap p 4');
    expect(output(machine, 'proc mmap p 1 r')).toBe('0x7ffff7ff6000');
    expect(mmOf(machine).vmas.map(({ start: first, end }) => [first, end])).toEqual([
      [0x7ffff7ff6, 0x7ffff7ff7],
      [0x7ffff7ff7, 0x7ffff7fff],
    ]);
    expect(mmOf(machine).total_vm).toBe(9);
    checkAddressSpaces(machine);
  });

  it('joins the two neighbours of a gap that it fills', () => {
    const machine = start();
    sh(machine, 'proc mmap p 2 at=A', 'proc mmap p 2 at=A+0x4000', 'proc mmap p 2 at=A+0x2000');
    expect(vmas(machine)).toEqual(['0-5 rw']);
  });

  it('keeps apart what differs in protection, file, or the anon_vma of both sides', () => {
    const machine = start();
    sh(machine, 'proc mmap p 2 at=A', 'proc mmap p 2 r at=A+0x2000', 'proc mmap p 2 file:data at=A+0x4000');
    expect(vmas(machine)).toEqual(['0-1 rw', '2-3 r-', '4-5 rw']);
    sh(machine, 'proc mmap p 1 at=A+0x10000', 'proc mmap p 1 at=A+0x12000');
    sh(machine, 'proc write p A+0x10000 1', 'proc write p A+0x12000 1', 'proc mmap p 1 at=A+0x11000');
    // Both sides have pages of their own in an anon_vma of their own: the gap goes to the left one only.
    expect(vmas(machine).slice(3)).toEqual(['16-17 rw', '18-18 rw']);
    checkAddressSpaces(machine);
  });

  it('lets a neighbour share its anon_vma, so that the two merge later', () => {
    const machine = start();
    sh(machine, 'proc mmap p 2 at=A', 'proc write p A 2', 'proc mprotect p A+0x1000 1 r', 'proc mmap p 1 at=A+0x2000');
    sh(machine, 'proc write p A+0x2000 1', 'proc mprotect p A+0x1000 1 rw');
    expect(vmas(machine)).toEqual(['0-2 rw']);
    checkAddressSpaces(machine);
  });

  it('refuses what the kernel refuses, and changes nothing', () => {
    const machine = start();
    sh(machine, 'proc mmap p 4 at=A');
    expect(refused(machine, 'proc mmap p 0')).toBe(-22);
    expect(refused(machine, 'proc mmap p 1 at=A+0x800')).toBe(-22);
    expect(refused(machine, 'proc mmap p 2 at=A+0x3000')).toBe(-17);
    expect(refused(machine, 'proc mmap p 2 at=0x7ffffffff000')).toBe(-12);
    expect(refused(machine, 'proc mmap p 2 at=0x1000')).toBe(-1);
    expect(refused(machine, 'proc mmap p 2 file:new at=A')).toBe(-17);
    // More than there could ever be: the heuristic of overcommitment.
    expect(refused(machine, 'proc mmap p 0x100000')).toBe(-12);
    expect(refused(machine, 'proc mmap 99 1')).toBe(-3);
    expect(refused(machine, 'proc mmap p 0x100001')).toBe(-22);
    expect(refused(machine, 'proc mmap p 1 sideways')).toBe(-22);
  });

  it('takes a fixed address as a hint before MAP_FIXED_NOREPLACE', () => {
    const machine = start('4.14');
    sh(machine, 'proc mmap p 4 at=A');
    expect(vmas(machine)).toEqual(['0-3 rw']);
    expect(output(machine, 'proc mmap p 1 r at=A')).toBe('0x7ffff7ffe000');
  });

  it('begins whole 2 MiB of anonymous memory at 2 MiB from 6.7', () => {
    expect(output(start(), 'proc mmap p 512')).toBe('0x7ffff7c00000');
    expect(output(start('6.6'), 'proc mmap p 512')).toBe('0x7ffff7dff000');
    expect(output(start(), 'proc mmap p 513')).toBe('0x7ffff7dfe000');
  });
});

describe('munmap', () => {
  it('cuts a VMA in two, and the pages of the middle are gone', () => {
    const machine = start();
    sh(machine, 'proc mmap p 8 at=A', 'proc write p A 8', 'proc munmap p A+0x2000 3');
    expect(vmas(machine)).toEqual(['0-1 rw', '5-7 rw']);
    expect(mmOf(machine).rss).toEqual([0, 5, 0, 0]);
    expect(output(machine, 'proc read p A+0x5000 1')).toMatch(/^0x7f0000005000 1 page\(s\): word i holds i\+5120/);
    checkAddressSpaces(machine);
  });

  it('takes several VMAs and holes at once, and calls none of it a mistake', () => {
    const machine = start();
    sh(machine, 'proc mmap p 2 at=A', 'proc mmap p 2 r at=A+0x3000', 'proc mmap p 2 at=A+0x8000', 'proc write p A 2');
    sh(machine, 'proc munmap p A+0x1000 8');
    expect(vmas(machine)).toEqual(['0-0 rw', '9-9 rw']);
    expect(status(machine, 'proc munmap p A+0x100000 8')).toBe(0);
    checkAddressSpaces(machine);
  });

  it('frees page tables that serve nobody else', () => {
    const machine = start();
    sh(machine, 'proc mmap p 1024 at=A', 'proc write p A 1', 'proc write p A+0x3ff000 1');
    // Two tables of PTEs, and a PMD and a PUD page above them.
    expect(mmOf(machine).pgtables_bytes).toBe(4 * 4096);
    sh(machine, 'proc munmap p A+0x200000 512');
    expect(mmOf(machine).pgtables_bytes).toBe(3 * 4096);
    sh(machine, 'proc munmap p A 512');
    expect(mmOf(machine).pgtables_bytes).toBe(0);
    checkAddressSpaces(machine);
  });

  it('refuses no pages and addresses beyond the end', () => {
    const machine = start();
    expect(refused(machine, 'proc munmap p A 0')).toBe(-22);
    expect(refused(machine, 'proc munmap p A+1 1')).toBe(-22);
    expect(refused(machine, 'proc munmap p 0x800000000000 1')).toBe(-22);
    expect(refused(machine, 'proc munmap p A -1')).toBe(-22);
  });
});

describe('mprotect', () => {
  it('splits, and merges what is alike again', () => {
    const machine = start();
    sh(machine, 'proc mmap p 8 at=A', 'proc write p A 8', 'proc mprotect p A+0x2000 3 r');
    expect(vmas(machine)).toEqual(['0-1 rw', '2-4 r-', '5-7 rw']);
    expect(refused(machine, 'proc write p A+0x1000 2')).toBe(-14);
    sh(machine, 'proc mprotect p A+0x2000 2 rw');
    expect(vmas(machine)).toEqual(['0-3 rw', '4-4 r-', '5-7 rw']);
    sh(machine, 'proc mprotect p A+0x4000 1 rw');
    expect(vmas(machine)).toEqual(['0-7 rw']);
    checkAddressSpaces(machine);
  });

  it('says -ENOMEM at a hole, having changed what lies before', () => {
    const machine = start();
    sh(machine, 'proc mmap p 2 at=A', 'proc mmap p 2 at=A+0x4000');
    expect(status(machine, 'proc mprotect p A 6 r')).toBe(-12);
    expect(vmas(machine)).toEqual(['0-1 r-', '4-5 rw']);
    expect(refused(machine, 'proc mprotect p A+0x2000 2 r')).toBe(-12);
    expect(refused(machine, 'proc mprotect p A 0 r')).toBe(0);
  });
});

describe('mremap', () => {
  it('grows in place where there is room, and moves where there is none', () => {
    const machine = start();
    sh(machine, 'proc mmap p 2 at=A', 'proc write p A 2');
    expect(output(machine, 'proc mremap p A 2 new=4')).toBe('0x7f0000000000');
    sh(machine, 'proc mmap p 1 r at=A+0x4000', 'n = proc mremap p A 4 new=6');
    expect(vmas(machine)[0]).toBe('4-4 r-');
    expect(output(machine, 'proc read p n 6')).toBe(
      '0x7ffff7ff9000 2 page(s): word i holds i\n0x7ffff7ffb000 4 page(s): 0',
    );
    expect(mmOf(machine).total_vm).toBe(7);
    checkAddressSpaces(machine);
  });

  it('shrinks by unmapping the tail, and moves part of a VMA to a fixed place', () => {
    const machine = start();
    sh(machine, 'proc mmap p 8 at=A', 'proc write p A 8', 'proc mremap p A 8 new=6', 'proc mmap p 4 r at=A+0x10000');
    expect(vmas(machine)[0]).toBe('0-5 rw');
    sh(machine, 'proc mremap p A+0x2000 2 to=A+0x11000');
    expect(vmas(machine)).toEqual(['0-1 rw', '4-5 rw', '16-16 r-', '17-18 rw', '19-19 r-']);
    expect(output(machine, 'proc read p A+0x11000 2')).toBe('0x7f0000011000 2 page(s): word i holds i+2048');
    checkAddressSpaces(machine);
  });

  it('numbers pages that nobody touched by their new place, so that they merge there', () => {
    const machine = start();
    sh(machine, 'proc mmap p 2 at=A', 'proc mmap p 2 at=A+0x10000', 'proc mremap p A 2 to=A+0x12000');
    expect(vmas(machine)).toEqual(['16-19 rw']);
    sh(machine, 'proc write p A+0x10000 4', 'proc mremap p A+0x12000 2 to=A', 'proc mremap p A 2 to=A+0x20000');
    // Written ones keep their numbers.
    expect(mmOf(machine).vmas.map(({ start: first, pgoff }) => first - pgoff)).toEqual([0, 14]);
    checkAddressSpaces(machine);
  });

  it('leaves the old mapping empty with MREMAP_DONTUNMAP', () => {
    const machine = start();
    sh(machine, 'proc mmap p 2 at=A', 'proc write p A 2', 'proc mremap p A 2 to=A+0x8000 dontunmap');
    expect(vmas(machine)).toEqual(['0-1 rw', '8-9 rw']);
    expect(output(machine, 'proc read p A 2')).toBe('0x7f0000000000 2 page(s): 0');
    expect(output(machine, 'proc read p A+0x8000 2')).toBe('0x7f0000008000 2 page(s): word i holds i');
    // What nobody wrote since belongs to no anon_vma: it could merge with anything.
    expect(mmOf(machine).vmas.map(({ anon_vma }) => anon_vma !== undefined)).toEqual([false, true]);
    checkAddressSpaces(machine);
  });

  it('refuses an unmapped or too long old range, overlap, and no pages', () => {
    const machine = start();
    sh(machine, 'proc mmap p 4 at=A');
    expect(refused(machine, 'proc mremap p A+0x8000 1 new=2')).toBe(-14);
    expect(refused(machine, 'proc mremap p A 5 new=8')).toBe(-14);
    expect(refused(machine, 'proc mremap p A 4 to=A+0x2000')).toBe(-22);
    expect(refused(machine, 'proc mremap p A 4 new=0')).toBe(-22);
    expect(refused(machine, 'proc mremap p A 4 new=2 dontunmap')).toBe(-22);
    expect(refused(machine, 'proc mremap p A 0 new=2')).toBe(-22);
  });
});

describe('madvise', () => {
  it('DONTNEED drops pages: they read as zeros again', () => {
    const machine = start();
    sh(machine, 'proc mmap p 4 at=A', 'proc write p A 4', 'proc madvise p A+0x1000 2 DONTNEED');
    expect(mmOf(machine).rss[1]).toBe(2);
    expect(output(machine, 'proc read p A+0x1000 2')).toBe('0x7f0000001000 2 page(s): 0');
    checkAddressSpaces(machine);
  });

  it('goes on behind a hole and says -ENOMEM then', () => {
    const machine = start();
    sh(machine, 'proc mmap p 2 at=A', 'proc mmap p 2 at=A+0x4000', 'proc write p A 2', 'proc write p A+0x4000 2');
    expect(status(machine, 'proc madvise p A 6 DONTNEED')).toBe(-12);
    expect(mmOf(machine).rss[1]).toBe(0);
    expect(refused(machine, 'proc madvise p A 6 SLEEP')).toBe(-22);
    checkAddressSpaces(machine);
  });

  it('DONTFORK splits a VMA and keeps the part from the child', () => {
    const machine = start();
    sh(machine, 'proc mmap p 4 at=A', 'proc write p A 4', 'proc madvise p A+0x1000 2 DONTFORK');
    expect(mmOf(machine).vmas.map(({ flags }) => (flags & VM_DONTCOPY) !== 0)).toEqual([false, true, false]);
    sh(machine, 'c = proc fork p');
    expect(vmas(machine, 101)).toEqual(['0-0 rw', '3-3 rw']);
    expect(mmOf(machine, 101).total_vm).toBe(2);
    sh(machine, 'proc madvise p A+0x1000 2 DOFORK');
    expect(vmas(machine)).toEqual(['0-3 rw']);
    checkAddressSpaces(machine);
  });

  it('is refused where a release does not know it', () => {
    const machine = start('5.2');
    sh(machine, 'proc mmap p 4 at=A');
    expect(refused(machine, 'proc madvise p A 4 PAGEOUT')).toBe(-22);
    expect(refused(machine, 'proc madvise p A 4 COLLAPSE')).toBe(-22);
  });
});

describe('mlock', () => {
  it('faults pages in and keeps them off the lists of reclaim, as recorded', () => {
    const machine = start();
    sh(machine, 'proc mmap p 4 at=A', 'proc write p A 1', 'proc read p A+0x1000 1', 'proc mlock p A 3');
    const mm = mmOf(machine);
    expect(mm.vmas.map(({ flags }) => (flags & VM_LOCKED) !== 0)).toEqual([true, false]);
    expect([mm.locked_vm, mm.rss[1]]).toEqual([3, 3]);
    expect(machine.kernel.state.vm.get('nr_unevictable')).toBe(3);
    expect(machine.kernel.state.vm.get('nr_mlock')).toBe(3);
    for (const folio of machine.kernel.state.folios.values()) {
      // referenced | uptodate | lru | swapbacked | unevictable | mlocked, as in hmmseq; exclusive beside them.
      expect((machine.kernel.pages.flags.get(folio.pfn) & 0xe082c).toString(16)).toBe('e082c');
      expect(machine.kernel.pages.refcount.get(folio.pfn)).toBe(1);
    }
    checkAddressSpaces(machine);
    sh(machine, 'proc munlock p A 3');
    expect([mm.locked_vm, machine.kernel.state.vm.get('nr_unevictable')]).toEqual([0, 0]);
    expect(vmas(machine)).toEqual(['0-3 rw']);
    checkAddressSpaces(machine);
  });

  it('says -ENOMEM over a hole', () => {
    const machine = start();
    sh(machine, 'proc mmap p 2 at=A');
    expect(refused(machine, 'proc mlock p A+0x8000 2')).toBe(-12);
    expect(status(machine, 'proc mlock p A 4')).toBe(-12);
    expect(mmOf(machine).locked_vm).toBe(2);
    checkAddressSpaces(machine);
  });

  it('is not inherited by a child, and ends with the mapping', () => {
    const machine = start();
    sh(machine, 'proc mmap p 2 at=A', 'proc mlock p A 2', 'c = proc fork p');
    expect(mmOf(machine, 101).locked_vm).toBe(0);
    expect(mmOf(machine, 101).vmas[0]?.flags ?? 0).not.toBe(mmOf(machine).vmas[0]?.flags);
    sh(machine, 'proc exit c', 'proc munmap p A 2');
    expect([mmOf(machine).locked_vm, machine.kernel.state.vm.get('nr_mlock')]).toEqual([0, 0]);
    checkAddressSpaces(machine);
  });
});
