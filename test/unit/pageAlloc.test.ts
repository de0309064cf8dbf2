/** The rules by which the page allocator chooses: mm/page_alloc.c of 6.12.117. */
import { describe, expect, it } from 'vitest';
import {
  kindOf,
  MIGRATE_HIGHATOMIC,
  MIGRATE_MOVABLE,
  MIGRATE_RECLAIMABLE,
  MIGRATE_UNMOVABLE,
  PG,
  PG_HEAD,
} from '../../sim/include/mmzone.ts';
import { PageKind } from '../../sim/include/types.ts';
import { Machine, presets, type Release, runShellLine } from '../../sim/index.ts';
import { __free_pages } from '../../sim/mm/freePages.ts';
import { gfp_zone, gfpText } from '../../sim/mm/gfp.ts';
import { __alloc_pages, alloc_pages_node } from '../../sim/mm/page_alloc.ts';
import { boot, machineOf, sh } from '../support/machines.ts';

const GFP_KERNEL = 0xcc0;
const GFP_ATOMIC = 0x820;
const MOVABLE = 0x8;
const RECLAIMABLE = 0x10;
const DMA32 = 0x4;
/** Of one node's zone and below, without marks, without a word. */
const NEED = 0x222000;
const hex = (value: number): string => `0x${value.toString(16)}`;

/** DMA, DMA32 of `dma32` MiB above 16 and NORMAL of `normal` MiB; all but the first MiB is free. */
const small = (dma32: number, normal = 0): Machine =>
  machineOf({
    name: 'small',
    physBits: 40,
    e820: [
      { start: '0x0', end: '0x9ffff', type: 'usable' },
      { start: '0x100000', end: hex(16 * 2 ** 20 + dma32 * 2 ** 20 - 1), type: 'usable' },
      ...(normal > 0 ? [{ start: '0x100000000', end: hex(2 ** 32 + normal * 2 ** 20 - 1), type: 'usable' }] : []),
    ],
    reserved: [{ start: '0x0', end: '0xfffff', what: 'low 1 MiB' }],
  });
const listed = (machine: Machine, zone: number, type: number): number[] =>
  machine.kernel.zone(0, zone).free_area.map((area) => area.countOf(type));
/** Takes blocks of one order as long as the zone itself has them. */
function takeAll(machine: Machine, gfp: number, order: number, zone: number): number[] {
  const taken: number[] = [];
  while (machine.kernel.zone(0, zone).free_area.some((area) => area.order >= order && area.nr_free > 0))
    taken.push(__alloc_pages(machine.kernel, gfp, order, 0));
  return taken;
}

describe('flags choose the zone', () => {
  it.each([
    ['GFP_KERNEL', GFP_KERNEL, 2],
    ['GFP_DMA', GFP_KERNEL | 1, 0],
    ['GFP_DMA32', GFP_KERNEL | DMA32, 1],
    ['GFP_HIGHUSER, without high memory', 0x100cc2, 2],
    ['GFP_HIGHUSER_MOVABLE', 0x100cca, 3],
    ['__GFP_MOVABLE alone', GFP_KERNEL | MOVABLE, 2],
  ])('%s', (_name, gfp, zone) => {
    expect(gfp_zone(gfp)).toBe(zone);
  });

  it('and are named as the kernel log names them', () => {
    expect(gfpText(0xdc0)).toBe('0xdc0(GFP_KERNEL|__GFP_ZERO)');
    expect(gfpText(0x40cc0)).toBe('0x40cc0(GFP_KERNEL|__GFP_COMP)');
    expect(gfpText(0x100cca)).toBe('0x100cca(GFP_HIGHUSER_MOVABLE)');
  });
});

