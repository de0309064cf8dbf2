/**
 * Inline markup, by the recognition rules of the reStructuredText specification ("Inline markup recognition rules"),
 * where the specification is open as docutils decides (parsers/rst/states.py, class Inliner).
 *
 * A search for the end of a mark that failed once fails for every later mark of the same kind in the same run, so it
 * is not repeated: a run full of unclosed marks is read in linear time.
 */
import type { Marked, RstLists } from './rstTypes.ts';

const BACKSLASH = 92;
const BACKTICK = 96;
const STAR = 42;
const BAR = 124;
const UNDERSCORE = 95;
const COLON = 58;

/** A longer name before a backtick is no role. */
const MAX_ROLE_NAME = 64;
const ROLE_NAME = /^[A-Za-z0-9]+(?:[-_+:.][A-Za-z0-9]+)*$/;

/** Kinds of mark that have an end to be searched for; each is one bit. */
const Mark = { literal: 1, interpreted: 2, target: 4, strong: 8, emphasis: 16, substitution: 32 } as const;
type Mark = (typeof Mark)[keyof typeof Mark];

const WHITE = /\s/;
const OPENING = /[\p{Ps}\p{Pi}\p{Pf}\p{Pd}\p{Po}]/u;
const CLOSING = /[\p{Pe}\p{Pi}\p{Pf}\p{Pd}\p{Po}]/u;
const ASCII_OPENING = new Set(Array.from('"\'(<[{-/:', (c) => c.charCodeAt(0)));
const ASCII_CLOSING = new Set(Array.from('"\')>]}-/:\\.,;!?', (c) => c.charCodeAt(0)));
const QUOTE_PAIRS = new Set(['""', "''", '()', '[]', '{}', '<>', '“”', '‘’', '«»', '‹›']);

export class InlineReader {
  private readonly source: string;
  private readonly lists: RstLists;
  private nextBacktick = -1;
  private from = 0;
  private to = 0;
  /** Kinds whose end does not come again in this run. */
  private endless = 0;
  /** Where docutils would start to read afresh: a mark may begin here whatever comes before it. */
  private fresh = 0;

  constructor(source: string, lists: RstLists) {
    this.source = source;
    this.lists = lists;
  }

  /** Reads one run of text. Runs must come in the order of the source. */
  read(from: number, to: number): void {
    if (!this.hasBacktick(from, to)) return;
    this.from = from;
    this.to = to;
    this.endless = 0;
    this.fresh = from;
    let at = from;
    while (at < to) {
      switch (this.source.charCodeAt(at)) {
        case BACKSLASH:
          at += 2;
          break;
        case BACKTICK:
          at = this.code(at + 1) === BACKTICK ? this.literal(at) : this.interpreted(at);
          break;
        case STAR:
          at = this.code(at + 1) === STAR ? this.skip(Mark.strong, at, 2) : this.skip(Mark.emphasis, at, 1);
          break;
        case BAR:
          at = this.code(at + 1) === BAR ? at + 2 : this.skip(Mark.substitution, at, 1);
          break;
        case UNDERSCORE:
          at = this.code(at + 1) === BACKTICK ? this.skip(Mark.target, at, 2) : at + 1;
          break;
        default:
          at++;
      }
    }
  }

  private hasBacktick(from: number, to: number): boolean {
    if (this.nextBacktick < from) {
      const found = this.source.indexOf('`', from);
      this.nextBacktick = found < 0 ? Number.POSITIVE_INFINITY : found;
    }
    return this.nextBacktick < to;
  }

  /** The character, or -1 outside the run. */
  private code(at: number): number {
    return at >= this.from && at < this.to ? this.source.charCodeAt(at) : -1;
  }

  private literal(start: number): number {
    const inner = start + 2;
    if (!this.canStart(start, inner)) return inner;
    const end = this.findEnd(Mark.literal, inner);
    if (end < 0) return this.giveUp(inner);
    this.lists.literals.push(this.marked(start, end + 2, inner, end, false));
    return this.giveUp(end + 2);
  }

  private interpreted(tick: number): number {
    const inner = tick + 1;
    const before = this.roleBefore(tick);
    if (before === '' && !this.canStart(tick, inner)) return inner;
    if (before !== '' && this.isWhiteOrEnd(inner)) return inner;
    const end = this.findEnd(Mark.interpreted, inner);
    if (end < 0) return this.giveUp(inner);
    const after = this.roleAfter(end + 1);
    const behind = end + 1 + (after === '' ? 0 : after.length + 2);
    if (this.code(behind) === UNDERSCORE) {
      const anonymous = this.code(behind + 1) === UNDERSCORE;
      if (this.isEndSuffix(behind + (anonymous ? 2 : 1))) return this.giveUp(behind + (anonymous ? 2 : 1));
    }
    // Two roles on one text are an error to docutils, and no role at all.
    if (before !== '' && after !== '') return this.giveUp(behind);
    const role = (before || after).toLowerCase();
    const start = before === '' ? tick : tick - before.length - 2;
    const mark = this.marked(start, behind, inner, end, true);
    if (role === '') this.lists.defaultRoles.push(mark);
    else this.lists.roles.push({ role, ...mark });
    return this.giveUp(behind);
  }

  /** Marks whose text we do not need: their content is only kept from being read as markup. */
  private skip(kind: Mark, start: number, length: number): number {
    const inner = start + length;
    if (!this.canStart(start, inner)) return inner;
    const end = this.findEnd(kind, inner);
    if (end < 0) return this.giveUp(inner);
    return this.giveUp(end + (kind === Mark.strong ? 2 : 1));
  }

