/** Releases are data. Code asks `release.has(fact)`, never compares version numbers inline. */
export type Release = `${number}.${number}`;

/** Every release the engine knows, oldest first. */
// biome-ignore format: sixty-two versions read better in rows
export const RELEASES = [
  '4.3', '4.4', '4.5', '4.6', '4.7', '4.8', '4.9', '4.10', '4.11', '4.12', '4.13', '4.14', '4.15', '4.16', '4.17',
  '4.18', '4.19', '4.20', '5.0', '5.1', '5.2', '5.3', '5.4', '5.5', '5.6', '5.7', '5.8', '5.9', '5.10', '5.11', '5.12',
  '5.13', '5.14', '5.15', '5.16', '5.17', '5.18', '5.19', '6.0', '6.1', '6.2', '6.3', '6.4', '6.5', '6.6', '6.7', '6.8',
  '6.9', '6.10', '6.11', '6.12', '6.13', '6.14', '6.15', '6.16', '6.17', '6.18', '6.19', '7.0', '7.1', '7.2', '7.3',
] as const satisfies readonly Release[];

/** The releases in which a statement holds, both ends included. `until` absent: to the newest. */
export interface Span {
  since: Release;
  until?: Release;
}

/** Major and minor number of a release. */
function numbers(release: Release): [number, number] {
  const [major, minor] = release.split('.');
  return [Number(major), Number(minor)];
}

/** Negative if `a` is older than `b`, positive if it is newer, 0 if they are the same. */
export function compareReleases(a: Release, b: Release): number {
  const [majorA, minorA] = numbers(a);
  const [majorB, minorB] = numbers(b);
  return majorA - majorB || minorA - minorB;
}

export function spanHolds(span: Span, release: Release): boolean {
  return (
    compareReleases(span.since, release) <= 0 && (span.until === undefined || compareReleases(release, span.until) <= 0)
  );
}

/** Something that is true of the kernel in some releases and not in others. */
export interface Fact extends Span {
  /** Further releases in which it holds: stable series that received the change as a backport. */
  also?: readonly Span[];
  /** Where it can be seen, and what it means, in our own words. */
  source: string;
}

/*
 * Machines follow the newest stable kernel of a release, so a change that a stable
 * series took over holds there even where the release of the same number lacked it.
 */
