import type { Store } from './store.ts';

/** Takes an item out of a list. False if it is not there any more: whoever slept may find that somebody else was faster. */
export function removeItem<T>(store: Store, list: T[], item: T): boolean {
  const index = list.indexOf(item);
  if (index >= 0) store.splice(list, index, 1);
  return index >= 0;
}
