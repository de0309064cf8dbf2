/** drivers/pci/p2pdma.c:p2pmem_alloc_mmap (6.2 on): mmap of the file `allocate` takes pages of the pool for a process. */
import { mkPte, PTE_WRITE, PTE_YOUNG, PteKind } from '../arch/pte.ts';
import { type AddressSpace, type Mm, VM_MIXEDMAP, VM_SHARED, VM_WRITE } from '../include/mm_types.ts';
import { percpu_ref_get_many, percpu_ref_put_many } from '../lib/percpu-refcount.ts';
import type { Kernel } from '../machine/kernel.ts';
import { insert_page } from '../mm/dax_iomap.ts';
import { newAddressSpace } from '../mm/filemap.ts';
import { do_mmap, do_munmap } from '../mm/mmap.ts';
import { pte_alloc, set_pte_at } from '../mm/pgtable.ts';
import { forget_file } from '../mm/truncate.ts';
import type { KernelGenerator } from '../task/task.ts';
import { gen_pool_size } from './genalloc.ts';
import { chunkAt, type PciDev, pci_alloc_p2pmem, pci_free_p2pmem } from './p2pdma.ts';

const ENOMEM = -12;
const ENODEV = -19;
const EINVAL = -22;

export interface P2pmemRequest {
  readonly pages: number;
  readonly prot: number;
  readonly shared: boolean;
  readonly pgoff: number;
  readonly at: number | undefined;
}

/** The file `allocate` of a provider, as something that can be mapped: as large as all of the pool. */
function allocateFile(kernel: Kernel, dev: PciDev, size: number): AddressSpace {
  const name = `/sys/bus/pci/devices/${dev.address}/p2pmem/allocate`;
  const known = kernel.state.files.get(name);
  if (known) {
    if (known.size !== size) kernel.store.set(known, 'size', size);
    return known;
  }
  const file = newAddressSpace(kernel, name, 'dax', size);
  kernel.store.mapSet(kernel.state.files, name, file);
  return file;
}

/** The vpn of the new mapping, or an errno. The mmap lock is held for writing. */
export function* p2pmem_alloc_mmap(
  kernel: Kernel,
  mm: Mm,
  dev: PciDev,
  { pages, prot, shared, pgoff, at }: P2pmemRequest,
): KernelGenerator<number> {
  if (!dev.p2pdma || !kernel.facts.follPciP2pdma) return ENODEV;
  if (!shared) {
    kernel.pr_info(`${dev.address}: p2pmem_alloc_mmap: fail, attempted private mapping`);
    return EINVAL;
  }
  if (pgoff !== 0) {
    kernel.pr_info(`${dev.address}: p2pmem_alloc_mmap: fail, attempted mapping with non-zero offset`);
    return EINVAL;
  }
  if (pages <= 0) return EINVAL;
  const address = yield* pci_alloc_p2pmem(kernel, dev, BigInt(pages) << 12n);
  if (address === 0n) return ENOMEM;
  const first = Number((address - kernel.arch.PAGE_OFFSET) >> 12n);
  const ref = chunkAt(kernel, first)?.chunk.ref;
  const { nextFile } = kernel.state;
  const file = allocateFile(kernel, dev, Number(gen_pool_size(dev.p2pdma.chunks) >> 12n));
  const start = do_mmap(kernel, mm, { pages, prot, flags: VM_SHARED | VM_MIXEDMAP, file, pgoff: 0, at });
  const error = start < 0 ? start : makeTables(kernel, mm, start, pages);
  if (error < 0) {
    if (start >= 0) yield* do_munmap(kernel, mm, start, pages);
    yield* pci_free_p2pmem(kernel, dev, address, BigInt(pages) << 12n);
    if (kernel.state.nextFile !== nextFile) forget_file(kernel, file.name);
    return error;
  }
  for (let i = 0; i < pages; i++) {
    // From here on each page is its own: its last reference gives it back to the pool.
    if (ref) percpu_ref_get_many(kernel, ref, 1);
    kernel.pages.refcount.set(first + i, 1);
    insert_page(kernel, mm, file, i, first + i);
    const bits = (prot & VM_WRITE) !== 0 ? PTE_WRITE : 0;
    set_pte_at(kernel, mm, start + i, mkPte(PteKind.Present, first + i, PTE_YOUNG | bits));
  }
  if (ref) yield* percpu_ref_put_many(kernel, ref, 1);
  return start;
}

function makeTables(kernel: Kernel, mm: Mm, start: number, pages: number): number {
  for (let vpn = start; vpn < start + pages; vpn++) if (!pte_alloc(kernel, mm, vpn)) return ENOMEM;
  return 0;
}
