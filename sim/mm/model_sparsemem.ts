/**
 * Classic SPARSEMEM: the map of each section by itself, the section number in page->flags
 * (include/asm-generic/memory_model.h, mm/sparse.c), with SPARSEMEM_EXTREME or a static table.
 */
import { bytesPerPage } from '../arch/layout.ts';
import { sectionFlagMask } from '../include/section_flags.ts';
import { factHolds } from '../kernel/release.ts';
import { alignmentFor, TOP_DOWN_RULE, TopDown } from './model_alloc.ts';
import {
  allocatedRoots,
  earlyFlags,
  presentSections,
  runOf,
  type SectionRun,
  sectionMapSize,
  sectionNumbers,
  sparse_encode_mem_map,
} from './model_sections.ts';
import {
  flagsOf,
  hx,
  isRam,
  type MapPiece,
  type ModelInstance,
  type ModelSetup,
  NoModel,
  nodeAt,
  pointerIn,
  StepList,
  virtualOf,
  zoneAt,
} from './model_setup.ts';
import { encodePageFlags, fieldOf } from './page_flags_layout.ts';

interface MappedRun extends SectionRun {
  /** Address of the map of the first section; the others follow. */
  map: bigint;
  physical: bigint;
}

export function sparsemem(setup: ModelSetup, extreme: boolean): ModelInstance {
  const model = extreme ? 'sparsemem-extreme' : 'sparsemem-static';
  const { layout, release } = setup;
  const numbers = sectionNumbers(setup, extreme);
  const flags = flagsOf(setup, model);
  const size = BigInt(flags.sizeofPage);
  const page = bytesPerPage(layout);
  const bits = BigInt(earlyFlags(setup));
  const mapSize = sectionMapSize(setup, numbers, size);
  const word = BigInt(layout.BITS_PER_LONG / 8);
  const alloc = new TopDown(setup);
  const present = presentSections(setup, numbers);
  const pointers = extreme ? alloc.alloc(BigInt(numbers.NR_SECTION_ROOTS) * word, 64n, 0) : undefined;
  const roots = new Map<number, bigint>();
  if (extreme)
    for (const range of allocatedRoots(present, numbers))
      for (let root = range.start; root < range.end; root++) {
        const nid = nodeAt(setup, root * numbers.SECTIONS_PER_ROOT * numbers.PAGES_PER_SECTION);
        const at = alloc.alloc(page, page, nid);
        if (at !== undefined) roots.set(root, virtualOf(setup, at));
      }
  const runs = allocateMaps(setup, present, mapSize, alloc);

  const codedOf = (run: MappedRun, section: number): bigint =>
    sparse_encode_mem_map(
      setup,
      run.map + BigInt(section - run.first) * mapSize,
      section * numbers.PAGES_PER_SECTION,
      size,
    ) | bits;

  /** __nr_to_section and what it holds; undefined where there is no such section. */
  const lookUp = (list: StepList, section: number): bigint | undefined => {
    const run = runOf(runs, section) as MappedRun | undefined;
    const { sizeofSection, SECTIONS_PER_ROOT } = numbers;
    if (section >= numbers.NR_MEM_SECTIONS) {
      list.notes.push(`section ${section} lies beyond NR_MEM_SECTIONS ${numbers.NR_MEM_SECTIONS}`);
      return undefined;
    }
    if (extreme) {
      const index = Math.floor(section / SECTIONS_PER_ROOT);
      const slot = section % SECTIONS_PER_ROOT;
      list.add('root', 'section / SECTIONS_PER_ROOT', `${section} / ${SECTIONS_PER_ROOT}`, index, String(index));
      list.add('slot', 'section & SECTION_ROOT_MASK', `${section} & ${hx(SECTIONS_PER_ROOT - 1)}`, slot, String(slot));
      const root = roots.get(index);
      list.add('mem_section[root]', 'a page of mem_sections', '', root ?? 0n, root === undefined ? 'NULL' : undefined);
      if (root === undefined) {
        list.notes.push('the root was never allocated: __nr_to_section gives NULL and reading it is a bad access');
        return undefined;
      }
      list.add(
        'ms',
        'mem_section[root] + slot',
        `${hx(root)} + ${slot} * ${sizeofSection}`,
        root + BigInt(slot * sizeofSection),
      );
    } else
      list.add(
        'ms',
        '&mem_section[section][0]',
        `mem_section + ${section} * ${sizeofSection}`,
        section * sizeofSection,
        `mem_section + ${hx(section * sizeofSection)}`,
      );
    const value = run ? codedOf(run, section) : 0n;
    list.add('section_mem_map', 'ms->section_mem_map', '', value);
    if (!run) {
      list.notes.push(`section ${section} has no memory: its word is 0, and what follows is no struct page`);
      return 0n;
    }
    const mask = numbers.SECTION_MAP_MASK;
    return list.add('map', 'section_mem_map & SECTION_MAP_MASK', `${hx(value)} & ${hx(mask)}`, value & mask);
  };
  const remark = (list: StepList, pfn: number, valid: boolean): void => {
    list.notes.push(`pfn_valid: the section has SECTION_HAS_MEM_MAP: ${valid}`);
    if (valid && !isRam(setup, pfn)) list.notes.push('a hole inside the section: it has a struct page and no memory');
  };

  return {
    model,
    setup,
    flags,
    rule: `${TOP_DOWN_RULE}; the maps of a node's sections in one buffer, ascending`,
    facts: tableFacts(numbers, extreme, roots.size, pointers, Number(word), release),
    maps: runs.map(
      (run): MapPiece => ({
        start: run.first * numbers.PAGES_PER_SECTION,
        pages: run.count * numbers.PAGES_PER_SECTION,
        address: run.map,
        what: `maps of sections ${run.first}-${run.first + run.count - 1} on node ${run.nid}, ${mapSize} bytes each`,
        frame: Number(run.physical / page),
      }),
    ),
    freed: [],
    remarks: [],
    pfnToPage(pfn) {
      const list = new StepList();
      const shift = numbers.PFN_SECTION_SHIFT;
      const section = Math.floor(pfn / numbers.PAGES_PER_SECTION);
      list.add('section', 'pfn >> PFN_SECTION_SHIFT', `${hx(pfn)} >> ${shift}`, section, String(section));
      const map = lookUp(list, section);
      if (map === undefined) return list.end(false);
      const bytes = list.add('bytes', 'pfn * sizeof(struct page)', `${hx(pfn)} * ${size}`, BigInt(pfn) * size);
      const value = list.add('page', 'map + pfn', `${hx(map)} + ${hx(bytes)}`, pointerIn(setup, map + bytes));
      const valid = runOf(runs, section) !== undefined;
      if (valid) remark(list, pfn, true);
      return list.end(valid, value);
    },
    pageToPfn(address) {
      const list = new StepList();
      const run = runs.find((one) => address >= one.map && address < one.map + BigInt(one.count) * mapSize);
      const inMap = run ? (address - run.map) % mapSize : 0n;
      if (!run || inMap % size !== 0n || inMap >= BigInt(numbers.PAGES_PER_SECTION) * size) {
        list.notes.push('the address is not that of a struct page of any section: page->flags cannot be read there');
        return list.end(false);
      }
      const nr = run.first + Number((address - run.map) / mapSize);
      const at = nr * numbers.PAGES_PER_SECTION + Number(inMap / size);
      const value = list.add(
        'page->flags',
        'its SECTION, NODE and ZONE fields',
        '',
        encodePageFlags(flags, { SECTION: nr, NODE: run.nid, ZONE: zoneAt(setup, at) }, 0),
      );
      const section = fieldOf(flags, value, 'SECTION');
      list.add(
        'section',
        '(flags >> SECTIONS_PGSHIFT) & SECTIONS_MASK',
        `(${hx(value)} >> ${flags.shift.SECTION}) & ${hx((1n << BigInt(flags.width.SECTION)) - 1n)}`,
        section,
        String(section),
      );
      const map = lookUp(list, section) ?? 0n;
      const bytes = list.add('bytes', 'page - map', `${hx(address)} - ${hx(map)}`, pointerIn(setup, address - map));
      const pfn = list.add('pfn', 'bytes / sizeof(struct page)', `${hx(bytes)} / ${size}`, bytes / size);
      remark(list, Number(pfn), true);
      return list.end(true, pfn);
    },
  };
}

