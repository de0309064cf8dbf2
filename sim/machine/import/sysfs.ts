/** /sys/devices/system/{memory,node}, /proc/cpuinfo and /proc/meminfo: what they say of a machine's shape. */
import { ImportError, type ImportFiles, type Line, lineOf, linesOf, listIn, quote, wrong } from './text.ts';

export interface ImportedBlock {
  number: number;
  state: string;
  /** Zones it may go to, or the one it is in; `none` where it spans several. */
  zones: string | undefined;
  node: number | undefined;
}
export interface ImportedNode {
  id: number;
  cpus: number[];
  distance: number[] | undefined;
}
export interface Sysfs {
  blockPages: number;
  /** Whether that was read, or is what most machines have. */
  blockPagesRead: boolean;
  /** Ascending. */
  blocks: ImportedBlock[];
  nodes: ImportedNode[];
}

const MEMORY = 'sys/devices/system/memory';
const NODE = 'sys/devices/system/node';
export const MAX_BLOCKS = 65_536;
export const MAX_CPUS = 8192;
const MAX_NODES = 64;

export function parseSysfs(files: ImportFiles): Sysfs {
  const blockPages = blockSize(files);
  const blocks = new Map<number, ImportedBlock>();
  const nodes = new Map<number, ImportedNode>();
  const node = (id: number, path: string): ImportedNode => {
    if (id >= MAX_NODES) throw new ImportError(path, 0, `node ${id}: at most ${MAX_NODES} nodes can be imported`);
    const known = nodes.get(id) ?? { id, cpus: [], distance: undefined };
    nodes.set(id, known);
    return known;
  };
  const block = (text: string | undefined, path: string): ImportedBlock => {
    const number = Number(text);
    if ((number + 1) * blockPages > 2 ** 40)
      throw new ImportError(path, 0, `memory block ${number} lies beyond 52 bits of physical address`);
    const known = blocks.get(number) ?? { number, state: 'online', zones: undefined, node: undefined };
    blocks.set(number, known);
    if (blocks.size > MAX_BLOCKS) throw new ImportError(path, 0, `more than ${MAX_BLOCKS} memory blocks`);
    return known;
  };
  for (const path of files.keys()) {
    const memory = /^sys\/devices\/system\/memory\/memory(\d{1,9})\/(state|valid_zones|node(\d{1,4}))$/.exec(path);
    if (memory) {
      const found = block(memory[1], path);
      if (memory[3] !== undefined) found.node = Number(memory[3]);
      else if (memory[2] === 'state') found.state = state(files, path);
      else found.zones = lineOf(files, path)?.text.trim();
      continue;
    }
    const entry =
      /^sys\/devices\/system\/node\/node(\d{1,4})(?:\/(cpulist|distance|memory(\d{1,9})(?:\/.*)?|.*))?$/.exec(path);
    if (!entry) continue;
    const found = node(Number(entry[1]), path);
    const line = entry[2] === 'cpulist' || entry[2] === 'distance' ? lineOf(files, path) : undefined;
    if (line && entry[2] === 'cpulist') found.cpus = listIn(line, MAX_CPUS);
    else if (line) found.distance = distances(line);
    else if (entry[3] !== undefined) block(entry[3], path).node = found.id;
  }
  const online = lineOf(files, `${NODE}/online`);
  if (online) for (const id of listIn(online, 1024)) node(id, `${NODE}/online`);
  return {
    blockPages,
    blockPagesRead: files.has(`${MEMORY}/block_size_bytes`),
    blocks: [...blocks.values()].sort((a, b) => a.number - b.number),
    nodes: [...nodes.values()].sort((a, b) => a.id - b.id),
  };
}

const DEFAULT_BLOCK = 0x8000;

function blockSize(files: ImportFiles): number {
  const line = lineOf(files, `${MEMORY}/block_size_bytes`);
  if (!line) return DEFAULT_BLOCK;
  const bytes = /^[0-9a-f]{1,10}$/.test(line.text.trim()) ? Number.parseInt(line.text, 16) : 0;
  const pages = bytes / 4096;
  if (pages < DEFAULT_BLOCK || pages > 2 ** 24 || !Number.isInteger(Math.log2(pages)))
    throw wrong(
      line,
      `${quote(line.text)} is no size of a memory block of x86_64: a power of two from 8000000 (128 MiB)`,
    );
  return pages;
}

function state(files: ImportFiles, path: string): string {
  const line = lineOf(files, path);
  const text = line?.text.trim() ?? '';
  if (!['online', 'offline', 'going-offline'].includes(text))
    throw new ImportError(path, line?.number ?? 0, `${quote(text)} is no state of a memory block`);
  return text;
}

function distances(line: Line): number[] {
  const found = line.text.trim().split(/ +/).map(Number);
  if (found.length > 1024 || found.some((value) => !Number.isInteger(value) || value < 10 || value > 255))
    throw wrong(line, `is no list of node distances: ${quote(line.text)}`);
  return found;
}

export interface Cpu {
  physBits: number | undefined;
  fiveLevels: boolean;
  /** X86_FEATURE_HYPERVISOR; unknown without the flags of a CPU. */
  hypervisor: boolean | undefined;
  /** The last CPU's number and one. */
  count: number;
}

/** CPU words of /proc/cpuinfo; another architecture is told by its own. */
export function parseCpu(files: ImportFiles): Cpu {
  const cpu: Cpu = { physBits: undefined, fiveLevels: false, hypervisor: undefined, count: 0 };
  for (const line of linesOf(files, 'proc/cpuinfo')) {
    if (/^(CPU implementer|isa\s*:|cpu\s+: POWER|processor 0: version)/.test(line.text))
      throw wrong(line, `is that of another architecture: ${quote(line.text)}; only x86_64 can be imported`);
    const bits = /^address sizes\s*: (\d{1,3}) bits physical/.exec(line.text);
    if (bits) {
      cpu.physBits = Number(bits[1]);
      if (cpu.physBits < 32 || cpu.physBits > 52) throw wrong(line, `${cpu.physBits} bits are no width of x86_64`);
    }
    if (/^flags\s*:/.test(line.text)) cpu.hypervisor = /\shypervisor(\s|$)/.test(line.text);
    if (/^processor\s*:/.test(line.text)) cpu.count = Math.min(MAX_CPUS, cpu.count + 1);
  }
  for (const line of linesOf(files, 'proc/meminfo')) {
    // 32 TiB of vmalloc space with four levels of page tables, 12800 TiB with five.
    const vmalloc = /^VmallocTotal: +(\d{1,18}) kB/.exec(line.text);
    if (vmalloc) cpu.fiveLevels = Number(vmalloc[1]) > 34359738367;
  }
  return cpu;
}
