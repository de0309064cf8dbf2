/**
 * What the founding documents say, one test a claim, in the releases where it is so and in those where it is
 * not: 000 the ZONE_DEVICE section, 001 un-addressable memory, 002 the zone itself, 003 memremap.h of 4.19,
 * 004 DAX and get_user_pages of 4.5. What they say of processes with pages on a device is in
 * seedsDevicePages.test.ts. S004-9 has no test: the patch gives a type of KVM another name, and nothing else happens.
 */
import { describe, expect, it } from 'vitest';
import { kindOf, SECTION_IS_ONLINE, SECTION_TAINT_ZONE_DEVICE } from '../../sim/include/mmzone.ts';
import { PageKind } from '../../sim/include/types.ts';
import { Machine, type Release, recordsOf, spanHolds } from '../../sim/index.ts';
import { constantValue, lookup, variantOf } from '../../sim/kernel/names.ts';
import { optionsOf, ZONES_SHIFT } from '../../sim/machine/options.ts';
import { refOf } from '../../sim/mm/pagemap.ts';
import { pfn_valid } from '../../sim/mm/sparse.ts';
import { zonelist } from '../../sim/mm/zonelist.ts';
import { attempt, deviceZone, freePages, mapDevice, runC, value } from '../support/devices.ts';
import { boot, machineOf, preset, sh } from '../support/machines.ts';

const at = (release: Release): Machine => boot('qemu-2g', release);
const PFN = 0xf000000;
const PAGE = 'pfn_to_page(0xf000000)';
const configured = (release: Release, config: Partial<Machine['config']['config']>): Machine => {
  const machine = preset('qemu-2g');
  return new Machine({ ...machine, config: { ...machine.config, ...config } }, release);
};
/** Every name the trace of the last step holds. */
function called(machine: Machine): string[] {
  const names: string[] = [];
  const visit = (nodes: NonNullable<Machine['lastStep']>['trace']): void => {
    for (const node of nodes) {
      names.push(node.name);
      visit(node.calls);
    }
  };
  visit(machine.lastStep?.trace ?? []);
  return names;
}
const counters = (machine: Machine) =>
  machine.kernel.nodes.map((node) => [
    node.node_spanned_pages,
    node.node_zones.map((zone) => [zone.spanned_pages, zone.present_pages, zone.managed_pages, zone.nr_free]),
  ]);
const kind = (machine: Machine, pfn = PFN): number => kindOf(machine.kernel.pages.state.get(pfn));

