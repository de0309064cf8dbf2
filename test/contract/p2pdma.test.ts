/** Peer-to-peer DMA: providers, pools, distances and what a device that cannot reach the memory gets. */
import { describe, expect, it } from 'vitest';
import { checkMachine, Machine, type Release } from '../../sim/index.ts';
import { attempt, deviceZone, freePages, value } from '../support/devices.ts';
import { boot, preset, sh } from '../support/machines.ts';
import { short } from '../support/same.ts';

/**
 * The preset: `a` with 1 GiB (bus address 0x80000000), `b` and its second function `b1` below the next port of the
 * same switch, `acs` below a port that redirects, `root` on another root port, `far` behind another host bridge.
 */
const FUNCTIONS = { a: [3, 0], b: [4, 0], b1: [4, 1], acs: [5, 0], root: [6, 0], far: [0x81, 0] } as const;
function machine(release: Release = '6.12', add = true): Machine {
  const made = boot('p2p-switch', release);
  for (const [name, [bus, fn]] of Object.entries(FUNCTIONS))
    sh(made, `${name} = pci_get_domain_bus_and_slot(0, ${bus}, PCI_DEVFN(0, ${fn}))`);
  if (add) expect(value(made, 'pci_p2pdma_add_resource(a, 4, 0, 0)')).toBe(0n);
  return made;
}
const distance = (made: Machine, from: string, to: string, verbose = 0): bigint =>
  value(made, `pci_p2pdma_distance(${from}, &${to}->dev, ${verbose})`);
const EACH: readonly Release[] = ['4.20', '5.0', '5.2', '5.3', '5.4', '5.10', '6.1', '6.12', '6.15', '7.3'];

describe('pci_p2pdma_add_resource', () => {
  it.each(EACH)('%s gives the BAR struct pages of ZONE_DEVICE and a pool', (release) => {
    const made = machine(release);
    expect(deviceZone(made).spanned_pages).toBe(2 ** 18);
    expect(value(made, 'is_pci_p2pdma_page(pfn_to_page(0x380000000))')).toBe(1n);
    expect(sh(made, 'cat /sys/bus/pci/devices/0000:03:00.0/p2pmem/size').output).toEqual(['1073741824']);
    expect(made.kernel.state.log.at(-1)?.text).toBe(
      '0000:03:00.0: added peer-to-peer DMA memory [mem 0x0000380000000000-0x000038003fffffff]',
    );
  });

  it.each([
    ['a, 0, 0, 0', 'a BAR that is no memory'],
    ['a, 4, 0, 1UL << 30', 'an offset at the end'],
    ['a, 4, 1UL << 30, 4096', 'a part that ends beyond'],
    ['a, 4, 4096, 0', 'a part that is not aligned to 2 MiB'],
  ])('-EINVAL for %s: %s', (args) => {
    const made = machine('6.12', false);
    const free = freePages(made);
    expect(attempt(made, `pci_p2pdma_add_resource(${args})`).status).toBe(-22);
    expect(freePages(made)).toBe(free);
    expect(made.kernel.state.pgmaps).toHaveLength(0);
  });

  it('a second part goes to the same pool, and serves first', () => {
    const made = machine('6.12', false);
    sh(made, 'pci_p2pdma_add_resource(a, 4, 2UL << 20, 0)', 'pci_p2pdma_add_resource(a, 4, 2UL << 20, 4UL << 20)');
    expect(value(made, 'pci_p2pmem_virt_to_bus(a, pci_alloc_p2pmem(a, 4096))')).toBe(0x80400000n);
    expect(sh(made, 'cat /sys/bus/pci/devices/0000:03:00.0/p2pmem/available').output).toEqual([
      String((4 << 20) - 4096),
    ]);
  });

  it('the same part again is a conflict', () => {
    expect(attempt(machine(), 'pci_p2pdma_add_resource(a, 4, 0, 0)').status).toBe(-12);
  });
});

