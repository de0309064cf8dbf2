/** The third storey of the parser: expressions, with holes wherever one could stand. */
import type { SourceSpan } from '../task/task.ts';
import type {
  AssignOperator,
  BinaryOperator,
  CompoundNode,
  Designator,
  Expression,
  Initialiser,
  InitialiserItem,
  InitialiserList,
  UnaryOperator,
} from './ast.ts';
import { unquote } from './lex.ts';
import { BINARY_LEVELS } from './operators.ts';
import { MAX_DEPTH, TypeParser } from './parseTypes.ts';
import type { IntegerType } from './value.ts';

const LEVEL = new Map<string, number>(
  BINARY_LEVELS.flatMap((operators, level) => operators.map((o) => [o, level] as const)),
);
const ASSIGN = new Set<string>(['=', '*=', '/=', '%=', '+=', '-=', '<<=', '>>=', '&=', '^=', '|=']);
const UNARY = new Set<string>(['+', '-', '!', '~', '*', '&']);

export abstract class ExpressionParser extends TypeParser {
  protected abstract compound(): CompoundNode;

  /** Gives a node its height, and ends the parse where the tree would grow too high. */
  protected node<T extends { kind: string; span: SourceSpan }>(
    node: T,
    ...below: (Expression | undefined)[]
  ): T & { height: number } {
    let height = 1;
    for (const child of below) if (child && child.height >= height) height = child.height + 1;
    if (height > MAX_DEPTH) this.tooDeep();
    return { ...node, height };
  }
  protected source(span: SourceSpan): string {
    return this.text.slice(span.start, span.end).replace(/\s+/g, ' ');
  }

  /** An expression, commas included. */
  protected expression(): Expression {
    let left = this.assignment();
    while (this.is(',')) {
      this.index++;
      const right = this.assignment();
      left = this.node({ kind: 'comma', left, right, span: this.since(left.span.start) }, left, right);
    }
    return left;
  }

  protected override assignment(): Expression {
    return this.nested(() => {
      const left = this.conditional();
      const { token } = this;
      if (token.kind !== 'punctuator' || !ASSIGN.has(token.text)) return left;
      this.index++;
      const right = this.within({ kind: 'right-hand-side', of: this.source(left.span) }, () => this.assignment());
      const operator = token.text as AssignOperator;
      return this.node({ kind: 'assign', operator, left, right, span: this.since(left.span.start) }, left, right);
    });
  }

  private conditional(): Expression {
    const test = this.binary(0);
    if (!this.is('?')) return test;
    this.index++;
    const then = this.is(':') ? undefined : this.nested(() => this.expression());
    if (!this.accept(':')) this.found('syntax', 'A ":" is missing in this conditional expression.', this.before());
    const otherwise = this.nested(() => this.conditional());
    return this.node(
      { kind: 'conditional', test, then, otherwise, span: this.since(test.span.start) },
      test,
      then,
      otherwise,
    );
  }

  private binary(level: number): Expression {
    let left = this.unary();
    for (;;) {
      const { token } = this;
      const found = token.kind === 'punctuator' ? LEVEL.get(token.text) : undefined;
      if (found === undefined || found < level) return left;
      this.index++;
      const right = this.binary(found + 1);
      const operator = token.text as BinaryOperator;
      left = this.node({ kind: 'binary', operator, left, right, span: this.since(left.span.start) }, left, right);
    }
  }

  private unary(): Expression {
    return this.nested(() => {
      const { token } = this;
      const { start } = token;
      if (token.kind === 'punctuator') {
        if (UNARY.has(token.text)) {
          this.index++;
          const operand = this.unary();
          return this.node(
            { kind: 'unary', operator: token.text as UnaryOperator, operand, span: this.since(start) },
            operand,
          );
        }
        if (token.text === '++' || token.text === '--') {
          this.index++;
          const operand = this.unary();
          return this.node(
            { kind: 'update', operator: token.text, prefix: true, operand, span: this.since(start) },
            operand,
          );
        }
        if (token.text === '(' && this.startsType(this.peek()) && this.castFollows()) return this.cast();
      }
      if (this.is('sizeof')) return this.sizeof();
      return this.postfix(this.primary());
    });
  }

  /** A typedef name in brackets is a cast only if an operand follows; any other type always is one. */
  private castFollows(): boolean {
    const name = this.peek();
    if (!this.isTypedef(name) || this.peek(2).text !== ')') return true;
    const after = this.peek(3);
    if (after.kind === 'end') return false;
    return (
      after.kind !== 'punctuator' || ['(', '*', '&', '-', '+', '~', '!', '{', '...', '++', '--'].includes(after.text)
    );
  }

