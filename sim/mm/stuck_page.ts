/**
 * A fault on a device-private page that could not come home, for somebody holds it or has its lock. A real CPU
 * faults again and again until it can (do_swap_page returns 0 each time); here it sleeps until something changed.
 */
import { is_device_private_entry, type Pte, pte_pfn } from '../arch/pte.ts';
import type { Mm } from '../include/mm_types.ts';
import { folio_test_locked } from '../kernel/locking.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { folioHead, folioOf } from './folio.ts';
import { entryAt } from './pgtable.ts';
import { folio_mapcount } from './rmap.ts';

/** How many allocations are still to fail. */
export const strikesLeft = ({ state: { injected } }: Kernel): number =>
  injected.size === 0 ? 0 : (injected.get('page') ?? 0);

/**
 * After a fault, before which the entry was `before` and so many allocations were to fail: is it a page of a device
 * that is where it was, and not because an allocation failed? Where nobody but its mappings has it any more, the next
 * try is another one.
 */
export function isStuck(kernel: Kernel, mm: Mm, vpn: number, before: Pte, strikes: number): boolean {
  if (!is_device_private_entry(before) || entryAt(mm, vpn) !== before || strikesLeft(kernel) !== strikes) return false;
  const folio = folioOf(kernel, pte_pfn(before));
  if (!folio || folio_test_locked(kernel, folio.pfn)) return folio !== undefined;
  const idle = kernel.facts.pageFreeAtOne ? 1 : 0;
  return kernel.pages.refcount.get(folio.pfn) > folio_mapcount(kernel, folio) + idle;
}

/** Sleeps until the entry changed, or somebody let go of the page. */
export function* stuckPageWait(kernel: Kernel, mm: Mm, vpn: number, entry: Pte): KernelGenerator<void> {
  const head = folioHead(kernel, pte_pfn(entry));
  const references = kernel.pages.refcount.get(head);
  const wasLocked = folio_test_locked(kernel, head);
  yield {
    kind: 'wait',
    on: {
      what: `page ${hex(head)}, which cannot leave its device, to be let go`,
      ready: () =>
        entryAt(mm, vpn) !== entry ||
        kernel.pages.refcount.get(head) < references ||
        (wasLocked && !folio_test_locked(kernel, head)),
      holders: () => holdersOf(kernel, head),
      holderTasks: () => {
        const task = kernel.state.folios.get(head)?.locked_by;
        return task ? [task.id] : [];
      },
    },
  };
}

function holdersOf(kernel: Kernel, head: number): string[] {
  const { folios, injectedPins, userPins } = kernel.state;
  const holders: string[] = [];
  const task = folios.get(head)?.locked_by;
  if (task) holders.push(task.label);
  if (injectedPins.has(head)) holders.push('inject pin');
  for (const [pid, held] of userPins)
    for (const pages of held.values())
      if (pages.some(({ pfn }) => folioHead(kernel, pfn) === head)) holders.push(`get_user_pages on ${pid}`);
  return [...new Set(holders)];
}
