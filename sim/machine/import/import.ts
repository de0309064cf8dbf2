/** A machine from copies of a real one's files. */
import { RELEASES, type Release } from '../../kernel/release.ts';
import type { MachineConfig } from '../config.ts';
import { hex, type Kernel } from '../kernel.ts';
import { blocksWithin, compare, isThere } from './compare.ts';
import { parseIomem } from './iomem.ts';
import { LOG_FILES, parseLog } from './log.ts';
import { type Device, type Entry, e820TypeOf, memoryMap, nodeMap, type Sources } from './memory.ts';
import { type FreeBlocks, pagesOfBlocks, parseBuddyinfo, planOccupation } from './occupy.ts';
import { pmemLines } from './pmem.ts';
import { checked, ranged, settle } from './settle.ts';
import { MAX_BLOCKS, parseCpu, parseSysfs, type Sysfs } from './sysfs.ts';
import { ImportError, type ImportFiles, type ImportNote, lineOf, MAX_FILE } from './text.ts';
import { parseZoneinfo } from './zoneinfo.ts';

export type { ImportFiles, ImportNote } from './text.ts';

/** What a host reads for `importMachine`, and how much of it at most. */
export const importPaths = {
  /** Files by name, below the folder. */
  files: [
    'proc/iomem',
    'proc/zoneinfo',
    'proc/meminfo',
    'proc/buddyinfo',
    'proc/pagetypeinfo',
    'proc/cmdline',
    'proc/cpuinfo',
    'proc/version',
    'proc/vmstat',
    'sys/devices/system/memory/block_size_bytes',
    'sys/devices/system/node/online',
    ...LOG_FILES,
  ] as readonly string[],
  /** A folder for each memory block, and one for each node. */
  blocks: 'sys/devices/system/memory',
  nodes: 'sys/devices/system/node',
  maxBlocks: MAX_BLOCKS,
  /** Bytes of one file. */
  maxFile: MAX_FILE,
} as const;

export interface ImportedMachine {
  /** The machine file. */
  json: string;
  config: MachineConfig;
  /** The release the machine ran, if the engine knows it. */
  release: Release | undefined;
  /** What was estimated, and what differs from what was read. */
  notes: ImportNote[];
  /** Shell lines for what boot cannot know: memory that was added, blocks that were taken offline, DAX devices. */
  setup: string[];
}
export type ImportResult = ImportedMachine | { problems: string[] };

export const noteText = ({ what, from, exact }: ImportNote): string =>
  `${what}${from ? ` (from ${from})` : ''}${exact ? `; exact with ${exact}` : ''}`;

/**
 * Builds a machine from a folder's texts. Never throws: what makes an import impossible
 * is a problem that names its file and line.
 */
export function importMachine(files: ImportFiles, name = 'imported'): ImportResult {
  try {
    return build(files, name);
  } catch (error) {
    if (error instanceof ImportError) return { problems: [error.message] };
    throw error;
  }
}

