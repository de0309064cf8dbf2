/** The arguments of page-types: getopt_long and the parsers of tools/mm/page-types.c (6.12). */
import { KPF } from '../fs/kpageflags.ts';
import { ShellError } from './error.ts';

/** Bits that only the tool has: flags that mean something else for some pages, told apart in raw mode. */
export const TOOL = {
  ANON_EXCLUSIVE: 47,
  READAHEAD: 48,
  SLUB_FROZEN: 50,
  SLUB_DEBUG: 51,
  FILE: 61,
  SWAP: 62,
  MMAP_EXCLUSIVE: 63,
} as const;

/** Letter and name of each bit that has one, ascending. */
export const FLAG_NAMES: readonly { bit: number; letter: string; name: string }[] = (
  [
    [KPF.LOCKED, 'L', 'locked'],
    [KPF.ERROR, 'E', 'error'],
    [KPF.REFERENCED, 'R', 'referenced'],
    [KPF.UPTODATE, 'U', 'uptodate'],
    [KPF.DIRTY, 'D', 'dirty'],
    [KPF.LRU, 'l', 'lru'],
    [KPF.ACTIVE, 'A', 'active'],
    [KPF.SLAB, 'S', 'slab'],
    [KPF.WRITEBACK, 'W', 'writeback'],
    [KPF.RECLAIM, 'I', 'reclaim'],
    [KPF.BUDDY, 'B', 'buddy'],
    [KPF.MMAP, 'M', 'mmap'],
    [KPF.ANON, 'a', 'anonymous'],
    [KPF.SWAPCACHE, 's', 'swapcache'],
    [KPF.SWAPBACKED, 'b', 'swapbacked'],
    [KPF.COMPOUND_HEAD, 'H', 'compound_head'],
    [KPF.COMPOUND_TAIL, 'T', 'compound_tail'],
    [KPF.HUGE, 'G', 'huge'],
    [KPF.UNEVICTABLE, 'u', 'unevictable'],
    [KPF.HWPOISON, 'X', 'hwpoison'],
    [KPF.NOPAGE, 'n', 'nopage'],
    [KPF.KSM, 'x', 'ksm'],
    [KPF.THP, 't', 'thp'],
    [KPF.OFFLINE, 'o', 'offline'],
    [KPF.ZERO_PAGE, 'z', 'zero_page'],
    [KPF.IDLE, 'i', 'idle_page'],
    [KPF.PGTABLE, 'g', 'pgtable'],
    [KPF.RESERVED, 'r', 'reserved'],
    [KPF.MLOCKED, 'm', 'mlocked'],
    [KPF.OWNER_2, 'd', 'owner_2'],
    [KPF.PRIVATE, 'P', 'private'],
    [KPF.PRIVATE_2, 'p', 'private_2'],
    [KPF.OWNER_PRIVATE, 'O', 'owner_private'],
    [KPF.ARCH, 'h', 'arch'],
    [KPF.SOFTDIRTY, 'f', 'softdirty'],
    [KPF.ARCH_2, 'H', 'arch_2'],
    [TOOL.ANON_EXCLUSIVE, 'd', 'anon_exclusive'],
    [TOOL.READAHEAD, 'I', 'readahead'],
    [TOOL.SLUB_FROZEN, 'A', 'slub_frozen'],
    [TOOL.SLUB_DEBUG, 'E', 'slub_debug'],
    [TOOL.FILE, 'F', 'file'],
    [TOOL.SWAP, 'w', 'swap'],
    [TOOL.MMAP_EXCLUSIVE, '1', 'mmap_exclusive'],
  ] as const
).map(([bit, letter, name]) => ({ bit, letter, name }));

export const ALL_BITS = (1n << 64n) - 1n;
const ULONG_MAX = ALL_BITS;
const MAX_ADDR_RANGES = 1024;
const MAX_BIT_FILTERS = 64;

export interface Options {
  raw: boolean;
  /** 1: in ranges, 2: one by one. */
  list: 0 | 1 | 2;
  mapcnt: boolean;
  summary: boolean;
  ranges: { offset: bigint; size: bigint }[];
  filters: { mask: bigint; bits: bigint }[];
  /** Flags to describe; nothing else is done then. */
  describe?: bigint;
  help: boolean;
}

const bad = (text: string, status = -22): ShellError => new ShellError(text, status);

/** Long names, whether they take a value, and the letter each stands for, in the tool's order. */
const LONG: readonly (readonly [string, boolean, string])[] = [
  ['raw', false, 'r'],
  ['pid', true, 'p'],
  ['file', true, 'f'],
  ['addr', true, 'a'],
  ['bits', true, 'b'],
  ['cgroup', true, 'c'],
  ['describe', true, 'd'],
  ['mark-idle', false, 'i'],
  ['list', false, 'l'],
  ['list-each', false, 'L'],
  ['list-cgroup', false, 'C'],
  ['list-mapcnt', false, 'M'],
  ['no-summary', false, 'N'],
  ['hwpoison', false, 'X'],
  ['unpoison', false, 'x'],
  ['kpageflags', false, 'F'],
  ['help', false, 'h'],
];
const SHORT = 'rp:f:a:b:d:c:CilLMNXxF:h';

