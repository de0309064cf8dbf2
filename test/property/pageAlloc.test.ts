/** Random allocations and frees: what must hold after each, and the same blocks as a plain buddy would give. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VOID } from '../../sim/c/value.ts';
import {
  kindOf,
  MIGRATE_ISOLATE,
  MIGRATE_UNMOVABLE,
  orderOf,
  PG_HEAD,
  stateWord,
  type Zone,
  zoneOf,
} from '../../sim/include/mmzone.ts';
import { PageKind, ZONE_DEVICE, ZONE_DMA } from '../../sim/include/types.ts';
import { type Machine, runShellLine } from '../../sim/index.ts';
import { lineProgram } from '../../sim/machine/machine.ts';
import { __free_pages, freeOnlinedRange, split_page } from '../../sim/mm/freePages.ts';
import { __alloc_pages } from '../../sim/mm/page_alloc.ts';
import {
  __offline_isolated_pages,
  set_migratetype_isolate,
  unset_migratetype_isolate,
} from '../../sim/mm/pageblock_isolate.ts';
import { zone_watermark_ok } from '../../sim/mm/watermark.ts';
import { machineOf } from '../support/machines.ts';
import { short } from '../support/same.ts';

const RUNS = Number(process.env.ZONESCOPE_PROPERTY_RUNS ?? 60);

/** Two small nodes; the second has no CPU, the third no memory. */
const machine = (cmdline = ''): Machine =>
  machineOf({
    name: 'small',
    physBits: 40,
    cmdline,
    e820: [
      { start: '0x0', end: '0x9fbff', type: 'usable' },
      { start: '0x100000', end: '0x37fffff', type: 'usable' },
      { start: '0x100000000', end: '0x102ffffff', type: 'usable' },
    ],
    nodes: [
      { id: 0, ranges: [{ start: '0x0', end: '0x37fffff' }], cpus: [0] },
      { id: 1, ranges: [{ start: '0x100000000', end: '0x102ffffff' }] },
      { id: 2, ranges: [], cpus: [1] },
    ],
    reserved: [{ start: '0x0', end: '0xfffff', what: 'low 1 MiB' }],
  });
const zonesOf = ({ kernel }: Machine): Zone[] => kernel.nodes.flatMap((node) => [...node.node_zones]);

const GFP = [0xcc0, 0xcc1, 0xcc4, 0x100cca, 0xcd0, 0x820, 0x200cc0, 0x40cc0, 0x10cc0, 0x2800, 0x20cc0] as const;
const operation = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      op: fc.constant('alloc' as const),
      gfp: fc.constantFrom(...GFP),
      order: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 10 })),
      nid: fc.integer({ min: 0, max: 2 }),
      times: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 40 })),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ op: fc.constant('free' as const), which: fc.nat(), times: fc.nat({ max: 30 }) }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('split' as const), which: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('isolate' as const), block: fc.nat({ max: 30 }) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('back' as const), steps: fc.nat({ max: 10 }) }) },
);

interface Live {
  pfn: number;
  order: number;
  gfp: number;
}

function check(m: Machine, live: readonly Live[]): void {
  const { kernel } = m;
  const { pages } = kernel;
  const owner = new Map<number, string>();
  const claim = (pfn: number, size: number, who: string): void => {
    for (let i = pfn; i < pfn + size; i++) {
      if (owner.has(i)) throw new Error(`${i.toString(16)}: ${who} and ${owner.get(i)}`);
      owner.set(i, who);
    }
  };
  for (const { pfn, order, gfp } of live) {
    claim(pfn, 2 ** order, 'allocation');
    expect(pfn % 2 ** order).toBe(0);
    expect(pages.refcount.get(pfn)).toBe(1);
    expect(pages.flags.get(pfn)).toBe(order > 0 && (gfp & 0x40000) !== 0 ? PG_HEAD : 0);
    for (const page of [pfn, pfn + 2 ** order - 1]) {
      expect(kindOf(pages.state.get(page))).toBe(PageKind.Kernel);
      expect(zoneOf(pages.state.get(page))).not.toBe(ZONE_DEVICE);
      if (page !== pfn) expect(pages.refcount.get(page)).toBe(0);
    }
  }
  for (const zone of zonesOf(m)) {
    let free = 0;
    let highatomic = 0;
    for (const area of zone.free_area) {
      let blocks = 0;
      const size = 2 ** area.order;
      for (let type = 0; type < 5; type++)
        for (const run of area.runs(type)) {
          blocks += run.count;
          if (type !== MIGRATE_ISOLATE) free += run.count * size;
          if (type === 3) highatomic += run.count * size;
          claim(run.start, run.count * size, 'free');
          for (let block = run.start; block < run.start + run.count * size; block += size) {
            expect(block % size).toBe(0);
            const word = stateWord(PageKind.Free, area.order, zone.index, zone.node);
            for (const page of [block, block + size - 1]) {
              expect(pages.state.get(page)).toBe(word);
              expect(pages.refcount.get(page)).toBe(0);
              expect(pages.flags.get(page)).toBe(0);
              expect(pages.pageblock.get(page)).toBe(type);
            }
            const buddy = (block / size) % 2 === 0 ? block + size : block - size;
            const buddyType = pages.pageblock.get(buddy);
            const mergeable = type === buddyType ? area.order < 9 || type < 3 : type < 3 && buddyType < 3;
            if (area.order < 10 && mergeable) expect(pages.state.get(buddy)).not.toBe(word);
          }
        }
      expect(area.nr_free).toBe(blocks);
    }
    expect(zone.nr_free).toBe(free);
    expect(zone.nr_free_highatomic).toBe(highatomic);
    expect(zone.watermark_boost).toBeGreaterThanOrEqual(0);
  }
}

