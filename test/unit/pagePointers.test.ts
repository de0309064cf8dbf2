/** Pointers and ranges that a kernel would follow into nothing: the caller stops, and the state is as it was. */
import { describe, expect, it } from 'vitest';
import { kindOf, nodeOf, zoneOf } from '../../sim/include/mmzone.ts';
import { PageKind } from '../../sim/include/types.ts';
import { compareReleases, Machine, type Release, scriptProgram } from '../../sim/index.ts';
import { refOf } from '../../sim/mm/pagemap.ts';
import { attempt, deviceLines } from '../support/devices.ts';
import { boot, machineOf, sh } from '../support/machines.ts';
import { short } from '../support/same.ts';

const refused = (machine: Machine, line: string): string | undefined => {
  const before = short(machine.canonical());
  const message = attempt(machine, line).program?.error?.message;
  expect(short(machine.canonical()), line).toBe(before);
  return message;
};

describe('a struct page that is not there', () => {
  it.each<Release>(['4.3', '4.12', '5.2', '6.1', '7.3'])(
    '%s: vmemmap faults for whoever reads or writes it',
    (release) => {
      const machine = boot('qemu-2g', release);
      for (const call of ['get_page', 'put_page', 'page_count', 'page_zone', 'compound_head', 'unlock_page'])
        expect(refused(machine, `${call}(pfn_to_page(0xe000000))`), call).toMatch(/0xe000000 has no struct page/);
      // Arithmetic on the pointer is allowed.
      expect(sh(machine, 'page_to_pfn(pfn_to_page(0xe000000))').output).toEqual(['234881024 (0xe000000)']);
    },
  );

  it('a page that no device has is not handed out', () => {
    const machine = boot('qemu-2g', '6.12');
    expect(refused(machine, 'zone_device_page_init(pfn_to_page(0x4000))')).toMatch(/no pagemap/);
  });

  it('nobody takes a reference on a free page', () => {
    const machine = boot('qemu-2g', '6.12');
    sh(machine, 'p = alloc_pages(0xcc0, 0)', '__free_pages(p, 0)');
    expect(refused(machine, 'get_page(p)')).toMatch(/kernel BUG in get_page/);
  });

  it('a block is split by the order it was allocated with, not by more', () => {
    const machine = boot('qemu-2g', '6.12');
    sh(machine, 'p = alloc_pages(0xcc0, 2)');
    for (const order of [3, 11, 40]) expect(refused(machine, `split_page(p, ${order})`)).toMatch(/split_page/);
    sh(machine, 'split_page(p, 2)', 'q = pfn_to_page(page_to_pfn(p) + 3)');
    expect(sh(machine, 'page_count(q)').output).toEqual(['1']);
  });
});

describe('a resource that ends before it starts', () => {
  it.each<Release>(['4.3', '4.5', '4.16', '5.2'])('%s: is not mapped', (release) => {
    const machine = boot('qemu-2g', release);
    // In C the sum has 32 bits.
    const lines = deviceLines(machine, { start: '0xff200000', size: '0x2a00000' });
    const last = lines.pop() ?? '';
    sh(machine, ...lines);
    expect(attempt(machine, last).program?.error?.message).toMatch(/ends at 0x1bfffff, before its start 0xff200000/);
    expect(machine.kernel.state.pgmaps).toEqual([]);
    expect(machine.kernel.zone(0, 4).spanned_pages).toBe(0);
  });
});

describe('nodes that lie between each other', () => {
  it('every page of memory is initialised for its own node, whichever number is above', () => {
    const gib = (n: number): string => `0x${(n * 2 ** 30).toString(16)}`;
    const last = (n: number): string => `0x${(n * 2 ** 30 - 1).toString(16)}`;
    const { kernel } = machineOf({
      name: 'crossed',
      physBits: 40,
      e820: [
        { start: '0x0', end: last(1), type: 'usable' },
        { start: gib(4), end: last(6), type: 'usable' },
      ],
      nodes: [
        { id: 0, ranges: [{ start: '0x0', end: last(1) }], cpus: [0] },
        // Above node 2, and its first section is shared with it.
        { id: 1, ranges: [{ start: '0x144000000', end: last(6) }], cpus: [1] },
        { id: 2, ranges: [{ start: gib(4), end: '0x143ffffff' }], cpus: [2] },
      ],
      // What is free is given to its zone afterwards; this stays as boot made it.
      reserved: [{ start: '0x143e00000', end: '0x147ffffff', what: 'memmap' }],
    });
    for (const [pfn, node] of [
      [0x143fff, 2],
      [0x144000, 1],
      [0x147fff, 1],
    ] as const) {
      const word = kernel.pages.state.get(pfn);
      expect([kindOf(word) === PageKind.Unavailable, nodeOf(word), zoneOf(word)]).toEqual([false, node, 2]);
    }
  });
});

describe('a script whose first lines only look', () => {
  it('is found again where it stood when the timeline is saved and loaded', () => {
    const machine = boot();
    const entries = ['ls /proc', 'occupy 0 DMA 3 3 0 1 1 1 1 0 1 1 1', 'inject movable memory3'];
    const spec = scriptProgram(machine.kernel, 'script', entries);
    const program = machine.start(spec);
    for (let i = 0; i < 3; i++) machine.advance(program);
    const copy = new Machine(machine.config, machine.release);
    const steps = machine.steps.map(({ program: id, points, label }) => ({ program: id, points, label }));
    copy.restore([{ id: program.id, spec: scriptProgram(copy.kernel, 'script', entries) }], steps, machine.position);
    expect(copy.position).toBeGreaterThan(0);
    expect(short(copy.canonical())).toBe(short(machine.canonical()));
  });
});

describe('memory beyond what a mem_section can be', () => {
  it.each<Release>(['4.3', '5.4', '5.15', '7.3'])('%s: is not removed', (release) => {
    const machine = boot('qemu-2g', release);
    const top = 2n ** BigInt(machine.kernel.arch.MAX_PHYSMEM_BITS);
    const nid = Number(release.split('.')[0]) < 5 || release === '5.4' ? '0, ' : '';
    const range = `${nid}0x${(top - 2n ** 27n).toString(16)}, 0x10000000`;
    expect(refused(machine, `remove_memory(${range})`)).toMatch(/beyond/);
    if (compareReleases(release, '5.8') >= 0)
      expect(refused(machine, `offline_and_remove_memory(${range})`)).toMatch(/beyond/);
  });
});

describe('an altmap that reaches beyond a small range inside a section', () => {
  it.each<Release>(['4.16', '4.20', '5.2'])('%s: leaves no page, and no reference that nobody took', (release) => {
    const machine = machineOf(
      {
        name: 'small',
        physBits: 40,
        e820: [
          { start: '0x0', end: '0x9ffff', type: 'usable' },
          { start: '0x100000', end: '0x7ffffff', type: 'usable' },
        ],
        devices: [{ start: '0x104000000', end: '0x107ffffff', name: 'Persistent Memory', node: 0 }],
      },
      release,
    );
    sh(machine, 'ndctl create-namespace -m devdax -M dev');
    for (const { pgmap } of machine.kernel.state.pgmaps) expect(refOf(pgmap)?.count).toBe(1n);
    expect(machine.kernel.state.pgmaps).toHaveLength(1);
  });
});
