/** Does the machine that boots from an import print what was read? Whatever differs is said. */
import { iomem } from '../../fs/proc.ts';
import type { Zone } from '../../include/mmzone.ts';
import type { Kernel } from '../kernel.ts';
import type { Sources } from './memory.ts';
import type { ImportedBlock, Sysfs } from './sysfs.ts';
import type { ImportFiles, ImportNote } from './text.ts';
import type { ImportedZone } from './zoneinfo.ts';

export interface ZoneDifference {
  node: number;
  zone: string;
  field: 'start' | 'spanned' | 'present' | 'managed' | 'min' | 'low' | 'high' | 'free' | 'protection' | 'zone';
  imported: number;
  booted: number;
}

const fields = (zone: Zone): Record<(typeof FIELDS)[number], number> => ({
  start: zone.zone_start_pfn,
  spanned: zone.spanned_pages,
  present: zone.present_pages,
  managed: zone.managed_pages,
  min: zone.watermark.min,
  low: zone.watermark.low,
  high: zone.watermark.high,
  free: zone.nr_free,
});

const FIELDS = ['start', 'spanned', 'present', 'managed', 'min', 'low', 'high', 'free'] as const;

/** Every field of every zone that was read, against the booted machine. */
export function zoneDifferences(kernel: Kernel, zones: readonly ImportedZone[]): ZoneDifference[] {
  const found: ZoneDifference[] = [];
  for (const zone of zones) {
    const booted = kernel.nodes[zone.node]?.node_zones[zone.index];
    if (!booted) {
      found.push({ node: zone.node, zone: zone.name, field: 'zone', imported: 1, booted: 0 });
      continue;
    }
    const ours = fields(booted);
    for (const field of FIELDS) {
      const imported = zone[field];
      if (imported === undefined || imported === ours[field]) continue;
      found.push({ node: zone.node, zone: zone.name, field, imported, booted: ours[field] });
    }
    const at = zone.protection.findIndex((pages, index) => pages !== (booted.lowmem_reserve[index] ?? pages));
    if (at >= 0)
      found.push({
        node: zone.node,
        zone: zone.name,
        field: 'protection',
        imported: zone.protection[at] ?? 0,
        booted: booted.lowmem_reserve[at] ?? 0,
      });
  }
  return found;
}

const WHY: Partial<Record<ZoneDifference['field'], string>> = {
  free: 'what the running system had allocated is not known without proc/buddyinfo',
};

function zoneNotes(differences: readonly ZoneDifference[]): ImportNote[] {
  return differences.map(({ node, zone, field, imported, booted }) =>
    field === 'zone'
      ? { what: `node ${node} has no zone ${zone} in the booted machine` }
      : {
          what: `zone ${zone} of node ${node}: ${field} is ${booted} in the booted machine, and was ${imported}${WHY[field] ? `: ${WHY[field]}` : ''}`,
        },
  );
}

/** Every difference, as notes. */
export function compare(
  kernel: Kernel,
  sources: Sources,
  files: ImportFiles,
  /** Zones whose free blocks are set once the machine is up: `0 DMA32`. */
  occupied: ReadonlySet<string>,
): ImportNote[] {
  const differences = zoneDifferences(kernel, sources.zones ?? []);
  const notes = zoneNotes(
    differences.filter(({ node, zone, field }) => field !== 'free' || !occupied.has(`${node} ${zone}`)),
  );
  notes.push(...blockNotes(kernel, sources), ...memmapNotes(kernel, files));
  if (sources.iomem && !sources.iomem.hidden) {
    const real = new Set((files.get('proc/iomem') ?? '').split('\n').map((line) => line.trimEnd()));
    const ours = new Set(iomem(kernel).split('\n'));
    const missing = [...real].filter((line) => line !== '' && !ours.has(line));
    const extra = [...ours].filter((line) => line !== '' && !real.has(line));
    notes.push(...listed('proc/iomem has, and the booted machine has not', missing));
    notes.push(...listed('the booted machine has, and proc/iomem has not', extra));
  }
  return notes;
}

const SHOWN = 8;
function listed(what: string, lines: readonly string[]): ImportNote[] {
  if (lines.length === 0) return [];
  const more = lines.length > SHOWN ? ` and ${lines.length - SHOWN} more` : '';
  return [
    {
      what: `${what}: ${lines
        .slice(0, SHOWN)
        .map((line) => line.trim())
        .join('; ')}${more}`,
    },
  ];
}

/** The booted machine's blocks that make up one that was read: the same one where sizes agree, none where it is but a part. */
export function blocksWithin(kernel: Kernel, sysfs: Sysfs, number: number): number[] {
  const parts = sysfs.blockPages / kernel.state.memoryBlockPages;
  return Number.isInteger(parts) ? Array.from({ length: parts }, (_, part) => number * parts + part) : [];
}

/** Whether the booted machine has memory where this block was. */
export function isThere(kernel: Kernel, sysfs: Sysfs, number: number): boolean {
  const { memoryBlocks, memoryBlockPages } = kernel.state;
  const first = Math.floor((number * sysfs.blockPages) / memoryBlockPages);
  return memoryBlocks.has(first) || blocksWithin(kernel, sysfs, number).some((id) => memoryBlocks.has(id));
}

/** Memory blocks and their states: the machine boots with all of its memory online. */
function blockNotes(kernel: Kernel, { sysfs }: Sources): ImportNote[] {
  const there = (block: ImportedBlock): boolean => isThere(kernel, sysfs, block.number);
  const missing = sysfs.blocks.filter((block) => block.state === 'online' && !there(block));
  const back = sysfs.blocks.filter((block) => block.state !== 'online' && there(block));
  const size = (pages: number): string => `${pages / 256} MiB`;
  const { memoryBlockPages } = kernel.state;
  return [
    ...(sysfs.blockPagesRead && sysfs.blockPages !== memoryBlockPages
      ? [
          {
            what: `memory blocks are of ${size(memoryBlockPages)} in the booted machine, and were of ${size(sysfs.blockPages)}`,
          },
        ]
      : []),
    ...listed(
      'these memory blocks were online, and are not there in the booted machine',
      missing.map((block) => `memory${block.number}`),
    ),
    ...listed(
      'these memory blocks were not online, and are in the booted machine',
      back.map((block) => `memory${block.number}`),
    ),
  ];
}

function memmapNotes(kernel: Kernel, files: ImportFiles): ImportNote[] {
  const real = /^nr_memmap_boot_pages (\d{1,15})$/m.exec((files.get('proc/vmstat') ?? '').slice(0, 1 << 16))?.[1];
  const ours = kernel.nodes.reduce((sum, node) => sum + node.nr_memmap_boot, 0);
  return real === undefined || Number(real) === ours
    ? []
    : [{ what: `nr_memmap_boot_pages is ${ours} in the booted machine, and was ${real}` }];
}
