/**
 * One journal for everything that changes. An entry holds what its write replaced;
 * going back exchanges it with what is there now, so the same entry leads forward again.
 * Travel is therefore exact in both directions and costs what was written, and nothing
 * is ever copied for the sake of a checkpoint: copy-on-write checkpoints would let
 * distant marks be reached sooner, at the price of copies in every step that follows one,
 * while the journal passes page writes fast and shares displaced subtrees.
 *
 * Writes are many, so an entry makes no object: a kind (the column number of a page), a
 * number (its page frame) and a word (the old value) in typed arrays. The writes of
 * edits.ts name what they need by the word, as three elements of one array; only what is
 * left is an `Edit`, an object.
 */

import type { ChangeSet } from './changes.ts';
import { describeWrite, exchangeWrite, FIRST_WRITE, WRITE_BYTES } from './edits.ts';
import type { MapOrders } from './mapOrders.ts';

/** A write that is not to a single page. Done when it is journalled; then undone and redone in turn. */
export interface Edit {
  /** Estimated bytes held by the edit as it is now. */
  bytes: number;
  undo(): void;
  redo(): void;
  /** Gives back what the edit holds, if anything: it will never be undone or redone again. */
  release?(): void;
  /** Tells what the edit changes. Called only while it is done. */
  describe(changes: ChangeSet): void;
}

/** A column as the journal knows it. */
export interface PageWords {
  /** Sets the page and returns the value before. Not journalled. */
  exchange(pfn: number, value: number): number;
}

/** Kinds of entries that are edits: without and with something to give back. Below are the kinds of edits.ts, then columns. */
const EDIT = 254;
const HOLDING_EDIT = 255;
export const MAX_COLUMNS = FIRST_WRITE;
const ENTRY_BYTES = 1 + 8 + 4;
const MAX_ENTRIES = 4096;
const MIN_ENTRIES = 16;
/** The journal is dropped chunk by chunk; a chunk takes at most this part of the budget, a single edit apart. */
const CHUNKS_OF_BUDGET = 16;

interface Chunk {
  /** Mark before the first entry. */
  base: number;
  count: number;
  readonly kind: Uint8Array;
  readonly number: Float64Array;
  readonly word: Uint32Array;
  /** Edits, and what other writes need, in the order of their entries; `used` of them, so that the room is kept. */
  readonly refs: unknown[];
  used: number;
  bytes: number;
}

export class Journal {
  recording = true;
  readonly columns: PageWords[] = [];
  private readonly budget: number;
  private readonly entries: number;
  /** Bytes at which a chunk is full. */
  private readonly full: number;
  private chunks: Chunk[];
  /** The chunk we are in, `at` entries into it. */
  private current: number;
  private chunk: Chunk;
  private at = 0;
  /** Where in the chunk a write must stop and make room first: at its end, or here if something lies ahead. */
  private stop: number;
  private total = 0;
  private readonly orders: MapOrders;
  /** The chunk that was dropped last, to be used again: a long step drops as many as it fills. */
  private spare: Chunk | undefined;

  constructor(budget: number, orders: MapOrders) {
    this.budget = budget;
    this.orders = orders;
    const share = Math.floor(budget / CHUNKS_OF_BUDGET / ENTRY_BYTES);
    this.entries = Math.max(MIN_ENTRIES, Math.min(MAX_ENTRIES, share));
    this.full = this.entries * ENTRY_BYTES + budget / CHUNKS_OF_BUDGET;
    this.chunk = this.newChunk(0);
    this.chunks = [this.chunk];
    this.current = 0;
    this.stop = this.entries;
  }

  get position(): number {
    return this.chunk.base + this.at;
  }

  get oldest(): number {
    return (this.chunks[0] as Chunk).base;
  }

  get newest(): number {
    const last = this.chunks[this.chunks.length - 1] as Chunk;
    return last.base + last.count;
  }

  /** Estimated bytes, subtrees kept for undo included. */
  get bytes(): number {
    return this.total;
  }

