/** The store's figures, beside flat typed arrays where those fit into memory at all. */

import type { PageColumn } from '../../sim/store/column.ts';
import { createStore } from '../../sim/store/store.ts';

export interface Row {
  name: string;
  value: number;
  unit: string;
  target?: string;
}

const GIB_PAGES = 2 ** 18;
const TIB_PAGES = 2 ** 28;
const RANGE_START = 12_345;
const RANGE_END = 16 * TIB_PAGES - 54_321;
const COLUMN_NAMES = ['state', 'refcount', 'flags', 'owner', 'link', 'zone'];
const OPS = 1_000_000;

function milliseconds(run: () => void): number {
  const start = performance.now();
  run();
  return performance.now() - start;
}

function best(times: number, run: () => number): number {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < times; i++) least = Math.min(least, run());
  return least;
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1] ?? 0;
}

/** A fixed sequence of numbers below `limit`. */
function sequence(length: number, limit: number): Float64Array {
  let seed = 5;
  return Float64Array.from({ length }, () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * limit);
  });
}

function addAll(column: PageColumn, pfns: Float64Array): void {
  for (let i = 0; i < pfns.length; i++) column.add(pfns[i] as number, 1);
}

function columnsOf(count: number): { store: ReturnType<typeof createStore>; columns: PageColumn[] } {
  const store = createStore();
  return { store, columns: COLUMN_NAMES.slice(0, count).map((name) => store.column(name, 0)) };
}

function uniform(report: (row: Row) => void): void {
  report({ name: 'a fresh column', value: columnsOf(1).store.bytes().columns, unit: 'bytes', target: '< 10240' });
  const times: number[] = [];
  for (let i = 0; i < 50; i++) {
    const { columns } = columnsOf(5);
    times.push(
      milliseconds(() => {
        for (const column of columns) column.setRange(RANGE_START, RANGE_END, 3);
      }),
    );
  }
  report({ name: 'set 16 TiB of 5 columns, journalled', value: median(times), unit: 'ms', target: '< 1' });
  const { store, columns } = columnsOf(6);
  for (const column of columns) column.setRange(RANGE_START, RANGE_END, 7);
  report({ name: 'uniform 16 TiB in 6 columns', value: store.bytes().columns, unit: 'bytes', target: '<= 102400' });
}

function refcounts(report: (row: Row) => void): void {
  const pfns = sequence(OPS, 4 * GIB_PAGES);
  const perOp = (ms: number) => (ms / OPS) * 1e6;

  const flat = new Uint32Array(4 * GIB_PAGES);
  const flatAdd = () => {
    for (let i = 0; i < OPS; i++) flat[pfns[i] as number] = (flat[pfns[i] as number] as number) + 1;
  };
  report({
    name: 'random add in 4 GiB, flat array',
    value: perOp(best(8, () => milliseconds(flatAdd))),
    unit: 'ns',
  });

  const { store, columns } = columnsOf(1);
  const column = columns[0] as PageColumn;
  const unjournalled = best(8, () => store.unjournalled(() => milliseconds(() => addAll(column, pfns))));
  report({ name: 'random add in 4 GiB, unjournalled', value: perOp(unjournalled), unit: 'ns', target: '<= 25' });
  let undo = Number.POSITIVE_INFINITY;
  let redo = Number.POSITIVE_INFINITY;
  const journalled = best(8, () => {
    const from = store.mark();
    const ms = milliseconds(() => addAll(column, pfns));
    const to = store.mark();
    undo = Math.min(
      undo,
      milliseconds(() => store.travel(from)),
    );
    redo = Math.min(
      redo,
      milliseconds(() => store.travel(to)),
    );
    return ms;
  });
  report({ name: 'random add in 4 GiB, journalled', value: perOp(journalled), unit: 'ns', target: '<= 250' });
  report({ name: 'undo of a page', value: perOp(undo), unit: 'ns', target: '<= 100' });
  report({ name: 'redo of a page', value: perOp(redo), unit: 'ns' });
  let sum = 0;
  const get = best(8, () =>
    milliseconds(() => {
      for (let i = 0; i < OPS; i++) sum += column.get(pfns[i] as number);
    }),
  );
  report({ name: 'random get in 4 GiB', value: perOp(get) + (sum < 0 ? 1 : 0), unit: 'ns' });
}

function ranges(report: (row: Row) => void): void {
  const { store, columns } = columnsOf(1);
  const column = columns[0] as PageColumn;
  const count = 50_000;
  const starts = sequence(count, 4 * GIB_PAGES);
  const lengths = sequence(count, 64);
  const run = () => {
    for (let i = 0; i < count; i++) {
      const start = starts[i] as number;
      column.setRange(start, start + 2 + (lengths[i] as number), i & 7);
    }
  };
  run();
  const from = store.mark();
  const journalled = milliseconds(run);
  const pages = lengths.reduce((sum, each) => sum + each + 2, 0);
  const undo = milliseconds(() => store.travel(from));
  const unjournalled = store.unjournalled(() => milliseconds(run));
  report({ name: 'set a range of 2 to 65 pages, unjournalled', value: (unjournalled / count) * 1e6, unit: 'ns' });
  report({ name: 'set a range of 2 to 65 pages, journalled', value: (journalled / count) * 1e6, unit: 'ns' });
  report({ name: 'undo of a page in such a range', value: (undo / pages) * 1e6, unit: 'ns', target: '<= 100' });
}

function counting(report: (row: Row) => void): void {
  const { store, columns } = columnsOf(1);
  const column = columns[0] as PageColumn;
  const total = 16 * TIB_PAGES;
  store.unjournalled(() => {
    column.setRange(0, total, 1);
    for (const start of sequence(20_000, total - 1024)) column.setRange(start, start + 1 + (start % 600), start & 3);
  });
  const bounds = sequence(20_000, total);
  const out = new Float64Array(16);
  const times: number[] = [];
  const ms = milliseconds(() => {
    for (let i = 0; i + 1 < bounds.length; i += 2) {
      const a = bounds[i] as number;
      const b = bounds[i + 1] as number;
      times.push(milliseconds(() => column.count(Math.min(a, b), Math.max(a, b), out)));
    }
  });
  report({
    name: 'count a random window of 16 TiB in 20,000 fragments',
    value: (ms / (bounds.length / 2)) * 1000,
    unit: 'µs',
  });
  times.sort((a, b) => a - b);
  const slow = times[Math.floor(times.length * 0.99)] as number;
  report({ name: 'the slowest such window but 1 %', value: slow, unit: 'ms', target: '< 1' });
  const flat = new Uint32Array(64 * GIB_PAGES).fill(1);
  const flatMs = milliseconds(() => {
    for (let i = 0; i < flat.length; i++) out[(flat[i] as number) & 15] = (out[(flat[i] as number) & 15] as number) + 1;
  });
  report({ name: 'count 64 GiB, flat array', value: flatMs, unit: 'ms' });
}

function objects(report: (row: Row) => void): void {
  const store = createStore();
  const zone = { free: 0, name: 'Normal' };
  const count = 200_000;
  const from = store.mark();
  const set = milliseconds(() => {
    for (let i = 1; i <= count; i++) store.set(zone, 'free', i);
  });
  const undo = milliseconds(() => store.travel(from));
  report({ name: 'set a property, journalled', value: (set / count) * 1e6, unit: 'ns' });
  report({ name: 'undo of a property', value: (undo / count) * 1e6, unit: 'ns' });
}

export async function bench(report: (row: Row) => void): Promise<void> {
  for (const part of [uniform, refcounts, ranges, counting, objects]) part(report);
}
