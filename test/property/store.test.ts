/**
 * The store against a naive model: columns as sorted lists of runs, a copy of
 * everything for every mark. Random writes and travels must agree with it at each step.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { runsOf } from '../../sim/store/column.ts';
import { createStore, type Store } from '../../sim/store/store.ts';

const PFN_LIMIT = 2 ** 40;
const FIXED_SEED = 20_240_611;
const RUNS = Number(process.env.ZONESCOPE_RUNS ?? 100);

interface Run {
  start: number;
  end: number;
  value: number;
}

/** The runs of a column; never changed, so that a copy is the list itself. */
type Runs = readonly Run[];

function joined(runs: Runs): Run[] {
  const result: Run[] = [];
  for (const run of runs) {
    const last = result.at(-1);
    if (last !== undefined && last.value === run.value && last.end === run.start) last.end = run.end;
    else if (run.start < run.end) result.push({ ...run });
  }
  return result;
}

function withRange(runs: Runs, start: number, end: number, value: number): Runs {
  if (!(start < end)) return runs;
  const before = runs.map((run) => ({ ...run, end: Math.min(run.end, start) }));
  const after = runs.map((run) => ({ ...run, start: Math.max(run.start, end) }));
  const kept = (run: Run) => run.start < run.end;
  return joined([...before.filter(kept), { start, end, value }, ...after.filter(kept)]);
}

function valueAt(runs: Runs, pfn: number): number {
  return runs.find((run) => pfn < run.end)?.value ?? -1;
}

function countIn(runs: Runs, start: number, end: number): Float64Array {
  const out = new Float64Array(16);
  for (const run of runs) {
    const pages = Math.min(end, run.end) - Math.max(start, run.start);
    if (pages > 0) out[run.value & 15] = (out[run.value & 15] ?? 0) + pages;
  }
  return out;
}

/** Where two states of a column differ. */
function differences(a: Runs, b: Runs): { start: number; end: number }[] {
  const edges = [...a, ...b].flatMap((run) => [run.start, run.end]).sort((x, y) => x - y);
  const result: { start: number; end: number }[] = [];
  for (let i = 0; i + 1 < edges.length; i++) {
    const [start, end] = [edges[i] ?? 0, edges[i + 1] ?? 0];
    if (start < end && valueAt(a, start) !== valueAt(b, start)) result.push({ start, end });
  }
  return result;
}

function union(runs: { start: number; end: number }[]): { start: number; end: number }[] {
  const result: { start: number; end: number }[] = [];
  for (const run of runs.toSorted((a, b) => a.start - b.start)) {
    const last = result.at(-1);
    if (last !== undefined && run.start <= last.end) last.end = Math.max(last.end, run.end);
    else result.push({ ...run });
  }
  return result;
}

type Fields = Record<string, unknown>;

/** What the store under test writes to. */
class Subject {
  readonly store: Store;
  readonly object: Fields = { free: 0, name: 'Normal' };
  readonly array: unknown[] = [1, 2, 3];
  readonly map = new Map<unknown, unknown>([
    ['a', 1],
    ['b', 2],
    ['c', 3],
  ]);

  constructor(journalBudget: number | undefined) {
    this.store = createStore(journalBudget === undefined ? {} : { journalBudget });
    this.store.column('state', 0);
    this.store.column('owner', 5);
  }

  text(): string {
    return this.store.canonical({ object: this.object, array: this.array, map: this.map });
  }
}

/** The same in the plainest form, and its whole past and future. */
interface State {
  columns: Record<string, Runs>;
  object: Fields;
  array: unknown[];
  map: Map<unknown, unknown>;
}

class Model {
  now: State = {
    columns: {
      state: [{ start: 0, end: PFN_LIMIT, value: 0 }],
      owner: [{ start: 0, end: PFN_LIMIT, value: 5 }],
    },
    object: { free: 0, name: 'Normal' },
    array: [1, 2, 3],
    map: new Map<unknown, unknown>([
      ['a', 1],
      ['b', 2],
      ['c', 3],
    ]),
  };
  /** The states at the marks that were taken, ascending. */
  history: { mark: number; state: State; text: string }[] = [];

