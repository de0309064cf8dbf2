import { describe, expect, it } from 'vitest';
import { get_max_dump_pfn, kpagecount_read, kpageflags_read, kpf } from '../../sim/fs/kpageflags.ts';
import { blocksOf } from '../../sim/fs/node.ts';
import { type Machine, runShellLine, statusOf } from '../../sim/index.ts';
import { readFile } from '../../sim/shell/commands.ts';
import { boot, machineOf, mapLines, sh } from '../support/machines.ts';
import { recording } from '../support/recording.ts';

const BOOT = 'a-2G_00-boot';
const names = (text: string): string[] => text.split('\n').map((line) => line.split(' ')[0] ?? '');
const value = (text: string, name: string): number => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1]);
const shape = (text: string): string[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => line.replace(/:\s+\d+/, (match) => `:${match.length}`));
const output = (machine: Machine, line: string): string => runShellLine(machine, line)?.output.join('\n') ?? '';

/** The recorded c1 machine: 1 GiB of legacy pmem at 4 GiB, here as plain device space. */
const c1 = (): Machine =>
  machineOf({
    name: 'c1',
    physBits: 40,
    config: { pageExtension: false },
    e820: [
      { start: '0x0', end: '0x9fbff', type: 'usable' },
      { start: '0x100000', end: '0xbffdcfff', type: 'usable' },
      { start: '0x100000000', end: '0x13fffffff', type: 'persistent (type 12)' },
      { start: '0x140000000', end: '0x1bfffffff', type: 'usable' },
    ],
  });

describe('/proc/vmstat', () => {
  const text = readFile(boot().kernel, '/proc/vmstat');

  it('has the recorded fields, all of them in their order', () => {
    expect(names(text)).toEqual(names(recording(BOOT, 'vmstat')));
  });

  it('counts memory for struct pages as recorded: none at run time, 512 pages a section at boot', () => {
    const real = recording(BOOT, 'vmstat');
    for (const name of ['nr_memmap_pages', 'nr_memmap_boot_pages']) expect(value(text, name)).toBe(value(real, name));
  });

  it('gives the dirty thresholds that the kernel works out of the free pages it has', () => {
    // Our machine has no page cache, so more is free; the recorded ones follow from the recorded free pages.
    const machine = boot();
    const zone = machine.kernel.nodes[0]?.node_zones[1];
    const real = recording(BOOT, 'vmstat');
    if (zone) zone.nr_free -= value(text, 'nr_free_pages') - value(real, 'nr_free_pages');
    const ours = readFile(machine.kernel, '/proc/vmstat');
    for (const name of ['nr_free_pages', 'nr_dirty_threshold', 'nr_dirty_background_threshold'])
      expect(value(ours, name), name).toBe(value(real, name));
  });

  it('a device region adds its memory map, and gives it back', () => {
    const machine = boot();
    sh(machine, ...mapLines('MEMORY_DEVICE_GENERIC'), 'memremap_pages(&m, 0)');
    expect(value(readFile(machine.kernel, '/proc/vmstat'), 'nr_memmap_pages')).toBe(1024);
    sh(machine, 'memunmap_pages(&m)');
    expect(value(readFile(machine.kernel, '/proc/vmstat'), 'nr_memmap_pages')).toBe(0);
  });
});

describe('/sys/devices/system/node', () => {
  const { kernel } = boot();
  const recorded = recording(BOOT, 'nodes').replace(/^==.*\n/, '');

  it('meminfo has the recorded lines and columns, and the recorded total', () => {
    const ours = readFile(kernel, '/sys/devices/system/node/node0/meminfo');
    const real = recorded.replace(/^(cpulist|distance).*\n/gm, '');
    expect(shape(ours)).toEqual(shape(real));
    expect(ours.split('\n')[0]).toBe(real.split('\n')[0]);
  });

  it('cpulist, distance and the masks read as recorded', () => {
    expect(readFile(kernel, '/sys/devices/system/node/node0/cpulist')).toBe('0\n');
    expect(readFile(kernel, '/sys/devices/system/node/node0/distance')).toBe('10\n');
    for (const name of ['online', 'possible', 'has_memory', 'has_normal_memory'])
      expect(readFile(kernel, `/sys/devices/system/node/${name}`)).toBe('0\n');
  });

  it('links the memory blocks of its node, and none for device memory', () => {
    expect(blocksOf(kernel, 0)).toEqual(
      [...recording(BOOT, 'memory_blocks').matchAll(/^memory(\d+) /gm)].map((match) => Number(match[1])),
    );
    const machine = boot();
    sh(machine, ...mapLines('MEMORY_DEVICE_GENERIC'), 'memremap_pages(&m, 0)');
    expect(blocksOf(machine.kernel, 0)).toHaveLength(16);
    expect(output(machine, 'ls /sys/devices/system/node/node0').split('\n')).toContain('memory15');
  });
});

