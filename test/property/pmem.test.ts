import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isActive } from '../../sim/drivers/nvdimm/namespace_devs.ts';
import { SZ_1G, SZ_2M, SZ_4K, SZ_8K } from '../../sim/drivers/nvdimm/nd.ts';
import { altmapLayout, pfnLayout, sectionLayout } from '../../sim/drivers/nvdimm/pfn.ts';
import { type Machine, type Release, runShellLine } from '../../sim/index.ts';
import { walk } from '../../sim/kernel/resource.ts';
import { pgmap_altmap } from '../../sim/mm/pagemap.ts';
import { memmapFrames } from '../../sim/mm/sparse-vmemmap.ts';
import { boot, pmemMachine } from '../support/machines.ts';
import { short } from '../support/same.ts';

const RUNS = Number(process.env.ZONESCOPE_PROPERTY_RUNS ?? 60);
const SECTION = 128n << 20n;

const namespaces = fc.record({
  start: fc.bigInt({ min: 0n, max: 1n << 20n }).map((units) => (4n << 30n) + units * SZ_2M),
  // Multiples of 4 KiB from 16 MiB to 2 TiB, most of them of something larger.
  size: fc.oneof(
    fc.bigInt({ min: 4096n, max: 1n << 29n }).map((pages) => pages * SZ_4K),
    fc.bigInt({ min: 1n, max: 1n << 14n }).map((sections) => sections * SECTION),
    fc.bigInt({ min: 8n, max: 1n << 20n }).map((units) => units * SZ_2M),
  ),
  mode: fc.constantFrom('ram' as const, 'pmem' as const),
  align: fc.constantFrom(SZ_4K, SZ_2M, SZ_1G),
});

describe('the arithmetic of an info block, for any namespace', () => {
  it('data, memory map and what is cut off fill the namespace, aligned, and the altmap holds the map of every whole section', () => {
    fc.assert(
      fc.property(namespaces, ({ start, size, mode, align }) => {
        const layout = pfnLayout(start, size, mode, align);
        if (layout === 'no room') {
          // Only where the first aligned address behind the map is not inside.
          const step = align > SZ_2M ? align : SZ_2M;
          expect(size < size / 64n + SZ_8K + 3n * step).toBe(true);
          return;
        }
        if (typeof layout === 'string') throw new Error(layout);
        const { dataoff, end_trunc, npfns } = layout;
        const step = align > SZ_2M ? align : SZ_2M;
        expect(dataoff + npfns * SZ_4K + end_trunc).toBeLessThanOrEqual(size);
        expect(size - (dataoff + npfns * SZ_4K + end_trunc)).toBeLessThan(SZ_4K);
        expect((start + dataoff) % step).toBe(0n);
        expect((start + size - end_trunc) % step).toBe(0n);
        expect(end_trunc).toBeLessThan(step);
        expect(dataoff).toBeGreaterThanOrEqual(SZ_8K + (mode === 'pmem' ? 64n * npfns : 0n));
        if (mode !== 'pmem') return;
        const altmap = altmapLayout(start, size, { ...layout, start_pad: 0n });
        expect(altmap.base_pfn % 512n).toBe(0n);
        expect(altmap.base_pfn + altmap.reserve + altmap.free).toBe((start + dataoff) >> 12n);
        expect(altmap.reserve).toBeGreaterThanOrEqual(2n);
        // 512 pages for each whole section, at multiples of 512: one gap of up to 510 pages in front.
        const end = start + size - end_trunc;
        const first = ((start + SECTION - 1n) / SECTION) * SECTION;
        const sections = end > first ? (end - first) / SECTION : 0n;
        const gap = (512n - ((altmap.base_pfn + altmap.reserve) % 512n)) % 512n;
        if (sections > 0n) expect(sections * 512n + gap).toBeLessThanOrEqual(altmap.free);
      }),
      { numRuns: RUNS * 50 },
    );
  });

  it('until 5.2: where a section is shared the data keeps to whole sections, and data, map and what is cut off fill the rest', () => {
    fc.assert(
      fc.property(
        namespaces,
        fc.boolean(),
        fc.boolean(),
        fc.boolean(),
        ({ start, size, mode, align }, front, back, dax) => {
          const layout = sectionLayout(start, size, mode, align, dax, (from) => (from === start ? back : front));
          if (typeof layout === 'string') {
            expect(layout).toBe('no room');
            return;
          }
          const { start_pad, dataoff, end_trunc, npfns } = layout;
          expect(start_pad + dataoff + npfns * SZ_4K + end_trunc).toBeLessThanOrEqual(size);
          expect((start + start_pad + dataoff) % align).toBe(0n);
          if (front && start % SECTION !== 0n) expect((start + start_pad) % SECTION).toBe(0n);
          if (back) expect((start + size - end_trunc) % SECTION).toBe(0n);
          expect(dataoff).toBeGreaterThanOrEqual(SZ_8K + (mode === 'pmem' ? 64n * npfns : 0n) + (dax ? 0x20000n : 0n));
          const altmap = altmapLayout(start, size, layout, true);
          expect(altmap.base_pfn % 32768n).toBe(0n);
          expect(altmap.base_pfn + altmap.reserve + altmap.free).toBe((start + start_pad + dataoff) >> 12n);
        },
      ),
      { numRuns: RUNS * 20 },
    );
  });

  it('a start that is not a multiple of 2 MiB is refused', () => {
    fc.assert(
      fc.property(namespaces, fc.bigInt({ min: 1n, max: 511n }), ({ start, size, mode, align }, pages) => {
        expect(pfnLayout(start + pages * SZ_4K, size, mode, align)).toBe('misaligned start');
      }),
      { numRuns: RUNS },
    );
  });
});

