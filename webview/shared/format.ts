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
