/** What must hold of any machine at any time. */
import { expect } from 'vitest';
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
} from '../../sim/include/mmzone.ts';
import { PageKind, ZONE_DEVICE } from '../../sim/include/types.ts';
import { compareReleases, type Machine } from '../../sim/index.ts';
import { walk } from '../../sim/kernel/resource.ts';
import { blockStart } from '../../sim/mm/memory_block.ts';
import { refOf } from '../../sim/mm/pagemap.ts';
import { pfn_valid } from '../../sim/mm/sparse.ts';
import { memmapFrames } from '../../sim/mm/sparse-vmemmap.ts';
import { extents } from '../../sim/view/pagemap.ts';

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
            expect(block % 2 ** area.order).toBe(0);
            expect(pages.state.get(block)).toBe(stateWord(PageKind.Free, area.order, zone.index, zone.node));
            expect(pages.pageblock.get(block)).toBe(type);
            expect(pages.refcount.get(block)).toBe(0);
          }
          // Isolated pages are free, but do not count.
          if (type === MIGRATE_ISOLATE) isolated += run.count * 2 ** area.order;
        }
      expect(area.nr_free).toBe(blocks);
      free += blocks * 2 ** area.order;
    }
    expect(zone.nr_free).toBe(free - isolated);
    allFree += free;
    expect(zone.managed_pages).toBeLessThanOrEqual(zone.present_pages);
    expect(zone.present_pages).toBeLessThanOrEqual(Math.max(zone.spanned_pages, 0));
  }
  const counted = new Float64Array(16);
  for (const extent of extents(kernel)) pages.state.count(extent.startPfn, extent.endPfn, counted);
  expect(counted[PageKind.Free]).toBe(allFree);
  // No two free buddies of one order stay apart.
  pages.state.runs(0, 0x80000, (start, _end, word) => {
    if (kindOf(word) !== PageKind.Free || orderOf(word) >= 10) return undefined;
    const size = 2 ** orderOf(word);
    const buddy = Math.floor(start / size) % 2 === 0 ? start + size : start - size;
    if (pages.pageblock.get(buddy) === pages.pageblock.get(start))
      expect(pages.state.get(buddy), start.toString(16)).not.toBe(word);
    return undefined;
  });
  // The memory map: what sections have is what was taken.
  let mapped = 0;
  for (const run of kernel.state.memmapRuns) mapped += memmapFrames(run);
  expect(kernel.nodes.reduce((sum, node) => sum + node.nr_memmap, 0)).toBe(mapped);
  pages.section.runs(0xe000000, 0xe000000 + 512 * 512, (start, end, value) => {
    if ((value & SUBSECTION_POPULATED) !== 0) {
      expect(value & (SECTION_MARKED_PRESENT | SECTION_HAS_MEM_MAP)).toBe(3);
      expect(pfn_valid(kernel, start) && pfn_valid(kernel, end - 1)).toBe(true);
    } else expect(kindOf(pages.state.get(start))).toBe(PageKind.Hole);
    return undefined;
  });
  // References: one for life, one a page for types that count them, one a page handed out, and those of get_dev_pagemap.
  for (const map of kernel.state.pgmaps) expect(refOf(map.pgmap)?.count ?? 0n).toBeGreaterThanOrEqual(0n);
  // Resources: children inside their parents, siblings in order.
  let last = { depth: 0, end: -1n };
  for (const { resource, depth } of walk(kernel.state.iomem)) {
    expect(resource.end >= resource.start).toBe(true);
    if (depth === last.depth) expect(resource.start > last.end).toBe(true);
    last = { depth, end: resource.end };
  }
}

