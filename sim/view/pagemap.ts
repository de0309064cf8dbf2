/** What the Pagemap panel draws: extents, tiles of cells, and one decoded struct page. */
import { PAGE_SIZE, PAGES_PER_SECTION, PAGES_PER_SUBSECTION } from '../arch/x86_64.ts';
import {
  kindOf,
  nodeOf,
  orderOf,
  SECTION_HAS_MEM_MAP,
  SECTION_IS_EARLY,
  SECTION_IS_ONLINE,
  SECTION_MARKED_PRESENT,
  SECTION_TAINT_ZONE_DEVICE,
  SUBSECTION_POPULATED,
  zoneOf,
} from '../include/mmzone.ts';
import { PAGE_KINDS, PageKind, ZONE_NAMES } from '../include/types.ts';
import { walk } from '../kernel/resource.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import type { Machine } from '../machine/machine.ts';
import { devmapCompound, page_ref_count } from '../mm/compound_page.ts';
import { blockAt } from '../mm/memory_block.ts';
import { flagsWord } from '../mm/page_flags.ts';
import { page_pgmap, pagemapType } from '../mm/pagemap.ts';
import { pfn_is_online, pfn_valid, sectionFlags } from '../mm/sparse.ts';
import { runsOf } from '../store/column.ts';
import type { Changes } from '../store/store.ts';
import type { ExtentView, PagemapSnapshot, PageView, Position, Tile } from './types.ts';
import { TILE_CELLS } from './types.ts';
import { endOfMemory, typeName } from './zones.ts';

export const KIND_TEXT: Readonly<Record<PageKind, string>> = {
  [PageKind.Hole]: 'no struct page',
  [PageKind.Reserved]: 'reserved at boot',
  [PageKind.Free]: 'free',
  [PageKind.Kernel]: 'allocated by the kernel',
  [PageKind.Anon]: 'anonymous',
  [PageKind.File]: 'file',
  [PageKind.Memmap]: 'holds struct pages',
  [PageKind.Offline]: 'offline',
  [PageKind.DevicePrivate]: 'device private, free',
  [PageKind.DeviceCoherent]: 'device coherent, free',
  [PageKind.FsDax]: 'fsdax',
  [PageKind.DevDax]: 'device dax (generic)',
  [PageKind.PciP2pdma]: 'PCI peer-to-peer',
  [PageKind.Poisoned]: 'struct page not initialised',
  [PageKind.Unavailable]: 'hole with a struct page',
  [PageKind.DeviceInUse]: 'device page in use',
};

/** Runs of sections that exist, joined over gaps shorter than a section; labelled by what they hold. */
export function extents(kernel: Kernel): ExtentView[] {
  const found: ExtentView[] = [];
  const end = Math.ceil(endOfMemory(kernel) / PAGES_PER_SECTION) * PAGES_PER_SECTION;
  const offline = offlineBlocks(kernel);
  const runs = runsOf(kernel.pages.section, 0, end).flatMap((run) => cutAtBlocks(run, offline));
  for (const run of runs) {
    if (run.value === 0) continue;
    const start = run.start - (run.start % PAGES_PER_SECTION);
    const stop = Math.ceil(run.end / PAGES_PER_SECTION) * PAGES_PER_SECTION;
    const label =
      (run.value & SECTION_IS_EARLY) !== 0
        ? 'RAM'
        : (run.value & SECTION_IS_ONLINE) !== 0 || run.isBlock
          ? 'hot-added RAM'
          : 'device memory';
    const last = found.at(-1);
    if (last && last.endPfn >= start) {
      if (last.label === label || stop <= last.endPfn) {
        last.endPfn = Math.max(last.endPfn, stop);
        continue;
      }
      found.push({ startPfn: last.endPfn, endPfn: stop, label });
      continue;
    }
    found.push({ startPfn: start, endPfn: stop, label });
  }
  return found;
}

interface Run {
  start: number;
  end: number;
  value: number;
}

