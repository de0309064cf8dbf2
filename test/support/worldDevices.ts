/** Lines about device memory: pagemaps, persistent memory, files of it, peer-to-peer DMA. */
import type { Machine } from '../../sim/index.ts';
import { deviceLines } from './devices.ts';
import {
  after,
  at,
  has,
  hex,
  known,
  type Make,
  MIB2,
  type Numbers,
  node,
  optional,
  pick,
  places,
  since,
  variable,
} from './worldChoices.ts';

const SLOTS = ['a', 'b', 'c'] as const;

function deviceRange(machine: Machine, n: Numbers): { start: string; size: string } {
  const odd = at(n, 3) % 11 === 10 ? 4096 : 0;
  const start = Math.floor(pick(places(machine), n[0]) / MIB2) * MIB2 + (at(n, 1) % 130) * MIB2 + odd;
  // Without UL the sum is one of 32 bits below 4 GiB.
  return {
    start: `${hex(start)}${at(n, 3) % 8 === 7 ? '' : 'UL'}`,
    size: hex((1 + (at(n, 2) % 150)) * MIB2 + (at(n, 3) % 23 === 22 ? 4096 : 0)),
  };
}

/** A page of a mapped device, or the one behind its last. */
function devicePage({ kernel }: Machine, n: Numbers): number {
  const ranges = kernel.state.pgmaps.flatMap((map) => map.ranges);
  const { start, end } = ranges.length === 0 ? { start: 0xe000000, end: 0xe008000 } : pick(ranges, n[0]);
  const inside = [0, 1, 511, 512, end - start - 1, at(n, 1) * 7, at(n, 1) % 29 === 28 ? end - start : 0];
  return start + (pick(inside, n[1]) % (end - start + 1));
}

const remap: Make = (machine, n) => {
  const name = pick(SLOTS, n[4]);
  const type = pick(['PRIVATE', 'FS_DAX', 'GENERIC', 'COHERENT', 'PCI_P2PDMA', 'PUBLIC'], n[5]);
  const lines = deviceLines(machine, { name, type, ...deviceRange(machine, n) });
  if (!machine.kernel.facts.memremapPages || at(n, 6) % 3 === 0) return lines;
  const more = at(n, 6) % 7 === 6 ? [`${name}.vmemmap_shift = ${pick([9, 18, 1, 70], n[7])}`] : [];
  return [...lines.slice(0, -1), ...more, `memremap_pages(&${name}, ${node(machine, n[7])})`];
};

const named = (prefix: string): string[] => SLOTS.map((slot) => `${prefix}${slot}`);
const unmap: Make = (machine, n) => {
  const name = variable(machine, SLOTS, n[0]);
  const device = variable(machine, named('d'), n[0]);
  const reference = variable(machine, named('r'), n[0]);
  return [
    pick(
      [
        ...(since(machine, '5.3') ? [`memunmap_pages(&${name})`] : []),
        `root_device_unregister(${device})`,
        since(machine, '4.18') ? `devm_memunmap_pages(${device}, &${name})` : `root_device_unregister(${device})`,
        ...(since(machine, '5.3') ? [] : [`percpu_ref_kill(&${reference})`, `percpu_ref_put(&${reference})`]),
      ],
      n[1],
    ),
  ];
};

const devicePages: Make = (machine, n) => {
  const pfn = hex(devicePage(machine, n));
  const page = `pfn_to_page(${pfn})`;
  const more = since(machine, '6.19') ? `, &${variable(machine, SLOTS, n[4])}, 0` : '';
  const handOut = since(machine, '6.1') ? `zone_device_page_init(${page}${more})` : `get_page(${page})`;
  return [
    pick(
      [
        handOut,
        `put_page(${page})`,
        `get_page(${page})`,
        `g${at(n, 3) % 2} = get_dev_pagemap(${pfn}${since(machine, '6.18') ? '' : ', NULL'})`,
        `put_dev_pagemap(${variable(machine, ['g0', 'g1'], n[3])})`,
        `pfn_to_online_page(${pfn})`,
      ],
      n[2],
    ),
  ];
};

const region: Make = (_machine, n) =>
  pick(
    [
      [`r = request_free_mem_region(&iomem_resource, ${1 + (at(n, 1) % 600)}UL << 20, "x")`],
      ['release_mem_region(r->start, resource_size(r))'],
      [`request_mem_region(0xe0000000 + ${at(n, 1) % 9}UL * 4096, ${at(n, 2) % 4}UL << 12, "y")`],
      [`release_mem_region(0xe0000000 + ${at(n, 1) % 9}UL * 4096, ${at(n, 2) % 4}UL << 12)`],
    ],
    n[0],
  );

/* ---- persistent memory ---- */

