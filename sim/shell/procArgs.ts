/** Words of command lines that speak of processes: numbers, addresses, page counts, protections. */
import { type Mm, type Process, VM_EXEC, VM_READ, VM_WRITE } from '../include/mm_types.ts';
import type { Kernel } from '../machine/kernel.ts';
import { errnoText } from './errnoText.ts';
import { ShellError } from './error.ts';
import { sumOf } from './variables.ts';

const ESRCH = -3;
const EINVAL = -22;
/** Pages of one command: 4 GiB. */
export const MOST_PAGES = 2 ** 20;

/** A system call that was refused, as a tool would say it. */
export function refuse(what: string, error: number, why = ''): never {
  throw new ShellError(`${what}: ${errnoText(error)}${why === '' ? '' : `: ${why}`}`, error);
}

/** A number, or a sum of numbers and variables of the shell: `0x1000`, `a`, `a+0x1000`. */
export function numberOf(kernel: Kernel, text: string | undefined, what: string, usage: string): bigint {
  if (text === undefined) throw new ShellError(`usage: ${usage}`);
  const found = sumOf(kernel, text);
  if (found !== undefined) return found;
  const short = text.length > 40 ? `${text.slice(0, 40)}...` : text;
  const isLarge = /(?:^|[+-])(?:0x[0-9a-f]{17}|\d{21})/i.test(text);
  return refuse(
    what,
    EINVAL,
    isLarge ? `${short} does not fit 64 bits` : `${short} is no number and no variable that holds one`,
  );
}

/** The number of a process, where a word is one; -1 otherwise. */
export const pidOf = (kernel: Kernel, text: string | undefined): number =>
  Number(text === undefined ? -1 : (sumOf(kernel, text) ?? -1));

/** A process that lives; -ESRCH. */
export function processOf(kernel: Kernel, text: string | undefined, what: string, usage: string): Process & { mm: Mm } {
  const pid = numberOf(kernel, text, what, usage);
  const found = kernel.state.processes.get(Number(pid));
  if (!found?.mm) return refuse(what, ESRCH, `there is no process ${text}; proc list shows them`);
  return found as Process & { mm: Mm };
}

/** The page number of an address, which is a multiple of 4096; -EINVAL. */
export function addressOf(kernel: Kernel, text: string | undefined, what: string, usage: string): number {
  const address = numberOf(kernel, text, what, usage);
  if (address < 0n || address >= 1n << 64n) return refuse(what, EINVAL, `${text} is no address`);
  if (address % 4096n !== 0n) return refuse(what, EINVAL, `${text} is not a multiple of 4096`);
  return Number(address >> 12n);
}

/** So many pages: 0 is for the call to refuse. */
export function pagesOf(kernel: Kernel, text: string | undefined, what: string, usage: string): number {
  const pages = numberOf(kernel, text, what, usage);
  if (pages < 0n) return refuse(what, EINVAL, `${text} pages`);
  if (pages > BigInt(MOST_PAGES)) return refuse(what, EINVAL, `at most ${MOST_PAGES} pages at a time`);
  return Number(pages);
}

const PROT: ReadonlyMap<string, number> = new Map([
  ['none', 0],
  ['r', VM_READ],
  ['w', VM_WRITE],
  ['rw', VM_READ | VM_WRITE],
  ['rx', VM_READ | VM_EXEC],
  ['rwx', VM_READ | VM_WRITE | VM_EXEC],
]);
/** PROT_* of a word; undefined: no protection. */
export const protOf = (text: string): number | undefined => PROT.get(text);
