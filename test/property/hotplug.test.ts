import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { kindOf } from '../../sim/include/mmzone.ts';
import { PageKind } from '../../sim/include/types.ts';
import { runShellLine } from '../../sim/index.ts';
import { readFile } from '../../sim/shell/commands.ts';
import { MEMORY } from '../support/blocks.ts';
import { hotplugMachine } from '../support/hotplugMachine.ts';
import { check, checkBlocks } from '../support/invariants.ts';
import { sh } from '../support/machines.ts';
import { short } from '../support/same.ts';

const RUNS = Number(process.env.ZONESCOPE_PROPERTY_RUNS ?? 40);
const PINNED = 0x100000;
const SLOTS = ['a', 'b'] as const;

/** What an administrator, a person with DIMMs and a careless driver do, well or badly. */
const block = fc.oneof(fc.integer({ min: 32, max: 52 }), fc.integer({ min: 0, max: 60 }));
const operation = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('128M', '256M', '512M', '192M', '1G').map((size) => [`dimm plug ${size}`]) },
  {
    weight: 2,
    arbitrary: fc
      .record({ at: fc.integer({ min: 28, max: 60 }), size: fc.integer({ min: 1, max: 4 }) })
      .map(({ at, size }) => [`dimm plug ${size * 128}M at=0x${(at * 0x8000000).toString(16)}`]),
  },
  { weight: 2, arbitrary: fc.nat({ max: 3 }).map((n) => [`dimm unplug dimm${n}`]) },
  {
    weight: 8,
    arbitrary: fc
      .tuple(fc.constantFrom('online', 'online_kernel', 'online_movable', 'offline', 'offline', 'nonsense'), block)
      .map(([type, id]) => [`echo ${type} > ${MEMORY}/memory${id}/state`]),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom('0', '1'), block)
      .map(([on, id]) => [`echo ${on} > ${MEMORY}/memory${id}/online`]),
  },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom('online', 'online_movable', 'offline')
      .map((type) => [`echo ${type} > ${MEMORY}/auto_online_blocks`]),
  },
  { weight: 1, arbitrary: block.map((id) => [`inject unmovable memory${id}`]) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(block, fc.integer({ min: 1, max: 40 }))
      .map(([id, pages]) => [`inject movable memory${id} ${pages}`]),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(
        fc.constantFrom('add_memory(0, %, 0)', 'remove_memory(%)', 'offline_and_remove_memory(%)'),
        fc.integer({ min: 28, max: 60 }),
        fc.integer({ min: 1, max: 4 }),
      )
      .map(([call, at, blocks]) => [call.replace('%', `${at}UL << 27, ${blocks}UL << 27`)]),
  },
  {
    weight: 2,
    arbitrary: fc
      .record({
        slot: fc.constantFrom(...SLOTS),
        start: fc.integer({ min: 0, max: 30 }),
        pages: fc.integer({ min: 1, max: 200 }),
        beside: fc.constantFrom('0x108000000', '0x118000000', '0xc8000000', '0xe000000000'),
      })
      .map(({ slot, start, pages, beside }) => [
        `struct dev_pagemap ${slot}`,
        `${slot}.type = MEMORY_DEVICE_GENERIC; ${slot}.nr_range = 1`,
        // In units of 2 MiB, so that devices share sections with RAM that comes and goes.
        `${slot}.range.start = ${beside} + ${start}UL * 0x200000; ${slot}.range.end = ${slot}.range.start + ${pages}UL * 0x200000 - 1`,
        `memremap_pages(&${slot}, 0)`,
      ]),
  },
  { weight: 2, arbitrary: fc.constantFrom(...SLOTS).map((slot) => [`memunmap_pages(&${slot})`]) },
  { weight: 1, arbitrary: fc.constant(['inject movable memory32', '@pin', `echo offline > ${MEMORY}/memory32/state`]) },
  { weight: 2, arbitrary: fc.constant(['@unpin']) },
  { weight: 1, arbitrary: fc.nat({ max: 12 }).map((back) => [`@back ${back}`]) },
);

describe('however memory comes and goes', () => {
  it.each([
    '',
    'memory_hotplug.memmap_on_memory=Y',
    'memory_hotplug.online_policy=auto-movable memhp_default_state=online',
  ])(
    'blocks, sections, zones and counters agree after each command, and undoing everything gives the first bytes back (%s)',
    (cmdline) => {
      fc.assert(
        fc.property(fc.array(operation, { minLength: 3, maxLength: 30 }), (operations) => {
          const machine = hotplugMachine({ cmdline });
          const first = short(machine.canonical());
          sh(machine, 'echo start');
          for (const lines of operations)
            for (const line of lines) {
              const back = /^@back (\d+)$/.exec(line);
              const pin = /^@(pin|unpin)$/.exec(line)?.[1];
              if (pin) {
                // A page of a program in the first plugged block gets or loses a pin: offlining waits for that.
                const { state, refcount } = machine.kernel.pages;
                const isAnon = kindOf(state.get(PINNED)) === PageKind.Anon;
                const count = refcount.get(PINNED);
                if (pin === 'pin' && isAnon && count === 1) runShellLine(machine, `get_page(pfn_to_page(${PINNED}))`);
                if (pin === 'unpin' && isAnon && count > 1) runShellLine(machine, `put_page(pfn_to_page(${PINNED}))`);
              } else if (back) machine.travel(Math.max(0, machine.position - Number(back[1])));
              else runShellLine(machine, line);
              check(machine);
              checkBlocks(machine);
              const { store } = machine.kernel;
              const before = [store.mark(), store.newest];
              for (const id of machine.kernel.state.memoryBlocks.keys())
                readFile(machine.kernel, `${MEMORY}/memory${id}/valid_zones`);
              expect([store.mark(), store.newest]).toEqual(before);
            }
          const end = short(machine.canonical());
          const at = machine.position;
          machine.travel(0);
          expect(short(machine.canonical())).toBe(first);
          machine.travel(at);
          expect(short(machine.canonical())).toBe(end);
        }),
        { numRuns: RUNS, interruptAfterTimeLimit: 60_000 },
      );
    },
    90_000,
  );
});
