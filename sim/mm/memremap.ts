/**
 * ZONE_DEVICE: mm/memremap.c (6.12, with the differences of 5.3 to 7.3 as facts).
 * Functions stand in the kernel's order.
 */
import {
  addressPointer,
  BadAccess,
  type CPointer,
  type CStruct,
  ERR_PTR,
  errorOf,
  isNull,
  structAt,
} from '../c/value.ts';
import { errnoName } from '../include/errno.ts';
import { HOLE, MIGRATE_MOVABLE, PG_LOCKED, PG_RESERVED, stateWord, withKind } from '../include/mmzone.ts';
import { PageKind, ZONE_DEVICE } from '../include/types.ts';
import { IORES_DESC_NONE, IORESOURCE_SYSTEM_RAM, REGION_DISJOINT, region_intersects } from '../kernel/resource.ts';
import { type DeviceState, hex, type Kernel, type MappedPagemap } from '../machine/kernel.ts';
import { runsOf } from '../store/column.ts';
import type { KernelGenerator } from '../task/task.ts';
import { compound_head } from './compound_devmap.ts';
import {
  __remove_pages,
  add_pages,
  arch_add_memory,
  arch_remove_memory,
  mhp_range_allowed,
  move_pfn_range_to_zone,
} from './memory_hotplug.ts';
import { __folio_put } from './page_alloc.ts';
import { pfn_valid } from './sparse.ts';
import { type CompoundDevmap, type VmemAltmap, vmem_altmap_offset } from './sparse-vmemmap.ts';

const EINVAL = -22;
const ENOMEM = -12;
const ENXIO = -6;

export type PagemapType = 'PRIVATE' | 'COHERENT' | 'FS_DAX' | 'GENERIC' | 'PCI_P2PDMA';

/** include/linux/memremap.h:enum memory_type, whose numbers moved when COHERENT came. */
export function pagemapType(kernel: Kernel, value: bigint): PagemapType | undefined {
  const types: readonly PagemapType[] = kernel.has('deviceCoherent')
    ? ['PRIVATE', 'COHERENT', 'FS_DAX', 'GENERIC', 'PCI_P2PDMA']
    : ['PRIVATE', 'FS_DAX', 'GENERIC', 'PCI_P2PDMA'];
  return types[Number(value) - 1];
}

/** The value of a type in this release's enum; 0 where it has no such type. */
export function pagemapTypeValue(kernel: Kernel, type: PagemapType): bigint {
  for (let value = 1n; value <= 5n; value++) if (pagemapType(kernel, value) === type) return value;
  return 0n;
}

const KIND: Readonly<Record<PagemapType, PageKind>> = {
  PRIVATE: PageKind.DevicePrivate,
  COHERENT: PageKind.DeviceCoherent,
  FS_DAX: PageKind.FsDax,
  GENERIC: PageKind.DevDax,
  PCI_P2PDMA: PageKind.PciP2pdma,
};

const handedOutByDriver = (type: PagemapType | undefined): boolean => type === 'PRIVATE' || type === 'COHERENT';

/** Whether free pages of this type rest at refcount 0 in this release (semantics of memmap_init_zone_device). */
function restsAtZero(kernel: Kernel, type: PagemapType | undefined): boolean {
  if (handedOutByDriver(type)) return kernel.has('devicePageRestsAtZero');
  return (type === 'FS_DAX' || type === 'PCI_P2PDMA') && kernel.has('fsdaxRestsAtZero');
}

const PGMAP_ALTMAP_VALID = 1n;

export interface ByteRange {
  start: bigint;
  end: bigint;
}
/** include/linux/range.h:range_len: bytes, the end is inclusive. */
export const range_len = (range: ByteRange): bigint => BigInt.asUintN(64, range.end - range.start + 1n);

const integerField = (object: CStruct, field: string): bigint => {
  const value = object[field];
  return typeof value === 'bigint' ? value : 0n;
};
const structField = (object: CStruct, field: string): CStruct | undefined => {
  const value = object[field];
  return typeof value === 'object' && '$struct' in value ? (value as CStruct) : undefined;
};
const pointerField = (object: CStruct, field: string): CPointer | undefined => {
  const value = object[field];
  return typeof value === 'object' && 'kind' in value ? (value as CPointer) : undefined;
};

