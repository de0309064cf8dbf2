/** ZONE_DEVICE, its pagemaps and its users, by release. */
export const ZONE_DEVICE_FACTS = {
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
} as const;
