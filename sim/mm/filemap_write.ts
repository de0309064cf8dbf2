/** The first write to a page of a shared mapping: mm/filemap.c:filemap_page_mkwrite, mm/memory.c:fault_dirty_shared_page. */
import { type Folio, VM_FAULT_LOCKED, VM_FAULT_NOPAGE, type Vma } from '../include/mm_types.ts';
import { folio_lock, folio_unlock } from '../kernel/locking.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { folio_mark_dirty } from './filemap.ts';

/** memory.c:do_page_mkwrite: the file system gives its leave; the page comes back locked and dirty. */
export function* do_page_mkwrite(kernel: Kernel, vma: Vma, folio: Folio): KernelGenerator<number> {
  return yield* kernel.call('filemap_page_mkwrite', [hex(folio.pfn)], mkwrite(kernel, vma, folio), hex);
}

function* mkwrite(kernel: Kernel, vma: Vma, folio: Folio): KernelGenerator<number> {
  yield* folio_lock(kernel, folio.pfn);
  if (folio.mapping !== vma.file) {
    folio_unlock(kernel, folio.pfn);
    return VM_FAULT_NOPAGE;
  }
  folio_mark_dirty(kernel, folio);
  return VM_FAULT_LOCKED;
}

/** The entry is dirty now, so the page is: it is locked, and unlocked here. */
export function fault_dirty_shared_page(kernel: Kernel, _vma: Vma, folio: Folio): void {
  folio_mark_dirty(kernel, folio);
  folio_unlock(kernel, folio.pfn);
}