  /** Journals the write of one page: `old` is what it replaced. */
  page(column: number, pfn: number, old: number): void {
    if (this.at === this.stop) this.makeRoom();
    const chunk = this.chunk;
    const i = this.at++;
    chunk.kind[i] = column;
    chunk.number[i] = pfn;
    chunk.word[i] = old;
    chunk.count = this.at;
  }

  /** Journals a write of edits.ts that has just been done. */
  write(kind: number, target: object, key: unknown, other: unknown, number: number): void {
    if (this.at === this.stop) this.makeRoom();
    const chunk = this.chunk;
    const i = this.at++;
    chunk.kind[i] = kind;
    chunk.number[i] = number;
    const { refs, used } = chunk;
    chunk.word[i] = used;
    refs[used] = target;
    refs[used + 1] = key;
    refs[used + 2] = other;
    chunk.used = used + 3;
    chunk.count = this.at;
    chunk.bytes += WRITE_BYTES;
    this.total += WRITE_BYTES;
    if (this.total > this.budget) this.dropOldest();
    if (this.isFull(chunk)) this.stop = this.at;
  }

  /** Journals an edit that has just been done. */
  edit(edit: Edit): void {
    if (this.at === this.stop) this.makeRoom();
    const chunk = this.chunk;
    const i = this.at++;
    chunk.kind[i] = edit.release ? HOLDING_EDIT : EDIT;
    chunk.word[i] = chunk.used;
    chunk.refs[chunk.used++] = edit;
    chunk.count = this.at;
    this.weigh(chunk, edit.bytes);
    if (this.total > this.budget) this.dropOldest();
    if (this.isFull(chunk)) this.stop = this.at;
  }

  travel(mark: number): void {
    this.check(mark);
    while (this.position > mark) {
      if (this.at === 0) {
        this.enter(this.current - 1);
        this.at = this.chunk.count;
      } else this.back();
    }
    while (this.position < mark) {
      if (this.at === this.chunk.count) {
        this.enter(this.current + 1);
        this.at = 0;
      } else this.forward();
    }
    this.stop = mark === this.newest && !this.isFull(this.chunk) ? this.entries : this.at;
  }

  /** Tells `changes` what the entries between two marks wrote. Both must be at or before the position. */
  describe(from: number, to: number, changes: ChangeSet): void {
    for (const chunk of this.chunks) {
      const end = Math.min(chunk.count, to - chunk.base);
      for (let i = Math.max(0, from - chunk.base); i < end; i++) {
        const kind = chunk.kind[i] as number;
        const pfn = chunk.number[i] as number;
        if (kind < FIRST_WRITE) changes.pages(pfn, pfn + 1);
        else if (kind >= EDIT) this.editOf(chunk, i).describe(changes);
        else describeWrite(kind, chunk.refs, chunk.word[i] as number, changes);
      }
    }
  }

  /** Throws unless `mark` can be reached. */
  check(mark: number): void {
    if (mark >= this.oldest && mark <= this.newest && Number.isInteger(mark)) return;
    throw new RangeError(`mark ${mark} cannot be reached: the journal holds ${this.oldest} to ${this.newest}`);
  }

  /** Forgets all entries; no mark given out before can be reached. */
  reset(): void {
    const base = this.newest + 1;
    for (const chunk of this.chunks) this.release(chunk);
    this.chunk = this.newChunk(base);
    this.chunks = [this.chunk];
    this.current = 0;
    this.at = 0;
    this.stop = this.entries;
  }

  /**
   * Runs `body` in a journal of its own and takes back whatever it wrote. What lies ahead of the position stays
   * reachable, and nothing is dropped to keep within the budget: `body` has to be bounded otherwise.
   */
  aside<T>(body: () => T): T {
    const { chunks, current, chunk, at, stop, total, isAside } = this;
    const here = this.position;
    this.chunk = this.newChunk(here);
    this.chunks = [this.chunk];
    this.current = 0;
    this.at = 0;
    this.stop = this.entries;
    this.isAside = true;
    try {
      return body();
    } finally {
      this.travel(here);
      for (const each of this.chunks) this.release(each);
      Object.assign(this, { chunks, current, chunk, at, stop, total, isAside });
    }
  }
  private isAside = false;

