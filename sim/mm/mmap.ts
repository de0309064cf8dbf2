/** mm/mmap.c: the VMAs of an address space. */
import {
  type AddressSpace,
  type Mm,
  VM_MAYEXEC,
  VM_MAYREAD,
  VM_MAYWRITE,
  VM_READ,
  VM_WRITE,
  type Vma,
} from '../include/mm_types.ts';
import { down_write, up_write } from '../kernel/locking.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { unmap_vmas } from './memory.ts';
import { free_pgtables } from './pgtable.ts';
import { unlink_anon_vmas } from './rmap.ts';
import { lru_add_drain } from './swap.ts';

const ENOMEM = -12;
const EINVAL = -22;
/** x86_64 with 47 bits for the user, less the guard page. */
export const TASK_SIZE = 0x7ffffffff;
/** mmap_base without address space randomisation: the gap for the stack is 128 MiB. */
export const MMAP_BASE = TASK_SIZE - (0x8000000 >> 12);
export const MMAP_MIN = 0x10;
export const MAX_MAP_COUNT = 65530;

/** mmap.c:find_vma: the first VMA that ends behind `vpn`, which need not contain it. */
export function find_vma(mm: Mm, vpn: number): Vma | undefined {
  const { vmas } = mm;
  let low = 0;
  let high = vmas.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((vmas[middle] as Vma).end > vpn) high = middle;
    else low = middle + 1;
  }
  return vmas[low];
}

/** vma_lookup: the VMA that contains `vpn`. */
export function vma_lookup(mm: Mm, vpn: number): Vma | undefined {
  const vma = find_vma(mm, vpn);
  return vma && vma.start <= vpn ? vma : undefined;
}

/** mmap.c:vm_unmapped_area, top down: the highest gap below mmap_base. -1: none. */
export function get_unmapped_area(mm: Mm, pages: number, align = 1): number {
  let ceiling = MMAP_BASE;
  for (let i = mm.vmas.length - 1; i >= -1; i--) {
    const vma = mm.vmas[i];
    const floor = vma ? vma.end : MMAP_MIN;
    const start = Math.floor((ceiling - pages) / align) * align;
    if (start >= floor) return start;
    if (vma) ceiling = Math.min(ceiling, vma.start);
  }
  return -1;
}

/** Puts a VMA where its address belongs. */
export function insert_vma(kernel: Kernel, vma: Vma): void {
  const { vmas } = vma.mm;
  const after = vmas.findIndex((other) => other.start > vma.start);
  kernel.store.splice(vmas, after < 0 ? vmas.length : after, 0, vma);
  kernel.store.set(vma.mm, 'total_vm', vma.mm.total_vm + vma.end - vma.start);
  if (vma.file) kernel.store.splice(vma.file.vmas, vma.file.vmas.length, 0, vma);
}

export interface MmapRequest {
  readonly pages: number;
  /** VM_READ, VM_WRITE. */
  readonly prot: number;
  /** Beyond the protection: VM_SHARED, VM_HUGETLB ... */
  readonly flags: number;
  readonly file: AddressSpace | undefined;
  readonly pgoff: number;
  /** MAP_FIXED_NOREPLACE. */
  readonly at: number | undefined;
}

/** mmap.c:do_mmap: the vpn of the new mapping, or an errno. The mmap lock is held for writing. */
export function do_mmap(kernel: Kernel, mm: Mm, request: MmapRequest): number {
  const { pages, prot, flags, file, at } = request;
  if (pages <= 0) return EINVAL;
  if (mm.vmas.length >= MAX_MAP_COUNT) return ENOMEM;
  const start = at ?? get_unmapped_area(mm, pages);
  if (start < 0 || start + pages > TASK_SIZE) return ENOMEM;
  const vma: Vma = {
    mm,
    start,
    end: start + pages,
    flags: (prot & (VM_READ | VM_WRITE)) | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC | flags,
    pgoff: file ? request.pgoff : start,
    file,
    anon_vma: undefined,
    anon_vma_chain: [],
  };
  insert_vma(kernel, vma);
  return start;
}

/** Forgets a VMA whose pages are unmapped. */
export function remove_vma(kernel: Kernel, vma: Vma): void {
  const { store } = kernel;
  const { mm } = vma;
  store.splice(mm.vmas, mm.vmas.indexOf(vma), 1);
  store.set(mm, 'total_vm', mm.total_vm - (vma.end - vma.start));
  if (vma.file) store.splice(vma.file.vmas, vma.file.vmas.indexOf(vma), 1);
  unlink_anon_vmas(kernel, vma);
}

/** mmap.c:exit_mmap: everything goes. */
export function* exit_mmap(kernel: Kernel, mm: Mm): KernelGenerator<void> {
  yield* kernel.call('exit_mmap', [hex(mm.id)], unmapAll(kernel, mm), () => '');
}

function* unmapAll(kernel: Kernel, mm: Mm): KernelGenerator<void> {
  lru_add_drain(kernel);
  yield* down_write(kernel, mm.mmap_lock);
  const vmas = [...mm.vmas];
  for (const vma of vmas) yield* unmap_vmas(kernel, vma, vma.start, vma.end);
  const first = vmas[0];
  const last = vmas.at(-1);
  if (first && last) free_pgtables(kernel, mm, first.start, last.end, 0, TASK_SIZE + 1);
  for (const vma of vmas) remove_vma(kernel, vma);
  up_write(kernel, mm.mmap_lock);
}
