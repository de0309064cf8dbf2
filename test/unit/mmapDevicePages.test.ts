/** What calls that change mappings do with pages that live on a device: the facts of the recorded sequence. */
import { describe, expect, it } from 'vitest';
import { PteKind, pteKind } from '../../sim/arch/pte.ts';
import type { Machine } from '../../sim/index.ts';
import { pteAt } from '../../sim/mm/pgtable.ts';
import { checkAddressSpaces } from '../support/addressSpaces.ts';
import { boot, sh } from '../support/machines.ts';

const BASE = 0x7f0000000;

/** A process with four written pages at A, all on device 0. */
function start(): Machine {
  const machine = boot();
  sh(machine, 'modprobe test_hmm', 'p = proc new prog', `A = ${BASE * 4096}UL`, 'proc mmap p 4 at=A');
  sh(machine, 'proc write p A 4', 'gpu open 0 $p', 'gpu to-dev 0 $p $A 4');
  return machine;
}

const kinds = (machine: Machine, page: number, count: number, pid = 100): PteKind[] => {
  const mm = machine.kernel.state.processes.get(pid)?.mm;
  return Array.from({ length: count }, (_, i) => (mm ? pteKind(pteAt(mm, BASE + page + i)) : PteKind.None));
};
const onDevice = (machine: Machine): number =>
  [...machine.kernel.state.folios.keys()].filter((pfn) => pfn >= 0xf000000).length;
const { DeviceWrite, DeviceRead, Present, None } = PteKind;

describe('pages on a device', () => {
  it('move with their entries in mremap, and go with munmap and MADV_DONTNEED', () => {
    const machine = start();
    checkAddressSpaces(machine);
    sh(machine, 'proc mremap p A 4 to=A+0x8000');
    expect(kinds(machine, 8, 4)).toEqual([DeviceWrite, DeviceWrite, DeviceWrite, DeviceWrite]);
    sh(machine, 'proc madvise p A+0x9000 1 DONTNEED', 'proc munmap p A+0xa000 1');
    expect(kinds(machine, 8, 4)).toEqual([DeviceWrite, None, None, DeviceWrite]);
    expect(onDevice(machine)).toBe(2);
    checkAddressSpaces(machine);
  });

  it('stay where they are when MADV_PAGEOUT asks for them, and come home for mlock', () => {
    const machine = start();
    sh(machine, 'swapon /swap 100', 'proc madvise p A 4 PAGEOUT');
    expect(kinds(machine, 0, 4)).toEqual([DeviceWrite, DeviceWrite, DeviceWrite, DeviceWrite]);
    sh(machine, 'proc mlock p A 2');
    expect(kinds(machine, 0, 4)).toEqual([Present, Present, DeviceWrite, DeviceWrite]);
    expect(machine.kernel.state.vm.get('nr_mlock')).toBe(2);
    checkAddressSpaces(machine);
  });

  it('become readable with mprotect, and stay so when the mapping may be written again', () => {
    const machine = start();
    sh(machine, 'proc mprotect p A 4 r');
    expect(kinds(machine, 0, 2)).toEqual([DeviceRead, DeviceRead]);
    sh(machine, 'proc mprotect p A 4 rw');
    expect(kinds(machine, 0, 2)).toEqual([DeviceRead, DeviceRead]);
    sh(machine, 'proc write p A 1 7');
    expect(kinds(machine, 0, 2)).toEqual([Present, DeviceRead]);
    checkAddressSpaces(machine);
  });

  it('are shared by fork with readable entries; one touch brings a page home for both', () => {
    const machine = start();
    sh(machine, 'c = proc fork p');
    expect([...kinds(machine, 0, 1), ...kinds(machine, 0, 1, 101)]).toEqual([DeviceRead, DeviceRead]);
    checkAddressSpaces(machine);
    sh(machine, 'proc read c A 1');
    expect([...kinds(machine, 0, 1), ...kinds(machine, 0, 1, 101)]).toEqual([Present, Present]);
    checkAddressSpaces(machine);
    sh(machine, 'proc exit c');
    checkAddressSpaces(machine);
    expect(onDevice(machine)).toBe(3);
  });

  it('are freed when their process ends, and the device closes after it', () => {
    const machine = start();
    sh(machine, 'proc exit p SIGTERM');
    expect(onDevice(machine)).toBe(0);
    expect([...machine.kernel.state.mms.keys()]).toEqual([]);
    checkAddressSpaces(machine);
  });
});
