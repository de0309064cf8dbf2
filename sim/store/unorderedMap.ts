/**
 * A map by whole number whose order of insertion means nothing: it lists its keys ascending, and undo need not
 * restore an order. For maps with an entry for every page: leaves of 512 neighbours cost a third of what hashing
 * does, and nothing is ever copied because the map grows. A value is never undefined.
 */

const LEAF_BITS = 9;
const LEAF = 512;
const LEAF_MASK = 511;
const NO_LEAF = -1;
/** So many leaves hold the pages of the first 64 GiB. */
const NEAR = 32768;
const NEAR_KEYS = NEAR * LEAF;

interface Leaf<V> {
  count: number;
  readonly slots: (V | undefined)[];
}

export class UnorderedMap<V> extends Map<number, V> {
  /** Leaves with a small number by their number, the others by key. */
  readonly #near: (Leaf<V> | undefined)[] = [];
  readonly #leaves = new Map<number, Leaf<V>>();
  #size = 0;
  /* The one of the others that was found last: neighbours follow each other. */
  #lastIndex = NO_LEAF;
  #last: Leaf<V> | undefined;
  /** The leaf that became empty last. */
  #spare: Leaf<V> | undefined;

  override get size(): number {
    return this.#size;
  }

  override get(key: number): V | undefined {
    if (key >= 0 && key < NEAR_KEYS) return this.#near[key >>> LEAF_BITS]?.slots[key & LEAF_MASK];
    const index = Math.floor(key / LEAF);
    return this.#leaf(index)?.slots[key - index * LEAF];
  }

  override has(key: number): boolean {
    return this.get(key) !== undefined;
  }

  override set(key: number, value: V): this {
    this.exchange(key, value);
    return this;
  }

  override delete(key: number): boolean {
    return this.take(key) !== undefined;
  }

  /** Sets an entry, and gives what it was. */
  exchange(key: number, value: V): V | undefined {
    const index = leafOf(key);
    const leaf = this.#leaf(index) ?? this.#newLeaf(index);
    const slot = key - index * LEAF;
    const old = leaf.slots[slot];
    leaf.slots[slot] = value;
    if (old === undefined) {
      leaf.count++;
      this.#size++;
    }
    return old;
  }

  /** Deletes an entry, and gives what it was. */
  take(key: number): V | undefined {
    const index = leafOf(key);
    const leaf = this.#leaf(index);
    if (leaf === undefined) return undefined;
    const slot = key - index * LEAF;
    const old = leaf.slots[slot];
    if (old === undefined) return undefined;
    leaf.slots[slot] = undefined;
    this.#size--;
    if (--leaf.count === 0) {
      this.#drop(index);
      this.#spare = leaf;
    }
    return old;
  }

  override clear(): void {
    this.#near.length = 0;
    this.#leaves.clear();
    this.#size = 0;
    this.#lastIndex = NO_LEAF;
    this.#last = undefined;
  }

  override *entries(): MapIterator<[number, V]> {
    for (let index = 0; index < this.#near.length; index++) yield* entriesOf(this.#near[index], index);
    for (const index of [...this.#leaves.keys()].sort((a, b) => a - b))
      yield* entriesOf(this.#leaves.get(index), index);
    return undefined;
  }

  override *keys(): MapIterator<number> {
    for (const [key] of this.entries()) yield key;
    return undefined;
  }

  override *values(): MapIterator<V> {
    for (const [, value] of this.entries()) yield value;
    return undefined;
  }

  override [Symbol.iterator](): MapIterator<[number, V]> {
    return this.entries();
  }

  override forEach(visit: (value: V, key: number, map: Map<number, V>) => void, self?: unknown): void {
    for (const [key, value] of this.entries()) visit.call(self, value, key, this);
  }

  #leaf(index: number): Leaf<V> | undefined {
    if (index >= 0 && index < NEAR) return this.#near[index];
    if (index === this.#lastIndex) return this.#last;
    const leaf = this.#leaves.get(index);
    if (leaf) {
      this.#lastIndex = index;
      this.#last = leaf;
    }
    return leaf;
  }

  #newLeaf(index: number): Leaf<V> {
    const leaf: Leaf<V> = this.#spare ?? { count: 0, slots: new Array<V | undefined>(LEAF).fill(undefined) };
    this.#spare = undefined;
    if (index >= 0 && index < NEAR) {
      while (this.#near.length <= index) this.#near.push(undefined);
      this.#near[index] = leaf;
      return leaf;
    }
    this.#leaves.set(index, leaf);
    this.#lastIndex = index;
    this.#last = leaf;
    return leaf;
  }

  #drop(index: number): void {
    if (index >= 0 && index < NEAR) {
      this.#near[index] = undefined;
      return;
    }
    this.#leaves.delete(index);
    this.#lastIndex = NO_LEAF;
    this.#last = undefined;
  }
}

/** The number of the leaf of a key. */
const leafOf = (key: number): number => (key >= 0 && key < 0x80000000 ? key >>> LEAF_BITS : Math.floor(key / LEAF));

function* entriesOf<V>(leaf: Leaf<V> | undefined, index: number): MapIterator<[number, V]> {
  for (let slot = 0; leaf && slot < LEAF; slot++) {
    const value = leaf.slots[slot];
    if (value !== undefined) yield [index * LEAF + slot, value];
  }
  return undefined;
}
