/**
 * mm/gup.c: get_user_pages and pin_user_pages on an address space. The pages come with a reference (FOLL_GET) or a
 * pin (FOLL_PIN) each; what is not there is faulted in, what may not stay for long (FOLL_LONGTERM) moves first.
 */
import { pte_devmap, pte_present, pte_write } from '../arch/pte.ts';
import {
  FAULT_FLAG_REMOTE,
  FAULT_FLAG_UNSHARE,
  FAULT_FLAG_WRITE,
  type Mm,
  VM_FAULT_ERROR,
  VM_FAULT_OOM,
  VM_FAULT_RETRY,
  VM_HUGETLB,
  VM_IO,
  VM_PFNMAP,
  VM_READ,
  VM_WRITE,
  type Vma,
} from '../include/mm_types.ts';
import { down_read, up_read } from '../kernel/locking.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import {
  type FollowContext,
  follow_page_mask,
  gup_fast,
  MUST_SPLIT,
  MUST_UNSHARE,
  NO_PAGE,
  vma_is_fsdax,
  vma_needs_dirty_tracking,
} from './gup_follow.ts';
import { check_and_migrate_movable_pages } from './gup_longterm.ts';
import { type GupFlags, gup_put_folio, try_grab_folio } from './gup_refs.ts';
import { split_huge_pmd } from './huge_split.ts';
import { handle_mm_fault } from './memory.ts';
import { put_dev_pagemap_call } from './pagemap.ts';
import { entryAt, pte_alloc, pteAt } from './pgtable.ts';
import { isStuck, strikesLeft, stuckPageWait } from './stuck_page.ts';
import { vma_lookup } from './vma.ts';

const EAGAIN = -11;
const ENOMEM = -12;
const EFAULT = -14;
const EBUSY = -16;
const EINVAL = -22;
const EOPNOTSUPP = -95;

/**
 * gup.c:get_user_pages_remote and its kin: pages of `count` page numbers from `start`, appended to `pages`; how
 * many, or the errno of the first. The caller holds the mmap lock, but not with `fast`.
 */
export function* get_user_pages_remote(
  kernel: Kernel,
  mm: Mm,
  start: number,
  count: number,
  flags: GupFlags,
  pages: number[],
): KernelGenerator<number> {
  const name = `${flags.pin ? 'pin' : 'get'}_user_pages${flags.fast ? '_fast' : flags.remote === false ? '' : '_remote'}`;
  const body = flags.fast
    ? gup_fast_fallback(kernel, mm, start, count, flags, pages)
    : __gup_longterm_locked(kernel, mm, start, count, flags, pages);
  return yield* kernel.call(name, [hex(start * 4096), String(count)], checked(kernel, flags, body), String);
}

/** gup.c:is_valid_gup_args. */
function* checked(kernel: Kernel, flags: GupFlags, body: KernelGenerator<number>): KernelGenerator<number> {
  if (flags.longterm && !flags.pin && kernel.facts.longtermIsPin) {
    kernel.WARN('is_valid_gup_args: FOLL_LONGTERM without FOLL_PIN');
    return EINVAL;
  }
  // The memory of a pagemap must be removable at any time.
  if (flags.longterm && flags.p2pdma && kernel.facts.longtermIsPin) {
    kernel.WARN('is_valid_gup_args: FOLL_LONGTERM with FOLL_PCI_P2PDMA');
    return EINVAL;
  }
  return yield* body;
}

/** unpin_user_pages, or put_page for each of `pages`. */
export function* put_user_pages(kernel: Kernel, pages: readonly number[], pin: boolean): KernelGenerator<void> {
  for (const pfn of pages) yield* gup_put_folio(kernel, pfn, 1, pin);
}

/** gup.c:gup_fast_fallback (internal_get_user_pages_fast): first without locks, then the rest under the mmap lock. */
function* gup_fast_fallback(
  kernel: Kernel,
  mm: Mm,
  start: number,
  count: number,
  flags: GupFlags,
  pages: number[],
): KernelGenerator<number> {
  const context: FollowContext = { pgmaps: [], run: 1 };
  const done = gup_fast(kernel, mm, start, count, flags, pages, context);
  for (const pgmap of context.pgmaps) yield* put_dev_pagemap_call(kernel, pgmap);
  if (done === count) return done;
  yield* down_read(kernel, mm.mmap_lock);
  const rest = yield* __gup_longterm_locked(kernel, mm, start + done, count - done, flags, pages);
  up_read(kernel, mm.mmap_lock);
  if (rest < 0) return done > 0 ? done : rest;
  return done + rest;
}

