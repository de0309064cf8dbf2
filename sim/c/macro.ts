/** A macro, and how its definition is read. */
import { Lexer, type Token } from './lex.ts';

export interface Macro {
  readonly name: string;
  /** Absent: it takes no arguments, and no brackets. */
  readonly parameters?: readonly string[];
  /** The parameter that takes all further arguments. */
  readonly rest?: string;
  readonly body: readonly Token[];
}

export function tokensOf(text: string): Token[] {
  const lexer = new Lexer(text);
  const tokens: Token[] = [];
  for (let i = 0; lexer.at(i).kind !== 'end'; i++) tokens.push({ ...lexer.at(i), comments: [], newline: false });
  return tokens;
}

/** `list` is the parameters in their brackets. */
export function macroOf(name: string, list: string | undefined, body: string): Macro {
  // Something in front keeps a `#` at the beginning from being a directive.
  const tokens = tokensOf(`;${body}`).slice(1);
  if (list === undefined) return { name, body: tokens };
  const names = list
    .slice(1, -1)
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '');
  const last = names.at(-1);
  if (!last?.endsWith('...')) return { name, parameters: names, body: tokens };
  const rest = last === '...' ? '__VA_ARGS__' : last.slice(0, -3).trim();
  return { name, parameters: names.slice(0, -1), rest, body: tokens };
}
