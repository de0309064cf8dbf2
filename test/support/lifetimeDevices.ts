/** What must hold of the test GPU, its memory, its page tables and the notifiers whenever nobody is in the middle of something. */
import { expect } from 'vitest';
import {
  is_device_exclusive_entry,
  is_device_private_entry,
  NO_PTE,
  type Pte,
  pte_pfn,
  pte_present,
  pte_write,
  pteKind,
} from '../../sim/arch/pte.ts';
import { backingPage } from '../../sim/drivers/dmirror/backing.ts';
import {
  type Dmirror,
  type DmirrorDevice,
  DPT_XA_TAG_ATOMIC,
  DPT_XA_TAG_WRITE,
  dptPfn,
  dptTag,
} from '../../sim/drivers/dmirror/dmirror.ts';
import type { FreeList } from '../../sim/drivers/dmirror/free_list.ts';
import type { Mm } from '../../sim/include/mm_types.ts';
import { kindOf } from '../../sim/include/mmzone.ts';
import { PageKind } from '../../sim/include/types.ts';
import type { Machine } from '../../sim/index.ts';
import type { Kernel } from '../../sim/machine/kernel.ts';
import { subscriptionsOf } from '../../sim/mm/mmu_notifier_state.ts';
import { countsEachPage, refOf, typeOf } from '../../sim/mm/pagemap.ts';
import { hugePmdAt, pteAt } from '../../sim/mm/pgtable.ts';
import { is } from './invariants.ts';

const hex = (value: number): string => `0x${value.toString(16)}`;

/** `stale`: a device may map what is unmapped; see Model. */
export function checkDevicesAtRest({ kernel }: Machine, stale = false): void {
  checkRest(kernel);
  const { dmirror } = kernel.state;
  if (!dmirror) return;
  for (const device of dmirror.devices) checkMemory(kernel, device);
  checkBacking(kernel);
  if (!stale) for (const mirror of dmirror.mirrors) checkMirror(kernel, mirror);
}

/** No lock is held, no invalidation is running, and no sequence is odd. */
function checkRest({ state }: Kernel): void {
  for (const { name, owner } of state.mutexes) is(owner, undefined, `${name} is held`);
  for (const mm of state.mms.values()) {
    const { name, readers, writer, waiting } = mm.mmap_lock;
    if (writer || readers.length + waiting.length > 0) throw new Error(`${name} is held or waited for`);
    const subscriptions = subscriptionsOf(mm);
    if (!subscriptions) continue;
    is(subscriptions.invalidate_seq % 2, 0, `${name}: the sequence is even`);
    is(subscriptions.active_invalidate_ranges, 0, `${name}: no invalidation is running`);
    is(subscriptions.active.length + subscriptions.deferred_list.length, 0, `${name}: nothing is deferred`);
  }
  for (const { pfn, locked_by } of state.folios.values()) is(locked_by, undefined, `page ${hex(pfn)} is locked`);
}

/** Each page of a device is free or out; the pagemap counts those that are out. */
function checkMemory(kernel: Kernel, device: DmirrorDevice): void {
  const { user = new Map(), huge = new Map<number, true>() } = kernel.state.dmirror ?? {};
  const list = (pieces: FreeList, stride: number): void => {
    for (let i = 0; i < pieces.length; i += 2) {
      const [head = 0, tail = 0] = pieces.slice(i, i + 2);
      const low = Math.min(head, tail);
      const high = Math.max(head, tail) + stride;
      if (!device.chunks.some(({ start, end }) => low >= start && high <= end))
        throw new Error(`free pages ${hex(low)} to ${hex(high)} are in no chunk of device ${device.id}`);
      // Thousands of free pages lie together; where pieces meet or overlap shows at their ends.
      for (const other of pieceEnds) {
        if (low < other.high && other.low < high)
          throw new Error(`page ${hex(Math.max(low, other.low))} is free twice`);
      }
      pieceEnds.push({ low, high });
    }
  };
  const pieceEnds: { low: number; high: number }[] = [];
  list(device.free_pages, 1);
  list(device.free_folios, 512);
  const isFree = (pfn: number): boolean => pieceEnds.some(({ low, high }) => pfn >= low && pfn < high);
  const freePages = pieceEnds.reduce((sum, { low, high }) => sum + high - low, 0);
  let out = 0;
  let all = 0;
  for (const chunk of device.chunks) {
    let here = 0;
    for (const pfn of user.keys()) {
      if (pfn < chunk.start || pfn >= chunk.end) continue;
      here += huge.has(pfn) ? 512 : 1;
      if (isFree(pfn)) throw new Error(`page ${hex(pfn)} is free and out`);
      if (!kernel.state.folios.has(pfn)) throw new Error(`page ${hex(pfn)} is out and nobody's`);
    }
    out += here;
    all += chunk.end - chunk.start;
    checkReferences(kernel, chunk.start, chunk.end - chunk.start, here);
    for (const folio of kernel.state.folios.values())
      if (folio.pfn >= chunk.start && folio.pfn < chunk.end)
        is(user.has(folio.pfn), true, `page ${hex(folio.pfn)} of device ${device.id} has a record and is out`);
  }
  is(freePages + out, all, `pages of device ${device.id}: free and out`);
  if (device.chunks.length > 0) is(device.calloc - device.cfree >= out, true, `calloc and cfree of ${device.id}`);
}

