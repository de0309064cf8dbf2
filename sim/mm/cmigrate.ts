/** struct migrate_vma and the arrays of a driver in C: entries are the same numbers there, as words. */
import { asObject, escapedTarget, isArray } from '../c/objects.ts';
import { BadAccess, type CObject, type CPointer, type CStruct, isNull, NULL, pagePointer } from '../c/value.ts';
import type { Kernel } from '../machine/kernel.ts';
import { vpnOf } from './cnotifier.ts';
import { vmaOf } from './cviews.ts';
import type { MigrateVma } from './migrate_vma.ts';
import { integerField, pointerField } from './pagemap.ts';

/** Entries that one call may have: more than C can declare room for. */
const MAX_PAGES = 2 ** 24;

/** Where entries of C are: elements of an array, or one variable, which is an array of one. */
export interface Entries {
  readonly object: Record<string | number, unknown>;
  keyOf(index: number): string | number;
}

/** The entries behind a pointer, with room for `count`; a stray pointer or a short array is a bad access. */
export function entriesAt(pointer: CPointer, count: number, who: string): Entries {
  const { target } = pointer;
  if (target.kind !== 'slot' && target.kind !== 'object')
    throw new BadAccess(`${who}: a pointer to unsigned long leads nowhere`);
  // `&array` and the array itself are the same place.
  const inner = target.kind === 'slot' ? asObject(slotOf(target.object, target.key)) : undefined;
  const object = inner ?? target.object;
  const base = target.kind === 'slot' && !inner ? target.key : 0;
  const room = isArray(object) ? object.elements.length - Number(base) : target.kind === 'slot' ? 1 : 0;
  if (count > MAX_PAGES || count > room)
    throw new BadAccess(`${who}: the range has ${count} pages, and the array has room for ${room}`);
  escapedTarget(target);
  return isArray(object)
    ? { object: object.elements as unknown as Record<number, unknown>, keyOf: (index) => Number(base) + index }
    : { object: object as unknown as Record<string, unknown>, keyOf: () => base };
}

const slotOf = (object: CObject, key: string | number) =>
  isArray(object) ? object.elements[Number(key)] : (object as CStruct)[key];

/** A word that does not fit a number names no page of any machine. */
const entryOf = (word: unknown): number => (typeof word === 'bigint' ? Number(BigInt.asUintN(52, word)) : 0);

export const readEntries = ({ object, keyOf }: Entries, count: number): number[] =>
  Array.from({ length: count }, (_, i) => entryOf(object[keyOf(i)]));

export function writeEntries(kernel: Kernel, { object, keyOf }: Entries, entries: readonly number[]): void {
  for (let i = 0; i < entries.length; i++) kernel.store.set(object, keyOf(i), BigInt(entries[i] ?? 0));
}

/** The engine's arguments of a struct migrate_vma, without its arrays. start and end are rounded down to pages. */
export function migrateVmaOf(kernel: Kernel, struct: CStruct, who: string): MigrateVma {
  const vma = pointerField(struct, 'vma');
  const faultPage = pointerField(struct, 'fault_page');
  const owner = struct[kernel.facts.migrateSrcOwner ? 'src_owner' : 'pgmap_owner'];
  return {
    vma: vma && vmaOf(vma, who),
    start: vpnOf(integerField(struct, 'start')),
    end: vpnOf(integerField(struct, 'end')),
    src: [],
    dst: [],
    cpages: Number(integerField(struct, 'cpages')),
    npages: Number(integerField(struct, 'npages')),
    pgmap_owner: owner === undefined || owner === 0n ? NULL : owner,
    flags: Number(BigInt.asUintN(32, integerField(struct, 'flags'))),
    fault_page: faultPage?.target.kind === 'page' ? faultPage.target.pfn : undefined,
  };
}

/** A pointer member that leads somewhere. */
export const arrayMember = (struct: CStruct, name: string): CPointer | undefined => {
  const pointer = pointerField(struct, name);
  return pointer && !isNull(pointer) ? pointer : undefined;
};

/** A struct page pointer for an entry, or NULL. */
export const pageOfEntry = (pfn: number): CPointer => (pfn < 0 ? { ...NULL, to: 'struct page' } : pagePointer(pfn));
