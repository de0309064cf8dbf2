/** Command lines of ndctl and daxctl: util/parse-options.c of the ndctl tools, as people know it from git. */
import { ShellError } from './error.ts';

export interface Option {
  readonly short?: string;
  readonly long: string;
  /** What its value is called; absent: a switch. */
  readonly value?: string;
  readonly help: string;
}

export interface Parsed {
  /** What is no option, in order. */
  readonly rest: readonly string[];
  has(long: string): boolean;
  value(long: string): string | undefined;
}

export function usage(line: string, options: readonly Option[]): string {
  const rows = options.map(({ short, long, value, help }) => {
    const names = `    ${short ? `-${short}, ` : '    '}--${long}${value ? ` <${value}>` : ''}`;
    return `${names.padEnd(29)} ${help}`;
  });
  return ` usage: ${line}\n\n${rows.join('\n')}`;
}

export function parseOptions(args: readonly string[], options: readonly Option[], line: string): Parsed {
  const found = new Map<string, string | false>();
  const rest: string[] = [];
  const fail = (what: string): never => {
    throw new ShellError(`  Error: ${what}\n\n${usage(line, options)}`);
  };
  let index = 0;
  const take = (option: Option, attached: string | undefined, called: string): void => {
    if (option.value === undefined) {
      if (attached !== undefined) fail(`${called} takes no value`);
      found.set(option.long, '');
      return;
    }
    const value = attached ?? args[index++];
    if (value === undefined) fail(`${called} requires a value`);
    else found.set(option.long, value);
  };
  while (index < args.length) {
    const word = args[index++] ?? '';
    if (word === '--') {
      rest.push(...args.slice(index));
      break;
    }
    if (word === '-h' || word === '--help') throw new ShellError(usage(line, options));
    if (word.startsWith('--')) {
      const [name = '', value] = splitOnce(word.slice(2));
      const option = named(options, name);
      const switched = named(options, name.replace(/^no-/, ''));
      if (option) take(option, value, `option \`${option.long}'`);
      else if (name.startsWith('no-') && switched?.value === undefined && switched) found.set(switched.long, false);
      else fail(`unknown option \`${name}'`);
    } else if (word.length > 1 && word.startsWith('-')) {
      for (let at = 1; at < word.length; at++) {
        const letter = word[at] ?? '';
        const option = options.find(({ short }) => short === letter);
        if (!option) {
          fail(`unknown switch \`${letter}'`);
          break;
        }
        if (option.value === undefined) take(option, undefined, `switch \`${letter}'`);
        else {
          const attached = word.slice(at + 1).replace(/^=/, '');
          take(option, attached === '' ? undefined : attached, `switch \`${letter}'`);
          break;
        }
      }
    } else rest.push(word);
  }
  return {
    rest,
    has: (long) => typeof found.get(long) === 'string',
    value: (long) => found.get(long) || undefined,
  };
}

function splitOnce(word: string): [string, string | undefined] {
  const at = word.indexOf('=');
  return at < 0 ? [word, undefined] : [word.slice(0, at), word.slice(at + 1)];
}

/** By its name, or by a beginning that no other has. */
function named(options: readonly Option[], name: string): Option | undefined {
  const exact = options.find(({ long }) => long === name);
  if (exact || name === '') return exact;
  const close = options.filter(({ long }) => long.startsWith(name));
  return close.length === 1 ? close[0] : undefined;
}

const UNITS: Readonly<Record<string, bigint>> = { k: 1n << 10n, m: 1n << 20n, g: 1n << 30n, t: 1n << 40n };

/** util/size.c:__parse_size64: a number and the unit it was given in; `undefined` for anything else. */
export function parseSize(text: string): { size: bigint; unit: bigint; suffix: string } | undefined {
  const match = /^(0[xX][0-9a-fA-F]{1,16}|\d{1,20})([kKmMgGtT]?)$/.exec(text);
  if (!match) return undefined;
  const suffix = (match[2] ?? '').toUpperCase();
  const unit = UNITS[suffix.toLowerCase()] ?? 1n;
  const size = BigInt(match[1] ?? '0') * unit;
  return size < 1n << 64n ? { size, unit, suffix } : undefined;
}
