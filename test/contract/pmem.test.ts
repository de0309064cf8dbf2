/**
 * Persistent memory against recordings of 6.12, moment by moment, with the commands of their
 * script.log. Exceptions: moments 10 to 12 of c1-1G (kmem failed there for want of a module);
 * uuids are random there, so only their shape is compared; MemFree drifts by what the
 * recorder kept in memory; in `sections` the addresses of map and usage are left out of
 * the fixtures, the raw word is compared; the first two struct pages of an altmap are never
 * initialised, and hold what was on the media (zero in one moment, 1 in others) or, in a
 * boot section, what was there before: the recorded kernel, without DEBUG_VM, does not poison.
 */
import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { iomem, zoneinfo } from '../../sim/fs/proc.ts';
import { vmstat } from '../../sim/fs/vmstat.ts';
import { kindOf } from '../../sim/include/mmzone.ts';
import { type Machine, PageKind, runShellLine, statusOf, zonesView } from '../../sim/index.ts';
import { page_ref_count } from '../../sim/mm/compound_page.ts';
import { flagsWord } from '../../sim/mm/page_flags.ts';
import { pfn_valid } from '../../sim/mm/sparse.ts';
import type { VmemAltmap } from '../../sim/mm/sparse-vmemmap.ts';
import { pmemMachine, sh } from '../support/machines.ts';
import { recordedSections, recordedZoneinfo, recordedZones, recording } from '../support/recording.ts';

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
const NOWHERE = { revision: 0, step: 0, steps: 0, machine: '', release: '', lastStep: '' };
const sectionsOf = (machine: Machine) =>
  zonesView(machine, NOWHERE).sections.flatMap((run) =>
    Array.from({ length: run.count }, (_, index) => ({
      section: run.first + index,
      raw: run.raw,
      flags: `${run.present ? 'P' : '-'}${run.hasMemMap ? 'M' : '-'}${run.online ? 'O' : '-'}${run.early ? 'E' : '-'}${run.taintZoneDevice ? 'T' : '-'}`,
      subsections: run.subsectionMap.map((word) => word.toString(16).padStart(8, '0')).join(','),
    })),
  );

/** Output of a line, whatever its status. */
function attempt(machine: Machine, line: string): { status: number; output: string } {
  const program = runShellLine(machine, line);
  if (!program) throw new Error(line);
  const text = [...program.output, ...(program.error ? [program.error.message] : [])].join('\n');
  return { status: statusOf(program), output: text };
}
const output = (machine: Machine, line: string): string => `${sh(machine, line).output.join('\n')}\n`;
const withoutUuids = (text: string): string =>
  text.replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'UUID');
const has = (moment: string, file: string): boolean =>
  existsSync(new URL(`../fixtures/recordings/6.12/${moment}/${file}`, import.meta.url));

/** Everything a moment recorded, against the machine as it stands. */
function expectMoment(machine: Machine, moment: string): void {
  expect(zonesOf(machine), moment).toEqual(recordedZones(moment));
  const node = /^node 0 start_pfn=0x1 spanned=(\d+) present=(\d+)/m.exec(recording(moment, 'zones'));
  expect(machine.kernel.nodes[0]?.node_spanned_pages).toBe(Number(node?.[1]));
  expect(machine.kernel.nodes[0]?.node_present_pages).toBe(Number(node?.[2]));
  expect(sectionsOf(machine), moment).toEqual(recordedSections(moment));
  expect(iomem(machine.kernel), moment).toBe(recording(moment, 'iomem'));
  expect(vmstat(machine.kernel), moment).toContain(recording(moment, 'vmstat'));
  if (has(moment, 'ndctl'))
    expect(withoutUuids(output(machine, 'ndctl list -RNi')), moment).toBe(withoutUuids(recording(moment, 'ndctl')));
  if (has(moment, 'daxctl')) expect(output(machine, 'daxctl list -RD'), moment).toBe(recording(moment, 'daxctl'));
  if (has(moment, 'pginfo')) expectPages(machine, moment);
}

/** The first pages of an altmap: their struct pages are nobody's. */
const isReservedByAltmap = (machine: Machine, pfn: number): boolean =>
  machine.kernel.state.pgmaps.some(({ pgmap }) => {
    const altmap = pgmap.altmap as VmemAltmap;
    const at = BigInt(pfn) - altmap.base_pfn;
    return pgmap.flags === 1n && at >= 0n && at < altmap.reserve;
  });

