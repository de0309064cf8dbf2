/** Page tables, mappings, faults and memory that runs out, by release. */
export const ADDRESS_SPACE_FACTS = {
  // Entries of page tables
  anonExclusive: {
    since: '5.19',
    source: 'include/linux/swap.h: PG_anon_exclusive, its bit in swap PTEs, and SWP_MIGRATION_READ_EXCLUSIVE',
  },
  swapEntryInverted: {
    since: '4.19',
    source: 'arch/x86/include/asm/pgtable_64.h, pgtable-invert.h: offsets and frames of absent entries are inverted',
  },
  swapEntryAboveGlobal: {
    since: '4.8',
    source: 'arch/x86/include/asm/pgtable_64.h: the swap type stands from bit 9 on, clear of accessed and dirty',
  },
  swapSoftDirtyLow: { since: '4.14', source: 'arch/x86/include/asm/pgtable_types.h: _PAGE_SWP_SOFT_DIRTY is bit 1' },
  arm64SwapTypeFromSix: {
    since: '6.12',
    source: 'arch/arm64/include/asm/pgtable.h: type in bits 6 to 10, offset from bit 12 (seen in 6.12)',
  },
  swapEntryInXarray: { since: '4.20', source: 'include/linux/swapops.h: SWP_TYPE_SHIFT leaves one bit to the xarray' },
  pteMarkers: { since: '5.19', source: 'include/linux/swap.h: SWP_PTE_MARKER' },
  migrationEntryYoungDirty: {
    since: '6.1',
    source: 'include/linux/swapops.h: migration entries keep the accessed and dirty bits above the page frame',
  },
  migrateKeepsDirty: {
    since: '5.19',
    source:
      'mm/migrate_device.c:migrate_vma_collect_pmd: the dirty bit of the entry goes to the page; lost before (a fix of 6.0 that stable 5.19 got, from the history)',
  },
  savedDirty: {
    since: '6.6',
    source:
      'arch/x86/include/asm/pgtable.h: the dirty bit of a read-only PTE is kept as _PAGE_SAVED_DIRTY (seen in 6.12)',
  },
  pagevecOf15: {
    since: '4.16',
    until: '6.8',
    source: 'include/linux/pagevec.h: PAGEVEC_SIZE is 15 (14 before; from the history)',
  },
  folioBatchOf31: {
    since: '6.9',
    source: 'include/linux/pagevec.h: PAGEVEC_SIZE is 31 (from the history; recorded of 6.12)',
  },
  // Mappings
  mremapDontunmap: { since: '5.7', source: 'include/uapi/linux/mman.h: MREMAP_DONTUNMAP (from the history)' },
  pageoutIgnoresReferences: {
    since: '6.9',
    source: 'mm/madvise.c: MADV_PAGEOUT leaves the accessed bit alone; it cleared it before (from the history)',
  },
  madvisePageout: { since: '5.4', source: 'include/uapi/asm-generic/mman-common.h: MADV_COLD and MADV_PAGEOUT' },
  madvisePopulate: {
    since: '5.14',
    source: 'include/uapi/asm-generic/mman-common.h: MADV_POPULATE_READ and MADV_POPULATE_WRITE',
  },
  madviseDontneedHugetlb: {
    since: '5.18',
    source: 'mm/madvise.c: MADV_DONTNEED works on mappings of hugetlb pages',
  },
  madviseCollapse: { since: '6.1', source: 'include/uapi/asm-generic/mman-common.h: MADV_COLLAPSE' },
  mapFixedNoreplace: {
    since: '4.17',
    source: 'include/uapi/asm-generic/mman-common.h: MAP_FIXED_NOREPLACE; before, the address is a hint',
  },
  thpAlignedMmap: {
    since: '6.7',
    source: 'mm/mmap.c:get_unmapped_area: anonymous mappings of 2 MiB and more begin at 2 MiB (from the history)',
  },
  thpAlignsWholeOnly: {
    since: '6.12',
    source: 'mm/mmap.c:__get_unmapped_area: only lengths that are multiples of 2 MiB (6.13 and stable 6.12.y)',
  },
  // Page faults, fork and protection
  anonStartsActive: {
    since: '4.3',
    until: '5.8',
    source:
      'mm/swap.c:lru_cache_add_active_or_unevictable: fresh anonymous pages begin on the active list; on the inactive one since (from the history)',
  },
  wpReuseByCount: {
    since: '5.9',
    source:
      'mm/memory.c:do_wp_page: an anonymous page is written in place only if nobody else holds a reference; to 5.8 its mappings and swap users decide (from the history)',
  },
  wpReuseDrains: {
    since: '5.18',
    source:
      'mm/memory.c:do_wp_page: references of the LRU batches are drained before they are counted (from the history)',
  },
  forkCopiesPinned: {
    since: '5.9',
    source: 'mm/memory.c:copy_present_page: fork copies pages that may be pinned at once (from the history)',
  },
  mprotectKeepsWrite: {
    since: '6.0',
    source:
      'mm/mprotect.c:can_change_pte_writable: exclusive anonymous pages become writable again with their VMA, without a fault (from the history)',
  },
  swapinMapsWritable: {
    since: '6.11',
    source:
      'mm/memory.c:do_swap_page: a read fault maps an exclusive page writable where the VMA is (seen in 6.12; from the history)',
  },
  thpCowSplits: {
    since: '5.8',
    source:
      'mm/huge_memory.c:do_huge_pmd_wp_page: a shared huge page is split and copied page by page; to 5.7 the copy is a huge page (from the history)',
  },
  hugeZeroWpAllocates: {
    since: '6.13',
    source:
      'mm/huge_memory.c:do_huge_zero_wp_pmd: a write to the huge zero page gets a huge page at once; before, it is split (6.12) (from the history)',
  },
  markerIsHwpoison: {
    since: '6.6',
    source: 'mm/memory.c:handle_pte_marker: a poisoned marker is VM_FAULT_HWPOISON; SIGBUS before (from the history)',
  },
  pgfaultNotOnRetry: {
    since: '6.4',
    source: 'mm/memory.c:mm_account_fault: a fault that has to be tried again is not counted (from the history)',
  },
  // Out of memory
  memcgOomInCharge: {
    since: '4.19',
    source:
      'mm/memcontrol.c:try_charge: the OOM killer of a memory cgroup runs where the charge is refused, whoever asks; before, only behind the fault of a user (from the history)',
  },
  memcgRetries16: {
    since: '5.9',
    source: 'mm/memcontrol.c:try_charge: 16 retries before the OOM killer; 5 before (from the history)',
  },
  oomKillCounted: {
    since: '4.13',
    source: 'mm/oom_kill.c: oom_kill of /proc/vmstat and of memory.events (from the history)',
  },
  oomBadnessNegative: {
    since: '5.9',
    source:
      'mm/oom_kill.c:oom_badness: points may be negative, and LONG_MIN is who must not be killed; at least 1 before (from the history)',
  },
  oomSacrificesChild: {
    since: '4.3',
    until: '5.1',
    source: 'mm/oom_kill.c:oom_kill_process: a child goes instead of the process that was chosen (from the history)',
  },
  oomSummaryLine: { since: '5.0', source: 'mm/oom_kill.c: the line oom-kill:constraint=... (from the history)' },
  oomKillOneLine: {
    since: '5.2',
    source: 'mm/oom_kill.c: why, and who was killed, in one line; two before (from the history)',
  },
  oomKilledTellsMore: {
    since: '5.4',
    source: 'mm/oom_kill.c: UID, pgtables and oom_score_adj of who was killed (from the history)',
  },
  oomTaskRssKinds: {
    since: '6.8',
    source: 'mm/oom_kill.c:dump_tasks: rss_anon, rss_file and rss_shmem (from the history)',
  },
} as const;