/** The state a request must leave: no zone may be below what its flags let it go to. */
function checkWatermark(m: Machine, gfp: number, pfn: number, before: ReadonlyMap<Zone, number>, order: number): void {
  const zone = m.kernel.zoneAt(pfn);
  if ((gfp & 0x20000) !== 0) return;
  const highest = (gfp & 1) !== 0 ? 0 : (gfp & 4) !== 0 ? 1 : (gfp & 0xa) === 0xa ? 3 : 2;
  expect(zone.index).toBeLessThanOrEqual(highest);
  const { min } = zone.watermark;
  const least = (gfp & 0x20) !== 0 ? Math.floor((min - Math.floor(min / 2)) * 0.75) - 1 : min;
  expect((before.get(zone) ?? 0) - (2 ** order - 1)).toBeGreaterThan(least + (zone.lowmem_reserve[highest] ?? 0));
}

/** Runs `body` as one step of the timeline. */
function step(m: Machine, body: () => void): void {
  const program = m.run(
    lineProgram('test', function* () {
      yield { kind: 'pause', why: 'begin' };
      body();
      return VOID;
    }),
  );
  m.advance(program);
  if (program.error) throw program.error;
}

describe('whatever is allocated and freed', () => {
  it('lists, counters and live blocks agree after each step, and undoing everything gives the first bytes back', () => {
    fc.assert(
      fc.property(
        fc.array(operation, { minLength: 3, maxLength: 40 }),
        fc.constantFrom('', 'movablecore=16M', 'kernelcore=40M'),
        (operations, cmdline) => {
          const m = machine(cmdline);
          const { kernel } = m;
          const first = short(m.canonical());
          let live: Live[] = [];
          const history: Live[][] = [live];
          for (const each of operations) {
            if (each.op === 'back') {
              const target = Math.max(0, m.position - each.steps);
              m.travel(target);
              live = history[target] ?? [];
              history.length = target + 1;
              check(m, live);
              continue;
            }
            const next = [...live];
            step(m, () => {
              if (each.op === 'alloc')
                for (let i = 0; i < each.times; i++) {
                  const before = new Map(zonesOf(m).map((zone) => [zone, zone.nr_free]));
                  const pfn = __alloc_pages(kernel, each.gfp, each.order, each.nid);
                  if (pfn < 0) {
                    // A whole pass of NULL means that no zone could have given at the minimum mark.
                    for (const zone of kernel.node(each.nid).node_zonelists[0])
                      if (each.gfp === 0xcc0 && zone.index <= 2)
                        expect(zone_watermark_ok(zone, each.order, zone.watermark.min, 2)).toBe(false);
                    break;
                  }
                  checkWatermark(m, each.gfp, pfn, before, each.order);
                  if ((each.gfp & 0x200000) !== 0) expect(kernel.nodeAt(pfn)).toBe(each.nid);
                  next.push({ pfn, order: each.order, gfp: each.gfp });
                }
              else if (each.op === 'free')
                for (let i = 0; i < each.times && next.length > 0; i++) {
                  const [gone] = next.splice(each.which % next.length, 1);
                  if (gone) __free_pages(kernel, gone.pfn, gone.order);
                }
              else if (each.op === 'split') {
                const plain = next.filter((one) => one.order > 0 && (one.gfp & 0x40000) === 0);
                const one = plain[each.which % Math.max(1, plain.length)];
                if (!one) return;
                split_page(kernel, one.pfn, one.order);
                next.splice(next.indexOf(one), 1);
                for (let i = 0; i < 2 ** one.order; i++) next.push({ pfn: one.pfn + i, order: 0, gfp: one.gfp });
              } else {
                const pfn = 0x1000 + each.block * 512;
                const type = kernel.pages.pageblock.get(pfn);
                if (kernel.zoneAt(pfn).present_pages === 0 || pfn + 512 > 0x3800 || type > 2) return;
                expect(set_migratetype_isolate(kernel, pfn, 512)).toBe(0);
                expect(set_migratetype_isolate(kernel, pfn, 512)).toBe(-16);
                check(m, next);
                unset_migratetype_isolate(kernel, pfn, 512, type);
                for (const zone of zonesOf(m)) expect(zone.nr_isolate_pageblock).toBe(0);
              }
            });
            live = next;
            history[m.position] = live;
            check(m, live);
          }
          const end = short(m.canonical());
          const at = m.position;
          m.travel(0);
          expect(short(m.canonical())).toBe(first);
          m.travel(at);
          expect(short(m.canonical())).toBe(end);
        },
      ),
      { numRuns: RUNS, interruptAfterTimeLimit: 120_000 },
    );
  });
});