describe('000: the ZONE_DEVICE section of memory-model.rst', () => {
  it.each<Release>(['5.3', '6.12', '7.3'])(
    'S000-1: struct pages by the memory map, for the mapping only (%s)',
    (release) => {
      const machine = at(release);
      const pfns = [PFN, PFN + 0x4321, PFN + 0x7fff];
      const valid = (): boolean[] => pfns.map((pfn) => pfn_valid(machine.kernel, pfn));
      expect(valid()).toEqual([false, false, false]);
      mapDevice(machine);
      expect(valid()).toEqual([true, true, true]);
      for (const pfn of pfns) expect(value(machine, `page_to_pfn(pfn_to_page(${pfn}))`)).toBe(BigInt(pfn));
      sh(machine, 'root_device_unregister(dm)');
      expect(valid()).toEqual([false, false, false]);
    },
  );

  it('S000-2: without the memory map no ZONE_DEVICE from 4.6 on; to 4.5 it excludes ZONE_DMA instead', () => {
    for (const release of ['4.6', '5.3', '6.12'] as const) {
      const machine = configured(release, { vmemmap: false });
      expect(mapDevice(machine).status, release).toBe(-6);
    }
    expect(optionsOf(configured('4.5', { vmemmap: false }).config, '4.5').zoneDevice).toBe(true);
    expect(mapDevice(configured('4.5', { zoneDma: true })).status).toBe(-6);
  });

  const shared = (release: Release): Machine =>
    machineOf(
      {
        name: 'a device in the last section of RAM',
        physBits: 40,
        e820: [{ start: '0x0', end: '0x3fbfffff', type: 'usable' }],
      },
      release,
    );
  it('S000-3: device pages are never online; the section they share with RAM is tainted from 5.12, and before says they are', () => {
    const alone = at('6.12');
    mapDevice(alone);
    expect(value(alone, `pfn_to_online_page(${PFN})`)).toBe(0n);
    expect(alone.kernel.pages.section.get(PFN) & SECTION_IS_ONLINE).toBe(0);
    const online = (release: Release): [bigint, number] => {
      const machine = shared(release);
      expect(mapDevice(machine, { start: '0x3fc00000', size: '4UL << 20' }).status).toBe(0);
      return [
        value(machine, 'pfn_to_online_page(0x3fc00) != NULL'),
        machine.kernel.pages.section.get(0x3fc00) & SECTION_TAINT_ZONE_DEVICE,
      ];
    };
    expect(online('6.12')).toEqual([0n, SECTION_TAINT_ZONE_DEVICE]);
    expect(online('5.11')).toEqual([1n, 0]);
  });

  it.each<Release>(['5.3', '6.12', '7.3'])('S000-4: no memory block appears (%s)', (release) => {
    const machine = at(release);
    const blocks = (): string => sh(machine, 'ls /sys/devices/system/memory').output.join('\n');
    const before = blocks();
    expect(before.match(/memory\d+/g)?.length).toBeGreaterThan(8);
    expect(mapDevice(machine).status).toBe(0);
    expect(blocks()).toBe(before);
    expect(attempt(machine, `ls /sys/devices/system/memory/memory${PFN / 0x8000}`).status).not.toBe(0);
    sh(machine, 'root_device_unregister(dm)');
    expect(blocks()).toBe(before);
  });

  it('S000-5: a reference on the pagemap keeps the memory, one on the page does not', () => {
    for (const release of ['5.18', '6.12', '6.16'] as const) {
      const machine = at(release);
      mapDevice(machine);
      sh(machine, `h = get_dev_pagemap(${PFN}, NULL)`);
      expect(attempt(machine, 'root_device_unregister(dm)').program?.status, release).toBe('waiting');
      const other = at(release);
      mapDevice(other);
      if (other.kernel.facts.fsdaxRestsAtZero) other.kernel.pages.refcount.set(PFN, 1);
      sh(other, `get_page(${PAGE})`);
      expect(attempt(other, 'root_device_unregister(dm)').program?.status, release).toBe('done');
    }
    // get_user_pages looks the pagemap up to 6.16, and no more from 6.17.
    for (const [release, looks] of [
      ['6.16', true],
      ['6.17', false],
    ] as const) {
      const machine = at(release);
      mapDevice(machine);
      sh(machine, 'dax map f 0xf000000000 2M', 'gup get f 0');
      expect(called(machine).includes('get_dev_pagemap'), release).toBe(looks);
    }
  });

  it('S000-6: pfn_to_page, page_to_pfn and get_user_pages work on memory the CPU can reach', () => {
    const machine = at('6.12');
    mapDevice(machine);
    expect(value(machine, `page_to_pfn(${PAGE})`)).toBe(BigInt(PFN));
    sh(machine, 'dax map f 0xf000000000 2M');
    expect(sh(machine, 'gup get f 0 4').output).toEqual(['4 page(s)']);
    sh(machine, 'dax map bare 0xe000000000 2M');
    expect(attempt(machine, 'gup get bare 0').status).toBe(-14);
  });

  it.each<[Release, string, number]>([
    ['4.5', 'FS_DAX', 1],
    ['4.14', 'FS_DAX', 1],
    ['5.2', 'PRIVATE', 1],
    ['5.17', 'PRIVATE', 1],
    ['5.17', 'FS_DAX', 1],
    ['6.0', 'PRIVATE', 1],
    ['6.1', 'PRIVATE', 0],
    ['6.1', 'COHERENT', 0],
    ['6.14', 'FS_DAX', 1],
    ['6.15', 'FS_DAX', 0],
    ['6.14', 'PCI_P2PDMA', 1],
    ['6.15', 'PCI_P2PDMA', 0],
    ['7.3', 'GENERIC', 1],
  ])('S000-7: the count rests at 1, until it does not (%s %s: %i)', (release, type, count) => {
    const machine = at(release);
    expect(mapDevice(machine, { type }).status).toBe(0);
    expect(value(machine, `page_count(${PAGE})`)).toBe(BigInt(count));
  });

  it.each<Release>(['4.3', '4.14', '5.2', '6.12', '7.3'])(
    'S000-8: device pages are never free memory (%s)',
    (release) => {
      const machine = at(release);
      const free = freePages(machine);
      mapDevice(machine);
      expect(freePages(machine)).toBeLessThanOrEqual(free);
      expect(deviceZone(machine)).toMatchObject({
        nr_free: 0,
        managed_pages: 0,
        present_pages: 0,
        spanned_pages: 0x8000,
      });
      expect(sh(machine, 'cat /proc/buddyinfo').output.join()).not.toContain('Device');
    },
  );

  it('S000-9: the page points back to its pagemap; from 6.15 the word belongs to the folio', () => {
    const machine = at('6.12');
    mapDevice(machine);
    expect(value(machine, `${PAGE}->pgmap == &m`)).toBe(1n);
    const later = at('7.3');
    mapDevice(later);
    const holds = (struct: string, release: Release): boolean => {
      const record = lookup(`struct ${struct}`, release);
      return (
        record?.kind === 'struct' && record.fields.some((field) => field.name === 'pgmap' && spanHolds(field, release))
      );
    };
    expect([holds('page', '6.14'), holds('folio', '6.14')]).toEqual([true, false]);
    expect([holds('page', '6.15'), holds('folio', '6.15')]).toEqual([false, true]);
    expect(later.kernel.pages.pgmap.get(PFN)).toBe(1);
  });

  it('S000-10: pieces of 2 MiB from 5.3; before, whole sections whatever was asked for', () => {
    const small = { start: '0xf000200000', size: '2UL << 20' };
    const page = { start: '0xf000001000', size: '4096' };
    for (const [release, spanned, status] of [
      ['5.2', 0x8000, 0],
      ['5.3', 512, -22],
      ['6.12', 512, -22],
    ] as const) {
      const machine = at(release);
      expect(mapDevice(machine, small).status, release).toBe(0);
      expect(deviceZone(machine).spanned_pages, release).toBe(spanned);
      const odd = mapDevice(at(release), page);
      expect(odd.status, release).toBe(status);
      expect(odd.log.join().includes('Misaligned'), release).toBe(status !== 0);
    }
  });

  it('S000-11: the piece is SUBSECTION_SHIFT, 2 MiB everywhere; PMD_SIZE is that on x86_64', () => {
    expect(constantValue('SUBSECTION_SHIFT', '6.12', 'x86_64')).toBe(21n);
    expect(constantValue('SUBSECTION_SHIFT', '6.12', 'arm64')).toBe(21n);
    expect(constantValue('PMD_SIZE', '6.12', 'x86_64')).toBe(1n << 21n);
    expect(constantValue('SUBSECTION_SHIFT', '5.2', 'x86_64')).toBeUndefined();
  });

  it('S000-12: arch_add_memory adds struct pages and gives nothing to the page allocator', () => {
    const machine = at('6.12');
    const managed = machine.kernel.state.totalram_pages;
    mapDevice(machine);
    expect(called(machine)).toEqual(expect.arrayContaining(['arch_add_memory', 'add_pages', '__add_pages']));
    expect(machine.kernel.state.totalram_pages).toBe(managed);
    expect(machine.kernel.pages.section.get(PFN) & SECTION_IS_ONLINE).toBe(0);
  });

  it('S000-13: its users have types: pmem, hmm, p2pdma, and devdax beside them', () => {
    for (const [type, expected] of [
      ['FS_DAX', PageKind.FsDax],
      ['PRIVATE', PageKind.DevicePrivate],
      ['COHERENT', PageKind.DeviceCoherent],
      ['PCI_P2PDMA', PageKind.PciP2pdma],
      ['GENERIC', PageKind.DevDax],
    ] as const) {
      const machine = at('6.12');
      expect(mapDevice(machine, { type }).status, type).toBe(0);
      expect(kind(machine), type).toBe(expected);
    }
  });

  it('S000-14: page_fault and page_free are events of the hmm user to 5.2; migrate_to_ram, then folio_free follow', () => {
    const callback = (name: string, release: Release): boolean =>
      recordsOf(name).some(
        (record) => record.kind === 'callback' && lookup(name, release) !== undefined && record.name === name,
      ) && lookup(name, release)?.kind === 'callback';
    expect(['4.14', '5.2', '5.3'].map((release) => callback('page_fault', release as Release))).toEqual([
      true,
      true,
      false,
    ]);
    expect(['5.2', '5.3'].map((release) => callback('migrate_to_ram', release as Release))).toEqual([false, true]);
    expect(['6.18', '6.19'].map((release) => callback('folio_free', release as Release))).toEqual([false, true]);
  });

  it('S000-15: get_user_pages of p2pdma pages needs FOLL_PCI_P2PDMA, from 6.2', () => {
    const mapped = (release: Release): Machine => {
      const machine = at(release);
      expect(mapDevice(machine, { type: 'PCI_P2PDMA' }).status).toBe(0);
      sh(machine, 'dax map f 0xf000000000 2M');
      return machine;
    };
    for (const release of ['6.2', '6.12', '7.3'] as const) {
      const machine = mapped(release);
      const references = (): bigint[] => machine.kernel.state.pgmaps.map(({ pgmap }) => refOf(pgmap)?.count ?? 0n);
      const before = references();
      expect(attempt(machine, 'gup get f 0').status, release).toBe(-121);
      expect(references()).toEqual(before);
      // No valid request since 6.3; refused for the VMA before.
      const refused = release === '6.2' ? -95 : -22;
      expect(attempt(machine, 'gup get f 0 pin longterm p2pdma').status, release).toBe(refused);
      expect(sh(machine, 'gup get f 0 pin p2pdma').output).toEqual(['1 page(s)']);
      sh(machine, 'gup put f 0 pin');
    }
    const older = mapped('6.1');
    expect(attempt(older, 'gup get f 0 p2pdma').status).not.toBe(0);
    expect(sh(older, 'gup get f 0').output).toEqual(['1 page(s)']);
  });
});

