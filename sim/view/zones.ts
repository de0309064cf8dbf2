/** What the Zones panel draws: nodes, zones, sections, resources and devices of the machine now. */
import { PAGE_SIZE, PAGES_PER_SECTION, PAGES_PER_SUBSECTION } from '../arch/x86_64.ts';
import {
  SECTION_HAS_MEM_MAP,
  SECTION_IS_EARLY,
  SECTION_IS_ONLINE,
  SECTION_MARKED_PRESENT,
  SECTION_NID_SHIFT,
  SECTION_TAINT_ZONE_DEVICE,
  type Zone,
} from '../include/mmzone.ts';
import { IORESOURCE_BUSY, type Resource, walk } from '../kernel/resource.ts';
import type { Kernel } from '../machine/kernel.ts';
import type { Machine } from '../machine/machine.ts';
import type { MappedPagemap } from '../machine/state.ts';
import { blockAt } from '../mm/memory_block.ts';
import { type PagemapType, pagemapType, pgmap_altmap, refOf } from '../mm/pagemap.ts';
import { section_mem_map, sectionSpans } from '../mm/section_word.ts';
import { sectionFlags, subsection_map } from '../mm/sparse.ts';
import type { Changes } from '../store/store.ts';
import { pointerText } from './text.ts';
import type { NodeView, PagemapView, Position, ResourceView, SectionRunView, ZonesView, ZoneView } from './types.ts';

/** The last pfn that anything (memory, zone, section) has, plus one. */
export function endOfMemory(kernel: Kernel): number {
  return kernel.nodes.reduce(
    (end, node) => Math.max(end, node.node_start_pfn + node.node_spanned_pages),
    kernel.state.max_pfn,
  );
}

function zoneView(zone: Zone, changes: Changes): ZoneView {
  const changed: string[] = [];
  const note = (object: object, names: Readonly<Record<string, string>>): void => {
    const keys = changes.objects.get(object);
    if (keys) for (const key of keys) changed.push(names[String(key)] ?? String(key));
  };
  note(zone, {
    zone_start_pfn: 'startPfn',
    spanned_pages: 'spanned',
    present_pages: 'present',
    managed_pages: 'managed',
    nr_free: 'free',
  });
  if (changes.objects.has(zone.watermark)) changed.push('watermarks');
  if (changes.objects.has(zone.lowmem_reserve)) changed.push('lowmemReserve');
  if (zone.free_area.some((area) => changes.objects.has(area))) changed.push('freeByOrder');
  return {
    index: zone.index,
    name: zone.name,
    startPfn: zone.zone_start_pfn,
    spanned: zone.spanned_pages,
    present: zone.present_pages,
    managed: zone.managed_pages,
    free: zone.nr_free,
    watermarks: { ...zone.watermark },
    lowmemReserve: [...zone.lowmem_reserve],
    freeByOrder: zone.free_area.map((area) => area.nr_free),
    changed: [...new Set(changed)],
  };
}

/** Runs of whole sections with equal state, over everything that has a section. */
export function sectionRuns(kernel: Kernel, changed: readonly { start: number; end: number }[]): SectionRunView[] {
  const runs: SectionRunView[] = [];
  for (const span of sectionSpans(kernel, endOfMemory(kernel)))
    runs.push(sectionRun(kernel, span.start, span.end, changed));
  return runs;
}

function sectionRun(
  kernel: Kernel,
  start: number,
  end: number,
  changed: readonly { start: number; end: number }[],
): SectionRunView {
  const flags = sectionFlags(kernel, start);
  const nid = (kernel.pages.section.get(start) >>> SECTION_NID_SHIFT) & 1023;
  const zones = kernel.nodes
    .flatMap((node) => node.node_zones)
    .filter(
      (zone) =>
        zone.spanned_pages > 0 &&
        zone.zone_start_pfn < end &&
        zone.zone_start_pfn + zone.spanned_pages > start &&
        zone.node === nid,
    )
    .filter(
      (zone) =>
        (zone.name === 'Device') === (blockAt(kernel, start) === undefined) ||
        (flags & SECTION_TAINT_ZONE_DEVICE) !== 0,
    )
    .map((zone) => zone.name);
  return {
    first: start / PAGES_PER_SECTION,
    count: (end - start) / PAGES_PER_SECTION,
    nid,
    present: (flags & SECTION_MARKED_PRESENT) !== 0,
    hasMemMap: (flags & SECTION_HAS_MEM_MAP) !== 0,
    online: (flags & SECTION_IS_ONLINE) !== 0,
    early: (flags & SECTION_IS_EARLY) !== 0,
    taintZoneDevice: (flags & SECTION_TAINT_ZONE_DEVICE) !== 0,
    subsectionMap: subsection_map(kernel, start),
    raw: section_mem_map(kernel, start).toString(16),
    zones: [...new Set(zones)],
    changed: changed.some((run) => run.start < end && run.end > start),
  };
}