  private cast(): Expression {
    const { start } = this.token;
    this.index++;
    const type = this.typeName();
    this.close(')');
    if (this.is('{')) {
      const initialiser = this.initialiserList();
      return this.postfix(this.node({ kind: 'literal', type, initialiser, span: this.since(start) }));
    }
    const operand = this.unary();
    return this.node({ kind: 'cast', type, operand, span: this.since(start) }, operand);
  }

  private sizeof(): Expression {
    const { start } = this.token;
    this.index++;
    if (this.is('(') && this.startsType(this.peek())) {
      this.index++;
      const of = this.typeName();
      this.close(')');
      return this.node({ kind: 'sizeof', of, span: this.since(start) });
    }
    const of = this.unary();
    return this.node({ kind: 'sizeof', of, span: this.since(start) }, of);
  }

  private postfix(first: Expression): Expression {
    let left = first;
    for (;;) {
      const { token } = this;
      if (token.kind !== 'punctuator') return left;
      const { start } = left.span;
      if (token.text === '(') left = this.call(left);
      else if (token.text === '[') {
        const object = left;
        this.index++;
        const index = this.within({ kind: 'index', of: this.source(object.span) }, () => this.expression());
        this.close(']');
        left = this.node({ kind: 'index', object, index, span: this.since(start) }, object, index);
      } else if (token.text === '.' || token.text === '->') {
        this.index++;
        const name = this.token;
        if (name.kind !== 'identifier') {
          this.found('syntax', `The name of a member is missing after "${token.text}".`, this.before());
          return left;
        }
        this.index++;
        const fieldSpan = { start: name.start, end: name.end };
        const member = {
          kind: 'member' as const,
          object: left,
          arrow: token.text === '->',
          field: name.text,
          fieldSpan,
        };
        left = this.node({ ...member, span: this.since(start) }, left);
      } else if (token.text === '++' || token.text === '--') {
        this.index++;
        left = this.node(
          { kind: 'update', operator: token.text, prefix: false, operand: left, span: this.since(start) },
          left,
        );
      } else return left;
    }
  }

  private call(callee: Expression): Expression {
    const name = callee.kind === 'name' ? callee.name : this.source(callee.span);
    this.index++;
    const values: Expression[] = [];
    if (!this.is(')') || this.lastComment()) {
      do {
        values.push(this.within({ kind: 'argument', call: name, index: values.length }, () => this.argument()));
      } while (this.accept(','));
    }
    this.close(')');
    return this.node(
      { kind: 'call', callee, arguments: values, span: this.since(callee.span.start) },
      callee,
      ...values,
    );
  }

  private argument(): Expression {
    const { start } = this.token;
    if (!this.startsType(this.token)) return this.assignment();
    const type = this.typeName();
    return this.node({ kind: 'type', type, span: this.since(start) });
  }

  private primary(): Expression {
    const { token } = this;
    const span = { start: token.start, end: token.end };
    switch (token.kind) {
      case 'number':
        this.index++;
        return this.number(token.text, span);
      case 'char': {
        this.index++;
        const text = unquote(token.text);
        if (text.length !== 1) this.found('syntax', 'A character constant holds one character.', span);
        return this.node({
          kind: 'integer',
          value: BigInt.asIntN(8, BigInt(text.charCodeAt(0) || 0)),
          type: 'int',
          span,
        });
      }
      case 'string':
        return this.strings('');
      case 'identifier':
        if (this.isKeyword(token)) break;
        this.index++;
        if (token.text.startsWith('KERN_') && this.token.kind === 'string')
          return this.strings(logPrefix(token.text), token.start);
        return this.node({ kind: 'name', name: token.text, span });
      case 'punctuator':
        if (token.text === '...') {
          this.index++;
          return this.hole('...', token, '', this.position);
        }
        if (token.text === '(') return this.bracketed();
        break;
    }
    const comment = this.lastComment();
    if (comment) return this.hole('comment', comment, comment.words, this.position);
    return this.missing(token.kind === 'end' ? this.before() : span);
  }

  private missing(span: SourceSpan): Expression {
    const { token } = this;
    const what = token.kind === 'end' ? 'the text ends' : `"${token.text}" stands`;
    const message = `A value is expected here, but ${what}.`;
    this.found('syntax', message, span);
    if (token.kind === 'unknown') this.index++;
    return this.node({ kind: 'error', message, span });
  }

  private bracketed(): Expression {
    const { start } = this.token;
    this.index++;
    if (this.is('{')) {
      const body = this.nested(() => this.compound());
      this.close(')');
      return this.node({ kind: 'statements', body, span: this.since(start) });
    }
    const inner = this.within({ kind: 'operand' }, () => this.expression());
    this.close(')');
    // The brackets belong to the span, so that messages quote them.
    return inner.kind === 'hole' ? inner : { ...inner, span: this.since(start) };
  }

