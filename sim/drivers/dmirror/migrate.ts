/** lib/test_hmm.c: HMM_DMIRROR_MIGRATE_TO_DEV (HMM_DMIRROR_MIGRATE to 5.19) and HMM_DMIRROR_MIGRATE_TO_SYS. */
import { type PageData, VM_READ, VM_WRITE, type Vma } from '../../include/mm_types.ts';
import { mmget_not_zero, mmput } from '../../kernel/fork.ts';
import { down_read, mutex_lock, mutex_unlock, up_read } from '../../kernel/locking.ts';
import { hex, type Kernel } from '../../machine/kernel.ts';
import { clear_highpage, copy_highpage } from '../../mm/contents.ts';
import { isDevicePage } from '../../mm/folio.ts';
import {
  MIGRATE_PFN_COMPOUND,
  MIGRATE_PFN_MIGRATE,
  MIGRATE_PFN_VALID,
  MIGRATE_PFN_WRITE,
  MIGRATE_VMA_SELECT_COMPOUND,
  MIGRATE_VMA_SELECT_SYSTEM,
  type MigrateVma,
  migrate_vma_finalize,
  migrate_vma_pages,
  migrate_vma_setup,
} from '../../mm/migrate_device.ts';
import { vma_lookup } from '../../mm/mmap.ts';
import type { KernelGenerator } from '../../task/task.ts';
import { dmirror_do_read } from './access.ts';
import { backingPage } from './backing.ts';
import { dmirror_devmem_alloc_page } from './devmem.ts';
import { type Dmirror, type DmirrorCmd, DPT_XA_TAG_NONE, DPT_XA_TAG_WRITE, dptEntry, HPAGE_PMD_NR } from './dmirror.ts';
import {
  dmirror_devmem_fault_alloc_and_copy,
  dmirror_select_device,
  has,
  migratePage,
  migratePfn,
  takeFailAlloc,
} from './to_ram.ts';

const EINVAL = -22;

/** Pages that one migrate_vma_setup call is given: arrays on the stack, a table's worth on the heap since 6.19. */
const batchOf = (kernel: Kernel): number => (kernel.facts.devicePrivateThp ? HPAGE_PMD_NR : 64);

/** dmirror_migrate_alloc_and_copy: a device page for each page collected, and for each place where nothing was. */
function* dmirror_migrate_alloc_and_copy(kernel: Kernel, args: MigrateVma, dmirror: Dmirror): KernelGenerator<void> {
  const { src, dst, vma } = args;
  const pages = args.end - args.start;
  // Since 6.19 only the source decides; before, an empty place becomes writable with its VMA.
  const emptyIsWritable = !kernel.facts.devicePrivateThp && ((vma?.flags ?? 0) & VM_WRITE) !== 0;
  for (let i = 0; i < pages; ) {
    const entry = src[i] ?? 0;
    if (!has(entry, MIGRATE_PFN_MIGRATE)) {
      i++;
      continue;
    }
    const spage = migratePage(entry);
    if (spage >= 0 && isDevicePage(kernel, spage)) {
      if (kernel.facts.migrateSelect) kernel.WARN(`page already in device spage pfn: ${hex(spage)}`);
      i++;
      continue;
    }
    const isLarge = has(entry, MIGRATE_PFN_COMPOUND);
    const write = has(entry, MIGRATE_PFN_WRITE) || (spage < 0 && emptyIsWritable) ? MIGRATE_PFN_WRITE : 0;
    const failed = kernel.facts.dmirrorFlags && takeFailAlloc(kernel, dmirror);
    const page = failed ? -1 : dmirror_devmem_alloc_page(kernel, dmirror, isLarge);
    const dpage = typeof page === 'number' ? page : yield* page;
    if (dpage >= 0) {
      dst[i] = migratePfn(kernel, dpage) + (isLarge ? MIGRATE_PFN_COMPOUND : 0) + write;
      const count = isLarge ? HPAGE_PMD_NR : 1;
      const rpage = backingPage(kernel, dpage);
      for (let j = 0; j < count; j++) fill(kernel, rpage + j, spage < 0 ? -1 : spage + j);
      i += count;
    } else if (isLarge) {
      // No huge page of the device: single ones, and the core splits the source.
      for (let j = 0; j < HPAGE_PMD_NR && i < pages; j++, i++) {
        const single = dmirror_devmem_alloc_page(kernel, dmirror);
        const small = typeof single === 'number' ? single : yield* single;
        if (small < 0) continue;
        fill(kernel, backingPage(kernel, small), spage < 0 ? -1 : spage + j);
        dst[i] = migratePfn(kernel, small) + write;
      }
    } else i++;
  }
}

function fill(kernel: Kernel, rpage: number, spage: number): void {
  if (spage >= 0) copy_highpage(kernel, rpage, spage);
  else clear_highpage(kernel, rpage);
}

