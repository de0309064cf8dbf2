/** Zones for C code and the shell: include/linux/mmzone.h, and adding memory as architectures did to 4.13. */
import { addressPointer, BadAccess, type CallArgs, type CPointer, integer } from '../c/value.ts';
import { SECTION_IS_ONLINE } from '../include/mmzone.ts';
import { ZONE_DEVICE } from '../include/types.ts';
import { type FunctionRecord, fn, variant } from '../kernel/registry.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import { zoneDeviceIsOn } from '../machine/options.ts';
import { arch_add_memory_old, arch_remove_memory_old, zone_for_memory } from './memory_hotplug-old.ts';
import { pageArg } from './page_arg.ts';

const MMZONE = 'include/linux/mmzone.h';

/* Where this machine's pg_data_t and their node_zones[] stand: below the other simulated structs. */
const NODES = 0x3000000n;
const SIZEOF_PGLIST = 0x8000n;
const SIZEOF_ZONE = 0x740n;

/** &NODE_DATA(node)->node_zones[index]. */
const zonePointer = (kernel: Kernel, node: number, index: number): CPointer =>
  addressPointer(
    kernel.arch.PAGE_OFFSET + NODES + BigInt(node) * SIZEOF_PGLIST + BigInt(index) * SIZEOF_ZONE,
    'struct zone',
  );

/** The index of a zone pointer in its node: its distance from node_zones. */
function zoneArg(kernel: Kernel, args: CallArgs): { node: number; index: number } {
  const { target } = args.pointer(0);
  const distance = target.kind === 'address' ? target.address - kernel.arch.PAGE_OFFSET - NODES : -1n;
  const node = Number(distance / SIZEOF_PGLIST);
  const index = Number((distance % SIZEOF_PGLIST) / SIZEOF_ZONE);
  const zones = kernel.nodes.find(({ node_id }) => node_id === node)?.node_zones;
  if (distance < 0n || !zones?.[index] || (distance % SIZEOF_PGLIST) % SIZEOF_ZONE !== 0n)
    throw new BadAccess(`${args.name}: argument 1 is not a struct zone; page_zone(page) gives one`);
  return { node, index };
}

const isDevice = (kernel: Kernel, args: CallArgs) =>
  integer(zoneDeviceIsOn(kernel) && zoneArg(kernel, args).index === ZONE_DEVICE ? 1 : 0, 'bool');

/** arch_add_memory of 4.3 to 4.13: the zone is chosen as the memory is added. */
export function add_memory(kernel: Kernel, args: CallArgs) {
  const nid = args.num(0);
  const [startPfn, pages] = wholeSections(kernel, args, args.big(1), args.big(2));
  kernel.node(nid);
  const zone = zone_for_memory(kernel, nid, startPfn, args.big(3) !== 0n && zoneDeviceIsOn(kernel));
  return integer(arch_add_memory_old(kernel, { nid, startPfn, pages, altmap: undefined, zone }));
}

/** arch_remove_memory of 4.3 to 5.2, for memory that is not online: remove_memory sees to that. */
function remove_memory(kernel: Kernel, args: CallArgs): void {
  const [startPfn, pages] = wholeSections(kernel, args, args.big(0), args.big(1));
  kernel.pages.section.runs(startPfn, startPfn + pages, (from, _to, value) => {
    if ((value & SECTION_IS_ONLINE) !== 0)
      throw new BadAccess(`${args.name}: the section at ${hex(from)} is online; pages of it are in use`);
    return undefined;
  });
  arch_remove_memory_old(kernel, startPfn, pages, undefined);
}

/** Callers check what they add (check_hotplug_memory_range); what is not whole sections never gets here. */
function wholeSections(kernel: Kernel, args: CallArgs, start: bigint, size: bigint): [number, number] {
  const section = 1n << BigInt(kernel.arch.SECTION_SIZE_BITS);
  if (size <= 0n || start % section !== 0n || size % section !== 0n || start + size - 1n > kernel.physmemEnd)
    throw new BadAccess(
      `${args.name}: ${hex(start)} with ${hex(size)} bytes is not whole sections of ${hex(section)} below ${hex(kernel.physmemEnd)}`,
    );
  return [Number(start >> 12n), Number(size >> 12n)];
}

export const ZONE_FUNCTIONS: readonly FunctionRecord[] = [
  fn('page_zone', 'The zone of a page, from the node and zone numbers in its flags.', [
    variant('4.3', 'include/linux/mm.h', 'struct zone *page_zone(const struct page *page)', (kernel, args) => {
      const zone = kernel.zoneAt(pageArg(kernel, args));
      return zonePointer(kernel, zone.node, zone.index);
    }),
  ]),
  fn(
    'is_dev_zone',
    'True if a zone is ZONE_DEVICE.',
    [variant('4.3', MMZONE, 'bool is_dev_zone(const struct zone *zone)', isDevice, [], '5.2')],
    { replacedBy: 'zone_is_zone_device' },
  ),
  fn(
    'zone_id',
    'The index of a zone in its node.',
    [
      variant(
        '4.3',
        MMZONE,
        'int zone_id(const struct zone *zone)',
        (kernel, args) => integer(zoneArg(kernel, args).index),
        [],
        '5.2',
      ),
    ],
    { replacedBy: 'zone_idx' },
  ),
  fn(
    'zone_idx',
    'The index of a zone in its node, from ZONE_DMA up to ZONE_DEVICE.',
    [
      variant('4.3', MMZONE, '#define zone_idx(zone)', (kernel, args) =>
        integer(zoneArg(kernel, args).index, 'unsigned long'),
      ),
    ],
    { macro: true },
  ),
  fn('zone_is_zone_device', 'True if a zone is ZONE_DEVICE; always false where the option is off.', [
    variant('5.12', MMZONE, 'bool zone_is_zone_device(const struct zone *zone)', isDevice),
  ]),
  fn(
    'arch_remove_memory',
    'Takes the sections of a range away, and to 5.0 the resource of ordinary memory with them.',
    [
      variant(
        '4.3',
        'arch/x86/mm/init_64.c',
        'int arch_remove_memory(u64 start, u64 size)',
        (kernel, args) => {
          remove_memory(kernel, args);
          return integer(0);
        },
        [],
        '4.15',
      ),
      variant(
        '4.16',
        'arch/x86/mm/init_64.c',
        'int arch_remove_memory(u64 start, u64 size, struct vmem_altmap *altmap)',
        (kernel, args) => {
          remove_memory(kernel, args);
          return integer(0);
        },
        [],
        '5.2',
      ),
    ],
  ),
];
