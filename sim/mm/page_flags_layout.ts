/**
 * Where the fields of page->flags lie: include/linux/page-flags-layout.h and
 * include/linux/page-flags.h, by configuration and release.
 */
import type { ArchLayout, MemoryModel } from '../arch/layout.ts';
import { factHolds, type Release, type Span, spanHolds } from '../kernel/release.ts';

/** What the configuration decides. */
export interface PageFlagsConfig {
  readonly NODES_SHIFT: number;
  /** 8 bits of a process number and the bits of a CPU number; 0 without NUMA_BALANCING. */
  readonly LAST_CPUPID_SHIFT: number;
  /** Zones compiled in, ZONE_DEVICE included. */
  readonly zones: number;
  /** KASAN with software or hardware tags. */
  readonly kasanTags: boolean;
  readonly lruGen: boolean;
  readonly flags: Readonly<Record<FlagOption, boolean>>;
}
/** Options that bring further PG_ bits. */
export type FlagOption = 'memoryFailure' | 'pageIdle' | 'pat' | 'transparentHugepage';

export type FieldName = 'SECTION' | 'NODE' | 'ZONE' | 'LAST_CPUPID' | 'KASAN_TAG' | 'LRU_GEN' | 'LRU_REFS';
export const FIELD_NAMES: readonly FieldName[] = [
  'SECTION',
  'NODE',
  'ZONE',
  'LAST_CPUPID',
  'KASAN_TAG',
  'LRU_GEN',
  'LRU_REFS',
];

export interface PageFlagsLayout {
  readonly BITS_PER_LONG: number;
  readonly NR_PAGEFLAGS: number;
  readonly flagNames: readonly string[];
  /** Bits each field has, and the bit where it begins (0 for a field of no width, as the kernel has it). */
  readonly width: Readonly<Record<FieldName, number>>;
  readonly shift: Readonly<Record<FieldName, number>>;
  /** The node of a page is looked up by its section (section_to_node_table). */
  readonly NODE_NOT_IN_PAGE_FLAGS: boolean;
  /** struct page has a member _last_cpupid. */
  readonly LAST_CPUPID_NOT_IN_PAGE_FLAGS: boolean;
  /** What the kernel would not compile with. */
  readonly problems: readonly string[];
  readonly sizeofPage: number;
}

/** PG_ bits that a release has, in no order: which bit each takes is the business of the release. */
const PAGE_FLAGS: readonly (Span & { name: string; when?: FlagOption; only64?: boolean })[] = [
  ...[
    'locked',
    'referenced',
    'uptodate',
    'dirty',
    'lru',
    'active',
    'writeback',
    'head',
    'owner_priv_1',
    'arch_1',
    'reserved',
    'private',
    'private_2',
    'reclaim',
    'swapbacked',
    'unevictable',
    'mlocked',
  ].map((name) => ({ name, since: '4.3' as const })),
  { name: 'tail', since: '4.3', until: '4.3' },
  { name: 'swapcache', since: '4.3', until: '4.9' },
  { name: 'slab', since: '4.3', until: '6.9' },
  { name: 'error', since: '4.3', until: '6.11' },
  { name: 'mappedtodisk', since: '4.3', until: '6.11' },
  { name: 'owner_2', since: '6.12' },
  { name: 'waiters', since: '4.10' },
  { name: 'workingset', since: '4.20' },
  { name: 'dropbehind', since: '6.14' },
  { name: 'compound_lock', since: '4.3', until: '4.4', when: 'transparentHugepage' },
  { name: 'uncached', since: '4.3', until: '6.11', when: 'pat' },
  { name: 'hwpoison', since: '4.3', when: 'memoryFailure' },
  { name: 'young', since: '4.3', when: 'pageIdle', only64: true },
  { name: 'idle', since: '4.3', when: 'pageIdle', only64: true },
  { name: 'arch_2', since: '5.10', until: '6.1', only64: true },
  { name: 'arch_2', since: '6.12', when: 'pat' },
];

/** The names of the PG_ bits that are compiled in. */
export function pageFlagNames(release: Release, bits: number, config: PageFlagsConfig['flags']): string[] {
  return PAGE_FLAGS.filter(
    (flag) => spanHolds(flag, release) && (!flag.when || config[flag.when]) && (!flag.only64 || bits === 64),
  ).map((flag) => flag.name);
}

/** page-flags-layout.h:ZONES_SHIFT: how many bits number the zones; undefined where the release has no room for them. */
export function zonesShift(zones: number, release: Release): number | undefined {
  if (zones < 2) return 0;
  if (zones <= 2) return 1;
  if (zones <= 4) return 2;
  return zones <= 8 && factHolds('threeZoneBits', release) ? 3 : undefined;
}

