/** Journalled writes to objects, maps and arrays: each with its exact inverse. */

import type { ChangeSet } from './changes.ts';
import type { Edit } from './journal.ts';
import type { MapOrders } from './mapOrders.ts';

const OBJECT_BYTES = 96;
const ELEMENT_BYTES = 8;

type Fields = Record<PropertyKey, unknown>;

/**
 * Kinds of journal entries that are no objects: each has a target, a key and the value that is not there now, as
 * three elements of an array, and a number.
 */
export const FIRST_WRITE = 240;
/** A property or element that was there. */
export const SET = 240;
/** One that was not. */
export const SET_NEW = 241;
/** An element that made its array longer; the number is the length before. */
export const SET_LONGER = 242;
/** An entry of a map that was there, and one that was not. */
export const MAP_SET = 243;
export const MAP_SET_NEW = 244;
/** An entry that was deleted from a map; the number is its rank. */
export const MAP_DELETE = 245;

/** An operation of its owner's; its subject is the key. */
export const OPERATION = 246;

/** A change that its owner undoes and redoes, of which there are many: what differs stands in the journal. */
export interface Operation {
  undo(subject: object, other: unknown, number: number): void;
  redo(subject: object, other: unknown, number: number): void;
  describe(subject: object, other: unknown, changes: ChangeSet): void;
}

/** What such an entry takes, and what it keeps alive. */
export const WRITE_BYTES = 80;

/** Undoes or redoes a write: what is there now and what is not change places. Returns the number from now on. */
export function exchangeWrite(
  orders: MapOrders,
  kind: number,
  refs: unknown[],
  at: number,
  number: number,
  forward: boolean,
): number {
  const key = refs[at + 1];
  const other = refs[at + 2];
  if (kind <= SET_LONGER) {
    const object = refs[at] as Fields;
    refs[at + 2] = object[key as PropertyKey];
    if (forward || kind === SET) object[key as PropertyKey] = other;
    else delete object[key as PropertyKey];
    if (!forward && kind === SET_LONGER) (object as unknown as unknown[]).length = number;
    return number;
  }
  if (kind === OPERATION) {
    const operation = refs[at] as Operation;
    if (forward) operation.redo(key as object, other, number);
    else operation.undo(key as object, other, number);
    return number;
  }
  const map = refs[at] as Map<unknown, unknown>;
  refs[at + 2] = map.get(key);
  if (kind === MAP_SET) map.set(key, other);
  else if (forward === (kind === MAP_SET_NEW)) {
    map.set(key, other);
    if (forward) orders.appended(map, key);
    else orders.returned(map, key, number);
  } else {
    const rank = orders.removed(map, key);
    map.delete(key);
    return kind === MAP_DELETE ? rank : number;
  }
  return number;
}

export function describeWrite(kind: number, refs: readonly unknown[], at: number, changes: ChangeSet): void {
  if (kind === OPERATION) (refs[at] as Operation).describe(refs[at + 1] as object, refs[at + 2], changes);
  else changes.key(refs[at] as object, refs[at + 1]);
}

/** Elements of an array that were replaced by others. */
export class SpliceEdit<T> implements Edit {
  readonly bytes: number;
  private readonly array: T[];
  private readonly index: number;
  /** The elements that are not in the array now, and how many there are now in their place. */
  private others: T[];
  private count: number;

  constructor(array: T[], index: number, removed: T[], added: number) {
    this.array = array;
    this.index = index;
    this.others = removed;
    this.count = added;
    this.bytes = OBJECT_BYTES + (removed.length + added) * ELEMENT_BYTES;
  }

  undo(): void {
    const others = this.others;
    this.others = spliceExactly(this.array, this.index, this.count, others);
    this.count = others.length;
  }

  redo(): void {
    this.undo();
  }

  describe(changes: ChangeSet): void {
    const before = this.others.length;
    let end = this.index + Math.max(before, this.count);
    if (before !== this.count) {
      changes.key(this.array, 'length');
      end = this.array.length + Math.max(0, before - this.count);
    }
    for (let i = this.index; i < end; i++) changes.key(this.array, i);
  }
}

/** An array that may be journalled as a whole; its elements are compared, and never looked into. */
export type Touchable = unknown[] | Float64Array;

/** What an array held before it was changed at will. */
export class ArrayEdit implements Edit {
  readonly bytes: number;
  private readonly array: Touchable;
  private other: Touchable;

  constructor(array: Touchable) {
    this.array = array;
    this.other = array.slice();
    this.bytes = OBJECT_BYTES + array.length * ELEMENT_BYTES;
  }

  undo(): void {
    const { array, other } = this;
    this.other = array.slice();
    if (Array.isArray(array)) array.length = other.length;
    for (let i = 0; i < other.length; i++) array[i] = other[i] as number;
  }

  redo(): void {
    this.undo();
  }

  describe(changes: ChangeSet): void {
    const { array, other } = this;
    if (array.length !== other.length) changes.key(array, 'length');
    for (let i = 0; i < Math.max(array.length, other.length); i++) if (array[i] !== other[i]) changes.key(array, i);
  }
}

/** More elements than this are not passed as arguments: the engine's stack is finite. */
const MAX_ARGUMENTS = 1024;

/** `Array.prototype.splice` for any number of elements; a hole stays a hole. */
export function spliceExactly<T>(array: T[], index: number, remove: number, items: readonly T[]): T[] {
  if (items.length <= MAX_ARGUMENTS && !hasHoles(items)) return array.splice(index, remove, ...items);
  const tail = array.slice(index + remove);
  const removed = array.splice(index);
  removed.length = remove;
  append(array, items);
  append(array, tail);
  return removed;
}

function hasHoles(items: readonly unknown[]): boolean {
  for (let i = 0; i < items.length; i++) if (!(i in items)) return true;
  return false;
}

function append<T>(array: T[], items: readonly T[]): void {
  const base = array.length;
  array.length = base + items.length;
  for (let i = 0; i < items.length; i++) if (i in items) array[base + i] = items[i] as T;
}
