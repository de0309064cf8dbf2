/** The running kernel of one machine: what every function of `mm/` gets as its first argument. */
import { type Arch, hasFiveLevels, x86_64 } from '../arch/x86_64.ts';
import { newFrame } from '../c/memory.ts';
import { BadAccess, type CPointer, type CStruct, type CValue } from '../c/value.ts';
import type { DaxMapping } from '../drivers/dax.ts';
import type { DmirrorState } from '../drivers/dmirror/dmirror.ts';
import type { NvdimmState } from '../drivers/nvdimm/nd.ts';
import type { PciDev } from '../drivers/p2pdma.ts';
import type { Dimm, MemoryBlock, MemoryGroup, Mmop } from '../include/memory.ts';
import type {
  AddressSpace,
  Folio,
  MemCgroup,
  Mm,
  Mutex,
  PageData,
  Process,
  TaskRef,
  VmFault,
} from '../include/mm_types.ts';
import { HOLE, nodeOf, type PageColumns, type Pglist, type Zone, zoneOf } from '../include/mmzone.ts';
import {
  type HugetlbState,
  newHugetlbState,
  newThpState,
  type SwapInfo,
  type ThpEnabled,
  type ThpState,
} from '../include/vm_state.ts';
import type { FactId } from '../kernel/release.ts';
import { factsOf, type Release } from '../kernel/release.ts';
import { type Resource, resource } from '../kernel/resource.ts';
import type { Mark, Store } from '../store/store.ts';
import { createStore } from '../store/store.ts';
import { UnorderedMap } from '../store/unorderedMap.ts';
import { finished, type KernelGenerator, type Point } from '../task/task.ts';
import type { MachineConfig } from './config.ts';
import { type Options, optionsOf } from './options.ts';

/** One line of the kernel log. */
export interface LogLine {
  /** Kernel log level: 3 err, 4 warning, 6 info. */
  level: number;
  text: string;
  /** A WARN: printed with its backtrace by a real kernel. */
  warn: boolean;
}

/** One call made by the kernel while a step ran. */
export interface TraceNode {
  name: string;
  args: readonly string[];
  result: string;
  calls: TraceNode[];
  /** Calls beyond the first MAX_CALLS, which are only counted. */
  more?: number;
}

/** So many calls of one call are kept by name: a migration of a million pages makes millions. */
const MAX_CALLS = 200;
/** Once a statement has made so many calls, only the first few of each are kept. */
const MANY_CALLS = 1000;
const FEW_CALLS = 4;
/** Of the others every so manieth passes its points, so that whoever lets the program run can breathe. */
const BREATH = 64;

/** A call that has not returned. */
interface OpenCall {
  node: TraceNode;
  /** Calls it made, in the statement of C text that runs. */
  made: number;
}

/** Arguments as printed for people; a function where they are made often and rarely looked at. */
type CallArgs = readonly string[] | (() => readonly string[]);
const printed = (args: CallArgs): readonly string[] => (typeof args === 'function' ? args() : args);

/** The calls one task makes, step by step. */
export class Trace {
  roots: TraceNode[] = [];
  readonly open: OpenCall[] = [];
  /** Calls of the statement of C text that runs, or of the line. */
  made = 0;

  /** A statement of C text begins: it may make as many calls as any. */
  statement(): void {
    this.made = 0;
    const last = this.open.at(-1);
    if (last) last.made = 0;
  }

  /** Ends a step: its calls so far. Calls still open go on in the next step as calls of the same name. */
  cut(): TraceNode[] {
    const { roots } = this;
    this.roots = [];
    let into = this.roots;
    for (const call of this.open) {
      call.node = { ...call.node, calls: [] };
      into.push(call.node);
      into = call.node.calls;
    }
    return roots;
  }
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
  /** Gives VM_FAULT_* bits. */
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

/** The rest of a quiet call that came to its first point: a frame after all. Those around it learn it the same way. */
function* stopped<T>(
  name: string,
  args: CallArgs,
  body: KernelGenerator<T>,
  point: Point,
  print: (value: T) => string,
): KernelGenerator<T> {
  const frame = { name, kind: 'kernel', args: printed(args) } as const;
  let isOver = false;
  try {
    yield { kind: 'call', frame };
    yield point;
    const value = yield* body;
    isOver = true;
    yield { kind: 'return', frame, value: print(value) };
    return value;
  } finally {
    if (!isOver) body.return(undefined as T);
  }
}

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

export class Kernel {
  readonly config: MachineConfig;
  readonly release: Release;
  readonly arch: Arch;
  /** Configuration options as this release resolves them. */
  readonly options: Options;
  readonly store: Store;
  readonly pages: PageColumns;
  readonly state: KernelState;
  private readonly facts: { has(fact: FactId): boolean };
  /** The calls of the task that runs now; whoever runs a task puts its own here. */
  trace = new Trace();
  callBack: CallBack | undefined;
  /** The task that runs now; whoever runs a task puts its own here. */
  current: TaskRef = { id: 0, label: 'boot' };

