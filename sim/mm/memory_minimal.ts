/** What mm/khugepaged.c and mm/vmscan.c give to madvise. */
import type { Vma } from '../include/mm_types.ts';
import type { Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';

export function* collapse_huge_page(_kernel: Kernel, _vma: Vma, _vpn: number): KernelGenerator<number> {
  yield* [];
  return -22;
}
export function* pageout_folio(_kernel: Kernel, _pfn: number): KernelGenerator<void> {
  yield* [];
}
