/** mm/oom_kill.c (6.12): who has to go when memory cannot be had, and how the log tells of it. */

import {
  type MemCgroup,
  MM_ANONPAGES,
  MM_FILEPAGES,
  MM_SHMEMPAGES,
  type Mm,
  type Process,
} from '../include/mm_types.ts';
import { do_exit } from '../kernel/exit.ts';
import type { Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { gfpText } from './gfp.ts';
import { mem_cgroup_usage } from './memcontrol.ts';
import { oom_reap_task_mm } from './oom_reaper.ts';
import { total_swap_pages } from './vmscan_reclaim.ts';
import { count_vm_event } from './vmstat.ts';

export const OOM_SCORE_ADJ_MIN = -1000;
export const OOM_SCORE_ADJ_MAX = 1000;
/** oom_badness of who must not be killed: LONG_MIN, 0 before 5.9. */
const UNKILLABLE = Number.NEGATIVE_INFINITY;
const SIGKILL = 9;

/** struct oom_control. */
export interface OomControl {
  /** Whose limit it is; the whole machine without. */
  readonly memcg: MemCgroup | undefined;
  readonly gfp: number;
  /** Who asked for memory, if it was a process; it ends once it leaves the kernel. */
  readonly current: Process | undefined;
}

/* ---- who ---- */

/** mm.h:get_mm_rss: device-private pages count as the anonymous pages they are. */
export const get_mm_rss = ({ rss }: Mm): number => rss[MM_FILEPAGES] + rss[MM_ANONPAGES] + rss[MM_SHMEMPAGES];

/** oom_kill.c:oom_badness: resident pages, swap entries and page tables, moved by oom_score_adj. */
export function oom_badness(kernel: Kernel, process: Process, totalpages: number): number {
  const { mm, oom_score_adj } = process;
  if (!mm || mm.unstable || oom_score_adj === OOM_SCORE_ADJ_MIN) return UNKILLABLE;
  const used = get_mm_rss(mm) + mm.rss[2] + Math.floor(mm.pgtables_bytes / 4096);
  const points = used + oom_score_adj * Math.floor(totalpages / 1000);
  return kernel.facts.oomBadnessNegative ? points : Math.max(points, 1);
}

/** fs/proc/base.c:proc_oom_score. */
export function oom_score(kernel: Kernel, process: Process): number {
  const totalpages = kernel.state.totalram_pages + total_swap_pages(kernel);
  const badness = oom_badness(kernel, process, totalpages);
  if (badness === UNKILLABLE) return 0;
  const scaled = Math.trunc((badness * 1000) / totalpages);
  return kernel.facts.oomBadnessNegative ? Math.trunc(((1000 + scaled) * 2) / 3) : scaled;
}

/** constrained_alloc: what a share of memory is measured by. */
function totalpagesOf(kernel: Kernel, { memcg }: OomControl): number {
  const swap = total_swap_pages(kernel);
  if (!memcg) return kernel.state.totalram_pages + swap;
  // mem_cgroup_get_max; memory.swap.max is not there, so it is no limit.
  return Math.max(1, (Number.isFinite(memcg.max) ? memcg.max : kernel.state.totalram_pages) + swap);
}

const isInScope = ({ memcg }: OomControl, process: Process): process is Process & { mm: Mm } =>
  process.mm !== undefined && (!memcg || process.mm.memcg === memcg);

/** select_bad_process: the worst, the younger of two that are as bad. */
function select_bad_process(kernel: Kernel, oc: OomControl): Process | undefined {
  const totalpages = totalpagesOf(kernel, oc);
  let chosen: Process | undefined;
  let most = UNKILLABLE;
  for (const process of kernel.state.processes.values()) {
    if (!isInScope(oc, process)) continue;
    const points = oom_badness(kernel, process, totalpages);
    if (points === UNKILLABLE || points < most) continue;
    chosen = process;
    most = points;
  }
  return chosen && kernel.facts.oomSacrificesChild ? worstChild(kernel, oc, chosen, totalpages) : chosen;
}

/** To 5.1 a child with memory of its own goes instead of its parent, the worst of them. */
function worstChild(kernel: Kernel, oc: OomControl, parent: Process, totalpages: number): Process {
  let victim = parent;
  let most = 0;
  for (const child of kernel.state.processes.values()) {
    if (child.parent !== parent || !isInScope(oc, child)) continue;
    const points = oom_badness(kernel, child, totalpages);
    if (points <= most) continue;
    victim = child;
    most = points;
  }
  return victim;
}

/* ---- what the log says ---- */

const kB = (pages: number): string => `${pages * 4}kB`;
const path = (memcg: MemCgroup): string => (memcg.name === '/' ? '/' : `/${memcg.name}`);
const right = (value: number, width: number): string => String(value).padStart(width);

/** dump_tasks: a line for each process that could have been chosen. */
function dump_tasks(kernel: Kernel, oc: OomControl): void {
  const kinds = kernel.facts.oomTaskRssKinds;
  const columns = kinds ? '     rss rss_anon rss_file rss_shmem' : '     rss';
  kernel.pr_info('Tasks state (memory values in pages):');
  kernel.pr_info(`[  pid  ]   uid  tgid total_vm ${columns} pgtables_bytes swapents oom_score_adj name`);
  for (const process of kernel.state.processes.values()) {
    if (!isInScope(oc, process)) continue;
    const { pid, comm, mm, oom_score_adj } = process;
    const [file, anon, swap, shmem] = mm.rss;
    const rss = kinds
      ? `${right(get_mm_rss(mm), 8)} ${right(anon, 8)} ${right(file, 8)} ${right(shmem, 9)}`
      : right(get_mm_rss(mm), 8);
    kernel.pr_info(
      `[${right(pid, 7)}] ${right(0, 5)} ${right(pid, 5)} ${right(mm.total_vm, 8)} ${rss} ${right(mm.pgtables_bytes, 8)} ${right(swap, 8)}         ${right(oom_score_adj, 5)} ${comm}`,
    );
  }
}

/** dump_header, without the backtrace and the state of all zones. */
function dump_header(kernel: Kernel, oc: OomControl): void {
  const { memcg, current } = oc;
  const who = current?.comm ?? 'sh';
  kernel.pr_warn(
    `${who} invoked oom-killer: gfp_mask=${gfpText(oc.gfp)}, order=0, oom_score_adj=${current?.oom_score_adj ?? 0}`,
  );
  if (memcg)
    kernel.pr_info(
      `memory: usage ${kB(mem_cgroup_usage(kernel, memcg))}, limit ${Number.isFinite(memcg.max) ? kB(memcg.max) : '9007199254740988kB'}, failcnt ${memcg.events.max}`,
    );
  dump_tasks(kernel, oc);
}

/** dump_oom_summary: the one line that machines read. */
function dump_oom_summary(kernel: Kernel, { memcg }: OomControl, { pid, comm, mm }: Process): void {
  const nodes = kernel.nodes.map(({ node_id }) => node_id).sort((a, b) => a - b);
  const isRun = nodes.length > 1 && nodes.every((node, i) => node === (nodes[0] ?? 0) + i);
  const allowed = isRun ? `${nodes[0]}-${nodes.at(-1)}` : nodes.join(',');
  const scope = memcg ? `oom_memcg=${path(memcg)}` : 'global_oom';
  const of = mm ? path(mm.memcg) : '/';
  kernel.pr_info(
    `oom-kill:constraint=CONSTRAINT_${memcg ? 'MEMCG' : 'NONE'},nodemask=(null),cpuset=/,mems_allowed=${allowed},${scope},task_memcg=${of},task=${comm},pid=${pid},uid=0`,
  );
}

function sayKilled(kernel: Kernel, message: string, { pid, comm, oom_score_adj }: Process, mm: Mm): void {
  const [file, anon, , shmem] = mm.rss;
  const memory = `total-vm:${kB(mm.total_vm)}, anon-rss:${kB(anon)}, file-rss:${kB(file)}, shmem-rss:${kB(shmem)}`;
  const prefix = kernel.facts.oomKillOneLine ? `${message}: ` : '';
  const more = kernel.facts.oomKilledTellsMore
    ? `, UID:0 pgtables:${mm.pgtables_bytes >> 10}kB oom_score_adj:${oom_score_adj}`
    : '';
  kernel.pr_err(`${prefix}Killed process ${pid} (${comm}) ${memory}${more}`);
}

/* ---- the end ---- */

/**
 * oom_kill.c:out_of_memory: false where nobody can be killed. Whoever asked for memory is only told, and ends when it
 * leaves the kernel; another process ends here and now, and what someone still uses of its memory is reaped.
 */
export function* out_of_memory(kernel: Kernel, oc: OomControl): KernelGenerator<boolean> {
  return yield* kernel.call('out_of_memory', [oc.memcg?.name ?? ''], outOfMemory(kernel, oc), String);
}

function* outOfMemory(kernel: Kernel, oc: OomControl): KernelGenerator<boolean> {
  // Who was killed before and has not ended yet frees something by ending.
  const dying = [...kernel.state.processes.values()].find(
    (process) => process !== oc.current && process.fatal_signal !== undefined && isInScope(oc, process),
  );
  if (dying) {
    yield* do_exit(kernel, dying, SIGKILL, dying.fatal_signal);
    return true;
  }
  const victim = select_bad_process(kernel, oc);
  dump_header(kernel, oc);
  if (!victim?.mm) {
    kernel.pr_warn('Out of memory and no killable processes...');
    // The kernel panics here, with the whole machine out of memory; the engine lets the access fail.
    return false;
  }
  if (kernel.facts.oomSummaryLine) dump_oom_summary(kernel, oc, victim);
  yield* oom_kill_process(kernel, oc, victim, victim.mm);
  return true;
}

function* oom_kill_process(kernel: Kernel, oc: OomControl, victim: Process, mm: Mm): KernelGenerator<void> {
  const { store } = kernel;
  const message = oc.memcg ? 'Memory cgroup out of memory' : 'Out of memory';
  if (!kernel.facts.oomKillOneLine) {
    const share = Math.trunc((oom_badness(kernel, victim, totalpagesOf(kernel, oc)) * 1000) / totalpagesOf(kernel, oc));
    kernel.pr_err(`${message}: Kill process ${victim.pid} (${victim.comm}) score ${share} or sacrifice child`);
  }
  if (kernel.facts.oomKillCounted) {
    count_vm_event(kernel, 'oom_kill');
    store.set(mm.memcg.events, 'oom_kill', mm.memcg.events.oom_kill + 1);
  }
  sayKilled(kernel, message, victim, mm);
  if (victim === oc.current) {
    store.set(victim, 'fatal_signal', 'SIGKILL');
    return;
  }
  yield* do_exit(kernel, victim, SIGKILL, 'SIGKILL');
  if (mm.mm_users === 0) return;
  store.set(mm, 'unstable', true);
  if (!(yield* oom_reap_task_mm(kernel, mm))) return;
  const [file, anon, , shmem] = mm.rss;
  kernel.pr_info(
    `oom_reaper: reaped process ${victim.pid} (${victim.comm}), now anon-rss:${kB(anon)}, file-rss:${kB(file)}, shmem-rss:${kB(shmem)}`,
  );
}
