/** mem_section.section_mem_map of the running machine as the kernel would hold it: mm/sparse.c, SPARSEMEM_VMEMMAP. */
import { PAGES_PER_SECTION } from '../arch/x86_64.ts';
import { sectionFlagMask } from '../include/section_flags.ts';
import type { Kernel } from '../machine/kernel.ts';
import { runsOf } from '../store/column.ts';
import { sectionFlags } from './sparse.ts';

/** With VMEMMAP the coded pointer (map less section start) is vmemmap itself, for every section. */
export const section_mem_map = (kernel: Kernel, pfn: number): bigint =>
  kernel.arch.VMEMMAP_START | BigInt(sectionFlags(kernel, pfn) & sectionFlagMask(kernel.release));

/** Runs of whole sections with equal state below `end`; a section whose sub-sections differ stands by itself. */
export function* sectionSpans(kernel: Kernel, end: number): Generator<{ start: number; end: number }> {
  let next = 0;
  for (const run of runsOf(kernel.pages.section, 0, Math.ceil(end / PAGES_PER_SECTION) * PAGES_PER_SECTION)) {
    if (run.value === 0) continue;
    for (let pfn = run.start - (run.start % PAGES_PER_SECTION); pfn < run.end; ) {
      const whole = pfn >= run.start && pfn + PAGES_PER_SECTION <= run.end;
      const stop = whole ? run.end - (run.end % PAGES_PER_SECTION) : pfn + PAGES_PER_SECTION;
      if (pfn >= next) {
        yield { start: pfn, end: stop };
        next = stop;
      }
      pfn = stop;
    }
  }
}