/** Stretches of memory blocks that are offline, ascending. */
function offlineBlocks(kernel: Kernel): { start: number; end: number }[] {
  const size = kernel.state.memoryBlockPages;
  const found: { start: number; end: number }[] = [];
  const ids = [...kernel.state.memoryBlocks.values()].filter((block) => block.state === 'offline');
  for (const { id } of ids.sort((a, b) => a.id - b.id)) {
    const last = found.at(-1);
    if (last?.end === id * size) last.end += size;
    else found.push({ start: id * size, end: (id + 1) * size });
  }
  return found;
}

/** Sections of offline memory look like those of a device; only their block tells them apart. */
function cutAtBlocks(run: Run, blocks: readonly { start: number; end: number }[]): (Run & { isBlock: boolean })[] {
  const parts: (Run & { isBlock: boolean })[] = [];
  let at = run.start;
  for (const block of blocks) {
    if (block.end <= at || block.start >= run.end) continue;
    if (block.start > at) parts.push({ ...run, start: at, end: block.start, isBlock: false });
    const start = Math.max(at, block.start);
    at = Math.min(run.end, block.end);
    parts.push({ ...run, start, end: at, isBlock: true });
  }
  if (at < run.end) parts.push({ ...run, start: at, isBlock: false });
  return parts;
}

export function pagemapSnapshot(machine: Machine, position: Position, selected: number | undefined): PagemapSnapshot {
  const { kernel } = machine;
  const parts = extents(kernel);
  const totals = new Float64Array(PAGE_KINDS);
  for (const part of parts) kernel.pages.state.count(part.startPfn, part.endPfn, totals);
  return {
    position,
    pageSize: PAGE_SIZE,
    sectionPages: PAGES_PER_SECTION,
    extents: parts,
    totals: [...totals],
    changed: machine.lastChanges(4096).pages.map((run) => ({ startPfn: run.start, endPfn: run.end })),
    ...(selected === undefined ? {} : { selected }),
  };
}

/** One tile: per cell the two commonest kinds, the share of the first, and whether the last step changed a page of it. */
export function tile(machine: Machine, level: number, index: number, changes: Changes): Tile {
  const { state } = machine.kernel.pages;
  const per = 2 ** level;
  const first = index * TILE_CELLS * per;
  const cells = new Uint8Array(TILE_CELLS * 2);
  const counts = new Float64Array(PAGE_KINDS);
  // Uniform stretches fill many cells at once; only mixed cells are counted.
  state.runs(first, first + TILE_CELLS * per, (start, end, word) => {
    const from = Math.ceil((start - first) / per);
    const to = Math.floor((end - first) / per);
    const kind = kindOf(word);
    for (let cell = from; cell < to; cell++) {
      cells[cell * 2] = kind | (kind << 4);
      cells[cell * 2 + 1] = 127;
    }
    return undefined;
  });
  for (let cell = 0; cell < TILE_CELLS; cell++) {
    if (cells[cell * 2 + 1] !== 0) continue;
    counts.fill(0);
    state.count(first + cell * per, first + (cell + 1) * per, counts);
    let best = 0;
    let second = -1;
    for (let kind = 1; kind < PAGE_KINDS; kind++) {
      const count = counts[kind] ?? 0;
      if (count > (counts[best] ?? 0)) {
        second = best;
        best = kind;
      } else if (count > 0 && (second < 0 || count > (counts[second] ?? 0))) second = kind;
    }
    if (second < 0 || (counts[second] ?? 0) === 0) second = best;
    cells[cell * 2] = best | (second << 4);
    cells[cell * 2 + 1] = Math.max(1, Math.round(((counts[best] ?? 0) / per) * 127));
  }
  for (const run of changes.pages) {
    const from = Math.max(0, Math.floor((run.start - first) / per));
    const to = Math.min(TILE_CELLS, Math.ceil((run.end - first) / per));
    for (let cell = from; cell < to; cell++) cells[cell * 2 + 1] = (cells[cell * 2 + 1] ?? 0) | 128;
  }
  return { level, index, cells: cells.buffer };
}

function sectionText(flags: number): string {
  const letters: [number, string][] = [
    [SECTION_MARKED_PRESENT, 'P'],
    [SECTION_HAS_MEM_MAP, 'M'],
    [SECTION_IS_ONLINE, 'O'],
    [SECTION_IS_EARLY, 'E'],
    [SECTION_TAINT_ZONE_DEVICE, 'T'],
  ];
  return flags === 0 ? 'empty' : letters.map(([bit, letter]) => ((flags & bit) !== 0 ? letter : '-')).join('');
}