export const FACTS = {
  // The zone and what it needs
  zoneDevice: {
    since: '4.3',
    source: 'include/linux/mmzone.h: the zone after ZONE_MOVABLE exists, and devm_memremap_pages fills it',
  },
  zoneDeviceExcludesZoneDma: {
    since: '4.3',
    until: '4.5',
    source:
      'mm/Kconfig and include/linux/mmzone.h: the zone field of page->flags holds four zones, so ZONE_DMA and ZONE_DEVICE cannot both be on',
  },
  threeZoneBits: {
    since: '4.6',
    source: 'include/linux/mmzone.h (seen in 4.9): ZONES_SHIFT may be 3, up to eight zones',
  },
  zoneDeviceNeedsVmemmap: {
    since: '4.6',
    source: 'mm/Kconfig (seen in 4.9): ZONE_DEVICE depends on SPARSEMEM_VMEMMAP',
  },
  isDevZone: {
    since: '4.3',
    until: '5.2',
    source: 'include/linux/mmzone.h: is_dev_zone() and zone_id() exist; zone_idx() comparisons afterwards',
  },
  zoneChosenAtAdd: {
    since: '4.3',
    until: '4.13',
    source: 'mm/memory_hotplug.c:zone_for_memory: arch_add_memory picks the zone (its for_device argument)',
  },
  zoneSetByMove: {
    since: '4.14',
    source: 'mm/memory_hotplug.c:move_pfn_range_to_zone: adding pages and giving them a zone are two steps',
  },
  zoneDeviceNeverShrinks: {
    since: '5.4',
    source: 'mm/memory_hotplug.c:remove_pfn_range_from_zone: the span of ZONE_DEVICE only grows',
  },
  maxPfnIgnoresPagemap: {
    since: '6.15',
    also: [
      { since: '6.1', until: '6.1' },
      { since: '6.12', until: '6.12' },
    ],
    source:
      'arch/x86/mm/init_64.c:add_pages: memory added for a dev_pagemap leaves max_pfn alone; the stable 6.1.y and 6.12.y kernels have the change too',
  },
  removeReleasesResource: {
    since: '4.3',
    until: '5.0',
    source:
      'mm/memory_hotplug.c:__remove_pages releases the resource of ordinary memory; by 5.2 the caller does (the step lies between 5.0 and 5.2)',
  },
  // Pagemaps
  devPagemap: {
    since: '4.5',
    source: 'include/linux/memremap.h: struct dev_pagemap, get_dev_pagemap and put_dev_pagemap',
  },
  vmemAltmap: { since: '4.5', source: 'include/linux/memremap.h: struct vmem_altmap' },
  altmapWithoutVmemmapIsNoDevice: {
    since: '4.5',
    until: '4.5',
    source: 'kernel/memremap.c: an altmap without SPARSEMEM_VMEMMAP is -ENXIO; later the configuration rules it out',
  },
  findDevPagemap: { since: '4.5', until: '4.15', source: 'kernel/memremap.c:find_dev_pagemap' },
  pagemapKeyedBySection: {
    since: '4.5',
    until: '4.13',
    source: 'kernel/memremap.c: the look-up tree is keyed by section; by 4.14 by exact pfn',
  },
  sectionWidening: {
    since: '4.5',
    until: '5.2',
    source: 'kernel/memremap.c:devm_memremap_pages: the range is widened to whole sections',
  },
  ramRangeReturned: {
    since: '4.3',
    until: '4.18',
    also: [{ since: '4.20', until: '4.20' }],
    source: 'kernel/memremap.c:devm_memremap_pages: a range that is System RAM throughout is returned as it is',
  },
  ramRangeRefused: {
    since: '5.0',
    also: [{ since: '4.19', until: '4.19' }],
    source:
      'kernel/memremap.c:devm_memremap_pages: a range that touches System RAM is -ENXIO; 4.19.y has it as a backport',
  },
  sectionConflictIsBusy: {
    since: '4.5',
    until: '4.15',
    source: 'kernel/memremap.c: a conflict in the look-up tree is -EBUSY',
  },
  conflictIsNoMemory: {
    since: '4.18',
    source: 'kernel/memremap.c, later mm/memremap.c: a live pagemap at the first or last pfn is a warning and -ENOMEM',
  },
  patTracking: {
    since: '4.9',
    source: 'kernel/memremap.c: the range is reserved with track_pfn_remap (absent in 4.5, there in 4.9)',
  },
  getPageTakesPagemapRef: {
    since: '4.5',
    until: '4.13',
    source: 'include/linux/mm.h:get_page: page references count on the pagemap too',
  },
  pageHoldsPagemapRef: {
    since: '4.14',
    source: 'kernel/memremap.c: one pagemap reference a page, taken when it is mapped',
  },
  pagemapArgument: {
    since: '4.16',
    source: 'include/linux/memremap.h: devm_memremap_pages(dev, pgmap); the altmap is part of the pagemap',
  },
  cachedPagemapKeepsReference: {
    since: '4.16',
    source:
      'kernel/memremap.c:get_dev_pagemap: a cached pagemap that covers the pfn is returned without a further reference',
  },
  pagemapKillRequired: {
    since: '5.0',
    until: '5.2',
    also: [{ since: '4.19', until: '4.19' }],
    source: 'kernel/memremap.c:devm_memremap_pages: no ref or no kill callback is -EINVAL; 4.19.y has it as a backport',
  },
  pagemapCleanupRequired: {
    since: '5.2',
    until: '5.2',
    source: 'kernel/memremap.c:devm_memremap_pages: a missing cleanup callback is -EINVAL',
  },
  unmapWaits: {
    since: '5.2',
    source:
      'kernel/memremap.c (cleanup callback), mm/memremap.c since 5.3: unmapping waits until the pagemap has no references',
  },
  memmapInitAfterHotplug: {
    since: '5.0',
    source: 'mm/page_alloc.c:memmap_init_zone_device: device pages are initialised outside the hotplug lock',
  },
  liveMappingWarned: {
    since: '4.5',
    until: '4.18',
    source:
      'kernel/memremap.c:devm_memremap_pages_release: a mapping whose reference was never killed is a warning, and goes all the same',
  },
  removalForgetsOffset: {
    since: '4.5',
    until: '4.15',
    source:
      'kernel/memremap.c:devm_memremap_pages_release rounds the length up without where the range begins: a section too few if it crosses a border',
  },
  devmapManagedByDriver: {
    since: '4.18',
    until: '5.2',
    source:
      'include/linux/mm.h:put_devmap_managed_page works while devmap_managed_key is on, which drivers raise with dev_pagemap_get_ops; memremap_pages does it itself since 5.3',
  },
  memremapInMm: { since: '5.3', source: 'mm/memremap.c: the file moved from kernel/memremap.c' },
  memremapPages: { since: '5.3', source: 'mm/memremap.c: memremap_pages and memunmap_pages without a device' },
  devPagemapOps: { since: '5.3', source: 'include/linux/memremap.h: struct dev_pagemap_ops' },
  pagemapFlags: { since: '5.3', source: 'include/linux/memremap.h: PGMAP_ALTMAP_VALID replaces altmap_valid' },
  internalPagemapRef: {
    since: '5.3',
    until: '5.16',
    source: 'include/linux/memremap.h: a pagemap without ref uses one of its own',
  },
  subsectionHotplug: {
    since: '5.3',
    source: 'include/linux/mmzone.h: SUBSECTION_SHIFT; memory is added in pieces of 2 MiB',
  },
  devicePrivateOwnerRequired: {
    since: '5.7',
    source: 'mm/memremap.c:memremap_pages: device-private memory without an owner is a warning and -EINVAL',
  },
  p2pdmaUncached: {
    since: '5.7',
    source: 'mm/memremap.c:memremap_pages: P2PDMA ranges are mapped uncached (seen in 5.7)',
  },
  pgmapRanges: { since: '5.10', source: 'include/linux/memremap.h: range, ranges and nr_range replace res' },
  sectionTaintZoneDevice: {
    since: '5.12',
    source: 'include/linux/mmzone.h: SECTION_TAINT_ZONE_DEVICE marks sections shared with ZONE_DEVICE',
  },
  vmemmapShift: { since: '5.17', source: 'include/linux/memremap.h: vmemmap_shift, compound device pages' },
  pagemapRefEmbedded: {
    since: '5.17',
    source: 'include/linux/memremap.h: the percpu_ref is part of the pagemap; kill and cleanup are gone',
  },
  fsdaxLimitedRefused: {
    since: '5.3',
    until: '6.14',
    source: 'mm/memremap.c:memremap_pages: FS_DAX with CONFIG_FS_DAX_LIMITED is -EINVAL',
  },
  getDevPagemapOneArgument: { since: '6.18', source: 'mm/memremap.c:get_dev_pagemap takes the pfn only' },
  vmemmapShiftBounded: {
    since: '7.0',
    source: 'mm/memremap.c:memremap_pages: vmemmap_shift above MAX_FOLIO_ORDER is a warning and -EINVAL',
  },
  // Persistent memory
  pmemPadsToSections: {
    since: '4.5',
    until: '5.2',
    source:
      'drivers/nvdimm/pfn_devs.c:trim_pfn_device (seen in 4.19; 5.4 has sub-sections): data is cut to whole sections where RAM or another region shares one',
  },
  memremapCompatAlign: {
    since: '5.7',
    source:
      'drivers/nvdimm, mm/memremap.c:memremap_compat_align: misaligned memory is refused before it is mapped (not in 5.4)',
  },
  deviceDax: {
    since: '4.7',
    source: 'drivers/dax: namespaces of libnvdimm as character devices, nd_dax beside nd_pfn',
  },
  pfnAlign: {
    since: '4.5',
    source:
      'drivers/nvdimm/pfn_devs.c: the align attribute; before (seen in 4.4) the data begins at 8 KiB, and only RAM can hold its struct pages',
  },
  regionNamedByNamespace: {
    since: '4.10',
    source:
      'drivers/nvdimm/pmem.c, drivers/dax/pmem.c: memory is reserved in the name of the namespace; of the device that claims it in 4.9',
  },
  daxBus: {
    since: '5.1',
    source:
      'drivers/dax/bus.c: DAX devices have a bus, and device_dax maps them; before, dax_pmem does, and there is only /sys/class/dax',
  },
  daxDeviceAlign: { since: '5.10', source: 'drivers/dax/bus.c: align of each DAX device, beside that of its region' },
  daxKmem: { since: '5.1', source: 'drivers/dax/kmem.c: a DAX device as system RAM, through the dax bus' },
  // Kinds of device memory
  deviceHost: {
    since: '4.14',
    until: '4.17',
    source: 'include/linux/memremap.h: MEMORY_DEVICE_HOST, the kind of everything that is not private or public',
  },
  devicePrivate: { since: '4.14', source: 'include/linux/memremap.h: MEMORY_DEVICE_PRIVATE' },
  devicePublic: { since: '4.14', until: '5.2', source: 'include/linux/memremap.h: MEMORY_DEVICE_PUBLIC' },
  fsdaxType: { since: '4.18', source: 'include/linux/memremap.h: MEMORY_DEVICE_FS_DAX' },
  p2pdmaType: { since: '4.20', source: 'include/linux/memremap.h: MEMORY_DEVICE_PCI_P2PDMA' },
  devdaxType: {
    since: '5.3',
    until: '5.8',
    source: 'include/linux/memremap.h: MEMORY_DEVICE_DEVDAX, renamed afterwards',
  },
  genericType: { since: '5.9', source: 'include/linux/memremap.h: MEMORY_DEVICE_GENERIC' },
  deviceCoherent: { since: '6.0', source: 'include/linux/memremap.h: MEMORY_DEVICE_COHERENT' },
  // Reference counts of device pages
  pageFreeAtOne: {
    since: '4.14',
    until: '5.17',
    source: "the driver's page_free runs when the count falls from 2 to 1 (include/linux/mm.h, mm/memremap.c)",
  },
  pageFreeAtZero: {
    since: '5.18',
    source: 'mm/memremap.c:free_zone_device_page: page_free runs at 0 (seen in 5.19; 5.17 still runs it at 1)',
  },
  devicePageRestsAtZero: { since: '6.1', source: 'mm/memremap.c: free private and coherent pages have count 0' },
  pagemapRefPerAllocation: {
    since: '6.1',
    source: 'mm/memremap.c:zone_device_page_init takes a pagemap reference for a page handed out, its release drops it',
  },
  fsdaxRestsAtZero: { since: '6.15', source: 'mm/memremap.c: idle FS_DAX pages have count 0 (1 in 6.14, 0 in 6.17)' },
  p2pdmaRestsAtZero: { since: '6.15', source: 'mm/memremap.c: idle P2PDMA pages have count 0 (1 in 6.14, 0 in 6.17)' },
  putDevmapManagedPage: {
    since: '4.18',
    until: '6.14',
    source: 'include/linux/mm.h:put_devmap_managed_page: a special put for pages whose driver wants to hear of it',
  },
  pagemapInFolio: {
    since: '6.15',
    source: 'include/linux/mm_types.h: the back pointer to the pagemap belongs to the folio (page->pgmap in 6.14)',
  },
  folioFreeCallback: { since: '6.19', source: 'include/linux/memremap.h: folio_free replaces page_free' },
  // Peer-to-peer DMA
  p2pdmaSharedReference: {
    since: '4.20',
    until: '5.1',
    source:
      'drivers/pci/p2pdma.c: one devmap_ref for all memory of a provider, taken before the pool is asked (4.20); a reference a pagemap by 5.2, and release no longer waits itself',
  },
  p2pdmaThroughHostBridge: {
    since: '5.4',
    source:
      'drivers/pci/p2pdma.c:__host_bridge_whitelist and enum pci_p2pdma_map_type (seen in 5.4): without a common bridge the way may lead through the host bridge; in 4.20 it never does',
  },
  p2pdmaCpuList: {
    since: '5.9',
    source:
      'drivers/pci/p2pdma.c:cpu_supports_p2pdma: AMD family 0x17 and later need no list (seen in 6.12; in 5.4 the list has an AMD entry)',
  },
  p2pdmaInDmaMap: {
    since: '6.0',
    source:
      'kernel/dma/direct.c:dma_direct_map_sg looks for P2PDMA pages, unreachable ones are -EREMOTEIO; pci_p2pdma_map_sg before',
  },
  p2pdmaPageFree: {
    since: '6.2',
    source: 'drivers/pci/p2pdma.c:p2pdma_page_free gives a page back to its pool (with the allocate file of sysfs)',
  },
  follPciP2pdma: {
    since: '6.2',
    source:
      'include/linux/mm_types.h, mm/gup.c: peer-to-peer pages are -EREMOTEIO without FOLL_PCI_P2PDMA (seen in 6.12; with the allocate file of sysfs)',
  },
  p2pdmaMapNone: {
    since: '6.16',
    source: 'include/linux/pci-p2pdma.h: PCI_P2PDMA_MAP_NONE is 1 and moves the others up (seen in 7.3)',
  },
  // get_user_pages on device memory
  devmapPte: {
    since: '4.5',
    until: '6.16',
    source: 'arch/x86/include/asm/pgtable_types.h:_PAGE_DEVMAP marks PTEs of device pages',
  },
  pfnT: { since: '4.5', until: '6.16', source: 'include/linux/pfn_t.h: pfn_t with PFN_DEV and PFN_MAP' },
  gupTakesPagemapRef: {
    since: '4.5',
    until: '6.16',
    source: 'mm/gup.c: a devmap PTE is followed under a pagemap reference',
  },
  gupLongterm: {
    since: '4.15',
    source:
      'mm/gup.c:get_user_pages_longterm, FOLL_LONGTERM since 5.2: refuses mappings of files on DAX with -EOPNOTSUPP',
  },
  pinUserPages: { since: '5.6', source: 'mm/gup.c:pin_user_pages: a pin counts 1024 references of a small page' },
  compoundPincount: {
    since: '5.7',
    source:
      'mm/gup.c: a pin of a compound page counts one reference and one in its own counter (from the history; seen in 6.12), and pins are counted in /proc/vmstat',
  },
  zeroPageNotPinned: {
    since: '6.5',
    source:
      'mm/gup.c:try_grab_page, gup_put_folio: pins of the zero page are not counted (from the history; seen in 6.12)',
  },
  longtermIsPin: {
    since: '6.3',
    source: 'mm/gup.c:is_valid_gup_args: FOLL_LONGTERM without FOLL_PIN is a warning and -EINVAL (from the history)',
  },
  longtermLeavesMovable: {
    since: '5.13',
    source:
      'mm/gup.c:check_and_migrate_movable_pages: pages of ZONE_MOVABLE move before a long-term pin; only those of CMA before (from the history)',
  },
  longtermRefusesWriteback: {
    since: '6.5',
    source:
      'mm/gup.c:writable_file_mapping_allowed: a long-term pin for writing of a shared file mapping that is written back is -EFAULT (from the history)',
  },
  gupUnsharesFilePages: {
    since: '6.2',
    source:
      'mm/gup.c:gup_must_unshare: a long-term pin of a private mapping breaks sharing with the page cache and the zero page (from the history)',
  },
  splitPmdRefusesHugetlb: {
    since: '6.10',
    source: 'mm/gup.c:check_vma_flags: FOLL_SPLIT_PMD on hugetlb is -EOPNOTSUPP (seen in 6.12; from the history)',
  },
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
  // HMM
  hmm: { since: '4.14', source: 'mm/hmm.c: HMM is merged' },
  hmmMirror: { since: '4.14', until: '5.4', source: 'mm/hmm.c: struct hmm_mirror and hmm_mirror_register' },
  hmmDevmem: { since: '4.14', until: '5.2', source: 'mm/hmm.c: hmm_devmem_add' },
  hmmDevmemByMemremap: {
    since: '5.0',
    until: '5.2',
    source: 'mm/hmm.c:hmm_devmem_add maps its memory with devm_memremap_pages; with code of its own to 4.20',
  },
  hmmFixedPfnBits: { since: '4.14', until: '4.16', source: 'include/linux/hmm.h: hmm_pfn_t with fixed low bits' },
  hmmDriverPfnFlags: {
    since: '4.17',
    until: '5.7',
    source: 'include/linux/hmm.h: the driver supplies flags[] and values[]',
  },
  hmmSyncAtStart: {
    since: '4.20',
    source: 'mm/hmm.c: the mirror callback runs before the CPU page table changes; until 4.19 afterwards',
  },
  hmmRangeFault: { since: '5.2', source: 'mm/hmm.c:hmm_range_fault' },
  hmmSnapshotFunction: { since: '5.2', until: '5.3', source: 'mm/hmm.c:hmm_range_snapshot' },
  hmmFaultFlags: {
    since: '5.4',
    until: '5.6',
    source: 'include/linux/hmm.h: hmm_range_fault takes HMM_FAULT_ALLOW_RETRY and HMM_FAULT_SNAPSHOT',
  },
  mmuIntervalNotifier: {
    since: '5.5',
    source: 'mm/mmu_notifier.c: mmu_interval_notifier replaces the mirror (seen in 5.6)',
  },
  hmmDevPrivateOwner: {
    since: '5.7',
    source: 'include/linux/hmm.h: dev_private_owner says whose device pages are reported as they are',
  },
  hmmPfnsTopBits: {
    since: '5.8',
    source: 'include/linux/hmm.h: hmm_pfns with HMM_PFN_VALID and HMM_PFN_WRITE in the top bits',
  },
  hmmRangeFaultReturnsZero: {
    since: '5.8',
    source: 'mm/hmm.c:hmm_range_fault returns int, 0 for success; before, a count of pages',
  },
  hmmPfnOrder: { since: '5.9', source: 'include/linux/hmm.h: an entry tells the order of the CPU mapping' },
  hmmPfnDmaMapped: {
    since: '6.17',
    source: 'include/linux/hmm.h: HMM_PFN_DMA_MAPPED and the P2PDMA bits; the order moves from bit 56 to 53',
  },
  hmmRangeFaultUnlocked: { since: '7.3', source: 'mm/hmm.c:hmm_range_fault_unlocked_timeout' },
  hmmFaultOutsideWalk: {
    since: '7.3',
    source:
      'mm/hmm.c: the walk only notes the fault; it is served after the walk, and its result becomes an errno by kind',
  },
  hmmMirrorRelease: {
    since: '4.17',
    until: '5.4',
    source: 'mm/hmm.c:hmm_release calls release() of every mirror when the process exits',
  },
  hmmRefusesDax: {
    since: '4.19',
    until: '5.1',
    source: 'mm/hmm.c:hmm_vma_get_pfns and hmm_vma_fault refuse a VMA on DAX like a special one',
  },
  hmmPmdMigration: {
    since: '4.20',
    source: 'mm/hmm.c:hmm_vma_walk_pmd waits for a PMD migration entry; an error before',
  },
  hmmRangeLockKept: {
    since: '5.3',
    source: 'mm/hmm.c:hmm_range_fault leaves mmap_sem alone where the range is not valid, and says -EBUSY',
  },
  hmmProtNoneIsAbsent: {
    since: '5.3',
    source: 'mm/hmm.c:pte_to_hmm_pfn_flags: a PROT_NONE entry counts as not present',
  },
  hmmForgetsSwap: {
    since: '5.2',
    until: '5.3',
    source:
      'mm/hmm.c:hmm_vma_handle_pte: what is needed of a swapped-out page is not computed, so it is reported as none',
  },
  hmmForgetsMigration: {
    since: '5.2',
    until: '5.6',
    source: 'mm/hmm.c:hmm_vma_handle_pte: the same for a migration entry: nobody waits for it',
  },
  hmmWritePermission: {
    since: '5.4',
    source: 'mm/hmm.c: write access asked of a VMA without VM_WRITE is -EPERM',
  },
  hmmMirrorGet: {
    since: '5.4',
    until: '5.4',
    source: 'mm/hmm.c: struct hmm embeds a notifier of mmu_notifier_get; mm->hmm is gone',
  },
  hmmZeroPageOrdinary: {
    since: '5.5',
    source: 'mm/hmm.c: the zero page is reported like any page (seen in 5.6; special in 5.4)',
  },
  hmmRefusesMixedmap: {
    since: '5.5',
    until: '5.16',
    source:
      'mm/hmm.c:hmm_vma_walk_test: VM_MIXEDMAP counts as device memory (seen to 5.8, gone later; from the history)',
  },
  mmapLockNames: { since: '5.8', source: 'include/linux/mmap_lock.h: mmap_read_lock and friends; mmap_sem before' },
  notifierEvents: { since: '5.2', source: 'include/linux/mmu_notifier.h: an invalidation says why (MMU_NOTIFY_*)' },
  notifierBlockable: {
    since: '4.19',
    source: 'include/linux/mmu_notifier.h: invalidate_range_start is told whether it may sleep, and answers',
  },
  notifierRange: {
    since: '5.0',
    source: 'include/linux/mmu_notifier.h: struct mmu_notifier_range instead of mm, start and end',
  },
  notifierFailureWarned: {
    since: '5.3',
    source:
      'mm/mmu_notifier.c: a notifier that fails where it may sleep, or with anything but -EAGAIN, is a warning (seen in 5.4)',
  },
  notifierEndAfterFailure: {
    since: '5.12',
    source:
      'mm/mmu_notifier.c:mn_hlist_invalidate_range_start: after a failure the notifiers that have an end are told of it (from the history)',
  },
  notifyMigrate: { since: '5.9', source: 'include/linux/mmu_notifier.h: MMU_NOTIFY_MIGRATE' },
  notifierOwner: {
    since: '5.14',
    source: 'include/linux/mmu_notifier.h: the field is called owner; migrate_pgmap_owner before',
  },
  // Migration to and from devices
  migrateVmaCallbacks: {
    since: '4.14',
    until: '5.3',
    source: 'mm/migrate.c:migrate_vma with alloc_and_copy and finalize_and_map',
  },
  migrateVmaSetup: {
    since: '5.4',
    source: 'mm/migrate.c, mm/migrate_device.c since 5.18: migrate_vma_setup, migrate_vma_pages, migrate_vma_finalize',
  },
  migrateSelect: {
    since: '5.9',
    source: 'include/linux/migrate.h: MIGRATE_VMA_SELECT_* and pgmap_owner choose what is collected',
  },
  migrateSrcOwner: {
    since: '5.7',
    until: '5.8',
    source:
      'mm/migrate.c:migrate_vma_collect_pmd: src_owner set collects its device-private pages only, unset system pages (from the history)',
  },
  migrateHolesAnonOnly: {
    since: '5.9',
    source:
      'mm/migrate.c:migrate_vma_collect_hole: an empty address of a file mapping does not count as migratable (from the history; so in 6.12, not in 5.3)',
  },
  migrateEntryFollowsPfn: {
    since: '4.19',
    source: 'mm/migrate.c:migrate_vma_collect_pmd: a migration entry of a writable device entry is writable',
  },
  migrateFreesSwapCache: {
    since: '6.6',
    source:
      'mm/migrate_device.c:migrate_vma_pages: a page in the swap cache leaves it to go to the device (from the history)',
  },
  migratedSourceGoesToLru: {
    since: '4.14',
    until: '6.11',
    source:
      'mm/migrate_device.c:migrate_vma_finalize: the old page is put back to the LRU before it is freed (from the history; 6.12.y frees it at once, as recorded)',
  },
  migratePfnLocked: { since: '4.14', until: '5.15', source: 'include/linux/migrate.h: MIGRATE_PFN_LOCKED' },
  migrateDeviceRange: {
    since: '6.1',
    source: 'mm/migrate_device.c: migrate_device_range, migrate_device_pages, migrate_device_finalize',
  },
  migrateFaultPage: { since: '6.1', source: 'include/linux/migrate.h: fault_page of struct migrate_vma' },
  migrateToRamUnderPageLock: {
    since: '6.15',
    source: 'mm/memory.c:do_swap_page: the device page is locked around migrate_to_ram (not in 6.14, seen in 6.17)',
  },
  devicePrivateThp: {
    since: '6.19',
    source: 'mm/migrate_device.c: whole huge pages move (MIGRATE_PFN_COMPOUND, MIGRATE_VMA_SELECT_COMPOUND)',
  },
  softleaf: { since: '6.19', source: 'include/linux/leafops.h: softleaf_t takes the place of most swap-entry tests' },
  deviceExclusive: {
    since: '5.14',
    source: 'mm/rmap.c: exclusive access for devices, MMU_NOTIFY_EXCLUSIVE and its swap types',
  },
  makeDeviceExclusiveRange: { since: '5.14', until: '6.14', source: 'mm/rmap.c:make_device_exclusive_range' },
  makeDeviceExclusiveOnePage: {
    since: '6.15',
    source: 'mm/rmap.c:make_device_exclusive: one page a call (6.14 has the range form, 6.17 this one)',
  },
  twoExclusiveSwapTypes: {
    since: '5.14',
    until: '6.14',
    source: 'include/linux/swap.h: a read and a write entry type for exclusive access',
  },
  // The test device
  testHmm: {
    since: '5.8',
    source: 'lib/test_hmm.c: the module test_hmm and its devices hmm_dmirror0 and hmm_dmirror1',
  },
  dmirrorMigrateToSys: {
    since: '6.0',
    source:
      'lib/test_hmm_uapi.h: HMM_DMIRROR_MIGRATE_TO_DEV and HMM_DMIRROR_MIGRATE_TO_SYS; one HMM_DMIRROR_MIGRATE before',
  },
  dmirrorEvictsOnClose: {
    since: '6.19',
    also: [
      { since: '6.1', until: '6.1' },
      { since: '6.6', until: '6.6' },
      { since: '6.12', until: '6.12' },
    ],
    source:
      'lib/test_hmm.c:dmirror_fops_release evicts what is on the device (seen in 6.12.y and 7.3; the older stable series are taken to have it as well)',
  },
  dmirrorFlags: {
    since: '6.19',
    source: 'lib/test_hmm_uapi.h: HMM_DMIRROR_FLAGS arms a failing allocation of the device',
  },
  // Entries of page tables
  anonExclusive: {
    since: '5.19',
    source: 'include/linux/swap.h: PG_anon_exclusive, its bit in swap PTEs, and SWP_MIGRATION_READ_EXCLUSIVE',
  },
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
} as const satisfies Record<string, Fact>;

export type FactId = keyof typeof FACTS;

export function factHolds(fact: FactId, release: Release): boolean {
  const { also, ...span }: Fact = FACTS[fact];
  return spanHolds(span, release) || (also?.some((further) => spanHolds(further, release)) ?? false);
}

/** The facts of one release, ready to be asked. */
export interface ReleaseFacts {
  readonly release: Release;
  has(fact: FactId): boolean;
}

export function factsOf(release: Release): ReleaseFacts {
  const facts = new Set((Object.keys(FACTS) as FactId[]).filter((fact) => factHolds(fact, release)));
  return { release, has: (fact) => facts.has(fact) };
}
