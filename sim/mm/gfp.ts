/**
 * Allocation flags: include/linux/gfp_types.h and gfp.h. The bits are those of 5.0 and
 * later, which never moved since; before 5.0 they were others, and the engine knows them not.
 */
import { MIGRATE_MOVABLE, MIGRATE_UNMOVABLE } from '../include/mmzone.ts';
import { ZONE_DMA, ZONE_DMA32, ZONE_MOVABLE, ZONE_NORMAL } from '../include/types.ts';
import type { Kernel } from '../machine/kernel.ts';

export const __GFP_DMA = 0x1;
export const __GFP_HIGHMEM = 0x2;
export const __GFP_DMA32 = 0x4;
export const __GFP_MOVABLE = 0x8;
export const __GFP_RECLAIMABLE = 0x10;
export const __GFP_HIGH = 0x20;
export const __GFP_IO = 0x40;
export const __GFP_FS = 0x80;
export const __GFP_ZERO = 0x100;
export const __GFP_DIRECT_RECLAIM = 0x400;
export const __GFP_KSWAPD_RECLAIM = 0x800;
export const __GFP_NOWARN = 0x2000;
export const __GFP_RETRY_MAYFAIL = 0x4000;
export const __GFP_NOFAIL = 0x8000;
export const __GFP_NORETRY = 0x10000;
export const __GFP_MEMALLOC = 0x20000;
export const __GFP_COMP = 0x40000;
export const __GFP_NOMEMALLOC = 0x80000;
export const __GFP_HARDWALL = 0x100000;
export const __GFP_THISNODE = 0x200000;
export const __GFP_ACCOUNT = 0x400000;

export const GFP_KERNEL = __GFP_DIRECT_RECLAIM | __GFP_KSWAPD_RECLAIM | __GFP_IO | __GFP_FS;
export const GFP_USER = GFP_KERNEL | __GFP_HARDWALL;
export const GFP_HIGHUSER = GFP_USER | __GFP_HIGHMEM;
export const GFP_HIGHUSER_MOVABLE = GFP_HIGHUSER | __GFP_MOVABLE;

/** gfp.h:GFP_ZONE_TABLE for a kernel without ZONE_HIGHMEM, by the four zone bits. */
const ZONE_OF: Readonly<Record<number, number>> = {
  0: ZONE_NORMAL,
  [__GFP_DMA]: ZONE_DMA,
  [__GFP_HIGHMEM]: ZONE_NORMAL,
  [__GFP_DMA32]: ZONE_DMA32,
  [__GFP_MOVABLE]: ZONE_NORMAL,
  [__GFP_MOVABLE | __GFP_DMA]: ZONE_DMA,
  [__GFP_MOVABLE | __GFP_HIGHMEM]: ZONE_MOVABLE,
  [__GFP_MOVABLE | __GFP_DMA32]: ZONE_DMA32,
};

/**
 * gfp.h:gfp_zone: the highest zone a request may use; ZONE_DEVICE is never one. Combinations
 * that make no sense give zone 0, as the table does where CONFIG_DEBUG_VM is off.
 */
export const gfp_zone = (gfp: number): number => ZONE_OF[gfp & 15] ?? ZONE_DMA;

/** gfp.h:gfp_migratetype: the free lists a request takes from first. */
export function gfp_migratetype(kernel: Kernel, gfp: number): number {
  if (kernel.state.page_group_by_mobility_disabled) return MIGRATE_UNMOVABLE;
  return (gfp & (__GFP_MOVABLE | __GFP_RECLAIMABLE)) >>> 3;
}

/** The flags of a plain request for pages of one migrate type: GFP_KERNEL, or that of pages which can be moved. */
export const gfpOf = (migratetype: number): number =>
  migratetype === MIGRATE_MOVABLE ? GFP_HIGHUSER_MOVABLE : GFP_KERNEL | (migratetype << 3);

/* include/trace/events/mmflags.h: the names %pGg prints, combinations before single bits. */
const NAMES: readonly [string, number][] = [
  ['GFP_TRANSHUGE', 0x1c24ca | __GFP_NOWARN],
  ['GFP_TRANSHUGE_LIGHT', 0x1c20ca | __GFP_NOWARN],
  ['GFP_HIGHUSER_MOVABLE', GFP_HIGHUSER_MOVABLE],
  ['GFP_HIGHUSER', GFP_HIGHUSER],
  ['GFP_USER', GFP_USER],
  ['GFP_KERNEL_ACCOUNT', GFP_KERNEL | __GFP_ACCOUNT],
  ['GFP_KERNEL', GFP_KERNEL],
  ['GFP_NOFS', GFP_KERNEL & ~__GFP_FS],
  ['GFP_ATOMIC', __GFP_HIGH | __GFP_KSWAPD_RECLAIM],
  ['GFP_NOIO', __GFP_DIRECT_RECLAIM | __GFP_KSWAPD_RECLAIM],
  ['GFP_DMA', __GFP_DMA],
  ['GFP_DMA32', __GFP_DMA32],
  ['__GFP_HIGHMEM', __GFP_HIGHMEM],
  ['__GFP_MOVABLE', __GFP_MOVABLE],
  ['__GFP_RECLAIMABLE', __GFP_RECLAIMABLE],
  ['__GFP_HIGH', __GFP_HIGH],
  ['__GFP_IO', __GFP_IO],
  ['__GFP_FS', __GFP_FS],
  ['__GFP_ZERO', __GFP_ZERO],
  ['__GFP_DIRECT_RECLAIM', __GFP_DIRECT_RECLAIM],
  ['__GFP_KSWAPD_RECLAIM', __GFP_KSWAPD_RECLAIM],
  ['__GFP_NOWARN', __GFP_NOWARN],
  ['__GFP_RETRY_MAYFAIL', __GFP_RETRY_MAYFAIL],
  ['__GFP_NOFAIL', __GFP_NOFAIL],
  ['__GFP_NORETRY', __GFP_NORETRY],
  ['__GFP_MEMALLOC', __GFP_MEMALLOC],
  ['__GFP_COMP', __GFP_COMP],
  ['__GFP_NOMEMALLOC', __GFP_NOMEMALLOC],
  ['__GFP_HARDWALL', __GFP_HARDWALL],
  ['__GFP_THISNODE', __GFP_THISNODE],
  ['__GFP_ACCOUNT', __GFP_ACCOUNT],
];

/** A mask as %#x(%pGg) prints it. */
export function gfpText(gfp: number): string {
  const names: string[] = [];
  let left = gfp;
  for (const [name, mask] of NAMES)
    if ((left & mask) === mask) {
      names.push(name);
      left &= ~mask;
    }
  if (left !== 0 || names.length === 0) names.push(`0x${left.toString(16)}`);
  return `0x${gfp.toString(16)}(${names.join('|')})`;
}
