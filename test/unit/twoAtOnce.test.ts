/** Two who take the same thing away: the second one slept, and finds that it is gone. */
import { describe, expect, it } from 'vitest';
import { type Machine, type Program, runShellLine } from '../../sim/index.ts';
import { lineProgram } from '../../sim/machine/machine.ts';
import { hotplugMachine } from '../support/hotplugMachine.ts';
import { check, checkBlocks } from '../support/invariants.ts';
import { boot, mapLines, sh } from '../support/machines.ts';

const waiting = (machine: Machine, line: string): Program => {
  const program = runShellLine(machine, line);
  expect(program?.status, line).toBe('waiting');
  if (!program) throw new Error('no program');
  return program;
};

describe('memunmap_pages of one pagemap by two', () => {
  it('takes one pagemap away, not a second one', () => {
    const machine = boot();
    for (const name of ['m', 'other'])
      sh(machine, ...mapLines('MEMORY_DEVICE_GENERIC', '128UL << 20', name), `memremap_pages(&${name}, 0)`);
    sh(machine, 'g = get_dev_pagemap(m_res->start >> 12, NULL)');
    const first = waiting(machine, 'memunmap_pages(&m)');
    const other = machine.kernel.state.pgmaps.at(-1);
    // It drops each page's reference once more, and so does not wait.
    const second = runShellLine(machine, 'memunmap_pages(&m)');
    expect([first.status, second?.status]).toEqual(['failed', 'done']);
    expect(first.error?.message).toMatch(/somebody else unmapped/);
    expect(machine.kernel.state.pgmaps).toEqual([other]);
    check(machine);
  });
});

describe('dimm unplug of one DIMM by two', () => {
  it('the second one is told -ENODEV and takes no other DIMM', () => {
    const machine = hotplugMachine();
    sh(machine, 'dimm plug 128M', 'dimm plug 128M', 'echo online_movable > /sys/devices/system/memory/memory32/state');
    sh(machine, 'inject movable memory32', `get_page(pfn_to_page(0x100000))`);
    const first = waiting(machine, 'dimm unplug dimm0');
    const second = waiting(machine, 'dimm unplug dimm0');
    sh(machine, 'put_page(pfn_to_page(0x100000))');
    expect(first.error).toBeUndefined();
    expect(second.error).toMatchObject({ status: -19 });
    expect(machine.kernel.state.dimms.map(({ name }) => name)).toEqual(['dimm1']);
    check(machine);
    checkBlocks(machine);
  });
});

describe('a step that writes more than the journal holds', () => {
  it('cannot be undone, and what is left of its changes can be shown', () => {
    const machine = boot();
    const { store, pages } = machine.kernel;
    machine.run(
      lineProgram('a great deal', function* () {
        for (let pass = 0; pass < 40; pass++)
          for (let pfn = 0; pfn < 0x20000; pfn++) pages.mapcount.set(pfn, (pass + pfn) % 9);
        yield { kind: 'pause', why: '' };
        return undefined;
      }),
    );
    expect(store.oldest).toBeGreaterThan(machine.lastStep?.from ?? 0);
    expect(machine.lastChanges().pages.length).toBeGreaterThan(0);
    const at = machine.position;
    machine.travel(0);
    expect(machine.position).toBe(at);
  });
});