  copy(): State {
    const { columns, object, array, map } = this.now;
    return { columns: { ...columns }, object: { ...object }, array: array.slice(), map: new Map(map) };
  }

  fill(column: string, start: number, end: number, value: number): void {
    this.now.columns[column] = withRange(this.now.columns[column] ?? [], start, end, value >>> 0);
  }
}

interface Step {
  name: string;
  run(subject: Subject, model: Model): void;
}

function columnOf(subject: Subject, name: string) {
  const column = subject.store.columns.get(name);
  if (column === undefined) throw new Error(`no column ${name}`);
  return column;
}

function step(name: string, run: Step['run']): Step {
  return { name, run };
}

function text(...parts: unknown[]): string {
  return parts.map((part) => JSON.stringify(part)).join(' ');
}

const columnName = fc.constantFrom('state', 'owner');
const pfn = fc
  .tuple(
    fc.constantFrom(
      0,
      2 ** 9,
      2 ** 17,
      2 ** 17 - 700,
      2 ** 24 - 700,
      2 ** 25,
      2 ** 31,
      2 ** 32,
      2 ** 33,
      2 ** 39,
      PFN_LIMIT - 1500,
    ),
    fc.oneof(fc.constantFrom(0, 1, 511, 512, 513, 1024), fc.nat(1400)),
  )
  .map(([base, offset]) => base + offset);
const value = fc.oneof({ arbitrary: fc.nat(3), weight: 4 }, fc.constantFrom(16, 17, 0x80000000, 0xffffffff, -1));
const range = fc
  .oneof(
    fc.tuple(pfn, fc.nat(20)).map(([start, length]) => [start, start + length]),
    fc.tuple(pfn, fc.constantFrom(512, 1024, 2 ** 17, 2 ** 25)).map(([start, length]) => [start, start + length]),
    fc.tuple(pfn, pfn).map(([a, b]) => [Math.min(a, b), Math.max(a, b)]),
  )
  .map(([start = 0, end = 0]) => [start, Math.min(end, PFN_LIMIT)] as const);
const key = fc.constantFrom('a', 'b', 'c', 'd', 'e');
const element = fc.oneof(fc.nat(3), fc.constantFrom(undefined, null, 'x'));

const pageStep = fc.oneof(
  fc.tuple(columnName, pfn, value).map(([name, page, to]) =>
    step(text('set', name, page, to), (subject, model) => {
      columnOf(subject, name).set(page, to);
      model.fill(name, page, page + 1, to);
    }),
  ),
  fc.tuple(columnName, pfn, fc.constantFrom(1, -1, 16, 0)).map(([name, page, delta]) =>
    step(text('add', name, page, delta), (subject, model) => {
      columnOf(subject, name).add(page, delta);
      model.fill(name, page, page + 1, valueAt(model.now.columns[name] ?? [], page) + delta);
    }),
  ),
  fc.tuple(columnName, range, value).map(([name, [start, end], to]) =>
    step(text('range', name, start, end, to), (subject, model) => {
      columnOf(subject, name).setRange(start, end, to);
      model.fill(name, start, end, to);
    }),
  ),
  fc
    .tuple(columnName, pfn, fc.integer({ min: 2, max: 40 }), fc.integer({ min: 2, max: 30 }), value)
    .map(([name, start, teeth, distance, to]) =>
      step(text('comb', name, start, teeth, distance, to), (subject, model) => {
        for (let i = 0; i < teeth && start + i * distance < PFN_LIMIT; i++) {
          columnOf(subject, name).set(start + i * distance, to);
          model.fill(name, start + i * distance, start + i * distance + 1, to);
        }
      }),
    ),
);

