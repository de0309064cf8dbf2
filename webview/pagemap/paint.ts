/**
 * Draws the map. Cells go into an ImageData of one pixel a column (and a few a row, so that a mixed
 * cell shows its share), which is then stretched without smoothing: the work grows with what is in
 * sight, never with the size of the machine.
 */
import { TILE_CELLS } from '../protocol/pagemap.ts';
import { hex, size } from '../shared/format.ts';
import { type Band, bandAt, type Layout } from './layout.ts';
import type { Look } from './look.ts';
import type { TileCache } from './tiles.ts';

export interface Scene {
  layout: Layout;
  scroll: number;
  /** Of the canvas, device pixels. */
  width: number;
  height: number;
  /** Where the cells begin. */
  left: number;
  ratio: number;
  look: Look;
  cache: TileCache;
  sectionPages: number;
  pageSize: number;
  /** Only this kind at full strength. */
  highlight: number | undefined;
  selected: number | undefined;
  hovered: number | undefined;
  marked: { startPfn: number; endPfn: number } | undefined;
}

/** Rows of the ImageData for one row of cells. */
const SHARES = 8;

const scratch: { canvas: HTMLCanvasElement | undefined; image: ImageData | undefined } = {
  canvas: undefined,
  image: undefined,
};

function scratchFor(width: number, height: number): { canvas: HTMLCanvasElement; image: ImageData } {
  let { canvas, image } = scratch;
  if (canvas === undefined) canvas = document.createElement('canvas');
  if (image === undefined || canvas.width < width || canvas.height < height || image.width !== canvas.width) {
    canvas.width = Math.max(width, canvas.width);
    canvas.height = Math.max(height, canvas.height);
    image = new ImageData(canvas.width, canvas.height);
  }
  scratch.canvas = canvas;
  scratch.image = image;
  return { canvas, image };
}

/** Rows of a band in sight, and where the first of them is drawn. */
interface Slice {
  band: Band;
  from: number;
  rows: number;
  y: number;
}

export function slicesInSight(layout: Layout, scroll: number, height: number): Slice[] {
  const out: Slice[] = [];
  for (let i = bandAt(layout, scroll); i < layout.bands.length; i++) {
    const band = layout.bands[i];
    if (band === undefined || band.headerY >= scroll + height) break;
    const from = Math.max(0, Math.floor((scroll - band.y) / layout.rowHeight));
    const to = Math.min(band.rows, Math.ceil((scroll + height - band.y) / layout.rowHeight));
    out.push({ band, from, rows: Math.max(0, to - from), y: band.y + from * layout.rowHeight - scroll });
  }
  return out;
}

export function paint(ctx: CanvasRenderingContext2D, scene: Scene): void {
  ctx.setTransform(1, 0, 0, 1, 0, 0);
  ctx.fillStyle = scene.look.background;
  ctx.fillRect(0, 0, scene.width, scene.height);
  for (const slice of slicesInSight(scene.layout, scene.scroll, scene.height)) {
    paintHeader(ctx, slice.band, scene);
    if (slice.rows > 0) {
      const changed = paintCells(ctx, slice, scene);
      paintGrid(ctx, slice, scene);
      paintMarks(ctx, slice, scene);
      if (changed !== undefined) paintChanged(ctx, slice, changed, scene);
      paintGutter(ctx, slice, scene);
    }
  }
  const { layout } = scene;
  if (scene.marked !== undefined)
    outlineRange(ctx, scene, scene.marked.startPfn, scene.marked.endPfn, scene.look.focus, 1.5, [5, 3]);
  if (scene.hovered !== undefined) outlineCell(ctx, scene, scene.hovered, scene.look.foreground, 1);
  if (scene.selected !== undefined)
    outlineCell(ctx, scene, scene.selected, scene.look.focus, layout.cell >= 10 * scene.ratio ? 2.5 : 2);
}