/** gup.c:__gup_longterm_locked: again and again until everything found may stay. */
function* __gup_longterm_locked(
  kernel: Kernel,
  mm: Mm,
  start: number,
  count: number,
  flags: GupFlags,
  pages: number[],
): KernelGenerator<number> {
  const from = pages.length;
  if (!flags.longterm) return yield* __get_user_pages(kernel, mm, start, count, flags, pages);
  for (;;) {
    const got = yield* __get_user_pages(kernel, mm, start, count, flags, pages);
    if (got <= 0) return got;
    const status = yield* check_and_migrate_movable_pages(kernel, pages, from, flags.pin === true);
    if (status === 0) return got;
    pages.length = from;
    if (status !== EAGAIN) return status;
  }
}

/** gup.c:check_vma_flags. */
function check_vma_flags(kernel: Kernel, vma: Vma, flags: GupFlags): number {
  if ((vma.flags & (VM_IO | VM_PFNMAP)) !== 0) return EFAULT;
  if (flags.longterm && vma_is_fsdax(kernel, vma)) return EOPNOTSUPP;
  if (flags.longterm && flags.p2pdma) return EOPNOTSUPP;
  if (flags.splitPmd && (vma.flags & VM_HUGETLB) !== 0 && kernel.facts.splitPmdRefusesHugetlb) return EOPNOTSUPP;
  if (!flags.write) return (vma.flags & VM_READ) === 0 ? EFAULT : 0;
  if (flags.pin && flags.longterm && kernel.facts.longtermRefusesWriteback && vma_needs_dirty_tracking(vma))
    return EFAULT;
  return (vma.flags & VM_WRITE) === 0 ? EFAULT : 0;
}

/** gup.c:__get_user_pages. */
export function* __get_user_pages(
  kernel: Kernel,
  mm: Mm,
  start: number,
  count: number,
  flags: GupFlags,
  pages: number[],
): KernelGenerator<number> {
  const context: FollowContext = { pgmaps: [], run: 1 };
  const from = pages.length;
  let vma: Vma | undefined;
  let error = 0;
  for (let done = 0; done < count; ) {
    const vpn = start + done;
    if (!vma || vpn >= vma.end) {
      vma = vma_lookup(mm, vpn);
      error = vma ? check_vma_flags(kernel, vma, flags) : EFAULT;
      if (!vma || error < 0) break;
    }
    const pfn = follow_page_mask(kernel, vma, vpn, flags, context);
    if (pfn < 0) {
      error = yield* missing(kernel, vma, vpn, flags, pfn);
      if (error < 0) break;
      continue;
    }
    const run = Math.min(context.run, count - done, vma.end - vpn);
    if (run > 1) {
      error = try_grab_folio(kernel, pfn, run - 1, flags);
      if (error < 0) {
        yield* gup_put_folio(kernel, pfn, 1, flags.pin === true);
        break;
      }
    }
    for (let i = 0; i < run; i++) pages.push(pfn + i);
    done += run;
  }
  for (const pgmap of context.pgmaps) yield* put_dev_pagemap_call(kernel, pgmap);
  const got = pages.length - from;
  if (got > 0) return got;
  // faultin_page gave up the lock: nothing was pinned, and the caller asks again.
  return error === EBUSY || error === EAGAIN ? 0 : error;
}

/** What follow_page_mask did not give: 0 to look again, or an errno. */
function* missing(kernel: Kernel, vma: Vma, vpn: number, flags: GupFlags, why: number): KernelGenerator<number> {
  if (why === MUST_SPLIT) {
    yield* split_huge_pmd(kernel, vma, vpn);
    return pte_alloc(kernel, vma.mm, vpn) ? 0 : ENOMEM;
  }
  if (why !== NO_PAGE && why !== MUST_UNSHARE) return why;
  // A devmap entry whose device goes away: the file system has taken it out by then.
  const entry = pteAt(vma.mm, vpn);
  if (why === NO_PAGE && pte_present(entry) && pte_devmap(entry) && (!flags.write || pte_write(entry))) return EFAULT;
  return yield* faultin_page(kernel, vma, vpn, flags, why === MUST_UNSHARE);
}

/** gup.c:faultin_page. */
function* faultin_page(
  kernel: Kernel,
  vma: Vma,
  vpn: number,
  flags: GupFlags,
  unshare: boolean,
): KernelGenerator<number> {
  let bits = 0;
  if (flags.write) bits |= FAULT_FLAG_WRITE;
  if (flags.remote !== false) bits |= FAULT_FLAG_REMOTE;
  if (unshare) bits |= FAULT_FLAG_UNSHARE;
  const before = entryAt(vma.mm, vpn);
  const strikes = strikesLeft(kernel);
  const result = yield* handle_mm_fault(kernel, vma, vpn, bits);
  if ((result & VM_FAULT_ERROR) !== 0) return (result & VM_FAULT_OOM) !== 0 ? ENOMEM : EFAULT;
  if ((result & VM_FAULT_RETRY) !== 0) return EBUSY;
  if (isStuck(kernel, vma.mm, vpn, before, strikes)) yield* stuckPageWait(kernel, vma.mm, vpn, before);
  return 0;
}
