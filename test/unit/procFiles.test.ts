/** /proc/PID, memory cgroups, counters, `proc gup` and `pagemap`: their text, and what they refuse. */
import { expect, test } from 'vitest';
import { kpagecgroup_read, kpageflags_read } from '../../sim/fs/kpageflags.ts';
import { type Machine, stateTree, type TreeNode } from '../../sim/index.ts';
import { readFile } from '../../sim/shell/commands.ts';
import { attempt } from '../support/devices.ts';
import { boot, sh } from '../support/machines.ts';

const start = (...lines: string[]): Machine => {
  const machine = boot();
  sh(machine, 'pid = proc new one', 'a = proc mmap pid 4 rw', 'proc write pid a 2', ...lines);
  return machine;
};
const read = (machine: Machine, path: string): string => readFile(machine.kernel, path);
const number = (text: string, name: string): number => Number(new RegExp(`^${name}:?\\s+(\\d+)`, 'm').exec(text)?.[1]);

test('maps: address, protection, offset, device, inode; a name from column 74 on', () => {
  const machine = start('proc mmap pid 2 r file:data shared', 'proc mmap pid 1 none');
  const [none, file, anon, ...more] = read(machine, '/proc/100/maps').split('\n');
  expect(more).toEqual(['']);
  expect(anon).toBe('7ffff7ffb000-7ffff7fff000 rw-p 00000000 00:00 0 ');
  expect(file).toMatch(/^7ffff7ff9000-7ffff7ffb000 r--s 00000000 [0-9a-f]{2}:[0-9a-f]{2} \d+ +\S*data$/);
  expect(file?.search(/\S*data$/)).toBe(73);
  expect(none).toMatch(/ ---p /);
});

test('smaps has all fields of 6.12 in order, those that are 0 too', () => {
  const lines = read(start(), '/proc/100/smaps').trimEnd().split('\n').slice(1);
  expect(lines.map((line) => line.split(':')[0])).toEqual(
    'Size KernelPageSize MMUPageSize Rss Pss Pss_Dirty Shared_Clean Shared_Dirty Private_Clean Private_Dirty Referenced Anonymous KSM LazyFree AnonHugePages ShmemPmdMapped FilePmdMapped Shared_Hugetlb Private_Hugetlb Swap SwapPss Locked THPeligible VmFlags'.split(
      ' ',
    ),
  );
  for (const line of lines.slice(0, -2)) expect(line).toMatch(/^\w+: +\d+ kB$/);
  expect(lines[3]).toBe('Rss:                   8 kB');
  expect(lines[18]).toBe('Private_Hugetlb:       0 kB');
});

test('smaps: a page that two processes map counts half in each, and is shared', () => {
  const machine = start();
  sh(machine, 'proc fork pid');
  for (const pid of [100, 101]) {
    const text = read(machine, `/proc/${pid}/smaps`);
    expect([number(text, 'Rss'), number(text, 'Pss'), number(text, 'Shared_Dirty')]).toEqual([8, 4, 8]);
    expect(number(text, 'Private_Dirty')).toBe(0);
  }
});

test('smaps_rollup adds the mappings up', () => {
  const machine = start(
    'b = proc mmap pid 3 r at=0x10000000',
    'proc mmap pid 5 rw at=0x20000000',
    'proc write pid 0x20000000 5',
  );
  const text = read(machine, '/proc/100/smaps_rollup');
  expect(text.split('\n')[0]).toMatch(/^10000000-7ffff7fff000 ---p 00000000 00:00 0 +\[rollup\]$/);
  expect([number(text, 'Rss'), number(text, 'Pss_Anon')]).toEqual([28, 28]);
});

test('status, statm and comm: exact counts of an address space', () => {
  const machine = start();
  const status = read(machine, '/proc/100/status');
  expect(status.split('\n')[0]).toBe('Name:\tone');
  expect(status).toContain('VmSize:\t      16 kB\n');
  expect([number(status, 'VmRSS'), number(status, 'RssAnon'), number(status, 'VmSwap')]).toEqual([8, 8, 0]);
  expect(number(status, 'VmPTE')).toBe((machine.kernel.state.processes.get(100)?.mm?.pgtables_bytes ?? 0) / 1024);
  expect(read(machine, '/proc/100/statm')).toBe('4 2 0 0 0 4 0\n');
  expect(read(machine, '/proc/100/comm')).toBe('one\n');
  expect(read(machine, '/proc/100/cmdline')).toBe('one\0');
});

