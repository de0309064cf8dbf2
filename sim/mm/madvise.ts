/** mm/madvise.c: advice about a range, VMA by VMA. */
import {
  type Mm,
  VM_DONTCOPY,
  VM_HUGEPAGE,
  VM_HUGETLB,
  VM_IO,
  VM_LOCKED,
  VM_NOHUGEPAGE,
  VM_PFNMAP,
  VM_READ,
  VM_SPECIAL,
  VM_WRITE,
  type Vma,
} from '../include/mm_types.ts';
import { down_read, down_write, up_read, up_write } from '../kernel/locking.ts';
import type { FactId } from '../kernel/release.ts';
import type { Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { collapse_huge_page } from './khugepaged.ts';
import { madvise_cold_or_pageout_range, madvise_free_range } from './madvise_pages.ts';
import { zap_page_range_single } from './memory_zap.ts';
import { populate_vma_page_range } from './mlock.ts';
import {
  MMU_NOTIFY_CLEAR,
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
  mmu_notifier_range,
} from './mmu_notifier.ts';
import { lru_add_drain } from './swap.ts';
import { find_vma_intersection, vma_is_anonymous } from './vma.ts';
import { vma_modify_flags } from './vma_merge.ts';

const ENOMEM = -12;
const EINVAL = -22;
const HUGE = 512;

type Act = (kernel: Kernel, vma: Vma, start: number, end: number) => KernelGenerator<number>;

interface Advice {
  /** Takes the mmap lock for writing: VMAs change. */
  readonly write: boolean;
  readonly act: Act;
  /** Releases that know it; the others say -EINVAL. */
  readonly since?: FactId;
}

/** A flag of the VMA: merged and split like a change of protection. */
const setFlags = (change: (flags: number) => number): Act =>
  function* (kernel, vma, start, end) {
    const flags = change(vma.flags);
    if (flags < 0) return EINVAL;
    if (flags === vma.flags) return 0;
    const changed = yield* vma_modify_flags(kernel, vma, start, end, flags);
    if (typeof changed === 'number') return changed;
    kernel.store.set(changed, 'flags', flags);
    return 0;
  };

/** huge_memory.c:hugepage_madvise. */
const hugepage = (set: number, clear: number): Act =>
  setFlags((flags) => ((flags & (VM_SPECIAL | VM_HUGETLB)) !== 0 ? -1 : (flags & ~clear) | set));

/** madvise.c:madvise_dontneed_free_valid_vma. */
function isRefused(kernel: Kernel, vma: Vma, start: number, end: number): boolean {
  if ((vma.flags & (VM_LOCKED | VM_PFNMAP)) !== 0) return true;
  if ((vma.flags & VM_HUGETLB) === 0) return false;
  return !kernel.facts.madviseDontneedHugetlb || start % HUGE !== 0 || end % HUGE !== 0;
}

function* dontneed(kernel: Kernel, vma: Vma, start: number, end: number): KernelGenerator<number> {
  if (isRefused(kernel, vma, start, end)) return EINVAL;
  yield* zap_page_range_single(kernel, vma, start, end);
  return 0;
}

/** madvise.c:madvise_free_single_vma: only anonymous memory can be freed when it is wanted. */
function* free(kernel: Kernel, vma: Vma, start: number, end: number): KernelGenerator<number> {
  if (isRefused(kernel, vma, start, end) || !vma_is_anonymous(vma)) return EINVAL;
  const range = mmu_notifier_range(MMU_NOTIFY_CLEAR, vma.mm, start, end);
  lru_add_drain(kernel);
  yield* mmu_notifier_invalidate_range_start(kernel, range);
  yield* madvise_free_range(kernel, vma, start, end);
  yield* mmu_notifier_invalidate_range_end(kernel, range);
  return 0;
}

/** madvise.c:madvise_cold and madvise_pageout. */
const coldOrPageout = (cold: boolean): Act =>
  function* (kernel, vma, start, end) {
    if ((vma.flags & (VM_LOCKED | VM_PFNMAP | VM_HUGETLB)) !== 0) return EINVAL;
    lru_add_drain(kernel);
    yield* madvise_cold_or_pageout_range(kernel, vma, start, end, cold);
    return 0;
  };

/** khugepaged.c:madvise_collapse: every whole 2 MiB of the range. */
function* collapse(kernel: Kernel, vma: Vma, start: number, end: number): KernelGenerator<number> {
  if ((vma.flags & (VM_SPECIAL | VM_HUGETLB)) !== 0) return EINVAL;
  if (Math.ceil(vma.start / HUGE) * HUGE + HUGE > vma.end) return EINVAL;
  const first = Math.ceil(start / HUGE) * HUGE;
  const last = Math.floor(end / HUGE) * HUGE;
  if (first > last) return EINVAL;
  let error = 0;
  for (let vpn = first; vpn < last; vpn += HUGE) {
    const result = yield* collapse_huge_page(kernel, vma, vpn);
    if (result !== 0) error = result;
  }
  return error;
}

const populate = (write: boolean): Act =>
  function* (kernel, vma, start, end) {
    if ((vma.flags & (VM_IO | VM_PFNMAP)) !== 0) return EINVAL;
    if ((vma.flags & (write ? VM_WRITE : VM_READ)) === 0) return EINVAL;
    for (let at = start; at < end; ) {
      const done = yield* populate_vma_page_range(kernel, vma, at, end, write);
      if (done < 0) return done;
      at += done;
    }
    return 0;
  };

export const ADVICE: Readonly<Record<string, Advice>> = {
  DONTNEED: { write: false, act: dontneed },
  FREE: { write: false, act: free },
  PAGEOUT: { write: false, act: coldOrPageout(false), since: 'madvisePageout' },
  COLD: { write: false, act: coldOrPageout(true), since: 'madvisePageout' },
  DONTFORK: { write: true, act: setFlags((flags) => flags | VM_DONTCOPY) },
  DOFORK: { write: true, act: setFlags((flags) => ((flags & VM_IO) !== 0 ? -1 : flags & ~VM_DONTCOPY)) },
  HUGEPAGE: { write: true, act: hugepage(VM_HUGEPAGE, VM_NOHUGEPAGE) },
  NOHUGEPAGE: { write: true, act: hugepage(VM_NOHUGEPAGE, VM_HUGEPAGE) },
  COLLAPSE: { write: false, act: collapse, since: 'madviseCollapse' },
  POPULATE_READ: { write: false, act: populate(false), since: 'madvisePopulate' },
  POPULATE_WRITE: { write: false, act: populate(true), since: 'madvisePopulate' },
};

/**
 * madvise.c:do_madvise: 0 or an errno. A hole does not keep the advice from what is mapped around it; -ENOMEM says so
 * afterwards.
 */
export function* do_madvise(
  kernel: Kernel,
  mm: Mm,
  start: number,
  pages: number,
  name: string,
): KernelGenerator<number> {
  const advice = Object.hasOwn(ADVICE, name) ? ADVICE[name] : undefined;
  if (!advice || (advice.since && !kernel.facts[advice.since]) || pages < 0) return EINVAL;
  if (pages === 0) return 0;
  const { mmap_lock } = mm;
  if (advice.write) yield* down_write(kernel, mmap_lock);
  else yield* down_read(kernel, mmap_lock);
  const error = yield* madvise_walk_vmas(kernel, mm, start, start + pages, advice.act);
  if (advice.write) up_write(kernel, mmap_lock);
  else up_read(kernel, mmap_lock);
  return error;
}

function* madvise_walk_vmas(kernel: Kernel, mm: Mm, start: number, end: number, act: Act): KernelGenerator<number> {
  let unmapped = 0;
  let at = start;
  while (at < end) {
    const vma = find_vma_intersection(mm, at, end);
    if (!vma) return ENOMEM;
    if (vma.start > at) {
      unmapped = ENOMEM;
      at = vma.start;
    }
    const last = Math.min(vma.end, end);
    const error = yield* act(kernel, vma, at, last);
    if (error !== 0) return error;
    at = last;
  }
  return unmapped;
}
