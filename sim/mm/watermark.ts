/** How much of a zone a request must leave: mm/page_alloc.c and mm/internal.h (6.12). */
import { MAX_PAGE_ORDER } from '../arch/x86_64.ts';
import { MIGRATE_HIGHATOMIC, MIGRATE_RECLAIMABLE, type Zone } from '../include/mmzone.ts';
import { freeArea } from './buddy.ts';
import { __GFP_HIGH, __GFP_KSWAPD_RECLAIM } from './gfp.ts';

/* mm/internal.h: what a request may do. The watermark it must leave is in the low bits. */
export const ALLOC_WMARK_MIN = 0;
export const ALLOC_WMARK_LOW = 1;
export const ALLOC_WMARK_HIGH = 2;
export const ALLOC_WMARK_MASK = 3;
export const ALLOC_NO_WATERMARKS = 4;
export const ALLOC_OOM = 8;
export const ALLOC_NON_BLOCK = 0x10;
export const ALLOC_MIN_RESERVE = __GFP_HIGH;
export const ALLOC_NOFRAGMENT = 0x100;
export const ALLOC_HIGHATOMIC = 0x200;
export const ALLOC_KSWAPD = __GFP_KSWAPD_RECLAIM;
export const ALLOC_RESERVES = ALLOC_NON_BLOCK | ALLOC_MIN_RESERVE | ALLOC_HIGHATOMIC | ALLOC_OOM;

/** The mark the flags name, without boost. */
export const wmark = (zone: Zone, flags: number): number => {
  const { min, low, high } = zone.watermark;
  const level = flags & ALLOC_WMARK_MASK;
  return level === ALLOC_WMARK_MIN ? min : level === ALLOC_WMARK_HIGH ? high : low;
};

/**
 * page_alloc.c:__zone_watermark_ok: would a request of 2^order pages leave more than `mark`
 * and the reserve kept from requests that could have used higher zones? For order > 0 a
 * large enough block must be free, too.
 */
export function zone_watermark_ok(zone: Zone, order: number, mark: number, highestZone: number, flags = 0): boolean {
  if (headroom(zone, order, mark, highestZone, flags) <= 0) return false;
  if (order === 0) return true;
  for (let o = order; o <= MAX_PAGE_ORDER; o++) {
    const area = freeArea(zone, o);
    if (area.nr_free === 0) continue;
    for (let type = 0; type <= MIGRATE_RECLAIMABLE; type++) if (!area.isEmpty(type)) return true;
    if ((flags & (ALLOC_HIGHATOMIC | ALLOC_OOM)) !== 0 && !area.isEmpty(MIGRATE_HIGHATOMIC)) return true;
  }
  return false;
}

/** Pages above what must stay free; a request may go ahead while it is positive. */
export function headroom(zone: Zone, order: number, mark: number, highestZone: number, flags: number): number {
  let free = zone.nr_free - ((1 << order) - 1);
  let min = mark;
  if ((flags & ALLOC_RESERVES) === 0) free -= zone.nr_free_highatomic;
  else {
    if ((flags & ALLOC_MIN_RESERVE) !== 0) {
      min -= Math.floor(min / 2);
      if ((flags & ALLOC_NON_BLOCK) !== 0) min -= Math.floor(min / 4);
    }
    if ((flags & ALLOC_OOM) !== 0) min -= Math.floor(min / 2);
  }
  return free - min - (zone.lowmem_reserve[highestZone] ?? 0);
}

/** page_alloc.c:zone_watermark_fast: urgent single pages do not wait for a boosted mark. */
export function zone_watermark_fast(zone: Zone, order: number, highestZone: number, flags: number): boolean {
  const mark = wmark(zone, flags);
  if (zone_watermark_ok(zone, order, mark + zone.watermark_boost, highestZone, flags)) return true;
  const urgent = order === 0 && (flags & ALLOC_MIN_RESERVE) !== 0 && (flags & ALLOC_WMARK_MASK) === ALLOC_WMARK_MIN;
  return urgent && zone.watermark_boost > 0 && zone_watermark_ok(zone, order, mark, highestZone, flags);
}
