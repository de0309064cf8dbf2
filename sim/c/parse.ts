/**
 * Reads the C of documents: whole files, blocks without a function around them,
 * and single lines of the shell. What cannot be read is a finding, never an exception;
 * `...`, and a comment where a value should stand, are holes.
 */
import type { SourceSpan } from '../task/task.ts';
import type {
  CompoundNode,
  CUnit,
  DeclarationNode,
  Declarator,
  Expression,
  HolePosition,
  ParseMode,
  Statement,
} from './ast.ts';
import { ExpressionParser } from './parseExpressions.ts';
import { type ParsedDeclarator, ParseStop } from './parseTypes.ts';
import type { ParseOptions } from './preprocess.ts';

class StatementParser extends ExpressionParser {
  readonly items: Statement[] = [];
  readonly #mode: ParseMode;

  constructor(text: string, mode: ParseMode, options: ParseOptions) {
    super(text, options);
    this.#mode = mode;
  }

  unit(): CUnit {
    try {
      this.list(this.items, () => this.ended(), true);
    } catch (error) {
      if (!(error instanceof ParseStop)) throw error;
    }
    const holes = this.holes.toSorted((a, b) => a.span.start - b.span.start);
    const { macros, findings } = this.tokens;
    return {
      mode: this.#mode,
      text: this.text,
      items: this.withDefines(),
      holes,
      findings: [...findings, ...this.findings],
      macros,
    };
  }

  /** Macros that are values stand among the statements: whoever looks into a paused run may name them. */
  private withDefines(): readonly Statement[] {
    const defines = this.tokens.defines.flatMap(({ name, body, span }): Statement[] => {
      if (body === '') return [];
      const { items, findings } = new StatementParser(body, 'expression', {}).unit();
      const [only] = items;
      if (items.length !== 1 || only?.kind !== 'expression' || findings.length > 0) return [];
      return [{ kind: 'define', name, value: only.expression, span }];
    });
    if (defines.length === 0) return this.items;
    return [...defines, ...this.items].sort((a, b) => a.span.start - b.span.start);
  }

  private list(into: Statement[], ended: () => boolean, top: boolean): void {
    for (;;) {
      this.comments(into, top);
      if (ended()) return;
      const from = this.index;
      if (top && this.is('}')) {
        this.found('syntax', 'This "}" closes nothing.', this.here());
        this.index++;
        continue;
      }
      into.push(this.statement());
      if (this.index === from) {
        this.found('syntax', `"${this.token.text}" cannot stand here.`, this.here());
        this.index++;
      }
    }
  }

  private here(): SourceSpan {
    return { start: this.token.start, end: this.token.end };
  }