const NAMES = ['namespace0.0', 'namespace0.1', 'namespace1.0', 'namespace1.1', 'all'];
const option = <T>(values: fc.Arbitrary<T>, text: (value: T) => string): fc.Arbitrary<string> =>
  fc.option(values, { nil: undefined }).map((value) => (value === undefined ? '' : text(value)));
const create = fc
  .tuple(
    option(fc.constantFrom(...NAMES), (name) => ` -e ${name}`),
    fc.constantFrom('fsdax', 'devdax', 'sector', 'raw'),
    option(fc.constantFrom('mem', 'dev'), (map) => ` -M ${map}`),
    option(fc.constantFrom('4K', '2M', '1G', '3M'), (align) => ` -a ${align}`),
    option(fc.integer({ min: 1, max: 2000 }), (units) => ` -s ${units * 16}M`),
    fc.constantFrom(' -f', ''),
  )
  .map(
    ([name, mode, map, align, size, force]) => `ndctl create-namespace${force}${name} -m ${mode}${map}${align}${size}`,
  );
const operation = fc.oneof(
  { weight: 4, arbitrary: create },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom('enable', 'disable', 'destroy'), fc.constantFrom(...NAMES))
      .map(([action, name]) => `ndctl ${action}-namespace ${name}${action === 'destroy' ? ' -f' : ''}`),
  },
  fc
    .tuple(fc.constantFrom('system-ram -N', 'devdax', 'system-ram'), fc.constantFrom('dax0.0', 'dax1.0', 'all'))
    .map(([mode, name]) => `daxctl reconfigure-device --mode=${mode} ${name}`),
  fc
    .tuple(
      fc.constantFrom('device_dax', 'kmem'),
      fc.constantFrom('bind', 'unbind', 'new_id', 'remove_id'),
      fc.constantFrom('dax0.0', 'dax1.0', 'dax9.9', 'x'),
    )
    .map(([driver, file, name]) => `echo ${name} > /sys/bus/dax/drivers/${driver}/${file}`),
  fc
    .tuple(fc.constantFrom('namespace0.0', 'namespace1.0'), fc.constantFrom('0', '1', 'maybe'))
    .map(([name, value]) => `echo ${value} > /sys/bus/nd/devices/${name}/force_raw`),
  fc.constantFrom('0x200000', '0x1000000', '3').map((align) => `echo ${align} > /sys/bus/nd/devices/region0/align`),
);

