/** The State tree of the sidebar, and the live value of a term. */
import { PAGES_PER_SECTION } from '../arch/x86_64.ts';
import { walk } from '../kernel/resource.ts';
import { hex } from '../machine/kernel.ts';
import type { Machine } from '../machine/machine.ts';
import { SECTIONS_PER_ROOT } from '../mm/sparse.ts';
import { processesNode } from './processes.ts';
import { processTerm } from './processTerms.ts';
import { bytesText, pagesText } from './text.ts';
import type { Position, TreeNode, ZonesView } from './types.ts';
import { zonesView } from './zones.ts';

const node = (
  id: string,
  label: string,
  description: string,
  icon: string,
  more: Partial<TreeNode> = {},
): TreeNode => ({
  id,
  label,
  description,
  tooltip: '',
  icon,
  children: [],
  changed: false,
  ...more,
});

export function stateTree(machine: Machine, position: Position): TreeNode[] {
  const view = zonesView(machine, position);
  return [
    ...view.nodes.map((pgdat) =>
      node(`node:${pgdat.id}`, `Node ${pgdat.id}`, `${pagesText(pgdat.present)} present`, 'server', {
        tooltip: `node_start_pfn ${hex(pgdat.startPfn)}, spanned ${pgdat.spanned}, present ${pgdat.present}`,
        reveal: { startPfn: pgdat.startPfn, endPfn: pgdat.startPfn + pgdat.spanned },
        changed: pgdat.zones.some((zone) => zone.changed.length > 0),
        children: pgdat.zones.map((zone) => zoneNode(pgdat.id, zone)),
      }),
    ),
    devicesNode(view),
    processesNode(machine),
    resourcesNode(view),
  ];
}

function zoneNode(nid: number, zone: ZonesView['nodes'][number]['zones'][number]): TreeNode {
  const empty = zone.spanned === 0;
  const id = `zone:${nid}:${zone.name}`;
  const counts: [string, number][] = [
    ['spanned', zone.spanned],
    ['present', zone.present],
    ['managed', zone.managed],
    ['free', zone.free],
  ];
  return node(
    id,
    zone.name,
    empty
      ? 'empty'
      : zone.name === 'Device'
        ? `spanned ${pagesText(zone.spanned)}`
        : `${pagesText(zone.free)} free of ${pagesText(zone.managed)}`,
    empty ? 'circle-outline' : 'layers',
    {
      tooltip: `zone ${zone.name}: pfn ${hex(zone.startPfn)}, ${counts.map(([name, value]) => `${name} ${value}`).join(', ')}`,
      changed: zone.changed.length > 0,
      ...(empty
        ? {}
        : {
            reveal: { startPfn: zone.startPfn, endPfn: zone.startPfn + zone.spanned },
            children: [
              ...counts.map(([name, value]) =>
                node(`${id}:${name}`, name, `${value} pages · ${pagesText(value)}`, 'symbol-numeric', {
                  changed: zone.changed.includes(name),
                }),
              ),
              node(
                `${id}:wmark`,
                'watermarks',
                `min ${zone.watermarks.min}, low ${zone.watermarks.low}, high ${zone.watermarks.high}`,
                'dashboard',
              ),
            ],
          }),
    },
  );
}

function devicesNode(view: ZonesView): TreeNode {
  return node(
    'devices',
    'Devices',
    view.devices.length === 0 ? 'none mapped' : String(view.devices.length),
    'circuit-board',
    {
      children: view.devices.map((device) =>
        node(
          `device:${device.name}`,
          device.name,
          `${device.pagemaps.length} pagemap${device.pagemaps.length === 1 ? '' : 's'}`,
          'chip',
          {
            children: device.pagemaps.map((map) => {
              const [range] = map.ranges;
              return node(
                `pagemap:${map.id}`,
                map.type,
                range ? `${hex(range.startPfn)} · ${pagesText(range.endPfn - range.startPfn)}` : '',
                'map',
                {
                  tooltip: `${map.live ? 'live' : 'dying'}, ${map.refs} reference(s), owner ${map.owner}`,
                  changed: map.changed,
                  ...(range ? { reveal: range } : {}),
                },
              );
            }),
            changed: device.pagemaps.some((map) => map.changed),
          },
        ),
      ),
    },
  );
}