describe('zonelists', () => {
  const order = (count: number, more: { distance?: number[][]; idle?: number[] } = {}): string[] => {
    const { kernel } = machineOf({
      name: 'nodes',
      physBits: 46,
      e820: [{ start: '0x0', end: hex(count * 2 ** 33 - 1), type: 'usable' }],
      nodes: Array.from({ length: count }, (_, id) => ({
        id,
        ranges: [{ start: hex(id * 2 ** 33), end: hex((id + 1) * 2 ** 33 - 1) }],
        cpus: more.idle?.includes(id) ? [] : [id],
        ...(more.distance ? { distance: more.distance[id] } : {}),
      })),
    });
    return kernel.nodes.map((node) => [...new Set(node.node_zonelists[0].map((zone) => zone.node))].join(' '));
  };

  it('nodes equally far are begun with in turn', () => {
    expect(order(4)).toEqual(['0 1 2 3', '1 2 3 0', '2 3 0 1', '3 0 1 2']);
  });
  it('nearer nodes come first', () => {
    const distance = [
      [10, 30, 20],
      [30, 10, 20],
      [20, 20, 10],
    ];
    expect(order(3, { distance })).toEqual(['0 2 1', '1 2 0', '2 0 1']);
  });
  it('a node without CPUs comes before others that are as far', () => {
    expect(order(3, { idle: [2] })[0]).toBe('0 2 1');
  });
  it('inside a node zones go from high to low', () => {
    const { kernel } = small(16, 32);
    expect(kernel.node(0).node_zonelists[0].map((zone) => zone.name)).toEqual(['Normal', 'DMA32', 'DMA']);
  });
});

describe('when the lists of a migrate type are empty', () => {
  it('a whole block of the largest order is claimed, with all its pageblocks', () => {
    const machine = small(16);
    const { kernel } = machine;
    expect(listed(machine, 1, MIGRATE_UNMOVABLE)).toEqual(Array(11).fill(0));
    const pfn = __alloc_pages(kernel, NEED | DMA32, 0, 0);
    expect(pfn).toBe(0x1000);
    for (const page of [0x1000, 0x1200]) expect(kernel.pages.pageblock.get(page)).toBe(MIGRATE_UNMOVABLE);
    expect(kernel.pages.pageblock.get(0x1400)).toBe(MIGRATE_MOVABLE);
    expect(listed(machine, 1, MIGRATE_UNMOVABLE)).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0]);
  });

  /** One pageblock of DMA32 with `free` free pages, movable, and nothing else free there. */
  const almostFull = (free: number, isLru: boolean): { machine: Machine; block: number } => {
    const machine = small(16);
    const { kernel } = machine;
    // Or requests would be met there first, as its marks are respected before all memory may be used.
    takeAll(machine, NEED | 1, 0, 0);
    const taken = takeAll(machine, NEED | DMA32 | MOVABLE, 9, 1);
    const block = taken[0] ?? 0;
    __free_pages(kernel, block, 9);
    const rest = Array.from({ length: (512 - free) / 64 }, () => __alloc_pages(kernel, NEED | DMA32 | MOVABLE, 6, 0));
    if (isLru) for (const pfn of rest) kernel.pages.flags.setRange(pfn, pfn + 64, 1 << PG.lru);
    return { machine, block };
  };

  it('part of a pageblock is claimed with the rest if half of it is free', () => {
    const { machine, block } = almostFull(256, true);
    const pfn = __alloc_pages(machine.kernel, NEED | DMA32, 0, 0);
    expect(pfn - (pfn % 512)).toBe(block);
    expect(machine.kernel.pages.pageblock.get(block)).toBe(MIGRATE_UNMOVABLE);
    expect(listed(machine, 1, MIGRATE_MOVABLE)).toEqual(Array(11).fill(0));
  });

  it('less is not claimed but taken from, while the rest can be moved', () => {
    const { machine, block } = almostFull(192, true);
    const pfn = __alloc_pages(machine.kernel, NEED | DMA32, 0, 0);
    expect(pfn - (pfn % 512)).toBe(block);
    expect(machine.kernel.pages.pageblock.get(block)).toBe(MIGRATE_MOVABLE);
    expect(listed(machine, 1, MIGRATE_UNMOVABLE)).toEqual(Array(11).fill(0));
    // From the smallest block that will do, not from the largest.
    expect(listed(machine, 1, MIGRATE_MOVABLE)).toEqual([1, 1, 1, 1, 1, 1, 0, 1, 0, 0, 0]);
  });

  it('pages that cannot be moved count as being of our kind', () => {
    const { machine, block } = almostFull(192, false);
    __alloc_pages(machine.kernel, NEED | DMA32, 0, 0);
    expect(machine.kernel.pages.pageblock.get(block)).toBe(MIGRATE_UNMOVABLE);
  });

  it('a request that can be moved takes from small blocks of others without claiming them', () => {
    const machine = small(16);
    const { kernel } = machine;
    for (const order of [10, 9]) takeAll(machine, NEED | 1 | MOVABLE, order, 0);
    expect(listed(machine, 0, MIGRATE_UNMOVABLE)).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0]);
    expect(__alloc_pages(kernel, NEED | 1 | MOVABLE, 0, 0)).toBe(0x100);
    expect(kernel.pages.pageblock.get(0x100)).toBe(MIGRATE_UNMOVABLE);
    expect(listed(machine, 0, MIGRATE_UNMOVABLE)).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0]);
  });

  it('reclaimable requests try unmovable blocks before movable ones', () => {
    const machine = small(16);
    __alloc_pages(machine.kernel, NEED | DMA32, 9, 0);
    // Half of the claimed block is on the unmovable list, of order 9; order 10 of the movable one is larger and goes first.
    expect(listed(machine, 1, MIGRATE_UNMOVABLE)[9]).toBe(1);
    takeAll(machine, NEED | DMA32 | MOVABLE, 10, 1);
    const pfn = __alloc_pages(machine.kernel, NEED | DMA32 | RECLAIMABLE, 0, 0);
    expect(pfn).toBe(0x1200);
    expect(machine.kernel.pages.pageblock.get(pfn)).toBe(MIGRATE_RECLAIMABLE);
  });

  it('breaking into a pageblock boosts the watermarks, until kswapd has run', () => {
    const { machine } = almostFull(192, true);
    const zone = machine.kernel.zone(0, 1);
    __alloc_pages(machine.kernel, NEED | DMA32, 0, 0);
    expect(zone.watermark_boost).toBeGreaterThanOrEqual(512);
    expect(sh(machine, 'cat /proc/zoneinfo').output.join('\n')).toContain(`boost    ${zone.watermark_boost}`);
    __alloc_pages(machine.kernel, NEED | DMA32 | 0x800, 0, 0);
    expect(zone.watermark_boost).toBe(0);
  });

  it('NORMAL is not mixed while DMA32 has whole blocks', () => {
    const machine = small(64, 64);
    const { kernel } = machine;
    const movable = takeAll(machine, NEED | MOVABLE, 8, 2).filter((pfn) => pfn >= 0x100000);
    // Every second block of order 8 is free: half of NORMAL, but no whole pageblock.
    movable.forEach((pfn, index) => {
      if (index % 2 === 0) __free_pages(kernel, pfn, 8);
    });
    const pfn = __alloc_pages(kernel, GFP_KERNEL, 0, 0);
    expect(pfn).toBeLessThan(0x100000);
    // When the node's other zones have nothing either, NORMAL is mixed after all.
    takeAll(machine, NEED | DMA32, 9, 1);
    expect(__alloc_pages(kernel, GFP_KERNEL | MOVABLE, 0, 0)).toBeGreaterThanOrEqual(0x100000);
  });
});

