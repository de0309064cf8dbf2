/** lib/test_hmm.c: dmirror_fops_unlocked_ioctl and dmirror_fops_mmap: what a process may ask of an open device. */
import { mkPte, PTE_YOUNG, PteKind } from '../../arch/pte.ts';
import { type AddressSpace, MM_FILEPAGES, type Mm, type PageData, type Vma } from '../../include/mm_types.ts';
import { PageKind } from '../../include/types.ts';
import { down_write, up_write } from '../../kernel/locking.ts';
import { should_fail } from '../../lib/fault-inject.ts';
import type { Kernel } from '../../machine/kernel.ts';
import { folio_get, folio_put_system } from '../../mm/folio.ts';
import { newFolio } from '../../mm/folio_record.ts';
import { __GFP_ZERO, GFP_KERNEL } from '../../mm/gfp.ts';
import { add_mm_counter } from '../../mm/mm_counter.ts';
import { mmap_device, vma_lookup } from '../../mm/mmap.ts';
import { __alloc_pages } from '../../mm/page_alloc.ts';
import { pte_alloc, set_pte_at } from '../../mm/pgtable.ts';
import { folio_add_rmap_pte } from '../../mm/rmap.ts';
import { numa_node_id } from '../../mm/zonelist.ts';
import type { KernelGenerator } from '../../task/task.ts';
import { dmirror_read, dmirror_write } from './access.ts';
import { dmirror_device_remove_chunks } from './devmem.ts';
import type { Dmirror, DmirrorCmd } from './dmirror.ts';
import { dmirror_check_atomic, dmirror_exclusive } from './exclusive.ts';
import { dmirror_migrate_to_device, dmirror_migrate_to_system } from './migrate.ts';
import { dmirror_snapshot } from './snapshot.ts';

const ENOMEM = -12;
const EINVAL = -22;

export type DmirrorCommand =
  | 'read'
  | 'read-unlocked'
  | 'write'
  | 'to-dev'
  | 'to-sys'
  | 'snapshot'
  | 'exclusive'
  | 'check-exclusive'
  | 'release'
  | 'flags';

/** What an ioctl gives: its return value, what it counted, and what it left in the caller's buffer. */
export interface DmirrorResult {
  readonly ret: number;
  readonly cmd: DmirrorCmd;
  readonly data?: readonly PageData[];
  readonly perm?: readonly number[];
}

/** Does this release's device know the command? */
export function knowsCommand(kernel: Kernel, command: DmirrorCommand): boolean {
  if (command === 'to-sys') return kernel.facts.dmirrorMigrateToSys;
  if (command === 'exclusive' || command === 'check-exclusive') return kernel.facts.deviceExclusive;
  if (command === 'release') return kernel.facts.migrateDeviceRange;
  if (command === 'flags') return kernel.facts.dmirrorFlags;
  return command !== 'read-unlocked' || kernel.facts.hmmRangeFaultUnlocked;
}

/** The ioctl. `addr` in bytes, `npages` as the u64 it is; both are checked first. `flags` is told in `npages`. */
export function* dmirror_ioctl(
  kernel: Kernel,
  dmirror: Dmirror,
  command: DmirrorCommand,
  addr: bigint,
  npages: bigint,
  buffer: (page: number) => PageData,
): KernelGenerator<DmirrorResult> {
  const size = BigInt.asUintN(64, npages << 12n);
  const cmd: DmirrorCmd = { addr: Number(addr >> 12n), npages: Number(size >> 12n), cpages: 0, faults: 0 };
  if (addr % 4096n !== 0n || addr >= BigInt.asUintN(64, addr + size) || !knowsCommand(kernel, command))
    return { ret: EINVAL, cmd };
  if (command === 'flags') {
    kernel.store.set(dmirror, 'flags', Number(npages));
    return { ret: 0, cmd };
  }
  return yield* kernel.call(
    'dmirror_fops_unlocked_ioctl',
    [command, `0x${addr.toString(16)}`, String(npages)],
    dispatch(kernel, dmirror, command, cmd, buffer),
    ({ ret }) => String(ret),
  );
}

