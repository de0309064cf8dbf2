/** Machines as recorded boots describe them: their e820, NUMA tables, command line, and what memblock held. */
import type { Machine, Release } from '../../sim/index.ts';
import { machineOf, preset } from './machines.ts';
import { recordedZones, recording } from './recording.ts';

interface Range {
  start: bigint;
  end: bigint;
}
const hex = (value: bigint): string => `0x${value.toString(16)}`;
const entry = <T extends object>(range: Range, more: T) => ({ start: hex(range.start), end: hex(range.end), ...more });

/** Ranges printed as `[mem 0x..-0x..]` on the lines that match, with the capture before them. */
function rangesOf(log: string, line: RegExp): (Range & { key: string; after: string })[] {
  return [...log.matchAll(new RegExp(`^${line.source}.*?\\[mem (0x[0-9a-f]+)-(0x[0-9a-f]+)\\] ?(.*)$`, 'gm'))].map(
    (match) => ({
      key: match.length > 4 ? (match[1] ?? '') : '',
      start: BigInt(match.at(-3) ?? 0),
      end: BigInt(match.at(-2) ?? 0),
      after: match.at(-1) ?? '',
    }),
  );
}

/** The kernel image is the same in all boots; the rest is what this boot's log names. */
const IMAGE = ['low 1 MiB', 'Kernel'];

export function recordedBoot(moment: string, release: Release = '6.12', more = {}): Machine {
  const log = recording(moment, 'dmesg-boot');
  const srat = rangesOf(log, /ACPI: SRAT: Node (\d+)/).filter((range) => range.after !== 'hotplug');
  const zones = recordedZones(moment);
  const e820 = rangesOf(log, /(BIOS-e820):/).map((range) => entry(range, { type: range.after }));
  const usable = rangesOf(log, / {2}node +(\d+):/);
  const nodeIds = [...new Set(usable.map((range) => Number(range.key)))];
  const tables = [
    ...rangesOf(log, /(RAMDISK):/).map((range) => ({ ...range, what: 'initrd' })),
    ...rangesOf(log, /NODE_DATA\((\d+)\)/).map((range) => ({ ...range, what: 'pgdat' })),
    ...rangesOf(log, /(software IO TLB):/).map((range) => ({ ...range, end: range.end - 1n, what: 'IO TLB' })),
  ];
  const reserved = (preset('qemu-2g').reserved ?? [])
    .filter((range) => IMAGE.some((name) => range.what.startsWith(name)))
    .map((range) => ({ start: range.start, end: range.end, what: range.what }));
  reserved.push(...tables.map(({ start, end, what }) => ({ start: start & ~0xfffn, end: end | 0xfffn, what })));
  for (const nid of nodeIds) {
    const own = usable.filter((range) => Number(range.key) === nid);
    const home = own.at(-1);
    if (!home) continue;
    const inside = tables.filter((table) => table.start >= home.start && table.start <= home.end);
    const sections = new Set(own.flatMap((range) => sectionsOf(range)));
    const top = inside.reduce((least, table) => (table.start < least ? table.start : least), home.end + 1n);
    const end = top & ~0x1fffffn;
    const start = end - BigInt(sections.size) * 0x200000n;
    reserved.push({ start, end: end - 1n, what: 'memmap' });
  }
  // What else memblock held is known by its size only: present pages that are not managed.
  for (const zone of zones) {
    const first = BigInt(zone.start) << 12n;
    const last = first + (BigInt(zone.spanned) << 12n);
    const held = reserved.reduce((sum, range) => sum + pagesInside(range, usable, first, last), 0n);
    const freed = reserved
      .filter((range) => ['initrd', 'Kernel init', 'Kernel rodata/data gap'].includes(range.what))
      .reduce((sum, range) => sum + pagesInside(range, usable, first, last), 0n);
    const rest = BigInt(zone.present - zone.managed) - (held - freed);
    if (rest <= 0n) continue;
    const above = reserved.filter((range) => range.start >= 0x10000000n && range.start >= first && range.start < last);
    const end = above.reduce((least, range) => (range.start < least ? range.start : least), last);
    reserved.push({ start: end - (rest << 12n), end: end - 1n, what: 'other early allocations' });
  }
  return machineOf(
    {
      name: moment,
      physBits: 40,
      config: { pageExtension: false, lastCpupid: 14 },
      cmdline: /^Command line: (.*)$/m.exec(log)?.[1] ?? '',
      e820,
      ...(srat.length > 0
        ? {
            nodes: nodeIds.map((id) => ({
              id,
              ranges: srat.filter((range) => Number(range.key) === id).map((range) => entry(range, {})),
              cpus: [id],
            })),
          }
        : {}),
      reserved: reserved.map((range) => entry(range, { what: range.what })),
      ...more,
    },
    release,
  );
}

const sectionsOf = (range: Range): bigint[] => {
  const found: bigint[] = [];
  for (let section = range.start >> 27n; section <= range.end >> 27n; section++) found.push(section);
  return found;
};

function pagesInside(range: Range, usable: readonly Range[], first: bigint, last: bigint): bigint {
  let pages = 0n;
  for (const memory of usable) {
    const start = [range.start, memory.start, first].reduce((a, b) => (a > b ? a : b));
    const end = [range.end + 1n, memory.end + 1n, last].reduce((a, b) => (a < b ? a : b));
    if (end > start) pages += ((end + 0xfffn) >> 12n) - (start >> 12n);
  }
  return pages;
}
