import { describe, expect, it } from 'vitest';
import { buddyinfo, iomem, meminfo, zoneinfo } from '../../sim/fs/proc.ts';
import { zonesView } from '../../sim/index.ts';
import { flagsWord } from '../../sim/mm/page_flags.ts';
import { blockLines, recordedBlockLines } from '../support/blocks.ts';
import { boot, machineOf, mapLines, sh } from '../support/machines.ts';
import { recordedSections, recordedZoneinfo, recordedZones, recording } from '../support/recording.ts';

const BOOT = 'a-2G_00-boot';
const zonesOf = (machine: ReturnType<typeof boot>) =>
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
const NOWHERE = { revision: 0, step: 0, steps: 0, machine: '', release: '', lastStep: '' };
const sectionsOf = (machine: ReturnType<typeof boot>) =>
  zonesView(machine, NOWHERE).sections.flatMap((run) =>
    Array.from({ length: run.count }, (_, index) => ({
      section: run.first + index,
      raw: run.raw,
      flags: [
        run.present ? 'P' : '-',
        run.hasMemMap ? 'M' : '-',
        run.online ? 'O' : '-',
        run.early ? 'E' : '-',
        run.taintZoneDevice ? 'T' : '-',
      ].join(''),
      subsections: run.subsectionMap.map((word) => word.toString(16).padStart(8, '0')).join(','),
    })),
  );

describe('the recorded 2 GiB machine boots as the real 6.12 kernel did', () => {
  const machine = boot();

  it('every zone has the recorded start, spanned, present and managed', () => {
    expect(zonesOf(machine)).toEqual(recordedZones(BOOT));
  });

  it('/proc/zoneinfo agrees in every bound, watermark and protection of every zone', () => {
    const real = recordedZoneinfo(recording(BOOT, 'zoneinfo'));
    expect(real.size).toBe(5);
    expect(recordedZoneinfo(zoneinfo(machine.kernel))).toEqual(real);
  });

  it('/proc/zoneinfo has the lines of the real one, in its order', () => {
    const shape = (text: string): string[] => text.split('\n').map((line) => line.replace(/\d+/g, 'N'));
    expect(shape(zoneinfo(machine.kernel))).toEqual(shape(recording(BOOT, 'zoneinfo')));
  });

  it('/proc/iomem is the recorded one, byte for byte', () => {
    expect(iomem(machine.kernel)).toBe(recording(BOOT, 'iomem'));
  });

  it('every section is present, mapped, online and early, with the recorded word and sub-sections', () => {
    expect(sectionsOf(machine)).toEqual(recordedSections(BOOT));
  });

  it('has the recorded memory blocks, with their states, valid zones and nodes', () => {
    expect(blockLines(machine)).toEqual(recordedBlockLines(recording(BOOT, 'memory_blocks')));
  });

  it('MemTotal, CommitLimit and what MemAvailable withholds are the recorded kB', () => {
    const value = (text: string, name: string): number =>
      Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1]);
    const [real, ours] = [recording(BOOT, 'meminfo'), meminfo(machine.kernel)];
    for (const name of ['MemTotal', 'CommitLimit', 'Hugepagesize', 'VmallocTotal'])
      expect(value(ours, name), name).toBe(value(real, name));
    // The real one had a page cache; both withhold the same reserve.
    expect(value(ours, 'MemFree') - value(ours, 'MemAvailable')).toBe(
      value(real, 'MemFree') - value(real, 'MemAvailable'),
    );
  });

  it('meminfo lines stand in the real order and columns', () => {
    const shape = (text: string): string[] =>
      text
        .split('\n')
        .filter((line) => !line.startsWith('DirectMap'))
        .map((line) => line.replace(/:\s+\d+/, (match) => `:${match.length}`));
    expect(shape(meminfo(machine.kernel))).toEqual(shape(recording(BOOT, 'meminfo')));
  });

  it('ZONE_DMA is free in the blocks the real kernel had', () => {
    expect(buddyinfo(machine.kernel).split('\n')[0]).toBe(
      'Node 0, zone      DMA      0      0      0      0      0      0      0      0      1      1      3 ',
    );
  });

  it('lists a Device zone already in 4.3, the release that brought it', () => {
    expect(boot('qemu-2g', '4.3').kernel.nodes[0]?.node_zones.map((zone) => zone.name)).toEqual([
      'DMA',
      'DMA32',
      'Normal',
      'Movable',
      'Device',
    ]);
  });
});

