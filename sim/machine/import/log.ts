/** What the kernel log says of boot: the firmware's map, nodes, the kernel image, what was freed. */
import type { E820Type } from '../config.ts';
import { type ImportFiles, type Line, linesOf, quote, rangeIn, wrong } from './text.ts';

export interface LogRange {
  start: bigint;
  end: bigint;
  line: Line;
}
export interface BootLog {
  file: string;
  /** `6.12.117`. */
  version: string | undefined;
  /** The map in use: the user-defined one where the command line changed the firmware's. */
  e820: (LogRange & { type: E820Type | 'persistent (type 7)' })[];
  early: (LogRange & { node: number })[];
  srat: (LogRange & { node: number })[];
  pgdat: LogRange[];
  ramdisk: LogRange | undefined;
  /** KiB given back once init had run, by what was freed. */
  freed: Map<string, number>;
  /** KiB of the kernel image's parts. */
  image: Map<string, number>;
  lastCpupid: number | undefined;
  nodesShift: number | undefined;
  pageExt: boolean;
}

/** Where a kernel log may be: beside proc and sys, and where sosreport and distributions keep it. */
export const LOG_FILES: readonly string[] = [
  'dmesg',
  'sos_commands/kernel/dmesg',
  'sos_commands/kernel/dmesg_-T',
  'var/log/dmesg',
];

const MAX_RANGES = 1024;

/** A line without level, host and time. */
function message(text: string): string {
  let rest = text.replace(/^<\d{1,3}>/, '');
  const host = rest.indexOf(' kernel: ');
  if (host >= 0 && host < 80) rest = rest.slice(host + 9);
  const stamp = /^\[[^\]]{1,40}\] ?/.exec(rest);
  return stamp ? rest.slice(stamp[0].length) : rest;
}

const newLog = (file: string): BootLog => ({
  file,
  version: undefined,
  e820: [],
  early: [],
  srat: [],
  pgdat: [],
  ramdisk: undefined,
  freed: new Map(),
  image: new Map(),
  lastCpupid: undefined,
  nodesShift: undefined,
  pageExt: false,
});

const RANGE = String.raw`\[mem 0x([0-9a-f]+)-0x([0-9a-f]+)\]`;
const E820 = new RegExp(`^(BIOS-e820|user): ${RANGE} (.+)$`);
const EARLY = new RegExp(String.raw`^ +node +(\d{1,5}): ${RANGE}$`);
const SRAT = new RegExp(String.raw`^(?:ACPI: )?SRAT: Node (\d{1,5}) PXM \d+ ${RANGE}(.*)$`);
const PGDAT = new RegExp(String.raw`^NODE_DATA\(\d+\) allocated ${RANGE}`);
const RAMDISK = new RegExp(`^(?:RAMDISK|Allocated new RAMDISK): ${RANGE}`);

const TYPES: Readonly<Record<string, BootLog['e820'][number]['type']>> = {
  usable: 'usable',
  reserved: 'reserved',
  'ACPI data': 'ACPI data',
  'ACPI NVS': 'ACPI NVS',
  unusable: 'reserved',
  'persistent (type 12)': 'persistent (type 12)',
  'persistent (type 7)': 'persistent (type 7)',
  'soft reserved': 'soft reserved',
};

/** The last boot in the first log there is. */
export function parseLog(files: ImportFiles): BootLog | undefined {
  const file = LOG_FILES.find((candidate) => files.has(candidate));
  if (file === undefined) return undefined;
  let log = newLog(file);
  let user: BootLog['e820'] = [];
  for (const line of linesOf(files, file)) {
    const text = message(line.text);
    const version = /^Linux version (\S{1,80})/.exec(text);
    if (version) {
      log = newLog(file);
      user = [];
      log.version = version[1];
      if (/aarch64|arm-linux|riscv|powerpc|s390x|loongarch/.test(text))
        throw wrong(line, 'the kernel was built for another architecture; only x86_64 can be imported');
    } else if (/^Booting Linux on physical CPU/.test(text))
      throw wrong(line, 'is the log of an arm machine; only x86_64 can be imported');
    else if (/^(BIOS-e820|user):/.test(text)) {
      const entry = e820(line, text);
      const list = text.startsWith('user') ? user : log.e820;
      const before = list.at(-1);
      if (before && entry.start <= before.end)
        throw wrong(line, `overlaps or precedes the range on line ${before.line.number}`);
      if (list.length >= MAX_RANGES) throw wrong(line, `has more than ${MAX_RANGES} ranges of memory`);
      list.push(entry);
    } else rest(log, line, text);
  }
  // Once a user-defined map is printed it is the one in use.
  if (user.length > 0) log.e820 = user;
  return log;
}

function e820(line: Line, text: string): BootLog['e820'][number] {
  const match = E820.exec(text);
  const type = match && Object.hasOwn(TYPES, match[4] ?? '') ? TYPES[match[4] ?? ''] : 'reserved';
  if (!match) throw wrong(line, `is no line of the firmware's memory map: ${quote(text)}`);
  return { ...rangeIn(line, match[2], match[3]), type: type ?? 'reserved', line };
}

function rest(log: BootLog, line: Line, text: string): void {
  const early = EARLY.exec(text);
  if (early) {
    bounded(log.early, line).push({ node: Number(early[1]), ...rangeIn(line, early[2], early[3]), line });
    return;
  }
  const srat = SRAT.exec(text);
  if (srat) {
    if (!/hotplug|non-volatile/.test(srat[4] ?? ''))
      bounded(log.srat, line).push({ node: Number(srat[1]), ...rangeIn(line, srat[2], srat[3]), line });
    return;
  }
  const pgdat = PGDAT.exec(text);
  if (pgdat) bounded(log.pgdat, line).push({ ...rangeIn(line, pgdat[1], pgdat[2]), line });
  const ramdisk = RAMDISK.exec(text);
  if (ramdisk) log.ramdisk = { ...rangeIn(line, ramdisk[1], ramdisk[2]), line };
  const freed = /^Freeing (initrd|unused kernel image \([^)]{1,40}\)) memory: (\d{1,9})K/.exec(text);
  if (freed) log.freed.set(freed[1]?.replace(/^unused kernel image \((.*)\)$/, '$1') ?? '', Number(freed[2]));
  if (text.startsWith('Memory: '))
    for (const part of text.matchAll(/(\d{1,9})K (kernel code|rwdata|rodata|init|bss)/g))
      log.image.set(part[2] ?? '', Number(part[1]));
  const widths = /^mminit::pageflags_layout_widths .*Node (\d{1,2}) .*Lastcpupid (\d{1,2}) /.exec(text);
  if (widths) {
    log.nodesShift = Number(widths[1]);
    log.lastCpupid = Number(widths[2]);
  }
  if (/bytes of page_ext/.test(text)) log.pageExt = true;
}

function bounded<T>(list: T[], line: Line): T[] {
  if (list.length >= MAX_RANGES) throw wrong(line, `has more than ${MAX_RANGES} ranges of its kind`);
  return list;
}
