/**
 * /proc/kpageflags and /proc/kpagecount: fs/proc/page.c (6.12). Both are arrays of
 * 8-byte words, one a page frame; a run of equal struct pages gives one run of words.
 */
import { PAGES_PER_SECTION } from '../arch/x86_64.ts';
import type { Folio } from '../include/mm_types.ts';
import {
  kindOf,
  orderOf,
  PG,
  PG_HEAD,
  SECTION_HAS_MEM_MAP,
  SECTION_IS_EARLY,
  SECTION_IS_ONLINE,
  SECTION_TAINT_ZONE_DEVICE,
  SUBSECTION_POPULATED,
} from '../include/mmzone.ts';
import { PageKind } from '../include/types.ts';
import type { Kernel } from '../machine/kernel.ts';
import { folioOf } from '../mm/folio.ts';
import { is_hugetlb_head } from '../mm/hugetlb_pool.ts';
import { refOf } from '../mm/pagemap.ts';
import { zero_pfn } from '../mm/zero_page.ts';
import { ShellError } from '../shell/error.ts';
import { fixedFiles } from './files.ts';

/** Bit numbers of a word: include/uapi/linux/kernel-page-flags.h and include/linux/kernel-page-flags.h. */
export const KPF = {
  LOCKED: 0,
  ERROR: 1,
  REFERENCED: 2,
  UPTODATE: 3,
  DIRTY: 4,
  LRU: 5,
  ACTIVE: 6,
  SLAB: 7,
  WRITEBACK: 8,
  RECLAIM: 9,
  BUDDY: 10,
  MMAP: 11,
  ANON: 12,
  SWAPCACHE: 13,
  SWAPBACKED: 14,
  COMPOUND_HEAD: 15,
  COMPOUND_TAIL: 16,
  HUGE: 17,
  UNEVICTABLE: 18,
  HWPOISON: 19,
  NOPAGE: 20,
  KSM: 21,
  THP: 22,
  OFFLINE: 23,
  ZERO_PAGE: 24,
  IDLE: 25,
  PGTABLE: 26,
  RESERVED: 32,
  MLOCKED: 33,
  OWNER_2: 34,
  PRIVATE: 35,
  PRIVATE_2: 36,
  OWNER_PRIVATE: 37,
  ARCH: 38,
  SOFTDIRTY: 40,
  ARCH_2: 41,
} as const;
export type KpfName = keyof typeof KPF;
export const kpf = (name: KpfName): bigint => 1n << BigInt(KPF[name]);

const NOPAGE = kpf('NOPAGE');

/** Which bit of page->flags stands for which bit of the word. */
const COPIED: readonly (readonly [number, bigint])[] = [
  [PG.locked, kpf('LOCKED')],
  [PG.writeback, kpf('WRITEBACK')],
  [PG.referenced, kpf('REFERENCED')],
  [PG.uptodate, kpf('UPTODATE')],
  [PG.dirty, kpf('DIRTY')],
  [PG.lru, kpf('LRU')],
  [PG.head, kpf('COMPOUND_HEAD')],
  [PG.active, kpf('ACTIVE')],
  [PG.owner_priv_1, kpf('OWNER_PRIVATE')],
  [PG.owner_2, kpf('OWNER_2')],
  [PG.arch_1, kpf('ARCH')],
  [PG.reserved, kpf('RESERVED')],
  [PG.private, kpf('PRIVATE')],
  [PG.private_2, kpf('PRIVATE_2')],
  [PG.reclaim, kpf('RECLAIM')],
  [PG.swapbacked, kpf('SWAPBACKED')],
  [PG.unevictable, kpf('UNEVICTABLE')],
  [PG.mlocked, kpf('MLOCKED')],
];

/** page.c:get_max_dump_pfn: where both files end. */
export function get_max_dump_pfn(kernel: Kernel): number {
  const { max_pfn } = kernel.state;
  return kernel.facts.kpageToSectionEnd ? Math.ceil(max_pfn / PAGES_PER_SECTION) * PAGES_PER_SECTION : max_pfn;
}

const SWAPCACHE = (1 << PG.swapbacked) | (1 << PG.owner_priv_1);

