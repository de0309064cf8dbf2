/** A struct page that a caller hands over: the pointer alone is arithmetic, what is behind it may not be mapped. */
import { escapedTarget } from '../c/objects.ts';
import { BadAccess, type CArray, type CallArgs } from '../c/value.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import { pfn_valid } from './sparse.ts';

/** The pfn of a struct page that is read or written: where no section has it, vmemmap faults. */
export function pageArg(kernel: Kernel, args: CallArgs, index = 0): number {
  const pfn = args.pfn(index);
  if (!pfn_valid(kernel, pfn))
    throw new BadAccess(`${args.name}: pfn ${hex(pfn)} has no struct page; nothing is mapped there in vmemmap`);
  return pfn;
}

/** Pages that one call may ask for. */
const MOST_PAGES = 2 ** 20;

/** The array of struct page pointers that argument `index` leads into, with room for `count`. */
export function pagesArg(args: CallArgs, index: number, count: number): { array: CArray; first: number } {
  const { target } = args.pointer(index);
  const object = target.kind === 'slot' || target.kind === 'object' ? target.object : undefined;
  if (!object || !('$array' in object))
    throw new BadAccess(`${args.name}: argument ${index + 1} is no array of struct page pointers`);
  const array = object as CArray;
  const first = target.kind === 'slot' ? Number(target.key) : 0;
  if (count > MOST_PAGES || first + count > array.elements.length)
    throw new BadAccess(
      `${args.name}: the range has ${count} pages, and the array has room for ${array.elements.length - first}`,
    );
  escapedTarget(target);
  return { array, first };
}