test('a process that is over has no memory: its maps are empty, its state is Z while its parent lives', () => {
  const machine = start('child = proc fork pid', 'proc exit child');
  expect(read(machine, '/proc/101/maps')).toBe('');
  expect(read(machine, '/proc/101/status')).toContain('State:\tZ (zombie)\n');
  expect(read(machine, '/proc/101/status')).not.toContain('VmRSS');
  expect(() => read(machine, '/proc/101/smaps_rollup')).toThrow('no such process');
});

test('a process that is not there has no directory', () => {
  const machine = start();
  for (const path of ['/proc/7/maps', '/proc/0100/maps', '/proc/100/nothing', '/proc/100/maps/x', '/proc/constructor'])
    expect(() => read(machine, path), path).toThrow('no such file');
});

test('pagemap is a file of words: cat refuses, the command prints them', () => {
  const machine = start();
  expect(() => read(machine, '/proc/100/pagemap')).toThrow('8-byte word');
  const lines = sh(machine, 'pagemap pid a 4').output[0]?.split('\n') ?? [];
  expect(lines[0]).toMatch(
    /^0x7ffff7ffb000 pagemap=0x81[0-9a-f]{14} PRESENT pfn=0x[0-9a-f]+ file\/shared=0 exclusive=1/,
  );
  expect(lines[3]).toContain('pagemap=0x0000000000000000 none');
  expect(lines).toHaveLength(4);
});

test('proc gup holds pages until gup-put, beyond munmap and the end of the process', () => {
  const machine = start('proc gup pid a 2 pin', 'proc gup pid a 1');
  const { kernel } = machine;
  const [pfn = 0] =
    kernel.state.userPins
      .get(100)
      ?.get(0x7ffff7ffb)
      ?.map((held) => held.pfn) ?? [];
  sh(machine, 'proc munmap pid a 4', 'proc exit pid');
  expect(kernel.pages.refcount.get(pfn)).toBe(1024 + 1);
  sh(machine, 'proc gup-put 100 a 2 pin');
  expect(kernel.pages.refcount.get(pfn)).toBe(1);
  sh(machine, 'proc gup-put 100 a 1');
  expect(kernel.pages.refcount.get(pfn)).toBe(0);
  expect(kernel.state.userPins.size).toBe(0);
});

test.each([
  ['proc gup', 0],
  ['proc gup pid', 0],
  ['proc gup pid a 1 pinned', 0],
  ['proc gup pid a 1 pin pin', 0],
  ['proc gup pid a+1 1', -22],
  ['proc gup pid a -1', -22],
  ['proc gup pid a 9999999', -22],
  ['proc gup 7 a 1', -3],
  ['proc gup pid 0x1000 1', -14],
  ['proc gup pid a 1 longterm', -22],
  ['proc gup-put pid a 1', -22],
  ['pagemap', 0],
  ['pagemap 7 0', -3],
  ['pagemap pid 3', -22],
  ['mkdir', 0],
  ['mkdir /tmp/x', -1],
  ['mkdir /sys/fs/cgroup/one', -17],
  ['mkdir /sys/fs/cgroup/one/two', -1],
  ['echo x > /sys/fs/cgroup/one/memory.max', -22],
  ['echo 7 > /sys/fs/cgroup/one/cgroup.procs', -3],
  ['echo x > /sys/fs/cgroup/one/cgroup.procs', -22],
  ['echo 1 > /sys/fs/cgroup/one/memory.current', -13],
  ['cat /sys/fs/cgroup/memory.max', -2],
  ['cat /sys/fs/cgroup/two/memory.max', -2],
])('%s is refused, and nothing of the memory changes', (line, status) => {
  const machine = start();
  const text = (): string => {
    const { processes, folios, memcgs, userPins } = machine.kernel.state;
    return machine.kernel.store.canonical({ processes, folios, memcgs, userPins });
  };
  const before = text();
  const result = attempt(machine, line);
  expect(result.status).not.toBe(0);
  if (status !== 0) expect(result.status).toBe(status);
  expect(text()).toBe(before);
});

