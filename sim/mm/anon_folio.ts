/** Fresh anonymous pages with their charge (mm/memory.c:folio_prealloc, alloc_anon_folio). */
import { type Folio, VM_LOCKED, type Vma } from '../include/mm_types.ts';
import { PageKind } from '../include/types.ts';
import { should_fail } from '../lib/fault-inject.ts';
import type { Kernel } from '../machine/kernel.ts';
import { alloc_folio, folio_put_system } from './folio.ts';
import { newFolio, PG_ANON_EXCLUSIVE, PG_SWAPBACKED, PG_UPTODATE } from './folio_record.ts';
import { __free_pages_ok } from './freePages.ts';
import { __GFP_NOWARN, GFP_HIGHUSER_MOVABLE } from './gfp.ts';
import { mem_cgroup_charge, try_charge } from './memcontrol.ts';
import { mlock_vma_folio } from './mlock_folio.ts';
import { __alloc_pages } from './page_alloc.ts';
import { mod_vm } from './vmstat.ts';
import { numa_node_id } from './zonelist.ts';

/**
 * A page of zeros for `vpn`, charged and mapped once: folio_prealloc and folio_add_new_anon_rmap in one, because
 * every write to fresh memory comes here and the record is then written once. Undefined without memory, or where
 * the memory cgroup is full. anon_vma_prepare came first.
 */
export function alloc_anon_folio(kernel: Kernel, vma: Vma, vpn: number): Folio | undefined {
  const { pages } = kernel;
  const { memcg } = vma.mm;
  if (should_fail(kernel, 'page')) return undefined;
  // The OOM killer has the word before the allocator complains.
  const pfn = __alloc_pages(kernel, GFP_HIGHUSER_MOVABLE | __GFP_NOWARN, 0, numa_node_id(kernel), PageKind.Anon);
  if (pfn < 0) return undefined;
  if (!try_charge(kernel, memcg, 1)) {
    __free_pages_ok(kernel, pfn, 0);
    return undefined;
  }
  const exclusive = kernel.facts.anonExclusive ? PG_ANON_EXCLUSIVE : 0;
  pages.flags.set(pfn, PG_UPTODATE | PG_SWAPBACKED | exclusive);
  pages.mapcount.set(pfn, 0);
  mod_vm(kernel, 'nr_anon_pages', 1);
  const folio = newFolio(kernel, pfn, 0, vma.anon_vma, vma.pgoff + (vpn - vma.start), memcg);
  if ((vma.flags & VM_LOCKED) !== 0) mlock_vma_folio(kernel, folio, vma);
  return folio;
}

/** memory.c:folio_prealloc: a page for a copy, charged; it is mapped later. */
export function folio_prealloc(kernel: Kernel, vma: Vma, order = 0): Folio | undefined {
  const folio = alloc_folio(kernel, order);
  if (!folio || mem_cgroup_charge(kernel, folio, vma.mm)) return folio;
  folio_put_system(kernel, folio.pfn);
  return undefined;
}
