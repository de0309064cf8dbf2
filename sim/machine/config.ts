/** Machine files: JSON that describes a machine to boot. The schema is machine.schema.json beside this file. */
import { maxPhysmemBits } from '../arch/x86_64.ts';
import { type PciEntry, pciProblems } from './pci.ts';
import { type MachineFile, shapeProblems } from './schema.ts';

export type E820Type = 'usable' | 'reserved' | 'ACPI data' | 'ACPI NVS' | 'persistent (type 12)' | 'soft reserved';

export interface AddressRange {
  start: bigint;
  /** Inclusive. */
  end: bigint;
}
export interface NodeAddressRange extends AddressRange {
  /** The firmware says it can be unplugged (SRAT); movable_node asks for that. */
  hotpluggable?: boolean;
}
export interface MachineConfig {
  name: string;
  description: string;
  arch: 'x86_64';
  /** Width of physical addresses the CPU has: the end of iomem_resource. */
  physBits: number;
  pageTableLevels?: 4 | 5;
  config: {
    memoryModel: 'SPARSEMEM';
    sparsememExtreme: boolean;
    vmemmap: boolean;
    pageExtension: boolean;
    nodesShift: number;
    /** Bits of LAST_CPUPID: 14 on the recorded machine, 21 in Debian's stock kernel. */
    lastCpupid: number;
    transparentHugepage: boolean;
    /** CONFIG_LRU_GEN, PAGE_IDLE_FLAG and X86_PAT: each takes bits of page->flags. */
    lruGen: boolean;
    pageIdle: boolean;
    pat: boolean;
    /** ARCH_MEMORY_PROBE. */
    memoryProbe: boolean;
    /** CONFIG_DEFERRED_STRUCT_PAGE_INIT: most of each node's last zone is initialised by a thread of its own. */
    deferredStructPageInit: boolean;
    /** CONFIG_ZONE_DMA: on if absent, but to 4.5 not beside ZONE_DEVICE (options.ts). */
    zoneDma?: boolean;
    /** CONFIG_ZONE_DEVICE: on if absent, where the release and the other options allow it. */
    zoneDevice?: boolean;
    /** CONFIG_DEVICE_PRIVATE: on if absent, where the release has it and ZONE_DEVICE is on. */
    devicePrivate?: boolean;
  };
  /** X86_FEATURE_HYPERVISOR: decides the size of memory blocks from 64 GiB on. */
  hypervisor: boolean;
  cmdline: string;
  e820: (AddressRange & { type: E820Type })[];
  nodes: { id: number; ranges: NodeAddressRange[]; cpus: number[]; distance: number[] }[];
  /** What memblock held at boot, by its use. Absent: kernel image and memmap are estimated. */
  reserved?: (AddressRange & { what: string })[];
  /** A device named "Persistent Memory" is an NFIT range with labels; `node` is where its memory belongs. */
  devices: (AddressRange & { name: string; busy: boolean; what: string; node?: number; pci?: PciEntry })[];
  /** Maker and family of the CPU; p2pdma asks. */
  cpu?: { vendor: 'AMD' | 'Intel'; family: number };
  /** True where `reserved` was estimated. */
  estimated: boolean;
}

/** What is wrong in a machine file: where (a JSON pointer), what, and what to do. */
export interface MachineProblem {
  where: string;
  message: string;
}
export type MachineResult = { machine: MachineConfig } | { problems: MachineProblem[] };

/** Reads a machine file's text. Never throws: everything wrong is a problem with its place. */
export function readMachine(text: string, name = 'machine file'): MachineResult {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return {
      problems: [{ where: name, message: `is not JSON: ${error instanceof Error ? error.message : String(error)}` }],
    };
  }
  return checkMachine(json);
}

export function checkMachine(json: unknown): MachineResult {
  const shape = shapeProblems(json);
  if (Array.isArray(shape)) return { problems: shape };
  const machine = convert(shape);
  const problems = semantics(machine);
  return problems.length > 0 ? { problems } : { machine };
}

