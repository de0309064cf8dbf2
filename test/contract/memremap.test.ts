import { describe, expect, it } from 'vitest';
import { type Machine, type Release, runShellLine, statusOf } from '../../sim/index.ts';
import { pfn_valid } from '../../sim/mm/sparse.ts';
import { boot, mapLines, sh } from '../support/machines.ts';

const EINVAL = -22;
const ENOMEM = -12;
const ENXIO = -6;

/** Status of a line, and what the kernel warned meanwhile. */
function attempt(machine: Machine, line: string): { status: number; warnings: string[] } {
  const before = machine.kernel.state.log.length;
  const program = runShellLine(machine, line);
  return {
    status: program ? statusOf(program) : 0,
    warnings: machine.kernel.state.log.slice(before).map((entry) => entry.text),
  };
}
const PRIVATE = (name = 'm'): string[] => [
  'struct dev_pagemap_ops ops',
  ...mapLines('MEMORY_DEVICE_PRIVATE', '256UL << 20', name),
  `ops.page_free = put_page; ops.migrate_to_ram = put_page; ${name}.ops = &ops; ${name}.owner = &ops`,
];
const map = (machine: Machine, range: { start: string; end: string }, name = 'm'): ReturnType<typeof attempt> => {
  sh(
    machine,
    `struct dev_pagemap ${name}`,
    `${name}.type = MEMORY_DEVICE_GENERIC; ${name}.nr_range = 1`,
    `${name}.range.start = ${range.start}; ${name}.range.end = ${range.end}`,
  );
  return attempt(machine, `memremap_pages(&${name}, 0)`);
};
const free = (machine: Machine): number =>
  machine.kernel.nodes[0]?.node_zones.reduce((sum, zone) => sum + zone.nr_free, 0) ?? 0;
const deviceZone = (machine: Machine) => machine.kernel.nodes[0]?.node_zones[4];

describe('memremap_pages refuses what the kernel refuses', () => {
  it('a pagemap without a range', () => {
    const machine = boot();
    sh(machine, 'struct dev_pagemap m', 'm.type = MEMORY_DEVICE_GENERIC');
    expect(attempt(machine, 'memremap_pages(&m, 0)')).toEqual({
      status: EINVAL,
      warnings: ['nr_range must be specified'],
    });
  });

  it.each([
    ['m.ops = NULL', 'Missing migrate_to_ram method'],
    ['ops.migrate_to_ram = NULL', 'Missing migrate_to_ram method'],
    ['ops.page_free = NULL', 'Missing page_free method'],
    ['m.owner = NULL', 'Missing owner'],
  ])('private memory after %s', (line, warning) => {
    const machine = boot();
    sh(machine, ...PRIVATE(), line);
    expect(attempt(machine, 'memremap_pages(&m, 0)')).toEqual({ status: EINVAL, warnings: [warning] });
  });

  it('an owner was not asked for before 5.7', () => {
    // Pagemaps had a resource instead of a range then; the check is the same code.
    expect(boot('qemu-2g', '5.6').kernel.facts.devicePrivateOwnerRequired).toBe(false);
    expect(boot('qemu-2g', '5.7').kernel.facts.devicePrivateOwnerRequired).toBe(true);
  });

  it('from 6.19 on the callback that must be there is folio_free', () => {
    const machine = boot('qemu-2g', '6.19');
    sh(
      machine,
      'struct dev_pagemap_ops ops',
      ...mapLines('MEMORY_DEVICE_PRIVATE'),
      'ops.migrate_to_ram = put_page; m.ops = &ops; m.owner = &ops',
    );
    expect(attempt(machine, 'memremap_pages(&m, 0)')).toEqual({
      status: EINVAL,
      warnings: ['Missing folio_free method'],
    });
  });

  it('a range of System RAM', () => {
    const result = map(boot(), { start: '0x10000000', end: '0x17ffffff' });
    expect(result.status).toBe(ENXIO);
    expect(result.warnings).toHaveLength(1);
  });

  it('a range that is partly System RAM', () => {
    expect(map(boot(), { start: '0x78000000', end: '0x87ffffff' }).status).toBe(ENXIO);
  });

  it('a range beyond the physical limit, naming the limit', () => {
    const result = map(boot(), { start: '0x400000000000', end: '0x40000fffffff' });
    expect(result.status).toBe(EINVAL);
    expect(result.warnings[0]).toBe(
      'Hotplug memory [0x400000000000-0x40000fffffff] exceeds maximum addressable range [0x0-0x3fffffffffff]',
    );
  });

  it.each([
    ['start', { start: '0xf000100000', end: '0xf0002fffff' }],
    ['end', { start: '0xf000000000', end: '0xf0002fffff' }],
    ['page', { start: '0xf000000000', end: '0xf000000fff' }],
  ])('a range whose %s is not a multiple of 2 MiB, and nothing of it stays', (_what, range) => {
    const machine = boot();
    const before = free(machine);
    const result = map(machine, range);
    expect(result.status).toBe(EINVAL);
    expect(result.warnings[0]).toMatch(/^Misaligned __add_pages start: /);
    expect(machine.kernel.state.pgmaps).toHaveLength(0);
    expect(free(machine)).toBe(before);
    expect(deviceZone(machine)?.spanned_pages).toBe(0);
  });

  it('a range whose first page another live pagemap has', () => {
    const machine = boot();
    expect(map(machine, { start: '0xf000000000', end: '0xf007ffffff' }, 'a').status).toBe(0);
    expect(map(machine, { start: '0xf007e00000', end: '0xf00fffffff' }, 'b')).toEqual({
      status: ENOMEM,
      warnings: ['Conflicting mapping in same section'],
    });
    // The look-up gave its reference back.
    expect(machine.kernel.state.pgmaps).toHaveLength(1);
  });

  it('a range that encloses another: only its two ends are looked up, the section below says -EEXIST', () => {
    const machine = boot();
    expect(map(machine, { start: '0xf008000000', end: '0xf00fffffff' }, 'inner').status).toBe(0);
    const result = map(machine, { start: '0xf000000000', end: '0xf01fffffff' }, 'outer');
    expect(result.status).toBe(-17);
    // __add_pages does not take back the section it had added before.
    expect(pfn_valid(machine.kernel, 0xf000000)).toBe(true);
  });
});

