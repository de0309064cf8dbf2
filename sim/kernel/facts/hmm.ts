/** HMM, migration to and from devices, and the test device, by release. */
export const HMM_FACTS = {
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
} as const;
