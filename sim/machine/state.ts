import { newFrame } from '../c/memory.ts';
import type { CPointer, CStruct, CValue } from '../c/value.ts';
import type { DaxMapping } from '../drivers/dax.ts';
import type { DmirrorState } from '../drivers/dmirror/dmirror.ts';
import type { NvdimmState } from '../drivers/nvdimm/nd.ts';
import type { PciDev } from '../drivers/p2pdma.ts';
import type { Dimm, MemoryBlock, MemoryGroup, Mmop } from '../include/memory.ts';
import type { AddressSpace, Folio, MemCgroup, Mm, Mutex, PageData, Process, VmFault } from '../include/mm_types.ts';
import type { Pglist } from '../include/mmzone.ts';
import {
  type HugetlbState,
  newHugetlbState,
  newThpState,
  type SwapInfo,
  type ThpEnabled,
  type ThpState,
} from '../include/vm_state.ts';
import { type Resource, resource } from '../kernel/resource.ts';
import { UnorderedMap } from '../store/unorderedMap.ts';
import type { KernelGenerator } from '../task/task.ts';
import type { MachineConfig } from './config.ts';
import type { Kernel } from './kernel.ts';

/** One line of the kernel log. */
export interface LogLine {
  /** Kernel log level: 3 err, 4 warning, 6 info. */
  level: number;
  text: string;
  /** A WARN: printed with its backtrace by a real kernel. */
  warn: boolean;
}

/** A dev_pagemap that memremap_pages has mapped. */
export interface MappedPagemap {
  readonly id: number;
  readonly pgmap: CStruct;
  /** Name of the device or resource it was mapped for. */
  readonly name: string;
  readonly node: number;
  /** Ranges mapped so far, as pfns: [start, end). */
  readonly ranges: { start: number; end: number }[];
  /** Callbacks of a driver that is part of the engine; one written in C has them in `pgmap->ops`. */
  readonly native?: NativePagemapOps;
  /** `pgmap->altmap.alloc` and friends live in the C struct. */
}

/** dev_pagemap_ops of a driver that is part of the engine. */
export interface NativePagemapOps {
  /** A driver that need not sleep does it at once and gives undefined. */
  page_free(kernel: Kernel, pfn: number): KernelGenerator<void> | undefined;
  /** Gives VM_FAULT_* bits; at once where it need not sleep. */
  migrate_to_ram(kernel: Kernel, vmf: VmFault): KernelGenerator<number>;
  /** From 6.19: a huge device page becomes single pages. */
  folio_split?(kernel: Kernel, head: number): void;
}

/** A run of sub-sections whose memmap was allocated at run time, and where from. */
export interface MemmapRun {
  /** First pfn described. */
  start: number;
  /** Pages described. */
  pages: number;
  /** First page frame that holds the struct pages; consecutive ones follow. */
  from: number;
  /** Blocks of 2^order pages, from RAM; or an altmap's. */
  order: number;
  altmap: boolean;
  /** Compound device pages share their tails' struct pages: two frames hold those of one. */
  compound?: { base: number; pages: number };
}

/** How C functions of a program are called back (`ops->page_free(page)`); set by whoever runs the program. */
export type CallBack = (pointer: CPointer, args: readonly CValue[]) => KernelGenerator<CValue>;

