import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { get_max_dump_pfn } from '../../sim/fs/kpageflags.ts';
import {
  kindOf,
  orderOf,
  SECTION_HAS_MEM_MAP,
  SECTION_MARKED_PRESENT,
  SUBSECTION_POPULATED,
  stateWord,
} from '../../sim/include/mmzone.ts';
import { PageKind } from '../../sim/include/types.ts';
import {
  liveValue,
  type Machine,
  pagemapSnapshot,
  pageView,
  runShellLine,
  stateTree,
  tile,
  zonesView,
} from '../../sim/index.ts';
import { walk } from '../../sim/kernel/resource.ts';
import { refOf } from '../../sim/mm/memremap.ts';
import { pfn_valid } from '../../sim/mm/sparse.ts';
import { readFile } from '../../sim/shell/commands.ts';
import { pageTypes } from '../../sim/shell/pageTypes.ts';
import { parsePageTypes } from '../../sim/shell/pageTypesOptions.ts';
import { extents } from '../../sim/view/pagemap.ts';
import { boot, sh } from '../support/machines.ts';
import { short } from '../support/same.ts';

const RUNS = Number(process.env.ZONESCOPE_PROPERTY_RUNS ?? 60);
const SLOTS = ['a', 'b', 'c'] as const;

/** Lines that may succeed, fail, or wait: what a careless driver does. */
const operation = fc.oneof(
  fc
    .record({
      slot: fc.constantFrom(...SLOTS),
      start: fc.integer({ min: 0, max: 200 }),
      pages: fc.integer({ min: 1, max: 200 }),
      type: fc.constantFrom('GENERIC', 'PRIVATE', 'FS_DAX', 'COHERENT'),
      misalign: fc.integer({ min: 0, max: 12 }),
    })
    .map(({ slot, start, pages, type, misalign }) => [
      `struct dev_pagemap ${slot}`,
      `${slot}.type = MEMORY_DEVICE_${type}; ${slot}.nr_range = 1; ${slot}.ops = &ops; ${slot}.owner = &ops`,
      // In units of 2 MiB, now and then off by pages.
      `${slot}.range.start = 0xe000000000 + ${start}UL * 0x200000 + ${misalign === 0 ? '0x1000' : '0'}; ${slot}.range.end = ${slot}.range.start + ${pages}UL * 0x200000 - 1`,
      `memremap_pages(&${slot}, 0)`,
    ]),
  fc.constantFrom(...SLOTS).map((slot) => [`memunmap_pages(&${slot})`]),
  fc
    .constantFrom(...SLOTS)
    .map((slot) => [`p${slot} = pfn_to_page(${slot}.range.start >> 12)`, `zone_device_page_init(p${slot})`]),
  fc.constantFrom(...SLOTS).map((slot) => [`put_page(p${slot})`]),
  fc.constantFrom(...SLOTS).map((slot) => [`g${slot} = get_dev_pagemap(${slot}.range.start >> 12, NULL)`]),
  fc.constantFrom(...SLOTS).map((slot) => [`put_dev_pagemap(g${slot})`]),
  fc.integer({ min: 1, max: 600 }).map((mib) => [`r = request_free_mem_region(&iomem_resource, ${mib}UL << 20, "x")`]),
  fc.constant(['release_mem_region(r->start, resource_size(r))']),
  fc.nat({ max: 30 }).map((back) => [`@back ${back}`]),
);

