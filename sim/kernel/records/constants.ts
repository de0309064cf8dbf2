/** Constants, macros and errnos with their values by release and, where they differ, by architecture. */
import type { ArchLayout, ArchName } from '../../arch/layout.ts';
import { archLayout } from '../../arch/layouts.ts';
import { SUBSECTION_SHIFT } from '../../arch/x86_64.ts';
import { SECTION_FLAG_BITS } from '../../include/section_flags.ts';
import type { ConstantRecord } from '../registry.ts';
import { compareReleases, RELEASES, type Release } from '../release.ts';

type Value = ConstantRecord['values'][number];

const at = (value: bigint, since: Release, until?: Release, expression?: string): Value => ({
  value,
  since,
  ...(until ? { until } : {}),
  ...(expression ? { expression } : {}),
});
const on = (arch: string, value: bigint, since: Release, until?: Release, expression?: string): Value => ({
  ...at(value, since, until, expression),
  arch,
});
const COMMON = ['x86_64', 'x86_32', 'arm64'] as const;
/** The layouts that a dozen constants are taken from, each made once. */
const LAYOUTS = new Map(
  COMMON.map((name) => [name, RELEASES.map((release) => ({ release, layout: archLayout(name, release) }))]),
);
/** What the layouts of the architectures say, with a value for each span of releases in which it stays the same. */
function fromLayouts(
  pick: (layout: ArchLayout) => number | bigint | undefined,
  expressions: Partial<Record<ArchName, string>> = {},
  since: Release = '4.3',
): Value[] {
  const found: Value[] = [];
  for (const [name, layouts] of LAYOUTS) {
    let last: { value: bigint; since: Release; until: Release } | undefined;
    const put = (): void => {
      if (!last) return;
      const newest = last.until === RELEASES.at(-1);
      found.push(
        on(name, last.value, last.since, newest ? undefined : last.until, newest ? expressions[name] : undefined),
      );
    };
    for (const { release, layout } of layouts) {
      if (compareReleases(release, since) < 0) continue;
      const picked = pick(layout);
      const value = picked === undefined ? undefined : BigInt(picked);
      if (last && last.value === value) last.until = release;
      else {
        put();
        last = value === undefined ? undefined : { value, since: release, until: release };
      }
    }
    put();
  }
  return found;
}
const pagesOf = (bits: number | undefined, layout: ArchLayout): bigint | undefined =>
  bits === undefined ? undefined : 1n << BigInt(bits - layout.PAGE_SHIFT);

const bit = (number: number, since: Release, until?: Release): Value =>
  at(1n << BigInt(number), since, until, `1UL << ${number}`);

const constant = (
  name: string,
  file: string,
  contract: string,
  values: readonly Value[],
  replacedBy?: string,
): ConstantRecord => ({ kind: 'constant', name, file, contract, values, ...(replacedBy ? { replacedBy } : {}) });
const macro = (
  name: string,
  file: string,
  contract: string,
  values: readonly Value[],
  replacedBy?: string,
): ConstantRecord => ({
  ...constant(name, file, contract, values, replacedBy),
  kind: 'macro',
});
const errno = (name: string, value: number, contract: string): ConstantRecord => ({
  kind: 'errno',
  name,
  file: value <= 34 ? 'include/uapi/asm-generic/errno-base.h' : 'include/uapi/asm-generic/errno.h',
  contract,
  values: [at(BigInt(value), '4.3')],
});

const HMM = 'include/linux/hmm.h';
const MIGRATE = 'include/linux/migrate.h';
const MEMREMAP = 'include/linux/memremap.h';
const NOTIFIER = 'include/linux/mmu_notifier.h';
const MMZONE = 'include/linux/mmzone.h';
const SPARSEMEM = 'arch/x86/include/asm/sparsemem.h';
const GFP = 'include/linux/gfp_types.h';
const MM_TYPES = 'include/linux/mm_types.h';