function resourcesNode(view: ZonesView): TreeNode {
  const top: TreeNode[] = [];
  const stack: TreeNode[] = [];
  for (const resource of view.resources) {
    const start = BigInt(`0x${resource.start}`);
    const end = BigInt(`0x${resource.end}`);
    const entry = node(
      `resource:${resource.start}-${resource.end}:${resource.name}`,
      resource.name,
      `${resource.start.padStart(8, '0')}-${resource.end.padStart(8, '0')}`,
      'symbol-namespace',
      {
        tooltip: `${bytesText(Number(end - start + 1n))}${resource.busy ? ', busy' : ''}${resource.desc ? `, ${resource.desc}` : ''}`,
        changed: resource.changed,
        reveal: { startPfn: Number(start >> 12n), endPfn: Number(end >> 12n) + 1 },
      },
    );
    stack.length = resource.depth;
    (stack.at(-1)?.children ?? top).push(entry);
    stack.push(entry);
  }
  return node('resources', 'Resources', '/proc/iomem', 'list-tree', {
    children: top,
    changed: view.resources.some((resource) => resource.changed),
  });
}

/**
 * A term's value in the machine now, for hovers. `live` is what the glossary names:
 * `zone:ZONE_DEVICE`, `sections`, `maxPfn`, `memmap`, `pagemaps`, `resource:iomem`, `nodes`, `free`, `total`, `blocks`;
 * of processes `devicePages`, `notifiers`, `entries`, `rss`, `memcgs`.
 */
export function liveValue(machine: Machine, live: string): string | undefined {
  const { kernel } = machine;
  const zones = kernel.nodes.flatMap((pgdat) => pgdat.node_zones);
  const sum = (pick: (zone: (typeof zones)[number]) => number): number =>
    zones.reduce((total, zone) => total + pick(zone), 0);
  if (live.startsWith('zone:')) {
    const wanted = live
      .slice(5)
      .replace(/^ZONE_/, '')
      .toLowerCase();
    const found = zones.filter((zone) => zone.name.toLowerCase() === wanted);
    if (found.length === 0) return `this release has no such zone`;
    return found
      .map(
        (zone) =>
          `ZONE_${zone.name.toUpperCase()} on node ${zone.node}: spanned ${zone.spanned_pages}, present ${zone.present_pages}, managed ${zone.managed_pages}`,
      )
      .join('\n');
  }
  switch (live) {
    case 'sections': {
      let boot = 0;
      let device = 0;
      for (const run of zonesView(machine, NOWHERE).sections)
        if (run.early || run.online) boot += run.count;
        else device += run.count;
      return `${boot + device} sections of ${pagesText(PAGES_PER_SECTION)} present: ${boot} of RAM, ${device} of device memory; ${kernel.state.sectionRoots.size} root(s) of ${SECTIONS_PER_ROOT(kernel)} mem_sections allocated`;
    }
    case 'maxPfn':
      return `max_pfn ${hex(kernel.state.max_pfn)} (${pagesText(kernel.state.max_pfn)})`;
    case 'memmap': {
      const frames = kernel.nodes.reduce((total, pgdat) => total + pgdat.nr_memmap + pgdat.nr_memmap_boot, 0);
      return `${frames} pages (${pagesText(frames)}) hold struct pages, ${kernel.nodes.reduce((total, pgdat) => total + pgdat.nr_memmap, 0)} of them added since boot; vmemmap starts at ${hex(kernel.arch.VMEMMAP_START)}`;
    }
    case 'pagemaps':
      return kernel.state.pgmaps.length === 0
        ? 'no dev_pagemap is mapped'
        : zonesView(machine, NOWHERE)
            .devices.flatMap((device) =>
              device.pagemaps.map(
                (map) =>
                  `${device.name}: ${map.type}, ${map.ranges.map((range) => pagesText(range.endPfn - range.startPfn)).join(' + ')}, ${map.refs} reference(s)`,
              ),
            )
            .join('\n');
    case 'resource:iomem':
      return `${[...walk(kernel.state.iomem)].length} regions under iomem_resource, which ends at ${hex(kernel.state.iomem.end)}`;
    case 'nodes':
      return kernel.nodes.map((pgdat) => `node ${pgdat.node_id}: ${pagesText(pgdat.node_present_pages)}`).join(', ');
    case 'free':
      return `${sum((zone) => zone.nr_free)} pages (${pagesText(sum((zone) => zone.nr_free))}) free`;
    case 'total':
      return `${sum((zone) => zone.present_pages)} pages present, ${sum((zone) => zone.managed_pages)} managed by the page allocator`;
    case 'blocks': {
      const { memoryBlocks, memoryBlockPages } = kernel.state;
      const offline = [...memoryBlocks.values()].filter((block) => block.state === 'offline').length;
      const text = `${memoryBlocks.size} memory blocks of ${pagesText(memoryBlockPages)} under /sys/devices/system/memory`;
      return offline > 0 ? `${text}, ${offline} of them offline` : text;
    }
    default:
      return processTerm(machine, live);
  }
}

const NOWHERE: Position = { revision: 0, step: 0, steps: 0, machine: '', release: '', lastStep: '' };
