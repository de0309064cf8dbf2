/** Processes for people: their mappings, and where the pages of each are. */
import {
  is_device_exclusive_entry,
  is_device_private_entry,
  is_migration_entry,
  type Pte,
  PteKind,
  pte_index,
  pte_none,
  pte_present,
  pte_special,
  pteKind,
} from '../arch/pte.ts';
import { address, mapLine } from '../fs/procPidMaps.ts';
import type { Process, Vma } from '../include/mm_types.ts';
import type { Machine } from '../machine/machine.ts';
import { pmdAt } from '../mm/pgtable.ts';
import { pagesText } from './text.ts';
import type { PageCountsView, TreeNode } from './types.ts';

/** Rows below one node; what is beyond is only counted. */
const MOST_ROWS = 1000;

type Kind = keyof PageCountsView;

function kindOf(entry: Pte): Kind {
  if (pte_present(entry)) return pte_special(entry) ? 'special' : 'present';
  if (pteKind(entry) === PteKind.Swap) return 'swap';
  if (is_device_private_entry(entry)) return 'devicePrivate';
  if (is_device_exclusive_entry(entry)) return 'exclusive';
  return is_migration_entry(entry) ? 'migration' : 'other';
}

/** Pages of a VMA by what its entries are; those without an entry are not counted. */
export function pageCounts(vma: Vma): PageCountsView {
  const counts = { present: 0, special: 0, swap: 0, devicePrivate: 0, exclusive: 0, migration: 0, other: 0 };
  for (let vpn = vma.start; vpn < vma.end; ) {
    const end = Math.min(vma.end, vpn - pte_index(vpn) + 512);
    const pmd = pmdAt(vma.mm, vpn);
    if (pmd?.kind === 'huge') counts[kindOf(pmd.entry)] += end - vpn;
    else if (pmd)
      for (let at = vpn; at < end; at++) {
        const entry = pmd.entries[at % 512] ?? 0;
        if (!pte_none(entry)) counts[kindOf(entry)]++;
      }
    vpn = end;
  }
  return counts;
}

const KINDS: readonly (readonly [Kind, label: string, tooltip: string])[] = [
  ['present', 'present', 'entries that map a page'],
  ['special', 'zero page', 'entries that map the zero page, or page frames without a struct page'],
  ['swap', 'swap', 'pages in a swap slot'],
  [
    'devicePrivate',
    'device-private',
    'pages in memory of a device that the CPU cannot reach: a touch brings them home',
  ],
  ['exclusive', 'device-exclusive', 'pages that a device has for itself: a touch of the CPU takes them back'],
  ['migration', 'migration', 'pages on the move: a touch waits'],
  ['other', 'other', 'markers, and pages lost to memory errors'],
];

/** A node whose rows are made when someone opens it. */
function lazyNode(node: Omit<TreeNode, 'children'>, rows: () => TreeNode[]): TreeNode {
  let made: TreeNode[] | undefined;
  return {
    ...node,
    get children() {
      made ??= rows();
      return made;
    },
  };
}

const row = (id: string, label: string, description: string, tooltip = '', changed = false): TreeNode => ({
  id,
  label,
  description,
  tooltip,
  icon: 'symbol-numeric',
  children: [],
  changed,
});

function vmaNode(id: string, vma: Vma, changed: boolean): TreeNode {
  const pages = vma.end - vma.start;
  const [, protection = ''] = mapLine(vma).split(' ');
  return lazyNode(
    {
      id,
      label: `${address(vma.start)}-${address(vma.end)}`,
      description: `${protection} ${pagesText(pages)}${vma.file ? ` ${vma.file.name}` : ''}`,
      tooltip: mapLine(vma).trimEnd(),
      icon: 'symbol-array',
      changed,
    },
    () => {
      const counts = pageCounts(vma);
      return KINDS.filter(([kind]) => counts[kind] > 0).map(([kind, label, tooltip]) =>
        row(`${id}:${kind}`, label, `${counts[kind]} pages · ${pagesText(counts[kind])}`, tooltip),
      );
    },
  );
}

function processNode(process: Process, changed: (object: object) => boolean): TreeNode {
  const id = `process:${process.pid}`;
  const { mm } = process;
  const label = `${process.comm} (${process.pid})`;
  if (!mm) return { ...row(id, label, 'over', 'nobody waited for it yet', changed(process)), icon: 'circle-slash' };
  const [file, anon, swap, shmem] = mm.rss;
  const isChanged = changed(process) || changed(mm) || changed(mm.rss) || changed(mm.vmas);
  return lazyNode(
    {
      id,
      label,
      description: `${pagesText(file + anon + shmem)} of ${pagesText(mm.total_vm)}`,
      tooltip: `resident: anonymous ${anon}, file ${file}, shmem ${shmem} page(s); swapped out ${swap}; page tables ${mm.pgtables_bytes / 4096}; memory cgroup ${mm.memcg.name}`,
      icon: 'server-process',
      changed: isChanged,
    },
    () => {
      const rows = mm.vmas.slice(0, MOST_ROWS).map((vma) => vmaNode(`${id}:${address(vma.start)}`, vma, changed(vma)));
      const more = mm.vmas.length - rows.length;
      if (more > 0) rows.push(row(`${id}:more`, 'more', `${more} mappings`, `cat /proc/${process.pid}/maps lists all`));
      return rows;
    },
  );
}

/** The processes of the machine, for the State tree. */
export function processesNode(machine: Machine): TreeNode {
  const { processes } = machine.kernel.state;
  const { objects } = machine.lastChanges();
  const changed = (object: object): boolean => objects.has(object);
  return lazyNode(
    {
      id: 'processes',
      label: 'Processes',
      description: processes.size === 0 ? 'none' : String(processes.size),
      tooltip: 'processes and their mappings; proc new makes one',
      icon: 'run-all',
      changed: changed(processes) || [...processes.values()].some((process) => process.mm && changed(process.mm.rss)),
    },
    () => [...processes.values()].slice(0, MOST_ROWS).map((process) => processNode(process, changed)),
  );
}
