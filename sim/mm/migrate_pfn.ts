/** include/linux/migrate.h: the entries of src and dst: a page frame shifted left by six, and bits. Numbers, not words: pfn * 64 + bits. */
export const MIGRATE_PFN_VALID = 1;
export const MIGRATE_PFN_MIGRATE = 2;
/** To 5.15: the page is locked. */
export const MIGRATE_PFN_LOCKED = 4;
export const MIGRATE_PFN_WRITE = 8;
/** To 5.3: the source is a device page; later the bit stands for COMPOUND. */
export const MIGRATE_PFN_DEVICE = 16;
/** From 6.19: the entry is of a whole huge page. */
export const MIGRATE_PFN_COMPOUND = 16;
/** To 5.3; never read by the kernel: an entry of this bit alone has no page. */
export const MIGRATE_PFN_ERROR = 32;
const SHIFT = 64;

export const MIGRATE_VMA_SELECT_SYSTEM = 1;
export const MIGRATE_VMA_SELECT_DEVICE_PRIVATE = 2;
export const MIGRATE_VMA_SELECT_DEVICE_COHERENT = 4;
export const MIGRATE_VMA_SELECT_COMPOUND = 8;

export const migrate_pfn = (pfn: number): number => pfn * SHIFT + MIGRATE_PFN_VALID;
/** The page frame of an entry; -1 for one without a page (migrate_pfn_to_page gives NULL). */
export const migratePfnOf = (entry: number): number =>
  (entry & MIGRATE_PFN_VALID) === 0 ? -1 : Math.floor(entry / SHIFT);
const bitsOf = (entry: number): number => entry & (SHIFT - 1);
export const hasBit = (entry: number, bit: number): boolean => (bitsOf(entry) & bit) !== 0;
export const withBit = (entry: number, bit: number): number => entry - bitsOf(entry) + (bitsOf(entry) | bit);
export const withoutBit = (entry: number, bit: number): number => entry - bitsOf(entry) + (bitsOf(entry) & ~bit);
