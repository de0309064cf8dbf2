/** 32-bit arm: FLATMEM whose unused parts are freed (arch/arm/mm/init.c, mm/memblock.c). */
import type { Release } from '../kernel/release.ts';
import { type ArchLayout, inRelease } from './layout.ts';

export function armLayout(release: Release): ArchLayout {
  return {
    name: 'arm',
    variant: 'one or more banks of RAM',
    BITS_PER_LONG: 32,
    PAGE_SHIFT: 12,
    PMD_SHIFT: 21,
    MAX_PAGE_ORDER: 10,
    pageblock_order: 10,
    NODES_SHIFT: 0,
    numaBalancing: false,
    NR_CPUS_BITS: 2,
    // Lowmem ends below a vmalloc area of 240 MiB.
    zones: [{ name: 'Normal', end: 760n << 20n }, { name: 'HighMem' }, { name: 'Movable' }],
    zoneDevice: false,
    PAGE_OFFSET: 0xc0000000n,
    lowmem: 760n << 20n,
    linearAlign: 1n << 21n,
    pfnOffsetIsRamStart: true,
    wantPageVirtual: false,
    valid:
      inRelease(
        [
          { since: '4.3', until: '5.13', value: 'memblock' },
          { since: '5.14', value: 'memblock pageblock' },
        ] as const,
        release,
      ) ?? 'max_mapnr',
    models: ['flatmem'],
    notes: {
      discontigmem: 'arm had DISCONTIGMEM only in releases before the first that the engine knows',
      'sparsemem-static': 'the section size of arm depends on the machine; it is not known here',
      'sparsemem-extreme': 'the section size of arm depends on the machine; it is not known here',
      'sparsemem-vmemmap': 'arm has no SPARSEMEM_VMEMMAP',
    },
    file: 'arch/arm/mm/init.c',
  };
}
