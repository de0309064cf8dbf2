/** Tokens of C, made on demand: text after the point where a parse gives up is never read. */
import type { SourceSpan } from '../task/task.ts';

export type TokenKind = 'identifier' | 'number' | 'char' | 'string' | 'punctuator' | 'directive' | 'unknown' | 'end';

export interface Comment extends SourceSpan {
  /** The words of the comment, without its marks. */
  readonly words: string;
  /** Nothing but white space stands before it on its line. */
  readonly ownLine: boolean;
}

export interface Token extends SourceSpan {
  readonly kind: TokenKind;
  readonly text: string;
  /** The comments between the token before and this one. */
  readonly comments: readonly Comment[];
  /** A line ends between the token before and this one. */
  readonly newline: boolean;
}

const IDENTIFIER = /[A-Za-z_]\w*/y;
const NUMBER = /0[xX][0-9a-fA-F]+\w*|0[bB][01]+\w*|(?:\d+\.\d*|\.\d+|\d+)(?:[eE][+-]?\d+)?\w*/y;
const QUOTED = { '"': /"(?:[^"\\\n]|\\[\s\S])*"?/y, "'": /'(?:[^'\\\n]|\\[\s\S])*'?/y };
const PUNCTUATOR = /\.\.\.|<<=|>>=|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|##|[-+*/%&|^~!<>=?:;,.(){}[\]#]|…/y;
const SPACE = /(?:[ \t\r\f\v]|\\\r?\n)+/y;
const DIRECTIVE = /#(?:[^\n\\]|\\[\s\S])*/y;
const NONE: readonly Comment[] = [];

/** A cursorless source of tokens: `at(i)` is the i-th, `end` for ever after the last. */
export class Lexer {
  readonly #text: string;
  readonly #tokens: Token[] = [];
  #offset = 0;
  #lineStart = true;

  constructor(text: string) {
    this.#text = text;
  }

  at(index: number): Token {
    let token = this.#tokens[index];
    while (!token) {
      const next = this.#next();
      this.#tokens.push(next);
      token = next.kind === 'end' ? next : this.#tokens[index];
    }
    return token;
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#offset;
    return pattern.exec(this.#text)?.[0];
  }

  #comment(ownLine: boolean): Comment | undefined {
    const start = this.#offset;
    const opening = this.#text.slice(start, start + 2);
    if (opening !== '/*' && opening !== '//') return undefined;
    const block = opening === '/*';
    const closing = this.#text.indexOf(block ? '*/' : '\n', start + 2);
    const inner = this.#text.slice(start + 2, closing < 0 ? this.#text.length : closing);
    this.#offset = closing < 0 ? this.#text.length : closing + (block ? 2 : 0);
    const words = inner
      .replace(/^[ \t]*\*?/gm, '')
      .replace(/\s+/g, ' ')
      .trim();
    return { start, end: this.#offset, words, ownLine };
  }

  #next(): Token {
    const comments: Comment[] = [];
    let newline = false;
    for (;;) {
      const space = this.#match(SPACE);
      if (space) this.#offset += space.length;
      if (this.#text[this.#offset] === '\n') {
        this.#offset++;
        newline = true;
        this.#lineStart = true;
        continue;
      }
      const comment = this.#comment(this.#lineStart);
      if (!comment) break;
      comments.push(comment);
    }
    const start = this.#offset;
    const [kind, text] = this.#token();
    this.#offset = start + text.length;
    this.#lineStart = false;
    return { kind, text, start, end: this.#offset, comments: comments.length ? comments : NONE, newline };
  }

  #token(): [TokenKind, string] {
    const first = this.#text[this.#offset];
    if (first === undefined) return ['end', ''];
    const kinds: readonly (readonly [TokenKind, RegExp])[] = [
      ['identifier', IDENTIFIER],
      ['number', NUMBER],
      ['punctuator', PUNCTUATOR],
    ];
    if (first === '#' && this.#lineStart) return ['directive', this.#match(DIRECTIVE) ?? '#'];
    if (first === '"' || first === "'") return [first === '"' ? 'string' : 'char', this.#match(QUOTED[first]) ?? first];
    for (const [kind, pattern] of kinds) {
      const text = this.#match(pattern);
      if (text) return [kind, text === '…' ? '...' : text];
    }
    return ['unknown', String.fromCodePoint(this.#text.codePointAt(this.#offset) ?? 0xfffd)];
  }
}

const ESCAPES: Record<string, number> = { n: 10, t: 9, r: 13, 0: 0, a: 7, b: 8, f: 12, v: 11 };

/** The characters between the quotes of a string or character literal, escapes resolved. */
export function unquote(literal: string): string {
  const quote = literal[0] ?? '"';
  const closed = literal.length > 1 && literal.endsWith(quote);
  const body = literal.slice(1, closed ? -1 : undefined);
  return body.replace(/\\(x[0-9a-fA-F]+|[0-7]{1,3}|\r?\n|[\s\S])/g, (_, sequence: string) => {
    if (sequence.endsWith('\n')) return '';
    if (sequence[0] === 'x' && sequence.length > 1)
      return String.fromCharCode(Number.parseInt(sequence.slice(1), 16) & 0xff);
    if (/^[0-7]/.test(sequence)) return String.fromCharCode(Number.parseInt(sequence, 8) & 0xff);
    const code = ESCAPES[sequence];
    return code === undefined ? sequence : String.fromCharCode(code);
  });
}
