/** What hovers say of processes and devices now. */
import { expect, it } from 'vitest';
import { liveValue, type Machine } from '../../sim/index.ts';
import { boot, sh } from '../support/machines.ts';

const TERMS = ['devicePages', 'notifiers', 'entries', 'rss', 'memcgs'] as const;
const all = (machine: Machine): (string | undefined)[] => TERMS.map((term) => liveValue(machine, term));

it('nothing, on a machine that was just booted', () => {
  expect(all(boot())).toEqual([
    'no device has such memory',
    'nobody watches a process',
    'there is no process',
    'there is no process',
    'nobody is charged for anything',
  ]);
});

it('pages out, who listens, which entries, who is charged', () => {
  const machine = boot();
  sh(machine, 'proc new app', 'a = proc mmap 100 8', 'proc write 100 a 8', 'modprobe test_hmm', 'gpu open 0 100');
  sh(machine, 'gpu to-dev 0 100 a 6', 'gpu exclusive 0 100 a+0x6000 1', 'proc read 100 a 1');
  const before = machine.canonical();
  expect(all(machine)).toEqual([
    expect.stringMatching(/^\S+: 5 of 65536 pages in use \(256 MiB\)\n\S+: 0 of 65536 pages in use \(256 MiB\)$/),
    expect.stringMatching(/^app \(100\): 0 notifiers and 1 interval notifier, sequence \d*[02468]$/),
    'page table entries of 1 address space: 2 present, 0 of swap, 5 device-private, 1 device-exclusive, 0 on the move',
    'app (100): anonymous 8, file 0, shmem 0 pages, 0 swapped out',
    'app: 8 pages charged (32 KiB), no limit',
  ]);
  expect(machine.canonical()).toBe(before);
  sh(machine, 'echo 1M > /sys/fs/cgroup/app/memory.max');
  expect(liveValue(machine, 'memcgs')).toBe('app: 8 pages charged (32 KiB), at most 1 MiB');
});

it('many processes in few lines', () => {
  const machine = boot();
  for (let i = 0; i < 20; i++) sh(machine, 'proc new');
  expect(liveValue(machine, 'rss')?.split('\n')).toHaveLength(8);
  expect(liveValue(machine, 'rss')).toMatch(/and 13 more$/);
});