const hmm: readonly ConstantRecord[] = [
  constant('HMM_PFN_VALID', HMM, 'The entry holds a page that the CPU can read.', [
    bit(0, '4.14', '4.16'),
    at(0n, '4.17', '5.7', 'index into flags[]'),
    bit(63, '5.8'),
  ]),
  constant('HMM_PFN_READ', HMM, 'The VMA of the entry permits reading.', [bit(1, '4.14', '4.16')]),
  constant('HMM_PFN_WRITE', HMM, 'The CPU may write to the page of the entry; only together with HMM_PFN_VALID.', [
    bit(2, '4.14', '4.16'),
    at(1n, '4.17', '5.7', 'index into flags[]'),
    bit(62, '5.8'),
  ]),
  constant('HMM_PFN_ERROR', HMM, 'The address cannot be used: no VMA, not readable, or no ordinary memory behind it.', [
    bit(3, '4.14', '4.16'),
    at(0n, '4.17', '5.7', 'index into values[]'),
    bit(61, '5.8'),
  ]),
  constant('HMM_PFN_EMPTY', HMM, 'The page table entry is empty.', [bit(4, '4.14', '4.16')], 'HMM_PFN_NONE'),
  constant('HMM_PFN_NONE', HMM, 'Index of the value that stands for an empty page table entry.', [
    at(1n, '4.17', '5.7', 'index into values[]'),
  ]),
  constant('HMM_PFN_SPECIAL', HMM, 'The entry is special: it maps something without a struct page.', [
    bit(5, '4.14', '4.16'),
    at(2n, '4.17', '5.7', 'index into values[]'),
  ]),
  constant(
    'HMM_PFN_DEVICE_UNADDRESSABLE',
    HMM,
    'The page is device-private memory.',
    [bit(6, '4.14', '4.16')],
    'HMM_PFN_DEVICE_PRIVATE',
  ),
  constant('HMM_PFN_DEVICE_PRIVATE', HMM, 'Index of the flag for device-private memory.', [
    at(2n, '4.17', '5.6', 'index into flags[]'),
  ]),
  constant('HMM_PFN_FLAG_MAX', HMM, 'How many flags the driver supplies.', [
    at(3n, '4.17', '5.6'),
    at(2n, '5.7', '5.7'),
  ]),
  constant('HMM_PFN_VALUE_MAX', HMM, 'How many special values the driver supplies.', [at(3n, '4.17', '5.7')]),
  constant(
    'HMM_PFN_REQ_FAULT',
    HMM,
    'On input: the page must be there, fault it in if it is not. The same bit as HMM_PFN_VALID.',
    [at(1n << 63n, '5.8', undefined, 'HMM_PFN_VALID')],
  ),
  constant(
    'HMM_PFN_REQ_WRITE',
    HMM,
    'On input, with HMM_PFN_REQ_FAULT: the page must be writable, fault it in for writing if it is not. The same bit as HMM_PFN_WRITE.',
    [at(1n << 62n, '5.8', undefined, 'HMM_PFN_WRITE')],
  ),
  constant('HMM_PFN_DMA_MAPPED', HMM, 'The driver has mapped the page for DMA; kept over a new walk.', [
    bit(60, '6.17'),
  ]),
  constant('HMM_PFN_P2PDMA', HMM, 'The page of a mapped entry is peer-to-peer memory.', [bit(59, '6.17')]),
  constant(
    'HMM_PFN_P2PDMA_BUS',
    HMM,
    'The page of a mapped entry is peer-to-peer memory that is reached by its bus address.',
    [bit(58, '6.17')],
  ),
  constant('HMM_PFN_ORDER_SHIFT', HMM, 'Where the five bits with the order of the CPU mapping begin.', [
    at(56n, '5.9', '6.16'),
    at(53n, '6.17'),
  ]),
  constant('HMM_PFN_FLAGS', HMM, 'All bits of an entry that are not page frame number.', [
    at(0xffn << 56n, '5.9', '6.16', '0xFFUL << HMM_PFN_ORDER_SHIFT'),
    at(0x7ffn << 53n, '6.17', undefined, 'bits 53 to 63'),
  ]),
  macro('HMM_RANGE_DEFAULT_TIMEOUT', HMM, 'A usual time to try for, in milliseconds.', [at(1000n, '5.2')]),
  macro('HMM_FAULT_ALLOW_RETRY', HMM, 'Lets hmm_range_fault give up mmap_sem while it faults.', [bit(0, '5.4', '5.6')]),
  macro('HMM_FAULT_SNAPSHOT', HMM, 'Forbids hmm_range_fault to fault: it only looks.', [bit(1, '5.4', '5.6')]),
  constant('HMM_UPDATE_INVALIDATE', HMM, 'The only event a mirror was ever told: forget these addresses.', [
    at(0n, '4.14', '5.3'),
  ]),
];

