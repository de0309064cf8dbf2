/** In which order an allocation tries nodes and zones: mm/page_alloc.c (6.12, for every release). */
import { pageblock_nr_pages } from '../arch/x86_64.ts';
import { MIGRATE_TYPES, type Pglist, type Zone } from '../include/mmzone.ts';
import { ZONE_DEVICE, ZONE_MOVABLE, ZONE_NAMES } from '../include/types.ts';
import type { Kernel } from '../machine/kernel.ts';

const LOCAL_DISTANCE = 10;
const REMOTE_DISTANCE = 20;
const PENALTY_FOR_NODE_WITH_CPUS = 1;

const distance = (from: Pglist, to: Pglist): number =>
  from.distance[to.node_id] ?? (from === to ? LOCAL_DISTANCE : REMOTE_DISTANCE);
const hasMemory = (node: Pglist): boolean => node.node_zones.some((zone) => zone.present_pages > 0);

/** page_alloc.c:build_zonelists: nodes by distance; `load` spreads what is equally far, over all nodes in turn. */
function nodeOrder(kernel: Kernel, from: Pglist, load: Map<Pglist, number>): Pglist[] {
  const order: Pglist[] = [];
  const left = new Set(kernel.nodes.filter(hasMemory));
  let previous = from;
  while (left.size > 0) {
    const node = find_next_best_node(kernel, from, left, load);
    left.delete(node);
    if (distance(from, node) !== distance(from, previous)) load.set(node, (load.get(node) ?? 0) + 1);
    order.push(node);
    previous = node;
  }
  return order;
}

/** page_alloc.c:find_next_best_node: the node itself, then nearer, later, without CPUs, less loaded, lower. */
function find_next_best_node(
  kernel: Kernel,
  from: Pglist,
  left: ReadonlySet<Pglist>,
  load: ReadonlyMap<Pglist, number>,
): Pglist {
  if (left.has(from)) return from;
  let best = from;
  let least = Number.POSITIVE_INFINITY;
  for (const node of left) {
    const far =
      distance(from, node) +
      (node.node_id < from.node_id ? 1 : 0) +
      (node.cpus.length > 0 ? PENALTY_FOR_NODE_WITH_CPUS : 0);
    const value = far * 2 ** kernel.config.config.nodesShift + (load.get(node) ?? 0);
    if (value < least) {
      least = value;
      best = node;
    }
  }
  return best;
}

/** page_alloc.c:build_zonerefs_node: populated zones from high to low; ZONE_DEVICE has nothing present, ever. */
const zonesOf = (node: Pglist): Zone[] =>
  node.node_zones.filter((zone) => zone.present_pages > 0 && zone.index !== ZONE_DEVICE).reverse();

const isSame = (a: readonly Zone[], b: readonly Zone[]): boolean =>
  a.length === b.length && a.every((zone, index) => zone === b[index]);

/**
 * page_alloc.c:build_all_zonelists. At boot, and by memory hotplug whenever a zone gets its
 * first pages or loses its last. The lists are state of the nodes, so undo restores them.
 */
export function build_all_zonelists(kernel: Kernel): void {
  const { store, state } = kernel;
  const load = new Map<Pglist, number>();
  const isBoot = state.totalram_pages === 0;
  for (const node of kernel.nodes) {
    const order = nodeOrder(kernel, node, load);
    const lists = [order.flatMap(zonesOf), zonesOf(node)] as const;
    if (!isSame(lists[0], node.node_zonelists[0]) || !isSame(lists[1], node.node_zonelists[1]))
      store.set(node, 'node_zonelists', lists);
    kernel.pr_info(`Fallback order for Node ${node.node_id}: ${order.map((each) => each.node_id).join(' ')} `);
  }
  const zones = kernel.nodes[0]?.node_zonelists[0] ?? [];
  // Nothing is managed before memblock_free_all; everything present counts as managed until then.
  const total = zones.reduce(
    (sum, zone) => sum + (isBoot ? zone.present_pages : Math.max(0, zone.managed_pages - zone.watermark.high)),
    0,
  );
  store.set(state, 'page_group_by_mobility_disabled', total < pageblock_nr_pages * MIGRATE_TYPES);
  const online = kernel.nodes.filter(hasMemory).length;
  const grouping = state.page_group_by_mobility_disabled ? 'off' : 'on';
  kernel.pr_info(`Built ${online} zonelists, mobility grouping ${grouping}.  Total pages: ${total}`);
  const policy = Math.max(0, ...zones.filter((zone) => zone.index !== ZONE_MOVABLE).map((zone) => zone.index));
  kernel.pr_info(`Policy zone: ${ZONE_NAMES[policy]}`);
}

/** The zones an allocation for `node` may use, best first: those of its zonelist up to `highestZone`. */
export const zonelist = (kernel: Kernel, node: number, highestZone: number, thisNode = false): readonly Zone[] =>
  kernel.node(node).node_zonelists[thisNode ? 1 : 0].filter((zone) => zone.index <= highestZone);

/** include/linux/topology.h:numa_mem_id: the node of this CPU, or the nearest with memory. */
export function numa_mem_id(kernel: Kernel): number {
  return kernel.nodes.find((node) => node.node_present_pages > 0)?.node_id ?? 0;
}

/** topology.h:numa_node_id: the node of the CPU that runs this. */
export const numa_node_id = (kernel: Kernel): number =>
  kernel.nodes.find((node) => node.cpus.length > 0)?.node_id ?? numa_mem_id(kernel);
