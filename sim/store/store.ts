/**
 * The one journalled store. Every write notes what it replaced in one journal; undo and
 * redo exchange the two, on the same objects, so references held elsewhere stay valid.
 * There are no checkpoints and nothing is copied on write: journal.ts says why.
 */

import { canonicalText } from './canonical.ts';
import { ChangeSet } from './changes.ts';
import type { PageColumn } from './column.ts';
import {
  ArrayEdit,
  MAP_DELETE,
  MAP_SET,
  MAP_SET_NEW,
  OPERATION,
  type Operation,
  SET,
  SET_LONGER,
  SET_NEW,
  SpliceEdit,
  spliceExactly,
  type Touchable,
} from './edits.ts';
import { type Edit, Journal, MAX_COLUMNS } from './journal.ts';
import { JournalledColumn } from './journalledColumn.ts';
import { MapOrders } from './mapOrders.ts';
import { UnorderedMap } from './unorderedMap.ts';

/** A position in the journal. Positions are ordered; equal positions are the same state. */
export type Mark = number & { readonly unit?: 'mark' };

/** What changed between two marks. */
export interface Changes {
  /**
   * Page frames whose struct page changed in any column: ascending disjoint runs, of which
   * the closest are joined beyond `limit`. A page that was changed and changed back counts.
   */
  pages: { start: number; end: number }[];
  /** Objects that changed, with the keys written (property names, map keys, or array indices). */
  objects: Map<object, Set<unknown>>;
}

/**
 * The one journalled store: everything mutable of a machine changes through it, so
 * that undo, redo, compare and replay need no co-operation from `mm/`.
 */
export interface Store {
  /** A new column of struct page. Not journalled itself: call it while the machine is built. */
  column(name: string, defaultValue: number): PageColumn;
  /** The columns by name, in order of creation. */
  readonly columns: ReadonlyMap<string, PageColumn>;
  /** Writes one own data property of an object or element of an array. Writing what is there already is no change. */
  set<T extends object, K extends keyof T>(object: T, key: K, value: T[K]): void;
  /** Journals the write of a property that is always there, which the caller has just made: for fields of records. */
  wrote<T extends object, K extends keyof T>(object: T, key: K, old: T[K]): void;
  mapSet<K, V>(map: Map<K, V>, key: K, value: V): void;
  /**
   * Adds to a counter. Between two marks only the first of many additions is an entry of the journal, for one
   * that changes with every page; so a position in between that nobody marked has no exact counters.
   */
  add<T extends object, K extends keyof T>(object: T, key: K, delta: number | bigint): void;
  /** To be said before an addition that the caller makes itself: the same, without a look-up of the counter by its name. */
  willAdd<T extends object>(object: T, key: keyof T): void;
  /** The same for an entry of a map; one that is not there is 0. */
  mapAdd<K>(map: Map<K, number>, key: K, delta: number): void;
  mapDelete<K, V>(map: Map<K, V>, key: K): void;
  /**
   * Journals what an array holds; until the next mark it may then be changed freely, and needs no further entry.
   * Whoever changes it so says so before each change. As with `add`, positions that nobody marked are not exact.
   */
  touch(array: Touchable): void;
  /** Writes an element that is there, of an array in which many are written: from some number on the array is touched. */
  setDense(array: Float64Array, index: number, value: number): void;
  setDense<T>(array: T[], index: number, value: T): void;
  /** Array splice, journalled. Returns the removed elements. */
  splice<T>(array: T[], index: number, remove: number, ...items: T[]): T[];
  /** Journals a change that was just made to objects of the caller's, who brings its exact inverse. */
  edit(edit: Edit): void;
  /** The same for changes of which there are many: the operation is one, and gets what it was applied to. */
  operation(operation: Operation, subject: object, other: unknown, number: number): void;
  /**
   * Rises at every mark. What was made in the epoch that runs and is in the journal as an entry of a map may be
   * changed unjournalled: with the entry the whole object goes and comes. As with `add`, positions that nobody
   * marked are not exact.
   */
  readonly epoch: number;
  /** Now. */
  mark(): Mark;
  /**
   * Goes back (undo) or forward (redo) to `mark`. A write after going back discards what lay
   * ahead. Throws a RangeError for a mark outside `oldest` to `newest`.
   */
  travel(mark: Mark): void;
  /** The furthest mark `travel` can still reach. */
  readonly newest: Mark;
  /** The earliest mark `travel` can reach; rises when old journal is dropped to keep within the budget. */
  readonly oldest: Mark;
  /**
   * What was written between two marks, in either order, whether they lie behind or ahead;
   * at most `limit` runs of pages (4096). Throws a RangeError for marks that cannot be reached.
   */
  changes(from: Mark, to: Mark, limit?: number): Changes;
  /**
   * Runs `body` and takes back whatever it wrote, also in the middle of the journal: marks behind and ahead stay
   * what they were. For looking at what something would do; nothing is dropped meanwhile, so bound what runs.
   */
  aside<T>(body: () => T): T;
  /** Turns journalling off while the machine is built (boot); nothing before can be travelled to. */
  unjournalled<T>(build: () => T): T;
  /** A canonical text of columns (as runs) and of the object graph under `roots`: equal states give equal bytes. */
  canonical(roots: Record<string, unknown>): string;
  /** Bytes the columns and the journal hold, for the benchmark. */
  bytes(): { columns: number; journal: number };
}

