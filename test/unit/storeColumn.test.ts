import { describe, expect, it } from 'vitest';
import { type PageColumn, runsOf } from '../../sim/store/column.ts';
import { createStore } from '../../sim/store/store.ts';

const LAST_PFN = 2 ** 40 - 1;
const TIB_PAGES = 2 ** 28;

function column(defaultValue = 0): PageColumn {
  return createStore().column('state', defaultValue);
}

function counts(of: PageColumn, start: number, end: number): Record<number, number> {
  const out = new Float64Array(16);
  of.count(start, end, out);
  return Object.fromEntries([...out.entries()].filter(([, pages]) => pages > 0));
}

describe('a column of struct page', () => {
  it('holds its default where nothing was ever set', () => {
    const state = column(7);
    expect([0, 511, 512, 2 ** 33 + 5, LAST_PFN].map((pfn) => state.get(pfn))).toEqual([7, 7, 7, 7, 7]);
    expect(runsOf(state, 0, 2 ** 40)).toEqual([{ start: 0, end: 2 ** 40, value: 7 }]);
  });

  it('tells page frames apart that differ only above bit 31', () => {
    const state = column();
    for (let high = 0; high < 256; high += 5) state.set(high * 2 ** 32 + 77, high + 1);
    for (let high = 0; high < 256; high += 5) {
      expect(state.get(high * 2 ** 32 + 77)).toBe(high + 1);
      expect(state.get(high * 2 ** 32 + 78)).toBe(0);
    }
  });

  it('reaches the last page frame of a 52-bit physical space and no further', () => {
    const state = column();
    state.set(LAST_PFN, 3);
    expect(state.get(LAST_PFN)).toBe(3);
    expect(runsOf(state, LAST_PFN - 1, Number.POSITIVE_INFINITY)).toEqual([
      { start: LAST_PFN - 1, end: LAST_PFN, value: 0 },
      { start: LAST_PFN, end: LAST_PFN + 1, value: 3 },
    ]);
    for (const pfn of [-1, 2 ** 40, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => state.get(pfn)).toThrow(RangeError);
      expect(() => state.set(pfn, 1)).toThrow(RangeError);
      expect(() => state.add(pfn, 1)).toThrow(RangeError);
      expect(() => state.setRange(pfn, pfn + 4, 1)).toThrow(RangeError);
    }
  });

  it('keeps values and sums as 32-bit words', () => {
    const refcount = column();
    refcount.set(5, -1);
    expect(refcount.get(5)).toBe(0xffffffff);
    refcount.add(5, 1);
    expect(refcount.get(5)).toBe(0);
    refcount.add(5, -2);
    expect(refcount.get(5)).toBe(0xfffffffe);
    refcount.setRange(0, 2000, 2 ** 32 + 9);
    expect(refcount.get(1999)).toBe(9);
  });

  it('joins what is equal across leaves and nodes into one run', () => {
    const state = column();
    state.setRange(100, 2 ** 34 + 300, 4);
    state.set(2 ** 33, 5);
    state.set(2 ** 33, 4);
    expect(runsOf(state, 0, 2 ** 40)).toEqual([
      { start: 0, end: 100, value: 0 },
      { start: 100, end: 2 ** 34 + 300, value: 4 },
      { start: 2 ** 34 + 300, end: 2 ** 40, value: 0 },
    ]);
  });

  it('stops telling runs when the visitor returns false', () => {
    const state = column();
    for (let pfn = 0; pfn < 100; pfn += 2) state.set(pfn, 1);
    const seen: number[] = [];
    state.runs(0, 100, (start) => {
      seen.push(start);
      return seen.length < 3;
    });
    expect(seen).toEqual([0, 1, 2]);
  });

  it('tells the runs that are there when the visitor writes to the column', () => {
    const state = column();
    state.setRange(1000, 3000, 1);
    const seen: number[][] = [];
    state.runs(0, 4000, (start, end, value) => {
      seen.push([start, end, value]);
      state.setRange(start, end, 9);
      if (start === 0) state.setRange(2500, 2600, 2);
      return undefined;
    });
    expect(seen).toEqual([
      [0, 1000, 0],
      [1000, 2500, 1],
      [2500, 2600, 2],
      [2600, 3000, 1],
      [3000, 4000, 0],
    ]);
    expect(runsOf(state, 0, 4000)).toEqual([{ start: 0, end: 4000, value: 9 }]);
  });

  it('counts the pages of any window by low nibble, beyond 2^32 of them', () => {
    const state = column(1);
    state.setRange(0, 16 * TIB_PAGES, 0x13);
    state.setRange(700, 1300, 0x22);
    expect(counts(state, 0, 2 ** 40)).toEqual({ 1: 2 ** 40 - 16 * TIB_PAGES, 2: 600, 3: 16 * TIB_PAGES - 600 });
    expect(counts(state, 1299, 1301)).toEqual({ 2: 1, 3: 1 });
    expect(counts(state, 5, 5)).toEqual({});
  });

  it('counts right after single pages were written under counts it had told before', () => {
    const state = column();
    state.setRange(100, 2 ** 26, 1);
    expect(counts(state, 0, 2 ** 27)).toEqual({ 0: 2 ** 26 + 100, 1: 2 ** 26 - 100 });
    for (let pfn = 0; pfn < 1000; pfn++) state.set(pfn * 2048, 2);
    expect(counts(state, 0, 2 ** 27)).toEqual({ 0: 2 ** 26 + 99, 1: 2 ** 26 - 1099, 2: 1000 });
    state.setRange(2048 * 500, 2 ** 26, 3);
    expect(counts(state, 0, 2 ** 27)).toEqual({
      0: 2 ** 26 + 99,
      1: 2048 * 500 - 599,
      2: 500,
      3: 2 ** 26 - 2048 * 500,
    });
  });

  it('counts right after writes to ranges were made and undone between counts', () => {
    const store = createStore();
    const state = store.column('state', 0);
    for (let start = 0; start < 2 ** 27; start += 2 ** 16 + 700) state.setRange(start, start + 600, 1);
    const from = store.mark();
    const before = counts(state, 0, 2 ** 40);
    const beforeNode = counts(state, 2 ** 25, 2 ** 26);
    state.setRange(550, 560, 2);
    expect(counts(state, 0, 2 ** 40)[2]).toBe(10);
    state.setRange(5, 2 ** 27 + 99, 3);
    expect(counts(state, 0, 2 ** 40)).toEqual({ 0: 2 ** 40 - 2 ** 27 - 99, 1: 5, 3: 2 ** 27 + 94 });
    expect(counts(state, 2 ** 25, 2 ** 26)).toEqual({ 3: 2 ** 25 });
    store.travel(from);
    expect(counts(state, 0, 2 ** 40)).toEqual(before);
    expect(counts(state, 2 ** 25, 2 ** 26)).toEqual(beforeNode);
  });

  it('does nothing for an empty range', () => {
    const store = createStore();
    const state = store.column('state', 0);
    state.setRange(10, 10, 5);
    state.setRange(10, 4, 5);
    expect(store.mark()).toBe(0);
    expect(runsOf(state, 0, 2 ** 40)).toHaveLength(1);
  });
});