const migrate: readonly ConstantRecord[] = [
  macro('MIGRATE_PFN_VALID', MIGRATE, 'The entry holds a page.', [bit(0, '4.14')]),
  macro(
    'MIGRATE_PFN_MIGRATE',
    MIGRATE,
    'In src: the entry can migrate, and after migrate_vma_pages() it did. Without MIGRATE_PFN_VALID there was no page, and a new one can be put there.',
    [bit(1, '4.14')],
  ),
  macro('MIGRATE_PFN_LOCKED', MIGRATE, 'The page is locked; drivers had to set it in dst.', [bit(2, '4.14', '5.15')]),
  macro('MIGRATE_PFN_WRITE', MIGRATE, 'In src: the CPU could write to the page.', [bit(3, '4.14')]),
  macro('MIGRATE_PFN_DEVICE', MIGRATE, 'In src: the page is device-private.', [bit(4, '4.14', '5.3')]),
  macro('MIGRATE_PFN_ERROR', MIGRATE, 'Meant for dst when the data is lost; the kernel never reads it.', [
    bit(5, '4.14', '5.3'),
  ]),
  macro('MIGRATE_PFN_COMPOUND', MIGRATE, 'The entry stands for a whole huge page.', [bit(4, '6.19')]),
  macro('MIGRATE_PFN_SHIFT', MIGRATE, 'Where the page frame number begins in an entry of src or dst.', [
    at(6n, '4.14'),
  ]),
  constant('MIGRATE_VMA_SELECT_SYSTEM', MIGRATE, 'Collect pages of system memory, and places without a page.', [
    bit(0, '5.9'),
  ]),
  constant('MIGRATE_VMA_SELECT_DEVICE_PRIVATE', MIGRATE, 'Collect device-private pages whose owner is pgmap_owner.', [
    bit(1, '5.9'),
  ]),
  constant('MIGRATE_VMA_SELECT_DEVICE_COHERENT', MIGRATE, 'Collect coherent device pages whose owner is pgmap_owner.', [
    bit(2, '6.0'),
  ]),
  constant('MIGRATE_VMA_SELECT_COMPOUND', MIGRATE, 'Collect huge pages whole instead of splitting them.', [
    bit(3, '6.19'),
  ]),
];

const memory: readonly ConstantRecord[] = [
  constant(
    'MEMORY_DEVICE_HOST',
    MEMREMAP,
    'Memory that the CPU uses like RAM: persistent memory.',
    [at(0n, '4.14', '4.17')],
    'MEMORY_DEVICE_FS_DAX',
  ),
  constant(
    'MEMORY_DEVICE_PRIVATE',
    MEMREMAP,
    'Memory that the CPU can neither read nor write: a page of it is a swap entry in CPU page tables.',
    [at(1n, '4.14')],
  ),
  constant(
    'MEMORY_DEVICE_PUBLIC',
    MEMREMAP,
    'Device memory that the CPU can use coherently.',
    [at(2n, '4.14', '5.2')],
    'MEMORY_DEVICE_COHERENT',
  ),
  constant(
    'MEMORY_DEVICE_COHERENT',
    MEMREMAP,
    'Device memory that the CPU can use coherently and map; processes get it by migration.',
    [at(2n, '6.0')],
  ),
  constant(
    'MEMORY_DEVICE_FS_DAX',
    MEMREMAP,
    'Persistent memory behind a file system: whoever waits is woken when a page is idle.',
    [at(3n, '4.18', '5.2'), at(2n, '5.3', '5.19'), at(3n, '6.0')],
  ),
  constant(
    'MEMORY_DEVICE_DEVDAX',
    MEMREMAP,
    'Memory behind a DAX character device.',
    [at(3n, '5.3', '5.8')],
    'MEMORY_DEVICE_GENERIC',
  ),
  constant('MEMORY_DEVICE_GENERIC', MEMREMAP, 'Memory used like RAM by its driver, as behind a DAX character device.', [
    at(3n, '5.9', '5.19'),
    at(4n, '6.0'),
  ]),
  constant('MEMORY_DEVICE_PCI_P2PDMA', MEMREMAP, 'Memory in a PCI BAR, for transfers between devices.', [
    at(4n, '4.20', '5.19'),
    at(5n, '6.0'),
  ]),
  macro('PGMAP_ALTMAP_VALID', MEMREMAP, 'The altmap of the pagemap is to be used.', [bit(0, '5.3')]),
  constant(
    'IORES_DESC_DEVICE_PRIVATE_MEMORY',
    'include/linux/ioport.h',
    'The resource is a range of unaddressable device memory.',
    [at(6n, '4.14')],
  ),
  constant(
    'IORES_DESC_DEVICE_PUBLIC_MEMORY',
    'include/linux/ioport.h',
    'The resource is a range of public device memory.',
    [at(7n, '4.14', '5.2')],
  ),
];

