/** Finding VMAs, and whether two could be one: the looking half of mm/mmap.c and mm/vma.c. */
import {
  type AddressSpace,
  type AnonVma,
  type Mm,
  VM_READ,
  VM_SPECIAL,
  VM_WRITE,
  type Vma,
} from '../include/mm_types.ts';

export const vma_pages = (vma: Vma): number => vma.end - vma.start;
/** vma_is_anonymous: private memory of no file. */
export const vma_is_anonymous = (vma: Vma): boolean => vma.file === undefined;

/** Position of the first VMA that ends behind `vpn`; the length where there is none. */
export function vmaIndex(mm: Mm, vpn: number): number {
  const { vmas } = mm;
  let low = 0;
  let high = vmas.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((vmas[middle] as Vma).end > vpn) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** mmap.c:find_vma: the first VMA that ends behind `vpn`, which need not contain it. */
export const find_vma = (mm: Mm, vpn: number): Vma | undefined => mm.vmas[vmaIndex(mm, vpn)];

/** vma_lookup: the VMA that contains `vpn`. */
export function vma_lookup(mm: Mm, vpn: number): Vma | undefined {
  const vma = find_vma(mm, vpn);
  return vma && vma.start <= vpn ? vma : undefined;
}

/** find_vma_intersection: the first VMA with a page in [start, end). */
export function find_vma_intersection(mm: Mm, start: number, end: number): Vma | undefined {
  const vma = find_vma(mm, start);
  return vma && vma.start < end ? vma : undefined;
}

/** The VMAs with a page in [start, end), as they are now. */
export function vmasIn(mm: Mm, start: number, end: number): Vma[] {
  const first = vmaIndex(mm, start);
  let last = first;
  while (last < mm.vmas.length && (mm.vmas[last] as Vma).start < end) last++;
  return mm.vmas.slice(first, last);
}

/** What a new mapping, or a changed part of one, would be like: struct vma_merge_struct. */
export interface VmaShape {
  readonly start: number;
  readonly end: number;
  readonly flags: number;
  readonly pgoff: number;
  readonly file: AddressSpace | undefined;
  readonly anon_vma: AnonVma | undefined;
}

/** vma.c:is_mergeable_anon_vma. A VMA that has pages of its parent's may not get those of another. */
export const is_mergeable_anon_vma = (
  one: AnonVma | undefined,
  other: AnonVma | undefined,
  vma: Vma | undefined,
): boolean => ((!one || !other) && (!vma || vma.anon_vma_chain.length === 1) ? true : one === other);

const isAlike = (vma: Vma, shape: VmaShape): boolean => vma.flags === shape.flags && vma.file === shape.file;

/** vma.c:can_vma_merge_after: the shape could continue `prev`, which ends where it begins. */
export const can_vma_merge_after = (prev: Vma, shape: VmaShape): boolean =>
  prev.end === shape.start &&
  isAlike(prev, shape) &&
  is_mergeable_anon_vma(shape.anon_vma, prev.anon_vma, prev) &&
  prev.pgoff + vma_pages(prev) === shape.pgoff;

/** vma.c:can_vma_merge_before: the shape could be the beginning of `next`. */
export const can_vma_merge_before = (next: Vma, shape: VmaShape): boolean =>
  next.start === shape.end &&
  isAlike(next, shape) &&
  is_mergeable_anon_vma(shape.anon_vma, next.anon_vma, next) &&
  next.pgoff === shape.pgoff + (shape.end - shape.start);

export const isSpecial = (flags: number): boolean => (flags & VM_SPECIAL) !== 0;

/** mmap.c:anon_vma_compatible: a change of protection alone keeps the two apart. */
const anonVmaCompatible = (a: Vma, b: Vma): boolean =>
  a.end === b.start &&
  a.file === b.file &&
  ((a.flags ^ b.flags) & ~(VM_READ | VM_WRITE)) === 0 &&
  b.pgoff === a.pgoff + vma_pages(a);

/** mmap.c:find_mergeable_anon_vma: a neighbour's anon_vma, so that the two can merge once they are alike. Next first. */
export function find_mergeable_anon_vma(vma: Vma): AnonVma | undefined {
  const { vmas } = vma.mm;
  const index = vmas.indexOf(vma);
  const next = vmas[index + 1];
  // reusable_anon_vma: not one that has an ancestor's pages in it.
  if (next?.anon_vma && next.anon_vma_chain.length === 1 && anonVmaCompatible(vma, next)) return next.anon_vma;
  const prev = vmas[index - 1];
  if (prev?.anon_vma && prev.anon_vma_chain.length === 1 && anonVmaCompatible(prev, vma)) return prev.anon_vma;
  return undefined;
}
