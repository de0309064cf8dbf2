/**
 * One free_area of the buddy allocator (mm/page_alloc.c): for every migrate type a
 * list of free blocks. Neighbouring blocks that were freed together are one run, so
 * that terabytes of free memory cost a few objects; a block taken out of the middle
 * splits its run. The order of the list is the kernel's.
 *
 * A list changes in three ways: a run is linked, unlinked or resized. Each is one entry
 * of the journal, because an allocation is little else; a run that was unlinked keeps
 * its neighbours, and so finds its place again when that is undone.
 */
import type { ChangeSet } from '../store/changes.ts';
import type { Operation } from '../store/edits.ts';
import type { Edit } from '../store/journal.ts';
import type { Store } from '../store/store.ts';
import { RunIndex } from './runIndex.ts';

/** `count` blocks, ascending and adjacent, the first at `start`. */
interface Run {
  start: number;
  count: number;
  prev: Run | undefined;
  next: Run | undefined;
}

class List {
  head: Run | undefined = undefined;
  tail: Run | undefined = undefined;
  /* Where runs are; follows from the links. */
  readonly #byStart = new RunIndex<Run>();
  /** Starts of the runs longer than one block, ascending. */
  readonly #long: number[] = [];
  readonly #linked: LinkOperation;
  readonly #unlinked: LinkOperation;

  constructor(area: FreeArea) {
    this.#linked = new LinkOperation(area, this, true);
    this.#unlinked = new LinkOperation(area, this, false);
  }

  /** What journals that a run was linked, or unlinked. */
  operation(isLink: boolean): LinkOperation {
    return isLink ? this.#linked : this.#unlinked;
  }

  /** Puts a run between its neighbours. */
  link(run: Run): void {
    if (run.prev) run.prev.next = run;
    else this.head = run;
    if (run.next) run.next.prev = run;
    else this.tail = run;
    this.#enter(run);
  }

  unlink(run: Run): void {
    if (run.prev) run.prev.next = run.next;
    else this.head = run.next;
    if (run.next) run.next.prev = run.prev;
    else this.tail = run.prev;
    this.#leave(run);
  }

  resize(run: Run, start: number, count: number): void {
    if (run.count > 1 && count > 1) {
      // It keeps its place among the long ones.
      this.#long[upperBound(this.#long, run.start) - 1] = start;
      if (start !== run.start) {
        this.#byStart.delete(run.start);
        this.#byStart.add(start, run);
      }
      run.start = start;
      run.count = count;
      return;
    }
    this.#leave(run);
    run.start = start;
    run.count = count;
    this.#enter(run);
  }

  #enter(run: Run): void {
    this.#byStart.add(run.start, run);
    if (run.count > 1) this.#long.splice(upperBound(this.#long, run.start), 0, run.start);
  }

  #leave(run: Run): void {
    this.#byStart.delete(run.start);
    if (run.count > 1) this.#long.splice(upperBound(this.#long, run.start) - 1, 1);
  }

  /** The run that the block of `size` pages at `pfn` is in. */
  find(pfn: number, size: number): Run | undefined {
    const exact = this.#byStart.get(pfn);
    if (exact) return exact;
    const start = this.#long[upperBound(this.#long, pfn) - 1];
    const run = start === undefined ? undefined : this.#byStart.get(start);
    return run && pfn < run.start + run.count * size ? run : undefined;
  }
}

/** Counts free pages: a zone. Its change belongs to the change of the list that caused it. */
export interface Counter {
  nr_free: number;
}

/** A run came to a list, or left it, with `delta` pages of a counter. */
class LinkOperation implements Operation {
  private readonly area: FreeArea;
  private readonly list: List;
  private readonly isLink: boolean;

  constructor(area: FreeArea, list: List, isLink: boolean) {
    this.area = area;
    this.list = list;
    this.isLink = isLink;
  }

  undo(run: Run, counter: Counter | undefined, delta: number): void {
    this.turn(run, !this.isLink);
    if (counter) counter.nr_free -= delta;
  }

  redo(run: Run, counter: Counter | undefined, delta: number): void {
    this.turn(run, this.isLink);
    if (counter) counter.nr_free += delta;
  }

  describe(_run: Run, counter: Counter | undefined, changes: ChangeSet): void {
    changes.key(this.area, 'nr_free');
    if (counter) changes.key(counter, 'nr_free');
  }

  private turn(run: Run, isIn: boolean): void {
    if (isIn) {
      this.area.nr_free += run.count;
      this.list.link(run);
    } else {
      this.area.nr_free -= run.count;
      this.list.unlink(run);
    }
  }
}

class ResizeEdit implements Edit {
  readonly bytes = 96;
  private readonly area: FreeArea;
  private readonly list: List;
  private readonly run: Run;
  /* What the run was before; while undone, what it will be. */
  private start: number;
  private count: number;
  private readonly counter: Counter | undefined;
  private readonly delta: number;

  constructor(area: FreeArea, list: List, run: Run, counter: Counter | undefined, delta: number) {
    this.area = area;
    this.list = list;
    this.run = run;
    this.start = run.start;
    this.count = run.count;
    this.counter = counter;
    this.delta = delta;
  }