const objectStep = fc.oneof(
  fc.tuple(fc.constantFrom('free', 'name', 'extra', 'other'), element).map(([name, to]) =>
    step(text('property', name, to), (subject, model) => {
      subject.store.set(subject.object, name, to);
      model.now.object[name] = to;
    }),
  ),
  fc.tuple(fc.nat(8), element).map(([index, to]) =>
    step(text('element', index, to), (subject, model) => {
      subject.store.set(subject.array, index, to);
      model.now.array[index] = to;
    }),
  ),
  fc.nat(6).map((length) =>
    step(text('length', length), (subject, model) => {
      subject.store.set(subject.array, 'length', length);
      model.now.array.length = length;
    }),
  ),
  fc
    .tuple(fc.integer({ min: -3, max: 9 }), fc.integer({ min: -1, max: 5 }), fc.array(element, { maxLength: 3 }))
    .map(([index, remove, items]) =>
      step(text('splice', index, remove, items), (subject, model) => {
        const removed = subject.store.splice(subject.array, index, remove, ...items);
        expect(removed).toEqual(model.now.array.splice(index, remove, ...items));
      }),
    ),
  fc.tuple(key, element).map(([name, to]) =>
    step(text('mapSet', name, to), (subject, model) => {
      subject.store.mapSet(subject.map, name, to);
      model.now.map.set(name, to);
    }),
  ),
  key.map((name) =>
    step(text('mapDelete', name), (subject, model) => {
      subject.store.mapDelete(subject.map, name);
      model.now.map.delete(name);
    }),
  ),
);

/** Goes to one of the marks taken before, a share of the way from the oldest to the newest. */
const travelStep = fc.oneof(fc.double({ min: 0, max: 1, noNaN: true }), fc.constantFrom(0, 1)).map((share) =>
  step(text('travel', share), (subject, model) => {
    const reachable = reachableStates(subject, model);
    const target = reachable[Math.floor(share * (reachable.length - 1))];
    if (target === undefined) return;
    subject.store.travel(target.mark);
    model.now = target.state;
    model.now = model.copy();
    expect(subject.text()).toBe(target.text);
  }),
);

const unjournalledStep = fc.tuple(pageStep, objectStep).map(([pages, objects]) =>
  step(`unjournalled ${pages.name}, ${objects.name}`, (subject, model) => {
    subject.store.unjournalled(() => {
      pages.run(subject, model);
      objects.run(subject, model);
    });
    model.history = [];
  }),
);

const changesStep = fc.tuple(fc.nat(1000), fc.nat(1000)).map(([a, b]) =>
  step(text('changes', a, b), (subject, model) => {
    const states = reachableStates(subject, model);
    const [from, to] = [a % states.length, b % states.length].toSorted((x, y) => x - y) as [number, number];
    const expected: { start: number; end: number }[] = [];
    for (let i = from; i < to; i++) {
      for (const name of ['state', 'owner']) {
        expected.push(...differences(states[i]?.state.columns[name] ?? [], states[i + 1]?.state.columns[name] ?? []));
      }
    }
    const marks = [states[from]?.mark ?? -1, states[to]?.mark ?? -1] as const;
    const told = subject.store.changes(marks[a & 1] as number, marks[1 - (a & 1)] as number, Number.MAX_SAFE_INTEGER);
    expect(told.pages).toEqual(union(expected));
  }),
);

function reachableStates(subject: Subject, model: Model) {
  return model.history.filter(({ mark }) => mark >= subject.store.oldest && mark <= subject.store.newest);
}

const mixedSteps = fc.array(
  fc.oneof(
    { arbitrary: pageStep, weight: 12 },
    { arbitrary: objectStep, weight: 8 },
    { arbitrary: travelStep, weight: 5 },
    { arbitrary: changesStep, weight: 2 },
    { arbitrary: unjournalledStep, weight: 1 },
  ),
  { maxLength: 60, size: 'max' },
);

/** The order of map entries needs many deletions, and many ways to them, to go wrong. */
const objectSteps = fc.array(
  fc.oneof(
    { arbitrary: objectStep, weight: 8 },
    { arbitrary: travelStep, weight: 4 },
    { arbitrary: unjournalledStep, weight: 1 },
  ),
  { maxLength: 60, size: 'max' },
);

/** Everything one can ask the store, asked of both. */
function expectAgreement(subject: Subject, model: Model, windows: readonly (readonly [number, number])[]): void {
  const { columns, object, array, map } = model.now;
  for (const [name, runs] of Object.entries(columns)) {
    const column = columnOf(subject, name);
    expect(runsOf(column, 0, PFN_LIMIT)).toEqual(runs);
    for (const [start, end] of windows) {
      expect(column.get(start)).toBe(valueAt(runs, start));
      const out = new Float64Array(16);
      column.count(start, end, out);
      expect(out).toEqual(countIn(runs, start, end));
    }
  }
  expect(Object.entries(subject.object)).toEqual(Object.entries(object));
  expect(subject.array.length).toBe(array.length);
  expect(Object.entries(subject.array)).toEqual(Object.entries(array));
  expect([...subject.map]).toEqual([...map]);
}

