/** What people type at a simulated machine, well or badly: every room of the engine, in the interface of its release. */
import fc from 'fast-check';
import { compareReleases, type Machine, type Release, runShellLine } from '../../sim/index.ts';
import { deviceLines } from './devices.ts';

/** Random numbers of one operation; each is taken modulo what there is to choose from. */
type Numbers = readonly number[];
type Make = (machine: Machine, n: Numbers) => readonly string[];

export interface Operation {
  readonly kind: string;
  readonly n: Numbers;
}

const since = ({ release }: Machine, first: Release): boolean => compareReleases(release, first) >= 0;
const pick = <T>(list: readonly T[], n: number | undefined): T => list[(n ?? 0) % list.length] as T;
const hex = (value: number | bigint): string => `0x${value.toString(16)}`;
const MIB2 = 0x200000;
const SLOTS = ['a', 'b', 'c'] as const;
const MEMORY = '/sys/devices/system/memory';

/** Addresses where things happen: ends of RAM, holes, persistent memory, far away. */
function places({ kernel, config }: Machine): number[] {
  const limit = 2 ** config.physBits;
  const edges = config.e820.flatMap(({ start, end }) => [Number(start), Number(end) + 1]);
  const top = Math.max(...edges);
  const blocks = [...kernel.state.memoryBlocks.keys()].slice(-2).map((id) => id * kernel.state.memoryBlockPages * 4096);
  return [
    Math.ceil(top / 2 ** 27) * 2 ** 27,
    0xe000000000,
    ...edges.filter((edge) => edge > 2 ** 24),
    ...config.devices.slice(0, 6).map(({ start }) => Number(start)),
    ...blocks,
    limit - 2 ** 30,
  ].filter((place) => place < limit);
}
/** Whole sections, most of them where nothing is yet. */
function freeBlock(machine: Machine, n: Numbers): number {
  const size = machine.kernel.state.memoryBlockPages * 4096;
  return (Math.ceil(pick(places(machine), n[0]) / size) + ((n[1] ?? 0) % 8)) * size;
}
/** A memory block that exists, the newest ones first; now and then one that does not. */
function block({ kernel }: Machine, n: number | undefined): number {
  const ids = [...kernel.state.memoryBlocks.keys()].reverse();
  return (n ?? 0) % 17 === 16
    ? (n ?? 0)
    : pick([...ids, 0], (n ?? 0) % Math.max(1, ids.length > 8 && (n ?? 0) % 2 ? 8 : ids.length));
}
const node = ({ kernel }: Machine, n: number | undefined): number =>
  (n ?? 0) % (kernel.nodes.length + ((n ?? 0) % 19 === 18 ? 1 : 0));

function deviceRange(machine: Machine, n: Numbers): { start: string; size: string } {
  const odd = (n[3] ?? 0) % 9 === 8 ? 4096 : 0;
  const start = Math.floor(pick(places(machine), n[0]) / MIB2) * MIB2 + ((n[1] ?? 0) % 130) * MIB2 + odd;
  return { start: hex(start), size: hex((1 + ((n[2] ?? 0) % 150)) * MIB2 + ((n[3] ?? 0) % 23 === 22 ? 4096 : 0)) };
}
/** A page of a mapped device, or of the last one's end. */
function devicePage({ kernel }: Machine, n: Numbers): number {
  const ranges = kernel.state.pgmaps.flatMap((map) => map.ranges);
  if (ranges.length === 0) return 0xe000000;
  const { start, end } = pick(ranges, n[0]);
  const inside = [0, 1, 511, 512, end - start - 1, end - start, (n[1] ?? 0) * 7];
  return start + (pick(inside, n[1]) % (end - start + 1));
}
const remap: Make = (machine, n) => {
  const name = pick(SLOTS, n[4]);
  const type = pick(['PRIVATE', 'FS_DAX', 'GENERIC', 'COHERENT', 'PCI_P2PDMA'], n[5]);
  const lines = deviceLines(machine, { name, type, ...deviceRange(machine, n) });
  if (!machine.kernel.has('memremapPages') || (n[6] ?? 0) % 3 === 0) return lines;
  const more = (n[6] ?? 0) % 7 === 6 ? [`${name}.vmemmap_shift = ${pick([9, 18, 1, 70], n[7])}`] : [];
  return [...lines.slice(0, -1), ...more, `memremap_pages(&${name}, ${node(machine, n[7])})`];
};

