/**
 * The resource trees: kernel/resource.c (6.12). A struct resource is a C struct;
 * parent, sibling and child are pointers, siblings sorted and disjoint.
 */
import { type CPointer, type CStruct, errorOf, isNull, NULL, objectPointer, structAt } from '../c/value.ts';
import type { Store } from '../store/store.ts';

export interface Resource extends CStruct {
  readonly $struct: 'resource';
  start: bigint;
  end: bigint;
  name: string;
  flags: bigint;
  desc: bigint;
  parent: CPointer;
  sibling: CPointer;
  child: CPointer;
}

/* include/linux/ioport.h */
export const IORESOURCE_MEM = 0x200n;
export const IORESOURCE_SYSRAM = 0x0100_0000n;
export const IORESOURCE_SYSRAM_DRIVER_MANAGED = 0x0200_0000n;
export const IORESOURCE_SYSRAM_MERGEABLE = 0x0400_0000n;
export const IORESOURCE_BUSY = 0x8000_0000n;
export const IORESOURCE_SYSTEM_RAM = IORESOURCE_MEM | IORESOURCE_SYSRAM;
export const IORES_DESC_NONE = 0n;
export const IORES_DESC_PERSISTENT_MEMORY = 4n;
export const IORES_DESC_PERSISTENT_MEMORY_LEGACY = 5n;
export const IORES_DESC_DEVICE_PRIVATE_MEMORY = 6n;
export const IORES_DESC_RESERVED = 7n;

/** `region_intersects` results (include/linux/mm.h). */
export const REGION_INTERSECTS = 0;
export const REGION_DISJOINT = 1;
export const REGION_MIXED = 2;

export function resource(start: bigint, end: bigint, name: string, flags: bigint, desc = IORES_DESC_NONE): Resource {
  return { $struct: 'resource', start, end, name, flags, desc, parent: NULL, sibling: NULL, child: NULL };
}

const at = (pointer: CPointer): Resource | undefined =>
  isNull(pointer) || errorOf(pointer) !== undefined ? undefined : (structAt(pointer) as Resource | undefined);

export function* childrenOf(parent: Resource): Generator<Resource> {
  for (let child = at(parent.child); child; child = at(child.sibling)) yield child;
}

/** Every resource below `root` with its depth, in the order /proc/iomem prints them. */
export function* walk(root: Resource, depth = 0): Generator<{ resource: Resource; depth: number }> {
  for (const child of childrenOf(root)) {
    yield { resource: child, depth };
    yield* walk(child, depth + 1);
  }
}

/** resource.c:__request_resource: inserts `entry` under `root`; the conflicting child, if any. */
export function request_resource(store: Store, root: Resource, entry: Resource): Resource | undefined {
  if (entry.end < entry.start || entry.start < root.start || entry.end > root.end) return root;
  let previous: Resource | undefined;
  let next = at(root.child);
  while (next && next.start <= entry.end) {
    if (next.end >= entry.start) return next;
    previous = next;
    next = at(next.sibling);
  }
  store.set(entry, 'sibling', next ? objectPointer(next) : NULL);
  store.set(entry, 'parent', objectPointer(root));
  if (previous) store.set(previous, 'sibling', objectPointer(entry));
  else store.set(root, 'child', objectPointer(entry));
  return undefined;
}

/** Inserts `entry` at the deepest resource that contains it, taking over children it contains (insert_resource). */
export function insert_resource(store: Store, root: Resource, entry: Resource): Resource | undefined {
  for (const child of childrenOf(root))
    if (
      child.start <= entry.start &&
      child.end >= entry.end &&
      !(child.start === entry.start && child.end === entry.end)
    )
      return insert_resource(store, child, entry);
  const inside = [...childrenOf(root)].filter((child) => child.start <= entry.end && child.end >= entry.start);
  const partial = inside.find((child) => child.start < entry.start || child.end > entry.end);
  if (partial) return partial;
  for (const child of inside) release_resource(store, child);
  const conflict = request_resource(store, root, entry);
  for (const child of inside) request_resource(store, entry, child);
  return conflict;
}

/** resource.c:__release_resource: takes `entry` out of its parent, children included. */
export function release_resource(store: Store, entry: Resource): boolean {
  const parent = at(entry.parent);
  if (!parent) return false;
  let previous: Resource | undefined;
  for (const child of childrenOf(parent)) {
    if (child === entry) {
      if (previous) store.set(previous, 'sibling', entry.sibling);
      else store.set(parent, 'child', entry.sibling);
      store.set(entry, 'parent', NULL);
      store.set(entry, 'sibling', NULL);
      return true;
    }
    previous = child;
  }
  return false;
}

/** resource.c:region_intersects (6.12): top-level resources of `root` against [start, start+size). */
export function region_intersects(root: Resource, start: bigint, size: bigint, flags: bigint, desc: bigint): number {
  const end = start + size - 1n;
  let ram = 0;
  let other = 0;
  for (const child of childrenOf(root)) {
    if (child.start > end) break;
    if (child.end < start) continue;
    const matches = (child.flags & flags) === flags && (desc === IORES_DESC_NONE || desc === child.desc);
    if (matches) {
      ram++;
      continue;
    }
    // Descend: a matching resource may lie below one that is not (6.12).
    let covered = start > child.start ? start : child.start;
    const last = end < child.end ? end : child.end;
    for (const { resource: below } of walk(child)) {
      if (below.end < covered || below.start > last) continue;
      if (!((below.flags & flags) === flags && (desc === IORES_DESC_NONE || desc === below.desc))) continue;
      ram++;
      if (below.start > covered) other++;
      covered = below.end + 1n;
      if (covered > last) break;
    }
    if (covered <= last) other++;
  }
  if (ram === 0) return REGION_DISJOINT;
  return other === 0 ? REGION_INTERSECTS : REGION_MIXED;
}

/** Whether anything at all under `root` touches [start, start+size): region_intersects(..., 0, NONE). */
export function region_busy(root: Resource, start: bigint, size: bigint): boolean {
  const end = start + size - 1n;
  for (const child of childrenOf(root)) if (child.start <= end && child.end >= start) return true;
  return false;
}

/**
 * resource.c:__request_region: a busy region at the place where it fits, below
 * resources that are not busy themselves. `undefined` with the conflict on failure.
 */
export function __request_region(
  store: Store,
  root: Resource,
  start: bigint,
  size: bigint,
  name: string,
  desc = IORES_DESC_NONE,
  flags = 0n,
): { resource: Resource } | { conflict: Resource } {
  const entry = resource(start, start + size - 1n, name, IORESOURCE_BUSY | IORESOURCE_MEM | flags, desc);
  let parent = root;
  for (;;) {
    const conflict = request_resource(store, parent, entry);
    if (!conflict) return { resource: entry };
    if (conflict !== parent && (conflict.flags & IORESOURCE_BUSY) === 0n) {
      parent = conflict;
      continue;
    }
    return { conflict };
  }
}

/** resource.c:__release_region: frees the busy region that is exactly [start, start+size). */
export function __release_region(store: Store, root: Resource, start: bigint, size: bigint): Resource | undefined {
  const end = start + size - 1n;
  let parent = root;
  let child = at(parent.child);
  while (child) {
    if (child.start <= start && child.end >= end) {
      if ((child.flags & IORESOURCE_BUSY) === 0n) {
        parent = child;
        child = at(parent.child);
        continue;
      }
      if (child.start !== start || child.end !== end) return undefined;
      release_resource(store, child);
      return child;
    }
    child = at(child.sibling);
  }
  return undefined;
}
