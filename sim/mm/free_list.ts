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
  /** Runs by the pfn of their first block. */
  readonly byStart: Map<number, Run>;
  /** Starts of the runs longer than one block, ascending. */
  readonly long: number[];
}

/** All free blocks of one order. */
export class FreeArea {
  nr_free = 0;
  readonly order: number;
  private readonly lists: List[] = [];

  constructor(order: number, migrateTypes: number) {
    this.order = order;
    for (let type = 0; type < migrateTypes; type++)
      this.lists.push({ head: undefined, tail: undefined, byStart: new Map(), long: [] });
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

  /** Blocks in list order, for checking; `limit` runs at most. */
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
      this.resize(store, list, tail, tail.start, tail.count + count);
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
    this.enlist(store, list, run);
  }

  /** Takes up to `count` blocks from the head that are adjacent; returns how many, starting at the old `first`. */
  takeFirst(store: Store, type: number, count: number): number {
    const list = this.list(type);
    const run = list.head;
    if (!run) return 0;
    const taken = Math.min(count, run.count);
    store.set(this, 'nr_free', this.nr_free - taken);
    if (taken === run.count) this.unlink(store, list, run);
    else this.resize(store, list, run, run.start + taken * (1 << this.order), run.count - taken);
    return taken;
  }

  /** How many listed blocks follow each other from `pfn` on, 0 if none is there; at least the rest of its run. */
  adjacent(type: number, pfn: number): number {
    const list = this.list(type);
    const run = list.byStart.get(pfn) ?? this.containing(list, pfn);
    return run ? run.count - (pfn - run.start) / (1 << this.order) : 0;
  }

  /** Takes `count` adjacent blocks of one run out, the first at `pfn`, wherever they are. */
  remove(store: Store, type: number, pfn: number, count = 1): void {
    const list = this.list(type);
    const size = 1 << this.order;
    const run = list.byStart.get(pfn) ?? this.containing(list, pfn);
    if (!run) throw new RangeError(`no free block of order ${this.order} at pfn ${pfn.toString(16)}`);
    store.set(this, 'nr_free', this.nr_free - count);
    const before = (pfn - run.start) / size;
    const after = run.count - before - count;
    if (before === 0 && after === 0) {
      this.unlink(store, list, run);
    } else if (before === 0) {
      this.resize(store, list, run, pfn + count * size, after);
    } else {
      this.resize(store, list, run, run.start, before);
      if (after > 0) {
        const rest: Run = { start: pfn + count * size, count: after, prev: run, next: run.next };
        if (run.next) store.set(run.next, 'prev', rest);
        else store.set(list, 'tail', rest);
        store.set(run, 'next', rest);
        this.enlist(store, list, rest);
      }
    }
  }

  private containing(list: List, pfn: number): Run | undefined {
    const start = list.long[upperBound(list.long, pfn) - 1];
    const run = start === undefined ? undefined : list.byStart.get(start);
    return run && pfn < run.start + run.count * (1 << this.order) ? run : undefined;
  }

  private enlist(store: Store, list: List, run: Run): void {
    store.mapSet(list.byStart, run.start, run);
    if (run.count > 1) store.splice(list.long, upperBound(list.long, run.start), 0, run.start);
  }

  private delist(store: Store, list: List, run: Run): void {
    store.mapDelete(list.byStart, run.start);
    if (run.count > 1) store.splice(list.long, upperBound(list.long, run.start) - 1, 1);
  }

  private resize(store: Store, list: List, run: Run, start: number, count: number): void {
    if (start === run.start && count > 1 === run.count > 1) {
      store.set(run, 'count', count);
      return;
    }
    this.delist(store, list, run);
    store.set(run, 'start', start);
    store.set(run, 'count', count);
    this.enlist(store, list, run);
  }

  private unlink(store: Store, list: List, run: Run): void {
    if (run.prev) store.set(run.prev, 'next', run.next);
    else store.set(list, 'head', run.next);
    if (run.next) store.set(run.next, 'prev', run.prev);
    else store.set(list, 'tail', run.prev);
    this.delist(store, list, run);
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
