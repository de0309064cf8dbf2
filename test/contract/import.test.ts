import { describe, expect, it } from 'vitest';
import { importFolder, readMachineFolder } from '../../extension/session/machineFolder.ts';
import { createSession } from '../../extension/session/session.ts';
import { blocksOf } from '../../sim/fs/node.ts';
import { iomem, zoneinfo } from '../../sim/fs/proc.ts';
import { type ImportedMachine, type ImportFiles, Machine, runShellLine, statusOf } from '../../sim/index.ts';
import { readFile } from '../../sim/shell/commands.ts';
import {
  folderOf,
  imported,
  machineFiles,
  problemsOf,
  RECORDED,
  type Recorded,
  without,
  withoutRoot,
} from '../support/imports.ts';
import { boot, sh } from '../support/machines.ts';
import { type RecordedZone, recordedZoneinfo, recordedZones, recording } from '../support/recording.ts';

const bootOf = ({ config, release }: ImportedMachine): Machine => new Machine(config, release ?? '6.12');
const zonesOf = (machine: Machine): RecordedZone[] =>
  machine.kernel.nodes.flatMap((node) =>
    node.node_zones.map((zone) => ({
      node: node.node_id,
      name: zone.name,
      start: zone.zone_start_pfn,
      spanned: zone.spanned_pages,
      present: zone.present_pages,
      managed: zone.managed_pages,
    })),
  );

/** Every zone is as recorded. */
function expectZones(name: Recorded, machine: ImportedMachine): void {
  expect(zonesOf(bootOf(machine))).toEqual(recordedZones(`${name}_00-boot`));
}

describe.each(RECORDED)('the folder of %s', (name) => {
  const files = machineFiles(name);
  const ways: [string, ImportFiles][] = [
    ['copied as root', files],
    ['copied without root', withoutRoot(files)],
    ['without the kernel log', without(files, 'dmesg')],
    ['without root and without the kernel log', without(withoutRoot(files), 'dmesg')],
  ];

  it.each(ways)('%s boots a machine with the recorded zones: start, spanned, present, managed', (_way, copies) => {
    expectZones(name, imported(copies));
  });

  it('has the recorded memory blocks, all on their nodes and online', () => {
    const machine = imported(files);
    const { kernel } = bootOf(machine);
    const real = [...recording(`${name}_00-boot`, 'memory_blocks').matchAll(/^memory(\d+) .*state=online/gm)].map(
      (match) => Number(match[1]),
    );
    expect(real.length).toBeGreaterThan(8);
    expect(kernel.nodes.flatMap((node) => blocksOf(kernel, node.node_id))).toEqual(real);
    for (const node of kernel.nodes)
      for (const block of blocksOf(kernel, node.node_id))
        expect(files.has(`sys/devices/system/memory/memory${block}/node${node.node_id}`)).toBe(true);
    expect(machine.setup.filter((line) => !line.startsWith('occupy '))).toEqual([]);
  });

  it('has the recorded MemTotal, of the machine and of each node', () => {
    const { kernel } = bootOf(imported(files));
    const total = (text: string): string | undefined => /^.*MemTotal:.*$/m.exec(text)?.[0];
    expect(total(readFile(kernel, '/proc/meminfo'))).toBe(total(files.get('proc/meminfo') ?? ''));
    for (const { node_id } of kernel.nodes) {
      const path = `/sys/devices/system/node/node${node_id}/meminfo`;
      expect(total(readFile(kernel, path))).toBe(total(files.get(path.slice(1)) ?? ''));
    }
  });

  it('has the release of its log, its command line, its CPUs and distances', () => {
    const { config, release } = imported(files);
    expect(release).toBe('6.12');
    expect(config.cmdline).toBe(files.get('proc/cmdline')?.split('\n')[0]);
    for (const node of config.nodes) {
      expect(files.get(`sys/devices/system/node/node${node.id}/cpulist`)).toBe(`${node.cpus.join(',')}\n`);
      expect(files.get(`sys/devices/system/node/node${node.id}/distance`)).toBe(`${node.distance.join(' ')}\n`);
    }
  });
});

