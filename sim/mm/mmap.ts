/** mm/mmap.c: mappings come and go (mmap, munmap, the end of an address space). */
import {
  type AddressSpace,
  type Mm,
  VM_ACCOUNT,
  VM_EXEC,
  VM_HUGETLB,
  VM_LOCKED,
  VM_MAYEXEC,
  VM_MAYREAD,
  VM_MAYSHARE,
  VM_MAYWRITE,
  VM_MIXEDMAP,
  VM_READ,
  VM_SHARED,
  VM_WRITE,
  type Vma,
} from '../include/mm_types.ts';
import { down_read, down_write, up_read, up_write } from '../kernel/locking.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { unmap_vmas } from './memory_zap.ts';
import { vm_stat_account } from './mm_counter.ts';
import {
  MMU_NOTIFY_UNMAP,
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
  mmu_notifier_range,
} from './mmu_notifier.ts';
import { free_pgtables } from './pgtable.ts';
import { lru_add_drain } from './swap.ts';
import { unnamed_object } from './truncate.ts';
import { find_vma_intersection, vma_pages, vmaIndex, vmasIn } from './vma.ts';
import { __split_vma, MAX_MAP_COUNT, may_split, remove_vma, vma_link, vma_merge_new_range } from './vma_merge.ts';

export { find_vma, vma_lookup } from './vma.ts';
export { MAX_MAP_COUNT } from './vma_merge.ts';

const EPERM = -1;
const ENOMEM = -12;
const EEXIST = -17;
const EINVAL = -22;
/** x86_64 with 47 bits for the user, less the guard page. */
export const TASK_SIZE = 0x7ffffffff;
/** mmap_base without address space randomisation: the gap for the stack is 128 MiB. */
export const MMAP_BASE = TASK_SIZE - (0x8000000 >> 12);
/** vm.mmap_min_addr: 64 KiB. */
export const MMAP_MIN = 0x10;
/** ULONG_MAX as a page number: the end of every address space. */
export const END_OF_ADDRESSES = 2 ** 52;
const HUGE = 512;