describe('/proc/kpageflags', () => {
  it('reaches to the end of the section of max_pfn, as page-types counted, and no byte further', () => {
    const { kernel } = boot();
    const pages = Number(/total\s+(\d+)/.exec(recording(BOOT, 'page-types'))?.[1]);
    expect(get_max_dump_pfn(kernel)).toBe(pages);
    expect(kpageflags_read(kernel, pages - 2, 8)).toHaveLength(2);
    expect(kpageflags_read(kernel, pages, 1)).toHaveLength(0);
    expect(kpageflags_read(kernel, 0xfcf0000, 1)).toHaveLength(0);
  });

  it('ended at max_pfn in 5.4', () => {
    expect(get_max_dump_pfn(boot('qemu-2g', '5.4').kernel)).toBe(0x7ffdd);
  });

  it('free pages are buddy, first and last of a block alike, and reserved ones reserved', () => {
    const { kernel } = boot();
    expect([...kpageflags_read(kernel, 0x2400, 3)]).toEqual([kpf('BUDDY'), kpf('BUDDY'), kpf('BUDDY')]);
    expect([...kpageflags_read(kernel, 0x1000, 1)]).toEqual([kpf('RESERVED')]);
    expect(kpf('RESERVED')).toBe(0x100000000n);
    expect([...kpagecount_read(kernel, 0x2400, 2)]).toEqual([0n, 0n]);
  });

  it('every page of a persistent memory region is NOPAGE and counts 0, in each recorded mode, mapped or not', () => {
    const real = /pfn 0x([0-9a-f]+)\.\.0x([0-9a-f]+) step 1 kpageflags=0x([0-9a-f]+) kpagecount=(\d+)/.exec(
      recording('c1-1G_04-fsdax-mem', 'kpf'),
    );
    const first = Number.parseInt(real?.[1] ?? '', 16);
    const last = Number.parseInt(real?.[2] ?? '', 16);
    const machine = c1();
    const check = (): void => {
      const words = kpageflags_read(machine.kernel, first, last - first + 1);
      expect(words).toHaveLength(0x40000);
      expect(new Set(words)).toEqual(new Set([BigInt(`0x${real?.[3]}`)]));
      expect(new Set(kpagecount_read(machine.kernel, first, last - first + 1))).toEqual(new Set([0n]));
    };
    check();
    for (const line of [
      'ndctl disable-namespace namespace0.0',
      'ndctl create-namespace -f -e namespace0.0 -m fsdax -M mem',
      'ndctl create-namespace -f -e namespace0.0 -m fsdax -M dev',
      'ndctl create-namespace -f -e namespace0.0 -m devdax -M mem',
    ]) {
      sh(machine, line);
      check();
    }
  });

  it('a part of an early section that a device had is no page to see after it is gone', () => {
    // As the recorded machine with two regions of pmem and RAM between them in one section.
    const machine = machineOf({
      name: 'cs5',
      physBits: 40,
      e820: [
        { start: '0x0', end: '0x9fbff', type: 'usable' },
        { start: '0x100000', end: '0xbffdcfff', type: 'usable' },
        { start: '0x100000000', end: '0x103ffffff', type: 'persistent (type 12)' },
        { start: '0x104000000', end: '0x1bfffffff', type: 'usable' },
      ],
    });
    const look = (): string => output(machine, 'page-types -lNr -a 0x103fff+2').split('\n').slice(1).join(' ');
    const before = look();
    expect(before).toMatch(/^103fff\t1\t_{20}n_{22} 104000\t1\t_{10}B/);
    // The region was mapped as it was found at boot.
    expect(machine.kernel.state.pgmaps).toHaveLength(1);
    sh(machine, 'ndctl disable-namespace namespace0.0');
    expect(machine.kernel.state.pgmaps).toHaveLength(0);
    expect(look()).toBe(before);
  });

  it('cat refuses what is no text, and names the tool', () => {
    const program = runShellLine(boot(), 'cat /proc/kpageflags');
    expect(program && statusOf(program)).toBeLessThan(0);
    expect(program?.error?.message).toContain('page-types');
  });
});

