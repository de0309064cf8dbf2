/** Numbers as people read them. The engine's counts are pages; bytes follow from the page size. */

const grouped = new Intl.NumberFormat('en-US');
const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'] as const;

/** `524,155`. */
export function count(n: number): string {
  return grouped.format(n);
}

/** `1 page`, `4,096 pages`. */
export function pageCount(n: number): string {
  return `${count(n)} ${n === 1 ? 'page' : 'pages'}`;
}

/** The size of `pages` pages in the largest unit that keeps it at 1 or more: `15.62 MiB`, `2 GiB`. */
export function size(pages: number, pageSize: number): string {
  let value = pages * pageSize;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1 && !isExactHere(value, unit)) {
    value /= 1024;
    unit++;
  }
  const shown = value >= 100 ? Math.round(value * 10) / 10 : Math.round(value * 100) / 100;
  return `${shown} ${UNITS[unit]}`;
}

/** `1150 GiB` says more than `1.12 TiB`. */
function isExactHere(value: number, unit: number): boolean {
  return UNITS[unit] === 'GiB' && value < 10240 && Number.isInteger(value) && value % 256 !== 0;
}

/** A size without a trailing fraction, for axis labels: `4 GiB`, `0`. */
export function axisSize(pages: number, pageSize: number): string {
  return pages === 0 ? '0' : size(pages, pageSize);
}

export function hex(n: number): string {
  return `0x${n.toString(16)}`;
}

/** Adds `0x` where C prints none. */
export function hexText(digits: string): string {
  return digits.startsWith('0x') ? digits : `0x${digits}`;
}

export function physical(pfn: number, pageSize: number): string {
  return hex(pfn * pageSize);
}

/** `0x100000–0x13ffff`, the last page frame included, as the kernel prints ranges. */
export function pfnRange(startPfn: number, endPfn: number): string {
  return endPfn - startPfn <= 1 ? hex(startPfn) : `${hex(startPfn)}–${hex(endPfn - 1)}`;
}

/** `12.5%`; a share that is not nothing never reads as 0. */
export function percent(share: number): string {
  if (share <= 0) return '0%';
  if (share >= 1) return '100%';
  const rounded = Math.round(share * 1000) / 10;
  if (rounded === 0) return '<0.1%';
  return rounded === 100 ? '>99.9%' : `${rounded}%`;
}

const SUFFIX: Readonly<Record<string, number>> = { k: 10, m: 20, g: 30, t: 40, p: 50 };

/**
 * What a person typed into "Go to": a page frame number, a physical address, or a size from
 * the bottom of memory (`5G`). A number that is a page frame of the machine is taken as one,
 * else as an address. Undefined when it is neither.
 */
export function parsePlace(typed: string, pageSize: number, has: (pfn: number) => boolean): number | undefined {
  const clean = typed
    .trim()
    .toLowerCase()
    .replaceAll(/[,_\s]/g, '');
  const sized = /^(\d+(?:\.\d+)?)([kmgtp])(?:ib|b)?$/.exec(clean);
  if (sized) {
    const pfn = Math.floor((Number(sized[1]) * 2 ** (SUFFIX[sized[2] ?? ''] ?? 0)) / pageSize);
    return has(pfn) ? pfn : undefined;
  }
  const plain = /^(?:pfn:?)?(0x[0-9a-f]{1,13}|\d{1,15})$/.exec(clean);
  const bare = /^(?=.*[a-f])[0-9a-f]{1,13}$/.test(clean) ? `0x${clean}` : undefined;
  const digits = plain?.[1] ?? bare;
  if (digits === undefined) return undefined;
  const value = Number(digits);
  if (!Number.isSafeInteger(value)) return undefined;
  if (has(value)) return value;
  const pfn = Math.floor(value / pageSize);
  return has(pfn) ? pfn : undefined;
}
