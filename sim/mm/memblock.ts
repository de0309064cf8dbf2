/**
 * The early allocator's two lists: mm/memblock.c and arch/x86/kernel/e820.c (6.12).
 * Ranges are page frames, [start, end).
 */
import type { MachineConfig } from '../machine/config.ts';

export interface PfnRange {
  start: number;
  end: number;
}
export interface NodeRange extends PfnRange {
  nid: number;
  /** MEMBLOCK_HOTPLUG. */
  hotpluggable?: boolean;
}
export interface ReservedRange extends PfnRange {
  what: string;
}

const PAGE = 4096n;
const pfnUp = (address: bigint): number => Number((address + PAGE - 1n) / PAGE);
const pfnDown = (address: bigint): number => Number(address / PAGE);

/**
 * e820.c:e820__memblock_setup and numa_init: usable memory by node, trimmed to whole
 * pages; page 0 and the VGA/BIOS hole 640 KiB to 1 MiB are never memory.
 */
export function memblockMemory(config: MachineConfig): NodeRange[] {
  const ranges: NodeRange[] = [];
  for (const entry of config.e820) {
    if (entry.type !== 'usable') continue;
    for (const [from, to] of [
      [0x1000n, 0xa0000n],
      [0x100000n, 1n << 52n],
    ] as const) {
      const start = entry.start > from ? entry.start : from;
      const end = entry.end + 1n < to ? entry.end + 1n : to;
      if (start >= end) continue;
      ranges.push(...byNode(config, pfnUp(start), pfnDown(end)));
    }
  }
  ranges.sort((a, b) => a.start - b.start);
  return join(ranges.filter((range) => range.end > range.start));
}

/** numa.c:numa_register_nodes: each part goes to the node that claims it; unclaimed memory is left out. */
function byNode(config: MachineConfig, start: number, end: number): NodeRange[] {
  const parts: NodeRange[] = [];
  for (const node of config.nodes)
    for (const range of node.ranges) {
      const from = Math.max(start, pfnUp(range.start));
      const to = Math.min(end, pfnDown(range.end + 1n));
      if (from < to)
        parts.push({ start: from, end: to, nid: node.id, ...(range.hotpluggable ? { hotpluggable: true } : {}) });
    }
  return parts;
}

function join(ranges: readonly NodeRange[]): NodeRange[] {
  const joined: NodeRange[] = [];
  for (const range of ranges) {
    const last = joined.at(-1);
    if (last && last.end === range.start && last.nid === range.nid && last.hotpluggable === range.hotpluggable)
      last.end = range.end;
    else joined.push({ ...range });
  }
  return joined;
}

/** What init hands over later: these uses of `reserved` are freed once the kernel is up. */
export const FREED_AFTER_INIT: readonly string[] = ['initrd', 'Kernel init', 'Kernel rodata/data gap'];

/** What memblock holds: from the machine file, or estimated (low 1 MiB, kernel image, a memmap for every node). */
export function memblockReserved(
  config: MachineConfig,
  memory: readonly NodeRange[],
  sectionPages: number,
): ReservedRange[] {
  if (config.reserved) {
    const entries = config.reserved.map((entry) => ({
      start: pfnDown(entry.start),
      end: pfnUp(entry.end + 1n),
      what: entry.what,
    }));
    // mem= and memmap= may have taken the memory away that something was placed in.
    const kept = entries.filter((entry) => memory.some((range) => entry.start < range.end && entry.end > range.start));
    if (entries.some((entry) => entry.what === 'memmap') && !kept.some((entry) => entry.what === 'memmap'))
      kept.push(...estimatedMemmaps(config, memory, sectionPages, Math.max(...kept.map((entry) => entry.end), 0)));
    return kept.sort((a, b) => a.start - b.start);
  }
  const reserved: ReservedRange[] = [{ start: 0, end: 0x100, what: 'low 1 MiB' }];
  const image = [
    { what: 'Kernel code', pages: 0x1400 },
    { what: 'Kernel rodata', pages: 0xa00 },
    { what: 'Kernel data', pages: 0x600 },
    { what: 'Kernel bss', pages: 0x600 },
  ];
  let pfn = 0x1000;
  for (const part of image) {
    reserved.push({ start: pfn, end: pfn + part.pages, what: part.what });
    pfn += part.pages;
  }
  reserved.push(...estimatedMemmaps(config, memory, sectionPages, pfn));
  return reserved.sort((a, b) => a.start - b.start);
}

/** sparse_init_nid: each node's struct pages, at the top of its highest range that has room above `above`. */
function estimatedMemmaps(
  config: MachineConfig,
  memory: readonly NodeRange[],
  sectionPages: number,
  above: number,
): ReservedRange[] {
  return config.nodes.flatMap((node) => {
    const own = memory.filter((range) => range.nid === node.id);
    const pages = sectionsOf(own, sectionPages) * (sectionPages / 64);
    const home = [...own].reverse().find((range) => range.end - Math.max(range.start, above) >= pages + 1024);
    if (!home || pages === 0) return [];
    const end = home.end - (home.end % 512);
    return [{ start: end - pages, end, what: 'memmap' }];
  });
}

/** Number of sections that any of the ranges touches. */
export function sectionsOf(ranges: readonly PfnRange[], sectionPages: number): number {
  let count = 0;
  let next = 0;
  for (const range of [...ranges].sort((a, b) => a.start - b.start)) {
    const first = Math.max(next, Math.floor(range.start / sectionPages));
    const last = Math.ceil(range.end / sectionPages);
    if (last > first) count += last - first;
    next = Math.max(next, last);
  }
  return count;
}

/** memblock.c:for_each_free_mem_range: memory that is not reserved, ascending. */
export function freeRanges(memory: readonly NodeRange[], reserved: readonly PfnRange[]): NodeRange[] {
  const free: NodeRange[] = [];
  for (const range of memory) {
    let start = range.start;
    for (const taken of reserved) {
      if (taken.end <= start || taken.start >= range.end) continue;
      if (taken.start > start) free.push({ start, end: taken.start, nid: range.nid });
      start = Math.max(start, taken.end);
    }
    if (start < range.end) free.push({ start, end: range.end, nid: range.nid });
  }
  return free;
}