function check(machine: Machine): void {
  const { kernel } = machine;
  const { pages } = kernel;
  // Buddy lists, zone counters and page states tell the same story.
  for (const zone of kernel.nodes.flatMap((node) => node.node_zones)) {
    let free = 0;
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
        }
      expect(area.nr_free).toBe(blocks);
      free += blocks * 2 ** area.order;
    }
    expect(zone.nr_free).toBe(free);
    expect(zone.managed_pages).toBeLessThanOrEqual(zone.present_pages);
    expect(zone.present_pages).toBeLessThanOrEqual(Math.max(zone.spanned_pages, 0));
  }
  const counted = new Float64Array(16);
  for (const extent of extents(kernel)) pages.state.count(extent.startPfn, extent.endPfn, counted);
  expect(counted[PageKind.Free]).toBe(
    kernel.nodes.flatMap((node) => node.node_zones).reduce((sum, zone) => sum + zone.nr_free, 0),
  );
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
  for (const run of kernel.state.memmapRuns) mapped += run.pages / 64;
  expect(kernel.nodes.reduce((sum, node) => sum + node.nr_memmap, 0)).toBe(mapped);
  pages.section.runs(0xe000000, 0xe000000 + 512 * 512, (start, end, value) => {
    if ((value & SUBSECTION_POPULATED) !== 0) {
      expect(value & (SECTION_MARKED_PRESENT | SECTION_HAS_MEM_MAP)).toBe(3);
      expect(pfn_valid(kernel, start) && pfn_valid(kernel, end - 1)).toBe(true);
    } else expect(kindOf(pages.state.get(start))).toBe(PageKind.Hole);
    return undefined;
  });
  // References: one for life, one a page for types that count them, one a page handed out, and those of get_dev_pagemap.
  for (const map of kernel.state.pgmaps) expect(refOf(map.pgmap)?.count ?? 0n).toBeGreaterThan(0n);
  // Resources: children inside their parents, siblings in order.
  let last = { depth: 0, end: -1n };
  for (const { resource, depth } of walk(kernel.state.iomem)) {
    expect(resource.end >= resource.start).toBe(true);
    if (depth === last.depth) expect(resource.start > last.end).toBe(true);
    last = { depth, end: resource.end };
  }
}

/** Everything a panel, a tree, a file or a hover asks for. */
function look(machine: Machine): void {
  const position = {
    revision: machine.revision,
    step: machine.position,
    steps: machine.steps.length,
    machine: machine.config.name,
    release: machine.release,
    lastStep: machine.lastStep?.label ?? '',
  };
  zonesView(machine, position);
  pagemapSnapshot(machine, position, undefined);
  tile(machine, 0, 3, machine.lastChanges());
  stateTree(machine, position);
  pageView(machine, 0xe000000);
  liveValue(machine, 'zone:ZONE_DEVICE');
  for (const path of ['/proc/zoneinfo', '/proc/iomem', '/proc/buddyinfo', '/proc/vmstat'])
    readFile(machine.kernel, path);
  // Every page frame is counted once, whatever it is.
  expect(pageTypes(machine.kernel, parsePageTypes(['-r']))).toMatch(
    new RegExp(`total\\s+${get_max_dump_pfn(machine.kernel)} `),
  );
}

describe('whatever a driver does', () => {
  it('counters, lists, sections and references agree after each command, and undoing everything gives the first bytes back', () => {
    fc.assert(
      fc.property(fc.array(operation, { minLength: 3, maxLength: 25 }), (operations) => {
        const machine = boot();
        const first = short(machine.canonical());
        sh(
          machine,
          'struct dev_pagemap_ops ops',
          'ops.page_free = unlock_page; ops.folio_free = NULL; ops.migrate_to_ram = unlock_page'.replace(
            ' ops.folio_free = NULL;',
            '',
          ),
        );
        for (const lines of operations)
          for (const line of lines) {
            const back = /^@back (\d+)$/.exec(line);
            if (back) machine.travel(machine.position - Number(back[1]));
            else runShellLine(machine, line);
            check(machine);
            const { store } = machine.kernel;
            const before = [store.mark(), store.newest];
            look(machine);
            expect([store.mark(), store.newest]).toEqual(before);
          }
        const end = short(machine.canonical());
        const at = machine.position;
        machine.travel(0);
        expect(short(machine.canonical())).toBe(first);
        machine.travel(at);
        expect(short(machine.canonical())).toBe(end);
      }),
      { numRuns: RUNS, interruptAfterTimeLimit: 120_000 },
    );
  });
});