const GFP = ['0xcc0', '0xcc1', '0xcc4', '0x100cca', '0xcd0', '0x820', '0x200cc0', '0x40cc0', '0x10cc0', '0x2800'];
const PAGES = ['x0', 'x1', 'x2', 'x3', 'x4'] as const;
const alloc: Make = (machine, n) => {
  const [gfp, order] = [pick(GFP, n[1]), pick([0, 1, 3, 9, 10, (n[2] ?? 0) % 12], n[2])];
  return [
    pick(
      [
        `${pick(PAGES, n[0])} = alloc_pages(${gfp}, ${order})`,
        `${pick(PAGES, n[0])} = alloc_pages_node(${node(machine, n[3])}, ${gfp}, ${order})`,
        `y = __get_free_pages(${gfp}, ${order})`,
      ],
      n[4],
    ),
  ];
};
const free: Make = (_machine, n) => {
  const page = pick(PAGES, n[0]);
  const order = pick([0, 1, 3, 9, 10, (n[1] ?? 0) % 12], n[1]);
  return [
    pick(
      [
        `__free_pages(${page}, compound_order(${page}))`,
        `__free_pages(${page}, ${order})`,
        `free_pages(y, ${order})`,
        `split_page(${page}, ${order})`,
        `put_page(${page})`,
        `get_page(${page})`,
      ],
      n[2],
    ),
  ];
};

const addRemove: Make = (machine, n) => {
  const { kernel } = machine;
  const size = kernel.state.memoryBlockPages * 4096;
  const length = (1 + ((n[3] ?? 0) % 3)) * size + ((n[3] ?? 0) % 13 === 12 ? 4096 : 0);
  const at = `${hex(freeBlock(machine, n))}, ${hex(length)}`;
  const own = `${hex(block(machine, n[4]) * size)}, ${hex(size)}`;
  const where = (n[5] ?? 0) % 2 ? own : at;
  const nid = since(machine, '5.15') ? '' : `${node(machine, n[6])}, `;
  const flags = since(machine, '5.10') ? `, ${pick([0, 1, 2, 3], n[6])}` : '';
  return [
    pick(
      [
        `add_memory(${node(machine, n[6])}, ${at}${flags})`,
        `add_memory_driver_managed(${node(machine, n[6])}, ${at}, "System RAM (${pick(['kmem', 'x'], n[5])})"${flags})`,
        `remove_memory(${nid}${where})`,
        `offline_and_remove_memory(${nid}${where})`,
      ],
      n[2],
    ),
  ];
};

const NAMES = ['namespace0.0', 'namespace0.1', 'namespace1.0', 'namespace2.0', 'all'];
const optional = (text: string, n: number | undefined): string => ((n ?? 0) % 2 ? '' : text);
const ndctl: Make = (_machine, n) => [
  pick(
    [
      `ndctl create-namespace${optional(' -f', n[1])}${optional(` -e ${pick(NAMES, n[2])}`, n[2])} -m ${pick(['fsdax', 'devdax', 'sector', 'raw'], n[3])}${optional(` -M ${pick(['mem', 'dev'], n[4])}`, n[4])}${optional(` -a ${pick(['4K', '2M', '1G', '3M'], n[5])}`, n[5])}${optional(` -s ${((n[6] ?? 0) % 90) * 16}M`, n[6])}`,
      `ndctl create-namespace -f -e ${pick(NAMES, n[2])} -m ${pick(['fsdax', 'devdax'], n[3])} -M ${pick(['mem', 'dev'], n[4])}`,
      `ndctl ${pick(['enable', 'disable'], n[1])}-namespace ${pick(NAMES, n[2])}`,
      `ndctl destroy-namespace ${pick(NAMES, n[2])} -f`,
      `ndctl list ${pick(['-vvv -i', '-RNu', '-D', '-X -n namespace0.0', '--bogus'], n[1])}`,
    ],
    n[0],
  ),
];
const daxctl: Make = (_machine, n) => {
  const name = pick(['dax0.0', 'dax1.0', 'dax2.0', 'all', 'dax9.9'], n[1]);
  return [
    pick(
      [
        `daxctl reconfigure-device --mode=system-ram ${optional('-N', n[2])} ${name}`,
        `daxctl reconfigure-device --mode=system-ram ${optional('--no-movable', n[2])} ${name}`,
        `daxctl reconfigure-device --mode=devdax ${optional('-f', n[2])} ${name}`,
        `daxctl ${pick(['online', 'offline'], n[2])}-memory ${optional('--no-movable', n[3])} ${name}`,
        `daxctl ${pick(['enable', 'disable'], n[2])}-device ${name}`,
        `daxctl list ${pick(['-RDM -u', '-vvv', '-x'], n[2])}`,
      ],
      n[0],
    ),
  ];
};
const bind: Make = (_machine, n) => [
  pick(
    [
      `echo ${pick(['dax0.0', 'dax1.0', 'dax9.9'], n[1])} > /sys/bus/dax/drivers/${pick(['device_dax', 'kmem'], n[2])}/${pick(['bind', 'unbind', 'new_id', 'remove_id'], n[3])}`,
      `echo ${pick(['namespace0.0', 'namespace1.0', 'pfn0.1', 'dax0.1', 'btt0.1'], n[1])} > /sys/bus/nd/drivers/nd_pmem/${pick(['bind', 'unbind'], n[2])}`,
      `echo ${pick(['0', '1', 'maybe'], n[1])} > /sys/bus/nd/devices/${pick(NAMES, n[2])}/force_raw`,
      `echo ${pick(['0x200000', '0x1000000', '3'], n[1])} > /sys/bus/nd/devices/region${(n[2] ?? 0) % 3}/align`,
    ],
    n[0],
  ),
];

