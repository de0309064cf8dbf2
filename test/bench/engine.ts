/** The engine: boot, memremap, undo, the buddy allocator and the timeline, beside the plain way of doing it. */
import { checkMachine, Machine, type MachineConfig, presets, runShellLine } from '../../sim/index.ts';
import { __free_pages_ok } from '../../sim/mm/freePages.ts';
import { alloc_pages_node } from '../../sim/mm/page_alloc.ts';
import { tile } from '../../sim/view/pagemap.ts';

export interface Row {
  name: string;
  value: number;
  unit: string;
  target?: string;
}
type Report = (row: Row) => void;

const TIB16 = {
  name: 'sixteen-tib',
  physBits: 46,
  e820: [
    { start: '0x0', end: '0x9ffff', type: 'usable' },
    { start: '0x100000', end: '0x7fffffff', type: 'usable' },
    { start: '0x100000000', end: '0x1000fffffff', type: 'usable' },
    { start: '0x10010000000', end: '0x1000fffffff0', type: 'usable' },
  ],
  nodes: [
    {
      id: 0,
      ranges: [
        { start: '0x0', end: '0xfffffffffff' },
        { start: '0x100000000000', end: '0x1000fffffff0' },
      ],
      cpus: [0],
    },
  ],
};

function machineOf(json: unknown): MachineConfig {
  const result = checkMachine(json);
  if ('problems' in result) throw new Error(JSON.stringify(result.problems));
  return result.machine;
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1] ?? 0;
function time(runs: number, work: (index: number) => void): number {
  const times: number[] = [];
  for (let i = 0; i < runs; i++) {
    const start = performance.now();
    work(i);
    times.push(performance.now() - start);
  }
  return median(times);
}

export async function bench(report: Report): Promise<void> {
  const big = machineOf(TIB16);
  report({ name: 'boot of a 16 TiB machine', value: time(5, () => void new Machine(big, '6.12')), unit: 'ms' });
  for (const preset of presets())
    report({ name: `boot of ${preset.name}`, value: time(5, () => void new Machine(preset, '6.12')), unit: 'ms' });

  // 16 TiB of device memory whose struct pages lie on the device, as a driver of that size would map it.
  const machine = new Machine(machineOf({ ...TIB16, name: 'roomy' }), '6.12');
  const lines = [
    'struct dev_pagemap m',
    'm.type = MEMORY_DEVICE_GENERIC; m.nr_range = 1; m.flags = PGMAP_ALTMAP_VALID',
    'm.range.start = 0x200000000000; m.range.end = 0x20ffffffffff + 0xf0000000000',
    'm.altmap.base_pfn = 0x200000000; m.altmap.reserve = 2; m.altmap.free = 0x4000000 + 510',
  ];
  for (const line of lines) runShellLine(machine, line);
  // Warm, as it is when a reader steps back and forth: the first call is compiled while it runs.
  const first = time(1, () => void runShellLine(machine, 'memremap_pages(&m, 0)'));
  const undone: number[] = [];
  const back = (): void => void undone.push(time(1, () => machine.travel(machine.position - 1)));
  const mapped: number[] = [];
  for (let i = 0; i < 200; i++) {
    back();
    mapped.push(time(1, () => void runShellLine(machine, 'memremap_pages(&m, 0)')));
    if (machine.kernel.state.pgmaps.length !== 1) throw new Error(machine.kernel.state.log.at(-1)?.text);
  }
  back();
  report({
    name: 'memremap_pages of 16 TiB, the line parsed and run',
    value: median(mapped),
    unit: 'ms',
    target: '< 1',
  });
  report({ name: '… the first time', value: first, unit: 'ms' });
  report({ name: '… stepping back over it', value: median(undone), unit: 'ms' });
  const pages = 2 ** 32;
  const sample = new Uint32Array(2 ** 24);
  report({
    name: '… one 32-bit field of as many struct pages, filled page by page',
    value: (time(3, () => void sample.fill(7)) * pages) / sample.length,
    unit: 'ms',
  });

  runShellLine(machine, 'memremap_pages(&m, 0)');
  const undo = time(9, () => {
    machine.travel(machine.position - 1);
    machine.travel(machine.position + 1);
  });
  report({ name: 'undo and redo of memremap_pages of 16 TiB', value: undo, unit: 'ms' });
  report({
    name: 'bytes of all columns with 32 TiB in them',
    value: machine.kernel.store.bytes().columns / 1024,
    unit: 'KiB',
  });

  const kernel = new Machine(presets()[0] as MachineConfig, '6.12').kernel;
  const use = { kind: 3 as const, migratetype: 0 };
  const count = 20_000;
  const taken: number[] = [];
  const start = performance.now();
  for (let i = 0; i < count; i++) {
    const [run] = alloc_pages_node(kernel, 0, i % 4, use, 1);
    if (run) taken.push(run.pfn);
  }
  report({ name: 'alloc_pages, journalled', value: ((performance.now() - start) / count) * 1e6, unit: 'ns' });
  const freeing = performance.now();
  for (let i = 0; i < taken.length; i++) __free_pages_ok(kernel, taken[i] ?? 0, i % 4);
  report({ name: '__free_pages, journalled', value: ((performance.now() - freeing) / taken.length) * 1e6, unit: 'ns' });

  const pagemap = new Machine(big, '6.12');
  const changes = pagemap.lastChanges();
  report({
    name: 'a tile of 4096 cells, whole machine',
    value: time(9, (i) => void tile(pagemap, 20, i % 2, changes)),
    unit: 'ms',
  });
  report({ name: 'a tile of 4096 single pages', value: time(9, (i) => void tile(pagemap, 0, i, changes)), unit: 'ms' });
}
