/** The first two storeys of the parser: the cursor with its findings, and types with their declarators. */
import type { SourceSpan } from '../task/task.ts';
import type {
  AnonymousNode,
  Expression,
  FieldNode,
  Finding,
  FindingCode,
  HoleNode,
  HolePosition,
  ParameterNode,
  Severity,
  TypeNode,
} from './ast.ts';
import type { Comment, Token } from './lex.ts';
import { type ParseOptions, Preprocessor } from './preprocess.ts';

const MAX_FINDINGS = 100;
/** Levels of nesting a text may have. The evaluator recurses as deep as the tree, so this bounds its stack too. */
export const MAX_DEPTH = 150;

/** Ends a parse from the inside; `parseC` keeps what was read so far. */
export class ParseStop extends Error {}

const BASIC = new Set([
  'void',
  'char',
  'short',
  'int',
  'long',
  'signed',
  'unsigned',
  '_Bool',
  'bool',
  'float',
  'double',
]);
const QUALIFIERS = new Set([
  'const',
  'volatile',
  'restrict',
  '__restrict',
  'register',
  'inline',
  '__inline',
  '__inline__',
  '__volatile__',
  'auto',
]);
const ATTRIBUTES = new Set([
  '__init',
  '__exit',
  '__user',
  '__iomem',
  '__kernel',
  '__force',
  '__rcu',
  '__percpu',
  '__must_check',
  '__maybe_unused',
  '__always_unused',
  '__always_inline',
  '__ro_after_init',
  '__read_mostly',
  '__meminit',
  '__ref',
  '__initdata',
  '__weak',
  '__used',
  'noinline',
  'asmlinkage',
  '__cold',
  '__private',
  '__packed',
]);
const TYPEDEFS = new Set([
  'u8',
  'u16',
  'u32',
  'u64',
  's8',
  's16',
  's32',
  's64',
  '__u8',
  '__u16',
  '__u32',
  '__u64',
  '__s8',
  '__s16',
  '__s32',
  '__s64',
  'uint',
  'ulong',
  'ushort',
  'uchar',
  'dma_addr_t',
]);
const KEYWORDS = new Set([
  'if',
  'else',
  'while',
  'do',
  'for',
  'switch',
  'case',
  'default',
  'break',
  'continue',
  'goto',
  'return',
  'sizeof',
  'struct',
  'union',
  'enum',
  'typedef',
  'static',
  'extern',
  'const',
  'volatile',
  'typeof',
  '__typeof__',
]);

export interface Specifiers {
  storage: 'typedef' | 'static' | 'extern' | undefined;
  type: TypeNode;
}
export interface ParsedDeclarator {
  name: string;
  type: TypeNode;
  span: SourceSpan;
}

export abstract class TypeParser {
  readonly text: string;
  readonly findings: Finding[] = [];
  readonly holes: HoleNode[] = [];
  protected position: HolePosition = { kind: 'operand' };
  protected index = 0;
  protected readonly variables = new Set<string>();
  readonly #typedefs = new Set<string>();
  protected readonly tokens: Preprocessor;
  #depth = 0;
  #brackets = 0;

  constructor(text: string, options: ParseOptions) {
    this.text = text;
    this.tokens = new Preprocessor(text, options);
  }

  protected abstract assignment(): Expression;