/**
 * A buddy allocator as the textbook has it: one list of free blocks an order, for one
 * zone and one migrate type. Knows nothing of the engine's.
 */
class PlainBuddy {
  readonly lists: number[][] = Array.from({ length: 11 }, () => []);

  take(order: number): number | undefined {
    const from = this.lists.findIndex((list, o) => o >= order && list.length > 0);
    const pfn = from < 0 ? undefined : this.lists[from]?.shift();
    if (pfn === undefined) return undefined;
    for (let o = from - 1; o >= order; o--) this.lists[o]?.unshift(pfn + 2 ** o);
    return pfn;
  }

  give(start: number, startOrder: number): void {
    let pfn = start;
    let order = startOrder;
    const has = (o: number, at: number): number => (this.lists[o] ?? []).indexOf(at);
    for (; order < 10; order++) {
      const at = has(order, pfn ^ (1 << order));
      if (at < 0) break;
      this.lists[order]?.splice(at, 1);
      pfn &= ~(1 << order);
    }
    const parent = pfn & ~(1 << order);
    const likely = order < 9 && has(order + 1, parent ^ (1 << (order + 1))) >= 0;
    if (likely) this.lists[order]?.push(pfn);
    else this.lists[order]?.unshift(pfn);
  }
}

describe('the blocks of one zone and migrate type', () => {
  it('are given and taken back, in the very order, as a plain buddy does it', () => {
    const request = fc.oneof(
      { weight: 3, arbitrary: fc.record({ order: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 10 })) }) },
      { weight: 2, arbitrary: fc.record({ free: fc.nat() }) },
    );
    fc.assert(
      fc.property(fc.array(request, { minLength: 20, maxLength: 120 }), fc.constantFrom(0, 1), (requests, type) => {
        const m = machine();
        const { kernel } = m;
        const zone = kernel.zone(0, ZONE_DMA);
        const plain = new PlainBuddy();
        for (const area of zone.free_area) {
          // The pageblock with page 0 is unmovable, the others are movable; what one list lacks is not asked for.
          for (const run of area.runs(type))
            for (let i = 0; i < run.count; i++) plain.lists[area.order]?.push(run.start + i * 2 ** area.order);
          expect(area.runs(2).next().done).toBe(true);
        }
        const live: { pfn: number; order: number }[] = [];
        for (const each of requests) {
          if ('order' in each) {
            const expected = plain.take(each.order);
            // From ZONE_DMA of this node or not at all, without marks.
            if (expected === undefined) continue;
            expect(__alloc_pages(kernel, type === MIGRATE_UNMOVABLE ? 0x222001 : 0x222009, each.order, 0)).toBe(
              expected,
            );
            live.push({ pfn: expected, order: each.order });
          } else if (live.length > 0) {
            const [gone] = live.splice(each.free % live.length, 1);
            if (!gone) continue;
            plain.give(gone.pfn, gone.order);
            __free_pages(kernel, gone.pfn, gone.order);
          }
          for (const area of zone.free_area) {
            const blocks = [...area.runs(type)].flatMap((run) =>
              Array.from({ length: run.count }, (_, i) => run.start + i * 2 ** area.order),
            );
            expect(blocks, `order ${area.order}`).toEqual(plain.lists[area.order]);
          }
        }
      }),
      { numRuns: RUNS, interruptAfterTimeLimit: 60_000 },
    );
  });
});

