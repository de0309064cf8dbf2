/**
 * The architectures that had DISCONTIGMEM, as data. pfn_to_nid of alpha, arc, m68k and
 * x86_32 is as seen in 5.4; that of ia64 and IP27 is less certain.
 */
import type { Release } from '../kernel/release.ts';
import { type ArchLayout, type ArchName, inRelease } from './layout.ts';

const none = (name: string): ArchLayout['notes'] => ({
  'sparsemem-static': `the sections of ${name} are not known here`,
  'sparsemem-extreme': `the sections of ${name} are not known here`,
  'sparsemem-vmemmap': `${name} has no SPARSEMEM_VMEMMAP`,
});

const COMMON = {
  MAX_PAGE_ORDER: 10,
  numaBalancing: false,
  zoneDevice: false,
  linearAlign: 0n,
  pfnOffsetIsRamStart: false,
  wantPageVirtual: false,
} as const;

const alpha: ArchLayout = {
  ...COMMON,
  name: 'alpha',
  variant: 'WildFire, 8 KiB pages',
  BITS_PER_LONG: 64,
  PAGE_SHIFT: 13,
  PMD_SHIFT: 23,
  pageblock_order: 10,
  NODES_SHIFT: 7,
  NR_CPUS_BITS: 5,
  zones: [{ name: 'DMA', end: 1n << 24n }, { name: 'Normal' }, { name: 'Movable' }],
  PAGE_OFFSET: 0xfffffc0000000000n,
  nid: { kind: 'bits', name: 'alpha_mv.pa_to_nid', shift: 36, mask: ~0n },
  valid: 'node span',
  models: ['flatmem', 'discontigmem'],
  notes: none('alpha'),
  file: 'arch/alpha/include/asm/mmzone.h',
};

const arc: ArchLayout = {
  ...COMMON,
  name: 'arc',
  variant: 'HIGHMEM, 8 KiB pages',
  BITS_PER_LONG: 32,
  PAGE_SHIFT: 13,
  PMD_SHIFT: 21,
  pageblock_order: 10,
  NODES_SHIFT: 1,
  NR_CPUS_BITS: 2,
  zones: [{ name: 'Normal' }, { name: 'HighMem' }, { name: 'Movable' }],
  PAGE_OFFSET: 0x80000000n,
  lowmem: 1n << 31n,
  linearAlign: 1n << 31n,
  pfnOffsetIsRamStart: true,
  nid: { kind: 'arc', lowEnd: 0xffffffffn },
  valid: 'node end inclusive',
  models: ['flatmem', 'discontigmem'],
  notes: none('arc'),
  file: 'arch/arc/include/asm/mmzone.h',
};

const ia64: ArchLayout = {
  ...COMMON,
  name: 'ia64',
  variant: 'NUMA, 16 KiB pages, no virtual mem_map',
  BITS_PER_LONG: 64,
  PAGE_SHIFT: 14,
  PMD_SHIFT: 25,
  MAX_PAGE_ORDER: 10,
  pageblock_order: 10,
  NODES_SHIFT: 10,
  NR_CPUS_BITS: 12,
  zones: [{ name: 'DMA32', end: 1n << 32n }, { name: 'Normal' }, { name: 'Movable' }],
  PAGE_OFFSET: 0xe000000000000000n,
  nid: { kind: 'ranges', name: 'paddr_to_nid' },
  valid: 'node end',
  models: ['discontigmem'],
  notes: {
    ...none('ia64'),
    discontigmem: 'with the option VIRTUAL_MEM_MAP ia64 adds the pfn to vmem_map instead',
  },
  file: 'arch/ia64/mm/numa.c',
};

const m68k: ArchLayout = {
  ...COMMON,
  name: 'm68k',
  variant: 'two chunks of RAM, 4 KiB pages',
  BITS_PER_LONG: 32,
  PAGE_SHIFT: 12,
  PMD_SHIFT: 22,
  pageblock_order: 10,
  NODES_SHIFT: 3,
  NR_CPUS_BITS: 0,
  zones: [{ name: 'DMA' }, { name: 'Movable' }],
  PAGE_OFFSET: 0n,
  linearAlign: 1n,
  wantPageVirtual: true,
  nid: { kind: 'virtual-table', name: 'pg_data_table', slotBits: 6 },
  valid: 'high_memory',
  models: ['discontigmem', 'flatmem'],
  notes: { ...none('m68k'), flatmem: 'm68k has one mem_map with SINGLE_MEMORY_CHUNK' },
  file: 'arch/m68k/include/asm/page_mm.h',
};

const mips: ArchLayout = {
  ...COMMON,
  name: 'mips',
  variant: 'SGI IP27, 4 KiB pages',
  BITS_PER_LONG: 64,
  PAGE_SHIFT: 12,
  PMD_SHIFT: 21,
  pageblock_order: 10,
  NODES_SHIFT: 6,
  NR_CPUS_BITS: 7,
  zones: [{ name: 'Normal' }, { name: 'Movable' }],
  PAGE_OFFSET: 0xa800000000000000n,
  nid: { kind: 'bits', name: 'NASID_GET', shift: 32, mask: 0xffn },
  valid: 'node span',
  models: ['discontigmem'],
  notes: none('mips'),
  file: 'arch/mips/include/asm/mach-ip27/mmzone.h',
};

const parisc: ArchLayout = {
  ...COMMON,
  name: 'parisc',
  variant: '64 bits, Astro memory map',
  BITS_PER_LONG: 64,
  PAGE_SHIFT: 12,
  PMD_SHIFT: 21,
  pageblock_order: 10,
  NODES_SHIFT: 3,
  NR_CPUS_BITS: 5,
  zones: [{ name: 'Normal' }, { name: 'Movable' }],
  PAGE_OFFSET: 0x40000000n,
  nid: { kind: 'table', name: 'pfnnid_map', unitBits: 30, entries: 512, signed: true },
  valid: 'node end',
  models: ['discontigmem', 'flatmem'],
  notes: none('parisc'),
  file: 'arch/parisc/include/asm/mmzone.h',
};

const LAYOUTS: Partial<Record<ArchName, ArchLayout>> = { alpha, arc, ia64, m68k, mips, parisc };
export const DISCONTIG_ARCHS = Object.keys(LAYOUTS) as ArchName[];

export function discontigLayout(name: ArchName, release: Release): ArchLayout | undefined {
  const layout = LAYOUTS[name];
  // parisc went to SPARSEMEM between 4.20 and 5.4.
  if (layout === parisc && !inRelease([{ since: '4.3', until: '5.1', value: true }], release))
    return { ...parisc, notes: { ...parisc.notes, discontigmem: 'parisc uses SPARSEMEM by 5.4' } };
  return layout;
}
