/** devm_memremap_pages from 4.3 to 5.2, and references in 5.3 to 5.16: what each release refuses, keeps and waits for. */
import { describe, expect, it } from 'vitest';
import { Machine, type Release, zonesView } from '../../sim/index.ts';
import { optionsOf } from '../../sim/machine/options.ts';
import { pfn_valid } from '../../sim/mm/sparse.ts';
import { attempt, deviceLines, deviceZone, freePages, mapDevice, runC, value } from '../support/devices.ts';
import { boot, preset, sh } from '../support/machines.ts';
import { short } from '../support/same.ts';

const SECTION = 0x8000;
const OLD: readonly Release[] = ['4.3', '4.5', '4.9', '4.14', '4.16', '4.18', '4.19', '4.20', '5.0', '5.2'];
const at = (release: Release): Machine => boot('qemu-2g', release);

describe('a mapping before sub-sections', () => {
  it.each(OLD)('%s: 2 MiB takes a whole section of ZONE_DEVICE, and unbinding gives everything back', (release) => {
    const machine = at(release);
    const free = freePages(machine);
    expect(mapDevice(machine, { start: '0xf000200000', size: '2UL << 20' })).toMatchObject({ status: 0, log: [] });
    expect(deviceZone(machine)).toMatchObject({
      zone_start_pfn: 0xf000000,
      spanned_pages: SECTION,
      present_pages: 0,
      managed_pages: 0,
    });
    expect(free - freePages(machine)).toBe(512 + (machine.kernel.state.vmemmapTables.size - 2));
    for (const pfn of [0xf000000, 0xf000200, 0xf007fff]) expect(pfn_valid(machine.kernel, pfn)).toBe(true);
    expect(pfn_valid(machine.kernel, 0xf008000)).toBe(false);
    if (release === '4.3') {
      // Without widening, __remove_pages cannot take what __add_pages rounded up to sections.
      expect(attempt(machine, 'root_device_unregister(dm)').program?.error?.message).toMatch(/kernel BUG/);
      return;
    }
    if (!machine.kernel.facts.pagemapKillRequired) sh(machine, 'percpu_ref_kill(&rm)');
    sh(machine, 'root_device_unregister(dm)');
    expect(machine.kernel.state.pgmaps).toHaveLength(0);
    expect(pfn_valid(machine.kernel, 0xf000200)).toBe(false);
    expect(freePages(machine)).toBe(free);
    expect(deviceZone(machine)).toMatchObject({ zone_start_pfn: 0, spanned_pages: 0 });
  });

  it('only the pages of the exact range have a pagemap; the padding has none', () => {
    const machine = at('4.14');
    mapDevice(machine, { start: '0xf000200000', size: '2UL << 20' });
    const { pgmap } = machine.kernel.pages;
    expect([0xf0001ff, 0xf000200, 0xf0003ff, 0xf000400].map((pfn) => pgmap.get(pfn) !== 0)).toEqual([
      false,
      true,
      true,
      false,
    ]);
  });

  it.each<[Release, number, RegExp]>([
    ['4.5', -16, /collides with mapping for a/],
    ['4.13', -16, /collides with mapping for a/],
    ['4.18', -12, /Conflicting mapping in same section/],
    ['5.2', -12, /Conflicting mapping in same section/],
  ])('%s: two devices in one section are %i', (release, status, text) => {
    const machine = at(release);
    // From 4.18 the look-up is by pfn: what covers the section's first or last page is found.
    mapDevice(machine, { name: 'a', start: '0xf000000000', size: '4UL << 20' });
    const result = mapDevice(machine, { name: 'b', start: '0xf000400000', size: '4UL << 20' });
    expect(result.status).toBe(status);
    expect(result.log.join()).toMatch(text);
    expect(machine.kernel.state.pgmaps).toHaveLength(1);
    expect(deviceZone(machine).spanned_pages).toBe(SECTION);
  });

  it('4.14 looks at exact pages only: a neighbour in the section is passed over, an overlap is -EBUSY', () => {
    const machine = at('4.14');
    mapDevice(machine, { name: 'a', start: '0xf000000000', size: '4UL << 20' });
    expect(mapDevice(machine, { name: 'b', start: '0xf000400000', size: '4UL << 20' }).status).toBe(0);
    expect(mapDevice(machine, { name: 'c', start: '0xf000600000', size: '4UL << 20' }).status).toBe(-16);
  });

  it('4.16 has no check but the index: an overlap is -EEXIST', () => {
    const machine = at('4.16');
    mapDevice(machine, { name: 'a', start: '0xf000200000', size: '4UL << 20' });
    expect(mapDevice(machine, { name: 'b', start: '0xf000400000', size: '4UL << 20' }).status).toBe(-17);
  });

  it.each<[Release, boolean]>([
    ['4.3', true],
    ['4.18', true],
    ['4.19', false],
    ['4.20', true],
    ['5.0', false],
  ])('%s: a range of System RAM is returned as it is: %s', (release, isReturned) => {
    const machine = at(release);
    const lines = deviceLines(machine, { start: '0x10000000' });
    const call = lines.pop() ?? '';
    sh(machine, ...lines);
    const { status, log, program } = attempt(machine, call);
    expect(status).toBe(isReturned ? 0 : -6);
    expect(log).toHaveLength(isReturned ? 0 : 1);
    if (isReturned) expect(program?.value).toMatchObject({ target: { address: 0xffff888010000000n } });
    expect(machine.kernel.state.pgmaps).toHaveLength(0);
  });

  it('a range that is System RAM only in its padding is -ENXIO from 4.5 on, where the whole section is asked about', () => {
    const edge = { start: '0x80000000', size: '2UL << 20' };
    expect(mapDevice(at('4.5'), edge).status).toBe(0);
    // The last section of this machine is RAM up to 0x7ffdcfff.
    const inside = { start: '0x7fe00000', size: '2UL << 20' };
    expect(mapDevice(at('4.5'), inside)).toMatchObject({ status: -6 });
  });

  it('4.5 and 5.2: no reference is -EINVAL', () => {
    for (const [release, line] of [
      ['4.5', 'devm_memremap_pages(dm, &m, NULL, NULL)'],
      ['5.2', 'devm_memremap_pages(dm, &m)'],
    ] as const) {
      const machine = at(release);
      const lines = deviceLines(machine);
      sh(machine, ...lines.slice(0, -1), ...(release === '5.2' ? ['m.ref = NULL'] : []));
      expect(attempt(machine, line).status, release).toBe(-22);
    }
  });
});