/** page.c:stable_page_flags of a struct page that is there; `tail`: of a compound page, but not its first. */
function stable_page_flags(kernel: Kernel, state: number, flags: number, mapped: number, tail: boolean): bigint {
  let word = 0n;
  for (const [bit, kpfBit] of COPIED) if ((flags & (1 << bit)) !== 0) word |= kpfBit;
  const kind = kindOf(state);
  if (mapped > 0) word |= kpf('MMAP');
  if (kind === PageKind.Anon) {
    word |= kpf('ANON');
    if (kernel.facts.kpageKsmOnAnon) word |= kpf('KSM');
  }
  if ((kind === PageKind.Anon || kind === PageKind.File) && (flags & SWAPCACHE) === SWAPCACHE) word |= kpf('SWAPCACHE');
  if (tail) word = (word & ~kpf('COMPOUND_HEAD')) | kpf('COMPOUND_TAIL');
  if (kind === PageKind.Free) word |= kpf('BUDDY');
  return word;
}

type Visit = (start: number, end: number, flags: bigint, count: number) => void;

/** Runs of words of [start, end), ascending; neighbours may be equal. Nothing beyond `get_max_dump_pfn`. */
export function kpageRuns(kernel: Kernel, start: number, end: number, visit: Visit): void {
  const stop = Math.min(end, get_max_dump_pfn(kernel));
  if (start >= stop) return;
  kernel.pages.section.runs(start, stop, (from, to, section) => {
    if (!hasPage(kernel, section)) visit(from, to, NOPAGE, 0);
    else if (hidesDevices(kernel, section)) betweenPagemaps(kernel, from, to, visit);
    else pageRuns(kernel, from, to, visit);
    return undefined;
  });
}

/** Is there a struct page to look at: pfn_to_online_page, or pfn_valid in the releases before that was asked. */
function hasPage(kernel: Kernel, section: number): boolean {
  if ((section & SECTION_HAS_MEM_MAP) === 0) return false;
  if (!kernel.facts.kpageOnlineOnly)
    return (section & SECTION_IS_EARLY) !== 0 || (section & SUBSECTION_POPULATED) !== 0;
  if ((section & SECTION_IS_ONLINE) === 0) return false;
  // Since 5.12 a sub-section that nothing populated has no online page, even if the section is early.
  return !kernel.facts.sectionTaintZoneDevice || (section & SUBSECTION_POPULATED) !== 0;
}

const hidesDevices = (kernel: Kernel, section: number): boolean =>
  kernel.facts.kpageOnlineOnly && kernel.facts.sectionTaintZoneDevice && (section & SECTION_TAINT_ZONE_DEVICE) !== 0;

/** Only a live pagemap tells device pages from others where they share a section. */
function betweenPagemaps(kernel: Kernel, start: number, end: number, visit: Visit): void {
  const devices = kernel.state.pgmaps
    .filter((map) => refOf(map.pgmap)?.dead === 0n)
    .flatMap((map) => map.ranges)
    .filter((range) => range.start < end && range.end > start)
    .sort((a, b) => a.start - b.start);
  let pfn = start;
  for (const device of devices) {
    if (device.start > pfn) pageRuns(kernel, pfn, device.start, visit);
    const next = Math.min(device.end, end);
    visit(Math.max(pfn, device.start), next, NOPAGE, 0);
    pfn = next;
  }
  if (pfn < end) pageRuns(kernel, pfn, end, visit);
}

/** Runs that are alike in every column a word is made of. */
function pageRuns(kernel: Kernel, start: number, end: number, visit: Visit): void {
  const { state, flags, mapcount } = kernel.pages;
  state.runs(start, end, (from, to, word) => {
    flags.runs(from, to, (from2, to2, bits) => {
      mapcount.runs(from2, to2, (from3, to3, count) => {
        const mapped = (count | 0) + 1;
        const tails = tailsEnd(kernel, from3, to3, word, bits);
        if (tails > from3) tailRun(kernel, from3, tails, word, bits, mapped, visit);
        if (tails < to3) otherRun(kernel, tails, to3, word, bits, mapped, visit);
        return undefined;
      });
      return undefined;
    });
    return undefined;
  });
}

/** Tail pages of one block. Those of a folio have its flags, and its mappings as a whole besides their own. */
function tailRun(
  kernel: Kernel,
  start: number,
  end: number,
  state: number,
  flags: number,
  mapped: number,
  visit: Visit,
): void {
  const head = start - (start % (1 << orderOf(state)));
  const folio = kernel.state.folios.get(head);
  const kind = kindOfHead(kernel, head, folio);
  const count = mapped + (folio ? folio.entire_mapcount + 1 : 0);
  // The flags of a large folio are its head's.
  const own = kind === 0n ? flags : kernel.pages.flags.get(head);
  visit(start, end, stable_page_flags(kernel, state, own, count, true) | kind, count);
}

