/** The order of boot and the parameters that shape memory, against boots of a real 6.12 kernel. */
import { describe, expect, it } from 'vitest';
import { pagetypeinfo } from '../../sim/fs/pagetypeinfo.ts';
import { buddyinfo, iomem, zoneinfo } from '../../sim/fs/proc.ts';
import { vmstat } from '../../sim/fs/vmstat.ts';
import { type Machine, zonesView } from '../../sim/index.ts';
import { boot } from '../support/machines.ts';
import { recordedBoot } from '../support/recordedBoot.ts';
import { recordedSections, recordedZoneinfo, recordedZones, recording } from '../support/recording.ts';

const NOWHERE = { revision: 0, step: 0, steps: 0, machine: '', release: '', lastStep: '' };
const log = (machine: Machine): string[] => machine.kernel.state.log.map((line) => line.text);
const zonesOf = (machine: Machine) =>
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
const sectionsOf = (machine: Machine) =>
  zonesView(machine, NOWHERE).sections.flatMap((run) =>
    Array.from({ length: run.count }, (_, index) => ({
      section: run.first + index,
      flags: `${run.present ? 'P' : '-'}${run.hasMemMap ? 'M' : '-'}${run.online ? 'O' : '-'}${run.early ? 'E' : '-'}${run.taintZoneDevice ? 'T' : '-'}`,
      subsections: run.subsectionMap.map((word) => word.toString(16).padStart(8, '0')).join(','),
    })),
  );
/** Zones that lie wholly in a memory block, as valid_zones names them: none where there are several. */
const blocksOf = (machine: Machine): string[] =>
  sectionsOf(machine)
    .filter((section) => section.flags[2] === 'O')
    .map(({ section }) => {
      const zones = machine.kernel.nodes.flatMap((node) =>
        node.node_zones.filter(
          (zone) =>
            zone.present_pages > 0 &&
            zone.zone_start_pfn < (section + 1) * 32768 &&
            zone.zone_start_pfn + zone.spanned_pages > section * 32768,
        ),
      );
      return `memory${section} ${zones.length === 1 ? zones[0]?.name : 'none'} node=${zones[0]?.node}`;
    });
const recordedBlocks = (moment: string): string[] =>
  [...recording(moment, 'memory_blocks').matchAll(/^(memory\d+) .* valid_zones=(\S+) (node=\d+)/gm)].map(
    ([, name, zones, node]) => `${name} ${zones} ${node}`,
  );
/** The resources that the map of memory and the kernel image make. */
const memoryResources = (text: string): string[] =>
  text.split('\n').filter((line) => /System RAM|Reserved|Kernel|Persistent/.test(line));

const MOMENTS = ['b5-kernelcore2G_00-boot', 'c1-1G_00-boot', 'e-hotplug_01-base'] as const;

