/** mm/huge_memory.c: huge PMDs. */
import { mkPte, PTE_SPECIAL, type Pte, pte_pfn, pteBits, pteKind } from '../arch/pte.ts';
import type { PteTable, Vma } from '../include/mm_types.ts';
import type { Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { folioOf } from './folio.ts';
import { hugePmdAt, pte_alloc_one, set_pmd_at } from './pgtable.ts';

/** huge_memory.c:__split_huge_pmd: the same pages, mapped one by one. */
// biome-ignore lint/correctness/useYield: the notifiers of the range come with huge pages
export function* split_huge_pmd(kernel: Kernel, vma: Vma, vpn: number): KernelGenerator<void> {
  const pmd = hugePmdAt(vma.mm, vpn);
  if (!pmd) return;
  const table: PteTable | undefined = pmd.deposited ?? pte_alloc_one(kernel, vma.mm);
  if (!table) return;
  const first = pte_pfn(pmd.entry);
  const entries: Pte[] = table.entries.map((_, i) => mkPte(pteKind(pmd.entry), first + i, pteBits(pmd.entry) & ~15));
  const folio = folioOf(kernel, first);
  if (folio && (pteBits(pmd.entry) & PTE_SPECIAL) === 0) {
    kernel.pages.refcount.add(folio.pfn, entries.length - 1);
    kernel.store.set(folio, 'entire_mapcount', folio.entire_mapcount - 1);
    for (let i = 0; i < entries.length; i++) kernel.pages.mapcount.add(first + i, 1);
  }
  kernel.store.splice(table.entries, 0, table.entries.length, ...entries);
  set_pmd_at(kernel, vma.mm, vpn, table);
}
