/** What a VMA lets its entries be: vma->vm_page_prot and the questions of include/linux/mm.h around it. */
import { mkPte, PTE_WRITE, PTE_YOUNG, type Pte, PteKind, pteBits, withBits } from '../arch/pte.ts';
import { VM_EXEC, VM_MAYSHARE, VM_MAYWRITE, VM_READ, VM_SHARED, VM_WRITE, type Vma } from '../include/mm_types.ts';

const VM_ACCESS_FLAGS = VM_READ | VM_WRITE | VM_EXEC;

/** mm.h:vma_is_anonymous: no vm_ops. A driver that inserted its pages while it was mapped has none either. */
export const vma_is_anonymous = (vma: Vma): boolean => vma.file === undefined || vma.file.kind === 'device';

export const is_shared = (vma: Vma): boolean => (vma.flags & (VM_SHARED | VM_MAYSHARE)) !== 0;

/** mm.h:is_cow_mapping: private, and may become writable. */
export const is_cow_mapping = (flags: number): boolean => (flags & (VM_SHARED | VM_MAYWRITE)) === VM_MAYWRITE;

/** mmap.c:vma_wants_writenotify: a file system hears of the first write to a page (page_mkwrite); shmem does not ask. */
export const vma_wants_writenotify = (vma: Vma): boolean =>
  (vma.flags & (VM_WRITE | VM_SHARED)) === (VM_WRITE | VM_SHARED) && vma.file?.kind === 'file';

/** Do the entries of these VMA flags let the user in at all? Else they are PAGE_NONE. */
const isAccessible = (flags: number): boolean => (flags & VM_ACCESS_FLAGS) !== 0;

/** The bits that vm_page_prot gives: only shared mappings that nobody watches are writable from the start. */
const protBits = (vma: Vma): number =>
  (vma.flags & (VM_WRITE | VM_SHARED)) === (VM_WRITE | VM_SHARED) && !vma_wants_writenotify(vma) ? PTE_WRITE : 0;

/** mk_pte(page, vma->vm_page_prot): on x86 every protection has the accessed bit. */
export const mk_pte = (vma: Vma, pfn: number, bits = 0): Pte =>
  mkPte(isAccessible(vma.flags) ? PteKind.Present : PteKind.ProtNone, pfn, protBits(vma) | PTE_YOUNG | bits);

/** pte_modify(pte, vma->vm_page_prot): page, accessed, dirty and software bits stay. */
export function pte_modify(vma: Vma, pte: Pte): Pte {
  const kind = isAccessible(vma.flags) ? PteKind.Present : PteKind.ProtNone;
  return withBits(pte, protBits(vma) | kind, PTE_WRITE | 15);
}

/** mm.h:maybe_mkwrite. */
export const maybe_mkwrite = (vma: Vma, pte: Pte): Pte =>
  (vma.flags & VM_WRITE) !== 0 ? withBits(pte, PTE_WRITE) : pte;

/** pte_protnone of a VMA that can be accessed: a NUMA hint. */
export const is_numa_hint = (vma: Vma, pte: Pte): boolean =>
  (pteBits(pte) & 15) === PteKind.ProtNone && isAccessible(vma.flags);
