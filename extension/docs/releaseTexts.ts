/**
 * Facts about the two documents in the releases of the kernel: which texts there were, and which names each used.
 * A release whose text nobody compared is in a span only if the releases around it have the same text.
 */
import type { Release } from '../../sim/index.ts';

export type KernelDocument = 'memory-model' | 'hmm';

/** The releases in which something is so, both ends included; without `until`, to the newest. */
export interface Releases {
  readonly since: Release;
  readonly until?: Release;
}

export interface KnownText extends Releases {
  readonly document: KernelDocument;
  /** Of the file's bytes, with line feeds as line ends. */
  readonly sha256: string;
}

// biome-ignore format: one text a line
export const KNOWN_TEXTS: readonly KnownText[] = [
  { document: 'memory-model', since: '5.2', until: '5.2', sha256: '7c5e1ad05be722622ae5b45a86cf00a49da1538c5382f015807bc155b09fe06c' },
  { document: 'memory-model', since: '5.3', until: '5.7', sha256: '8e0219c7a97667a97d0f061955bd7090e2f7372dfd16eb7db81e9c6173464c23' },
  { document: 'memory-model', since: '5.8', until: '5.8', sha256: '6ddf5d72cf05b6b09889721577c58b2b1370ae3ada2a51c8d062c0fdd92b4325' },
  { document: 'memory-model', since: '5.9', until: '5.9', sha256: 'f206ef1c310fa525a90a3b9cdfb8b529c824afb8ecebbca37243f0a4285f79e4' },
  { document: 'memory-model', since: '5.10', until: '5.12', sha256: 'c60badceaf0168269a0eff9502b43b80d6ec7862dce82e5f486e2bd0ec6d9b13' },
  { document: 'memory-model', since: '5.14', until: '5.19', sha256: '881266b18509d9fa03c126241625366b16d477f021d53621974778cd0baf5431' },
  { document: 'memory-model', since: '6.0', until: '6.2', sha256: '8ee64eed27fbd87f8075bf36279bcb846df06ebb5addf60c75293322bbde5618' },
  { document: 'memory-model', since: '6.3', until: '6.18', sha256: '54871df58633bf9e9e7aa1d927b34e555504f9f535b4b02b25e0ceee851d6147' },
  { document: 'memory-model', since: '6.19', until: '6.19', sha256: '3576d64b776d7f6e9515267543a67f2c519a210b2986305d1c9efc85e9800357' },
  { document: 'memory-model', since: '7.0', until: '7.3', sha256: 'ed3c75df8f97c5f56167b5bd9039552c355a36551304e3cb77f3ee7bab2b2f54' },
  { document: 'hmm', since: '4.14', until: '4.16', sha256: '982bf66c579eed9c3d07f405521a09e6c1467ccd616f953f11c0cd711fb4127e' },
  { document: 'hmm', since: '4.17', until: '4.17', sha256: 'f77f3b82f628c2278f6f83711aaf31c2dff45c3a5ff3247546347e7dcfab86a6' },
  { document: 'hmm', since: '4.18', until: '4.19', sha256: '044f166b43d8080470695764f00663db10b4dddeb0531406a1a96f03cd3887e2' },
  { document: 'hmm', since: '4.20', until: '5.0', sha256: 'e9baae3b8849dc025566fc045b21b00ee581adb45ad6e9dfe4314b044a9faac2' },
  { document: 'hmm', since: '5.2', until: '5.2', sha256: '70954806d86d70a1e67fb4a1cb5157705ddda8754d90f0886fff491c9f418d77' },
  { document: 'hmm', since: '5.3', until: '5.3', sha256: '5ab496856bb82a41c1b2c7c4bd4b6f28cddb739e9fa88b973e96ca2450f1f582' },
  { document: 'hmm', since: '5.4', until: '5.4', sha256: 'e2c766a75b0e5fd6fa7ca06f9050eaf9d947268f1f3e4a8eef284ba86ffc888a' },
  { document: 'hmm', since: '5.6', until: '5.6', sha256: 'b8129d7d544ee400969c8b9955109684da09414b270f7cec455b78af35fb831f' },
  { document: 'hmm', since: '5.7', until: '5.7', sha256: '586a936722a0d70e555164847d927204c971c2f797efaa7b32a5719aee197b86' },
  { document: 'hmm', since: '5.8', until: '5.9', sha256: '3cc3da22753b3653c3fca934be184518df2349d792ac2e5c8bfd19d6add06fbd' },
  { document: 'hmm', since: '5.10', until: '5.12', sha256: 'b2ed7f917df45b92e3d91592f1bb1e03613300ed264a52b33c945a24b0608d76' },
  { document: 'hmm', since: '5.14', until: '5.15', sha256: '61fc0d1b67f493fbfd9f1b69342e9bf0e69d0d0a5131ae1567941a7ff5f0c581' },
  { document: 'hmm', since: '5.16', until: '6.2', sha256: '1e1a9f1ad348a7cf332d216b408b60daf1fea0deebbf5fc653d9e710da15a34e' },
  { document: 'hmm', since: '6.3', until: '6.4', sha256: 'd2b84ce3b33ba00655b55eb5a33d704810405701619ea04584f180340876add5' },
  { document: 'hmm', since: '6.6', until: '6.11', sha256: '201e012c36c37e502f9363ba2b58edcb87db5df7b7440e3b996a4f6526bcf9c6' },
  { document: 'hmm', since: '6.12', until: '6.14', sha256: '81c5420e83710893371695fa19db5380819efa826cd665936fe313b4c3b03b0f' },
  { document: 'hmm', since: '6.17', until: '7.2', sha256: '3be968ad2df1619235ae1fdc8c77579f15826db2d6bbc933e5a202144677cc4d' },
  { document: 'hmm', since: '7.3', until: '7.3', sha256: 'a523b4d9aa5dc929151e894241846e9983a50ccfe96e6ccdd9f0b9cf0d9152f9' },
];