describe('001: un-addressable memory', () => {
  it('S001-1: a mapping of persistent memory is the same beside private memory', () => {
    const column = (machine: Machine): unknown[] => [
      machine.kernel.pages.refcount.get(PFN),
      machine.kernel.pages.flags.get(PFN),
      machine.kernel.pages.state.get(PFN),
      machine.kernel.pages.section.get(PFN),
    ];
    const alone = at('4.16');
    mapDevice(alone);
    const beside = at('4.16');
    mapDevice(beside, { name: 'p', type: 'PRIVATE', start: '0xe000000000' });
    mapDevice(beside);
    expect(column(beside)).toEqual(column(alone));
    expect(kind(beside, 0xe000000)).toBe(PageKind.DevicePrivate);
    expect(sh(beside, 'percpu_ref_kill(&rm)', 'root_device_unregister(dm)').status).toBe('done');
    expect(pfn_valid(beside.kernel, 0xe000000)).toBe(true);
  });

  /** The counts at which a driver's page_free runs while a page is taken and given back. */
  function freedAt(release: Release): string[] {
    const machine = at(release);
    const old = !machine.kernel.facts.memremapPages;
    const argument = old ? 'struct page *page, void *data' : 'struct page *page';
    const owner = machine.kernel.facts.devicePrivateOwnerRequired ? 'map.owner = &map;' : '';
    const range = machine.kernel.facts.pgmapRanges ? 'range' : 'res';
    const take = machine.kernel.facts.pageFreeAtOne
      ? `get_page(${PAGE});`
      : machine.kernel.facts.devicePageRestsAtZero
        ? `zone_device_page_init(${PAGE});`
        : '';
    const { program } = runC(
      machine,
      `dev = root_device_register("card");
       map.type = MEMORY_DEVICE_PRIVATE;
       map.${range}.start = 0xf000000000; map.${range}.end = 0xf007ffffff; ${range === 'range' ? 'map.nr_range = 1;' : ''}
       ${old ? 'percpu_ref_init(&ref, 0, 0, 0); map.ref = &ref; map.page_free = freed; map.data = &ref;' : 'ops.page_free = freed; ops.migrate_to_ram = unlock_page; map.ops = &ops;'}
       ${machine.kernel.facts.pagemapKillRequired ? 'map.kill = percpu_ref_kill;' : ''}
       ${machine.kernel.facts.pagemapCleanupRequired ? 'map.cleanup = percpu_ref_exit;' : ''}
       ${machine.kernel.facts.devmapManagedByDriver ? 'dev_pagemap_get_ops();' : ''}
       ${owner}
       devm_memremap_pages(dev, &map);
       ${take}
       put_page(${PAGE});`,
      {
        all: `static struct percpu_ref ref;\nstatic struct dev_pagemap map;\nstatic struct device *dev;\n${old ? '' : 'static struct dev_pagemap_ops ops;\n'}static void freed(${argument})\n{\n\tpr_info("freed at %d${old ? ' data %d' : ''}\\n", page_count(page)${old ? ', data == &ref' : ''});\n}`,
      },
    );
    expect(program.error, release).toBeUndefined();
    return machine.kernel.state.log.map(({ text }) => text).filter((text) => text.startsWith('freed'));
  }
  it('S001-4: page_free runs when the count is 1 again, to 5.17; from 5.18 at 0', () => {
    for (const release of ['4.16', '4.19', '5.2'] as const) expect(freedAt(release)).toEqual(['freed at 1 data 1']);
    expect(freedAt('5.17')).toEqual(['freed at 1']);
    for (const release of ['5.18', '6.0', '6.1', '6.12'] as const) expect(freedAt(release)).toEqual(['freed at 0']);
  });
  it('S001-8: no release has the option as it was mailed; what it needed is needed under the name it got', () => {
    expect(recordsOf('CONFIG_DEVICE_UNADDRESSABLE')).toEqual([]);
    for (const release of ['4.14', '6.12'] as const)
      for (const config of [{ zoneDevice: false }, { vmemmap: false }]) {
        const what = `${release} ${JSON.stringify(config)}`;
        expect(mapDevice(configured(release, config), { type: 'PRIVATE' }).status, what).toBe(-6);
      }
  });
  it('S001-9: it was merged as device private', () => {
    expect(lookup('CONFIG_DEVICE_PRIVATE', '4.14')).toBeDefined();
    expect(lookup('CONFIG_DEVICE_PRIVATE', '4.13')).toBeUndefined();
    expect(recordsOf('CONFIG_DEVICE_UNADDRESSABLE')).toEqual([]);
    expect(constantValue('MEMORY_DEVICE_PRIVATE', '4.14', 'x86_64')).toBe(1n);
  });
});