function expectPages(machine: Machine, moment: string): void {
  const { kernel } = machine;
  const lines = [
    ...recording(moment, 'pginfo').matchAll(
      /^pfn=0x([0-9a-f]+) .*flags=0x([0-9a-f]+)\(.*ref=(\d+) mapcount_raw=(-?\d+)$/gm,
    ),
  ];
  expect(lines.length).toBeGreaterThan(1);
  for (const [, text = '', flags = '', ref, mapcount] of lines) {
    const pfn = Number.parseInt(text, 16);
    const where = `${moment} ${text}`;
    expect(pfn_valid(kernel, pfn), where).toBe(true);
    if (isReservedByAltmap(machine, pfn)) {
      expect(kindOf(kernel.pages.state.get(pfn)), where).toBe(PageKind.Poisoned);
      continue;
    }
    expect(page_ref_count(kernel, pfn), where).toBe(Number(ref));
    expect(flagsWord(kernel, pfn).word.toString(16), where).toBe(flags);
    expect(kernel.pages.mapcount.get(pfn) | 0, where).toBe(Number(mapcount));
  }
}

describe('1 GiB of legacy persistent memory (recording c1-1G)', () => {
  const machine = pmemMachine('c1-1G');
  const CREATE = 'ndctl create-namespace -f -e namespace0.0';

  it('boots with a memmap for it, watermarks and reserves as recorded', () => {
    expectMoment(machine, 'c1-1G_00-boot');
    expect(recordedZoneinfo(zoneinfo(machine.kernel))).toEqual(
      recordedZoneinfo(recording('c1-1G_00-boot', 'zoneinfo')),
    );
    expectMoment(machine, 'c1-1G_01-boot-raw');
  });

  it('disabled, it has neither struct pages nor a region of its own', () => {
    expect(output(machine, 'ndctl disable-namespace namespace0.0')).toBe('disabled 1 namespace\n');
    expectMoment(machine, 'c1-1G_02-disabled');
  });

  it('force_raw gives it a block device without struct pages', () => {
    sh(machine, 'echo 1 > /sys/bus/nd/devices/namespace0.0/force_raw');
    expect(output(machine, 'ndctl enable-namespace namespace0.0')).toBe('enabled 1 namespace\n');
    expectMoment(machine, 'c1-1G_03-force-raw');
  });

  it.each([
    ['-m fsdax -M mem', 'c1-1G_04-fsdax-mem'],
    ['-m fsdax -M dev', 'c1-1G_05-fsdax-dev'],
    ['-m devdax -M mem', 'c1-1G_06-devdax-mem'],
    ['-m devdax -M dev', 'c1-1G_07-devdax-dev'],
    ['-m devdax -M mem -a 4K', 'c1-1G_08-devdax-mem-4k'],
    ['-m devdax -M dev -a 4K', 'c1-1G_09-devdax-dev-4k'],
    ['-m sector', 'c1-1G_13-sector'],
  ])('create-namespace %s', (options, moment) => {
    const printed = withoutUuids(output(machine, `${CREATE} ${options}`));
    expectMoment(machine, moment);
    const created: string = recording('c1-1G', 'created.txt');
    const recorded = created.split('\n+ ').find((part) => part.startsWith(`${CREATE} ${options}\n`));
    expect(printed).toBe(recorded?.slice(recorded.indexOf('\n') + 1));
  });

  it('destroyed, it is what it was before any info block', () => {
    expect(output(machine, 'ndctl destroy-namespace -f namespace0.0')).toBe('destroyed 1 namespace\n');
    expectMoment(machine, 'c1-1G_14-destroyed');
  });
});

describe('1000 MiB, whose last section it shares with RAM (recording cs1-1000M)', () => {
  const machine = pmemMachine('cs1-1000M');

  it('boots with struct pages for all of it, seven sections of them new', () => {
    expectMoment(machine, 'cs1-1000M_00-boot');
    expectMoment(machine, 'cs1-1000M_01-boot');
  });

  it.each([
    ['fsdax', 'mem'],
    ['fsdax', 'dev'],
    ['devdax', 'mem'],
    ['devdax', 'dev'],
  ])('ndctl refuses to make it %s map=%s: the region is aligned to 16 MiB', (mode, map) => {
    const before = machine.canonical();
    expect(attempt(machine, `ndctl create-namespace -f -e namespace0.0 -m ${mode} -M ${map}`)).toEqual({
      status: 234 - 256,
      output: expect.stringContaining(
        '  Error: create namespace: region0: align setting is 0x1000000 size 0x3e800000 is misaligned\n',
      ),
    });
    expectMoment(machine, `cs1-1000M_02-${mode}-${map}`);
    expect(machine.canonical() === before).toBe(true);
  });
});

describe('two regions and RAM in one section (recording cs5-two-in-section)', () => {
  const machine = pmemMachine('cs5-two-in-section');

  it('boots with the struct pages that the section has anyway', () => {
    expectMoment(machine, 'cs5-two-in-section_00-boot');
    expectMoment(machine, 'cs5-two-in-section_01-boot');
  });

  it.each([
    ['fsdax', 'mem'],
    ['fsdax', 'dev'],
    ['devdax', 'mem'],
    ['devdax', 'dev'],
  ])('both become %s map=%s, and the altmap is not used', (mode, map) => {
    for (const name of ['namespace0.0', 'namespace1.0'])
      sh(machine, `ndctl create-namespace -f -e ${name} -m ${mode} -M ${map}`);
    expectMoment(machine, `cs5-two-in-section_02-${mode}-${map}`);
    for (const map of machine.kernel.state.pgmaps) expect(map.pgmap.altmap).toMatchObject({ alloc: 0n });
  });
});

describe('what each mode costs, and kmem through sysfs (recording k1-memmap-cost-kmem)', () => {
  const machine = pmemMachine('k1-memmap-cost-kmem');
  const CREATE = 'ndctl create-namespace -f -e namespace0.0';
  const memmap = (): number => machine.kernel.nodes[0]?.nr_memmap ?? 0;
  const moment = (name: string) => expectMoment(machine, `k1-memmap-cost-kmem_${name}`);

  it('boots as the other', () => {
    moment('00-boot');
  });

  it.each([
    ['-m fsdax -M mem -a 2M', 4096],
    ['-m fsdax -M mem -a 4K', 4096],
    ['-m fsdax -M dev -a 2M', 4096],
    ['-m devdax -M mem -a 2M', 1024],
    ['-m devdax -M mem -a 4K', 4096],
    ['-m devdax -M dev -a 2M', 4096],
    ['-m devdax -M dev -a 4K', 4096],
  ])('%s takes %i pages of struct pages, none once it is disabled', (options, pages) => {
    sh(machine, `${CREATE} ${options}`);
    expect(memmap()).toBe(pages);
    sh(machine, 'ndctl disable-namespace namespace0.0');
    expect(memmap()).toBe(0);
  });

  it('1 GiB cannot be aligned to 1 GiB: no such device or address, and nothing is mapped', () => {
    expect(attempt(machine, `${CREATE} -m devdax -M mem -a 1G`)).toEqual({
      status: 250 - 256,
      output: expect.stringContaining('failed to reconfigure namespace: No such device or address'),
    });
    expect(memmap()).toBe(0);
    expect(iomem(machine.kernel)).not.toContain('namespace0.0');
  });

  it('unbinding device_dax leaves the metadata reserved and takes the struct pages away', () => {
    sh(machine, `${CREATE} -m devdax -M dev`);
    moment('01-devdax-dev');
    expect(output(machine, 'cat /sys/bus/dax/devices/dax0.0/resource')).toBe('0x101200000\n');
    sh(machine, 'echo dax0.0 > /sys/bus/dax/drivers/device_dax/unbind');
    moment('02-unbound');
  });

  it('kmem does not take a device that was not named to it', () => {
    expect(attempt(machine, 'echo dax0.0 > /sys/bus/dax/drivers/kmem/bind').status).toBe(-19);
  });

  it('named to kmem, whole memory blocks of it become driver-managed memory, offline', () => {
    sh(machine, 'echo dax0.0 > /sys/bus/dax/drivers/kmem/new_id');
    moment('03-kmem-offline');
  });

  const blocks = [33, 34, 35, 36, 37, 38, 39];
  it('online_movable and offline move the zone as recorded', () => {
    for (const id of blocks) sh(machine, `echo online_movable > /sys/devices/system/memory/memory${id}/state`);
    moment('04-kmem-online');
    for (const id of blocks) sh(machine, `echo offline > /sys/devices/system/memory/memory${id}/state`);
    moment('05-kmem-offlined');
  });

  it('unbinding kmem removes the memory', () => {
    sh(machine, 'echo dax0.0 > /sys/bus/dax/drivers/kmem/unbind');
    moment('06-kmem-unbound');
  });
});
