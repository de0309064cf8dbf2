/**
 * Where a page frame is on the map, and what is under a point. Pure arithmetic, in device
 * pixels; cells are 2^level page frames, numbered over the whole address space, so that a
 * cell means the same page frames whatever the window.
 *
 * Extents follow one another from top to bottom. Each begins with a header band (its label,
 * and the cut mark if memory is left out before it) and a new row. A row spans a power of two
 * of page frames, so that sections begin at the start of a row, or rows at the start of a section.
 */
import type { ExtentView } from '../../sim/view/types.ts';
import { MAX_LEVEL } from '../protocol/pagemap.ts';

/** Steps beyond single pages: the cells grow instead. */
export const MIN_ZOOM = -3;

export interface LayoutInput {
  extents: readonly ExtentView[];
  /** 0 and above: the level. Below 0: single pages, drawn 2^-zoom times as large. */
  zoom: number;
  width: number;
  /** Smallest cell at zoom 0 and above. */
  minCell: number;
  headerHeight: number;
  /** Header of an extent before which memory is left out. */
  cutHeight: number;
  /** Height of a row if it is not to be that of a square cell. */
  rowHeight?: number;
}

export interface Band {
  extent: ExtentView;
  index: number;
  /** Page frames left out before it. */
  cut: number;
  firstCell: number;
  cells: number;
  rows: number;
  headerY: number;
  /** Where the rows begin. */
  y: number;
}

export interface Layout {
  readonly zoom: number;
  readonly level: number;
  /** 2^level. */
  readonly cellPages: number;
  readonly columns: number;
  readonly rowPages: number;
  /** Width of a cell. */
  readonly cell: number;
  /** Height of a row of cells. */
  readonly rowHeight: number;
  readonly bands: readonly Band[];
  readonly height: number;
}

/** A cell of one extent. */
export interface Place {
  band: number;
  row: number;
  column: number;
  cell: number;
  /** The page frames of the cell that belong to the extent. */
  startPfn: number;
  endPfn: number;
}

export function buildLayout(input: LayoutInput): Layout {
  const zoom = Math.min(MAX_LEVEL, Math.max(MIN_ZOOM, Math.round(input.zoom)));
  const level = Math.max(0, zoom);
  const cellPages = 2 ** level;
  const least = input.minCell * 2 ** Math.max(0, -zoom);
  const columns = 2 ** Math.max(0, Math.floor(Math.log2(Math.max(1, input.width) / least)));
  const cell = Math.max(1, Math.floor(input.width / columns));
  const rowHeight = Math.max(1, Math.floor(input.rowHeight ?? cell));
  const bands: Band[] = [];
  let y = 0;
  let end = 0;
  input.extents.forEach((extent, index) => {
    const cut = Math.max(0, extent.startPfn - end);
    const headerY = y;
    y += cut > 0 ? input.cutHeight : input.headerHeight;
    const firstCell = Math.floor(extent.startPfn / cellPages);
    const cells = Math.ceil(extent.endPfn / cellPages) - firstCell;
    const rows = Math.ceil(cells / columns);
    bands.push({ extent, index, cut, firstCell, cells, rows, headerY, y });
    y += rows * rowHeight;
    end = extent.endPfn;
  });
  return { zoom, level, cellPages, columns, rowPages: columns * cellPages, cell, rowHeight, bands, height: y };
}

/** Rows may be this much flatter or taller than a square when everything is to fit. */
const FLATTEST = 0.7;
const TALLEST = 1.5;

/**
 * The closest look at which everything is in sight, its rows as tall as the height allows;
 * the coarsest there is if the headers alone are too many.
 */
export function fitLayout(input: Omit<LayoutInput, 'zoom' | 'rowHeight'>, height: number): Layout {
  for (let zoom = MIN_ZOOM; ; zoom++) {
    const layout = buildLayout({ ...input, zoom });
    const rows = layout.bands.reduce((sum, band) => sum + band.rows, 0);
    const room = (height - (layout.height - rows * layout.rowHeight)) / Math.max(1, rows);
    const least = Math.min(layout.cell, Math.max(input.minCell * FLATTEST, layout.cell * 0.5));
    if (room >= least) return buildLayout({ ...input, zoom, rowHeight: Math.min(room, layout.cell * TALLEST) });
    if (zoom >= MAX_LEVEL || layout.bands.every((band) => band.rows <= 1)) return layout;
  }
}

