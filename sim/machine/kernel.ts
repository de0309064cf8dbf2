/** The running kernel of one machine: what every function of `mm/` gets as its first argument. */
import type { Release } from '../kernel/release.ts';
import type { Store } from '../store/store.ts';

export interface Kernel {
  readonly release: Release;
  readonly store: Store;
}
