import { describe, expect, it } from 'vitest';
import { altmapLayout, pfnLayout } from '../../sim/drivers/nvdimm/pfn.ts';
import { iomem } from '../../sim/fs/proc.ts';
import { type Machine, type Release, runShellLine, statusOf } from '../../sim/index.ts';
import { page_ref_count } from '../../sim/mm/compound_page.ts';
import { flagsWord } from '../../sim/mm/page_flags.ts';
import { boot, machineOf, pmemMachine, sh } from '../support/machines.ts';

function attempt(machine: Machine, line: string): { status: number; text: string } {
  const program = runShellLine(machine, line);
  if (!program) throw new Error(line);
  return { status: statusOf(program), text: [...program.output, program.error?.message ?? ''].join('\n') };
}
const json = (machine: Machine, line: string): unknown => JSON.parse(sh(machine, line).output.join('\n'));
const memmap = (machine: Machine, node = 0): number => machine.kernel.nodes[node]?.nr_memmap ?? 0;
const MIB = 1n << 20n;
const GIB = 1n << 30n;

/** A machine with 2 GiB of RAM and one legacy range. */
const legacy = (start: bigint, size: bigint, release: Release = '6.12'): Machine =>
  machineOf(
    {
      name: 'legacy',
      physBits: 40,
      e820: [
        { start: '0x100000', end: '0x7fffffff', type: 'usable' },
        { start: Number(start), end: Number(start + size - 1n), type: 'persistent (type 12)' },
      ],
    },
    release,
  );

describe('the info block of a pfn device, as worked out by hand', () => {
  it.each([
    { start: 4n * GIB, size: 16n * GIB, dataoff: 270532608n, npfns: 4128256n, free: 66046n },
    { start: 4n * GIB, size: GIB, dataoff: 18n * MIB, npfns: 257536n, free: 4606n },
    { start: 5n * GIB, size: 128n * MIB, dataoff: 4n * MIB, npfns: 31744n, free: 1022n },
  ])('$size bytes at $start', ({ start, size, dataoff, npfns, free }) => {
    const layout = pfnLayout(start, size, 'pmem', 2n * MIB);
    expect(layout).toEqual({ start_pad: 0n, dataoff, npfns, end_trunc: 0n });
    expect(altmapLayout(start, size, { dataoff, end_trunc: 0n, start_pad: 0n })).toEqual({
      base_pfn: start >> 12n,
      end_pfn: (start + size - 1n) >> 12n,
      reserve: 2n,
      free,
    });
  });

  it('1023 MiB lose their last MiB', () => {
    expect(pfnLayout(4n * GIB, 1023n * MIB, 'pmem', 2n * MIB)).toMatchObject({ dataoff: 16n * MIB, end_trunc: MIB });
  });
});

describe('alignment', () => {
  it.each([
    ['start', 4n * GIB + MIB, 1023n * MIB],
    ['end', 4n * GIB, 1023n * MIB],
  ])('legacy memory whose %s is off by 1 MiB is not mapped: -EOPNOTSUPP', (_what, start, size) => {
    const machine = legacy(start, size);
    const log = machine.kernel.state.log.map(({ text }) => text);
    expect(log).toContainEqual(
      expect.stringMatching(/^nd_pmem namespace0\.0: \[mem .* flags 0x200\] misaligned, unable to map$/),
    );
    expect(log).toContain('nd_pmem namespace0.0: probe with driver nd_pmem failed with error -95');
    expect(iomem(machine.kernel)).not.toContain('namespace0.0');
    expect(machine.kernel.state.pgmaps).toHaveLength(0);
    expect(json(machine, 'ndctl list -i')).toEqual([
      { dev: 'namespace0.0', mode: 'fsdax', map: 'mem', size: Number(size), sector_size: 512, state: 'disabled' },
    ]);
    expect(attempt(machine, 'ndctl enable-namespace namespace0.0').status).toBe(-95);
  });

  it('a region aligned to 2 MiB instead of 16 takes the 1000 MiB that ndctl refused', () => {
    const machine = pmemMachine('cs1-1000M');
    sh(machine, 'echo 0x200000 > /sys/bus/nd/devices/region0/align');
    sh(machine, 'ndctl create-namespace -f -e namespace0.0 -m fsdax -M dev -a 2M');
    expect(json(machine, 'ndctl list')).toMatchObject([{ size: Number(984n * MIB), map: 'dev', align: 2097152 }]);
    // Seven whole sections take their map from the altmap; the last is part of a boot section.
    expect(memmap(machine)).toBe(3584);
    expect(machine.kernel.state.pgmaps[0]?.pgmap.altmap).toMatchObject({ alloc: 3584n, free: 4094n });
  });

  it('what the region cannot be aligned to is refused', () => {
    const machine = pmemMachine('c1-1G');
    for (const value of ['3', '0x300000', 'much', '0x80000000'])
      expect(attempt(machine, `echo ${value} > /sys/bus/nd/devices/region0/align`).status).toBe(-22);
  });
});

