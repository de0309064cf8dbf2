/** struct dev_pagemap as the kernel reads it: include/linux/memremap.h and the look-up of mm/memremap.c. */
import { PAGES_PER_SECTION } from '../arch/x86_64.ts';
import { type CPointer, type CStruct, isNull, structAt } from '../c/value.ts';
import { PageKind } from '../include/types.ts';
import {
  dropReferences,
  type PercpuRef,
  percpu_ref_get_many,
  percpu_ref_put_many,
  percpu_ref_tryget_live,
} from '../lib/percpu-refcount.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import type { MappedPagemap } from '../machine/state.ts';
import type { KernelGenerator } from '../task/task.ts';
import { type VmemAltmap, vmem_altmap_offset } from './sparse-vmemmap.ts';

export type PagemapType = 'PRIVATE' | 'PUBLIC' | 'COHERENT' | 'FS_DAX' | 'GENERIC' | 'PCI_P2PDMA';

/**
 * include/linux/memremap.h:enum memory_type, whose numbers moved when COHERENT came. Until 5.2
 * the number 0 was everything that had no number: GENERIC here.
 */
export function pagemapType(kernel: Kernel, value: bigint): PagemapType | undefined {
  const { facts } = kernel;
  if (!facts.devicePrivate) return 'GENERIC';
  const types = facts.devicePublic ? WITH_PUBLIC : facts.deviceCoherent ? WITH_COHERENT : TYPES;
  // Asked again and again about the same pagemap; a bigint is slow to make an index of.
  if (value !== lastValue || types !== lastTypes) {
    lastType = types[Number(value)];
    lastValue = value;
    lastTypes = types;
  }
  return lastType;
}
let lastValue: bigint | undefined;
let lastTypes: readonly (PagemapType | undefined)[] | undefined;
let lastType: PagemapType | undefined;
const WITH_PUBLIC: readonly PagemapType[] = ['GENERIC', 'PRIVATE', 'PUBLIC', 'FS_DAX', 'PCI_P2PDMA'];
const WITH_COHERENT = [undefined, 'PRIVATE', 'COHERENT', 'FS_DAX', 'GENERIC', 'PCI_P2PDMA'] as const;
const TYPES = [undefined, 'PRIVATE', 'FS_DAX', 'GENERIC', 'PCI_P2PDMA'] as const;
/** The value of a type in this release's enum; 0 where it has no such type. */
export function pagemapTypeValue(kernel: Kernel, type: PagemapType): bigint {
  for (let value = 0n; value <= 5n; value++) if (pagemapType(kernel, value) === type) return value;
  return 0n;
}

export const typeOf = (kernel: Kernel, pgmap: CStruct): PagemapType | undefined =>
  pagemapType(kernel, integerField(pgmap, 'type'));

const KIND: Readonly<Record<PagemapType, PageKind>> = {
  PRIVATE: PageKind.DevicePrivate,
  PUBLIC: PageKind.DeviceCoherent,
  COHERENT: PageKind.DeviceCoherent,
  FS_DAX: PageKind.FsDax,
  GENERIC: PageKind.DevDax,
  PCI_P2PDMA: PageKind.PciP2pdma,
};
/** What a free page of the type is drawn and counted as. Before FS_DAX had a number, its pages had none. */
export const kindOfType = (kernel: Kernel, type: PagemapType | undefined): PageKind =>
  type === 'GENERIC' && !kernel.facts.fsdaxType ? PageKind.FsDax : KIND[type ?? 'GENERIC'];

export const handedOutByDriver = (type: PagemapType | undefined): boolean =>
  type === 'PRIVATE' || type === 'PUBLIC' || type === 'COHERENT';

/** Whether free pages of this type rest at refcount 0 in this release (semantics of memmap_init_zone_device). */
export function restsAtZero(kernel: Kernel, type: PagemapType | undefined): boolean {
  if (handedOutByDriver(type)) return kernel.facts.devicePageRestsAtZero;
  return (type === 'FS_DAX' || type === 'PCI_P2PDMA') && kernel.facts.fsdaxRestsAtZero;
}

/** Whether mapping takes a pagemap reference for each page of this type, rather than handing a page out. */
export const countsEachPage = (kernel: Kernel, type: PagemapType | undefined): boolean =>
  kernel.facts.pageHoldsPagemapRef && !(handedOutByDriver(type) && kernel.facts.pagemapRefPerAllocation);

export interface ByteRange {
  start: bigint;
  end: bigint;
}
/** include/linux/range.h:range_len: bytes, the end is inclusive. */
export const range_len = (range: ByteRange): bigint => BigInt.asUintN(64, range.end - range.start + 1n);

export const integerField = (object: CStruct, field: string): bigint => {
  const value = object[field];
  return typeof value === 'bigint' ? value : 0n;
};
/** A struct member, embedded or behind a pointer. */
export const structField = (object: CStruct, field: string): CStruct | undefined => {
  const value = object[field];
  if (typeof value !== 'object') return undefined;
  if ('$struct' in value) return value as CStruct;
  return 'kind' in value ? structAt(value as CPointer) : undefined;
};
/** A pointer member that is not NULL. */
export const pointerField = (object: CStruct, field: string): CPointer | undefined => {
  const value = object[field];
  return typeof value === 'object' && 'kind' in value && !isNull(value as CPointer) ? (value as CPointer) : undefined;
};

