/** A column whose writes are journalled, and the journalled write of a range of it. */

import type { BlockPool } from './blocks.ts';
import type { ChangeSet } from './changes.ts';
import type { PageColumn } from './column.ts';
import type { Edit, Journal } from './journal.ts';
import { bytesOfPieces, discardPieces, type Pieces, visitPieces } from './pieces.ts';
import { RadixTree } from './radix.ts';

const EDIT_BYTES = 128;
const PIECE_WORD_BYTES = 8;

export class JournalledColumn implements PageColumn {
  readonly tree: RadixTree;
  /** Bytes of the pool's blocks that edits hold: the journal's, not the tree's. */
  heldBytes = 0;
  private readonly pool: BlockPool;
  private readonly journal: Journal;
  private readonly index: number;

  constructor(journal: Journal, index: number, defaultValue: number) {
    this.tree = new RadixTree(defaultValue >>> 0);
    this.pool = this.tree.pool;
    this.journal = journal;
    this.index = index;
  }

  get(pfn: number): number {
    const pool = this.pool;
    const index = pool.knownIndex(pfn);
    return index < 0 ? this.tree.get(pfn) : (pool.pages[index] as number);
  }

  set(pfn: number, value: number): void {
    const pool = this.pool;
    const index = pool.knownIndex(pfn);
    const old = index < 0 ? this.tree.get(pfn) : (pool.pages[index] as number);
    this.change(index, pfn, old, value >>> 0);
  }

  add(pfn: number, delta: number): void {
    const pool = this.pool;
    const index = pool.knownIndex(pfn);
    const old = index < 0 ? this.tree.get(pfn) : (pool.pages[index] as number);
    this.change(index, pfn, old, (old + delta) >>> 0);
  }

  setRange(start: number, end: number, value: number): void {
    if (end - start === 1) {
      this.set(start, value);
      return;
    }
    if (!this.journal.recording) {
      this.tree.fill(start, end, value >>> 0);
      return;
    }
    const displaced: Pieces = [];
    this.tree.fill(start, end, value >>> 0, displaced);
    if (displaced.length > 0) this.journal.edit(new RangeEdit(this, start, end, value >>> 0, displaced));
  }

  count(start: number, end: number, out: Float64Array): void {
    this.tree.count(start, end, out);
  }

  runs(start: number, end: number, visit: (start: number, end: number, value: number) => boolean | undefined): void {
    this.tree.runs(start, end, visit);
  }

  bytes(): number {
    return this.tree.bytes() - this.heldBytes;
  }

  private change(index: number, pfn: number, old: number, value: number): void {
    if (value === old) return;
    if (this.journal.recording) this.journal.page(this.index, pfn, old);
    if (index >= 0) this.pool.writeAt(index, pfn, old, value);
    else this.pool.write(this.tree.openLeaf(pfn), pfn, old, value);
  }
}

/** A range that was set to one value: holds what the pages were, as long as it is done. */
class RangeEdit implements Edit {
  bytes = EDIT_BYTES;
  private readonly column: JournalledColumn;
  private readonly start: number;
  private readonly end: number;
  private readonly value: number;
  private readonly displaced: Pieces;

  constructor(column: JournalledColumn, start: number, end: number, value: number, displaced: Pieces) {
    this.column = column;
    this.start = start;
    this.end = end;
    this.value = value;
    this.displaced = displaced;
    this.hold();
  }

  undo(): void {
    this.letGo();
    this.column.tree.restore(this.displaced);
  }

  redo(): void {
    this.column.tree.fill(this.start, this.end, this.value, this.displaced);
    this.hold();
  }

  release(): void {
    this.letGo();
    discardPieces(this.column.tree.pool, this.displaced);
  }

  describe(changes: ChangeSet): void {
    visitPieces(this.column.tree.pool, this.displaced, (start, end, old) => {
      if (old !== this.value) changes.pages(start, end);
    });
  }

  private hold(): void {
    const held = bytesOfPieces(this.column.tree.pool, this.displaced);
    this.column.heldBytes += held;
    this.bytes = EDIT_BYTES + this.displaced.length * PIECE_WORD_BYTES + held;
  }

  private letGo(): void {
    this.column.heldBytes -= this.bytes - EDIT_BYTES - this.displaced.length * PIECE_WORD_BYTES;
    this.bytes = EDIT_BYTES;
  }
}
