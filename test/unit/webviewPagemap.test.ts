import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ExtentView } from '../../sim/view/types.ts';
import { bitsOf, fieldParts } from '../../webview/pagemap/flagsRuler.ts';
import {
  buildLayout,
  corner,
  fitLayout,
  type LayoutInput,
  MIN_ZOOM,
  placeAt,
  placeOf,
  stepCells,
  stepRows,
} from '../../webview/pagemap/layout.ts';
import { keyTarget, nextChange } from '../../webview/pagemap/navigate.ts';
import { buildStrip, stripPfn, stripTiles, stripY } from '../../webview/pagemap/overview.ts';
import { readPagemapState } from '../../webview/pagemap/state.ts';
import { readCell, TileCache, tilesOf } from '../../webview/pagemap/tiles.ts';
import { Viewport } from '../../webview/pagemap/viewport.ts';
import { MAX_LEVEL, TILE_CELLS } from '../../webview/protocol/pagemap.ts';
import { tile } from '../e2e/webviewHarness/runs.ts';
import { sample } from '../e2e/webviewHarness/samples.ts';

const SECTION = 32768;

/** Extents as the host sends them: ascending, disjoint, beginning with a section. */
const extents = fc
  .array(
    fc.record({
      gap: fc.nat({ max: 4000 }),
      sections: fc.integer({ min: 1, max: 40000 }),
      tail: fc.nat({ max: SECTION - 1 }),
    }),
    { minLength: 1, maxLength: 8 },
  )
  .map((parts): ExtentView[] => {
    let at = 0;
    return parts.map(({ gap, sections, tail }, i) => {
      const startPfn = (at + gap) * SECTION;
      const endPfn = startPfn + sections * SECTION - tail;
      at += gap + sections;
      return { startPfn, endPfn, label: `extent ${i}` };
    });
  });
const zoom = fc.integer({ min: MIN_ZOOM, max: MAX_LEVEL });
const width = fc.integer({ min: 40, max: 2600 });

function input(list: ExtentView[], at: number, w: number): LayoutInput {
  return { extents: list, zoom: at, width: w, minCell: 8, headerHeight: 26, cutHeight: 44 };
}

function pfnIn(list: readonly ExtentView[], share: number): number {
  const total = list.reduce((sum, e) => sum + e.endPfn - e.startPfn, 0);
  let at = Math.min(total - 1, Math.floor(share * total));
  for (const e of list) {
    if (at < e.endPfn - e.startPfn) return e.startPfn + at;
    at -= e.endPfn - e.startPfn;
  }
  throw new Error('no extents');
}

const share = fc.double({ min: 0, max: 1, noNaN: true });

