/**
 * The order of the entries of maps across undo. A Map can only append, so a deleted
 * entry comes back last; what iterates the map would then see another order than the
 * first time, and no longer be deterministic. Each map that ever lost an entry gets a
 * rank for every key, rising in order of insertion, and is put in order of rank once at
 * the end of a travel that brought entries back.
 */

interface Ranks {
  readonly byKey: Map<unknown, number>;
  next: number;
}

type AnyMap = Map<unknown, unknown>;

export class MapOrders {
  private ranks = new WeakMap<object, Ranks>();
  private readonly disordered = new Set<AnyMap>();

  /** Maps may have been written unseen. */
  forget(): void {
    this.ranks = new WeakMap();
  }

  /** `key` was just added to `map`, as its last entry. */
  appended(map: object, key: unknown): void {
    const ranks = this.ranks.get(map);
    if (ranks !== undefined) ranks.byKey.set(key, ranks.next++);
  }

  /** `key` is about to be, or was, deleted from `map`. Returns its rank, for `returned`. */
  removed(map: object, key: unknown): number {
    const ranks = this.ranks.get(map);
    const rank = ranks?.byKey.get(key) ?? -1;
    ranks?.byKey.delete(key);
    return rank;
  }

  /** As `removed`, for a deletion that will be journalled: `key` is still in `map`. */
  rank<K, V>(map: Map<K, V>, key: K): number {
    if (!this.ranks.has(map)) {
      const ranks: Ranks = { byKey: new Map(), next: 0 };
      for (const each of map.keys()) ranks.byKey.set(each, ranks.next++);
      this.ranks.set(map, ranks);
    }
    return this.removed(map, key);
  }

  /** `key` was put back into `map`, where its rank says; it is there after `settle`. */
  returned(map: object, key: unknown, rank: number): void {
    if (rank < 0) return;
    this.ranks.get(map)?.byKey.set(key, rank);
    this.disordered.add(map as AnyMap);
  }

  /** Puts the maps that entries returned to in order. */
  settle(): void {
    for (const map of this.disordered) this.sort(map);
    this.disordered.clear();
  }

  private sort(map: AnyMap): void {
    const byKey = this.ranks.get(map)?.byKey;
    if (byKey === undefined) return;
    let isSorted = true;
    let last = -1;
    const entries: { rank: number; key: unknown; value: unknown }[] = [];
    for (const [key, value] of map) {
      const rank = byKey.get(key) ?? -1;
      if (rank < last) isSorted = false;
      last = rank;
      entries.push({ rank, key, value });
    }
    if (isSorted) return;
    entries.sort((a, b) => a.rank - b.rank);
    map.clear();
    for (const { key, value } of entries) map.set(key, value);
  }
}
