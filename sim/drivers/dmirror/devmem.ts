/** lib/test_hmm.c: the memory of the test device: chunks of 256 MiB, and the pages handed out of them. */
import { type CStruct, errorOf } from '../../c/value.ts';
import { mutex_lock, mutex_unlock } from '../../kernel/locking.ts';
import { __release_region, type Resource, resource } from '../../kernel/resource.ts';
import { hex, type Kernel } from '../../machine/kernel.ts';
import type { NativePagemapOps } from '../../machine/state.ts';
import { memremap_pages, memunmap_pages } from '../../mm/memremap.ts';
import { request_free_mem_region } from '../../mm/memremapFunctions.ts';
import { pagemapTypeValue } from '../../mm/pagemap.ts';
import { device_page_alloc } from '../../mm/zone_device_page.ts';
import { numa_node_id } from '../../mm/zonelist.ts';
import type { KernelGenerator } from '../../task/task.ts';
import { allocBacking, dmirror_devmem_folio_split, freeBacking, stateOf } from './backing.ts';
import {
  CHUNK_BYTES,
  CHUNK_PAGES,
  type Dmirror,
  type DmirrorChunk,
  type DmirrorDevice,
  dmirror_is_private_zone,
  dmirror_page_to_chunk,
  HPAGE_PMD_NR,
  HPAGE_PMD_ORDER,
} from './dmirror.ts';
import { pop, push, pushRange, removeChunk } from './free_list.ts';
import { dmirror_device_evict_chunk, dmirror_devmem_fault } from './to_ram.ts';

const ENOMEM = -12;

/** dmirror_devmem_ops. */
const dmirror_devmem_ops: NativePagemapOps = {
  page_free: dmirror_devmem_free,
  migrate_to_ram: dmirror_devmem_fault,
  folio_split: dmirror_devmem_folio_split,
};

/** The region of a new chunk and its pagemap, as the release spells it. */
function newPagemap(
  kernel: Kernel,
  mdevice: DmirrorDevice,
): { pagemap: CStruct; start: bigint; found: Resource | undefined } | number {
  const isPrivate = dmirror_is_private_zone(mdevice);
  const found = isPrivate ? request_free_mem_region(kernel, kernel.state.iomem, CHUNK_BYTES, 'hmm_dmirror') : undefined;
  if (isPrivate && !found) return ENOMEM;
  const start = found ? found.start : mdevice.spm;
  const end = start + CHUNK_BYTES - 1n;
  const pagemap: CStruct = {
    $struct: 'dev_pagemap',
    type: pagemapTypeValue(kernel, mdevice.type),
    owner: mdevice.owner,
  };
  // Not in the store yet: nobody else can see it.
  if (kernel.facts.pgmapRanges) {
    pagemap.range = { $struct: 'range', start, end };
    pagemap.nr_range = 1n;
  } else pagemap.res = resource(start, end, 'hmm_dmirror', found?.flags ?? 0n, found?.desc);
  return { pagemap, start, found };
}

/**
 * dmirror_allocate_chunk: one more chunk. With `ppage` its first free page (huge page) is the caller's.
 * The page, 0 without `ppage`, or an errno.
 */
export function* dmirror_allocate_chunk(
  kernel: Kernel,
  mdevice: DmirrorDevice,
  ppage: 'none' | 'page' | 'folio',
): KernelGenerator<number> {
  const { store } = kernel;
  const made = newPagemap(kernel, mdevice);
  if (typeof made === 'number') return made;
  const { pagemap, found } = made;
  yield* mutex_lock(kernel, mdevice.devmem_lock);
  const pointer = yield* memremap_pages(kernel, pagemap, numa_node_id(kernel), 'hmm_dmirror', dmirror_devmem_ops);
  const error = errorOf(pointer);
  if (error !== undefined) {
    mutex_unlock(kernel, mdevice.devmem_lock);
    if (found) __release_region(store, kernel.state.iomem, found.start, CHUNK_BYTES);
    return error;
  }
  const start = Number(made.start >> 12n);
  const chunk: DmirrorChunk = {
    mdevice,
    pagemap,
    start,
    end: start + CHUNK_PAGES,
    resource: found,
    remove: false,
  };
  store.splice(mdevice.chunks, mdevice.chunks.length, 0, chunk);
  mutex_unlock(kernel, mdevice.devmem_lock);
  const count = mdevice.chunks.length;
  kernel.pr_info(
    `added new 256 MB chunk (total ${count} chunks, ${count * 256} MB) PFNs [${hex(start)} ${hex(chunk.end)})`,
  );
  if (ppage === 'folio') {
    pushRange(kernel, mdevice.free_folios, start, chunk.end, HPAGE_PMD_NR);
    return take(kernel, mdevice, true);
  }
  pushRange(kernel, mdevice.free_pages, start, chunk.end);
  return ppage === 'page' ? take(kernel, mdevice, false) : 0;
}

