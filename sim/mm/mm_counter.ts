/** include/linux/mm.h: rss counters by what kind of page it is. */
import { type Folio, MM_ANONPAGES, MM_FILEPAGES, MM_SHMEMPAGES, type Mm } from '../include/mm_types.ts';
import type { Kernel } from '../machine/kernel.ts';
import { PG_SWAPBACKED, testFlag } from './folio_record.ts';
import { folio_test_anon } from './rmap.ts';

export function add_mm_counter(kernel: Kernel, mm: Mm, member: 0 | 1 | 2 | 3, value: number): void {
  if (value < 0) update_hiwater_rss(kernel, mm);
  kernel.store.add(mm.rss, member, value);
}

/** mm.h:update_hiwater_rss: before it gets less, what it was is remembered. */
function update_hiwater_rss(kernel: Kernel, mm: Mm): void {
  const rss = mm.rss[MM_FILEPAGES] + mm.rss[MM_ANONPAGES] + mm.rss[MM_SHMEMPAGES];
  if (rss > mm.hiwater_rss) kernel.store.set(mm, 'hiwater_rss', rss);
}

/** mmap.c:vm_stat_account, and mm.h:update_hiwater_vm where it gets less. */
export function vm_stat_account(kernel: Kernel, mm: Mm, pages: number): void {
  if (pages < 0 && mm.total_vm > mm.hiwater_vm) kernel.store.set(mm, 'hiwater_vm', mm.total_vm);
  kernel.store.set(mm, 'total_vm', mm.total_vm + pages);
}

/** mm_counter_file: pages of shmem are swap backed. */
export const mm_counter_file = (kernel: Kernel, folio: Folio): 0 | 3 =>
  testFlag(kernel, folio.pfn, PG_SWAPBACKED) ? MM_SHMEMPAGES : MM_FILEPAGES;

/** mm_counter. */
export const mm_counter = (kernel: Kernel, folio: Folio): 0 | 1 | 3 =>
  folio_test_anon(folio) ? MM_ANONPAGES : mm_counter_file(kernel, folio);
