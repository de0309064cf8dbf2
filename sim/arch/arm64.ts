/** arm64 with 4, 16 or 64 KiB pages and 48-bit virtual addresses (arch/arm64/include/asm/{memory,sparsemem}.h). */
import type { Release } from '../kernel/release.ts';
import { type ArchLayout, type ArchOptions, inRelease } from './layout.ts';

const VA_BITS = 48;
const PAGES = {
  4: { PAGE_SHIFT: 12, PMD_SHIFT: 21, MAX_PAGE_ORDER: 10, pageblock_order: 9, memstartShift: 30 },
  16: { PAGE_SHIFT: 14, PMD_SHIFT: 25, MAX_PAGE_ORDER: 11, pageblock_order: 11, memstartShift: 30 },
  64: { PAGE_SHIFT: 16, PMD_SHIFT: 29, MAX_PAGE_ORDER: 13, pageblock_order: 13, memstartShift: 29 },
} as const;

const lowest = (bits: number): bigint => BigInt.asUintN(64, -(1n << BigInt(bits)));
const below = (bytes: bigint): bigint => BigInt.asUintN(64, -bytes);

export function arm64Layout(release: Release, options: ArchOptions): ArchLayout {
  const pageKiB = options.pageKiB ?? 4;
  const { memstartShift, ...page } = PAGES[pageKiB];
  const SECTION_SIZE_BITS = inRelease(
    [
      { since: '4.3', until: '5.11', value: 30 },
      { since: '5.12', value: pageKiB === 64 ? 29 : 27 },
    ],
    release,
  );
  // The linear map is the upper half of kernel addresses until 5.3, the lower half since.
  const PAGE_OFFSET = inRelease(
    [
      { since: '4.3', until: '5.3', value: lowest(VA_BITS - 1) },
      { since: '5.4', value: lowest(VA_BITS) },
    ],
    release,
  );
  const linear = 1n << BigInt(VA_BITS - 1);
  const shift = (sizeofPage: number): bigint => BigInt(page.PAGE_SHIFT - Math.ceil(Math.log2(sizeofPage)));
  const vmemmapStart = inRelease<(sizeofPage: number) => bigint>(
    [
      { since: '4.7', until: '5.3', value: (size) => lowest(VA_BITS - 1) - (linear >> shift(size)) },
      { since: '5.4', until: '5.10', value: (size) => below((linear >> shift(size)) + (2n << 20n)) },
      { since: '5.11', until: '6.8', value: (size) => below(1n << (BigInt(VA_BITS) - shift(size))) },
      { since: '6.9', value: (size) => below((1n << 30n) + (linear >> BigInt(page.PAGE_SHIFT)) * BigInt(size)) },
    ],
    release,
  );
  const fourGiB = 1n << 32n;
  // One zone below 4 GiB, renamed between 4.20 and 5.4; from 5.5 two, of which the first is as large as devices need.
  const zones = inRelease(
    [
      { since: '4.3', until: '4.20', value: [{ name: 'DMA', end: fourGiB }] },
      { since: '5.0', until: '5.4', value: [{ name: 'DMA32', end: fourGiB }] },
      {
        since: '5.5',
        value: [
          { name: 'DMA', end: fourGiB },
          { name: 'DMA32', end: fourGiB },
        ],
      },
    ],
    release,
  );
  return {
    name: 'arm64',
    variant: `${pageKiB} KiB pages, ${options.physBits ?? 48}-bit physical addresses`,
    BITS_PER_LONG: 64,
    ...page,
    ...(SECTION_SIZE_BITS ? { SECTION_SIZE_BITS } : {}),
    MAX_PHYSMEM_BITS: options.physBits ?? 48,
    NODES_SHIFT: 4,
    numaBalancing: true,
    NR_CPUS_BITS: 8,
    zones: [...(zones ?? []), { name: 'Normal' }, { name: 'Movable' }],
    // Needs hot-remove, which arm64 has from 5.7.
    zoneDevice: inRelease([{ since: '5.7', value: true }], release) ?? false,
    PAGE_OFFSET: PAGE_OFFSET ?? 0n,
    linearAlign: 1n << BigInt(Math.max(memstartShift, SECTION_SIZE_BITS ?? 0)),
    pfnOffsetIsRamStart: true,
    wantPageVirtual: false,
    ...(vmemmapStart ? { vmemmapStart } : {}),
    valid: 'max_mapnr',
    models: ['sparsemem-vmemmap', 'sparsemem-extreme'],
    notes: {
      flatmem: 'arm64 could be built with FLATMEM for a while; the arithmetic is shown for comparison',
      discontigmem: 'arm64 never had DISCONTIGMEM',
      'sparsemem-static': 'arm64 uses SPARSEMEM_EXTREME; the arithmetic is shown for comparison',
      ...(vmemmapStart ? {} : { 'sparsemem-vmemmap': 'where vmemmap lay on arm64 before 4.7 is not known here' }),
    },
    file: 'arch/arm64/include/asm/memory.h',
  };
}
