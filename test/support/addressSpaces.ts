/** What must hold of processes, their page tables and their pages whenever nobody is in the middle of something. */
import { expect } from 'vitest';
import {
  is_device_exclusive_entry,
  is_device_private_entry,
  is_migration_entry,
  type Pte,
  PteKind,
  pte_devmap,
  pte_none,
  pte_pfn,
  pte_present,
  pte_special,
  pteKind,
} from '../../sim/arch/pte.ts';
import { type AnonVma, type Folio, type Mm, VM_HUGETLB, VM_LOCKED, type Vma } from '../../sim/include/mm_types.ts';
import { kindOf } from '../../sim/include/mmzone.ts';
import { PageKind } from '../../sim/include/types.ts';
import type { Machine } from '../../sim/index.ts';
import type { Kernel } from '../../sim/machine/kernel.ts';
import { folioHead, isDevicePage } from '../../sim/mm/folio.ts';
import { lruOf, PG_LRU, PG_MLOCKED, testFlag } from '../../sim/mm/folio_record.ts';
import { isAnonVma, vma_address } from '../../sim/mm/rmap.ts';
import { vma_lookup, vma_pages } from '../../sim/mm/vma.ts';

/** What is counted while everything is walked; compared with what the kernel counts itself at the end. */
interface Count {
  /** References by head pfn. */
  readonly refs: Map<number, number>;
  /** Mappings of single pages, by pfn. */
  readonly maps: Map<number, number>;
  /** Mappings of whole huge pages, by head pfn. */
  readonly whole: Map<number, number>;
  /** Page table entries by swap entry. */
  readonly swap: Map<number, number>;
  /** Frames that hold page tables. */
  readonly tables: Set<number>;
  readonly anonVmas: Map<AnonVma, { vmas: Set<Vma>; active: number }>;
}

/** expect(..).toBe(..), for the millions of times that it holds; the text is made where it does not. */
function same<T>(value: T, wanted: T, text: () => string): void {
  if (!Object.is(value, wanted)) expect(value, text()).toBe(wanted);
}

const bump = (map: Map<number, number>, key: number, by = 1): void => void map.set(key, (map.get(key) ?? 0) + by);
const where = (mm: Mm, vpn: number): string => `pid ${mm.owner.pid} at ${(vpn * 4096).toString(16)}`;

/** Checks everything; throws with what does not agree. `held`: references that a test holds itself, by pfn. */
export function checkAddressSpaces(machine: Machine, held: ReadonlyMap<number, number> = new Map()): void {
  const { kernel } = machine;
  const count: Count = {
    refs: new Map(held),
    maps: new Map(),
    whole: new Map(),
    swap: new Map(),
    tables: new Set(),
    anonVmas: new Map(),
  };
  for (const mm of kernel.state.mms.values()) checkMm(kernel, mm, count);
  checkAnonVmas(count);
  countCaches(kernel, count);
  checkSwap(kernel, count);
  checkPool(kernel);
  checkFolios(kernel, count);
  checkCounters(kernel);
  checkLocks(machine);
}

/* ---- VMAs and page tables ---- */

function checkMm(kernel: Kernel, mm: Mm, count: Count): void {
  let total = 0;
  let locked = 0;
  let last = 0;
  for (const vma of mm.vmas) {
    expect(vma.start, `${where(mm, vma.start)}: VMAs ascend and do not overlap`).toBeGreaterThanOrEqual(last);
    expect(vma.end, `${where(mm, vma.start)}: a VMA has pages`).toBeGreaterThan(vma.start);
    same(vma.mm === mm, true, () => `${where(mm, vma.start)}: a VMA knows its mm`);
    if (vma.file)
      same(vma.file.vmas.filter((each) => each === vma).length, 1, () => `${where(mm, vma.start)}: in i_mmap once`);
    noteAnonVmas(vma, count);
    last = vma.end;
    total += vma_pages(vma);
    if (vma.flags & VM_LOCKED) locked += vma_pages(vma);
  }
  same(mm.total_vm, total, () => `total_vm of ${mm.owner.pid}`);
  same(mm.locked_vm, locked, () => `locked_vm of ${mm.owner.pid}`);
  const rss = checkTables(kernel, mm, count);
  expect([...mm.rss], `rss of ${mm.owner.pid}: file, anon, swap, shmem`).toEqual(rss);
}