export interface TellingName extends Releases {
  readonly document: KernelDocument;
  /** A name or a phrase of a few words, found as whole words whatever white space is between them. */
  readonly name: string;
}

/** The releases in which each document's text says the name, whether or not the kernel still had what it names. */
// biome-ignore format: one name a line
export const TELLING_NAMES: readonly TellingName[] = [
  { document: 'memory-model', name: 'DISCONTIGMEM', since: '5.2', until: '5.12' },
  { document: 'memory-model', name: 'pfn_to_nid', since: '5.2', until: '5.12' },
  { document: 'memory-model', name: 'page_to_nid', since: '5.2', until: '5.12' },
  { document: 'memory-model', name: 'memory_present', since: '5.2', until: '5.8' },
  { document: 'memory-model', name: 'memblocks_present', since: '5.2', until: '5.8' },
  { document: 'memory-model', name: 'sparse_memory_present_with_active_regions', since: '5.2', until: '5.8' },
  { document: 'memory-model', name: 'altmap_alloc_block_buf', since: '5.2', until: '5.8' },
  { document: 'memory-model', name: ':c:type:', since: '5.2', until: '5.9' },
  { document: 'memory-model', name: 'CONFIG_ARCH_HAS_HOLES_MEMORYMODEL', since: '5.2', until: '5.9' },
  { document: 'memory-model', name: '_physical_memory_model:', since: '5.2', until: '6.2' },
  { document: 'memory-model', name: 'sparse_init', since: '5.2', until: '6.19' },
  { document: 'memory-model', name: 'ZONE_DEVICE', since: '5.3' },
  { document: 'memory-model', name: '->page_free()', since: '5.3', until: '6.18' },
  { document: 'memory-model', name: 'Documentation/vm/hmm.rst', since: '5.3', until: '5.19' },
  { document: 'memory-model', name: 'vmemmap_alloc_block_buf', since: '5.9' },
  { document: 'memory-model', name: 'two memory models', since: '5.14' },
  { document: 'memory-model', name: 'Documentation/mm/hmm.rst', since: '6.0' },
  { document: 'memory-model', name: '->folio_free()', since: '6.19' },
  { document: 'hmm', name: 'System bus', since: '4.14', until: '4.16' },
  { document: 'hmm', name: 'hmm_vma_get_pfns', since: '4.14', until: '5.0' },
  { document: 'hmm', name: 'hmm_vma_fault', since: '4.14', until: '5.0' },
  { document: 'hmm', name: 'hmm_vma_range_done', since: '4.14', until: '5.0' },
  { document: 'hmm', name: 'hmm_mirror_register_locked', since: '4.14', until: '5.2' },
  { document: 'hmm', name: 'hmm_devmem_add', since: '4.14', until: '5.2' },
  { document: 'hmm', name: 'hmm_devmem_ops', since: '4.14', until: '5.2' },
  { document: 'hmm', name: 'migrate_vma_ops', since: '4.14', until: '5.3' },
  { document: 'hmm', name: 'alloc_and_copy', since: '4.14', until: '5.3' },
  { document: 'hmm', name: 'hmm_mirror_register', since: '4.14', until: '5.4' },
  { document: 'hmm', name: 'mmap_sem', since: '4.14', until: '5.7' },
  { document: 'hmm', name: 'sync_cpu_device_pagetables', since: '4.14', until: '6.4' },
  { document: 'hmm', name: 'do-able', since: '4.14', until: '6.11' },
  { document: 'hmm', name: 'I/O bus', since: '4.17' },
  { document: 'hmm', name: '.. hmm:', since: '4.18', until: '5.9' },
  { document: 'hmm', name: 'hmm_range_snapshot', since: '5.2', until: '5.3' },
  { document: 'hmm', name: 'hmm_range_register', since: '5.2', until: '5.4' },
  { document: 'hmm', name: 'hmm_range_wait_until_valid', since: '5.2', until: '5.4' },
  { document: 'hmm', name: 'hmm_range_unregister', since: '5.3', until: '5.4' },
  { document: 'hmm', name: 'HMM_RANGE_SNAPSHOT', since: '5.4', until: '5.6' },
  { document: 'hmm', name: 'migrate_vma_setup', since: '5.4' },
  { document: 'hmm', name: 'mmu_interval_notifier_insert', since: '5.6' },
  { document: 'hmm', name: 'mmu_interval_read_begin', since: '5.6', until: '7.2' },
  { document: 'hmm', name: 'hmm_pfns', since: '5.8' },
  { document: 'hmm', name: 'HMM_PFN_REQ_FAULT', since: '5.8' },
  { document: 'hmm', name: 'mmap_read_lock', since: '5.8' },
  { document: 'hmm', name: 'migrate_pgmap_owner', since: '5.10', until: '5.12' },
  { document: 'hmm', name: 'MIGRATE_PFN_LOCKED', since: '5.10', until: '5.15' },
  { document: 'hmm', name: '.. _hmm:', since: '5.10', until: '6.2' },
  { document: 'hmm', name: 'request_free_mem_region', since: '5.10' },
  { document: 'hmm', name: 'guranteed', since: '5.14', until: '6.4' },
  { document: 'hmm', name: 'resovled', since: '5.14', until: '6.11' },
  { document: 'hmm', name: 'make_device_exclusive_range', since: '5.14', until: '6.14' },
  { document: 'hmm', name: 'doable', since: '6.12' },
  { document: 'hmm', name: 'make_device_exclusive', since: '6.17' },
  { document: 'hmm', name: 'hmm_range_fault_unlocked_timeout', since: '7.3' },
  { document: 'hmm', name: 'HMM_RANGE_DEFAULT_TIMEOUT', since: '7.3' },
];
