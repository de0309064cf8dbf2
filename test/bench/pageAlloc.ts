/** The page allocator with state and journal, beside a plain buddy of arrays and sets that remembers nothing. */
import { checkMachine, Machine, type MachineConfig, presets } from '../../sim/index.ts';
import { __free_pages } from '../../sim/mm/freePages.ts';
import { __alloc_pages, alloc_pages_node } from '../../sim/mm/page_alloc.ts';
import { set_migratetype_isolate, unset_migratetype_isolate } from '../../sim/mm/pageblock_isolate.ts';
import { readFile } from '../../sim/shell/commands.ts';
import type { Row } from './engine.ts';

type Report = (row: Row) => void;
const GFP_KERNEL = 0xcc0;
const ROUNDS = 9;

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1] ?? 0;
}
/** Nanoseconds of one of `count`, the median of several rounds. */
function perOne(count: number, rounds: number, prepare: () => void, work: () => void): number {
  const times: number[] = [];
  for (let i = 0; i < rounds; i++) {
    prepare();
    const start = performance.now();
    work();
    times.push(((performance.now() - start) / count) * 1e6);
  }
  return median(times);
}

/** What a buddy costs that has neither page states nor an undo. */
class Plain {
  private readonly lists = Array.from({ length: 11 }, () => new Set<number>());
  constructor(pages: number) {
    for (let pfn = 0; pfn < pages; pfn += 1024) this.lists[10]?.add(pfn);
  }
  take(order: number): number {
    for (let from = order; from <= 10; from++) {
      const list = this.lists[from] as Set<number>;
      for (const pfn of list) {
        list.delete(pfn);
        for (let o = from - 1; o >= order; o--) this.lists[o]?.add(pfn + (1 << o));
        return pfn;
      }
    }
    return -1;
  }
  give(pfn: number, order: number): void {
    let [at, o] = [pfn, order];
    while (o < 10 && this.lists[o]?.delete(at ^ (1 << o))) at &= ~(1 << o++);
    this.lists[o]?.add(at);
  }
}

export async function bench(report: Report): Promise<void> {
  const { kernel } = new Machine(presets().find(({ name }) => name === 'laptop-16g') as MachineConfig, '6.12');
  const count = 100_000;
  const taken = new Float64Array(count);
  const allocate = (order: (i: number) => number) => () => {
    for (let i = 0; i < count; i++) taken[i] = __alloc_pages(kernel, GFP_KERNEL, order(i), 0);
  };
  const release = (order: (i: number) => number) => () => {
    for (let i = 0; i < count; i++) __free_pages(kernel, taken[i] as number, order(i));
  };
  const orders: [string, (i: number) => number][] = [
    ['of order 0', () => 0],
    ['of orders 0 to 3 in turn', (i) => i & 3],
  ];
  for (const [name, order] of orders) {
    allocate(order)();
    const alloc = perOne(count, ROUNDS, release(order), allocate(order));
    release(order)();
    const free = perOne(count, ROUNDS, allocate(order), release(order));
    report({ name: `alloc_pages ${name}, journalled`, value: alloc, unit: 'ns', target: '<= 1000' });
    report({ name: `__free_pages ${name}, journalled`, value: free, unit: 'ns', target: '<= 1000' });
  }
  const plain = new Plain(2 ** 20);
  const plainTaken = new Float64Array(count);
  const plainTime = perOne(
    2 * count,
    ROUNDS,
    () => {},
    () => {
      for (let i = 0; i < count; i++) plainTaken[i] = plain.take(0);
      for (let i = 0; i < count; i++) plain.give(plainTaken[i] as number, 0);
    },
  );
  report({ name: '… a plain buddy of sets, without page states or undo', value: plainTime, unit: 'ns' });

  // The worst there is: the one page splits a block of order 10, and freeing it merges all again.
  const pair = perOne(
    2000,
    5,
    () => {},
    () => {
      for (let i = 0; i < 2000; i++) __free_pages(kernel, __alloc_pages(kernel, GFP_KERNEL, 0, 0), 0);
    },
  );
  report({ name: 'one page of a block of order 10 and back: 10 splits and 10 merges', value: pair / 1000, unit: 'µs' });

  let runs: { pfn: number; blocks: number }[] = [];
  const mark = kernel.mark();
  const bulk = perOne(
    1,
    ROUNDS,
    () => kernel.store.travel(mark),
    () => {
      runs = alloc_pages_node(kernel, 0, 9, { kind: 6, migratetype: 0 }, 4096);
    },
  );
  const blocks = runs.reduce((sum, run) => sum + run.blocks, 0);
  report({ name: `memory maps of 512 GiB (${blocks} blocks of 2 MiB) at once`, value: bulk / 1e6, unit: 'ms' });
  kernel.store.travel(mark);

  const isolate = perOne(
    1,
    ROUNDS,
    () => {},
    () => {
      set_migratetype_isolate(kernel, 0x200000, 32768);
      unset_migratetype_isolate(kernel, 0x200000, 32768, 1);
    },
  );
  report({ name: 'a free memory block of 128 MiB isolated and back', value: isolate / 1e6, unit: 'ms' });

  const big = checkMachine({
    name: 'nodes',
    physBits: 46,
    e820: [{ start: '0x0', end: '0xfffffffffff', type: 'usable' }],
    nodes: Array.from({ length: 64 }, (_, id) => ({
      id,
      ranges: [{ start: `0x${(id * 2 ** 38).toString(16)}`, end: `0x${((id + 1) * 2 ** 38 - 1).toString(16)}` }],
      cpus: [id],
    })),
  });
  if ('problems' in big) throw new Error(JSON.stringify(big.problems));
  const boot = perOne(
    1,
    5,
    () => {},
    () => void new Machine(big.machine, '6.12'),
  );
  report({ name: 'boot of a 64-node 16 TiB machine', value: boot / 1e6, unit: 'ms', target: '< 50' });
  const nodes = new Machine(big.machine, '6.12').kernel;
  for (const file of ['zoneinfo', 'pagetypeinfo'])
    report({
      name: `cat /proc/${file} there`,
      value:
        perOne(
          1,
          5,
          () => {},
          () => void readFile(nodes, `/proc/${file}`),
        ) / 1e6,
      unit: 'ms',
      ...(file === 'zoneinfo' ? { target: '< 2' } : {}),
    });
}