function checkTables(kernel: Kernel, mm: Mm, count: Count): number[] {
  const rss = [0, 0, 0, 0];
  const frames: number[] = [...mm.upper.values()];
  for (const [index, pmd] of mm.pmds) {
    if (pmd.kind === 'huge') {
      if (pmd.deposited) frames.push(pmd.deposited.pfn);
      if (!pte_none(pmd.entry)) checkEntry(kernel, mm, index * 512, pmd.entry, true, rss, count);
      continue;
    }
    frames.push(pmd.pfn);
    for (let i = 0; i < 512; i++) {
      const pte = pmd.entries[i] ?? 0;
      if (!pte_none(pte)) checkEntry(kernel, mm, index * 512 + i, pte, false, rss, count);
    }
  }
  same(mm.pgtables_bytes, frames.length * 4096, () => `pgtables_bytes of ${mm.owner.pid}`);
  for (const pfn of frames) {
    same(count.tables.has(pfn), false, () => `page table ${pfn.toString(16)} belongs to one mm`);
    count.tables.add(pfn);
    same(kindOf(kernel.pages.state.get(pfn)), PageKind.Kernel, () => `page table ${pfn.toString(16)}`);
    same(kernel.pages.refcount.get(pfn), 1, () => `page table ${pfn.toString(16)}`);
  }
  return rss;
}

function checkEntry(kernel: Kernel, mm: Mm, vpn: number, pte: Pte, huge: boolean, rss: number[], count: Count): void {
  const vma = vma_lookup(mm, vpn);
  if (!vma) throw new Error(`${where(mm, vpn)}: an entry outside of VMAs`);
  const pages = huge ? 512 : 1;
  same(vpn + pages <= vma.end, true, () => `${where(mm, vpn)}: all of the entry inside its VMA`);
  const kind = pteKind(pte);
  if (kind === PteKind.Swap) {
    (rss[2] as number) += 1;
    bump(count.swap, pte_pfn(pte));
    return;
  }
  // Devmap entries lead to storage that nobody counts.
  const isMapping = pte_present(pte) ? !pte_special(pte) && !pte_devmap(pte) : is_device_private_entry(pte);
  const isExclusive = is_device_exclusive_entry(pte);
  if (!isMapping && !isExclusive && !is_migration_entry(pte)) return;
  const pfn = pte_pfn(pte);
  const head = folioHead(kernel, pfn);
  const folio = kernel.state.folios.get(head);
  if (!folio) throw new Error(`${where(mm, vpn)}: page ${pfn.toString(16)} is nobody's`);
  checkRmap(vma, vpn, folio, pfn);
  if ((vma.flags & VM_HUGETLB) === 0) addRss(folio, pages, rss);
  if (is_migration_entry(pte)) return;
  bump(count.refs, head);
  if (isExclusive && !kernel.facts.makeDeviceExclusiveOnePage) return;
  if (huge) bump(count.whole, head);
  else bump(count.maps, pfn);
}

/** From the page back to this entry. */
function checkRmap(vma: Vma, vpn: number, folio: Folio, pfn: number): void {
  const { mapping } = folio;
  // A page that a driver put in (vm_insert_page) has no mapping.
  if (vma.file?.kind === 'device' && !mapping) return;
  const text = (): string => `${where(vma.mm, vpn)}: page ${pfn.toString(16)}`;
  same(mapping?.vmas.includes(vma), true, () => `${text()}: its mapping knows the VMA`);
  same(vma_address(vma, folio.index + (pfn - folio.pfn)), vpn, () => `${text()}: its index leads back`);
}

function addRss(folio: Folio, pages: number, rss: number[]): void {
  const { mapping } = folio;
  if (isAnonVma(mapping)) (rss[1] as number) += pages;
  else if (mapping?.kind === 'shmem') (rss[3] as number) += pages;
  else (rss[0] as number) += pages;
}

/* ---- anon_vmas ---- */

