/** The map by page number that the store keeps folios, contents and device tables in. */
import { describe, expect, it } from 'vitest';
import { RunIndex } from '../../sim/mm/runIndex.ts';
import { createStore } from '../../sim/store/store.ts';
import { UnorderedMap } from '../../sim/store/unorderedMap.ts';

/** A small generator of the same numbers every time. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state;
  };
}

describe('an unordered map', () => {
  it('holds what a Map holds, and lists it by key', () => {
    const next = numbers(1);
    const ours = new UnorderedMap<number>();
    const plain = new Map<number, number>();
    for (let i = 0; i < 20_000; i++) {
      const key = (next() % 2000) + ([0, 2 ** 24 - 1000, 2 ** 36][next() % 3] ?? 0);
      if (next() % 3 === 0) expect(ours.delete(key)).toBe(plain.delete(key));
      else {
        ours.set(key, i);
        plain.set(key, i);
      }
    }
    const sorted = [...plain].sort(([a], [b]) => a - b);
    expect(ours.size).toBe(plain.size);
    expect([...ours]).toEqual(sorted);
    expect([...ours.keys()]).toEqual(sorted.map(([key]) => key));
    for (let key = 0; key < 2000; key++)
      expect([ours.has(key), ours.get(key)]).toEqual([plain.has(key), plain.get(key)]);
    ours.clear();
    expect([ours.size, [...ours.values()]]).toEqual([0, []]);
  });

  it('comes back when its writes are undone, and again when they are redone', () => {
    const store = createStore();
    const map = new UnorderedMap<number>();
    const text = (): string => store.canonical({ map });
    store.mapSet(map, 7, 1);
    const marks = [{ mark: store.mark(), text: text() }];
    const next = numbers(2);
    for (let step = 0; step < 50; step++) {
      for (let i = 0; i < 20; i++) {
        const key = next() % 1500;
        if (next() % 2 === 0) store.mapDelete(map, key);
        else store.mapSet(map, key, next());
      }
      marks.push({ mark: store.mark(), text: text() });
    }
    for (const at of [0, 30, 10, 50, 0, 50]) {
      const there = marks[at];
      if (!there) throw new Error('no mark');
      store.travel(there.mark);
      expect(text()).toBe(there.text);
    }
  });
});

describe('an index of runs', () => {
  it('finds what was added and not deleted, also where entries stood in each other’s way', () => {
    const next = numbers(3);
    const index = new RunIndex<number>();
    const plain = new Map<number, number>();
    for (let i = 0; i < 50_000; i++) {
      const key = (next() % 500) * 1024 + (next() % 2) * 2 ** 34;
      if (plain.has(key)) {
        index.delete(key);
        plain.delete(key);
      } else {
        index.add(key, i);
        plain.set(key, i);
      }
      const other = (next() % 500) * 1024;
      expect(index.get(other)).toBe(plain.get(other));
    }
  });
});
