/**
 * What changes of a machine can be watched: a page's counts and flags, an entry of a page table, a counter of a
 * zone, one key each. The key's value now, as text; undefined where there is no such thing (any more).
 */
import { type Pte, PteKind, pte_none, pte_pfn, pteBitNames, pteKind, swapTypeName } from '../arch/pte.ts';
import { address } from '../fs/procPidMaps.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import type { Machine } from '../machine/machine.ts';
import { page_ref_count } from '../mm/compound_page.ts';
import { flagsWord } from '../mm/page_flags.ts';
import { hugePmdAt, pteAt } from '../mm/pgtable.ts';
import { pfn_valid } from '../mm/sparse.ts';

/** A page table entry in words: what kind it is, its page frame, its bits. */
export function pteText(kernel: Kernel, entry: Pte, isHuge = false): string {
  const kind = pteKind(entry);
  if (pte_none(entry)) return 'none';
  const bits = pteBitNames(kernel, entry, isHuge).join('|');
  const tail = `${isHuge ? ', huge' : ''}${bits ? `, ${bits}` : ''}`;
  if (kind === PteKind.Swap || kind === PteKind.Marker) return `${swapTypeName(kernel, kind)}${tail}`;
  const name =
    kind === PteKind.Present ? 'present' : kind === PteKind.ProtNone ? 'no access' : swapTypeName(kernel, kind);
  return `${name}, pfn ${hex(pte_pfn(entry))}${tail}`;
}

/** The entry that maps an address of a process. */
export function entryText(kernel: Kernel, pid: number, vpn: number): string | undefined {
  const mm = kernel.state.processes.get(pid)?.mm;
  if (!mm) return undefined;
  const huge = hugePmdAt(mm, vpn);
  return huge ? pteText(kernel, huge.entry, true) : pteText(kernel, pteAt(mm, vpn));
}

const COUNTERS = {
  spanned: 'spanned_pages',
  present: 'present_pages',
  managed: 'managed_pages',
  free: 'nr_free',
} as const;

const isCounter = (name: string): name is keyof typeof COUNTERS => Object.hasOwn(COUNTERS, name);

/**
 * `page:0x1234:refcount` (mapcount, flags), `pte:PID:0x7f…`, `zone:NODE:NAME:free` (spanned, present, managed).
 */
export function watched({ kernel }: Machine, key: string): string | undefined {
  const [kind, first = '', second = '', third = ''] = key.split(':');
  switch (kind) {
    case 'page': {
      const pfn = Number(first);
      if (!Number.isSafeInteger(pfn) || pfn < 0 || !pfn_valid(kernel, pfn)) return undefined;
      if (second === 'refcount') return String(page_ref_count(kernel, pfn) | 0);
      if (second === 'mapcount') return String((kernel.pages.mapcount.get(pfn) | 0) + 1);
      return second === 'flags' ? hex(flagsWord(kernel, pfn).word) : undefined;
    }
    case 'pte': {
      const address = Number(second);
      return Number.isSafeInteger(address) && address >= 0
        ? entryText(kernel, Number(first), Math.floor(address / 4096))
        : undefined;
    }
    case 'zone': {
      const zone = kernel.nodes
        .find((node) => node.node_id === Number(first))
        ?.node_zones.find((each) => each.name === second);
      return zone && isCounter(third) ? String(zone[COUNTERS[third]]) : undefined;
    }
    default:
      return undefined;
  }
}

/** A key in the words of a person. */
export function watchTitle(key: string): string {
  const [kind, first = '', second = '', third = ''] = key.split(':');
  if (kind === 'page') return `${second} of page ${first}`;
  if (kind === 'pte') return `page table entry of ${second} in process ${first}`;
  return `${third} pages of zone ${second}, node ${first}`;
}

/** The pages of a mapping, by the address at which it begins, as /proc/PID/maps writes it. */
export function vmaAt(
  { kernel }: Machine,
  pid: number,
  start: string,
): { pid: number; vpn: number; count: number } | undefined {
  const vma = kernel.state.processes.get(pid)?.mm?.vmas.find((each) => address(each.start) === start);
  return vma && { pid, vpn: vma.start, count: vma.end - vma.start };
}
