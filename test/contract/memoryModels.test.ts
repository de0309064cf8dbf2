import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ArchOptions, MEMORY_MODELS, type MemoryModel } from '../../sim/arch/layout.ts';
import { ARCH_NAMES, archLayout } from '../../sim/arch/layouts.ts';
import { sectionFlagMask, sectionMapLastBit, sectionNidShift } from '../../sim/include/section_flags.ts';
import { type Machine, RELEASES, type Release } from '../../sim/index.ts';
import { memoryModel } from '../../sim/mm/memory_model.ts';
import { modelSetup } from '../../sim/mm/model_machines.ts';
import { sectionNumbers } from '../../sim/mm/model_sections.ts';
import { type Conversion, type ModelInstance, type ModelSetup, NoModel, pfnOffset } from '../../sim/mm/model_setup.ts';
import { pageFlagsConfig, pageFlagsLayoutOf } from '../../sim/mm/page_flags.ts';
import { lastCpupidShift, type PageFlagsConfig, pageFlagsLayout } from '../../sim/mm/page_flags_layout.ts';
import { section_mem_map } from '../../sim/mm/section_word.ts';
import { boot, machineOf, mapLines, sh } from '../support/machines.ts';
import { recordedSections, recording } from '../support/recording.ts';

const RUNS = Number(process.env.ZONESCOPE_PROPERTY_RUNS ?? 60);
/** What the recorded kernel printed of its own constants. */
const recorded = new Map(
  [...recording('layout', 'layout.txt').matchAll(/^(.*?)\s{2,}(\d+) \(0x[0-9a-f]+\)$/gm)].map((match) => [
    match[1] ?? '',
    BigInt(match[2] ?? 0),
  ]),
);
const machine = boot();
const stockFlags: PageFlagsConfig = pageFlagsConfig(boot('laptop-16g').config, 5);

interface Wanted {
  arch?: (typeof ARCH_NAMES)[number];
  release?: Release;
  options?: ArchOptions;
  flags?: Partial<PageFlagsConfig>;
  banks?: { start: bigint; end: bigint; nid: number }[];
  on?: Machine;
}
function setupOf({ arch = 'x86_64', release, options = {}, flags = {}, banks, on = machine }: Wanted = {}): ModelSetup {
  const { kernel } = on;
  const layout = archLayout(arch, release ?? kernel.release, options);
  const own = arch === 'x86_64';
  return modelSetup(kernel, {
    layout,
    release: release ?? kernel.release,
    flags: {
      ...pageFlagsConfig(kernel.config, layout.zones.length + (layout.zoneDevice ? 1 : 0)),
      ...(own
        ? {}
        : {
            NODES_SHIFT: layout.NODES_SHIFT,
            LAST_CPUPID_SHIFT: layout.numaBalancing ? lastCpupidShift(layout.NR_CPUS_BITS) : 0,
          }),
      ...flags,
    },
    pageExtension: own && kernel.config.config.pageExtension,
    ...(banks ? { banks } : {}),
  });
}
const modelOf = (model: MemoryModel, wanted: Wanted = {}): ModelInstance => memoryModel(model, setupOf(wanted));
const step = (conversion: Conversion, name: string): bigint | undefined =>
  conversion.steps.find((one) => one.name === name)?.value;