/** The ranges of a pagemap: `range` or `ranges[]` (a union), or `res` before 5.10. */
function rangesOf(kernel: Kernel, pgmap: CStruct): ByteRange[] {
  const read = (object: CStruct | undefined): ByteRange[] =>
    object ? [{ start: integerField(object, 'start'), end: integerField(object, 'end') }] : [];
  if (!kernel.has('pgmapRanges')) return read(structField(pgmap, 'res'));
  const count = Number(integerField(pgmap, 'nr_range'));
  const array = pgmap.ranges;
  const more = typeof array === 'object' && '$array' in array ? array.elements : undefined;
  if (count > 1 && Array.isArray(more))
    return more
      .slice(0, count)
      .flatMap((element) => (typeof element === 'object' && '$struct' in element ? read(element as CStruct) : []));
  return count === 1 ? read(structField(pgmap, 'range')) : [];
}

function pgmap_altmap(pgmap: CStruct): VmemAltmap | undefined {
  if ((integerField(pgmap, 'flags') & PGMAP_ALTMAP_VALID) === 0n) return undefined;
  return structField(pgmap, 'altmap') as VmemAltmap | undefined;
}

/** pfn of the first page that is not memmap of its own: memremap.c:pfn_first. */
const pfn_first = (range: { start: number }, altmap: VmemAltmap | undefined): number =>
  range.start + vmem_altmap_offset(altmap);

const shiftOf = (pgmap: CStruct): number => Number(integerField(pgmap, 'vmemmap_shift'));

/* ---- the percpu reference of a pagemap ---- */

export interface PercpuRef extends CStruct {
  readonly $struct: 'percpu_ref';
  count: bigint;
  /** 1 from percpu_ref_kill on. */
  dead: bigint;
}

export function refOf(pgmap: CStruct): PercpuRef | undefined {
  return structField(pgmap, 'ref') as PercpuRef | undefined;
}

function percpu_ref_add(kernel: Kernel, ref: PercpuRef, count: number): void {
  kernel.store.set(ref, 'count', ref.count + BigInt(count));
}

/** The pagemap whose struct pages `pfn` has, whatever its state: xa_load(&pgmap_array, pfn). */
export function pagemapAt(kernel: Kernel, pfn: number): MappedPagemap | undefined {
  return kernel.state.pgmaps.find((map) => map.ranges.some((range) => pfn >= range.start && pfn < range.end));
}

/** page->pgmap: the pagemap a ZONE_DEVICE page points to. */
export function page_pgmap(kernel: Kernel, pfn: number): MappedPagemap | undefined {
  const id = kernel.pages.pgmap.get(pfn);
  return id === 0 ? undefined : kernel.state.pgmaps.find((map) => map.id === id);
}

/** memremap.c:get_dev_pagemap: the live pagemap at `pfn` with one more reference, or nothing. */
export function get_dev_pagemap(kernel: Kernel, pfn: number): MappedPagemap | undefined {
  return kernel.leaf(
    'get_dev_pagemap',
    [hex(pfn)],
    () => {
      const map = pagemapAt(kernel, pfn);
      const ref = map && refOf(map.pgmap);
      if (!map || !ref || ref.dead !== 0n || ref.count === 0n) return undefined;
      percpu_ref_add(kernel, ref, 1);
      return map;
    },
    (map) => (map ? map.name : 'NULL'),
  );
}

export function put_dev_pagemap(kernel: Kernel, pgmap: CStruct): void {
  const ref = refOf(pgmap);
  if (ref && ref.count > 0n) percpu_ref_add(kernel, ref, -1);
}

/* ---- memremap_pages ---- */

/**
 * memremap.c:memremap_pages: maps the ranges of `pgmap` as ZONE_DEVICE.
 * @returns the linear-map address of the first range (not mapped for PRIVATE), or ERR_PTR:
 * -EINVAL for a pagemap that lacks what its type needs or a range that does not fit,
 * -ENXIO where System RAM is in the way, -ENOMEM for a conflict or no memory for struct pages.
 */
