/**
 * The free pages of a device, chained through page->zone_device_data: last in, first out. The chain is kept as
 * pieces of neighbouring page frames, each from the end that comes out first to the other one.
 */
import type { Kernel } from '../../machine/kernel.ts';

/** Pairs of first and last, the top of the list at the end. */
export type FreeList = number[];

/** How far apart two neighbours are: 1 for pages, 512 for huge pages. */
export type Stride = 1 | 512;

/** Puts `pfn` in front. */
export function push(kernel: Kernel, list: FreeList, pfn: number, stride: Stride = 1): void {
  const { store } = kernel;
  const { length } = list;
  const head = list[length - 2];
  const tail = list[length - 1];
  if (head !== undefined && tail !== undefined && Math.abs(pfn - head) === stride) {
    // The piece goes on in its direction; a piece of one page has none yet.
    const isOnWay = head === tail || Math.sign(head - tail) === Math.sign(pfn - head);
    if (isOnWay) {
      store.setDense(list, length - 2, pfn);
      return;
    }
  }
  store.splice(list, length, 0, pfn, pfn);
}

/** Takes the page in front. */
export function pop(kernel: Kernel, list: FreeList, stride: Stride = 1): number | undefined {
  const { store } = kernel;
  const { length } = list;
  const head = list[length - 2];
  const tail = list[length - 1];
  if (head === undefined || tail === undefined) return undefined;
  if (head === tail) store.splice(list, length - 2, 2);
  else store.setDense(list, length - 2, head > tail ? head - stride : head + stride);
  return head;
}

/** As if the pages from `start` to `end` had been put in front one by one, ascending. */
export function pushRange(kernel: Kernel, list: FreeList, start: number, end: number, stride: Stride = 1): void {
  if (start < end) kernel.store.splice(list, list.length, 0, end - stride, start);
}

/**
 * test_hmm.c:dmirror_remove_free_pages: the list begins behind the last page of the chunk [start, end). What stood
 * in front of it is forgotten, whosesoever it was; the device is about to lose all its chunks.
 */
export function removeChunk(kernel: Kernel, list: FreeList, start: number, end: number, stride: Stride = 1): void {
  const isOurs = (pfn: number): boolean => pfn >= start && pfn < end;
  for (let i = 0; i < list.length; i += 2) {
    const head = list[i] as number;
    const tail = list[i + 1] as number;
    if (Math.min(head, tail) >= end || Math.max(head, tail) < start) continue;
    const isDescending = head >= tail;
    const last = isDescending ? Math.max(tail, start) : Math.min(tail, end - stride);
    const rest = isOurs(tail) ? [] : [isDescending ? last - stride : last + stride, tail];
    kernel.store.splice(list, i, list.length - i, ...rest);
    return;
  }
}

export const countOf = (list: FreeList, stride: Stride = 1): number => {
  let count = 0;
  for (let i = 0; i < list.length; i += 2)
    count += Math.abs((list[i] as number) - (list[i + 1] as number)) / stride + 1;
  return count;
};