describe('what columns weigh', () => {
  it('costs less than 10 KB when fresh', () => {
    const store = createStore();
    store.column('state', 0);
    expect(store.bytes().columns).toBeLessThan(10_240);
  });

  it('costs at most 100 KB for an unaligned 16 TiB in six columns', () => {
    const store = createStore();
    for (const name of ['state', 'refcount', 'flags', 'owner', 'link', 'zone']) {
      store.column(name, 0).setRange(12_345, 16 * TIB_PAGES - 54_321, 3);
    }
    expect(store.bytes().columns).toBeLessThanOrEqual(102_400);
  });

  it('does not grow when the same pages are set and made alike again', () => {
    const store = createStore();
    const state = store.column('state', 0);
    const round = () =>
      store.unjournalled(() => {
        for (let pfn = 0; pfn < 2 ** 16; pfn += 3) state.set(pfn, 1);
        state.setRange(0, 2 ** 16, 0);
      });
    round();
    const bytes = state.bytes();
    for (let i = 0; i < 10; i++) round();
    expect(state.bytes()).toBe(bytes);
  });

  it('gives subtrees kept for undo back to the column once they cannot be undone any more', () => {
    const store = createStore();
    const state = store.column('state', 0);
    const fragment = () =>
      store.unjournalled(() => {
        for (let pfn = 0; pfn < 2 ** 16; pfn += 3) state.set(pfn, 1);
      });
    fragment();
    const before = store.bytes();
    const from = store.mark();
    state.setRange(0, 2 ** 20, 2);
    const during = store.bytes();
    expect(during.journal - before.journal).toBeGreaterThan(128 * 2048);
    expect(during.columns).toBeLessThan(before.columns - 128 * 2048);
    store.travel(from);
    expect(store.bytes().columns).toBeGreaterThanOrEqual(before.columns);
    store.travel(store.newest);
    expect(store.bytes()).toEqual(during);
    store.unjournalled(() => undefined);
    expect(store.bytes().journal).toBe(before.journal);
    const after = state.bytes();
    expect(after).toBeGreaterThanOrEqual(before.columns);
    fragment();
    expect(state.bytes()).toBeLessThanOrEqual(after);
  });

  it('has no uniform leaves left after everything was undone', () => {
    const store = createStore();
    const state = store.column('state', 0);
    const from = store.mark();
    for (let pfn = 0; pfn < 2 ** 16; pfn++) state.set(pfn, pfn);
    const bytes = state.bytes();
    store.travel(from);
    // Were the leaves still in the tree, these would need new ones.
    for (let pfn = 0; pfn < 2 ** 16; pfn++) state.set(2 ** 30 + pfn, 1);
    expect(state.bytes()).toBeLessThan(bytes * 1.1);
  });
});
