/**
 * Where a memory map that is only computed would lie: mm/memblock.c's top-down rule. Each
 * request takes the highest free place of its node that is high enough and permanently
 * mapped; a node without room takes it from any other.
 */
import { bytesPerPage } from '../arch/layout.ts';
import { freeRanges, type NodeRange } from './memblock.ts';
import { linearStart, type ModelSetup } from './model_setup.ts';

export const TOP_DOWN_RULE =
  'memblock, top-down: the highest free place of the node in permanently mapped memory, nothing else allocated meanwhile';

interface FreeBytes {
  start: bigint;
  end: bigint;
  nid: number;
}

export class TopDown {
  private readonly free: FreeBytes[];

  constructor(setup: ModelSetup) {
    const page = bytesPerPage(setup.layout);
    const lowest = linearStart(setup);
    const { lowmem } = setup.layout;
    this.free = freeRanges(setup.memory, setup.taken)
      .map((range: NodeRange) => ({ start: BigInt(range.start) * page, end: BigInt(range.end) * page, nid: range.nid }))
      .map((range) => {
        const limit = lowmem === undefined ? range.end : lowest + lowmem;
        return {
          ...range,
          start: range.start < lowest ? lowest : range.start,
          end: range.end < limit ? range.end : limit,
        };
      })
      .filter((range) => range.start < range.end)
      .sort((a, b) => (a.start < b.start ? -1 : 1));
  }

  /** The physical address of `size` bytes, or undefined where no range has room. */
  alloc(size: bigint, align: bigint, nid: number): bigint | undefined {
    return this.take(size, align, nid) ?? this.take(size, align, undefined);
  }

  private take(size: bigint, align: bigint, nid: number | undefined): bigint | undefined {
    for (let i = this.free.length - 1; i >= 0; i--) {
      const range = this.free[i];
      if (!range || (nid !== undefined && range.nid !== nid)) continue;
      const start = ((range.end - size) / align) * align;
      if (range.end < size || start < range.start) continue;
      const rest: FreeBytes[] = [];
      if (start > range.start) rest.push({ ...range, end: start });
      if (start + size < range.end) rest.push({ ...range, start: start + size });
      this.free.splice(i, 1, ...rest);
      return start;
    }
    return undefined;
  }
}

/** memblock aligns to powers of two only; anything else is aligned to a page. */
export const alignmentFor = (size: bigint, page: bigint): bigint => ((size & (size - 1n)) === 0n ? size : page);