describe('what was imported prints back', () => {
  it.each(RECORDED)('%s: /proc/iomem byte for byte', (name) => {
    const files = machineFiles(name);
    expect(iomem(bootOf(imported(files)).kernel)).toBe(files.get('proc/iomem'));
  });

  it.each(RECORDED)(
    '%s: bounds, watermarks and protection of every zone in /proc/zoneinfo, with the log and without',
    (name) => {
      const files = machineFiles(name);
      const real = recordedZoneinfo(files.get('proc/zoneinfo') ?? '');
      for (const copies of [files, without(files, 'dmesg'), without(withoutRoot(files), 'dmesg')])
        expect(recordedZoneinfo(zoneinfo(bootOf(imported(copies)).kernel))).toEqual(real);
    },
  );

  it.each(RECORDED)(
    '%s: /proc/buddyinfo byte for byte once its setup lines have run, and undoing them gives the booted machine back',
    (name) => {
      const files = machineFiles(name);
      const machine = imported(files);
      const booted = bootOf(machine);
      const first = booted.canonical();
      sh(booted, ...machine.setup);
      expect(readFile(booted.kernel, '/proc/buddyinfo')).toBe(files.get('proc/buddyinfo'));
      booted.travel(0);
      expect(booted.canonical() === first).toBe(true);
    },
  );

  it('occupy refuses what cannot be, and changes nothing', () => {
    const machine = bootOf(imported(machineFiles('a-2G')));
    const before = machine.canonical();
    for (const [line, message] of [
      ['occupy', 'occupy: occupy NODE ZONE'],
      ['occupy 0 DMA32 1 2 3', 'a count of free blocks for each of 11 orders'],
      ['occupy 7 DMA32 0 0 0 0 0 0 0 0 0 0 0', 'node 7 has no zone DMA32'],
      ['occupy 0 DMA 0 0 0 0 0 0 0 0 0 0 99', 'it has 3 free blocks of order 10, not 99'],
    ] as const) {
      const program = runShellLine(machine, line);
      expect(program?.error?.message).toContain(message);
      expect(program && statusOf(program)).toBeLessThan(0);
    }
    expect(machine.canonical() === before).toBe(true);
  });

  it.each([
    ['00-boot', []],
    ['02-disabled', ['ndctl disable-namespace namespace0.0']],
    ['05-fsdax-dev', []],
    ['06-devdax-mem', ['ndctl create-namespace -f -e namespace0.0 -m devdax -M mem']],
    ['07-devdax-dev', ['ndctl create-namespace -f -e namespace0.0 -m devdax -M dev']],
    ['13-sector', []],
    ['14-destroyed', ['ndctl disable-namespace namespace0.0']],
  ] as const)('persistent memory is set up as /proc/iomem has it: %s', (moment, lines) => {
    // Which of the modes that show alike it was (05, 13) cannot be told: it stays as it boots.
    const text = recording(`c1-1G_${moment}`, 'iomem');
    const machine = imported(without(machineFiles('c1-1G').set('proc/iomem', text), 'proc/buddyinfo'));
    expect(machine.setup).toEqual(lines);
    const booted = bootOf(machine);
    for (const line of machine.setup) sh(booted, line);
    expect(iomem(booted.kernel)).toBe(text);
    expect(machine.said.join()).not.toContain('what drivers made');
  });

  it.each(['mem', 'dev'])(
    'so is a DAX device on NVDIMMs, with its map in %s; a file system there is only said',
    (map) => {
      const made = (options: string): string => {
        const machine = boot('server-2n-pmem');
        sh(machine, `ndctl create-namespace -r region0 ${options}`);
        return iomem(machine.kernel);
      };
      const copy = (text: string) =>
        imported(
          new Map([
            ['proc/iomem', text],
            ['proc/cpuinfo', 'address sizes\t: 46 bits physical, 48 bits virtual\n'],
          ]),
        );
      const text = made(`-m devdax -M ${map}`);
      const machine = copy(text);
      expect(machine.setup).toEqual([`ndctl create-namespace -r region0 -m devdax -M ${map}`]);
      const booted = bootOf(machine);
      sh(booted, ...machine.setup);
      expect(iomem(booted.kernel)).toBe(text);
      const fsdax = copy(made('-m fsdax'));
      expect(fsdax.setup).toEqual([]);
      expect(fsdax.said.join()).toContain('is not imported: namespace0.0');
    },
  );

  it('what differs is said, zone by zone and line by line', () => {
    const { said } = imported(machineFiles('c1-1G'));
    expect(said).toContain(
      'zone Normal of node 0 has 488497 pages free, as proc/buddyinfo counts; proc/zoneinfo, read at another moment, has 488506',
    );
    expect(imported(machineFiles('a-2G')).said).toEqual([
      'which pages boot kept for itself, besides the kernel image, is estimated: as many as each zone lacked (from proc/zoneinfo)',
      'zone DMA32 of node 0 has 498886 pages free, as proc/buddyinfo counts; proc/zoneinfo, read at another moment, has 498896',
    ]);
    const blind = imported(without(machineFiles('a-2G'), 'proc/buddyinfo')).said;
    expect(blind).toContain(
      'zone DMA32 of node 0: free is 506801 in the booted machine, and was 498896: what the running system had allocated is not known without proc/buddyinfo',
    );
  });

  it('what root would add is said', () => {
    const { said } = imported(withoutRoot(machineFiles('a-2G')));
    expect(said.some((note) => /zeros without root; exact with proc\/iomem copied as root/.test(note))).toBe(true);
  });

  it('blocks that are offline, or came later, are done again by shell lines', () => {
    const files = machineFiles('e-hotplug');
    files.set('sys/devices/system/memory/memory3/state', 'offline\n');
    for (const number of [32, 33]) {
      files.set(`sys/devices/system/memory/memory${number}/state`, number === 32 ? 'online\n' : 'offline\n');
      files.set(`sys/devices/system/memory/memory${number}/valid_zones`, 'Movable\n');
      files.set(`sys/devices/system/memory/memory${number}/node0`, '');
    }
    expect(imported(without(files, 'proc/buddyinfo')).setup).toEqual([
      'echo offline > /sys/devices/system/memory/memory3/state',
      'dimm plug 256M node=0 at=0x100000000',
      'echo online_movable > /sys/devices/system/memory/memory32/state',
    ]);
  });
});