const dax: Make = (machine, n) => {
  const { kernel } = machine;
  const [map] = kernel.state.pgmaps.slice((n[1] ?? 0) % Math.max(1, kernel.state.pgmaps.length));
  const start = (map?.ranges[0]?.start ?? Math.floor(pick(places(machine), n[1]) / 4096)) + ((n[2] ?? 0) % 1024);
  const page = (n[2] ?? 0) % 600;
  const file = pick(['f', 'g'], n[3]);
  return [
    pick(
      [
        `dax map ${file} ${hex(start * 4096)} ${pick(['2M', '4M', '4K'], n[2])} ${optional('page-cache', (n[4] ?? 0) + 1)}`,
        `gup get ${file} ${page} ${1 + ((n[4] ?? 0) % 9)} ${optional('pin', n[5])} ${optional('longterm', n[6])}`,
        `gup get ${file} ${page}`,
        `gup put ${file} ${page} ${1 + ((n[4] ?? 0) % 3)} ${optional('pin', n[5])}`,
        `gup put ${file} ${page}`,
        `dax show ${file} ${page}`,
        `dax ${pick(['truncate', 'unmap'], n[4])} ${file}`,
      ],
      n[0],
    ),
  ];
};

const p2pdma: Make = (machine, n) => {
  const slots = machine.config.devices.flatMap(({ pci }) => (pci?.bar === undefined ? [] : [pci]));
  const { address, bar = 0 } = pick([...slots, { address: '0000:00:1f.0' }], n[1]);
  const [, bus = '0', slot = '0', fn = '0'] = address.split(/[:.]/);
  const name = pick(['p', 'q'], n[2]);
  return [
    pick(
      [
        `${name} = pci_get_domain_bus_and_slot(0, 0x${bus}, PCI_DEVFN(0x${slot}, ${fn}))`,
        `pci_p2pdma_add_resource(${name}, ${bar}, ${pick([0, 1, 8, 64], n[3])}UL << ${pick([21, 20, 27], n[4])}, ${pick([0, 0, 1, 5], n[5])}UL << 21)`,
        `z${(n[3] ?? 0) % 2} = pci_alloc_p2pmem(${name}, ${pick([1, 4096, 10000, 3 * MIB2], n[4])})`,
        `pci_free_p2pmem(${name}, z${(n[3] ?? 0) % 2}, ${pick([1, 4096, 10000, 3 * MIB2], n[4])})`,
        `device_release_driver(&${name}->dev)`,
        `pci_p2pdma_distance(p, &q->dev, ${(n[3] ?? 0) % 2})`,
        `pci_p2pmem_publish(${name}, ${(n[3] ?? 0) % 2})`,
        `echo ${pick(['1', '0', address, 'x'], n[3])} > /sys/bus/pci/devices/${address}/p2pmem/allocate`,
      ],
      n[0],
    ),
  ];
};

/** Fewer free blocks of some orders than there are; now and then more. */
const occupy: Make = ({ kernel }, n) => {
  const zones = kernel.nodes.flatMap(({ node_zones }) => node_zones.filter((zone) => zone.managed_pages > 0));
  const zone = pick(zones, n[0]);
  const counts = zone.free_area.map(({ nr_free, order }) => {
    const now = (n[1 + (order % 5)] ?? 0) % 97;
    return order < 10 ? Math.min(nr_free, 300) + (now % 4) : Math.floor((nr_free * (now % 5)) / 4);
  });
  return [`occupy ${zone.node} ${zone.name} ${counts.join(' ')}`];
};

