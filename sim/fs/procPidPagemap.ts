/** /proc/PID/pagemap: fs/proc/task_mmu.c. One 8-byte word for each page of the address space, as root reads it. */
import {
  is_pfn_swap_entry,
  PTE_SOFT_DIRTY,
  PTE_UFFD_WP,
  type Pte,
  PteKind,
  pte_devmap,
  pte_index,
  pte_none,
  pte_pfn,
  pte_present,
  pte_special,
  pteBits,
  pteKind,
  swpEntry,
} from '../arch/pte.ts';
import type { Folio, Mm } from '../include/mm_types.ts';
import type { Kernel } from '../machine/kernel.ts';
import { folioOf } from '../mm/folio.ts';
import { pmdAt } from '../mm/pgtable.ts';
import { folio_test_anon } from '../mm/rmap.ts';
import { vma_lookup } from '../mm/vma.ts';

/* Documentation/admin-guide/mm/pagemap.rst. */
export const PM_SOFT_DIRTY = 1n << 55n;
export const PM_MMAP_EXCLUSIVE = 1n << 56n;
export const PM_UFFD_WP = 1n << 57n;
export const PM_FILE = 1n << 61n;
export const PM_SWAP = 1n << 62n;
export const PM_PRESENT = 1n << 63n;
const PM_PFRAME_MASK = (1n << 55n) - 1n;
const MAX_SWAPFILES_SHIFT = 5n;

/** mm.h:folio_precise_page_mapcount: the entries that map one page, those of the whole folio among them. */
export const page_mapcount = (kernel: Kernel, folio: Folio, pfn: number): number =>
  ((kernel.pages.mapcount.get(pfn) + 1) | 0) + (folio.order > 0 ? folio.entire_mapcount + 1 : 0);

/** vm_normal_page, and what an entry that names a page frame refers to: the page, or -1. */
export function pageOfEntry(kernel: Kernel, pte: Pte): number {
  if (pte_present(pte)) {
    const isDevmap = pte_devmap(pte) && kernel.facts.devmapPte;
    return pte_special(pte) || isDevmap ? -1 : pte_pfn(pte);
  }
  return is_pfn_swap_entry(pte) && pteKind(pte) !== PteKind.Hwpoison ? pte_pfn(pte) : -1;
}

/** The frame field of a swap entry: type in the low five bits, above it the offset; of page frames the pfn alone. */
function swapFrame(kernel: Kernel, pte: Pte, index: number): bigint {
  const { type, offset } = swpEntry(kernel, pte);
  const value = is_pfn_swap_entry(pte) ? BigInt(pte_pfn(pte)) : offset;
  return BigInt(type) | ((value + BigInt(index)) << MAX_SWAPFILES_SHIFT);
}

/**
 * task_mmu.c:pte_to_pagemap_entry and pagemap_pmd_range: the word of one page.
 * `index`: the page inside a huge entry.
 */
function entryWord(kernel: Kernel, pte: Pte, index: number): bigint {
  if (pte_none(pte)) return 0n;
  const bits = pteBits(pte);
  let word = 0n;
  if ((bits & PTE_SOFT_DIRTY) !== 0) word |= PM_SOFT_DIRTY;
  if ((bits & PTE_UFFD_WP) !== 0 && kernel.facts.pagemapUffdWp) word |= PM_UFFD_WP;
  const isPresent = pte_present(pte);
  if (isPresent) word |= PM_PRESENT | (BigInt(pte_pfn(pte) + index) & PM_PFRAME_MASK);
  else word |= PM_SWAP | (swapFrame(kernel, pte, index) & PM_PFRAME_MASK);
  const first = pageOfEntry(kernel, pte);
  if (first < 0) return word;
  const folio = folioOf(kernel, first);
  if (!folio) return word;
  if (!folio_test_anon(folio)) word |= PM_FILE;
  const mayBeExclusive = isPresent || (!kernel.facts.pagemapExclusiveIsPresent && !isMigration(pte));
  if (mayBeExclusive && page_mapcount(kernel, folio, first + index) === 1) word |= PM_MMAP_EXCLUSIVE;
  return word;
}

const isMigration = (pte: Pte): boolean => {
  const kind = pteKind(pte);
  return kind >= PteKind.MigrationRead && kind <= PteKind.MigrationWrite;
};

/** The word of the page at `vpn`; 0 where nothing is mapped. */
export function pagemapWord(kernel: Kernel, mm: Mm, vpn: number): bigint {
  if (!vma_lookup(mm, vpn)) return 0n;
  const pmd = pmdAt(mm, vpn);
  if (!pmd) return 0n;
  if (pmd.kind === 'table') return entryWord(kernel, pmd.entries[pte_index(vpn)] ?? 0, 0);
  return entryWord(kernel, pmd.entry, pte_index(vpn));
}

/** What a word says, in words: as tools print it. */
export function pagemapText(word: bigint): string {
  const bit = (mask: bigint): number => ((word & mask) === 0n ? 0 : 1);
  const frame = word & PM_PFRAME_MASK;
  const what =
    (word & PM_PRESENT) !== 0n
      ? `PRESENT pfn=0x${frame.toString(16)}`
      : (word & PM_SWAP) !== 0n
        ? `SWAP type=${frame & 31n} offset=0x${(frame >> MAX_SWAPFILES_SHIFT).toString(16)}`
        : 'none';
  return `pagemap=0x${word.toString(16).padStart(16, '0')} ${what} file/shared=${bit(PM_FILE)} exclusive=${bit(PM_MMAP_EXCLUSIVE)} uffdwp=${bit(PM_UFFD_WP)} softdirty=${bit(PM_SOFT_DIRTY)}`;
}