describe('memory that leaves and comes back', () => {
  it('isolated free blocks are listed but not counted, are taken off the lists, and a block brought back is as it was', () => {
    const m = machine();
    const { kernel } = m;
    const zone = kernel.zone(0, 1);
    const free = zone.nr_free;
    const lists = (): string =>
      JSON.stringify(
        zone.free_area.map((area) =>
          [0, 1, 2, 3, 4].map((type) => [...area.runs(type)].map((run) => [run.start, run.count])),
        ),
      );
    const before = lists();
    step(m, () => void set_migratetype_isolate(kernel, 0x2000, 0x800));
    expect(zone.nr_free).toBe(free - 0x800);
    expect(zone.nr_isolate_pageblock).toBe(4);
    step(m, () => unset_migratetype_isolate(kernel, 0x2000, 0x800, 1));
    expect(zone.nr_free).toBe(free);
    expect(zone.free_area[10]?.nr_free).toBe(10);
    // Came back to the tail.
    expect([...(zone.free_area[10]?.runs(1) ?? [])].at(-1)).toEqual({ start: 0x2000, count: 2 });
    step(m, () => {
      set_migratetype_isolate(kernel, 0x2000, 0x800);
      expect(__offline_isolated_pages(kernel, 0x2000, 0x2800)).toBe(0x800);
    });
    expect(kindOf(kernel.pages.state.get(0x2345))).toBe(PageKind.Offline);
    expect(orderOf(kernel.pages.state.get(0x2345))).toBe(0);
    expect([...(zone.free_area[9]?.runs(MIGRATE_ISOLATE) ?? [])]).toEqual([]);
    m.travel(0);
    expect(lists()).toBe(before);
  });

  it('a block put online is managed at once, is free when it is no longer isolated, and is taken last', () => {
    const m = machine();
    const { kernel } = m;
    const { pages } = kernel;
    const zone = kernel.zone(1, 2);
    const [start, end] = [0x108000, 0x110000];
    const totals = { free: zone.nr_free, managed: zone.managed_pages, ram: kernel.state.totalram_pages };
    step(m, () => {
      // What move_pfn_range_to_zone leaves behind.
      pages.state.setRange(start, end, stateWord(PageKind.Offline, 0, zone.index, zone.node));
      pages.pageblock.setRange(start, end, MIGRATE_ISOLATE);
      kernel.store.set(zone, 'nr_isolate_pageblock', 64);
      freeOnlinedRange(kernel, zone, start, end);
    });
    expect(zone.managed_pages).toBe(totals.managed + 0x8000);
    expect(kernel.state.totalram_pages).toBe(totals.ram + 0x8000);
    expect(zone.nr_free).toBe(totals.free);
    step(m, () => unset_migratetype_isolate(kernel, start, end - start, 1));
    expect(zone.nr_free).toBe(totals.free + 0x8000);
    expect(zone.nr_isolate_pageblock).toBe(0);
    expect([...(zone.free_area[10]?.runs(1) ?? [])].at(-1)).toEqual({ start, count: 32 });
    expect([...(zone.free_area[10]?.runs(MIGRATE_ISOLATE) ?? [])]).toEqual([]);
    check(m, []);
  });

  it('ZONE_DEVICE never gives a page, whatever the flags', () => {
    const m = machine();
    for (const line of [
      'struct dev_pagemap d',
      'd.type = MEMORY_DEVICE_GENERIC; d.nr_range = 1',
      'd.range.start = 0x200000000; d.range.end = 0x203ffffff',
      'memremap_pages(&d, 0)',
    ])
      runShellLine(m, line);
    expect(m.kernel.zone(0, ZONE_DEVICE).spanned_pages).toBe(0x4000);
    for (const gfp of GFP)
      for (let pfn = 0; pfn >= 0; ) {
        pfn = __alloc_pages(m.kernel, gfp | 0x2000, 0, 0);
        if (pfn >= 0) expect(pfn).toBeLessThan(0x200000);
      }
  });
});