/** Walks down the files of the machine. */
function somePath(machine: Machine, n: Numbers): string {
  let path = pick(['/proc', '/sys', '/sys', '/sys/devices/system/node', '/sys/bus'], n[0]);
  for (let depth = 0; depth < 8; depth++) {
    const names = runShellLine(machine, `ls ${path}`)?.output.join('\n').split('\n') ?? [];
    if (names.length === 1 && names[0] === path) return path;
    const name = pick(names, (n[1 + (depth % 5)] ?? 0) + depth);
    if (!name) return path;
    path = `${path}/${name}`;
  }
  return path;
}
const VALUES = ['1', '0', '-1', 'online', 'offline', '0x100000000', '99999999999999999999999', '""', 'x y', 'Y'];

const WRONG = [
  'cat',
  'cat /nowhere',
  'cat /proc',
  'echo 1 > /proc/zoneinfo',
  'echo 1 >',
  'ls /x',
  'dimm',
  'dimm plug',
  'dimm plug 1X',
  'dimm plug 3K',
  'dimm plug 1G node=77',
  'dimm plug 1G at=zero',
  'dimm unplug nothing',
  'inject',
  'inject unmovable memory99999',
  'inject movable memory0 0',
  'occupy',
  'occupy 9 Normal 0 0 0 0 0 0 0 0 0 0 0',
  'occupy 0 DMA32 1 2 3',
  'ndctl',
  'ndctl create-namespace -m nonsense',
  'ndctl destroy-namespace',
  'daxctl reconfigure-device',
  'daxctl frobnicate',
  'dax map',
  'gup get nobody 0',
  'page-types -b nonsense',
  'page-types -a 5,3',
  'page-types --what',
  'explain',
  'explain pfn 99999999999999999999',
  'help nothing',
  "echo 'unfinished",
  'memremap_pages(',
  'memremap_pages()',
  'no_such_function(1)',
  '1 +',
  '*(int *)0',
  '((((',
  'x = = 3',
  '\u0000\u0001',
] as const;

/** Bits of a good line: cut off, or with a letter changed. */
function spoil(line: string, n: Numbers): string {
  const at = (n[6] ?? 0) % Math.max(1, line.length);
  return (n[7] ?? 0) % 2
    ? line.slice(0, at)
    : `${line.slice(0, at)}${pick(['(', '0', '-', ' ', ';', '"'], n[5])}${line.slice(at + 1)}`;
}

