/** What the kernel command line makes of a machine's memory. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkMachine, type Machine } from '../../sim/index.ts';
import { memparse, parameters, userDefinedMap } from '../../sim/machine/commandLine.ts';
import { machineOf } from '../support/machines.ts';

const GiB = 2 ** 30;
const hex = (value: number): string => `0x${value.toString(16)}`;
/** Nodes of the given sizes in GiB, from 0 on, without the hole below 4 GiB. */
const nodes = (cmdline: string, sizes: readonly number[], hotpluggable: readonly number[] = []): Machine => {
  let at = 0;
  const ranges = sizes.map((size) => {
    const start = at;
    at += size * GiB;
    return { start, end: at - 1, size };
  });
  return machineOf({
    name: 'nodes',
    physBits: 46,
    cmdline,
    e820: [{ start: '0x0', end: hex(at - 1), type: 'usable' }],
    nodes: ranges.map(({ start, end, size }, id) => ({
      id,
      ranges:
        size === 0
          ? []
          : [{ start: hex(start), end: hex(end), ...(hotpluggable.includes(id) ? { hotpluggable: true } : {}) }],
      cpus: [id],
    })),
    reserved: [{ start: '0x0', end: '0x1ffffff', what: 'low 1 MiB' }],
  });
};
/** Where ZONE_MOVABLE begins on each node, as GiB and MiB; it always reaches to the end of the node. */
const movable = (machine: Machine): (string | undefined)[] =>
  machine.kernel.nodes.map((node) => {
    const zone = node.node_zones[3];
    if (!zone || zone.present_pages === 0) return undefined;
    expect(zone.zone_start_pfn + zone.spanned_pages).toBe(node.node_start_pfn + node.node_spanned_pages);
    const mib = zone.zone_start_pfn / 256;
    return mib % 1024 === 0 ? `${mib / 1024}G` : `${Math.floor(mib / 1024)}G+${mib % 1024}M`;
  });
const log = (machine: Machine): string[] => machine.kernel.state.log.map((line) => line.text);

describe('kernelcore= and movablecore=', () => {
  // Page 0 and the hole below 1 MiB, 97 pages, are no memory of node 0. What is missing of a share for that
  // is taken elsewhere, and a start is rounded up to 4 MiB: hence the 4 MiB below.
  it('spread what the kernel may use over the nodes; what lies below the movable zone counts first', () => {
    // Shares of 2 GiB: the 4 GiB of node 0 below the zone meet two of them, node 1 gives the third.
    expect(movable(nodes('kernelcore=6G', [6, 6, 6]))).toEqual(['4G+4M', '8G+4M', '12G+4M']);
    expect(movable(nodes('kernelcore=12G', [6, 6, 6]))).toEqual(['4G+4M', '10G', '16G']);
  });

  it('go round again when a node is too small for its share', () => {
    // Shares of 4 GiB: node 1 has only 1; the next rounds take all of node 0, and the rest from node 2.
    expect(movable(nodes('kernelcore=12G', [5, 1, 10]))).toEqual([undefined, undefined, '12G+4M']);
  });

  it('are two ways of saying the same, and take a percentage', () => {
    expect(movable(nodes('movablecore=6G', [6, 6]))).toEqual(['5G', '7G']);
    expect(movable(nodes('kernelcore=50%', [6, 6]))).toEqual(['5G+4M', '7G+4M']);
    // Of both the larger kernel part counts.
    expect(movable(nodes('kernelcore=1G movablecore=6G', [6, 6]))).toEqual(['5G', '7G']);
  });

  it('ask for nothing when there would be no movable zone, or cannot be read', () => {
    for (const cmdline of ['kernelcore=100G', 'kernelcore=', 'kernelcore=x', 'movablecore=0', 'kernelcore=101%', ''])
      expect(movable(nodes(cmdline, [6, 6])), cmdline).toEqual([undefined, undefined]);
  });

  it('kernelcore=mirror is ignored, and says so, where no memory is mirrored', () => {
    const machine = nodes('kernelcore=mirror', [6, 6]);
    expect(movable(machine)).toEqual([undefined, undefined]);
    expect(log(machine)).toContain('The system has no mirror memory, ignore kernelcore=mirror.');
  });
});

describe('movable_node', () => {
  it('makes nodes that can be unplugged movable, but none that holds memory of the kernel', () => {
    expect(movable(nodes('movable_node', [6, 6, 6], [0, 2]))).toEqual([undefined, undefined, '12G']);
    expect(movable(nodes('', [6, 6, 6], [0, 2]))).toEqual([undefined, undefined, undefined]);
  });

  it('goes before kernelcore=', () => {
    expect(movable(nodes('movable_node kernelcore=6G', [6, 6, 6], [1]))).toEqual([undefined, '6G', undefined]);
  });
});

