/**
 * References on pages of ZONE_DEVICE, by release: get_page and put_page of include/linux/mm.h
 * and what mm/memremap.c (kernel/memremap.c to 5.2) does when a page becomes idle.
 */
import { BadAccess, type CPointer, type CValue, integer, NULL, pagePointer } from '../c/value.ts';
import type { Folio } from '../include/mm_types.ts';
import { kindOf, PG_LOCKED, withKind } from '../include/mmzone.ts';
import { PageKind } from '../include/types.ts';
import { folio_trylock } from '../kernel/locking.ts';
import {
  dropReferences,
  percpu_ref_get_many,
  percpu_ref_is_live,
  percpu_ref_put_many,
} from '../lib/percpu-refcount.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import type { MappedPagemap } from '../machine/state.ts';
import { runsOf } from '../store/column.ts';
import type { KernelGenerator } from '../task/task.ts';
import { compound_head } from './compound_page.ts';
import { clearFlag, newFolio, PG_ANON_EXCLUSIVE, releaseFolio } from './folio_record.ts';
import { __folio_put } from './freePages.ts';
import {
  handedOutByDriver,
  kindOfType,
  type PagemapType,
  page_pgmap,
  pointerField,
  put_dev_pagemap_call,
  refOf,
  structField,
  typeOf,
} from './pagemap.ts';

/** memremap.c:zone_device_page_init: the driver hands a free page out: refcount 1, locked. */
export function zone_device_page_init(kernel: Kernel, pfn: number, order = 0): void {
  if (kernel.isCrowded()) initPage(kernel, pfn, order);
  else
    kernel.leaf(
      'zone_device_page_init',
      order === 0 ? [hex(pfn)] : [hex(pfn), `order ${order}`],
      () => initPage(kernel, pfn, order),
      () => '',
    );
}

function initPage(kernel: Kernel, pfn: number, order: number): void {
  const map = page_pgmap(kernel, pfn);
  if (!map) throw new BadAccess(`zone_device_page_init: page ${hex(pfn)} has no pagemap: it is no page of a device`);
  const ref = refOf(map.pgmap);
  if (!ref || !percpu_ref_is_live(ref)) kernel.WARN('zone_device_page_init: the pagemap is not live');
  if (ref) percpu_ref_get_many(kernel, ref, 1 << order);
  kernel.pages.refcount.set(pfn, 1);
  const folio = newFolio(kernel, pfn, order, undefined, 0, undefined, map);
  // Nobody saw it before: its first state needs no way back.
  folio.locked_by = kernel.current;
  kernel.pages.flags.set(pfn, (kernel.pages.flags.get(pfn) | PG_LOCKED) >>> 0);
  for (let i = 0; i < 1 << order; i++) setKind(kernel, pfn + i, PageKind.DeviceInUse);
}

/**
 * What a driver does to hand a free page out, by release: zone_device_page_init from 6.1; before, the page rests
 * at 1, and to 5.17 a second reference says that it is in use. The page is locked.
 */
export function device_page_alloc(kernel: Kernel, pfn: number, order = 0): void {
  if (kernel.facts.devicePageRestsAtZero) {
    zone_device_page_init(kernel, pfn, order);
    return;
  }
  if (kernel.facts.pageFreeAtOne) get_page(kernel, pfn);
  folioOfDevice(kernel, pfn);
  folio_trylock(kernel, pfn);
}

/** The record of a device page in use; before 6.1 nothing tells when its use begins, so it is made when it is needed. */
export function folioOfDevice(kernel: Kernel, pfn: number): Folio {
  setKind(kernel, pfn, PageKind.DeviceInUse);
  return kernel.state.folios.get(pfn) ?? newFolio(kernel, pfn, 0, undefined, 0, undefined, page_pgmap(kernel, pfn));
}

function setKind(kernel: Kernel, pfn: number, kind: PageKind): void {
  const word = kernel.pages.state.get(pfn);
  if (kindOf(word) !== kind) kernel.pages.state.set(pfn, withKind(word, kind));
}

