/** /proc/PID: a directory for each process, those that nobody waited for yet among them. */
import type { Mm, Process } from '../include/mm_types.ts';
import type { Kernel } from '../machine/kernel.ts';
import { OOM_SCORE_ADJ_MAX, OOM_SCORE_ADJ_MIN, oom_score } from '../mm/oom_kill.ts';
import { ShellError } from '../shell/error.ts';
import type { Mount } from './files.ts';
import { maps } from './procPidMaps.ts';
import { smaps, smaps_rollup } from './procPidSmaps.ts';
import { statm, status } from './procPidStatus.ts';

const EINVAL = -22;

/** A file about memory is empty where there is none any more. */
const ofMm =
  (show: (kernel: Kernel, mm: Mm) => string) =>
  (kernel: Kernel, { mm }: Process): string =>
    mm ? show(kernel, mm) : '';

/** smaps_rollup of a process without memory is -ESRCH. */
function rollup(kernel: Kernel, { mm, pid }: Process): string {
  if (!mm) throw new ShellError(`cat: /proc/${pid}/smaps_rollup: no such process`, -3);
  return smaps_rollup(kernel, mm);
}

const FILES: Readonly<Record<string, (kernel: Kernel, process: Process) => string>> = {
  cgroup: (_kernel, { mm }) => `0::${mm && mm.memcg.name !== '/' ? `/${mm.memcg.name}` : '/'}\n`,
  cmdline: (_kernel, { comm, mm }) => (mm ? `${comm}\0` : ''),
  comm: (_kernel, { comm }) => `${comm}\n`,
  maps: ofMm((_kernel, mm) => maps(mm)),
  oom_score: (kernel, process) => `${oom_score(kernel, process)}\n`,
  pagemap: (_kernel, { pid }) => {
    throw new ShellError(
      `cat: /proc/${pid}/pagemap: holds an 8-byte word for each page, which is no text; the command pagemap reads it, for example pagemap ${pid} 0x7ffff0000000 4`,
    );
  },
  smaps: ofMm(smaps),
  smaps_rollup: rollup,
  statm,
  status,
};

/** fs/proc/base.c:oom_score_adj_write. */
function setScoreAdj(kernel: Kernel, process: Process, text: string): number {
  const value = /^\s*[+-]?(0x[0-9a-f]{1,8}|\d{1,10})\s*$/i.test(text)
    ? Number(text.trim().replace(/^\+/, ''))
    : Number.NaN;
  if (!(value >= OOM_SCORE_ADJ_MIN && value <= OOM_SCORE_ADJ_MAX)) return EINVAL;
  kernel.store.set(process, 'oom_score_adj', value);
  return 0;
}

export const PROC_PID: Mount = {
  path: '/proc',
  at(kernel, [pid, name, ...rest]) {
    const { processes } = kernel.state;
    if (pid === undefined) return { kind: 'directory', names: () => [...processes.keys()].map(String) };
    const process = /^[1-9]\d{0,9}$/.test(pid) ? processes.get(Number(pid)) : undefined;
    if (!process) return undefined;
    if (name === undefined) return { kind: 'directory', names: () => [...Object.keys(FILES), 'oom_score_adj'] };
    if (name === 'oom_score_adj' && rest.length === 0)
      return {
        kind: 'file',
        read: () => `${process.oom_score_adj}\n`,
        write: (text) => setScoreAdj(kernel, process, text),
      };
    const show = rest.length === 0 && Object.hasOwn(FILES, name) ? FILES[name] : undefined;
    return show && { kind: 'file', read: () => show(kernel, process) };
  },
};