const notify: readonly ConstantRecord[] = [
  constant('MMU_NOTIFY_UNMAP', NOTIFIER, 'The range is being unmapped.', [at(0n, '5.2')]),
  constant(
    'MMU_NOTIFY_CLEAR',
    NOTIFIER,
    'Entries are cleared for some other reason: reclaim, migration, copy on write.',
    [at(1n, '5.2')],
  ),
  constant('MMU_NOTIFY_PROTECTION_VMA', NOTIFIER, 'The rights of a whole VMA change.', [at(2n, '5.2')]),
  constant('MMU_NOTIFY_PROTECTION_PAGE', NOTIFIER, 'The rights of single pages change.', [at(3n, '5.2')]),
  constant('MMU_NOTIFY_SOFT_DIRTY', NOTIFIER, 'Pages are write-protected to find out who writes.', [at(4n, '5.2')]),
  constant('MMU_NOTIFY_RELEASE', NOTIFIER, 'The process exits: the whole address space goes.', [at(5n, '5.5')]),
  constant(
    'MMU_NOTIFY_MIGRATE',
    NOTIFIER,
    'Pages are collected for migration to or from a device; the owner tells which driver asked.',
    [at(6n, '5.9')],
  ),
  constant('MMU_NOTIFY_EXCLUSIVE', NOTIFIER, 'A page becomes exclusive to a device, or stops being so.', [
    at(7n, '5.14'),
  ]),
];

