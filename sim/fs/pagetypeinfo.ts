/** /proc/pagetypeinfo: mm/vmstat.c:pagetypeinfo_show (6.12, for every release). */
import { pageblock_nr_pages, pageblock_order } from '../arch/x86_64.ts';
import { kindOf, MIGRATE_TYPES, nodeOf, type Pglist, type Zone, zoneOf } from '../include/mmzone.ts';
import { PageKind } from '../include/types.ts';
import type { Kernel } from '../machine/kernel.ts';
import { pfn_is_online } from '../mm/sparse.ts';
import { runsOf } from '../store/column.ts';
import { fixedFiles } from './files.ts';

/** page_alloc.c:migratetype_names, without CMA. */
const NAMES = ['Unmovable', 'Movable', 'Reclaimable', 'HighAtomic', 'Isolate'] as const;
/** The kernel stops counting a list here, so as not to hold the zone's lock too long. */
const MOST_COUNTED = 100_000;

export function pagetypeinfo(kernel: Kernel): string {
  return kernel.nodes.map((node) => (node.node_present_pages > 0 ? ofNode(kernel, node) : '')).join('');
}

function ofNode(kernel: Kernel, node: Pglist): string {
  const zones = node.node_zones.filter((zone) => zone.present_pages > 0);
  const orders = zones[0]?.free_area.map((area) => String(area.order).padStart(6)) ?? [];
  const lines = [
    `Page block order: ${pageblock_order}`,
    `Pages per block:  ${pageblock_nr_pages}`,
    '',
    `${'Free pages count per migrate type at order'.padEnd(43)} ${orders.map((order) => `${order} `).join('')}`,
    ...zones.flatMap((zone) => NAMES.map((name, type) => freeLine(zone, name, type))),
    '',
    `${'Number of blocks type'.padEnd(23)}${NAMES.map((name) => `${name.padStart(12)} `).join('')}`,
    ...zones.map((zone) => blocksLine(kernel, zone)),
  ];
  return `${lines.join('\n')}\n`;
}

function freeLine(zone: Zone, name: string, type: number): string {
  const head = `Node ${String(zone.node).padStart(4)}, zone ${zone.name.padStart(8)}, type ${name.padStart(12)} `;
  const counts = zone.free_area.map((area) => {
    const count = area.countOf(type);
    return count >= MOST_COUNTED ? `>${String(MOST_COUNTED).padStart(6)} ` : `${String(count).padStart(6)} `;
  });
  return head + counts.join('');
}

/** pagetypeinfo_showblockcount_print: online pageblocks of the zone's span by type, looked at in the step of a pageblock. */
function blocksLine(kernel: Kernel, zone: Zone): string {
  const counts = new Array<number>(MIGRATE_TYPES).fill(0);
  const first = zone.zone_start_pfn;
  const end = first + zone.spanned_pages;
  const sampled = (from: number, to: number): number =>
    Math.ceil((to - first) / pageblock_nr_pages) - Math.ceil((from - first) / pageblock_nr_pages);
  for (const block of runsOf(kernel.pages.pageblock, first, end))
    for (const section of runsOf(kernel.pages.section, block.start, block.end)) {
      if (section.value === 0) continue;
      for (const page of runsOf(kernel.pages.state, section.start, section.end)) {
        if (sampled(page.start, page.end) === 0) continue;
        if (kindOf(page.value) === PageKind.Hole) continue;
        if (zoneOf(page.value) !== zone.index || nodeOf(page.value) !== zone.node) continue;
        if (!pfn_is_online(kernel, page.start)) continue;
        counts[block.value] = (counts[block.value] ?? 0) + sampled(page.start, page.end);
      }
    }
  return `Node ${zone.node}, zone ${zone.name.padStart(8)} ${counts.map((count) => `${String(count).padStart(12)} `).join('')}`;
}

export const PAGETYPEINFO = fixedFiles('/proc', { pagetypeinfo });
