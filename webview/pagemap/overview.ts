/** The strip beside the map: the whole machine at a glance, and the scroll bar. Device pixels. */
import type { ExtentView } from '../../sim/view/types.ts';
import { MAX_LEVEL, TILE_CELLS } from '../protocol/pagemap.ts';
import type { Look } from './look.ts';
import type { TileCache } from './tiles.ts';

/** Cells of the whole machine the strip asks for at most. */
const CELLS = 2048;
const CUT = 4;

export interface Strip {
  level: number;
  height: number;
  parts: { extent: ExtentView; y: number; height: number }[];
}

export function buildStrip(extents: readonly ExtentView[], height: number): Strip {
  const pages = extents.reduce((sum, e) => sum + e.endPfn - e.startPfn, 0);
  const level = Math.min(MAX_LEVEL, Math.max(0, Math.ceil(Math.log2(Math.max(1, pages) / CELLS))));
  const cut = Math.min(CUT, height / 4 / Math.max(1, extents.length));
  const room = Math.max(1, height - cut * Math.max(0, extents.length - 1));
  let y = 0;
  const parts = extents.map((extent) => {
    const part = { extent, y, height: pages === 0 ? 0 : ((extent.endPfn - extent.startPfn) / pages) * room };
    y += part.height + cut;
    return part;
  });
  return { level, height, parts };
}

export function stripY(strip: Strip, pfn: number): number {
  const part = strip.parts.find((p) => pfn < p.extent.endPfn) ?? strip.parts.at(-1);
  if (part === undefined) return 0;
  const share = (pfn - part.extent.startPfn) / (part.extent.endPfn - part.extent.startPfn);
  return part.y + Math.min(1, Math.max(0, share)) * part.height;
}

export function stripPfn(strip: Strip, y: number): number | undefined {
  const part = strip.parts.find((p) => y < p.y + p.height) ?? strip.parts.at(-1);
  if (part === undefined || part.height === 0) return part?.extent.startPfn;
  const { startPfn, endPfn } = part.extent;
  const share = Math.min(1, Math.max(0, (y - part.y) / part.height));
  return Math.min(endPfn - 1, Math.floor(startPfn + share * (endPfn - startPfn)));
}

/** The tiles the strip needs. */
export function stripTiles(strip: Strip): Set<number> {
  const span = TILE_CELLS * 2 ** strip.level;
  const out = new Set<number>();
  for (const { extent } of strip.parts) {
    for (let i = Math.floor(extent.startPfn / span); i * span < extent.endPfn && out.size < 64; i++) out.add(i);
  }
  return out;
}

export interface StripScene {
  strip: Strip;
  x: number;
  width: number;
  ratio: number;
  look: Look;
  cache: TileCache;
  highlight: number | undefined;
  window: { from: number; to: number };
  selected: number | undefined;
  changed: readonly { startPfn: number; endPfn: number }[];
}

/** The strip without its marks changes only when tiles come: scrolling draws it from here. */
let drawn: { key: readonly unknown[]; column: HTMLCanvasElement } | undefined;

function stripColumn(scene: StripScene): HTMLCanvasElement {
  const { strip, look, cache } = scene;
  const key = [strip, look, cache, cache.version, scene.highlight];
  if (drawn?.key.every((part, i) => part === key[i])) return drawn.column;
  const height = Math.max(1, Math.floor(strip.height));
  const image = new ImageData(1, height);
  const pixels = new Uint32Array(image.data.buffer);
  const cellPages = 2 ** strip.level;
  for (const part of strip.parts) {
    const from = Math.floor(part.y);
    const to = Math.min(height, Math.max(from + 1, Math.ceil(part.y + part.height)));
    for (let y = from; y < to; y++) {
      const pfn = stripPfn(strip, Math.min(part.y + part.height - 0.01, y + 0.5)) ?? 0;
      const cell = Math.floor(pfn / cellPages);
      const source = cache.source(strip.level, cell);
      const kind =
        source === undefined
          ? -1
          : (source.bytes[2 * (Math.floor(cell / 2 ** (source.level - strip.level)) % TILE_CELLS)] ?? 0) & 15;
      const table = scene.highlight === undefined || scene.highlight === kind ? look.pixels : look.dimmed;
      pixels[y] = kind < 0 ? look.unknown : (table[kind] ?? 0);
    }
  }
  const column = document.createElement('canvas');
  column.width = 1;
  column.height = height;
  column.getContext('2d')?.putImageData(image, 0, 0);
  drawn = { key, column };
  return column;
}

export function paintStrip(ctx: CanvasRenderingContext2D, scene: StripScene): void {
  const { strip, look, x, width, ratio } = scene;
  ctx.imageSmoothingEnabled = false;
  const column = stripColumn(scene);
  ctx.drawImage(column, 0, 0, 1, column.height, x, 0, width, column.height);

  ctx.fillStyle = look.foreground;
  for (const run of scene.changed.slice(0, 200)) {
    const y = stripY(strip, run.startPfn);
    const h = Math.max(2 * ratio, stripY(strip, run.endPfn - 1) - y);
    ctx.fillRect(x - 4 * ratio, y, 2 * ratio, h);
  }
  const top = scene.window.from;
  const tall = Math.max(4 * ratio, scene.window.to - top);
  if (tall < strip.height - 2) {
    ctx.strokeStyle = look.background;
    ctx.lineWidth = 4 * ratio;
    ctx.strokeRect(x, top, width, tall);
    ctx.strokeStyle = look.foreground;
    ctx.lineWidth = 1.5 * ratio;
    ctx.strokeRect(x, top, width, tall);
  }
  if (scene.selected !== undefined) {
    const y = stripY(strip, scene.selected);
    ctx.fillStyle = look.focus;
    ctx.fillRect(x - 4 * ratio, y - ratio, width + 8 * ratio, 2 * ratio);
  }
}
