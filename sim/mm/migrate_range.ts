/** Moving pages out of a range that goes offline: mm/memory_hotplug.c:do_migrate_range (6.12). */
import { kindOf, MIGRATE_MOVABLE, orderOf, type Zone } from '../include/mmzone.ts';
import { PageKind, ZONE_MOVABLE, ZONE_NORMAL } from '../include/types.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import { runsOf } from '../store/column.ts';
import type { KernelGenerator, WaitObject } from '../task/task.ts';
import { __free_pages_ok } from './freePages.ts';
import { isStuck, migrate_pages } from './migrate_pages.ts';
import { type AllocationLimit, alloc_pages_node } from './page_alloc.ts';
import { isMovable, test_pages_isolated } from './page_isolation.ts';
import { lru_add_drain_all } from './swap.ts';
import { zone_watermark_ok } from './watermark.ts';
import { zonelist } from './zonelist.ts';

/**
 * alloc_migration_target as do_migrate_range asks: from another node while one has memory, and from
 * ZONE_MOVABLE only for pages that come from there (the rest may be in use by address).
 */
function targetLimit(kernel: Kernel, zone: Zone): { highest: number; allowed: ReadonlySet<number> } {
  const others = kernel.nodes.filter((node) => node.node_present_pages > 0 && node.node_id !== zone.node);
  const nodes = others.length > 0 ? others.map((node) => node.node_id) : [zone.node];
  return { highest: zone.index === ZONE_MOVABLE ? ZONE_MOVABLE : ZONE_NORMAL, allowed: new Set(nodes) };
}

/** References that mappings and the page cache explain; any more is a pin, and the page cannot move now. */
function isPinned(kernel: Kernel, pfn: number, kind: PageKind): boolean {
  const folio = kernel.state.folios.get(pfn);
  if (folio) return isStuck(kernel, folio);
  const mappings = (kernel.pages.mapcount.get(pfn) | 0) + 1;
  const expected = kind === PageKind.File ? mappings + 1 : Math.max(1, mappings);
  return kernel.pages.refcount.get(pfn) > expected;
}

/** The movable blocks of [start, end): first page and order. */
function* movable(kernel: Kernel, start: number, end: number): Generator<{ pfn: number; order: number; word: number }> {
  for (const run of runsOf(kernel.pages.state, start, end)) {
    if (kindOf(run.value) === PageKind.Free) continue;
    const order = orderOf(run.value);
    for (let pfn = run.start; pfn < run.end; pfn += 1 << order)
      if (isMovable(kernel, pfn, run.value)) yield { pfn, order, word: run.value };
  }
}

/** Moves what can move. Pages that are pinned or find no place stay. */
export function* do_migrate_range(kernel: Kernel, zone: Zone, start: number, end: number): KernelGenerator<void> {
  lru_add_drain_all(kernel);
  const pages = [...movable(kernel, start, end)];
  if (pages.length === 0) return;
  const body = moveAll(kernel, zone, pages);
  yield* kernel.call('do_migrate_range', [hex(start), hex(end)], body, (moved) => `${moved} of ${pages.length} moved`);
}

interface Block {
  readonly pfn: number;
  readonly order: number;
  readonly word: number;
}

function* moveAll(kernel: Kernel, zone: Zone, pages: readonly Block[]): KernelGenerator<number> {
  const limit: AllocationLimit = targetLimit(kernel, zone);
  let moved = 0;
  for (const { pfn, order, word } of pages) {
    if (isPinned(kernel, pfn, kindOf(word))) continue;
    const folio = kernel.state.folios.get(pfn);
    const isMoved = folio
      ? yield* migrate_pages(kernel, folio, () => placeFor(kernel, zone, order, word, limit))
      : migrate(kernel, zone, pfn, order, word, limit);
    if (isMoved) moved++;
  }
  return moved;
}

/** alloc_migration_target: the first frame of the destination, or -1. */
function placeFor(kernel: Kernel, zone: Zone, order: number, word: number, limit: AllocationLimit): number {
  const use = { kind: kindOf(word), migratetype: MIGRATE_MOVABLE };
  return alloc_pages_node(kernel, zone.node, order, use, 1, limit)[0]?.pfn ?? -1;
}

/** Pages that are in use by nobody that the engine knows: their columns move. */
function migrate(
  kernel: Kernel,
  zone: Zone,
  pfn: number,
  order: number,
  word: number,
  limit: AllocationLimit,
): boolean {
  const target = placeFor(kernel, zone, order, word, limit);
  if (target < 0) return false;
  for (const column of [kernel.pages.flags, kernel.pages.refcount, kernel.pages.mapcount])
    for (const run of runsOf(column, pfn, pfn + (1 << order)))
      column.setRange(target + run.start - pfn, target + run.end - pfn, run.value);
  kernel.pages.mapcount.setRange(pfn, pfn + (1 << order), 0xffffffff);
  __free_pages_ok(kernel, pfn, order);
  return true;
}

/** What an endless offline_pages waits for: pins to be dropped, or room elsewhere, or pages to be freed. */
export function whatStays(kernel: Kernel, zone: Zone, start: number, end: number): WaitObject {
  const limit = targetLimit(kernel, zone);
  const hasRoom = (order: number): boolean =>
    zonelist(kernel, zone.node, limit.highest).some(
      (other) => limit.allowed.has(other.node) && zone_watermark_ok(other, order, other.watermark.min, limit.highest),
    );
  const stuck = (): { canMove: boolean; names: string[] } => {
    const names: string[] = [];
    for (const { pfn, order, word } of movable(kernel, start, end)) {
      const pinned = isPinned(kernel, pfn, kindOf(word));
      if (!pinned && hasRoom(order)) return { canMove: true, names };
      if (names.length < 4) names.push(`page ${hex(pfn)} (${pinned ? 'pinned' : 'no free page to move it to'})`);
    }
    const other = test_pages_isolated(kernel, start, end);
    if (names.length === 0 && other !== undefined) names.push(`page ${hex(other)}, which nothing can move`);
    return { canMove: false, names };
  };
  return {
    what: `the last pages of ${hex(start)}-${hex(end - 1)} to leave`,
    ready: () => test_pages_isolated(kernel, start, end) === undefined || stuck().canMove,
    holders: () => stuck().names,
  };
}