/** include/linux/mm.h:get_page. From 4.5 to 4.13 a device page's reference counts on its pagemap too. */
export function get_page(kernel: Kernel, page: number): void {
  const { refcount } = kernel.pages;
  const pfn = compound_head(kernel, page);
  if (refcount.get(pfn) === 0) {
    if (kindOf(kernel.pages.state.get(pfn)) === PageKind.Free)
      throw new BadAccess(`kernel BUG in get_page: page ${hex(pfn)} is free; whoever gets it next would share it`);
    kernel.WARN(`VM_BUG_ON_FOLIO: get_page of ${hex(pfn)} with refcount 0`);
  }
  refcount.add(pfn, 1);
  const map = page_pgmap(kernel, pfn);
  if (!map) return;
  const ref = refOf(map.pgmap);
  if (ref && kernel.facts.getPageTakesPagemapRef) percpu_ref_get_many(kernel, ref, 1);
  // Where idle is 1, a second reference is how a driver hands its page out.
  if (kernel.facts.pageFreeAtOne && refcount.get(pfn) === 2 && handedOutByDriver(typeOf(kernel, map.pgmap)))
    folioOfDevice(kernel, pfn);
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
  const type = typeOf(kernel, map.pgmap);
  const left = refcount.get(pfn);
  // A page of storage that nobody maps any more has no mapping; what it holds stays.
  if (!handedOutByDriver(type) && type !== 'PCI_P2PDMA' && kernel.pages.mapcount.get(pfn) === 0xffffffff)
    if (kernel.state.folios.has(pfn)) kernel.store.mapDelete(kernel.state.folios, pfn);
  if (kernel.facts.getPageTakesPagemapRef) {
    if (left === 0) kernel.WARN(`put_page: device page ${hex(pfn)} goes to the page allocator`);
    yield* put_dev_pagemap_call(kernel, map.pgmap);
  } else if (isManaged(kernel, type)) yield* putManaged(kernel, pfn, map, type, left);
  else if (left > 0) return;
  else if (kernel.facts.pageFreeAtZero)
    yield* kernel.call('free_zone_device_folio', [hex(pfn)], free_zone_device_page(kernel, pfn, map, type), () => '');
  // __put_page knows the zone: the page's reference on its pagemap goes, nothing is freed.
  else yield* put_dev_pagemap_call(kernel, map.pgmap);
}

/**
 * put_page inside a walk over many pages, for those that a driver handed out: without a call of its own in the
 * trace, and at once where nobody has to be called in C. What is left to do otherwise.
 */
export function put_device_page(kernel: Kernel, pfn: number): KernelGenerator<void> | undefined {
  const { refcount } = kernel.pages;
  const map = page_pgmap(kernel, pfn);
  const count = refcount.get(pfn);
  const type = map && typeOf(kernel, map.pgmap);
  if (!map?.native || count === 0 || !handedOutByDriver(type) || !kernel.facts.devicePrivate)
    return put_page(kernel, pfn);
  const idle = kernel.facts.pageFreeAtZero ? 0 : 1;
  if (count <= idle || (idle === 1 && !isManaged(kernel, type))) return put_page(kernel, pfn);
  refcount.set(pfn, count - 1);
  if (count - 1 > idle) return undefined;
  const order = forgetUse(kernel, pfn);
  const freed = map.native.page_free(kernel, pfn);
  return freed ? andRest(kernel, pfn, map, type, order, freed) : rest(kernel, pfn, map, type, order);
}

function* andRest(
  kernel: Kernel,
  pfn: number,
  map: MappedPagemap,
  type: PagemapType | undefined,
  order: number,
  freed: KernelGenerator<void>,
): KernelGenerator<void> {
  yield* freed;
  const told = rest(kernel, pfn, map, type, order);
  if (told) yield* told;
}

/** After the driver was told: the count and the pagemap's reference as the release has them for a free page. */
function rest(
  kernel: Kernel,
  pfn: number,
  map: MappedPagemap,
  type: PagemapType | undefined,
  order: number,
): KernelGenerator<void> | undefined {
  const count = 1 << order;
  for (let i = 0; i < count; i++) setKind(kernel, pfn + i, kindOfType(kernel, type));
  if (!kernel.facts.pageFreeAtZero) return undefined;
  if (!kernel.facts.pagemapRefPerAllocation) {
    if (!kernel.facts.fsdaxRestsAtZero) kernel.pages.refcount.set(pfn, 1);
    return undefined;
  }
  const ref = refOf(map.pgmap);
  if (!ref) return undefined;
  if (ref.count > BigInt(count)) {
    dropReferences(kernel, ref, count);
    return undefined;
  }
  return percpu_ref_put_many(kernel, ref, count);
}

/** Its life as a page of a process is over, of whose order it was: charge, record, contents, and the marks of an anonymous page. */
function forgetUse(kernel: Kernel, pfn: number): number {
  const order = kernel.state.folios.get(pfn)?.order ?? 0;
  releaseFolio(kernel, pfn);
  for (let i = 0; i < 1 << order; i++) clearFlag(kernel, pfn + i, PG_ANON_EXCLUSIVE);
  return order;
}

/**
 * put_page of every page from `start` to `end`, as unmapping does to 5.17: a page that is idle gives its
 * reference on the pagemap back; one in use keeps it until its user lets go.
 */
