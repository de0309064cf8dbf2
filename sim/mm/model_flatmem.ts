/** FLATMEM: one array for all page frames (include/asm-generic/memory_model.h, mm/mm_init.c:alloc_node_mem_map). */
import { bytesPerPage, maxOrderPages } from '../arch/layout.ts';
import { TOP_DOWN_RULE, TopDown } from './model_alloc.ts';
import {
  type Conversion,
  flagsOf,
  hx,
  isRam,
  type MapPiece,
  type ModelInstance,
  type ModelSetup,
  maxPfn,
  NoModel,
  pfnOffset,
  pointerIn,
  StepList,
  virtualOf,
} from './model_setup.ts';

export function flatmem(setup: ModelSetup): ModelInstance {
  const { layout } = setup;
  const flags = flagsOf(setup, 'flatmem');
  const size = BigInt(flags.sizeofPage);
  const unit = maxOrderPages(layout);
  const offset = pfnOffset(setup);
  // Without a permanent mapping below it, the map begins where RAM begins, rounded to the largest block.
  const lowest = setup.memory.reduce((low, range) => Math.min(low, range.start), Number.MAX_SAFE_INTEGER);
  const start = Math.floor(Math.max(lowest, offset) / unit) * unit;
  const end = Math.ceil(maxPfn(setup) / unit) * unit;
  const bytes = BigInt(end - start) * size;
  const physical = new TopDown(setup).alloc(bytes, 64n, 0);
  if (physical === undefined)
    throw new NoModel(
      `mem_map would take ${bytes} bytes for ${end - start} page frames, and no permanently mapped range has room`,
    );
  const map = virtualOf(setup, physical);
  const mem_map = pointerIn(setup, map - BigInt(start - offset) * size);
  const maxMapnr = maxPfn(setup) - offset;
  const freed = freedParts(setup, mem_map, offset, size);
  const page = bytesPerPage(layout);

  const isValid = (pfn: number): boolean => {
    if (layout.valid === 'memblock') return isRam(setup, pfn);
    if (layout.valid === 'memblock pageblock') {
      const block = 2 ** layout.pageblock_order;
      const from = Math.floor(pfn / block) * block;
      return setup.memory.some((range) => range.start < from + block && range.end > from);
    }
    return pfn >= offset && pfn - offset < maxMapnr;
  };
  const validNote = (pfn: number): string => {
    if (layout.valid === 'memblock') return `pfn_valid asks memblock whether ${hx(pfn)} is memory: ${isValid(pfn)}`;
    if (layout.valid === 'memblock pageblock')
      return `pfn_valid asks memblock whether the pageblock of ${hx(pfn)} has memory: ${isValid(pfn)}`;
    return `pfn_valid: ${hx(offset)} <= ${hx(pfn)} && ${hx(pfn)} - ${hx(offset)} < max_mapnr ${hx(maxMapnr)}: ${isValid(pfn)}`;
  };
  const remark = (list: StepList, pfn: number): void => {
    list.notes.push(validNote(pfn));
    const gone = freed.find((piece) => pfn >= piece.start && pfn < piece.start + piece.pages);
    if (gone) list.notes.push('this part of mem_map was freed at boot: the address holds something else now');
    else if (isValid(pfn) && !isRam(setup, pfn))
      list.notes.push('a hole: it has a struct page, reserved, and no memory');
  };

  return {
    model: 'flatmem',
    setup,
    flags,
    rule: TOP_DOWN_RULE,
    facts: [
      `mem_map ${hx(mem_map)}: ${end - start} struct pages of ${size} bytes, ${bytes} bytes in all`,
      `ARCH_PFN_OFFSET ${hx(offset)}, max_mapnr ${hx(maxMapnr)}`,
    ],
    maps: [{ start, pages: end - start, address: map, what: 'mem_map', frame: Number(physical / page) }],
    freed,
    remarks: [],
    pfnToPage(pfn) {
      const list = new StepList();
      list.add('ARCH_PFN_OFFSET', layout.pfnOffsetIsRamStart ? 'PHYS_OFFSET >> PAGE_SHIFT' : '0UL', '', offset);
      list.add('mem_map', 'NODE_DATA(0)->node_mem_map', '', mem_map);
      const index = list.add('index', 'pfn - ARCH_PFN_OFFSET', `${hx(pfn)} - ${hx(offset)}`, pfn - offset);
      const distance = list.add('bytes', 'index * sizeof(struct page)', `${hx(index)} * ${size}`, index * size);
      const value = list.add(
        'page',
        'mem_map + index',
        `${hx(mem_map)} + ${hx(distance)}`,
        pointerIn(setup, mem_map + distance),
      );
      remark(list, pfn);
      return list.end(isValid(pfn), value);
    },
    pageToPfn(address): Conversion {
      const list = new StepList();
      list.add('mem_map', 'NODE_DATA(0)->node_mem_map', '', mem_map);
      const distance = list.add('bytes', 'page - mem_map', `${hx(address)} - ${hx(mem_map)}`, address - mem_map);
      const index = list.add('index', 'bytes / sizeof(struct page)', `${hx(distance)} / ${size}`, distance / size);
      const pfn = list.add('pfn', 'index + ARCH_PFN_OFFSET', `${hx(index)} + ${hx(offset)}`, index + BigInt(offset));
      const inside = address >= map && address < map + bytes && distance % size === 0n;
      if (!inside) list.notes.push('the address is not that of a struct page of mem_map');
      else remark(list, Number(pfn));
      return list.end(inside && isValid(Number(pfn)), pfn);
    },
  };
}

/**
 * mm/memblock.c:free_unused_memmap (arch/arm/mm/init.c earlier): where RAM has gaps, the
 * whole pages of mem_map that describe only the gap go back. The borders of banks are first
 * widened to blocks of the largest order, since 5.14 to pageblocks.
 */
function freedParts(setup: ModelSetup, mem_map: bigint, offset: number, size: bigint): MapPiece[] {
  const { layout } = setup;
  if (layout.valid !== 'memblock' && layout.valid !== 'memblock pageblock') return [];
  const unit = layout.valid === 'memblock' ? maxOrderPages(layout) : 2 ** layout.pageblock_order;
  const page = bytesPerPage(layout);
  const pieces: MapPiece[] = [];
  let last: number | undefined;
  for (const range of setup.memory) {
    const start = Math.floor(range.start / unit) * unit;
    if (last !== undefined && last < start) {
      const at = (pfn: number): bigint => mem_map + BigInt(pfn - offset) * size;
      const from = ((at(last) + page - 1n) / page) * page;
      const to = (at(start) / page) * page;
      if (from < to)
        pieces.push({
          start: offset + Number((from - mem_map) / size),
          pages: Number((to - from) / size),
          address: from,
          what: 'freed part of mem_map',
        });
    }
    last = Math.ceil(range.end / unit) * unit;
  }
  return pieces;
}