const machine: readonly ConstantRecord[] = [
  macro(
    'PAGE_SHIFT',
    'arch/x86/include/asm/page_types.h',
    'The log2 of the page size; shifting an address right by it gives the page frame number.',
    fromLayouts((layout) => layout.PAGE_SHIFT, { arm64: '12, 14 or 16 by configuration' }),
  ),
  macro(
    'PAGE_SIZE',
    'arch/x86/include/asm/page_types.h',
    'Bytes in a page: the unit of memory management.',
    fromLayouts((layout) => 1n << BigInt(layout.PAGE_SHIFT), {
      x86_64: '1 << PAGE_SHIFT',
      x86_32: '1 << PAGE_SHIFT',
      arm64: '4, 16 or 64 KiB by configuration',
    }),
  ),
  macro(
    'PMD_SHIFT',
    'arch/x86/include/asm/pgtable_64_types.h',
    'The log2 of the range that one entry of the second page table level covers.',
    fromLayouts((layout) => layout.PMD_SHIFT, {
      x86_32: '21 with PAE, 22 without',
      arm64: '21, 25 or 29 by page size',
    }),
  ),
  macro(
    'PMD_SIZE',
    'arch/x86/include/asm/pgtable_64_types.h',
    'The range that one entry of the second page table level covers: the usual huge page.',
    fromLayouts((layout) => 1n << BigInt(layout.PMD_SHIFT), {
      x86_64: '1UL << PMD_SHIFT',
      x86_32: '1UL << PMD_SHIFT',
      arm64: '2, 32 or 512 MiB by page size',
    }),
  ),
  macro(
    'SECTION_SIZE_BITS',
    SPARSEMEM,
    'The log2 of the bytes in a section. Each architecture chooses it.',
    fromLayouts((layout) => layout.SECTION_SIZE_BITS, {
      x86_32: '29 with PAE, 26 without',
      arm64: '27 for 4 and 16 KiB pages, 29 for 64 KiB',
    }),
  ),
  macro(
    'MAX_PHYSMEM_BITS',
    SPARSEMEM,
    'How many bits of a physical address the memory model can describe.',
    fromLayouts((layout) => layout.MAX_PHYSMEM_BITS, {
      x86_64: '46 with four page table levels, 52 with five',
      x86_32: '36 with PAE, 32 without',
      arm64: '48, or 52 by configuration in newer releases',
    }),
  ),
  macro(
    'NR_MEM_SECTIONS',
    MMZONE,
    'How many sections there can be: two to the power of MAX_PHYSMEM_BITS less SECTION_SIZE_BITS.',
    fromLayouts((layout) => 1n << BigInt((layout.MAX_PHYSMEM_BITS ?? 0) - (layout.SECTION_SIZE_BITS ?? 0)), {
      x86_64: '2^19 with four page table levels, 2^25 with five',
      x86_32: '128 with PAE, 64 without',
      arm64: '2^21 for 48 bits and 4 KiB pages',
    }),
  ),
  macro(
    'PAGES_PER_SECTION',
    MMZONE,
    'Pages in a section.',
    fromLayouts((layout) => pagesOf(layout.SECTION_SIZE_BITS, layout), {
      x86_64: '1UL << (SECTION_SIZE_BITS - PAGE_SHIFT)',
    }),
  ),
  macro('SUBSECTION_SHIFT', MMZONE, 'The log2 of the bytes in a sub-section: 2 MiB on every architecture.', [
    at(BigInt(SUBSECTION_SHIFT), '5.3'),
  ]),
  macro(
    'PAGES_PER_SUBSECTION',
    MMZONE,
    'Pages in a sub-section.',
    fromLayouts((layout) => pagesOf(SUBSECTION_SHIFT, layout), {}, '5.3'),
  ),
  macro(
    'SUBSECTIONS_PER_SECTION',
    MMZONE,
    'Sub-sections in a section.',
    fromLayouts((layout) => 1n << BigInt((layout.SECTION_SIZE_BITS ?? 0) - SUBSECTION_SHIFT), {}, '5.3'),
  ),
  macro(
    'MAX_ORDER',
    MMZONE,
    'Bounds the order of a block of the page allocator. Until 6.3 it was one more than the largest order, afterwards the largest order itself.',
    [at(11n, '4.3', '6.3'), at(10n, '6.4', '6.7')],
    'MAX_PAGE_ORDER',
  ),
  macro('MAX_PAGE_ORDER', MMZONE, 'The largest order of a block of the page allocator: 4 MiB with 4 KiB pages.', [
    at(10n, '6.8'),
  ]),
  macro(
    'ARCH_PFN_OFFSET',
    'include/asm-generic/memory_model.h',
    'The first page frame number where physical memory does not begin at address 0: FLATMEM subtracts it before it indexes mem_map.',
    [on('x86_64', 0n, '4.3'), on('x86_32', 0n, '4.3')],
  ),
  ...SECTION_FLAG_BITS.map(({ name, value, since, contract }) =>
    constant(name, MMZONE, contract, [bit(Math.log2(value), since)]),
  ),
  macro('NUMA_NO_NODE', 'include/linux/numa.h', 'No node in particular.', [at(-1n, '4.3')]),
  macro('NULL', 'include/linux/stddef.h', 'The pointer to nothing.', [at(0n, '4.3')]),
];