test('a memory cgroup: its files, its limit, and a process that moves leaves its charges', () => {
  const machine = start('mkdir /sys/fs/cgroup/two', 'echo 3M > /sys/fs/cgroup/two/memory.max');
  const usage = (name: string): number | undefined => machine.kernel.state.memcgs.get(name)?.usage;
  expect(read(machine, '/sys/fs/cgroup/one/cgroup.procs')).toBe('100\n');
  expect(usage('one')).toBe(2);
  expect(read(machine, '/sys/fs/cgroup/two/memory.max')).toBe('3145728\n');
  sh(machine, 'echo 100 > /sys/fs/cgroup/two/cgroup.procs', 'proc write pid a+0x2000 1');
  expect([usage('one'), usage('two')]).toEqual([2, 1]);
  expect(read(machine, '/sys/fs/cgroup/one/cgroup.procs')).toBe('');
  expect(number(read(machine, '/sys/fs/cgroup/two/memory.stat'), 'anon')).toBe(4096);
  expect(read(machine, '/proc/100/cgroup')).toBe('0::/two\n');
  sh(machine, 'echo max > /sys/fs/cgroup/two/memory.max');
  expect(read(machine, '/sys/fs/cgroup/two/memory.max')).toBe('max\n');
});

test('at the limit a write fails, and memory.events counts it', () => {
  const machine = start('echo 20K > /sys/fs/cgroup/one/memory.max');
  expect(attempt(machine, 'proc write pid a+0x2000 1').status).not.toBe(0);
  expect(number(read(machine, '/sys/fs/cgroup/one/memory.events'), 'max')).toBeGreaterThan(0);
});

test('meminfo and vmstat count what processes have', () => {
  const machine = start();
  const meminfo = read(machine, '/proc/meminfo');
  expect([number(meminfo, 'AnonPages'), number(meminfo, 'PageTables')]).toEqual([8, 12]);
  const vmstat = read(machine, '/proc/vmstat');
  expect([number(vmstat, 'nr_anon_pages'), number(vmstat, 'nr_page_table_pages')]).toEqual([2, 3]);
  expect(number(vmstat, 'pgfault')).toBe(2);
});

test('what zones and nodes count anew is what /proc/vmstat keeps', () => {
  const machine = start('proc new two', 'b = proc mmap 101 64 rw', 'proc write 101 b 64', 'proc fork 101');
  const vmstat = read(machine, '/proc/vmstat');
  const zoneinfo = read(machine, '/proc/zoneinfo');
  const node = read(machine, '/sys/devices/system/node/node0/vmstat');
  const sum = (name: string): number =>
    [...zoneinfo.matchAll(new RegExp(`^ +${name} +(\\d+)$`, 'gm'))].reduce((all, match) => all + Number(match[1]), 0);
  for (const name of [
    'nr_inactive_anon',
    'nr_anon_pages',
    'nr_page_table_pages',
    'nr_mapped',
    'nr_zone_inactive_anon',
  ]) {
    expect(sum(name), name).toBe(number(vmstat, name));
    expect(number(node, name), name).toBe(number(vmstat, name));
  }
  expect(number(vmstat, 'nr_inactive_anon')).toBeGreaterThan(30);
});

test('the State tree shows processes, their mappings, and where the pages are; rows are made when they are opened', () => {
  const machine = start('proc read pid a+0x2000 1');
  const position = { revision: 1, step: 1, steps: 1, machine: '', release: '6.12', lastStep: '' };
  const find = (nodes: TreeNode[], label: string): TreeNode | undefined =>
    nodes.find((node) => node.label.startsWith(label));
  const processes = find(stateTree(machine, position), 'Processes');
  const one = find(processes?.children ?? [], 'one (100)');
  expect(one?.description).toBe('8 KiB of 16 KiB');
  const mapping = find(one?.children ?? [], '7ffff7ffb000-7ffff7fff000');
  expect(mapping?.description).toBe('rw-p 16 KiB');
  expect(mapping?.children.map(({ label, description }) => `${label}: ${description}`)).toEqual([
    'present: 2 pages · 8 KiB',
    'zero page: 1 pages · 4 KiB',
  ]);
});