/** getopt_long: options wherever they stand; other words are passed over, as the tool does. */
function* getopt(args: readonly string[], usage: string): Generator<{ letter: string; value: string | undefined }> {
  const refuse = (why: string): ShellError => bad(`page-types: ${why}\n${usage}`);
  for (let i = 0; i < args.length; i++) {
    const word = args[i] ?? '';
    if (word === '--') return;
    if (word.startsWith('--')) {
      const at = word.indexOf('=');
      const name = word.slice(2, at < 0 ? undefined : at);
      const exact = LONG.find((entry) => entry[0] === name);
      const found = exact ? [exact] : LONG.filter((entry) => entry[0].startsWith(name));
      const [option] = found;
      if (!option) throw refuse(`unrecognized option '--${name}'`);
      if (found.length > 1)
        throw refuse(`option '--${name}' is ambiguous; possibilities: ${found.map((f) => `'--${f[0]}'`).join(' ')}`);
      const [long, takes, letter] = option;
      if (!takes && at >= 0) throw refuse(`option '--${long}' doesn't allow an argument`);
      const value = takes ? (at >= 0 ? word.slice(at + 1) : args[++i]) : undefined;
      if (takes && value === undefined) throw refuse(`option '--${long}' requires an argument`);
      yield { letter, value };
    } else if (word.startsWith('-') && word !== '-') {
      for (let j = 1; j < word.length; j++) {
        const letter = word[j] ?? '';
        const place = letter === ':' ? -1 : SHORT.indexOf(letter);
        if (place < 0) throw refuse(`invalid option -- '${letter}'`);
        if (SHORT[place + 1] !== ':') {
          yield { letter, value: undefined };
          continue;
        }
        const value = j + 1 < word.length ? word.slice(j + 1) : args[++i];
        if (value === undefined) throw refuse(`option requires an argument -- '${letter}'`);
        yield { letter, value };
        break;
      }
    }
  }
}

export function parsePageTypes(args: readonly string[]): Options {
  const options: Options = {
    raw: false,
    list: 0,
    mapcnt: false,
    summary: true,
    ranges: [],
    filters: [],
    help: false,
  };
  let cgroup = false;
  let idle = false;
  let file: string | undefined;
  let kpageflags = '/proc/kpageflags';
  for (const { letter, value = '' } of getopt(args, USAGE)) {
    if (letter === 'r') options.raw = true;
    else if (letter === 'l') options.list = 1;
    else if (letter === 'L') options.list = 2;
    else if (letter === 'M') options.mapcnt = true;
    else if (letter === 'N') options.summary = false;
    else if (letter === 'C') cgroup = true;
    else if (letter === 'i') idle = true;
    else if (letter === 'f') file = value;
    else if (letter === 'F') kpageflags = value || kpageflags;
    else if (letter === 'a') addRange(options, value);
    else if (letter === 'b') addFilter(options, value);
    else if (letter === 'p') throw bad(`/proc/${Number(parseNumber(value))}/pagemap: No such file or directory`, -2);
    else if (letter === 'c') {
      if (!value.startsWith('@')) throw bad(`stat failed: ${value}: No such file or directory`, -2);
      cgroup = parseNumber(value.slice(1)) !== 0n || cgroup;
    } else if (letter === 'X' || letter === 'x') throw bad('mount debugfs: No such file or directory', -2);
    else if (letter === 'd' || letter === 'h') {
      // Both end the program at once, whatever follows.
      if (letter === 'h') return { ...options, help: true };
      return { ...options, describe: flagNames(value, false) };
    }
  }
  if (cgroup) throw bad('/proc/kpagecgroup: No such file or directory', -2);
  if (idle) throw bad('/sys/kernel/mm/page_idle/bitmap: No such file or directory', -2);
  if (kpageflags !== '/proc/kpageflags') throw bad(`${kpageflags}: No such file or directory`, -2);
  if (file !== undefined) throw bad(`stat failed: ${file}`, -2);
  return options;
}

/** page-types.c:parse_number: strtoll with any base; nothing readable is refused unless it begins with 0. */
export function parseNumber(text: string): bigint {
  const match = /^\s*([+-]?)(?:0[xX]([0-9a-fA-F]+)|(\d+))/.exec(text);
  let value = 0n;
  if (match?.[2] !== undefined) value = BigInt(`0x${match[2]}`);
  else if (match?.[3] !== undefined) {
    const octal = /^0[0-7]*/.exec(match[3])?.[0];
    value = octal === undefined ? BigInt(match[3]) : octal === '0' ? 0n : BigInt(`0o${octal.slice(1)}`);
  }
  const limit = 1n << 63n;
  if (match?.[1] === '-') value = value > limit ? -limit : -value;
  else if (value >= limit) value = limit - 1n;
  if (value === 0n && !text.startsWith('0')) throw bad(`invalid name or number: ${text}`);
  return BigInt.asUintN(64, value);
}

