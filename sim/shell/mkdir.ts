/** `mkdir` and `rmdir`: the one kind of directory a person makes here, a memory cgroup (kernel/cgroup/cgroup.c). */
import { mem_cgroup } from '../mm/memcontrol.ts';
import type { Command } from './command.ts';
import { ShellError } from './error.ts';

const USAGE = 'mkdir /sys/fs/cgroup/NAME';
/** Memory cgroups at a time (MEM_CGROUP_ID_MAX is 65535). */
const MOST = 1024;

export const MKDIR: Command = {
  name: 'mkdir',
  usage: USAGE,
  summary: 'make a memory cgroup; write a PID to its cgroup.procs to put a process there',
  run({ kernel }, args) {
    const [path, ...more] = args;
    if (path === undefined || more.length > 0) throw new ShellError(`usage: ${USAGE}`);
    const name = /^\/+sys\/+fs\/+cgroup\/+([^/]{1,255})\/*$/.exec(path)?.[1];
    if (name === undefined || name === '.' || name === '..')
      throw new ShellError(`mkdir: cannot create directory '${path}': only memory cgroups below the root`, -1);
    if (/\n/.test(name)) throw new ShellError(`mkdir: cannot create directory '${path}': invalid argument`, -22);
    const isThere = kernel.state.memcgs.has(name) || name === 'cgroup.procs' || name === 'memory.stat';
    if (isThere) throw new ShellError(`mkdir: cannot create directory '${path}': file exists`, -17);
    if (kernel.state.memcgs.size > MOST)
      throw new ShellError(`mkdir: cannot create directory '${path}': no space left on device`, -28);
    mem_cgroup(kernel, name);
    return undefined;
  },
};

const RMDIR_USAGE = 'rmdir /sys/fs/cgroup/NAME';

/** cgroup.c:cgroup_rmdir: nobody may be in it; what is still charged to it stays charged until it is freed. */
export const RMDIR: Command = {
  name: 'rmdir',
  usage: RMDIR_USAGE,
  summary: 'remove a memory cgroup that no process is in',
  run({ kernel }, args) {
    const [path, ...more] = args;
    if (path === undefined || more.length > 0) throw new ShellError(`usage: ${RMDIR_USAGE}`);
    const refused = (why: string, status: number): never => {
      throw new ShellError(`rmdir: failed to remove '${path}': ${why}`, status);
    };
    const name = /^\/+sys\/+fs\/+cgroup\/+([^/]{1,255})\/*$/.exec(path)?.[1];
    const memcg = name === undefined || name === '/' ? undefined : kernel.state.memcgs.get(name);
    if (!memcg) return refused('no such file or directory', -2);
    for (const { mm } of kernel.state.processes.values())
      if (mm?.memcg === memcg) return refused('device or resource busy', -16);
    kernel.store.mapDelete(kernel.state.memcgs, memcg.name);
    return undefined;
  },
};
