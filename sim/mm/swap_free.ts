/** mm/swap_state.c:free_page_and_swap_cache: the last mapping of a page is gone. */
import { folio_trylock, folio_unlock } from '../kernel/locking.ts';
import type { Kernel } from '../machine/kernel.ts';
import { folio_put_system } from './folio.ts';
import { PG_SWAPCACHE } from './folio_record.ts';
import { folio_free_swap } from './swap_state.ts';

/** Drops a mapping's reference; a page that nothing maps any more and no slot needs leaves the swap cache. */
export function drop_mapped(kernel: Kernel, head: number): void {
  const { flags, mapcount } = kernel.pages;
  if ((flags.get(head) & PG_SWAPCACHE) !== 0 && mapcount.get(head) === 0xffffffff && folio_trylock(kernel, head)) {
    const folio = kernel.state.folios.get(head);
    if (folio) folio_free_swap(kernel, folio);
    folio_unlock(kernel, head);
  }
  folio_put_system(kernel, head);
}
