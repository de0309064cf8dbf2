/** Decoded struct pages for the sample machines, as the engine would give them. */
import { PageKind } from '../../../sim/include/types.ts';
import type { PageView } from '../../../sim/view/types.ts';
import { kindName } from '../../../webview/shared/kinds.ts';
import { kindAt } from './runs.ts';
import type { Sample } from './samples.ts';

const VMEMMAP = 0xffffea0000000000n;
const isDevice = (kind: PageKind): boolean =>
  (kind >= PageKind.DevicePrivate && kind <= PageKind.PciP2pdma) || kind === PageKind.DeviceInUse;

export function pageView(sample: Sample, pfn: number): PageView {
  const { zones, pagemap } = sample;
  const kind = kindAt(sample.runs, pfn);
  const section = Math.floor(pfn / zones.sectionPages);
  const run = zones.sections.find((s) => section >= s.first && section < s.first + s.count);
  const valid = run !== undefined && kind !== PageKind.Hole;
  const device = isDevice(kind);
  const address = VMEMMAP + BigInt(pfn) * 64n;
  const base = {
    revision: zones.position.revision,
    pfn,
    physical: (pfn * zones.pageSize).toString(16),
    valid,
    online: valid && run.online,
    kind,
    kindText: kindName(kind),
    pageAddress: address.toString(16),
    pageAddressText: `vmemmap + pfn × sizeof(struct page) = 0xffffea0000000000 + 0x${pfn.toString(16)} × 64`,
    section,
    subsection: Math.floor((pfn % zones.sectionPages) / zones.subsectionPages),
    sectionState:
      run === undefined
        ? 'no section'
        : `PM${run.online ? 'O' : '-'}${run.early ? 'E' : '-'}${run.taintZoneDevice ? 'T' : '-'}`,
    changed: pagemap.changed.some((c) => pfn >= c.startPfn && pfn < c.endPfn) ? ['flags', 'refcount', 'pgmap'] : [],
  };
  if (!valid) return { ...base, flagFields: [] };
  const node = run.nid;
  const zone = zones.nodes
    .find((n) => n.id === node)
    ?.zones.find(
      (z) => z.spanned > 0 && run.zones.includes(z.name) && pfn >= z.startPfn && pfn < z.startPfn + z.spanned,
    );
  const reserved = device || kind === PageKind.Reserved || kind === PageKind.Unavailable;
  const anon = kind === PageKind.Anon || kind === PageKind.File;
  const zoneIndex = zone?.index ?? 2;
  const flags =
    (BigInt(node) << 54n) |
    (BigInt(zoneIndex) << 51n) |
    (0x3fffn << 37n) |
    (reserved ? 1n << 13n : 0n) |
    (anon ? (1n << 3n) | (1n << 5n) | (1n << 17n) : 0n);
  const single = (name: string, shift: number, on: boolean) => ({
    name,
    shift,
    width: 1,
    value: on ? 1 : 0,
    text: on ? 'set' : '',
  });
  return {
    ...base,
    flags: flags.toString(16),
    flagFields: [
      { name: 'NODE', shift: 54, width: 10, value: node, text: `node ${node}` },
      { name: 'ZONE', shift: 51, width: 3, value: zoneIndex, text: `ZONE_${(zone?.name ?? 'Normal').toUpperCase()}` },
      { name: 'LAST_CPUPID', shift: 37, width: 14, value: 0x3fff, text: 'none (all ones)' },
      single('PG_uptodate', 3, anon),
      single('PG_lru', 5, anon),
      single('PG_reserved', 13, reserved),
      single('PG_swapbacked', 17, anon),
    ],
    refcount: kind === PageKind.DevicePrivate || kind === PageKind.Free ? 0 : 1,
    mapcount: anon || kind === PageKind.DeviceInUse ? 1 : 0,
    order: 0,
    node,
    zone: zone?.name ?? 'Normal',
    ...(run.online ? { block: `memory${section}, online` } : {}),
    ...(device
      ? {
          pgmap: `${zones.devices.find((d) => d.nid === node)?.pagemaps[0]?.type ?? 'MEMORY_DEVICE_PRIVATE'}, 0xffff888002c4f600`,
        }
      : {}),
    resource: device ? (zones.devices[0]?.name ?? 'device') : 'System RAM',
  };
}
