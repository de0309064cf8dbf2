/**
 * The vocabulary of the engine: units as types, and what a page frame can be.
 *
 * Byte addresses and every 64-bit C integer are `bigint`; page frame numbers and
 * page counts are `number` (at most 2^40, far below 2^53).
 */

/** A page frame number: a physical address divided by the page size. */
export type Pfn = number & { readonly unit?: 'pfn' };
/** A number of pages. */
export type Pages = number & { readonly unit?: 'pages' };
/** A physical address in bytes. */
export type PhysAddr = bigint & { readonly unit?: 'phys' };
/** A kernel or user virtual address. */
export type Vaddr = bigint & { readonly unit?: 'vaddr' };
/** log2 of a number of pages. */
export type Order = number & { readonly unit?: 'order' };

/**
 * What a page frame is, for drawing and counting: the low four bits of the state
 * column of `struct page`. The kernel has no such field; it follows from the
 * buddy lists, the flags and the zone.
 */
export const PageKind = {
  /** No struct page: not pfn_valid. */
  Hole: 0,
  /** PG_reserved since boot: firmware, kernel image, memblock reservations. */
  Reserved: 1,
  /** On a buddy free list. */
  Free: 2,
  /** Allocated by the kernel. */
  Kernel: 3,
  Anon: 4,
  File: 5,
  /** Holds struct pages (a memmap), allocated from RAM or from an altmap. */
  Memmap: 6,
  /** In a memory block that is not online. */
  Offline: 7,
  /** MEMORY_DEVICE_PRIVATE, free. */
  DevicePrivate: 8,
  DeviceCoherent: 9,
  FsDax: 10,
  /** MEMORY_DEVICE_GENERIC (devdax). */
  DevDax: 11,
  PciP2pdma: 12,
  /** A struct page exists but was poisoned or never initialised. */
  Poisoned: 13,
  /** A struct page over a hole in RAM (init_unavailable_range). */
  Unavailable: 14,
  /** A device-private or coherent page handed out by its driver. */
  DeviceInUse: 15,
} as const;
export type PageKind = (typeof PageKind)[keyof typeof PageKind];
export const PAGE_KINDS = 16;

/** Zone indices of x86_64 (`enum zone_type`, include/linux/mmzone.h). */
export const ZONE_DMA = 0;
export const ZONE_DMA32 = 1;
export const ZONE_NORMAL = 2;
export const ZONE_MOVABLE = 3;
export const ZONE_DEVICE = 4;
export const ZONE_NAMES = ['DMA', 'DMA32', 'Normal', 'Movable', 'Device'] as const;