describe('the pool', () => {
  it('gives whole pages, the first that fit, and takes them back', () => {
    const made = machine();
    sh(made, 'p = pci_alloc_p2pmem(a, 10000)', 'q = pci_alloc_p2pmem(a, 4096)');
    expect(value(made, 'q - p')).toBe(3n * 4096n);
    sh(made, 'pci_free_p2pmem(a, p, 10000)');
    expect(value(made, 'pci_alloc_p2pmem(a, 8192) == p')).toBe(1n);
    expect(value(made, 'pci_alloc_p2pmem(a, 8192) - q')).toBe(4096n);
  });

  it('NULL where there is none, or no room', () => {
    const made = machine();
    expect(value(made, 'pci_alloc_p2pmem(b, 4096)')).toBe(0n);
    expect(value(made, 'pci_alloc_p2pmem(a, 2UL << 30)')).toBe(0n);
    expect(value(made, 'pci_p2pmem_virt_to_bus(a, NULL)')).toBe(0n);
  });

  it('freeing what is not allocated is a bug, and changes nothing', () => {
    const made = machine();
    sh(made, 'p = pci_alloc_p2pmem(a, 4096)');
    const before = short(made.canonical());
    expect(attempt(made, 'pci_free_p2pmem(a, p, 8192)').program?.error?.message).toMatch(/kernel BUG/);
    made.travel(made.position - (made.lastStep?.label.startsWith('pci_free') ? 1 : 0));
    expect(short(made.canonical())).toBe(before);
  });

  it.each(EACH)('%s: unbinding waits until all is freed, names it, and gives nothing out meanwhile', (release) => {
    const made = machine(release);
    const taken = freePages(made);
    sh(made, 'p = pci_alloc_p2pmem(a, 10000)');
    const unbind = attempt(made, 'echo 0000:03:00.0 > /sys/bus/pci/devices/0000:03:00.0/driver/unbind').program;
    expect(unbind?.status).toBe('waiting');
    expect(unbind?.waitsFor?.holders().join()).toMatch(/^0000:03:00.0: 3 page\(s\)/);
    expect(value(made, 'pci_alloc_p2pmem(a, 4096)')).toBe(0n);
    sh(made, 'pci_free_p2pmem(a, p, 10000)');
    expect(unbind?.status).toBe('done');
    expect(made.kernel.state.pgmaps).toHaveLength(0);
    expect(freePages(made)).toBeGreaterThan(taken);
    expect(value(made, 'pci_alloc_p2pmem(a, 4096)')).toBe(0n);
    expect(attempt(made, 'cat /sys/bus/pci/devices/0000:03:00.0/p2pmem/size').status).toBe(-2);
  });

  it.each<[Release, bigint]>([
    ['6.14', 1n],
    ['6.15', 0n],
  ])('%s: its pages rest at count %i, allocated or not', (release, count) => {
    const made = machine(release);
    sh(made, 'pci_alloc_p2pmem(a, 4096)');
    expect(value(made, 'page_count(pfn_to_page(0x380000000))')).toBe(count);
  });
});

describe('distance', () => {
  it('counts the steps to the bridge both are below', () => {
    const made = machine();
    expect(distance(made, 'a', 'a')).toBe(0n);
    expect(distance(made, 'b', 'b1')).toBe(2n);
    expect(distance(made, 'a', 'b')).toBe(4n);
  });

  it('through the host bridge it is both ways to the root, and only where the bridge is known to carry it', () => {
    const made = machine();
    expect(distance(made, 'a', 'root')).toBe(6n);
    expect(distance(made, 'a', 'far')).toBe(-1n);
  });

  it('4.20 knows no way through the host bridge, and none past ACS', () => {
    const made = machine('4.20');
    expect(distance(made, 'a', 'b')).toBe(4n);
    expect(distance(made, 'a', 'root')).toBe(-1n);
    expect(distance(made, 'a', 'acs')).toBe(-1n);
  });

  it('ACS redirect on the way leads through the host bridge, and the kernel says how to switch it off', () => {
    const made = machine();
    const { log } = attempt(made, 'pci_p2pdma_distance(a, &acs->dev, 1)');
    expect(log.join('\n')).toMatch(/ACS redirect is set[\s\S]*pci=disable_acs_redir=0000:02:02.0/);
    expect(value(made, 'pci_p2pdma_map_type(a, &acs->dev)')).toBe(3n);
  });

  it('an AMD processor of family 23 carries it anywhere', () => {
    const config = preset('p2p-switch');
    const made = new Machine({ ...config, cpu: { vendor: 'AMD', family: 23 } }, '6.12');
    sh(made, 'a = pci_get_domain_bus_and_slot(0, 3, 0)', 'far = pci_get_domain_bus_and_slot(0, 0x81, 0)');
    expect(distance(made, 'a', 'far')).toBe(6n);
  });

  it('of several clients is the sum, or -1 if one cannot, or there are none, or one is no PCI device', () => {
    const made = machine();
    sh(
      made,
      'other = root_device_register("x")',
      'struct device *list[3]',
      'list[0] = &b->dev; list[1] = &b1->dev; list[2] = other',
    );
    expect(value(made, 'pci_p2pdma_distance_many(a, list, 2, 0)')).toBe(8n);
    expect(value(made, 'pci_p2pdma_distance_many(a, list, 3, 0)')).toBe(-1n);
    expect(value(made, 'pci_p2pdma_distance_many(a, list, 0, 0)')).toBe(-1n);
  });

  it('the closest provider that is published is found', () => {
    const made = machine();
    sh(made, 'pci_p2pdma_add_resource(b1, 2, 0, 0)', 'struct device *list[1]', 'list[0] = &b->dev');
    expect(value(made, 'pci_p2pmem_find_many(list, 1)')).toBe(0n);
    sh(made, 'pci_p2pmem_publish(a, true)');
    expect(value(made, 'pci_p2pmem_find_many(list, 1) == a')).toBe(1n);
    sh(made, 'pci_p2pmem_publish(b1, true)');
    expect(value(made, 'pci_p2pmem_find_many(list, 1) == b1')).toBe(1n);
    expect(sh(made, 'cat /sys/bus/pci/devices/0000:04:00.1/p2pmem/published').output).toEqual(['1']);
  });
});

