/** Random machine files, valid ones: RAM in pieces, nodes without memory or CPUs, persistent memory, PCI functions. */
import fc from 'fast-check';
import { preset } from './machines.ts';

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const hex = (value: number): string => `0x${value.toString(16)}`;
const range = (start: number, end: number) => ({ start: hex(start), end: hex(end - 1) });
const up = (value: number, to: number): number => Math.ceil(value / to) * to;

/** Where the next piece begins, after the last one. */
const gap = fc.oneof(
  { weight: 4, arbitrary: fc.constant(0) },
  { weight: 2, arbitrary: fc.constantFrom(4096, MIB, 2 * MIB, 60 * MIB) },
  { weight: 3, arbitrary: fc.constantFrom(128 * MIB, 256 * MIB, 1000 * MIB) },
  { weight: 3, arbitrary: fc.constant(4 * GIB) },
);
const piece = fc.record({
  gap,
  units: fc.oneof(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 100 })),
  unit: fc.constantFrom(128 * MIB, 16 * MIB, 2 * MIB, MIB + 4096),
  node: fc.nat({ max: 3 }),
  hotpluggable: fc.boolean(),
});
type Piece = typeof piece extends fc.Arbitrary<infer T> ? T : never;

const pmem = fc.record({
  kind: fc.constantFrom('legacy', 'NVDIMM', 'legacy', 'NVDIMM', 'soft'),
  gap: fc.constantFrom(0, 0, 2 * MIB, 64 * MIB, GIB),
  size: fc.constantFrom(16 * MIB, 64 * MIB, 130 * MIB, 512 * MIB, GIB, 2 * GIB, 1000 * MIB, 96 * MIB + 4096),
});

const parameter = fc.oneof(
  fc.constantFrom('kernelcore=', 'movablecore=').chain((name) =>
    fc.oneof(
      fc.integer({ min: 0, max: 110 }).map((percent) => `${name}${percent}%`),
      fc.integer({ min: 1, max: 3000 }).map((mib) => `${name}${mib}M`),
    ),
  ),
  fc.constantFrom('movable_node', 'kernelcore=mirror', 'mem=300M', 'mem=5G', 'memmap=64M!0x8000000', 'memmap=1G!5G'),
  fc.constantFrom('memory_hotplug.memmap_on_memory=Y', 'memory_hotplug.memmap_on_memory=force'),
  fc.constantFrom('memory_hotplug.online_policy=auto-movable', 'memory_hotplug.auto_movable_ratio=50'),
  fc.constantFrom('memhp_default_state=online', 'memhp_default_state=online_movable', 'memhp_default_state=offline'),
  fc.constantFrom('memmap=3M$0x4000000', 'kernelcore=', 'mem=', 'quiet', 'memmap=16M#0x6000000'),
);

interface Drawn {
  low: number;
  pieces: Piece[];
  nodes: boolean[];
  pmem: (typeof pmem extends fc.Arbitrary<infer T> ? T : never)[];
  pci: { size: number; node: boolean } | null;
}

