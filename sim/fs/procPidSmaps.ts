/** /proc/PID/smaps and smaps_rollup: fs/proc/task_mmu.c as of 6.12, for every release. */
import {
  is_device_private_entry,
  PTE_YOUNG,
  type Pte,
  PteKind,
  pte_dirty,
  pte_index,
  pte_none,
  pte_pfn,
  pte_present,
  pteBits,
  pteKind,
} from '../arch/pte.ts';
import { type Folio, type Mm, VM_HUGETLB, VM_LOCKED, type Vma } from '../include/mm_types.ts';
import type { Kernel } from '../machine/kernel.ts';
import { folioOf } from '../mm/folio.ts';
import { PG_DIRTY, PG_REFERENCED, PG_SWAPBACKED, testFlag } from '../mm/folio_record.ts';
import { thp_vma_allowable } from '../mm/huge_memory.ts';
import { pmdAt } from '../mm/pgtable.ts';
import { folio_test_anon } from '../mm/rmap.ts';
import { swapEntryOf } from '../mm/swap_state.ts';
import { address, mapLine } from './procPidMaps.ts';
import { page_mapcount, pageOfEntry } from './procPidPagemap.ts';

/** struct mem_size_stats, in bytes; the proportional ones may be fractions. */
class Sizes {
  Rss = 0;
  Pss = 0;
  Pss_Dirty = 0;
  Pss_Anon = 0;
  Pss_File = 0;
  Pss_Shmem = 0;
  Shared_Clean = 0;
  Shared_Dirty = 0;
  Private_Clean = 0;
  Private_Dirty = 0;
  Referenced = 0;
  Anonymous = 0;
  LazyFree = 0;
  AnonHugePages = 0;
  ShmemPmdMapped = 0;
  FilePmdMapped = 0;
  Shared_Hugetlb = 0;
  Private_Hugetlb = 0;
  Swap = 0;
  SwapPss = 0;
  Locked = 0;
}

const PAGE = 4096;
const HUGE = 512 * PAGE;

/** task_mmu.c:smaps_page_accumulate. */
function accumulate(
  sizes: Sizes,
  vma: Vma,
  kind: Kind,
  size: number,
  pss: number,
  dirty: boolean,
  isPrivate: boolean,
): void {
  sizes.Pss += pss;
  sizes[kind] += pss;
  if ((vma.flags & VM_LOCKED) !== 0) sizes.Locked += pss;
  if (dirty) sizes.Pss_Dirty += pss;
  if (dirty && isPrivate) sizes.Private_Dirty += size;
  else if (dirty) sizes.Shared_Dirty += size;
  else if (isPrivate) sizes.Private_Clean += size;
  else sizes.Shared_Clean += size;
}
type Kind = 'Pss_Anon' | 'Pss_File' | 'Pss_Shmem';

const kindOf = (kernel: Kernel, folio: Folio): Kind =>
  folio_test_anon(folio) ? 'Pss_Anon' : testFlag(kernel, folio.pfn, PG_SWAPBACKED) ? 'Pss_Shmem' : 'Pss_File';

/** task_mmu.c:smaps_account. `present`: device-private entries count as such. */
function smaps_account(kernel: Kernel, sizes: Sizes, vma: Vma, entry: Pte, first: number, pages: number): void {
  const folio = folioOf(kernel, first);
  if (!folio) return;
  const isPresent = pte_present(entry) || is_device_private_entry(entry);
  const dirty = (pte_present(entry) && pte_dirty(entry)) || testFlag(kernel, folio.pfn, PG_DIRTY);
  const young = pte_present(entry) && (pteBits(entry) & PTE_YOUNG) !== 0;
  const size = pages * PAGE;
  const kind = kindOf(kernel, folio);
  if (kind === 'Pss_Anon') {
    sizes.Anonymous += size;
    if (!testFlag(kernel, folio.pfn, PG_SWAPBACKED) && !dirty) sizes.LazyFree += size;
  }
  sizes.Rss += size;
  if (young || testFlag(kernel, folio.pfn, PG_REFERENCED)) sizes.Referenced += size;
  if (isPresent && kernel.pages.refcount.get(folio.pfn) === 1) {
    accumulate(sizes, vma, kind, size, size, dirty, true);
    return;
  }
  // Since 6.11 entries that are not present are taken for shared, by nobody knows how many.
  if (!isPresent && kernel.facts.smapsNonPresentIsShared) {
    accumulate(sizes, vma, kind, size, size, dirty, false);
    return;
  }
  for (let i = 0; i < pages; i++) {
    const mapcount = page_mapcount(kernel, folio, first + i);
    accumulate(sizes, vma, kind, PAGE, mapcount >= 2 ? PAGE / mapcount : PAGE, dirty, mapcount < 2);
  }
}

/** task_mmu.c:smaps_pte_entry. */
function smapsPte(kernel: Kernel, sizes: Sizes, vma: Vma, pte: Pte): void {
  if (pte_none(pte)) return;
  if (pteKind(pte) === PteKind.Swap) {
    const entry = swapEntryOf(pte);
    const users = kernel.state.swap.get(entry % 32)?.map.get(Math.floor(entry / 32)) ?? 1;
    sizes.Swap += PAGE;
    sizes.SwapPss += users >= 2 ? PAGE / users : PAGE;
    return;
  }
  const pfn = pageOfEntry(kernel, pte);
  if (pfn >= 0) smaps_account(kernel, sizes, vma, pte, pfn, 1);
}