  protected get token(): Token {
    return this.tokens.at(this.index);
  }
  protected peek(ahead = 1): Token {
    return this.tokens.at(this.index + ahead);
  }
  /** The end of the last token taken. */
  protected get taken(): number {
    return this.index === 0 ? 0 : this.tokens.at(this.index - 1).end;
  }
  protected since(start: number): SourceSpan {
    return { start, end: Math.max(start, this.taken) };
  }
  protected is(text: string): boolean {
    const { token } = this;
    return token.text === text && (token.kind === 'punctuator' || token.kind === 'identifier');
  }
  protected ended(): boolean {
    return this.token.kind === 'end';
  }
  protected accept(text: string): boolean {
    if (!this.is(text)) return false;
    this.index++;
    return true;
  }
  protected found(code: FindingCode, message: string, span: SourceSpan, severity: Severity = 'error'): void {
    if (this.findings.length >= MAX_FINDINGS) {
      const last = 'Too many mistakes: the rest of this text was not read.';
      this.findings.push({ code: 'too-many-errors', message: last, span, severity: 'error' });
      throw new ParseStop();
    }
    this.findings.push({ code, message, span, severity });
  }
  /** The last token before here: what a finding about something missing after it points at. */
  protected before(): SourceSpan {
    const last = this.index === 0 ? this.token : this.tokens.at(this.index - 1);
    return { start: last.start, end: last.end };
  }
  /** Takes a closing bracket, or reports it missing and goes on as if it were there. */
  protected close(bracket: ')' | ']' | '}'): void {
    if (this.accept(bracket)) return;
    const code = bracket === '}' ? 'missing-brace' : 'missing-parenthesis';
    this.found(code, `A closing "${bracket}" is missing here.`, this.before());
  }
  protected nested<T>(parse: () => T): T {
    if (++this.#depth > MAX_DEPTH) this.tooDeep();
    const result = parse();
    this.#depth--;
    return result;
  }
  protected tooDeep(): never {
    const { start, end } = this.token;
    this.findings.push({
      code: 'too-deep',
      message: 'This is nested too deeply to be read.',
      span: { start, end },
      severity: 'error',
    });
    throw new ParseStop();
  }
  protected hole(form: '...' | 'comment', span: SourceSpan, words: string, position: HolePosition): HoleNode {
    const node: HoleNode = {
      kind: 'hole',
      height: 1,
      form,
      span: { start: span.start, end: span.end },
      words,
      position,
    };
    this.holes.push(node);
    return node;
  }
  protected lastComment(): Comment | undefined {
    return this.token.comments.at(-1);
  }
  protected within<T>(position: HolePosition, parse: () => T): T {
    const outer = this.position;
    this.position = position;
    const result = parse();
    this.position = outer;
    return result;
  }

  protected isKeyword(token: Token): boolean {
    return KEYWORDS.has(token.text);
  }
  protected isName(token: Token): boolean {
    return token.kind === 'identifier' && !KEYWORDS.has(token.text) && !BASIC.has(token.text);
  }
  protected isTypedef(token: Token): boolean {
    if (token.kind !== 'identifier' || this.variables.has(token.text)) return false;
    return TYPEDEFS.has(token.text) || this.#typedefs.has(token.text) || /^[a-z]\w*_t$/.test(token.text);
  }
  /** A token that can only begin a type. */
  protected startsType(token: Token): boolean {
    if (token.kind !== 'identifier') return false;
    const { text } = token;
    if (BASIC.has(text) || QUALIFIERS.has(text) || ATTRIBUTES.has(text)) return true;
    return ['struct', 'union', 'enum', 'typeof', '__typeof__', '__attribute__'].includes(text) || this.isTypedef(token);
  }
  protected declares(name: string, storage: Specifiers['storage']): void {
    if (storage === 'typedef') this.#typedefs.add(name);
    else this.variables.add(name);
  }

  /** Storage class, qualifiers and the base type. */
  protected specifiers(): Specifiers {
    const { start } = this.token;
    let storage: Specifiers['storage'];
    let type: TypeNode | undefined;
    const words: string[] = [];
    for (;;) {
      const { token } = this;
      if (token.kind !== 'identifier') break;
      if (token.text === 'typedef' || token.text === 'static' || token.text === 'extern') storage = token.text;
      else if (token.text === '__attribute__') {
        this.attribute();
        continue;
      } else if (QUALIFIERS.has(token.text) || ATTRIBUTES.has(token.text)) {
        // Qualifiers and attributes say nothing the simulation acts on.
      } else if (BASIC.has(token.text) && !type) words.push(token.text === '_Bool' ? 'bool' : token.text);
      else if (type || words.length) break;
      else if (token.text === 'struct' || token.text === 'union') {
        type = this.structure();
        continue;
      } else if (token.text === 'enum') {
        type = this.enumeration();
        continue;
      } else if (token.text === 'typeof' || token.text === '__typeof__') {
        type = this.typeOf();
        continue;
      } else if (this.isName(token))
        type = { kind: 'named', name: token.text, span: { start: token.start, end: token.end } };
      else break;
      this.index++;
    }
    const span = this.since(start);
    return { storage, type: type ?? { kind: 'named', name: canonicalName(words), span } };
  }

  private attribute(): void {
    this.index++;
    let depth = 0;
    while (!this.ended() && !this.is(';')) {
      if (this.is('(')) depth++;
      else if (this.is(')')) depth--;
      else if (depth === 0) return;
      this.index++;
    }
  }

  private typeOf(): TypeNode {
    const { start } = this.token;
    this.index++;
    this.accept('(');
    const of = this.startsType(this.token) ? this.typeName() : this.assignment();
    this.close(')');
    return { kind: 'typeof', of, span: this.since(start) };
  }

  private structure(): TypeNode {
    const { start } = this.token;
    const union = this.is('union');
    this.index++;
    while (ATTRIBUTES.has(this.token.text)) this.index++;
    let tag = '';
    if (this.isName(this.token)) {
      tag = this.token.text;
      this.index++;
    }
    if (!this.accept('{')) return { kind: 'struct', tag, union, span: this.since(start) };
    const fields: FieldNode[] = [];
    this.nested(() => {
      while (!this.is('}') && !this.ended()) {
        const from = this.index;
        const { type } = this.specifiers();
        if (this.is(';') && type.kind === 'struct' && type.fields) fields.push(...unnamed(type.union, type.fields));
        while (!this.is(';') && !this.is('}') && !this.ended()) {
          const declarator = this.declarator(type);
          const { name, type: full, span } = declarator;
          const bits = this.accept(':') ? this.assignment() : undefined;
          fields.push({ name, type: full, span, ...(bits ? { bits } : {}) });
          while (ATTRIBUTES.has(this.token.text) || this.token.text === '__attribute__') {
            if (this.token.text === '__attribute__') this.attribute();
            else this.index++;
          }
          if (!this.accept(',')) break;
        }
        if (!this.accept(';')) this.found('missing-semicolon', 'A ";" is missing after this member.', this.before());
        if (this.index === from) this.index++;
      }
    });
    this.close('}');
    const span = this.since(start);
    return { kind: 'struct', tag: tag || `anonymous@${start}`, union, fields, span };
  }

  private enumeration(): TypeNode {
    const { start } = this.token;
    this.index++;
    let tag = '';
    if (this.isName(this.token)) {
      tag = this.token.text;
      this.index++;
    }
    if (!this.accept('{')) return { kind: 'enum', tag, span: this.since(start) };
    const members: { name: string; value: Expression | undefined }[] = [];
    while (this.isName(this.token)) {
      const name = this.token.text;
      this.index++;
      members.push({ name, value: this.accept('=') ? this.assignment() : undefined });
      if (!this.accept(',')) break;
    }
    this.close('}');
    return { kind: 'enum', tag, members, span: this.since(start) };
  }

  /** A type without a name, as in a cast. */
  protected typeName(): TypeNode {
    return this.declarator(this.specifiers().type).type;
  }

  /** Pointer levels, name, arrays and parameter lists around a base type. The name may be empty. */
  protected declarator(base: TypeNode): ParsedDeclarator {
    return this.nested(() => {
      const { start } = this.token;
      let type = base;
      while (this.accept('*')) {
        while (QUALIFIERS.has(this.token.text) || ATTRIBUTES.has(this.token.text)) this.index++;
        type = { kind: 'pointer', to: type, span: { start: base.span.start, end: this.taken } };
      }
      if (
        this.is('(') &&
        (this.peek().text === '*' ||
          (this.isName(this.peek()) && !this.isTypedef(this.peek()) && this.peek(2).text === ')'))
      ) {
        // What stands in the brackets binds first, but is built upon what follows them. It is
        // read twice, so brackets in brackets are limited.
        if (++this.#brackets > 4) this.tooDeep();
        this.index++;
        const inner = this.index;
        const held = [this.findings.length, this.holes.length] as const;
        this.declarator(type);
        this.close(')');
        const outer = this.suffixes(type, '');
        const after = this.index;
        this.index = inner;
        this.findings.length = Math.min(this.findings.length, held[0]);
        this.holes.length = Math.min(this.holes.length, held[1]);
        const result = this.declarator(outer);
        this.index = after;
        this.#brackets--;
        return { ...result, span: this.since(start) };
      }
      let name = '';
      const nameStart = this.token.start;
      if (this.isName(this.token)) {
        name = this.token.text;
        this.index++;
      }
      const nameEnd = this.taken;
      type = this.suffixes(type, name);
      while (ATTRIBUTES.has(this.token.text) || this.token.text === '__attribute__') {
        if (this.token.text === '__attribute__') this.attribute();
        else this.index++;
      }
      return { name, type, span: name ? { start: nameStart, end: nameEnd } : this.since(start) };
    });
  }

  private suffixes(base: TypeNode, name: string): TypeNode {
    if (this.is('[')) {
      const { start } = this.token;
      this.index++;
      const length =
        this.is(']') && !this.lastComment()
          ? undefined
          : this.within({ kind: 'index', of: name }, () => this.assignment());
      this.close(']');
      const of = this.nested(() => this.suffixes(base, name));
      return { kind: 'array', of, length, span: this.since(start) };
    }
    if (this.is('(')) return this.parameters(base, name);
    return base;
  }

  private parameters(returns: TypeNode, name: string): TypeNode {
    const { start } = this.token;
    this.index++;
    const parameters: ParameterNode[] = [];
    let variadic = false;
    let hole: HoleNode | undefined;
    const comment = this.lastComment();
    if (this.is('...') && this.peek().text === ')') {
      hole = this.hole('...', this.token, '', { kind: 'parameters', function: name });
      this.index++;
    } else if (this.is(')') && comment)
      hole = this.hole('comment', comment, comment.words, { kind: 'parameters', function: name });
    else if (this.is('void') && this.peek().text === ')') this.index++;
    else {
      while (!this.is(')') && !this.ended()) {
        const from = this.index;
        if (this.accept('...')) variadic = true;
        else {
          const declared = this.declarator(this.specifiers().type);
          if (this.index === from) break;
          if (declared.name) this.declares(declared.name, undefined);
          parameters.push({ name: declared.name, type: declared.type, span: declared.span });
        }
        if (!this.accept(',')) break;
      }
    }
    this.close(')');
    return { kind: 'function', returns, parameters, variadic, ...(hole ? { hole } : {}), span: this.since(start) };
  }
}

/** The members of an anonymous struct or union, as members of what it stands in. */
function unnamed(union: boolean, fields: readonly FieldNode[]): FieldNode[] {
  const inside = new Map<AnonymousNode | undefined, AnonymousNode>();
  const wrapped = (node: AnonymousNode | undefined): AnonymousNode => {
    let made = inside.get(node);
    if (!made) {
      made = node ? { union: node.union, inside: wrapped(node.inside) } : { union, inside: undefined };
      inside.set(node, made);
    }
    return made;
  };
  return fields.map((field) => ({ ...field, anonymous: wrapped(field.anonymous) }));
}

/** The one spelling of a basic type: `long unsigned` is `unsigned long`. */
export function canonicalName(words: readonly string[]): string {
  const has = (word: string) => words.includes(word);
  if (has('double')) return 'double';
  for (const plain of ['void', 'bool', 'float']) if (has(plain)) return plain;
  if (has('char')) return has('unsigned') ? 'unsigned char' : has('signed') ? 'signed char' : 'char';
  const longs = words.filter((word) => word === 'long').length;
  const size = has('short') ? 'short' : longs > 1 ? 'long long' : longs === 1 ? 'long' : 'int';
  return has('unsigned') ? `unsigned ${size}` : size;
}