/** The e820, the nodes and the devices of what was drawn. */
function layOut({ low, pieces, nodes, pmem: stores, pci }: Drawn) {
  const e820 = [
    { ...range(0, 0x9fc00), type: 'usable' },
    { ...range(0x9fc00, 0xa0000), type: 'reserved' },
    { ...range(MIB, low), type: 'usable' },
  ];
  const ranges: { start: string; end: string; hotpluggable?: boolean }[][] = nodes.map(() => []);
  ranges[0]?.push(range(0, low));
  let at = low;
  let last = 0;
  for (const [index, { gap, units, unit, node, hotpluggable }] of pieces.entries()) {
    const own = node % nodes.length;
    const next = (pieces[index + 1]?.node ?? node) % nodes.length;
    // Firmware does not give two nodes parts of one sub-section.
    const size = up(units * unit, next === own ? 4096 : 2 * MIB);
    at += gap === 4 * GIB ? 0 : gap;
    // The hole of PCI below 4 GiB.
    if ((gap === 4 * GIB && at < 4 * GIB) || (at < 4 * GIB && at + size > 3 * GIB)) at = 4 * GIB;
    at = up(at, own === last && next === own ? 4096 : 2 * MIB);
    last = own;
    e820.push({ ...range(at, at + size), type: 'usable' });
    ranges[own]?.push({ ...range(at, at + size), ...(hotpluggable && node > 0 ? { hotpluggable } : {}) });
    at += size;
  }
  const devices: Record<string, unknown>[] = [];
  if (at < 4 * GIB) at = 4 * GIB;
  for (const { kind, gap, size } of stores) {
    at = up(at + gap, 4096);
    if (kind === 'NVDIMM')
      devices.push({ ...range(up(at, 16 * MIB), up(at, 16 * MIB) + up(size, 16 * MIB)), name: 'Persistent Memory' });
    else e820.push({ ...range(at, at + size), type: kind === 'soft' ? 'soft reserved' : 'persistent (type 12)' });
    at = kind === 'NVDIMM' ? up(at, 16 * MIB) + up(size, 16 * MIB) : at + size;
  }
  if (pci) {
    const bus = up(at + GIB, 64 * GIB);
    devices.push(
      {
        ...range(bus, bus + 16 * GIB),
        name: 'PCI Bus 0000:00',
        pci: { address: '0000:00:00.0', hostBridge: '8086:2f00' },
      },
      { ...range(bus, bus + pci.size), name: '0000:03:00.0', pci: { address: '0000:00:03.0', bar: 4 } },
      {
        ...range(bus + 8 * GIB, bus + 8 * GIB + 64 * MIB),
        name: '0000:04:00.0',
        pci: { address: '0000:00:04.0', bar: 0 },
      },
    );
    at = bus + 16 * GIB;
  }
  const cpus = nodes.map((has, id) => (has || nodes.every((each) => !each) ? [id] : []));
  return { e820, devices, end: at, nodes: ranges.map((own, id) => ({ id, ranges: own, cpus: cpus[id] })) };
}

const flag = fc.option(fc.boolean(), { nil: undefined });
const config = fc.record({
  pageExtension: flag,
  transparentHugepage: flag,
  memoryProbe: fc.option(fc.constant(true), { nil: undefined }),
  deferredStructPageInit: flag,
  zoneDma: fc.option(fc.boolean(), { nil: undefined, freq: 2 }),
  zoneDevice: fc.option(fc.boolean(), { nil: undefined, freq: 2 }),
  nodesShift: fc.constantFrom(undefined, 2, 6, 10),
  lastCpupid: fc.constantFrom(undefined, 0, 14, 21),
  pat: flag,
  lruGen: flag,
});
const present = <T extends object>(object: T): Partial<T> =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Partial<T>;

/** Machine files of their own. */
export const machineFile: fc.Arbitrary<object> = fc
  .record({
    low: fc.constantFrom(64, 96, 128, 200, 256, 300, 1024, 2047).map((mib) => mib * MIB),
    pieces: fc.array(piece, { maxLength: 5, size: 'max' }),
    nodes: fc.array(fc.boolean(), { minLength: 1, maxLength: 4, size: 'max' }),
    pmem: fc.array(pmem, { maxLength: 3, size: 'max' }),
    pci: fc.option(fc.record({ size: fc.constantFrom(64 * MIB, 256 * MIB, GIB), node: fc.boolean() })),
    parameters: fc.array(parameter, { maxLength: 3 }),
    physBits: fc.constantFrom(40, 46, 46, 52),
    hypervisor: fc.boolean(),
    config,
  })
  .map(({ parameters, physBits, hypervisor, config: options, ...drawn }) => {
    const { e820, nodes, devices } = layOut(drawn);
    return {
      name: 'random',
      physBits,
      ...(physBits > 46 ? { pageTableLevels: 5 } : {}),
      cmdline: parameters.join(' '),
      hypervisor,
      config: present(options),
      e820,
      nodes,
      devices,
    };
  });

const PRESETS = ['qemu-2g', 'laptop-16g', 'server-2n-pmem', 'p2p-switch', 'workstation-gpu'];
/** A machine file of its own, or the name of a preset. */
export const anyMachine: fc.Arbitrary<object | string> = fc.oneof(
  { weight: 4, arbitrary: machineFile },
  { weight: 1, arbitrary: fc.constantFrom(...PRESETS).filter((name) => preset(name) !== undefined) },
);
