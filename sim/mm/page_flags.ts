/** page->flags of the running machine, decoded; where its fields lie is in page_flags_layout.ts. */
import { archLayout } from '../arch/layouts.ts';
import { nodeOf, PG, zoneOf } from '../include/mmzone.ts';
import { ZONE_NAMES } from '../include/types.ts';
import type { MachineConfig } from '../machine/config.ts';
import type { Kernel } from '../machine/kernel.ts';
import { compoundFlags } from './compound_page.ts';
import {
  encodePageFlags,
  FIELD_NAMES,
  type FieldName,
  type PageFlagsConfig,
  type PageFlagsLayout,
  pageFlagsLayout,
} from './page_flags_layout.ts';

export interface FlagsField {
  name: string;
  shift: number;
  width: number;
  value: number;
  text: string;
}

/** What the machine file says of its kernel's configuration. */
export function pageFlagsConfig({ config }: MachineConfig, zones: number): PageFlagsConfig {
  return {
    NODES_SHIFT: config.nodesShift,
    LAST_CPUPID_SHIFT: config.lastCpupid,
    zones,
    kasanTags: false,
    lruGen: config.lruGen,
    flags: {
      memoryFailure: true,
      pageIdle: config.pageIdle,
      pat: config.pat,
      transparentHugepage: config.transparentHugepage,
    },
  };
}

const layouts = new WeakMap<Kernel, PageFlagsLayout>();

/** The layout the running kernel was built with; it follows from its configuration and release alone. */
export function pageFlagsLayoutOf(kernel: Kernel): PageFlagsLayout {
  let layout = layouts.get(kernel);
  if (!layout) {
    const { config, release } = kernel;
    const arch = archLayout(
      'x86_64',
      release,
      config.pageTableLevels ? { pageTableLevels: config.pageTableLevels } : {},
    );
    const zones = kernel.nodes[0]?.node_zones.length ?? ZONE_NAMES.length;
    layout = pageFlagsLayout(arch, 'sparsemem-vmemmap', release, pageFlagsConfig(config, zones));
    if (kernel.nodes.length > 0) layouts.set(kernel, layout);
  }
  return layout;
}

/** `page->flags` as the kernel would hold it: node, zone and cpupid above the PG_ bits. */
export function flagsWord(kernel: Kernel, pfn: number): { word: bigint; fields: FlagsField[] } {
  const layout = pageFlagsLayoutOf(kernel);
  const word = kernel.pages.state.get(pfn);
  const bits = kernel.pages.flags.get(pfn) | compoundFlags(kernel, pfn);
  // A page that no process has touched yet carries all ones for its last CPU and process.
  const cpupid = 2 ** layout.width.LAST_CPUPID - 1;
  const values: Partial<Record<FieldName, number>> = { NODE: nodeOf(word), ZONE: zoneOf(word), LAST_CPUPID: cpupid };
  const texts: Partial<Record<FieldName, string>> = {
    NODE: `node ${nodeOf(word)}`,
    ZONE: ZONE_NAMES[zoneOf(word)] ?? '',
    LAST_CPUPID: 'none yet',
    LRU_GEN: 'on no generation list',
    LRU_REFS: 'none counted',
  };
  const names = Object.entries(PG).filter(([, bit]) => (bits & (1 << bit)) !== 0);
  return {
    word: encodePageFlags(layout, values, bits),
    fields: [
      ...FIELD_NAMES.filter((name) => layout.width[name] > 0).map((name) => ({
        name,
        shift: layout.shift[name],
        width: layout.width[name],
        value: values[name] ?? 0,
        text: texts[name] ?? '',
      })),
      {
        name: 'flags',
        shift: 0,
        width: layout.NR_PAGEFLAGS,
        value: bits,
        text: names.map(([name]) => `PG_${name}`).join(' | ') || 'none',
      },
    ],
  };
}