  private strings(prefix: string, start = this.token.start): Expression {
    let value = prefix;
    while (this.token.kind === 'string') {
      const { token } = this;
      if (token.text.length < 2 || !token.text.endsWith('"'))
        this.found('syntax', 'The closing quotation mark is missing.', { start: token.start, end: token.end });
      value += unquote(token.text);
      this.index++;
    }
    return this.node({ kind: 'string', value, span: this.since(start) });
  }

  private number(text: string, span: SourceSpan): Expression {
    const match = /^(0[xX][0-9a-fA-F]+|0[bB][01]+|\d+)([uUlL]*)$/.exec(text);
    const digits = match?.[1];
    const octal = digits !== undefined && /^0\d/.test(digits);
    if (digits === undefined || (octal && /[89]/.test(digits))) {
      const float = /^[\d.]+([eE][+-]?\d+)?[fFlL]?$/.test(text) && !octal;
      if (float) this.found('unsupported', 'The kernel has no floating-point numbers.', span);
      else this.found('syntax', `"${text}" is not a number.`, span);
      return this.node({ kind: 'error', message: `"${text}" cannot be used as a number.`, span });
    }
    if (digits.length > 100) this.found('syntax', 'This number does not fit any type.', span);
    const value = BigInt.asUintN(64, octal ? BigInt(`0o${digits.slice(1)}`) : BigInt(digits.slice(0, 100)));
    return this.node({
      kind: 'integer',
      value,
      type: literalType(value, match?.[2] ?? '', /^[1-9]/.test(digits)),
      span,
    });
  }

  /** `{ 1, .field = 2, [3] = 4 }` */
  protected initialiserList(): InitialiserList {
    return this.nested(() => {
      const { start } = this.token;
      this.index++;
      const items: InitialiserItem[] = [];
      while (!this.is('}') && !this.ended()) {
        const designators: Designator[] = [];
        const from = this.index;
        for (;;) {
          const at = this.token.start;
          if (this.is('.') && this.peek().kind === 'identifier') {
            const field = this.peek().text;
            this.index += 2;
            designators.push({ field, span: this.since(at) });
          } else if (this.is('[')) {
            this.index++;
            const index = this.assignment();
            const to = this.accept('...') ? this.assignment() : undefined;
            this.close(']');
            designators.push({ index, ...(to ? { to } : {}), span: this.since(at) });
          } else break;
        }
        if (designators.length && !this.accept('='))
          this.found('syntax', 'A "=" is missing after this designator.', this.before());
        const of = this.source(
          this.since(this.token.start === start ? start : (designators[0]?.span.start ?? this.token.start)),
        );
        items.push({ designators, value: this.within({ kind: 'right-hand-side', of }, () => this.initialiser()) });
        if (!this.accept(',') || this.index === from) break;
      }
      this.close('}');
      return { kind: 'initialiser-list', items, span: this.since(start) };
    });
  }
  protected initialiser(): Initialiser {
    return this.is('{') ? this.initialiserList() : this.assignment();
  }
}

const LOG_LEVELS = ['EMERG', 'ALERT', 'CRIT', 'ERR', 'WARNING', 'NOTICE', 'INFO', 'DEBUG'];
/** include/linux/kern_levels.h: a level is a byte 1 and a digit before the text. */
function logPrefix(name: string): string {
  const level = LOG_LEVELS.indexOf(name.slice('KERN_'.length));
  return name === 'KERN_CONT' ? '\u0001c' : level < 0 ? '' : `\u0001${level}`;
}

/** The first type of the list of C11 6.4.4.1 that holds the value. */
function literalType(value: bigint, suffix: string, decimal: boolean): IntegerType {
  const unsigned = /u/i.test(suffix);
  const longs = suffix.replace(/u/gi, '').length;
  const types: IntegerType[] =
    longs > 1
      ? ['long long', 'unsigned long long']
      : longs
        ? ['long', 'unsigned long']
        : ['int', 'unsigned int', 'long', 'unsigned long'];
  const limits: Partial<Record<IntegerType, bigint>> = {
    int: 1n << 31n,
    'unsigned int': 1n << 32n,
    long: 1n << 63n,
    'long long': 1n << 63n,
  };
  for (const type of types) {
    const isUnsigned = type.startsWith('unsigned');
    if (unsigned ? !isUnsigned : decimal && isUnsigned && longs < 1 && type === 'unsigned int') continue;
    const limit = limits[type];
    if (limit === undefined || value < limit) return type;
  }
  return 'unsigned long';
}
