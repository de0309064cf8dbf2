/** get_user_pages on mappings of persistent memory: mm/gup.c, by what each release holds meanwhile and after. */
import { type DaxMapping, dax_fault, dropCached, forgetIfUnused } from '../drivers/dax.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { compound_head, devmapCompound } from './compound_page.ts';
import { get_dev_pagemap, page_pgmap, put_dev_pagemap_call, typeOf } from './pagemap.ts';
import { get_page, put_page } from './zone_device_page.ts';

const EFAULT = -14;
const EOPNOTSUPP = -95;
const EREMOTEIO = -121;
const GUP_PIN_COUNTING_BIAS = 1024;

export interface GupFlags {
  /** FOLL_PIN. */
  pin: boolean;
  /** FOLL_LONGTERM. */
  longterm: boolean;
  /** FOLL_PCI_P2PDMA. */
  p2pdma: boolean;
}

/**
 * mm/gup.c:get_user_pages for `count` pages of a mapping: how many it got, or the errno of the first.
 * -EFAULT for page frames without struct pages, -EOPNOTSUPP for a long-term pin of a file on DAX or of
 * peer-to-peer memory, -EREMOTEIO for peer-to-peer memory that the caller does not say it can use.
 */
export function* get_user_pages(
  kernel: Kernel,
  mapping: DaxMapping,
  first: number,
  count: number,
  flags: GupFlags,
): KernelGenerator<number> {
  return yield* kernel.call(
    flags.pin ? 'pin_user_pages' : 'get_user_pages',
    [mapping.name, `page ${first}`, String(count)],
    walk(kernel, mapping, first, count, flags),
    String,
  );
}

function* walk(
  kernel: Kernel,
  mapping: DaxMapping,
  first: number,
  count: number,
  flags: GupFlags,
): KernelGenerator<number> {
  // check_vma_flags: VM_PFNMAP or VM_IO.
  if (mapping.model === 'DAX') return EFAULT;
  const map = page_pgmap(kernel, mapping.start);
  const isFsDax =
    mapping.model === 'DAX-GUP' && (!map || !kernel.has('fsdaxType') || typeOf(kernel, map.pgmap) === 'FS_DAX');
  if (flags.longterm && (isFsDax || flags.p2pdma)) return EOPNOTSUPP;
  for (let done = 0; done < count; done++) {
    const pfn = yield* onePage(kernel, mapping, first + done, flags);
    if (pfn < 0) return done > 0 ? done : pfn;
  }
  return count;
}

/** follow_page_pte: under a pagemap reference to 6.16 where the PTE is devmap, which is dropped once the page is held. */
function* onePage(kernel: Kernel, mapping: DaxMapping, index: number, flags: GupFlags): KernelGenerator<number> {
  const pfn = dax_fault(kernel, mapping, index);
  if (pfn < 0) return pfn;
  const isDevmap = mapping.model === 'DAX-GUP' && kernel.has('gupTakesPagemapRef');
  const pgmap = isDevmap ? get_dev_pagemap(kernel, pfn)?.pgmap : undefined;
  // A dying pagemap: no page here, and the fault that follows finds a dead device.
  if (isDevmap && !pgmap) return EFAULT;
  const error = kernel.leaf('try_grab_page', [hex(pfn)], () => try_grab_page(kernel, pfn, flags), String);
  if (pgmap) yield* put_dev_pagemap_call(kernel, pgmap);
  if (error) return error;
  const held = mapping.held.get(pfn) ?? { page: index, get: 0, pin: 0 };
  kernel.store.mapSet(mapping.held, pfn, {
    page: index,
    get: held.get + (flags.pin ? 0 : 1),
    pin: held.pin + (flags.pin ? 1 : 0),
  });
  return pfn;
}

/** gup.c:try_grab_page (try_grab_folio since 6.11). */
function try_grab_page(kernel: Kernel, pfn: number, flags: GupFlags): number {
  const map = page_pgmap(kernel, pfn);
  const isP2pdma = map !== undefined && typeOf(kernel, map.pgmap) === 'PCI_P2PDMA';
  if (isP2pdma && !flags.p2pdma && kernel.has('follPciP2pdma')) return EREMOTEIO;
  get_page(kernel, pfn);
  if (flags.pin) kernel.pages.refcount.add(compound_head(kernel, pfn), pinWeight(kernel, pfn) - 1);
  return 0;
}

/** What a pin counts: a large folio has a counter for pins besides. */
const pinWeight = (kernel: Kernel, pfn: number): number => (devmapCompound(kernel, pfn) ? 1 : GUP_PIN_COUNTING_BIAS);

/** put_page or unpin_user_page of a page that get_user_pages gave. False if nothing of the kind is held. */
export function* put_user_page(
  kernel: Kernel,
  mapping: DaxMapping,
  pfn: number,
  pin: boolean,
): KernelGenerator<boolean> {
  const held = mapping.held.get(pfn);
  if (!held || (pin ? held.pin : held.get) === 0) return false;
  const left = { page: held.page, get: held.get - (pin ? 0 : 1), pin: held.pin - (pin ? 1 : 0) };
  if (left.get + left.pin === 0) kernel.store.mapDelete(mapping.held, pfn);
  else kernel.store.mapSet(mapping.held, pfn, left);
  if (mapping.model === 'DAX-GUP' && !page_pgmap(kernel, pfn))
    kernel.WARN(`put_page: the struct page of ${hex(pfn)} is gone with its device`);
  else if (mapping.model === 'PMEM') dropCached(kernel, pfn, pin ? GUP_PIN_COUNTING_BIAS : 1);
  else {
    if (pin) kernel.pages.refcount.add(compound_head(kernel, pfn), 1 - pinWeight(kernel, pfn));
    yield* put_page(kernel, pfn);
  }
  forgetIfUnused(kernel, mapping);
  return true;
}
