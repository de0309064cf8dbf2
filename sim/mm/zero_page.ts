/** The page of zeros that read faults share, and its huge counterpart (mm/huge_memory.c). */
import { pte_index } from '../arch/pte.ts';
import type { Vma } from '../include/mm_types.ts';
import { PageKind } from '../include/types.ts';
import { walk } from '../kernel/resource.ts';
import type { Kernel } from '../machine/kernel.ts';
import { __GFP_COMP, __GFP_NOWARN, __GFP_ZERO, GFP_HIGHUSER } from './gfp.ts';
import { __alloc_pages } from './page_alloc.ts';
import { count_vm_event } from './vmstat.ts';
import { numa_node_id } from './zonelist.ts';

const HPAGE_PMD_ORDER = 9;
const zeroPages = new WeakMap<Kernel, number>();

/**
 * arch/x86/kernel/head_64.S:empty_zero_page: the first page of the kernel's bss, where page aligned data comes
 * first. A machine whose kernel image is not known has it behind the first megabyte.
 */
export function zero_pfn(kernel: Kernel): number {
  const known = zeroPages.get(kernel);
  if (known !== undefined) return known;
  let pfn = 0x100;
  for (const { resource } of walk(kernel.state.iomem))
    if (resource.name === 'Kernel bss') {
      pfn = Number((resource.start + 0xfffn) >> 12n);
      break;
    }
  zeroPages.set(kernel, pfn);
  return pfn;
}

export const is_zero_pfn = (kernel: Kernel, pfn: number): boolean => pfn === zero_pfn(kernel);

/** huge_memory.c:mm_get_huge_zero_folio: allocated when it is first wanted. Undefined without memory. */
export function huge_zero_pfn(kernel: Kernel): number | undefined {
  const { thp } = kernel.state;
  if (thp.huge_zero_pfn !== undefined) return thp.huge_zero_pfn;
  const gfp = GFP_HIGHUSER | __GFP_COMP | __GFP_ZERO | __GFP_NOWARN;
  const pfn = __alloc_pages(kernel, gfp, HPAGE_PMD_ORDER, numa_node_id(kernel), PageKind.Kernel);
  if (pfn < 0) {
    count_vm_event(kernel, 'thp_zero_page_alloc_failed');
    return undefined;
  }
  kernel.store.set(thp, 'huge_zero_pfn', pfn);
  count_vm_event(kernel, 'thp_zero_page_alloc');
  return pfn;
}

/** huge_memory.c:thp_vma_suitable_order: does the aligned 2 MiB around `vpn` lie inside the VMA? For a file its offset fits, too. */
export function thp_vma_suitable(vma: Vma, vpn: number): boolean {
  if (vma.file && vma.file.kind !== 'device' && (vma.start - vma.pgoff) % 512 !== 0) return false;
  const start = vpn - pte_index(vpn);
  return start >= vma.start && start + 512 <= vma.end;
}
