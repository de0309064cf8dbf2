/** page-types: tools/mm/page-types.c as of 6.12, for every release, on the machine's /proc/kpageflags. */
import { get_max_dump_pfn, kpageRuns, kpf } from '../fs/kpageflags.ts';
import type { Kernel } from '../machine/kernel.ts';
import type { Command } from './command.ts';
import { ShellError } from './error.ts';
import { ALL_BITS, FLAG_NAMES, type Options, parsePageTypes, TOOL, USAGE } from './pageTypesOptions.ts';

/** Lines one listing may have; a terminal is no place for more. */
const MAX_LINES = 65_536;
const HASH_SIZE = 1 << 13;
const HACKERS_BITS = 0xffffn << 32n;
const COMPOUND = kpf('COMPOUND_HEAD') | kpf('COMPOUND_TAIL');
const tool = (name: keyof typeof TOOL): bigint => 1n << BigInt(TOOL[name]);

/** page-types.c:expand_overloaded_flags, for pages seen without a process. */
function expand_overloaded_flags(flags: bigint): bigint {
  let out = flags;
  const swap = (from: bigint, to: bigint): void => {
    if ((out & from) !== 0n) out ^= from | to;
  };
  if ((out & kpf('ANON')) !== 0n) swap(kpf('OWNER_2'), tool('ANON_EXCLUSIVE'));
  if ((out & kpf('SLAB')) !== 0n) {
    swap(kpf('ACTIVE'), tool('SLUB_FROZEN'));
    swap(kpf('ERROR'), tool('SLUB_DEBUG'));
  }
  if ((out & kpf('WRITEBACK')) === 0n) swap(kpf('RECLAIM'), tool('READAHEAD'));
  return out;
}

/** page-types.c:well_known_flags: what only kernel developers want is hidden. */
function well_known_flags(flags: bigint): bigint {
  const shown = flags & ~HACKERS_BITS;
  return (shown & COMPOUND) !== 0n && (shown & kpf('HUGE')) === 0n ? shown & ~COMPOUND : shown;
}

function symbols(flags: bigint): string {
  let known = 0n;
  let text = '';
  for (const { bit, letter } of FLAG_NAMES) {
    const mask = 1n << BigInt(bit);
    known |= mask;
    text += (flags & mask) !== 0n ? letter : '_';
  }
  const unknown = flags & ~known;
  if (unknown !== 0n) throw new ShellError(`unknown flag bit ${(unknown & -unknown).toString(2).length - 1}`);
  return text;
}

const names = (flags: bigint): string =>
  FLAG_NAMES.filter(({ bit }) => (flags & (1n << BigInt(bit))) !== 0n)
    .map(({ name }) => name)
    .join(',');

const bits64 = (flags: bigint): string => `0x${flags.toString(16).padStart(16, '0')}`;

/** The tool's hash table: its order is the order of the summary. */
class Table {
  private readonly slots: (bigint | undefined)[] = [];
  readonly pages = new Map<number, number>();
  total = 0;

  add(flags: bigint, count: number): void {
    const slot = this.slot(flags);
    this.pages.set(slot, (this.pages.get(slot) ?? 0) + count);
    this.total += count;
  }

  /** page-types.c:hash_slot: slot 0 is for no flags at all. */
  private slot(flags: bigint): number {
    if (flags === 0n) return 0;
    let k = Number(flags & BigInt(HASH_SIZE - 1));
    for (let i = 1; i < HASH_SIZE; i++, k++) {
      if (k === 0 || k >= HASH_SIZE) k = 1;
      this.slots[k] ??= flags;
      if (this.slots[k] === flags) return k;
    }
    throw new ShellError('hash table full: bump up HASH_SHIFT?');
  }

  summary(): string[] {
    const megabytes = (pages: number): string => String(Math.floor(pages / 256)).padStart(8);
    return [
      '             flags\tpage-count       MB  symbolic-flags\t\t\tlong-symbolic-flags',
      ...[...this.pages]
        .sort(([a], [b]) => a - b)
        .map(([slot, pages]) => {
          const flags = this.slots[slot] ?? 0n;
          return `${bits64(flags)}\t${String(pages).padStart(10)} ${megabytes(pages)}  ${symbols(flags)}\t${names(flags)}`;
        }),
      `             total\t${String(this.total).padStart(10)} ${megabytes(this.total)}`,
    ];
  }
}

interface Listed {
  start: number;
  count: number;
  flags: bigint;
  mapcnt: number;
}

/** Everything the tool prints for these options. */
export function pageTypes(kernel: Kernel, options: Options): string {
  const table = new Table();
  const lines: string[] = [];
  const push = (line: string): void => {
    if (lines.length > MAX_LINES)
      throw new ShellError(
        `page-types: more than ${MAX_LINES} lines; name a range with -a, for example -a 0x1000+256`,
        -7,
      );
    lines.push(line);
  };
  const prefix = (mapcnt: number): string => (options.mapcnt ? `${mapcnt}\t` : '');
  let range: Listed | undefined;
  const flush = (): void => {
    if (range)
      push(`${prefix(range.mapcnt)}${range.start.toString(16)}\t${range.count.toString(16)}\t${symbols(range.flags)}`);
    range = undefined;
  };
  const list = (start: number, end: number, flags: bigint, mapcnt: number): void => {
    if (options.list === 2) {
      for (let pfn = start; pfn < end; pfn++) push(`${prefix(mapcnt)}${pfn.toString(16)}\t${symbols(flags)}`);
    } else if (range && range.flags === flags && range.mapcnt === mapcnt && range.start + range.count === start)
      range.count += end - start;
    else {
      flush();
      range = { start, count: end - start, flags, mapcnt };
    }
  };
  if (options.list > 0)
    push(`${options.mapcnt ? 'map-cnt\t' : ''}${options.list === 1 ? 'offset\tlen\tflags' : 'offset\tflags'}`);
  const end = get_max_dump_pfn(kernel);
  const ranges = options.ranges.length > 0 ? options.ranges : [{ offset: 0n, size: ALL_BITS }];
  for (const { offset, size } of ranges) {
    const first = offset < BigInt(end) ? Number(offset) : end;
    const last = offset + size < BigInt(end) ? Number(offset + size) : end;
    kpageRuns(kernel, first, last, (start, stop, word, mapped) => {
      const flags = options.raw ? expand_overloaded_flags(word) : well_known_flags(word);
      if (
        !options.filters.every(({ mask, bits }) =>
          bits === ALL_BITS ? (flags & mask) !== 0n : (flags & mask) === bits,
        )
      )
        return;
      if (options.list > 0) list(start, stop, flags, options.mapcnt ? mapped : 0);
      table.add(flags, stop - start);
    });
  }
  flush();
  if (options.summary) {
    if (options.list > 0) lines.push('', '');
    lines.push(...table.summary());
  }
  return lines.join('\n');
}

export const PAGE_TYPES: Command = {
  name: 'page-types',
  usage: 'page-types [-r] [-l|-L] [-N] [-a N+M] [-b BITS]',
  summary: 'count or list page frames by their flags, from /proc/kpageflags',
  run({ kernel, print }, args) {
    const options = parsePageTypes(args);
    if (options.help) print(USAGE);
    else if (options.describe !== undefined)
      print(`${bits64(options.describe)}\t${symbols(options.describe)}\t${names(options.describe)}`);
    else {
      const text = pageTypes(kernel, options);
      if (text !== '') print(text);
    }
    return undefined;
  },
};