export interface StoreOptions {
  /** Bytes the journal may hold, estimated (64 MiB). Beyond it the oldest entries are dropped; the last write stays. */
  journalBudget?: number;
}

export function createStore(options: StoreOptions = {}): Store {
  return new JournalledStore(options.journalBudget ?? DEFAULT_BUDGET);
}

const DEFAULT_BUDGET = 64 * 2 ** 20;
const DEFAULT_RUNS = 4096;

/** Elements of one array that are journalled one by one; more, and the array is journalled as a whole. */
const FEW = 16;
/** Counters remembered as journalled since the last mark. */
const COUNTERS = 24;

class JournalledStore implements Store {
  readonly columns = new Map<string, JournalledColumn>();
  private readonly orders = new MapOrders();
  private readonly journal: Journal;
  /* Counters whose value at the last mark is in the journal; the newest take the place of the oldest. */
  private readonly counterObjects: object[] = [];
  private readonly counterKeys: unknown[] = [];
  private nextCounter = 0;
  /** Arrays journalled as a whole since the last mark, and how many elements were written of others. */
  private readonly touched = new Set<object>();
  private readonly dense = new Map<object, number>();
  /** Those touched last: a page that moves touches some lists in turn. */
  private touched0: object | undefined;
  private touched1: object | undefined;
  private touched2: object | undefined;
  private touched3: object | undefined;
  epoch = 1;

  constructor(budget: number) {
    this.journal = new Journal(budget, this.orders);
  }

  get newest(): Mark {
    this.forgetCounters();
    return this.journal.newest;
  }

  get oldest(): Mark {
    return this.journal.oldest;
  }

  column(name: string, defaultValue: number): PageColumn {
    const index = this.columns.size;
    if (this.columns.has(name)) throw new Error(`column ${name} exists already`);
    if (index >= MAX_COLUMNS) throw new Error(`column ${name}: at most ${MAX_COLUMNS} columns`);
    const column = new JournalledColumn(this.journal, index, defaultValue);
    this.columns.set(name, column);
    this.journal.columns.push(column.tree);
    return column;
  }

  set<T extends object, K extends keyof T>(object: T, key: K, value: T[K]): void {
    const old = object[key];
    const existed = old !== undefined || Object.hasOwn(object, key);
    if (existed && Object.is(old, value)) return;
    const length = Array.isArray(object) ? object.length : -1;
    if (length >= 0 && key === 'length' && (value as number) < length) {
      this.splice(object as unknown[], value as number, length);
      return;
    }
    object[key] = value;
    if (!this.journal.recording) return;
    const isLonger = length >= 0 && key !== 'length' && (object as unknown as unknown[]).length > length;
    this.journal.write(isLonger ? SET_LONGER : existed ? SET : SET_NEW, object, key, old, length);
  }

  wrote<T extends object, K extends keyof T>(object: T, key: K, old: T[K]): void {
    if (this.journal.recording) this.journal.write(SET, object, key, old, -1);
  }

  mapSet<K, V>(map: Map<K, V>, key: K, value: V): void {
    if (map instanceof UnorderedMap) {
      const old = map.exchange(key as number, value);
      if (old === value || !this.journal.recording) return;
      this.journal.write(old === undefined ? MAP_SET_NEW : MAP_SET, map, key, old, 0);
      return;
    }
    const old = map.get(key);
    const existed = old !== undefined || map.has(key);
    if (existed && Object.is(old, value)) return;
    map.set(key, value);
    if (!this.journal.recording) return;
    if (!existed) this.orders.appended(map, key);
    this.journal.write(existed ? MAP_SET : MAP_SET_NEW, map, key, old, 0);
  }

  add<T extends object, K extends keyof T>(object: T, key: K, delta: number | bigint): void {
    if (delta === 0) return;
    // Counter and difference are both numbers, or both bigints.
    const value = (object[key] as number) + (delta as number);
    if (this.isCounted(object, key)) object[key] = value as T[K];
    else {
      this.set(object, key, value as T[K]);
      this.remember(object, key);
    }
  }

  willAdd<T extends object>(object: T, key: keyof T): void {
    if (this.isCounted(object, key)) return;
    this.wrote(object, key, object[key]);
    this.remember(object, key);
  }

  mapAdd<K>(map: Map<K, number>, key: K, delta: number): void {
    if (delta === 0 && map.has(key)) return;
    const old = map.get(key);
    if (old !== undefined && this.isCounted(map, key)) map.set(key, old + delta);
    else {
      this.mapSet(map, key, (old ?? 0) + delta);
      this.remember(map, key);
    }
  }

