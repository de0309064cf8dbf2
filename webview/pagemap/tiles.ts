/**
 * The panel's cache of tiles. A cell missing at the wanted level is drawn from the nearest
 * coarser level that is there, a cell of an older revision as it was, until the answer comes.
 */
import type { Tile } from '../../sim/view/types.ts';
import { MAX_LEVEL, MAX_TILES_ASKED, TILE_CELLS } from '../protocol/pagemap.ts';

interface Cached {
  revision: number;
  cells: Uint8Array;
  used: number;
}

/** 512 tiles are 4 MiB. */
const MOST = 512;
/** A request unanswered this long is made again: a hidden panel loses messages. */
const PATIENCE_MS = 3000;

/** Cells found for a run: where they are in `bytes`, and how many wanted cells share one of them. */
export interface Source {
  bytes: Uint8Array;
  level: number;
}

export class TileCache {
  private readonly levels: Map<number, Cached>[] = Array.from({ length: MAX_LEVEL + 1 }, () => new Map());
  private readonly asked = new Map<string, number>();
  private clock = 0;
  private count = 0;
  revision = -1;
  /** Rises whenever what is cached changes. */
  version = 0;

  /** A new revision: what is cached is stale but still better than nothing. */
  advance(revision: number): void {
    if (revision === this.revision) return;
    this.revision = revision;
    this.asked.clear();
  }

  /** Forgets everything: another machine. */
  clear(): void {
    for (const level of this.levels) level.clear();
    this.asked.clear();
    this.count = 0;
    this.version++;
  }

  /** Takes an answer; one of an older revision than what is cached is left. Answers whether anything changed. */
  accept(revision: number, level: number, tiles: readonly Tile[]): boolean {
    const map = this.levels[level];
    if (map === undefined) return false;
    let taken = false;
    for (const tile of tiles) {
      const old = map.get(tile.index);
      if (old !== undefined && old.revision > revision) continue;
      if (old === undefined) this.count++;
      map.set(tile.index, { revision, cells: new Uint8Array(tile.cells), used: ++this.clock });
      if (revision >= this.revision) this.asked.delete(`${level}:${tile.index}`);
      taken = true;
    }
    if (this.count > MOST) this.evict();
    if (taken) this.version++;
    return taken;
  }

  /** Whether the tile is there in the present revision. */
  isFresh(level: number, index: number): boolean {
    return this.levels[level]?.get(index)?.revision === this.revision;
  }

  /** Of these tiles, those to ask the host for now. They count as asked from here on. */
  missing(level: number, indices: Iterable<number>, now: number): number[] {
    const out: number[] = [];
    for (const index of indices) {
      if (this.isFresh(level, index)) continue;
      const key = `${level}:${index}`;
      const before = this.asked.get(key);
      if (before !== undefined && now - before < PATIENCE_MS) continue;
      this.asked.set(key, now);
      out.push(index);
      if (out.length >= MAX_TILES_ASKED) break;
    }
    return out;
  }

  get waiting(): boolean {
    return this.asked.size > 0;
  }

  /**
   * The bytes that hold `cell` of `level`: the tile itself, or one of a coarser level. The byte
   * pair of a cell `c` of the wanted level is at `2 * ((c >> (source.level - level)) mod 4096)`.
   */
  source(level: number, cell: number): Source | undefined {
    for (let at = level; at <= MAX_LEVEL; at++) {
      const map = this.levels[at];
      if (map === undefined || map.size === 0) continue;
      const found = map.get(Math.floor(cell / 2 ** (at - level) / TILE_CELLS));
      if (found !== undefined) {
        found.used = ++this.clock;
        return { bytes: found.cells, level: at };
      }
    }
    return undefined;
  }

  private evict(): void {
    const all = this.levels.flatMap((map) => [...map].map(([index, tile]) => ({ map, index, used: tile.used })));
    all.sort((a, b) => a.used - b.used);
    for (const { map, index } of all.slice(0, all.length - Math.floor(MOST * 0.75))) {
      map.delete(index);
      this.count--;
    }
  }
}

/** The tiles that hold the cells `from` (included) to `to` (excluded). */
export function tilesOf(from: number, to: number): number[] {
  const out: number[] = [];
  for (let index = Math.floor(from / TILE_CELLS); index * TILE_CELLS < to; index++) out.push(index);
  return out;
}

/** What a cell's two bytes say. */
export interface CellValue {
  kind: number;
  /** The second commonest kind; the same if there is only one. */
  second: number;
  /** Share of the commonest kind, 0..1. */
  share: number;
  changed: boolean;
  /** Coarser than asked for: an impression, not a fact. */
  coarse: boolean;
}

export function readCell(cache: TileCache, level: number, cell: number): CellValue | undefined {
  const source = cache.source(level, cell);
  if (source === undefined) return undefined;
  const at = 2 * (Math.floor(cell / 2 ** (source.level - level)) % TILE_CELLS);
  const kinds = source.bytes[at] ?? 0;
  const rest = source.bytes[at + 1] ?? 0;
  return {
    kind: kinds & 15,
    second: kinds >> 4,
    share: (rest & 127) / 127,
    changed: rest > 127,
    coarse: source.level > level,
  };
}
