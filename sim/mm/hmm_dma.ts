/** mm/hmm.c, 5.2 to 5.4: hmm_range_dma_map and hmm_range_dma_unmap. Without an IOMMU a DMA address is the physical one. */
import { BadAccess } from '../c/value.ts';
import { should_fail } from '../lib/fault-inject.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { PG_DIRTY, setFlag } from './folio_record.ts';
import { type DriverFormat, driverPfn, type PfnWords } from './hmm_entries.ts';
import { type FaultFlags, hmm_registered_fault } from './hmm_range.ts';
import type { OldHmmRange } from './hmm_struct.ts';
import { pfn_valid } from './sparse.ts';

const EFAULT = -14;
const EBUSY = -16;
const EINVAL = -22;

const wordAt = ({ words, first }: PfnWords, i: number): bigint => words[first + i] ?? 0n;
/** The frame of an entry. Flags of the driver above pfn_shift make it a wild one. */
function pfnAt(kernel: Kernel, range: OldHmmRange, format: DriverFormat, i: number): number | undefined {
  const pfn = driverPfn(format, wordAt(range.pfns, i));
  if (pfn !== undefined && (pfn >= 2 ** 40 || !pfn_valid(kernel, pfn)))
    throw new BadAccess(`hmm_device_entry_to_page: entry ${hex(wordAt(range.pfns, i))} leads to no struct page`);
  return pfn;
}

/** hmm_range_dma_map: pages mapped, or an errno with nothing mapped. */
export function* hmm_range_dma_map(
  kernel: Kernel,
  range: OldHmmRange,
  daddrs: PfnWords,
  flags: FaultFlags,
): KernelGenerator<number> {
  const pages = yield* hmm_registered_fault(kernel, range, flags);
  if (pages <= 0) return pages === 0 ? EBUSY : pages;
  return kernel.leaf('hmm_range_dma_map', [hex(pages)], () => mapAll(kernel, range, daddrs), String);
}

function mapAll(kernel: Kernel, range: OldHmmRange, daddrs: PfnWords): number {
  const { format } = range;
  if (!format) return EINVAL;
  let mapped = 0;
  for (let i = 0; i < range.end - range.start; i++) {
    kernel.store.set(daddrs.words, daddrs.first + i, 0n);
    const pfn = pfnAt(kernel, range, format, i);
    if (pfn === undefined) continue;
    if (!range.valid) return EBUSY;
    if (should_fail(kernel, 'dma')) return EFAULT;
    kernel.store.set(daddrs.words, daddrs.first + i, BigInt(pfn) << 12n);
    mapped++;
  }
  return mapped;
}

/** hmm_range_dma_unmap: pages unmapped, or -EINVAL. Their entries are none afterwards. */
export function hmm_range_dma_unmap(
  kernel: Kernel,
  range: OldHmmRange,
  daddrs: PfnWords | undefined,
  dirty: boolean,
): number {
  const { format } = range;
  if (range.end <= range.start || !daddrs || !format) return EINVAL;
  let pages = 0;
  for (let i = 0; i < range.end - range.start; i++) {
    const pfn = pfnAt(kernel, range, format, i);
    if (pfn === undefined) continue;
    if (dirty && (wordAt(range.pfns, i) & (format.flags[1] ?? 0n)) !== 0n) setFlag(kernel, pfn, PG_DIRTY);
    kernel.store.set(range.pfns.words, range.pfns.first + i, format.values[1] ?? 0n);
    kernel.store.set(daddrs.words, daddrs.first + i, 0n);
    pages++;
  }
  return pages;
}
