/**
 * The kernel command line, as far as it shapes memory: mem= and memmap= change the map of physical
 * memory (arch/x86/kernel/e820.c), kernelcore=, movablecore= and movable_node divide it (mm/mm_init.c). 6.12.
 */
import type { E820Type, MachineConfig } from './config.ts';

type E820Entry = MachineConfig['e820'][number];

/** enum e820_type: where entries overlap, the larger number wins. */
const E820_NUMBER: Readonly<Record<E820Type, number>> = {
  usable: 1,
  reserved: 2,
  'ACPI data': 3,
  'ACPI NVS': 4,
  'persistent (type 12)': 12,
  'soft reserved': 0xefffffff,
};
/** e820_nomerge: neighbours of these types may be different devices. */
const isKeptApart = (type: E820Type): boolean => type === 'persistent (type 12)' || type === 'soft reserved';

/** What mm/mm_init.c reads: bytes asked for, or a percentage of all memory. */
export interface CoreRequest {
  bytes: bigint;
  percent: number;
}
export interface MemoryParameters {
  kernelcore?: CoreRequest;
  movablecore?: CoreRequest;
  kernelcoreMirror: boolean;
  movableNode: boolean;
}

/** `name=value` or `name`, in order; quotes keep blanks together, `--` ends what is for the kernel. */
export function* parameters(cmdline: string): Generator<[name: string, value: string | undefined]> {
  for (const [word] of cmdline.matchAll(/(?:"[^"]*"?|[^\s"])+/g)) {
    if (word === '--') return;
    const [, name, value] = /^([^=]*)(?:=(.*))?$/s.exec(word.replaceAll('"', '')) ?? [];
    if (name) yield [name, value];
  }
}

const SUFFIX = { K: 10n, M: 20n, G: 30n, T: 40n, P: 50n, E: 60n } as const;
const MAX_U64 = (1n << 64n) - 1n;

/** lib/cmdline.c:memparse: a number as C writes it with a binary suffix, and the text behind it. */
export function memparse(text: string): { value: bigint; rest: string } {
  const match = /^(0x[0-9a-f]+|0[0-7]*|[1-9]\d*)/i.exec(text);
  if (!match) return { value: 0n, rest: text };
  const digits = match[0].slice(0, 40);
  let value = BigInt(/^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits);
  let rest = text.slice(match[0].length);
  const suffix = rest[0]?.toUpperCase() as keyof typeof SUFFIX | undefined;
  if (suffix !== undefined && suffix in SUFFIX) {
    value <<= SUFFIX[suffix];
    rest = rest.slice(1);
  }
  return { value: BigInt.asUintN(64, value), rest };
}

/** mm_init.c:cmdline_parse_core: nn[KMG] or nn%; anything else is refused and changes nothing. */
function parseCore(value: string): CoreRequest | undefined {
  const { value: number, rest } = memparse(value);
  if (value === rest) return undefined;
  if (rest.startsWith('%')) return number > 100n ? undefined : { bytes: 0n, percent: Number(number) };
  return { bytes: number, percent: 0 };
}

export function memoryParameters(cmdline: string): MemoryParameters {
  const found: MemoryParameters = { kernelcoreMirror: false, movableNode: false };
  for (const [name, value] of parameters(cmdline)) {
    if (name === 'movable_node') found.movableNode = true;
    if (value === undefined || (name !== 'kernelcore' && name !== 'movablecore')) continue;
    if (name === 'kernelcore' && value.startsWith('mirror')) {
      found.kernelcoreMirror = true;
      continue;
    }
    const request = parseCore(value);
    if (request) found[name] = request;
  }
  return found;
}

/* ---- the map of physical memory ---- */

/** e820.c:e820__range_remove of usable memory from `start` on. */
const removeUsableFrom = (entries: readonly E820Entry[], start: bigint): E820Entry[] =>
  entries.flatMap((entry) => {
    if (entry.type !== 'usable' || entry.end < start) return [entry];
    return entry.start < start ? [{ ...entry, end: start - 1n }] : [];
  });

const MARKS: Readonly<Record<string, E820Type>> = {
  '@': 'usable',
  '#': 'ACPI data',
  $: 'reserved',
  '!': 'persistent (type 12)',
};

/** e820.c:parse_memmap_one. Undefined: refused. */
function memmapOne(entries: readonly E820Entry[], text: string): E820Entry[] | undefined {
  if (text.startsWith('exactmap')) return [];
  const { value: size, rest } = memparse(text);
  if (rest === text) return undefined;
  const type = MARKS[rest[0] ?? ''];
  if (!type) return removeUsableFrom(entries, size);
  const start = memparse(rest.slice(1)).value;
  const end = start + size - 1n;
  return size === 0n || end > MAX_U64 ? [...entries] : [...entries, { start, end, type }];
}

/** e820.c:e820__update_table: disjoint entries in order; where several overlap the highest type counts. */
export function updateTable(entries: readonly E820Entry[]): E820Entry[] {
  const points = [...new Set(entries.flatMap((entry) => [entry.start, entry.end + 1n]))].sort((a, b) =>
    a < b ? -1 : a > b ? 1 : 0,
  );
  const merged: E820Entry[] = [];
  points.slice(0, -1).forEach((start, index) => {
    const end = (points[index + 1] ?? start) - 1n;
    const type = entries
      .filter((entry) => entry.start <= start && entry.end >= end)
      .map((entry) => entry.type)
      .sort((a, b) => E820_NUMBER[b] - E820_NUMBER[a])[0];
    if (!type) return;
    const last = merged.at(-1);
    if (last && last.end + 1n === start && last.type === type && !isKeptApart(type)) last.end = end;
    else merged.push({ start, end, type });
  });
  return merged;
}

/**
 * The map after mem= and memmap=, as e820__finish_early_params leaves it. Undefined: the command line
 * changes nothing. What the kernel would refuse is skipped, as its parsers skip it.
 */
export function userDefinedMap(config: MachineConfig): E820Entry[] | undefined {
  let entries: E820Entry[] = config.e820;
  let isUser = false;
  for (const [name, value] of parameters(config.cmdline)) {
    if (value === undefined) continue;
    if (name === 'mem') {
      const { value: size } = memparse(value);
      if (size === 0n) continue;
      entries = removeUsableFrom(entries, size);
      isUser = true;
    } else if (name === 'memmap')
      for (const part of value.split(',')) {
        const changed = memmapOne(entries, part);
        if (!changed) continue;
        entries = changed;
        isUser = true;
      }
  }
  if (!isUser) return undefined;
  // What the CPU cannot address is no memory, whatever was asked for.
  const limit = 1n << BigInt(config.physBits);
  return updateTable(
    entries.flatMap((entry) =>
      entry.start < limit ? [{ ...entry, end: entry.end < limit ? entry.end : limit - 1n }] : [],
    ),
  );
}

/** The machine the kernel sees: its map of memory is the one the command line asks for, and a single node covers all of it. */
export function asSeenByKernel(config: MachineConfig): MachineConfig {
  const e820 = userDefinedMap(config);
  if (!e820) return config;
  const [node, ...more] = config.nodes;
  const top = e820.reduce((max, entry) => (entry.type === 'usable' && entry.end > max ? entry.end : max), 0n);
  if (!node || more.length > 0) return { ...config, e820 };
  return { ...config, e820, nodes: [{ ...node, ranges: [{ start: 0n, end: top }] }] };
}