function* dispatch(
  kernel: Kernel,
  dmirror: Dmirror,
  command: DmirrorCommand,
  cmd: DmirrorCmd,
  buffer: (page: number) => PageData,
): KernelGenerator<DmirrorResult> {
  switch (command) {
    case 'read':
    case 'read-unlocked':
      // vmalloc of the bounce buffer.
      if (cmd.npages > kernel.state.totalram_pages) return { ret: ENOMEM, cmd };
      return withData(cmd, yield* dmirror_read(kernel, dmirror, cmd, command === 'read-unlocked'));
    case 'write':
      if (cmd.npages > kernel.state.totalram_pages) return { ret: ENOMEM, cmd };
      return { ret: yield* dmirror_write(kernel, dmirror, cmd, buffer), cmd };
    case 'to-dev':
      return withData(cmd, yield* dmirror_migrate_to_device(kernel, dmirror, cmd));
    case 'to-sys':
      return { ret: yield* dmirror_migrate_to_system(kernel, dmirror, cmd), cmd };
    case 'exclusive':
      return withData(cmd, yield* dmirror_exclusive(kernel, dmirror, cmd));
    case 'check-exclusive':
      return { ret: dmirror_check_atomic(dmirror, cmd), cmd };
    case 'snapshot': {
      const perm = yield* dmirror_snapshot(kernel, dmirror, cmd);
      return typeof perm === 'number' ? { ret: perm, cmd } : { ret: 0, cmd, perm };
    }
    case 'release':
      yield* dmirror_device_remove_chunks(kernel, dmirror.mdevice);
      return { ret: 0, cmd };
    default:
      return { ret: EINVAL, cmd };
  }
}

const withData = (cmd: DmirrorCmd, data: PageData[] | number): DmirrorResult =>
  typeof data === 'number' ? { ret: data, cmd } : { ret: 0, cmd, data };

/* ---- mmap ---- */

/** The device file as something that can be mapped. It is no page cache: the driver inserts pages itself. */
export function deviceFile(kernel: Kernel, id: number): AddressSpace {
  const name = `/dev/hmm_dmirror${id}`;
  const known = kernel.state.files.get(name);
  if (known) return known;
  const { state, store } = kernel;
  const file: AddressSpace = { id: state.nextFile, name, kind: 'device', pages: new Map(), vmas: [], size: 0 };
  store.set(state, 'nextFile', state.nextFile + 1);
  store.mapSet(state.files, name, file);
  return file;
}

/** memory.c:vm_insert_page: a page of the driver's in a VMA of the driver's. */
function vm_insert_page(kernel: Kernel, vma: Vma, vpn: number, pfn: number): number {
  const folio = kernel.state.folios.get(pfn);
  if (!folio || !pte_alloc(kernel, vma.mm, vpn)) return ENOMEM;
  folio_get(kernel, pfn);
  add_mm_counter(kernel, vma.mm, MM_FILEPAGES, 1);
  folio_add_rmap_pte(kernel, folio, pfn);
  // A private mapping: writing takes a copy.
  set_pte_at(kernel, vma.mm, vpn, mkPte(PteKind.Present, pfn, PTE_YOUNG));
  return 0;
}

/**
 * dmirror_fops_mmap: a new private mapping with a fresh page everywhere, of whoever calls, whose memory the file need
 * not mirror. The vpn, or an errno.
 */
export function* dmirror_mmap(
  kernel: Kernel,
  dmirror: Dmirror,
  mm: Mm,
  pages: number,
  prot: number,
): KernelGenerator<number> {
  yield* down_write(kernel, mm.mmap_lock);
  const file = deviceFile(kernel, dmirror.mdevice.id);
  const start = mmap_device(kernel, mm, file, pages, prot);
  const vma = start < 0 ? undefined : vma_lookup(mm, start);
  let result = start;
  for (let vpn = start; vma && vpn < start + pages && result >= 0; vpn++) {
    const pfn = should_fail(kernel, 'page')
      ? -1
      : __alloc_pages(kernel, GFP_KERNEL | __GFP_ZERO, 0, numa_node_id(kernel), PageKind.Kernel);
    if (pfn < 0) {
      result = ENOMEM;
      break;
    }
    newFolio(kernel, pfn);
    if (vm_insert_page(kernel, vma, vpn, pfn) !== 0) result = ENOMEM;
    folio_put_system(kernel, pfn);
  }
  up_write(kernel, mm.mmap_lock);
  return result;
}
