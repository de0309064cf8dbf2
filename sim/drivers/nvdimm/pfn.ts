/**
 * The arithmetic of a pfn or dax info block: where the data begins and what the altmap may
 * give away. drivers/nvdimm/pfn_devs.c (6.12) without a device.
 */
import { alignDown, alignUp, EINVAL, ENXIO, type PfnMode, SZ_2M, SZ_4K, SZ_8K } from './nd.ts';

/** memremap.c:memremap_compat_align on x86 and arm64: a sub-section. */
export const memremap_compat_align = SZ_2M;
/** Bytes kept for each struct page, whatever its real size. */
export const MAX_STRUCT_PAGE_SIZE = 64n;
/** pfn.h:nd_info_block_reserve. */
export const nd_info_block_reserve = SZ_8K;

const PAGE_SHIFT = 12n;
const PAGES_PER_SUBSECTION = 512n;

export interface PfnLayout {
  /** Bytes in front that are not used (until 5.2). */
  readonly start_pad: bigint;
  readonly dataoff: bigint;
  readonly end_trunc: bigint;
  readonly npfns: bigint;
}

/** Why there is no layout. */
export type PfnFault = 'misaligned start' | 'no room' | 'no mode';
export const FAULT_ERRNO: Readonly<Record<PfnFault, number>> = {
  'misaligned start': EINVAL,
  'no room': ENXIO,
  'no mode': ENXIO,
};

/** nd_pfn_init: the sizes of a new info block for [start, start + size). Before 5.7 the start was not looked at. */
export function pfnLayout(
  start: bigint,
  size: bigint,
  mode: PfnMode,
  wanted: bigint,
  checksStart = true,
): PfnLayout | PfnFault {
  const align = wanted > memremap_compat_align ? wanted : memremap_compat_align;
  if (checksStart && start % memremap_compat_align !== 0n) return 'misaligned start';
  if (size <= SZ_8K) return 'no room';
  const npfns = (size - SZ_8K) >> PAGE_SHIFT;
  const end_trunc = start + size - alignDown(start + size, align);
  if (mode === 'none') return 'no mode';
  const map = mode === 'pmem' ? MAX_STRUCT_PAGE_SIZE * npfns : 0n;
  const dataoff = alignUp(start + SZ_8K + map, align) - start;
  if (dataoff >= size - end_trunc) return 'no room';
  return { start_pad: 0n, dataoff, end_trunc, npfns: (size - dataoff - end_trunc) / SZ_4K };
}

/** nd_pfn_init of 4.3 and 4.4 (in pmem.c then): struct pages in RAM, the data behind the info block. */
export function firstLayout(size: bigint, mode: PfnMode): PfnLayout | PfnFault {
  if (mode !== 'ram') return 'no mode';
  if (size <= SZ_8K) return 'no room';
  return { start_pad: 0n, dataoff: SZ_8K, end_trunc: 0n, npfns: (size - SZ_8K) >> PAGE_SHIFT };
}

const SECTION_SIZE = 128n << 20n;
const SECTION_PAGES = SECTION_SIZE >> PAGE_SHIFT;
const DAX_LABEL_RESERVE = 128n << 10n;

/**
 * nd_pfn_init with trim_pfn_device as 4.19 had it: `collides` tells whether a range of whole
 * sections has RAM or another region in it; the side that does is cut back to a section border.
 */
export function sectionLayout(
  start: bigint,
  size: bigint,
  mode: PfnMode,
  align: bigint,
  isDax: boolean,
  collides: (start: bigint, size: bigint) => boolean,
): PfnLayout | PfnFault {
  if (mode === 'none') return 'no mode';
  const end = start + size;
  const before = start % SECTION_SIZE;
  const behind = alignUp(end, SECTION_SIZE) - end;
  const start_pad = collides(start - before, size + before) ? alignUp(start, SECTION_SIZE) - start : 0n;
  const byAlign = alignDown(end, align);
  const bySection = alignDown(end, SECTION_SIZE);
  const isCut = end % align !== 0n || collides(start, size + behind);
  const end_trunc = isCut ? end - (byAlign < bySection ? byAlign : bySection) : 0n;
  const left = size - start_pad - end_trunc;
  if (left <= SZ_8K) return 'no room';
  const first = start + start_pad + SZ_8K + (isDax ? DAX_LABEL_RESERVE : 0n);
  const map = mode === 'pmem' ? MAX_STRUCT_PAGE_SIZE * alignUp((left - SZ_8K) >> PAGE_SHIFT, SECTION_PAGES) : 0n;
  const step = mode === 'pmem' && align < SZ_2M ? SZ_2M : align;
  const dataoff = alignUp(first + map, step) - (start + start_pad);
  if (dataoff >= left) return 'no room';
  return { start_pad, dataoff, end_trunc, npfns: (left - dataoff) / SZ_4K };
}

export interface AltmapLayout {
  readonly base_pfn: bigint;
  readonly end_pfn: bigint;
  readonly reserve: bigint;
  readonly free: bigint;
}

/** __nvdimm_setup_pfn for PFN_MODE_PMEM, with init_altmap_base and init_altmap_reserve. */
export function altmapLayout(
  start: bigint,
  size: bigint,
  block: { start_pad: bigint; end_trunc: bigint; dataoff: bigint },
  bySections = false,
): AltmapLayout {
  const pfn = (start + block.start_pad) >> PAGE_SHIFT;
  const base_pfn = pfn - (pfn % (bySections ? SECTION_PAGES : PAGES_PER_SUBSECTION));
  return {
    base_pfn,
    end_pfn: (start + size - 1n - block.end_trunc) >> PAGE_SHIFT,
    reserve: (nd_info_block_reserve >> PAGE_SHIFT) + (pfn - base_pfn),
    free: (block.dataoff - nd_info_block_reserve) >> PAGE_SHIFT,
  };
}
