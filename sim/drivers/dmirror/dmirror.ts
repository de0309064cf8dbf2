/**
 * lib/test_hmm.c: the kernel's own test device, a GPU without hardware. It mirrors address spaces of
 * processes in page tables of its own and has memory to which pages can move.
 */
import type { CPointer, CStruct } from '../../c/value.ts';
import type { Mutex, OpenFile, Process, TaskRef } from '../../include/mm_types.ts';
import type { Resource } from '../../kernel/resource.ts';
import type { Kernel } from '../../machine/kernel.ts';
import type { IntervalSub } from '../../mm/mmu_notifier.ts';
import type { FreeList } from './free_list.ts';

/** DEVMEM_CHUNK_SIZE. */
export const CHUNK_BYTES = 256n << 20n;
export const CHUNK_PAGES = 65536;
export const HPAGE_PMD_NR = 512;
export const HPAGE_PMD_ORDER = 9;
/** HMM_RANGE_DEFAULT_TIMEOUT: 1000 ms at 250 Hz. */
export const TIMEOUT_JIFFIES = 250;

export type DmirrorType = 'PRIVATE' | 'COHERENT';

/** struct dmirror_chunk: a piece of device memory with struct pages. */
export interface DmirrorChunk {
  readonly mdevice: DmirrorDevice;
  readonly pagemap: CStruct;
  readonly start: number;
  /** First pfn behind it. */
  readonly end: number;
  /** The region it was given; a coherent chunk has none. */
  readonly resource: Resource | undefined;
  /** It is being freed: its pages do not come back to the free list. */
  remove: boolean;
}

/** struct dmirror_device. */
export interface DmirrorDevice {
  readonly id: number;
  readonly type: DmirrorType;
  /** Where a coherent device's memory is: spm_addr_dev0 or spm_addr_dev1. */
  readonly spm: bigint;
  /** What the device is to others: pgmap->owner, dev_private_owner, pgmap_owner. */
  readonly owner: CPointer;
  readonly chunks: DmirrorChunk[];
  readonly devmem_lock: Mutex;
  readonly free_pages: FreeList;
  /** Heads of free huge pages (6.19). */
  readonly free_folios: FreeList;
  calloc: number;
  cfree: number;
}

/** struct dmirror: an open device file, which mirrors the address space of whoever opened it. */
export interface Dmirror {
  readonly mdevice: DmirrorDevice;
  readonly process: Process;
  /** The device's page table: by vpn, four times the page frame plus a tag. */
  readonly pt: Map<number, number>;
  readonly mutex: Mutex;
  /** The open file; fork shares it. */
  file: OpenFile | undefined;
  /** Of the address space, which outlives the process while the file is open. */
  notifier: IntervalSub | undefined;
  /** HMM_DMIRROR_FLAG_* (6.19). */
  flags: number;
}

export const DPT_XA_TAG_NONE = 0;
export const DPT_XA_TAG_ATOMIC = 1;
export const DPT_XA_TAG_WRITE = 3;
export const dptEntry = (pfn: number, tag: number): number => pfn * 4 + tag;
export const dptPfn = (entry: number): number => Math.floor(entry / 4);
export const dptTag = (entry: number): number => entry & 3;

export const HMM_DMIRROR_FLAG_FAIL_ALLOC = 1;

export interface DmirrorState {
  /** struct module: its init or exit is under way, and by whom. */
  module: 'coming' | 'live' | 'going';
  task: TaskRef;
  readonly devices: DmirrorDevice[];
  readonly mirrors: Dmirror[];
  /** page->zone_device_data of device pages in use: the page of RAM that plays their memory (private devices). */
  readonly backing: Map<number, number>;
  /** Which mirror a device page was handed out for: zone_device_data of its backing page. */
  readonly user: Map<number, Dmirror>;
  /** Heads of the huge pages that are out (6.19). */
  readonly huge: Map<number, true>;
}

/** What an ioctl hands back beside its return value. */
export interface DmirrorCmd {
  readonly addr: number;
  readonly npages: number;
  cpages: number;
  faults: number;
}

export const dmirror_is_private_zone = (mdevice: DmirrorDevice): boolean => mdevice.type === 'PRIVATE';

/** The chunk a page frame lies in. */
export function dmirror_page_to_chunk(kernel: Kernel, pfn: number): DmirrorChunk | undefined {
  for (const mdevice of kernel.state.dmirror?.devices ?? [])
    for (const chunk of mdevice.chunks) if (pfn >= chunk.start && pfn < chunk.end) return chunk;
  return undefined;
}

/** The mirror behind the file of device `id` that a process opened last; one it has from its parent counts too. */
export function mirrorOf(kernel: Kernel, id: number, process: Process): Dmirror | undefined {
  const { mirrors } = kernel.state.dmirror ?? { mirrors: [] };
  const file = process.fds.findLast((open) =>
    mirrors.some((mirror) => mirror.file === open && mirror.mdevice.id === id),
  );
  return file && mirrors.find((mirror) => mirror.file === file);
}

export const deviceName = (id: number): string => `hmm_dmirror${id}`;
