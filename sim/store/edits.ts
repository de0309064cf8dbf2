/** Journalled writes to objects, maps and arrays: each with its exact inverse. */

import type { ChangeSet } from './changes.ts';
import type { Edit } from './journal.ts';
import type { MapOrders } from './mapOrders.ts';

const OBJECT_BYTES = 96;
const ELEMENT_BYTES = 8;

type Fields = Record<PropertyKey, unknown>;

/** A property of an object, or an element of an array, that was set. */
export class PropertyEdit implements Edit {
  readonly bytes = OBJECT_BYTES;
  private readonly object: Fields;
  private readonly key: PropertyKey;
  private readonly existed: boolean;
  /** Length of the array before, where the write made it longer; -1 otherwise. */
  private readonly length: number;
  /** The value that is not in the object now. */
  private other: unknown;

  constructor(object: object, key: PropertyKey, existed: boolean, old: unknown, length: number) {
    this.object = object as Fields;
    this.key = key;
    this.existed = existed;
    this.other = old;
    this.length = length;
  }

  undo(): void {
    const value = this.object[this.key];
    if (this.existed) this.object[this.key] = this.other;
    else delete this.object[this.key];
    if (this.length >= 0) (this.object as unknown as unknown[]).length = this.length;
    this.other = value;
  }

  redo(): void {
    const value = this.object[this.key];
    this.object[this.key] = this.other;
    this.other = value;
  }

  release(): void {}

  describe(changes: ChangeSet): void {
    changes.key(this.object, this.key);
  }
}

/** A map entry that was set. */
export class MapSetEdit<K, V> implements Edit {
  readonly bytes = OBJECT_BYTES;
  private readonly orders: MapOrders;
  private readonly map: Map<K, V>;
  private readonly key: K;
  private readonly existed: boolean;
  /** The value that is not in the map now. */
  private other: V | undefined;

  constructor(orders: MapOrders, map: Map<K, V>, key: K, existed: boolean, old: V | undefined) {
    this.orders = orders;
    this.map = map;
    this.key = key;
    this.existed = existed;
    this.other = old;
  }

  undo(): void {
    const value = this.map.get(this.key);
    if (this.existed) this.map.set(this.key, this.other as V);
    else {
      this.map.delete(this.key);
      this.orders.removed(this.map, this.key);
    }
    this.other = value;
  }

  redo(): void {
    const value = this.map.get(this.key);
    this.map.set(this.key, this.other as V);
    if (!this.existed) this.orders.appended(this.map, this.key);
    this.other = value;
  }

  release(): void {}

  describe(changes: ChangeSet): void {
    changes.key(this.map, this.key);
  }
}

/** A map entry that was deleted. */
export class MapDeleteEdit<K, V> implements Edit {
  readonly bytes = OBJECT_BYTES;
  private readonly orders: MapOrders;
  private readonly map: Map<K, V>;
  private readonly key: K;
  private value: V;
  private rank: number;

  constructor(orders: MapOrders, map: Map<K, V>, key: K, value: V, rank: number) {
    this.orders = orders;
    this.map = map;
    this.key = key;
    this.value = value;
    this.rank = rank;
  }

  undo(): void {
    this.map.set(this.key, this.value);
    this.orders.returned(this.map, this.key, this.rank);
  }

  redo(): void {
    this.value = this.map.get(this.key) as V;
    this.rank = this.orders.removed(this.map, this.key);
    this.map.delete(this.key);
  }

  release(): void {}

  describe(changes: ChangeSet): void {
    changes.key(this.map, this.key);
  }
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

  release(): void {}

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

/** What an array held before it was changed at will. */
export class ArrayEdit<T> implements Edit {
  readonly bytes: number;
  private readonly array: T[];
  private other: T[];

  constructor(array: T[]) {
    this.array = array;
    this.other = array.slice();
    this.bytes = OBJECT_BYTES + array.length * ELEMENT_BYTES;
  }

  undo(): void {
    const { array, other } = this;
    this.other = array.slice();
    array.length = other.length;
    for (let i = 0; i < other.length; i++) array[i] = other[i] as T;
  }

  redo(): void {
    this.undo();
  }

  release(): void {}

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
