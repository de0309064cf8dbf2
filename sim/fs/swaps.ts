/** /proc/swaps (mm/swapfile.c:swap_show). */
import type { Kernel } from '../machine/kernel.ts';
import { inUse } from '../mm/swap_state.ts';
import { fixedFiles } from './files.ts';

const column = (value: number): string => `${value}\t${value < 10_000_000 ? '\t' : ''}`;

function swaps(kernel: Kernel): string {
  let text = 'Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n';
  for (const info of kernel.state.swap.values()) {
    const name = info.name + ' '.repeat(Math.max(1, 40 - info.name.length));
    text += `${name}file\t\t${column((info.max - 1) * 4)}${column(inUse(info) * 4)}${info.prio}\n`;
  }
  return text;
}

export const SWAPS = fixedFiles('/proc', { swaps });
