/** The messages of the Pagemap panel. */
import type {
  FlagsFieldView,
  PagemapSnapshot,
  PageView,
  TILE_CELLS as SimTileCells,
  Tile,
} from '../../sim/view/types.ts';
import {
  both,
  buffer,
  type Check,
  flag,
  hex,
  list,
  oneOf,
  optional,
  pages,
  parser,
  range,
  shape,
  text,
  whole,
} from './check.ts';
import { type AnyPanelToHost, type HostToAnyPanel, hostChecks, isPosition, panelChecks } from './common.ts';

/** Cells of a tile; the type ties it to the engine's constant without importing the engine. */
export const TILE_CELLS: typeof SimTileCells = 4096;
/** The coarsest level a panel asks for: one tile of it covers 2 PiB of 4 KiB pages. */
export const MAX_LEVEL = 27;
/** Page kinds the map knows, `PAGE_KINDS` of the engine. */
export const KINDS = 16;
/** More tiles than any window shows. */
export const MAX_TILES_ASKED = 256;

export interface PagemapSnapshotMessage {
  type: 'snapshot';
  view: PagemapSnapshot;
}
/** Answers `tiles`; a host that has moved on answers with its newer revision. */
export interface TilesMessage {
  type: 'tiles';
  revision: number;
  level: number;
  tiles: Tile[];
}
export interface PageMessage {
  type: 'page';
  page: PageView;
}
export type HostToPagemap = PagemapSnapshotMessage | TilesMessage | PageMessage | HostToAnyPanel;

/** Asks for tiles of one level. */
export interface TilesRequest {
  type: 'tiles';
  revision: number;
  level: number;
  indices: number[];
}
export type PagemapToHost = TilesRequest | AnyPanelToHost;

const level: Check<number> = whole(0, MAX_LEVEL);

const isAscending: Check<{ startPfn: number; endPfn: number }[]> = both(list(range), (runs, at) => {
  for (let i = 1; i < runs.length; i++) {
    if ((runs[i]?.startPfn ?? 0) < (runs[i - 1]?.endPfn ?? 0)) return `${at}[${i}]: overlaps the one before`;
  }
  return undefined;
});

const isExtents: Check<PagemapSnapshot['extents']> = both(
  list(shape<PagemapSnapshot['extents'][number]>({ startPfn: pages, endPfn: pages, label: text }), 65536),
  isAscending,
);

export const isPagemapSnapshot: Check<PagemapSnapshot> = shape<PagemapSnapshot>({
  position: isPosition,
  pageSize: whole(1, 2 ** 24),
  sectionPages: whole(1, 2 ** 30),
  extents: isExtents,
  totals: list(pages, KINDS, KINDS),
  changed: isAscending,
  selected: optional(pages),
});

export const isTile: Check<Tile> = shape<Tile>({ level, index: whole(), cells: buffer(TILE_CELLS * 2) });

const isFlagsField: Check<FlagsFieldView> = both(
  shape<FlagsFieldView>({ name: text, shift: whole(0, 63), width: whole(1, 64), value: whole(), text }),
  (field, at) => (field.shift + field.width <= 64 ? undefined : `${at}: reaches beyond bit 63`),
);

export const isPageView: Check<PageView> = shape<PageView>({
  revision: whole(),
  pfn: pages,
  physical: hex,
  valid: flag,
  online: flag,
  kind: whole(0, KINDS - 1),
  kindText: text,
  pageAddress: hex,
  pageAddressText: text,
  flags: optional(hex),
  flagFields: list(isFlagsField, 64),
  refcount: optional(whole(Number.MIN_SAFE_INTEGER)),
  mapcount: optional(whole(Number.MIN_SAFE_INTEGER)),
  order: optional(whole(0, 64)),
  node: optional(whole(-1, 65535)),
  zone: optional(text),
  section: whole(),
  subsection: whole(),
  sectionState: text,
  block: optional(text),
  pgmap: optional(text),
  resource: optional(text),
  changed: list(text, 256),
});

export const parseHostToPagemap = parser<HostToPagemap>({
  ...hostChecks,
  snapshot: shape<PagemapSnapshotMessage>({ type: oneOf(['snapshot']), view: isPagemapSnapshot }),
  tiles: both(
    shape<TilesMessage>({ type: oneOf(['tiles']), revision: whole(), level, tiles: list(isTile, MAX_TILES_ASKED) }),
    (message, at) =>
      message.tiles.every((tile) => tile.level === message.level) ? undefined : `${at}: tiles of another level`,
  ),
  page: shape<PageMessage>({ type: oneOf(['page']), page: isPageView }),
});
export const parsePagemapToHost = parser<PagemapToHost>({
  ...panelChecks,
  tiles: shape<TilesRequest>({
    type: oneOf(['tiles']),
    revision: whole(),
    level,
    indices: list(whole(), MAX_TILES_ASKED, 1),
  }),
});
