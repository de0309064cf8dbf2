/**
 * What memblock held at boot. The kernel image, the initrd and the nodes' own data are
 * where the files say; everything else is put where boot usually has it, so that every
 * zone has exactly as many pages managed as it had.
 */
import { PAGES_PER_SECTION } from '../../arch/x86_64.ts';
import { ZONE_DMA32, ZONE_MOVABLE } from '../../include/types.ts';
import { freeRanges, memblockMemory, type NodeRange, type PfnRange, sectionsOf } from '../../mm/memblock.ts';
import type { AddressRange, MachineConfig } from '../config.ts';
import { join, type Sources } from './memory.ts';
import type { ImportNote } from './text.ts';
import type { ImportedZone } from './zoneinfo.ts';

export type Reserved = AddressRange & { what: string };

const PAGE = 4096n;
const down = (address: bigint): number => Number(address / PAGE);
const up = (address: bigint): number => Number((address + PAGE - 1n) / PAGE);
const pagesOf = (range: AddressRange): number => up(range.end + 1n) - down(range.start);
const pages = (kib: number): number => Math.ceil(kib / 4);
const hugeUp = (pfn: number): number => Math.ceil(pfn / 512) * 512;
/** What is given back goes page by page: of more than 512 MiB nothing is, whatever the files say. */
const MAX_FREED = 0x20000;
const MAX_RESERVED = 1024;
const BRK = 'Kernel percpu template and brk';
const FREED = 'freed';

/** The kernel image in the order it lies in memory: parts that stay, and gaps and init code that are given back. */
function image(sources: Sources, notes: ImportNote[]): Reserved[] {
  const { iomem, log } = sources;
  const parts = new Map<string, AddressRange>();
  if (iomem && !iomem.hidden)
    for (const entry of iomem.entries)
      if (/^Kernel (code|rodata|data|bss)$/.test(entry.name) && !parts.has(entry.name)) parts.set(entry.name, entry);
  if (!parts.has('Kernel code')) estimateImage(sources, parts, notes);
  const out: Reserved[] = [...parts].map(([what, { start, end }]) => ({ start, end, what }));
  const code = parts.get('Kernel code');
  const rodata = parts.get('Kernel rodata');
  const data = parts.get('Kernel data');
  const bss = parts.get('Kernel bss');
  const between = (what: string, first: number, last: number): void => {
    if (first < last && last - first <= MAX_FREED)
      out.push({ start: BigInt(first) << 12n, end: (BigInt(last) << 12n) - 1n, what });
  };
  if (code && rodata) between('Kernel rodata/data gap', up(code.end + 1n), down(rodata.start));
  if (rodata && data) between('Kernel rodata/data gap', up(rodata.end + 1n), down(data.start));
  if (data && bss) {
    const last = down(bss.start);
    const first = up(data.end + 1n);
    const init = Math.min(
      Math.max(0, last - first),
      pages(log?.freed.get('initmem') ?? log?.image.get('init') ?? 2048),
    );
    between(BRK, first, last - init);
    between('Kernel init', last - init, last);
  }
  return out;
}

/** Without root: the sizes the log has, from 16 MiB on, each part at a 2 MiB border; or usual sizes. */
function estimateImage({ log }: Sources, parts: Map<string, AddressRange>, notes: ImportNote[]): void {
  const size = (name: string, usual: number): number => pages(log?.image.get(name) ?? usual);
  let pfn = 0x1000;
  const place = (what: string, count: number): void => {
    parts.set(what, { start: BigInt(pfn) << 12n, end: (BigInt(pfn + count) << 12n) - 1n });
    pfn = hugeUp(pfn + count);
  };
  place('Kernel code', size('kernel code', 8192));
  place('Kernel rodata', size('rodata', 2560));
  place('Kernel data', size('rwdata', 4608));
  pfn += size('init', 2048);
  place('Kernel bss', size('bss', 2048));
  notes.push({
    what: 'the kernel image is taken to lie at 16 MiB',
    ...(log?.image.size ? { from: 'its sizes in the kernel log' } : {}),
    exact: 'proc/iomem copied as root',
  });
}

const FREED_LATER = new Set(['initrd', 'Kernel init', 'Kernel rodata/data gap']);

/** The zone a boot loader puts an initrd in: below 4 GiB, or where there is most room. */
export function initrdZone(zones: readonly ImportedZone[]): ImportedZone | undefined {
  return (
    zones.find((zone) => zone.index === ZONE_DMA32 && zone.managed > 0) ??
    [...zones].filter((zone) => zone.index < ZONE_MOVABLE).sort((a, b) => b.managed - a.managed)[0]
  );
}

