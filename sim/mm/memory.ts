/** mm/memory.c: page faults, and taking pages out of a page table. */
import {
  is_pfn_swap_entry,
  mkPte,
  NO_PTE,
  PTE_DIRTY,
  PTE_SPECIAL,
  PTE_WRITE,
  PTE_YOUNG,
  PteKind,
  pte_none,
  pte_pfn,
  pte_present,
  pte_special,
} from '../arch/pte.ts';
import {
  FAULT_FLAG_WRITE,
  MM_ANONPAGES,
  MM_FILEPAGES,
  type Mm,
  VM_FAULT_OOM,
  VM_FAULT_SIGSEGV,
  VM_READ,
  VM_WRITE,
  type Vma,
  type VmFault,
} from '../include/mm_types.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { alloc_folio, folio_put, folio_put_system, folioOf, isDevicePage } from './folio.ts';
import { PG_UPTODATE, setFlag } from './folio_record.ts';
import { mem_cgroup_charge } from './memcontrol.ts';
import { pte_alloc, pteTableAt, set_pte_at } from './pgtable.ts';
import { anon_vma_prepare, folio_add_new_anon_rmap, folio_remove_rmap_pte, folio_test_anon } from './rmap.ts';
import { folio_add_lru } from './swap.ts';
import { count_vm_event } from './vmstat.ts';

export function add_mm_counter(kernel: Kernel, mm: Mm, member: 0 | 1 | 2 | 3, value: number): void {
  kernel.store.set(mm.rss, member, mm.rss[member] + value);
}

/**
 * memory.c:handle_mm_fault: makes the page at `vpn` accessible as the flags say; VM_FAULT_* bits. The mmap lock
 * is held for reading.
 */
export function* handle_mm_fault(kernel: Kernel, vma: Vma, vpn: number, flags: number): KernelGenerator<number> {
  return yield* kernel.call('handle_mm_fault', [hex(vpn * 4096)], fault(kernel, { vma, vpn, flags }), (bits) =>
    hex(bits),
  );
}

function* fault(kernel: Kernel, vmf: VmFault): KernelGenerator<number> {
  const { vma, vpn, flags } = vmf;
  if ((vma.flags & ((flags & FAULT_FLAG_WRITE) !== 0 ? VM_WRITE : VM_READ)) === 0) return VM_FAULT_SIGSEGV;
  count_vm_event(kernel, 'pgfault');
  const table = pte_alloc(kernel, vma.mm, vpn);
  if (!table) return VM_FAULT_OOM;
  return pte_none(table.entries[vpn % 512] ?? NO_PTE) ? do_anonymous_page(kernel, vmf) : 0;
}

/** The shared page of zeros: a reserved page of the kernel image. */
export const zero_pfn = (kernel: Kernel): number => kernel.config.physBits * 0 + 1;

/** memory.c:do_anonymous_page. */
function do_anonymous_page(kernel: Kernel, { vma, vpn, flags }: VmFault): number {
  if ((flags & FAULT_FLAG_WRITE) === 0) {
    set_pte_at(kernel, vma.mm, vpn, mkPte(PteKind.Present, zero_pfn(kernel), PTE_SPECIAL | PTE_YOUNG));
    return 0;
  }
  anon_vma_prepare(kernel, vma);
  const folio = alloc_folio(kernel);
  if (!folio) return VM_FAULT_OOM;
  if (!mem_cgroup_charge(kernel, folio, vma.mm)) {
    folio_put_system(kernel, folio.pfn);
    return VM_FAULT_OOM;
  }
  setFlag(kernel, folio.pfn, PG_UPTODATE);
  add_mm_counter(kernel, vma.mm, MM_ANONPAGES, 1);
  folio_add_new_anon_rmap(kernel, folio, vma, vpn);
  folio_add_lru(kernel, folio.pfn);
  set_pte_at(kernel, vma.mm, vpn, mkPte(PteKind.Present, folio.pfn, PTE_WRITE | PTE_DIRTY | PTE_YOUNG));
  return 0;
}

/** memory.c:unmap_vmas for one VMA: every entry of [start, end) is taken out; pages lose a mapping and a reference. */
export function* unmap_vmas(kernel: Kernel, vma: Vma, start: number, end: number): KernelGenerator<void> {
  for (let vpn = start; vpn < end; vpn++) {
    const table = pteTableAt(vma.mm, vpn);
    if (!table) {
      vpn += 511 - (vpn % 512);
      continue;
    }
    const pte = table.entries[vpn % 512] ?? NO_PTE;
    if (pte_none(pte)) continue;
    set_pte_at(kernel, vma.mm, vpn, NO_PTE);
    if (!pte_present(pte) && !is_pfn_swap_entry(pte)) continue;
    if (pte_special(pte)) continue;
    const pfn = pte_pfn(pte);
    const folio = folioOf(kernel, pfn);
    if (!folio) continue;
    add_mm_counter(kernel, vma.mm, folio_test_anon(folio) ? MM_ANONPAGES : MM_FILEPAGES, -1);
    folio_remove_rmap_pte(kernel, folio, pfn);
    if (isDevicePage(kernel, pfn)) yield* folio_put(kernel, pfn);
    else folio_put_system(kernel, folio.pfn);
  }
}