describe('the constants of the recorded 6.12 kernel', () => {
  const setup = setupOf();
  const numbers = sectionNumbers(setup, true);
  const flags = pageFlagsLayoutOf(machine.kernel);
  const ours: Record<string, number | bigint> = {
    PAGE_SHIFT: setup.layout.PAGE_SHIFT,
    SECTION_SIZE_BITS: setup.layout.SECTION_SIZE_BITS ?? 0,
    MAX_PHYSMEM_BITS: setup.layout.MAX_PHYSMEM_BITS ?? 0,
    pageblock_order: setup.layout.pageblock_order,
    MAX_PAGE_ORDER: setup.layout.MAX_PAGE_ORDER,
    PAGE_OFFSET: setup.layout.PAGE_OFFSET,
    VMEMMAP_START: setup.layout.vmemmapStart?.(64) ?? 0n,
    'sizeof(struct page)': flags.sizeofPage,
    'sizeof(struct mem_section)': numbers.sizeofSection,
    PFN_SECTION_SHIFT: numbers.PFN_SECTION_SHIFT,
    PAGES_PER_SECTION: numbers.PAGES_PER_SECTION,
    NR_MEM_SECTIONS: numbers.NR_MEM_SECTIONS,
    SECTIONS_PER_ROOT: numbers.SECTIONS_PER_ROOT,
    NR_SECTION_ROOTS: numbers.NR_SECTION_ROOTS,
    SECTION_MAP_MASK: numbers.SECTION_MAP_MASK,
    SECTION_MAP_LAST_BIT: sectionMapLastBit('6.12'),
    SECTION_NID_SHIFT: sectionNidShift('6.12'),
    NR_PAGEFLAGS: flags.NR_PAGEFLAGS,
    SECTIONS_WIDTH: flags.width.SECTION,
    NODES_WIDTH: flags.width.NODE,
    ZONES_WIDTH: flags.width.ZONE,
    LAST_CPUPID_WIDTH: flags.width.LAST_CPUPID,
    KASAN_TAG_WIDTH: flags.width.KASAN_TAG,
    LRU_GEN_WIDTH: flags.width.LRU_GEN,
    LRU_REFS_WIDTH: flags.width.LRU_REFS,
    SECTIONS_PGSHIFT: flags.shift.SECTION,
    NODES_PGSHIFT: flags.shift.NODE,
    ZONES_PGSHIFT: flags.shift.ZONE,
    LAST_CPUPID_PGSHIFT: flags.shift.LAST_CPUPID,
  };
  it.each(Object.entries(ours))('%s', (name, value) => {
    expect(recorded.get(name)).toBe(BigInt(value));
  });

  it('are those it printed at boot', () => {
    const line = (what: string): string =>
      new RegExp(`pageflags_layout_${what} (.*)`).exec(recording('layout', 'mminit.txt'))?.[1] ?? '';
    const { width, shift } = flags;
    expect(line('widths')).toBe(
      `Section ${width.SECTION} Node ${width.NODE} Zone ${width.ZONE} Lastcpupid ${width.LAST_CPUPID} Kasantag ${width.KASAN_TAG} Gen ${width.LRU_GEN} Tier ${width.LRU_REFS} Flags ${flags.NR_PAGEFLAGS}`,
    );
    expect(line('pgshifts')).toBe(
      `Section ${shift.SECTION} Node ${shift.NODE} Zone ${shift.ZONE} Lastcpupid ${shift.LAST_CPUPID} Kasantag ${shift.KASAN_TAG}`,
    );
  });
});

