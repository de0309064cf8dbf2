/**
 * What a fault does that found no memory: the slow ends of mm/memcontrol.c:try_charge_memcg and of
 * mm/page_alloc.c:__alloc_pages_slowpath. Both sleep, and charges and allocations here do not; so the fault is undone,
 * they come behind it, and the fault is done again.
 */

import { FAULT_FLAG_USER, type MemCgroup, type Mm, type Process } from '../include/mm_types.ts';
import { fatal_signal_pending } from '../kernel/exit.ts';
import type { Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { __GFP_ZERO, GFP_HIGHUSER_MOVABLE, GFP_KERNEL, gfp_zone } from './gfp.ts';
import { mem_cgroup_usage } from './memcontrol.ts';
import { out_of_memory } from './oom_kill.ts';
import { try_to_free_pages } from './vmscan_reclaim.ts';
import { zone_watermark_ok } from './watermark.ts';
import { numa_node_id } from './zonelist.ts';

/** True if the fault is to be tried again. `refused`: the limit of its memory cgroup was in the way. */
export function* fault_out_of_memory(
  kernel: Kernel,
  mm: Mm,
  flags: number,
  refused: boolean,
): KernelGenerator<boolean> {
  const current = mm.owner;
  // Killed before, and still no memory: the error goes to whoever asked, and the process ends.
  if (fatal_signal_pending(current) || current.mm !== mm) return false;
  if (refused && mem_cgroup_usage(kernel, mm.memcg) + 1 > mm.memcg.max)
    return yield* charge_slowpath(kernel, mm.memcg, current, flags);
  if (!isExhausted(kernel)) return refused;
  if ((yield* try_to_free_pages(kernel, undefined, 1)) > 0) return true;
  yield* out_of_memory(kernel, { memcg: undefined, gfp: GFP_HIGHUSER_MOVABLE | __GFP_ZERO, current });
  return !fatal_signal_pending(current) && !isExhausted(kernel);
}

/** memcontrol.c:try_charge_memcg, from where the limit is in the way; the first refusal is counted. */
function* charge_slowpath(kernel: Kernel, memcg: MemCgroup, current: Process, flags: number): KernelGenerator<boolean> {
  const { events } = memcg;
  for (;;) {
    const freed = yield* try_to_free_pages(kernel, memcg, 1);
    if (mem_cgroup_usage(kernel, memcg) + 1 <= memcg.max) return true;
    if (freed === 0) break;
    kernel.store.set(events, 'max', events.max + 1);
  }
  // Once more with the stocks of all CPUs drained, then so many times because something might turn up.
  const retries = kernel.facts.memcgRetries16 ? 16 : 5;
  kernel.store.set(events, 'max', events.max + 1 + retries);
  kernel.store.set(events, 'oom', events.oom + 1);
  // To 4.18 the fault of a user kills on its way out (mem_cgroup_oom_synchronize), and others only fail.
  if (!kernel.facts.memcgOomInCharge && (flags & FAULT_FLAG_USER) === 0) return false;
  yield* out_of_memory(kernel, { memcg, gfp: GFP_KERNEL, current });
  return !fatal_signal_pending(current) && mem_cgroup_usage(kernel, memcg) + 1 <= memcg.max;
}

/** Is no zone that a user's page may come from above its lowest mark? */
function isExhausted(kernel: Kernel): boolean {
  const highest = gfp_zone(GFP_HIGHUSER_MOVABLE);
  return kernel
    .node(numa_node_id(kernel))
    .node_zonelists[0].every(
      (zone) => zone.index > highest || !zone_watermark_ok(zone, 0, zone.watermark.min, highest),
    );
}

const MAX_RECLAIM_RETRIES = 16;

/** memcontrol.c:memory_max_write behind the new limit: what is above it is reclaimed, then processes go. */
export function* shrink_to_limit(kernel: Kernel, memcg: MemCgroup): KernelGenerator<number> {
  let retries = MAX_RECLAIM_RETRIES;
  while (mem_cgroup_usage(kernel, memcg) > memcg.max) {
    if (retries > 0) {
      // What found nothing finds nothing the next time either.
      if ((yield* try_to_free_pages(kernel, memcg, mem_cgroup_usage(kernel, memcg) - memcg.max)) === 0) retries = 0;
      continue;
    }
    kernel.store.set(memcg.events, 'oom', memcg.events.oom + 1);
    if (!(yield* out_of_memory(kernel, { memcg, gfp: GFP_KERNEL, current: undefined }))) break;
  }
  return 0;
}
