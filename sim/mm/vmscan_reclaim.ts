/**
 * mm/vmscan.c:try_to_free_mem_cgroup_pages and try_to_free_pages in a simple form: anonymous pages on the LRU go to
 * swap, in the order of their addresses from where the last reclaim stopped. The kernel keeps its lists by age and
 * gives pages that were touched a second chance; who writes from front to back gets the same either way.
 */
import { pte_index, pte_pfn, pte_present, pte_special } from '../arch/pte.ts';
import type { MemCgroup, Mm, PmdEntry } from '../include/mm_types.ts';
import type { Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { folioOf, isDevicePage } from './folio.ts';
import { PG_LRU, PG_SWAPBACKED, PG_UNEVICTABLE, testFlag } from './folio_record.ts';
import { mem_cgroup } from './memcontrol.ts';
import { folio_test_anon } from './rmap.ts';
import { lru_add_drain } from './swap.ts';
import { inUse } from './swap_state.ts';
import { pageout_folio } from './vmscan.ts';
import { count_vm_event } from './vmstat.ts';

/** swap.h: the least that one reclaim is after. */
const SWAP_CLUSTER_MAX = 32;
const PTRS_PER_PTE = 512;

/** swap.h:get_nr_swap_pages. */
function get_nr_swap_pages(kernel: Kernel): number {
  let free = 0;
  for (const info of kernel.state.swap.values()) free += info.max - 1 - inUse(info);
  return free;
}

/** swapfile.c:total_swap_pages. */
export function total_swap_pages({ state }: Kernel): number {
  let total = 0;
  for (const info of state.swap.values()) total += info.max - 1;
  return total;
}

/** Frees pages charged to `memcg`, or anybody's without: how many. It tries for `wanted`, and for 32 at least. */
export function* try_to_free_pages(
  kernel: Kernel,
  memcg: MemCgroup | undefined,
  wanted: number,
): KernelGenerator<number> {
  const name = memcg ? 'try_to_free_mem_cgroup_pages' : 'try_to_free_pages';
  const target = Math.max(wanted, SWAP_CLUSTER_MAX);
  if (!memcg) count_vm_event(kernel, 'allocstall_normal');
  return yield* kernel.call(name, [memcg?.name ?? '', String(target)], shrink(kernel, memcg, target), String);
}

function* shrink(kernel: Kernel, memcg: MemCgroup | undefined, target: number): KernelGenerator<number> {
  lru_add_drain(kernel);
  const { hand } = memcg ?? mem_cgroup(kernel, '/');
  const mms = [...kernel.state.mms.values()].filter((mm) => mm.rss[1] > 0 && (!memcg || mm.memcg === memcg));
  if (mms.length === 0) return 0;
  const slots = get_nr_swap_pages(kernel);
  const first = mms.findIndex(({ id }) => id >= hand.mm);
  const order = first < 0 ? mms : [...mms.slice(first), ...mms.slice(0, first)];
  const from = order[0]?.id === hand.mm ? hand.vpn : 0;
  const round = new Round(kernel, memcg, target, slots);
  for (const [index, mm] of order.entries())
    if (yield* round.over(mm, index === 0 ? from : 0, Number.POSITIVE_INFINITY)) return round.freed;
  if (order[0] && from > 0) yield* round.over(order[0], 0, from);
  return round.freed;
}

/** One reclaim on its way through the address spaces. */
class Round {
  freed = 0;
  private readonly kernel: Kernel;
  private readonly memcg: MemCgroup | undefined;
  private readonly target: number;
  private readonly slots: number;

  constructor(kernel: Kernel, memcg: MemCgroup | undefined, target: number, slots: number) {
    this.kernel = kernel;
    this.memcg = memcg;
    this.target = target;
    this.slots = slots;
  }

  /** Goes over [start, end) of an address space; true once enough is free, and then the hand stays there. */
  *over(mm: Mm, start: number, end: number): KernelGenerator<boolean> {
    for (const key of tablesIn(mm, start, end)) {
      const limit = Math.min(end, (key + 1) * PTRS_PER_PTE);
      for (let vpn = Math.max(start, key * PTRS_PER_PTE); vpn < limit; vpn++) {
        const pfn = this.candidate(mm.pmds.get(key), vpn);
        if (pfn < 0) continue;
        count_vm_event(this.kernel, 'pgscan_direct');
        this.freed += yield* pageout_folio(this.kernel, pfn);
        if (this.freed < this.target) continue;
        this.stay(mm, vpn + 1);
        return true;
      }
    }
    return false;
  }

  private stay(mm: Mm, vpn: number): void {
    const { hand } = this.memcg ?? mem_cgroup(this.kernel, '/');
    this.kernel.store.set(hand, 'mm', mm.id);
    this.kernel.store.set(hand, 'vpn', vpn);
  }

  /** The page at an address, if reclaim may try it: on the LRU, evictable, ours, and with a slot to go to. */
  private candidate(pmd: PmdEntry | undefined, vpn: number): number {
    const { kernel, memcg } = this;
    const entry = pmd?.kind === 'huge' ? pmd.entry : pmd?.entries[pte_index(vpn)];
    if (entry === undefined || !pte_present(entry) || pte_special(entry)) return -1;
    const folio = folioOf(kernel, pte_pfn(entry));
    if (!folio || !folio_test_anon(folio) || (memcg && folio.memcg !== memcg)) return -1;
    const { pfn } = folio;
    if (!testFlag(kernel, pfn, PG_LRU) || testFlag(kernel, pfn, PG_UNEVICTABLE) || isDevicePage(kernel, pfn)) return -1;
    const isLazy = !testFlag(kernel, pfn, PG_SWAPBACKED);
    return isLazy || folio.swap !== undefined || this.slots > this.freed ? pfn : -1;
  }
}

/** Page tables of an address space that touch [start, end), ascending. */
const tablesIn = (mm: Mm, start: number, end: number): number[] =>
  [...mm.pmds.keys()]
    .filter((key) => (key + 1) * PTRS_PER_PTE > start && key * PTRS_PER_PTE < end)
    .sort((a, b) => a - b);