describe('page->flags by configuration', () => {
  const x86 = archLayout('x86_64', '6.12');
  const stock = pageFlagsLayout(x86, 'sparsemem-vmemmap', '6.12', stockFlags);
  const debian = new Map(
    [...recording('layout', 'debian-stock.txt').matchAll(/^(\w+) (\d+)$/gm)].map((match) => [
      match[1],
      Number(match[2]),
    ]),
  );

  it("is the one of Debian's stock 6.12 kernel", () => {
    const { width, shift } = stock;
    expect({
      sizeof_page: stock.sizeofPage,
      NR_PAGEFLAGS: stock.NR_PAGEFLAGS,
      ZONES_WIDTH: width.ZONE,
      SECTIONS_WIDTH: width.SECTION,
      NODES_WIDTH: width.NODE,
      LAST_CPUPID_WIDTH: width.LAST_CPUPID,
      LRU_GEN_WIDTH: width.LRU_GEN,
      LRU_REFS_WIDTH: width.LRU_REFS,
      KASAN_TAG_WIDTH: width.KASAN_TAG,
      NODES_PGSHIFT: shift.NODE,
      ZONES_PGSHIFT: shift.ZONE,
      LAST_CPUPID_PGSHIFT: shift.LAST_CPUPID,
    }).toEqual({
      sizeof_page: debian.get('sizeof_page'),
      NR_PAGEFLAGS: debian.get('NR_PAGEFLAGS'),
      ZONES_WIDTH: debian.get('ZONES_WIDTH'),
      SECTIONS_WIDTH: debian.get('SECTIONS_WIDTH'),
      NODES_WIDTH: debian.get('NODES_WIDTH'),
      LAST_CPUPID_WIDTH: debian.get('LAST_CPUPID_WIDTH'),
      LRU_GEN_WIDTH: debian.get('LRU_GEN_WIDTH'),
      LRU_REFS_WIDTH: debian.get('LRU_REFS_WIDTH'),
      KASAN_TAG_WIDTH: debian.get('KASAN_TAG_WIDTH'),
      NODES_PGSHIFT: debian.get('NODES_PGSHIFT'),
      ZONES_PGSHIFT: debian.get('ZONES_PGSHIFT'),
      LAST_CPUPID_PGSHIFT: debian.get('LAST_CPUPID_PGSHIFT'),
    });
    // Notes: LRU_GEN bits 29-27, LRU_REFS bits 26-25.
    expect([shift.LRU_GEN, shift.LRU_REFS]).toEqual([27, 25]);
    expect(debian.get('SECTIONS_PER_ROOT')).toBe(
      sectionNumbers({ ...setupOf(), pageExtension: true }, true).SECTIONS_PER_ROOT,
    );
  });

  it('classic SPARSEMEM puts 19 bits of section at 45, node at 35, zone at 32, and the cpupid into a word of its own', () => {
    const classic = pageFlagsLayout(x86, 'sparsemem-extreme', '6.12', { ...stockFlags, lruGen: false });
    expect([classic.width.SECTION, classic.shift.SECTION]).toEqual([19, 45]);
    expect([classic.shift.NODE, classic.shift.ZONE]).toEqual([35, 32]);
    expect(classic.LAST_CPUPID_NOT_IN_PAGE_FLAGS).toBe(true);
    expect(classic.sizeofPage).toBe(80);
  });

  it('with 52-bit addresses, ten bits of node and LRU_GEN the node does not fit beside the section: a table has it', () => {
    const five = archLayout('x86_64', '6.12', { pageTableLevels: 5 });
    const flags = pageFlagsLayout(five, 'sparsemem-extreme', '6.12', stockFlags);
    expect(flags.width.SECTION).toBe(25);
    expect([flags.width.NODE, flags.NODE_NOT_IN_PAGE_FLAGS]).toEqual([0, true]);
    expect(flags.problems).toEqual([]);
  });

  it('32-bit x86 with PAE has no room for three bits of node beside seven of section', () => {
    const pae = archLayout('x86_32', '5.4', { pae: true });
    const config = { ...stockFlags, NODES_SHIFT: 3, LAST_CPUPID_SHIFT: 0, zones: 4 };
    const flags = pageFlagsLayout(pae, 'sparsemem-static', '5.4', config);
    expect([flags.width.SECTION, flags.width.ZONE, flags.width.NODE]).toEqual([7, 2, 0]);
    expect(
      pageFlagsLayout(archLayout('x86_32', '5.4', { pae: false }), 'sparsemem-static', '5.4', config).width.SECTION,
    ).toBe(6);
  });

  it('two bits number the zones until 4.5: a fifth zone does not compile', () => {
    const at = (release: Release, zones: number) =>
      pageFlagsLayout(x86, 'sparsemem-vmemmap', release, { ...stockFlags, zones });
    expect(at('4.5', 5).problems.join()).toContain('ZONES_SHIFT');
    expect(at('4.5', 4).width.ZONE).toBe(2);
    expect([at('4.9', 5).width.ZONE, at('4.9', 5).problems.length]).toEqual([3, 0]);
  });

  it('LRU_GEN takes bits from 6.1, the KASAN tag eight with tag-based KASAN', () => {
    const at = (release: Release, config: Partial<PageFlagsConfig>) =>
      pageFlagsLayout(archLayout('arm64', release), 'sparsemem-vmemmap', release, {
        ...stockFlags,
        NODES_SHIFT: 4,
        LAST_CPUPID_SHIFT: 16,
        ...config,
      });
    expect(at('6.0', {}).width.LRU_GEN).toBe(0);
    expect(at('6.1', {}).width.LRU_GEN).toBe(3);
    expect(at('6.12', { kasanTags: true }).width.KASAN_TAG).toBe(8);
    expect(at('4.20', { kasanTags: true }).width.KASAN_TAG).toBe(0);
  });

  it('fields never overlap, and together with the flags fit the word, or the layout says that it does not compile', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...ARCH_NAMES),
        fc.constantFrom(...MEMORY_MODELS),
        fc.constantFrom(...RELEASES),
        fc.record({
          nodes: fc.nat({ max: 10 }),
          cpupid: fc.constantFrom(0, 10, 14, 21),
          kasanTags: fc.boolean(),
          lruGen: fc.boolean(),
        }),
        (arch, model, release, { nodes, cpupid, kasanTags, lruGen }) => {
          const layout = archLayout(arch, release);
          const flags = pageFlagsLayout(layout, model, release, {
            ...stockFlags,
            NODES_SHIFT: nodes,
            LAST_CPUPID_SHIFT: cpupid,
            zones: layout.zones.length,
            kasanTags,
            lruGen,
          });
          if (flags.problems.length > 0) return;
          const taken = new Set<number>(Array.from({ length: flags.NR_PAGEFLAGS }, (_, bit) => bit));
          for (const name of Object.keys(flags.width) as (keyof typeof flags.width)[])
            for (let bit = flags.shift[name]; bit < flags.shift[name] + flags.width[name]; bit++) {
              expect(taken.has(bit)).toBe(false);
              expect(bit).toBeLessThan(layout.BITS_PER_LONG);
              taken.add(bit);
            }
        },
      ),
      { numRuns: RUNS * 5 },
    );
  });
});

