/** Whose device memory it is: pgmap->owner against what a caller names; pointers are the same if they lead to the same. */
import type { CPointer } from '../c/value.ts';
import type { Kernel } from '../machine/kernel.ts';
import { page_pgmap } from './pagemap.ts';

const isPointer = (value: unknown): value is CPointer =>
  typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'pointer' && 'target' in value;

/** What identifies an owner; undefined for NULL and 0. */
function identity(owner: unknown): unknown {
  if (!isPointer(owner)) return owner === 0n || owner === 0 ? undefined : owner;
  const { target } = owner;
  switch (target.kind) {
    case 'address':
      return target.address === 0n ? undefined : target.address;
    case 'page':
      return `page ${target.pfn}`;
    case 'function':
      return target.function;
    case 'object':
      return target.object;
    default:
      return typeof target.object === 'object' ? slotIdentity(target.object, target.key) : undefined;
  }
}

/** A pointer to a member that holds a struct is a pointer to that struct. */
function slotIdentity(object: object, key: string | number): unknown {
  const elements = 'elements' in object ? (object as { elements: readonly unknown[] }).elements : undefined;
  const value = elements ? elements[Number(key)] : (object as Record<string, unknown>)[key];
  return typeof value === 'object' && value !== null && '$struct' in value ? value : `${String(key)}`;
}

export const sameOwner = (a: unknown, b: unknown): boolean => a === b || identity(a) === identity(b);
export const isOwner = (owner: unknown): boolean => identity(owner) !== undefined;

/** Does the pagemap of this device page belong to `owner`? */
export const ownsPage = (kernel: Kernel, pfn: number, owner: unknown): boolean => {
  const map = page_pgmap(kernel, pfn);
  return map !== undefined && sameOwner(map.pgmap.owner, owner);
};
