/** Commands of the machine's physical side: DIMMs that come and go, and pages that get in the way. */
import { acpi_memory_device_add, acpi_scan_hot_remove, acpiName } from '../drivers/acpi_memhotplug.ts';
import { MIGRATE_UNMOVABLE } from '../include/mmzone.ts';
import { PageKind, ZONE_MOVABLE } from '../include/types.ts';
import { childrenOf } from '../kernel/resource.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import { blockStart, memory_block_size_bytes } from '../mm/memory_block.ts';
import { firstFree, LRU_FLAGS, take_page_off_buddy } from '../mm/page_isolation.ts';
import type { KernelGenerator } from '../task/task.ts';
import type { Command, CommandContext } from './command.ts';
import { ShellError } from './error.ts';

const USAGE = 'usage: dimm plug SIZE [node=N] [at=ADDR] [name=NAME] | dimm unplug NAME | dimm list';
const EBUSY = -16;
const ENOSPC = -28;

/** `1G`, `192M`, `0x8000000`: memparse. */
function bytes(text: string, what: string): bigint {
  const match = /^(0x[0-9a-f]{1,13}|\d{1,15})([kmgt]?)(?:i?b)?$/i.exec(text);
  if (!match) throw new ShellError(`dimm: ${what} ${text}: write it as 1G, 512M or 0x8000000`);
  const shift = { '': 0n, k: 10n, m: 20n, g: 30n, t: 40n }[(match[2] ?? '').toLowerCase()] ?? 0n;
  return BigInt(match[1] ?? 0) << shift;
}

export const sizeText = (size: bigint): string => {
  for (const [unit, shift] of [
    ['GiB', 30n],
    ['MiB', 20n],
    ['KiB', 10n],
  ] as const)
    if (size % (1n << shift) === 0n) return `${size >> shift} ${unit}`;
  return `${size} bytes`;
};

/** What lies in the way of [start, start+size). */
function inTheWay(kernel: Kernel, start: bigint, size: bigint) {
  for (const child of childrenOf(kernel.state.iomem))
    if (child.start < start + size && child.end >= start) return child;
  return undefined;
}

/**
 * Where firmware would put a DIMM: above 4 GiB and the memory of boot, at the next GiB for the first,
 * then the first place that nothing else has, at a multiple of a memory block.
 */
function freeAddress(kernel: Kernel, size: bigint): bigint {
  const limit = kernel.state.iomem.end;
  const block = memory_block_size_bytes(kernel);
  const up = (value: bigint, to: bigint): bigint => ((value + to - 1n) / to) * to;
  const top = kernel.config.e820.reduce(
    (end, entry) => (entry.type === 'usable' && entry.end >= end ? entry.end + 1n : end),
    0n,
  );
  let start = up(top > 1n << 32n ? top : 1n << 32n, 1n << 30n);
  start = up(start, block);
  while (start + size - 1n <= limit) {
    const other = inTheWay(kernel, start, size);
    if (!other) return start;
    start = up(other.end + 1n, block);
  }
  throw new ShellError(`dimm: no free address for ${sizeText(size)} below ${hex(limit)}`, ENOSPC);
}

interface Plug {
  size: bigint;
  node: number;
  at: bigint | undefined;
  name: string;
}

function parsePlug(kernel: Kernel, args: readonly string[]): Plug {
  const [sizeWord, ...options] = args;
  if (sizeWord === undefined) throw new ShellError(USAGE);
  const size = bytes(sizeWord, 'size');
  if (size === 0n || size % 4096n !== 0n) throw new ShellError(`dimm: size ${sizeWord}: not a whole number of pages`);
  let next = 0;
  while (kernel.state.dimms.some((dimm) => dimm.name === `dimm${next}`)) next++;
  const plug: Plug = { size, node: 0, at: undefined, name: `dimm${next}` };
  const seen = new Set<string>();
  for (const option of options) {
    const [, key = '', value = ''] = /^(node|at|name)=(.+)$/.exec(option) ?? [];
    if (key === '' || seen.has(key)) throw new ShellError(`dimm: ${option}: unexpected\n${USAGE}`);
    seen.add(key);
    if (key === 'at') plug.at = bytes(value, 'address');
    else if (key === 'name') {
      if (!/^[A-Za-z_][\w-]{0,31}$/.test(value)) throw new ShellError(`dimm: name ${value}: letters, digits, _ and -`);
      plug.name = value;
    } else {
      plug.node = /^\d{1,4}$/.test(value) ? Number(value) : -1;
      if (!kernel.nodes.some((node) => node.node_id === plug.node))
        throw new ShellError(`dimm: node ${value}: this machine has nodes 0 to ${kernel.nodes.length - 1}`);
    }
  }
  if (kernel.state.dimms.some((dimm) => dimm.name === plug.name))
    throw new ShellError(`dimm: ${plug.name}: there is one of that name; dimm list shows it`, -17);
  return plug;
}