export function* memremap_pages(
  kernel: Kernel,
  pgmap: CStruct,
  nid: number,
  name = 'dev_pagemap',
): KernelGenerator<CPointer> {
  return yield* kernel.call(
    'memremap_pages',
    ['&pagemap', `nid ${nid}`],
    doMemremap(kernel, pgmap, nid, name),
    printPointer,
  );
}

const printPointer = (pointer: CPointer): string => {
  const error = errorOf(pointer);
  if (error !== undefined) return `ERR_PTR(-${errnoName(-error) ?? -error})`;
  return pointer.target.kind === 'address' ? hex(pointer.target.address) : pointer.to;
};

function* doMemremap(kernel: Kernel, pgmap: CStruct, nid: number, name: string): KernelGenerator<CPointer> {
  const ranges = rangesOf(kernel, pgmap);
  if (ranges.length === 0) {
    kernel.WARN('nr_range must be specified');
    return ERR_PTR(EINVAL);
  }
  const type = pagemapType(kernel, integerField(pgmap, 'type'));
  const missing = whatIsMissing(kernel, pgmap, type);
  if (missing !== undefined) {
    kernel.WARN(missing);
    return ERR_PTR(EINVAL);
  }
  if (type === undefined) kernel.WARN(`Invalid pgmap type ${integerField(pgmap, 'type')}`);
  const { store, state } = kernel;
  store.set(pgmap, 'ref', { $struct: 'percpu_ref', count: 1n, dead: 0n } satisfies PercpuRef);
  const map: MappedPagemap = {
    id: state.nextPagemap,
    pgmap,
    name,
    node: nid < 0 ? numa_mem_id(kernel) : nid,
    ranges: [],
  };
  store.set(state, 'nextPagemap', map.id + 1);
  store.splice(state.pgmaps, state.pgmaps.length, 0, map);
  for (const [index, range] of ranges.entries()) {
    const error = yield* kernel.call(
      'pagemap_range',
      [`${hex(range.start)}-${hex(range.end)}`, `range ${index}`],
      pagemap_range(kernel, map, range, index, type),
      String,
    );
    if (error) {
      yield* memunmap_pages(kernel, pgmap);
      return ERR_PTR(error);
    }
  }
  return addressPointer(kernel.arch.PAGE_OFFSET + (ranges[0]?.start ?? 0n));
}

/** The checks by type at the top of memremap_pages, in its order. */
function whatIsMissing(kernel: Kernel, pgmap: CStruct, type: PagemapType | undefined): string | undefined {
  const opsPointer = pointerField(pgmap, 'ops');
  const ops = opsPointer && structAt(opsPointer);
  const has = (field: string): boolean => {
    const member = ops && pointerField(ops, field);
    return member !== undefined && !isNull(member);
  };
  const pageFree = kernel.has('folioFreeCallback') ? 'folio_free' : 'page_free';
  const ownerMissing = (): boolean => {
    const owner = pgmap.owner;
    if (!kernel.has('devicePrivateOwnerRequired')) return false;
    return (
      owner === undefined || owner === 0n || (typeof owner === 'object' && 'kind' in owner && isNull(owner as CPointer))
    );
  };
  if (type === 'PRIVATE') {
    if (!has('migrate_to_ram')) return 'Missing migrate_to_ram method';
    if (!has(pageFree)) return `Missing ${pageFree} method`;
    if (ownerMissing()) return 'Missing owner';
  }
  if (type === 'COHERENT') {
    if (!has(pageFree)) return `Missing ${pageFree} method`;
    if (ownerMissing()) return 'Missing owner';
  }
  return undefined;
}

/** topology.h:numa_mem_id: the node of this CPU, or the nearest with memory. */
export function numa_mem_id(kernel: Kernel): number {
  return kernel.nodes.find((node) => node.node_present_pages > 0)?.node_id ?? 0;
}

