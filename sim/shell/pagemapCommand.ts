/** `pagemap`: words of /proc/PID/pagemap, taken apart. */
import { pagemapText, pagemapWord } from '../fs/procPidPagemap.ts';
import { hex } from '../machine/kernel.ts';
import type { Command } from './command.ts';
import { ShellError } from './error.ts';
import { addressOf, pagesOf, processOf, refuse } from './procArgs.ts';

const USAGE = 'pagemap PID ADDR [PAGES]';
const MOST_LINES = 4096;

export const PAGEMAP: Command = {
  name: 'pagemap',
  usage: USAGE,
  summary: 'words of /proc/PID/pagemap: where each page of a process is',
  run({ kernel, print }, args) {
    if (args.length < 2 || args.length > 3) throw new ShellError(`usage: ${USAGE}`);
    const { mm } = processOf(kernel, args[0], 'pagemap', USAGE);
    const vpn = addressOf(kernel, args[1], 'pagemap', USAGE);
    const pages = pagesOf(kernel, args[2] ?? '1', 'pagemap', USAGE);
    if (pages > MOST_LINES) refuse('pagemap', -22, `at most ${MOST_LINES} pages at a time`);
    const lines: string[] = [];
    for (let i = 0; i < pages; i++)
      lines.push(`${hex(BigInt(vpn + i) << 12n)} ${pagemapText(pagemapWord(kernel, mm, vpn + i))}`);
    if (lines.length > 0) print(lines.join('\n'));
    return undefined;
  },
};
