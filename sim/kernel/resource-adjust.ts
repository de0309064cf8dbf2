/** kernel/resource.c:release_mem_region_adjustable: frees part of a busy region. */
import type { Store } from '../store/store.ts';
import {
  childrenOf,
  IORESOURCE_BUSY,
  type Resource,
  release_resource,
  request_resource,
  resource,
} from './resource.ts';

/** 0, or -EINVAL where no busy region contains [start, start+size). Children of a region that is cut stay with it. */
export function release_mem_region_adjustable(store: Store, root: Resource, start: bigint, size: bigint): number {
  const end = start + size - 1n;
  let parent = root;
  for (;;) {
    const found = [...childrenOf(parent)].find((child) => child.start <= start && child.end >= end);
    if (!found) return -22;
    if ((found.flags & IORESOURCE_BUSY) === 0n) {
      parent = found;
      continue;
    }
    if (found.start === start && found.end === end) release_resource(store, found);
    else if (found.start === start) store.set(found, 'start', end + 1n);
    else if (found.end === end) store.set(found, 'end', start - 1n);
    else {
      const upper = resource(end + 1n, found.end, found.name, found.flags, found.desc);
      store.set(found, 'end', start - 1n);
      request_resource(store, parent, upper);
    }
    return 0;
  }
}