type Num = number | string;
function convert(json: MachineFile): MachineConfig {
  const range = <T extends { start: Num; end: Num }>(entry: T) => ({
    ...entry,
    start: BigInt(entry.start),
    end: BigInt(entry.end),
  });
  const e820 = json.e820.map(range).sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0));
  const top = e820.reduce((max, entry) => (entry.type === 'usable' && entry.end > max ? entry.end : max), 0n);
  const nodes = json.nodes ?? [{ id: 0, ranges: [{ start: '0x0', end: `0x${top.toString(16)}` }], cpus: [0] }];
  return {
    name: json.name,
    description: json.description ?? '',
    arch: 'x86_64',
    physBits: json.physBits,
    ...(json.pageTableLevels ? { pageTableLevels: json.pageTableLevels } : {}),
    config: {
      memoryModel: 'SPARSEMEM',
      sparsememExtreme: true,
      vmemmap: true,
      pageExtension: true,
      nodesShift: 10,
      lastCpupid: 21,
      transparentHugepage: true,
      lruGen: true,
      pageIdle: true,
      pat: true,
      memoryProbe: false,
      deferredStructPageInit: false,
      ...json.config,
    },
    hypervisor: json.hypervisor ?? false,
    cmdline: json.cmdline ?? '',
    e820,
    nodes: nodes.map((node) => ({
      id: node.id,
      ranges: node.ranges.map(range),
      cpus: node.cpus ?? [],
      distance: node.distance ?? nodes.map((other) => (other.id === node.id ? 10 : 20)),
    })),
    ...(json.reserved ? { reserved: json.reserved.map(range) } : {}),
    devices: (json.devices ?? []).map(({ pci, ...device }) => ({
      busy: false,
      what: '',
      ...range(device),
      ...(pci ? { pci: pciEntry(pci) } : {}),
    })),
    ...(json.cpu ? { cpu: json.cpu } : {}),
    estimated: json.reserved === undefined,
  };
}

function pciEntry({ busAddress, ...pci }: NonNullable<NonNullable<MachineFile['devices']>[number]['pci']>): PciEntry {
  return { ...pci, ...(busAddress === undefined ? {} : { busAddress: BigInt(busAddress) }) };
}

const at = (value: bigint): string => `0x${value.toString(16)}`;

/** What a schema cannot say: order, overlap, and the limits of the address space. */
function semantics(machine: MachineConfig): MachineProblem[] {
  const problems: MachineProblem[] = [];
  const limit = 1n << BigInt(machine.physBits);
  const architectureBits = maxPhysmemBits(machine.pageTableLevels ?? 4);
  if (machine.physBits > architectureBits)
    problems.push({
      where: '/physBits',
      message: `${machine.physBits} bits are more than ${architectureBits}, the limit with ${machine.pageTableLevels ?? 4}-level page tables; set pageTableLevels to 5 or lower physBits`,
    });
  const each = (path: string, ranges: readonly AddressRange[]): void => {
    ranges.forEach((range, index) => {
      if (range.end < range.start)
        problems.push({
          where: `${path}/${index}`,
          message: `ends at ${at(range.end)}, before its start ${at(range.start)}; end is the last byte of the range`,
        });
      if (range.end >= limit)
        problems.push({
          where: `${path}/${index}`,
          message: `reaches ${at(range.end)}, beyond the ${machine.physBits}-bit physical limit ${at(limit - 1n)}; lower it or raise physBits`,
        });
    });
  };
  each('/e820', machine.e820);
  each('/reserved', machine.reserved ?? []);
  each('/devices', machine.devices);
  machine.nodes.forEach((node, index) => {
    each(`/nodes/${index}/ranges`, node.ranges);
  });
  const overlap = (path: string, ranges: readonly AddressRange[]): void => {
    const sorted = [...ranges].sort((a, b) => (a.start < b.start ? -1 : 1));
    sorted.forEach((range, index) => {
      const next = sorted[index + 1];
      if (next && next.start <= range.end)
        problems.push({
          where: path,
          message: `${at(range.start)}-${at(range.end)} and ${at(next.start)}-${at(next.end)} overlap; give each byte to one range`,
        });
    });
  };
  overlap('/e820', machine.e820);
  overlap(
    '/nodes',
    machine.nodes.flatMap((node) => node.ranges),
  );
  problems.push(...pciProblems(machine));
  if (!machine.e820.some((entry) => entry.type === 'usable' && entry.end - entry.start >= 0x1000000n))
    problems.push({ where: '/e820', message: 'has no usable range of 16 MiB or more; a kernel needs memory to boot' });
  machine.devices.forEach((device, index) => {
    if (device.node !== undefined && device.node >= machine.nodes.length)
      problems.push({
        where: `/devices/${index}/node`,
        message: `is ${device.node}; this machine has ${machine.nodes.length} node(s), counted from 0`,
      });
  });
  machine.nodes.forEach((node, index) => {
    if (node.id !== index)
      problems.push({ where: `/nodes/${index}/id`, message: `is ${node.id}; number the nodes 0, 1, 2 … in order` });
    if (node.distance.length !== machine.nodes.length)
      problems.push({
        where: `/nodes/${index}/distance`,
        message: `has ${node.distance.length} entries for ${machine.nodes.length} nodes`,
      });
  });
  return problems;
}