describe('the layout of the page map', () => {
  it('leads from a page frame to a cell to a point and back, at every level', () => {
    fc.assert(
      fc.property(extents, zoom, width, share, share, share, (list, z, w, where, dx, dy) => {
        const layout = buildLayout(input(list, z, w));
        const pfn = pfnIn(list, where);
        const at = placeOf(layout, pfn);
        expect(at).toBeDefined();
        if (at === undefined) return;
        expect(at.startPfn).toBeLessThanOrEqual(pfn);
        expect(at.endPfn).toBeGreaterThan(pfn);
        const { x, y } = corner(layout, at);
        expect(placeAt(layout, x + dx * (layout.cell - 0.01), y + dy * (layout.rowHeight - 0.01))).toEqual(at);
      }),
      { numRuns: 400 },
    );
  });

  it('covers every page frame once: a cell begins where the one before ended', () => {
    fc.assert(
      fc.property(extents, zoom, width, share, (list, z, w, where) => {
        const layout = buildLayout(input(list, z, w));
        const at = placeOf(layout, pfnIn(list, where));
        const next = at && stepCells(layout, at, 1);
        if (at === undefined || next === undefined || next.cell === at.cell) return;
        if (next.band === at.band) expect(next.startPfn).toBe(at.endPfn);
        else expect(next.startPfn).toBe(list[next.band]?.startPfn);
        expect(stepCells(layout, next, -1)).toEqual(at);
      }),
    );
  });

  it('rows span a power of two; sections begin with rows, or rows with sections', () => {
    fc.assert(
      fc.property(extents, zoom, width, (list, z, w) => {
        const layout = buildLayout(input(list, z, w));
        expect(Number.isInteger(Math.log2(layout.rowPages))).toBe(true);
        for (const band of layout.bands) {
          if (layout.rowPages <= SECTION) expect(band.extent.startPfn % layout.rowPages).toBe(0);
          else if (layout.cellPages <= SECTION) expect(band.firstCell * layout.cellPages).toBe(band.extent.startPfn);
        }
        expect(layout.columns * layout.cell).toBeLessThanOrEqual(Math.max(w, layout.cell));
      }),
    );
  });

  it('fits the whole machine into the window when headers leave room', () => {
    fc.assert(
      fc.property(extents, width, fc.integer({ min: 700, max: 2000 }), (list, w, height) => {
        const { zoom: _zoom, ...rest } = input(list, 0, w);
        expect(fitLayout(rest, height).height).toBeLessThanOrEqual(height);
      }),
    );
  });

  it('zooming keeps the page frame under the pointer at its height', () => {
    fc.assert(
      fc.property(
        extents,
        fc.integer({ min: 200, max: 1600 }),
        share,
        fc.integer({ min: MIN_ZOOM, max: 12 }),
        (list, w, where, to) => {
          const viewport = new Viewport();
          viewport.set(list, { width: w, height: 600, minCell: 8, headerHeight: 26, cutHeight: 44 });
          viewport.restore(6, pfnIn(list, where));
          const at = viewport.at(0, 300);
          if (at === undefined) return;
          viewport.zoomTo(to, 0, 300);
          const now = placeOf(viewport.layout, at.startPfn);
          expect(now).toBeDefined();
          if (now === undefined) return;
          const y = corner(viewport.layout, now).y - viewport.scroll;
          const atEnd = viewport.scroll === 0 || viewport.scroll >= viewport.layout.height - 600;
          if (!atEnd)
            expect(Math.abs(y + viewport.layout.rowHeight / 2 - 300)).toBeLessThanOrEqual(viewport.layout.rowHeight);
        },
      ),
    );
  });

  it('stays within the machine whatever keys are pressed', () => {
    const keys = ['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown', 'PageUp', 'PageDown', 'Home', 'End'];
    fc.assert(
      fc.property(
        extents,
        zoom,
        width,
        fc.array(fc.tuple(fc.constantFrom(...keys), fc.boolean()), { maxLength: 30 }),
        (list, z, w, pressed) => {
          const layout = buildLayout(input(list, z, w));
          let at = placeOf(layout, list[0]?.startPfn ?? 0);
          for (const [key, jump] of pressed) {
            at = at && keyTarget(layout, at, key, jump, 20);
            expect(at).toBeDefined();
            if (at !== undefined) expect(placeOf(layout, at.startPfn)?.cell).toBe(at.cell);
          }
          if (at !== undefined) expect(stepRows(layout, at, 0)).toEqual(at);
        },
      ),
    );
  });

  it('goes around what changed, forward and back', () => {
    const { pagemap } = sample('laptop-16g', 1, 1);
    const layout = buildLayout(input(pagemap.extents, 4, 600));
    const start = placeOf(layout, 0);
    if (start === undefined) throw new Error('no cell');
    const first = nextChange(layout, pagemap.changed, start, true);
    expect(first?.startPfn).toBeLessThanOrEqual(pagemap.changed[0]?.startPfn ?? 0);
    expect(nextChange(layout, pagemap.changed, start, false)?.startPfn).toBeLessThanOrEqual(
      pagemap.changed[1]?.startPfn ?? 0,
    );
    expect(nextChange(layout, [], start, true)).toBeUndefined();
  });
});