describe('an altmap before 5.3', () => {
  const lines = (base: string, free: string): string[] => [
    'struct vmem_altmap am',
    `am.base_pfn = ${base}; am.free = ${free}`,
  ];

  it('4.5: a copy of it is used; the memory map takes no RAM but for tables', () => {
    const machine = at('4.5');
    const free = freePages(machine);
    expect(mapDevice(machine, { more: lines('0xf000000', '1022') }).status).toBe(0);
    expect(free - freePages(machine)).toBeLessThan(4);
    expect(value(machine, 'am.alloc')).toBe(0n);
    const [map] = machine.kernel.state.pgmaps;
    expect(map?.pgmap.altmap).toMatchObject({ target: { object: { alloc: 512n } } });
    sh(machine, 'percpu_ref_kill(&rm)', 'root_device_unregister(dm)');
    expect(freePages(machine)).toBe(free);
  });

  it('whose base is not the first page of the widened range is refused, and nothing stays mapped', () => {
    const machine = at('4.9');
    const result = mapDevice(machine, { start: '0xf000200000', size: '126UL << 20', more: lines('0xf000200', '1022') });
    expect(result.status).toBe(-22);
    expect(result.log).toContain('memory add fail, invalid altmap');
    expect(machine.kernel.state.pgmaps).toHaveLength(0);
    expect(pfn_valid(machine.kernel, 0xf000200)).toBe(false);
  });

  it('4.5: an altmap without vmemmap is -ENXIO', () => {
    const config = preset('qemu-2g');
    const options = { ...config, config: { ...config.config, vmemmap: false } };
    expect(optionsOf(options, '4.5').zoneDevice).toBe(true);
    expect(optionsOf(options, '4.6').zoneDevice).toBe(false);
  });

  it('4.15: removal rounds the length alone, and leaves a section behind when the range crosses a border', () => {
    const remains = (release: Release): boolean => {
      const machine = at(release);
      mapDevice(machine, { start: '0xf007e00000', size: '4UL << 20' });
      sh(machine, 'percpu_ref_kill(&rm)', 'root_device_unregister(dm)');
      return pfn_valid(machine.kernel, 0xf008000);
    };
    expect(remains('4.15')).toBe(true);
    expect(remains('4.16')).toBe(false);
  });
});