const regionsOf = ({ kernel }: Machine) => kernel.state.nvdimm.buses.flatMap((bus) => bus.regions);
const namespace = (machine: Machine, n: number | undefined): string =>
  known(
    regionsOf(machine).flatMap((each) => each.namespaces.map(({ name }) => name)),
    n,
    'namespace9.9',
  );
const daxDevice = ({ kernel }: Machine, n: number | undefined): string =>
  known(
    kernel.state.nvdimm.dax.flatMap(({ devices }) => devices.map(({ name }) => name)),
    n,
    'dax9.9',
  );

const ndctl: Make = (machine, n) => {
  const name = at(n, 2) % 17 === 16 ? 'all' : namespace(machine, n[2]);
  const mode = pick(['fsdax', 'devdax', 'devdax', 'sector', 'raw'], n[3]);
  const map = pick(['mem', 'dev'], n[4]);
  return [
    pick(
      [
        `ndctl create-namespace${optional(' -f', n[1])}${optional(` -e ${name}`, n[2])} -m ${mode}${optional(` -M ${map}`, n[4])}${optional(` -a ${pick(['4K', '2M', '1G', '3M'], n[5])}`, n[5])}${optional(` -s ${(at(n, 6) % 90) * 16}M`, n[6])}`,
        `ndctl create-namespace -f -e ${name} -m ${pick(['fsdax', 'devdax'], n[3])} -M ${map}`,
        `ndctl create-namespace -f -e ${name} -m devdax -M ${map}`,
        `ndctl ${pick(['enable', 'disable'], n[1])}-namespace ${name}`,
        `ndctl destroy-namespace ${name} -f`,
        `ndctl list ${pick(['-vvv -i', '-RNu', '-D', '-X -n namespace0.0', '--bogus'], n[1])}`,
      ],
      n[0],
    ),
  ];
};

/** A namespace made a DAX device, on machines that have any. */
const devdax: Make = (machine, n) => {
  const regions = regionsOf(machine);
  if (regions.length === 0 && at(n, 1) % 9 < 8) return [];
  const made = regions.flatMap((each) => each.namespaces.filter(({ size }) => size > 0n));
  const which = made.length > 0 && at(n, 2) % 4 > 0 ? ` -f -e ${pick(made, n[2]).name}` : '';
  return [`ndctl create-namespace${which} -m devdax -M ${pick(['mem', 'dev'], n[4])}`];
};
const daxctl: Make = (machine, n) => {
  const name = at(n, 1) % 17 === 16 ? 'all' : daxDevice(machine, n[1]);
  return [
    pick(
      [
        `daxctl reconfigure-device --mode=system-ram ${optional('-N', n[2])} ${name}`,
        `daxctl reconfigure-device --mode=system-ram ${optional('--no-movable', n[2])} ${name}`,
        `daxctl reconfigure-device --mode=devdax ${optional('-f', n[2])} ${name}`,
        `daxctl online-memory ${optional('--no-movable', n[3])} ${name}`,
        `daxctl offline-memory ${name}`,
        `daxctl ${pick(['enable', 'disable'], n[2])}-device ${name}`,
        `daxctl list ${pick(['-RDM -u', '-D', '-x'], n[2])}`,
      ],
      n[0],
    ),
  ];
};

const bind: Make = (machine, n) => {
  const claims = regionsOf(machine).flatMap((each) => each.claims.map(({ name }) => name));
  const labelled = regionsOf(machine).map(({ name }) => name);
  const driver = pick(['device_dax', 'kmem'], n[2]);
  const file = pick(['bind', 'unbind', 'new_id', 'remove_id'], n[3]);
  return [
    pick(
      [
        `echo ${daxDevice(machine, n[1])} > /sys/bus/dax/drivers/${driver}/${file}`,
        `echo ${daxDevice(machine, n[1])} > /sys/bus/dax/drivers/${driver}/${file}`,
        `echo ${known(claims, n[1], namespace(machine, n[1]))} > /sys/bus/nd/drivers/${pick(['nd_pmem', 'nd_pmem', 'dax_pmem'], n[3])}/${pick(['bind', 'unbind'], n[2])}`,
        `echo ${namespace(machine, n[1])} > /sys/bus/nd/drivers/nd_pmem/${pick(['bind', 'unbind'], n[2])}`,
        `echo ${pick(['0', '1', 'maybe'], n[1])} > /sys/bus/nd/devices/${namespace(machine, n[2])}/force_raw`,
        `echo ${pick(['0x200000', '0x1000000', '3'], n[1])} > /sys/bus/nd/devices/${known(labelled, n[2], 'region9')}/align`,
      ],
      n[0],
    ),
  ];
};