/** The decoded struct page of one page frame. */
export function pageView(machine: Machine, pfn: number): PageView {
  const { kernel } = machine;
  const { pages, arch } = kernel;
  const valid = pfn_valid(kernel, pfn);
  const word = pages.state.get(pfn);
  const kind = kindOf(word);
  const initialised = valid && kind !== PageKind.Poisoned && kind !== PageKind.Hole;
  const flags = initialised ? flagsWord(kernel, pfn) : undefined;
  const address = arch.VMEMMAP_START + BigInt(pfn) * BigInt(arch.sizeofPage);
  const map = initialised ? page_pgmap(kernel, pfn) : undefined;
  const physical = BigInt(pfn) << 12n;
  const resources = [...walk(kernel.state.iomem)].filter(
    ({ resource }) => resource.start <= physical && resource.end >= physical,
  );
  const section = sectionFlags(kernel, pfn);
  const block = blockAt(kernel, pfn);
  const mapcount = pages.mapcount.get(pfn) | 0;
  return {
    revision: machine.revision,
    pfn,
    physical: physical.toString(16),
    valid,
    online: pfn_is_online(kernel, pfn),
    kind,
    kindText: KIND_TEXT[kind],
    pageAddress: address.toString(16),
    pageAddressText: `vmemmap ${hex(arch.VMEMMAP_START)} + pfn ${hex(pfn)} × ${arch.sizeofPage} bytes`,
    ...(flags ? { flags: flags.word.toString(16) } : {}),
    flagFields: flags?.fields ?? [],
    ...(initialised
      ? {
          refcount: page_ref_count(kernel, pfn) | 0,
          mapcount: mapcount + 1,
          order: devmapCompound(kernel, pfn)?.order ?? orderOf(word),
          node: nodeOf(word),
          zone: ZONE_NAMES[zoneOf(word)] ?? '',
        }
      : {}),
    section: Math.floor(pfn / PAGES_PER_SECTION),
    subsection: Math.floor((pfn % PAGES_PER_SECTION) / PAGES_PER_SUBSECTION),
    sectionState: `${sectionText(section)}${kernel.facts.subsectionHotplug && (pages.section.get(pfn) & SUBSECTION_POPULATED) !== 0 ? ', sub-section populated' : ''}`,
    ...(block ? { block: `memory${block.id}` } : {}),
    ...(map
      ? {
          pgmap: `#${map.id} ${map.name} (${typeName(kernel, pagemapType(kernel, typeof map.pgmap.type === 'bigint' ? map.pgmap.type : 0n))})`,
        }
      : {}),
    ...(resources.length > 0 ? { resource: resources.map(({ resource }) => resource.name).join(' › ') } : {}),
    changed: changedFields(machine, pfn),
  };
}

/** What of a page the last step changed: each column as it was before the step beside what it is now. */
function changedFields(machine: Machine, pfn: number): string[] {
  const step = machine.lastStep;
  if (!step || !machine.lastChanges().pages.some((run) => pfn >= run.start && pfn < run.end)) return [];
  const { kernel } = machine;
  const now = kernel.mark();
  const after = fieldsAt(kernel, pfn);
  // Of a step larger than the journal only the end is known.
  kernel.store.travel(Math.max(step.from, kernel.store.oldest));
  const before = fieldsAt(kernel, pfn);
  kernel.store.travel(now);
  return Object.keys(after).filter((name) => after[name] !== before[name]);
}

function fieldsAt(kernel: Kernel, pfn: number): Record<string, number> {
  const { state, flags, refcount, mapcount, pgmap, section } = kernel.pages;
  const word = state.get(pfn);
  return {
    kind: kindOf(word),
    order: orderOf(word),
    zone: zoneOf(word),
    node: nodeOf(word),
    flags: flags.get(pfn),
    refcount: refcount.get(pfn),
    mapcount: mapcount.get(pfn),
    pgmap: pgmap.get(pfn),
    section: section.get(pfn),
  };
}
