/** What must hold of any machine in any release at any time, beside the invariants of its parts. */
import { expect } from 'vitest';
import { PAGES_PER_SECTION } from '../../sim/arch/x86_64.ts';
import { get_max_dump_pfn } from '../../sim/fs/kpageflags.ts';
import {
  kindOf,
  nodeOf,
  SECTION_HAS_MEM_MAP,
  SECTION_IS_EARLY,
  SECTION_MARKED_PRESENT,
  SUBSECTION_POPULATED,
  zoneOf,
} from '../../sim/include/mmzone.ts';
import { PageKind, ZONE_DEVICE } from '../../sim/include/types.ts';
import { liveValue, type Machine, pagemapSnapshot, pageView, stateTree, tile, zonesView } from '../../sim/index.ts';
import { childrenOf, type Resource } from '../../sim/kernel/resource.ts';
import { refOf } from '../../sim/mm/pagemap.ts';
import { readFile } from '../../sim/shell/commands.ts';
import { pageTypes } from '../../sim/shell/pageTypes.ts';
import { parsePageTypes } from '../../sim/shell/pageTypesOptions.ts';
import { runsOf } from '../../sim/store/column.ts';
import { extents } from '../../sim/view/pagemap.ts';
import { is } from './invariants.ts';

const at = (pfn: number): string => `pfn 0x${pfn.toString(16)}`;
const DEVICE: ReadonlySet<PageKind> = new Set([
  PageKind.DevicePrivate,
  PageKind.DeviceCoherent,
  PageKind.FsDax,
  PageKind.DevDax,
  PageKind.PciP2pdma,
  PageKind.DeviceInUse,
]);

export function checkWorld(machine: Machine): void {
  checkResources(machine.kernel.state.iomem);
  checkLists(machine);
  checkSections(machine);
  checkDevices(machine);
}

/** Children inside their parent, in order, apart, and pointing back. */
function checkResources(parent: Resource): void {
  let last = parent.start - 1n;
  for (const child of childrenOf(parent)) {
    is(child.start > last && child.end >= child.start && child.end <= parent.end, true, child.name);
    last = child.end;
    checkResources(child);
  }
}

/** Each free block is on one list, its pages are free in that zone and nobody holds them; no other page is free. */
function checkLists({ kernel }: Machine): void {
  const { pages } = kernel;
  let listed = 0;
  for (const zone of kernel.nodes.flatMap(({ node_zones }) => node_zones)) {
    const blocks: { start: number; end: number }[] = [];
    for (const area of zone.free_area)
      for (let type = 0; type < 5; type++)
        for (const run of area.runs(type))
          blocks.push({ start: run.start, end: run.start + run.count * 2 ** area.order });
    blocks.sort((a, b) => a.start - b.start);
    let last = zone.zone_start_pfn;
    const spans: { start: number; end: number }[] = [];
    for (const { start, end } of blocks) {
      if (start < last) throw new Error(`${zone.name}: ${at(start)} is on two lists or outside`);
      const span = spans.at(-1);
      if (span?.end === start) span.end = end;
      else spans.push({ start, end });
      last = end;
      listed += end - start;
    }
    for (const { start, end } of spans) {
      pages.state.runs(start, end, (from, _to, word) => {
        if (kindOf(word) !== PageKind.Free || zoneOf(word) !== zone.index || nodeOf(word) !== zone.node)
          throw new Error(`${at(from)} is on a list of ${zone.name} of node ${zone.node}`);
        return undefined;
      });
      pages.refcount.runs(start, end, (from, _to, count) => {
        if (count !== 0) throw new Error(`free ${at(from)} has ${count} references`);
        return undefined;
      });
    }
    expect(last).toBeLessThanOrEqual(zone.zone_start_pfn + zone.spanned_pages);
    expect(Math.min(zone.nr_free, zone.managed_pages, zone.present_pages, zone.spanned_pages)).toBeGreaterThanOrEqual(
      0,
    );
    if (zone.index === ZONE_DEVICE) expect([zone.managed_pages, zone.nr_free, blocks.length]).toEqual([0, 0, 0]);
    let isolated = 0;
    for (const run of runsOf(pages.pageblock, zone.zone_start_pfn, zone.zone_start_pfn + zone.spanned_pages))
      if (run.value === 4) isolated += run.end - run.start;
    expect(zone.nr_isolate_pageblock * 512).toBeLessThanOrEqual(isolated);
  }
  const counted = new Float64Array(16);
  for (const { startPfn, endPfn } of extents(kernel)) pages.state.count(startPfn, endPfn, counted);
  expect(counted[PageKind.Free], 'free pages that are on no list').toBe(listed);
}

const PRESENT = SECTION_MARKED_PRESENT | SECTION_HAS_MEM_MAP;

