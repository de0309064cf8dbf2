/** Exclusive access for C code and the shell: mm/rmap.c. */
import { escapedTarget } from '../c/objects.ts';
import {
  BadAccess,
  type CArray,
  type CallArgs,
  type CValue,
  ERR_PTR,
  integer,
  isNull,
  NULL,
  pagePointer,
} from '../c/value.ts';
import { EXCLUSIVE_RECORDS } from '../kernel/records/migrate_device.ts';
import { type FunctionRecord, withCode } from '../kernel/registry.ts';
import type { Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { vpnOf } from './cnotifier.ts';
import { folioHead } from './folio.ts';
import { make_device_exclusive, make_device_exclusive_range, NULL_PAGE } from './make_device_exclusive.ts';
import { mmArg } from './mmFunctions.ts';
import { pagesArg } from './page_arg.ts';

function* range(kernel: Kernel, args: CallArgs): KernelGenerator<CValue> {
  const mm = mmArg(args, 0);
  const [start, end] = [vpnOf(args.big(1)), vpnOf(args.big(2))];
  const { array, first } = pagesArg(args, 3, Math.max(0, end - start));
  const pages: number[] = [];
  const found = yield* make_device_exclusive_range(kernel, mm, start, end, pages, args.pointer(4));
  pages.forEach((pfn, i) => {
    kernel.store.set(array.elements, first + i, pfn === NULL_PAGE ? { ...NULL, to: 'struct page' } : pagePointer(pfn));
  });
  return integer(found);
}

/** `foliop`: where the folio is to be written. */
function* page(kernel: Kernel, args: CallArgs): KernelGenerator<CValue> {
  const mm = mmArg(args, 0);
  const place = args.pointer(3);
  if (isNull(place) || place.target.kind !== 'slot')
    throw new BadAccess(`${args.name}: argument 4 points to no variable for the folio`);
  const { object, key } = place.target;
  const pfn = yield* make_device_exclusive(kernel, mm, vpnOf(args.big(1)), args.pointer(2));
  if (pfn < 0) return ERR_PTR(pfn, 'struct page');
  const folio = { ...pagePointer(folioHead(kernel, pfn)), to: 'struct folio' };
  if ('$array' in object) kernel.store.set((object as CArray).elements, Number(key), folio);
  else kernel.store.set(object as Record<string, unknown>, key as string, folio);
  escapedTarget(place.target);
  return pagePointer(pfn);
}

export const EXCLUSIVE_FUNCTIONS: readonly FunctionRecord[] = withCode(EXCLUSIVE_RECORDS, {
  make_device_exclusive_range: range,
  make_device_exclusive: page,
});
