/** The pieces sample machines are made of. */
import { PageKind, ZONE_NAMES } from '../../../sim/include/types.ts';
import type { Position, ResourceView, SectionRunView, ZoneView } from '../../../sim/view/types.ts';
import { put, type Run, usedRam } from './runs.ts';

const FULL: [number, number] = [0xffff_ffff, 0xffff_ffff];

export function zone(
  index: number,
  startPfn: number,
  spanned: number,
  present: number,
  managed: number,
  free: number,
  more: Partial<ZoneView> = {},
): ZoneView {
  const min = Math.floor(managed * 0.022);
  const delta = Math.floor(min / 4);
  return {
    index,
    name: ZONE_NAMES[index] ?? `zone${index}`,
    startPfn,
    spanned,
    present,
    managed,
    free,
    watermarks: { min, low: min + delta, high: min + 2 * delta, promo: min + 3 * delta },
    lowmemReserve: [0, 0, 0, 0, 0],
    freeByOrder: new Array(11).fill(0),
    changed: [],
    ...more,
  };
}

export const emptyZone = (index: number) => zone(index, 0, 0, 0, 0, 0);

export function sections(
  first: number,
  count: number,
  nid: number,
  zones: string[],
  more: Partial<SectionRunView> = {},
): SectionRunView {
  return {
    first,
    count,
    nid,
    zones,
    present: true,
    hasMemMap: true,
    online: true,
    early: true,
    taintZoneDevice: false,
    subsectionMap: FULL,
    raw: 'ffffea000000000f',
    changed: false,
    ...more,
  };
}

export const deviceSections = (
  first: number,
  count: number,
  nid: number,
  changed: boolean,
  more: Partial<SectionRunView> = {},
) =>
  sections(first, count, nid, ['Device'], { online: false, early: false, raw: 'ffffea0000000003', changed, ...more });

export function position(machine: string, step: number, steps: number, lastStep: string, revision: number): Position {
  return { revision, step, steps, machine, release: '6.12', lastStep };
}

export function resource(
  start: string,
  end: string,
  name: string,
  depth = 0,
  more: Partial<ResourceView> = {},
): ResourceView {
  return { start, end, name, depth, busy: false, desc: '', changed: false, ...more };
}

export const LOW_RESOURCES: ResourceView[] = [
  resource('0', 'fff', 'Reserved'),
  resource('1000', '9fbff', 'System RAM', 0, { busy: true }),
  resource('9fc00', '9ffff', 'Reserved'),
  resource('a0000', 'bffff', 'PCI Bus 0000:00'),
  resource('f0000', 'fffff', 'Reserved'),
  resource('f0000', 'fffff', 'System ROM', 1),
];
export const kernelImage = [
  resource('1000000', '17fffff', 'Kernel code', 1, { busy: true }),
  resource('1800000', '1a3cfff', 'Kernel rodata', 1, { busy: true }),
  resource('1c00000', '207b27f', 'Kernel data', 1, { busy: true }),
  resource('221f000', '23fffff', 'Kernel bss', 1, { busy: true }),
];

export function bootRam(end: number, seed: number, patches: number): Run[] {
  let runs = usedRam(0, end, seed, patches);
  runs = put(runs, 0, 1, PageKind.Reserved);
  runs = put(runs, 0x9f, 0x100, PageKind.Unavailable);
  return put(runs, 0x1000, 0x2400, PageKind.Reserved);
}
