/** mm/filemap.c and mm/shmem.c: the page cache, and the faults it answers. */
import { NO_PTE, PTE_YOUNG, withBits } from '../arch/pte.ts';
import {
  type AddressSpace,
  type Folio,
  type Mm,
  VM_FAULT_MAJOR,
  VM_FAULT_NOPAGE,
  VM_FAULT_OOM,
  VM_FAULT_SIGBUS,
  type VmFault,
} from '../include/mm_types.ts';
import { PageKind } from '../include/types.ts';
import { folio_lock, folio_test_locked, folio_trylock, folio_unlock } from '../kernel/locking.ts';
import type { Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { alloc_folio, folio_get, folio_put_system } from './folio.ts';
import { PG_DIRTY, PG_SWAPBACKED, PG_UPTODATE, setFlag, testFlag } from './folio_record.ts';
import { mem_cgroup_charge } from './memcontrol.ts';
import { mlock_vma_folio } from './mlock_folio.ts';
import { add_mm_counter, mm_counter_file } from './mm_counter.ts';
import { mk_pte } from './page_prot.ts';
import { PTRS_PER_PTE, pte_alloc } from './pgtable.ts';
import { folio_add_rmap_pte } from './rmap.ts';
import { folio_add_lru } from './swap.ts';
import { count_vm_event, mod_vm } from './vmstat.ts';

/** A file, or a shmem object (MAP_SHARED | MAP_ANONYMOUS, tmpfs), of `size` pages that hold zeros. */
export function newAddressSpace(kernel: Kernel, name: string, kind: AddressSpace['kind'], size: number): AddressSpace {
  const { state, store } = kernel;
  const file: AddressSpace = { id: state.nextFile, name, kind, pages: new Map(), vmas: [], size };
  store.set(state, 'nextFile', state.nextFile + 1);
  return file;
}

/** shmem.c:shmem_zero_setup: what stands behind MAP_SHARED | MAP_ANONYMOUS. */
export const shmem_zero_setup = (kernel: Kernel, pages: number): AddressSpace =>
  newAddressSpace(kernel, '/dev/zero (deleted)', 'shmem', pages);

/** filemap_get_folio, without taking a reference. */
export function filemap_get_folio(kernel: Kernel, file: AddressSpace, index: number): Folio | undefined {
  const pfn = file.pages.get(index);
  return pfn === undefined ? undefined : kernel.state.folios.get(pfn);
}

/**
 * filemap.c:filemap_add_folio and shmem.c:shmem_alloc_and_add_folio: a fresh page of zeros comes into the cache,
 * charged to the memory cgroup of `mm`, with one reference of the cache and one of the caller. Undefined without
 * memory.
 */
function add_fresh(kernel: Kernel, mm: Mm, file: AddressSpace, index: number): Folio | undefined {
  const folio = alloc_folio(kernel, 0, PageKind.File);
  if (!folio) return undefined;
  if (!mem_cgroup_charge(kernel, folio, mm)) {
    folio_put_system(kernel, folio.pfn);
    return undefined;
  }
  const isShmem = file.kind === 'shmem';
  kernel.store.set(folio, 'mapping', file);
  kernel.store.set(folio, 'index', index);
  kernel.store.mapSet(file.pages, index, folio.pfn);
  folio_get(kernel, folio.pfn);
  setFlag(kernel, folio.pfn, isShmem ? PG_UPTODATE | PG_SWAPBACKED : PG_UPTODATE);
  count_cache(kernel, folio, 1);
  folio_add_lru(kernel, folio.pfn);
  return folio;
}

/** NR_FILE_PAGES and NR_SHMEM. */
function count_cache(kernel: Kernel, folio: Folio, pages: number): void {
  mod_vm(kernel, 'nr_file_pages', pages);
  if (testFlag(kernel, folio.pfn, PG_SWAPBACKED)) mod_vm(kernel, 'nr_shmem', pages);
}

/** filemap.c:filemap_remove_folio with the cache's reference: the page leaves the cache. Nothing maps it any more. */
export function filemap_remove_folio(kernel: Kernel, file: AddressSpace, index: number): void {
  const folio = filemap_get_folio(kernel, file, index);
  if (!folio) return;
  count_cache(kernel, folio, -1);
  folio_clear_dirty(kernel, folio);
  kernel.store.mapDelete(file.pages, index);
  kernel.store.set(folio, 'mapping', undefined);
  folio_put_system(kernel, folio.pfn);
}

/** page-writeback.c:folio_mark_dirty: of a file's page it is counted, of shmem it is a flag only (noop_dirty_folio). */
export function folio_mark_dirty(kernel: Kernel, folio: Folio): void {
  if (testFlag(kernel, folio.pfn, PG_DIRTY)) return;
  setFlag(kernel, folio.pfn, PG_DIRTY);
  if (!testFlag(kernel, folio.pfn, PG_SWAPBACKED)) mod_vm(kernel, 'nr_dirty', 1);
}

export function folio_clear_dirty(kernel: Kernel, folio: Folio): void {
  if (!testFlag(kernel, folio.pfn, PG_DIRTY)) return;
  kernel.pages.flags.set(folio.pfn, (kernel.pages.flags.get(folio.pfn) & ~PG_DIRTY) >>> 0);
  if (!testFlag(kernel, folio.pfn, PG_SWAPBACKED)) mod_vm(kernel, 'nr_dirty', -1);
}

/* ---- write(2) and read(2), a page at a time ---- */

/* ---- faults ---- */

/** vmf->page with its reference and lock, or the VM_FAULT_* bits of a failure. */
export interface FileFault {
  readonly folio: Folio | undefined;
  readonly result: number;
}

const failed = (result: number): FileFault => ({ folio: undefined, result });

/**
 * filemap.c:filemap_fault and shmem.c:shmem_fault: the page of the cache, read (here: made of zeros) if it is not
 * there, locked and referenced. Behind the end of the file there is none: SIGBUS. What readahead would bring in
 * besides is left out.
 */
export function* filemap_fault(kernel: Kernel, vmf: VmFault, index: number): KernelGenerator<FileFault> {
  const file = vmf.vma.file;
  if (!file || index >= file.size) return failed(VM_FAULT_SIGBUS);
  let result = 0;
  let folio = filemap_get_folio(kernel, file, index);
  if (folio) folio_get(kernel, folio.pfn);
  else {
    if (file.kind === 'file') {
      count_vm_event(kernel, 'pgmajfault');
      result = VM_FAULT_MAJOR;
    }
    folio = add_fresh(kernel, vmf.vma.mm, file, index);
    if (!folio) return failed(VM_FAULT_OOM);
  }
  if (!folio_trylock(kernel, folio.pfn)) yield* folio_lock(kernel, folio.pfn);
  // Truncated while we slept.
  if (folio.mapping !== file) {
    folio_unlock(kernel, folio.pfn);
    folio_put_system(kernel, folio.pfn);
    return index >= file.size ? failed(VM_FAULT_SIGBUS) : failed(VM_FAULT_NOPAGE);
  }
  return { folio, result };
}

const FAULT_AROUND_PAGES = 16;

/**
 * memory.c:do_fault_around with filemap.c:filemap_map_pages: a read fault maps the pages around it that are in the
 * cache, as far as the aligned 64 KiB, the VMA and the page table reach. VM_FAULT_NOPAGE if that served the fault.
 */
export function do_fault_around(kernel: Kernel, vmf: VmFault): number {
  const { vma, vpn } = vmf;
  const { file } = vma;
  if (!file) return 0;
  const window = vpn - (vpn % FAULT_AROUND_PAGES);
  const first = Math.max(window, vma.start);
  const end = Math.min(window + FAULT_AROUND_PAGES, vma.end);
  const table = pte_alloc(kernel, vma.mm, vpn);
  if (!table) return VM_FAULT_OOM;
  let result = 0;
  for (let at = first; at < end; at++) {
    const index = vma.pgoff + (at - vma.start);
    if (index >= file.size) break;
    const folio = filemap_get_folio(kernel, file, index);
    if (!folio || table.entries[at % PTRS_PER_PTE] !== NO_PTE) continue;
    if (folio_test_locked(kernel, folio.pfn) || !testFlag(kernel, folio.pfn, PG_UPTODATE)) continue;
    folio_get(kernel, folio.pfn);
    folio_add_rmap_pte(kernel, folio, folio.pfn);
    mlock_vma_folio(kernel, folio, vma);
    add_mm_counter(kernel, vma.mm, mm_counter_file(kernel, folio), 1);
    kernel.store.setDense(table.entries, at % PTRS_PER_PTE, withBits(mk_pte(vma, folio.pfn), PTE_YOUNG));
    if (at === vpn) result = VM_FAULT_NOPAGE;
  }
  return result;
}