describe("the driver's reference", () => {
  it.each<[Release, boolean]>([
    ['4.5', true],
    ['4.18', true],
    ['4.20', false],
  ])('%s: a mapping whose reference was not killed goes with a warning: %s', (release, warned) => {
    const machine = at(release);
    mapDevice(machine);
    const { log } = attempt(machine, 'root_device_unregister(dm)');
    expect(log.some((line) => /still live/.test(line))).toBe(warned);
    expect(machine.kernel.state.pgmaps).toHaveLength(0);
  });

  it.each<[Release, bigint]>([
    ['4.13', 1n],
    ['4.14', 1n + 0x8000n],
    ['5.2', 1n + 0x8000n],
  ])('%s: mapping leaves it at %i', (release, count) => {
    const machine = at(release);
    mapDevice(machine);
    expect(value(machine, 'rm.count')).toBe(count);
  });

  it('4.5: get_page and put_page take and drop it; 4.14 does not', () => {
    const counts = (release: Release): bigint[] => {
      const machine = at(release);
      mapDevice(machine);
      const read = (): bigint => value(machine, 'rm.count');
      const before = read();
      sh(machine, 'get_page(pfn_to_page(0xf000000))');
      const held = read();
      sh(machine, 'put_page(pfn_to_page(0xf000000))');
      return [held - before, read() - before];
    };
    expect(counts('4.5')).toEqual([1n, 0n]);
    expect(counts('4.14')).toEqual([0n, 0n]);
  });

  it('4.15: a cached pagemap that covers the page is returned with one more reference; 4.16 without', () => {
    const taken = (release: Release): bigint => {
      const machine = at(release);
      mapDevice(machine);
      sh(machine, 'p = get_dev_pagemap(0xf000000, NULL)');
      const before = value(machine, 'rm.count');
      sh(machine, 'q = get_dev_pagemap(0xf000001, p)');
      return value(machine, 'rm.count') - before;
    };
    expect(taken('4.15')).toBe(1n);
    expect(taken('4.16')).toBe(0n);
  });

  it('4.13: any page of the section finds the pagemap; 4.14 only pages of the range', () => {
    for (const [release, found] of [
      ['4.13', true],
      ['4.14', false],
    ] as const) {
      const machine = at(release);
      mapDevice(machine, { start: '0xf000200000', size: '2UL << 20' });
      expect(value(machine, 'find_dev_pagemap(0xf000200000) != NULL'), release).toBe(1n);
      expect(value(machine, 'find_dev_pagemap(0xf000000000) != NULL') === 1n, release).toBe(found);
    }
  });

  it('4.19: kill is called when the mapping fails after its first checks', () => {
    const machine = at('4.19');
    expect(mapDevice(machine, { start: '0x10000000' }).status).toBe(-6);
    expect(value(machine, 'percpu_ref_is_dying(&rm)')).toBe(1n);
  });

  it('5.2: unbinding waits in the cleanup of the driver, until the last reference calls its release', () => {
    const machine = at('5.2');
    const { program } = runC(
      machine,
      `dev = root_device_register("card");
       init_completion(&done);
       percpu_ref_init(&ref, released, 0, 0);
       map.res.start = 0xf000000000; map.res.end = 0xf007ffffff;
       map.ref = &ref; map.kill = percpu_ref_kill; map.cleanup = cleanup;
       devm_memremap_pages(dev, &map);
       held = get_dev_pagemap(0xf000000, NULL);
       root_device_unregister(dev);`,
      {
        all: 'static struct completion done;\nstatic struct percpu_ref ref;\nstatic struct dev_pagemap map;\nstatic struct device *dev;\nstatic struct dev_pagemap *held;\nstatic void released(struct percpu_ref *r)\n{\n\tcomplete(&done);\n}\nstatic void cleanup(struct percpu_ref *r)\n{\n\twait_for_completion(&done);\n}',
      },
    );
    expect(program.error).toBeUndefined();
    expect(program.status).toBe('waiting');
    expect(program.waitsFor?.what).toBe('a completion');
    // Its memory is there until then.
    expect(pfn_valid(machine.kernel, 0xf000000)).toBe(true);
    sh(machine, 'put_dev_pagemap(pfn_to_page(0xf000000)->pgmap)');
    expect(program.status).toBe('done');
    expect(machine.kernel.state.pgmaps).toHaveLength(0);
    expect(pfn_valid(machine.kernel, 0xf000000)).toBe(false);
  });

  it.each<[string, number]>([
    ['m.ref = &r', -22],
    ['o.kill = unlock_page; m.ops = &o', -22],
    ['o.kill = unlock_page; o.cleanup = unlock_page; m.ops = &o; m.ref = &r', 0],
    ['m.flags = 0', 0],
  ])('5.6: a reference and its teardown come together (%s: %i)', (line, status) => {
    const machine = at('5.6');
    sh(
      machine,
      'struct percpu_ref r',
      'percpu_ref_init(&r, NULL, 0, 0)',
      'struct dev_pagemap_ops o',
      'struct dev_pagemap m',
      'm.type = MEMORY_DEVICE_DEVDAX; m.res.start = 0xf000000000; m.res.end = 0xf007ffffff',
      line,
    );
    expect(attempt(machine, 'memremap_pages(&m, 0)').status).toBe(status);
  });
});