describe('sections', () => {
  it('the raw word and the map of every section are the recorded ones', () => {
    const real = recordedSections('a-2G_00-boot');
    const vmemmap = modelOf('sparsemem-vmemmap');
    expect(real).toHaveLength(16);
    const maps = [...recording('a-2G_00-boot', 'sections').matchAll(/ map=([0-9a-f]+)/g)].map((match) => match[1]);
    for (const [i, { section, raw }] of real.entries()) {
      const pfn = section * 32768;
      expect(section_mem_map(machine.kernel, pfn).toString(16)).toBe(raw);
      expect(vmemmap.pfnToPage(pfn).value?.toString(16)).toBe(maps[i]);
    }
  });

  it('a coded pointer gives the map of its section back once the section is added', () => {
    for (const model of ['sparsemem-extreme', 'sparsemem-static'] as const) {
      const instance = modelOf(model);
      const size = BigInt(instance.flags.sizeofPage);
      const conversion = instance.pfnToPage(5 * 32768);
      expect(conversion.value).toBe((step(conversion, 'map') ?? 0n) + 5n * 32768n * size);
      expect((step(conversion, 'section_mem_map') ?? 0n) & 31n).toBe(15n);
      // One buffer, sections in ascending order.
      expect(conversion.value).toBe((instance.pfnToPage(0).value ?? 0n) + 5n * 32768n * size);
    }
  });

  it('the flag bits grew: 2 until 4.12, ONLINE in 4.13, EARLY in 5.3, TAINT_ZONE_DEVICE in 5.12', () => {
    const mask = (release: Release): number => sectionFlagMask(release);
    expect([mask('4.12'), mask('4.13'), mask('5.2'), mask('5.3'), mask('5.11'), mask('5.12')]).toEqual([
      3, 7, 7, 15, 15, 31,
    ]);
    expect(section_mem_map(boot('qemu-2g', '4.12').kernel, 0) & 31n).toBe(3n);
    expect(section_mem_map(boot('qemu-2g', '5.2').kernel, 0) & 31n).toBe(7n);
  });

  it('a root holds a page of mem_sections with EXTREME, one without, and is allocated only where there is memory', () => {
    const extreme = sectionNumbers(setupOf(), true);
    expect([extreme.SECTIONS_PER_ROOT, extreme.NR_SECTION_ROOTS]).toEqual([256, 2048]);
    const fixed = sectionNumbers(setupOf(), false);
    expect([fixed.SECTIONS_PER_ROOT, fixed.NR_SECTION_ROOTS]).toEqual([1, 524288]);
    const five = setupOf({ options: { pageTableLevels: 5 } });
    expect(sectionNumbers(five, true).NR_SECTION_ROOTS).toBe(131072);
    expect(sectionNumbers({ ...five, pageExtension: true }, true).NR_SECTION_ROOTS).toBe(262144);
    const beyond = modelOf('sparsemem-extreme').pfnToPage(32768 * 256);
    expect([beyond.value, beyond.valid]).toEqual([undefined, false]);
    // In an allocated root, a section without memory reads as 0.
    expect(step(modelOf('sparsemem-extreme').pfnToPage(32768 * 255), 'section_mem_map')).toBe(0n);
  });

  it('arm64 had sections of 1 GiB until 5.11; now 128 MiB, and 512 MiB with 64 KiB pages of 256 sub-sections', () => {
    const bits = (release: Release, pageKiB: 4 | 16 | 64) =>
      archLayout('arm64', release, { pageKiB }).SECTION_SIZE_BITS;
    expect([bits('5.11', 4), bits('5.12', 4), bits('5.12', 16), bits('5.12', 64)]).toEqual([30, 27, 27, 29]);
  });

  it('vmemmap of arm64 moved in 5.4, 5.11 and 6.9', () => {
    const start = (release: Release) => archLayout('arm64', release).vmemmapStart?.(64).toString(16);
    expect([start('5.3'), start('5.4'), start('5.11'), start('6.12')]).toEqual([
      'ffff7e0000000000',
      'fffffdffffe00000',
      'fffffc0000000000',
      'fffffdffc0000000',
    ]);
  });
});