const MAKERS: Readonly<Record<string, { weight: number; make: Make }>> = {
  remap: { weight: 5, make: remap },
  unmap: {
    weight: 4,
    make: (_machine, n) => {
      const name = pick(SLOTS, n[0]);
      return [
        pick(
          [
            `memunmap_pages(&${name})`,
            `root_device_unregister(d${name})`,
            `devm_memunmap_pages(d${name}, &${name})`,
            `percpu_ref_kill(&r${name})`,
            `percpu_ref_put(&r${name})`,
          ],
          n[1],
        ),
      ];
    },
  },
  devicePages: {
    weight: 5,
    make: (machine, n) => {
      const page = `pfn_to_page(${hex(devicePage(machine, n))})`;
      const init = since(machine, '6.19') ? `, &${pick(SLOTS, n[4])}, 0` : '';
      return [
        pick(
          [
            `zone_device_page_init(${page}${init})`,
            `put_page(${page})`,
            `get_page(${page})`,
            `g${(n[3] ?? 0) % 2} = get_dev_pagemap(${hex(devicePage(machine, n))}${since(machine, '6.18') ? '' : ', NULL'})`,
            `put_dev_pagemap(g${(n[3] ?? 0) % 2})`,
            `pfn_to_online_page(${hex(devicePage(machine, n))})`,
          ],
          n[2],
        ),
      ];
    },
  },
  region: {
    weight: 2,
    make: (_machine, n) =>
      pick(
        [
          [`r = request_free_mem_region(&iomem_resource, ${1 + ((n[1] ?? 0) % 600)}UL << 20, "x")`],
          ['release_mem_region(r->start, resource_size(r))'],
          [`request_mem_region(0xe0000000 + ${(n[1] ?? 0) % 9}UL * 4096, ${(n[2] ?? 0) % 4}UL << 12, "y")`],
          [`release_mem_region(0xe0000000 + ${(n[1] ?? 0) % 9}UL * 4096, ${(n[2] ?? 0) % 4}UL << 12)`],
        ],
        n[0],
      ),
  },
  alloc: { weight: 6, make: alloc },
  free: { weight: 5, make: free },
  plug: {
    weight: 4,
    make: (machine, n) => {
      const size = (machine.kernel.state.memoryBlockPages * 4096) / MIB2;
      const mib = pick([size * 2, size * 4, size * 6, 192, 128], n[2]);
      const at = (n[3] ?? 0) % 3 === 2 ? ` at=${hex(freeBlock(machine, n))}` : '';
      return [`dimm plug ${mib}M node=${node(machine, n[4])}${at}`];
    },
  },
  unplug: { weight: 3, make: (_machine, n) => [`dimm unplug dimm${(n[0] ?? 0) % 4}`] },
  state: {
    weight: 9,
    make: (machine, n) => [
      pick(
        [
          `echo ${pick(['online', 'online_kernel', 'online_movable', 'offline', 'offline', 'offline'], n[1])} > ${MEMORY}/memory${block(machine, n[0])}/state`,
          `echo ${(n[1] ?? 0) % 2} > ${MEMORY}/memory${block(machine, n[0])}/online`,
          `echo ${pick(['online', 'online_movable', 'offline', 'online_kernel'], n[1])} > ${MEMORY}/auto_online_blocks`,
        ],
        n[2] === undefined ? 0 : Math.max(0, (n[2] % 9) - 6),
      ),
    ],
  },
  inject: {
    weight: 3,
    make: (machine, n) => [
      `inject ${pick(['unmovable', 'movable'], n[1])} memory${block(machine, n[0])} ${1 + ((n[2] ?? 0) % 40)}`,
    ],
  },
  probe: {
    weight: 1,
    make: (machine, n) => [`echo ${hex(freeBlock(machine, n) + ((n[3] ?? 0) % 7 === 6 ? 4096 : 0))} > ${MEMORY}/probe`],
  },
  addRemove: { weight: 4, make: addRemove },
  ndctl: { weight: 6, make: ndctl },
  daxctl: { weight: 6, make: daxctl },
  bind: { weight: 3, make: bind },
  dax: { weight: 6, make: dax },
  p2pdma: { weight: 5, make: p2pdma },
  occupy: { weight: 1, make: occupy },
  pageTypes: {
    weight: 1,
    make: (_machine, n) => [
      `page-types ${pick(['', '-r', '-l', '-N', '-L -a 0x100,+4', '-b buddy', '-b reserved,~buddy -r', '-a 0x100000,'], n[0])}`,
    ],
  },
  read: { weight: 5, make: (machine, n) => [`cat ${somePath(machine, n)}`] },
  write: { weight: 3, make: (machine, n) => [`echo ${pick(VALUES, n[6])} > ${somePath(machine, n)}`] },
  explain: {
    weight: 1,
    make: (machine, n) => [
      pick([`explain pfn ${hex(devicePage(machine, n))}`, 'explain flags', 'explain sections', 'dmesg', 'help'], n[2]),
    ],
  },
};
const KINDS = Object.entries(MAKERS).flatMap(([kind, { weight }]) => Array<string>(weight).fill(kind));

/** The lines of an operation on a machine as it stands. `@` begins what is done with the timeline. */
export function linesOf(machine: Machine, { kind, n }: Operation): readonly string[] {
  if (kind === 'wrong') return [pick(WRONG, n[0])];
  if (kind === 'back') return [`@travel ${-((n[0] ?? 0) % 12)}`];
  if (kind === 'forward') return [`@travel ${(n[0] ?? 0) % 12}`];
  if (kind === 'spoilt') {
    const lines = linesOf(machine, { kind: pick(KINDS, n[7]), n });
    return [spoil(pick(lines, n[0]), n)];
  }
  if (kind === 'script') {
    const parts = [0, 3, 6].flatMap((from) => {
      const numbers = [...n.slice(from), ...n.slice(0, from)];
      return linesOf(machine, { kind: pick(KINDS, numbers[7]), n: numbers });
    });
    return [`@script ${JSON.stringify(parts)}`];
  }
  if (kind === 'advance') return [`@advance ${n[0] ?? 0}`];
  return MAKERS[kind]?.make(machine, n) ?? [];
}

const kinds = [
  ...KINDS,
  ...Array<string>(5).fill('wrong'),
  ...Array<string>(6).fill('back'),
  ...Array<string>(3).fill('forward'),
  ...Array<string>(3).fill('spoilt'),
  ...Array<string>(2).fill('script'),
  ...Array<string>(4).fill('advance'),
];
export const operation: fc.Arbitrary<Operation> = fc.record({
  kind: fc.constantFrom(...kinds),
  n: fc.array(fc.nat({ max: 9999 }), { minLength: 8, maxLength: 8 }),
});