function build(files: ImportFiles, name: string): ImportResult {
  const notes: ImportNote[] = [];
  const cpu = parseCpu(files);
  const sources: Sources = {
    iomem: parseIomem(files),
    zones: parseZoneinfo(files),
    log: parseLog(files),
    sysfs: parseSysfs(files),
  };
  const { iomem, log, zones } = sources;
  const map = memoryMap(sources, notes);
  const devices = iomem && !iomem.hidden ? deviceRanges(sources, notes) : map.devices;
  if (iomem?.hidden)
    notes.push({
      what: 'the places of devices, and of the kernel image, are not known: proc/iomem shows zeros without root',
      exact: 'proc/iomem copied as root',
    });
  const top = [...map.e820, ...devices].reduce((max, range) => (range.end > max ? range.end : max), 0n);
  const levels: 4 | 5 = cpu.fiveLevels || top >= 1n << 46n ? 5 : 4;
  // With four levels of page tables the kernel uses 46 bits, whatever the CPU has.
  const physBits = Math.min(levels === 5 ? 52 : 46, cpu.physBits ?? Math.max(36, top.toString(2).length));
  if (cpu.physBits === undefined)
    notes.push({
      what: `addresses are taken to have ${physBits} bits`,
      from: 'the highest one read',
      exact: 'proc/cpuinfo',
    });
  if (log?.lastCpupid === undefined)
    notes.push({
      what: 'the layout of page->flags is that of a usual configuration',
      exact: 'a kernel log booted with mminit_loglevel=4',
    });
  const last = (1n << BigInt(physBits)) - 1n;
  const cmdline = commandLine(files, notes);
  const outside = map.e820.find((entry) => entry.end > last);
  if (outside)
    throw new ImportError(
      'proc/cpuinfo',
      0,
      `says ${physBits} bits of address, and memory reaches ${hex(outside.end)}`,
    );
  const json = {
    name: name.replace(/[^\x20-\x7e]/g, '?').slice(0, 80) || 'imported',
    description: `Imported from the files of a real machine${log?.version ? `, Linux ${log.version.slice(0, 60)}` : ''}.`,
    physBits,
    ...(levels === 5 ? { pageTableLevels: 5 } : {}),
    config: {
      ...(log?.lastCpupid === undefined ? {} : { lastCpupid: Math.min(21, log.lastCpupid) }),
      ...(log?.nodesShift ? { nodesShift: Math.min(10, log.nodesShift) } : {}),
      ...(log?.pageExt || log?.lastCpupid === undefined ? {} : { pageExtension: false }),
    },
    ...(isHypervised(cpu.hypervisor, sources.sysfs, map.e820) ? { hypervisor: true } : {}),
    cmdline,
    e820: map.e820.map(ranged),
    nodes: nodeMap(sources, cpu.count, notes).map((node) => ({
      ...node,
      ranges: node.ranges
        .filter(({ start }) => start <= last)
        .map((range) => ranged({ ...range, end: range.end < last ? range.end : last })),
    })),
    devices: devices
      .filter((device) => device.end <= last)
      .map((device) => ({ ...ranged(device), busy: isBusy(device.name) })),
  };
  const bare = checked(json);
  if (!zones) notes.push({ what: 'what boot kept for itself is estimated', exact: 'proc/zoneinfo' });
  const release = releaseOf(files, log?.version, notes);
  const tried = settle(json, bare, sources, release ?? '6.12', notes);
  const namespaces = pmemLines(tried.kernel, iomem, notes);
  const occupied = occupyLines(tried.kernel, parseBuddyinfo(files), sources, notes);
  notes.push(...compare(tried.kernel, sources, files, occupied.zones));
  return {
    json: `${JSON.stringify(tried.json, undefined, 2)}\n`,
    config: tried.kernel.config,
    release,
    notes,
    setup: [...setupLines(sources, tried.kernel), ...namespaces, ...occupied.lines],
  };
}

/** A large machine has blocks of 2 GiB, unless it is a virtual one: without the CPU's word the size of its blocks tells. */
const isHypervised = (told: boolean | undefined, sysfs: Sysfs, e820: readonly Entry[]): boolean =>
  told ??
  (sysfs.blockPagesRead &&
    sysfs.blockPages < 1 << 19 &&
    e820.some(({ end, type }) => type === 'usable' && end >= 64n << 30n));

const MAX_DEVICES = 1024;

/** Everything of /proc/iomem that boot does not make itself. */
function deviceRanges({ iomem }: Sources, notes: ImportNote[]): Device[] {
  const devices: Device[] = [];
  let inside: 'ram' | 'pmem' | undefined;
  for (const { start, end, depth, name } of iomem?.entries ?? []) {
    if (depth === 0) {
      inside =
        name === 'System RAM' ? 'ram' : /^(Persistent Memory|Soft Reserved|CXL )/.test(name) ? 'pmem' : undefined;
      if (e820TypeOf(name)) continue;
    } else if (inside === 'ram' && /^Kernel /.test(name)) continue;
    else if (inside === 'pmem') continue;
    devices.push({ start, end, name: name.slice(0, 80) || '<unnamed>' });
  }
  if (devices.length > MAX_DEVICES)
    notes.push({ what: `${devices.length - MAX_DEVICES} of ${devices.length} device ranges are left out` });
  return devices.slice(0, MAX_DEVICES);
}