export function* put_pages(kernel: Kernel, map: MappedPagemap, start: number, end: number): KernelGenerator<void> {
  for (const run of runsOf(kernel.pages.refcount, start, end)) {
    if (run.value === 1) {
      kernel.pages.refcount.setRange(run.start, run.end, 0);
      const ref = refOf(map.pgmap);
      if (ref) yield* percpu_ref_put_many(kernel, ref, run.end - run.start);
    } else if (run.value > 1) for (let pfn = run.start; pfn < run.end; pfn++) yield* put_page(kernel, pfn);
  }
}

/** mm.h:put_devmap_managed_page, and before 4.18 the test for private and public pages in put_page itself. */
function isManaged(kernel: Kernel, type: PagemapType | undefined): boolean {
  if (kernel.facts.pageFreeAtZero) return type === 'FS_DAX' && kernel.facts.putDevmapManagedPage;
  if (!kernel.facts.putDevmapManagedPage) return handedOutByDriver(type);
  const isKeyOn = !kernel.facts.devmapManagedByDriver || kernel.state.devmap_managed_key > 0;
  return isKeyOn && (handedOutByDriver(type) || type === 'FS_DAX');
}

/** __put_devmap_managed_page: the page is idle at 1, and its last reference is the pagemap's. */
function* putManaged(
  kernel: Kernel,
  pfn: number,
  map: MappedPagemap,
  type: PagemapType | undefined,
  left: number,
): KernelGenerator<void> {
  if (left === 1) {
    const callback = callbackOf(kernel, map);
    if ((callback || map.native) && !kernel.facts.pageFreeAtZero) yield* tellDriver(kernel, callback, pfn, map);
    if (type === 'FS_DAX') wake_up_var(kernel, pfn);
    if (handedOutByDriver(type)) setKind(kernel, pfn, kindOfType(kernel, type));
  } else if (left === 0 && !kernel.facts.pageFreeAtZero) yield* put_dev_pagemap_call(kernel, map.pgmap);
}

/** Whoever waits for the page to be idle looks again. */
function wake_up_var(kernel: Kernel, pfn: number): void {
  kernel.leaf(
    'wake_up_var',
    [`&page ${hex(pfn)}->_refcount`],
    () => undefined,
    () => '',
  );
}

const callbackName = (kernel: Kernel): string => (kernel.facts.folioFreeCallback ? 'folio_free' : 'page_free');

/** page_free of the pagemap (to 5.2), of its ops (to 6.18), folio_free since. */
function callbackOf(kernel: Kernel, map: MappedPagemap): CPointer | undefined {
  const holder = kernel.facts.devPagemapOps ? structField(map.pgmap, 'ops') : map.pgmap;
  return holder && pointerField(holder, callbackName(kernel));
}

function* tellDriver(
  kernel: Kernel,
  callback: CPointer | undefined,
  pfn: number,
  map: MappedPagemap,
): KernelGenerator<void> {
  forgetUse(kernel, pfn);
  const freed = map.native?.page_free(kernel, pfn);
  if (freed) yield* freed;
  if (!kernel.callBack || !callback) return;
  const page = pagePointer(pfn);
  const args: CValue[] = [kernel.facts.folioFreeCallback ? { ...page, to: 'struct folio' } : page];
  if (!kernel.facts.devPagemapOps) args.push(dataOf(map));
  yield* kernel.callBack(callback, args);
}

/** pgmap->data, handed to page_free until 5.2. */
function dataOf(map: MappedPagemap): CValue {
  const { data } = map.pgmap;
  if (typeof data === 'bigint') return integer(data, 'unsigned long');
  return typeof data === 'object' && 'kind' in data ? (data as CPointer) : NULL;
}

/**
 * memremap.c:free_zone_device_folio (free_zone_device_page to 6.6): tells the driver, then rests the count.
 * Since 6.15 by type: a file system page only wakes who waits for it.
 */
function* free_zone_device_page(
  kernel: Kernel,
  pfn: number,
  map: MappedPagemap,
  type: PagemapType | undefined,
): KernelGenerator<void> {
  const callback = callbackOf(kernel, map);
  const byType = kernel.facts.fsdaxRestsAtZero;
  if (byType && type === 'FS_DAX') {
    wake_up_var(kernel, pfn);
    return;
  }
  if (byType && type === 'GENERIC') {
    kernel.pages.refcount.set(pfn, 1);
    return;
  }
  // The kernel's own p2pdma brings its page_free; a pagemap without one is a driver's mistake.
  if (!callback && !map.native) {
    kernel.WARN(`free_zone_device_folio: no ${callbackName(kernel)}`);
    return;
  }
  const order = kernel.state.folios.get(pfn)?.order ?? 0;
  yield* tellDriver(kernel, callback, pfn, map);
  if (handedOutByDriver(type)) {
    const told = rest(kernel, pfn, map, type, order);
    if (told) yield* told;
  } else if (!byType) kernel.pages.refcount.set(pfn, 1);
}