describe('compound pages of a devdax namespace', () => {
  const machine = boot('server-2n-pmem');
  sh(machine, 'ndctl create-namespace -m devdax -M mem -a 1G -s 16G -r region0');

  it('of 1 GiB keep two pages of struct pages each', () => {
    expect(memmap(machine)).toBe(32);
  });

  it('have one head with the only reference, and the order in the first tail', () => {
    const { kernel } = machine;
    const head = 0x6080000000 / 4096;
    expect(page_ref_count(kernel, head)).toBe(1);
    expect(page_ref_count(kernel, head + 2 ** 18)).toBe(1);
    for (const tail of [1, 63, 512, 2 ** 18 - 1]) expect(page_ref_count(kernel, head + tail)).toBe(0);
    expect(flagsWord(kernel, head).word & 0x40n).toBe(0x40n);
    expect(flagsWord(kernel, head + 1).word & 0xffn).toBe(18n);
  });

  it('a reference to a tail counts on its head', () => {
    sh(machine, 'get_page(pfn_to_page(0x6080005))');
    expect(page_ref_count(machine.kernel, 0x6080000)).toBe(2);
    sh(machine, 'put_page(pfn_to_page(0x6080005))');
    expect(page_ref_count(machine.kernel, 0x6080000)).toBe(1);
  });

  it('came with 5.17: before, every page has its own', () => {
    for (const [release, pages] of [
      ['5.16', 4096],
      ['5.17', 1024],
    ] as const) {
      const old = legacy(4n * GIB, GIB, release);
      sh(old, 'ndctl create-namespace -f -e namespace0.0 -m devdax -M mem');
      expect(memmap(old), release).toBe(pages);
    }
  });
});

describe('NVDIMMs with labels', () => {
  it('are free space at first; namespaces are cut from it and given back', () => {
    const machine = boot('server-2n-pmem');
    expect(sh(machine, 'ndctl list').output).toEqual([]);
    sh(
      machine,
      'ndctl create-namespace -r region0 -m fsdax -s 64G -n data',
      'ndctl create-namespace -r region0 -m sector -s 2G',
    );
    expect(json(machine, 'ndctl list -r region0 -N')).toMatchObject([
      { dev: 'namespace0.1', mode: 'sector', sector_size: 4096, blockdev: 'pmem0.1s' },
      { dev: 'namespace0.0', mode: 'fsdax', map: 'dev', blockdev: 'pmem0', name: 'data' },
    ]);
    expect(iomem(machine.kernel)).toContain('6080000000-707fffffff : namespace0.0\n');
    expect(machine.kernel.nodes[0]?.node_zones[4]?.spanned_pages).toBe(64 * 2 ** 18);
    expect(json(machine, 'ndctl list -R -r region0')).toMatchObject([{ available_size: Number(446n * GIB) }]);
    sh(machine, 'ndctl destroy-namespace -f all');
    expect(json(machine, 'ndctl list -R -r region0')).toMatchObject([{ available_size: Number(512n * GIB) }]);
    expect(memmap(machine)).toBe(0);
  });

  it('a namespace found again after it was disabled has its uuid, mode and name', () => {
    const machine = boot('server-2n-pmem');
    sh(machine, 'ndctl create-namespace -m devdax -s 4G -n cache');
    const before = json(machine, 'ndctl list -v');
    sh(machine, 'ndctl disable-namespace all');
    expect(sh(machine, 'ndctl list').output).toEqual([]);
    sh(machine, 'ndctl enable-namespace all');
    expect(json(machine, 'ndctl list -v')).toEqual(before);
  });

  it('no region has room for 1 TiB', () => {
    expect(attempt(boot('server-2n-pmem'), 'ndctl create-namespace -s 1T')).toEqual({
      status: -19,
      text: expect.stringContaining('failed to create namespace: No space left on device'),
    });
  });
});