/** memremap.c:pagemap_range: maps one range. 0 or an errno; what it did is undone on error, except as the kernel leaves it. */
function* pagemap_range(
  kernel: Kernel,
  map: MappedPagemap,
  range: ByteRange,
  index: number,
  type: PagemapType | undefined,
): KernelGenerator<number> {
  const { store } = kernel;
  const altmap = pgmap_altmap(map.pgmap);
  if (altmap && index > 0) {
    kernel.WARN('altmap not supported for multiple ranges');
    return EINVAL;
  }
  const first = Number(range.start >> 12n);
  const last = Number(range.end >> 12n);
  for (const pfn of [first, last]) {
    const conflict = get_dev_pagemap(kernel, pfn);
    if (conflict) {
      kernel.WARN('Conflicting mapping in same section');
      put_dev_pagemap(kernel, conflict.pgmap);
      return ENOMEM;
    }
  }
  const length = range_len(range);
  const ram = kernel.leaf(
    'region_intersects',
    [hex(range.start), hex(length), 'IORESOURCE_SYSTEM_RAM'],
    () => region_intersects(kernel.state.iomem, range.start, length, IORESOURCE_SYSTEM_RAM, IORES_DESC_NONE),
    (result) => ['REGION_INTERSECTS', 'REGION_DISJOINT', 'REGION_MIXED'][result] ?? String(result),
  );
  if (ram !== REGION_DISJOINT) {
    kernel.WARN(`attempted on ${ram === 0 ? 'ram' : 'mixed'} region ${hex(range.start)}-${hex(range.end)}`);
    return ENXIO;
  }
  const place = { start: first, end: last + 1 };
  store.splice(map.ranges, map.ranges.length, 0, place);
  const unwind = (): void => {
    store.splice(map.ranges, map.ranges.indexOf(place), 1);
  };
  if (!mhp_range_allowed(kernel, range.start, length)) {
    unwind();
    return EINVAL;
  }
  const pages = Number(length >> 12n);
  const params = { altmap, pgmap: true, compound: compoundOf(kernel, map.pgmap, first) };
  const error = (type === 'PRIVATE' ? add_pages : arch_add_memory)(kernel, map.node, first, pages, params);
  if (error) {
    unwind();
    return error;
  }
  const zone = kernel.zone(map.node, ZONE_DEVICE);
  move_pfn_range_to_zone(kernel, zone, first, pages, altmap, MIGRATE_MOVABLE);
  kernel.leaf(
    'memmap_init_zone_device',
    [hex(pfn_first({ start: first }, altmap)), String(pages - vmem_altmap_offset(altmap))],
    () => memmap_init_zone_device(kernel, map, first, pages, type),
    () => '',
  );
  const ref = refOf(map.pgmap);
  if (ref && !handedOutByDriver(type))
    percpu_ref_add(kernel, ref, (pages - vmem_altmap_offset(altmap)) >>> shiftOf(map.pgmap));
  return 0;
}

/** The compound pages of a pagemap, counted from its first page. */
function compoundOf(kernel: Kernel, pgmap: CStruct, first: number): CompoundDevmap | undefined {
  const shift = kernel.has('vmemmapShift') ? shiftOf(pgmap) : 0;
  return shift > 0 ? { base: first, pages: 2 ** shift } : undefined;
}

/** mm_init.c:memmap_init_zone_device: initialises the struct pages of a range. */
function memmap_init_zone_device(
  kernel: Kernel,
  map: MappedPagemap,
  first: number,
  pages: number,
  type: PagemapType | undefined,
): void {
  const start = pfn_first({ start: first }, pgmap_altmap(map.pgmap));
  const end = first + pages;
  const kind = type ? KIND[type] : PageKind.DevDax;
  // Heads and tails follow from the pagemap (compound_devmap.ts); an order above 15 does not fit the word.
  const shift = shiftOf(map.pgmap);
  kernel.pages.state.setRange(start, end, stateWord(kind, shift > 15 ? 0 : shift, ZONE_DEVICE, map.node));
  kernel.pages.flags.setRange(start, end, PG_RESERVED);
  kernel.pages.refcount.setRange(start, end, restsAtZero(kernel, type) ? 0 : 1);
  kernel.pages.mapcount.setRange(start, end, 0xffffffff);
  kernel.pages.pgmap.setRange(start, end, map.id);
}

/** memremap.c:devm_memremap_pages: the same for a device, undone when its driver is unbound. */
export function* devm_memremap_pages(kernel: Kernel, device: DeviceState, pgmap: CStruct): KernelGenerator<CPointer> {
  const result = yield* memremap_pages(kernel, pgmap, device.node, device.name);
  if (errorOf(result) !== undefined) return result;
  kernel.store.splice(device.actions, device.actions.length, 0, { what: 'memunmap_pages', subject: pgmap });
  return result;
}

