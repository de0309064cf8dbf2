/** Peaks, advice, waiting for children, cgroups that go, and calls that end with their process. */
import { describe, expect, it } from 'vitest';
import type { Machine } from '../../sim/index.ts';
import { runShellLine } from '../../sim/index.ts';
import { readFile } from '../../sim/shell/commands.ts';
import { checkAddressSpaces } from '../support/addressSpaces.ts';
import { attempt } from '../support/devices.ts';
import { boot, sh } from '../support/machines.ts';

const number = (machine: Machine, path: string, name: string): number =>
  Number(new RegExp(`^${name}:?\\s+(\\d+)`, 'm').exec(readFile(machine.kernel, path))?.[1]);
const status = (machine: Machine, name: string, pid = 100): number => number(machine, `/proc/${pid}/status`, name);
const start = (...lines: string[]): Machine => {
  const machine = boot();
  sh(machine, 'proc new g', 'a = proc mmap 100 16 rw', 'proc write 100 a 8', ...lines);
  return machine;
};

describe('peaks', () => {
  it('VmHWM and VmPeak stay at what was once there', () => {
    const machine = start();
    expect([status(machine, 'VmPeak'), status(machine, 'VmHWM')]).toEqual([64, 32]);
    sh(machine, 'proc madvise 100 a 8 DONTNEED', 'proc write 100 a 2');
    expect([status(machine, 'VmHWM'), status(machine, 'VmRSS')]).toEqual([32, 8]);
    sh(machine, 'proc munmap 100 a+0x8000 8');
    expect([status(machine, 'VmPeak'), status(machine, 'VmSize')]).toEqual([64, 32]);
    sh(machine, 'proc write 100 a 8');
    expect(status(machine, 'VmHWM')).toBe(32);
  });

  it('a mapping that moves is not there twice', () => {
    const machine = start('proc mremap 100 a 16 to=0x10000000');
    expect([status(machine, 'VmPeak'), status(machine, 'VmSize'), status(machine, 'VmHWM')]).toEqual([64, 64, 32]);
  });

  it('a child begins with what it has', () => {
    const machine = start('proc madvise 100 a 4 DONTNEED', 'proc fork 100');
    expect([status(machine, 'VmHWM'), status(machine, 'VmHWM', 101)]).toEqual([32, 16]);
  });
});

describe('MADV_COLD', () => {
  it('makes active pages the next to go, and forgets that they were used', () => {
    // munmap drains the batch in which new pages wait for their list; two looks make a page active.
    const machine = start('proc munmap 100 a+0xf000 1', 'proc gup 100 a 8', 'proc gup 100 a 8');
    sh(machine, 'proc gup-put 100 a 8', 'proc gup-put 100 a 8');
    const active = number(machine, '/proc/vmstat', 'nr_active_anon');
    expect(active).toBeGreaterThan(0);
    sh(machine, 'proc madvise 100 a 8 COLD');
    expect(number(machine, '/proc/vmstat', 'nr_active_anon')).toBe(0);
    expect(number(machine, '/proc/vmstat', 'pgdeactivate')).toBe(active);
    expect(number(machine, '/proc/100/smaps', 'Referenced')).toBe(0);
    expect(status(machine, 'VmRSS')).toBe(32);
    checkAddressSpaces(machine);
  });

  it('is unknown before 5.4', () => {
    const machine = boot(undefined, '5.3');
    sh(machine, 'proc new g', 'a = proc mmap 100 16 rw');
    expect(attempt(machine, 'proc madvise 100 a 1 COLD').status).toBe(-22);
  });
});

describe('proc wait', () => {
  it('sleeps until a child is over, and then nothing is left of it', () => {
    const machine = start('proc fork 100');
    const waiter = runShellLine(machine, 'proc wait 100');
    expect(waiter?.status).toBe('waiting');
    expect(waiter?.waitsFor?.what).toBe('a child of 100 to exit');
    sh(machine, 'proc exit 101');
    expect(waiter?.output).toEqual(['101']);
    expect([...machine.kernel.state.processes.keys()]).toEqual([100]);
    expect(attempt(machine, 'proc wait 100').status).toBe(-10);
  });
});

describe('rmdir of a cgroup', () => {
  it('is -EBUSY with a process in it; pages stay charged to what is gone', () => {
    const machine = start('mkdir /sys/fs/cgroup/h');
    expect(attempt(machine, 'rmdir /sys/fs/cgroup/g').status).toBe(-16);
    expect(attempt(machine, 'rmdir /sys/fs/cgroup/x').status).toBe(-2);
    expect(attempt(machine, 'rmdir /sys/fs/cgroup').status).toBe(-2);
    sh(machine, 'echo 100 > /sys/fs/cgroup/h/cgroup.procs', 'rmdir /sys/fs/cgroup/g');
    expect(sh(machine, 'ls /sys/fs/cgroup').output[0]).not.toMatch(/^g$/m);
    sh(machine, 'proc write 100 a 9');
    expect(machine.kernel.state.memcgs.get('h')?.usage).toBe(1);
    sh(machine, 'proc exit 100');
    expect(machine.kernel.state.memcgs.get('h')?.usage).toBe(0);
  });
});

describe('a process that dies while a device reads it (7.3)', () => {
  const device = (): Machine => {
    const machine = boot(undefined, '7.3');
    sh(machine, 'proc new g', 'a = proc mmap 100 16 rw', 'proc write 100 a 4', 'modprobe test_hmm', 'gpu open 0 100');
    return machine;
  };

  it('-EINTR for who waits for the mmap lock', () => {
    const machine = device();
    sh(machine, 'struct mm_struct *mm = get_task_mm(current)', 'mmap_write_lock(mm)');
    const reader = runShellLine(machine, 'gpu read-unlocked 0 100 a 4');
    expect(reader?.status).toBe('waiting');
    runShellLine(machine, 'proc exit 100 SIGKILL');
    expect(reader?.error?.message).toMatch(/EINTR/);
    sh(machine, 'mmap_write_unlock(mm)');
    sh(machine, 'mmput(mm)');
    expect(machine.alive).toEqual([]);
    checkAddressSpaces(machine);
  });

  it('what somebody still uses of a killed process is reaped, and touching it again is a bus error', () => {
    const machine = boot();
    sh(machine, 'proc new g', 'a = proc mmap 100 16 rw', 'proc write 100 a 8');
    sh(machine, 'struct mm_struct *mm = get_task_mm(current)');
    sh(machine, 'echo 0 > /sys/fs/cgroup/g/memory.max');
    expect(machine.kernel.state.log.at(-1)?.text).toBe(
      'oom_reaper: reaped process 100 (g), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB',
    );
    expect(machine.kernel.state.memcgs.get('g')?.usage).toBe(0);
    sh(machine, 'echo max > /sys/fs/cgroup/g/memory.max', 'mmap_read_lock(mm)');
    expect(sh(machine, 'handle_mm_fault(find_vma(mm, a), a, 1, NULL)').valueText).toMatch(/^2\b/);
    sh(machine, 'mmap_read_unlock(mm)', 'mmput(mm)');
    expect(machine.kernel.state.mms.size).toBe(0);
  });
});
