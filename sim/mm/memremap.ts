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
  NULL,
  objectPointer,
} from '../c/value.ts';
import { errnoName } from '../include/errno.ts';
import { HOLE, MIGRATE_MOVABLE, PG_RESERVED, stateWord } from '../include/mmzone.ts';
import { PageKind, ZONE_DEVICE } from '../include/types.ts';
import { IORES_DESC_NONE, IORESOURCE_SYSTEM_RAM, REGION_DISJOINT, region_intersects } from '../kernel/resource.ts';
import {
  callFunction,
  dropReferences,
  newPercpuRef,
  type PercpuRef,
  percpu_ref_get_many,
  percpu_ref_kill,
  refAt,
} from '../lib/percpu-refcount.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import { zoneDeviceIsOn } from '../machine/options.ts';
import type { DeviceState, MappedPagemap, NativePagemapOps } from '../machine/state.ts';
import { runsOf } from '../store/column.ts';
import { removeItem } from '../store/remove.ts';
import type { KernelGenerator } from '../task/task.ts';
import {
  __remove_pages,
  add_pages,
  arch_add_memory,
  arch_remove_memory,
  mhp_range_allowed,
  move_pfn_range_to_zone,
} from './memory_hotplug.ts';
import { shrink_device_zone } from './memory_hotplug-old.ts';
import {
  type ByteRange,
  countsEachPage,
  get_dev_pagemap,
  integerField,
  kindOfType,
  type PagemapType,
  pagemapType,
  pfn_first,
  pgmap_altmap,
  pointerField,
  put_dev_pagemap,
  range_len,
  rangesOf,
  refOf,
  restsAtZero,
  shiftOf,
  structField,
} from './pagemap.ts';
import { holdersOf } from './pagemap_holders.ts';
import { pfn_valid } from './sparse.ts';
import { type CompoundDevmap, type VmemAltmap, vmem_altmap_offset } from './sparse-vmemmap.ts';
import { put_pages } from './zone_device_page.ts';
import { numa_mem_id } from './zonelist.ts';

const EINVAL = -22;
const ENOMEM = -12;
const ENXIO = -6;

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
  native?: NativePagemapOps,
): KernelGenerator<CPointer> {
  return yield* kernel.call(
    'memremap_pages',
    ['&pagemap', `nid ${nid}`],
    doMemremap(kernel, pgmap, nid, name, native),
    printPointer,
  );
}

/** A pointer as a result, for people. */
export const printPointer = (pointer: CPointer): string => {
  const error = errorOf(pointer);
  if (error !== undefined) return `ERR_PTR(-${errnoName(-error) ?? -error})`;
  return pointer.target.kind === 'address' ? hex(pointer.target.address) : pointer.to;
};

