/** A struct page that a caller hands over: the pointer alone is arithmetic, what is behind it may not be mapped. */
import { BadAccess, type CallArgs } from '../c/value.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import { pfn_valid } from './sparse.ts';

/** The pfn of a struct page that is read or written: where no section has it, vmemmap faults. */
export function pageArg(kernel: Kernel, args: CallArgs, index = 0): number {
  const pfn = args.pfn(index);
  if (!pfn_valid(kernel, pfn))
    throw new BadAccess(`${args.name}: pfn ${hex(pfn)} has no struct page; nothing is mapped there in vmemmap`);
  return pfn;
}
