import type { PageColumn } from './column.ts';

/** A position in the journal. Positions are ordered; equal positions are the same state. */
export type Mark = number & { readonly unit?: 'mark' };

/** What changed between two marks. */
export interface Changes {
  /** Page frames whose struct page changed in any column: ascending disjoint runs, joined beyond `limit`. */
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
  /** Writes one property of an object or element of an array. */
  set<T extends object, K extends keyof T>(object: T, key: K, value: T[K]): void;
  mapSet<K, V>(map: Map<K, V>, key: K, value: V): void;
  mapDelete<K, V>(map: Map<K, V>, key: K): void;
  /** Array splice, journalled. Returns the removed elements. */
  splice<T>(array: T[], index: number, remove: number, ...items: T[]): T[];
  /** Now. */
  mark(): Mark;
  /** Goes back (undo) or forward (redo) to `mark`. A write after going back discards what lay ahead. */
  travel(mark: Mark): void;
  /** The furthest mark `travel` can still reach. */
  readonly newest: Mark;
  /** The earliest mark `travel` can reach; rises when old journal is dropped to keep within the budget. */
  readonly oldest: Mark;
  changes(from: Mark, to: Mark, limit?: number): Changes;
  /** Turns journalling off while the machine is built (boot); nothing before can be travelled to. */
  unjournalled<T>(build: () => T): T;
  /** A canonical text of columns (as runs) and of the object graph under `roots`: equal states give equal bytes. */
  canonical(roots: Record<string, unknown>): string;
  /** Bytes the columns and the journal hold, for the benchmark. */
  bytes(): { columns: number; journal: number };
}