/** page-types.c:parse_addr_range. */
function addRange(options: Options, text: string): void {
  const comma = text.indexOf(',');
  const at = comma >= 0 ? comma : text.indexOf('+');
  let offset = 0n;
  let size = 1n;
  if (at === 0) size = parseNumber(text.slice(1));
  else {
    offset = parseNumber(text);
    if (at > 0 && at + 1 === text.length) size = ULONG_MAX;
    else if (at > 0) {
      size = parseNumber(text.slice(at + 1));
      if (comma >= 0) {
        if (size < offset) throw bad(`invalid range: ${offset},${size}`);
        size -= offset;
      }
    }
  }
  if (options.ranges.length >= MAX_ADDR_RANGES) throw bad('too many addr ranges');
  if (offset > ULONG_MAX / 8n) throw bad(`index overflow: ${offset}`);
  options.ranges.push({ offset, size: size < ULONG_MAX - offset ? size : ULONG_MAX - offset });
}

/** page-types.c:parse_bits_mask. */
function addFilter(options: Options, text: string): void {
  const at = text.indexOf('=');
  let mask = at === 0 ? ALL_BITS : 0n;
  let bits = ALL_BITS;
  if (at > 0) mask = flagNames(text, false);
  if (at >= 0) bits = flagNames(text.slice(at + 1), false);
  else if (text.includes('~')) {
    mask = flagNames(text, true);
    bits = flagNames(text, false);
  } else mask = flagNames(text, false);
  if (options.filters.length >= MAX_BIT_FILTERS) throw bad('too much bit filters');
  options.filters.push({ mask, bits });
}

/** page-types.c:parse_flag_names: a list up to `=`; names behind ~ count only for `all`. */
function flagNames(text: string, all: boolean): bigint {
  let flags = 0n;
  const end = text.indexOf('=');
  let start = 0;
  for (const part of (end < 0 ? text : text.slice(0, end)).split(',')) {
    const rest = text.slice(start);
    start += part.length + 1;
    const negated = part.startsWith('~');
    if (negated && !all) continue;
    flags |= flagName(negated ? part.slice(1) : part, negated ? rest.slice(1) : rest);
  }
  return flags;
}

/** A name may be cut short: the first that begins so is meant. */
function flagName(name: string, rest: string): bigint {
  if (name === '') return 0n;
  if ('compound'.startsWith(name)) return (1n << BigInt(KPF.COMPOUND_HEAD)) | (1n << BigInt(KPF.COMPOUND_TAIL));
  const found = FLAG_NAMES.find((flag) => flag.name.startsWith(name));
  return found ? 1n << BigInt(found.bit) : parseNumber(rest);
}

const typeOf = (bit: number): string => (bit >= 32 && bit < 48 ? '(r)' : bit >= 48 ? '(o)' : '   ');

/** What `-h` prints, and what an option that is none is answered with: the options in our own words. */
export const USAGE = [
  'page-types [options]',
  ...(
    [
      ['-r|--raw', 'all flags, for kernel developers'],
      ['-d|--describe flags', 'what the flags are'],
      ['-a|--addr    addr-spec', 'walk a range of pages'],
      ['-b|--bits    bits-spec', 'only pages with these flags'],
      ['-c|--cgroup  path|@inode', 'only pages of a memory cgroup'],
      ['-p|--pid     pid', 'walk the pages of a process'],
      ['-f|--file    filename', 'walk the pages of a file'],
      ['-i|--mark-idle', 'mark the pages idle'],
      ['-l|--list', 'list the pages in ranges'],
      ['-L|--list-each', 'list the pages one by one'],
      ['-C|--list-cgroup', 'with the inode of their cgroup'],
      ['-M|--list-mapcnt', 'with their map count'],
      ['-N|--no-summary', 'no summary'],
      ['-X|--hwpoison', 'poison the pages'],
      ['-x|--unpoison', 'take the poison off'],
      ['-F|--kpageflags filename', 'read flags from this file'],
      ['-h|--help', 'this text'],
    ] as const
  ).map(([option, text]) => `            ${option.padEnd(26)} ${text}`),
  'flags:      0x10, anon, or a list with commas',
  'addr-spec:  N, N+M (M pages from N), N,M (N to M-1), N, (from N on), ,M (up to M-1); in pages',
  'bits-spec:  bit1,bit2 (any), bit1,bit2=bit1 or bit1,~bit2 (exactly these of them), =bit1,bit2 (these and no others)',
  'bit-names:',
  ...Array.from({ length: Math.ceil(FLAG_NAMES.length / 4) }, (_, row) =>
    FLAG_NAMES.slice(row * 4, row * 4 + 4)
      .map(({ bit, name }) => `${name.padStart(16)}${typeOf(bit)}`)
      .join(''),
  ),
  `${' '.repeat(35)}(r) raw mode bits  (o) overloaded bits`,
].join('\n');