describe('pfn_to_page, worked', () => {
  it('struct pages of device memory lie where the real kernel had them', () => {
    const vmemmap = modelOf('sparsemem-vmemmap');
    const pairs = [
      ...recording('d-hmm_02-loaded', 'pginfo').matchAll(/^pfn=0x([0-9a-f]+) .*? valid=1 .*? page=([0-9a-f]+)/gm),
    ];
    expect(pairs.length).toBeGreaterThan(10);
    for (const [, pfn = '', page] of pairs)
      expect(vmemmap.pfnToPage(Number.parseInt(pfn, 16)).value?.toString(16)).toBe(page);
  });

  it('the top-down rule finds the memory map where the recorded machine reserved it', () => {
    const { booted: _, ...setup } = setupOf();
    const [piece] = memoryModel('sparsemem-vmemmap', setup).maps;
    const memmap = machine.config.reserved?.find((range) => range.what === 'memmap');
    expect(BigInt(piece?.frame ?? 0) << 12n).toBe(memmap?.start);
    expect(modelOf('sparsemem-vmemmap').maps[0]?.frame).toBe(piece?.frame);
  });

  it('arm64 shifts vmemmap so that the first page frame of RAM has the first struct page', () => {
    const arm64 = modelOf('sparsemem-vmemmap', { arch: 'arm64' });
    expect(arm64.pfnToPage(0x80000).value).toBe(0xfffffdffc0000000n);
    expect(arm64.pfnToPage(0x80001).value).toBe(0xfffffdffc0000040n);
  });

  it('FLATMEM subtracts ARCH_PFN_OFFSET where RAM does not begin at 0', () => {
    const arm = modelOf('flatmem', { arch: 'arm', release: '5.4' });
    const conversion = arm.pfnToPage(0x82000);
    expect(step(conversion, 'ARCH_PFN_OFFSET')).toBe(0x80000n);
    expect(conversion.value).toBe((step(conversion, 'mem_map') ?? 0n) + 0x2000n * 32n);
    expect(arm.maps[0]?.pages).toBe(0x30000);
  });

  it('arm frees the part of mem_map that describes a gap, and pfn_valid says no there', () => {
    const banks = [
      { start: 0x80000000n, end: 0x9fffffffn, nid: 0 },
      { start: 0xa8180000n, end: 0xafffffffn, nid: 0 },
    ];
    const arm = modelOf('flatmem', { arch: 'arm', release: '5.4', banks });
    // Down to the block of 1024 pages that the second bank begins in.
    expect(arm.freed).toMatchObject([{ start: 0xa0000, pages: 0x8000 }]);
    expect(arm.pfnToPage(0xa4000).valid).toBe(false);
    expect(arm.pfnToPage(0xa4000).notes.join()).toContain('freed');
    // Between the block's start and the bank's: struct pages are there, but until 5.13 not valid.
    const at = (release: Release) => modelOf('flatmem', { arch: 'arm', release, banks }).pfnToPage(0xa8001);
    expect([at('5.13').valid, at('5.14').valid]).toEqual([false, true]);
    expect(at('5.14').notes.join()).not.toContain('freed');
  });

  it('FLATMEM without freed parts calls holes below max_mapnr valid', () => {
    const flat = modelOf('flatmem', { arch: 'x86_32', release: '5.4' });
    expect(flat.pfnToPage(0xa0).valid).toBe(true);
    expect(flat.pfnToPage(machine.kernel.state.max_pfn).valid).toBe(false);
  });

  it('DISCONTIGMEM: each architecture finds the node its own way', () => {
    const nid = (arch: Wanted['arch'], pfn: number) => {
      const conversion = modelOf('discontigmem', { arch: arch ?? 'alpha', release: '5.1' }).pfnToPage(pfn);
      return Number(step(conversion, 'nid') ?? step(conversion, 'pgdat'));
    };
    expect(nid('alpha', 2 ** (36 - 13))).toBe(1);
    expect([nid('arc', 0x40000), nid('arc', 0x3ffff)]).toEqual([0, 1]);
    expect([nid('parisc', 0), nid('parisc', 2 ** 20), nid('parisc', 69376 * 256), nid('parisc', 2 ** 22)]).toEqual([
      0, 1, 2, -1,
    ]);
    expect(nid('mips', 2 ** 20)).toBe(1);
    expect([nid('m68k', 0x7000), nid('m68k', 0x10000), nid('m68k', 0xc000)]).toEqual([0, 1, -1]);
    expect([nid('ia64', 0x1000), nid('ia64', 2 ** 25)]).toEqual([0, 1]);
    expect(nid('x86_32', 16384 * 31)).toBe(0);
  });

  it('DISCONTIGMEM of arc calls one page too many valid', () => {
    const arc = modelOf('discontigmem', { arch: 'arc', release: '5.4' });
    const end = 0x40000 + 0x20000;
    expect([arc.pfnToPage(end - 1).valid, arc.pfnToPage(end).valid, arc.pfnToPage(end + 1).valid]).toEqual([
      true,
      true,
      false,
    ]);
  });

  it('HIGHMEM of x86_32 has struct pages, and they lie in lowmem', () => {
    const flat = modelOf('flatmem', { arch: 'x86_32', release: '5.4' });
    const last = flat.pfnToPage(0x7ff00);
    expect(last.valid).toBe(true);
    expect(last.value).toBeLessThan(0xc0000000n + (890n << 20n));
    expect(flat.maps[0]?.frame).toBeLessThan(890 * 256);
  });

  it('x86_32 has no vmemmap, and a map that does not fit is refused with its size', () => {
    expect(() => modelOf('sparsemem-vmemmap', { arch: 'x86_32', release: '5.4' })).toThrow(NoModel);
    const banks = [
      { start: 0n, end: 0xfffffffn, nid: 0 },
      { start: 1n << 45n, end: (1n << 45n) + 0xfffffffn, nid: 0 },
    ];
    expect(() => modelOf('flatmem', { banks })).toThrow(/549772591104|no permanently mapped range has room/);
  });
});

