/**
 * The preprocessor, between the lexer and the parser: macros with and without parameters, and conditions. Tokens
 * that a macro makes have the span of its use, so that every message points at what was written.
 */
import { RELEASES, type Release } from '../kernel/release.ts';
import type { SourceSpan } from '../task/task.ts';
import type { Finding } from './ast.ts';
import { conditionHolds, versionCode } from './condition.ts';
import { isKernelMacro, kernelMacro } from './kernelMacros.ts';
import { type Comment, Lexer, type Token } from './lex.ts';
import { type Macro, macroOf, tokensOf } from './macro.ts';

export interface ParseOptions {
  /** What LINUX_VERSION_CODE is. Absent: the newest release. */
  readonly release?: Release;
  /** Macros that are defined from the start. */
  readonly macros?: ReadonlyMap<string, Macro>;
  /** Whether a CONFIG_ option is set; undefined or absent: it is. */
  readonly configured?: (name: string) => boolean | undefined;
}

/** `#define` as it was written. */
export interface Define {
  readonly name: string;
  readonly body: string;
  readonly span: SourceSpan;
}

/** A token, and the macros it comes from, which are not expanded in it again. */
interface Item {
  readonly token: Token;
  readonly from: ReadonlySet<string>;
}

/** Tokens all macros of a text may make. */
const MAX_MADE = 50_000;
const MAX_NESTED = 40;
const NOTHING: ReadonlySet<string> = new Set();

export class Preprocessor {
  readonly macros: Map<string, Macro>;
  readonly findings: Finding[] = [];
  /** Macros without parameters, in the order of the text. */
  readonly defines: Define[] = [];
  readonly #lexer: Lexer;
  readonly #options: ParseOptions;
  readonly #out: Token[] = [];
  /** What a macro made and is still to be read, last first. */
  #ahead: Item[] = [];
  #read = 0;
  #made = 0;
  #nested = 0;
  /** Open conditions, innermost last: whether its lines count now, and whether one of its branches did. */
  readonly #conditions: { active: boolean; done: boolean; span: SourceSpan }[] = [];

  constructor(text: string, options: ParseOptions = {}) {
    this.#lexer = new Lexer(text);
    this.#options = options;
    this.macros = new Map(options.macros);
  }

  /** The token at `index`; the end for ever after the last. */
  at(index: number): Token {
    let token = this.#out[index];
    while (!token) {
      const last = this.#out.at(-1);
      if (last?.kind === 'end') return last;
      this.#out.push(this.#next());
      token = this.#out[index];
    }
    return token;
  }

