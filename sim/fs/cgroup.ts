/**
 * /sys/fs/cgroup: memory cgroups (mm/memcontrol.c) as of 6.12, for every release; one level below the root, which
 * has neither a limit nor memory.current. Counters of memory.stat are counted anew when it is read.
 */

import type { MemCgroup, Process } from '../include/mm_types.ts';
import type { Kernel } from '../machine/kernel.ts';
import { shrink_to_limit } from '../mm/memcg_oom.ts';
import { kmem_pages, mem_cgroup_usage } from '../mm/memcontrol.ts';
import type { KernelGenerator } from '../task/task.ts';
import { type Counters, countFolio } from './counters.ts';
import type { Mount, VirtualFile } from './files.ts';

const ROOT = '/';
const EINVAL = -22;
const ESRCH = -3;

/** The tasks of a cgroup: where it is the root, all that are in none. */
const tasksOf = (kernel: Kernel, memcg: MemCgroup): Process[] =>
  [...kernel.state.processes.values()].filter(({ mm }) => mm?.memcg === memcg);

/** Bytes, or `max`. */
const limit = (pages: number): string => (Number.isFinite(pages) ? String(pages * 4096) : 'max');

/** page_counter.c:page_counter_memparse: pages, rounded down; undefined if it is no size. */
export function page_counter_memparse(text: string): number | undefined {
  const value = text.trim();
  if (value === 'max') return Number.POSITIVE_INFINITY;
  const match = /^(0x[0-9a-f]{1,16}|\d{1,20})([kmgtpe]?)$/i.exec(value);
  if (!match?.[1]) return undefined;
  const shift = 'kmgtpe'.indexOf((match[2] ?? '').toLowerCase() || '?') + 1;
  const bytes = BigInt.asUintN(64, BigInt(match[1]) << BigInt(10 * shift));
  // PAGE_COUNTER_MAX, in pages.
  return bytes >> 12n >= 1n << 51n ? Number.POSITIVE_INFINITY : Number(bytes >> 12n);
}

/** memcontrol.c:memory_stats, in the order of memory.stat; bytes but for the events at the end. */
function memoryStat(kernel: Kernel, memcg: MemCgroup): string {
  const counters: Counters = new Map();
  for (const folio of kernel.state.folios.values()) if (folio.memcg === memcg) countFolio(kernel, folio, counters);
  const tables = kmem_pages(kernel, memcg);
  const pages = (name: string): number => counters.get(name) ?? 0;
  const values: Record<string, number> = {
    anon: pages('nr_anon_pages'),
    file: pages('nr_file_pages'),
    kernel: tables,
    kernel_stack: 0,
    pagetables: tables,
    sec_pagetables: 0,
    percpu: 0,
    sock: 0,
    vmalloc: 0,
    shmem: pages('nr_shmem'),
    zswap: 0,
    zswapped: 0,
    file_mapped: pages('nr_mapped'),
    file_dirty: 0,
    file_writeback: 0,
    swapcached: pages('nr_swapcached'),
    anon_thp: pages('nr_anon_transparent_hugepages') * 512,
    file_thp: 0,
    shmem_thp: 0,
    inactive_anon: pages('nr_inactive_anon'),
    active_anon: pages('nr_active_anon'),
    inactive_file: pages('nr_inactive_file'),
    active_file: pages('nr_active_file'),
    unevictable: pages('nr_unevictable'),
    slab_reclaimable: 0,
    slab_unreclaimable: 0,
    slab: 0,
  };
  const sizes = Object.entries(values).map(([name, count]) => `${name} ${count * 4096}\n`);
  return `${sizes.join('')}pgfault ${memcg.stat.pgfault}\n`;
}

/** memory.events. */
const events = ({ events: { max, oom, oom_kill } }: MemCgroup): string =>
  `low 0\nhigh 0\nmax ${max}\noom ${oom}\noom_kill ${oom_kill}\noom_group_kill 0\n`;

/** memcontrol.c:memory_max_write: the new limit, and what is above it has to go. */
function writeMax(kernel: Kernel, memcg: MemCgroup, text: string): KernelGenerator<number> | number {
  const max = page_counter_memparse(text);
  if (max === undefined) return EINVAL;
  kernel.store.set(memcg, 'max', max);
  return mem_cgroup_usage(kernel, memcg) > max ? shrink_to_limit(kernel, memcg) : 0;
}

/** cgroup.procs: a process moves here; what it was charged for stays charged where it is. */
function attach(kernel: Kernel, memcg: MemCgroup, text: string): number {
  const pid = /^\s*(\d{1,10})\s*$/.exec(text)?.[1];
  if (pid === undefined) return EINVAL;
  const mm = kernel.state.processes.get(Number(pid))?.mm;
  if (!mm) return ESRCH;
  kernel.store.set(mm, 'memcg', memcg);
  return 0;
}

function fileOf(kernel: Kernel, memcg: MemCgroup, name: string): VirtualFile | undefined {
  const read = (text: () => string): VirtualFile => ({ kind: 'file', read: text });
  if (name === 'cgroup.procs')
    return {
      kind: 'file',
      read: () =>
        tasksOf(kernel, memcg)
          .map(({ pid }) => `${pid}\n`)
          .join(''),
      write: (text) => attach(kernel, memcg, text),
    };
  if (name === 'memory.stat') return read(() => memoryStat(kernel, memcg));
  if (memcg.name === ROOT) return undefined;
  if (name === 'memory.current') return read(() => `${mem_cgroup_usage(kernel, memcg) * 4096}\n`);
  if (name === 'memory.events') return read(() => events(memcg));
  if (name === 'memory.max')
    return { kind: 'file', read: () => `${limit(memcg.max)}\n`, write: (text) => writeMax(kernel, memcg, text) };
  return undefined;
}

const ROOT_FILES = ['cgroup.procs', 'memory.stat'];
const FILES = [...ROOT_FILES, 'memory.current', 'memory.events', 'memory.max'];

/** The root as it is before anyone was charged; reading makes nothing. */
const emptyRoot: MemCgroup = {
  name: ROOT,
  usage: 0,
  max: Number.POSITIVE_INFINITY,
  events: { max: 0, oom: 0, oom_kill: 0 },
  stat: { pgfault: 0 },
  hand: { mm: 0, vpn: 0 },
};

export const CGROUP: Mount = {
  path: '/sys/fs/cgroup',
  at(kernel, [first, ...rest]) {
    const { memcgs } = kernel.state;
    const root = memcgs.get(ROOT) ?? emptyRoot;
    if (first === undefined) {
      const names = [...memcgs.keys()].filter((name) => name !== ROOT);
      return { kind: 'directory', names: () => [...ROOT_FILES, ...names] };
    }
    if (rest.length === 0 && ROOT_FILES.includes(first)) return fileOf(kernel, root, first);
    const memcg = first === ROOT ? undefined : memcgs.get(first);
    const [name, ...more] = rest;
    if (!memcg || more.length > 0) return undefined;
    return name === undefined ? { kind: 'directory', names: () => FILES } : fileOf(kernel, memcg, name);
  },
};