  private giveUp(at: number): number {
    this.fresh = at;
    return at;
  }

  private marked(start: number, end: number, innerStart: number, innerEnd: number, escapes: boolean): Marked {
    let text = this.source.slice(innerStart, innerEnd);
    if (escapes && text.includes('\\')) text = text.replace(/\\([\s\S])/g, (_, c: string) => c.trim());
    if (WHITE.test(text)) text = text.replace(/\s+/g, ' ').trim();
    return { start, end, text, inner: { start: innerStart, end: innerEnd } };
  }

  private roleBefore(tick: number): string {
    if (this.code(tick - 1) !== COLON || tick - 1 < this.fresh) return '';
    const lowest = Math.max(this.fresh, tick - MAX_ROLE_NAME - 2);
    // The outermost colon with only name characters in between: `:c:func:` is one role.
    let first = -1;
    for (let at = tick - 2; at >= lowest; at--) {
      const code = this.source.charCodeAt(at);
      if (code === COLON) first = at;
      else if (!isNameCode(code)) break;
    }
    while (first >= 0 && first < tick - 2) {
      const name = this.source.slice(first + 1, tick - 1);
      if (ROLE_NAME.test(name) && this.isStartPrefix(first)) return name;
      first = this.source.indexOf(':', first + 1);
      if (first >= tick - 1) break;
    }
    return '';
  }

  private roleAfter(at: number): string {
    if (this.code(at) !== COLON) return '';
    const highest = Math.min(this.to, at + MAX_ROLE_NAME + 2);
    let close = at + 1;
    while (close < highest && (isNameCode(this.source.charCodeAt(close)) || this.source.charCodeAt(close) === COLON))
      close++;
    const name = this.source.slice(at + 1, close - 1);
    if (this.code(close - 1) !== COLON || !ROLE_NAME.test(name)) return '';
    return this.isEndAfterUnderscores(close) ? name : '';
  }

  private canStart(start: number, inner: number): boolean {
    if (this.isWhiteOrEnd(inner) || !this.isStartPrefix(start)) return false;
    // A mark in matching quotes, as in "*", stands for itself.
    return start <= this.fresh || !QUOTE_PAIRS.has(this.source.charAt(start - 1) + this.source.charAt(inner));
  }

  private isStartPrefix(start: number): boolean {
    if (start <= this.fresh) return true;
    const code = this.source.charCodeAt(start - 1);
    if (code < 128) return isWhite(code) || ASCII_OPENING.has(code);
    return WHITE.test(this.source.charAt(start - 1)) || OPENING.test(this.source.charAt(start - 1));
  }

  private isEndSuffix(at: number): boolean {
    if (at >= this.to) return true;
    const code = this.source.charCodeAt(at);
    if (code < 128) return isWhite(code) || ASCII_CLOSING.has(code);
    return WHITE.test(this.source.charAt(at)) || CLOSING.test(this.source.charAt(at));
  }

  private isWhiteOrEnd(at: number): boolean {
    return at >= this.to || WHITE.test(this.source.charAt(at));
  }

  /** Offset of the mark that ends a text begun at `inner`; -1 if there is none or the text would be empty. */
  private findEnd(kind: Mark, inner: number): number {
    if ((this.endless & kind) !== 0) return -1;
    for (let at = inner; at < this.to; at++) {
      const code = this.source.charCodeAt(at);
      if (code === BACKSLASH && kind !== Mark.literal) {
        // An escaped blank may stand before the end of interpreted text, but of no other mark.
        at++;
        if (kind === Mark.interpreted && this.code(at + 1) === BACKTICK && this.isEnd(kind, at + 1)) return at + 1;
        continue;
      }
      if (!this.isEnd(kind, at)) continue;
      if (at === inner) return -1;
      if (!this.isWhiteOrEnd(at - 1)) return at;
    }
    this.endless |= kind;
    return -1;
  }

  private isEnd(kind: Mark, at: number): boolean {
    const code = this.code(at);
    switch (kind) {
      case Mark.literal:
        return code === BACKTICK && this.code(at + 1) === BACKTICK && this.isEndSuffix(at + 2);
      case Mark.strong:
        return code === STAR && this.code(at + 1) === STAR && this.isEndSuffix(at + 2);
      case Mark.emphasis:
        return code === STAR && this.isEndSuffix(at + 1);
      case Mark.substitution:
        return code === BAR && this.isEndAfterUnderscores(at + 1);
      case Mark.target:
        return code === BACKTICK && this.isEndSuffix(at + 1);
      case Mark.interpreted:
        return code === BACKTICK && this.isEndAfterUnderscores(at + 1);
    }
  }

  /** `text`_ and `text`__ are references. */
  private isEndAfterUnderscores(at: number): boolean {
    if (this.isEndSuffix(at)) return true;
    if (this.code(at) !== UNDERSCORE) return false;
    return this.isEndSuffix(at + 1) || (this.code(at + 1) === UNDERSCORE && this.isEndSuffix(at + 2));
  }
}

function isWhite(code: number): boolean {
  return code === 32 || (code >= 9 && code <= 13);
}

function isNameCode(code: number): boolean {
  return (
    (code >= 48 && code <= 57) ||
    (code >= 65 && code <= 90) ||
    (code >= 97 && code <= 122) ||
    code === UNDERSCORE ||
    code === 45 ||
    code === 43 ||
    code === 46
  );
}