describe('watermarks', () => {
  it('an ordinary request leaves the minimum, an urgent one five eighths of that free; then they get NULL', () => {
    const machine = small(64);
    const { kernel } = machine;
    const zone = kernel.zone(0, 1);
    const { min } = zone.watermark;
    const fill = (gfp: number): void => {
      while (__alloc_pages(kernel, gfp | 0x202000, 0, 0) >= 0);
    };
    fill(GFP_KERNEL | DMA32);
    expect(zone.nr_free).toBe(min);
    fill(GFP_ATOMIC | DMA32);
    const half = min - Math.floor(min / 2);
    expect(zone.nr_free).toBe(half - Math.floor(half / 4));
    fill(GFP_KERNEL | DMA32 | 0x20000);
    expect(zone.nr_free).toBe(0);
  });

  it('requests that could have used higher zones leave more of the lower ones', () => {
    const machine = small(64);
    const { kernel } = machine;
    const dma = kernel.zone(0, 0);
    while (__alloc_pages(kernel, GFP_KERNEL | 0x2000, 0, 0) >= 0);
    expect(dma.lowmem_reserve[2]).toBeGreaterThan(0);
    expect(dma.nr_free).toBe(dma.watermark.min + (dma.lowmem_reserve[2] ?? 0));
    expect(__alloc_pages(kernel, GFP_KERNEL | 1, 0, 0)).toBeLessThan(0x1000);
  });

  it('a failure is told in the log, unless it is not to be', () => {
    const { kernel } = small(16);
    const told = (): number => kernel.state.log.filter((line) => line.text.includes('allocation failure')).length;
    while (__alloc_pages(kernel, GFP_KERNEL | 0x2000, 5, 0) >= 0);
    expect(told()).toBe(0);
    expect(__alloc_pages(kernel, GFP_KERNEL, 5, 0)).toBe(-1);
    expect(kernel.state.log.at(-1)?.text).toBe(
      'page allocation failure: order:5, mode:0xcc0(GFP_KERNEL), nodemask=(null)',
    );
  });

  it('urgent requests that may not sleep get a pageblock of their own, given up before anyone is refused', () => {
    const machine = small(512);
    const { kernel } = machine;
    const zone = kernel.zone(0, 1);
    takeAll(machine, NEED | 1, 0, 0);
    const low = (): boolean => zone.nr_free - 1 <= zone.watermark.low + (zone.lowmem_reserve[1] ?? 0);
    while (!low()) __alloc_pages(kernel, GFP_KERNEL | DMA32, 0, 0);
    const pfn = __alloc_pages(kernel, GFP_ATOMIC | DMA32, 1, 0);
    expect(kernel.pages.pageblock.get(pfn)).toBe(MIGRATE_HIGHATOMIC);
    expect(zone.nr_reserved_highatomic).toBe(512);
    const reserved = zone.nr_free_highatomic;
    expect(reserved).toBeGreaterThan(0);
    // The next one comes from there.
    expect(kernel.pages.pageblock.get(__alloc_pages(kernel, GFP_ATOMIC | DMA32, 1, 0))).toBe(MIGRATE_HIGHATOMIC);
    while (__alloc_pages(kernel, GFP_KERNEL | DMA32 | 0x212000, 0, 0) >= 0);
    expect(zone.nr_free_highatomic).toBe(reserved - 2);
    expect(__alloc_pages(kernel, GFP_KERNEL | DMA32 | 0x202000, 0, 0)).toBeGreaterThan(0);
    expect(zone.nr_reserved_highatomic).toBe(0);
  });
});

