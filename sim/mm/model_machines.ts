/** Whose RAM a memory model is computed over: the running machine's, or an example of another architecture. */
import type { ArchLayout, ArchName } from '../arch/layout.ts';
import type { Release } from '../kernel/release.ts';
import type { Kernel } from '../machine/kernel.ts';
import { memblockMemory, memblockReserved, type NodeRange, type PfnRange } from './memblock.ts';
import type { ModelSetup } from './model_setup.ts';
import type { PageFlagsConfig } from './page_flags_layout.ts';

/** Bytes of RAM, end included, and the node they belong to. */
export interface Bank {
  start: bigint;
  end: bigint;
  nid: number;
}

const GiB = 1n << 30n;
const MiB = 1n << 20n;
const bank = (start: bigint, bytes: bigint, nid: number): Bank => ({ start, end: start + bytes - 1n, nid });

const EXAMPLES: Partial<Record<ArchName, { text: string; banks: readonly Bank[] }>> = {
  arm64: { text: '8 GiB in two banks', banks: [bank(2n * GiB, 2032n * MiB, 0), bank(34n * GiB, 6n * GiB, 0)] },
  arm: {
    text: '640 MiB in two banks with a gap between them',
    banks: [bank(0x80000000n, 512n * MiB, 0), bank(0xa8000000n, 128n * MiB, 0)],
  },
  alpha: { text: 'two QBBs of 1 GiB', banks: [bank(0n, GiB, 0), bank(64n * GiB, GiB, 1)] },
  arc: { text: '1 GiB of lowmem and 1 GiB of high memory', banks: [bank(0n, GiB, 1), bank(2n * GiB, GiB, 0)] },
  ia64: {
    text: 'two nodes',
    banks: [bank(64n * MiB, 1984n * MiB, 0), bank(4n * GiB, 2n * GiB, 0), bank(512n * GiB, 4n * GiB, 1)],
  },
  m68k: { text: 'chunks of 16 and 128 MiB', banks: [bank(0x7000000n, 16n * MiB, 0), bank(0x10000000n, 128n * MiB, 1)] },
  mips: { text: 'two nodes of 512 MiB', banks: [bank(0n, 512n * MiB, 0), bank(4n * GiB, 512n * MiB, 1)] },
  parisc: {
    text: '8 GiB as Astro maps them: 0-3.75, 4-8 and 67.75-68 GiB',
    banks: [bank(0n, 3840n * MiB, 0), bank(4n * GiB, 4n * GiB, 1), bank(69376n * MiB, 256n * MiB, 2)],
  },
};

/** A kernel of an example stands in the first 16 MiB of node 0. */
const IMAGE = 16n * MiB;

export interface SetupRequest {
  readonly layout: ArchLayout;
  readonly release: Release;
  readonly flags: PageFlagsConfig;
  readonly pageExtension: boolean;
  /** RAM that was asked for; absent: the machine's own, or the example of the architecture. */
  readonly banks?: readonly Bank[];
}

export function modelSetup(kernel: Kernel, request: SetupRequest): ModelSetup {
  const { banks, ...rest } = request;
  const { layout } = request;
  const example = EXAMPLES[layout.name];
  if (banks || example) {
    const own = banks ?? example?.banks ?? [];
    const memory = pagesOf(layout, own);
    const first = memory.find((range) => range.nid === 0) ?? memory[0];
    const image = Number(IMAGE >> BigInt(layout.PAGE_SHIFT));
    return {
      ...rest,
      memory,
      taken: first ? [{ start: first.start, end: Math.min(first.end, first.start + image) }] : [],
      source: banks ? 'the RAM asked for' : `an example: ${example?.text}`,
    };
  }
  const memory = memblockMemory(kernel.config);
  const sectionPages = 2 ** (kernel.arch.SECTION_SIZE_BITS - kernel.arch.PAGE_SHIFT);
  const taken: PfnRange[] = memblockReserved(kernel.config, memory, sectionPages).filter(
    (range) => range.what !== 'memmap',
  );
  const limit = 2 ** ((layout.MAX_PHYSMEM_BITS ?? 52) - layout.PAGE_SHIFT);
  const same =
    layout.name === kernel.arch.name &&
    layout.MAX_PHYSMEM_BITS === kernel.arch.MAX_PHYSMEM_BITS &&
    request.release === kernel.release;
  return {
    ...rest,
    memory: memory
      .filter((range) => range.start < limit)
      .map((range) => ({ ...range, end: Math.min(range.end, limit) })),
    taken,
    source: `the RAM of ${kernel.config.name}`,
    ...(same ? { booted: kernel } : {}),
  };
}

/** Whole pages of RAM, ascending; memblock joins what touches on one node. */
function pagesOf(layout: ArchLayout, banks: readonly Bank[]): NodeRange[] {
  const shift = BigInt(layout.PAGE_SHIFT);
  const page = 1n << shift;
  const ranges = banks
    .map((own) => ({
      start: Number((own.start + page - 1n) >> shift),
      end: Number((own.end + 1n) >> shift),
      nid: own.nid,
    }))
    .filter((range) => range.end > range.start)
    .sort((a, b) => a.start - b.start);
  const joined: NodeRange[] = [];
  for (const range of ranges) {
    const last = joined.at(-1);
    if (last && last.end === range.start && last.nid === range.nid) last.end = range.end;
    else joined.push({ ...range });
  }
  return joined;
}