  constructor(config: MachineConfig, release: Release) {
    this.config = config;
    this.release = release;
    // A release without 5-level page tables runs such a machine with four.
    const arch = x86_64(hasFiveLevels(release) ? (config.pageTableLevels ?? 4) : 4);
    this.options = optionsOf(config, release);
    this.arch = this.options.zoneDma ? arch : { ...arch, MAX_DMA_PFN: 0 };
    this.facts = factsOf(release);
    this.store = createStore();
    this.pages = {
      state: this.store.column('state', HOLE),
      flags: this.store.column('flags', 0),
      refcount: this.store.column('refcount', 0),
      mapcount: this.store.column('mapcount', 0xffffffff),
      pgmap: this.store.column('pgmap', 0),
      pageblock: this.store.column('pageblock', 1),
      section: this.store.column('section', 0),
    };
    this.state = {
      nodes: [],
      iomem: resource(0n, (1n << BigInt(config.physBits)) - 1n, 'PCI mem', 0x200n),
      log: [],
      pgmaps: [],
      memmapRuns: [],
      sectionRoots: new Map(),
      vmemmapTables: new Map(),
      shell: newFrame('shell'),
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
      dmirror: undefined,
      userPins: new Map(),
      hmm_data: new Map(),
      thp: newThpState(thpDefault(config)),
      hugetlb: newHugetlbState(),
      swap: new Map(),
      devmap_managed_key: 0,
      addresses: new Map(),
    };
  }

  has(fact: FactId): boolean {
    return this.facts.has(fact);
  }

  get nodes(): readonly Pglist[] {
    return this.state.nodes;
  }

  node(id: number): Pglist {
    const near = this.nodes[id];
    const node = near?.node_id === id ? near : this.nodes.find((candidate) => candidate.node_id === id);
    if (!node)
      throw new BadAccess(`NODE_DATA(${id}): node ${id} does not exist; this machine has ${this.nodes.length} node(s)`);
    return node;
  }

  zone(node: number, index: number): Zone {
    const zone = this.node(node).node_zones[index];
    if (!zone) throw new RangeError(`zone ${index} of node ${node}`);
    return zone;
  }

  /** page_zone(pfn_to_page(pfn)). */
  zoneAt(pfn: number): Zone {
    const word = this.pages.state.get(pfn);
    return this.zone(nodeOf(word), zoneOf(word));
  }

  nodeAt(pfn: number): number {
    return nodeOf(this.pages.state.get(pfn));
  }

  /** The first 2^MAX_PHYSMEM_BITS - 1, or less where the CPU addresses less: PHYSMEM_END. */
  get physmemEnd(): bigint {
    return (1n << BigInt(this.arch.MAX_PHYSMEM_BITS)) - 1n;
  }

  /* ---- kernel log ---- */

  private print(level: number, text: string, warn: boolean): void {
    this.store.splice(this.state.log, this.state.log.length, 0, { level, text, warn });
  }
  pr_info(text: string): void {
    this.print(6, text, false);
  }
  pr_warn(text: string): void {
    this.print(4, text, false);
  }
  pr_err(text: string): void {
    this.print(3, text, false);
  }
  /** WARN(): the message and a backtrace; execution goes on. */
  WARN(text: string): void {
    this.print(4, text, true);
  }

  /* ---- trace ---- */

  /** Calls that are only counted, and run now. */
  private quiet = 0;

  /** Is what runs inside a call that is only counted? Then nothing it calls is told. */
  isQuiet(): boolean {
    return this.quiet > 0;
  }

  /**
   * Runs `body` as a traced call of `name`: it shows in the step's trace and as a frame of the task. One of very
   * many is only counted, and is a frame only if it comes to a point of its own: if it sleeps or runs C text.
   */
  call<T>(name: string, args: CallArgs, body: KernelGenerator<T>, print: (value: T) => string): KernelGenerator<T> {
    return this.isOneOfMany() ? this.quietCall(name, args, body, print) : this.namedCall(name, args, body, print);
  }