  private isCounted(object: object, key: unknown): boolean {
    const { counterObjects, counterKeys } = this;
    for (let i = 0; i < counterObjects.length; i++)
      if (counterObjects[i] === object && counterKeys[i] === key) return true;
    return false;
  }

  private remember(object: object, key: unknown): void {
    this.counterObjects[this.nextCounter] = object;
    this.counterKeys[this.nextCounter] = key;
    this.nextCounter = (this.nextCounter + 1) % COUNTERS;
  }

  /** Someone may come back to this position: the next addition to any counter is an entry again. */
  private forgetCounters(): void {
    this.epoch++;
    if (this.counterObjects.length > 0) {
      this.counterObjects.length = 0;
      this.counterKeys.length = 0;
      this.nextCounter = 0;
    }
    if (this.touched.size > 0) this.touched.clear();
    if (this.dense.size > 0) this.dense.clear();
    this.touched0 = undefined;
    this.touched1 = undefined;
    this.touched2 = undefined;
    this.touched3 = undefined;
  }

  touch(array: Touchable): void {
    if (!this.journal.recording || this.isTouched(array)) return;
    this.touched.add(array);
    this.touched0 = array;
    this.journal.edit(new ArrayEdit(array));
  }

  private isTouched(array: object): boolean {
    if (array === this.touched0 || array === this.touched1 || array === this.touched2 || array === this.touched3)
      return true;
    if (!this.touched.has(array)) return false;
    this.touched3 = this.touched2;
    this.touched2 = this.touched1;
    this.touched1 = this.touched0;
    this.touched0 = array;
    return true;
  }

  setDense(array: unknown[] | Float64Array, index: number, value: unknown): void {
    if (array[index] === value) return;
    if (!this.isTouched(array)) {
      const written = this.dense.get(array) ?? 0;
      if (written < FEW) {
        this.dense.set(array, written + 1);
        this.set(array as unknown[], index, value);
        return;
      }
      this.touch(array);
    }
    (array as unknown[])[index] = value;
  }

  mapDelete<K, V>(map: Map<K, V>, key: K): void {
    if (map instanceof UnorderedMap) {
      const old = map.take(key as number);
      if (old !== undefined && this.journal.recording) this.journal.write(MAP_DELETE, map, key, old, -1);
      return;
    }
    const old = map.get(key);
    if (old === undefined && !map.has(key)) return;
    if (this.journal.recording) this.journal.write(MAP_DELETE, map, key, old, this.orders.rank(map, key));
    map.delete(key);
  }

  splice<T>(array: T[], index: number, remove: number, ...items: T[]): T[] {
    const length = array.length;
    const at = index < 0 ? Math.max(0, length + index) : Math.min(index, length);
    const removed = spliceExactly(array, at, Math.max(0, Math.min(remove, length - at)), items);
    const isChange = removed.length > 0 || items.length > 0;
    if (this.journal.recording && isChange) {
      this.journal.edit(new SpliceEdit(array, at, removed.slice(), items.length));
    }
    return removed;
  }

  edit(edit: Edit): void {
    if (this.journal.recording) this.journal.edit(edit);
  }

  operation(operation: Operation, subject: object, other: unknown, number: number): void {
    if (this.journal.recording) this.journal.write(OPERATION, operation, subject, other, number);
  }

  mark(): Mark {
    this.forgetCounters();
    return this.journal.position;
  }

  travel(mark: Mark): void {
    this.forgetCounters();
    this.journal.travel(mark);
    this.orders.settle();
  }

  changes(from: Mark, to: Mark, limit = DEFAULT_RUNS): Changes {
    this.journal.check(from);
    this.journal.check(to);
    const here = this.mark();
    const last = Math.max(from, to);
    const changes = new ChangeSet();
    // An edit knows what it changed only while it is done: what lies ahead is done for a moment.
    if (last > here) this.travel(last);
    this.journal.describe(Math.min(from, to), last, changes);
    const result = changes.result(limit);
    if (last > here) this.travel(here);
    return result;
  }

  aside<T>(body: () => T): T {
    this.forgetCounters();
    try {
      return this.journal.aside(body);
    } finally {
      this.orders.settle();
      this.forgetCounters();
    }
  }

  unjournalled<T>(build: () => T): T {
    if (!this.journal.recording) return build();
    this.journal.recording = false;
    try {
      return build();
    } finally {
      this.journal.recording = true;
      this.forgetCounters();
      this.journal.reset();
      this.orders.forget();
    }
  }

  canonical(roots: Record<string, unknown>): string {
    const names = new Map<object, string>([[this, 'store']]);
    for (const [name, column] of this.columns) names.set(column, `column ${name}`);
    return canonicalText(this.columns, names, roots);
  }

  bytes(): { columns: number; journal: number } {
    let columns = 0;
    for (const column of this.columns.values()) columns += column.bytes();
    return { columns, journal: this.journal.bytes };
  }
}