describe.each(MOMENTS)('%s', (moment) => {
  const machine = recordedBoot(moment);
  // By this moment a pmem driver had mapped its namespace: what it made is no part of the boot.
  const isDevice = (zone: { name: string }): boolean => zone.name === 'Device';

  it('has the recorded start, spanned, present and managed pages in every zone', () => {
    expect(zonesOf(machine).filter((zone) => !isDevice(zone))).toEqual(
      recordedZones(moment).filter((zone) => !isDevice(zone)),
    );
  });

  it('has the recorded watermarks, protection and bounds in /proc/zoneinfo', () => {
    const entries = (text: string) => [...recordedZoneinfo(text)].filter(([name]) => !name.endsWith('Device'));
    const real = entries(recording(moment, 'zoneinfo'));
    expect(real.length).toBeGreaterThan(3);
    expect(entries(zoneinfo(machine.kernel))).toEqual(real);
  });

  it('has the recorded sections with their sub-sections, and no others', () => {
    const sections = recordedSections(moment);
    expect(sections.length).toBeGreaterThan(20);
    expect(sectionsOf(machine)).toEqual(
      sections.map(({ section, flags, subsections }) => ({ section, flags, subsections })),
    );
  });

  it('has the recorded memory blocks, each in its zone and node', () => {
    expect(blocksOf(machine)).toEqual(recordedBlocks(moment));
  });

  it('has the recorded map of memory in /proc/iomem', () => {
    expect(memoryResources(iomem(machine.kernel))).toEqual(memoryResources(recording(moment, 'iomem')));
  });

  it('tells of its zones and zonelists what the kernel told, in its order', () => {
    const told =
      /^(Zone ranges| {2}(DMA|DMA32|Normal|Device) |Movable zone| {2}Node|Early| {2}node|Initmem|user|Fallback|Built|Policy)/;
    const lines = (all: readonly string[]): string[] => all.filter((line) => told.test(line));
    expect(lines(log(machine))).toEqual(lines(recording(moment, 'dmesg-boot').split('\n')));
  });

  it('ZONE_DMA is free in the blocks and migrate types that the real one had', () => {
    const dma = (text: string): string[] => text.split('\n').filter((line) => /Node +0, zone +DMA[ ,]/.test(line));
    expect(dma(pagetypeinfo(machine.kernel))).toEqual(dma(recording(moment, 'pagetypeinfo')));
    expect(dma(buddyinfo(machine.kernel))).toEqual(dma(recording(moment, 'buddyinfo')));
  });

  it('/proc/pagetypeinfo has the real lines in the real columns, and counts as many pageblocks', () => {
    const real = recording(moment, 'pagetypeinfo');
    const shape = (text: string): string[] =>
      text
        .split('\n')
        .map((line) =>
          /^(Node|Page)/.test(line) ? line.replace(/ +\d+/g, (match) => '#'.repeat(match.length)) : line,
        );
    const blocks = (text: string): number[] =>
      [...text.matchAll(/^Node \d+, zone +\w+ ([ \d]+)$/gm)].map(([, counts]) =>
        (counts ?? '')
          .trim()
          .split(/ +/)
          .reduce((sum, count) => sum + Number(count), 0),
      );
    expect(shape(pagetypeinfo(machine.kernel))).toEqual(shape(real));
    expect(blocks(pagetypeinfo(machine.kernel))).toEqual(blocks(real));
  });
});

describe('the same machines, looked at closer', () => {
  it('kernelcore=2G is met by node 0, below 4 GiB: all of node 1 is ZONE_MOVABLE', () => {
    const { kernel } = recordedBoot('b5-kernelcore2G_00-boot');
    expect(kernel.zone(1, 3).present_pages).toBe(786432);
    expect(kernel.zone(1, 2).present_pages).toBe(0);
    expect(kernel.node(1).node_zonelists[0].map((zone) => `${zone.node}:${zone.name}`)).toEqual([
      '1:Movable',
      '0:DMA32',
      '0:DMA',
    ]);
  });

  it.each([
    ['b5-kernelcore2G_00-boot', 24576],
    ['c1-1G_00-boot', 20480],
    ['e-hotplug_01-base', 12288],
  ])('%s: its sections cost the recorded nr_memmap_boot_pages', (moment, pages) => {
    expect(vmstat(recordedBoot(moment).kernel)).toContain(`nr_memmap_boot_pages ${pages}\n`);
  });

  it.each(['a-2G_00-boot', 'b1-3G+3G_00-boot'])('the text of %s has the columns that are printed here', (moment) => {
    const head = (text: string): string => text.split('\n').slice(0, 9).join('\n');
    expect(head(pagetypeinfo(boot().kernel))).toBe(head(recording(moment, 'pagetypeinfo')));
  });

  it('with deferred initialisation of struct pages the same pages come to the same lists in the same order', () => {
    const plain = recordedBoot('b5-kernelcore2G_00-boot');
    const config = { pageExtension: false, lastCpupid: 14, deferredStructPageInit: true };
    const deferred = recordedBoot('b5-kernelcore2G_00-boot', '6.12', { config });
    expect(log(deferred)).toContain('node 1 deferred pages initialised in 0ms');
    const lists = ({ kernel }: Machine) =>
      kernel.nodes.flatMap((node) =>
        node.node_zones.flatMap((zone) =>
          zone.free_area.map((area) => [0, 1, 2, 3, 4].map((type) => blocksIn(area.order, [...area.runs(type)]))),
        ),
      );
    expect(lists(deferred)).toEqual(lists(plain));
  });
});

/** Runs joined, so that it does not matter in how many pieces they were freed. */
function blocksIn(order: number, runs: readonly { start: number; count: number }[]): string[] {
  const joined: { start: number; count: number }[] = [];
  for (const run of runs) {
    const last = joined.at(-1);
    if (last && last.start + last.count * 2 ** order === run.start) last.count += run.count;
    else joined.push({ ...run });
  }
  return joined.map((run) => `${run.start}+${run.count}`);
}
