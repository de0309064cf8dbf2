/** mm/sparse.c:mminit_validate_memmodel_limits: RAM beyond what the memory model can number is left out. */
import type { Arch } from '../arch/x86_64.ts';
import type { NodeRange } from './memblock.ts';

/** The ranges below MAX_PHYSMEM_BITS; `warn` hears of each that had to be cut. */
export function mminit_validate_memmodel_limits(
  arch: Arch,
  memory: readonly NodeRange[],
  warn: (text: string) => void = () => {},
): NodeRange[] {
  const limit = 2 ** (arch.MAX_PHYSMEM_BITS - arch.PAGE_SHIFT);
  for (const { start, end } of memory)
    if (end > limit)
      warn(
        `mminit::pfnvalidation ${start >= limit ? 'Start' : 'End'} of range ${start} -> ${end} exceeds SPARSEMEM max ${limit}`,
      );
  return memory.filter((range) => range.start < limit).map((range) => ({ ...range, end: Math.min(range.end, limit) }));
}