const DESC: Readonly<Record<string, string>> = {
  '4': 'persistent memory',
  '5': 'persistent memory (legacy)',
  '6': 'device private memory',
  '7': 'reserved',
};

function resourceView(resource: Resource, depth: number, changes: Changes): ResourceView {
  return {
    start: resource.start.toString(16),
    end: resource.end.toString(16),
    name: resource.name,
    depth,
    busy: (resource.flags & IORESOURCE_BUSY) !== 0n,
    desc: DESC[String(resource.desc)] ?? '',
    changed: changes.objects.get(resource)?.has('parent') === true,
  };
}

export const typeName = (kernel: Kernel, type: PagemapType | undefined): string => {
  if (type === 'GENERIC' && !kernel.facts.genericType) {
    if (kernel.facts.devdaxType) return 'MEMORY_DEVICE_DEVDAX';
    return kernel.facts.deviceHost ? 'MEMORY_DEVICE_HOST' : 'no type';
  }
  return type ? `MEMORY_DEVICE_${type}` : 'an unknown type';
};

export function pagemapView(kernel: Kernel, map: MappedPagemap, changes: Changes): PagemapView {
  const { pgmap } = map;
  const ref = refOf(pgmap);
  const altmap = pgmap_altmap(kernel, pgmap);
  return {
    id: map.id,
    type: typeName(kernel, pagemapType(kernel, typeof pgmap.type === 'bigint' ? pgmap.type : 0n)),
    ranges: map.ranges.map((range) => ({ startPfn: range.start, endPfn: range.end })),
    owner: pointerText(kernel, pgmap.owner),
    refs: Number(ref?.count ?? 0n),
    live: ref?.dead === 0n,
    ...(altmap
      ? {
          altmap: {
            reserve: Number(altmap.reserve),
            free: Number(altmap.free),
            alloc: Number(altmap.alloc),
            align: Number(altmap.align),
          },
        }
      : {}),
    changed: changes.objects.has(pgmap) || (ref !== undefined && changes.objects.has(ref)),
  };
}

export function zonesView(machine: Machine, position: Position): ZonesView {
  const { kernel } = machine;
  const changes = machine.lastChanges();
  const nodes: NodeView[] = kernel.nodes.map((node) => ({
    id: node.node_id,
    startPfn: node.node_start_pfn,
    spanned: node.node_spanned_pages,
    present: node.node_present_pages,
    zones: node.node_zones.map((zone) => zoneView(zone, changes)),
  }));
  const byName = new Map<string, PagemapView[]>();
  for (const map of kernel.state.pgmaps)
    byName.set(map.name, [...(byName.get(map.name) ?? []), pagemapView(kernel, map, changes)]);
  for (const device of kernel.state.devices) if (!byName.has(device.name)) byName.set(device.name, []);
  return {
    position,
    pageSize: PAGE_SIZE,
    sectionPages: PAGES_PER_SECTION,
    subsectionPages: PAGES_PER_SUBSECTION,
    maxPfn: kernel.state.max_pfn,
    nodes,
    sections: sectionRuns(kernel, sectionChanges(machine, changes)),
    resources: [...walk(kernel.state.iomem)].map(({ resource, depth }) => resourceView(resource, depth, changes)),
    devices: [...byName].map(([name, pagemaps]) => ({
      name,
      nid: kernel.state.pgmaps.find((map) => map.name === name)?.node ?? 0,
      pagemaps,
    })),
    printk: (machine.lastStep?.printk ?? []).map((line) => (line.warn ? `WARNING: ${line.text}` : line.text)),
  };
}

/** Pages in sections that came or went: the device pages among the changed ones. */
function sectionChanges(machine: Machine, changes: Changes): { start: number; end: number }[] {
  return changes.pages.filter((run) => (sectionFlags(machine.kernel, run.start) & SECTION_IS_EARLY) === 0);
}