/** Before 5.0 most of these bits were others, which nobody wrote down here. */
const CAME_LATER: Readonly<Record<string, Release>> = {
  __GFP_DIRECT_RECLAIM: '4.4',
  __GFP_KSWAPD_RECLAIM: '4.4',
  __GFP_RETRY_MAYFAIL: '4.13',
};
const gfp: readonly ConstantRecord[] = [
  macro('__GFP_DMA', GFP, 'From ZONE_DMA.', [at(0x1n, '4.3')]),
  macro('__GFP_HIGHMEM', GFP, 'ZONE_HIGHMEM will do.', [at(0x2n, '4.3')]),
  macro('__GFP_DMA32', GFP, 'From ZONE_DMA32.', [at(0x4n, '4.3')]),
  macro('__GFP_MOVABLE', GFP, 'The page can be moved; with __GFP_HIGHMEM, ZONE_MOVABLE will do.', [at(0x8n, '4.3')]),
  macro('__GFP_ZERO', GFP, 'The page is cleared.', [at(0x100n, '5.0')]),
  macro('__GFP_THISNODE', GFP, 'From the node asked for, or not at all.', [at(0x200000n, '5.0')]),
  macro('__GFP_RECLAIMABLE', GFP, 'The page can be had back by asking its owner; it is kept apart from others.', [
    at(0x10n, '4.3'),
  ]),
  macro('__GFP_HIGH', GFP, 'Urgent: half of the minimum watermark may be used.', [at(0x20n, '4.3')]),
  macro('__GFP_IO', GFP, 'Reclaim may start input and output.', [at(0x40n, '4.3')]),
  macro('__GFP_FS', GFP, 'Reclaim may call into file systems.', [at(0x80n, '4.3')]),
  macro('__GFP_DIRECT_RECLAIM', GFP, 'The caller may sleep and reclaim memory itself.', [at(0x400n, '5.0')]),
  macro('__GFP_KSWAPD_RECLAIM', GFP, 'Wakes kswapd when memory runs low.', [at(0x800n, '5.0')]),
  macro('__GFP_NOWARN', GFP, 'No message in the kernel log if it fails.', [at(0x2000n, '5.0')]),
  macro('__GFP_RETRY_MAYFAIL', GFP, 'Tries hard, and fails rather than have a process killed.', [at(0x4000n, '5.0')]),
  macro('__GFP_NOFAIL', GFP, 'Never fails: tries for ever.', [at(0x8000n, '5.0')]),
  macro('__GFP_NORETRY', GFP, 'Fails rather than try twice.', [at(0x10000n, '5.0')]),
  macro('__GFP_MEMALLOC', GFP, 'All memory may be used, watermarks do not count.', [at(0x20000n, '5.0')]),
  macro('__GFP_COMP', GFP, 'The pages become one compound page: a head and its tails.', [at(0x40000n, '5.0')]),
  macro('__GFP_NOMEMALLOC', GFP, 'Reserves are never used.', [at(0x80000n, '5.0')]),
  macro('GFP_NOWAIT', GFP, 'Memory for the kernel without sleeping and without reserves.', [
    at(0x800n, '5.0', '6.4'),
    at(0x2800n, '6.5'),
  ]),
  macro('GFP_NOIO', GFP, 'Memory for the kernel; reclaim starts no input or output.', [at(0xc00n, '5.0')]),
  macro('GFP_NOFS', GFP, 'Memory for the kernel; reclaim does not call into file systems.', [at(0xc40n, '5.0')]),
  macro('GFP_DMA', GFP, 'Memory below 16 MiB on x86.', [at(0x1n, '4.3', undefined, '__GFP_DMA')]),
  macro('GFP_DMA32', GFP, 'Memory below 4 GiB.', [at(0x4n, '4.3', undefined, '__GFP_DMA32')]),
  macro(
    'GFP_KERNEL',
    GFP,
    'Memory for the kernel; may sleep and reclaim. Never from ZONE_MOVABLE, never from ZONE_DEVICE.',
    [at(0xcc0n, '5.0')],
  ),
  macro('GFP_ATOMIC', GFP, 'Memory for the kernel without sleeping, from reserves if need be.', [
    at(0xa20n, '5.0', '6.2'),
    at(0x820n, '6.3'),
  ]),
  macro('GFP_USER', GFP, 'Memory for a process that the kernel or a device also uses.', [at(0x100cc0n, '5.0')]),
  macro('GFP_HIGHUSER', GFP, 'Memory for a process that the kernel need not address.', [at(0x100cc2n, '5.0')]),
  macro('GFP_HIGHUSER_MOVABLE', GFP, 'Memory for a process that can be moved: anonymous pages and page cache.', [
    at(0x100ccan, '5.0'),
  ]),
].map((record) =>
  record.values.some(({ since }) => since === '4.3')
    ? record
    : { ...record, namedSince: CAME_LATER[record.name] ?? '4.3' },
);

