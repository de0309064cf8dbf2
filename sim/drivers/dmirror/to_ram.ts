/** lib/test_hmm.c: the way back to system memory: for a CPU that touches a page, by command, and when memory goes. */
import { VM_FAULT_OOM, VM_FAULT_SIGBUS, type VmFault } from '../../include/mm_types.ts';
import { folio_trylock } from '../../kernel/locking.ts';
import { should_fail } from '../../lib/fault-inject.ts';
import type { Kernel } from '../../machine/kernel.ts';
import { copy_highpage } from '../../mm/contents.ts';
import { alloc_folio, isDevicePage } from '../../mm/folio.ts';
import {
  MIGRATE_PFN_COMPOUND,
  MIGRATE_PFN_LOCKED,
  MIGRATE_PFN_MIGRATE,
  MIGRATE_PFN_VALID,
  MIGRATE_PFN_WRITE,
  MIGRATE_VMA_SELECT_COMPOUND,
  MIGRATE_VMA_SELECT_DEVICE_COHERENT,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  type MigrateVma,
  migrate_device_finalize,
  migrate_device_pages,
  migrate_device_range,
  migrate_vma_finalize,
  migrate_vma_pages,
  migrate_vma_setup,
} from '../../mm/migrate_device.ts';
import { hugePmdAt } from '../../mm/pgtable.ts';
import { after, finished, giving, type KernelGenerator } from '../../task/task.ts';
import { backingPage, deviceHead, stateOf } from './backing.ts';
import {
  type Dmirror,
  type DmirrorChunk,
  dmirror_is_private_zone,
  HMM_DMIRROR_FLAG_FAIL_ALLOC,
  HPAGE_PMD_NR,
  HPAGE_PMD_ORDER,
} from './dmirror.ts';

export const dmirror_select_device = (dmirror: Dmirror): number =>
  dmirror_is_private_zone(dmirror.mdevice) ? MIGRATE_VMA_SELECT_DEVICE_PRIVATE : MIGRATE_VMA_SELECT_DEVICE_COHERENT;

/** migrate_pfn(): to 5.15 the driver says that it holds the page's lock. */
export const migratePfn = (kernel: Kernel, pfn: number): number =>
  pfn * 64 + (MIGRATE_PFN_VALID | (kernel.facts.migratePfnLocked ? MIGRATE_PFN_LOCKED : 0));

/** migrate_pfn_to_page: -1 where there is none. */
export const migratePage = (entry: number): number => ((entry & MIGRATE_PFN_VALID) !== 0 ? Math.floor(entry / 64) : -1);
export const has = (entry: number, bit: number): boolean => (entry & bit) !== 0;

/** The armed failure of HMM_DMIRROR_FLAGS strikes once. */
export function takeFailAlloc(kernel: Kernel, dmirror: Dmirror): boolean {
  if ((dmirror.flags & HMM_DMIRROR_FLAG_FAIL_ALLOC) === 0) return false;
  kernel.store.set(dmirror, 'flags', dmirror.flags & ~HMM_DMIRROR_FLAG_FAIL_ALLOC);
  return true;
}

/** A locked page of system memory that holds what `from` holds; -1 without memory. */
function copyOf(kernel: Kernel, from: number): number {
  const folio = alloc_folio(kernel);
  if (!folio) return -1;
  folio_trylock(kernel, folio.pfn);
  copy_highpage(kernel, folio.pfn, from);
  return folio.pfn;
}

/** dmirror_devmem_fault_alloc_and_copy: a page of RAM for each page collected; VM_FAULT_* bits. */
export function dmirror_devmem_fault_alloc_and_copy(kernel: Kernel, args: MigrateVma, dmirror: Dmirror): number {
  const { src, dst, start } = args;
  const pages = args.end - start;
  for (let i = 0; i < pages; ) {
    const entry = src[i] ?? 0;
    const spage = migratePage(entry);
    if (spage < 0 || !has(entry, MIGRATE_PFN_MIGRATE)) {
      i++;
      continue;
    }
    if (!isDevicePage(kernel, spage)) {
      kernel.WARN('dmirror_devmem_fault_alloc_and_copy: not a page of a device');
      i++;
      continue;
    }
    const write = entry & MIGRATE_PFN_WRITE;
    const isHuge = has(entry, MIGRATE_PFN_COMPOUND);
    const failed = kernel.facts.dmirrorFlags && takeFailAlloc(kernel, dmirror);
    if (isHuge) {
      i += copyHuge(kernel, args, dmirror, i, failed);
      continue;
    }
    const dpage = failed ? -1 : copyOf(kernel, backingPage(kernel, spage));
    if (dpage >= 0) {
      kernel.store.mapDelete(dmirror.pt, start + i);
      dst[i] = migratePfn(kernel, dpage) + write;
    } else if (kernel.facts.devicePrivateThp) return VM_FAULT_OOM;
    i++;
  }
  return 0;
}