/** Sections with their map, memory blocks over them, and the memory that the map takes. */
function checkSections({ kernel }: Machine): void {
  const { state, pages } = kernel;
  let late = 0;
  // All of them: also those that a mapping left behind when memory ran out (__add_pages), in no zone.
  for (const { start, end, value } of runsOf(pages.section, 0, 2 ** 40)) {
    if ((value & SUBSECTION_POPULATED) !== 0) is(value & PRESENT, PRESENT);
    if ((value & SECTION_IS_EARLY) !== 0) continue;
    if ((value & SUBSECTION_POPULATED) !== 0) late += end - start;
    else for (const run of runsOf(pages.state, start, end)) is(kindOf(run.value), PageKind.Hole);
  }
  // Sections added since boot have their struct pages in memory that holds nothing else.
  const frames: { from: number; end: number }[] = [];
  let mapped = 0;
  for (const run of state.memmapRuns) {
    mapped += run.pages;
    if (run.compound || run.altmap) continue;
    frames.push({ from: run.from, end: run.from + run.pages / 64 });
    for (const part of runsOf(pages.state, run.from, run.from + run.pages / 64))
      is(kindOf(part.value), PageKind.Memmap, 'a frame of the memory map');
  }
  expect(mapped, 'pages of sections added since boot, and those the memory maps describe').toBe(late);
  frames.sort((a, b) => a.from - b.from);
  for (const [index, { end }] of frames.entries())
    expect(frames[index + 1]?.from ?? end, 'two memory maps in one frame').toBeGreaterThanOrEqual(end);
  for (const [id] of state.memoryBlocks) {
    const start = id * state.memoryBlockPages;
    let sections = 0;
    for (let pfn = start; pfn < start + state.memoryBlockPages; pfn += PAGES_PER_SECTION)
      if ((pages.section.get(pfn) & SECTION_MARKED_PRESENT) !== 0) sections++;
    if (sections === 0) throw new Error(`memory${id} has no section`);
  }
}

/** Pages of devices: each has its pagemap, whose references nobody dropped too often. */
function checkDevices({ kernel }: Machine): void {
  const { state, pages } = kernel;
  const ids = new Set(state.pgmaps.map(({ id }) => id));
  for (const { startPfn, endPfn } of extents(kernel)) {
    // To 4.15 unmapping may forget the last section it took, and with it who had its pages.
    for (const run of kernel.facts.removalForgetsOffset ? [] : runsOf(pages.pgmap, startPfn, endPfn))
      if (run.value !== 0) is(ids.has(run.value), true, 'a page of a pagemap that is gone');
    for (const run of runsOf(pages.state, startPfn, endPfn))
      if (DEVICE.has(kindOf(run.value))) is(zoneOf(run.value), ZONE_DEVICE, 'the zone of a device page');
  }
  for (const { pgmap } of state.pgmaps) expect(refOf(pgmap)?.count ?? 0n).toBeGreaterThanOrEqual(0n);
  for (const mapping of state.dax.values())
    for (const held of mapping.held.values()) expect(Math.min(held.get, held.pin)).toBeGreaterThanOrEqual(0);
}

const FILES = ['zoneinfo', 'buddyinfo', 'pagetypeinfo', 'iomem', 'meminfo', 'vmstat'].map((name) => `/proc/${name}`);

/** Part number `turn` of everything a panel, a tree, a file or a hover asks for; their sums agree with the counters. */
export function look(machine: Machine, turn: number): void {
  const { kernel } = machine;
  const position = {
    revision: machine.revision,
    step: machine.position,
    steps: machine.steps.length,
    machine: machine.config.name,
    release: machine.release,
    lastStep: machine.lastStep?.label ?? '',
  };
  const pfn = kernel.state.pgmaps.at(-1)?.ranges[0]?.start ?? 0x1000;
  const looks: (() => void)[] = [
    () => void zonesView(machine, position),
    () => void pagemapSnapshot(machine, position, undefined),
    () => void tile(machine, 0, 3, machine.lastChanges()),
    () => void stateTree(machine, position),
    () => void pageView(machine, pfn),
    () => void liveValue(machine, 'zone:ZONE_DEVICE'),
    ...['devicePages', 'notifiers', 'entries', 'rss', 'memcgs'].map((term) => () => void liveValue(machine, term)),
    ...FILES.map((path) => () => void readFile(kernel, path)),
    () => {
      const total = /total\s+(\d+) /.exec(pageTypes(kernel, parsePageTypes(['-r'])))?.[1];
      expect(Number(total), 'page-types counts each page once').toBe(get_max_dump_pfn(kernel));
    },
    () => {
      // buddyinfo counts what is on the lists: also the pages of isolated blocks.
      const listed = [...readFile(kernel, '/proc/buddyinfo').matchAll(/zone +\S+ ([\d ]+)$/gm)].reduce(
        (sum, [, counts = '']) =>
          sum +
          counts
            .trim()
            .split(/ +/)
            .reduce((all, count, order) => all + Number(count) * 2 ** order, 0),
        0,
      );
      const counted = new Float64Array(16);
      for (const { startPfn, endPfn } of extents(kernel)) kernel.pages.state.count(startPfn, endPfn, counted);
      expect(listed, '/proc/buddyinfo').toBe(counted[PageKind.Free]);
      const free = kernel.nodes.flatMap(({ node_zones }) => node_zones).reduce((sum, zone) => sum + zone.nr_free, 0);
      expect(readFile(kernel, '/proc/meminfo')).toMatch(new RegExp(`^MemFree: +${free * 4} kB$`, 'm'));
      expect(readFile(kernel, '/proc/vmstat')).toMatch(new RegExp(`^nr_free_pages ${free}$`, 'm'));
    },
  ];
  looks[turn % looks.length]?.();
}