/** Mostly of device memory that is mapped. */
const mapFile: Make = (machine, n) => {
  const { pgmaps } = machine.kernel.state;
  const [map] = pgmaps.slice(at(n, 1) % Math.max(1, pgmaps.length));
  const start = (map?.ranges[0]?.start ?? Math.floor(pick(places(machine), n[1]) / 4096)) + (at(n, 2) % 1024);
  return [
    `dax map ${pick(['f', 'g', 'h'], n[3])} ${hex(start * 4096)} ${pick(['2M', '4M', '4K'], n[2])} ${optional('page-cache', at(n, 4) + 1)}`,
  ];
};
const dax: Make = (machine, n) => {
  const { dax: files } = machine.kernel.state;
  const file = known([...files.keys()], n[3], 'f');
  const page = known([...(files.get(file)?.faulted.keys() ?? [])], n[2], at(n, 2) % 600);
  return [
    pick(
      [
        ...mapFile(machine, n),
        `gup get ${file} ${at(n, 2) % 600} ${1 + (at(n, 4) % 9)} ${optional('pin', n[5])} ${optional('longterm', n[6])}`,
        `gup get ${file} ${at(n, 2) % 512}`,
        `gup put ${file} ${page} ${1 + (at(n, 4) % 3)} ${optional('pin', n[5])}`,
        `gup put ${file} ${page} ${optional('pin', n[5])}`,
        `gup put ${file} ${page}`,
        `dax show ${file} ${page}`,
        `dax ${pick(['truncate', 'unmap'], n[4])} ${file}`,
      ],
      n[0],
    ),
  ];
};

/** A PCI function by its address, as C looks it up. */
function pciFunction({ config }: Machine, n: Numbers): { address: string; bar: number; lookUp: string } {
  const slots = config.devices.flatMap(({ pci }) => (pci?.bar === undefined ? [] : [pci]));
  const { address, bar = 0 } = known(slots, n[1], { address: '0000:00:1f.0' });
  const [, bus = '0', slot = '0', fn = '0'] = address.split(/[:.]/);
  return { address, bar, lookUp: `pci_get_domain_bus_and_slot(0, 0x${bus}, PCI_DEVFN(0x${slot}, ${fn}))` };
}
const provide: Make = (machine, n) => {
  const { bar, lookUp } = pciFunction(machine, n);
  const size = `${pick([0, 1, 8, 64], n[3])}UL << ${pick([21, 21, 27], n[4])}`;
  return [`p = ${lookUp}`, `pci_p2pdma_add_resource(p, ${bar}, ${size}, ${pick([0, 0, 1, 5], n[5])}UL << 21)`];
};
const p2pdma: Make = (machine, n) => {
  const { address, bar, lookUp } = pciFunction(machine, n);
  const name = variable(machine, ['p', 'q'], n[2]);
  const size = pick([4096, 1, 10000, 3 * MIB2], n[4]);
  return [
    pick(
      [
        `${pick(['p', 'q'], n[2])} = ${lookUp}`,
        `pci_p2pdma_add_resource(${name}, ${bar}, ${pick([1, 2, 8], n[3])}UL << 21, ${at(n, 5) % 9}UL << 21)`,
        `z${at(n, 4) % 4} = pci_alloc_p2pmem(${name}, ${size})`,
        `z${at(n, 4) % 4} = pci_alloc_p2pmem(${name}, ${size})`,
        `pci_free_p2pmem(${name}, z${at(n, 4) % 4}, ${size})`,
        `device_release_driver(&${name}->dev)`,
        `pci_p2pdma_distance(p, &${name}->dev, ${at(n, 3) % 2})`,
        `pci_p2pmem_publish(${name}, ${at(n, 3) % 2})`,
        `echo ${pick([address, address, 'x'], n[3])} > /sys/bus/pci/devices/${address}/driver/unbind`,
      ],
      n[0],
    ),
  ];
};

export const DEVICE_LINES: Readonly<Record<string, { weight: number; make: Make }>> = {
  remap: { weight: 6, make: remap },
  unmap: { weight: 4, make: after((machine) => has(machine, SLOTS), remap, unmap) },
  devicePages: { weight: 6, make: after(({ kernel }) => kernel.state.pgmaps.length > 0, remap, devicePages) },
  region: { weight: 2, make: region },
  ndctl: { weight: 7, make: after((machine) => regionsOf(machine).length > 0, devdax, ndctl) },
  daxctl: { weight: 6, make: after(({ kernel }) => kernel.state.nvdimm.dax.length > 0, devdax, daxctl) },
  bind: { weight: 4, make: after((machine) => regionsOf(machine).length > 0, devdax, bind) },
  dax: { weight: 6, make: after(({ kernel }) => kernel.state.dax.size > 0, mapFile, dax) },
  p2pdma: { weight: 6, make: after(({ kernel }) => kernel.state.pci.size > 0, provide, p2pdma) },
};