/* ---- memunmap_pages ---- */

/**
 * memremap.c:memunmap_pages: kills the reference, waits until every page handed out has
 * come back, then takes the struct pages away. The zone's span stays (since 5.4).
 */
export function* memunmap_pages(kernel: Kernel, pgmap: CStruct): KernelGenerator<void> {
  return yield* kernel.call('memunmap_pages', ['&pagemap'], doMemunmap(kernel, pgmap), () => '');
}

function* doMemunmap(kernel: Kernel, pgmap: CStruct): KernelGenerator<void> {
  const { store, state } = kernel;
  const map = state.pgmaps.find((candidate) => candidate.pgmap === pgmap);
  const ref = refOf(pgmap);
  if (!map || !ref)
    throw new BadAccess(
      'memunmap_pages: this pagemap is not mapped (memremap_pages failed, or was never called). The kernel would follow its reference counter into nowhere.',
    );
  const type = pagemapType(kernel, integerField(pgmap, 'type'));
  store.set(ref, 'dead', 1n);
  percpu_ref_add(kernel, ref, -1);
  const altmap = pgmap_altmap(pgmap);
  if (!handedOutByDriver(type))
    for (const range of map.ranges)
      percpu_ref_add(kernel, ref, -((range.end - pfn_first(range, altmap)) >>> shiftOf(pgmap)));
  if (ref.count > 0n)
    yield {
      kind: 'wait',
      on: {
        what: `the references of pagemap ${map.name} to be dropped`,
        ready: () => ref.count === 0n,
        holders: () => holdersOf(kernel, map, ref),
      },
    };
  for (const range of map.ranges) pageunmap_range(kernel, range, type, altmap);
  store.splice(state.pgmaps, state.pgmaps.indexOf(map), 1);
  if (altmap && altmap.alloc !== 0n) kernel.WARN('failed to free all reserved pages');
}

/** Who keeps a pagemap alive: pages its driver handed out, and callers of get_dev_pagemap. */
function holdersOf(kernel: Kernel, map: MappedPagemap, ref: PercpuRef): string[] {
  const inUse: string[] = [];
  let pages = 0;
  for (const range of map.ranges)
    kernel.pages.state.runs(range.start, range.end, (start, end, word) => {
      if ((word & 15) !== PageKind.DeviceInUse) return undefined;
      pages += end - start;
      if (inUse.length < 4)
        inUse.push(end - start === 1 ? `page ${hex(start)}` : `pages ${hex(start)}-${hex(end - 1)}`);
      return undefined;
    });
  const others = Number(ref.count) - pages;
  return [...inUse, ...(others > 0 ? [`${others} reference(s) of get_dev_pagemap`] : [])];
}

/** memremap.c:pageunmap_range. */
function pageunmap_range(
  kernel: Kernel,
  range: { start: number; end: number },
  type: PagemapType | undefined,
  altmap: VmemAltmap | undefined,
): void {
  kernel.leaf(
    'pageunmap_range',
    [`${hex(range.start)}-${hex(range.end - 1)}`],
    () => {
      const pages = range.end - range.start;
      clearPages(kernel, range.start, range.end, PageKind.Poisoned);
      if (type === 'PRIVATE') __remove_pages(kernel, range.start, pages, undefined);
      else arch_remove_memory(kernel, range.start, pages, altmap);
      // Struct pages of a section that is gone are gone with it.
      forgetInvalid(kernel, range.start, range.end);
      kernel.pages.pageblock.setRange(range.start, range.end, MIGRATE_MOVABLE);
    },
    () => '',
  );
}

/** page_init_poison: every field reads 0xff.. from now on. */
function clearPages(kernel: Kernel, start: number, end: number, kind: PageKind): void {
  kernel.pages.state.setRange(start, end, stateWord(kind, 0, 0, 0));
  kernel.pages.flags.setRange(start, end, 0);
  kernel.pages.refcount.setRange(start, end, 0);
  kernel.pages.mapcount.setRange(start, end, 0xffffffff);
  kernel.pages.pgmap.setRange(start, end, 0);
}

