/** Lines about memory: the page allocator, memory blocks, DIMMs, adding and removing. */
import {
  after,
  at,
  block,
  freeBlock,
  has,
  hex,
  type Make,
  MEMORY,
  MIB2,
  node,
  pick,
  since,
  variable,
} from './worldChoices.ts';

const GFP = ['0xcc0', '0xcc1', '0xcc4', '0x100cca', '0xcd0', '0x820', '0x200cc0', '0x40cc0', '0x10cc0', '0x2800'];
const PAGES = ['x0', 'x1', 'x2', 'x3', 'x4'] as const;
const order = (n = 0): number => pick([0, 1, 3, 9, 10, n % 12], n);

const alloc: Make = (machine, n) => {
  const gfp = pick(GFP, n[1]);
  const page = pick(PAGES, n[0]);
  return [
    pick(
      [
        `${page} = alloc_pages(${gfp}, ${order(n[2])})`,
        `${page} = alloc_pages_node(${node(machine, n[3])}, ${gfp}, ${order(n[2])})`,
        `y${at(n, 2) % 12} = __get_free_pages(${gfp}, ${at(n, 2) % 12})`,
      ],
      n[4],
    ),
  ];
};

const free: Make = (machine, n) => {
  const page = variable(machine, PAGES, n[0]);
  const address = variable(
    machine,
    Array.from({ length: 12 }, (_, i) => `y${i}`),
    n[1],
  );
  return [
    pick(
      [
        `__free_pages(${page}, compound_order(${page}))`,
        `__free_pages(${page}, ${order(n[1])})`,
        `free_pages(${address}, ${address.slice(1)})`,
        `split_page(${page}, ${order(n[1])})`,
        `put_page(${page})`,
        `get_page(${page})`,
      ],
      n[2],
    ),
  ];
};

const plug: Make = (machine, n) => {
  const size = (machine.kernel.state.memoryBlockPages * 4096) / MIB2;
  const mib = pick([size * 2, size * 4, size * 6, size * 2, 192, 128], n[2]);
  const where = at(n, 3) % 4 === 3 ? ` at=${hex(freeBlock(machine, n))}` : '';
  return [`dimm plug ${mib}M node=${node(machine, n[4])}${where}`];
};

const unplug: Make = ({ kernel }, n) => [
  `dimm unplug ${pick([...kernel.state.dimms.map(({ name }) => name), 'dimm7'], n[0])}`,
];

const state: Make = (machine, n) => {
  const offline = `echo offline > ${MEMORY}/memory${block(machine, n[0], 'online')}/state`;
  const type = pick(['online', 'online_kernel', 'online_movable', 'online_movable'], n[1]);
  const online = `echo ${type} > ${MEMORY}/memory${block(machine, n[0], 'offline')}/state`;
  return [
    pick(
      [
        offline,
        online,
        offline,
        online,
        `echo ${at(n, 1) % 2} > ${MEMORY}/memory${block(machine, n[0])}/online`,
        `echo ${pick(['online', 'online_movable', 'offline', 'online_kernel'], n[1])} > ${MEMORY}/auto_online_blocks`,
      ],
      n[2],
    ),
  ];
};

const inject: Make = (machine, n) => [
  `inject ${pick(['unmovable', 'movable'], n[1])} memory${block(machine, n[0], 'online')} ${1 + (at(n, 2) % 40)}`,
];

const probe: Make = (machine, n) => [
  `echo ${hex(freeBlock(machine, n) + (at(n, 3) % 7 === 6 ? 4096 : 0))} > ${MEMORY}/probe`,
];

const addRemove: Make = (machine, n) => {
  const size = machine.kernel.state.memoryBlockPages * 4096;
  const length = (1 + (at(n, 3) % 3)) * size + (at(n, 3) % 13 === 12 ? 4096 : 0);
  const fresh = `${hex(freeBlock(machine, n))}, ${hex(length)}`;
  const gone = `${hex(block(machine, n[4], 'offline') * size)}, ${hex(size)}`;
  const busy = `${hex(block(machine, n[4], 'online') * size)}, ${hex(size)}`;
  const nid = node(machine, n[6]);
  const from = since(machine, '5.15') ? '' : `${nid}, `;
  const flags = since(machine, '5.10') ? `, ${pick([0, 1, 2, 3], n[6])}` : '';
  return [
    pick(
      [
        `add_memory(${nid}, ${fresh}${flags})`,
        `add_memory_driver_managed(${nid}, ${fresh}, "System RAM (${pick(['kmem', 'x'], n[5])})"${flags})`,
        `remove_memory(${from}${pick([gone, gone, busy, fresh], n[5])})`,
        `offline_and_remove_memory(${from}${pick([gone, busy, busy, fresh], n[5])})`,
      ],
      n[2],
    ),
  ];
};

/** Other counts of free blocks of some orders, mostly fewer. */
const occupy: Make = ({ kernel }, n) => {
  const zones = kernel.nodes.flatMap(({ node_zones }) => node_zones.filter((zone) => zone.managed_pages > 0));
  if (zones.length === 0) return [];
  const zone = pick(zones, n[0]);
  const counts = zone.free_area.map(({ nr_free, order: of }) => {
    const some = at(n, 1 + (of % 5)) % 97;
    return of < 10 ? Math.min(nr_free, 300) + (some % 4) : Math.floor((nr_free * (some % 5)) / 4);
  });
  return [`occupy ${zone.node} ${zone.name} ${counts.join(' ')}`];
};

export const MEMORY_LINES: Readonly<Record<string, { weight: number; make: Make }>> = {
  alloc: { weight: 6, make: alloc },
  free: { weight: 6, make: after((machine) => has(machine, PAGES), alloc, free) },
  plug: { weight: 5, make: plug },
  unplug: { weight: 3, make: after(({ kernel }) => kernel.state.dimms.length > 0, plug, unplug) },
  state: { weight: 10, make: state },
  inject: { weight: 3, make: inject },
  probe: { weight: 1, make: probe },
  addRemove: { weight: 6, make: addRemove },
  occupy: { weight: 1, make: occupy },
};