describe('002: the zone itself', () => {
  it('S002-1: a zone behind ZONE_MOVABLE, the last, called Device', () => {
    expect(
      at('4.3')
        .kernel.nodes[0]?.node_zones.map(({ name }) => name)
        .slice(-2),
    ).toEqual(['Movable', 'Device']);
  });

  it('S002-2: with ZONE_DMA on it does not configure to 4.5; three bits of zone number relax that', () => {
    for (const release of ['4.3', '4.4', '4.5'] as const) {
      expect(() => configured(release, { zoneDma: true, zoneDevice: true }), release).toThrow(/ZONES_SHIFT/);
      expect(ZONES_SHIFT(5, release)).toBeUndefined();
    }
    for (const release of ['4.9', '6.12'] as const) {
      expect(mapDevice(configured(release, { zoneDma: true, zoneDevice: true })).status, release).toBe(0);
      expect(ZONES_SHIFT(5, release)).toBe(3);
    }
    expect(ZONES_SHIFT(4, '4.3')).toBe(2);
  });

  it('S002-3: its default is the opposite of ZONE_DMA', () => {
    const options = (release: Release, config: object) =>
      optionsOf({ config: { ...preset('qemu-2g').config, ...config } }, release);
    expect(options('4.3', { zoneDma: true }).zoneDevice).toBe(false);
    expect(options('4.3', { zoneDma: false }).zoneDevice).toBe(true);
    expect(options('4.9', { zoneDma: true }).zoneDevice).toBe(true);
    const machine = configured('4.3', { zoneDma: false });
    expect(machine.kernel.nodes[0]?.node_zones[0]?.managed_pages).toBe(0);
  });

  it.each<Release>(['4.3', '5.2', '6.12'])('S002-4: no allocation comes from it (%s)', (release) => {
    const machine = at(release);
    mapDevice(machine);
    for (const highest of [0, 1, 2, 3, 4])
      expect(zonelist(machine.kernel, 0, highest).map(({ name }) => name)).not.toContain('Device');
  });

  it('S002-5: unbinding the driver takes the memory away', () => {
    const machine = at('4.5');
    mapDevice(machine);
    sh(machine, 'percpu_ref_kill(&rm)', 'root_device_unregister(dm)');
    expect(pfn_valid(machine.kernel, PFN)).toBe(false);
    expect(deviceZone(machine).spanned_pages).toBe(0);
  });

  it('S002-6: adding device memory leaves max_pfn alone: not as merged, but from 6.15 and in 6.1.y and 6.12.y', () => {
    for (const [release, isLeft] of [
      ['4.3', false],
      ['4.5', false],
      ['4.9', false],
      ['4.14', false],
      ['6.14', false],
      ['6.1', true],
      ['6.12', true],
      ['6.15', true],
    ] as const) {
      const machine = at(release);
      const { max_pfn, max_low_pfn } = machine.kernel.state;
      mapDevice(machine);
      const { state } = machine.kernel;
      expect([state.max_pfn === max_pfn, state.max_low_pfn === max_low_pfn], release).toEqual([isLeft, isLeft]);
    }
  });

  it('S002-7: ordinary memory raises max_pfn where it ends above', () => {
    const machine = at('4.3');
    expect(value(machine, 'arch_add_memory(0, 0x100000000, 0x8000000, 0)')).toBe(0n);
    expect(machine.kernel.state.max_pfn).toBe(0x108000);
    sh(machine, 'arch_add_memory(0, 0xc0000000, 0x8000000, 0)');
    expect(machine.kernel.state.max_pfn).toBe(0x108000);
  });

  it('S002-8: arch_add_memory adds it to ZONE_NORMAL, never to DMA or DMA32', () => {
    const machine = at('4.3');
    sh(machine, 'arch_add_memory(0, 0xc0000000, 0x8000000, 0)');
    expect(value(machine, 'zone_idx(page_zone(pfn_to_page(0xc0000)))')).toBe(2n);
    expect(attempt(at('4.14'), 'arch_add_memory(0, 0xc0000000, 0x8000000, 0)').status).not.toBe(0);
  });

  it('S002-9: zone_id and is_dev_zone tell a zone by its place in the node, 4.3 to 5.2', () => {
    for (const release of ['4.3', '5.2'] as const) {
      const machine = at(release);
      mapDevice(machine);
      expect(value(machine, `zone_id(page_zone(${PAGE}))`)).toBe(4n);
      expect(value(machine, `is_dev_zone(page_zone(${PAGE}))`)).toBe(1n);
      expect(value(machine, 'is_dev_zone(page_zone(pfn_to_page(0x10000)))')).toBe(0n);
    }
    const off = configured('5.2', { zoneDevice: false });
    expect(value(off, 'is_dev_zone(page_zone(pfn_to_page(0x10000)))')).toBe(0n);
    const later = at('5.3');
    mapDevice(later);
    expect(attempt(later, `is_dev_zone(page_zone(${PAGE}))`).status).not.toBe(0);
  });

  it('S002-10: removing ordinary memory releases its resource to 5.0, removing device memory never does', () => {
    const iomem = (machine: Machine): string => sh(machine, 'cat /proc/iomem').output.join('\n');
    const add = (machine: Machine): void => {
      sh(machine, 'res = request_mem_region(0x100000000, 0x8000000, "System RAM")');
      sh(machine, 'arch_add_memory(0, 0x100000000, 0x8000000, 0)');
    };
    const machine = at('4.3');
    add(machine);
    expect(iomem(machine)).toContain('100000000-107ffffff : System RAM');
    sh(machine, 'arch_remove_memory(0x100000000, 0x8000000)');
    expect(iomem(machine)).not.toContain('100000000-107ffffff');
    const device = at('4.5');
    sh(device, 'own = request_mem_region(0xf000000000, 0x8000000, "a driver")');
    mapDevice(device);
    sh(device, 'percpu_ref_kill(&rm)', 'root_device_unregister(dm)');
    expect(iomem(device)).toContain('f000000000-f007ffffff : a driver');
    expect(at('5.2').kernel.facts.removeReleasesResource).toBe(false);
  });

  it('S002-11: ordinary hotplug counts the same with the option on and off', () => {
    const countsWith = (zoneDevice: boolean) => {
      const machine = configured('4.9', { zoneDevice, zoneDma: true });
      sh(machine, 'arch_add_memory(0, 0x100000000, 0x8000000, 0)');
      const added = counters(machine);
      sh(machine, 'arch_remove_memory(0x100000000, 0x8000000)');
      return [added, counters(machine)].map((nodes) =>
        nodes.map(([span, zones]) => [span, (zones as unknown[]).slice(0, 4)]),
      );
    };
    expect(countsWith(true)).toEqual(countsWith(false));
  });

  it('S002-12: get_user_pages fails on bare page frames and works with struct pages', () => {
    const machine = at('4.5');
    sh(machine, 'dax map before 0xf000000000 2M');
    expect(attempt(machine, 'gup get before 0').status).toBe(-14);
    mapDevice(machine);
    sh(machine, 'dax map after 0xf000000000 2M');
    expect(sh(machine, 'gup get after 0').output).toEqual(['1 page(s)']);
    const older = at('4.3');
    mapDevice(older);
    sh(older, 'dax map file 0xf000000000 2M');
    expect(attempt(older, 'gup get file 0').status).toBe(-14);
  });
});

