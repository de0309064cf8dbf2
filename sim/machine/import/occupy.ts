/**
 * What the running system has allocated: taken from the free lists of a zone, so that
 * the blocks left free are as many of each order as /proc/buddyinfo counted. Which
 * pages they were is not known.
 */
import { MAX_PAGE_ORDER, NR_PAGE_ORDERS } from '../../arch/x86_64.ts';
import { MIGRATE_TYPES, stateWord, type Zone } from '../../include/mmzone.ts';
import { PageKind, ZONE_NAMES } from '../../include/types.ts';
import { __free_pages_ok } from '../../mm/freePages.ts';
import type { Kernel } from '../kernel.ts';
import { type ImportFiles, linesOf, pagesIn, quote, wrong } from './text.ts';

export interface FreeBlocks {
  node: number;
  zone: string;
  /** Free blocks of each order. */
  blocks: number[];
}

/** Every small free block is given back by itself: more of them than this are not. */
const MAX_SMALL = 1 << 17;

/** /proc/buddyinfo: a zone a line. */
export function parseBuddyinfo(files: ImportFiles): FreeBlocks[] {
  const zones: FreeBlocks[] = [];
  for (const line of linesOf(files, 'proc/buddyinfo')) {
    if (line.text.trim() === '') continue;
    const match = /^Node (\d{1,4}), zone +(\S+) +([\d ]+)$/.exec(line.text);
    if (!match || !(ZONE_NAMES as readonly string[]).includes(match[2] ?? ''))
      throw wrong(line, `is no line of /proc/buddyinfo: ${quote(line.text)}`);
    const blocks = (match[3] ?? '')
      .trim()
      .split(/ +/)
      .map((text) => pagesIn(line, text));
    if (blocks.length !== NR_PAGE_ORDERS)
      throw wrong(
        line,
        `has ${blocks.length} orders, and x86_64 has ${NR_PAGE_ORDERS}: the file was cut off, or is that of another architecture`,
      );
    zones.push({ node: Number(match[1]), zone: match[2] ?? '', blocks });
  }
  return zones;
}

export const pagesOfBlocks = (blocks: readonly number[]): number =>
  blocks.reduce((sum, count, order) => sum + count * 2 ** order, 0);

interface Plan {
  /** Blocks to allocate, from the heads of their lists. */
  take: { order: number; type: number; start: number; count: number }[];
  /** Parts of them to give back. */
  give: { pfn: number; order: number }[];
}

/** How to leave exactly `blocks` free in a zone, or why that cannot be. */
export function planOccupation(zone: Zone, blocks: readonly number[]): Plan | { why: string } {
  const plan: Plan = { take: [], give: [] };
  /** First pages of allocated blocks by order, which smaller free blocks can be cut from. */
  const pool: number[][] = Array.from({ length: NR_PAGE_ORDERS }, () => []);
  const large: { start: number; count: number }[] = [];
  let small = 0;
  for (const area of zone.free_area) {
    const { order } = area;
    const wanted = blocks[order] ?? 0;
    if (order < MAX_PAGE_ORDER) small += Math.max(wanted, area.nr_free);
    else if (wanted > area.nr_free)
      return { why: `it has ${area.nr_free} free blocks of order ${order}, not ${wanted}` };
    if (small > MAX_SMALL) return { why: `more than ${MAX_SMALL} small blocks are free` };
    let left = Math.max(0, area.nr_free - wanted);
    for (let type = 0; type < MIGRATE_TYPES && left > 0; type++)
      for (const run of area.runs(type)) {
        if (left === 0) break;
        const count = Math.min(left, run.count);
        left -= count;
        plan.take.push({ order, type, start: run.start, count });
        if (order === MAX_PAGE_ORDER) large.push({ start: run.start, count });
        else for (let i = 0; i < count; i++) pool[order]?.push(run.start + i * 2 ** order);
      }
  }
  const nextLarge = (): number | undefined => {
    const run = large[0];
    if (!run) return undefined;
    const { start } = run;
    if (--run.count === 0) large.shift();
    else run.start += 2 ** MAX_PAGE_ORDER;
    return start;
  };
  for (let order = MAX_PAGE_ORDER - 1; order >= 0; order--)
    for (let i = zone.free_area[order]?.nr_free ?? 0; i < (blocks[order] ?? 0); i++) {
      // Twice its size: its buddy stays in use, or the two would be one block.
      let from = order + 1;
      while (from < MAX_PAGE_ORDER && pool[from]?.length === 0) from++;
      const pfn = pool[from]?.pop() ?? nextLarge();
      if (pfn === undefined) return { why: 'its small free blocks do not fit between what was in use' };
      for (let half = from - 1; half >= order; half--) pool[half]?.push(pfn + 2 ** half);
      plan.give.push({ pfn, order });
    }
  return plan;
}

/** Leaves a zone with the free blocks of a plan for its present state. */
export function occupy(kernel: Kernel, zone: Zone, plan: Plan): void {
  for (const { order, type, start, count } of plan.take) {
    zone.free_area[order]?.takeFirst(kernel.store, type, count);
    use(kernel, zone, start, count * 2 ** order);
  }
  for (const { pfn, order } of plan.give) __free_pages_ok(kernel, pfn, order);
}

/** Pages of the kernel, each by itself. */
function use(kernel: Kernel, zone: Zone, start: number, pages: number): void {
  kernel.pages.state.setRange(start, start + pages, stateWord(PageKind.Kernel, 0, zone.index, zone.node));
  kernel.pages.refcount.setRange(start, start + pages, 1);
  kernel.store.set(zone, 'nr_free', zone.nr_free - pages);
}