/** Fills the cells; answers which of them changed, if any did. */
function paintCells(ctx: CanvasRenderingContext2D, slice: Slice, scene: Scene): Uint8Array | undefined {
  const { layout, look, cache, highlight } = scene;
  const { columns, cell, level } = layout;
  const { canvas, image } = scratchFor(columns, slice.rows * SHARES);
  const pixels = new Uint32Array(image.data.buffer);
  const stride = image.width;
  const changed = new Uint8Array(slice.rows * columns);
  let anyChanged = false;
  const strong = look.pixels;
  const other = highlight === undefined ? look.pixels : look.dimmed;
  const first = slice.band.firstCell + slice.from * columns;
  const end = slice.band.firstCell + slice.band.cells;

  for (let row = 0; row < slice.rows; row++) {
    let column = 0;
    while (column < columns) {
      const at = first + row * columns + column;
      const source = at < end ? cache.source(level, at) : undefined;
      // As far as one tile reaches, so that the look-up is made once.
      const shift = source === undefined ? 1 : 2 ** (source.level - level);
      const tileEnd = (Math.floor(at / shift / TILE_CELLS) + 1) * TILE_CELLS * shift;
      const run = at >= end ? columns - column : Math.min(columns - column, tileEnd - at, end - at);
      for (let i = 0; i < run; i++, column++) {
        let top = at >= end ? 0 : look.unknown;
        let bottom = top;
        let split = SHARES;
        if (source !== undefined) {
          const byte = 2 * (Math.floor((at + i) / shift) % TILE_CELLS);
          const kinds = source.bytes[byte] ?? 0;
          const rest = source.bytes[byte + 1] ?? 0;
          const kind = kinds & 15;
          const second = kinds >> 4;
          top = ((kind === highlight ? strong : other)[kind] ?? 0) >>> 0;
          bottom = ((second === highlight ? strong : other)[second] ?? 0) >>> 0;
          if (second !== kind) split = Math.min(SHARES - 1, Math.max(1, Math.round(((rest & 127) / 127) * SHARES)));
          if (rest > 127 && source.level === level) {
            changed[row * columns + column] = 1;
            anyChanged = true;
          }
        }
        let pixel = row * SHARES * stride + column;
        for (let s = 0; s < SHARES; s++, pixel += stride) pixels[pixel] = s < split ? top : bottom;
      }
    }
  }
  const scratchCtx = canvas.getContext('2d');
  if (scratchCtx !== null) {
    scratchCtx.putImageData(image, 0, 0, 0, 0, columns, slice.rows * SHARES);
    ctx.imageSmoothingEnabled = false;
    ctx.drawImage(
      canvas,
      0,
      0,
      columns,
      slice.rows * SHARES,
      scene.left,
      slice.y,
      columns * cell,
      slice.rows * layout.rowHeight,
    );
  }
  return anyChanged ? changed : undefined;
}

/** Hairlines between cells, wider ones between sections. */
function paintGrid(ctx: CanvasRenderingContext2D, slice: Slice, scene: Scene): void {
  const { layout, left, sectionPages, ratio, look } = scene;
  const { cell, rowHeight, columns, rowPages, cellPages } = layout;
  const width = columns * cell;
  const height = slice.rows * rowHeight;
  ctx.fillStyle = look.background;
  const line = Math.max(1, Math.round(ratio * (cell >= 22 * ratio ? 1.5 : 1)));
  if (cell >= 6 * ratio) {
    for (let column = 1; column <= columns; column++) ctx.fillRect(left + column * cell - line, slice.y, line, height);
    for (let row = 1; row <= slice.rows; row++) ctx.fillRect(left, slice.y + row * rowHeight - line, width, line);
  }
  const wide = line + Math.max(1, Math.round(ratio));
  if (rowPages < sectionPages) {
    const perSection = sectionPages / rowPages;
    const offset = Math.floor(slice.band.extent.startPfn / rowPages) % perSection;
    for (let row = 0; row < slice.rows; row++) {
      const index = slice.from + row;
      if (index > 0 && (index + offset) % perSection === 0)
        ctx.fillRect(left, slice.y + row * rowHeight - wide, width, wide);
    }
  } else if (sectionPages / cellPages >= 4) {
    const per = sectionPages / cellPages;
    for (let column = per; column < columns; column += per) {
      ctx.fillRect(left + column * cell - wide, slice.y, wide, height);
    }
  }
}