describe('whoever still uses a pagemap', () => {
  it('keeps ndctl waiting, and is named; once it lets go the namespace is disabled', () => {
    const machine = pmemMachine('c1-1G');
    sh(machine, 'p = get_dev_pagemap(0x100000, NULL)');
    const waiting = runShellLine(machine, 'ndctl disable-namespace namespace0.0');
    expect(waiting?.status).toBe('waiting');
    expect(waiting?.waitsFor?.what).toContain('namespace0.0');
    // What was taken last is given back first: the region is still reserved.
    expect(iomem(machine.kernel)).toContain('100000000-13fffffff : namespace0.0');
    sh(machine, 'put_dev_pagemap(p)');
    expect(waiting?.status).toBe('done');
    expect(waiting?.output).toEqual(['disabled 1 namespace']);
    expect(iomem(machine.kernel)).not.toContain('namespace0.0');
    expect(memmap(machine)).toBe(0);
  });
});

describe('numbers for people', () => {
  it('one element stands alone, sizes come in both units', () => {
    const machine = pmemMachine('c1-1G');
    expect(json(machine, 'ndctl list -u')).toMatchObject({ dev: 'namespace0.0', size: '1024.00 MiB (1073.74 MB)' });
    expect(json(machine, 'ndctl list -Ru')).toMatchObject({ dev: 'region0', available_size: 0 });
  });
});

