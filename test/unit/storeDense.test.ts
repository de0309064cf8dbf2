/** What changes with every page is journalled once between two marks: counters, arrays, maps without an order. */
import { describe, expect, it } from 'vitest';
import { createStore } from '../../sim/store/store.ts';
import { UnorderedMap } from '../../sim/store/unorderedMap.ts';

describe('counters', () => {
  it('come back to what they were at each mark, in both directions', () => {
    const store = createStore();
    const zone = { free: 100 };
    const vm = new Map<string, number>();
    const marks = [store.mark()];
    const states = [[100, undefined as number | undefined]];
    for (let step = 0; step < 4; step++) {
      for (let i = 0; i <= step; i++) {
        store.add(zone, 'free', -1);
        store.mapAdd(vm, 'pgfault', 2);
      }
      marks.push(store.mark());
      states.push([zone.free, vm.get('pgfault')]);
    }
    for (const i of [0, 3, 1, 4, 2]) {
      store.travel(marks[i] as number);
      expect([zone.free, vm.get('pgfault')]).toEqual(states[i]);
    }
  });

  it('cost one entry of the journal between two marks', () => {
    const store = createStore();
    const zone = { free: 0 };
    const from = store.mark();
    for (let i = 0; i < 1000; i++) store.add(zone, 'free', 1);
    expect(store.mark() - from).toBe(1);
  });

  it('agree with plain writes and deletions in between', () => {
    const store = createStore();
    const vm = new Map([['a', 1]]);
    const from = store.mark();
    store.mapAdd(vm, 'a', 1);
    store.mapDelete(vm, 'a');
    store.mapAdd(vm, 'a', 5);
    store.mapSet(vm, 'a', 7);
    store.mapAdd(vm, 'a', 1);
    const to = store.mark();
    store.travel(from);
    expect([...vm]).toEqual([['a', 1]]);
    store.travel(to);
    expect([...vm]).toEqual([['a', 8]]);
  });
});

describe('arrays', () => {
  it('of which many elements are written come back exactly, whoever writes them how', () => {
    const store = createStore();
    const array = new Array<number>(512).fill(0);
    const from = store.mark();
    for (let i = 0; i < 100; i++) store.setDense(array, i, i + 1);
    store.set(array, 3, 99);
    store.setDense(array, 3, 100);
    const middle = store.mark();
    store.setDense(array, 3, 7);
    const to = store.mark();
    const last = array.slice();
    store.travel(from);
    expect(array).toEqual(new Array(512).fill(0));
    store.travel(middle);
    expect([array[2], array[3]]).toEqual([3, 100]);
    store.travel(to);
    expect(array).toEqual(last);
  });

  it('that were touched may grow and shrink', () => {
    const store = createStore();
    const array = [1, 2, 3];
    const from = store.mark();
    store.touch(array);
    array.push(4, 5);
    array.splice(0, 2);
    const to = store.mark();
    store.travel(from);
    expect(array).toEqual([1, 2, 3]);
    store.travel(to);
    expect(array).toEqual([3, 4, 5]);
  });

  it('say what changed', () => {
    const store = createStore();
    const array = new Array<number>(64).fill(0);
    const from = store.mark();
    for (let i = 0; i < 40; i++) store.setDense(array, i, 1);
    expect(store.changes(from, store.mark()).objects.get(array)?.size).toBe(40);
  });
});

it('a map without an order reads the same after its entries came back in another one', () => {
  const store = createStore();
  const map = new UnorderedMap<string>();
  for (const key of [5, 1, 9]) store.mapSet(map, key, `page ${key}`);
  const before = store.canonical({ map });
  const from = store.mark();
  store.mapDelete(map, 1);
  const to = store.mark();
  store.travel(from);
  expect(store.canonical({ map })).toBe(before);
  store.travel(to);
  expect([...map.keys()].sort()).toEqual([5, 9]);
});
