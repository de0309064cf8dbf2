/** mm/swapfile.c: swap files come and go. */
import { NO_PTE, PteKind, pte_index, pte_pfn, pteKind, swapTypes } from '../arch/pte.ts';
import { FAULT_FLAG_REMOTE, type Mm, VM_FAULT_ERROR, type Vma } from '../include/mm_types.ts';
import type { SwapInfo } from '../include/vm_state.ts';
import { down_read, up_read } from '../kernel/locking.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { do_swap_page } from './memory_swap.ts';
import { PTRS_PER_PTE, pteTableAt } from './pgtable.ts';
import { folio_free_swap, inUse } from './swap_state.ts';

const EPERM = -1;
const EINVAL = -22;
const EBUSY = -16;
const ENOMEM = -12;
/** A page of the file is its header. */
const HEADER = 1;

/** swapfile.c:sys_swapon: a file of so many pages. -EBUSY if it is in use, -EPERM if all types are taken. */
export function swapon(kernel: Kernel, name: string, pages: number): number {
  const { swap } = kernel.state;
  for (const info of swap.values()) if (info.name === name) return EBUSY;
  if (pages <= HEADER) return EINVAL;
  let type = 0;
  while (swap.has(type)) type++;
  if (type >= swapTypes(kernel).MAX_SWAPFILES) return EPERM;
  let prio = -2;
  for (const info of swap.values()) prio = Math.min(prio, info.prio - 1);
  const info: SwapInfo = {
    name,
    type,
    prio,
    max: pages,
    map: new Map(),
    cache: new Map(),
    data: new Map(),
    used: 0,
    next: HEADER,
  };
  kernel.store.mapSet(swap, type, info);
  kernel.pr_info(
    `Adding ${(pages - HEADER) * 4}k swap on ${name}.  Priority:${prio} extents:1 across:${(pages - HEADER) * 4}k `,
  );
  return 0;
}

/** swapfile.c:sys_swapoff: every page comes home first. -EINVAL for what is no swap file, -ENOMEM where they find no room. */
export function* swapoff(kernel: Kernel, name: string): KernelGenerator<number> {
  const info = [...kernel.state.swap.values()].find((each) => each.name === name);
  if (!info) return EINVAL;
  return yield* kernel.call('try_to_unuse', [hex(info.type)], unuse(kernel, info), String);
}

function* unuse(kernel: Kernel, info: SwapInfo): KernelGenerator<number> {
  for (const mm of [...kernel.state.mms.values()]) {
    yield* down_read(kernel, mm.mmap_lock);
    const error = yield* unuse_mm(kernel, mm, info);
    up_read(kernel, mm.mmap_lock);
    if (error !== 0) return error;
  }
  for (const pfn of [...info.cache.values()]) {
    const folio = kernel.state.folios.get(pfn);
    if (folio) folio_free_swap(kernel, folio);
  }
  if (inUse(info) > 0) return EBUSY;
  kernel.store.mapDelete(kernel.state.swap, info.type);
  return 0;
}

function* unuse_mm(kernel: Kernel, mm: Mm, info: SwapInfo): KernelGenerator<number> {
  for (const vma of [...mm.vmas])
    for (let vpn = vma.start; vpn < vma.end; vpn++) {
      const table = pteTableAt(mm, vpn);
      if (!table) vpn += PTRS_PER_PTE - 1 - pte_index(vpn);
      else {
        const pte = table.entries[pte_index(vpn)] ?? NO_PTE;
        const isOurs = pteKind(pte) === PteKind.Swap && pte_pfn(pte) % 32 === info.type;
        if (isOurs && !(yield* swapInOne(kernel, vma, vpn, pte))) return ENOMEM;
      }
    }
  return 0;
}

/** unuse_pte: the page is mapped again as a read would do it. False without memory. */
function* swapInOne(kernel: Kernel, vma: Vma, vpn: number, pte: number): KernelGenerator<boolean> {
  const result = yield* do_swap_page(kernel, { vma, vpn, flags: FAULT_FLAG_REMOTE }, pte);
  return (result & VM_FAULT_ERROR) === 0;
}