/** One release of each kind: before and after every change that the models know. */
const CLASSES: readonly Release[] = [
  '4.3',
  '4.9',
  '4.13',
  '4.17',
  '5.3',
  '5.4',
  '5.11',
  '5.12',
  '5.14',
  '6.1',
  '6.12',
  '7.3',
];
const VARIANTS: readonly { arch: NonNullable<Wanted['arch']>; options: ArchOptions }[] = [
  { arch: 'x86_64', options: { pageTableLevels: 4 } },
  { arch: 'x86_64', options: { pageTableLevels: 5 } },
  { arch: 'x86_32', options: { pae: true } },
  { arch: 'x86_32', options: { pae: false } },
  ...([4, 16, 64] as const).map((pageKiB) => ({ arch: 'arm64' as const, options: { pageKiB } })),
  ...ARCH_NAMES.filter((arch) => !arch.startsWith('x86') && arch !== 'arm64').map((arch) => ({ arch, options: {} })),
];

/** FLATMEM counts from ARCH_PFN_OFFSET: RAM below it (arc's high memory) is out of its reach. */
const coveredRam = ({ model, setup }: ModelInstance) =>
  setup.memory.filter((range) => model !== 'flatmem' || range.start >= pfnOffset(setup));

describe('there and back', () => {
  const cases = VARIANTS.flatMap((one) => MEMORY_MODELS.map((model) => ({ ...one, model })));

  it.each(cases)(
    '$arch $options $model: page_to_pfn(pfn_to_page(pfn)) is pfn, in every class of releases',
    ({ arch, options, model }) => {
      let built = 0;
      for (const release of CLASSES) {
        let instance: ModelInstance;
        try {
          instance = modelOf(model, { arch, options, release });
        } catch (error) {
          expect(error).toBeInstanceOf(NoModel);
          continue;
        }
        built++;
        const inRam = fc
          .constantFrom(...coveredRam(instance))
          .chain((range) => fc.integer({ min: range.start, max: range.end - 1 }));
        const pages = new Map<bigint, number>();
        fc.assert(
          fc.property(inRam, (pfn) => {
            const there = instance.pfnToPage(pfn);
            expect(there.valid).toBe(true);
            const page = there.value ?? -1n;
            // No two page frames share a struct page.
            expect(pages.get(page) ?? pfn).toBe(pfn);
            pages.set(page, pfn);
            const piece = instance.maps.find((one) => pfn >= one.start && pfn < one.start + one.pages);
            expect(piece).toBeDefined();
            const back = instance.pageToPfn(page);
            expect([back.value, back.valid]).toEqual([BigInt(pfn), true]);
          }),
          { numRuns: Math.max(10, RUNS / 4) },
        );
      }
      // Every architecture can be computed in the models it can be configured with.
      if (archLayout(arch, '5.4', options).models.includes(model)) expect(built).toBeGreaterThan(8);
    },
  );

  it('an address between struct pages, or in no map, is told apart', () => {
    for (const model of MEMORY_MODELS) {
      const instance = modelOf(model);
      const page = instance.pfnToPage(0x1234).value ?? 0n;
      expect(instance.pageToPfn(page + 4n).valid, model).toBe(false);
      expect(instance.pageToPfn(0x1000n).valid, model).toBe(false);
    }
  });

  it('whatever RAM a machine has, in any model', () => {
    const banks = fc
      .array(
        fc.record({
          gap: fc.integer({ min: 0, max: 3000 }),
          mib: fc.integer({ min: 40, max: 3000 }),
          nid: fc.nat({ max: 3 }),
        }),
        { minLength: 1, maxLength: 6 },
      )
      .map((parts) => {
        let at = 0n;
        return parts.map(({ gap, mib, nid }, i) => {
          const start = at + (BigInt(i === 0 ? 0 : gap) << 20n);
          at = start + (BigInt(mib) << 20n);
          return { start, end: at - 1n, nid: i === 0 ? 0 : nid };
        });
      });
    fc.assert(
      fc.property(banks, fc.constantFrom(...MEMORY_MODELS), fc.nat(), (own, model, pick) => {
        const instance = modelOf(model, { banks: own });
        const range = instance.setup.memory[pick % instance.setup.memory.length];
        if (!range) return;
        const pfn = range.start + (pick % (range.end - range.start));
        const page = instance.pfnToPage(pfn);
        expect(page.valid).toBe(true);
        expect(instance.pageToPfn(page.value ?? 0n).value).toBe(BigInt(pfn));
      }),
      { numRuns: RUNS * 5 },
    );
  });
});