  private *namedCall<T>(
    name: string,
    args: CallArgs,
    body: KernelGenerator<T>,
    print: (value: T) => string,
  ): KernelGenerator<T> {
    const { trace } = this;
    const call = this.enter(name, printed(args));
    const frame = { name, kind: 'kernel', args: call.node.args } as const;
    try {
      yield { kind: 'call', frame };
      const value = yield* body;
      call.node.result = print(value);
      yield { kind: 'return', frame, value: call.node.result };
      return value;
    } finally {
      this.leave(trace, call);
    }
  }

  /** Runs at once, as far as it comes: mostly to its end, and then nothing is left to do. */
  private quietCall<T>(
    name: string,
    args: CallArgs,
    body: KernelGenerator<T>,
    print: (value: T) => string,
  ): KernelGenerator<T> {
    this.quiet++;
    try {
      const first = body.next();
      return first.done ? finished(first.value) : stopped(name, args, body, first.value, print);
    } finally {
      this.quiet--;
    }
  }

  /** The same for a kernel function that neither sleeps nor calls back. */
  leaf<T>(name: string, args: CallArgs, body: () => T, print: (value: T) => string): T {
    if (this.isOneOfMany()) {
      this.quiet++;
      try {
        return body();
      } finally {
        this.quiet--;
      }
    }
    const call = this.enter(name, printed(args));
    try {
      const value = body();
      call.node.result = print(value);
      return value;
    } finally {
      this.leave(this.trace, call);
    }
  }

  /** Has the call that runs made so many calls that another would only be counted? Then it is, and need not be told. */
  isCrowded(): boolean {
    return this.isOneOfMany();
  }

  private isOneOfMany(): boolean {
    if (this.quiet > 0) return true;
    const { open, made } = this.trace;
    const above = open[open.length - 1];
    if (!above || above.made < (made > MANY_CALLS ? FEW_CALLS : MAX_CALLS) || above.made % BREATH === 0) return false;
    above.made++;
    above.node.more = (above.node.more ?? 0) + 1;
    return true;
  }

  private enter(name: string, args: readonly string[]): OpenCall {
    const call: OpenCall = { node: { name, args, result: '', calls: [] }, made: 0 };
    const { open, roots } = this.trace;
    const above = open.at(-1);
    this.trace.made++;
    if (above) above.made++;
    const calls = above?.node.calls ?? roots;
    if (above && calls.length >= MAX_CALLS) above.node.more = (above.node.more ?? 0) + 1;
    else calls.push(call.node);
    open.push(call);
    return call;
  }
  private leave(trace: Trace, call: OpenCall): void {
    const depth = trace.open.lastIndexOf(call);
    if (depth >= 0) trace.open.length = depth;
  }

  /* ---- addresses ---- */

  /** A stable simulated address for a struct that the kernel would have kmalloc'ed: in the linear map. */
  addressOf(object: object): bigint {
    const known = this.state.addresses.get(object);
    if (known !== undefined) return known;
    const address = this.arch.PAGE_OFFSET + 0x4000000n + BigInt(this.state.addresses.size) * 0x400n;
    this.store.mapSet(this.state.addresses, object, address);
    return address;
  }

  /** Everything outside the page columns, for comparing and saving. */
  roots(): Record<string, unknown> {
    return { state: this.state };
  }

  mark(): Mark {
    return this.store.mark();
  }
}

/** huge_memory.c:setup_transparent_hugepage; without the parameter as in the recorded kernel (TRANSPARENT_HUGEPAGE_MADVISE). */
function thpDefault({ config, cmdline }: MachineConfig): ThpEnabled {
  if (!config.transparentHugepage) return 'never';
  const asked = /(?:^|\s)transparent_hugepage=(always|madvise|never)(?=\s|$)/.exec(cmdline)?.[1];
  return (asked as ThpEnabled | undefined) ?? 'madvise';
}

/** `0x1f` style, as %#lx prints. */
export const hex = (value: number | bigint): string => `0x${value.toString(16)}`;
/** `[mem 0x0000000000001000-0x000000000009efff]`: what %pR and friends print. */
export const mem = (start: number | bigint, end: number | bigint): string =>
  `[mem 0x${start.toString(16).padStart(16, '0')}-0x${end.toString(16).padStart(16, '0')}]`;
