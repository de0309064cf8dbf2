/** Where ZONE_MOVABLE begins on each node: mm/mm_init.c (6.12, for every release). */
import { MAX_ORDER_NR_PAGES } from '../arch/x86_64.ts';
import type { CoreRequest, MemoryParameters } from '../machine/commandLine.ts';
import type { NodeRange, ReservedRange } from './memblock.ts';

const roundUp = (pages: number, to: number): number => Math.ceil(pages / to) * to;

/** cmdline_parse_core and the first lines of find_zone_movable_pfns_for_nodes: pages asked for. */
function pagesOf(request: CoreRequest | undefined, total: number): number {
  if (!request) return 0;
  if (request.percent > 0) return Math.floor((total * 100 * request.percent) / 10000);
  // An unsigned long in the kernel; more than there is is the same as all.
  const pages = request.bytes >> 12n;
  return pages > 2n ** 50n ? 2 ** 50 : Number(pages);
}

/**
 * mm_init.c:find_zone_movable_pfns_for_nodes: the first pfn of ZONE_MOVABLE by node; a node that is
 * not named has none. `lowest` is the first pfn of the highest populated zone, which ZONE_MOVABLE is cut from.
 * `log` gets what the kernel has to say.
 */
export function find_zone_movable_pfns_for_nodes(
  memory: readonly (NodeRange & { hotpluggable?: boolean })[],
  reserved: readonly ReservedRange[],
  asked: MemoryParameters,
  lowest: number,
  log: (text: string) => void,
): Map<number, number> {
  const movable = new Map<number, number>();
  if (asked.movableNode) {
    for (const range of numa_clear_kernel_node_hotplug(memory, reserved))
      movable.set(range.nid, Math.min(range.start, movable.get(range.nid) ?? range.start));
  } else if (asked.kernelcoreMirror) {
    log('The system has no mirror memory, ignore kernelcore=mirror.');
    return movable;
  } else spread(memory, asked, lowest, movable);
  for (const [nid, start] of movable) {
    const aligned = roundUp(start, MAX_ORDER_NR_PAGES);
    const end = Math.max(0, ...memory.filter((range) => range.nid === nid).map((range) => range.end));
    if (aligned >= end) movable.delete(nid);
    else movable.set(nid, aligned);
  }
  return movable;
}

/** arch/x86/mm/numa.c: a node that holds anything of the kernel cannot be pulled out. */
function numa_clear_kernel_node_hotplug(
  memory: readonly (NodeRange & { hotpluggable?: boolean })[],
  reserved: readonly ReservedRange[],
): NodeRange[] {
  const isKernels = (nid: number): boolean =>
    memory.some(
      (range) => range.nid === nid && reserved.some((taken) => taken.start < range.end && taken.end > range.start),
    );
  return memory.filter((range) => range.hotpluggable === true && !isKernels(range.nid));
}

/** kernelcore= and movablecore=: kernel memory is spread evenly over the nodes, then over what is left of them. */
function spread(
  memory: readonly NodeRange[],
  asked: MemoryParameters,
  lowest: number,
  movable: Map<number, number>,
): void {
  const total = memory.reduce((sum, range) => sum + range.end - range.start, 0);
  let required = pagesOf(asked.kernelcore, total);
  const wantedMovable = pagesOf(asked.movablecore, total);
  if (wantedMovable > 0) {
    const rounded = Math.min(total, roundUp(wantedMovable, MAX_ORDER_NR_PAGES));
    required = Math.max(required, total - rounded);
  }
  if (required === 0 || required >= total) return;
  const nodes = [...new Set(memory.map((range) => range.nid))].sort((a, b) => a - b);
  for (let usable = nodes.length; ; ) {
    let share = Math.floor(required / usable);
    for (const nid of nodes) {
      if (required < share) share = Math.floor(required / usable);
      required -= takeFromNode(memory, nid, share, required, lowest, movable);
    }
    usable--;
    if (usable === 0 || required <= usable) return;
  }
}

/** Kernel memory of one node for one round: what lies below `lowest` counts first. Returns how much of `required` it met. */
function takeFromNode(
  memory: readonly NodeRange[],
  nid: number,
  share: number,
  required: number,
  lowest: number,
  movable: Map<number, number>,
): number {
  let left = share;
  let met = 0;
  for (const range of memory) {
    if (range.nid !== nid) continue;
    let start = Math.max(range.start, movable.get(nid) ?? 0);
    if (start >= range.end) continue;
    if (start < lowest) {
      const below = Math.min(range.end, lowest) - start;
      left -= Math.min(below, left);
      met += Math.min(below, required - met);
      if (range.end <= lowest) {
        movable.set(nid, range.end);
        continue;
      }
      start = lowest;
    }
    const pages = Math.min(range.end - start, left);
    movable.set(nid, start + pages);
    met += Math.min(required - met, pages);
    left -= pages;
    if (left === 0) break;
  }
  return met;
}
