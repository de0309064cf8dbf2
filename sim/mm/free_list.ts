/**
 * One free_area of the buddy allocator (mm/page_alloc.c): for every migrate type a
 * list of free blocks. Neighbouring blocks that were freed together are one run, so
 * that terabytes of free memory cost a few objects; a block taken out of the middle
 * splits its run. The order of the list is the kernel's.
 */
import type { Store } from '../store/store.ts';

/** `count` blocks, ascending and adjacent, the first at `start`. */
interface Run {
  start: number;
  count: number;
  prev: Run | undefined;
  next: Run | undefined;
}

interface List {
  head: Run | undefined;
  tail: Run | undefined;
}

/** Is the run in the list now? One that was taken out keeps its links, and nothing links to it. */
const isListed = (list: List, run: Run): boolean =>
  run.prev === undefined ? list.head === run : run.prev.next === run;

/**
 * Where runs are, by pfn. Derived from the list and not journalled: what it says is
 * checked against the list, and after undo it is made anew when it is found wrong.
 */
class RunIndex {
  private readonly byStart = new Map<number, Run>();
  /** Starts of the runs longer than one block, ascending. */
  private readonly long: number[] = [];

  add(run: Run): void {
    this.byStart.set(run.start, run);
    if (run.count > 1) this.addLong(run.start);
  }

  addLong(start: number): void {
    const at = upperBound(this.long, start);
    if (this.long[at - 1] !== start) this.long.splice(at, 0, start);
  }

  remove(start: number, wasLong: boolean): void {
    this.byStart.delete(start);
    if (wasLong) this.removeLong(start);
  }

  removeLong(start: number): void {
    const at = upperBound(this.long, start) - 1;
    if (this.long[at] === start) this.long.splice(at, 1);
  }

  find(list: List, pfn: number, size: number): Run | undefined {
    return this.known(list, pfn, size) ?? this.rebuilt(list).known(list, pfn, size);
  }

  private known(list: List, pfn: number, size: number): Run | undefined {
    const exact = this.byStart.get(pfn);
    if (exact && exact.start === pfn && isListed(list, exact)) return exact;
    const start = this.long[upperBound(this.long, pfn) - 1];
    const run = start === undefined ? undefined : this.byStart.get(start);
    return run && run.start === start && pfn < run.start + run.count * size && isListed(list, run) ? run : undefined;
  }

  private rebuilt(list: List): this {
    this.byStart.clear();
    this.long.length = 0;
    for (let run = list.head; run; run = run.next) {
      this.byStart.set(run.start, run);
      if (run.count > 1) this.long.push(run.start);
    }
    this.long.sort((a, b) => a - b);
    return this;
  }
}

/** All free blocks of one order. */
export class FreeArea {
  nr_free = 0;
  readonly order: number;
  private readonly lists: List[] = [];
  readonly #indices: RunIndex[] = [];

  constructor(order: number, migrateTypes: number) {
    this.order = order;
    for (let type = 0; type < migrateTypes; type++) {
      this.lists.push({ head: undefined, tail: undefined });
      this.#indices.push(new RunIndex());
    }
  }

  private list(type: number): List {
    const list = this.lists[type];
    if (!list) throw new RangeError(`migrate type ${type}`);
    return list;
  }

  private index(type: number): RunIndex {
    return this.#indices[type] as RunIndex;
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

  /** Adds `count` adjacent blocks from `pfn` on, in ascending order, to the head or tail of the list. */
  add(store: Store, type: number, pfn: number, count: number, toTail: boolean): void {
    const list = this.list(type);
    const size = 1 << this.order;
    store.set(this, 'nr_free', this.nr_free + count);
    const { tail } = list;
    if (toTail && tail && tail.start + tail.count * size === pfn) {
      this.resize(store, type, tail, tail.start, tail.count + count);
      return;
    }
    const run: Run = { start: pfn, count, prev: undefined, next: undefined };
    if (toTail) {
      run.prev = tail;
      if (tail) store.set(tail, 'next', run);
      else store.set(list, 'head', run);
      store.set(list, 'tail', run);
    } else {
      run.next = list.head;
      if (list.head) store.set(list.head, 'prev', run);
      else store.set(list, 'tail', run);
      store.set(list, 'head', run);
    }
    this.index(type).add(run);
  }

  /** Takes up to `count` blocks from the head that are adjacent; returns how many, starting at the old `first`. */
  takeFirst(store: Store, type: number, count: number): number {
    const run = this.list(type).head;
    if (!run) return 0;
    const taken = Math.min(count, run.count);
    store.set(this, 'nr_free', this.nr_free - taken);
    if (taken === run.count) this.unlink(store, type, run);
    else this.resize(store, type, run, run.start + taken * (1 << this.order), run.count - taken);
    return taken;
  }

  /** Takes `count` adjacent blocks from `pfn` on out of the run they are in, wherever that is. */
  remove(store: Store, type: number, pfn: number, count = 1): void {
    const list = this.list(type);
    const size = 1 << this.order;
    const run = this.index(type).find(list, pfn, size);
    const before = run ? (pfn - run.start) / size : 0;
    const after = run ? run.count - before - count : -1;
    if (!run || after < 0)
      throw new RangeError(`no ${count} free block(s) of order ${this.order} at pfn ${pfn.toString(16)}`);
    store.set(this, 'nr_free', this.nr_free - count);
    if (before === 0 && after === 0) {
      this.unlink(store, type, run);
    } else if (before === 0) {
      this.resize(store, type, run, pfn + count * size, after);
    } else {
      this.resize(store, type, run, run.start, before);
      if (after > 0) {
        const rest: Run = { start: pfn + count * size, count: after, prev: run, next: run.next };
        if (run.next) store.set(run.next, 'prev', rest);
        else store.set(list, 'tail', rest);
        store.set(run, 'next', rest);
        this.index(type).add(rest);
      }
    }
  }

  /** How many blocks of the run that holds the block at `pfn` lie at or behind it; 0 if it is not on the list. */
  adjacentFrom(type: number, pfn: number): number {
    const size = 1 << this.order;
    const run = this.index(type).find(this.list(type), pfn, size);
    return run ? run.count - (pfn - run.start) / size : 0;
  }

  private resize(store: Store, type: number, run: Run, start: number, count: number): void {
    const index = this.index(type);
    if (start !== run.start) {
      index.remove(run.start, run.count > 1);
      store.set(run, 'start', start);
      store.set(run, 'count', count);
      index.add(run);
      return;
    }
    if (run.count > 1 && count === 1) index.removeLong(start);
    if (run.count === 1 && count > 1) index.addLong(start);
    store.set(run, 'count', count);
  }

  private unlink(store: Store, type: number, run: Run): void {
    const list = this.list(type);
    if (run.prev) store.set(run.prev, 'next', run.next);
    else store.set(list, 'head', run.next);
    if (run.next) store.set(run.next, 'prev', run.prev);
    else store.set(list, 'tail', run.prev);
    this.index(type).remove(run.start, run.count > 1);
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
