/** Who wants to be told. */
import type { Disposable } from './types.ts';

export class Listeners<T> {
  private readonly all = new Set<(value: T) => void>();
  add(listener: (value: T) => void): Disposable {
    this.all.add(listener);
    return { dispose: () => void this.all.delete(listener) };
  }
  fire(value: T): void {
    for (const listener of [...this.all]) listener(value);
  }
}