describe('5-level page tables', () => {
  const far = 1n << 51n;
  const json = {
    name: 'five-levels',
    physBits: 52,
    pageTableLevels: 5,
    e820: [
      { start: '0x0', end: '0x9ffff', type: 'usable' },
      { start: '0x100000', end: '0x7fffffff', type: 'usable' },
      { start: `0x${far.toString(16)}`, end: `0x${(far + (1n << 40n) - 1n).toString(16)}`, type: 'usable' },
    ],
    nodes: [
      { id: 0, ranges: [{ start: '0x0', end: '0x7fffffff' }], cpus: [0] },
      {
        id: 1,
        ranges: [{ start: `0x${far.toString(16)}`, end: `0x${(far + (1n << 40n) - 1n).toString(16)}` }],
        cpus: [1],
      },
    ],
  };

  it('boot with RAM at 2^51: 52 bits, vmemmap at 0xffd4000000000000, a root for every 128 sections there', () => {
    const { kernel } = machineOf(json);
    expect(kernel.physmemEnd).toBe((1n << 52n) - 1n);
    expect(kernel.node(1).node_present_pages).toBe(2 ** 28);
    // 16 sections of node 0 share one root; 8192 of node 1 take 64.
    expect(kernel.state.sectionRoots.size).toBe(65);
    expect(section_mem_map(kernel, Number(far >> 12n)).toString(16)).toBe('ffd400000000000f');
  });

  it('pfn_to_page and page_to_pfn hold there, against the running kernel', () => {
    const on = machineOf(json);
    const five = modelOf('sparsemem-vmemmap', { on, options: { pageTableLevels: 5 } });
    expect(five.setup.booted).toBe(on.kernel);
    const pfn = Number(far >> 12n) + 0x123;
    expect(five.pfnToPage(pfn)).toMatchObject({ valid: true, value: 0xffd4000000000000n + BigInt(pfn) * 64n });
    expect(five.pageToPfn(five.pfnToPage(pfn).value ?? 0n).value).toBe(BigInt(pfn));
  });

  it('request_free_mem_region takes the top of 52 bits, and device memory there has struct pages', () => {
    const on = machineOf(json);
    sh(
      on,
      'struct dev_pagemap_ops ops',
      'ops.page_free = put_page; ops.migrate_to_ram = put_page',
      ...mapLines('MEMORY_DEVICE_PRIVATE'),
      'm.ops = &ops; m.owner = &ops',
      'memremap_pages(&m, 0)',
    );
    const top = 2 ** 40;
    const five = modelOf('sparsemem-vmemmap', { on, options: { pageTableLevels: 5 } });
    expect(five.pfnToPage(top - 1)).toMatchObject({ valid: true, value: 0xffd4000000000000n + (1n << 46n) - 64n });
    expect(five.pfnToPage(top - 65537).valid).toBe(false);
    // The last root of all.
    expect(on.kernel.state.sectionRoots.has(2 ** 25 / 128 - 1)).toBe(true);
  });

  it('a CPU with fewer bits than the memory model bounds it lower', () => {
    const on = machineOf({ ...json, physBits: 48, e820: json.e820.slice(0, 2), nodes: json.nodes.slice(0, 1) });
    sh(on, ...mapLines('MEMORY_DEVICE_PRIVATE'));
    expect(sh(on, 'm.range.end').output).toEqual([`${2n ** 48n - 1n} (0xffffffffffff)`]);
  });

  it('a release without them leaves out what 46 bits do not reach, and says so', () => {
    const { kernel } = machineOf(json, '4.9');
    expect(kernel.physmemEnd).toBe((1n << 46n) - 1n);
    expect(kernel.state.max_pfn).toBe(0x80000);
    expect(kernel.state.log.some((line) => line.warn && /exceeds SPARSEMEM max 17179869184$/.test(line.text))).toBe(
      true,
    );
    expect(machineOf(json, '4.14').kernel.physmemEnd).toBe((1n << 52n) - 1n);
  });
});
