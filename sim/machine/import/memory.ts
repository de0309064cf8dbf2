/** Where RAM is, and whose: from the kernel log, else /proc/iomem, else memory blocks and zones. */
import type { AddressRange, E820Type } from '../config.ts';
import type { Iomem } from './iomem.ts';
import type { BootLog } from './log.ts';
import type { ImportedBlock, Sysfs } from './sysfs.ts';
import { ImportError, type ImportNote } from './text.ts';
import type { ImportedZone } from './zoneinfo.ts';

/** What the files say, read. */
export interface Sources {
  iomem: Iomem | undefined;
  zones: ImportedZone[] | undefined;
  log: BootLog | undefined;
  sysfs: Sysfs;
}
export type Entry = AddressRange & { type: E820Type };
export type Device = AddressRange & { name: string };

const MAX_E820 = 1024;
const IOMEM_TYPES: Readonly<Record<string, E820Type>> = {
  'System RAM': 'usable',
  Reserved: 'reserved',
  reserved: 'reserved',
  'ACPI Tables': 'ACPI data',
  'ACPI Non-volatile Storage': 'ACPI NVS',
  'Persistent Memory (legacy)': 'persistent (type 12)',
  'Soft Reserved': 'soft reserved',
  'Unusable memory': 'reserved',
};
export const e820TypeOf = (name: string): E820Type | undefined =>
  Object.hasOwn(IOMEM_TYPES, name) ? IOMEM_TYPES[name] : undefined;

export const bytes = (start: number, end: number): AddressRange => ({
  start: BigInt(start) << 12n,
  end: (BigInt(end) << 12n) - 1n,
});

/** The firmware's memory map. */
export function memoryMap(sources: Sources, notes: ImportNote[]): { e820: Entry[]; devices: Device[] } {
  const { log, iomem } = sources;
  if (log?.e820.some((entry) => entry.type === 'usable')) {
    const devices: Device[] = [];
    const e820 = log.e820.flatMap(({ start, end, type }): Entry[] => {
      if (type !== 'persistent (type 7)') return [{ start, end, type }];
      devices.push({ start, end, name: 'Persistent Memory' });
      return [];
    });
    return { e820, devices };
  }
  if (iomem && !iomem.hidden) {
    const e820: Entry[] = [];
    for (const { start, end, depth, name, line } of iomem.entries) {
      const type = depth === 0 ? e820TypeOf(name) : undefined;
      if (!type) continue;
      if (e820.length >= MAX_E820)
        throw new ImportError('proc/iomem', line, `has more than ${MAX_E820} ranges of memory`);
      e820.push({ start, end, type });
    }
    notes.push({
      what: 'memory added while the machine ran counts as there from the start',
      from: 'proc/iomem',
      exact: 'the kernel log of boot (dmesg > DIR/dmesg)',
    });
    return { e820, devices: [] };
  }
  const e820 = fromZones(sources).map(({ start, end }): Entry => ({ ...bytes(start, end), type: 'usable' }));
  if (e820.length > MAX_E820) throw new ImportError('proc/zoneinfo', 0, `has more than ${MAX_E820} ranges of memory`);
  notes.push({
    what: 'where RAM ends before a hole, and what the firmware reserved, are estimated',
    from: 'proc/zoneinfo and sys/devices/system/memory',
    exact: 'proc/iomem copied as root, or the kernel log of boot (dmesg > DIR/dmesg)',
  });
  return { e820, devices: [] };
}

/** RAM of every zone: its span, less what no block of its node covers, less the rest of its holes where they usually are. */
function fromZones({ zones, sysfs }: Sources): { start: number; end: number }[] {
  const populated = (zones ?? []).filter((zone) => zone.present > 0);
  if (populated.length === 0) {
    const covered = join(sysfs.blocks.filter((block) => block.state === 'online').map((block) => spanOf(sysfs, block)));
    if (covered.length === 0)
      throw new ImportError(
        'proc/zoneinfo',
        0,
        'is missing, and neither proc/iomem (copied as root) nor a kernel log nor sys/devices/system/memory says where RAM is',
      );
    return covered;
  }
  const ranges: { start: number; end: number }[] = [];
  for (const zone of populated) {
    const start = zone.start ?? 0;
    const end = start + zone.spanned;
    const blocks = sysfs.blocks.filter(
      (block) => block.state === 'online' && (block.node === undefined || block.node === zone.node),
    );
    const covered =
      blocks.length > 0
        ? join(blocks.map((block) => spanOf(sysfs, block)))
            .map((range) => ({ start: Math.max(range.start, start), end: Math.min(range.end, end) }))
            .filter((range) => range.start < range.end)
        : [{ start, end }];
    ranges.push(...trim(covered, zone.present));
  }
  return join(ranges);
}

/** Takes holes out until `present` pages are left: below 1 MiB first, then at the ends that meet a hole. */
function trim(covered: { start: number; end: number }[], present: number): { start: number; end: number }[] {
  let excess = covered.reduce((sum, range) => sum + range.end - range.start, 0) - present;
  const out: { start: number; end: number }[] = [];
  covered.forEach((range, index) => {
    if (excess > 0 && range.start < 0xa0 && range.end > 0x100) {
      // The hole below 1 MiB: 96 pages of VGA and BIOS, and what the firmware takes below them.
      const hole = Math.min(excess, 0x100 - range.start);
      out.push({ start: range.start, end: 0x100 - hole }, { start: 0x100, end: range.end });
      excess -= hole;
    } else if (excess > 0 && (index < covered.length - 1 || covered.length === 1)) {
      const cut = Math.min(excess, range.end - range.start);
      out.push({ start: range.start, end: range.end - cut });
      excess -= cut;
    } else out.push({ ...range });
  });
  const last = out.at(-1);
  if (last && excess > 0) last.end -= Math.min(excess, last.end - last.start);
  return out.filter((range) => range.start < range.end);
}

