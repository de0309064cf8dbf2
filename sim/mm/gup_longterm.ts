/** mm/gup.c: FOLL_LONGTERM. Pages in places that must stay free of long pins are moved before they are handed out. */
import type { Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { is_longterm_pinnable } from './gup_follow.ts';
import { gup_put_folio } from './gup_refs.ts';

const EBUSY = -16;

/**
 * gup.c:check_and_migrate_movable_pages, of pages[from..]: 0 if all may stay; -EAGAIN if some moved, and another
 * errno if they could not: all references are given back then.
 */
export function* check_and_migrate_movable_pages(
  kernel: Kernel,
  pages: readonly number[],
  from: number,
  pin: boolean,
): KernelGenerator<number> {
  let found = false;
  for (let i = from; i < pages.length; i++) if (!is_longterm_pinnable(kernel, pages[i] as number)) found = true;
  if (!found) return 0;
  for (let i = from; i < pages.length; i++) yield* gup_put_folio(kernel, pages[i] as number, 1, pin);
  return EBUSY;
}
