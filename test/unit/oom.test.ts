/** Limits and the OOM killer: what is reclaimed, who is killed, what the log and the files say. */
import { describe, expect, it } from 'vitest';
import type { Machine, RELEASES } from '../../sim/index.ts';
import { readFile } from '../../sim/shell/commands.ts';
import { checkAddressSpaces } from '../support/addressSpaces.ts';
import { attempt } from '../support/devices.ts';
import { boot, sh } from '../support/machines.ts';

const read = (machine: Machine, path: string): string => readFile(machine.kernel, path);
const number = (text: string, name: string): number =>
  Number(new RegExp(`^${name}:?\\s+(-?\\d+)`, 'm').exec(text)?.[1]);
const events = (machine: Machine, name = 'g'): number[] => {
  const text = read(machine, `/sys/fs/cgroup/${name}/memory.events`);
  return ['max', 'oom', 'oom_kill'].map((event) => number(text, event));
};
const log = (machine: Machine): string[] => machine.kernel.state.log.map(({ text }) => text);
const pids = (machine: Machine): number[] =>
  [...machine.kernel.state.processes.values()].filter(({ mm }) => mm).map(({ pid }) => pid);

/** Processes 100 and 101 in the cgroup g, with 4 and 8 pages written. */
const two = (release = '6.12', ...lines: string[]): Machine => {
  const machine = boot(undefined, release as (typeof RELEASES)[number]);
  sh(machine, 'proc new g', 'a = proc mmap 100 64 rw', 'proc write 100 a 4', 'proc new big');
  sh(machine, 'echo 101 > /sys/fs/cgroup/g/cgroup.procs', 'b = proc mmap 101 64 rw', 'proc write 101 b 8', ...lines);
  return machine;
};
const atRest = (machine: Machine): void => {
  checkAddressSpaces(machine);
  for (const mm of machine.kernel.state.mms.values()) {
    expect(mm.mmap_lock.readers).toEqual([]);
    expect(mm.mmap_lock.writer).toBeUndefined();
  }
};

