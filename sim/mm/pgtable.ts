/**
 * Page tables: include/linux/pgtable.h and the allocating half of mm/memory.c. The lowest two levels are kept
 * by vpn >> 9; of the upper levels there are the frames that hold them, which come and go with their range.
 */
import { NO_PTE, type Pte, pte_index } from '../arch/pte.ts';
import type { HugePmd, Mm, PteTable } from '../include/mm_types.ts';
import { PageKind } from '../include/types.ts';
import type { Kernel } from '../machine/kernel.ts';
import { __free_pages_ok } from './freePages.ts';
import { __GFP_ZERO, GFP_KERNEL } from './gfp.ts';
import { __alloc_pages } from './page_alloc.ts';
import { numa_node_id } from './zonelist.ts';

export const PTRS_PER_PTE = 512;
const BITS_PER_LEVEL = 9;

const allocTablePage = (kernel: Kernel, mm: Mm): number => {
  const pfn = __alloc_pages(kernel, GFP_KERNEL | __GFP_ZERO, 0, numa_node_id(kernel), PageKind.Kernel);
  if (pfn >= 0) kernel.store.set(mm, 'pgtables_bytes', mm.pgtables_bytes + 4096);
  return pfn;
};

const freeTablePage = (kernel: Kernel, mm: Mm, pfn: number): void => {
  __free_pages_ok(kernel, pfn, 0);
  kernel.store.set(mm, 'pgtables_bytes', mm.pgtables_bytes - 4096);
};

/** The names of the upper tables above a vpn, from the PMD's up; the PGD is made with the mm and not counted. */
function* upperOf(kernel: Kernel, vpn: number): Generator<string> {
  for (let level = 2; level < kernel.arch.pageTableLevels; level++)
    yield `${level}:${Math.floor(vpn / 2 ** (BITS_PER_LEVEL * level))}`;
}

/** The entry of the PMD level: a table of PTEs, a huge entry, or nothing. */
export const pmdAt = (mm: Mm, vpn: number) => mm.pmds.get(Math.floor(vpn / PTRS_PER_PTE));

export const pteTableAt = (mm: Mm, vpn: number): PteTable | undefined => {
  const pmd = pmdAt(mm, vpn);
  return pmd?.kind === 'table' ? pmd : undefined;
};

export const hugePmdAt = (mm: Mm, vpn: number): HugePmd | undefined => {
  const pmd = pmdAt(mm, vpn);
  return pmd?.kind === 'huge' ? pmd : undefined;
};

/** The PTE of a page; none where there is no table. A huge PMD is not looked into. */
export const pteAt = (mm: Mm, vpn: number): Pte => pteTableAt(mm, vpn)?.entries[pte_index(vpn)] ?? NO_PTE;

/** The entry that leads to a page: of a huge PMD, or of its table. */
export const entryAt = (mm: Mm, vpn: number): Pte => {
  const pmd = pmdAt(mm, vpn);
  return pmd?.kind === 'huge' ? pmd.entry : (pmd?.entries[pte_index(vpn)] ?? NO_PTE);
};

/** memory.c:__pud_alloc, __pmd_alloc: the tables above the PMD entry. False: out of memory. */
function allocUpper(kernel: Kernel, mm: Mm, vpn: number): boolean {
  for (const key of upperOf(kernel, vpn)) {
    if (mm.upper.has(key)) return true;
    const pfn = allocTablePage(kernel, mm);
    if (pfn < 0) return false;
    kernel.store.mapSet(mm.upper, key, pfn);
  }
  return true;
}

/** pmd_alloc: there is room for an entry at the PMD level. False: out of memory. */
export const pmd_alloc = (kernel: Kernel, mm: Mm, vpn: number): boolean => allocUpper(kernel, mm, vpn);

/** A table of PTEs that is not installed (pte_alloc_one), or undefined without memory. */
export function pte_alloc_one(kernel: Kernel, mm: Mm): PteTable | undefined {
  const pfn = allocTablePage(kernel, mm);
  return pfn < 0 ? undefined : { kind: 'table', pfn, entries: new Float64Array(PTRS_PER_PTE) };
}

/** memory.c:__pte_alloc: the table for a page, made if there is none. Undefined without memory, or under a huge PMD. */
export function pte_alloc(kernel: Kernel, mm: Mm, vpn: number): PteTable | undefined {
  const pmd = pmdAt(mm, vpn);
  if (pmd) return pmd.kind === 'table' ? pmd : undefined;
  if (!allocUpper(kernel, mm, vpn)) return undefined;
  const table = pte_alloc_one(kernel, mm);
  if (table) kernel.store.mapSet(mm.pmds, Math.floor(vpn / PTRS_PER_PTE), table);
  return table;
}

/** set_pte_at. The table must be there. */
export function set_pte_at(kernel: Kernel, mm: Mm, vpn: number, pte: Pte): void {
  const table = pteTableAt(mm, vpn);
  if (!table) throw new RangeError(`set_pte_at: no page table for ${vpn.toString(16)}`);
  kernel.store.setDense(table.entries, pte_index(vpn), pte);
}

/** Puts a huge entry (or a table in its place) at the PMD level; upper tables are made. False: out of memory. */
export function set_pmd_at(kernel: Kernel, mm: Mm, vpn: number, pmd: HugePmd | PteTable): boolean {
  if (!allocUpper(kernel, mm, vpn)) return false;
  kernel.store.mapSet(mm.pmds, Math.floor(vpn / PTRS_PER_PTE), pmd);
  return true;
}

export function pmd_clear(kernel: Kernel, mm: Mm, vpn: number): void {
  kernel.store.mapDelete(mm.pmds, Math.floor(vpn / PTRS_PER_PTE));
}

export const pte_free = (kernel: Kernel, mm: Mm, table: PteTable): void => freeTablePage(kernel, mm, table.pfn);

/**
 * memory.c:free_pgtables: frees the tables of [start, end) that serve no page outside [floor, ceiling),
 * which are the neighbours' limits. Their entries are none by now.
 */
export function free_pgtables(
  kernel: Kernel,
  mm: Mm,
  start: number,
  end: number,
  floor: number,
  ceiling: number,
): void {
  const covers = (first: number, pages: number): boolean => first >= floor && first + pages <= ceiling;
  for (let index = Math.floor(start / PTRS_PER_PTE); index * PTRS_PER_PTE < end; index++) {
    const pmd = mm.pmds.get(index);
    if (!pmd || !covers(index * PTRS_PER_PTE, PTRS_PER_PTE)) continue;
    if (pmd.kind === 'table') pte_free(kernel, mm, pmd);
    else if (pmd.deposited) pte_free(kernel, mm, pmd.deposited);
    kernel.store.mapDelete(mm.pmds, index);
  }
  for (let level = 2; level < kernel.arch.pageTableLevels; level++) {
    const pages = 2 ** (BITS_PER_LEVEL * level);
    for (let index = Math.floor(start / pages); index * pages < end; index++) {
      const pfn = mm.upper.get(`${level}:${index}`);
      if (pfn === undefined || !covers(index * pages, pages)) continue;
      freeTablePage(kernel, mm, pfn);
      kernel.store.mapDelete(mm.upper, `${level}:${index}`);
    }
  }
}