describe('a machine of more than 64 GiB', () => {
  /** RAM to `end`, blocks of `pages` pages: one is offline, and behind them a DIMM of two, the second offline. */
  function large(end: bigint, pages: number, cpuinfo: string): ImportedMachine & { said: string[] } {
    const ram = [
      [0x0n, 0x9ffffn],
      [0x100000n, 0xbfffffffn],
      [0x1_0000_0000n, end - 1n],
    ] as const;
    const line = ([from, to]: (typeof ram)[number]): string =>
      `BIOS-e820: [mem 0x${from.toString(16).padStart(16, '0')}-0x${to.toString(16).padStart(16, '0')}] usable`;
    const files = new Map([
      ['dmesg', ['Linux version 6.12.5 (built here) #1 SMP', ...ram.map(line), ''].join('\n')],
      ['proc/cpuinfo', cpuinfo],
      ['sys/devices/system/memory/block_size_bytes', `${(pages * 4096).toString(16)}\n`],
    ]);
    const bytes = BigInt(pages) << 12n;
    const last = Number(end / bytes);
    for (let block = 0; block < last + 2; block++) {
      const from = BigInt(block) * bytes;
      if (from >= 0xc000_0000n && from + bytes <= 0x1_0000_0000n) continue;
      const path = `sys/devices/system/memory/memory${block}`;
      files.set(`${path}/state`, block === 24 || block === last + 1 ? 'offline\n' : 'online\n');
      files.set(`${path}/valid_zones`, block < last ? 'Normal\n' : 'Movable\n');
      files.set(`${path}/node0`, '');
    }
    return imported(files);
  }
  const CPU = 'processor\t: 0\naddress sizes\t: 46 bits physical, 48 bits virtual\nflags\t\t: fpu vme';
  const states = (machine: Machine, block: number): string =>
    ['state', 'valid_zones']
      .map((file) => readFile(machine.kernel, `/sys/devices/system/memory/memory${block}/${file}`))
      .join('');

  it.each([
    ['has memory blocks of 2 GiB', 128n << 30n, 1 << 19, `${CPU}\n`, false],
    ['and smaller ones below a hypervisor', (128n << 30n) + (256n << 20n), 1 << 16, `${CPU} hypervisor lm\n`, true],
    ['which their size tells where the CPU does not', (128n << 30n) + (256n << 20n), 1 << 16, '', true],
  ] as const)('%s', (_what, end, pages, cpuinfo, hypervisor) => {
    const machine = large(end, pages, cpuinfo);
    expect(machine.config.hypervisor).toBe(hypervisor);
    const booted = bootOf(machine);
    expect(readFile(booted.kernel, '/sys/devices/system/memory/block_size_bytes')).toBe(
      `${(pages * 4096).toString(16)}\n`,
    );
    const last = Number(end >> 12n) / pages;
    const first = `0x${end.toString(16)}`;
    expect(machine.setup).toEqual([
      'echo offline > /sys/devices/system/memory/memory24/state',
      `dimm plug ${(2 * pages) / 256}M node=0 at=${first}`,
      `echo online_movable > /sys/devices/system/memory/memory${last}/state`,
    ]);
    sh(booted, ...machine.setup);
    expect(states(booted, 24)).toMatch(/^offline\n/);
    expect(states(booted, last)).toBe('online\nMovable\n');
    expect(states(booted, last + 1)).toMatch(/^offline\n/);
  });

  it('blocks of a size that this machine would not have are said, and done with what it has', () => {
    const machine = large(128n << 30n, 1 << 19, `${CPU} hypervisor\n`);
    expect(machine.said.join('\n')).not.toContain('memory blocks are of');
    const odd = large((128n << 30n) + (256n << 20n), 1 << 16, `${CPU}\n`);
    expect(odd.said).toContain('memory blocks are of 2048 MiB in the booted machine, and were of 256 MiB');
    expect(odd.setup).toEqual([]);
  });
});