  #next(): Token {
    let comments: readonly Comment[] = [];
    let newline = false;
    for (;;) {
      const item = this.#take();
      const expanded = this.#expand(item, () => this.#take(), this.#isCall);
      if (expanded) {
        // What stood before the macro stands before what it makes, if it makes nothing before what follows.
        comments = [...comments, ...item.token.comments];
        newline ||= item.token.newline;
        this.#queue(expanded);
        continue;
      }
      const { token } = item;
      if (comments.length === 0 && !newline) return token;
      return { ...token, comments: [...comments, ...token.comments], newline: newline || token.newline };
    }
  }

  #queue(items: readonly Item[]): void {
    for (let i = items.length - 1; i >= 0; i--) this.#ahead.push(items[i] as Item);
  }
  /** Whether what comes next is a `(`. */
  readonly #isCall = (): boolean => {
    const item = this.#take();
    this.#ahead.push(item);
    return item.token.kind === 'punctuator' && item.token.text === '(';
  };

  /** The next token that counts, directives obeyed. */
  #take(): Item {
    const made = this.#ahead.pop();
    if (made) return made;
    let comments: readonly Comment[] = [];
    let newline = false;
    for (;;) {
      const token = this.#lexer.at(this.#read);
      if (token.kind !== 'end') this.#read++;
      else if (this.#conditions.length > 0) {
        const open = this.#conditions.pop();
        if (open) this.#tell('The #endif of this condition is missing.', open.span);
        continue;
      }
      if (token.kind === 'directive') {
        comments = [...comments, ...token.comments];
        newline = true;
        this.#directive(token);
        continue;
      }
      if (token.kind !== 'end' && !this.#isActive()) {
        newline = true;
        continue;
      }
      const whole = comments.length > 0 || newline;
      return {
        token: whole
          ? { ...token, comments: [...comments, ...token.comments], newline: newline || token.newline }
          : token,
        from: NOTHING,
      };
    }
  }
  #isActive(): boolean {
    return this.#conditions.every((condition) => condition.active);
  }
  #tell(message: string, span: SourceSpan, severity: Finding['severity'] = 'warning'): void {
    if (this.findings.length < 100)
      this.findings.push({ code: 'syntax', message, span: { start: span.start, end: span.end }, severity });
  }

  // ---- directives ----

  #directive(token: Token): void {
    const [, name = '', rest = ''] = /^#\s*(\w*)([\s\S]*)$/.exec(token.text.replace(/\\\r?\n/g, '  ')) ?? [];
    const words = rest
      .replace(/\/\*[\s\S]*?\*\//g, ' ')
      .replace(/\/\/.*$/, '')
      .trim();
    switch (name) {
      case 'if':
      case 'ifdef':
      case 'ifndef':
        this.#open(name, words, token);
        return;
      case 'elif':
      case 'else':
      case 'endif':
        this.#turn(name, words, token);
        return;
    }
    if (!this.#isActive()) return;
    if (name === 'define') this.#define(words, token);
    else if (name === 'undef') this.macros.delete(words);
    else if (name === 'error' || name === 'warning')
      this.#tell(`#${name} ${words}`, token, name === 'error' ? 'error' : 'warning');
    else if (!/^(include|pragma|line|import|ident)?$/.test(name))
      this.findings.push({
        code: 'unsupported',
        message: 'This preprocessor line is not simulated: it is passed over.',
        span: { start: token.start, end: token.end },
        severity: 'warning',
      });
  }

  #open(name: 'if' | 'ifdef' | 'ifndef', words: string, token: Token): void {
    const outer = this.#isActive();
    const holds = outer && (name === 'if' ? this.#holds(words, token) : this.#isDefined(words) === (name === 'ifdef'));
    if (this.#conditions.length >= MAX_NESTED) this.#tell('These conditions are nested too deeply.', token);
    else this.#conditions.push({ active: holds, done: holds || !outer, span: token });
  }
  #turn(name: 'elif' | 'else' | 'endif', words: string, token: Token): void {
    const condition = this.#conditions.at(-1);
    if (!condition) this.#tell(`This #${name} has no #if.`, token);
    else if (name === 'endif') this.#conditions.pop();
    else {
      condition.active = false;
      const holds = !condition.done && (name === 'else' || this.#holds(words, token));
      condition.active = holds;
      condition.done ||= holds;
    }
  }
  #isDefined(name: string): boolean {
    if (this.macros.has(name) || isKernelMacro(name)) return true;
    if (name.startsWith('CONFIG_')) return this.#options.configured?.(name.replace(/_MODULE$/, '')) ?? true;
    return ['__KERNEL__', 'MODULE', '__LP64__', '__linux__', '__GNUC__', 'LINUX_VERSION_CODE'].includes(name);
  }
  #holds(words: string, token: Token): boolean {
    const items = tokensOf(words).map((each): Item => ({ token: each, from: NOTHING }));
    // What `defined` asks for is not expanded.
    const asked = new Set(items.flatMap((item, i) => (item.token.text === 'defined' ? [i + 1, i + 2] : [])));
    const tokens = items.flatMap((item, i) =>
      asked.has(i) ? [item] : this.#all([item, ...this.#callAfter(items, i, item)]),
    );
    const result = conditionHolds(
      tokens.map((item) => item.token.text),
      {
        isDefined: (name) => this.#isDefined(name),
        version: versionCode(this.#options.release ?? (RELEASES.at(-1) as Release)),
      },
    );
    if (result === undefined) this.#tell('This condition cannot be read: its lines are left out.', token);
    return result ?? false;
  }
  /** The bracketed arguments behind a macro with parameters; they are taken out of the list. */
  #callAfter(items: Item[], index: number, item: Item): Item[] {
    if (!this.macros.get(item.token.text)?.parameters || items[index + 1]?.token.text !== '(') return [];
    let depth = 0;
    for (let end = index + 1; end < items.length; end++) {
      if (items[end]?.token.text === '(') depth++;
      if (items[end]?.token.text === ')' && --depth === 0) return items.splice(index + 1, end - index);
    }
    return [];
  }

  #define(words: string, token: Token): void {
    const [, name, list, body = ''] = /^([A-Za-z_]\w*)(\([^()]*\))?([\s\S]*)$/.exec(words) ?? [];
    if (name === undefined) {
      this.#tell('The name of this macro is missing.', token);
      return;
    }
    if (list === undefined)
      this.defines.push({ name, body: body.trim(), span: { start: token.start, end: token.end } });
    this.macros.set(name, macroOf(name, list, body));
    if (name === 'pr_fmt') for (const each of MESSAGES) this.macros.set(each, message(each));
  }

  // ---- macros ----

  /** What an item stands for if it is a macro; undefined if it is none, or none here. */
  #expand({ token, from }: Item, take: () => Item, isCall: () => boolean): Item[] | undefined {
    if (token.kind !== 'identifier' || from.has(token.text) || this.#made > MAX_MADE) return undefined;
    const macro = this.macros.get(token.text) ?? kernelMacro(token.text);
    if (!macro || (macro.parameters && !isCall())) return undefined;
    const inside = new Set(from).add(macro.name);
    let end = token.end;
    let args: Item[][] = [];
    if (macro.parameters) {
      const read = this.#arguments(take);
      args = read.args;
      end = Math.max(end, read.end);
      if (!read.closed) this.#tell(`The arguments of ${macro.name} have no end.`, token, 'error');
    }
    const span = { start: token.start, end };
    const made = this.#substitute(macro, args, token).map(
      (item): Item => ({
        token: { ...item.token, ...span, newline: false },
        from: item.from.size === 0 ? inside : new Set([...item.from, ...inside]),
      }),
    );
    this.#made += made.length;
    if (this.#made <= MAX_MADE) return made;
    if (this.findings.every(({ code }) => code !== 'too-large'))
      this.findings.push({
        code: 'too-large',
        message: 'The macros of this text make more of it than the simulation reads.',
        span,
        severity: 'error',
      });
    return [];
  }

  #arguments(take: () => Item): { args: Item[][]; end: number; closed: boolean } {
    take();
    const args: Item[][] = [[]];
    for (let depth = 0; ; ) {
      const item = take();
      const { kind, text, end } = item.token;
      if (kind === 'end') {
        this.#ahead.push(item);
        return { args, end, closed: false };
      }
      if (kind === 'punctuator') {
        if (text === ')' && depth-- === 0) {
          // A comment in place of the last argument stays where it is.
          const [only] = args;
          if (args.length === 1 && only?.length === 0 && item.token.comments.length === 0) args.length = 0;
          return { args, end, closed: true };
        }
        if (text === '(' || text === '[' || text === '{') depth++;
        else if (text === ']' || text === '}') depth--;
        else if (text === ',' && depth === 0) {
          args.push([]);
          continue;
        }
      }
      args.at(-1)?.push(item);
    }
  }

  #substitute(macro: Macro, args: readonly Item[][], use: Token): Item[] {
    const { parameters = [], rest, body } = macro;
    const given = new Map<string, Item[]>(parameters.map((name, index) => [name, args[index] ?? []]));
    if (rest !== undefined) {
      const comma = tokensOf(',').map((token): Item => ({ token, from: NOTHING }));
      const more = args.slice(parameters.length);
      given.set(
        rest,
        more.flatMap((each, index) => (index ? [...comma, ...each] : each)),
      );
    } else if (macro.parameters && args.length > parameters.length)
      this.#tell(`${macro.name} takes ${parameters.length} arguments, and is given ${args.length}.`, use, 'error');
    // An argument that stands in the body twice is expanded once, or macros within each other take for ever.
    const whole = new Map<string, Item[]>();
    const expanded = (name: string, items: readonly Item[]): Item[] => {
      const held = whole.get(name) ?? this.#all(items);
      whole.set(name, held);
      return held;
    };
    const made: Item[] = [];
    for (let i = 0; i < body.length; i++) {
      const token = body[i] as Token;
      const next = body[i + 1];
      const argument = given.get(token.text);
      if (token.text === '#' && macro.parameters && next && given.has(next.text)) {
        made.push({ token: stringToken(given.get(next.text) ?? [], use), from: NOTHING });
        i++;
      } else if (token.text === '##') {
        const right = next ? (given.get(next.text) ?? [{ token: next, from: NOTHING }]) : [];
        i++;
        const left = made.at(-1);
        // `, ## args` without any is nothing at all.
        if (next && left?.token.text === ',' && next.text === rest) {
          if (right.length === 0) made.pop();
          else made.push(...expanded(next.text, right));
        } else made.splice(-1, 1, ...pasted(left, right));
      } else if (argument && token.kind === 'identifier')
        made.push(...(next?.text === '##' ? argument : expanded(token.text, argument)));
      else made.push({ token, from: NOTHING });
      if (made.length > MAX_MADE) return made;
    }
    return made;
  }

  /** A list of its own with every macro in it expanded. */
  #all(items: readonly Item[]): Item[] {
    if (++this.#nested > MAX_NESTED) {
      this.#nested--;
      return [...items];
    }
    const queue = items.toReversed();
    const done: Item[] = [];
    const end: Item = { token: END, from: NOTHING };
    const outer = this.#ahead;
    while (queue.length > 0) {
      const item = queue.pop() as Item;
      this.#ahead = [];
      const expanded = this.#expand(
        item,
        () => queue.pop() ?? end,
        () => queue.at(-1)?.token.text === '(',
      );
      if (!expanded) done.push(item);
      else for (const each of expanded.toReversed()) queue.push(each);
    }
    this.#ahead = outer;
    this.#nested--;
    return done;
  }
}

const END: Token = { kind: 'end', text: '', start: 0, end: 0, comments: [], newline: false };

function stringToken(items: readonly Item[], use: Token): Token {
  const words = items.map(
    (item, index) => (index && item.token.start > (items[index - 1]?.token.end ?? 0) ? ' ' : '') + item.token.text,
  );
  return { ...use, kind: 'string', text: JSON.stringify(words.join('')), comments: [] };
}
function pasted(left: Item | undefined, right: readonly Item[]): Item[] {
  const [first, ...others] = right;
  const text = `${left?.token.text ?? ''}${first?.token.text ?? ''}`;
  return [
    ...tokensOf(`;${text}`)
      .slice(1)
      .map((token) => ({ token, from: NOTHING })),
    ...others,
  ];
}

/** A text that defines pr_fmt has it in front of its messages. */
const MESSAGES = ['emerg', 'alert', 'crit', 'err', 'warn', 'notice', 'info', 'debug'].flatMap((level) => [
  `pr_${level}`,
  `pr_${level}_once`,
  `pr_${level}_ratelimited`,
]);
const message = (name: string): Macro => macroOf(name, '(format, ...)', `${name}(pr_fmt(format), ##__VA_ARGS__)`);