function noteAnonVmas(vma: Vma, count: Count): void {
  const text = where(vma.mm, vma.start);
  expect(new Set(vma.anon_vma_chain).size, `${text}: no anon_vma twice`).toBe(vma.anon_vma_chain.length);
  if (vma.anon_vma) expect(vma.anon_vma_chain.includes(vma.anon_vma), `${text}: its anon_vma is linked`).toBe(true);
  for (const anon_vma of vma.anon_vma_chain) {
    const known = count.anonVmas.get(anon_vma) ?? { vmas: new Set(), active: 0 };
    count.anonVmas.set(anon_vma, known);
    known.vmas.add(vma);
    if (vma.anon_vma === anon_vma) known.active++;
  }
}

function checkAnonVmas({ anonVmas }: Count): void {
  for (const [anon_vma, { vmas, active }] of anonVmas) {
    expect(new Set(anon_vma.vmas), `anon_vma ${anon_vma.id}: its VMAs`).toEqual(vmas);
    expect(anon_vma.vmas.length, `anon_vma ${anon_vma.id}: no VMA twice`).toBe(vmas.size);
    expect(anon_vma.num_active_vmas, `anon_vma ${anon_vma.id}: num_active_vmas`).toBe(active);
    const children = [...anonVmas.keys()].filter(({ parent }) => parent === anon_vma).length;
    expect(anon_vma.num_children, `anon_vma ${anon_vma.id}: num_children`).toBe(children);
  }
}

/* ---- pages ---- */

/** References beside those of page tables: the page cache, the swap cache, the LRU batch, who asked for pages. */
function countCaches(kernel: Kernel, { refs }: Count): void {
  const { state } = kernel;
  for (const file of state.files.values())
    for (const [index, pfn] of file.pages) {
      const folio = state.folios.get(folioHead(kernel, pfn));
      same(folio?.mapping === file, true, () => `${file.name}: page ${index} of its page cache`);
      bump(refs, folioHead(kernel, pfn));
    }
  for (const folio of state.folios.values()) if (folio.swap !== undefined) bump(refs, folio.pfn, 2 ** folio.order);
  for (const pfn of [...state.lru_add, ...state.lru_activate, ...state.lru_deactivate, ...state.lru_lazyfree])
    bump(refs, pfn);
  for (const [pfn, pins] of state.injectedPins) bump(refs, folioHead(kernel, pfn), pins);
  for (const holder of state.userPins.values())
    for (const pages of holder.values())
      for (const { pfn, pin, count } of pages) {
        const head = folioHead(kernel, pfn);
        const isSmall = (state.folios.get(head)?.order ?? 0) === 0;
        const hasBias = kernel.facts.pinUserPages && pin;
        bump(refs, head, count * (hasBias && (isSmall || !kernel.facts.compoundPincount) ? 1024 : 1));
      }
}

/** Slots of the swap files: their users, and what the swap cache has of them. */
function checkSwap(kernel: Kernel, { swap }: Count): void {
  const users = new Map<number, number>();
  for (const info of kernel.state.swap.values()) {
    for (const [slot, count] of info.map) if (count > 0) users.set(slot * 32 + info.type, count);
    for (const [slot, pfn] of info.cache)
      expect(kernel.state.folios.get(pfn)?.swap, `slot ${slot} of ${info.name} in the swap cache`).toBe(
        slot * 32 + info.type,
      );
  }
  expect(users, 'users of swap slots').toEqual(swap);
}

/** The pool of huge pages: free ones are nobody's, all others have a record. */
function checkPool(kernel: Kernel): void {
  const { hugetlb, folios } = kernel.state;
  const free = new Set(hugetlb.free);
  expect(free.size, 'no huge page twice in the pool').toBe(hugetlb.free.length);
  for (const head of hugetlb.heads.keys())
    expect(folios.has(head), `huge page ${head.toString(16)} is used or free`).toBe(!free.has(head));
  for (const pfn of free) expect(kernel.pages.refcount.get(pfn), `free huge page ${pfn.toString(16)}`).toBe(0);
  let reserved = 0;
  for (const { left } of hugetlb.reserves.values()) reserved += left;
  expect(hugetlb.resv_huge_pages, 'resv_huge_pages').toBe(reserved);
}

