/** Adding memory, memory models and files of /proc, by release. */
export const MEMORY_FACTS = {
  // Adding memory and memory models
  discontigmem: { since: '4.3', until: '5.13', source: 'mm/Kconfig: DISCONTIGMEM is one of the memory models' },
  lastCpupidBesideWholeNode: {
    since: '4.3',
    until: '5.12',
    source:
      'include/linux/page-flags-layout.h: LAST_CPUPID must fit beside NODES_SHIFT bits even where the node itself is not in page->flags (so in 5.4)',
  },
  kasanTagInPageFlags: {
    since: '5.0',
    source: 'include/linux/page-flags-layout.h: KASAN_TAG_WIDTH, 8 bits with tag-based KASAN (seen in 5.4)',
  },
  lruGen: {
    since: '6.1',
    source: 'include/linux/page-flags-layout.h: LRU_GEN and LRU_REFS fields, with CONFIG_LRU_GEN',
  },
  sectionRootsAtBoot: {
    since: '4.15',
    source:
      'mm/sparse.c:memory_present: with SPARSEMEM_EXTREME the table of roots is allocated at boot; before, it is a static array',
  },
  freeAreaInitNodeCalledByArch: {
    since: '4.3',
    until: '5.7',
    source: 'mm/page_alloc.c:free_area_init_node is called by architectures',
  },
  memoryPresentCalledByArch: {
    since: '4.3',
    until: '5.8',
    source: 'mm/sparse.c:memory_present is called by architectures; sparse_init does it since 5.9',
  },
  altmapAllocBlockBuf: {
    since: '4.16',
    until: '5.8',
    source: 'mm/sparse-vmemmap.c:altmap_alloc_block_buf is public; vmemmap_alloc_block_buf takes the altmap since 5.9',
  },
  buddyFreesToTail: {
    since: '5.10',
    source: 'mm/page_alloc.c:__free_pages_core: boot memory and onlined memory go to the tail of the free lists',
  },
  mhpRangeAllowed: {
    since: '5.12',
    source: 'mm/memory_hotplug.c:mhp_range_allowed: ranges beyond what can be mapped are refused beforehand',
  },
  physmemEnd: {
    since: '6.11',
    source: 'include/linux/mm.h: PHYSMEM_END bounds hotplug and free regions; DIRECT_MAP_PHYSMEM_END since 6.13',
  },
  directMapPhysmemEndName: { since: '6.13', source: 'include/linux/mm.h: the bound is called DIRECT_MAP_PHYSMEM_END' },
  freeRegionStepsByAlignment: {
    since: '6.0',
    source: 'kernel/resource.c: the search for a free region steps down by its alignment; in 5.3 by the size asked for',
  },
  maxOrderInclusive: {
    since: '6.4',
    source:
      'include/linux/mmzone.h: the largest order is 10 and the macro says so; before, MAX_ORDER was 11, one more than the largest order',
  },
  maxPageOrderName: { since: '6.8', source: 'include/linux/mmzone.h: MAX_ORDER is called MAX_PAGE_ORDER' },
  freeAreaInitInCore: {
    since: '7.0',
    source: 'mm/mm_init.c:free_area_init is called by the core, which asks arch_zone_limits_init for the limits',
  },
  sparseInitInCore: { since: '7.0', source: 'mm/mm_init.c calls sparse_init itself, after the zones are set up' },
  memmapOnMemory: {
    since: '5.13',
    source: 'mm/memory_hotplug.c: memmap_on_memory: a hot-added block can hold its own struct pages (from the history)',
  },
  memmapOnMemoryForce: {
    since: '6.6',
    source: 'mm/memory_hotplug.c: memmap_on_memory=force rounds the memmap up to pageblocks (from the history)',
  },
  memoryGroups: {
    since: '5.15',
    source: 'include/linux/memory.h: memory groups, MHP_NID_IS_MGID and the auto-movable policy (from the history)',
  },
  // Files
  kpageOnlineOnly: {
    since: '5.4',
    also: [{ since: '4.19', until: '4.19' }],
    source:
      'fs/proc/page.c: only pages of online sections are looked at; a word for pfn_valid pages before (5.4.y and 4.19.y seen)',
  },
  kpageToSectionEnd: {
    since: '5.6',
    source: 'fs/proc/page.c:get_max_dump_pfn: the arrays end with the section of max_pfn; at max_pfn in 5.4.y',
  },
  pagemapUffdWp: {
    since: '5.13',
    source:
      'fs/proc/task_mmu.c: bit 57 of a /proc/PID/pagemap word, write protection by userfaultfd (from the history)',
  },
  pagemapExclusiveIsPresent: {
    since: '6.11',
    source:
      'fs/proc/task_mmu.c: bit 56 of a /proc/PID/pagemap word is for present entries only (from the history; recorded of 6.12)',
  },
  smapsNonPresentIsShared: {
    since: '6.11',
    source:
      'fs/proc/task_mmu.c:smaps_account: entries that are neither present nor device-private count as shared (from the history; recorded of 6.12)',
  },
  kpageKsmOnAnon: {
    since: '6.12',
    until: '6.12',
    source: 'fs/proc/page.c:stable_page_flags: KPF_KSM is set on every anonymous page (recorded of 6.12 only)',
  },
} as const;
