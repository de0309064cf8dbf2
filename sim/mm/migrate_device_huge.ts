/** mm/migrate_device.c: what a huge PMD in the range means: split to 6.18, taken whole from 6.19 where the driver can. */
import type { HugePmd, Vma } from '../include/mm_types.ts';
import type { Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { collectSkip, type MigrateVma, type Selection } from './migrate_vma.ts';

export function* collectHugePmd(
  _kernel: Kernel,
  args: MigrateVma,
  _vma: Vma,
  _select: Selection,
  _pmd: HugePmd,
  _vpn: number,
  pages: number,
): KernelGenerator<boolean> {
  collectSkip(args, pages);
  return true;
}