function checkFolios(kernel: Kernel, { refs, maps, whole }: Count): void {
  const { folios, memcgs } = kernel.state;
  const usage = new Map([...memcgs.values()].map((memcg) => [memcg, 0]));
  for (const folio of folios.values()) {
    const { pfn } = folio;
    const text = (): string => `page ${pfn.toString(16)}`;
    // Device pages of older releases rest at 1 and are freed on the way back to it.
    const rest = isDevicePage(kernel, pfn) && kernel.facts.pageFreeAtOne ? 1 : 0;
    same(kernel.pages.refcount.get(pfn), (refs.get(pfn) ?? 0) + rest, () => `${text()}: refcount is what holds it`);
    same(folio.entire_mapcount + 1, whole.get(pfn) ?? 0, () => `${text()}: entire_mapcount`);
    for (let i = 0; i < 2 ** folio.order; i++)
      same(
        (kernel.pages.mapcount.get(pfn + i) + 1) % 2 ** 32,
        maps.get(pfn + i) ?? 0,
        () => `${text()}+${i}: mapcount is its entries`,
      );
    if (folio.memcg) usage.set(folio.memcg, (usage.get(folio.memcg) ?? 0) + 2 ** folio.order);
  }
  for (const [memcg, pages] of usage) same(memcg.usage, pages, () => `usage of memcg ${memcg.name}`);
}

/** Counters of /proc/vmstat that are sums over pages. */
function checkCounters(kernel: Kernel): void {
  const { state, pages } = kernel;
  const found = new Map<string, number>();
  const add = (name: string, by: number): void => void found.set(name, (found.get(name) ?? 0) + by);
  for (const folio of state.folios.values()) {
    const size = 2 ** folio.order;
    same(folio.pgmap?.id ?? 0, pages.pgmap.get(folio.pfn), () => `pagemap of the folio at ${folio.pfn}`);
    if (testFlag(kernel, folio.pfn, PG_LRU)) add(lruOf(kernel.pages.flags.get(folio.pfn)), size);
    if (testFlag(kernel, folio.pfn, PG_MLOCKED)) add('nr_mlock', size);
    const { mapping } = folio;
    if (state.hugetlb.heads.has(folio.pfn)) continue;
    for (let i = 0; i < size; i++)
      if (folio.entire_mapcount >= 0 || pages.mapcount.get(folio.pfn + i) !== 0xffffffff)
        add(isAnonVma(mapping) ? 'nr_anon_pages' : 'nr_mapped', 1);
  }
  // A device page keeps the mark when it is freed, and nr_mlock goes on counting what it was: for ever, if its pagemap goes.
  const counted = state.vm.get('nr_mlock') ?? 0;
  const lost = counted - (found.get('nr_mlock') ?? 0);
  if (lost > 0 && (hasMarkedFree(kernel) || state.nextPagemap - 1 > state.pgmaps.length))
    found.set('nr_mlock', counted);
  const names = ['nr_anon_pages', 'nr_mapped', 'nr_unevictable', 'nr_mlock'];
  for (const which of ['active', 'inactive']) names.push(`nr_${which}_anon`, `nr_${which}_file`);
  const told = Object.fromEntries(names.map((name) => [name, state.vm.get(name) ?? 0]));
  expect(told, 'counters of /proc/vmstat').toEqual(
    Object.fromEntries(names.map((name) => [name, found.get(name) ?? 0])),
  );
}

const hasMarkedFree = ({ state, pages }: Kernel): boolean =>
  state.pgmaps.some(({ ranges }) =>
    ranges.some(({ start, end }) => {
      let isMarked = false;
      pages.flags.runs(start, end, (from, _to, flags) => {
        isMarked ||= (flags & PG_MLOCKED) !== 0 && !state.folios.has(from);
        return !isMarked;
      });
      return isMarked;
    }),
  );

/** Nobody holds a lock who is not in the middle of something. */
function checkLocks(machine: Machine): void {
  const alive = new Set(machine.alive.filter((program) => !program.isOver).map(({ id }) => id));
  for (const { mmap_lock } of machine.kernel.state.mms.values()) {
    const holders = [...mmap_lock.readers, ...mmap_lock.waiting, ...(mmap_lock.writer ? [mmap_lock.writer] : [])];
    expect(
      holders.filter(({ id }) => !alive.has(id)),
      mmap_lock.name,
    ).toEqual([]);
  }
  for (const { pfn, locked_by } of machine.kernel.state.folios.values())
    if (locked_by)
      expect(alive.has(locked_by.id), `page ${pfn.toString(16)} is locked by ${locked_by.label}`).toBe(true);
}