describe('mapping for DMA', () => {
  const map = (made: Machine, client: string): number => {
    sh(
      made,
      'unsigned int n',
      'sgl = pci_p2pmem_alloc_sgl(a, &n, 4096)',
      'struct sg_table t',
      't.sgl = sgl; t.nents = n',
    );
    return attempt(made, `dma_map_sgtable(&${client}->dev, &t, 0, 0)`).status;
  };
  it('below a common switch the device gets the bus address', () => {
    const made = machine();
    expect(map(made, 'b')).toBe(0);
    expect(value(made, 'sg_dma_address(sgl)')).toBe(0x80000000n);
  });
  it('through the host bridge the physical address', () => {
    const made = machine();
    expect(map(made, 'root')).toBe(0);
    expect(value(made, 'sg_dma_address(sgl)')).toBe(0x380000000000n);
  });
  it('out of reach is -EREMOTEIO', () => {
    expect(map(machine(), 'far')).toBe(-121);
  });
  it('4.20 subtracts the bus offset where 5.4 adds it', () => {
    const mapped = (release: Release): bigint => {
      const made = machine(release);
      sh(made, 'unsigned int n', 'sgl = pci_p2pmem_alloc_sgl(a, &n, 4096)');
      expect(value(made, 'pci_p2pdma_map_sg(&b->dev, sgl, 1, 0)')).toBe(1n);
      return value(made, 'sg_dma_address(sgl)');
    };
    expect(mapped('5.4')).toBe(0x80000000n);
    expect(mapped('4.20')).toBe(2n * 0x380000000000n - 0x80000000n);
  });
  it('the numbers of the map types moved when NONE came', () => {
    for (const [release, bus] of [
      ['6.12', 2n],
      ['7.3', 3n],
    ] as const) {
      const made = machine(release);
      expect(value(made, 'pci_p2pdma_map_type(a, &b->dev)')).toBe(bus);
      expect(value(made, 'PCI_P2PDMA_MAP_BUS_ADDR')).toBe(bus);
    }
  });
});

describe('the PCI part of a machine file', () => {
  const file = (devices: object[]): object => ({
    name: 'm',
    physBits: 40,
    e820: [{ start: '0x0', end: '0x3fffffff', type: 'usable' }],
    devices,
  });
  const at = (address: string, more: object = {}): object => ({
    start: '0x8000000000',
    end: '0x80000fffff',
    name: 'x',
    pci: { address, ...more },
  });
  it.each([
    [[at('0000:01:00.0', { upstream: '0000:00:01.0' })], /hangs below 0000:00:01.0/],
    [
      [at('0000:01:00.0', { upstream: '0000:02:00.0' }), at('0000:02:00.0', { upstream: '0000:01:00.0' })],
      /above itself/,
    ],
    [[at('0000:01:00.0', { bar: 1 }), at('0000:01:00.0', { bar: 1 })], /twice/],
    [[at('0000:00:01.0'), at('0000:01:00.0', { upstream: '0000:00:01.0', hostBridge: '8086:2f00' })], /root bus/],
  ])('says what is wrong in the tree', (devices, message) => {
    const result = checkMachine(file(devices));
    expect('problems' in result && result.problems.some((problem) => message.test(problem.message))).toBe(true);
    if ('problems' in result) expect(result.problems[0]?.where).toMatch(/^\/devices\/\d\/pci/);
  });
  it('an address that is none, or a function that is not there', () => {
    expect('problems' in checkMachine(file([at('1:2.3')]))).toBe(true);
    expect(value(boot('p2p-switch'), 'pci_get_domain_bus_and_slot(0, 9, 0)')).toBe(0n);
    expect(attempt(boot('p2p-switch'), 'echo nonsense > /sys/bus/pci/devices/0000:03:00.0/driver/unbind').status).toBe(
      -19,
    );
  });
});