/** Takes a mark; what lay ahead of it is no longer reachable, and is forgotten. */
function remember(subject: Subject, model: Model): void {
  const { store } = subject;
  const mark = store.mark();
  const known = model.history.find((each) => each.mark === mark);
  model.history = model.history.filter((each) => each.mark <= store.newest);
  if (known === undefined) model.history.push({ mark, state: model.copy(), text: subject.text() });
  else expect(subject.text()).toBe(known.text);
  model.history.sort((a, b) => a.mark - b.mark);
}

const agreement = fc.property(
  fc.oneof(mixedSteps, objectSteps),
  fc.constantFrom(undefined, 3000, 8192),
  fc.array(range, { minLength: 1, maxLength: 4 }),
  (list, journalBudget, windows) => {
    const subject = new Subject(journalBudget);
    const model = new Model();
    remember(subject, model);
    const asked = [...windows, [0, PFN_LIMIT], [2 ** 17, 2 ** 33]] as const;
    for (const each of list) {
      const before = subject.store.mark();
      each.run(subject, model);
      // A write after going back makes another future of the same marks.
      const hasWritten = subject.store.mark() > before && !each.name.startsWith('"travel"');
      if (hasWritten) model.history = model.history.filter(({ mark }) => mark <= before);
      remember(subject, model);
      expectAgreement(subject, model, asked);
    }
    const states = reachableStates(subject, model);
    for (const end of [states.at(0), states.at(-1), states.at(0)]) {
      subject.store.travel(end?.mark ?? -1);
      expect(subject.text()).toBe(end?.text);
    }
    if (journalBudget === undefined && states[0]?.mark === 0)
      expect(subject.text()).toBe(new Subject(undefined).text());
  },
);

describe('the store agrees with a naive model', () => {
  it('through random writes and travels, fixed seed', () => {
    fc.assert(agreement, { seed: FIXED_SEED, numRuns: RUNS });
  });

  it('through random writes and travels, fresh seed', () => {
    fc.assert(agreement, { numRuns: Math.ceil(RUNS / 2) });
  });
});

describe('dense random work in one GiB', () => {
  it('is undone and redone page by page, with counts always right', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const store = createStore();
        const column = store.column('refcount', 1);
        const plain = new Uint32Array(2 ** 18).fill(1);
        const base = 2 ** 36 + 12_345;
        let random = seed >>> 0;
        const next = (limit: number) => {
          random = (Math.imul(random, 1664525) + 1013904223) >>> 0;
          return Math.floor((random / 2 ** 32) * limit);
        };
        const marks = [{ mark: store.mark(), copy: plain.slice() }];
        for (let i = 0; i < 3000; i++) {
          const at = next(plain.length);
          const end = Math.min(plain.length, at + 1 + next(i % 50 === 0 ? 2 ** 17 : 300));
          if (i % 3 === 0) {
            column.setRange(base + at, base + end, i & 31);
            plain.fill(i & 31, at, end);
          } else {
            column.add(base + at, 1);
            plain[at] = (plain[at] ?? 0) + 1;
          }
          if (i % 500 === 499) marks.push({ mark: store.mark(), copy: plain.slice() });
        }
        const all = marks.map((_, i) => i);
        for (const i of [...all.toReversed(), ...all, 0]) {
          const { mark, copy } = marks[i] ?? { mark: -1, copy: plain };
          store.travel(mark);
          const seen = new Uint32Array(plain.length);
          column.runs(base, base + plain.length, (start, end, value) => {
            seen.fill(value, start - base, end - base);
            return undefined;
          });
          expect(seen.every((value, page) => value === copy[page])).toBe(true);
          const out = new Float64Array(16);
          column.count(base, base + plain.length, out);
          const expected = new Float64Array(16);
          for (const value of copy) expected[value & 15] = (expected[value & 15] ?? 0) + 1;
          expect(out).toEqual(expected);
        }
      }),
      { numRuns: 6 },
    );
  });
});
