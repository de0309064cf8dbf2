/**
 * A file of persistent memory mapped by a process, as far as physical pages show it (drivers/nvdimm/pmem.c,
 * fs/dax.c): through the page cache (PMEM), as bare page frames (DAX), or with struct pages (DAX-GUP, from 4.5).
 */
import type { AddressSpace } from '../include/mm_types.ts';
import { MIGRATE_MOVABLE } from '../include/mmzone.ts';
import { PageKind } from '../include/types.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import { unmap_mapping_range } from '../mm/dax_iomap.ts';
import { newAddressSpace } from '../mm/filemap.ts';
import { __free_pages_ok } from '../mm/freePages.ts';
import { alloc_pages_node } from '../mm/page_alloc.ts';
import { page_pgmap, typeOf } from '../mm/pagemap.ts';
import { put_page } from '../mm/zone_device_page.ts';
import { numa_mem_id } from '../mm/zonelist.ts';
import type { KernelGenerator } from '../task/task.ts';

export type DaxModel = 'PMEM' | 'DAX' | 'DAX-GUP';

export interface DaxMapping {
  readonly name: string;
  readonly model: DaxModel;
  /** First page frame of the file's storage. */
  readonly start: number;
  readonly pages: number;
  /** Pages that were touched, and the frame behind them. */
  readonly faulted: Map<number, number>;
  /** References that get_user_pages took and nobody gave back, by frame. */
  readonly held: Map<number, HeldPage>;
  /** False once it was unmapped with pages still held. */
  mapped: boolean;
}
export interface HeldPage {
  /** The page of the file. */
  readonly page: number;
  readonly get: number;
  readonly pin: number;
}

/* include/linux/pfn_t.h: flags above the page frame number. */
export const PFN_DEV = 1n << 61n;
export const PFN_MAP = 1n << 60n;
/** arch/x86/include/asm/pgtable_types.h. */
export const _PAGE_DEVMAP = 1n << 57n;
const _PAGE_SPECIAL = 1n << 9n;
/** Present, writable, user, accessed, dirty, no execution. */
const PTE = 0x8000000000000067n;

/** The model a mapping of these frames gets: struct pages of a live mapping throughout make it usable for DMA. */
export function modelOf(kernel: Kernel, start: number, pages: number): DaxModel {
  if (!kernel.facts.devPagemap) return 'DAX';
  const map = page_pgmap(kernel, start);
  const isWhole = map?.ranges.some((range) => start >= range.start && start + pages <= range.end) ?? false;
  return isWhole ? 'DAX-GUP' : 'DAX';
}

/** pmem.c:__pmem_direct_access: pfn_t of a page of the device, from 4.5 to 6.16. */
export const pfnT = (mapping: DaxMapping, pfn: number): bigint =>
  BigInt(pfn) | PFN_DEV | (mapping.model === 'DAX-GUP' ? PFN_MAP : 0n);

/** The PTE of a touched page: special where there is no struct page for anyone, devmap to 6.16 where there is one. */
export function pteOf(kernel: Kernel, mapping: DaxMapping, pfn: number): bigint {
  const pte = PTE | (BigInt(pfn) << 12n);
  if (mapping.model === 'DAX') return pte | _PAGE_SPECIAL;
  return mapping.model === 'DAX-GUP' && kernel.facts.devmapPte ? pte | _PAGE_DEVMAP : pte;
}

const daxFileName = (name: string): string => `/mnt/dax/${name}`;

/** The file behind a mapping, for processes to map: its storage, with struct pages if there are any. */
export function dax_file(kernel: Kernel, { name, start, pages, model }: DaxMapping): AddressSpace {
  const path = daxFileName(name);
  const known = kernel.state.files.get(path);
  if (known?.storage?.start === start && known.size === pages) return known;
  const storage = { start, bare: model === 'DAX' };
  const file: AddressSpace = { ...newAddressSpace(kernel, path, 'dax', pages), storage };
  kernel.store.mapSet(kernel.state.files, path, file);
  return file;
}

export function dax_map(kernel: Kernel, name: string, start: number, pages: number, cached: boolean): DaxMapping {
  const mapping: DaxMapping = {
    name,
    model: cached ? 'PMEM' : modelOf(kernel, start, pages),
    start,
    pages,
    faulted: new Map(),
    held: new Map(),
    mapped: true,
  };
  kernel.store.mapSet(kernel.state.dax, name, mapping);
  countUsers(kernel, mapping, 1);
  return mapping;
}

/** A file system on DAX raises devmap_managed_key while it is in use (fs_dax_get_by_bdev, 4.18 to 5.2). */
function countUsers(kernel: Kernel, mapping: DaxMapping, change: number): void {
  if (mapping.model !== 'DAX-GUP' || !kernel.facts.devmapManagedByDriver) return;
  kernel.store.set(kernel.state, 'devmap_managed_key', kernel.state.devmap_managed_key + change);
}