  private back(): void {
    const chunk = this.chunk;
    const i = --this.at;
    const kind = chunk.kind[i] as number;
    if (kind >= EDIT) {
      const edit = this.editOf(chunk, i);
      const before = edit.bytes;
      edit.undo();
      this.weigh(chunk, edit.bytes - before);
    } else this.exchange(chunk, i, kind, false);
  }

  private forward(): void {
    const chunk = this.chunk;
    const i = this.at++;
    const kind = chunk.kind[i] as number;
    if (kind >= EDIT) {
      const edit = this.editOf(chunk, i);
      const before = edit.bytes;
      edit.redo();
      this.weigh(chunk, edit.bytes - before);
    } else this.exchange(chunk, i, kind, true);
  }

  private exchange(chunk: Chunk, i: number, kind: number, forward: boolean): void {
    const word = chunk.word[i] as number;
    const number = chunk.number[i] as number;
    if (kind < FIRST_WRITE) chunk.word[i] = (this.columns[kind] as PageWords).exchange(number, word);
    else chunk.number[i] = exchangeWrite(this.orders, kind, chunk.refs, word, number, forward);
  }

  private editOf(chunk: Chunk, i: number): Edit {
    return chunk.refs[chunk.word[i] as number] as Edit;
  }

  private enter(index: number): void {
    this.current = index;
    this.chunk = this.chunks[index] as Chunk;
  }

  private makeRoom(): void {
    this.dropAhead();
    if (this.at === this.entries || this.isFull(this.chunk)) {
      this.chunks.push(this.newChunk(this.position));
      this.enter(this.chunks.length - 1);
      this.at = 0;
      this.dropOldest();
    }
    this.stop = this.entries;
  }

  /** Drops the entries that were undone: another future begins here. */
  private dropAhead(): void {
    for (const chunk of this.chunks.splice(this.current + 1)) this.release(chunk);
    const chunk = this.chunk;
    let refs = -1;
    for (let i = this.at; i < chunk.count; i++) {
      const kind = chunk.kind[i] as number;
      if (kind < FIRST_WRITE) continue;
      if (refs < 0) refs = chunk.word[i] as number;
      if (kind >= EDIT) {
        const edit = this.editOf(chunk, i);
        this.weigh(chunk, -edit.bytes);
        edit.release?.();
      } else this.weigh(chunk, -WRITE_BYTES);
    }
    if (refs >= 0) forgetRefs(chunk, refs);
    chunk.count = this.at;
  }

  private dropOldest(): void {
    while (this.total > this.budget && this.chunks.length > 1 && !this.isAside) {
      this.release(this.chunks.shift() as Chunk);
      this.current--;
    }
  }

  /** Small edits fill a chunk by entries, large ones by bytes. */
  private isFull(chunk: Chunk): boolean {
    return chunk.bytes > this.full;
  }

  private newChunk(base: number): Chunk {
    const chunk: Chunk = this.spare ?? {
      base,
      count: 0,
      kind: new Uint8Array(this.entries),
      number: new Float64Array(this.entries),
      word: new Uint32Array(this.entries),
      refs: [],
      used: 0,
      bytes: 0,
    };
    this.spare = undefined;
    chunk.base = base;
    this.weigh(chunk, this.entries * ENTRY_BYTES);
    return chunk;
  }

  private weigh(chunk: Chunk, bytes: number): void {
    chunk.bytes += bytes;
    this.total += bytes;
  }

  private release(chunk: Chunk): void {
    const { kind, count } = chunk;
    for (let i = kind.indexOf(HOLDING_EDIT); i >= 0 && i < count; i = kind.indexOf(HOLDING_EDIT, i + 1))
      this.editOf(chunk, i).release?.();
    this.total -= chunk.bytes;
    // What it referred to goes as it is filled again.
    chunk.used = 0;
    chunk.count = 0;
    chunk.bytes = 0;
    this.spare = chunk;
  }
}

/** Lets go of what entries needed that are no more, from the one at `from` on. */
function forgetRefs(chunk: Chunk, from: number): void {
  chunk.refs.fill(undefined, from, chunk.used);
  chunk.used = from;
}