const LAST_PID_BITS = 8;
/** LAST__PID_SHIFT + LAST__CPU_SHIFT. */
export const lastCpupidShift = (nrCpusBits: number): number => LAST_PID_BITS + nrCpusBits;
const KASAN_TAG = 8;
/** order_base_2(MAX_NR_GENS + 1) and MAX_NR_TIERS - 2. */
const LRU_GEN = 3;
const LRU_REFS = 2;

export function pageFlagsLayout(
  layout: ArchLayout,
  model: MemoryModel,
  release: Release,
  config: PageFlagsConfig,
): PageFlagsLayout {
  const { BITS_PER_LONG } = layout;
  const problems: string[] = [];
  const flagNames = pageFlagNames(release, BITS_PER_LONG, config.flags);
  const room = BITS_PER_LONG - flagNames.length;
  const classic = model === 'sparsemem-static' || model === 'sparsemem-extreme';
  const SECTION = classic ? (layout.MAX_PHYSMEM_BITS ?? 0) - (layout.SECTION_SIZE_BITS ?? 0) : 0;
  const ZONE = zonesShift(config.zones, release) ?? 3;
  if (zonesShift(config.zones, release) === undefined)
    problems.push(`ZONES_SHIFT: ${config.zones} zones are too many for ${release}; 2 bits number four`);
  const GEN = config.lruGen && factHolds('lruGen', release) ? LRU_GEN : 0;
  const TAG = config.kasanTags && factHolds('kasanTagInPageFlags', release) ? KASAN_TAG : 0;
  const nodeFits = SECTION + ZONE + GEN + config.NODES_SHIFT <= room;
  const NODE = nodeFits ? config.NODES_SHIFT : 0;
  if (!nodeFits && model === 'sparsemem-vmemmap')
    problems.push('Vmemmap: No space for nodes field in page flags: the kernel does not compile');
  const beside = factHolds('lastCpupidBesideWholeNode', release) ? config.NODES_SHIFT : NODE;
  const CPUPID = SECTION + ZONE + GEN + beside + TAG + config.LAST_CPUPID_SHIFT <= room ? config.LAST_CPUPID_SHIFT : 0;
  const used = SECTION + NODE + ZONE + CPUPID + TAG + GEN;
  if (used > room) problems.push(`Not enough bits in page flags: ${used} for fields, ${room} are free`);
  const width: Record<FieldName, number> = {
    SECTION,
    NODE,
    ZONE,
    LAST_CPUPID: CPUPID,
    KASAN_TAG: TAG,
    LRU_GEN: GEN,
    LRU_REFS: GEN > 0 ? Math.max(0, Math.min(LRU_REFS, room - used)) : 0,
  };
  const shift: Record<FieldName, number> = {
    SECTION: 0,
    NODE: 0,
    ZONE: 0,
    LAST_CPUPID: 0,
    KASAN_TAG: 0,
    LRU_GEN: 0,
    LRU_REFS: 0,
  };
  let offset = BITS_PER_LONG;
  for (const name of FIELD_NAMES) {
    offset -= width[name];
    if (width[name] > 0) shift[name] = offset;
  }
  const outside = config.LAST_CPUPID_SHIFT > 0 && CPUPID === 0;
  return {
    BITS_PER_LONG,
    NR_PAGEFLAGS: flagNames.length,
    flagNames,
    width,
    shift,
    NODE_NOT_IN_PAGE_FLAGS: NODE === 0 && config.NODES_SHIFT !== 0,
    LAST_CPUPID_NOT_IN_PAGE_FLAGS: outside,
    problems,
    sizeofPage: sizeofPage(layout, outside),
  };
}

/** Eight words; _last_cpupid and `virtual` make it longer, and on 64 bits it is aligned to two words. */
function sizeofPage(layout: ArchLayout, lastCpupid: boolean): number {
  const word = layout.BITS_PER_LONG / 8;
  const size = 8 * word + (lastCpupid ? 4 : 0) + (layout.wantPageVirtual ? word : 0);
  const align = word === 8 ? 16 : 4;
  return Math.ceil(size / align) * align;
}

/** The word of a page whose fields and PG_ bits are known. */
export function encodePageFlags(
  layout: PageFlagsLayout,
  fields: Partial<Record<FieldName, number | bigint>>,
  bits: number,
): bigint {
  let word = BigInt(bits);
  for (const name of FIELD_NAMES) {
    const mask = (1n << BigInt(layout.width[name])) - 1n;
    word |= (BigInt(fields[name] ?? 0) & mask) << BigInt(layout.shift[name]);
  }
  return word;
}

export const fieldOf = (layout: PageFlagsLayout, word: bigint, name: FieldName): number =>
  Number((word >> BigInt(layout.shift[name])) & ((1n << BigInt(layout.width[name])) - 1n));
