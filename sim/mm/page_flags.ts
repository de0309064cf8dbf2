/** page->flags above the PG_ bits: include/linux/page-flags-layout.h, SPARSEMEM_VMEMMAP. */
import { nodeOf, PG, zoneOf } from '../include/mmzone.ts';
import { ZONE_NAMES } from '../include/types.ts';
import type { Kernel } from '../machine/kernel.ts';
import { compoundFlags } from './compound_devmap.ts';

export interface FlagsField {
  name: string;
  shift: number;
  width: number;
  value: number;
  text: string;
}

/** `page->flags` as the kernel would hold it: node, zone and cpupid above the PG_ bits (vmemmap layout). */
export function flagsWord(kernel: Kernel, pfn: number): { word: bigint; fields: FlagsField[] } {
  const { nodesShift, lastCpupid } = kernel.config.config;
  const word = kernel.pages.state.get(pfn);
  const zoneWidth = 3;
  const nodeShift = 64 - nodesShift;
  const zoneShift = nodeShift - zoneWidth;
  const cpuShift = zoneShift - lastCpupid;
  const bits = kernel.pages.flags.get(pfn) | compoundFlags(kernel, pfn);
  const cpupid = (1n << BigInt(lastCpupid)) - 1n;
  const value =
    (BigInt(nodeOf(word)) << BigInt(nodeShift)) |
    (BigInt(zoneOf(word)) << BigInt(zoneShift)) |
    (cpupid << BigInt(cpuShift)) |
    BigInt(bits);
  const names = Object.entries(PG).filter(([, bit]) => (bits & (1 << bit)) !== 0);
  return {
    word: value,
    fields: [
      { name: 'NODE', shift: nodeShift, width: nodesShift, value: nodeOf(word), text: `node ${nodeOf(word)}` },
      { name: 'ZONE', shift: zoneShift, width: zoneWidth, value: zoneOf(word), text: ZONE_NAMES[zoneOf(word)] ?? '' },
      { name: 'LAST_CPUPID', shift: cpuShift, width: lastCpupid, value: Number(cpupid), text: 'none yet' },
      {
        name: 'flags',
        shift: 0,
        width: Object.keys(PG).length + 1,
        value: bits,
        text: names.map(([name]) => `PG_${name}`).join(' | ') || 'none',
      },
    ],
  };
}
