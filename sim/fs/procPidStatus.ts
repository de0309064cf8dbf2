/** /proc/PID/status, statm, comm and cmdline: fs/proc/array.c and task_mmu.c as of 6.12, for every release. */

import { pte_present } from '../arch/pte.ts';
import {
  MM_ANONPAGES,
  MM_FILEPAGES,
  MM_SHMEMPAGES,
  MM_SWAPENTS,
  type Mm,
  type Process,
  VM_HUGETLB,
  VM_SHARED,
  VM_WRITE,
} from '../include/mm_types.ts';
import type { Kernel } from '../machine/kernel.ts';
import { pmdAt } from '../mm/pgtable.ts';

/** mm->data_vm: private memory that can be written. */
const data_vm = (mm: Mm): number =>
  mm.vmas.reduce(
    (sum, { flags, start, end }) => sum + ((flags & (VM_WRITE | VM_SHARED)) === VM_WRITE ? end - start : 0),
    0,
  );

/** mm->hugetlb_usage, in pages. */
function hugetlbPages(mm: Mm): number {
  let pages = 0;
  for (const vma of mm.vmas) {
    if ((vma.flags & VM_HUGETLB) === 0) continue;
    for (let vpn = vma.start; vpn < vma.end; vpn += 512) {
      const pmd = pmdAt(mm, vpn);
      if (pmd?.kind === 'huge' && pte_present(pmd.entry)) pages += 512;
    }
  }
  return pages;
}

const kB = (name: string, kilobytes: number): string => `${name}:\t${String(kilobytes).padStart(8)} kB\n`;

/** task_mmu.c:task_mem. */
function task_mem(mm: Mm): string {
  const pages = (name: string, count: number): string => kB(name, count * 4);
  const { rss } = mm;
  const resident = rss[MM_FILEPAGES] + rss[MM_ANONPAGES] + rss[MM_SHMEMPAGES];
  return [
    pages('VmPeak', Math.max(mm.hiwater_vm, mm.total_vm)),
    pages('VmSize', mm.total_vm),
    pages('VmLck', mm.locked_vm),
    pages('VmPin', mm.pinned_vm),
    pages('VmHWM', Math.max(mm.hiwater_rss, resident)),
    pages('VmRSS', resident),
    pages('RssAnon', rss[MM_ANONPAGES]),
    pages('RssFile', rss[MM_FILEPAGES]),
    pages('RssShmem', rss[MM_SHMEMPAGES]),
    pages('VmData', data_vm(mm)),
    pages('VmStk', 0),
    pages('VmExe', 0),
    pages('VmLib', 0),
    kB('VmPTE', mm.pgtables_bytes >> 10),
    pages('VmSwap', rss[MM_SWAPENTS]),
    pages('HugetlbPages', hugetlbPages(mm)),
  ].join('');
}

/** array.c:proc_pid_status: what concerns a process as far as memory is modelled. A zombie has no memory. */
export function status(kernel: Kernel, process: Process): string {
  const { mm } = process;
  const ids = `Tgid:\t${process.pid}\nNgid:\t0\nPid:\t${process.pid}\nPPid:\t${process.parent?.pid ?? 1}\nTracerPid:\t0\n`;
  const state = process.exit ? 'Z (zombie)' : 'S (sleeping)';
  const thp = mm ? `THP_enabled:\t${kernel.config.config.transparentHugepage ? 1 : 0}\n` : '';
  return `Name:\t${process.comm}\nUmask:\t0022\nState:\t${state}\n${ids}${mm ? `${task_mem(mm)}CoreDumping:\t0\n${thp}` : ''}Threads:\t1\n`;
}

/** array.c:proc_pid_statm: size, resident, shared, text, lib, data, dirty; in pages. */
export function statm(_kernel: Kernel, process: Process): string {
  const { mm } = process;
  if (!mm) return '0 0 0 0 0 0 0\n';
  const shared = mm.rss[MM_FILEPAGES] + mm.rss[MM_SHMEMPAGES];
  return `${mm.total_vm} ${shared + mm.rss[MM_ANONPAGES]} ${shared} 0 0 ${data_vm(mm)} 0\n`;
}
