/** The lines of /proc/meminfo and a node's meminfo that come from counters, by their names there; in pages. */
import { VM_ACCOUNT } from '../include/mm_types.ts';
import type { Kernel } from '../machine/kernel.ts';
import { inUse } from '../mm/swap_state.ts';

const HUGE = 512;

type Counter = (name: string) => number;

const LINES: Readonly<Record<string, (counter: Counter) => number>> = {
  Cached: (counter) => Math.max(0, counter('nr_file_pages') - counter('nr_swapcached')),
  FilePages: (counter) => counter('nr_file_pages'),
  SwapCached: (counter) => counter('nr_swapcached'),
  Active: (counter) => counter('nr_active_anon') + counter('nr_active_file'),
  Inactive: (counter) => counter('nr_inactive_anon') + counter('nr_inactive_file'),
  'Active(anon)': (counter) => counter('nr_active_anon'),
  'Inactive(anon)': (counter) => counter('nr_inactive_anon'),
  'Active(file)': (counter) => counter('nr_active_file'),
  'Inactive(file)': (counter) => counter('nr_inactive_file'),
  Unevictable: (counter) => counter('nr_unevictable'),
  Mlocked: (counter) => counter('nr_mlock'),
  Dirty: (counter) => counter('nr_dirty'),
  Writeback: (counter) => counter('nr_writeback'),
  AnonPages: (counter) => counter('nr_anon_pages'),
  Mapped: (counter) => counter('nr_mapped'),
  Shmem: (counter) => counter('nr_shmem'),
  PageTables: (counter) => counter('nr_page_table_pages'),
  AnonHugePages: (counter) => counter('nr_anon_transparent_hugepages') * HUGE,
  ShmemHugePages: (counter) => counter('nr_shmem_hugepages') * HUGE,
  ShmemPmdMapped: (counter) => counter('nr_shmem_pmdmapped') * HUGE,
  FileHugePages: (counter) => counter('nr_file_hugepages') * HUGE,
  FilePmdMapped: (counter) => counter('nr_file_pmdmapped') * HUGE,
};

/** Pages of all swap files but their headers, and those of them that are free. */
export function swapPages({ state }: Kernel): { total: number; free: number } {
  let total = 0;
  let used = 0;
  for (const info of state.swap.values()) {
    total += info.max - 1;
    used += inUse(info);
  }
  return { total, free: total - used };
}

/** The lines on huge pages: hugetlb_report_meminfo. */
export function hugetlbLines({ state }: Kernel): string {
  const { nr_huge_pages, free, resv_huge_pages } = state.hugetlb;
  const line = (name: string, value: number, unit = ''): string =>
    `${`${name}:`.padEnd(16)}${String(value).padStart(8)}${unit}\n`;
  return (
    line('HugePages_Total', nr_huge_pages) +
    line('HugePages_Free', free.length) +
    line('HugePages_Rsvd', resv_huge_pages) +
    line('HugePages_Surp', 0) +
    line('Hugepagesize', 2048, ' kB') +
    line('Hugetlb', nr_huge_pages * 2048, ' kB')
  );
}

/** vm_committed_as: what private writable memory may come to need, and shared anonymous objects. */
export function committed(kernel: Kernel): number {
  let pages = 0;
  for (const mm of kernel.state.mms.values())
    for (const vma of mm.vmas) if ((vma.flags & VM_ACCOUNT) !== 0) pages += vma.end - vma.start;
  return pages;
}

/** What nothing counts is 0. */
export function memoryCounters(counter: Counter): (line: string) => number {
  return (line) => LINES[line]?.(counter) ?? 0;
}

/** The lines of /proc/meminfo that concern the whole machine. */
export function machineCounters(kernel: Kernel, counter: Counter): (line: string) => number {
  const swap = swapPages(kernel);
  const own: Readonly<Record<string, () => number>> = {
    SwapTotal: () => swap.total,
    SwapFree: () => swap.free,
    // vm.overcommit_ratio of 50.
    CommitLimit: () =>
      Math.floor((kernel.state.totalram_pages - kernel.state.hugetlb.nr_huge_pages * HUGE) / 2) + swap.total,
    Committed_AS: () => committed(kernel),
    VmallocTotal: () => 34359738367 / 4,
  };
  const others = memoryCounters(counter);
  return (line) => own[line]?.() ?? others(line);
}