describe('two nodes that meet at 4 GiB', () => {
  const machine = machineOf({
    name: 'b1',
    physBits: 40,
    e820: [
      { start: '0x0', end: '0x9fbff', type: 'usable' },
      { start: '0x9fc00', end: '0x9ffff', type: 'reserved' },
      { start: '0xf0000', end: '0xfffff', type: 'reserved' },
      { start: '0x100000', end: '0xbffdcfff', type: 'usable' },
      { start: '0xbffdd000', end: '0xbfffffff', type: 'reserved' },
      { start: '0x100000000', end: '0x1bfffffff', type: 'usable' },
    ],
    nodes: [
      {
        id: 0,
        ranges: [
          { start: '0x0', end: '0x9ffff' },
          { start: '0x100000', end: '0xbfffffff' },
        ],
        cpus: [0],
      },
      { id: 1, ranges: [{ start: '0x100000000', end: '0x1bfffffff' }], cpus: [1] },
    ],
  });

  it('have the recorded zone bounds on each node', () => {
    const bounds = (zones: ReturnType<typeof zonesOf>) => zones.map(({ managed: _, ...zone }) => zone);
    expect(bounds(zonesOf(machine))).toEqual(bounds(recordedZones('b1-3G+3G_00-boot')));
  });

  it('have the recorded memory blocks, with their states, valid zones and nodes', () => {
    expect(blockLines(machine)).toEqual(recordedBlockLines(recording('b1-3G+3G_00-boot', 'memory_blocks')));
  });

  it('have the recorded sections and sub-section maps', () => {
    const plain = (sections: ReturnType<typeof sectionsOf>) =>
      sections.map(({ section, flags, subsections }) => ({ section, flags, subsections }));
    expect(plain(sectionsOf(machine))).toEqual(plain(recordedSections('b1-3G+3G_00-boot')));
  });
});

describe('device private memory looks as the real kernel shows it after test_hmm has made two regions of 256 MiB', () => {
  const machine = boot();
  const ops = ['struct dev_pagemap_ops ops', 'ops.page_free = put_page; ops.migrate_to_ram = put_page'];
  sh(machine, ...ops);
  for (const name of ['a', 'b']) {
    sh(
      machine,
      ...mapLines('MEMORY_DEVICE_PRIVATE', '256UL << 20', name),
      `${name}.ops = &ops; ${name}.owner = &ops`,
      `memremap_pages(&${name}, 0)`,
    );
  }
  const LOADED = 'd-hmm_02-loaded';

  it('the regions are taken from the top of the address space down', () => {
    const real = [...recording(LOADED, 'iomem').matchAll(/^([0-9a-f]+-[0-9a-f]+) : hmm_dmirror$/gm)].map(
      (match) => match[1],
    );
    expect(real).toHaveLength(2);
    expect([...iomem(machine.kernel).matchAll(/^([0-9a-f]+-[0-9a-f]+) : test$/gm)].map((match) => match[1])).toEqual(
      real,
    );
  });

  it('ZONE_DEVICE spans both, has nothing present or managed, and the node spans up to it', () => {
    const device = zonesOf(machine).find((zone) => zone.name === 'Device');
    expect(device).toEqual(recordedZones(LOADED).find((zone) => zone.name === 'Device'));
    const node = /^node 0 start_pfn=0x1 spanned=(\d+) present=(\d+)/m.exec(recording(LOADED, 'zones'));
    expect(machine.kernel.nodes[0]?.node_spanned_pages).toBe(Number(node?.[1]));
    expect(machine.kernel.nodes[0]?.node_present_pages).toBe(Number(node?.[2]));
  });

  it('its sections are present with a memmap, never online or early', () => {
    const plain = (sections: ReturnType<typeof sectionsOf>) =>
      sections.map(({ section, raw, flags, subsections }) => ({ section, raw, flags, subsections }));
    expect(plain(sectionsOf(machine))).toEqual(plain(recordedSections(LOADED)));
  });

  it('a second section root is allocated', () => {
    expect(recording(LOADED, 'sections')).toContain('# allocated section roots 2 of 2048');
    expect(machine.kernel.state.sectionRoots.size).toBe(2);
  });

  it('struct pages have the recorded flags word, refcount, mapcount and pagemap', () => {
    const lines = [
      ...recording(LOADED, 'pginfo').matchAll(
        /^pfn=0x([0-9a-f]+) .*valid=1 .*page=([0-9a-f]+) flags=0x([0-9a-f]+)\S* .*ref=(\d+) mapcount_raw=(-?\d+)/gm,
      ),
    ];
    expect(lines.length).toBeGreaterThan(10);
    for (const [, pfnText = '', , flags = '', ref, mapcount] of lines) {
      const pfn = Number.parseInt(pfnText, 16);
      expect(flagsWord(machine.kernel, pfn).word.toString(16), pfnText).toBe(flags);
      expect(machine.kernel.pages.refcount.get(pfn)).toBe(Number(ref));
      expect(machine.kernel.pages.mapcount.get(pfn) | 0).toBe(Number(mapcount));
      expect(machine.kernel.pages.pgmap.get(pfn)).not.toBe(0);
    }
  });

  it('takes 512 pages of memory map a section, as nr_memmap_pages recorded', () => {
    expect(machine.kernel.nodes[0]?.nr_memmap).toBe(2048);
  });

  it('when they are gone the zone keeps its span, and the memory map is back in the buddy lists', () => {
    sh(machine, 'memunmap_pages(&a)', 'memunmap_pages(&b)');
    const device = machine.kernel.nodes[0]?.node_zones[4];
    expect(device?.spanned_pages).toBe(131072);
    expect(machine.kernel.nodes[0]?.nr_memmap).toBe(0);
    expect(sectionsOf(machine).length).toBe(16);
    expect(zonesOf(machine).find((zone) => zone.name === 'DMA32')?.managed).toBe(506801);
    expect(machine.kernel.nodes[0]?.node_zones[1]?.nr_free).toBe(506801);
  });
});