/** The mark of each kind, where cells are large enough to carry one. */
function paintMarks(ctx: CanvasRenderingContext2D, slice: Slice, scene: Scene): void {
  const { layout, look, cache, left } = scene;
  const atlas = look.marks(layout.cell);
  if (atlas === undefined) return;
  const { cell, rowHeight, columns, level } = layout;
  if (rowHeight < cell * 0.8) return;
  const shift = (rowHeight - cell) / 2;
  const end = slice.band.firstCell + slice.band.cells;
  for (let row = 0; row < slice.rows; row++) {
    const from = slice.band.firstCell + (slice.from + row) * columns;
    for (let column = 0; column < columns && from + column < end; column++) {
      const source = cache.source(level, from + column);
      if (source === undefined || source.level !== level) continue;
      const byte = 2 * ((from + column) % TILE_CELLS);
      const kind = (source.bytes[byte] ?? 0) & 15;
      if (!look.hasMark(kind) || ((source.bytes[byte + 1] ?? 0) & 127) < 80) continue;
      if (scene.highlight !== undefined && scene.highlight !== kind) continue;
      ctx.drawImage(
        atlas,
        kind * cell,
        0,
        cell,
        cell,
        left + column * cell,
        slice.y + row * rowHeight + shift,
        cell,
        cell,
      );
    }
  }
}

/** An outline around what changed, and a small triangle where each run begins. */
function paintChanged(ctx: CanvasRenderingContext2D, slice: Slice, changed: Uint8Array, scene: Scene): void {
  const { layout, left, look, ratio } = scene;
  const { cell, rowHeight, columns } = layout;
  const edges = new Path2D();
  const flags = new Path2D();
  let flagged = 0;
  const line = (x1: number, y1: number, x2: number, y2: number) => {
    edges.moveTo(x1, y1);
    edges.lineTo(x2, y2);
  };
  for (let at = 0; at < changed.length; at++) {
    if (changed[at] !== 1) continue;
    const column = at % columns;
    const x = left + column * cell;
    const y = slice.y + Math.floor(at / columns) * rowHeight;
    const right = x + cell - ratio;
    const bottom = y + rowHeight - ratio;
    if (column === 0 || changed[at - 1] !== 1) line(x, y, x, bottom);
    if (column === columns - 1 || changed[at + 1] !== 1) line(right, y, right, bottom);
    if (changed[at - columns] !== 1) line(x, y, right, y);
    if (changed[at + columns] !== 1) line(x, bottom, right, bottom);
    if (changed[at - 1] !== 1 && flagged < 400 && cell >= 8 * ratio) {
      flagged++;
      const s = Math.min(9 * ratio, cell * 0.6, rowHeight * 0.7);
      flags.moveTo(x, y);
      flags.lineTo(x + s, y);
      flags.lineTo(x, y + s);
      flags.closePath();
    }
  }
  ctx.lineCap = 'square';
  ctx.setLineDash([]);
  ctx.strokeStyle = look.background;
  ctx.lineWidth = 3.5 * ratio;
  ctx.stroke(edges);
  ctx.strokeStyle = look.foreground;
  ctx.lineWidth = 1.5 * ratio;
  ctx.stroke(edges);
  ctx.fillStyle = look.foreground;
  ctx.fill(flags);
}

function paintHeader(ctx: CanvasRenderingContext2D, band: Band, scene: Scene): void {
  const { look, ratio, left, pageSize } = scene;
  const bottom = band.y - scene.scroll;
  const top = band.headerY - scene.scroll;
  const width = scene.layout.columns * scene.layout.cell;
  ctx.textBaseline = 'alphabetic';
  ctx.textAlign = 'left';
  if (band.cut > 0) {
    const y = top + 13 * ratio;
    const text = `${size(band.cut, pageSize)} gap`;
    ctx.font = look.font(10.5, 400);
    const textWidth = ctx.measureText(text).width;
    ctx.strokeStyle = look.muted;
    ctx.lineWidth = ratio;
    ctx.beginPath();
    const start = left + textWidth + 10 * ratio;
    for (let x = start, i = 0; x < left + width; x += 5 * ratio, i++) {
      const at = y - 3.5 * ratio + (i % 2 === 0 ? 0 : 4 * ratio);
      if (i === 0) ctx.moveTo(x, at);
      else ctx.lineTo(x, at);
    }
    ctx.stroke();
    ctx.fillStyle = look.muted;
    ctx.fillText(text, left, y);
  }
  ctx.fillStyle = look.foreground;
  ctx.font = look.font(12, 600);
  const base = bottom - 7 * ratio;
  const { extent } = band;
  ctx.fillText(extent.label, left, base);
  const used = ctx.measureText(extent.label).width + 10 * ratio;
  ctx.fillStyle = look.muted;
  ctx.font = look.font(11, 400);
  const whole = `${size(extent.endPfn - extent.startPfn, pageSize)}  ·  ${hex(extent.startPfn)}–${hex(extent.endPfn - 1)}`;
  const short = size(extent.endPfn - extent.startPfn, pageSize);
  const text = used + ctx.measureText(whole).width <= width ? whole : short;
  if (used + ctx.measureText(text).width <= width + 40 * ratio) ctx.fillText(text, left + used, base);
}

