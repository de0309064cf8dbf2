import { describe, expect, it } from 'vitest';
import { runsOf } from '../../sim/store/column.ts';
import { createStore } from '../../sim/store/store.ts';

describe('travel', () => {
  it('goes back and forward over pages, objects, maps and arrays', () => {
    const store = createStore();
    const state = store.column('state', 0);
    const zone = { free: 10, name: 'Normal' };
    const owners = new Map([[1, 'kernel']]);
    const lru = ['a', 'b', 'c'];
    const text = () => store.canonical({ zone, owners, lru });
    const texts = [text()];
    const marks = [store.mark()];
    const steps = [
      () => state.set(5, 1),
      () => state.setRange(3, 2 ** 35 + 1, 2),
      () => state.add(2 ** 35, 40),
      () => store.set(zone, 'free', 9),
      () => store.mapSet(owners, 2, 'driver'),
      () => store.mapSet(owners, 1, 'user'),
      () => store.mapDelete(owners, 1),
      () => store.splice(lru, 1, 1, 'x', 'y'),
      () => store.set(lru, 0, 'z'),
    ];
    for (const step of steps) {
      step();
      texts.push(text());
      marks.push(store.mark());
    }
    expect(new Set(texts).size).toBe(steps.length + 1);
    for (const i of [9, 0, 9, 4, 5, 3, 8, 1, 7, 2, 6, 0]) {
      store.travel(marks[i] ?? -1);
      expect(text()).toBe(texts[i]);
    }
  });

  it('keeps the identity of objects, so that references held elsewhere stay valid', () => {
    const store = createStore();
    const page = { flags: 0 };
    const holder = { page, pages: [page], byPfn: new Map([[1, page]]) };
    const from = store.mark();
    store.set(page, 'flags', 1);
    store.splice(holder.pages, 0, 1);
    store.mapDelete(holder.byPfn, 1);
    store.travel(from);
    expect(holder.pages[0]).toBe(page);
    expect(holder.byPfn.get(1)).toBe(page);
    expect(page.flags).toBe(0);
  });

  it('takes a property away again that did not exist before', () => {
    const store = createStore();
    const vma: { start: number; file?: string | undefined } = { start: 1 };
    const from = store.mark();
    store.set(vma, 'file', undefined);
    const to = store.mark();
    expect(Object.keys(vma)).toEqual(['start', 'file']);
    store.travel(from);
    expect(Object.keys(vma)).toEqual(['start']);
    store.travel(to);
    expect(Object.keys(vma)).toEqual(['start', 'file']);
  });

  it('restores the length of an array that a write made longer or shorter, holes included', () => {
    const store = createStore();
    const table: number[] = [1];
    const from = store.mark();
    store.set(table, 4, 5);
    const middle = store.mark();
    store.set(table, 'length', 2);
    expect(table).toHaveLength(2);
    store.travel(middle);
    expect(Object.keys(table)).toEqual(['0', '4']);
    expect(table).toHaveLength(5);
    store.travel(from);
    expect(table).toEqual([1]);
    expect(table).toHaveLength(1);
  });

  it('brings map entries back to their places', () => {
    const store = createStore();
    const map = new Map(['a', 'b', 'c', 'd', 'e'].map((key) => [key, key]));
    const from = store.mark();
    for (const key of ['c', 'a', 'e']) store.mapDelete(map, key);
    store.mapSet(map, 'a', 'again');
    const to = store.mark();
    expect([...map.keys()]).toEqual(['b', 'd', 'a']);
    store.travel(from);
    expect([...map]).toEqual(['a', 'b', 'c', 'd', 'e'].map((key) => [key, key]));
    store.travel(to);
    expect([...map]).toEqual([
      ['b', 'b'],
      ['d', 'd'],
      ['a', 'again'],
    ]);
  });

  it('brings map entries back to their places after they were made anew by going forward', () => {
    const store = createStore();
    const map = new Map([['a', 0]]);
    store.mapDelete(map, 'a');
    for (const key of ['x', 'y', 'z']) store.mapSet(map, key, 1);
    const before = store.mark();
    store.mapDelete(map, 'y');
    store.travel(0);
    store.travel(store.newest);
    expect([...map.keys()]).toEqual(['x', 'z']);
    store.travel(before);
    expect([...map.keys()]).toEqual(['x', 'y', 'z']);
  });

  it('restores an array that lost more elements than a call can take arguments', () => {
    const store = createStore();
    const array = Array.from({ length: 300_000 }, (_, i) => i);
    const from = store.mark();
    expect(store.splice(array, 10, 299_980)).toHaveLength(299_980);
    expect(array).toHaveLength(20);
    store.travel(from);
    expect(array).toHaveLength(300_000);
    expect(array.every((each, i) => each === i)).toBe(true);
  });

  it('does not let a caller reach the journal through the elements splice returned', () => {
    const store = createStore();
    const array = [1, 2, 3];
    store.splice(array, 0, 2).length = 0;
    store.travel(0);
    expect(array).toEqual([1, 2, 3]);
  });

  it('discards what lay ahead when something is written after going back', () => {
    const store = createStore();
    const state = store.column('state', 0);
    const zone = { free: 0 };
    state.setRange(0, 5000, 1);
    const branch = store.mark();
    state.setRange(100, 2 ** 20, 2);
    store.set(zone, 'free', 1);
    const ahead = store.mark();
    store.travel(branch);
    store.set(zone, 'free', 2);
    expect(store.newest).toBe(branch + 1);
    expect(() => store.travel(ahead)).toThrow(RangeError);
    expect(zone.free).toBe(2);
    store.travel(0);
    store.travel(store.newest);
    expect(zone.free).toBe(2);
    expect(state.get(200)).toBe(1);
  });

  it('discards what lay ahead by thousands of entries', () => {
    const store = createStore();
    const state = store.column('state', 0);
    const zone = { free: 0 };
    const write = (from: number) => {
      for (let i = 0; i < 20_000; i++) {
        state.set(from + i, 1);
        if (i % 5 === 0) store.set(zone, 'free', from + i + 1);
      }
    };
    write(0);
    const texts = new Map<number, string>();
    for (const mark of [100, 5000]) {
      store.travel(mark);
      texts.set(mark, store.canonical({ zone }));
    }
    store.travel(5000);
    expect(store.newest).toBe(24_000);
    state.set(7, 9);
    expect(store.newest).toBe(5001);
    write(50_000);
    expect(store.newest).toBe(5001 + 24_000);
    const last = store.canonical({ zone });
    for (const [mark, text] of texts) {
      store.travel(mark);
      expect(store.canonical({ zone })).toBe(text);
    }
    store.travel(store.newest);
    expect(store.canonical({ zone })).toBe(last);
  });

  it('writes nothing down when nothing changes', () => {
    const store = createStore();
    const state = store.column('state', 3);
    const object = { a: 1, n: Number.NaN };
    const map = new Map([['a', 1]]);
    state.set(9, 3);
    state.add(9, 0);
    state.setRange(0, 2 ** 30, 3);
    store.set(object, 'a', 1);
    store.set(object, 'n', Number.NaN);
    store.mapSet(map, 'a', 1);
    store.mapDelete(map, 'b');
    store.splice([1, 2], 1, 0);
    expect(store.mark()).toBe(0);
  });
});

