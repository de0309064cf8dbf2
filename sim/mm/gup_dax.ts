/** get_user_pages on the mappings that `dax` makes: mm/gup.c, by what each release holds meanwhile and after. */
import { type DaxMapping, dax_fault, dropCached, forgetIfUnused } from '../drivers/dax.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { GUP_PIN_COUNTING_BIAS, type GupFlags, gup_put_folio, try_grab_folio } from './gup_refs.ts';
import { get_dev_pagemap, page_pgmap, put_dev_pagemap_call, typeOf } from './pagemap.ts';

const EFAULT = -14;
const EINVAL = -22;
const EOPNOTSUPP = -95;

/**
 * mm/gup.c:get_user_pages for `count` pages of a mapping: how many it got, or the errno of the first.
 * -EFAULT for page frames without struct pages, -EOPNOTSUPP for a long-term pin of a file on DAX or, to 6.2, of
 * peer-to-peer memory (-EINVAL since), -EREMOTEIO for peer-to-peer memory that the caller does not say it can use.
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
  // is_valid_gup_args.
  if (flags.longterm && flags.p2pdma && kernel.facts.longtermIsPin) {
    kernel.WARN('is_valid_gup_args: FOLL_LONGTERM with FOLL_PCI_P2PDMA');
    return EINVAL;
  }
  // check_vma_flags: VM_PFNMAP or VM_IO.
  if (mapping.model === 'DAX') return EFAULT;
  const map = page_pgmap(kernel, mapping.start);
  const isFsDax =
    mapping.model === 'DAX-GUP' && (!map || !kernel.facts.fsdaxType || typeOf(kernel, map.pgmap) === 'FS_DAX');
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
  const isDevmap = mapping.model === 'DAX-GUP' && kernel.facts.gupTakesPagemapRef;
  const pgmap = isDevmap ? get_dev_pagemap(kernel, pfn)?.pgmap : undefined;
  // A dying pagemap: no page here, and the fault that follows finds a dead device.
  if (isDevmap && !pgmap) return EFAULT;
  const error = kernel.leaf('try_grab_page', [hex(pfn)], () => try_grab_folio(kernel, pfn, 1, flags), String);
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
  else yield* gup_put_folio(kernel, pfn, 1, pin);
  forgetIfUnused(kernel, mapping);
  return true;
}