describe('a memory cgroup at its limit', () => {
  it('kills the process with the most pages, and the fault of the other succeeds', () => {
    const machine = two('6.12', 'echo 48K > /sys/fs/cgroup/g/memory.max');
    const result = attempt(machine, 'proc write 100 a 5');
    expect(result.status).toBe(0);
    expect(pids(machine)).toEqual([100]);
    expect(events(machine)).toEqual([18, 1, 1]);
    expect(machine.kernel.state.memcgs.get('g')?.usage).toBe(5);
    expect(number(read(machine, '/proc/vmstat'), 'oom_kill')).toBe(1);
    atRest(machine);
  });

  it('counts the fault that waited for it once', () => {
    const machine = two('6.12', 'echo 48K > /sys/fs/cgroup/g/memory.max');
    const before = number(read(machine, '/proc/vmstat'), 'pgfault');
    sh(machine, 'proc write 100 a 5');
    expect(number(read(machine, '/proc/vmstat'), 'pgfault') - before).toBe(1);
  });

  it('kills who asks if that is the worst; nothing of it is left', () => {
    const machine = two('6.12', 'echo 48K > /sys/fs/cgroup/g/memory.max');
    const result = attempt(machine, 'proc write 101 b 20');
    expect(result.status).toBe(-12);
    expect(pids(machine)).toEqual([100]);
    expect(machine.kernel.state.memcgs.get('g')?.usage).toBe(4);
    expect(attempt(machine, 'proc write 101 b 1').status).toBe(-3);
    atRest(machine);
  });

  it('swaps out first where there is swap, and nobody dies', () => {
    const machine = two('6.12', 'echo 48K > /sys/fs/cgroup/g/memory.max', 'swapon /swap 4096');
    sh(machine, 'proc write 100 a 64', 'proc write 101 b 64');
    expect(pids(machine)).toEqual([100, 101]);
    expect(machine.kernel.state.memcgs.get('g')?.usage).toBeLessThanOrEqual(12);
    expect(events(machine).slice(1)).toEqual([0, 0]);
    expect(events(machine)[0]).toBeGreaterThan(0);
    expect(number(read(machine, '/proc/100/status'), 'VmSwap')).toBeGreaterThan(0);
    // What was swapped out is what was written.
    expect(sh(machine, 'proc read 100 a 64').output[0]).toMatch(/64 page\(s\): word i holds i$/);
    atRest(machine);
  });

  it('goes on with what it has not swapped out yet, however much is written', () => {
    const machine = two('6.12', 'echo 4M > /sys/fs/cgroup/g/memory.max', 'swapon /swap 200000');
    sh(machine, 'c = proc mmap 101 50000 rw at=0x100001000');
    sh(machine, 'proc write 101 c 50000');
    expect(events(machine).slice(1)).toEqual([0, 0]);
    atRest(machine);
  });

  it('kills once swap is full', () => {
    const machine = two('6.12', 'echo 48K > /sys/fs/cgroup/g/memory.max', 'swapon /swap 17');
    attempt(machine, 'proc write 101 b 64');
    expect(events(machine)[2]).toBeGreaterThan(0);
    atRest(machine);
  });

  it('never takes a page that someone holds for long', () => {
    const machine = two('6.12', 'proc gup 100 a 4 write pin longterm', 'swapon /swap 4096');
    sh(machine, 'echo 48K > /sys/fs/cgroup/g/memory.max', 'proc write 101 b 64');
    expect(pids(machine)).toEqual([100, 101]);
    expect(number(read(machine, '/proc/100/status'), 'VmSwap')).toBe(0);
    sh(machine, 'proc gup-put 100 a 4 pin');
    atRest(machine);
  });

  it('in get_user_pages the call fails, and the process is gone behind it', () => {
    const machine = two('6.12', 'echo 48K > /sys/fs/cgroup/g/memory.max');
    expect(attempt(machine, 'proc gup 101 b+0x10000 2 write').status).toBe(-12);
    expect(pids(machine)).toEqual([100]);
    atRest(machine);
  });

  it('to 4.18 get_user_pages only fails, a write kills', () => {
    const machine = two('4.14', 'echo 48K > /sys/fs/cgroup/g/memory.max');
    expect(attempt(machine, 'proc gup 101 b+0x10000 2 write').status).toBe(-12);
    expect(pids(machine)).toEqual([100, 101]);
    expect(events(machine)).toEqual([7, 1, 0]);
    expect(attempt(machine, 'proc write 100 a 5').status).toBe(0);
    expect(pids(machine)).toEqual([100]);
    atRest(machine);
  });

  it('a limit below what is used swaps, and then kills until it is kept', () => {
    const swapping = two('6.12', 'swapon /swap 4096', 'echo 16K > /sys/fs/cgroup/g/memory.max');
    expect(swapping.kernel.state.memcgs.get('g')?.usage).toBeLessThanOrEqual(4);
    expect(pids(swapping)).toEqual([100, 101]);
    const killing = two('6.12', 'echo 20K > /sys/fs/cgroup/g/memory.max');
    expect(pids(killing)).toEqual([100]);
    expect(events(killing)).toEqual([0, 1, 1]);
    sh(killing, 'echo 0 > /sys/fs/cgroup/g/memory.max');
    expect(pids(killing)).toEqual([]);
    atRest(killing);
  });

  it('is no obstacle for pages that come home from a device, whose charge only moves', () => {
    const machine = two('6.12', 'modprobe test_hmm', 'gpu open 0 101', 'gpu to-dev 0 101 b 8');
    sh(machine, 'echo 48K > /sys/fs/cgroup/g/memory.max');
    const usage = machine.kernel.state.memcgs.get('g')?.usage;
    expect(sh(machine, 'proc read 101 b 8').output[0]).toMatch(/8 page\(s\): word i holds i$/);
    expect(machine.kernel.state.memcgs.get('g')?.usage).toBe(usage);
    expect(events(machine)).toEqual([0, 0, 0]);
    expect(pids(machine)).toEqual([100, 101]);
  });

  it('counts pages on a device for who has to go', () => {
    const machine = two('6.12', 'modprobe test_hmm', 'gpu open 0 101', 'gpu to-dev 0 101 b 8');
    sh(machine, 'echo 48K > /sys/fs/cgroup/g/memory.max', 'proc write 100 a 5');
    expect(pids(machine)).toEqual([100]);
    expect(log(machine).at(-1)).toMatch(/Killed process 101 \(big\).*anon-rss:32kB/);
    expect(read(machine, '/proc/iomem')).toContain('hmm');
    atRest(machine);
  });

  it('travelling back brings the victim back', () => {
    const machine = two('6.12', 'echo 48K > /sys/fs/cgroup/g/memory.max');
    const [before, position] = [machine.canonical(), machine.position];
    sh(machine, 'proc write 100 a 5');
    const after = machine.canonical();
    machine.travel(position);
    expect(machine.canonical()).toBe(before);
    machine.travel(position + 1);
    expect(machine.canonical()).toBe(after);
  });
});

