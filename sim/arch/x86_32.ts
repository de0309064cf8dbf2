/** 32-bit x86 with HIGHMEM, with PAE or without (arch/x86/include/asm/sparsemem.h, page_32_types.h, Kconfig as of 5.4). */

import type { Release } from '../kernel/release.ts';
import { type ArchLayout, type ArchOptions, inRelease } from './layout.ts';

const MiB = 1n << 20n;
/**
 * MAXMEM: what is left between PAGE_OFFSET and the vmalloc area. 896 MiB less the fixed
 * mappings, whose size depends on the configuration: an estimate.
 */
const MAXMEM = 890n * MiB;

export function x86_32Layout(release: Release, options: ArchOptions): ArchLayout {
  const pae = options.pae ?? true;
  return {
    name: 'x86_32',
    variant: pae ? 'HIGHMEM64G (PAE)' : 'HIGHMEM4G (no PAE)',
    BITS_PER_LONG: 32,
    PAGE_SHIFT: 12,
    PMD_SHIFT: pae ? 21 : 22,
    MAX_PAGE_ORDER: 10,
    pageblock_order: pae ? 9 : 10,
    SECTION_SIZE_BITS: pae ? 29 : 26,
    MAX_PHYSMEM_BITS: pae ? 36 : 32,
    NODES_SHIFT: 3,
    numaBalancing: false,
    NR_CPUS_BITS: 6,
    zones: [{ name: 'DMA', end: 16n * MiB }, { name: 'Normal', end: MAXMEM }, { name: 'HighMem' }, { name: 'Movable' }],
    zoneDevice: false,
    PAGE_OFFSET: 0xc0000000n,
    lowmem: MAXMEM,
    linearAlign: 0n,
    pfnOffsetIsRamStart: false,
    wantPageVirtual: false,
    nid: { kind: 'table', name: 'physnode_map', unitBits: 26, entries: 1024, signed: true },
    valid: 'max_mapnr',
    models: ['flatmem', 'sparsemem-static'],
    notes: {
      flatmem: 'FLATMEM is for x86_32 without NUMA',
      ...(inRelease([{ since: '5.4', until: '5.13', value: true }], release)
        ? { discontigmem: 'DISCONTIGMEM of x86_32 needs NUMA and BROKEN: it cannot be chosen' }
        : {}),
      'sparsemem-extreme': 'x86_32 uses SPARSEMEM_STATIC; the arithmetic is shown for comparison',
      'sparsemem-vmemmap': 'x86_32 has no SPARSEMEM_VMEMMAP',
    },
    file: 'arch/x86/include/asm/sparsemem.h',
  };
}