describe('without CONFIG_ZONE_DEVICE', () => {
  it.each<Release>(['4.3', '4.9', '4.19', '5.2', '6.12'])('%s: devm_memremap_pages is -ENXIO', (release) => {
    const config = preset('qemu-2g');
    const machine = new Machine({ ...config, config: { ...config.config, zoneDevice: false } }, release);
    const before = short(machine.canonical());
    const result = mapDevice(machine);
    expect(result.status).toBe(-6);
    expect(result.log).toEqual(['devm_memremap_pages: this kernel has no CONFIG_ZONE_DEVICE']);
    expect(machine.kernel.nodes[0]?.node_zones.map(({ name }) => name)).not.toContain('Device');
    machine.travel(0);
    expect(short(machine.canonical())).toBe(before);
  });
});

describe('ZONE_DEVICE of 5.3 still shrinks, by sub-sections; from 5.4 it never does', () => {
  it.each<[Release, number]>([
    ['5.3', 512],
    ['5.4', 1024],
  ])('%s: %i pages are left of two ranges when the upper one goes', (release, left) => {
    const machine = at(release);
    mapDevice(machine, { name: 'a', start: '0xf000000000', size: '2UL << 20' });
    mapDevice(machine, { name: 'b', start: '0xf000200000', size: '2UL << 20' });
    sh(machine, 'root_device_unregister(db)');
    expect(deviceZone(machine).spanned_pages).toBe(left);
  });
});

describe('what panels show of an old mapping', () => {
  it.each<[Release, string]>([
    ['4.5', 'no type'],
    ['4.15', 'MEMORY_DEVICE_HOST'],
    ['4.19', 'MEMORY_DEVICE_FS_DAX'],
  ])('%s: %s, with its altmap and its reference', (release, type) => {
    const machine = at(release);
    const more =
      release === '4.19'
        ? ['m.altmap.base_pfn = 0xf000000; m.altmap.free = 1022; m.altmap_valid = 1']
        : ['struct vmem_altmap am', 'am.base_pfn = 0xf000000; am.free = 1022'];
    mapDevice(machine, { more });
    const view = zonesView(machine, {
      revision: 0,
      step: 0,
      steps: 0,
      machine: 'qemu-2g',
      release,
      lastStep: '',
    });
    expect(view.devices.flatMap(({ pagemaps }) => pagemaps)).toMatchObject([
      { type, live: true, altmap: { free: 1022, alloc: 512, align: 0 } },
    ]);
  });
});