describe('the strip beside the map', () => {
  it('asks for few tiles and finds page frames again', () => {
    fc.assert(
      fc.property(extents, fc.integer({ min: 100, max: 1400 }), share, (list, height, where) => {
        const strip = buildStrip(list, height);
        expect(stripTiles(strip).size).toBeLessThanOrEqual(64);
        const pfn = pfnIn(list, where);
        const y = stripY(strip, pfn);
        expect(y).toBeGreaterThanOrEqual(0);
        expect(y).toBeLessThanOrEqual(height + 1e-6);
        const part = strip.parts.find((p) => pfn < p.extent.endPfn);
        const perPixel = part === undefined ? 1 : (part.extent.endPfn - part.extent.startPfn) / part.height;
        expect(Math.abs((stripPfn(strip, y) ?? 0) - pfn)).toBeLessThanOrEqual(2 + perPixel * 1e-6);
      }),
    );
  });
});

describe('the cache of tiles', () => {
  const { runs, pagemap } = sample('qemu-2g', 1, 1);
  const made = (level: number, index: number) => tile(runs, pagemap.changed, level, index);

  it('gives a coarser level until the wanted one comes, and says so', () => {
    const cache = new TileCache();
    cache.advance(1);
    expect(readCell(cache, 3, 900)).toBeUndefined();
    cache.accept(1, 8, [made(8, 0)]);
    expect(readCell(cache, 3, 900)).toMatchObject({ coarse: true });
    cache.accept(1, 3, [made(3, 0)]);
    const fine = readCell(cache, 3, 900);
    expect(fine?.coarse).toBe(false);
    expect(fine?.kind).toBe((new Uint8Array(made(3, 0).cells)[1800] ?? 0) & 15);
  });

  it('asks once for a tile, and anew for each revision', () => {
    const cache = new TileCache();
    cache.advance(1);
    expect(cache.missing(2, [0, 1], 0)).toEqual([0, 1]);
    expect(cache.missing(2, [0, 1, 2], 10)).toEqual([2]);
    cache.accept(1, 2, [made(2, 0)]);
    expect(cache.missing(2, [0], 20)).toEqual([]);
    expect(cache.missing(2, [1], 9000)).toEqual([1]);
    cache.advance(2);
    expect(cache.missing(2, [0], 30)).toEqual([0]);
    expect(readCell(cache, 2, 0)).toBeDefined();
    cache.accept(2, 2, [made(2, 0)]);
    expect(cache.accept(1, 2, [made(2, 0)])).toBe(false);
  });

  it('stays within its bounds', () => {
    const cache = new TileCache();
    cache.advance(1);
    const cells = new ArrayBuffer(TILE_CELLS * 2);
    for (let index = 0; index < 2000; index++) cache.accept(1, 0, [{ level: 0, index, cells }]);
    let kept = 0;
    for (let index = 0; index < 2000; index++) if (cache.isFresh(0, index)) kept++;
    expect(kept).toBeLessThanOrEqual(512);
    expect(cache.isFresh(0, 1999)).toBe(true);
    expect(tilesOf(0, TILE_CELLS * 2)).toEqual([0, 1]);
  });
});

describe('the ruler of flags', () => {
  it('splits a field that crosses the middle and loses no bit', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 63 }), fc.integer({ min: 1, max: 64 }), (shift, wide) => {
        const field = { shift, width: Math.min(wide, 64 - shift) };
        const parts = fieldParts(field);
        expect(parts.reduce((sum, part) => sum + part.to - part.from, 0)).toBe(field.width);
        for (const part of parts) {
          expect(part.from).toBeGreaterThanOrEqual(0);
          expect(part.to).toBeLessThanOrEqual(32);
        }
      }),
    );
  });

  it('reads the recorded flags word of a ZONE_DEVICE page', () => {
    const bits = bitsOf('27ffe000002000');
    const number = (shift: number, wide: number) =>
      bits.slice(shift, shift + wide).reduce((n, on, i) => n + (on ? 2 ** i : 0), 0);
    expect(number(54, 10)).toBe(0);
    expect(number(51, 3)).toBe(4);
    expect(number(37, 14)).toBe(0x3fff);
    expect(bits[13]).toBe(true);
  });
});

describe('what the panel remembers', () => {
  it('is read without trust', () => {
    fc.assert(
      fc.property(fc.anything(), (kept) => {
        expect(readPagemapState(kept)).toHaveProperty('version');
      }),
    );
    expect(readPagemapState({ version: 1, zoom: 'far', selected: 3, highlight: 99 })).toEqual({
      version: 1,
      selected: 3,
    });
  });
});
