/** Live values of what processes and their devices have: for hovers. Nothing here writes. */
import type { Machine } from '../machine/machine.ts';
import { subscriptionsOf } from '../mm/mmu_notifier_state.ts';
import { handedOutByDriver, typeOf } from '../mm/pagemap.ts';
import { pageCounts } from './processes.ts';
import { pagesText } from './text.ts';

/** Lines of a hover. */
const MOST_LINES = 8;

function shortened(lines: readonly string[], none: string): string {
  if (lines.length === 0) return none;
  if (lines.length <= MOST_LINES) return lines.join('\n');
  return [...lines.slice(0, MOST_LINES - 1), `and ${lines.length - MOST_LINES + 1} more`].join('\n');
}

/** Memory of devices that is handed out page by page, and how much of it is in use. */
function devicePages({ kernel }: Machine): string {
  const { pgmaps, folios } = kernel.state;
  const maps = pgmaps.filter(({ pgmap }) => handedOutByDriver(typeOf(kernel, pgmap)));
  const used = new Map<number, number>();
  if (maps.length > 0)
    for (const { pfn, order } of folios.values()) {
      const id = kernel.pages.pgmap.get(pfn);
      if (id !== 0) used.set(id, (used.get(id) ?? 0) + (1 << order));
    }
  const lines = maps.map(({ id, name, ranges }) => {
    const pages = ranges.reduce((sum, { start, end }) => sum + end - start, 0);
    return `${name}: ${used.get(id) ?? 0} of ${pages} pages in use (${pagesText(pages)})`;
  });
  return shortened(lines, 'no device has such memory');
}

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;

/** Who is told of changes, process by process. */
function notifiers({ kernel }: Machine): string {
  const lines = [...kernel.state.mms.values()].flatMap((mm) => {
    const found = subscriptionsOf(mm);
    if (!found || found.itree.length + found.list.length === 0) return [];
    const intervals = kernel.facts.mmuIntervalNotifier
      ? ` and ${counted(found.itree.length, 'interval notifier')}`
      : '';
    const state = found.invalidate_seq % 2 === 1 ? ', an invalidation is under way' : '';
    const sequence = kernel.facts.mmuIntervalNotifier ? `, sequence ${found.invalidate_seq}${state}` : '';
    return [`${mm.owner.comm} (${mm.owner.pid}): ${counted(found.list.length, 'notifier')}${intervals}${sequence}`];
  });
  return shortened(lines, 'nobody watches a process');
}

/** Page table entries of all processes that are not present, by kind. */
function entries({ kernel }: Machine): string {
  const sums = { present: 0, swap: 0, devicePrivate: 0, exclusive: 0, migration: 0 };
  for (const mm of kernel.state.mms.values())
    for (const vma of mm.vmas) {
      const counts = pageCounts(vma);
      for (const kind of Object.keys(sums) as (keyof typeof sums)[]) sums[kind] += counts[kind];
    }
  const { present, swap, devicePrivate, exclusive, migration } = sums;
  if (kernel.state.mms.size === 0) return 'there is no process';
  return `page table entries of ${counted(kernel.state.mms.size, 'address space')}: ${present} present, ${swap} of swap, ${devicePrivate} device-private, ${exclusive} device-exclusive, ${migration} on the move`;
}

function rss({ kernel }: Machine): string {
  const lines = [...kernel.state.mms.values()].map(({ owner, rss: [file, anon, swap, shmem] }) => {
    const parts = `anonymous ${anon}, file ${file}, shmem ${shmem} pages`;
    return `${owner.comm} (${owner.pid}): ${parts}, ${swap} swapped out`;
  });
  return shortened(lines, 'there is no process');
}

function memcgs({ kernel }: Machine): string {
  const lines = [...kernel.state.memcgs.values()].map(({ name, usage, max }) => {
    const limit = Number.isFinite(max) ? `at most ${pagesText(max)}` : 'no limit';
    return `${name}: ${counted(usage, 'page')} charged (${pagesText(usage)}), ${limit}`;
  });
  return shortened(lines, 'nobody is charged for anything');
}

const TERMS: ReadonlyMap<string, (machine: Machine) => string> = new Map([
  ['devicePages', devicePages],
  ['notifiers', notifiers],
  ['entries', entries],
  ['rss', rss],
  ['memcgs', memcgs],
]);

/** `devicePages`, `notifiers`, `entries`, `rss`, `memcgs`. */
export const processTerm = (machine: Machine, live: string): string | undefined => TERMS.get(live)?.(machine);