/** The ranges of a pagemap: `range` or `ranges[]` (a union), or `res` before 5.10. */
export function rangesOf(kernel: Kernel, pgmap: CStruct): ByteRange[] {
  const read = (object: CStruct | undefined): ByteRange[] =>
    object ? [{ start: integerField(object, 'start'), end: integerField(object, 'end') }] : [];
  if (!kernel.facts.pgmapRanges) return read(structField(pgmap, 'res'));
  const count = Number(integerField(pgmap, 'nr_range'));
  const array = pgmap.ranges;
  const more = typeof array === 'object' && '$array' in array ? array.elements : undefined;
  if (count > 1 && Array.isArray(more))
    return more
      .slice(0, count)
      .flatMap((element) => (typeof element === 'object' && '$struct' in element ? read(element as CStruct) : []));
  return count === 1 ? read(structField(pgmap, 'range')) : [];
}

/** include/linux/memremap.h: the altmap of a pagemap is in use. */
export const PGMAP_ALTMAP_VALID = 1n;

/** The altmap in use: by pointer to 4.15, by altmap_valid to 5.2, by PGMAP_ALTMAP_VALID since. */
export function pgmap_altmap(kernel: Kernel, pgmap: CStruct): VmemAltmap | undefined {
  const used = kernel.facts.pagemapFlags
    ? (integerField(pgmap, 'flags') & PGMAP_ALTMAP_VALID) !== 0n
    : !kernel.facts.pagemapArgument || integerField(pgmap, 'altmap_valid') !== 0n;
  return used ? (structField(pgmap, 'altmap') as VmemAltmap | undefined) : undefined;
}

/** pfn of the first page that is not memmap of its own: memremap.c:pfn_first. */
export const pfn_first = (range: { start: number }, altmap: VmemAltmap | undefined): number =>
  range.start + vmem_altmap_offset(altmap);

export const shiftOf = (pgmap: CStruct): number => Number(integerField(pgmap, 'vmemmap_shift'));

/** The reference of a pagemap: embedded since 5.17, the driver's or the pagemap's own before. */
export const refOf = (pgmap: CStruct): PercpuRef | undefined => structField(pgmap, 'ref') as PercpuRef | undefined;

const sectionOf = (pfn: number): number => Math.floor(pfn / PAGES_PER_SECTION);

/** The pagemap whose struct pages `pfn` has, whatever its state: xa_load(&pgmap_array, pfn). To 4.13 any pfn of its sections finds it. */
export function pagemapAt(kernel: Kernel, pfn: number): MappedPagemap | undefined {
  const bySection = kernel.facts.pagemapKeyedBySection;
  return kernel.state.pgmaps.find((map) =>
    map.ranges.some((range) =>
      bySection
        ? sectionOf(pfn) >= sectionOf(range.start) && sectionOf(pfn) <= sectionOf(range.end - 1)
        : pfn >= range.start && pfn < range.end,
    ),
  );
}

/** page->pgmap: the pagemap a ZONE_DEVICE page points to. */
export function page_pgmap(kernel: Kernel, pfn: number): MappedPagemap | undefined {
  const id = kernel.pages.pgmap.get(pfn);
  if (id !== 0) for (const map of kernel.state.pgmaps) if (map.id === id) return map;
  return undefined;
}

/** memremap.c:get_dev_pagemap: the live pagemap at `pfn` with one more reference, or nothing. */
export function get_dev_pagemap(kernel: Kernel, pfn: number): MappedPagemap | undefined {
  return kernel.leaf(
    'get_dev_pagemap',
    [hex(pfn)],
    () => {
      const map = pagemapAt(kernel, pfn);
      const ref = map && refOf(map.pgmap);
      return ref && percpu_ref_tryget_live(kernel, ref) ? map : undefined;
    },
    (map) => (map ? map.name : 'NULL'),
  );
}

/**
 * The same with a pagemap the caller holds already. If it covers the page it is returned, to 4.15 with
 * one more reference; if not, its reference is dropped, which it was not to 4.15. Only its first range counts.
 */
export function* get_dev_pagemap_cached(
  kernel: Kernel,
  pfn: number,
  cached: CStruct,
): KernelGenerator<CStruct | undefined> {
  const [range] = kernel.state.pgmaps.find((map) => map.pgmap === cached)?.ranges ?? [];
  const keeps = kernel.facts.cachedPagemapKeepsReference;
  if (range && pfn >= range.start && pfn < range.end) {
    const ref = refOf(cached);
    if (!keeps && ref) percpu_ref_get_many(kernel, ref, 1);
    return cached;
  }
  if (keeps) yield* put_dev_pagemap_call(kernel, cached);
  return get_dev_pagemap(kernel, pfn)?.pgmap;
}

/** put_dev_pagemap where the last reference tells nobody: pagemaps the kernel counts for itself. */
export function put_dev_pagemap(kernel: Kernel, pgmap: CStruct): void {
  const ref = refOf(pgmap);
  if (ref && ref.count > 0n) dropReferences(kernel, ref, 1);
}

/** put_dev_pagemap: the last reference of a driver's own counter calls its release function. */
export function* put_dev_pagemap_call(kernel: Kernel, pgmap: CStruct): KernelGenerator<void> {
  const ref = refOf(pgmap);
  if (ref) yield* percpu_ref_put_many(kernel, ref, 1);
}