describe('unjournalled', () => {
  it('builds a machine that cannot be undone, and returns what was built', () => {
    const store = createStore();
    const state = store.column('state', 0);
    const zone = { free: 0 };
    state.set(1, 1);
    const before = store.mark();
    const built = store.unjournalled(() => {
      state.setRange(0, 2 ** 32, 5);
      store.set(zone, 'free', 7);
      return store.unjournalled(() => 'built');
    });
    expect(built).toBe('built');
    expect(store.oldest).toBe(store.mark());
    expect(store.newest).toBe(store.mark());
    expect(() => store.travel(before)).toThrow(RangeError);
    store.set(zone, 'free', 8);
    store.travel(store.oldest);
    expect(zone.free).toBe(7);
    expect(state.get(1)).toBe(5);
  });

  it('journals again after the building failed', () => {
    const store = createStore();
    const state = store.column('state', 0);
    expect(() =>
      store.unjournalled(() => {
        throw new Error('no memory');
      }),
    ).toThrow('no memory');
    const from = store.mark();
    state.set(1, 1);
    store.travel(from);
    expect(state.get(1)).toBe(0);
  });
});

describe('the journal budget', () => {
  it('drops the oldest entries and raises oldest, and what is left is still exact', () => {
    const journalBudget = 16_384;
    const store = createStore({ journalBudget });
    const state = store.column('state', 0);
    const zone = { free: 0 };
    const texts = new Map<number, string>();
    for (let i = 1; i <= 500; i++) {
      state.add(i % 7, 1);
      state.setRange(i * 13, i * 13 + 700, i);
      store.set(zone, 'free', i);
      texts.set(store.mark(), store.canonical({ zone }));
      expect(store.bytes().journal).toBeLessThanOrEqual(journalBudget);
    }
    expect(store.oldest).toBeGreaterThan(100);
    expect(store.newest - store.oldest).toBeGreaterThan(30);
    expect(() => store.travel(store.oldest - 1)).toThrow(RangeError);
    store.travel(store.oldest);
    for (let mark = store.newest; mark >= store.oldest; mark -= 5) {
      store.travel(mark);
      const text = texts.get(mark);
      if (text !== undefined) expect(store.canonical({ zone })).toBe(text);
    }
  });

  it('counts chunks rightly when one is dropped just before going back', () => {
    for (let writes = 300; writes < 340; writes++) {
      const store = createStore({ journalBudget: 2048 });
      const state = store.column('state', 0);
      for (let i = 1; i <= writes; i++) state.set(3, i);
      store.travel(store.oldest);
      expect(state.get(3)).toBe(store.oldest);
      store.travel(store.newest);
      expect(state.get(3)).toBe(writes);
    }
  });

  it('keeps the last write even if it alone exceeds the budget', () => {
    const store = createStore({ journalBudget: 4096 });
    const state = store.column('state', 0);
    for (let pfn = 0; pfn < 2 ** 16; pfn += 3) state.set(pfn, 1);
    const before = store.canonical({});
    const mark = store.mark();
    state.setRange(0, 2 ** 20, 2);
    store.travel(mark);
    expect(store.canonical({})).toBe(before);
  });
});