describe('page-types', () => {
  const row = (text: string, flag: string): number =>
    Number(new RegExp(`(\\d+)\\s+\\d+  \\S+\\t${flag}$`, 'm').exec(text)?.[1]);

  it('prints header, rows and total in the recorded columns', () => {
    const real = recording(BOOT, 'page-types').trimEnd().split('\n');
    const ours = output(boot(), 'page-types').split('\n');
    expect(ours[0]).toBe(real[0]);
    expect(ours.at(-1)).toBe(real.at(-1));
    const buddy = (lines: string[]): string | undefined =>
      lines.find((line) => line.endsWith('\tbuddy'))?.replace(/\t\s*\d+\s+\d+ /, '\tN ');
    expect(buddy(ours)).toBe(buddy(real));
  });

  it('as many pages are buddy as the free counters say', () => {
    const machine = boot();
    const free = machine.kernel.nodes[0]?.node_zones.reduce((sum, zone) => sum + zone.nr_free, 0);
    expect(row(output(machine, 'page-types'), 'buddy')).toBe(free);
  });

  it('the recorded machine with pmem has as many pages without a struct page to see', () => {
    const machine = c1();
    sh(
      machine,
      'struct dev_pagemap m',
      'm.type = MEMORY_DEVICE_FS_DAX; m.nr_range = 1; m.range.start = 0x100000000; m.range.end = 0x13fffffff',
      'memremap_pages(&m, 0)',
    );
    const [real, ours] = [recording('c1-1G_04-fsdax-mem', 'page-types'), output(machine, 'page-types')];
    expect(row(real, 'nopage')).toBe(524288);
    expect(row(ours, 'nopage')).toBe(row(real, 'nopage'));
    expect(/total.*/.exec(ours)?.[0]).toBe(/total.*/.exec(real)?.[0]);
  });

  it('device private memory lies beyond the last word: the recorded total does not change with it', () => {
    const machine = boot();
    sh(machine, 'struct dev_pagemap_ops ops', 'ops.page_free = put_page; ops.migrate_to_ram = put_page');
    sh(machine, ...mapLines('MEMORY_DEVICE_PRIVATE'), 'm.ops = &ops; m.owner = &ops', 'memremap_pages(&m, 0)');
    const real = recording('d-hmm_02-loaded', 'page-types');
    expect(/total.*/.exec(output(machine, 'page-types'))?.[0]).toBe(/total.*/.exec(real)?.[0]);
    expect(real).not.toContain('nopage');
    expect(kpageflags_read(machine.kernel, 0xfcf0000, 1)).toHaveLength(0);
    expect(output(machine, 'page-types -a 0xfcf0000+16')).toMatch(/total\s+0\s+0$/);
  });

  it('raw mode shows reserved pages, which the plain mode hides', () => {
    const machine = boot();
    expect(output(machine, 'page-types -r')).toMatch(/^0x0000000100000000\t.*\treserved$/m);
    expect(output(machine, 'page-types')).not.toContain('reserved');
  });

  it('lists ranges, single pages, and only what a filter lets through', () => {
    const machine = boot();
    expect(output(machine, 'page-types -l -N -r -a 0x23fe+4')).toBe(
      `offset\tlen\tflags\n23fe\t2\t${'_'.repeat(27)}r${'_'.repeat(15)}\n2400\t2\t${'_'.repeat(10)}B${'_'.repeat(32)}`,
    );
    expect(output(machine, 'page-types -LN -a 0x2400,0x2402')).toBe(
      `offset\tflags\n2400\t${'_'.repeat(10)}B${'_'.repeat(32)}\n2401\t${'_'.repeat(10)}B${'_'.repeat(32)}`,
    );
    expect(output(machine, 'page-types -a 0x23fe+4 -b buddy')).toMatch(/total\s+2\s+0$/);
    expect(output(machine, 'page-types -ra 0x23fe+4 -b=reserved')).toMatch(/total\s+2\s+0$/);
    expect(output(machine, 'page-types -d 0x10,anon')).toBe(
      `0x0000000000001010\t____D_______a${'_'.repeat(30)}\tdirty,anonymous`,
    );
  });

  it.each([
    ['page-types -z', "page-types: invalid option -- 'z'"],
    ['page-types --nonsense', "page-types: unrecognized option '--nonsense'"],
    ['page-types --list-', "page-types: option '--list-' is ambiguous"],
    ['page-types -a', "page-types: option requires an argument -- 'a'"],
    ['page-types -b wrong', 'invalid name or number: wrong'],
    ['page-types -a 9,3', 'invalid range: 9,3'],
    ['page-types -d 0x8000000', 'unknown flag bit 27'],
    ['page-types -p 1', '/proc/1/pagemap: No such file or directory'],
    ['page-types -L', 'page-types: more than 65536 lines'],
  ])('%s is answered as the tool answers', (line, message) => {
    const machine = boot();
    const before = machine.canonical();
    const program = runShellLine(machine, line);
    expect(program?.error?.message).toContain(message);
    expect(program && statusOf(program)).toBeLessThan(0);
    expect(machine.canonical() === before).toBe(true);
  });
});