describe('a wrong line is answered as the tool would, and changes nothing', () => {
  const machine = pmemMachine('c1-1G');
  const before = machine.canonical();
  it.each([
    ['ndctl list -Z', "  Error: unknown switch `Z'"],
    ['ndctl list --frob', "  Error: unknown option `frob'"],
    ['ndctl list -m frob', "  Error: invalid mode: 'frob'"],
    ['ndctl list namespace0.0', '  Error: unknown parameter "namespace0.0"'],
    ['ndctl frob', "Unknown command: 'frob'"],
    ['ndctl create-namespace -m', "  Error: switch `m' requires a value"],
    ['ndctl create-namespace -m frob', "  Error: invalid mode 'frob'"],
    ['ndctl create-namespace -M here', "  Error: invalid map location 'here'"],
    ['ndctl create-namespace -s 3X', "  Error: failed to parse namespace size '3X'"],
    ['ndctl create-namespace -a 3M', '  Error: align must be a power-of-2 greater than 4096'],
    ['ndctl create-namespace -u 1-2', "  Error: failed to parse uuid: '1-2'"],
    ['ndctl create-namespace -m sector -M mem', '  Error: --map only valid for an devdax mode pmem namespace'],
    ['ndctl create-namespace namespace0.0', '  Error: unknown extra parameter "namespace0.0"'],
    ['ndctl create-namespace', 'failed to create namespace: No space left on device'],
    [
      'ndctl create-namespace -e namespace0.0 -m fsdax',
      '  Error: namespace0.0 is active, specify --force for re-configuration',
    ],
    [
      'ndctl create-namespace -f -e namespace0.0 -s 512M',
      '  Error: Legacy / label-less namespaces do not support sub-dividing a region',
    ],
    ['ndctl create-namespace -f -e namespace0.0 -m devdax -a 16M', '  Error: unsupported align: 16M'],
    [
      'ndctl create-namespace -f -e namespace0.0 -m raw -a 2M',
      '  Error: raw mode does not support setting an alignment',
    ],
    [
      'ndctl create-namespace -f -e namespace7.0 -m fsdax',
      'failed to reconfigure namespace: No such device or address',
    ],
    ['ndctl create-namespace -f -e namespace0.0 -m sector -l 1000', 'does not support btt sector_size 1000'],
    ['ndctl disable-namespace', '  Error: specify a namespace to disable, or "all"'],
    ['ndctl disable-namespace a b', '  Error: unknown extra parameter "b"'],
    [
      'ndctl enable-namespace namespace7.0',
      'error enabling namespaces: No such device or address\nenabled 0 namespaces',
    ],
    ['ndctl destroy-namespace namespace0.0', '  Error: namespace0.0 is active, specify --force for re-configuration'],
    ['daxctl reconfigure-device', 'specify a device to reconfigure, or "all"'],
    ['daxctl reconfigure-device dax0.0', "error: a 'mode' or 'size' option is required"],
    ['daxctl reconfigure-device -m devdax -N dax0.0', '--no-online is incompatible with --mode=devdax'],
    ['daxctl online-memory dax0.0', 'error onlining memory: No such device or address\nonlined memory for 0 devices'],
    ['daxctl list -x', "  Error: unknown switch `x'"],
    ['echo maybe > /sys/bus/nd/devices/namespace0.0/force_raw', 'EINVAL'],
    ['echo dax9.9 > /sys/bus/dax/drivers/kmem/bind', 'ENODEV'],
    ['echo frob > /sys/bus/dax/drivers/kmem/new_id', 'EINVAL'],
    ['echo namespace0.0 > /sys/bus/nd/drivers/nd_pmem/bind', 'EBUSY'],
  ])('%s', (line, says) => {
    const { status, text } = attempt(machine, line);
    expect(status).toBeLessThan(0);
    expect(text).toContain(says);
    expect(machine.canonical() === before).toBe(true);
  });
});

describe('older releases', () => {
  it('until 5.2 a last section shared with RAM is cut off, and the data is padded for whole sections', () => {
    const machine = pmemMachine('cs1-1000M', '4.19');
    sh(machine, 'ndctl create-namespace -f -e namespace0.0 -m fsdax -M dev -a 2M');
    // Seven sections are left of the 1000 MiB; their map and two pages are rounded up to 16 MiB.
    expect(json(machine, 'ndctl list')).toMatchObject([{ size: Number((7n * 128n - 16n) * MIB) }]);
    expect(machine.kernel.state.log.at(-2)?.text).toBe(
      `pfn0.0: namespace0.0 alignment collision, truncate ${104 * 2 ** 20} bytes`,
    );
  });

  it('until 5.6 a misaligned start is found only when it is mapped', () => {
    const machine = legacy(4n * GIB + MIB, GIB, '5.4');
    expect(machine.kernel.state.log.map(({ text }) => text)).toContainEqual(
      expect.stringMatching(/^Misaligned __add_pages start/),
    );
    expect(iomem(machine.kernel)).not.toContain('namespace0.0');
  });

  it('4.6 has no device-dax, 5.0 no kmem', () => {
    expect(attempt(legacy(4n * GIB, GIB, '4.6'), 'ndctl create-namespace -f -e namespace0.0 -m devdax').text).toContain(
      'Kernel does not support devdax mode',
    );
    const machine = legacy(4n * GIB, GIB, '5.0');
    sh(machine, 'ndctl create-namespace -f -e namespace0.0 -m devdax');
    expect(attempt(machine, 'daxctl reconfigure-device -m system-ram dax0.0').status).toBe(-95);
    expect(attempt(machine, 'echo dax0.0 > /sys/bus/dax/drivers/kmem/new_id').status).toBe(-2);
  });
});