function forgetInvalid(kernel: Kernel, start: number, end: number): void {
  for (const run of runsOf(kernel.pages.section, start, end))
    if (!pfn_valid(kernel, run.start)) kernel.pages.state.setRange(run.start, run.end, HOLE);
}

/* ---- pages of a device ---- */

/** memremap.c:zone_device_page_init: the driver hands a free page out: refcount 1, locked. */
export function zone_device_page_init(kernel: Kernel, pfn: number): void {
  kernel.leaf(
    'zone_device_page_init',
    [hex(pfn)],
    () => {
      const map = page_pgmap(kernel, pfn);
      const ref = map && refOf(map.pgmap);
      if (ref?.dead !== 0n) kernel.WARN('zone_device_page_init: the pagemap is not live');
      if (ref) percpu_ref_add(kernel, ref, 1);
      kernel.pages.refcount.set(pfn, 1);
      kernel.pages.flags.set(pfn, (kernel.pages.flags.get(pfn) | PG_LOCKED) >>> 0);
      kernel.pages.state.set(pfn, withKind(kernel.pages.state.get(pfn), PageKind.DeviceInUse));
    },
    () => '',
  );
}

/** include/linux/mm.h:get_page. */
export function get_page(kernel: Kernel, page: number): void {
  const { refcount } = kernel.pages;
  const pfn = compound_head(kernel, page);
  if (refcount.get(pfn) === 0) kernel.WARN(`VM_BUG_ON_FOLIO: get_page of ${hex(pfn)} with refcount 0`);
  refcount.add(pfn, 1);
}

/** include/linux/mm.h:put_page for a ZONE_DEVICE page: at the count where it is free, the driver is told. */
export function* put_page(kernel: Kernel, pfn: number): KernelGenerator<void> {
  return yield* kernel.call('put_page', [hex(pfn)], doPutPage(kernel, compound_head(kernel, pfn)), () => '');
}

function* doPutPage(kernel: Kernel, pfn: number): KernelGenerator<void> {
  const { refcount } = kernel.pages;
  if (refcount.get(pfn) === 0) {
    kernel.WARN(`put_page: refcount of ${hex(pfn)} is 0 already`);
    return;
  }
  refcount.add(pfn, -1);
  const map = page_pgmap(kernel, pfn);
  if (!map) {
    if (refcount.get(pfn) === 0) __folio_put(kernel, pfn);
    return;
  }
  const type = pagemapType(kernel, integerField(map.pgmap, 'type'));
  const freeAt = kernel.has('pageFreeAtZero') || !handedOutByDriver(type) ? 0 : 1;
  if (refcount.get(pfn) === freeAt)
    yield* kernel.call('free_zone_device_folio', [hex(pfn)], free_zone_device_page(kernel, pfn, map, type), () => '');
}

/** memremap.c:free_zone_device_folio: tells the driver by ops->page_free, then rests the count. */
function* free_zone_device_page(
  kernel: Kernel,
  pfn: number,
  map: MappedPagemap,
  type: PagemapType | undefined,
): KernelGenerator<void> {
  const name = kernel.has('folioFreeCallback') ? 'folio_free' : 'page_free';
  const opsPointer = pointerField(map.pgmap, 'ops');
  const ops = opsPointer && structAt(opsPointer);
  const callback = ops && pointerField(ops, name);
  if (!callback || isNull(callback)) {
    if (handedOutByDriver(type)) kernel.WARN(`free_zone_device_folio: no ${name}`);
  } else if (kernel.callBack) {
    const page: CPointer = { kind: 'pointer', to: 'struct page', target: { kind: 'page', pfn } };
    yield* kernel.callBack(callback, [page]);
  }
  if (handedOutByDriver(type)) {
    kernel.pages.state.set(
      pfn,
      withKind(kernel.pages.state.get(pfn), type === 'COHERENT' ? PageKind.DeviceCoherent : PageKind.DevicePrivate),
    );
    put_dev_pagemap(kernel, map.pgmap);
    if (!kernel.has('devicePageRestsAtZero')) kernel.pages.refcount.set(pfn, 1);
  } else if (!restsAtZero(kernel, type)) {
    kernel.pages.refcount.set(pfn, 1);
  }
}