/** The page fault: a page cache page is allocated and read, anything else is mapped where it is. The frame, or an errno. */
export function dax_fault(kernel: Kernel, mapping: DaxMapping, index: number): number {
  const known = mapping.faulted.get(index);
  if (known !== undefined) return known;
  return kernel.leaf(
    mapping.model === 'PMEM' ? 'filemap_fault' : 'dax_iomap_fault',
    [mapping.name, `page ${index}`],
    () => {
      let pfn = mapping.start + index;
      // The device is gone, or was never there: the fault ends in SIGBUS.
      if (!mapping.mapped || (mapping.model === 'DAX-GUP' && !page_pgmap(kernel, pfn))) return -14;
      if (mapping.model === 'PMEM') {
        const use = { kind: PageKind.File, migratetype: MIGRATE_MOVABLE };
        const [run] = alloc_pages_node(kernel, numa_mem_id(kernel), 0, use, 1);
        if (!run) return -12;
        pfn = run.pfn;
        kernel.pages.refcount.set(pfn, 2);
        kernel.pages.mapcount.set(pfn, 0);
      } else if (mapping.model === 'DAX-GUP' && kernel.facts.fsdaxRestsAtZero) {
        // Since 6.15 a mapped page counts like any other.
        kernel.pages.refcount.add(pfn, 1);
        kernel.pages.mapcount.set(pfn, 0);
      }
      kernel.store.mapSet(mapping.faulted, index, pfn);
      return pfn;
    },
    (pfn) => (pfn < 0 ? String(pfn) : hex(pfn)),
  );
}

/** Takes the touched pages out of the page table, and page cache pages out of the cache. */
function* zap(kernel: Kernel, mapping: DaxMapping): KernelGenerator<void> {
  for (const [index, pfn] of [...mapping.faulted]) {
    kernel.store.mapDelete(mapping.faulted, index);
    if (mapping.model === 'PMEM') {
      kernel.pages.mapcount.set(pfn, 0xffffffff);
      dropCached(kernel, pfn, 2);
    } else if (mapping.model === 'DAX-GUP' && kernel.facts.fsdaxRestsAtZero && page_pgmap(kernel, pfn)) {
      kernel.pages.mapcount.set(pfn, 0xffffffff);
      yield* put_page(kernel, pfn);
    }
  }
}

/** References of an ordinary page; the last one frees it. */
export function dropCached(kernel: Kernel, pfn: number, count: number): void {
  kernel.pages.refcount.add(pfn, -count);
  if (kernel.pages.refcount.get(pfn) === 0) __free_pages_ok(kernel, pfn, 0);
}

const isBusy = (kernel: Kernel, pfn: number): boolean =>
  kernel.pages.refcount.get(pfn) > (kernel.facts.fsdaxRestsAtZero ? 0 : 1);

/** fs/dax.c:dax_layout_busy_page: the first touched page that more than the file system holds. */
function dax_layout_busy_page(kernel: Kernel, pfns: readonly number[]): number | undefined {
  return pfns.find((pfn) => isBusy(kernel, pfn));
}

/** Truncates the file. Since 4.18 it waits for pages that get_user_pages holds, and their last put wakes it. */
export function* dax_truncate(kernel: Kernel, mapping: DaxMapping): KernelGenerator<void> {
  const file = kernel.state.files.get(daxFileName(mapping.name));
  const touched = [...mapping.faulted.values(), ...(file ? yield* unmap_mapping_range(kernel, file) : [])];
  yield* zap(kernel, mapping);
  const map = page_pgmap(kernel, mapping.start);
  const waits = kernel.facts.fsdaxType && map !== undefined && typeOf(kernel, map.pgmap) === 'FS_DAX';
  if (waits && mapping.model === 'DAX-GUP' && dax_layout_busy_page(kernel, touched) !== undefined)
    yield {
      kind: 'wait',
      on: {
        what: `pinned pages of ${mapping.name} to become idle`,
        ready: () => dax_layout_busy_page(kernel, touched) === undefined,
        holders: () => touched.filter((pfn) => isBusy(kernel, pfn)).map((pfn) => `get_user_pages on page ${hex(pfn)}`),
      },
    };
}

/** munmap and close: nothing is waited for. */
export function* dax_unmap(kernel: Kernel, mapping: DaxMapping): KernelGenerator<void> {
  yield* zap(kernel, mapping);
  countUsers(kernel, mapping, -1);
  kernel.store.set(mapping, 'mapped', false);
  forgetIfUnused(kernel, mapping);
}

/** Pages that are still held keep the name, so that they can be given back. */
export function forgetIfUnused(kernel: Kernel, mapping: DaxMapping): void {
  if (!mapping.mapped && mapping.held.size === 0) kernel.store.mapDelete(kernel.state.dax, mapping.name);
}
