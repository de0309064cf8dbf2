/** mm/memory.c:do_fault: the first access to a page of a mapping that a file answers for. */
import { NO_PTE, PTE_DIRTY, type Pte, pte_index, withBits } from '../arch/pte.ts';
import {
  FAULT_FLAG_WRITE,
  type Folio,
  MM_ANONPAGES,
  VM_FAULT_ERROR,
  VM_FAULT_NOPAGE,
  VM_FAULT_OOM,
  VM_FAULT_SIGBUS,
  VM_SHARED,
  type VmFault,
} from '../include/mm_types.ts';
import { folio_unlock } from '../kernel/locking.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { folio_prealloc } from './anon_folio.ts';
import { copy_highpage } from './contents.ts';
import { dax_iomap_fault } from './dax_iomap.ts';
import { do_fault_around, filemap_fault } from './filemap.ts';
import { do_page_mkwrite, fault_dirty_shared_page } from './filemap_write.ts';
import { folio_put_system } from './folio.ts';
import { PG_UPTODATE, setFlag } from './folio_record.ts';
import { mlock_vma_folio } from './mlock_folio.ts';
import { add_mm_counter, mm_counter_file } from './mm_counter.ts';
import { maybe_mkwrite, mk_pte } from './page_prot.ts';
import { pte_alloc } from './pgtable.ts';
import { anon_vma_prepare, folio_add_new_anon_rmap, folio_add_rmap_pte } from './rmap.ts';
import { folio_add_lru_vma } from './swap.ts';

const indexOf = ({ vma, vpn }: VmFault): number => vma.pgoff + (vpn - vma.start);

/** memory.c:do_fault. */
export function* do_fault(kernel: Kernel, vmf: VmFault): KernelGenerator<number> {
  const args = [hex(vmf.vpn * 4096)];
  if (vmf.vma.file?.kind === 'dax') return dax_iomap_fault(kernel, vmf);
  if ((vmf.flags & FAULT_FLAG_WRITE) === 0)
    return yield* kernel.call('do_read_fault', args, do_read_fault(kernel, vmf), hex);
  if ((vmf.vma.flags & VM_SHARED) === 0)
    return yield* kernel.call('do_cow_fault', args, do_cow_fault(kernel, vmf), hex);
  return yield* kernel.call('do_shared_fault', args, do_shared_fault(kernel, vmf), hex);
}

function* do_read_fault(kernel: Kernel, vmf: VmFault): KernelGenerator<number> {
  const around = kernel.leaf('do_fault_around', [], () => do_fault_around(kernel, vmf), hex);
  if (around !== 0) return around;
  const { folio, result } = yield* filemap_fault(kernel, vmf, indexOf(vmf));
  if (!folio) return result;
  const finished = finish_fault(kernel, vmf, folio);
  folio_unlock(kernel, folio.pfn);
  if ((finished & (VM_FAULT_ERROR | VM_FAULT_NOPAGE)) !== 0) folio_put_system(kernel, folio.pfn);
  return result | finished;
}

/** A write to a private mapping: the page gets a copy at once. */
function* do_cow_fault(kernel: Kernel, vmf: VmFault): KernelGenerator<number> {
  const { vma } = vmf;
  anon_vma_prepare(kernel, vma);
  const copy = folio_prealloc(kernel, vma);
  if (!copy) return VM_FAULT_OOM;
  const { folio, result } = yield* filemap_fault(kernel, vmf, indexOf(vmf));
  if (!folio) {
    folio_put_system(kernel, copy.pfn);
    return result;
  }
  copy_highpage(kernel, copy.pfn, folio.pfn);
  setFlag(kernel, copy.pfn, PG_UPTODATE);
  const finished = finish_fault(kernel, vmf, copy, true);
  folio_unlock(kernel, folio.pfn);
  folio_put_system(kernel, folio.pfn);
  if ((finished & (VM_FAULT_ERROR | VM_FAULT_NOPAGE)) !== 0) folio_put_system(kernel, copy.pfn);
  return result | finished;
}

/** A write to a shared mapping: the file system is asked, then the page is dirty. */
function* do_shared_fault(kernel: Kernel, vmf: VmFault): KernelGenerator<number> {
  const { vma } = vmf;
  const { folio, result } = yield* filemap_fault(kernel, vmf, indexOf(vmf));
  if (!folio) return result;
  if (vma.file?.kind === 'file') {
    folio_unlock(kernel, folio.pfn);
    const asked = yield* do_page_mkwrite(kernel, vma, folio);
    if ((asked & (VM_FAULT_ERROR | VM_FAULT_NOPAGE)) !== 0) {
      folio_put_system(kernel, folio.pfn);
      return asked;
    }
  }
  const finished = finish_fault(kernel, vmf, folio);
  if ((finished & (VM_FAULT_ERROR | VM_FAULT_NOPAGE)) !== 0) {
    folio_unlock(kernel, folio.pfn);
    folio_put_system(kernel, folio.pfn);
    return result | finished;
  }
  fault_dirty_shared_page(kernel, vma, folio);
  return result | finished;
}

/** memory.c:finish_fault with set_pte_range: the entry, unless somebody was faster. The reference becomes the mapping's. */
function finish_fault(kernel: Kernel, vmf: VmFault, folio: Folio, isCow = false): number {
  const { vma, vpn } = vmf;
  // check_stable_address_space, for private mappings.
  if ((vma.flags & VM_SHARED) === 0 && vma.mm.unstable) return VM_FAULT_SIGBUS;
  const table = pte_alloc(kernel, vma.mm, vpn);
  if (!table) return VM_FAULT_OOM;
  const slot = pte_index(vpn);
  if (table.entries[slot] !== NO_PTE) return VM_FAULT_NOPAGE;
  let pte: Pte = mk_pte(vma, folio.pfn);
  if ((vmf.flags & FAULT_FLAG_WRITE) !== 0) pte = maybe_mkwrite(vma, withBits(pte, PTE_DIRTY));
  if (isCow) {
    folio_add_new_anon_rmap(kernel, folio, vma, vpn);
    folio_add_lru_vma(kernel, folio.pfn, vma);
  } else {
    folio_add_rmap_pte(kernel, folio, folio.pfn);
    mlock_vma_folio(kernel, folio, vma);
  }
  add_mm_counter(kernel, vma.mm, isCow ? MM_ANONPAGES : mm_counter_file(kernel, folio), 1);
  kernel.store.setDense(table.entries, slot, pte);
  return 0;
}