/** Everything that changes apart from page columns: the roots of the object graph. */
export interface KernelState {
  readonly nodes: Pglist[];
  readonly iomem: Resource;
  readonly log: LogLine[];
  /** `pgmap_array`: ranges by first pfn, ascending. */
  readonly pgmaps: MappedPagemap[];
  readonly memmapRuns: MemmapRun[];
  /** Section roots allocated (SPARSEMEM_EXTREME). */
  readonly sectionRoots: Map<number, boolean>;
  /** Upper page tables of the vmemmap allocated at run time, by index, with the page that holds them. */
  readonly vmemmapTables: Map<string, number>;
  /** The variables of the shell: a frame that outlives each line. */
  readonly shell: CStruct;
  /** C functions that the shell was given, by name. */
  readonly functions: Map<string, string>;
  /** Resources and pagemaps released when a device goes away, newest first. */
  readonly devices: DeviceState[];
  /** The memory blocks by number: what /sys/devices/system/memory shows. */
  readonly memoryBlocks: Map<number, MemoryBlock>;
  readonly memoryGroups: MemoryGroup[];
  readonly dimms: Dimm[];
  /** Pages of a memory block, chosen at boot. */
  memoryBlockPages: number;
  /** auto_online_blocks. */
  mhp_default_online_type: Mmop;
  /** Who holds device_hotplug_lock; nobody: ''. */
  device_hotplug_lock: string;
  /** PCI functions that someone looked up, by address. */
  readonly pci: Map<string, PciDev>;
  /** Mappings of persistent memory by processes, by name. */
  readonly dax: Map<string, DaxMapping>;
  jiffies: number;
  max_pfn: number;
  max_low_pfn: number;
  totalram_pages: number;
  min_free_kbytes: number;
  /** Too little memory for one pageblock of each migrate type: everything is treated as unmovable. */
  page_group_by_mobility_disabled: boolean;
  nextPagemap: number;
  readonly nvdimm: NvdimmState;
  /** The processes by pid, those that are over and were not waited for among them. */
  readonly processes: Map<number, Process>;
  nextPid: number;
  /** The process that `proc use` chose for C text; 0: none. */
  usedPid: number;
  /** Every address space that still has a user or a reference. */
  readonly mms: Map<number, Mm>;
  nextMm: number;
  /** What struct page holds of user pages, by the pfn of their head. */
  readonly folios: Map<number, Folio>;
  /** What pages hold, where someone wrote something else than zeros; by pfn. */
  readonly contents: Map<number, PageData>;
  readonly anonVmas: { next: number };
  /** Files, shmem objects and hugetlb pools by name. */
  readonly files: Map<string, AddressSpace>;
  nextFile: number;
  readonly memcgs: Map<string, MemCgroup>;
  /** The per-CPU batches of mm/swap.c (one CPU runs): folios on their way to the LRU lists, each with a reference. */
  readonly lru_add: number[];
  /** Those that are on a list and wait to be moved: to the active one, and by MADV_FREE to that of files. */
  readonly lru_activate: number[];
  readonly lru_deactivate: number[];
  readonly lru_lazyfree: number[];
  /** Counters of /proc/vmstat that change with processes: node counters and events, by their names there. */
  readonly vm: Map<string, number>;
  /** Faults that `inject` arms, and how often each still strikes. */
  readonly injected: Map<string, number>;
  /** References that `inject pin` holds, by page frame. */
  readonly injectedPins: Map<number, number>;
  /** The word that the userfaultfd handler of a process fills pages with, by the mm's number. */
  readonly uffd: Map<number, number>;
  /** Every mutex that was initialised and not destroyed. */
  readonly mutexes: Mutex[];
  /** Those of programs in C, by their object. */
  readonly driverLocks: Map<object, Mutex>;
  /** The module test_hmm, while it is loaded. */
  dmirror: DmirrorState | undefined;
  /** Pages that get_user_pages gave to whom the shell speaks for, by process and page; they outlive mappings and processes. */
  readonly userPins: Map<number, Map<number, readonly HeldUserPage[]>>;
  /** The word that hmm_devmem_page_set_drvdata keeps in a device page, by page frame. */
  readonly hmm_data: Map<number, bigint>;
  readonly thp: ThpState;
  readonly hugetlb: HugetlbState;
  /** swap_info: the swap files that are in use, by type. */
  readonly swap: Map<number, SwapInfo>;
  /** Users of dev_pagemap_get_ops (4.18 to 5.2): whether a put of a device page tells its driver. */
  devmap_managed_key: number;
  /** struct objects that were asked for their address, in that order. */
  readonly addresses: Map<object, bigint>;
  /** How many bytes they take, from the first on. */
  readonly addressEnd: { used: number };
}

/** References or pins on one page frame that `proc gup` took. */
export interface HeldUserPage {
  readonly pfn: number;
  readonly pin: boolean;
  readonly count: number;
}

/** A driver's struct device with what devm_ functions will undo. */
export interface DeviceState {
  readonly name: string;
  readonly device: CStruct;
  readonly node: number;
  readonly actions: DevresAction[];
}
export interface DevresAction {
  readonly what:
    | 'memunmap_pages'
    | 'release_mem_region'
    | 'devm_memremap_pages_release'
    | 'percpu_ref_kill'
    | 'percpu_ref_exit'
    | 'blk_cleanup_queue'
    | 'dev_pagemap_put_ops'
    | 'pci_p2pdma_release'
    | 'hmm_devmem_release';
  readonly subject: CStruct;
}

/** huge_memory.c:setup_transparent_hugepage; without the parameter as in the recorded kernel (TRANSPARENT_HUGEPAGE_MADVISE). */
function thpDefault({ config, cmdline }: MachineConfig): ThpEnabled {
  if (!config.transparentHugepage) return 'never';
  const asked = /(?:^|\s)transparent_hugepage=(always|madvise|never)(?=\s|$)/.exec(cmdline)?.[1];
  return (asked as ThpEnabled | undefined) ?? 'madvise';
}

/** The state before boot. */
export const newState = (config: MachineConfig): KernelState => ({
  nodes: [],
  iomem: resource(0n, (1n << BigInt(config.physBits)) - 1n, 'PCI mem', 0x200n),
  log: [],
  pgmaps: [],
  memmapRuns: [],
  sectionRoots: new Map(),
  vmemmapTables: new Map(),
  shell: newFrame('shell'),
  functions: new Map(),
  devices: [],
  memoryBlocks: new Map(),
  memoryGroups: [],
  dimms: [],
  memoryBlockPages: 0,
  mhp_default_online_type: 0,
  device_hotplug_lock: '',
  pci: new Map(),
  dax: new Map(),
  jiffies: 4294667296,
  max_pfn: 0,
  max_low_pfn: 0,
  totalram_pages: 0,
  min_free_kbytes: 0,
  page_group_by_mobility_disabled: false,
  nextPagemap: 1,
  nvdimm: { buses: [], dax: [], regions: 0, uuids: 0 },
  processes: new Map(),
  nextPid: 100,
  usedPid: 0,
  mms: new Map(),
  nextMm: 1,
  folios: new UnorderedMap(),
  contents: new UnorderedMap(),
  anonVmas: { next: 1 },
  files: new Map(),
  nextFile: 1,
  memcgs: new Map(),
  lru_add: [],
  lru_activate: [],
  lru_deactivate: [],
  lru_lazyfree: [],
  vm: new Map(),
  injected: new Map(),
  injectedPins: new Map(),
  uffd: new Map(),
  mutexes: [],
  driverLocks: new Map(),
  dmirror: undefined,
  userPins: new Map(),
  hmm_data: new Map(),
  thp: newThpState(thpDefault(config)),
  hugetlb: newHugetlbState(),
  swap: new Map(),
  devmap_managed_key: 0,
  addresses: new Map(),
  addressEnd: { used: 0 },
});
