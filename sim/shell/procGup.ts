/** `proc gup` and `proc gup-put`: get_user_pages on a process's memory, and giving back; `pagemap` reads the words. */
import { pagemapText, pagemapWord } from '../fs/procPidPagemap.ts';
import { errnoName } from '../include/errno.ts';
import { down_read, up_read } from '../kernel/locking.ts';
import type { Kernel } from '../machine/kernel.ts';
import { get_user_pages_remote } from '../mm/gup.ts';
import { heldPage, putHeldPage, rememberPages } from '../mm/gup_held.ts';
import type { KernelGenerator } from '../task/task.ts';
import type { Command, CommandContext } from './command.ts';
import { ShellError } from './error.ts';

export const GUP_USAGE = 'proc gup PID ADDR PAGES [write] [pin] [longterm] [fast] [p2pdma]';
export const GUP_PUT_USAGE = 'proc gup-put PID ADDR PAGES [pin]';
const PAGEMAP_USAGE = 'pagemap PID ADDR [PAGES]';
/** Pages of one call: 1 GiB. */
const MOST_PAGES = 1 << 18;
const MOST_LINES = 4096;
const ESRCH = -3;
const EINVAL = -22;

interface Range {
  readonly pid: number;
  readonly vpn: number;
  readonly pages: number;
}

function integer(text: string | undefined, usage: string): bigint {
  if (!/^(0x[0-9a-f]{1,16}|\d{1,19})$/i.test(text ?? '')) throw new ShellError(`usage: ${usage}`, EINVAL);
  return BigInt(text ?? 0);
}

/** PID ADDR PAGES; an address inside a page means that page, as for the kernel. */
function rangeOf([pid, at, count]: readonly string[], usage: string, most: number, ifNone?: string): Range {
  const address = integer(at, usage);
  const pages = integer(count ?? ifNone, usage);
  if (pages > BigInt(most)) throw new ShellError(`${usage.split(' PID')[0]}: at most ${most} pages at a time`, EINVAL);
  return { pid: Number(integer(pid, usage)), vpn: Number(address >> 12n), pages: Number(pages) };
}

function mmOf(kernel: Kernel, pid: number) {
  const mm = kernel.state.processes.get(pid)?.mm;
  if (!mm) throw new ShellError(`${pid}: no such process`, ESRCH);
  return mm;
}

/** Options as a set of words, each once. */
function words(given: readonly string[], known: readonly string[], usage: string): ReadonlySet<string> {
  const set = new Set(given);
  if (set.size !== given.length || given.some((word) => !known.includes(word)))
    throw new ShellError(`usage: ${usage}`, EINVAL);
  return set;
}

/** `proc gup`, what follows the word. */
export function* runProcGup({ kernel, print }: CommandContext, args: readonly string[]): KernelGenerator<void> {
  const { pid, vpn, pages: count } = rangeOf(args, GUP_USAGE, MOST_PAGES);
  const set = words(args.slice(3), ['write', 'pin', 'longterm', 'fast', 'p2pdma'], GUP_USAGE);
  const mm = mmOf(kernel, pid);
  const [pin, longterm, fast, p2pdma] = [set.has('pin'), set.has('longterm'), set.has('fast'), set.has('p2pdma')];
  if (pin && !kernel.has('pinUserPages')) throw new ShellError(`proc gup: ${kernel.release} has no FOLL_PIN`);
  if (longterm && !kernel.has('gupLongterm')) throw new ShellError(`proc gup: ${kernel.release} has no FOLL_LONGTERM`);
  if (p2pdma && !kernel.has('follPciP2pdma'))
    throw new ShellError(`proc gup: ${kernel.release} has no FOLL_PCI_P2PDMA`);
  const pages: number[] = [];
  const flags = { write: set.has('write'), pin, longterm, fast, p2pdma, remote: false };
  if (!fast) yield* down_read(kernel, mm.mmap_lock);
  const result = yield* get_user_pages_remote(kernel, mm, vpn, count, flags, pages);
  if (!fast) up_read(kernel, mm.mmap_lock);
  if (result < 0) throw new ShellError(`get_user_pages: -${errnoName(-result) ?? -result}`, result);
  rememberPages(kernel, pid, vpn, pages, pin);
  print(`${result} page(s)`);
}

/** `proc gup-put`, what follows the word. All of the pages must be held. */
export function* runProcGupPut({ kernel }: CommandContext, args: readonly string[]): KernelGenerator<void> {
  const { pid, vpn, pages } = rangeOf(args, GUP_PUT_USAGE, MOST_PAGES);
  const pin = words(args.slice(3), ['pin'], GUP_PUT_USAGE).has('pin');
  for (let i = 0; i < pages; i++)
    if (!heldPage(kernel, pid, vpn + i, pin))
      throw new ShellError(
        `proc gup-put: nobody ${pin ? 'pins' : 'holds'} the page at 0x${((vpn + i) * 4096).toString(16)} of ${pid}`,
        EINVAL,
      );
  for (let i = 0; i < pages; i++) yield* putHeldPage(kernel, pid, vpn + i, pin);
}

/** What a sub-command of `proc` is. */
export interface ProcVerb {
  readonly usage: string;
  run(context: CommandContext, args: readonly string[]): KernelGenerator<void>;
}
/** By the word behind `proc`. */
export const PROC_GUP_VERBS: Readonly<Record<string, ProcVerb>> = {
  gup: { usage: GUP_USAGE, run: runProcGup },
  'gup-put': { usage: GUP_PUT_USAGE, run: runProcGupPut },
};

export const PAGEMAP: Command = {
  name: 'pagemap',
  usage: PAGEMAP_USAGE,
  summary: 'words of /proc/PID/pagemap: where each page of a process is',
  run({ kernel, print }, args) {
    if (args.length < 2 || args.length > 3) throw new ShellError(`usage: ${PAGEMAP_USAGE}`, EINVAL);
    const { pid, vpn, pages } = rangeOf(args, PAGEMAP_USAGE, MOST_LINES, '1');
    const mm = mmOf(kernel, pid);
    const lines: string[] = [];
    for (let i = 0; i < pages; i++)
      lines.push(`0x${(vpn + i).toString(16)}000 ${pagemapText(pagemapWord(kernel, mm, vpn + i))}`);
    if (lines.length > 0) print(lines.join('\n'));
    return undefined;
  },
};
