/** Settings of pages of 2 MiB: /proc/sys/vm/nr_hugepages and /sys/kernel/mm/transparent_hugepage/enabled. */
import type { ThpEnabled } from '../include/vm_state.ts';
import type { Kernel } from '../machine/kernel.ts';
import { set_max_huge_pages } from '../mm/hugetlb.ts';
import type { Mount } from './files.ts';

const EINVAL = -22;
/** What a person may ask for: 64 GiB; the pool takes what there is. */
const MOST = 32768;
const STATES: readonly ThpEnabled[] = ['always', 'madvise', 'never'];

/** hugetlb.c:hugetlb_sysctl_handler. */
function writePool(kernel: Kernel, text: string): number {
  const count = /^\d{1,9}$/.test(text.trim()) ? Number(text) : -1;
  if (count < 0 || count > MOST) return EINVAL;
  set_max_huge_pages(kernel, count);
  return 0;
}

/** huge_memory.c:enabled_store. */
function writeThp(kernel: Kernel, text: string): number {
  const state = STATES.find((each) => each === text.trim());
  if (!state || !kernel.config.config.transparentHugepage) return EINVAL;
  kernel.store.set(kernel.state.thp, 'enabled', state);
  return 0;
}

const thpText = (kernel: Kernel): string =>
  `${STATES.map((each) => (each === kernel.state.thp.enabled ? `[${each}]` : each)).join(' ')}\n`;

/** A directory of one file. */
const single = (
  path: string,
  file: string,
  read: (kernel: Kernel) => string,
  write: (kernel: Kernel, text: string) => number,
): Mount => ({
  path,
  at(kernel, [name, ...rest]) {
    if (name === undefined) return { kind: 'directory', names: () => [file] };
    if (name !== file || rest.length > 0) return undefined;
    return { kind: 'file', read: () => read(kernel), write: (text) => write(kernel, text) };
  },
});

export const NR_HUGEPAGES: Mount = single(
  '/proc/sys/vm',
  'nr_hugepages',
  (kernel) => `${kernel.state.hugetlb.nr_huge_pages}\n`,
  writePool,
);

export const TRANSPARENT_HUGEPAGE: Mount = single('/sys/kernel/mm/transparent_hugepage', 'enabled', thpText, writeThp);
