/** What must hold of any machine at any time. */
import { expect } from 'vitest';
import { MAX_PAGE_ORDER, pageblock_nr_pages } from '../../sim/arch/x86_64.ts';
import {
  kindOf,
  MIGRATE_ISOLATE,
  orderOf,
  SECTION_HAS_MEM_MAP,
  SECTION_IS_EARLY,
  SECTION_IS_ONLINE,
  SECTION_MARKED_PRESENT,
  SUBSECTION_POPULATED,
  stateWord,
  type Zone,
} from '../../sim/include/mmzone.ts';
import { PAGE_KINDS, PageKind, ZONE_DEVICE } from '../../sim/include/types.ts';
import { compareReleases, type Machine } from '../../sim/index.ts';
import { walk } from '../../sim/kernel/resource.ts';
import { blockStart } from '../../sim/mm/memory_block.ts';
import { refOf } from '../../sim/mm/pagemap.ts';
import { pfn_valid } from '../../sim/mm/sparse.ts';
import { memmapFrames } from '../../sim/mm/sparse-vmemmap.ts';
import { extents } from '../../sim/view/pagemap.ts';

/** expect(..).toBe(..), for the millions of times that it holds. */
export function is<T>(value: T, wanted: T, what?: string): void {
  if (!Object.is(value, wanted)) expect(value, what).toBe(wanted);
}

export function check(machine: Machine): void {
  const { kernel } = machine;
  const { pages } = kernel;
  let allFree = 0;
  // Buddy lists, zone counters and page states tell the same story.
  for (const zone of kernel.nodes.flatMap((node) => node.node_zones)) {
    let free = 0;
    let isolated = 0;
    for (const area of zone.free_area) {
      let blocks = 0;
      for (let type = 0; type < 5; type++)
        for (const run of area.runs(type)) {
          blocks += run.count;
          for (const block of [run.start, run.start + (run.count - 1) * 2 ** area.order]) {
            is(block % 2 ** area.order, 0);
            is(pages.state.get(block), stateWord(PageKind.Free, area.order, zone.index, zone.node));
            is(pages.pageblock.get(block), type);
            is(pages.refcount.get(block), 0);
          }
          // Isolated pages are free, but do not count.
          if (type === MIGRATE_ISOLATE) isolated += run.count * 2 ** area.order;
        }
      is(area.nr_free, blocks);
      free += blocks * 2 ** area.order;
    }
    is(zone.nr_free, free - isolated);
    allFree += free;
    expect(zone.managed_pages).toBeLessThanOrEqual(zone.present_pages);
    expect(zone.present_pages).toBeLessThanOrEqual(Math.max(zone.spanned_pages, 0));
  }
  const counted = new Float64Array(16);
  for (const extent of extents(kernel)) pages.state.count(extent.startPfn, extent.endPfn, counted);
  is(counted[PageKind.Free], allFree);
  // No two free buddies of one order stay apart, but where isolation cut a block of the highest order into pageblocks.
  for (const { startPfn, endPfn } of extents(kernel))
    pages.state.runs(startPfn, endPfn, (start, end, word) => {
      const size = 2 ** orderOf(word);
      if (kindOf(word) !== PageKind.Free || size === 2 ** MAX_PAGE_ORDER) return undefined;
      for (let lower = start + (start % (2 * size)); lower + 2 * size <= end; lower += 2 * size) {
        const type = pages.pageblock.get(lower);
        const isCut = type === MIGRATE_ISOLATE && size >= pageblock_nr_pages;
        if (!isCut && pages.pageblock.get(lower + size) === type)
          throw new Error(`free buddies apart at ${lower.toString(16)}`);
      }
      return undefined;
    });
  // The memory map: what sections have is what was taken.
  let mapped = 0;
  for (const run of kernel.state.memmapRuns) mapped += memmapFrames(run);
  is(
    kernel.nodes.reduce((sum, node) => sum + node.nr_memmap, 0),
    mapped,
  );
  pages.section.runs(0xe000000, 0xe000000 + 512 * 512, (start, end, value) => {
    if ((value & SUBSECTION_POPULATED) !== 0) {
      is(value & (SECTION_MARKED_PRESENT | SECTION_HAS_MEM_MAP), 3);
      is(pfn_valid(kernel, start) && pfn_valid(kernel, end - 1), true);
    } else is(kindOf(pages.state.get(start)), PageKind.Hole);
    return undefined;
  });
  // References: one for life, one a page for types that count them, one a page handed out, and those of get_dev_pagemap.
  for (const map of kernel.state.pgmaps) expect(refOf(map.pgmap)?.count ?? 0n).toBeGreaterThanOrEqual(0n);
  // Resources: children inside their parents, siblings in order.
  let last = { depth: 0, end: -1n };
  for (const { resource, depth } of walk(kernel.state.iomem)) {
    is(resource.end >= resource.start, true);
    if (depth === last.depth) is(resource.start > last.end, true);
    last = { depth, end: resource.end };
  }
}

