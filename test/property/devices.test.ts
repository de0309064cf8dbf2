/** Careless drivers in every release: old and new mappings, references, peer-to-peer memory, pinned files. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PageKind } from '../../sim/include/types.ts';
import {
  type Machine,
  pagemapSnapshot,
  pageView,
  RELEASES,
  runShellLine,
  stateTree,
  zonesView,
} from '../../sim/index.ts';
import { refOf } from '../../sim/mm/pagemap.ts';
import { readFile } from '../../sim/shell/commands.ts';
import { extents } from '../../sim/view/pagemap.ts';
import { deviceLines } from '../support/devices.ts';
import { boot } from '../support/machines.ts';
import { short } from '../support/same.ts';

const RUNS = Number(process.env.ZONESCOPE_PROPERTY_RUNS ?? 60);
const SLOTS = ['a', 'b', 'c'] as const;
const slot = fc.constantFrom(...SLOTS);
const page = fc.integer({ min: 0xe000000, max: 0xe000000 + 0x18000 });

type Operation = (machine: Machine) => readonly string[];
const line = (text: string): Operation => {
  const lines = [text];
  return () => lines;
};

const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc
    .record({
      name: slot,
      start: fc.integer({ min: 0, max: 190 }),
      pieces: fc.integer({ min: 1, max: 190 }),
      type: fc.constantFrom('FS_DAX', 'PRIVATE', 'GENERIC', 'COHERENT', 'PUBLIC'),
      odd: fc.integer({ min: 0, max: 12 }),
    })
    .map(
      ({ name, start, pieces, type, odd }): Operation =>
        (machine) =>
          deviceLines(machine, {
            name,
            type,
            start: `0xe000000000 + ${start}UL * 0x200000 + ${odd === 0 ? '0x1000' : '0'}`,
            size: `${pieces}UL * 0x200000`,
          }),
    ),
  slot.map((name) => line(`root_device_unregister(d${name})`)),
  slot.map((name) => line(`percpu_ref_kill(&r${name})`)),
  page.map((pfn) => line(`get_page(pfn_to_page(${pfn}))`)),
  page.map((pfn) => line(`put_page(pfn_to_page(${pfn}))`)),
  page.map((pfn) => line(`g = get_dev_pagemap(${pfn}, NULL)`)),
  fc.constant(line('put_dev_pagemap(g)')),
  fc.nat({ max: 190 }).map((at) => line(`dax map f ${0xe000000000 + at * 0x200000} 4M`)),
  fc.nat({ max: 1100 }).map((at) => line(`gup get f ${at}`)),
  fc.nat({ max: 1100 }).map((at) => line(`gup put f ${at}`)),
  fc.constantFrom(line('dax truncate f'), line('dax unmap f')),
  fc.constantFrom(
    line('p = pci_get_domain_bus_and_slot(0, 3, 0)'),
    line('pci_p2pdma_add_resource(p, 4, 64UL << 20, 0)'),
    line('x = pci_alloc_p2pmem(p, 10000)'),
    line('pci_free_p2pmem(p, x, 10000)'),
    line('device_release_driver(&p->dev)'),
    line('arch_add_memory(0, 0x500000000, 0x8000000, 0)'),
  ),
  fc.nat({ max: 30 }).map((back) => line(`@back ${back}`)),
);

function check(machine: Machine): void {
  const { kernel } = machine;
  let free = 0;
  for (const zone of kernel.nodes.flatMap((node) => node.node_zones)) {
    let inLists = 0;
    for (const area of zone.free_area) inLists += area.nr_free * 2 ** area.order;
    expect(zone.nr_free).toBe(inLists);
    expect(zone.managed_pages).toBeLessThanOrEqual(zone.present_pages);
    free += inLists;
    if (zone.name === 'Device') expect([zone.present_pages, zone.managed_pages, zone.nr_free]).toEqual([0, 0, 0]);
  }
  const counted = new Float64Array(16);
  for (const extent of extents(kernel)) kernel.pages.state.count(extent.startPfn, extent.endPfn, counted);
  expect(counted[PageKind.Free]).toBe(free);
  const mapped = kernel.state.memmapRuns.reduce((sum, run) => sum + run.pages / 64, 0);
  expect(kernel.nodes.reduce((sum, node) => sum + node.nr_memmap, 0)).toBe(mapped);
  for (const map of kernel.state.pgmaps) {
    const ref = refOf(map.pgmap);
    expect(ref?.count ?? -1n).toBeGreaterThanOrEqual(0n);
  }
  for (const { p2pdma } of kernel.state.pci.values())
    for (const { used, size } of p2pdma?.chunks ?? []) {
      let end = 0;
      for (const part of used) {
        expect(part.first).toBeGreaterThanOrEqual(end);
        end = part.first + part.pages;
      }
      expect(BigInt(end) * 4096n).toBeLessThanOrEqual(size);
    }
}

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
  stateTree(machine, position);
  pageView(machine, 0xe000000);
  for (const path of ['/proc/zoneinfo', '/proc/iomem', '/proc/buddyinfo']) readFile(machine.kernel, path);
}

describe('whatever drivers do in whatever release', () => {
  it('counters and lists agree after each command, looking changes nothing, and undoing it all gives the first bytes back', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...RELEASES),
        fc.array(operation, { minLength: 3, maxLength: 20 }),
        (release, operations) => {
          const machine = boot('p2p-switch', release);
          const first = short(machine.canonical());
          for (const each of operations)
            for (const text of each(machine)) {
              const back = /^@back (\d+)$/.exec(text);
              if (back) machine.travel(machine.position - Number(back[1]));
              else runShellLine(machine, text);
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
        },
      ),
      { numRuns: RUNS, interruptAfterTimeLimit: 120_000 },
    );
  });
});
