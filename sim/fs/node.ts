import type { Pglist } from '../include/mmzone.ts';
import { ZONE_NORMAL } from '../include/types.ts';
import type { Kernel } from '../machine/kernel.ts';
import { recount, sumOf } from './counters.ts';
import type { Mount, VirtualFile, VirtualNode } from './files.ts';
import { memoryCounters } from './memoryCounters.ts';
import { freePages, nodeNumastat, nodeVmstat } from './vmstat.ts';

const ROOT = '/sys/devices/system/node';

/** lib/vsprintf.c:%*pbl: `0-3,8`. */
export function bitmapList(bits: readonly number[]): string {
  const parts: string[] = [];
  const sorted = [...bits].sort((a, b) => a - b);
  for (let i = 0; i < sorted.length; i++) {
    const first = sorted[i] ?? 0;
    while (sorted[i + 1] === (sorted[i] ?? 0) + 1) i++;
    const last = sorted[i] ?? 0;
    parts.push(first === last ? String(first) : `${first}-${last}`);
  }
  return parts.join(',');
}

/** %*pb: 32-bit words in hex, the highest first; the first as wide as it has to be. */
function bitmap(bits: readonly number[], size: number): string {
  const words = Array.from({ length: Math.max(1, Math.ceil(size / 32)) }, () => 0);
  for (const bit of bits) words[bit >>> 5] = ((words[bit >>> 5] ?? 0) | (1 << (bit & 31))) >>> 0;
  const top = Math.ceil((size % 32 || 32) / 4);
  return words
    .map((word, index) => word.toString(16).padStart(index === words.length - 1 ? top : 8, '0'))
    .reverse()
    .join(',');
}

const text = (content: string): VirtualFile => ({ kind: 'file', read: () => content });

/** node_states: which nodes a file names. */
const STATES: Readonly<Record<string, (node: Pglist) => boolean>> = {
  possible: () => true,
  online: () => true,
  has_normal_memory: (node) => node.node_zones.some((zone) => zone.index <= ZONE_NORMAL && zone.present_pages > 0),
  has_memory: (node) => node.node_present_pages > 0,
  has_cpu: (node) => node.cpus.length > 0,
};

/** node.c:node_read_meminfo: what the simulator has none of is 0. */
function nodeMeminfo(kernel: Kernel, node: Pglist): string {
  const total = node.node_zones.reduce((sum, zone) => sum + zone.managed_pages, 0);
  const free = freePages(node.node_zones);
  const label = `Node ${node.node_id} `;
  const line = (name: string, pages: number): string =>
    `${label}${`${name}:`.padEnd(16)}${String(pages * 4).padStart(8)} kB\n`;
  let out = line('MemTotal', total) + line('MemFree', free) + line('MemUsed', total - free);
  const counters = memoryCounters(sumOf(recount(kernel), (zone) => zone.node === node.node_id));
  for (const name of NODE_MEMINFO) out += line(name, counters(name));
  const { heads, free: freeHeads } = kernel.state.hugetlb;
  const huge = (pfns: Iterable<number>): number =>
    [...pfns].filter((pfn) => kernel.nodeAt(pfn) === node.node_id).length;
  for (const [name, count] of [
    ['Total', huge(heads.keys())],
    ['Free', huge(freeHeads)],
    ['Surp', 0],
  ] as const)
    out += `${label}HugePages_${name}:${' '.repeat(name === 'Total' ? 1 : 2)}${String(count).padStart(5)}\n`;
  return out;
}
const NODE_MEMINFO = [
  'SwapCached',
  'Active',
  'Inactive',
  'Active(anon)',
  'Inactive(anon)',
  'Active(file)',
  'Inactive(file)',
  'Unevictable',
  'Mlocked',
  'Dirty',
  'Writeback',
  'FilePages',
  'Mapped',
  'AnonPages',
  'Shmem',
  'KernelStack',
  'PageTables',
  'SecPageTables',
  'NFS_Unstable',
  'Bounce',
  'WritebackTmp',
  'KReclaimable',
  'Slab',
  'SReclaimable',
  'SUnreclaim',
  'AnonHugePages',
  'ShmemHugePages',
  'ShmemPmdMapped',
  'FileHugePages',
  'FilePmdMapped',
] as const;

const FILES: Readonly<Record<string, (kernel: Kernel, node: Pglist) => string>> = {
  cpumap: (kernel, node) => `${bitmap(node.cpus, cpuCount(kernel))}\n`,
  cpulist: (_kernel, node) => `${bitmapList(node.cpus)}\n`,
  meminfo: nodeMeminfo,
  numastat: () => nodeNumastat(),
  distance: (_kernel, node) => `${node.distance.join(' ')}\n`,
  vmstat: nodeVmstat,
};

const cpuCount = (kernel: Kernel): number =>
  1 + kernel.nodes.reduce((last, node) => node.cpus.reduce((max, cpu) => Math.max(max, cpu), last), 0);

/** Numbers of the memory blocks linked to a node, ascending; device memory has none. */
export const blocksOf = (kernel: Kernel, node: number): number[] =>
  [...kernel.state.memoryBlocks.values()]
    .filter((block) => block.nodes.includes(node))
    .map((block) => block.id)
    .sort((a, b) => a - b);

/**
 * @param follow Where a path leads: a node's memory blocks are links to those in
 * /sys/devices/system/memory.
 */
export function nodeFiles(follow: (kernel: Kernel, path: string) => VirtualNode | undefined): Mount {
  return {
    path: ROOT,
    at(kernel, [name, file, ...rest]) {
      const nodes = kernel.nodes;
      if (name === undefined)
        return {
          kind: 'directory',
          names: () => [...Object.keys(STATES), ...nodes.map((node) => `node${node.node_id}`)],
        };
      const state = Object.hasOwn(STATES, name) ? STATES[name] : undefined;
      if (state)
        return file === undefined
          ? text(`${bitmapList(nodes.filter(state).map((node) => node.node_id))}\n`)
          : undefined;
      const node = nodes.find((candidate) => name === `node${candidate.node_id}`);
      if (!node) return undefined;
      if (file === undefined)
        return {
          kind: 'directory',
          names: () => [...Object.keys(FILES), ...blocksOf(kernel, node.node_id).map((block) => `memory${block}`)],
        };
      const read = Object.hasOwn(FILES, file) ? FILES[file] : undefined;
      if (read) return rest.length === 0 ? { kind: 'file', read: () => read(kernel, node) } : undefined;
      const block = /^memory(\d{1,9})$/.exec(file)?.[1];
      if (block === undefined || !blocksOf(kernel, node.node_id).includes(Number(block))) return undefined;
      return follow(kernel, ['/sys/devices/system/memory', file, ...rest].join('/'));
    },
  };
}
