/** `proc uffd`: a handler in user space for the pages of a range that are missing. */
import { integer } from '../c/value.ts';
import { userfaultfd_register } from '../mm/userfaultfd.ts';
import { ShellError } from './error.ts';
import { parsePattern } from './pattern.ts';
import type { ProcCommand } from './proc.ts';
import { addressOf, pagesOf, processOf, refuse } from './procArgs.ts';

const USAGE = 'proc uffd PID ADDR PAGES WORD';

export const PROC_UFFD: ProcCommand = {
  name: 'uffd',
  usage: USAGE,
  summary: 'userfaultfd: pages of the range that are missing are filled by a handler, with this 32-bit word',
  *run({ kernel }, args) {
    const [pid, address, count, value, ...more] = args;
    if (value === undefined || more.length > 0) throw new ShellError(`usage: ${USAGE}`);
    const { mm } = processOf(kernel, pid, 'proc uffd', USAGE);
    const start = addressOf(kernel, address, 'proc uffd', USAGE);
    const pages = pagesOf(kernel, count, 'proc uffd', USAGE);
    const pattern = parsePattern(value);
    if (pattern?.step !== 0) throw new ShellError(`proc uffd: ${value}: a number is wanted`);
    const result = yield* userfaultfd_register(kernel, mm, start, pages, pattern.base);
    if (result < 0) refuse('proc uffd', result);
    return integer(0);
  },
};