const NOT_PRESENT: readonly PageKind[] = [PageKind.Hole, PageKind.Unavailable, PageKind.Offline, PageKind.Poisoned];
const IN_USE: ReadonlySet<number> = new Set(
  Array.from({ length: PAGE_KINDS }, (_, kind) => kind).filter((kind) => !NOT_PRESENT.includes(kind as PageKind)),
);

/** Memory blocks, sections, zones and counters of a machine whose memory comes and goes, between two changes. */
export function checkBlocks(machine: Machine): void {
  const { kernel } = machine;
  const { state, pages } = kernel;
  const size = state.memoryBlockPages;
  for (const [id, block] of state.memoryBlocks) {
    is(block.id, id);
    const start = blockStart(kernel, block);
    let online = 0;
    let early = false;
    pages.section.runs(start, start + size, (from, to, value) => {
      if ((value & SECTION_IS_ONLINE) !== 0) online += to - from;
      if ((value & SECTION_IS_EARLY) !== 0) early = true;
      return undefined;
    });
    // Online as a whole or not at all; blocks of boot memory may have holes.
    if (block.state === 'offline') is(online, 0);
    else if (!early) is(online, size);
    const counted = new Float64Array(16);
    pages.state.count(start, start + size, counted);
    if (block.state === 'offline') {
      expect(block.zone).toBeUndefined();
      const own = Number(block.altmap?.free ?? 0n);
      expect([counted[PageKind.Offline], counted[PageKind.Memmap]]).toEqual([size - own, own]);
    } else is(counted[PageKind.Offline], 0);
  }
  // Zones: what is present are the online pages linked to them, what is managed adds up to the machine's memory.
  const zones = kernel.nodes.flatMap((node) => node.node_zones);
  const byWord = new Map(zones.map((zone) => [(zone.node << 3) | zone.index, zone]));
  const presentIn = new Map<Zone, number>();
  pages.state.runs(0, state.max_pfn, (from, to, word) => {
    if (!IN_USE.has(kindOf(word)) || (pages.section.get(from) & SECTION_IS_ONLINE) === 0) return undefined;
    const zone = byWord.get(((word >>> 11) << 3) | ((word >>> 8) & 7));
    if (!zone || zone.index === ZONE_DEVICE) return undefined;
    presentIn.set(zone, (presentIn.get(zone) ?? 0) + to - from);
    if (from < zone.zone_start_pfn || to > zone.zone_start_pfn + zone.spanned_pages)
      throw new Error(`${zone.name} does not span ${from.toString(16)}`);
    return undefined;
  });
  let managed = 0;
  for (const zone of zones) {
    managed += zone.managed_pages;
    is(zone.present_early_pages <= zone.present_pages, true);
    if (zone.index === ZONE_DEVICE) continue;
    // What boot gave a zone may be a hole of its node.
    is(zone.present_pages > 0 && zone.spanned_pages === 0, false);
    const present = presentIn.get(zone) ?? 0;
    // While a block that holds its own memory map goes offline, that part does not count any more.
    const leaving = [...state.memoryBlocks.values()]
      .filter((block) => block.state === 'going-offline' && block.zone === zone)
      .reduce((sum, block) => sum + Number(block.altmap?.free ?? 0n), 0);
    is(present - leaving, zone.present_pages, zone.name);
  }
  is(state.totalram_pages, managed);
  for (const node of kernel.nodes) {
    const zones = node.node_zones.filter((zone) => zone.spanned_pages > 0);
    is(
      node.node_present_pages,
      zones.reduce((sum, zone) => sum + zone.present_pages, 0),
    );
    if (zones.length === 0) continue;
    // To 5.3 a node that shrinks looks at one page of each section, which another node may have.
    if (compareReleases(machine.release, '5.3') <= 0) continue;
    is(node.node_start_pfn, Math.min(...zones.map((zone) => zone.zone_start_pfn)));
    expect(node.node_start_pfn + node.node_spanned_pages).toBe(
      Math.max(...zones.map((zone) => zone.zone_start_pfn + zone.spanned_pages)),
    );
  }
  for (const group of state.memoryGroups) {
    const blocks = [...state.memoryBlocks.values()].filter((block) => block.group === group);
    is(group.blocks, blocks.length);
    const online = blocks.reduce(
      (sum, block) =>
        sum +
        (block.state === 'offline' ? 0 : size) -
        (block.state === 'going-offline' ? Number(block.altmap?.free ?? 0n) : 0),
      0,
    );
    is(group.present_kernel_pages + group.present_movable_pages, online);
  }
}