function* plug({ kernel, print }: CommandContext, args: readonly string[]): KernelGenerator<void> {
  const { size, node, at, name } = parsePlug(kernel, args);
  const start = at ?? freeAddress(kernel, size);
  if (start + size - 1n > kernel.state.iomem.end)
    throw new ShellError(`dimm: ${hex(start)} + ${sizeText(size)} is beyond ${hex(kernel.state.iomem.end)}`);
  const other = inTheWay(kernel, start, size);
  if (other) throw new ShellError(`dimm: ${hex(start)}: ${other.name} lies there`, EBUSY);
  const status = yield* acpi_memory_device_add(kernel, name, node, start, size);
  if (status)
    throw new ShellError(`dimm: the kernel did not take ${sizeText(size)} at ${hex(start)}; dmesg says why`, status);
  const dimm = kernel.state.dimms.at(-1);
  print(`${name}: ${sizeText(size)} at ${hex(start)}, node ${node} (${acpiName(dimm?.instance ?? 0)})`);
}

function* unplug({ kernel }: CommandContext, args: readonly string[]): KernelGenerator<void> {
  const [name, ...more] = args;
  if (name === undefined || more.length > 0) throw new ShellError(USAGE);
  const dimm = kernel.state.dimms.find((candidate) => candidate.name === name);
  if (!dimm) throw new ShellError(`dimm: ${name}: no such DIMM; dimm list shows what is plugged`, -19);
  const status = yield* acpi_scan_hot_remove(kernel, dimm);
  if (status)
    throw new ShellError(`dimm: ${name}: the kernel keeps it, a block cannot go offline; dmesg says which`, status);
}

function listDimms({ kernel, print }: CommandContext): void {
  for (const { name, instance, start, size, group } of kernel.state.dimms)
    print(`${name} ${hex(start)}-${hex(start + size - 1n)} ${sizeText(size)} node ${group.nid} ${acpiName(instance)}`);
}

const DIMM: Command = {
  name: 'dimm',
  usage: 'dimm plug SIZE [node=N] [at=ADDR] [name=NAME] | unplug NAME | list',
  summary: 'plug and unplug memory, as a person at the machine does',
  run(context, [verb, ...args]) {
    if (verb === 'plug') return plug(context, args);
    if (verb === 'unplug') return unplug(context, args);
    if (verb !== 'list' || args.length > 0) throw new ShellError(USAGE);
    listDimms(context);
    return undefined;
  },
};

const INJECT_USAGE = 'usage: inject unmovable memoryN | inject movable memoryN [PAGES]';

/** Pages taken out of one block as if the kernel, or a program, had got them there. */
export const INJECT_BLOCK: Command = {
  name: 'inject',
  usage: 'inject unmovable|movable memoryN [PAGES]',
  summary: 'let the kernel, or programs, use pages of one memory block',
  run({ kernel, print }, [what, where, count = '1', ...more]) {
    if ((what !== 'unmovable' && what !== 'movable') || where === undefined || more.length > 0)
      throw new ShellError(INJECT_USAGE);
    const pages = /^\d{1,7}$/.test(count) ? Number(count) : 0;
    if (pages < 1 || pages > 1_000_000) throw new ShellError(`inject: ${count}: a number of pages up to 1000000`);
    const id = /^memory(\d{1,10})$/.exec(where)?.[1];
    const block = id === undefined ? undefined : kernel.state.memoryBlocks.get(Number(id));
    if (!block) throw new ShellError(`inject: ${where}: no such memory block`, -2);
    if (block.state !== 'online')
      throw new ShellError(`inject: ${where}: is ${block.state}; nothing can be allocated there`);
    if (what === 'unmovable' && block.zone?.index === ZONE_MOVABLE)
      throw new ShellError(`inject: ${where}: is in ZONE_MOVABLE, where the kernel allocates nothing unmovable`);
    const start = blockStart(kernel, block);
    const end = start + kernel.state.memoryBlockPages;
    if (freePages(kernel, start, end) < pages)
      throw new ShellError(`inject: ${where}: has no ${pages} free pages`, -12);
    const first = firstFree(kernel, start, end);
    for (let left = pages; left > 0; left--) takeOne(kernel, start, end, what === 'movable');
    print(`${pages} ${what} page${pages === 1 ? '' : 's'} from pfn ${hex(first ?? start)} on`);
    return undefined;
  },
};

function freePages(kernel: Kernel, start: number, end: number): number {
  const counts = new Float64Array(16);
  kernel.pages.state.count(start, end, counts);
  return counts[PageKind.Free] ?? 0;
}

function takeOne(kernel: Kernel, start: number, end: number, isMovable: boolean): void {
  const pfn = firstFree(kernel, start, end);
  if (pfn === undefined) return;
  if (!isMovable) {
    take_page_off_buddy(kernel, pfn, PageKind.Kernel, MIGRATE_UNMOVABLE);
    return;
  }
  take_page_off_buddy(kernel, pfn, PageKind.Anon);
  kernel.pages.flags.set(pfn, LRU_FLAGS);
  kernel.pages.mapcount.set(pfn, 0);
}

export const DIMM_COMMANDS: readonly Command[] = [DIMM];
