/** The lines of /proc/meminfo and a node's meminfo that come from counters, by their names there; in pages. */

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

/** `total`: pages of RAM, of the whole machine. What nothing counts is 0. */
export function memoryCounters(counter: Counter, total = 0): (line: string) => number {
  return (line) => {
    if (line === 'CommitLimit') return Math.floor(total / 2);
    if (line === 'VmallocTotal') return 34359738367 / 4;
    return LINES[line]?.(counter) ?? 0;
  };
}
