/** What /proc/PID/pagemap and smaps say of entries that are not present, by release. */
import { expect, test } from 'vitest';
import { PM_FILE, PM_MMAP_EXCLUSIVE, PM_PRESENT, PM_SWAP, pagemapWord } from '../../sim/fs/procPidPagemap.ts';
import { folio_unlock } from '../../sim/kernel/locking.ts';
import { gup_put_folio } from '../../sim/mm/gup_refs.ts';
import { make_device_exclusive_range } from '../../sim/mm/make_device_exclusive.ts';
import { readFile } from '../../sim/shell/commands.ts';
import { bootWith, newDevice, newSpace, run, toDevice } from '../support/testDevice.ts';

test.each([
  ['7.3', false],
  ['6.12', false],
  ['6.10', true],
  ['5.15', true],
] as const)('pagemap in %s: is a device-private page that one process maps exclusive? %s', (release, isExclusive) => {
  const machine = bootWith(release);
  const { mm, vma } = newSpace(machine, 1);
  toDevice(machine, newDevice(machine), vma);
  const word = pagemapWord(machine.kernel, mm, vma.start);
  expect(word & (PM_SWAP | PM_PRESENT | PM_FILE)).toBe(PM_SWAP);
  expect((word & PM_MMAP_EXCLUSIVE) !== 0n).toBe(isExclusive);
});

test.each([
  ['6.12', 'Shared_Dirty'],
  ['6.10', 'Private_Dirty'],
] as const)('smaps in %s: a page under exclusive access, which nothing maps, is %s', (release, field) => {
  const machine = bootWith(release);
  const { mm, vma } = newSpace(machine, 1);
  run(machine, function* (kernel) {
    const pages: number[] = [];
    yield* make_device_exclusive_range(kernel, mm, vma.start, vma.end, pages, {});
    for (const pfn of pages) {
      folio_unlock(kernel, pfn);
      yield* gup_put_folio(kernel, pfn, 1, false);
    }
  });
  expect(readFile(machine.kernel, `/proc/${mm.owner.pid}/smaps`)).toMatch(new RegExp(`^${field}: +4 kB$`, 'm'));
});