/** Buses and functions are not busy, what drivers and firmware claimed is; the file does not say which is which. */
const isBusy = (name: string): boolean =>
  !/^(PCI |pci|pnp |[0-9a-f]{4}:[0-9a-f]{2}:|Persistent Memory|Reserved)/i.test(name);

function commandLine(files: ImportFiles, notes: ImportNote[]): string {
  const line = lineOf(files, 'proc/cmdline');
  if (!line) notes.push({ what: 'the command line is taken to be empty', exact: 'proc/cmdline' });
  return (line?.text.trim() ?? '').slice(0, 4096);
}

function releaseOf(files: ImportFiles, version: string | undefined, notes: ImportNote[]): Release | undefined {
  const text = version ?? /^Linux version (\S{1,80})/.exec(lineOf(files, 'proc/version')?.text ?? '')?.[1];
  const numbers = /^(\d{1,3}\.\d{1,3})/.exec(text ?? '')?.[1];
  const known = RELEASES.find((release) => release === numbers);
  if (!known)
    notes.push({
      what: text ? `Linux ${text.slice(0, 40)} is no release the engine knows` : 'the release is not known',
      exact: 'the kernel log of boot, or proc/version',
    });
  return known;
}

/** Lines that leave as much memory free as there was, and the zones they are for. */
function occupyLines(
  kernel: Kernel,
  buddyinfo: readonly FreeBlocks[],
  { zones }: Sources,
  notes: ImportNote[],
): { lines: string[]; zones: Set<string> } {
  const lines: string[] = [];
  const done = new Set<string>();
  for (const { node, zone, blocks } of buddyinfo) {
    const booted = kernel.nodes[node]?.node_zones.find((each) => each.name === zone);
    const free = pagesOfBlocks(blocks);
    const plan = booted ? planOccupation(booted, blocks) : { why: 'the booted machine has no such zone' };
    if ('why' in plan) {
      notes.push({ what: `the free blocks of zone ${zone} of node ${node} cannot be as they were: ${plan.why}` });
      continue;
    }
    const read = zones?.find((each) => each.node === node && each.name === zone)?.free;
    if (read !== undefined && read !== free)
      notes.push({
        what: `zone ${zone} of node ${node} has ${free} pages free, as proc/buddyinfo counts; proc/zoneinfo, read at another moment, has ${read}`,
      });
    if (booted?.free_area.some((area) => area.nr_free !== blocks[area.order]))
      lines.push(`occupy ${node} ${zone} ${blocks.join(' ')}`);
    done.add(`${node} ${zone}`);
  }
  return { lines, zones: done };
}

/** Memory that came later, and blocks that were taken offline, as the administrator would do it. */
function setupLines({ sysfs }: Sources, kernel: Kernel): string[] {
  const lines: string[] = [];
  const write = (number: number, state: string): void => {
    for (const id of blocksWithin(kernel, sysfs, number))
      lines.push(`echo ${state} > /sys/devices/system/memory/memory${id}/state`);
  };
  for (const block of sysfs.blocks)
    if (isThere(kernel, sysfs, block.number) && block.state !== 'online') write(block.number, 'offline');
  const added = sysfs.blocks.filter(
    ({ number }) => !isThere(kernel, sysfs, number) && blocksWithin(kernel, sysfs, number).length > 0,
  );
  for (let i = 0; i < added.length; ) {
    const first = added[i];
    let count = 1;
    while (first && added[i + count]?.number === first.number + count && added[i + count]?.node === first.node) count++;
    if (first)
      lines.push(
        `dimm plug ${(count * sysfs.blockPages) / 256}M node=${first.node ?? 0} at=${hex(BigInt(first.number * sysfs.blockPages) << 12n)}`,
      );
    for (const block of added.slice(i, i + count))
      if (block.state === 'online') write(block.number, block.zones === 'Movable' ? 'online_movable' : 'online_kernel');
    i += count;
  }
  return lines;
}