/** Page frame numbers beside the rows. */
function paintGutter(ctx: CanvasRenderingContext2D, slice: Slice, scene: Scene): void {
  const { layout, look, ratio, left } = scene;
  const every = 2 ** Math.max(0, Math.ceil(Math.log2((15 * ratio) / layout.rowHeight)));
  ctx.font = look.mono(10.5);
  ctx.textAlign = 'right';
  ctx.textBaseline = 'middle';
  ctx.fillStyle = look.muted;
  for (let row = 0; row < slice.rows; row++) {
    const index = slice.from + row;
    if (index % every !== 0) continue;
    const y = slice.y + row * layout.rowHeight + Math.max(layout.rowHeight, every > 1 ? 9 * ratio : 0) / 2;
    if (y < 6 * ratio || y > scene.height - 4 * ratio) continue;
    const pfn = Math.max(
      slice.band.extent.startPfn,
      (slice.band.firstCell + index * layout.columns) * layout.cellPages,
    );
    ctx.fillText(hex(pfn), left - 8 * ratio, y);
  }
}

function outlineCell(ctx: CanvasRenderingContext2D, scene: Scene, pfn: number, colour: string, width: number): void {
  const { layout } = scene;
  const cellStart = Math.floor(pfn / layout.cellPages) * layout.cellPages;
  outlineRange(ctx, scene, Math.max(cellStart, 0), cellStart + layout.cellPages, colour, width, []);
}

/** The outline of a run of cells that may begin and end within rows, and go over several extents. */
export function outlineRange(
  ctx: CanvasRenderingContext2D,
  scene: Scene,
  startPfn: number,
  endPfn: number,
  colour: string,
  width: number,
  dash: number[],
): void {
  const { layout, left, ratio, look } = scene;
  const { cell, rowHeight, columns } = layout;
  const path = new Path2D();
  for (const { band } of slicesInSight(layout, scene.scroll, scene.height)) {
    if (band.extent.startPfn >= endPfn || startPfn >= band.extent.endPfn) continue;
    const from = Math.max(0, Math.floor(startPfn / layout.cellPages) - band.firstCell);
    const to = Math.min(band.cells, Math.ceil(endPfn / layout.cellPages) - band.firstCell) - 1;
    const [r1, c1, r2, c2] = [Math.floor(from / columns), from % columns, Math.floor(to / columns), to % columns];
    const y = (row: number) =>
      Math.min(scene.height + 20, Math.max(-20, band.y - scene.scroll + row * rowHeight)) - ratio / 2;
    const x = (column: number) => left + column * cell - ratio / 2;
    if (r1 === r2) path.rect(x(c1), y(r1), (c2 - c1 + 1) * cell, y(r1 + 1) - y(r1));
    else {
      path.moveTo(x(c1), y(r1));
      path.lineTo(x(columns), y(r1));
      path.lineTo(x(columns), y(r2));
      path.lineTo(x(c2 + 1), y(r2));
      path.lineTo(x(c2 + 1), y(r2 + 1));
      path.lineTo(x(0), y(r2 + 1));
      path.lineTo(x(0), y(r1 + 1));
      path.lineTo(x(c1), y(r1 + 1));
      path.closePath();
    }
  }
  ctx.setLineDash([]);
  ctx.strokeStyle = look.background;
  ctx.lineWidth = (width + 2) * ratio;
  ctx.stroke(path);
  ctx.setLineDash(dash.map((d) => d * ratio));
  ctx.strokeStyle = colour;
  ctx.lineWidth = width * ratio;
  ctx.stroke(path);
  ctx.setLineDash([]);
}