/** sparse.c:sparse_init_nid: one buffer a node, from which each section takes its map. */
function allocateMaps(setup: ModelSetup, present: readonly SectionRun[], mapSize: bigint, alloc: TopDown): MappedRun[] {
  const runs: MappedRun[] = [];
  const page = bytesPerPage(setup.layout);
  for (const nid of new Set(present.map((run) => run.nid))) {
    const own = present.filter((run) => run.nid === nid);
    const count = own.reduce((sum, run) => sum + run.count, 0);
    const physical = alloc.alloc(BigInt(count) * mapSize, alignmentFor(mapSize, page), nid);
    if (physical === undefined)
      throw new NoModel(
        `the maps of ${count} sections of node ${nid} would take ${BigInt(count) * mapSize} bytes, and no permanently mapped range has room`,
      );
    let at = physical;
    for (const run of own) {
      runs.push({ ...run, physical: at, map: virtualOf(setup, at) });
      at += BigInt(run.count) * mapSize;
    }
  }
  return runs.sort((a, b) => a.first - b.first);
}

function tableFacts(
  numbers: ReturnType<typeof sectionNumbers>,
  extreme: boolean,
  roots: number,
  pointers: bigint | undefined,
  word: number,
  release: ModelSetup['release'],
): string[] {
  const { NR_MEM_SECTIONS, NR_SECTION_ROOTS, SECTIONS_PER_ROOT, sizeofSection } = numbers;
  const flagBits = sectionFlagMask(release).toString(2).length;
  return [
    `${NR_MEM_SECTIONS} sections of ${numbers.PAGES_PER_SECTION} pages can be numbered; struct mem_section has ${sizeofSection} bytes`,
    extreme
      ? `SECTIONS_PER_ROOT ${SECTIONS_PER_ROOT}, NR_SECTION_ROOTS ${NR_SECTION_ROOTS}: ${roots} root(s) of a page allocated, ${NR_SECTION_ROOTS * word} bytes of pointers ${factHolds('sectionRootsAtBoot', release) ? `allocated at ${hx(pointers ?? 0n)} (physical)` : 'in the kernel image'}`
      : `SECTIONS_PER_ROOT 1, NR_SECTION_ROOTS ${NR_SECTION_ROOTS}: the static table takes ${NR_MEM_SECTIONS * sizeofSection} bytes of the kernel image`,
    `${flagBits} flag bits at the low end of section_mem_map`,
  ];
}