describe('many blocks at once', () => {
  it.each([0, 3, 9])('of order %i are those that single requests get', (order) => {
    const many = new Machine(presets()[0] as never, '6.12');
    const single = new Machine(presets()[0] as never, '6.12');
    const use = { kind: PageKind.Kernel, migratetype: MIGRATE_UNMOVABLE };
    const count = 5000 >> order;
    const pfns = alloc_pages_node(many.kernel, 0, order, use, count).flatMap((run) =>
      Array.from({ length: run.blocks }, (_, i) => run.pfn + i * 2 ** order),
    );
    expect(pfns).toEqual(Array.from({ length: count }, () => __alloc_pages(single.kernel, GFP_KERNEL, order, 0)));
    expect(many.kernel.zone(0, 1).nr_free).toBe(single.kernel.zone(0, 1).nr_free);
  });

  it('all there is, and no more, as single requests would get it', () => {
    const many = small(64, 64);
    const single = small(64, 64);
    const use = { kind: PageKind.Kernel, migratetype: MIGRATE_UNMOVABLE };
    const pfns = alloc_pages_node(many.kernel, 0, 2, use, 1e6).flatMap((run) =>
      Array.from({ length: run.blocks }, (_, i) => run.pfn + i * 4),
    );
    const expected: number[] = [];
    for (let pfn = 0; pfn >= 0; ) {
      pfn = __alloc_pages(single.kernel, GFP_KERNEL | 0x6000, 2, 0);
      if (pfn >= 0) expected.push(pfn);
    }
    expect(pfns).toEqual(expected);
  });
});

