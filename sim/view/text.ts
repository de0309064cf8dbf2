/** Values as people read them. */
import { formatPointer } from '../c/print.ts';
import { type CPointer, errorOf } from '../c/value.ts';
import type { Kernel } from '../machine/kernel.ts';

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** `2 GiB`, `1.5 MiB`, `64 KiB`: the largest unit that leaves at least one, two decimals at most. */
export function bytesText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (Math.abs(value) >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${Number.isInteger(value) ? value : value.toFixed(2).replace(/\.?0+$/, '')} ${UNITS[unit]}`;
}
export const pagesText = (pages: number): string => bytesText(pages * 4096);

/** A pointer field for people: NULL, an address, or the object it leads to. */
export function pointerText(kernel: Kernel, value: unknown): string {
  if (typeof value === 'bigint') return value === 0n ? 'NULL' : `0x${value.toString(16)}`;
  if (typeof value !== 'object' || value === null || !('kind' in value) || value.kind !== 'pointer') return 'NULL';
  const pointer = value as CPointer;
  const error = errorOf(pointer);
  if (error !== undefined) return `ERR_PTR(${error})`;
  const { target } = pointer;
  switch (target.kind) {
    case 'address':
      return target.address === 0n ? 'NULL' : `0x${target.address.toString(16)}`;
    case 'page':
      return `struct page of pfn 0x${target.pfn.toString(16)}`;
    case 'function':
      return `${target.function.name}()`;
    case 'object':
    case 'slot': {
      // An address that nobody has asked for yet is not given out here: looking changes nothing.
      const known = kernel.state.addresses.get(target.object);
      return known === undefined ? formatPointer(pointer) : `0x${known.toString(16)}`;
    }
  }
}