describe('a mapped range', () => {
  it('of 2 MiB has one sub-section, whose section is tainted, and 8 single pages of memory map', () => {
    const machine = boot();
    const before = free(machine);
    expect(map(machine, { start: '0xf000200000', end: '0xf0003fffff' }).status).toBe(0);
    expect(pfn_valid(machine.kernel, 0xf000200)).toBe(true);
    expect(pfn_valid(machine.kernel, 0xf0001ff)).toBe(false);
    expect(pfn_valid(machine.kernel, 0xf000400)).toBe(false);
    expect(machine.kernel.nodes[0]?.nr_memmap).toBe(8);
    // And one page each for the tables that lead to them.
    expect(before - free(machine)).toBe(8 + 2);
    expect(machine.kernel.pages.section.get(0xf000200) & 16).toBe(16);
    sh(machine, 'memunmap_pages(&m)');
    expect(free(machine)).toBe(before);
  });

  it('two devices may share a section', () => {
    const machine = boot();
    expect(map(machine, { start: '0xf000000000', end: '0xf0003fffff' }, 'a').status).toBe(0);
    expect(map(machine, { start: '0xf000400000', end: '0xf0007fffff' }, 'b').status).toBe(0);
    sh(machine, 'memunmap_pages(&a)');
    expect(pfn_valid(machine.kernel, 0xf000000)).toBe(false);
    expect(pfn_valid(machine.kernel, 0xf000400)).toBe(true);
  });

  it('is pfn_valid and never online', () => {
    const machine = boot();
    map(machine, { start: '0xf000000000', end: '0xf007ffffff' });
    expect(sh(machine, 'pfn_valid(0xf000000)').value).toMatchObject({ value: 1n });
    expect(sh(machine, 'pfn_to_online_page(0xf000000)').value).toMatchObject({ target: { address: 0n } });
    expect(sh(machine, 'page_to_pfn(pfn_to_page(0xf007fff))').value).toMatchObject({ value: 0xf007fffn });
  });

  it('does not move max_pfn in 6.12 as its stable series has it, and did in 6.14', () => {
    const maxPfn = (release: Release): number => {
      const machine = boot('qemu-2g', release);
      map(machine, { start: '0xf000000000', end: '0xf007ffffff' });
      return machine.kernel.state.max_pfn;
    };
    expect(maxPfn('6.12')).toBe(0x7ffdd);
    expect(maxPfn('6.14')).toBe(0xf008000);
    expect(maxPfn('6.15')).toBe(0x7ffdd);
  });

  it('keeps what watermarks and protections were', () => {
    const machine = boot();
    const before = JSON.stringify(
      machine.kernel.nodes.map((node) =>
        node.node_zones.map((zone) => [zone.watermark, zone.lowmem_reserve, zone.managed_pages]),
      ),
    );
    map(machine, { start: '0xf000000000', end: '0xf03fffffff' });
    expect(
      JSON.stringify(
        machine.kernel.nodes.map((node) =>
          node.node_zones.map((zone) => [zone.watermark, zone.lowmem_reserve, zone.managed_pages]),
        ),
      ),
    ).toBe(before);
  });
});

