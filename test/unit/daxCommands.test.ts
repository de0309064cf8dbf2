import { describe, expect, it } from 'vitest';
import type { Machine } from '../../sim/index.ts';
import { attempt, freePages, mapDevice } from '../support/devices.ts';
import { boot, sh } from '../support/machines.ts';
import { short } from '../support/same.ts';

function ready(): Machine {
  const machine = boot();
  mapDevice(machine);
  sh(machine, 'dax map f 0xf000000000 2M');
  return machine;
}

describe('dax and gup', () => {
  it.each([
    'dax',
    'dax map',
    'dax map g',
    'dax map g 0x1',
    'dax map g 0xf000000001 2M',
    'dax map g 0xf000000000 0',
    'dax map g 0xf000000000 1T copy',
    'dax map f 0xf000000000 2M',
    'dax map g 0x3fffffff0000 2M',
    'dax map g 0xffffffffffffffff 2M',
    'dax map g 99999999999999999999 2M',
    'dax show f 512',
    'dax show nobody 0',
    'dax truncate',
    'dax truncate nobody',
    'dax unmap f now',
    'gup',
    'gup get f',
    'gup get f -1',
    'gup get f 511 2',
    'gup get f 0 0',
    'gup get f 0 5000',
    'gup get f 0 1 pin pin',
    'gup get f 0 hard',
    'gup put f 0',
    'gup put f 0 longterm',
  ])('%s is refused and changes nothing', (line) => {
    const machine = ready();
    const before = short(machine.canonical());
    const { status, program } = attempt(machine, line);
    expect(status).toBeLessThan(0);
    expect(program?.error?.name).toBe('ShellError');
    expect(short(machine.canonical())).toBe(before);
  });

  it('a release without FOLL_PIN or FOLL_LONGTERM says so', () => {
    for (const word of ['pin', 'longterm']) {
      const machine = boot('qemu-2g', '4.9');
      mapDevice(machine);
      sh(machine, 'dax map f 0xf000000000 2M');
      expect(attempt(machine, `gup get f 0 1 ${word}`).program?.error?.message).toMatch(/4\.9 has no FOLL_/);
    }
  });

  it('a pin counts 1024 references, a get one, and each is given back as what it was', () => {
    const machine = ready();
    sh(machine, 'gup get f 3', 'gup get f 3 pin');
    expect(machine.kernel.pages.refcount.get(0xf000003)).toBe(1026);
    sh(machine, 'gup put f 3 pin');
    expect(attempt(machine, 'gup put f 3 pin').status).toBe(-22);
    sh(machine, 'gup put f 3');
    expect(machine.kernel.pages.refcount.get(0xf000003)).toBe(1);
  });

  it('a long-term pin of a file on DAX is -EOPNOTSUPP; through the page cache, or of device DAX, it is not', () => {
    const machine = ready();
    expect(attempt(machine, 'gup get f 0 longterm').status).toBe(-95);
    sh(machine, 'dax map cached 0xf000000000 2M page-cache', 'gup get cached 0 longterm');
    mapDevice(machine, { name: 'd', type: 'GENERIC', start: '0xe000000000' });
    sh(machine, 'dax map dev 0xe000000000 2M', 'gup get dev 0 longterm');
  });

  it('a page of the page cache stays while it is held, and is freed with its last reference', () => {
    const machine = ready();
    const free = freePages(machine);
    sh(machine, 'dax map cached 0xf000000000 2M page-cache', 'gup get cached 0', 'dax truncate cached');
    expect(freePages(machine)).toBe(free - 1);
    sh(machine, 'gup put cached 0');
    expect(freePages(machine)).toBe(free);
  });

  it('a mapping that is gone keeps its name until its pages are given back', () => {
    const machine = ready();
    sh(machine, 'gup get f 0', 'dax unmap f');
    expect(attempt(machine, 'gup get f 1').status).toBe(-14);
    expect(attempt(machine, 'dax truncate f').status).toBe(-14);
    sh(machine, 'gup put f 0');
    expect(attempt(machine, 'dax show f 0').status).toBe(-2);
  });
});
