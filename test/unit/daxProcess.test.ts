/** DAX storage and peer-to-peer memory mapped into processes: entries, references, get_user_pages. */
import { describe, expect, it } from 'vitest';
import { pte_devmap, pte_pfn, pte_present } from '../../sim/arch/pte.ts';
import type { Machine, Release } from '../../sim/index.ts';
import { pteAt } from '../../sim/mm/pgtable.ts';
import { checkAddressSpaces } from '../support/addressSpaces.ts';
import { attempt, mapDevice, value } from '../support/devices.ts';
import { boot, sh } from '../support/machines.ts';
import { short } from '../support/same.ts';

const FIRST = 0xf000000;
const dax = (release: Release): Machine => {
  const machine = boot(undefined, release);
  mapDevice(machine);
  sh(machine, 'dax map f 0xf000000000 2M', 'proc new one', 'a = proc mmap 100 8 rw dax:f');
  return machine;
};
const entry = (machine: Machine, index = 0) => {
  const mm = machine.kernel.state.processes.get(100)?.mm;
  const vma = mm?.vmas[0];
  return mm && vma ? pteAt(mm, vma.start + index) : 0;
};
const count = (machine: Machine, index = 0): number => machine.kernel.pages.refcount.get(FIRST + index);

describe('storage', () => {
  it.each([
    ['5.4', true, 1],
    ['6.12', true, 1],
    ['6.14', true, 1],
    ['6.15', false, 1],
    ['7.3', false, 1],
  ] as const)('a touched page in %s: devmap %s, refcount %i', (release, devmap, refs) => {
    const machine = dax(release);
    const idle = count(machine);
    sh(machine, 'proc write 100 a 1 7');
    expect([pte_present(entry(machine)), pte_pfn(entry(machine))]).toEqual([true, FIRST]);
    expect(pte_devmap(entry(machine))).toBe(devmap);
    expect(count(machine)).toBe(refs);
    expect(idle).toBe(devmap ? 1 : 0);
    expect(machine.kernel.state.processes.get(100)?.mm?.rss[0]).toBe(devmap ? 0 : 1);
    sh(machine, 'proc munmap 100 a 8');
    expect(count(machine)).toBe(idle);
    checkAddressSpaces(machine);
  });

  it.each(['5.10', '6.12', '7.3'] as const)('what is written stays in the storage in %s', (release) => {
    const machine = dax(release);
    sh(machine, 'proc write 100 a 8', 'proc exit 100', 'proc new two', 'b = proc mmap 101 4 r dax:f off=2');
    expect(sh(machine, 'proc read 101 b 4').output[0]).toMatch(/word i holds i\+2048$/);
    expect(attempt(machine, 'proc write 101 b 1').status).toBe(-14);
    checkAddressSpaces(machine);
  });

  it.each(['6.12', '7.3'] as const)('a pin in %s counts 1024 and outlives the mapping', (release) => {
    const machine = dax(release);
    sh(machine, 'proc gup 100 a 2 write pin', 'proc gup 100 a 1');
    const mapped = 1;
    expect([count(machine, 0), count(machine, 1)]).toEqual([mapped + 1025, mapped + 1024]);
    sh(machine, 'proc exit 100');
    expect(count(machine, 1)).toBe(release === '6.12' ? 1025 : 1024);
    sh(machine, 'proc gup-put 100 a 2 pin', 'proc gup-put 100 a 1');
    expect(count(machine)).toBe(release === '6.12' ? 1 : 0);
  });

  it('both walks of get_user_pages give the page of the device, and leave no reference of the pagemap', () => {
    const machine = dax('6.12');
    sh(machine, 'proc write 100 a 4', 'proc gup 100 a 4 write fast', 'proc gup 100 a 4 write');
    expect(count(machine)).toBe(3);
    expect(short(JSON.stringify(machine.kernel.state.log.filter(({ warn }) => warn).length))).toBe(short('0'));
  });

  it('truncation takes the pages out of the process and waits for who pins them', () => {
    const machine = dax('6.12');
    sh(machine, 'proc write 100 a 2', 'proc gup 100 a 1 pin');
    sh(machine, 'dax truncate f');
    expect(machine.alive.map(({ waitsFor }) => waitsFor?.what)).toEqual(['pinned pages of f to become idle']);
    expect(entry(machine)).toBe(0);
    sh(machine, 'proc gup-put 100 a 1 pin');
    expect(machine.alive).toEqual([]);
  });

  it('fork shares the storage', () => {
    const machine = dax('7.3');
    sh(machine, 'proc write 100 a 2', 'proc fork 100', 'proc read 101 a 2');
    expect(count(machine)).toBe(2);
    checkAddressSpaces(machine);
  });

  it.each([
    'proc mmap 100 4 rw dax:g',
    'proc mmap 100 4 rw dax:f private',
    'proc mmap 100 0 dax:f',
    'proc mmap 100 4 off=2',
  ])('%s is refused and changes nothing', (line) => {
    const machine = boot();
    mapDevice(machine);
    sh(machine, 'dax map f 0xf000000000 2M', 'proc new one');
    const before = short(machine.canonical());
    expect(attempt(machine, line).status).toBeLessThan(0);
    expect(short(machine.canonical())).toBe(before);
  });

  it('behind the end of the file is a bus error', () => {
    const machine = dax('6.12');
    sh(machine, 'b = proc mmap 100 4 rw dax:f off=510');
    expect(sh(machine, 'proc write 100 b 2').output).toEqual(['2 page(s) written']);
    expect(attempt(machine, 'proc write 100 b 3').program?.error?.message).toMatch(/SIGBUS/);
  });
});

