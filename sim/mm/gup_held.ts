/** Who holds pages of get_user_pages for the shell: by process and page, beyond munmap and exit. */
import type { Kernel } from '../machine/kernel.ts';
import type { HeldUserPage } from '../machine/state.ts';
import type { KernelGenerator } from '../task/task.ts';
import { gup_put_folio } from './gup_refs.ts';

/** Remembers `pages`, which came for the page numbers from `start` on. */
export function rememberPages(
  kernel: Kernel,
  pid: number,
  start: number,
  pages: readonly number[],
  pin: boolean,
): void {
  if (pages.length === 0) return;
  const { store, state } = kernel;
  const held = state.userPins.get(pid) ?? new Map<number, readonly HeldUserPage[]>();
  store.mapSet(state.userPins, pid, held);
  pages.forEach((pfn, i) => {
    const before = held.get(start + i) ?? [];
    const same = before.find((entry) => entry.pfn === pfn && entry.pin === pin);
    const more = { pfn, pin, count: (same?.count ?? 0) + 1 };
    store.mapSet(held, start + i, [...before.filter((entry) => entry !== same), more]);
  });
}

/** What is held of a page that way, the latest first. */
export const heldPage = (kernel: Kernel, pid: number, vpn: number, pin: boolean): HeldUserPage | undefined =>
  kernel.state.userPins
    .get(pid)
    ?.get(vpn)
    ?.findLast((entry) => entry.pin === pin);

/** Gives back what the last gup of this page got. */
export function* putHeldPage(kernel: Kernel, pid: number, vpn: number, pin: boolean): KernelGenerator<boolean> {
  const { store, state } = kernel;
  const held = state.userPins.get(pid);
  const entry = heldPage(kernel, pid, vpn, pin);
  if (!held || !entry) return false;
  const others = (held.get(vpn) ?? []).filter((other) => other !== entry);
  const left = entry.count > 1 ? [...others, { ...entry, count: entry.count - 1 }] : others;
  if (left.length > 0) store.mapSet(held, vpn, left);
  else store.mapDelete(held, vpn);
  if (held.size === 0) store.mapDelete(state.userPins, pid);
  yield* gup_put_folio(kernel, entry.pfn, 1, pin);
  return true;
}