describe('003: include/linux/memremap.h of 4.19', () => {
  it('S003-1: an altmap has base, reserve, free, align and alloc; its offset is reserve and free, 0 where the option is off', () => {
    const lines = ['struct vmem_altmap a', 'a.base_pfn = 1; a.reserve = 2; a.free = 3; a.align = 4; a.alloc = 5'];
    const machine = at('4.19');
    sh(machine, ...lines);
    expect(value(machine, 'vmem_altmap_offset(&a)')).toBe(5n);
    const off = configured('4.19', { zoneDevice: false });
    sh(off, ...lines);
    expect(value(off, 'vmem_altmap_offset(&a)')).toBe(0n);
  });

  it('S003-2: altmap_valid decides, PGMAP_ALTMAP_VALID from 5.3', () => {
    const taken = (release: Release, flag: string): number => {
      const machine = at(release);
      const before = freePages(machine);
      const altmap = 'm.altmap.base_pfn = 0xf000000; m.altmap.free = 1022';
      expect(mapDevice(machine, { more: [altmap, flag] }).status).toBe(0);
      return before - freePages(machine);
    };
    expect(taken('4.19', 'm.altmap_valid = 0')).toBeGreaterThan(500);
    expect(taken('4.19', 'm.altmap_valid = 1')).toBeLessThan(4);
    expect(taken('5.3', 'm.flags = 0')).toBeGreaterThan(500);
    expect(taken('5.3', 'm.flags = PGMAP_ALTMAP_VALID')).toBeLessThan(4);
  });

  it('S003-3: without the option -ENXIO, no pagemap, and nothing to free', () => {
    const machine = configured('4.19', { zoneDevice: false });
    expect(mapDevice(machine).status).toBe(-6);
    expect(value(machine, `get_dev_pagemap(${PFN}, NULL)`)).toBe(0n);
    sh(machine, 'struct vmem_altmap a', 'a.alloc = 5', 'vmem_altmap_free(&a, 2)');
    expect(value(machine, 'a.alloc')).toBe(5n);
  });

  it('S003-4: ref and kill are needed in 4.19.y and 5.0 to 5.2, cleanup in 5.2; 5.3 has a reference of its own', () => {
    for (const [release, line, status] of [
      ['4.18', 'm.type = 0', 0],
      ['4.19', 'm.kill = NULL', -22],
      ['4.19', 'm.ref = NULL', -22],
      ['4.20', 'm.type = 0', 0],
      ['5.0', 'm.kill = NULL', -22],
      ['5.2', 'm.cleanup = NULL', -22],
      ['5.3', 'm.ref = NULL', 0],
      ['5.17', 'm.flags = 0', 0],
    ] as const) {
      const machine = at(release);
      expect(mapDevice(machine, { more: [line], type: 'FS_DAX' }).status, `${release} ${line}`).toBe(status);
    }
    expect(attempt(at('5.17'), 'struct dev_pagemap_ops o').status).toBe(0);
    expect(recordsOf('dev_pagemap_ops')[0]).toMatchObject({
      fields: expect.arrayContaining([expect.objectContaining({ name: 'kill', until: '5.16' })]),
    });
  });

  it('S003-5: private, public and fs_dax are types; public ends with 5.2 and comes back as coherent in 6.0', () => {
    const machine = at('4.19');
    expect(mapDevice(machine, { type: 'PUBLIC' }).status).toBe(0);
    expect(kind(machine)).toBe(PageKind.DeviceCoherent);
    const number = (name: string, release: Release) => constantValue(name, release, 'x86_64');
    expect(number('MEMORY_DEVICE_PUBLIC', '5.2')).toBe(2n);
    expect(number('MEMORY_DEVICE_PUBLIC', '5.3')).toBeUndefined();
    expect(number('MEMORY_DEVICE_COHERENT', '5.19')).toBeUndefined();
    expect(number('MEMORY_DEVICE_COHERENT', '6.0')).toBe(2n);
    expect(number('MEMORY_DEVICE_FS_DAX', '4.19')).toBe(3n);
  });
  it('S003-9: page_free is called at 1 with the data of the pagemap, to 5.2; without it from 5.3, at 0 from 5.18', () => {
    const records = recordsOf('page_free').filter((record) => record.kind === 'callback');
    expect(records.map((record) => [record.since, /void \*data/.test(record.prototype)])).toEqual([
      ['4.14', true],
      ['5.3', false],
      ['5.18', false],
    ]);
    // What runs is S001-4.
  });

  it('S003-10: put_dev_pagemap of NULL does nothing', () => {
    const machine = at('4.19');
    mapDevice(machine);
    const before = value(machine, 'rm.count');
    sh(machine, 'put_dev_pagemap(NULL)');
    expect(value(machine, 'rm.count')).toBe(before);
  });

  it('S003-11: get_dev_pagemap takes a live reference only', () => {
    const machine = at('4.19');
    mapDevice(machine);
    expect(value(machine, `get_dev_pagemap(${PFN}, NULL) == &m`)).toBe(1n);
    sh(machine, 'percpu_ref_kill(&rm)');
    expect(value(machine, `get_dev_pagemap(${PFN}, NULL)`)).toBe(0n);
  });

  it('S003-12: truncate waits for pinned pages from 4.18, and the last unpin wakes it', () => {
    for (const release of ['4.18', '4.19', '5.10', '6.12', '6.15', '7.3'] as const) {
      const machine = at(release);
      mapDevice(machine);
      sh(machine, 'dax map f 0xf000000000 2M', 'gup get f 5 2');
      const truncate = attempt(machine, 'dax truncate f').program;
      expect(truncate?.status, release).toBe('waiting');
      expect(truncate?.waitsFor?.holders()).toEqual([
        'get_user_pages on page 0xf000005',
        'get_user_pages on page 0xf000006',
      ]);
      sh(machine, 'gup put f 5');
      expect(truncate?.status).toBe('waiting');
      sh(machine, 'gup put f 6');
      expect(truncate?.status).toBe('done');
    }
    const older = at('4.17');
    mapDevice(older);
    sh(older, 'dax map f 0xf000000000 2M', 'gup get f 5');
    expect(attempt(older, 'dax truncate f').program?.status).toBe('done');
  });
});

