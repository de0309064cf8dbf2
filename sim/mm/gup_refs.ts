/** mm/gup.c: what a user of get_user_pages holds of a page: references, or pins that count as 1024 of them. */
import type { Folio } from '../include/mm_types.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { compound_head, devmapCompound } from './compound_page.ts';
import { folio_put_system, folioHead, isDevicePage } from './folio.ts';
import { page_pgmap, typeOf } from './pagemap.ts';
import { mod_vm } from './vmstat.ts';
import { zero_pfn } from './zero_page.ts';
import { get_page, put_page } from './zone_device_page.ts';

const ENOMEM = -12;
const EREMOTEIO = -121;
/** include/linux/mm.h: what a pin adds to the refcount of a small page. */
export const GUP_PIN_COUNTING_BIAS = 1024;

/** FOLL_* by name. */
export interface GupFlags {
  /** FOLL_WRITE. */
  readonly write?: boolean;
  /** FOLL_PIN in place of FOLL_GET. */
  readonly pin?: boolean;
  /** FOLL_LONGTERM. */
  readonly longterm?: boolean;
  /** FOLL_PCI_P2PDMA. */
  readonly p2pdma?: boolean;
  /** FOLL_SPLIT_PMD. */
  readonly splitPmd?: boolean;
  /** The lockless walk first, then the mmap lock for what is left. */
  readonly fast?: boolean;
  /** FOLL_REMOTE: for another process, as access_process_vm does. */
  readonly remote?: boolean;
}

const isLarge = (kernel: Kernel, head: number, folio: Folio | undefined): boolean =>
  kernel.facts.compoundPincount && ((folio?.order ?? 0) > 0 || devmapCompound(kernel, head) !== undefined);

/** The zero page is not counted by pins since 6.5. */
const isFreeOfPins = (kernel: Kernel, pfn: number): boolean =>
  kernel.facts.zeroPageNotPinned && pfn === zero_pfn(kernel);

/** gup.c:try_grab_folio (try_grab_page to 6.10): `refs` references or pins of the folio of `page`; 0 or an errno. */
export function try_grab_folio(kernel: Kernel, page: number, refs: number, flags: GupFlags): number {
  const { refcount } = kernel.pages;
  const map = page_pgmap(kernel, page);
  const head = map ? compound_head(kernel, page) : folioHead(kernel, page);
  if (refcount.get(head) === 0 || refcount.get(head) > 0x7fffffff) {
    kernel.WARN(`try_grab_folio: page ${hex(head)} has no reference`);
    return ENOMEM;
  }
  if (map && !flags.p2pdma && kernel.facts.follPciP2pdma && typeOf(kernel, map.pgmap) === 'PCI_P2PDMA')
    return EREMOTEIO;
  if (flags.pin && isFreeOfPins(kernel, head)) return 0;
  const folio = kernel.state.folios.get(head);
  const large = isLarge(kernel, head, folio);
  const count = flags.pin && !large ? refs * GUP_PIN_COUNTING_BIAS : refs;
  if (map) {
    get_page(kernel, head);
    if (count > 1) refcount.add(head, count - 1);
  } else refcount.add(head, count);
  if (!flags.pin) return 0;
  if (large && folio) kernel.store.set(folio, 'pincount', folio.pincount + refs);
  if (kernel.facts.compoundPincount) mod_vm(kernel, 'nr_foll_pin_acquired', refs);
  return 0;
}

/** gup.c:gup_put_folio, and put_page for a reference: gives back what try_grab_folio took. */
export function* gup_put_folio(kernel: Kernel, page: number, refs: number, pin: boolean): KernelGenerator<void> {
  const isDevice = isDevicePage(kernel, page);
  const head = isDevice ? compound_head(kernel, page) : folioHead(kernel, page);
  let count = refs;
  if (pin) {
    if (isFreeOfPins(kernel, head)) return;
    const folio = kernel.state.folios.get(head);
    if (kernel.facts.compoundPincount) mod_vm(kernel, 'nr_foll_pin_released', refs);
    if (!isLarge(kernel, head, folio)) count *= GUP_PIN_COUNTING_BIAS;
    else if (folio) kernel.store.set(folio, 'pincount', folio.pincount - refs);
  }
  if (!isDevice) {
    folio_put_system(kernel, head, count);
    return;
  }
  if (count > 1) kernel.pages.refcount.add(head, 1 - count);
  yield* put_page(kernel, head);
}