/** One reference for its life, one a page for types that count each, one a page handed out. */
function checkReferences(kernel: Kernel, start: number, pages: number, out: number): void {
  const map = kernel.state.pgmaps.find(({ ranges }) => ranges.some((range) => range.start === start));
  if (!map) throw new Error(`no pagemap at ${hex(start)}`);
  const each = countsEachPage(kernel, typeOf(kernel, map.pgmap));
  const wanted = 1 + (each ? pages : 0) + (kernel.facts.pagemapRefPerAllocation ? out : 0);
  is(Number(refOf(map.pgmap)?.count), wanted, `references of pagemap ${map.name} with ${out} pages out`);
}

/** Each private page that is out has RAM of its own behind it, and nobody else has. */
function checkBacking(kernel: Kernel): void {
  const { devices, backing, user, huge } = kernel.state.dmirror ?? {};
  if (!devices || !backing || !user || !huge) return;
  const frames = new Set<number>();
  for (const [pfn, ram] of backing) {
    if (!user.has(pfn)) throw new Error(`page ${hex(pfn)} has RAM behind it and is not out`);
    for (let i = 0; i < (huge.has(pfn) ? 512 : 1); i++) {
      if (frames.has(ram + i)) throw new Error(`RAM ${hex(ram + i)} stands behind two pages`);
      frames.add(ram + i);
      is(kindOf(kernel.pages.state.get(ram + i)), PageKind.Kernel, `RAM ${hex(ram + i)}`);
      is(kernel.pages.refcount.get(ram + i), 1, `RAM ${hex(ram + i)}`);
    }
  }
  for (const device of devices)
    if (device.type === 'PRIVATE')
      for (const { start, end } of device.chunks)
        for (const pfn of user.keys())
          if (pfn >= start && pfn < end) is(backing.has(pfn), true, `page ${hex(pfn)} has RAM behind it`);
}

/** What the CPU maps there, in a table or as part of a huge entry. */
export const entryAt = (mm: Mm, vpn: number): { pte: Pte; pfn: number } => {
  const huge = hugePmdAt(mm, vpn);
  if (huge) return { pte: huge.entry, pfn: pte_pfn(huge.entry) + (vpn % 512) };
  const pte = pteAt(mm, vpn) ?? NO_PTE;
  return { pte, pfn: pte_pfn(pte) };
};

/** What the device maps is what the CPU maps there, and is not writable where the CPU's is not. */
function checkMirror(kernel: Kernel, { notifier, pt, mdevice }: Dmirror): void {
  if (!notifier) throw new Error('an open mirror without a notifier');
  const { mm } = notifier;
  for (const [vpn, entry] of pt) {
    const { pte, pfn } = entryAt(mm, vpn);
    const text = `device ${mdevice.id} of ${mm.owner.pid} at ${hex(vpn * 4096)}`;
    const tag = dptTag(entry);
    const isThere = pte_present(pte) || is_device_private_entry(pte) || is_device_exclusive_entry(pte);
    if (!isThere) throw new Error(`${text}: mapped, and the CPU has an entry of kind ${pteKind(pte)}`);
    is(dptPfn(entry), backingPage(kernel, pfn), `${text}: the page that the CPU has`);
    if (tag === DPT_XA_TAG_WRITE && !canWrite(pte)) throw new Error(`${text}: writable, and not for the CPU`);
    if (is_device_exclusive_entry(pte) && tag !== DPT_XA_TAG_ATOMIC) throw new Error(`${text}: not the only one`);
  }
}

const canWrite = (pte: Pte): boolean => pte_write(pte) || WRITABLE.has(pteKind(pte));
/** DeviceWrite, DeviceExclusiveWrite. */
const WRITABLE: ReadonlySet<number> = new Set([8, 10]);

/** Pages that are in use, but for the page cache and the huge zero page: compared at the beginning and at the end. */
export function usedPages({ kernel }: Machine): Record<string, number> {
  const { state } = kernel;
  let used = 0;
  let present = 0;
  for (const zone of kernel.nodes.flatMap(({ node_zones }) => node_zones)) {
    used += zone.managed_pages - zone.nr_free;
    present += zone.present_pages;
  }
  for (const file of state.files.values()) used -= file.pages.size;
  if (state.thp.huge_zero_pfn !== undefined) used -= 512;
  return { used, present };
}

export function expectNothingLeft(machine: Machine): void {
  const { state } = machine.kernel;
  expect([...state.mms.keys()], 'address spaces').toEqual([]);
  expect([...state.processes.keys()], 'processes').toEqual([]);
  expect([...state.swap.keys()], 'swap files').toEqual([]);
  expect(state.lru_add, 'the LRU batch').toEqual([]);
  expect(
    state.mutexes.map(({ name }) => name),
    'mutexes',
  ).toEqual([]);
  expect([...state.injectedPins.keys(), ...state.userPins.keys()], 'pins').toEqual([]);
}