describe('a node without memory', () => {
  const machine = nodes('', [6, 0, 6]);
  it('has no zones, and the zones of the nearest nodes in its zonelist', () => {
    expect(log(machine)).toContain('Initmem setup node 1 as memoryless');
    expect(machine.kernel.node(1).node_present_pages).toBe(0);
    expect(machine.kernel.node(1).node_zonelists[0].map((zone) => zone.node)).toEqual([2, 0, 0, 0]);
    expect(machine.kernel.node(1).node_zonelists[1]).toEqual([]);
  });
});

describe('mem= and memmap=', () => {
  const map = (cmdline: string): string[] | undefined => {
    const result = checkMachine({
      name: 'map',
      physBits: 40,
      cmdline,
      e820: [
        { start: '0x0', end: '0x9ffff', type: 'usable' },
        { start: '0x100000', end: '0xbfffffff', type: 'usable' },
        { start: '0x100000000', end: '0x1bfffffff', type: 'usable' },
      ],
    });
    if ('problems' in result) throw new Error(JSON.stringify(result.problems));
    return userDefinedMap(result.machine)?.map(
      ({ start, end, type }) => `${start.toString(16)}-${end.toString(16)} ${type}`,
    );
  };

  it('mem=1G ends usable memory there', () => {
    expect(map('mem=1G')).toEqual(['0-9ffff usable', '100000-3fffffff usable']);
  });

  it.each([
    ['memmap=1G!4G', '100000000-13fffffff persistent (type 12)'],
    ['memmap=1G$4G', '100000000-13fffffff reserved'],
    ['memmap=1G#4G', '100000000-13fffffff ACPI data'],
  ])('%s gives the range another type', (cmdline, expected) => {
    expect(map(cmdline)).toEqual(['0-9ffff usable', '100000-bfffffff usable', expected, '140000000-1bfffffff usable']);
  });

  it('memmap=nn@ss adds memory, and never over what is something else', () => {
    expect(map('memmap=1G@7G')?.at(-1)).toBe('100000000-1ffffffff usable');
    expect(map('memmap=1G$6G,2G@6G')?.slice(-2)).toEqual([
      '180000000-1bfffffff reserved',
      '1c0000000-1ffffffff usable',
    ]);
  });

  it('two persistent ranges side by side stay two, as they may be two devices', () => {
    expect(map('memmap=1G!4G memmap=1G!5G')?.slice(2)).toEqual([
      '100000000-13fffffff persistent (type 12)',
      '140000000-17fffffff persistent (type 12)',
      '180000000-1bfffffff usable',
    ]);
  });

  it('memmap=exactmap forgets what the firmware said', () => {
    expect(map('memmap=exactmap memmap=640K@0 memmap=63M@1M')).toEqual(['0-9ffff usable', '100000-3ffffff usable']);
  });

  it('what cannot be read changes nothing', () => {
    for (const cmdline of ['mem=', 'mem=nopentium', 'memmap=', 'memmap=x!y', 'mem', '-- mem=1G'])
      expect(map(cmdline), cmdline).toBeUndefined();
  });

  it('a machine that lost memory has less in its zones, and its memory map where memory is', () => {
    const { kernel } = nodes('mem=5G', [8]);
    expect(kernel.state.max_pfn).toBe(5 * 2 ** 18);
    expect(kernel.node(0).node_spanned_pages).toBe(5 * 2 ** 18 - 1);
  });

  it('numbers are read as the kernel reads them', () => {
    expect(memparse('0x10K!4G')).toEqual({ value: 0x4000n, rest: '!4G' });
    expect(memparse('010')).toEqual({ value: 8n, rest: '' });
    expect(memparse('2m@')).toEqual({ value: 0x200000n, rest: '@' });
    expect(memparse('nothing').rest).toBe('nothing');
    expect([...parameters('a=1 "b c=2 3" d -- e')]).toEqual([
      ['a', '1'],
      ['b c', '2 3'],
      ['d', undefined],
    ]);
  });

  it('no command line breaks a boot', () => {
    const size = fc.oneof(
      fc.constantFrom('0', '1', '16M', '1G', '4G', '0xffffffffffffffff', '99999999999999999999999E', '50%', ''),
      fc.nat().map(String),
    );
    const word = fc
      .tuple(
        fc.constantFrom('mem=', 'memmap=', 'kernelcore=', 'movablecore=', 'memmap=exactmap,', 'movable_node '),
        size,
        fc.constantFrom('', '!', '@', '$', '#', '%', ','),
        size,
      )
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(fc.array(word, { maxLength: 6 }), (words) => {
        const { kernel } = nodes(words.join(' '), [2, 4]);
        for (const node of kernel.nodes)
          for (const zone of node.node_zones) {
            expect(zone.managed_pages).toBeLessThanOrEqual(zone.present_pages);
            expect(zone.present_pages).toBeLessThanOrEqual(zone.spanned_pages);
          }
      }),
      { numRuns: 150 },
    );
  });
});
