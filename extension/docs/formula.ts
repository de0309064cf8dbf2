/** Formulas in mathematical notation as C: `N = 2 ^ {(A - B)}` is `1UL << (A - B)`. */
import type { Directive, LiteralBlock } from './rstTypes.ts';

export interface Formula {
  readonly block: LiteralBlock;
  /** The name on the left side of `=`. */
  readonly name: string;
  /** The right side as C. */
  readonly text: string;
  /** Offset in the document of an offset in `text`. */
  readonly toSource: (offset: number) => number;
}

const LONGEST = 2000;

/** The formula of a `math` directive; undefined if it is none that C can compute. */
export function formulaOf(source: string, directive: Directive): Formula | undefined {
  if (directive.name !== 'math') return undefined;
  const { start, end } = directive.body;
  if (end <= start || end - start > LONGEST) return undefined;
  const equals = source.indexOf('=', start);
  if (equals < 0 || equals >= end) return undefined;
  const left = translate(source, start, equals);
  const right = translate(source, equals + 1, end);
  const name = left?.text ?? '';
  if (!/^[A-Za-z_]\w*$/.test(name) || right === undefined || right.text === '') return undefined;
  const first = start + (source.slice(start, end).length - source.slice(start, end).trimStart().length);
  const line = source.lastIndexOf('\n', first - 1) + 1;
  return {
    block: { start: line, end, column: first - line, form: 'directive', directive: 'math' },
    name,
    text: right.text,
    toSource: (offset) => right.places[Math.max(0, Math.min(offset, right.places.length - 1))] ?? first,
  };
}

interface Translated {
  readonly text: string;
  /** Offset in the source of each character. */
  readonly places: readonly number[];
}

/** What a command of the notation is in C. */
const COMMANDS: Readonly<Record<string, string>> = {
  '\\_': '_',
  '\\times': '*',
  '\\cdot': '*',
  '\\,': ' ',
  '\\ ': ' ',
};

function translate(source: string, start: number, end: number): Translated | undefined {
  let text = '';
  const places: number[] = [];
  const put = (what: string, at: number): void => {
    text += what;
    for (let i = 0; i < what.length; i++) places.push(at);
  };
  const token = /\\[A-Za-z]+|\\.|\w+|\s+|[^\w\s]/gsy;
  for (token.lastIndex = start; token.lastIndex < end; ) {
    const at = token.lastIndex;
    const word = token.exec(source)?.[0];
    if (word === undefined) return undefined;
    if (word === '2') {
      const power = /\s*\^\s*/y;
      power.lastIndex = token.lastIndex;
      if (power.test(source)) {
        put('1UL << ', at);
        token.lastIndex = power.lastIndex;
        continue;
      }
    }
    if (word.startsWith('\\')) {
      const command = COMMANDS[word];
      if (command === undefined) return undefined;
      put(command, at);
    } else if (/^\s/.test(word)) put(text === '' ? '' : ' ', at);
    else if (word === '{' || word === '}') put(word === '{' ? '(' : ')', at);
    else if (word === '^') return undefined;
    else put(word, at);
  }
  const length = text.trimEnd().length;
  return { text: text.slice(0, length), places: places.slice(0, length + 1) };
}