/** task_mmu.c:smaps_hugetlb_range. */
function smapsHugetlb(kernel: Kernel, sizes: Sizes, entry: Pte): void {
  const first = pageOfEntry(kernel, entry);
  const folio = first < 0 ? undefined : folioOf(kernel, first);
  if (!folio) return;
  if (page_mapcount(kernel, folio, first) >= 2) sizes.Shared_Hugetlb += HUGE;
  else sizes.Private_Hugetlb += HUGE;
}

/** task_mmu.c:smaps_pmd_entry. */
function smapsPmd(kernel: Kernel, sizes: Sizes, vma: Vma, entry: Pte): void {
  if ((vma.flags & VM_HUGETLB) !== 0) {
    smapsHugetlb(kernel, sizes, entry);
    return;
  }
  const first = pageOfEntry(kernel, entry);
  const folio = first < 0 ? undefined : folioOf(kernel, first);
  if (!folio) return;
  const kind = kindOf(kernel, folio);
  if (kind === 'Pss_Anon') sizes.AnonHugePages += HUGE;
  else if (kind === 'Pss_Shmem') sizes.ShmemPmdMapped += HUGE;
  else sizes.FilePmdMapped += HUGE;
  smaps_account(kernel, sizes, vma, entry, pte_pfn(entry), 512);
}

function gather(kernel: Kernel, sizes: Sizes, vma: Vma): void {
  for (let vpn = vma.start; vpn < vma.end; ) {
    const end = Math.min(vma.end, vpn - pte_index(vpn) + 512);
    const pmd = pmdAt(vma.mm, vpn);
    if (pmd?.kind === 'huge') smapsPmd(kernel, sizes, vma, pmd.entry);
    else if (pmd) for (let at = vpn; at < end; at++) smapsPte(kernel, sizes, vma, pmd.entries[at % 512] ?? 0);
    vpn = end;
  }
}

const line = (name: string, bytes: number): string =>
  `${`${name}:`.padEnd(16)}${String(Math.floor(bytes / 1024)).padStart(name === 'Private_Hugetlb' ? 7 : 8)} kB\n`;

/** task_mmu.c:__show_smap. */
function showSizes(sizes: Sizes, rollup: boolean): string {
  const names: (keyof Sizes)[] = ['Rss', 'Pss', 'Pss_Dirty'];
  if (rollup) names.push('Pss_Anon', 'Pss_File', 'Pss_Shmem');
  names.push('Shared_Clean', 'Shared_Dirty', 'Private_Clean', 'Private_Dirty', 'Referenced', 'Anonymous');
  const rest: (keyof Sizes)[] = ['LazyFree', 'AnonHugePages', 'ShmemPmdMapped', 'FilePmdMapped', 'Shared_Hugetlb'];
  rest.push('Private_Hugetlb', 'Swap', 'SwapPss', 'Locked');
  const print = (name: keyof Sizes): string =>
    name === 'Private_Hugetlb'
      ? `Private_Hugetlb: ${String(Math.floor(sizes[name] / 1024)).padStart(7)} kB\n`
      : line(name, sizes[name]);
  return names.map(print).join('') + line('KSM', 0) + rest.map(print).join('');
}

/** task_mmu.c:show_smap_vma_flags: two letters for each bit that has a name. */
const FLAG_NAMES: Readonly<Record<number, string>> = {
  0: 'rd',
  1: 'wr',
  2: 'ex',
  3: 'sh',
  4: 'mr',
  5: 'mw',
  6: 'me',
  7: 'ms',
  8: 'gd',
  9: 'um',
  10: 'pf',
  12: 'uw',
  13: 'lo',
  14: 'io',
  15: 'sr',
  16: 'rr',
  17: 'dc',
  18: 'de',
  19: 'lf',
  20: 'ac',
  21: 'nr',
  22: 'ht',
  23: 'sf',
  25: 'wf',
  26: 'dd',
  28: 'mm',
  29: 'hg',
  30: 'nh',
  31: 'mg',
};

function vmFlags(flags: number): string {
  let text = 'VmFlags: ';
  for (let bit = 0; bit < 32; bit++) if ((flags & (1 << bit)) !== 0) text += `${FLAG_NAMES[bit] ?? '??'} `;
  return `${text}\n`;
}

/** Could a huge page be made here: the VMA holds one whole, and nobody forbade it. */
function thpEligible(kernel: Kernel, vma: Vma): boolean {
  if (vma.file !== undefined || !thp_vma_allowable(kernel, vma)) return false;
  return Math.ceil(vma.start / 512) * 512 + 512 <= vma.end;
}

export function smaps(kernel: Kernel, mm: Mm): string {
  let text = '';
  for (const vma of mm.vmas) {
    const sizes = new Sizes();
    gather(kernel, sizes, vma);
    const pageSize = (vma.flags & VM_HUGETLB) !== 0 ? HUGE : PAGE;
    text += mapLine(vma) + line('Size', (vma.end - vma.start) * PAGE);
    text += line('KernelPageSize', pageSize) + line('MMUPageSize', pageSize) + showSizes(sizes, false);
    text += `THPeligible:    ${thpEligible(kernel, vma) ? '       1' : '       0'}\n${vmFlags(vma.flags)}`;
  }
  return text;
}

/** task_mmu.c:show_smaps_rollup: the sums of all VMAs. */
export function smaps_rollup(kernel: Kernel, mm: Mm): string {
  const sizes = new Sizes();
  for (const vma of mm.vmas) gather(kernel, sizes, vma);
  const first = mm.vmas[0]?.start ?? 0;
  const head = `${address(first)}-${address(mm.vmas.at(-1)?.end ?? 0)} ---p 00000000 00:00 0 `;
  return `${head.padEnd(72)} [rollup]\n${showSizes(sizes, true)}`;
}
