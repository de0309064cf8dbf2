/** VMAs are linked, split, merged and forgotten: the changing half of mm/vma.c (mm/mmap.c to 6.11). */
import { pte_index } from '../arch/pte.ts';
import { VM_HUGETLB, type Vma } from '../include/mm_types.ts';
import type { Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { split_huge_pmd } from './huge_split.ts';
import { hugePmdAt } from './pgtable.ts';
import { anon_vma_clone, unlink_anon_vmas } from './rmap.ts';
import { truncate_unused } from './truncate.ts';
import {
  can_vma_merge_after,
  can_vma_merge_before,
  is_mergeable_anon_vma,
  isSpecial,
  type VmaShape,
  vma_pages,
  vmaIndex,
} from './vma.ts';

const ENOMEM = -12;
const EINVAL = -22;
/** vm.max_map_count. */
export const MAX_MAP_COUNT = 65530;

/** mmap.c:vma_link: into the address space, and under its file. */
export function vma_link(kernel: Kernel, vma: Vma): void {
  const { store } = kernel;
  store.splice(vma.mm.vmas, vmaIndex(vma.mm, vma.start), 0, vma);
  if (vma.file) store.splice(vma.file.vmas, vma.file.vmas.length, 0, vma);
}

/** Out of the lists; its pages are unmapped, or belong to another VMA by now. */
function vma_unlink(kernel: Kernel, vma: Vma): void {
  const { store } = kernel;
  store.splice(vma.mm.vmas, vma.mm.vmas.indexOf(vma), 1);
  if (vma.file) store.splice(vma.file.vmas, vma.file.vmas.indexOf(vma), 1);
  unlink_anon_vmas(kernel, vma);
}

/** mmap.c:remove_vma: forgets a VMA whose pages are unmapped. The last one of a file nobody has open takes it along. */
export function remove_vma(kernel: Kernel, vma: Vma): void {
  vma_unlink(kernel, vma);
  if (vma.file) truncate_unused(kernel, vma.file);
}

/** fork.c:vm_area_dup. It belongs to nobody yet. */
export const vm_area_dup = (vma: Vma, mm = vma.mm): Vma => ({ ...vma, mm, anon_vma_chain: [] });

const setRange = (kernel: Kernel, vma: Vma, start: number, end: number, pgoff: number): void => {
  const { store } = kernel;
  store.set(vma, 'start', start);
  store.set(vma, 'end', end);
  store.set(vma, 'pgoff', pgoff);
};

/** huge_memory.c:vma_adjust_trans_huge: a huge mapping that an edge would cut becomes small ones. */
function* splitAt(kernel: Kernel, vma: Vma, vpn: number): KernelGenerator<void> {
  if (pte_index(vpn) !== 0 && (vma.flags & VM_HUGETLB) === 0 && hugePmdAt(vma.mm, vpn))
    yield* split_huge_pmd(kernel, vma, vpn);
}

/** hugetlb.c:hugetlb_vm_op_split: what vma.c:__split_vma refuses. */
export const may_split = (vma: Vma, vpn: number): number =>
  (vma.flags & VM_HUGETLB) !== 0 && pte_index(vpn) !== 0 ? EINVAL : 0;

/** vma.c:split_vma: __split_vma, unless there are too many already. */
export function* split_vma(kernel: Kernel, vma: Vma, vpn: number, newBelow: boolean): KernelGenerator<number> {
  if (vma.mm.vmas.length >= MAX_MAP_COUNT) return ENOMEM;
  return yield* __split_vma(kernel, vma, vpn, newBelow);
}

/**
 * vma.c:__split_vma: cuts a VMA at a page inside it. The new VMA is the lower half if `newBelow`, else the upper;
 * `vma` keeps the other. Returns 0, or an errno with nothing done.
 */
export function* __split_vma(kernel: Kernel, vma: Vma, vpn: number, newBelow: boolean): KernelGenerator<number> {
  const error = may_split(vma, vpn);
  if (error !== 0) return error;
  yield* splitAt(kernel, vma, vpn);
  const fresh = vm_area_dup(vma);
  const pgoff = vma.pgoff + (vpn - vma.start);
  if (newBelow) fresh.end = vpn;
  else {
    fresh.start = vpn;
    fresh.pgoff = pgoff;
  }
  anon_vma_clone(kernel, fresh, vma);
  if (newBelow) setRange(kernel, vma, vpn, vma.end, pgoff);
  else kernel.store.set(vma, 'end', vpn);
  vma_link(kernel, fresh);
  return 0;
}

/** vma.c:dup_anon_vma: `to` is about to take over pages of `from`. */
export function dup_anon_vma(kernel: Kernel, to: Vma, from: Vma): void {
  if (!from.anon_vma || to.anon_vma) return;
  kernel.store.set(to, 'anon_vma', from.anon_vma);
  anon_vma_clone(kernel, to, from);
}

/**
 * vma.c:vma_merge_new_range: makes a neighbour cover a range that holds nothing, or both neighbours one VMA. The VMA
 * that has the range then; undefined: it needs a VMA of its own.
 */
export function vma_merge_new_range(
  kernel: Kernel,
  shape: VmaShape,
  prev: Vma | undefined,
  next: Vma | undefined,
): Vma | undefined {
  if (isSpecial(shape.flags)) return undefined;
  const left = prev !== undefined && can_vma_merge_after(prev, shape);
  const right =
    next !== undefined &&
    can_vma_merge_before(next, shape) &&
    (!left || is_mergeable_anon_vma(prev.anon_vma, next.anon_vma, undefined));
  if (left) {
    if (right) {
      dup_anon_vma(kernel, prev, next);
      const { end } = next;
      vma_unlink(kernel, next);
      kernel.store.set(prev, 'end', end);
    } else kernel.store.set(prev, 'end', shape.end);
    return prev;
  }
  if (!right) return undefined;
  setRange(kernel, next, shape.start, next.end, shape.pgoff);
  return next;
}

/** vma.c:vma_merge_existing_range: [start, end) of `vma` with new flags becomes part of a neighbour, or of both. */
function* mergeExisting(
  kernel: Kernel,
  vma: Vma,
  start: number,
  end: number,
  flags: number,
): KernelGenerator<Vma | undefined> {
  const atLeft = start === vma.start;
  const atRight = end === vma.end;
  if (isSpecial(flags) || (!atLeft && !atRight)) return undefined;
  const { vmas } = vma.mm;
  const index = vmas.indexOf(vma);
  const pgoff = vma.pgoff + (start - vma.start);
  const shape: VmaShape = { start, end, flags, pgoff, file: vma.file, anon_vma: vma.anon_vma };
  const prev = atLeft ? vmas[index - 1] : undefined;
  const next = atRight ? vmas[index + 1] : undefined;
  const left = prev !== undefined && can_vma_merge_after(prev, shape);
  const right =
    next !== undefined &&
    can_vma_merge_before(next, shape) &&
    (!left || is_mergeable_anon_vma(prev.anon_vma, next.anon_vma, undefined));
  if (left && right) {
    dup_anon_vma(kernel, prev, next.anon_vma ? next : vma);
    const last = next.end;
    vma_unlink(kernel, vma);
    vma_unlink(kernel, next);
    kernel.store.set(prev, 'end', last);
    return prev;
  }
  if (left) {
    if (!atRight) yield* splitAt(kernel, vma, end);
    dup_anon_vma(kernel, prev, vma);
    if (atRight) vma_unlink(kernel, vma);
    else setRange(kernel, vma, end, vma.end, vma.pgoff + (end - vma.start));
    kernel.store.set(prev, 'end', end);
    return prev;
  }
  if (!right) return undefined;
  if (!atLeft) yield* splitAt(kernel, vma, start);
  dup_anon_vma(kernel, next, vma);
  if (atLeft) vma_unlink(kernel, vma);
  else kernel.store.set(vma, 'end', start);
  setRange(kernel, next, start, next.end, pgoff);
  return next;
}

/**
 * vma.c:vma_modify: gives [start, end) of a VMA other flags: merged with a neighbour that has them, or cut out.
 * Returns the VMA that has the range now (its flags are still the caller's to set, where it was cut out), or an errno.
 */
export function* vma_modify_flags(
  kernel: Kernel,
  vma: Vma,
  start: number,
  end: number,
  flags: number,
): KernelGenerator<Vma | number> {
  const merged = yield* mergeExisting(kernel, vma, start, end, flags);
  if (merged) return merged;
  if (vma.start < start) {
    const error = yield* split_vma(kernel, vma, start, true);
    if (error !== 0) return error;
  }
  if (vma.end > end) {
    const error = yield* split_vma(kernel, vma, end, false);
    if (error !== 0) return error;
  }
  return vma;
}

/**
 * vma.c:vma_merge_extend: a VMA grows by `delta` pages into free space, and meets what stands behind. False where it
 * may not grow: a special one.
 */
export function vma_merge_extend(kernel: Kernel, vma: Vma, delta: number): boolean {
  const { vmas } = vma.mm;
  const { end, flags, file, anon_vma } = vma;
  const pgoff = vma.pgoff + vma_pages(vma);
  const shape: VmaShape = { start: end, end: end + delta, flags, pgoff, file, anon_vma };
  return vma_merge_new_range(kernel, shape, vma, vmas[vmas.indexOf(vma) + 1]) !== undefined;
}
