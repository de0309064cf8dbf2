import type { Store } from './store.ts';

/** Puts an item at the end of a list that changes often: it is journalled as a whole, once a step. All who change it do so here. */
export function pushTouched<T>(store: Store, list: T[], item: T): void {
  store.touch(list);
  list.push(item);
}

export function removeTouched<T>(store: Store, list: T[], item: T): void {
  const last = list.length - 1;
  const index = list[last] === item ? last : list.lastIndexOf(item);
  if (index < 0) return;
  store.touch(list);
  // What goes again mostly came last, and taking that off is no copy.
  if (index === last) list.pop();
  else list.splice(index, 1);
}

/** Takes an item out of a list. False if it is not there any more: whoever slept may find that somebody else was faster. */
export function removeItem<T>(store: Store, list: T[], item: T): boolean {
  const index = list.indexOf(item);
  if (index >= 0) store.splice(list, index, 1);
  return index >= 0;
}
