/** mm/memcontrol.c: who is charged for a page, and what happens at a limit. */
import type { Folio, MemCgroup, Mm } from '../include/mm_types.ts';
import type { Kernel } from '../machine/kernel.ts';
import { setMemcg } from './folio_record.ts';

/** The memory cgroup of that name, made if there is none. `/` has no limit. */
export function mem_cgroup(kernel: Kernel, name: string): MemCgroup {
  const { memcgs } = kernel.state;
  const known = memcgs.get(name);
  if (known) return known;
  const memcg: MemCgroup = {
    name,
    usage: 0,
    max: Number.POSITIVE_INFINITY,
    events: { max: 0, oom: 0, oom_kill: 0 },
    stat: { pgfault: 0 },
    hand: { mm: 0, vpn: 0 },
  };
  kernel.store.mapSet(memcgs, name, memcg);
  return memcg;
}

/** What the page tables of its address spaces take: memory of the kernel, which counts (and is never refused here). */
export function kmem_pages(kernel: Kernel, memcg: MemCgroup): number {
  let bytes = 0;
  for (const mm of kernel.state.mms.values()) if (mm.memcg === memcg) bytes += mm.pgtables_bytes;
  return bytes / 4096;
}

/** page_counter_read: what counts against the limit. */
export const mem_cgroup_usage = (kernel: Kernel, memcg: MemCgroup): number => memcg.usage + kmem_pages(kernel, memcg);

/**
 * memcontrol.c:try_charge_memcg up to where it would reclaim: false where the limit does not allow it. What follows
 * may sleep and is for the fault to do (mm/memcg_oom.ts).
 */
export function try_charge(kernel: Kernel, memcg: MemCgroup, pages: number): boolean {
  if (Number.isFinite(memcg.max) && mem_cgroup_usage(kernel, memcg) + pages > memcg.max) {
    kernel.store.set(memcg.events, 'max', memcg.events.max + 1);
    return false;
  }
  kernel.store.willAdd(memcg, 'usage');
  memcg.usage += pages;
  return true;
}

/** memcontrol.c:mem_cgroup_charge: false where the limit does not allow it. */
export function mem_cgroup_charge(kernel: Kernel, folio: Folio, mm: Mm): boolean {
  if (!try_charge(kernel, mm.memcg, 1 << folio.order)) return false;
  setMemcg(kernel, folio, mm.memcg);
  return true;
}

/** memcontrol.c:mem_cgroup_migrate: the charge moves from the old folio to the new one; nothing is tried against the limit. */
export function mem_cgroup_migrate(kernel: Kernel, old: Folio, folio: Folio): void {
  setMemcg(kernel, folio, old.memcg);
  setMemcg(kernel, old, undefined);
}