describe('an offset in a file', () => {
  it('maps the pages from there on', () => {
    const machine = boot();
    sh(machine, 'proc new one', 'a = proc mmap 100 8 rw file:data shared', 'proc write 100 a 8');
    sh(machine, 'b = proc mmap 100 2 r file:data shared off=6');
    expect(sh(machine, 'proc read 100 b 2').output[0]).toMatch(/word i holds i\+6144$/);
    expect(sh(machine, 'cat /proc/100/maps').output[0]).toMatch(/00006000/);
  });
});

describe('peer-to-peer memory', () => {
  const provider = (release: Release): Machine => {
    const machine = boot('p2p-switch', release);
    sh(machine, 'p = pci_get_domain_bus_and_slot(0, 3, PCI_DEVFN(0, 0))', 'proc new one');
    expect(value(machine, 'pci_p2pdma_add_resource(p, 4, 0, 0)')).toBe(0n);
    return machine;
  };
  const available = (machine: Machine): number =>
    Number(sh(machine, 'cat /sys/bus/pci/devices/0000:03:00.0/p2pmem/available').output[0]);

  it.each(['6.2', '6.12', '7.3'] as const)(
    'mmap of allocate in %s takes pages of the pool, the last put gives them back',
    (release) => {
      const machine = provider(release);
      const all = available(machine);
      sh(machine, 'a = proc mmap 100 4 rw p2pmem:0000:03:00.0', 'proc write 100 a 4');
      expect(available(machine)).toBe(all - 4 * 4096);
      expect(machine.kernel.pages.refcount.get(0x380000000)).toBe(1);
      expect(attempt(machine, 'proc gup 100 a 2 write').status).toBe(-121);
      sh(machine, 'proc gup 100 a 2 write p2pdma pin');
      expect(machine.kernel.pages.refcount.get(0x380000000)).toBe(1025);
      sh(machine, 'proc exit 100');
      expect(available(machine)).toBe(all - 2 * 4096);
      sh(machine, 'proc gup-put 100 a 2 pin');
      expect(available(machine)).toBe(all);
      checkAddressSpaces(machine);
    },
  );

  it('for long it may not be pinned: -EOPNOTSUPP, since 6.3 a warning and -EINVAL', () => {
    for (const [release, status] of [
      ['6.2', -95],
      ['6.12', -22],
    ] as const) {
      const machine = provider(release);
      sh(machine, 'a = proc mmap 100 1 rw p2pmem:0000:03:00.0');
      expect(attempt(machine, 'proc gup 100 a 1 p2pdma pin longterm').status).toBe(status);
    }
  });

  it.each([
    ['6.1', 'proc mmap 100 4 rw p2pmem:0000:03:00.0', -19],
    ['6.12', 'proc mmap 100 4 rw p2pmem:0000:04:00.0', -19],
    ['6.12', 'proc mmap 100 4 rw p2pmem:0000:03:00.0 private', -22],
    ['6.12', 'proc mmap 100 4 rw p2pmem:0000:03:00.0 off=1', -22],
    ['6.12', 'proc mmap 100 300000 rw p2pmem:0000:03:00.0', -12],
  ] as const)('%s: %s is %i', (release, line, status) => {
    const machine = provider(release);
    const before = available(machine);
    expect(attempt(machine, line).status).toBe(status);
    expect(available(machine)).toBe(before);
    expect(machine.kernel.state.processes.get(100)?.mm?.vmas).toEqual([]);
  });
});