describe('from C and the shell', () => {
  it('pages are allocated, looked at and freed; a second free is a bad access and changes nothing', () => {
    const machine = boot();
    const before = sh(machine, 'cat /proc/buddyinfo').output.join('\n');
    sh(machine, 'p = alloc_pages(GFP_KERNEL, 2)');
    expect(sh(machine, 'page_to_nid(p)').valueText).toBe('0');
    expect(sh(machine, 'page_zonenum(p)').valueText).toBe('1');
    expect(sh(machine, 'page_count(p)').valueText).toBe('1');
    expect(sh(machine, 'page_count(p + 1)').valueText).toBe('0');
    expect(sh(machine, 'cat /proc/buddyinfo').output.join('\n')).not.toBe(before);
    sh(machine, '__free_pages(p, 2)');
    const after = machine.canonical();
    expect(runShellLine(machine, '__free_pages(p, 2)')?.error?.message).toContain('is not allocated');
    expect(machine.canonical()).toBe(after);
    const count = (text: string): number => [...text.matchAll(/\d+(?= )/g)].length;
    expect(count(sh(machine, 'cat /proc/buddyinfo').output.join('\n'))).toBe(count(before));
  });

  it('an order that does not exist is NULL with a warning, one that is not ours a bad access', () => {
    const machine = boot();
    expect(sh(machine, 'alloc_pages(GFP_KERNEL, 11) == NULL').valueText).toBe('1');
    expect(machine.kernel.state.log.at(-1)?.warn).toBe(true);
    sh(machine, 'p = alloc_pages(GFP_KERNEL, 0)');
    expect(runShellLine(machine, '__free_pages(p, 1)')?.error?.name).toBe('BadAccess');
    expect(runShellLine(machine, '__free_pages(pfn_to_page(1), 0)')?.error?.message).toContain('is not allocated');
    expect(runShellLine(machine, 'alloc_pages_node(7, GFP_KERNEL, 0)')?.error?.message).toContain('node 7');
  });

  it('compound pages go whole with their last reference; others can be split', () => {
    const machine = boot();
    sh(machine, 'c = alloc_pages(GFP_KERNEL | __GFP_COMP, 3)');
    const { value } = sh(machine, 'page_to_pfn(c)');
    const head = value?.kind === 'integer' ? Number(value.value) : -1;
    expect(machine.kernel.pages.flags.get(head)).toBe(PG_HEAD);
    expect(sh(machine, 'compound_head(c + 5) == c').valueText).toBe('1');
    expect(sh(machine, 'compound_order(c)').valueText).toBe('3');
    expect(runShellLine(machine, '__free_pages(c, 2)')?.error?.message).toContain('has order 3');
    sh(machine, 'put_page(c)');
    for (const pfn of [head, head + 7]) expect(kindOf(machine.kernel.pages.state.get(pfn))).toBe(PageKind.Free);
    sh(machine, 'p = alloc_pages(GFP_KERNEL, 1)', 'split_page(p, 1)', '__free_page(p + 1)', '__free_page(p)');
  });

  it('a reference on a tail of a compound page is one on its head, and its last put frees all of it', () => {
    const machine = boot();
    sh(machine, 'c = alloc_pages(GFP_KERNEL | __GFP_COMP, 3)', 'get_page(c + 5)');
    for (const page of ['c', 'c + 5', 'c + 7']) expect(sh(machine, `page_count(${page})`).valueText, page).toBe('2');
    expect(sh(machine, '(c + 5)->_refcount.counter').valueText).toBe('0');
    sh(machine, 'put_page(c + 7)', 'n = page_to_pfn(c)', 'put_page(c + 1)');
    const { value } = sh(machine, 'n');
    const head = value?.kind === 'integer' ? Number(value.value) : -1;
    for (const pfn of [head, head + 7]) expect(kindOf(machine.kernel.pages.state.get(pfn))).toBe(PageKind.Free);
    // Without __GFP_COMP there is no head to ask: a tail counts for itself.
    sh(machine, 'p = alloc_pages(GFP_KERNEL, 1)');
    expect(sh(machine, 'page_count(p + 1)').valueText).toBe('0');
  });

  it('addresses are those of the linear mapping', () => {
    const machine = boot();
    sh(machine, 'a = get_zeroed_page(GFP_KERNEL)', 'b = __get_free_pages(GFP_KERNEL, 4)');
    expect(sh(machine, 'page_address(virt_to_page(a)) == (void *)a').valueText).toBe('1');
    sh(machine, 'free_pages(b, 4)', 'free_page(a)', 'free_pages(0, 0)');
    expect(runShellLine(machine, 'free_page(4096)')?.error?.message).toContain('linear mapping');
  });

  it.each(['5.0', '5.10', '6.3', '7.3'] as Release[])('GFP_ATOMIC works in %s, whatever its value there', (release) => {
    const machine = boot('qemu-2g', release);
    sh(machine, 'p = alloc_pages(GFP_ATOMIC | __GFP_HIGH, 0)', '__free_pages(p, 0)');
  });
});