/** The same for a huge page (6.19): into a huge page, or where there is none into single ones. Pages done. */
function copyHuge(kernel: Kernel, args: MigrateVma, dmirror: Dmirror, first: number, failed: boolean): number {
  const { src, dst, start } = args;
  const spage = backingPage(kernel, migratePage(src[first] ?? 0));
  const write = (src[first] ?? 0) & MIGRATE_PFN_WRITE;
  const folio = failed ? undefined : alloc_folio(kernel, HPAGE_PMD_ORDER);
  if (folio) {
    folio_trylock(kernel, folio.pfn);
    dst[first] = migratePfn(kernel, folio.pfn) + MIGRATE_PFN_COMPOUND + write;
  }
  for (let i = 0; i < HPAGE_PMD_NR; i++) {
    const dpage = folio ? folio.pfn + i : copyOf(kernel, spage + i);
    if (dpage < 0) break;
    if (folio) copy_highpage(kernel, dpage, spage + i);
    else dst[first + i] = migratePfn(kernel, dpage) + (i === 0 ? write : 0);
    kernel.store.mapDelete(dmirror.pt, start + first + i);
  }
  return HPAGE_PMD_NR;
}

const zeros = (count: number): number[] => (count === 1 ? [0] : new Array<number>(count).fill(0));

/** dmirror_devmem_fault (migrate_to_ram): a CPU touched a page that is on the device. */
export function dmirror_devmem_fault(kernel: Kernel, vmf: VmFault): KernelGenerator<number> {
  const { vma, vpn } = vmf;
  const page = vmf.page ?? -1;
  const dmirror = stateOf(kernel).user.get(deviceHead(kernel, page));
  if (!dmirror || should_fail(kernel, 'migrate-to-ram')) return finished(VM_FAULT_SIGBUS);
  // Where a huge page is mapped by single entries, only the one that was touched moves.
  const isHuge = kernel.facts.devicePrivateThp && hugePmdAt(vma.mm, vpn) !== undefined;
  const pages = isHuge ? HPAGE_PMD_NR : 1;
  const start = vpn - (vpn % pages);
  const args: MigrateVma = {
    vma,
    start,
    end: start + pages,
    src: zeros(pages),
    dst: zeros(pages),
    cpages: 0,
    npages: 0,
    pgmap_owner: dmirror.mdevice.owner,
    flags: dmirror_select_device(dmirror) | (isHuge ? MIGRATE_VMA_SELECT_COMPOUND : 0),
    fault_page: kernel.facts.migrateFaultPage ? page : undefined,
  };
  return after(migrate_vma_setup(kernel, args), moveHome, kernel, { args, dmirror });
}

function moveHome(
  kernel: Kernel,
  { args, dmirror }: { readonly args: MigrateVma; readonly dmirror: Dmirror },
  error: number,
): KernelGenerator<number> {
  if (error !== 0) return finished(VM_FAULT_SIGBUS);
  const result = dmirror_devmem_fault_alloc_and_copy(kernel, args, dmirror);
  // With nowhere to go the page stays on the device; the entries of a half-done migration would wait for ever.
  return giving(after(migrate_vma_pages(kernel, args), migrate_vma_finalize, kernel, args), result);
}

/** dmirror_device_evict_chunk (6.1): everything of a chunk that is out goes to system memory, whoever maps it. */
export function* dmirror_device_evict_chunk(kernel: Kernel, chunk: DmirrorChunk): KernelGenerator<void> {
  const pages = chunk.end - chunk.start;
  const src: number[] = [];
  const dst: number[] = [];
  yield* migrate_device_range(kernel, src, chunk.start, pages);
  for (let i = 0; i < src.length; i++) {
    const entry = src[i] ?? 0;
    const spage = migratePage(entry);
    if (spage < 0 || !has(entry, MIGRATE_PFN_MIGRATE)) continue;
    const from = backingPage(kernel, spage);
    const write = entry & MIGRATE_PFN_WRITE;
    const folio = has(entry, MIGRATE_PFN_COMPOUND) ? alloc_folio(kernel, HPAGE_PMD_ORDER) : undefined;
    if (folio) {
      folio_trylock(kernel, folio.pfn);
      for (let j = 0; j < HPAGE_PMD_NR; j++) copy_highpage(kernel, folio.pfn + j, from + j);
      dst[i] = migratePfn(kernel, folio.pfn) + MIGRATE_PFN_COMPOUND + write;
      continue;
    }
    // __GFP_NOFAIL: an injected failure is tried again.
    const to = copyOf(kernel, from);
    const dpage = to >= 0 ? to : copyOf(kernel, from);
    if (dpage >= 0) dst[i] = migratePfn(kernel, dpage) + write;
  }
  yield* migrate_device_pages(kernel, src, dst, pages);
  yield* migrate_device_finalize(kernel, src, dst, pages);
}