/** dmirror_migrate_finalize_and_map: what moved goes into the device's page table. */
function* dmirror_migrate_finalize_and_map(kernel: Kernel, args: MigrateVma, dmirror: Dmirror): KernelGenerator<void> {
  yield* mutex_lock(kernel, dmirror.mutex);
  const pages = args.end - args.start;
  for (let i = 0; i < pages; i++) {
    const to = args.dst[i] ?? 0;
    const dpage = migratePage(to);
    if (!has(args.src[i] ?? 0, MIGRATE_PFN_MIGRATE) || dpage < 0) continue;
    const tag = has(to, MIGRATE_PFN_WRITE) ? DPT_XA_TAG_WRITE : DPT_XA_TAG_NONE;
    const count = has(to, MIGRATE_PFN_COMPOUND) ? HPAGE_PMD_NR : 1;
    const rpage = backingPage(kernel, dpage);
    for (let j = 0; j < count; j++) kernel.store.mapSet(dmirror.pt, args.start + i + j, dptEntry(rpage + j, tag));
  }
  mutex_unlock(kernel, dmirror.mutex);
}

function migrateArgs(
  kernel: Kernel,
  dmirror: Dmirror,
  vma: Vma,
  start: number,
  end: number,
  flags: number,
): MigrateVma {
  const pages = end - start;
  // 5.7 and 5.8 know only a src_owner: without one it is system memory that moves.
  const fromSystem = kernel.facts.migrateSrcOwner && (flags & MIGRATE_VMA_SELECT_SYSTEM) !== 0;
  return {
    vma,
    start,
    end,
    src: new Array<number>(pages).fill(0),
    dst: new Array<number>(pages).fill(0),
    cpages: 0,
    npages: 0,
    pgmap_owner: fromSystem ? undefined : dmirror.mdevice.owner,
    flags,
    fault_page: undefined,
  };
}

/** The loop of both directions: VMA by VMA, a batch at a time, under the mmap lock. 0, or the first error. */
function* eachBatch(
  kernel: Kernel,
  dmirror: Dmirror,
  cmd: DmirrorCmd,
  select: number,
  move: (args: MigrateVma) => KernelGenerator<void>,
): KernelGenerator<number> {
  const mm = dmirror.notifier?.mm;
  const end = cmd.addr + cmd.npages;
  if (!mm || !mmget_not_zero(kernel, mm)) return EINVAL;
  const flags = select | (kernel.facts.devicePrivateThp ? MIGRATE_VMA_SELECT_COMPOUND : 0);
  const batch = batchOf(kernel);
  let result = 0;
  yield* down_read(kernel, mm.mmap_lock);
  for (let vpn = cmd.addr; vpn < end && result === 0; ) {
    const vma = vma_lookup(mm, vpn);
    if (!vma || (vma.flags & VM_READ) === 0) {
      result = EINVAL;
      break;
    }
    const next = Math.min(end, vpn + batch, vma.end);
    const args = migrateArgs(kernel, dmirror, vma, vpn, next, flags);
    result = yield* migrate_vma_setup(kernel, args);
    if (result !== 0) break;
    yield* move(args);
    vpn = next;
  }
  up_read(kernel, mm.mmap_lock);
  yield* mmput(kernel, mm);
  return result;
}

/** HMM_DMIRROR_MIGRATE_TO_DEV: what the device holds of the range afterwards, or an errno. */
export function* dmirror_migrate_to_device(
  kernel: Kernel,
  dmirror: Dmirror,
  cmd: DmirrorCmd,
): KernelGenerator<PageData[] | number> {
  const result = yield* eachBatch(kernel, dmirror, cmd, MIGRATE_VMA_SELECT_SYSTEM, function* (args) {
    yield* dmirror_migrate_alloc_and_copy(kernel, args, dmirror);
    yield* migrate_vma_pages(kernel, args);
    yield* dmirror_migrate_finalize_and_map(kernel, args, dmirror);
    yield* migrate_vma_finalize(kernel, args);
  });
  return result === 0 ? yield* readBack(kernel, dmirror, cmd) : result;
}

/** Reads what was moved through the device's table: a page that is not there is -ENOENT. */
export function* readBack(kernel: Kernel, dmirror: Dmirror, cmd: DmirrorCmd): KernelGenerator<PageData[] | number> {
  const data: PageData[] = [];
  yield* mutex_lock(kernel, dmirror.mutex);
  const result = dmirror_do_read(kernel, dmirror, cmd.addr, cmd.addr + cmd.npages, data);
  mutex_unlock(kernel, dmirror.mutex);
  cmd.cpages = data.length;
  return result === 0 ? data : result;
}

/** HMM_DMIRROR_MIGRATE_TO_SYS (6.0): 0 or an errno; cpages counts what moved. */
export function* dmirror_migrate_to_system(kernel: Kernel, dmirror: Dmirror, cmd: DmirrorCmd): KernelGenerator<number> {
  const moved = MIGRATE_PFN_VALID | MIGRATE_PFN_MIGRATE;
  return yield* eachBatch(kernel, dmirror, cmd, dmirror_select_device(dmirror), function* (args) {
    dmirror_devmem_fault_alloc_and_copy(kernel, args, dmirror);
    yield* migrate_vma_pages(kernel, args);
    for (let i = 0; i < args.npages; i++) if (((args.src[i] ?? 0) & moved) === moved) cmd.cpages++;
    yield* migrate_vma_finalize(kernel, args);
  });
}