/** Everything memblock held, in ascending order. */
export function reservedMemory(
  config: MachineConfig,
  zones: readonly ImportedZone[],
  sources: Sources,
  notes: ImportNote[],
  /** Pages of an initrd that no log tells of. */
  initrdPages = 0,
): Reserved[] {
  const memory = memblockMemory(config);
  const known = image(sources, notes);
  const { log } = sources;
  const initrd = log?.ramdisk;
  if (initrd && pagesOf(initrd) <= MAX_FREED) known.push({ start: initrd.start, end: initrd.end, what: 'initrd' });
  for (const range of log?.pgdat ?? [])
    if (pagesOf(range) <= MAX_FREED) known.push({ start: range.start, end: range.end, what: 'pgdat' });
  const out: Reserved[] = [];
  const taken: (PfnRange & { what: string })[] = [];
  const take = (range: AddressRange, what: string): void => {
    const span = { start: down(range.start), end: up(range.end + 1n) };
    // Nothing may be held, or given back, twice.
    if (taken.some((other) => other.start < span.end && other.end > span.start)) return;
    if (freeRanges(memory, []).every((ram) => ram.start >= span.end || ram.end <= span.start)) return;
    out.push({ start: range.start, end: range.end, what });
    taken.push({ ...span, what: FREED_LATER.has(what) ? FREED : what });
  };
  for (const range of known) take(range, range.what);
  const parts = zones
    .filter((zone) => zone.present > 0)
    .map((zone) => ({ zone, ram: ramOf(memory, zone), left: zone.present - zone.managed }));
  const settle = (): void => {
    for (const part of parts)
      part.left =
        part.zone.present -
        part.zone.managed -
        overlap(
          part.ram,
          taken.filter((range) => range.what !== FREED),
        );
  };
  settle();
  // More is held than the zone lacked: then more of the image was init code than the log, or the usual, says.
  const brk = out.find((range) => range.what === BRK);
  const short =
    brk &&
    parts.find(
      (part) => part.left < 0 && part.ram.some((ram) => ram.start <= down(brk.start) && ram.end > down(brk.start)),
    );
  if (brk && short) {
    const count = Math.min(-short.left, pagesOf(brk));
    const at = brk.end + 1n - (BigInt(count) << 12n);
    release(taken, down(brk.start), down(at));
    if (at > brk.start) out.push({ start: brk.start, end: at - 1n, what: BRK });
    Object.assign(brk, { start: at, what: 'Kernel init' });
    settle();
  }
  // All of the first MiB since 5.13; from the bottom up where a zone lacked less than that.
  const low = parts.find((part) => part.zone.node === 0 && (part.ram[0]?.start ?? 0x100) < 0x100);
  if (low) {
    const end = lowEnd(low.ram, low.left);
    if (end > 0) take({ start: 0n, end: (BigInt(end) << 12n) - 1n }, 'low 1 MiB');
    settle();
  }
  const put = (ram: readonly NodeRange[], count: number, align: number, what: string): void => {
    let left = count;
    for (const range of freeRanges(
      ram,
      [...taken].sort((a, b) => a.start - b.start),
    ).reverse()) {
      if (left <= 0) break;
      const end = range.end - (range.end % align);
      const start = Math.max(Math.ceil(range.start / align) * align, end - left);
      if (start >= end) continue;
      take({ start: BigInt(start) << 12n, end: (BigInt(end) << 12n) - 1n }, what);
      left -= end - start;
    }
  };
  for (const node of config.nodes) {
    const sections = sectionsOf(
      memory.filter((range) => range.nid === node.id),
      PAGES_PER_SECTION,
    );
    // Struct pages lie on their own node if there is room, and never where a zone had less reserved.
    let wanted = sections * (PAGES_PER_SECTION / 64);
    for (const part of parts.filter(({ zone }) => zone.node === node.id).sort((a, b) => b.left - a.left)) {
      const room = Math.min(wanted, part.left);
      const count = room - (room % 512);
      if (count <= 0) continue;
      put(part.ram, count, 512, 'memmap');
      wanted -= count;
      settle();
    }
  }
  const home = initrdPages > 0 ? parts.find(({ zone }) => zone === initrdZone(zones)) : undefined;
  if (home) put(home.ram, initrdPages, 1, 'initrd');
  for (const part of parts) if (part.left > 0) put(part.ram, part.left, 1, 'other early allocations');
  notes.push({
    what: 'which pages boot kept for itself, besides the kernel image, is estimated: as many as each zone lacked',
    from: 'proc/zoneinfo',
  });
  if (out.length > MAX_RESERVED)
    notes.push({ what: `${out.length - MAX_RESERVED} of the ranges that boot kept are left out` });
  return out.slice(0, MAX_RESERVED).sort((a, b) => (a.start < b.start ? -1 : 1));
}

/** Pages from `from` on of what was held at `start` are given back later. */
function release(taken: (PfnRange & { what: string })[], start: number, from: number): void {
  const held = taken.find((range) => range.start === start);
  if (!held) return;
  taken.push({ start: from, end: held.end, what: FREED });
  held.end = from;
}

/** Where the first MiB ends, or `count` pages of RAM from 0 on if that comes before. */
function lowEnd(ram: readonly PfnRange[], count: number): number {
  let left = count;
  for (const range of ram) {
    if (range.start >= 0x100) break;
    const inside = Math.min(range.end, 0x100) - range.start;
    if (inside > left) return left > 0 ? range.start + left : 0;
    left -= inside;
  }
  return 0x100;
}

const ramOf = (memory: readonly NodeRange[], zone: ImportedZone): NodeRange[] =>
  memory
    .filter((range) => range.nid === zone.node)
    .map((range) => ({
      nid: range.nid,
      start: Math.max(range.start, zone.start ?? 0),
      end: Math.min(range.end, (zone.start ?? 0) + zone.spanned),
    }))
    .filter((range) => range.start < range.end);

function overlap(ram: readonly PfnRange[], held: readonly PfnRange[]): number {
  let sum = 0;
  for (const range of join(held))
    for (const part of ram) sum += Math.max(0, Math.min(range.end, part.end) - Math.max(range.start, part.start));
  return sum;
}