  /** Comments on lines of their own, joined: a place a scene may fill. */
  private comments(into: Statement[], top: boolean): void {
    if (top && this.#mode !== 'block') return;
    const own = this.token.comments.filter((comment) => comment.ownLine);
    const [first] = own;
    const last = own.at(-1);
    if (!first || !last) return;
    const words = own.map((comment) => comment.words).join(' ');
    into.push(this.hole('comment', { start: first.start, end: last.end }, words, { kind: 'comment' }));
  }

  /** The semicolon of a statement; a line end or closing brace stands for a forgotten one. */
  private semicolon(): void {
    if (this.accept(';')) return;
    if (this.ended() && this.#mode === 'expression') return;
    const { token } = this;
    if (token.kind === 'end' || token.text === '}' || token.newline) {
      this.found('missing-semicolon', 'A ";" is missing here.', this.before());
      return;
    }
    this.found('syntax', `"${token.text}" was not expected here.`, this.here());
    while (!this.ended() && !this.is(';') && !this.is('}') && !this.is('{')) this.index++;
    this.accept(';');
  }

  private statement(): Statement {
    return this.nested(() => this.bareStatement());
  }

  private bareStatement(): Statement {
    const { token } = this;
    const { start } = token;
    if (token.kind === 'punctuator') {
      if (token.text === '{') return this.compound();
      if (token.text === ';') {
        this.index++;
        return { kind: 'empty', span: this.since(start) };
      }
      if (token.text === '...' && this.holeIsStatement()) {
        this.index++;
        this.accept(';');
        return this.hole('...', this.since(start), '', { kind: 'statement' });
      }
    }
    if (token.kind === 'identifier') {
      const keyword = this.keyword();
      if (keyword) return keyword;
      if (this.isName(token) && this.peek().text === ':' && this.peek().kind === 'punctuator') return this.label();
      if (this.startsDeclaration()) return this.declaration(true);
    }
    const expression = this.expression();
    this.semicolon();
    return { kind: 'expression', expression, span: this.since(start) };
  }

  private holeIsStatement(): boolean {
    const next = this.peek();
    return next.newline || next.kind === 'end' || next.text === ';' || next.text === '}' || next.kind === 'identifier';
  }

  private keyword(): Statement | undefined {
    const { start } = this.token;
    switch (this.token.text) {
      case 'if': {
        const [test, head] = this.head('if');
        const then = this.statement();
        const otherwise = this.accept('else') ? this.statement() : undefined;
        return { kind: 'if', test, head, then, otherwise, span: this.since(start) };
      }
      case 'while': {
        const [test, head] = this.head('while');
        return { kind: 'while', test, head, body: this.statement(), span: this.since(start) };
      }
      case 'switch': {
        const [test, head] = this.head('switch');
        return { kind: 'switch', test, head, body: this.statement(), span: this.since(start) };
      }
      case 'do': {
        this.index++;
        const body = this.statement();
        if (!this.is('while')) this.found('syntax', 'The "while" of this "do" is missing.', this.before());
        const [test, head] = this.is('while') ? this.head('do') : [this.truth(), this.before()];
        this.semicolon();
        return { kind: 'do', test, head, body, span: this.since(start) };
      }
      case 'for':
        return this.loop();
      case 'case':
      case 'default': {
        const isCase = this.accept('case') || !this.accept('default');
        const value = isCase ? this.expression() : undefined;
        const to = value && this.accept('...') ? this.expression() : undefined;
        if (!this.accept(':')) this.found('syntax', 'A ":" is missing after this case.', this.before());
        return { kind: 'case', value, to, body: this.labelled(), span: this.since(start) };
      }
      case 'goto': {
        this.index++;
        const label = this.isName(this.token) ? this.token.text : '';
        if (label) this.index++;
        else this.found('syntax', 'The label to go to is missing.', this.before());
        this.semicolon();
        return { kind: 'goto', label, span: this.since(start) };
      }
      case 'break':
      case 'continue': {
        const kind = this.token.text === 'break' ? 'break' : 'continue';
        this.index++;
        this.semicolon();
        return { kind, span: this.since(start) };
      }
      case 'return': {
        this.index++;
        const bare = (this.is(';') && !this.lastComment()) || this.is('}') || this.ended();
        const value = bare ? undefined : this.within({ kind: 'return' }, () => this.expression());
        this.semicolon();
        return { kind: 'return', value, span: this.since(start) };
      }
      case 'asm':
      case '__asm__':
        return this.assembler();
      case 'else':
        this.found('syntax', 'This "else" has no "if".', this.here());
        this.index++;
        return this.statement();
    }
    return undefined;
  }

  private assembler(): Statement {
    const { start } = this.token;
    this.found('unsupported', 'Assembler is not simulated: it is passed over.', this.here(), 'warning');
    while (!this.ended() && !this.is(';') && !this.is('}')) this.index++;
    this.accept(';');
    return { kind: 'empty', span: { start, end: start } };
  }

  /** `if (test)`, with its opening bracket taken for granted and its closing one reported when missing. */
  private head(of: 'if' | 'while' | 'do' | 'switch'): [Expression, SourceSpan] {
    const { start } = this.token;
    const position: HolePosition = { kind: 'condition', of };
    this.index++;
    if (!this.accept('(')) this.found('missing-parenthesis', 'An opening "(" is missing here.', this.before());
    const test = this.within(position, () => this.expression());
    this.close(')');
    return [test, this.since(start)];
  }
  private truth(): Expression {
    return { kind: 'error', message: 'The condition of this "do" is missing.', height: 1, span: this.before() };
  }

  private loop(): Statement {
    const { start } = this.token;
    this.index++;
    if (!this.accept('(')) this.found('missing-parenthesis', 'An opening "(" is missing here.', this.before());
    const position: HolePosition = { kind: 'condition', of: 'for' };
    const part = (end: string) =>
      this.is(end) && !this.lastComment() ? undefined : this.within(position, () => this.expression());
    let initial: DeclarationNode | Expression | undefined;
    if (this.startsDeclaration()) {
      const declared = this.declaration(false);
      if (declared.kind === 'declaration') initial = declared;
    } else {
      initial = part(';');
      if (!this.accept(';')) this.found('missing-semicolon', 'A ";" is missing in this "for".', this.before());
    }
    const test = part(';');
    if (!this.accept(';')) this.found('missing-semicolon', 'A ";" is missing in this "for".', this.before());
    const step = part(')');
    this.close(')');
    const head = this.since(start);
    return { kind: 'for', initial, test, step, head, body: this.statement(), span: this.since(start) };
  }

  private label(): Statement {
    const { start, text: name } = this.token;
    this.index += 2;
    return { kind: 'label', name, body: this.labelled(), span: this.since(start) };
  }
  /** What a label stands before; nothing at the end of a block. */
  private labelled(): Statement {
    const at = this.taken;
    if (this.is('}') || this.ended()) return { kind: 'empty', span: { start: at, end: at } };
    return this.statement();
  }

  protected override compound(): CompoundNode {
    const { start } = this.token;
    this.index++;
    const items: Statement[] = [];
    this.list(items, () => this.is('}') || this.ended(), false);
    this.close('}');
    return { kind: 'compound', items, span: this.since(start) };
  }

  /** Two names in a row, or a name, stars and a name nobody declared as a variable, can only be a declaration. */
  private startsDeclaration(): boolean {
    const { token } = this;
    if (this.startsType(token) && !(this.isTypedef(token) && ['=', '->', '.', '(', '['].includes(this.peek().text)))
      return true;
    if (['typedef', 'static', 'extern'].includes(token.text)) return true;
    // A pointer to a function that returns such a type.
    if (this.isTypedef(token) && /^\(\*\w+\)\($/.test([1, 2, 3, 4, 5].map((at) => this.peek(at).text).join('')))
      return true;
    if (!this.isName(token)) return false;
    let ahead = 1;
    while (this.peek(ahead).text === '*' && ahead < 8) ahead++;
    if (!this.isName(this.peek(ahead)) || this.peek(ahead).newline) return false;
    if (ahead === 1) return true;
    return !this.variables.has(token.text) && [';', '=', ',', '[', ')'].includes(this.peek(ahead + 1).text);
  }

  private declaration(definitions: boolean): Statement {
    const { start } = this.token;
    const { storage, type: base } = this.specifiers();
    const declarators: Declarator[] = [];
    while (!this.is(';') && !this.ended()) {
      const from = this.index;
      const declared = this.declarator(base);
      if (this.index === from) break;
      if (declared.name) this.declares(declared.name, storage);
      if (definitions && declared.type.kind === 'function' && this.is('{') && declarators.length === 0)
        return this.definition(start, declared, storage === 'static');
      declarators.push(this.initialised(declared));
      if (!this.accept(',')) break;
    }
    this.semicolon();
    return { kind: 'declaration', storage, base, declarators, span: this.since(start) };
  }

  private initialised(declared: ParsedDeclarator): Declarator {
    const initialiser = this.accept('=')
      ? this.within({ kind: 'right-hand-side', of: declared.name }, () => this.initialiser())
      : undefined;
    return { ...declared, initialiser };
  }

  private definition(start: number, declared: ParsedDeclarator, isStatic: boolean): Statement {
    const head = this.since(start);
    const body = this.compound();
    const { name, type } = declared;
    if (type.kind !== 'function') return body;
    return { kind: 'function', name, type, body, head, static: isStatic, span: this.since(start) };
  }
}

/** Parses `text`. Never throws; spans count UTF-16 units from the start of `text`. */
export function parseC(text: string, mode: ParseMode, options: ParseOptions = {}): CUnit {
  return new StatementParser(text, mode, options).unit();
}
