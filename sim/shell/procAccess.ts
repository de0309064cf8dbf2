/** `proc read|write`: a process touches its memory. */
import { type CValue, integer } from '../c/value.ts';
import type { PageData } from '../include/mm_types.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import { type Fault, forbidden, readMemory, writeMemory } from '../mm/access.ts';
import { WORDS, wordOf } from '../mm/contents.ts';
import type { KernelGenerator } from '../task/task.ts';
import type { CommandContext } from './command.ts';
import { ShellError } from './error.ts';
import { parsePattern, patternPage } from './pattern.ts';
import type { ProcCommand } from './proc.ts';
import { addressOf, pagesOf, processOf, refuse } from './procArgs.ts';

const READ = 'proc read PID ADDR PAGES';
const WRITE = 'proc write PID ADDR PAGES [VALUE]';
const ENOMEM = -12;
const EFAULT = -14;
const EINVAL = -22;
/** Lines of one read. */
const MOST_LINES = 1000;

const at = (vpn: number): string => hex(BigInt(vpn) << 12n);

const why = ({ signal, vpn }: Fault): string =>
  signal === 'OOM' || signal === 'SIGKILL' ? `no memory for the page at ${at(vpn)}` : `${signal} at ${at(vpn)}`;

const fail = (what: string, fault: Fault): never =>
  refuse(what, fault.signal === 'OOM' || fault.signal === 'SIGKILL' ? ENOMEM : EFAULT, why(fault));

/* ---- what pages hold ---- */

/** Pages that follow one rule: word i of the range is base + i * step. */
interface Run {
  readonly first: number;
  pages: number;
  readonly base: number;
  readonly step: number;
}

/** Collects what the pages of a range hold, in runs. */
class Runs {
  readonly runs: Run[] = [];
  firstWord = 0;
  /** The page, if it is the only one. */
  only: PageData | undefined;
  add(data: PageData, page: number): void {
    if (page === 0) {
      this.firstWord = wordOf(data, 0);
      this.only = data;
    }
    const last = this.runs.at(-1);
    const step = data.step >>> 0;
    const base = (data.base - Math.imul(step, page * WORDS)) >>> 0;
    if (last && last.base === base && last.step === step) last.pages++;
    else this.runs.push({ first: page, pages: 1, base, step });
  }
}

const number = (value: number): string => (value < 10 ? String(value) : hex(value));

function rule(base: number, step: number): string {
  if (step === 0) return number(base);
  const slope = step | 0;
  const index = slope === 1 ? 'i' : slope === -1 ? '-i' : `${slope}*i`;
  return `word i holds ${index}${base === 0 ? '' : `${(base | 0) < 0 ? '' : '+'}${base | 0}`}`;
}

function lineOf(start: number, run: Run): string {
  return `${at(start + run.first)} ${run.pages} page(s): ${rule(run.base, run.step)}`;
}

function* read({ kernel, print }: CommandContext, args: readonly string[]): KernelGenerator<CValue> {
  const { mm, start, pages, more } = range(kernel, args, 'proc read', READ);
  if (more.length > 0) throw new ShellError(`usage: ${READ}`);
  const refused = yield* forbidden(kernel, mm, start, pages, false);
  if (refused) fail('proc read', refused);
  const found = new Runs();
  const fault = yield* readMemory(kernel, mm, start, pages, (data, page) => found.add(data, page));
  if (fault) fail('proc read', fault);
  for (const run of found.runs.slice(0, MOST_LINES)) print(lineOf(start, run));
  if (found.runs.length > MOST_LINES) print(`... and ${found.runs.length - MOST_LINES} more runs`);
  const { only } = found;
  if (pages === 1 && only && only.step !== 0)
    print(Array.from({ length: 8 }, (_, word) => number(wordOf(only, word))).join(' '));
  return integer(found.firstWord, 'unsigned int');
}

/* ---- writing ---- */

/** `+N`: every word grows; anything else is a pattern of the whole range. */
function maker(text: string | undefined): (page: number, old: PageData) => PageData {
  const [, add] = /^\+(0x[0-9a-f]{1,8}|\d{1,10})$/i.exec(text ?? '') ?? [];
  if (add !== undefined) {
    const by = Number(add);
    return (_, old) => ({
      ...old,
      base: (old.base + by) >>> 0,
    });
  }
  const pattern = parsePattern(text ?? 'i');
  if (!pattern) return refuse('proc write', EINVAL, `${text}: a number, i, i+N, -i, or +N to add to what is there`);
  return (page) => patternPage(pattern, page);
}

function* write({ kernel, print }: CommandContext, args: readonly string[]): KernelGenerator<CValue> {
  const { mm, start, pages, more } = range(kernel, args, 'proc write', WRITE);
  if (more.length > 1) throw new ShellError(`usage: ${WRITE}`);
  const make = maker(more[0]);
  const refused = yield* forbidden(kernel, mm, start, pages, true);
  if (refused) fail('proc write', refused);
  const fault = yield* writeMemory(kernel, mm, start, pages, make);
  if (fault) fail('proc write', fault);
  print(`${pages} page(s) written`);
  return integer(pages);
}

function range(kernel: Kernel, [pid, address, count, ...more]: readonly string[], what: string, usage: string) {
  const { mm } = processOf(kernel, pid, what, usage);
  const start = addressOf(kernel, address, what, usage);
  const pages = pagesOf(kernel, count, what, usage);
  if (pages === 0) refuse(what, EINVAL, 'no pages');
  return { mm, start, pages, more };
}

export const PROC_ACCESS: readonly ProcCommand[] = [
  { name: 'read', usage: READ, summary: 'reads every page; prints what they hold', run: read },
  {
    name: 'write',
    usage: WRITE,
    summary: 'writes every page: without VALUE word i of the range is i; N, i, i+N, -i, or +N to add to what is there',
    run: write,
  },
];
