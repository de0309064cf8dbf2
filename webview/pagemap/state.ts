/** What the Pagemap panel remembers of its own between openings: interface state, never content. */

import { PROTOCOL_VERSION } from '../protocol/common.ts';
import { KINDS } from '../protocol/pagemap.ts';

export interface PagemapState {
  version: number;
  /** Undefined while everything is in sight. */
  zoom?: number;
  top?: number;
  selected?: number;
  highlight?: number;
}

export function readPagemapState(kept: unknown): PagemapState {
  const state: PagemapState = { version: PROTOCOL_VERSION };
  if (typeof kept !== 'object' || kept === null) return state;
  const from = kept as Record<string, unknown>;
  if (from.version !== PROTOCOL_VERSION) return state;
  const { zoom, top, selected, highlight } = from;
  if (isWhole(zoom, -8, 60)) state.zoom = zoom;
  if (isWhole(top, 0, 2 ** 44)) state.top = top;
  if (isWhole(selected, 0, 2 ** 44)) state.selected = selected;
  if (isWhole(highlight, 0, KINDS - 1)) state.highlight = highlight;
  return state;
}

function isWhole(value: unknown, from: number, to: number): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= from && value <= to;
}