describe('004: DAX and get_user_pages of 4.5', () => {
  it('S004-1: three ways to a file: page cache, DAX, and DAX that can be the target of DMA', () => {
    const machine = at('4.5');
    mapDevice(machine);
    expect(sh(machine, 'dax map a 0xf000000000 2M page-cache').output).toEqual(['a: 512 page(s), PMEM']);
    expect(sh(machine, 'dax map b 0xe000000000 2M').output).toEqual(['b: 512 page(s), DAX']);
    expect(sh(machine, 'dax map c 0xf000000000 2M').output).toEqual(['c: 512 page(s), DAX-GUP']);
    expect(['a', 'b', 'c'].map((name) => attempt(machine, `gup get ${name} 0`).status)).toEqual([0, -14, 0]);
    // The page cache copies into RAM; DAX hands out the device's own page.
    expect(machine.kernel.pages.refcount.get(PFN)).toBe(2);
  });

  it('S004-2: ZONE_DEVICE marks the pages as a driver owns and maps them', () => {
    const machine = at('4.5');
    mapDevice(machine);
    expect(value(machine, `is_zone_device_page(${PAGE})`)).toBe(1n);
    expect(value(machine, 'is_zone_device_page(pfn_to_page(0x10000))')).toBe(0n);
  });

  const shown = (release: Release, name: string): string => {
    const machine = at(release);
    mapDevice(machine);
    sh(machine, 'dax map f 0xf000000000 2M', 'dax map bare 0xe000000000 2M', 'gup get f 1');
    attempt(machine, 'gup get bare 1');
    return sh(machine, `dax show ${name} 1`).output.join(' ');
  };
  it('S004-3: pfn_t carries PFN_DEV and PFN_MAP, 4.5 to 6.16', () => {
    for (const release of ['4.5', '6.12', '6.16'] as const)
      expect(shown(release, 'f')).toContain('pfn_t 0x300000000f000001 PFN_DEV|PFN_MAP');
    expect(shown('6.17', 'f')).not.toContain('pfn_t');
  });

  it('S004-4: the page table entry gets _PAGE_DEVMAP, bit 57, to 6.16', () => {
    for (const release of ['4.5', '6.12', '6.16'] as const)
      expect(shown(release, 'f')).toContain('pte 0x820000f000001067');
    expect(shown('6.17', 'f')).toContain('pte 0x800000f000001067');
  });

  it('S004-5: get_user_pages follows that bit under a reference on the pagemap; a dying pagemap has no page', () => {
    const machine = at('4.5');
    mapDevice(machine);
    sh(machine, 'dax map f 0xf000000000 2M', 'gup get f 0');
    expect(called(machine)).toContain('get_dev_pagemap');
    sh(machine, 'percpu_ref_kill(&rm)');
    expect(attempt(machine, 'gup get f 1').status).toBe(-14);
    const later = at('6.17');
    mapDevice(later);
    sh(later, 'dax map f 0xf000000000 2M', 'gup get f 0');
    expect(called(later)).not.toContain('get_dev_pagemap');
  });

  it('S004-6: what get_user_pages holds counts on the pagemap, 4.5 to 4.13', () => {
    const held = (release: Release): bigint => {
      const machine = at(release);
      mapDevice(machine);
      sh(machine, 'dax map f 0xf000000000 2M');
      const before = value(machine, 'rm.count');
      sh(machine, 'gup get f 0 3');
      return value(machine, 'rm.count') - before;
    };
    expect(held('4.5')).toBe(3n);
    expect(held('4.13')).toBe(3n);
    expect(held('4.14')).toBe(0n);
  });

  it('S004-7: struct pages take 64 bytes a page of RAM, none of it with an altmap but tables', () => {
    const taken = (more: string[]): number => {
      const machine = at('4.5');
      const before = freePages(machine);
      expect(mapDevice(machine, { size: '16UL << 30', more }).status).toBe(0);
      return before - freePages(machine);
    };
    const pages = (16 * 2 ** 30) / 4096;
    const plain = taken([]);
    expect(plain).toBeGreaterThanOrEqual((pages * 64) / 4096);
    expect(plain).toBeLessThan((pages * 64) / 4096 + 4);
    expect(taken(['struct vmem_altmap am', 'am.base_pfn = 0xf000000; am.free = 66046; am.reserve = 2'])).toBeLessThan(
      4,
    );
  });

  it('S004-8: the altmap is an argument from 4.5 to 4.15, part of the pagemap from 4.16', () => {
    const prototype = (release: Release): string => {
      const record = lookup('devm_memremap_pages', release);
      return (record && variantOf(record, release)?.prototype) ?? '';
    };
    expect(prototype('4.5')).toContain('struct vmem_altmap *altmap');
    expect(prototype('4.3')).not.toContain('altmap');
    expect(prototype('5.2')).not.toContain('altmap');
    for (const [release, more] of [
      ['4.15', ['struct vmem_altmap am', 'am.base_pfn = 0xf000000; am.free = 1022']],
      ['4.16', ['m.altmap.base_pfn = 0xf000000; m.altmap.free = 1022; m.altmap_valid = 1']],
    ] as const) {
      const machine = at(release);
      expect(mapDevice(machine, { more: [...more] }).status, release).toBe(0);
      expect(kind(machine, PFN), release).toBe(PageKind.Memmap);
    }
  });
});