/** What of a process there is in many kinds: pages of files, shared memory, huge pages, locked and swapped ones. */
const many = (): Machine =>
  start(
    'swapon swapfile 1024',
    'f = proc mmap pid 8 rw file:data shared',
    'proc write pid f 8',
    's = proc mmap pid 8 rw anon shared',
    'proc write pid s 3',
    'l = proc mmap pid 4 rw',
    'proc write pid l 4',
    'proc mlock pid l 4',
    'w = proc mmap pid 16 rw',
    'proc write pid w 16',
    'proc madvise pid w 16 pageout',
    'proc read pid w 2',
    'h = proc mmap pid 512 rw',
    'proc madvise pid h 512 hugepage',
    'proc write pid h 512',
    'proc fork pid',
    'proc write 101 w 1',
  );

test('counters of zones and nodes are the sums that are kept, whatever kinds of pages there are', () => {
  const machine = many();
  const vmstat = read(machine, '/proc/vmstat');
  const zoneinfo = read(machine, '/proc/zoneinfo');
  const names = [...vmstat.matchAll(/^(nr_\S+) (\d+)$/gm)].filter(
    ([, name]) => !/free_pages|dirty_|memmap|unstable|foll_pin/.test(name ?? ''),
  );
  const seen = names.filter(([, , value]) => value !== '0').map(([, name]) => name);
  for (const wanted of ['nr_anon_pages', 'nr_mapped', 'nr_shmem', 'nr_mlock', 'nr_anon_transparent_hugepages'])
    expect(seen).toContain(wanted);
  for (const [, name, value] of names) {
    const all = [...zoneinfo.matchAll(new RegExp(`^ +${name} +(\\d+)$`, 'gm'))];
    expect(
      all.reduce((sum, match) => sum + Number(match[1]), 0),
      name,
    ).toBe(Number(value));
  }
});

test('meminfo, smaps and status speak of swap, shared memory and huge pages', () => {
  const machine = many();
  const meminfo = read(machine, '/proc/meminfo');
  expect(number(meminfo, 'SwapTotal')).toBe(4096 - 4);
  expect(number(meminfo, 'SwapTotal') - number(meminfo, 'SwapFree')).toBeGreaterThan(0);
  expect([number(meminfo, 'AnonHugePages'), number(meminfo, 'Mlocked')]).toEqual([2048, 16]);
  const status = read(machine, '/proc/100/status');
  const rollup = read(machine, '/proc/100/smaps_rollup');
  expect(number(status, 'VmSwap')).toBe(number(rollup, 'Swap'));
  expect(number(status, 'VmRSS')).toBe(number(rollup, 'Rss'));
  expect(number(status, 'VmLck')).toBe(16);
  expect(number(rollup, 'SwapPss')).toBeLessThan(number(rollup, 'Swap'));
  expect(number(rollup, 'AnonHugePages')).toBe(2048);
});

test('reading writes nothing', () => {
  const machine = many();
  const { kernel } = machine;
  const mark = kernel.mark();
  for (const pid of [100, 101])
    for (const name of ['maps', 'smaps', 'smaps_rollup', 'status', 'statm', 'comm', 'cmdline', 'cgroup'])
      read(machine, `/proc/${pid}/${name}`);
  for (const path of ['/proc/meminfo', '/proc/vmstat', '/proc/zoneinfo', '/sys/devices/system/node/node0/meminfo'])
    read(machine, path);
  for (const name of ['memory.current', 'memory.stat', 'memory.max', 'memory.events', 'cgroup.procs'])
    read(machine, `/sys/fs/cgroup/one/${name}`);
  read(machine, '/sys/fs/cgroup/memory.stat');
  kpageflags_read(kernel, 0, 0x80000);
  kpagecgroup_read(kernel, 0, 0x80000);
  const open = (nodes: TreeNode[]): void => {
    for (const node of nodes) open(node.children);
  };
  open(stateTree(machine, { revision: 1, step: 1, steps: 1, machine: '', release: '6.12', lastStep: '' }));
  expect(kernel.mark()).toBe(mark);
});

test('kpagecgroup: pages of a process are those of its cgroup, others are nobody’s', () => {
  const machine = start();
  const [folio] = machine.kernel.state.folios.values();
  expect(kpagecgroup_read(machine.kernel, folio?.pfn ?? 0, 1)[0]).toBe(2n);
  expect(kpagecgroup_read(machine.kernel, 0x1000, 1)[0]).toBe(0n);
});