function check(machine: Machine): void {
  const { kernel } = machine;
  const frames = kernel.state.memmapRuns.reduce((sum, run) => sum + memmapFrames(run), 0);
  expect(kernel.nodes.reduce((sum, node) => sum + node.nr_memmap, 0)).toBe(frames);
  for (const { pgmap, ranges } of kernel.state.pgmaps) {
    const altmap = pgmap_altmap(kernel, pgmap);
    if (altmap) expect(altmap.alloc >= 0n && altmap.alloc + altmap.align <= altmap.free).toBe(true);
    for (const other of kernel.state.pgmaps)
      if (other.pgmap !== pgmap)
        for (const a of ranges) for (const b of other.ranges) expect(a.end <= b.start || b.end <= a.start).toBe(true);
  }
  for (const bus of kernel.state.nvdimm.buses)
    for (const region of bus.regions) {
      const taken = region.namespaces.filter(({ size }) => size > 0n).sort((a, b) => (a.start < b.start ? -1 : 1));
      taken.forEach((namespace, index) => {
        expect(namespace.start >= region.start && namespace.start + namespace.size <= region.start + region.size).toBe(
          true,
        );
        const next = taken[index + 1];
        if (next) expect(namespace.start + namespace.size <= next.start).toBe(true);
      });
      for (const claim of region.claims) if (claim.namespace) expect(claim.namespace.claim).toBe(claim);
      // The seed has no size, or was given one and found no driver yet; what lost its size may stay beside it.
      if (region.labels && taken.every(isActive))
        expect(region.namespaces.filter(({ size }) => size === 0n)).not.toEqual([]);
    }
  let last = { depth: 0, end: -1n };
  for (const { resource, depth } of walk(kernel.state.iomem)) {
    if (depth === last.depth) expect(resource.start > last.end).toBe(true);
    last = { depth, end: resource.end };
  }
}

describe('whatever an administrator types', () => {
  const machines: readonly [string, (release: Release) => Machine][] = [
    ['legacy memory', (release) => pmemMachine('c1-1G', release)],
    ['two regions in a section', (release) => pmemMachine('cs5-two-in-section', release)],
    ['NVDIMMs with labels', (release) => boot('server-2n-pmem', release)],
  ];
  // The newest, and one of each way in which drivers map and undo.
  const releases = fc.oneof(
    fc.constant<Release>('6.12'),
    fc.constantFrom<Release>(
      '4.3',
      '4.5',
      '4.9',
      '4.14',
      '4.16',
      '4.18',
      '4.19',
      '5.0',
      '5.1',
      '5.2',
      '5.3',
      '5.8',
      '7.3',
    ),
  );
  it.each(machines)(
    '%s: nothing overlaps, altmaps hold, looking changes nothing, and undo gives the first bytes back',
    (_name, make) => {
      fc.assert(
        fc.property(releases, fc.array(operation, { minLength: 2, maxLength: 14 }), (release, lines) => {
          const machine = make(release);
          const first = short(machine.canonical());
          for (const line of lines) {
            runShellLine(machine, line);
            check(machine);
            const { store } = machine.kernel;
            const before = [store.mark(), store.newest];
            for (const look of ['ndctl list -vvv -i', 'daxctl list -RDM -u', 'ndctl list -RNu'])
              runShellLine(machine, look);
            expect([store.mark(), store.newest]).toEqual(before);
          }
          const end = short(machine.canonical());
          const at = machine.position;
          machine.travel(0);
          expect(short(machine.canonical())).toBe(first);
          machine.travel(at);
          expect(short(machine.canonical())).toBe(end);
        }),
        { numRuns: Math.max(20, Math.ceil(RUNS / 2)), interruptAfterTimeLimit: 60_000 },
      );
    },
  );
});