function* doMemremap(
  kernel: Kernel,
  pgmap: CStruct,
  nid: number,
  name: string,
  native: NativePagemapOps | undefined,
): KernelGenerator<CPointer> {
  if (!zoneDeviceIsOn(kernel))
    throw new BadAccess('memremap_pages: a kernel without CONFIG_ZONE_DEVICE has no such function');
  const ranges = rangesOf(kernel, pgmap);
  if (ranges.length === 0) {
    kernel.WARN('nr_range must be specified');
    return ERR_PTR(EINVAL);
  }
  const type = pagemapType(kernel, integerField(pgmap, 'type'));
  const missing = whatIsMissing(kernel, pgmap, type, native !== undefined);
  if (missing !== undefined) {
    kernel.WARN(missing);
    return ERR_PTR(EINVAL);
  }
  if (type === undefined) kernel.WARN(`Invalid pgmap type ${integerField(pgmap, 'type')}`);
  const { store, state } = kernel;
  const lacking = prepareReference(kernel, pgmap);
  if (lacking !== undefined) {
    if (lacking) kernel.WARN(lacking);
    return ERR_PTR(EINVAL);
  }
  const map: MappedPagemap = {
    id: state.nextPagemap,
    pgmap,
    name,
    node: nid < 0 ? numa_mem_id(kernel) : nid,
    ranges: [],
    ...(native ? { native } : {}),
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

/**
 * The reference of the mapping: part of the pagemap since 5.17. Before, the driver's, which comes with kill
 * and cleanup, or one the pagemap has inside, which comes without. What is wrong, if anything is.
 */
function prepareReference(kernel: Kernel, pgmap: CStruct): string | undefined {
  const { store } = kernel;
  if (kernel.facts.pagemapRefEmbedded) {
    store.set(pgmap, 'ref', newPercpuRef());
    return undefined;
  }
  const ops = structField(pgmap, 'ops');
  const has = (name: string): boolean => ops !== undefined && pointerField(ops, name) !== undefined;
  const given = pointerField(pgmap, 'ref');
  if (given) {
    if (!has('kill') || !has('cleanup')) return 'Missing reference count teardown definition';
    refAt(given, 'memremap_pages');
    return undefined;
  }
  if (has('kill') || has('cleanup')) return '';
  const internal = newPercpuRef();
  store.set(pgmap, 'internal_ref', internal);
  store.set(pgmap, 'ref', objectPointer(internal));
  return undefined;
}

/** The checks by type at the top of memremap_pages, in its order. */
function whatIsMissing(
  kernel: Kernel,
  pgmap: CStruct,
  type: PagemapType | undefined,
  isNative: boolean,
): string | undefined {
  const ops = structField(pgmap, 'ops');
  const has = (field: string): boolean => isNative || (ops !== undefined && pointerField(ops, field) !== undefined);
  const pageFree = kernel.facts.folioFreeCallback ? 'folio_free' : 'page_free';
  const ownerMissing = (): boolean => {
    const owner = pgmap.owner;
    if (!kernel.facts.devicePrivateOwnerRequired) return false;
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

/** memremap.c:pagemap_range: maps one range. 0 or an errno; what it did is undone on error, except as the kernel leaves it. */
function* pagemap_range(
  kernel: Kernel,
  map: MappedPagemap,
  range: ByteRange,
  index: number,
  type: PagemapType | undefined,
): KernelGenerator<number> {
  const { store } = kernel;
  const altmap = pgmap_altmap(kernel, map.pgmap);
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
  if (ref && countsEachPage(kernel, type))
    percpu_ref_get_many(kernel, ref, (pages - vmem_altmap_offset(altmap)) >>> shiftOf(map.pgmap));
  return 0;
}

/** The compound pages of a pagemap, counted from its first page. */
function compoundOf(kernel: Kernel, pgmap: CStruct, first: number): CompoundDevmap | undefined {
  const shift = kernel.facts.vmemmapShift ? shiftOf(pgmap) : 0;
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
  const start = pfn_first({ start: first }, pgmap_altmap(kernel, map.pgmap));
  const end = first + pages;
  const kind = kindOfType(kernel, type);
  // Heads and tails follow from the pagemap (compound_page.ts); an order above 15 does not fit the word.
  const shift = shiftOf(map.pgmap);
  kernel.pages.state.setRange(start, end, stateWord(kind, shift > 15 ? 0 : shift, ZONE_DEVICE, map.node));
  kernel.pages.flags.setRange(start, end, PG_RESERVED);
  kernel.pages.refcount.setRange(start, end, restsAtZero(kernel, type) ? 0 : 1);
  kernel.pages.mapcount.setRange(start, end, 0xffffffff);
  kernel.pages.pgmap.setRange(start, end, map.id);
}

/** memremap.c:devm_memremap_pages: the same for a device, undone when its driver is unbound. */
export function* devm_memremap_pages(kernel: Kernel, device: DeviceState, pgmap: CStruct): KernelGenerator<CPointer> {
  if (!zoneDeviceIsOn(kernel)) return without_zone_device(kernel);
  const result = yield* memremap_pages(kernel, pgmap, device.node, device.name);
  if (errorOf(result) !== undefined) return result;
  kernel.store.splice(device.actions, device.actions.length, 0, { what: 'memunmap_pages', subject: pgmap });
  return result;
}

/** include/linux/memremap.h: devm_memremap_pages of a kernel without CONFIG_ZONE_DEVICE. */
export function without_zone_device(kernel: Kernel): CPointer {
  kernel.WARN('devm_memremap_pages: this kernel has no CONFIG_ZONE_DEVICE');
  return ERR_PTR(ENXIO);
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
  const altmap = pgmap_altmap(kernel, pgmap);
  yield* dev_pagemap_kill(kernel, pgmap, ref);
  if (countsEachPage(kernel, type))
    for (const range of map.ranges)
      if (kernel.facts.pageFreeAtZero)
        dropReferences(kernel, ref, (range.end - pfn_first(range, altmap)) >>> shiftOf(pgmap));
      else yield* put_pages(kernel, map, pfn_first(range, altmap), range.end);
  yield* dev_pagemap_cleanup(kernel, map, ref);
  if (!removeItem(store, state.pgmaps, map))
    throw new BadAccess(
      'memunmap_pages: somebody else unmapped this pagemap while this call waited for its references',
    );
  for (const range of map.ranges) pageunmap_range(kernel, range, type, altmap);
  if (altmap && altmap.alloc !== 0n) kernel.WARN('failed to free all reserved pages');
}

/** memremap.c:dev_pagemap_kill: by ops->kill where the reference is the driver's. */
function* dev_pagemap_kill(kernel: Kernel, pgmap: CStruct, ref: PercpuRef): KernelGenerator<void> {
  const ops = kernel.facts.internalPagemapRef ? structField(pgmap, 'ops') : undefined;
  const kill = ops && pointerField(ops, 'kill');
  if (kill) yield* callFunction(kernel, kill, [pgmap]);
  else yield* percpu_ref_kill(kernel, ref);
}

/** memremap.c:dev_pagemap_cleanup: waits for the last reference, by ops->cleanup where it is the driver's. */
function* dev_pagemap_cleanup(kernel: Kernel, map: MappedPagemap, ref: PercpuRef): KernelGenerator<void> {
  const { pgmap } = map;
  const ops = kernel.facts.internalPagemapRef ? structField(pgmap, 'ops') : undefined;
  const cleanup = ops && pointerField(ops, 'cleanup');
  if (cleanup) yield* callFunction(kernel, cleanup, [pgmap]);
  else yield* waitForReferences(kernel, map, ref);
  if (pgmap.internal_ref === ref) kernel.store.set(pgmap, 'ref', NULL);
}

/** Sleeps until a dead pagemap has no reference left. */
export function* waitForReferences(kernel: Kernel, map: MappedPagemap, ref: PercpuRef): KernelGenerator<void> {
  if (ref.count === 0n) return;
  yield {
    kind: 'wait',
    on: {
      what: `the references of pagemap ${map.name} to be dropped`,
      ready: () => ref.count === 0n,
      holders: () => holdersOf(kernel, map, ref),
    },
  };
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
      if (!kernel.facts.zoneDeviceNeverShrinks) shrink_device_zone(kernel, range.start, range.end);
      clearPages(kernel, range.start, range.end, PageKind.Poisoned);
      if (type === 'PRIVATE') __remove_pages(kernel, range.start, pages, undefined);
      else arch_remove_memory(kernel, range.start, pages, altmap);
      forgetInvalid(kernel, range.start, range.end);
      kernel.pages.pageblock.setRange(range.start, range.end, MIGRATE_MOVABLE);
    },
    () => '',
  );
}

/** page_init_poison: every field reads 0xff.. from now on. */
export function clearPages(kernel: Kernel, start: number, end: number, kind: PageKind): void {
  kernel.pages.state.setRange(start, end, stateWord(kind, 0, 0, 0));
  kernel.pages.flags.setRange(start, end, 0);
  kernel.pages.refcount.setRange(start, end, 0);
  kernel.pages.mapcount.setRange(start, end, 0xffffffff);
  kernel.pages.pgmap.setRange(start, end, 0);
}

/** Struct pages of a section that is gone are gone with it. */
export function forgetInvalid(kernel: Kernel, start: number, end: number): void {
  for (const run of runsOf(kernel.pages.section, start, end))
    if (!pfn_valid(kernel, run.start)) kernel.pages.state.setRange(run.start, run.end, HOLE);
}
