/**
 * What a range write displaced: single values, and whole subtrees of the radix tree that
 * are no longer part of it. The journal keeps them; they cost no copy of uniform parts.
 */

import { type BlockPool, FANOUT, LEAF_BYTES, LEAF_PAGES, NODE_BYTES, spanOf, TOP } from './blocks.ts';

/**
 * Ascending, three numbers a piece: start, end, word. A word of 0 or more is the value
 * of all pages of the piece. Otherwise -1 - word is a block: a subtree if the piece
 * spans one exactly, else a copy of the leaf the piece lies in.
 */
export type Pieces = number[];

export type VisitRun = (start: number, end: number, value: number) => void;

/** Appends a run, joined to the piece before it where that continues it. */
export function keepRun(pieces: Pieces, start: number, end: number, value: number): void {
  const last = pieces.length;
  if (last > 0 && pieces[last - 2] === start && pieces[last - 1] === value) pieces[last - 2] = end;
  else pieces.push(start, end, value);
}

/** A part of a leaf with more runs than this is kept as a copy of the leaf. */
const MAX_KEPT_RUNS = 8;

/** Appends the pages [start, end) of a leaf in so far as they differ from `value`. */
export function keepPart(
  pool: BlockPool,
  leaf: number,
  start: number,
  end: number,
  value: number,
  pieces: Pieces,
): void {
  const pages = pool.pages;
  const first = pool.indexOf(leaf, start);
  const last = first + (end - start);
  let runs = 0;
  for (let i = first; i < last && runs <= MAX_KEPT_RUNS; i++) {
    if (pages[i] !== value && (i === first || pages[i] !== pages[i - 1])) runs++;
  }
  if (runs > MAX_KEPT_RUNS) {
    pieces.push(start, end, -1 - pool.copyLeaf(leaf));
    return;
  }
  for (let from = first; from < last; ) {
    const old = pages[from] as number;
    let to = from + 1;
    while (to < last && pages[to] === old) to++;
    if (old !== value) keepRun(pieces, start + (from - first), start + (to - first), old);
    from = to;
  }
}

/** Bytes of the blocks that `pieces` hold. */
export function bytesOfPieces(pool: BlockPool, pieces: Pieces): number {
  let bytes = 0;
  for (let i = 0; i < pieces.length; i += 3) {
    if ((pieces[i + 2] as number) < 0)
      bytes += treeBytes(pool, -1 - (pieces[i + 2] as number), levelOfPiece(pieces, i));
  }
  return bytes;
}

/** Frees the blocks that `pieces` hold. The list is used up. */
export function discardPieces(pool: BlockPool, pieces: Pieces): void {
  for (let i = 0; i < pieces.length; i += 3) {
    if ((pieces[i + 2] as number) < 0) freeTree(pool, -1 - (pieces[i + 2] as number), levelOfPiece(pieces, i));
  }
  pieces.length = 0;
}

/** Calls `visit` for the pages of `pieces`, in stretches of equal value, ascending. */
export function visitPieces(pool: BlockPool, pieces: Pieces, visit: VisitRun): void {
  for (let i = 0; i < pieces.length; i += 3) {
    const start = pieces[i] as number;
    const end = pieces[i + 1] as number;
    const word = pieces[i + 2] as number;
    if (word >= 0) visit(start, end, word);
    else if (end - start < LEAF_PAGES) visitLeaf(pool, -1 - word, start, end, visit);
    else visitTree(pool, -1 - word, levelOf(end - start), start, visit);
  }
}

/** Calls `visit` for the pages [start, end) of one leaf, in stretches of equal value. */
export function visitLeaf(pool: BlockPool, leaf: number, start: number, end: number, visit: VisitRun): void {
  const pages = pool.pages;
  const offset = pool.indexOf(leaf, start) - start;
  let from = start;
  while (from < end) {
    const value = pages[offset + from] as number;
    let to = from + 1;
    while (to < end && pages[offset + to] === value) to++;
    visit(from, to, value);
    from = to;
  }
}

/** The level of the block that spans `pages`; leaves, and parts of leaves, are level 0. */
export function levelOf(pages: number): number {
  for (let level = 1; level < TOP; level++) if (spanOf(level + 1) === pages) return level;
  return 0;
}

/** Gives a block and all blocks below it back to the pool. */
export function freeTree(pool: BlockPool, block: number, level: number): void {
  if (level === 0) {
    pool.freeLeaf(block);
    return;
  }
  pool.eachChild(block, (child) => freeTree(pool, child, level - 1));
  pool.freeNode(block);
}

function levelOfPiece(pieces: Pieces, i: number): number {
  return levelOf((pieces[i + 1] as number) - (pieces[i] as number));
}

function treeBytes(pool: BlockPool, block: number, level: number): number {
  if (level === 0) return LEAF_BYTES;
  if (level === 1) return NODE_BYTES + pool.childCount(block) * LEAF_BYTES;
  let bytes = NODE_BYTES;
  pool.eachChild(block, (child) => {
    bytes += treeBytes(pool, child, level - 1);
  });
  return bytes;
}

function visitTree(pool: BlockPool, block: number, level: number, base: number, visit: VisitRun): void {
  if (level === 0) {
    visitLeaf(pool, block, base, base + LEAF_PAGES, visit);
    return;
  }
  const span = spanOf(level);
  for (let slot = 0; slot < FANOUT; slot++) {
    const word = pool.entry(block, slot);
    if (pool.isChild(block, slot)) visitTree(pool, word, level - 1, base + slot * span, visit);
    else visit(base + slot * span, base + slot * span + span, word);
  }
}
