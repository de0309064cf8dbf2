/** `proc gup` and `proc gup-put`: get_user_pages on a process's memory, and giving back. */
import { integer } from '../c/value.ts';
import { down_read, up_read } from '../kernel/locking.ts';
import { hex } from '../machine/kernel.ts';
import { get_user_pages_remote } from '../mm/gup.ts';
import { heldPage, putHeldPage, rememberPages } from '../mm/gup_held.ts';
import { ShellError } from './error.ts';
import type { ProcCommand } from './proc.ts';
import { addressOf, numberOf, pagesOf, processOf, refuse } from './procArgs.ts';

const GUP = 'proc gup PID ADDR PAGES [write] [pin] [longterm] [fast] [p2pdma]';
const GUP_PUT = 'proc gup-put PID ADDR PAGES [pin]';
const EINVAL = -22;
/** Who holds pages is remembered page by page: 1 GiB at a time. */
const MOST_HELD = 2 ** 18;

/** Options as a set of words, each once. */
function wordsOf(given: readonly string[], known: readonly string[], usage: string): ReadonlySet<string> {
  const set = new Set(given);
  if (set.size !== given.length || given.some((word) => !known.includes(word))) throw new ShellError(`usage: ${usage}`);
  return set;
}

export const PROC_GUP: readonly ProcCommand[] = [
  {
    name: 'gup',
    isCall: true,
    usage: GUP,
    summary:
      'get_user_pages, or pin_user_pages with pin: faults pages in and holds them until gup-put; prints how many',
    *run({ kernel, print }, args) {
      const set = wordsOf(args.slice(3), ['write', 'pin', 'longterm', 'fast', 'p2pdma'], GUP);
      const { pid, mm } = processOf(kernel, args[0], 'proc gup', GUP);
      const vpn = addressOf(kernel, args[1], 'proc gup', GUP);
      const count = pagesOf(kernel, args[2], 'proc gup', GUP);
      if (count > MOST_HELD) refuse('proc gup', EINVAL, `at most ${MOST_HELD} pages at a time`);
      const [pin, longterm, fast, p2pdma] = [set.has('pin'), set.has('longterm'), set.has('fast'), set.has('p2pdma')];
      if (pin && !kernel.facts.pinUserPages) throw new ShellError(`proc gup: ${kernel.release} has no FOLL_PIN`);
      if (longterm && !kernel.facts.gupLongterm)
        throw new ShellError(`proc gup: ${kernel.release} has no FOLL_LONGTERM`);
      if (p2pdma && !kernel.facts.follPciP2pdma)
        throw new ShellError(`proc gup: ${kernel.release} has no FOLL_PCI_P2PDMA`);
      const pages: number[] = [];
      const flags = { write: set.has('write'), pin, longterm, fast, p2pdma, remote: false };
      if (!fast) yield* down_read(kernel, mm.mmap_lock);
      const result = yield* get_user_pages_remote(kernel, mm, vpn, count, flags, pages);
      if (!fast) up_read(kernel, mm.mmap_lock);
      if (result < 0) refuse(pin ? 'pin_user_pages' : 'get_user_pages', result);
      rememberPages(kernel, pid, vpn, pages, pin);
      print(`${result} page(s)`);
      return integer(result);
    },
  },
  {
    name: 'gup-put',
    usage: GUP_PUT,
    summary: 'put_page or unpin_user_page of what gup got, even if it is unmapped or the process is over',
    *run({ kernel }, args) {
      const pin = wordsOf(args.slice(3), ['pin'], GUP_PUT).has('pin');
      const pid = Number(numberOf(kernel, args[0], 'proc gup-put', GUP_PUT));
      const vpn = addressOf(kernel, args[1], 'proc gup-put', GUP_PUT);
      const pages = pagesOf(kernel, args[2], 'proc gup-put', GUP_PUT);
      for (let i = 0; i < pages; i++)
        if (!heldPage(kernel, pid, vpn + i, pin))
          refuse('proc gup-put', EINVAL, `nobody ${pin ? 'pins' : 'holds'} ${hex(BigInt(vpn + i) << 12n)} of ${pid}`);
      for (let i = 0; i < pages; i++) yield* putHeldPage(kernel, pid, vpn + i, pin);
      return undefined;
    },
  },
];