describe('the folder is read', () => {
  it('file by file, the links of memory blocks included, and gives the same machine', async () => {
    const files = machineFiles('b1-3G+3G');
    const folder = folderOf(files);
    const found = await readMachineFolder(folder, '/copy/');
    expect(found.get('proc/zoneinfo')).toBe(files.get('proc/zoneinfo'));
    expect(found.has('sys/devices/system/memory/memory40/node1')).toBe(true);
    const result = await importFolder(folder, '/copy', 'test');
    expect('json' in result && result.json).toBe(imported(files).json);
    expect(folder.reads.every((path) => path.startsWith('/copy/'))).toBe(true);
  });

  it('also where sosreport puts the log', async () => {
    const files = machineFiles('a-2G');
    const log = files.get('dmesg') ?? '';
    const sos = without(files, 'dmesg').set('sos_commands/kernel/dmesg', log);
    expect(imported(sos).json).toBe(imported(files).json);
    const found = await readMachineFolder(folderOf(sos), '/copy');
    expect(found.get('sos_commands/kernel/dmesg')).toBe(log);
  });

  it('the machine file is one that a session boots', () => {
    const session = createSession({
      storage: { get: () => undefined, set: () => undefined },
      clock: { now: () => 0, breathe: () => Promise.resolve() },
    });
    const { json } = imported(machineFiles('a-2G'), 'my laptop');
    expect(session.chooseMachine({ json, name: 'my laptop' })).toEqual({ problems: [] });
    expect(session.machineName).toBe('my laptop');
    session.dispose();
  });
});