describe('changes', () => {
  it('tells the union of the pages changed in any column as joined runs', () => {
    const store = createStore();
    const [state, owner] = [store.column('state', 0), store.column('owner', 0)];
    state.setRange(100, 200, 1);
    const from = store.mark();
    owner.setRange(150, 2 ** 33, 4);
    state.setRange(50, 150, 1);
    state.set(2 ** 39, 1);
    expect(store.changes(from, store.mark()).pages).toEqual([
      { start: 50, end: 100 },
      { start: 150, end: 2 ** 33 },
      { start: 2 ** 39, end: 2 ** 39 + 1 },
    ]);
    expect(store.changes(store.mark(), 0).pages).toEqual([
      { start: 50, end: 2 ** 33 },
      { start: 2 ** 39, end: 2 ** 39 + 1 },
    ]);
    expect(store.changes(from, from)).toEqual({ pages: [], objects: new Map() });
  });

  it('tells the same whether the marks lie behind or ahead', () => {
    const store = createStore();
    const state = store.column('state', 0);
    for (let pfn = 0; pfn < 5000; pfn += 3) state.set(pfn, 1);
    const from = store.mark();
    state.setRange(1000, 4000, 1);
    store.splice([1, 2, 3], 1, 1);
    const to = store.mark();
    const behind = store.changes(from, to);
    expect(behind.pages).toHaveLength(1000);
    expect(behind.pages.slice(0, 2)).toEqual([
      { start: 1000, end: 1002 },
      { start: 1003, end: 1005 },
    ]);
    for (const here of [0, from, from + 1]) {
      store.travel(here);
      const text = store.canonical({});
      expect(store.changes(from, to)).toEqual(behind);
      expect(store.mark()).toBe(here);
      expect(store.canonical({})).toBe(text);
    }
  });

  it('joins the closest neighbours beyond the limit', () => {
    const store = createStore();
    const state = store.column('state', 0);
    for (const pfn of [0, 10, 12, 30, 33, 60, 62]) state.set(pfn, 1);
    expect(store.changes(0, store.mark(), 4).pages).toEqual([
      { start: 0, end: 1 },
      { start: 10, end: 13 },
      { start: 30, end: 34 },
      { start: 60, end: 63 },
    ]);
    expect(store.changes(0, store.mark(), 1).pages).toEqual([{ start: 0, end: 63 }]);
    for (let pfn = 0; pfn < 20_000; pfn += 2) state.set(pfn, 2);
    expect(store.changes(0, store.mark()).pages).toHaveLength(4096);
  });

  it('names the objects with the keys that were written', () => {
    const store = createStore();
    const zone = { free: 1, name: 'DMA' };
    const map = new Map([['a', 1]]);
    const array = [1, 2, 3, 4];
    store.set(zone, 'free', 2);
    store.mapSet(map, 'b', 2);
    store.mapDelete(map, 'a');
    store.splice(array, 1, 2, 8, 9);
    expect(store.changes(0, store.mark()).objects).toEqual(
      new Map<object, Set<unknown>>([
        [zone, new Set(['free'])],
        [map, new Set(['b', 'a'])],
        [array, new Set([1, 2])],
      ]),
    );
    const from = store.mark();
    store.splice(array, 2, 1);
    expect(store.changes(from, store.mark()).objects.get(array)).toEqual(new Set(['length', 2, 3]));
  });

  it('refuses marks that cannot be reached', () => {
    const store = createStore();
    expect(() => store.changes(0, 1)).toThrow(RangeError);
    expect(() => store.changes(-1, 0)).toThrow(RangeError);
  });
});

describe('columns of a store', () => {
  it('are found by name in order of creation, each name once', () => {
    const store = createStore();
    const state = store.column('state', 0);
    store.column('owner', 0);
    expect([...store.columns.keys()]).toEqual(['state', 'owner']);
    expect(store.columns.get('state')).toBe(state);
    expect(() => store.column('state', 0)).toThrow('state');
    expect(runsOf(state, 0, 1)).toEqual([{ start: 0, end: 1, value: 0 }]);
  });
});
