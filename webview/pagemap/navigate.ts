/** Where the keys lead on the map. Pure. */
import { type Layout, type Place, placeOf, stepCells, stepRows } from './layout.ts';

/** The cell a movement key leads to; undefined for every other key. `page` is the rows in sight. */
export function keyTarget(layout: Layout, at: Place, key: string, jump: boolean, page: number): Place | undefined {
  switch (key) {
    case 'ArrowLeft':
      return stepCells(layout, at, -1);
    case 'ArrowRight':
      return stepCells(layout, at, 1);
    case 'ArrowUp':
      return stepRows(layout, at, -1);
    case 'ArrowDown':
      return stepRows(layout, at, 1);
    case 'PageUp':
      return stepRows(layout, at, -page);
    case 'PageDown':
      return stepRows(layout, at, page);
    case 'Home': {
      const first = layout.bands[0];
      return jump ? first && placeOf(layout, first.extent.startPfn) : stepCells(layout, at, -at.column);
    }
    case 'End': {
      const last = layout.bands.at(-1);
      return jump ? last && placeOf(layout, last.extent.endPfn - 1) : rowEnd(layout, at);
    }
    default:
      return undefined;
  }
}

function rowEnd(layout: Layout, at: Place): Place | undefined {
  const band = layout.bands[at.band];
  if (band === undefined) return undefined;
  const offset = Math.min(band.cells, (at.row + 1) * layout.columns) - 1;
  return stepCells(layout, at, band.firstCell + offset - at.cell);
}

/** The run of changed page frames after or before a cell, around the ends. */
export function nextChange(
  layout: Layout,
  runs: readonly { startPfn: number; endPfn: number }[],
  from: Place,
  forward: boolean,
): Place | undefined {
  const run = forward
    ? (runs.find((r) => r.startPfn >= from.endPfn) ?? runs[0])
    : (runs.findLast((r) => r.startPfn < from.startPfn) ?? runs.at(-1));
  return run && placeOf(layout, run.startPfn);
}
