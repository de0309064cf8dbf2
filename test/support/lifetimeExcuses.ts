/** What a real kernel with its test GPU does wrong as well: warnings that it gives, and pages that the device takes for others. */

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
export function mayMislead(lines: readonly string[], isHuge: boolean): boolean {
  if (!lines.some((line) => /^gpu (read|write|exclusive|to-)/.test(line))) return false;
  return isHuge || lines.filter((line) => MOVES.test(line)).length > 1;
}