/** The first band that ends below `y`; bands are few or many, so by bisection. */
export function bandAt(layout: Layout, y: number): number {
  let low = 0;
  let high = layout.bands.length - 1;
  while (low < high) {
    const mid = (low + high) >> 1;
    const band = layout.bands[mid];
    if (band !== undefined && band.y + band.rows * layout.rowHeight <= y) low = mid + 1;
    else high = mid;
  }
  return low;
}

function bandOf(layout: Layout, pfn: number): Band | undefined {
  let low = 0;
  let high = layout.bands.length - 1;
  while (low <= high) {
    const mid = (low + high) >> 1;
    const band = layout.bands[mid];
    if (band === undefined) return undefined;
    if (pfn < band.extent.startPfn) high = mid - 1;
    else if (pfn >= band.extent.endPfn) low = mid + 1;
    else return band;
  }
  return undefined;
}

function place(layout: Layout, band: Band, offset: number): Place {
  const cell = band.firstCell + offset;
  return {
    band: band.index,
    row: Math.floor(offset / layout.columns),
    column: offset % layout.columns,
    cell,
    startPfn: Math.max(band.extent.startPfn, cell * layout.cellPages),
    endPfn: Math.min(band.extent.endPfn, (cell + 1) * layout.cellPages),
  };
}

/** Where a page frame is, undefined if no extent has it. */
export function placeOf(layout: Layout, pfn: number): Place | undefined {
  const band = bandOf(layout, pfn);
  return band && place(layout, band, Math.floor(pfn / layout.cellPages) - band.firstCell);
}

/** The upper left corner of a cell. */
export function corner(layout: Layout, at: Place): { x: number; y: number } {
  const band = layout.bands[at.band];
  return { x: at.column * layout.cell, y: (band?.y ?? 0) + at.row * layout.rowHeight };
}

/** The cell under a point, undefined beside the cells and on headers. */
export function placeAt(layout: Layout, x: number, y: number): Place | undefined {
  const band = layout.bands[bandAt(layout, y)];
  if (band === undefined || x < 0 || y < band.y) return undefined;
  const row = Math.floor((y - band.y) / layout.rowHeight);
  const column = Math.floor(x / layout.cell);
  const offset = row * layout.columns + column;
  return row < band.rows && column < layout.columns && offset < band.cells ? place(layout, band, offset) : undefined;
}

/** The nearest cell to a height, for anchoring a zoom to headers and empty places too. */
export function nearestPlace(layout: Layout, x: number, y: number): Place | undefined {
  const band = layout.bands[bandAt(layout, y)];
  if (band === undefined) return undefined;
  const row = Math.min(band.rows - 1, Math.max(0, Math.floor((y - band.y) / layout.rowHeight)));
  const column = Math.min(layout.columns - 1, Math.max(0, Math.floor(x / layout.cell)));
  return place(layout, band, Math.min(band.cells - 1, row * layout.columns + column));
}

/** The cell `by` cells further, over the ends of extents, kept within the first and the last. */
export function stepCells(layout: Layout, from: Place, by: number): Place | undefined {
  let index = from.band;
  let band = layout.bands[index];
  if (band === undefined) return undefined;
  let offset = from.cell - band.firstCell + by;
  for (;;) {
    if (offset < 0) {
      const before: Band | undefined = layout.bands[index - 1];
      if (before === undefined) return place(layout, band, 0);
      offset += before.cells;
      band = before;
      index--;
    } else if (offset >= band.cells) {
      const after: Band | undefined = layout.bands[index + 1];
      if (after === undefined) return place(layout, band, band.cells - 1);
      offset -= band.cells;
      band = after;
      index++;
    } else {
      return place(layout, band, offset);
    }
  }
}

/** The cell `by` rows further down in the same column, over the ends of extents. */
export function stepRows(layout: Layout, from: Place, by: number): Place | undefined {
  const rowsBefore = (index: number) => layout.bands.slice(0, index).reduce((sum, band) => sum + band.rows, 0);
  const total = rowsBefore(layout.bands.length);
  let row = Math.min(total - 1, Math.max(0, rowsBefore(from.band) + from.row + by));
  for (const band of layout.bands) {
    if (row < band.rows) return place(layout, band, Math.min(band.cells - 1, row * layout.columns + from.column));
    row -= band.rows;
  }
  return undefined;
}
