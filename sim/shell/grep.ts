/** `grep`: lines of files, or of what another command prints, that hold a text. */
import { ShellError } from './error.ts';

export const GREP_USAGE = 'grep [-c] [-i] [-v] [-A LINES] TEXT FILE...';
export const GREP_SUMMARY =
  'print the lines of files that hold a text (^ and $: at an end); COMMAND | grep TEXT: of what it prints';

interface GrepRequest {
  readonly matches: (line: string) => boolean;
  readonly counts: boolean;
  /** Lines to print behind each that matches. */
  readonly after: number;
  readonly files: readonly string[];
}

/** Reads the arguments. A text is no regular expression, but for `^` before and `$` behind it. */
export function readGrep(args: readonly string[]): GrepRequest {
  const usage = (why: string): ShellError => new ShellError(`grep: ${why}\nusage: ${GREP_USAGE}`);
  const given = new Set<string>();
  let after = 0;
  let at = 0;
  for (let arg = args[at]; arg?.startsWith('-') && arg.length > 1; arg = args[++at]) {
    if (arg === '-A') {
      const lines = args[++at] ?? '';
      if (!/^\d{1,6}$/.test(lines)) throw usage('-A takes a number of lines');
      after = Number(lines);
    } else if (/^-[civ]+$/.test(arg)) for (const letter of arg.slice(1)) given.add(letter);
    else throw usage(`${arg}: unknown option`);
  }
  const [text, ...files] = args.slice(at);
  if (text === undefined) throw usage('name a text');
  const fold = (line: string): string => (given.has('i') ? line.toLowerCase() : line);
  const atStart = text.startsWith('^');
  const atEnd = text.endsWith('$') && text.length > (atStart ? 1 : 0);
  const wanted = fold(text.slice(atStart ? 1 : 0, atEnd ? -1 : undefined));
  const has = (line: string): boolean => {
    if (atStart && atEnd) return line === wanted;
    if (atStart) return line.startsWith(wanted);
    return atEnd ? line.endsWith(wanted) : line.includes(wanted);
  };
  return { matches: (line) => has(fold(line)) !== given.has('v'), counts: given.has('c'), after, files };
}

/** The lines of `text` that were asked for, or their number. */
export function grep(text: string, { matches, counts, after }: GrepRequest): string | undefined {
  const lines = text.replace(/\n$/, '').split('\n');
  if (counts) return String(lines.filter(matches).length);
  const shown: string[] = [];
  let until = -1;
  for (const [index, line] of lines.entries()) {
    if (matches(line)) until = index + after;
    if (index <= until) shown.push(line);
  }
  return shown.length === 0 ? undefined : shown.join('\n');
}