  undo(): void {
    this.turn();
    if (this.counter) this.counter.nr_free -= this.delta;
  }

  redo(): void {
    this.turn();
    if (this.counter) this.counter.nr_free += this.delta;
  }

  describe(changes: ChangeSet): void {
    changes.key(this.area, 'nr_free');
    if (this.counter) changes.key(this.counter, 'nr_free');
  }

  private turn(): void {
    const { area, list, run } = this;
    const { start, count } = run;
    area.nr_free += this.count - count;
    list.resize(run, this.start, this.count);
    this.start = start;
    this.count = count;
  }
}

/** All free blocks of one order. */
export class FreeArea {
  nr_free = 0;
  readonly order: number;
  private readonly lists: List[] = [];

  constructor(order: number, migrateTypes: number) {
    this.order = order;
    for (let type = 0; type < migrateTypes; type++) this.lists.push(new List(this));
  }

  private list(type: number): List {
    const list = this.lists[type];
    if (!list) throw new RangeError(`migrate type ${type}`);
    return list;
  }

  isEmpty(type: number): boolean {
    return this.list(type).head === undefined;
  }

  /** The block that would be taken next, without taking it. */
  first(type: number): number | undefined {
    return this.list(type).head?.start;
  }

  /** Number of free blocks of `type`, for /proc/pagetypeinfo. */
  countOf(type: number): number {
    let count = 0;
    for (let run = this.list(type).head; run; run = run.next) count += run.count;
    return count;
  }

  /** Blocks in list order, for checking. */
  *runs(type: number): Generator<{ start: number; count: number }> {
    for (let run = this.list(type).head; run; run = run.next) yield { start: run.start, count: run.count };
  }

  /**
   * Adds `count` adjacent blocks from `pfn` on, in ascending order, to the head or tail of the list;
   * `counter` changes by `delta` pages with it.
   */
  add(store: Store, type: number, pfn: number, count: number, toTail: boolean, counter?: Counter, delta = 0): void {
    const list = this.list(type);
    const { head, tail } = list;
    if (toTail && tail && tail.start + tail.count * (1 << this.order) === pfn)
      this.resize(store, list, tail, tail.start, tail.count + count, counter, delta);
    else if (toTail) this.link(store, list, { start: pfn, count, prev: tail, next: undefined }, counter, delta);
    else this.link(store, list, { start: pfn, count, prev: undefined, next: head }, counter, delta);
  }

  /** Takes up to `count` blocks from the head that are adjacent; returns how many, starting at the old `first`. */
  takeFirst(store: Store, type: number, count: number, counter?: Counter, delta = 0): number {
    const list = this.list(type);
    const run = list.head;
    if (!run) return 0;
    const taken = Math.min(count, run.count);
    if (taken === run.count) this.unlink(store, list, run, counter, delta);
    else this.resize(store, list, run, run.start + taken * (1 << this.order), run.count - taken, counter, delta);
    return taken;
  }

  /** Takes `count` adjacent blocks from `pfn` on out of the run they are in, wherever that is. */
  remove(store: Store, type: number, pfn: number, count = 1): void {
    const list = this.list(type);
    const size = 1 << this.order;
    const run = list.find(pfn, size);
    const before = run ? (pfn - run.start) / size : 0;
    const after = run ? run.count - before - count : -1;
    if (!run || after < 0)
      throw new RangeError(`no ${count} free block(s) of order ${this.order} at pfn ${pfn.toString(16)}`);
    if (before === 0 && after === 0) this.unlink(store, list, run);
    else if (before === 0) this.resize(store, list, run, pfn + count * size, after);
    else {
      this.resize(store, list, run, run.start, before);
      if (after > 0) this.link(store, list, { start: pfn + count * size, count: after, prev: run, next: run.next });
    }
  }

  /** How many blocks of the run that holds the block at `pfn` lie at or behind it; 0 if it is not on the list. */
  adjacentFrom(type: number, pfn: number): number {
    const size = 1 << this.order;
    const run = this.list(type).find(pfn, size);
    return run ? run.count - (pfn - run.start) / size : 0;
  }

  private link(store: Store, list: List, run: Run, counter?: Counter, delta = 0): void {
    this.nr_free += run.count;
    if (counter) counter.nr_free += delta;
    list.link(run);
    store.operation(list.operation(true), run, counter, delta);
  }

  private unlink(store: Store, list: List, run: Run, counter?: Counter, delta = 0): void {
    this.nr_free -= run.count;
    if (counter) counter.nr_free += delta;
    list.unlink(run);
    store.operation(list.operation(false), run, counter, delta);
  }

  private resize(store: Store, list: List, run: Run, start: number, count: number, counter?: Counter, delta = 0): void {
    const edit = new ResizeEdit(this, list, run, counter, delta);
    this.nr_free += count - run.count;
    if (counter) counter.nr_free += delta;
    list.resize(run, start, count);
    store.edit(edit);
  }
}

/** Index of the first element greater than `value`. */
function upperBound(sorted: readonly number[], value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? 0) <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}
