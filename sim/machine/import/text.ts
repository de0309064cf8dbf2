/** Copies of a real machine's files, read with suspicion: whatever is wrong has a file and a line. */

/** Texts by path below the folder, as on the machine: `proc/iomem`, `sys/devices/system/node/online`, `dmesg`. */
export type ImportFiles = ReadonlyMap<string, string>;

/** Something that is not known, or not as it was. */
export interface ImportNote {
  what: string;
  /** What it was taken from instead. */
  from?: string;
  /** What would make it exact. */
  exact?: string;
}

/** Why nothing can be imported; the message begins with the file and the line. */
export class ImportError extends Error {
  override readonly name = 'ImportError';
  constructor(file: string, line: number, problem: string) {
    super(`${file}${line > 0 ? `:${line}` : ''}: ${problem}`);
  }
}

export interface Line {
  readonly file: string;
  readonly number: number;
  readonly text: string;
}

/** Characters of one file. /proc/zoneinfo of 64 nodes and 1024 CPUs has three million. */
export const MAX_FILE = 8 << 20;
const MAX_LINE = 16_384;

/** The lines of a file; none if it is not there. */
export function* linesOf(files: ImportFiles, file: string): Generator<Line> {
  const text = files.get(file);
  if (text === undefined) return;
  if (text.length > MAX_FILE)
    throw new ImportError(file, 0, `has ${text.length} characters, and at most ${MAX_FILE} are read`);
  let number = 0;
  for (let start = 0; start < text.length; ) {
    const at = text.indexOf('\n', start);
    const end = at < 0 ? text.length : at;
    number++;
    if (end - start > MAX_LINE)
      throw new ImportError(file, number, `the line has ${end - start} characters, and at most ${MAX_LINE} are read`);
    const line = text.slice(start, end).replace(/\r$/, '');
    if (line.includes('\0')) throw new ImportError(file, number, 'holds binary data, not text');
    yield { file, number, text: line };
    start = end + 1;
  }
}

/** A line for a message: printable, and short. */
export function quote(text: string): string {
  const printable = text.replace(/[^\x20-\x7e]/g, '?').trim();
  return `"${printable.length > 60 ? `${printable.slice(0, 59)}…` : printable}"`;
}

export const wrong = (line: Line, problem: string): ImportError => new ImportError(line.file, line.number, problem);

/** Page frame numbers have 40 bits at most: 52 bits of physical address. */
const MAX_PAGES = 2 ** 40;

export function pagesIn(line: Line, text: string | undefined): number {
  if (text === undefined || !/^\d{1,16}$/.test(text)) throw wrong(line, `has no number of pages: ${quote(line.text)}`);
  const value = Number(text);
  if (value > MAX_PAGES) throw wrong(line, `${value} pages are more than 52 bits of physical address hold`);
  return value;
}

const MAX_ADDRESS = 1n << 52n;

/** An address range in hex; the end is inclusive. */
export function rangeIn(line: Line, from: string | undefined, to: string | undefined): { start: bigint; end: bigint } {
  const hex = /^[0-9a-fA-F]{1,16}$/;
  if (from === undefined || to === undefined || !hex.test(from) || !hex.test(to))
    throw wrong(line, `has no address range: ${quote(line.text)}`);
  const start = BigInt(`0x${from}`);
  const end = BigInt(`0x${to}`);
  if (end < start) throw wrong(line, `the range ends before it starts: ${quote(line.text)}`);
  if (end >= MAX_ADDRESS) throw wrong(line, `reaches 0x${end.toString(16)}, beyond 52 bits of physical address`);
  return { start, end };
}

/** `0-3,8`: a list of numbers below `limit`. */
export function listIn(line: Line, limit: number): number[] {
  const found: number[] = [];
  if (line.text.trim() === '') return found;
  for (const part of line.text.trim().split(',')) {
    const match = /^(\d{1,6})(?:-(\d{1,6}))?$/.exec(part);
    const first = Number(match?.[1]);
    const last = Number(match?.[2] ?? match?.[1]);
    if (!match || last < first || last >= limit)
      throw wrong(line, `is no list of numbers below ${limit}: ${quote(line.text)}`);
    for (let value = first; value <= last; value++) found.push(value);
  }
  return found;
}

/** The only line of a file of one line. */
export function lineOf(files: ImportFiles, file: string): Line | undefined {
  for (const line of linesOf(files, file)) return line;
  return undefined;
}