/** KPF_HUGE of hugetlb, KPF_THP of any other large folio; the huge zero page is both zero and huge. */
function kindOfHead(kernel: Kernel, head: number, folio: Folio | undefined): bigint {
  if (is_hugetlb_head(kernel, head)) return kpf('HUGE');
  if (head === kernel.state.thp.huge_zero_pfn) return kpf('THP') | kpf('ZERO_PAGE');
  return folio && folio.order > 0 ? kpf('THP') : 0n;
}

/** A run of pages that are no tails: heads of folios, the zero page, and all others. */
function otherRun(
  kernel: Kernel,
  start: number,
  end: number,
  state: number,
  flags: number,
  mapped: number,
  visit: Visit,
): void {
  const zero = zero_pfn(kernel);
  if (zero >= start && zero < end && end - start > 1) {
    if (zero > start) otherRun(kernel, start, zero, state, flags, mapped, visit);
    otherRun(kernel, zero, zero + 1, state, flags, mapped, visit);
    if (zero + 1 < end) otherRun(kernel, zero + 1, end, state, flags, mapped, visit);
    return;
  }
  // A run of heads is one page long: behind each come its tails.
  const isHead = (flags & PG_HEAD) !== 0;
  const folio = isHead ? kernel.state.folios.get(start) : undefined;
  const count = mapped + (folio && folio.order > 0 ? folio.entire_mapcount + 1 : 0);
  let word = stable_page_flags(kernel, state, flags, count, false);
  if (start === zero) word |= kpf('ZERO_PAGE');
  if (isHead) word |= kindOfHead(kernel, start, folio);
  visit(start, end, word, count);
}

/** Where the tail pages end that a run begins with: a head has a flag of its own, so no run holds two blocks' tails. */
function tailsEnd(kernel: Kernel, start: number, end: number, state: number, flags: number): number {
  const order = orderOf(state);
  if (order === 0 || kindOf(state) === PageKind.Free || (flags & PG_HEAD) !== 0) return start;
  const size = 1 << order;
  const head = start - (start % size);
  if (head === start || (kernel.pages.flags.get(head) & PG_HEAD) === 0) return start;
  return Math.min(end, head + size);
}

/** Words of pfn to pfn + count - 1, fewer where the file ends: read(2) at 8 * pfn. */
export function kpageflags_read(kernel: Kernel, pfn: number, count: number): BigUint64Array {
  return words(kernel, pfn, count, (flags) => flags);
}

/** The same of /proc/kpagecount: how often each page is mapped. */
export function kpagecount_read(kernel: Kernel, pfn: number, count: number): BigUint64Array {
  return words(kernel, pfn, count, (_flags, mapped) => BigInt(mapped));
}

/**
 * page.c:kpagecgroup_read: the inode number of the memory cgroup that each page is charged to, 0 for none. The
 * root's is 1; the others follow in the order they were made (a real kernel's depend on what else has inodes).
 */
export function kpagecgroup_read(kernel: Kernel, pfn: number, count: number): BigUint64Array {
  const end = Math.min(pfn + Math.min(count, MAX_KPAGE_READ), get_max_dump_pfn(kernel));
  const out = new BigUint64Array(Math.max(0, end - pfn));
  const { memcgs } = kernel.state;
  const numbers = new Map([...memcgs.values()].filter(({ name }) => name !== '/').map((memcg, i) => [memcg, i + 2]));
  for (let i = 0; i < out.length; i++) {
    const memcg = folioOf(kernel, pfn + i)?.memcg;
    if (memcg) out[i] = BigInt(numbers.get(memcg) ?? 1);
  }
  return out;
}

/** What one read may ask for: a buffer of 32 MiB. */
export const MAX_KPAGE_READ = 1 << 22;

function words(
  kernel: Kernel,
  pfn: number,
  count: number,
  pick: (flags: bigint, mapped: number) => bigint,
): BigUint64Array {
  const end = Math.min(pfn + Math.min(count, MAX_KPAGE_READ), get_max_dump_pfn(kernel));
  const out = new BigUint64Array(Math.max(0, end - pfn));
  kpageRuns(kernel, pfn, end, (from, to, flags, mapped) => void out.fill(pick(flags, mapped), from - pfn, to - pfn));
  return out;
}

const binary = (name: string) => (): string => {
  throw new ShellError(
    `cat: /proc/${name}: holds an 8-byte word for each page frame, which is no text; page-types reads it, for example page-types -a 0x1000+16 -L`,
  );
};

export const KPAGE = fixedFiles('/proc', {
  kpageflags: binary('kpageflags'),
  kpagecount: binary('kpagecount'),
  kpagecgroup: () => {
    throw new ShellError('cat: /proc/kpagecgroup: holds an 8-byte word for each page frame, which is no text');
  },
});