describe('the reference count of a free device page rests where the release had it', () => {
  const rest = (release: Release, type: string): number => {
    const machine = boot('qemu-2g', release);
    const free = machine.kernel.facts.folioFreeCallback ? 'folio_free' : 'page_free';
    sh(
      machine,
      'struct dev_pagemap_ops ops',
      ...mapLines(type),
      `ops.${free} = put_page; ops.migrate_to_ram = put_page; m.ops = &ops; m.owner = &ops`,
      'memremap_pages(&m, 0)',
    );
    return Number((sh(machine, 'page_count(pfn_to_page(m.range.start >> 12))').value as { value: bigint }).value);
  };
  it.each<[Release, string, number]>([
    ['5.10', 'MEMORY_DEVICE_PRIVATE', 1],
    ['6.0', 'MEMORY_DEVICE_PRIVATE', 1],
    ['6.1', 'MEMORY_DEVICE_PRIVATE', 0],
    ['7.3', 'MEMORY_DEVICE_PRIVATE', 0],
    ['6.0', 'MEMORY_DEVICE_COHERENT', 1],
    ['6.12', 'MEMORY_DEVICE_COHERENT', 0],
    ['6.12', 'MEMORY_DEVICE_FS_DAX', 1],
    ['6.15', 'MEMORY_DEVICE_FS_DAX', 0],
    ['6.14', 'MEMORY_DEVICE_PCI_P2PDMA', 1],
    ['6.17', 'MEMORY_DEVICE_PCI_P2PDMA', 0],
    ['6.12', 'MEMORY_DEVICE_GENERIC', 1],
    ['7.3', 'MEMORY_DEVICE_GENERIC', 1],
  ])('%s %s: %i', (release, type, count) => {
    expect(rest(release, type)).toBe(count);
  });
});

describe('memunmap_pages', () => {
  it('waits for whoever holds a reference, says who, and goes on when it is dropped', () => {
    const machine = boot();
    sh(
      machine,
      ...PRIVATE(),
      'memremap_pages(&m, 0)',
      'page = pfn_to_page(m.range.start >> 12)',
      'zone_device_page_init(page)',
    );
    const unmap = runShellLine(machine, 'memunmap_pages(&m)');
    expect(unmap?.status).toBe('waiting');
    expect(unmap?.waitsFor?.holders()).toEqual(['page 0xfcf0000']);
    expect(machine.kernel.state.pgmaps).toHaveLength(1);
    sh(machine, 'ops.page_free = unlock_page', 'put_page(page)');
    expect(unmap?.status).toBe('done');
    expect(machine.kernel.state.pgmaps).toHaveLength(0);
  });

  it('a dying pagemap gives no new references', () => {
    const machine = boot();
    sh(
      machine,
      ...mapLines('MEMORY_DEVICE_GENERIC'),
      'memremap_pages(&m, 0)',
      'held = get_dev_pagemap(m.range.start >> 12, NULL)',
    );
    expect(runShellLine(machine, 'memunmap_pages(&m)')?.status).toBe('waiting');
    expect(sh(machine, 'get_dev_pagemap(m.range.start >> 12, NULL)').value).toMatchObject({ target: { address: 0n } });
  });

  it('of a pagemap that was never mapped is a bad access, not a success', () => {
    const machine = boot();
    sh(machine, 'struct dev_pagemap m');
    expect(runShellLine(machine, 'memunmap_pages(&m)')?.error?.message).toMatch(/not mapped/);
  });
});

describe('request_free_mem_region and release_mem_region', () => {
  it('hand out whole sections from the top of the 40-bit space down, below what is reserved', () => {
    const machine = boot();
    for (const [size, start] of [
      ['256UL << 20', 0xfcf0000000n],
      ['256UL << 20', 0xfce0000000n],
      ['1', 0xfcd8000000n],
    ] as const)
      expect(sh(machine, `request_free_mem_region(&iomem_resource, ${size}, "gpu")->start`).value).toMatchObject({
        value: start,
      });
  });

  it('say -ERANGE when no slot is left', () => {
    expect(attempt(boot(), 'request_free_mem_region(&iomem_resource, 1UL << 41, "gpu")').status).toBe(-34);
  });

  it('a region that is not there cannot be released: the kernel says so and goes on', () => {
    const result = attempt(boot(), 'release_mem_region(0xf000000000, 4096)');
    expect(result).toEqual({
      status: 0,
      warnings: ['Trying to free nonexistent resource <0xf000000000-0xf000000fff>'],
    });
  });
});

describe('devm_ functions', () => {
  it('are undone newest first when the device goes away', () => {
    const machine = boot();
    const before = free(machine);
    sh(
      machine,
      'dev = root_device_register("card")',
      'r = devm_request_free_mem_region(dev, &iomem_resource, 256UL << 20)',
      'struct dev_pagemap m',
      'm.type = MEMORY_DEVICE_GENERIC; m.nr_range = 1; m.range.start = r->start; m.range.end = r->end',
      'devm_memremap_pages(dev, &m)',
    );
    expect(machine.kernel.state.pgmaps[0]?.name).toBe('card');
    sh(machine, 'root_device_unregister(dev)');
    expect(machine.kernel.state.pgmaps).toHaveLength(0);
    expect(free(machine)).toBe(before);
    expect(sh(machine, 'region_intersects(0xfcf0000000, 4096, 0, 0)').value).toMatchObject({ value: 1n });
  });
});