const faults: readonly ConstantRecord[] = [
  constant('VM_FAULT_OOM', MM_TYPES, 'The fault failed: no memory.', [at(0x1n, '4.3')]),
  constant('VM_FAULT_SIGBUS', MM_TYPES, 'The fault failed: the page cannot be had, and the process gets SIGBUS.', [
    at(0x2n, '4.3'),
  ]),
  constant('VM_FAULT_HWPOISON', MM_TYPES, 'The fault failed: the page was lost to a memory error.', [at(0x10n, '4.3')]),
  constant('VM_FAULT_SIGSEGV', MM_TYPES, 'The fault failed: the access is not permitted.', [at(0x40n, '4.3')]),
  constant('VM_FAULT_RETRY', MM_TYPES, 'The fault was not resolved and the lock may be gone: try again.', [
    at(0x400n, '4.3'),
  ]),
  macro('VM_READ', 'include/linux/mm.h', 'The mapping may be read.', [at(0x1n, '4.3')]),
  macro('VM_WRITE', 'include/linux/mm.h', 'The mapping may be written.', [at(0x2n, '4.3')]),
  macro('VM_EXEC', 'include/linux/mm.h', 'The mapping may be executed.', [at(0x4n, '4.3')]),
  macro('VM_SHARED', 'include/linux/mm.h', 'Writes are seen by others who map the same.', [at(0x8n, '4.3')]),
  macro('VM_PFNMAP', 'include/linux/mm.h', 'The mapping holds bare page frames without struct pages.', [
    at(0x400n, '4.3'),
  ]),
  macro('VM_IO', 'include/linux/mm.h', 'The mapping is of device registers or the like.', [at(0x4000n, '4.3')]),
];

const errnos: readonly ConstantRecord[] = [
  errno('EPERM', 1, 'Not permitted: write access is asked for where the mapping forbids writing.'),
  errno('ENOENT', 2, 'There is no such thing.'),
  errno('EINTR', 4, 'A signal ended the wait: a lock was not taken because the task is being killed.'),
  errno('EIO', 5, 'The hardware failed to transfer the data.'),
  errno('ENXIO', 6, 'No such device or address: the range belongs to System RAM, or ZONE_DEVICE is not built in.'),
  errno('EAGAIN', 11, 'Not now: something had to be given up on the way, try again.'),
  errno('ENOMEM', 12, 'No memory; from memremap_pages also the answer to a range that is mapped already.'),
  errno('EACCES', 13, 'Access is denied.'),
  errno('EFAULT', 14, 'A bad address: nothing is mapped there, or it cannot be faulted in.'),
  errno('EBUSY', 16, 'In use: from hmm_range_fault, the range was invalidated meanwhile and must be looked at again.'),
  errno('EEXIST', 17, 'It is there already: memory or a section that was added before.'),
  errno('ENODEV', 19, 'There is no such device.'),
  errno('EINVAL', 22, 'An argument does not make sense: an empty or misaligned range, a missing owner or callback.'),
  errno('ENOSPC', 28, 'No room is left.'),
  errno('ERANGE', 34, 'Out of range: no free physical range of the size, or one beyond what can be addressed.'),
  errno('EOVERFLOW', 75, 'The value does not fit: an interval that passes the end of the address space.'),
  errno('EOPNOTSUPP', 95, 'Not supported for this kind of memory.'),
  errno('EREMOTEIO', 121, 'Peer-to-peer memory was met where it cannot be reached.'),
  errno('EHWPOISON', 133, 'The page was lost to a memory error.'),
];

export const CONSTANT_RECORDS: readonly ConstantRecord[] = [
  ...hmm,
  ...migrate,
  ...memory,
  ...notify,
  ...machine,
  ...gfp,
  ...faults,
  ...errnos,
];