describe('who has to go', () => {
  it('oom_score_adj protects, and condemns', () => {
    const machine = two('6.12', 'echo 48K > /sys/fs/cgroup/g/memory.max', 'echo -1000 > /proc/101/oom_score_adj');
    expect(attempt(machine, 'proc write 101 b 9').status).toBe(0);
    expect(pids(machine)).toEqual([101]);
    expect(read(machine, '/proc/101/oom_score')).toBe('0\n');
  });

  it('is nobody if all are protected: the access fails and everybody lives', () => {
    const machine = two('6.12', 'echo 48K > /sys/fs/cgroup/g/memory.max');
    sh(machine, 'echo -1000 > /proc/100/oom_score_adj', 'echo -1000 > /proc/101/oom_score_adj');
    expect(attempt(machine, 'proc write 101 b 9').status).toBe(-12);
    expect(pids(machine)).toEqual([100, 101]);
    expect(log(machine).at(-1)).toBe('Out of memory and no killable processes...');
    expect(events(machine)).toEqual([18, 1, 0]);
    atRest(machine);
  });

  it('oom_score is 666 for a process of nothing since 5.9, and moves with oom_score_adj', () => {
    const machine = two();
    expect(read(machine, '/proc/100/oom_score')).toBe('666\n');
    sh(machine, 'echo 500 > /proc/100/oom_score_adj');
    expect(Number(read(machine, '/proc/100/oom_score'))).toBeGreaterThan(990);
    expect(read(machine, '/proc/100/oom_score_adj')).toBe('500\n');
    expect(read(two('5.8'), '/proc/100/oom_score')).toBe('0\n');
  });

  it.each(['1001', '-1001', 'x', ''])('oom_score_adj refuses %s', (text) => {
    const machine = two();
    expect(attempt(machine, `echo "${text}" > /proc/100/oom_score_adj`).status).toBe(-22);
    expect(read(machine, '/proc/100/oom_score_adj')).toBe('0\n');
  });

  it('a child has the oom_score_adj of its parent', () => {
    const machine = two('6.12', 'echo 300 > /proc/100/oom_score_adj', 'proc fork 100');
    expect(read(machine, '/proc/102/oom_score_adj')).toBe('300\n');
  });

  it('to 5.1 a child goes for its parent', () => {
    const lines = [
      'proc fork 101',
      'proc write 101 b 10',
      'echo 88K > /sys/fs/cgroup/g/memory.max',
      'proc write 100 a 5',
    ];
    expect(pids(two('5.1', ...lines))).toEqual([100, 101]);
    expect(pids(two('5.2', ...lines))).toEqual([100, 102]);
  });
});

describe('the log', () => {
  it('has the table of tasks, the summary and the victim, as 6.12 prints them', () => {
    const machine = two('6.12', 'echo 48K > /sys/fs/cgroup/g/memory.max');
    const from = log(machine).length;
    sh(machine, 'proc write 100 a 5');
    expect(log(machine).slice(from)).toEqual([
      'g invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0',
      'memory: usage 48kB, limit 48kB, failcnt 18',
      'Tasks state (memory values in pages):',
      '[  pid  ]   uid  tgid total_vm      rss rss_anon rss_file rss_shmem pgtables_bytes swapents oom_score_adj name',
      '[    100]     0   100       64        4        4        0         0    12288        0             0 g',
      '[    101]     0   101       64        8        8        0         0    12288        0             0 big',
      'oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/g,task_memcg=/g,task=big,pid=101,uid=0',
      'Memory cgroup out of memory: Killed process 101 (big) total-vm:256kB, anon-rss:32kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:12kB oom_score_adj:0',
    ]);
  });

  it('needs two lines for the victim to 5.1', () => {
    const machine = two('5.1', 'echo 48K > /sys/fs/cgroup/g/memory.max', 'proc write 100 a 5');
    expect(log(machine).slice(-2)).toEqual([
      expect.stringMatching(/^Memory cgroup out of memory: Kill process 101 \(big\) score \d+ or sacrifice child$/),
      'Killed process 101 (big) total-vm:256kB, anon-rss:32kB, file-rss:0kB, shmem-rss:0kB',
    ]);
  });
});

describe('the whole machine', () => {
  it('kills the worst of all processes when no page is left', () => {
    const machine = two();
    const free = number(read(machine, '/proc/vmstat'), 'nr_free_pages');
    const half = Math.ceil(free / 2) + 500;
    sh(machine, 'proc new hog', `c = proc mmap 102 ${half} rw`, `d = proc mmap 102 ${half} rw`);
    sh(machine, `proc write 102 c ${half} 7`);
    const result = attempt(machine, `proc write 102 d ${half} 7`);
    expect(result.status).toBe(-12);
    expect(pids(machine)).toEqual([100, 101]);
    expect(log(machine).at(-1)).toMatch(/^Out of memory: Killed process 102 \(hog\)/);
    expect(log(machine).some((text) => text.includes('page allocation failure'))).toBe(false);
    expect(number(read(machine, '/proc/vmstat'), 'nr_free_pages')).toBeGreaterThan(free - 100);
  });
});
