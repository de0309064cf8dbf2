/**
 * fs/dax.c:dax_iomap_fault and drivers/dax/device.c:dev_dax_fault for a shared mapping of a process: the entry leads
 * to the storage itself. To 6.14 it is a devmap entry and nothing is counted; since 6.15 it counts like any other.
 * A writable mapping is writable from its first fault on, as device DAX has it (a file system would ask to be told).
 */
import {
  mkPte,
  PTE_DEVMAP,
  PTE_DIRTY,
  PTE_SPECIAL,
  PTE_WRITE,
  PTE_YOUNG,
  type Pte,
  PteKind,
  pte_index,
  pte_pfn,
  pte_present,
} from '../arch/pte.ts';
import {
  type AddressSpace,
  FAULT_FLAG_WRITE,
  type Mm,
  VM_FAULT_NOPAGE,
  VM_FAULT_OOM,
  VM_FAULT_SIGBUS,
  VM_WRITE,
  type VmFault,
} from '../include/mm_types.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { newFolio } from './folio_record.ts';
import { zap_page_range_single } from './memory_zap.ts';
import { add_mm_counter, mm_counter_file } from './mm_counter.ts';
import { page_pgmap } from './pagemap.ts';
import { pte_alloc, pteAt } from './pgtable.ts';
import { folio_add_rmap_pte } from './rmap.ts';

/** The page behind an address; VM_FAULT_NOPAGE where the entry is made, VM_FAULT_SIGBUS where the device is gone. */
export function dax_iomap_fault(kernel: Kernel, { vma, vpn, flags }: VmFault): number {
  return kernel.leaf(
    'dax_iomap_fault',
    [hex(vpn * 4096)],
    () => {
      const { file } = vma;
      const index = vma.pgoff + (vpn - vma.start);
      if (!file?.storage || index >= file.size) return VM_FAULT_SIGBUS;
      const pfn = file.storage.start + index;
      if (!file.storage.bare && !page_pgmap(kernel, pfn)) return VM_FAULT_SIGBUS;
      const table = pte_alloc(kernel, vma.mm, vpn);
      if (!table) return VM_FAULT_OOM;
      let bits = PTE_YOUNG;
      if ((vma.flags & VM_WRITE) !== 0) bits |= PTE_WRITE;
      if ((flags & FAULT_FLAG_WRITE) !== 0) bits |= PTE_DIRTY;
      const pte = file.storage.bare
        ? mkPte(PteKind.Present, pfn, bits | PTE_SPECIAL)
        : entryWithPage(kernel, vma.mm, file, index, pfn, bits);
      kernel.store.setDense(table.entries, pte_index(vpn), pte);
      return VM_FAULT_NOPAGE;
    },
    hex,
  );
}

/** vmf_insert_mixed to 6.14; vmf_insert_page_mkwrite and vmf_insert_folio_* since. */
function entryWithPage(kernel: Kernel, mm: Mm, file: AddressSpace, index: number, pfn: number, bits: number): Pte {
  if (!kernel.facts.fsdaxRestsAtZero) return mkPte(PteKind.Present, pfn, bits | PTE_DEVMAP);
  kernel.pages.refcount.add(pfn, 1);
  insert_page(kernel, mm, file, index, pfn);
  return mkPte(PteKind.Present, pfn, bits);
}

/** memory.c:insert_page_into_pte_locked, for a device page whose reference is the mapping's. */
export function insert_page(kernel: Kernel, mm: Mm, file: AddressSpace, index: number, pfn: number): void {
  const folio =
    kernel.state.folios.get(pfn) ?? newFolio(kernel, pfn, 0, file, index, undefined, page_pgmap(kernel, pfn));
  folio_add_rmap_pte(kernel, folio, pfn);
  add_mm_counter(kernel, mm, mm_counter_file(kernel, folio), 1);
}

/** memory.c:unmap_mapping_range for all of the file: the pages that processes had mapped. */
export function* unmap_mapping_range(kernel: Kernel, file: AddressSpace): KernelGenerator<number[]> {
  const pfns: number[] = [];
  for (const vma of [...file.vmas]) {
    for (let vpn = vma.start; vpn < vma.end; vpn++) {
      const pte = pteAt(vma.mm, vpn);
      if (pte_present(pte)) pfns.push(pte_pfn(pte));
    }
    yield* zap_page_range_single(kernel, vma, vma.start, vma.end);
  }
  return pfns;
}