/** mmap.c:vm_unmapped_area, top down: the highest gap below mmap_base. -1: none. */
function vm_unmapped_area(mm: Mm, pages: number, align: number): number {
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

/** huge_memory.c:thp_get_unmapped_area: a gap with room to begin at 2 MiB. */
function thp_get_unmapped_area(mm: Mm, pages: number): number {
  const start = vm_unmapped_area(mm, pages + HUGE, 1);
  if (start < 0) return -1;
  return start % HUGE === 0 ? start + HUGE : start + (HUGE - (start % HUGE));
}

/** mmap.c:get_unmapped_area without a hint. -1: there is no such gap. */
export function get_unmapped_area(kernel: Kernel, mm: Mm, pages: number, file?: AddressSpace): number {
  if (file?.kind === 'hugetlb') return vm_unmapped_area(mm, pages, HUGE);
  const isHugeEnough = pages >= HUGE && (pages % HUGE === 0 || !kernel.facts.thpAlignsWholeOnly);
  if (!file && isHugeEnough && kernel.facts.thpAlignedMmap) {
    const start = thp_get_unmapped_area(mm, pages);
    if (start >= 0) return start;
  }
  return vm_unmapped_area(mm, pages, 1);
}

/** util.c:__vm_enough_memory, the usual heuristic: only what could never be there is refused. */
export function vm_enough_memory({ state }: Kernel, pages: number): boolean {
  let total = state.totalram_pages;
  for (const info of state.swap.values()) total += info.max - 1;
  return pages <= total;
}

export interface MmapRequest {
  readonly pages: number;
  /** VM_READ, VM_WRITE, VM_EXEC. */
  readonly prot: number;
  /** VM_SHARED for MAP_SHARED, VM_HUGETLB for MAP_HUGETLB, VM_MIXEDMAP of a device. */
  readonly flags: number;
  /** A file or a device; MAP_ANONYMOUS without. */
  readonly file: AddressSpace | undefined;
  readonly pgoff: number;
  /** MAP_FIXED_NOREPLACE. */
  readonly at: number | undefined;
}

const ACCESS = VM_READ | VM_WRITE | VM_EXEC;

/** mmap.c:do_mmap: the vpn of the new mapping, or an errno. The mmap lock is held for writing. */
export function do_mmap(kernel: Kernel, mm: Mm, request: MmapRequest): number {
  const { prot } = request;
  const isHuge = (request.flags & VM_HUGETLB) !== 0;
  // ksys_mmap_pgoff rounds a MAP_HUGETLB length up.
  const pages = isHuge ? Math.ceil(request.pages / HUGE) * HUGE : request.pages;
  if (pages <= 0) return EINVAL;
  if ((prot & ~ACCESS) !== 0) return EINVAL;
  if (pages > TASK_SIZE) return ENOMEM;
  if (mm.vmas.length > MAX_MAP_COUNT) return ENOMEM;
  const start = placeOf(kernel, mm, pages, request, isHuge);
  if (start < 0) return start;
  const shared = (request.flags & VM_SHARED) !== 0;
  let flags = (prot & ACCESS) | request.flags | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC;
  if (shared) flags |= VM_MAYSHARE;
  const { file, pgoff } = request;
  // mmap_region: accountable_mapping
  if (!isHuge && (flags & (VM_SHARED | VM_WRITE)) === VM_WRITE) {
    if (!vm_enough_memory(kernel, pages)) return ENOMEM;
    flags |= VM_ACCOUNT;
  } else if (shared && !file && !isHuge && !vm_enough_memory(kernel, pages)) return ENOMEM;
  const needsObject = !file && (isHuge || shared);
  const kind = isHuge ? 'hugetlb' : 'shmem';
  const object = needsObject ? unnamed_object(kernel, kind, pages, shared ? undefined : mm) : file;
  if (typeof object === 'number') return object;
  mmap_region(kernel, mm, start, pages, flags, object, pgoff);
  return start;
}

/** Where it goes: checks of get_unmapped_area and of MAP_FIXED_NOREPLACE. */
function placeOf(kernel: Kernel, mm: Mm, pages: number, request: MmapRequest, isHuge: boolean): number {
  const { at, file } = request;
  const align = isHuge || file?.kind === 'hugetlb' ? HUGE : 1;
  if (at !== undefined && kernel.facts.mapFixedNoreplace) {
    if (at % align !== 0) return EINVAL;
    if (at + pages > TASK_SIZE) return ENOMEM;
    // security/min_addr.c: cap_mmap_addr
    if (at < MMAP_MIN) return EPERM;
    return find_vma_intersection(mm, at, at + pages) ? EEXIST : at;
  }
  // An unknown flag is no flag: the address is a hint.
  if (at !== undefined && at % align === 0 && at >= MMAP_MIN && at + pages <= TASK_SIZE)
    if (!find_vma_intersection(mm, at, at + pages)) return at;
  const found = align === 1 ? get_unmapped_area(kernel, mm, pages, file) : vm_unmapped_area(mm, pages, align);
  return found < 0 ? ENOMEM : found;
}

/** mmap.c:mmap_region, where nothing is mapped: a neighbour grows, or there is a new VMA. */
function mmap_region(
  kernel: Kernel,
  mm: Mm,
  start: number,
  pages: number,
  flags: number,
  file: AddressSpace | undefined,
  offset: number,
): void {
  const { store } = kernel;
  const end = start + pages;
  const pgoff = file ? offset : start;
  const index = vmaIndex(mm, start);
  const shape = { start, end, flags, pgoff, file, anon_vma: undefined };
  if (!vma_merge_new_range(kernel, shape, mm.vmas[index - 1], mm.vmas[index]))
    vma_link(kernel, { mm, start, end, flags, pgoff, file, anon_vma: undefined, anon_vma_chain: [] });
  store.set(mm, 'total_vm', mm.total_vm + pages);
}

/** A mapping of a device, whose driver puts its pages in itself (VM_MIXEDMAP): mmap of its file. */
export const mmap_device = (kernel: Kernel, mm: Mm, file: AddressSpace, pages: number, prot: number): number =>
  do_mmap(kernel, mm, { pages, prot, flags: VM_MIXEDMAP, file, pgoff: 0, at: undefined });

/** mmap.c:unmap_region: the pages of whole VMAs and their page tables go. They are still in the list. */
function* unmap_region(kernel: Kernel, mm: Mm, vmas: readonly Vma[]): KernelGenerator<void> {
  const first = vmas[0];
  const last = vmas.at(-1);
  if (!first || !last) return;
  lru_add_drain(kernel);
  yield* unmapRange(kernel, mm, vmas, first.start, last.end);
  const index = mm.vmas.indexOf(first);
  const prev = mm.vmas[index - 1];
  const next = mm.vmas[index + vmas.length];
  free_pgtables(kernel, mm, first.start, last.end, prev?.end ?? 0, next?.start ?? TASK_SIZE + 1);
}

/** memory.c:unmap_vmas with its notifier call, which covers the VMAs and the holes between. */
function* unmapRange(kernel: Kernel, mm: Mm, vmas: readonly Vma[], start: number, end: number): KernelGenerator<void> {
  const range = mmu_notifier_range(MMU_NOTIFY_UNMAP, mm, start, end);
  yield* mmu_notifier_invalidate_range_start(kernel, range);
  for (const vma of vmas) yield* unmap_vmas(kernel, vma, vma.start, vma.end);
  yield* mmu_notifier_invalidate_range_end(kernel, range);
}

/**
 * mmap.c:do_munmap (do_vmi_munmap): [start, start + pages) is mapped no more; that it was not is no mistake. The mmap
 * lock is held for writing.
 */
export function* do_munmap(kernel: Kernel, mm: Mm, start: number, pages: number): KernelGenerator<number> {
  if (pages <= 0 || start > TASK_SIZE || pages > TASK_SIZE - start) return EINVAL;
  const end = start + pages;
  const first = find_vma_intersection(mm, start, end);
  if (!first) return 0;
  // One VMA becomes two only where its middle goes.
  if (start > first.start && end < first.end && mm.vmas.length >= MAX_MAP_COUNT) return ENOMEM;
  const last = vmasIn(mm, start, end).at(-1) as Vma;
  const error = start > first.start ? may_split(first, start) : 0;
  if (error !== 0) return error;
  if (last.end > end) {
    const refused = may_split(last, end);
    if (refused !== 0) return refused;
  }
  if (start > first.start) yield* __split_vma(kernel, first, start, true);
  if (last.end > end) yield* __split_vma(kernel, last, end, false);
  const gone = vmasIn(mm, start, end);
  yield* unmap_region(kernel, mm, gone);
  for (const vma of gone) {
    account(kernel, vma);
    remove_vma(kernel, vma);
  }
  return 0;
}

/** vm_stat_account, and what the VMA had locked. */
function account(kernel: Kernel, vma: Vma): void {
  const { mm } = vma;
  vm_stat_account(kernel, mm, -vma_pages(vma));
  if ((vma.flags & VM_LOCKED) !== 0) kernel.store.set(mm, 'locked_vm', mm.locked_vm - vma_pages(vma));
}

/** mmap.c:exit_mmap: everything goes. */
export function* exit_mmap(kernel: Kernel, mm: Mm): KernelGenerator<void> {
  yield* kernel.call('exit_mmap', [hex(mm.id)], unmapAll(kernel, mm), () => 'void');
}

function* unmapAll(kernel: Kernel, mm: Mm): KernelGenerator<void> {
  const vmas = [...mm.vmas];
  const first = vmas[0];
  const last = vmas.at(-1);
  if (!first || !last) return;
  yield* down_read(kernel, mm.mmap_lock);
  lru_add_drain(kernel);
  yield* unmapRange(kernel, mm, vmas, 0, END_OF_ADDRESSES);
  up_read(kernel, mm.mmap_lock);
  yield* down_write(kernel, mm.mmap_lock);
  free_pgtables(kernel, mm, first.start, last.end, 0, TASK_SIZE + 1);
  for (const vma of vmas) {
    account(kernel, vma);
    remove_vma(kernel, vma);
  }
  up_write(kernel, mm.mmap_lock);
}
