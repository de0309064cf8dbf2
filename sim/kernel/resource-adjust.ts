/** kernel/resource.c:release_mem_region_adjustable: frees part of a busy region. */
import type { Store } from '../store/store.ts';
import {
  childrenOf,
  IORESOURCE_BUSY,
  IORESOURCE_MEM,
  type Resource,
  release_resource,
  request_resource,
  resource,
} from './resource.ts';

/**
 * Takes [start, start+size) out of the busy resource of `root` that contains it, which is shortened or split
 * where it is larger. What lies inside goes to the parts. 0, or -EINVAL where no busy region contains it.
 */
export function release_mem_region_adjustable(store: Store, root: Resource, start: bigint, size: bigint): number {
  const end = start + size - 1n;
  let parent = root;
  for (;;) {
    const found = [...childrenOf(parent)].find((child) => child.start <= start && child.end >= end);
    if (!found || (found.flags & IORESOURCE_MEM) === 0n) return -22;
    if ((found.flags & IORESOURCE_BUSY) === 0n) {
      parent = found;
      continue;
    }
    const inside = [...childrenOf(found)];
    for (const child of inside) release_resource(store, child);
    release_resource(store, found);
    const rest = [
      { start: found.start, end: start - 1n },
      { start: end + 1n, end: found.end },
    ].filter((part) => part.end >= part.start);
    for (const [index, part] of rest.entries()) {
      // The resource itself goes on as its first part.
      const entry = index === 0 ? found : resource(part.start, part.end, found.name, found.flags, found.desc);
      store.set(entry, 'start', part.start);
      store.set(entry, 'end', part.end);
      request_resource(store, parent, entry);
      for (const child of inside)
        if (child.start >= part.start && child.end <= part.end) request_resource(store, entry, child);
    }
    return 0;
  }
}
