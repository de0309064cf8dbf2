/** What a real kernel with its test GPU does wrong as well: warnings that it gives, and pages that the device takes for others. */

import { is_device_private_entry } from '../../sim/arch/pte.ts';
import { deviceHead } from '../../sim/drivers/dmirror/backing.ts';
import type { Machine } from '../../sim/index.ts';
import { entryAt } from './lifetimeDevices.ts';
import type { Model } from './lifetimeModel.ts';
import type { Op } from './lifetimeOps.ts';

/**
 * Warnings that a real kernel gives too: a coherent chunk is mapped a second time and refused; a device asks to
 * write its own page where the CPU's entry is not writable, and hmm_range_fault leaves it as it is; a huge page that
 * several map is split on its way to a device.
 */
export const isKnown = (text: string): boolean =>
  text === 'Conflicting mapping in same section' || text === NO_WRITE || text.startsWith(SPLIT);
const SPLIT = 'VM_BUG_ON_FOLIO(!folio_test_pmd_mappable(folio))';
const NO_WRITE = 'dmirror_do_fault: write access was asked for and is not there';

const MOVES = /^(proc (read|write|madvise|mlock|gup) |gpu (read|write|exclusive|to-)|inject non-blockable)/;
/**
 * Of lines that run at a time: a device may map what the others move or unmap, none of which needs the mmap lock for
 * writing; see Model.stale. `isHuge`: of a device's own huge page hmm_range_fault (6.19 on) counts from the first
 * page, and test_hmm asks in parts.
 */
export function mayMislead(ops: readonly Op[], isHuge: boolean): boolean {
  const lines = ops.map(({ line }) => line);
  if (!lines.some((line) => /^gpu (read|write|exclusive|to-)/.test(line))) return false;
  return isHuge || lines.filter((line) => MOVES.test(line)).length > 1;
}

/**
 * Does a mirror map a page that its device took through the mirror of another process, before a fork? When the page
 * goes home, test_hmm forgets it in the mirror that took it, and the other one keeps what is no longer there. Two
 * mirrors of one process, one of them in a child's hands, take each other's migrations for their own.
 */
function mapsForeign({ kernel }: Machine): boolean {
  const { mirrors, user } = kernel.state.dmirror ?? { mirrors: [], user: new Map() };
  return mirrors.some((mirror) => {
    const mm = mirror.notifier?.mm;
    if (!mm) return false;
    const others = mirrors.filter(({ mdevice, notifier }) => mdevice === mirror.mdevice && notifier?.mm === mm);
    if (others.length > 1) return true;
    return [...mirror.pt.keys()].some((vpn) => {
      const { pte, pfn } = entryAt(mm, vpn);
      return is_device_private_entry(pte) && user.get(deviceHead(kernel, pfn)) !== mirror;
    });
  });
}

/** Before anything goes on: notes what may come of it. */
export function foresee(machine: Machine, model: Model): void {
  if (mapsForeign(machine)) model.mayBeStale = true;
}
