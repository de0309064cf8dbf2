/** mm/mremap.c:move_page_tables: what is mapped in one place is mapped in another. */
import { NO_PTE } from '../arch/pte.ts';
import { type PteTable, VM_HUGETLB, type Vma } from '../include/mm_types.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { split_huge_pmd } from './huge_split.ts';
import { move_hugetlb_page_tables } from './hugetlb.ts';
import {
  MMU_NOTIFY_UNMAP,
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
  mmu_notifier_range,
} from './mmu_notifier.ts';
import { PTRS_PER_PTE, pmd_alloc, pmd_clear, pmdAt, pte_alloc, set_pmd_at } from './pgtable.ts';

const NR = PTRS_PER_PTE;

/** How many pages were moved: fewer than asked if there was no memory for tables. The devices are told of the old place. */
export function* move_page_tables(
  kernel: Kernel,
  vma: Vma,
  oldVpn: number,
  newVma: Vma,
  newVpn: number,
  pages: number,
): KernelGenerator<number> {
  return yield* kernel.call(
    'move_page_tables',
    [hex(oldVpn * 4096), hex(newVpn * 4096)],
    move(kernel, vma, oldVpn, newVma, newVpn, pages),
    (moved) => hex(moved * 4096),
  );
}

function* move(
  kernel: Kernel,
  vma: Vma,
  oldVpn: number,
  newVma: Vma,
  newVpn: number,
  pages: number,
): KernelGenerator<number> {
  const range = mmu_notifier_range(MMU_NOTIFY_UNMAP, vma.mm, oldVpn, oldVpn + pages);
  yield* mmu_notifier_invalidate_range_start(kernel, range);
  const moved =
    (vma.flags & VM_HUGETLB) !== 0
      ? move_hugetlb_page_tables(kernel, vma, oldVpn, newVma, newVpn, pages)
      : yield* moveRange(kernel, vma, oldVpn, newVma, newVpn, pages);
  yield* mmu_notifier_invalidate_range_end(kernel, range);
  return moved;
}

function* moveRange(
  kernel: Kernel,
  vma: Vma,
  oldVpn: number,
  newVma: Vma,
  newVpn: number,
  pages: number,
): KernelGenerator<number> {
  for (let done = 0; done < pages; ) {
    const from = oldVpn + done;
    const to = newVpn + done;
    // As far as both the old table and the new one reach.
    const extent = Math.min(pages - done, NR - (from % NR), NR - (to % NR));
    let pmd = pmdAt(vma.mm, from);
    if (pmd) {
      const isFree = pmdAt(newVma.mm, to) === undefined;
      // A whole table, or a huge entry, moves as it is (move_normal_pmd, move_huge_pmd).
      if (extent === NR && isFree) {
        if (!pmd_alloc(kernel, newVma.mm, to)) return done;
        pmd_clear(kernel, vma.mm, from);
        set_pmd_at(kernel, newVma.mm, to, pmd);
      } else {
        if (pmd.kind === 'huge') {
          yield* split_huge_pmd(kernel, vma, from);
          pmd = pmdAt(vma.mm, from);
        }
        const table = pte_alloc(kernel, newVma.mm, to);
        if (!table) return done;
        if (pmd?.kind === 'table') move_ptes(kernel, pmd, from, table, to, extent);
      }
    }
    done += extent;
  }
  return pages;
}

/** mremap.c:move_ptes: every kind of entry moves as it is. */
function move_ptes(kernel: Kernel, old: PteTable, from: number, table: PteTable, to: number, count: number): void {
  for (let i = 0; i < count; i++) {
    const pte = old.entries[(from + i) % NR] ?? NO_PTE;
    if (pte === NO_PTE) continue;
    kernel.store.setDense(old.entries, (from + i) % NR, NO_PTE);
    kernel.store.setDense(table.entries, (to + i) % NR, pte);
  }
}
