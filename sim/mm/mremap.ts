/** mm/mremap.c: a mapping shrinks, grows in place, or moves with its page table entries. */
import {
  type Mm,
  VM_ACCOUNT,
  VM_DONTEXPAND,
  VM_HUGETLB,
  VM_LOCKED,
  VM_PFNMAP,
  VM_SHARED,
  type Vma,
} from '../include/mm_types.ts';
import { down_write, up_write } from '../kernel/locking.ts';
import type { Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { mm_populate } from './mlock.ts';
import { do_munmap, get_unmapped_area, TASK_SIZE, vm_enough_memory } from './mmap.ts';
import { move_page_tables } from './move_page_tables.ts';
import { anon_vma_clone, unlink_anon_vmas } from './rmap.ts';
import { find_vma_intersection, vma_is_anonymous, vma_lookup, vmaIndex } from './vma.ts';
import {
  dup_anon_vma,
  MAX_MAP_COUNT,
  vm_area_dup,
  vma_link,
  vma_merge_extend,
  vma_merge_new_range,
} from './vma_merge.ts';

const ENOMEM = -12;
const EFAULT = -14;
const EINVAL = -22;

export interface MremapRequest {
  readonly start: number;
  readonly oldPages: number;
  readonly newPages: number;
  /** MREMAP_FIXED. MREMAP_MAYMOVE is always given. */
  readonly to: number | undefined;
  /** MREMAP_DONTUNMAP, from 5.7. */
  readonly dontUnmap: boolean;
}

/** mremap.c:mremap: the vpn where the mapping is now, or an errno. */
export function* do_mremap(kernel: Kernel, mm: Mm, request: MremapRequest): KernelGenerator<number> {
  const { oldPages, newPages, to, dontUnmap } = request;
  if (dontUnmap && (!kernel.facts.mremapDontunmap || oldPages !== newPages)) return EINVAL;
  if (newPages <= 0 || oldPages < 0) return EINVAL;
  yield* down_write(kernel, mm.mmap_lock);
  const result =
    to !== undefined || dontUnmap ? yield* mremap_to(kernel, mm, request) : yield* resize(kernel, mm, request);
  up_write(kernel, mm.mmap_lock);
  const vma = result >= 0 ? vma_lookup(mm, result) : undefined;
  if (vma && (vma.flags & VM_LOCKED) !== 0 && newPages > oldPages)
    yield* mm_populate(kernel, mm, result + oldPages, newPages - oldPages);
  return result;
}

/** Without a place given: shrunk or grown where it is, or moved to where there is room. */
function* resize(kernel: Kernel, mm: Mm, request: MremapRequest): KernelGenerator<number> {
  const { start, oldPages, newPages } = request;
  const found = vma_lookup(mm, start);
  if (!found) return EFAULT;
  const size = hugeSizes(found, request);
  if (typeof size === 'number') return size;
  if (oldPages >= newPages) {
    const error = oldPages > newPages ? yield* do_munmap(kernel, mm, start + newPages, oldPages - newPages) : 0;
    return error !== 0 ? error : start;
  }
  const vma = vma_to_resize(kernel, mm, request);
  if (typeof vma === 'number') return vma;
  const delta = newPages - oldPages;
  if (oldPages === vma.end - start && vma_expandable(vma, delta)) {
    if (!vma_merge_extend(kernel, vma, delta)) return ENOMEM;
    kernel.store.set(mm, 'total_vm', mm.total_vm + delta);
    if ((vma.flags & VM_LOCKED) !== 0) kernel.store.set(mm, 'locked_vm', mm.locked_vm + delta);
    return start;
  }
  const place = get_unmapped_area(kernel, mm, newPages, vma.file);
  if (place < 0) return ENOMEM;
  return yield* move_vma(kernel, vma, request, place);
}

/** Sizes of hugetlb mappings are whole huge pages, and they do not grow. */
function hugeSizes(vma: Vma, { start, oldPages, newPages, to }: MremapRequest): true | number {
  if ((vma.flags & VM_HUGETLB) === 0) return true;
  const misaligned = start % 512 !== 0 || oldPages % 512 !== 0 || newPages % 512 !== 0 || (to ?? 0) % 512 !== 0;
  return misaligned || newPages > oldPages ? EINVAL : true;
}

/** mremap.c:mremap_to: to a fixed place, whose mappings go; or with MREMAP_DONTUNMAP, to any. */
function* mremap_to(kernel: Kernel, mm: Mm, request: MremapRequest): KernelGenerator<number> {
  const { start, newPages, to } = request;
  const source = vma_lookup(mm, start);
  if (!source) return EFAULT;
  const size = hugeSizes(source, request);
  if (typeof size === 'number') return size;
  if (to !== undefined) {
    if (newPages > TASK_SIZE || to > TASK_SIZE - newPages) return EINVAL;
    if (start + request.oldPages > to && to + newPages > start) return EINVAL;
  }
  // It may take three splits beyond what is there.
  if (mm.vmas.length + 2 >= MAX_MAP_COUNT - 3) return ENOMEM;
  if (to !== undefined) {
    const error = yield* do_munmap(kernel, mm, to, newPages);
    if (error !== 0) return error;
  }
  let { oldPages } = request;
  if (oldPages > newPages) {
    const error = yield* do_munmap(kernel, mm, start + newPages, oldPages - newPages);
    if (error !== 0) return error;
    oldPages = newPages;
  }
  const vma = vma_to_resize(kernel, mm, { ...request, oldPages });
  if (typeof vma === 'number') return vma;
  const place = to ?? get_unmapped_area(kernel, mm, newPages, vma.file);
  if (place < 0) return ENOMEM;
  return yield* move_vma(kernel, vma, { ...request, oldPages }, place);
}

/** mremap.c:vma_to_resize: the VMA, if all of the old range lies in it and it may have the new size. */
function vma_to_resize(kernel: Kernel, mm: Mm, { start, oldPages, newPages, dontUnmap }: MremapRequest): Vma | number {
  const vma = vma_lookup(mm, start);
  if (!vma) return EFAULT;
  // Nothing to move makes sense of a shared mapping only: it is mapped once more.
  if (oldPages === 0 && (vma.flags & VM_SHARED) === 0) return EINVAL;
  if (dontUnmap && (vma.flags & (VM_DONTEXPAND | VM_PFNMAP)) !== 0) return EINVAL;
  if (oldPages > vma.end - start) return EFAULT;
  if (newPages === oldPages) return vma;
  if ((vma.flags & (VM_DONTEXPAND | VM_PFNMAP)) !== 0) return EFAULT;
  if ((vma.flags & VM_ACCOUNT) !== 0 && !vm_enough_memory(kernel, newPages - oldPages)) return ENOMEM;
  return vma;
}

/** mremap.c:vma_expandable. */
const vma_expandable = (vma: Vma, delta: number): boolean =>
  vma.end + delta <= TASK_SIZE && !find_vma_intersection(vma.mm, vma.end, vma.end + delta);

/** mremap.c:move_vma. */
function* move_vma(kernel: Kernel, old: Vma, request: MremapRequest, to: number): KernelGenerator<number> {
  const { store } = kernel;
  const { mm } = old;
  const { start, oldPages, newPages, dontUnmap } = request;
  if (mm.vmas.length >= MAX_MAP_COUNT - 3) return ENOMEM;
  const isLocked = (old.flags & VM_LOCKED) !== 0;
  const copy = copy_vma(kernel, old, start, newPages, to);
  // The old mapping may have become part of the new one, if nothing was ever in it.
  const vma = copy.start <= start && start < copy.end ? copy : old;
  const moved = yield* move_page_tables(kernel, vma, start, copy, to, oldPages);
  const { hiwater_vm } = mm;
  store.set(mm, 'total_vm', mm.total_vm + newPages);
  if (isLocked) store.set(mm, 'locked_vm', mm.locked_vm + newPages);
  if (moved < oldPages) {
    // What was moved goes back, and the new mapping with it.
    yield* move_page_tables(kernel, copy, to, vma, start, moved);
    yield* do_munmap(kernel, mm, to, newPages);
    if (mm.hiwater_vm !== hiwater_vm) store.set(mm, 'hiwater_vm', hiwater_vm);
    return ENOMEM;
  }
  if (!dontUnmap) {
    yield* do_munmap(kernel, mm, start, oldPages);
    // Being there twice while it moved is no peak.
    if (mm.hiwater_vm !== hiwater_vm) store.set(mm, 'hiwater_vm', hiwater_vm);
    return to;
  }
  // The old mapping stays, empty and not locked; none of its pages is in an anon_vma any more.
  if (isLocked && vma !== copy) {
    store.set(mm, 'locked_vm', mm.locked_vm - (vma.end - vma.start));
    store.set(vma, 'flags', vma.flags & ~VM_LOCKED);
  }
  if (copy !== vma && vma.start === start && vma.end === start + oldPages) unlink_anon_vmas(kernel, vma);
  return to;
}

/** vma.c:copy_vma: a VMA at the new place that may map the old one's pages; it may be part of a neighbour. */
function copy_vma(kernel: Kernel, vma: Vma, start: number, pages: number, to: number): Vma {
  const { mm } = vma;
  // Where nothing was touched yet, the pages are numbered by their new place.
  const isFresh = vma_is_anonymous(vma) && !vma.anon_vma;
  const pgoff = isFresh ? to : vma.pgoff + (start - vma.start);
  const index = vmaIndex(mm, to);
  const { flags, file, anon_vma } = vma;
  const shape = { start: to, end: to + pages, flags, pgoff, file, anon_vma };
  const merged = vma_merge_new_range(kernel, shape, mm.vmas[index - 1], mm.vmas[index]);
  if (merged) {
    // vma_expand with copy_from: a neighbour without an anon_vma takes that of the pages it gets.
    if (merged !== vma) dup_anon_vma(kernel, merged, vma);
    return merged;
  }
  const copy = vm_area_dup(vma);
  copy.start = to;
  copy.end = to + pages;
  copy.pgoff = pgoff;
  anon_vma_clone(kernel, copy, vma);
  vma_link(kernel, copy);
  return copy;
}
