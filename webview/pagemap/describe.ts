/** Cells and pages in words: for tooltips, for screen readers, for the clipboard. */
import type { PageView } from '../../sim/view/types.ts';
import { hex, hexText, pageCount, percent, pfnRange, physical, size } from '../shared/format.ts';
import { kindName } from '../shared/kinds.ts';
import type { Place } from './layout.ts';
import type { CellValue } from './tiles.ts';

/** What a cell holds: `Free 92%, Kernel` or `Device private`. */
export function kindsText(value: CellValue | undefined): string {
  if (value === undefined) return 'not loaded yet';
  if (value.second === value.kind) return kindName(value.kind);
  return `${kindName(value.kind)} ${percent(value.share)}, then ${kindName(value.second)}`;
}

/** One sentence for a cell; the decoded page is added where it is the cell's. */
export function describeCell(
  place: Place,
  value: CellValue | undefined,
  pageSize: number,
  label: string,
  page: PageView | undefined,
): string {
  const pages = place.endPfn - place.startPfn;
  const where =
    pages === 1
      ? `pfn ${hex(place.startPfn)}, physical ${physical(place.startPfn, pageSize)}`
      : `pfn ${pfnRange(place.startPfn, place.endPfn)}, ${pageCount(pages)}, ${size(pages, pageSize)}`;
  const parts = [where, kindsText(value), label];
  if (value?.changed === true) parts.push('changed by the last step');
  if (page !== undefined && page.pfn === place.startPfn) parts.push(describePage(page));
  return parts.filter((part) => part !== '').join('; ');
}

/** `page 0x140000: zone Device, device private, refcount 0`. */
export function describePage(page: PageView): string {
  const parts = [`page ${hex(page.pfn)}: ${page.kindText}`];
  if (!page.valid) parts.push('no struct page');
  if (page.zone !== undefined) parts.push(`zone ${page.zone}`);
  if (page.refcount !== undefined) parts.push(`refcount ${page.refcount}`);
  if (page.mapcount !== undefined) parts.push(`mapcount ${page.mapcount}`);
  if (page.changed.length > 0) parts.push(`changed: ${page.changed.join(', ')}`);
  return parts.join(', ');
}

/** The inspector as plain text. */
export function pageAsText(page: PageView): string {
  const lines: [string, string | number | undefined][] = [
    ['pfn', hex(page.pfn)],
    ['physical', hexText(page.physical)],
    ['kind', page.kindText],
    ['valid', page.valid ? 'yes' : 'no'],
    ['online', page.online ? 'yes' : 'no'],
    ['struct page', `${hexText(page.pageAddress)} (${page.pageAddressText})`],
    ['flags', page.flags === undefined ? undefined : hexText(page.flags)],
    ...page.flagFields.map((field): [string, string] => [`  ${field.name}`, field.text || String(field.value)]),
    ['refcount', page.refcount],
    ['mapcount', page.mapcount],
    ['order', page.order],
    ['node', page.node],
    ['zone', page.zone],
    ['section', `${page.section}, sub-section ${page.subsection} (${page.sectionState})`],
    ['memory block', page.block],
    ['pgmap', page.pgmap],
    ['resource', page.resource],
  ];
  return lines
    .filter(([, value]) => value !== undefined && value !== '')
    .map(([name, value]) => `${name}: ${value}`)
    .join('\n');
}