const spanOf = (sysfs: Sysfs, block: ImportedBlock): { start: number; end: number } => ({
  start: block.number * sysfs.blockPages,
  end: (block.number + 1) * sysfs.blockPages,
});

export function join(ranges: readonly { start: number; end: number }[]): { start: number; end: number }[] {
  const out: { start: number; end: number }[] = [];
  for (const range of [...ranges].sort((a, b) => a.start - b.start)) {
    const last = out.at(-1);
    if (last && range.start <= last.end) last.end = Math.max(last.end, range.end);
    else out.push({ ...range });
  }
  return out;
}

export interface NodeEntry {
  id: number;
  ranges: AddressRange[];
  cpus: number[];
  distance: number[];
}
const MAX_NODE_RANGES = 64;

/** Which node has which memory, and which CPUs. */
export function nodeMap(sources: Sources, cpus: number, notes: ImportNote[]): NodeEntry[] {
  const { log, zones, sysfs } = sources;
  const ids = new Set([
    ...sysfs.nodes.map((node) => node.id),
    ...(zones ?? []).map((zone) => zone.node),
    ...(log?.early ?? []).map((range) => range.node),
  ]);
  const count = Math.max(0, ...ids) + 1;
  if (count > 64) throw new ImportError('proc/zoneinfo', 0, `has node ${count - 1}; at most 64 nodes can be imported`);
  const ranges = nodeRanges(sources, notes);
  const nodes: NodeEntry[] = [];
  for (let id = 0; id < count; id++) {
    const known = sysfs.nodes.find((node) => node.id === id);
    const distance = known?.distance?.length === count ? known.distance : undefined;
    if (!distance && count > 1)
      notes.push({
        what: `the distances of node ${id} are taken to be 10 and 20`,
        exact: `sys/devices/system/node/node${id}/distance`,
      });
    const own = (ranges.get(id) ?? []).slice(0, MAX_NODE_RANGES);
    if (own.length < (ranges.get(id)?.length ?? 0))
      notes.push({ what: `node ${id} has more than ${MAX_NODE_RANGES} ranges of memory; the rest is left out` });
    nodes.push({
      id,
      ranges: own,
      cpus: (known?.cpus ?? []).slice(0, 1024),
      distance: distance ?? Array.from({ length: count }, (_, other) => (other === id ? 10 : 20)),
    });
  }
  const first = nodes[0];
  if (first && nodes.every((node) => node.cpus.length === 0)) {
    first.cpus = Array.from({ length: Math.min(1024, Math.max(1, cpus)) }, (_, cpu) => cpu);
    notes.push({
      what: `all ${first.cpus.length} CPU(s) are put on node 0`,
      ...(cpus > 0 ? { from: 'proc/cpuinfo' } : {}),
      exact: 'sys/devices/system/node/node0/cpulist',
    });
  }
  return nodes;
}

function nodeRanges({ log, zones, sysfs }: Sources, notes: ImportNote[]): Map<number, AddressRange[]> {
  const found = new Map<number, AddressRange[]>();
  const add = (node: number, range: AddressRange): void =>
    void found.set(node, [...(found.get(node) ?? []), { start: range.start, end: range.end }]);
  const early = log?.early ?? [];
  if (early.length > 0) {
    // The firmware's ranges reach over what it reserved; they count where they hold what the kernel used.
    const srat = log?.srat ?? [];
    const agrees = early.every((range) =>
      srat.some((wide) => wide.node === range.node && wide.start <= range.start && wide.end >= range.end),
    );
    for (const range of agrees ? srat : early) add(range.node, range);
    return found;
  }
  const spans = new Map<number, { start: number; end: number }[]>();
  for (const zone of zones ?? [])
    if (zone.present > 0)
      spans.set(zone.node, [
        ...(spans.get(zone.node) ?? []),
        { start: zone.start ?? 0, end: (zone.start ?? 0) + zone.spanned },
      ]);
  const all = [...spans.values()].flatMap(join).sort((a, b) => a.start - b.start);
  const interleaved = all.some((range, index) => range.end > (all[index + 1]?.start ?? Number.POSITIVE_INFINITY));
  const linked = sysfs.blocks.filter((block) => block.node !== undefined);
  if (spans.size > 0 && !interleaved)
    for (const [node, list] of spans) for (const span of join(list)) add(node, bytes(span.start, span.end));
  else if (linked.length > 0) {
    const nodes = new Set(linked.map((block) => block.node ?? 0));
    for (const node of nodes)
      for (const span of join(linked.filter((block) => block.node === node).map((block) => spanOf(sysfs, block))))
        add(node, bytes(span.start, span.end));
  } else if (spans.size > 1)
    throw new ImportError(
      'proc/zoneinfo',
      0,
      'the nodes overlap, and sys/devices/system/memory/memory*/node* is missing',
    );
  else add(0, { start: 0n, end: (1n << 52n) - 1n });
  if (spans.size > 1)
    notes.push({
      what: 'which memory is on which node is known to the zone or memory block only',
      from: interleaved ? 'sys/devices/system/memory' : 'proc/zoneinfo',
      exact: 'the kernel log of boot',
    });
  return found;
}
