import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { get_max_dump_pfn } from '../../sim/fs/kpageflags.ts';
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
import { readFile } from '../../sim/shell/commands.ts';
import { pageTypes } from '../../sim/shell/pageTypes.ts';
import { parsePageTypes } from '../../sim/shell/pageTypesOptions.ts';
import { check } from '../support/invariants.ts';
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