/** Memory blocks, sections, zones and counters of a machine whose memory comes and goes, between two changes. */
export function checkBlocks(machine: Machine): void {
  const { kernel } = machine;
  const { state, pages } = kernel;
  const size = state.memoryBlockPages;
  for (const [id, block] of state.memoryBlocks) {
    expect(block.id).toBe(id);
    const start = blockStart(kernel, block);
    let online = 0;
    let early = false;
    pages.section.runs(start, start + size, (from, to, value) => {
      if ((value & SECTION_IS_ONLINE) !== 0) online += to - from;
      if ((value & SECTION_IS_EARLY) !== 0) early = true;
      return undefined;
    });
    // Online as a whole or not at all; blocks of boot memory may have holes.
    if (block.state === 'offline') expect(online).toBe(0);
    else if (!early) expect(online).toBe(size);
    const counted = new Float64Array(16);
    pages.state.count(start, start + size, counted);
    if (block.state === 'offline') {
      expect(block.zone).toBeUndefined();
      const own = Number(block.altmap?.free ?? 0n);
      expect([counted[PageKind.Offline], counted[PageKind.Memmap]]).toEqual([size - own, own]);
    } else expect(counted[PageKind.Offline]).toBe(0);
  }
  // Zones: what is present are the online pages linked to them, what is managed adds up to the machine's memory.
  let managed = 0;
  for (const zone of kernel.nodes.flatMap((node) => node.node_zones)) {
    managed += zone.managed_pages;
    expect(zone.present_early_pages).toBeLessThanOrEqual(zone.present_pages);
    if (zone.index === ZONE_DEVICE) continue;
    // What boot gave a zone may be a hole of its node.
    if (zone.present_pages > 0) expect(zone.spanned_pages).toBeGreaterThan(0);
    const end = zone.zone_start_pfn + zone.spanned_pages;
    let present = 0;
    pages.state.runs(0, state.max_pfn, (from, to, word) => {
      const kind = kindOf(word);
      if (((word >>> 8) & 7) !== zone.index || ((word >>> 11) & 1023) !== zone.node) return undefined;
      if (kind === PageKind.Hole || kind === PageKind.Unavailable || kind === PageKind.Offline) return undefined;
      if (kind === PageKind.Poisoned) return undefined;
      if ((pages.section.get(from) & SECTION_IS_ONLINE) === 0) return undefined;
      present += to - from;
      expect(from >= zone.zone_start_pfn && to <= end, `${zone.name} ${from.toString(16)}`).toBe(true);
      return undefined;
    });
    // While a block that holds its own memory map goes offline, that part does not count any more.
    const leaving = [...state.memoryBlocks.values()]
      .filter((block) => block.state === 'going-offline' && block.zone === zone)
      .reduce((sum, block) => sum + Number(block.altmap?.free ?? 0n), 0);
    expect(present - leaving, zone.name).toBe(zone.present_pages);
  }
  expect(state.totalram_pages).toBe(managed);
  for (const node of kernel.nodes) {
    const zones = node.node_zones.filter((zone) => zone.spanned_pages > 0);
    expect(node.node_present_pages).toBe(zones.reduce((sum, zone) => sum + zone.present_pages, 0));
    if (zones.length === 0) continue;
    // To 5.3 a node that shrinks looks at one page of each section, which another node may have.
    if (compareReleases(machine.release, '5.3') <= 0) continue;
    expect(node.node_start_pfn).toBe(Math.min(...zones.map((zone) => zone.zone_start_pfn)));
    expect(node.node_start_pfn + node.node_spanned_pages).toBe(
      Math.max(...zones.map((zone) => zone.zone_start_pfn + zone.spanned_pages)),
    );
  }
  for (const group of state.memoryGroups) {
    const blocks = [...state.memoryBlocks.values()].filter((block) => block.group === group);
    expect(group.blocks).toBe(blocks.length);
    const online = blocks.reduce(
      (sum, block) =>
        sum +
        (block.state === 'offline' ? 0 : size) -
        (block.state === 'going-offline' ? Number(block.altmap?.free ?? 0n) : 0),
      0,
    );
    expect(group.present_kernel_pages + group.present_movable_pages).toBe(online);
  }
}