describe('a folder that cannot be imported is refused with the file and the line', () => {
  const change = (path: string, text: string): Map<string, string> => machineFiles('a-2G').set(path, text);
  const cut = (path: string, at: RegExp): Map<string, string> => {
    const text = machineFiles('a-2G').get(path) ?? '';
    return change(path, text.slice(0, text.search(at)));
  };
  const cases: [string, Map<string, string>, RegExp][] = [
    ['nothing at all', new Map(), /^proc\/zoneinfo: is missing, and neither proc\/iomem/],
    [
      'zoneinfo cut off',
      cut('proc/zoneinfo', / {8}managed {2}506801/),
      /^proc\/zoneinfo:\d+: zone DMA32 of node 0 has no line for managed: the file was cut off/,
    ],
    ['binary garbage', change('proc/iomem', '\u007fELF\u0001\u0000\u0000'), /^proc\/iomem:1: holds binary data/],
    ['another text', change('proc/iomem', 'hello\n'), /^proc\/iomem:1: is no line of \/proc\/iomem: "hello"/],
    [
      'addresses near 2^63',
      change('proc/iomem', '7fffffffffff0000-7fffffffffffffff : System RAM\n'),
      /^proc\/iomem:1: reaches 0x7f+, beyond 52 bits/,
    ],
    [
      'a range that ends before it starts',
      change('proc/iomem', '2000-1000 : System RAM\n'),
      /^proc\/iomem:1: the range ends before it starts/,
    ],
    [
      'ranges that overlap',
      change('proc/iomem', '1000-2fff : A\n2000-3fff : B\n'),
      /^proc\/iomem:2: overlaps the range on line 1/,
    ],
    [
      'too many pages',
      change('proc/zoneinfo', 'Node 0, zone DMA\n  pages free 9007199254740993\n'),
      /^proc\/zoneinfo:2: 9007199254740992 pages are more than 52 bits/,
    ],
    [
      'more managed than present',
      change(
        'proc/zoneinfo',
        'Node 0, zone DMA\n  pages free 0\n min 0\n low 0\n high 0\n spanned 1\n present 1\n managed 2\n',
      ),
      /^proc\/zoneinfo:1: .*which cannot be/,
    ],
    ['a node beyond all', change('proc/zoneinfo', 'Node 70000, zone DMA\n'), /^proc\/zoneinfo:1: node 70000 is beyond/],
    [
      'a firmware map that overlaps',
      change('dmesg', 'BIOS-e820: [mem 0x0-0x9ffff] usable\nBIOS-e820: [mem 0x1000-0x2000] usable\n'),
      /^dmesg:2: overlaps or precedes/,
    ],
    [
      'an arm64 log',
      change('dmesg', '[    0.000000] Booting Linux on physical CPU 0x0000000000 [0x410fd083]\n'),
      /^dmesg:1: is the log of an arm machine/,
    ],
    [
      'arm64 CPUs',
      change('proc/cpuinfo', 'processor\t: 0\nBogoMIPS\t: 50.00\nCPU implementer\t: 0x41\n'),
      /^proc\/cpuinfo:3: is that of another architecture/,
    ],
    [
      'zones of arm64',
      without(
        change(
          'proc/zoneinfo',
          'Node 0, zone DMA\n  pages free 1\n min 0\n low 0\n high 0\n spanned 786432\n present 786432\n managed 700000\n  start_pfn: 262144\n',
        ),
        'dmesg',
      ),
      /^proc\/zoneinfo:1: zone DMA ends at page 1048576, .*another architecture/,
    ],
    ['a 32-bit machine', change('proc/zoneinfo', 'Node 0, zone HighMem\n'), /^proc\/zoneinfo:1: a HighMem zone/],
    [
      'a state that is none',
      change('sys/devices/system/memory/memory3/state', 'sleeping\n'),
      /^sys\/devices\/system\/memory\/memory3\/state:1: "sleeping" is no state/,
    ],
    [
      'a block size that is none',
      change('sys/devices/system/memory/block_size_bytes', '1234\n'),
      /^sys\/devices\/system\/memory\/block_size_bytes:1: /,
    ],
    [
      'distances that are none',
      change('sys/devices/system/node/node0/distance', '10 x\n'),
      /^sys\/devices\/system\/node\/node0\/distance:1: /,
    ],
    [
      'a list of CPUs that is none',
      change('sys/devices/system/node/node0/cpulist', '0-99999\n'),
      /^sys\/devices\/system\/node\/node0\/cpulist:1: /,
    ],
  ];
  it.each(cases)('%s', (_what, files, message) => {
    const [problem] = problemsOf(files);
    expect(problem).toMatch(message);
  });

  it.each([
    [
      'a million ranges',
      () =>
        Array.from(
          { length: 1_000_000 },
          (_, i) => `${(i * 8192).toString(16)}-${(i * 8192 + 4095).toString(16)} : System RAM`,
        ).join('\n'),
    ],
    [
      'as many as fit in a file',
      () =>
        Array.from(
          { length: 200_000 },
          (_, i) => `${(i * 8192).toString(16)}-${(i * 8192 + 4095).toString(16)} : System RAM`,
        ).join('\n'),
    ],
    ['a line without end', () => 'x'.repeat(1 << 20)],
    ['100 MB of one byte', () => '0'.repeat(100_000_000)],
  ])('%s, at once', (_what, make) => {
    const files = change('proc/iomem', make());
    const start = performance.now();
    expect(problemsOf(files)[0]).toMatch(/^proc\/iomem(:\d+)?: /);
    expect(performance.now() - start).toBeLessThan(1000);
  });
});
