import { describe, expect, it } from 'vitest';
import { createStore } from '../../sim/store/store.ts';

describe('the canonical text', () => {
  it('tells columns as runs and objects by number', () => {
    const store = createStore();
    store.column('state', 1).setRange(0x100, 0x200, 0xabc);
    const node: Record<string, unknown> = { id: 0, zones: ['DMA', 'Normal'] };
    node.self = node;
    expect(store.canonical({ node })).toBe(
      [
        'column state',
        '  0x0-0x100 0x1',
        '  0x100-0x200 0xabc',
        '  0x200-0x10000000000 0x1',
        'root node #1',
        '#1 {"id": 0, "self": #1, "zones": #2}',
        '#2 ["DMA", "Normal"]',
        '',
      ].join('\n'),
    );
  });

  it('tells every kind of value', () => {
    const store = createStore();
    const column = store.column('state', 0);
    function handler(): void {}
    const values = [
      undefined,
      null,
      true,
      -0,
      Number.NaN,
      12n,
      'a "word"',
      handler,
      Symbol('s'),
      new Map<unknown, unknown>([[1, { a: 2 }]]),
      new Set(['x', 3]),
      Uint16Array.of(1, 65535),
      BigInt64Array.of(-1n),
      new Uint8Array([7, 8]).buffer,
      new DataView(Uint8Array.of(1, 2, 3).buffer, 1),
      column,
      store,
    ];
    values.length = 18;
    expect(store.canonical({ values }).split('\n').slice(2)).toEqual([
      'root values #1',
      '#1 [undefined, null, true, -0, NaN, 12n, "a \\"word\\"", function handler, Symbol(s), #2, #3, #4, #5, #6, #7, column state, store, hole]',
      '#2 Map{1 => #8}',
      '#3 Set{"x", 3}',
      '#4 Uint16Array[1,65535]',
      '#5 BigInt64Array[-1]',
      '#6 ArrayBuffer[7,8]',
      '#7 DataView[2,3]',
      '#8 {"a": 2}',
      '',
    ]);
  });

  it('does not depend on the order of properties or roots, but on that of map entries', () => {
    const store = createStore();
    const text = (roots: Record<string, unknown>) => store.canonical(roots);
    expect(text({ a: { x: 1, y: 2 }, b: 3 })).toBe(text({ b: 3, a: { y: 2, x: 1 } }));
    const entries: [string, number][] = [
      ['x', 1],
      ['y', 2],
    ];
    expect(text({ map: new Map(entries) })).not.toBe(text({ map: new Map(entries.reverse()) }));
  });

  it('tells two equal objects from one object held twice', () => {
    const store = createStore();
    const shared = { a: 1 };
    expect(store.canonical({ pair: [shared, shared] })).not.toBe(store.canonical({ pair: [{ a: 1 }, { a: 1 }] }));
  });

  it('tells chains of objects of any length', () => {
    const store = createStore();
    let list: object = {};
    for (let i = 0; i < 100_000; i++) list = { next: list };
    expect(store.canonical({ list }).split('\n')).toHaveLength(100_003);
  });
});
