/** /proc/zoneinfo as mm/vmstat.c:zoneinfo_show_print prints it, in any release. */
import { ZONE_NAMES } from '../../include/types.ts';
import { ImportError, type ImportFiles, type Line, linesOf, pagesIn, quote, wrong } from './text.ts';

export interface ImportedZone {
  node: number;
  name: (typeof ZONE_NAMES)[number];
  index: number;
  line: number;
  free: number;
  min: number;
  low: number;
  high: number;
  spanned: number;
  present: number;
  managed: number;
  /** Pages kept from allocations that could use higher zones, by zone. */
  protection: readonly number[];
  /** Printed for zones with pages only. */
  start: number | undefined;
}

const FILE = 'proc/zoneinfo';
const FIELDS = ['free', 'min', 'low', 'high', 'spanned', 'present', 'managed'] as const;
const MAX_NODES = 1024;

interface Open {
  head: Line;
  node: number;
  name: ImportedZone['name'];
  values: Map<string, number>;
  start: number | undefined;
  protection: number[];
  /** Watermarks and sizes end with the line of protections. */
  counts: boolean;
}

export function parseZoneinfo(files: ImportFiles): ImportedZone[] | undefined {
  if (!files.has(FILE)) return undefined;
  const zones: ImportedZone[] = [];
  const seen = new Set<string>();
  let open: Open | undefined;
  const close = (): void => {
    if (open) zones.push(finished(open));
  };
  for (const line of linesOf(files, FILE)) {
    const head = /^Node (\d{1,5}), zone +(\S+)$/.exec(line.text);
    if (head) {
      close();
      open = opened(line, Number(head[1]), head[2] ?? '');
      const key = `${open.node} ${open.name}`;
      if (seen.has(key)) throw wrong(line, `names zone ${open.name} of node ${open.node} a second time`);
      seen.add(key);
    } else if (!open || !/^ /.test(line.text)) {
      if (line.text !== '') throw wrong(line, `is no line of /proc/zoneinfo: ${quote(line.text)}`);
    } else read(open, line);
  }
  close();
  if (zones.length === 0) throw new ImportError(FILE, 1, 'is empty');
  return zones;
}

function opened(line: Line, node: number, name: string): Open {
  if (node >= MAX_NODES) throw wrong(line, `node ${node} is beyond the ${MAX_NODES} a kernel can have`);
  if (name === 'HighMem') throw wrong(line, 'a HighMem zone is that of a 32-bit machine; only x86_64 can be imported');
  const known = ZONE_NAMES.find((zone) => zone === name);
  if (!known) throw wrong(line, `${quote(name)} is no zone of x86_64`);
  return { head: line, node, name: known, values: new Map(), start: undefined, protection: [], counts: true };
}

function read(open: Open, line: Line): void {
  const count = open.counts ? /^ +(?:pages )?([a-z]+) +(\S+)$/.exec(line.text) : undefined;
  if (count && (FIELDS as readonly string[]).includes(count[1] ?? ''))
    open.values.set(count[1] ?? '', pagesIn(line, count[2]));
  else if (/^ +protection:/.test(line.text)) {
    const list = /^ +protection: \(([\d, ]{1,120})\)$/.exec(line.text)?.[1];
    if (list === undefined) throw wrong(line, `is no list of protections: ${quote(line.text)}`);
    open.protection = list.split(', ').map((value) => pagesIn(line, value));
    open.counts = false;
  } else {
    const start = /^ +start_pfn: +(\S+)$/.exec(line.text);
    if (start) open.start = pagesIn(line, start[1]);
  }
}

function finished({ head, node, name, values, start, protection }: Open): ImportedZone {
  const get = (field: (typeof FIELDS)[number]): number => {
    const value = values.get(field);
    if (value === undefined)
      throw wrong(head, `zone ${name} of node ${node} has no line for ${field}: the file was cut off; copy it again`);
    return value;
  };
  const zone: ImportedZone = {
    node,
    name,
    index: ZONE_NAMES.indexOf(name),
    line: head.number,
    free: get('free'),
    min: get('min'),
    low: get('low'),
    high: get('high'),
    spanned: get('spanned'),
    present: get('present'),
    managed: get('managed'),
    protection,
    start,
  };
  if (zone.present > zone.spanned || zone.managed > zone.present)
    throw wrong(
      head,
      `zone ${name} of node ${node} has ${zone.managed} pages managed, ${zone.present} present and ${zone.spanned} spanned, which cannot be`,
    );
  if (zone.present > 0 && start === undefined)
    throw wrong(head, `zone ${name} of node ${node} has no line for start_pfn: the file was cut off; copy it again`);
  if ((start ?? 0) + zone.spanned > 2 ** 40) throw wrong(head, 'the zone ends beyond 52 bits of physical address');
  const limit = name === 'DMA' ? 0x1000 : name === 'DMA32' ? 0x100000 : Number.POSITIVE_INFINITY;
  if (start !== undefined && start + zone.spanned > limit)
    throw wrong(
      head,
      `zone ${name} ends at page ${start + zone.spanned}, and on x86_64 no later than ${limit}: this is another architecture`,
    );
  return zone;
}
