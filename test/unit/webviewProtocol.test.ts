import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isParseError } from '../../webview/protocol/check.ts';
import { COMMANDS, PROTOCOL_VERSION } from '../../webview/protocol/common.ts';
import { KINDS, parseHostToPagemap, parsePagemapToHost, TILE_CELLS } from '../../webview/protocol/pagemap.ts';
import { parseHostToZones, parseZonesToHost } from '../../webview/protocol/zones.ts';
import { pageView } from '../e2e/webviewHarness/pages.ts';
import { tile } from '../e2e/webviewHarness/runs.ts';
import { SAMPLES, sample } from '../e2e/webviewHarness/samples.ts';

const PARSERS = { parseHostToZones, parseZonesToHost, parseHostToPagemap, parsePagemapToHost };
const TYPES = [
  'snapshot',
  'tiles',
  'page',
  'reveal',
  'empty',
  'error',
  'busy',
  'ready',
  'select',
  'selectRange',
  'command',
  'log',
];

/** Every place in a message, as a path of keys. */
function paths(value: unknown, at: (string | number)[] = []): (string | number)[][] {
  if (typeof value !== 'object' || value === null || value instanceof ArrayBuffer) return [at];
  return [at, ...Object.entries(value).flatMap(([key, child]) => paths(child, [...at, key]))];
}

function replaced(value: unknown, path: readonly (string | number)[], by: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return by;
  const copy: Record<string, unknown> | unknown[] = Array.isArray(value) ? [...value] : { ...(value as object) };
  Reflect.set(copy, key, replaced(Reflect.get(value as object, key), rest, by));
  return copy;
}

describe('the protocol', () => {
  it('takes every sample machine as it is', () => {
    for (const name of SAMPLES) {
      for (const step of [0, 1]) {
        const { zones, pagemap, runs } = sample(name, step, 5);
        expect(parseHostToZones({ type: 'snapshot', view: zones })).toHaveProperty('type', 'snapshot');
        expect(parseHostToPagemap({ type: 'snapshot', view: pagemap })).toHaveProperty('type', 'snapshot');
        const tiles = [tile(runs, pagemap.changed, 8, 0)];
        expect(parseHostToPagemap({ type: 'tiles', revision: 5, level: 8, tiles })).toHaveProperty('type', 'tiles');
        const page = pageView(sample(name, step, 5), 0x1200);
        expect(parseHostToPagemap({ type: 'page', page })).toHaveProperty('type', 'page');
      }
    }
  });

  it('takes what a panel says', () => {
    const said = [
      { type: 'ready', version: PROTOCOL_VERSION },
      { type: 'select', pfn: 0x140000 },
      { type: 'selectRange', startPfn: 0, endPfn: 1 },
      { type: 'log', level: 'warn', text: '' },
      ...COMMANDS.map((id) => (id === 'copyText' ? { type: 'command', id, text: 'x' } : { type: 'command', id })),
    ];
    for (const message of said) {
      expect(parseZonesToHost(message)).toEqual(message);
      expect(parsePagemapToHost(message)).toEqual(message);
    }
    expect(isParseError(parseZonesToHost({ type: 'tiles', revision: 1, level: 0, indices: [0] }))).toBe(true);
    expect(isParseError(parsePagemapToHost({ type: 'tiles', revision: 1, level: 0, indices: [0] }))).toBe(false);
  });

  it.each([
    { type: 'command', id: 'rm' },
    { type: 'command', id: 'stepBack', text: 'x' },
    { type: 'command', id: 'copyText' },
    { type: 'select', pfn: -1 },
    { type: 'select', pfn: 1.5 },
    { type: 'select', pfn: Number.NaN },
    { type: 'selectRange', startPfn: 4, endPfn: 4 },
    { type: 'tiles', revision: 1, level: 28, indices: [0] },
    { type: 'tiles', revision: 1, level: 0, indices: [] },
    { type: 'tiles', revision: 1, level: 0, indices: new Array(257).fill(0) },
    { type: 'constructor' },
    { type: '__proto__' },
  ])('refuses %j', (message) => {
    expect(isParseError(parsePagemapToHost(message))).toBe(true);
  });

  it('refuses tiles of another size, another level, and overlapping runs', () => {
    const cells = new ArrayBuffer(TILE_CELLS * 2);
    const good = { type: 'tiles', revision: 1, level: 3, tiles: [{ level: 3, index: 0, cells }] };
    expect(isParseError(parseHostToPagemap(good))).toBe(false);
    expect(isParseError(parseHostToPagemap({ ...good, level: 4 }))).toBe(true);
    expect(
      isParseError(parseHostToPagemap({ ...good, tiles: [{ level: 3, index: 0, cells: new ArrayBuffer(8) }] })),
    ).toBe(true);
    const { pagemap } = sample('qemu-2g', 1, 1);
    expect(pagemap.totals).toHaveLength(KINDS);
    const changed = [
      { startPfn: 0, endPfn: 10 },
      { startPfn: 9, endPfn: 12 },
    ];
    expect(isParseError(parseHostToPagemap({ type: 'snapshot', view: { ...pagemap, changed } }))).toBe(true);
  });

  it('never throws, whatever comes', () => {
    const hostile = {
      get type(): string {
        throw new Error('no');
      },
    };
    for (const parse of Object.values(PARSERS)) {
      expect(isParseError(parse(hostile) as object)).toBe(true);
      fc.assert(
        fc.property(
          fc.anything({ maxDepth: 4, withBigInt: true, withSparseArray: true, withTypedArray: true }),
          (data) => {
            expect(isParseError(parse(data))).toBe(true);
          },
        ),
        { numRuns: 1500 },
      );
      fc.assert(
        fc.property(fc.constantFrom(...TYPES), fc.dictionary(fc.string(), fc.anything()), (type, rest) => {
          parse({ ...rest, type });
        }),
        { numRuns: 1500 },
      );
    }
  });

  it('refuses a snapshot with any one part replaced by something of another type', () => {
    const { zones, pagemap } = sample('qemu-2g', 1, 5);
    const cases = [
      { parse: parseHostToZones, message: { type: 'snapshot', view: zones } },
      { parse: parseHostToPagemap, message: { type: 'snapshot', view: pagemap } },
      { parse: parseHostToPagemap, message: { type: 'page', page: pageView(sample('qemu-2g', 1, 5), 0xfcf0000) } },
    ];
    for (const { parse, message } of cases) {
      fc.assert(
        fc.property(fc.constantFrom(...paths(message)), (path) => {
          expect(isParseError(parse(replaced(message, path, Symbol.iterator)))).toBe(true);
        }),
        { numRuns: 800 },
      );
    }
  });
});
