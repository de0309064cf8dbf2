/**
 * Objects by a whole number, for tables in which an entry comes and goes with every page: open addressing, so that
 * nothing is allocated, and an entry that goes leaves no trace.
 */
export class RunIndex<T> {
  private keys = new Float64Array(16).fill(-1);
  private values: (T | undefined)[] = new Array<T | undefined>(16).fill(undefined);
  private mask = 15;
  private count = 0;

  get(key: number): T | undefined {
    const { keys, mask } = this;
    for (let at = home(key, mask); ; at = (at + 1) & mask) {
      const found = keys[at] as number;
      if (found === key) return this.values[at];
      if (found < 0) return undefined;
    }
  }

  /** `key` is not there yet. */
  add(key: number, value: T): void {
    if (++this.count * 2 > this.mask) this.grow();
    this.put(key, value);
  }

  delete(key: number): void {
    const { keys, values, mask } = this;
    let at = home(key, mask);
    for (; keys[at] !== key; at = (at + 1) & mask) if ((keys[at] as number) < 0) return;
    this.count--;
    // Whoever stands behind and would be found through here moves up.
    for (let next = (at + 1) & mask; ; next = (next + 1) & mask) {
      const other = keys[next] as number;
      if (other < 0) break;
      const distance = (next - home(other, mask)) & mask;
      if (distance < ((next - at) & mask)) continue;
      keys[at] = other;
      values[at] = values[next];
      at = next;
    }
    keys[at] = -1;
    values[at] = undefined;
  }

  private put(key: number, value: T): void {
    const { keys, mask } = this;
    let at = home(key, mask);
    while ((keys[at] as number) >= 0) at = (at + 1) & mask;
    keys[at] = key;
    this.values[at] = value;
  }

  private grow(): void {
    const { keys, values } = this;
    const size = keys.length * 2;
    this.keys = new Float64Array(size).fill(-1);
    this.values = new Array<T | undefined>(size).fill(undefined);
    this.mask = size - 1;
    for (let i = 0; i < keys.length; i++) if ((keys[i] as number) >= 0) this.put(keys[i] as number, values[i] as T);
  }
}

/** Where a key would stand; those above 2^32 fold. */
function home(key: number, mask: number): number {
  const low = key | 0;
  const hash = Math.imul(low ^ (key / 4294967296), 0x9e3779b1);
  return (hash ^ (hash >>> 15)) & mask;
}