/** The first free page of a device, or -ENOMEM. */
function take(kernel: Kernel, mdevice: DmirrorDevice, isLarge: boolean): number {
  const pfn = isLarge ? pop(kernel, mdevice.free_folios, HPAGE_PMD_NR) : pop(kernel, mdevice.free_pages);
  if (pfn === undefined) return ENOMEM;
  kernel.store.willAdd(mdevice, 'calloc');
  mdevice.calloc += isLarge ? HPAGE_PMD_NR : 1;
  return pfn;
}

/**
 * dmirror_devmem_alloc_page: a page of the device, locked, with its one reference; -1 without memory. Only a device
 * that has to grow may sleep.
 */
export function dmirror_devmem_alloc_page(
  kernel: Kernel,
  dmirror: Dmirror,
  isLarge = false,
): number | KernelGenerator<number> {
  const { mdevice } = dmirror;
  const isPrivate = dmirror_is_private_zone(mdevice);
  const rpage = isPrivate ? allocBacking(kernel, isLarge ? HPAGE_PMD_ORDER : 0) : 0;
  if (rpage < 0) return -1;
  const pfn = take(kernel, mdevice, isLarge);
  return pfn < 0 ? grow(kernel, dmirror, isLarge, rpage) : handOut(kernel, dmirror, isLarge, rpage, pfn);
}

function* grow(kernel: Kernel, dmirror: Dmirror, isLarge: boolean, rpage: number): KernelGenerator<number> {
  const pfn = yield* dmirror_allocate_chunk(kernel, dmirror.mdevice, isLarge ? 'folio' : 'page');
  if (pfn >= 0) return handOut(kernel, dmirror, isLarge, rpage, pfn);
  if (dmirror_is_private_zone(dmirror.mdevice)) freeBacking(kernel, rpage, isLarge ? HPAGE_PMD_NR : 1);
  return -1;
}

function handOut(kernel: Kernel, dmirror: Dmirror, isLarge: boolean, rpage: number, pfn: number): number {
  const isPrivate = dmirror_is_private_zone(dmirror.mdevice);
  device_page_alloc(kernel, pfn, isLarge ? HPAGE_PMD_ORDER : 0);
  const { backing, user, huge } = stateOf(kernel);
  if (isPrivate) kernel.store.mapSet(backing, pfn, rpage);
  if (isLarge) kernel.store.mapSet(huge, pfn, true);
  kernel.store.mapSet(user, pfn, dmirror);
  return pfn;
}

/** dmirror_devmem_free (page_free, folio_free since 6.19): back to the list, the RAM behind it to the kernel. */
function dmirror_devmem_free(kernel: Kernel, pfn: number): undefined {
  const { store } = kernel;
  const { backing, user, huge } = stateOf(kernel);
  const order = huge.size > 0 && huge.has(pfn) ? HPAGE_PMD_ORDER : 0;
  const chunk = dmirror_page_to_chunk(kernel, pfn);
  if (!chunk) return undefined;
  const { mdevice } = chunk;
  const rpage = backing.get(pfn);
  if (rpage !== undefined) {
    freeBacking(kernel, rpage, 1 << order);
    store.mapDelete(backing, pfn);
  }
  store.mapDelete(user, pfn);
  if (order > 0) store.mapDelete(huge, pfn);
  if (chunk.remove) return undefined;
  store.willAdd(mdevice, 'cfree');
  mdevice.cfree += 1 << order;
  if (order > 0) push(kernel, mdevice.free_folios, pfn, HPAGE_PMD_NR);
  else push(kernel, mdevice.free_pages, pfn);
  return undefined;
}

/** dmirror_device_remove_chunks: evicts what is out, and unmaps the memory. Sleeps while pages are held. */
export function* dmirror_device_remove_chunks(kernel: Kernel, mdevice: DmirrorDevice): KernelGenerator<void> {
  const { store } = kernel;
  yield* mutex_lock(kernel, mdevice.devmem_lock);
  for (const chunk of [...mdevice.chunks]) {
    store.set(chunk, 'remove', true);
    removeChunk(kernel, mdevice.free_folios, chunk.start, chunk.end, HPAGE_PMD_NR);
    removeChunk(kernel, mdevice.free_pages, chunk.start, chunk.end);
    if (kernel.facts.migrateDeviceRange) yield* dmirror_device_evict_chunk(kernel, chunk);
    yield* memunmap_pages(kernel, chunk.pagemap);
    if (chunk.resource) __release_region(store, kernel.state.iomem, chunk.resource.start, CHUNK_BYTES);
  }
  store.splice(mdevice.chunks, 0, mdevice.chunks.length);
  store.splice(mdevice.free_pages, 0, mdevice.free_pages.length);
  store.splice(mdevice.free_folios, 0, mdevice.free_folios.length);
  mutex_unlock(kernel, mdevice.devmem_lock);
}
