/** The tree of a C text. Every node has its span, in UTF-16 offsets of the text it was parsed from. */
import type { SourceSpan } from '../task/task.ts';
import type { Macro } from './macro.ts';
import type { IntegerType } from './value.ts';

export type Severity = 'error' | 'warning' | 'information';

/** Something worth telling about a text: by the parser about its form, by the evaluator about its meaning. */
export interface Finding {
  readonly code: FindingCode;
  readonly message: string;
  readonly span: SourceSpan;
  readonly severity: Severity;
}

export type FindingCode =
  | 'syntax'
  | 'missing-parenthesis'
  | 'missing-semicolon'
  | 'missing-brace'
  | 'too-deep'
  | 'too-many-errors'
  | 'unsupported'
  | 'hole'
  | 'undeclared'
  | 'not-in-release'
  | 'no-such-field'
  | 'member-operator'
  | 'uninitialised-read'
  | 'conversion'
  | 'argument-count'
  | 'approximate-size'
  | 'prototype-differs'
  | 'field-differs'
  | 'too-large'
  | 'use-after-free';

/** Where a hole stands, so that whoever fills it knows what is wanted. */
export type HolePosition =
  | { readonly kind: 'argument'; readonly call: string; readonly index: number }
  | { readonly kind: 'parameters'; readonly function: string }
  /** The right-hand side of an assignment or the initialiser of a variable; `of` is the left side as written. */
  | { readonly kind: 'right-hand-side'; readonly of: string }
  | { readonly kind: 'index'; readonly of: string }
  | { readonly kind: 'condition'; readonly of: 'if' | 'while' | 'do' | 'for' | 'switch' }
  | { readonly kind: 'return' }
  | { readonly kind: 'operand' }
  /** `...` in place of statements or declarations. */
  | { readonly kind: 'statement' }
  /** A comment on lines of its own between statements: may be filled, need not be. */
  | { readonly kind: 'comment' };

export interface HoleNode {
  readonly kind: 'hole';
  readonly span: SourceSpan;
  readonly height: 1;
  readonly form: '...' | 'comment';
  /** The words of the comment; empty for `...`. */
  readonly words: string;
  readonly position: HolePosition;
}

export type UnaryOperator = '+' | '-' | '!' | '~' | '*' | '&';
export type BinaryOperator =
  | '*'
  | '/'
  | '%'
  | '+'
  | '-'
  | '<<'
  | '>>'
  | '<'
  | '>'
  | '<='
  | '>='
  | '=='
  | '!='
  | '&'
  | '^'
  | '|'
  | '&&'
  | '||';
export type AssignOperator = '=' | '*=' | '/=' | '%=' | '+=' | '-=' | '<<=' | '>>=' | '&=' | '^=' | '|=';

interface Node<K extends string> {
  readonly kind: K;
  readonly span: SourceSpan;
  /** Levels of expression below and including this one. */
  readonly height: number;
}
export interface IntegerNode extends Node<'integer'> {
  readonly value: bigint;
  readonly type: IntegerType;
}
export interface StringNode extends Node<'string'> {
  readonly value: string;
}
export interface NameNode extends Node<'name'> {
  readonly name: string;
}
export interface UnaryNode extends Node<'unary'> {
  readonly operator: UnaryOperator;
  readonly operand: Expression;
}
export interface UpdateNode extends Node<'update'> {
  readonly operator: '++' | '--';
  readonly prefix: boolean;
  readonly operand: Expression;
}
export interface BinaryNode extends Node<'binary'> {
  readonly operator: BinaryOperator;
  readonly left: Expression;
  readonly right: Expression;
}
export interface AssignNode extends Node<'assign'> {
  readonly operator: AssignOperator;
  readonly left: Expression;
  readonly right: Expression;
}
export interface ConditionalNode extends Node<'conditional'> {
  readonly test: Expression;
  /** Absent in `a ?: b`. */
  readonly then: Expression | undefined;
  readonly otherwise: Expression;
}
export interface CommaNode extends Node<'comma'> {
  readonly left: Expression;
  readonly right: Expression;
}
export interface CastNode extends Node<'cast'> {
  readonly type: TypeNode;
  readonly operand: Expression;
}
export interface LiteralNode extends Node<'literal'> {
  readonly type: TypeNode;
  readonly initialiser: InitialiserList;
}
export interface SizeofNode extends Node<'sizeof'> {
  readonly of: Expression | TypeNode;
}
export interface MemberNode extends Node<'member'> {
  readonly object: Expression;
  readonly arrow: boolean;
  readonly field: string;
  readonly fieldSpan: SourceSpan;
}
export interface IndexNode extends Node<'index'> {
  readonly object: Expression;
  readonly index: Expression;
}
export interface CallNode extends Node<'call'> {
  readonly callee: Expression;
  readonly arguments: readonly Expression[];
}
/** A type where a macro takes one: `container_of(p, struct x, member)`. */
export interface TypeArgumentNode extends Node<'type'> {
  readonly type: TypeNode;
}
/** `({ ... })`: statements, of which the last gives the value. */
export interface StatementsNode extends Node<'statements'> {
  readonly body: CompoundNode;
}
/** Where an expression should be and none is. */
export interface ErrorNode extends Node<'error'> {
  readonly message: string;
}

export type Expression =
  | IntegerNode
  | StringNode
  | NameNode
  | UnaryNode
  | UpdateNode
  | BinaryNode
  | AssignNode
  | ConditionalNode
  | CommaNode
  | CastNode
  | LiteralNode
  | SizeofNode
  | MemberNode
  | IndexNode
  | CallNode
  | TypeArgumentNode
  | StatementsNode
  | HoleNode
  | ErrorNode;

export interface Designator {
  readonly field?: string;
  readonly index?: Expression;
  /** The last of a range: `[2 ... 5]`. */
  readonly to?: Expression;
  readonly span: SourceSpan;
}
export interface InitialiserItem {
  readonly designators: readonly Designator[];
  readonly value: Initialiser;
}
export interface InitialiserList {
  readonly kind: 'initialiser-list';
  readonly span: SourceSpan;
  readonly items: readonly InitialiserItem[];
}
export type Initialiser = Expression | InitialiserList;

/** A struct or union without a name, whose members are members of what it stands in. */
export interface AnonymousNode {
  readonly union: boolean;
  readonly inside: AnonymousNode | undefined;
}
export interface FieldNode {
  readonly name: string;
  readonly type: TypeNode;
  readonly span: SourceSpan;
  readonly bits?: Expression;
  readonly anonymous?: AnonymousNode;
}
export interface ParameterNode {
  readonly name: string;
  readonly type: TypeNode;
  readonly span: SourceSpan;
}

export type TypeNode =
  /** A builtin or typedef name in canonical spelling: `unsigned long`, `u64`, `gfp_t`. */
  | { readonly kind: 'named'; readonly name: string; readonly span: SourceSpan }
  | {
      readonly kind: 'struct';
      readonly tag: string;
      readonly union: boolean;
      readonly span: SourceSpan;
      readonly fields?: readonly FieldNode[];
    }
  | {
      readonly kind: 'enum';
      readonly tag: string;
      readonly span: SourceSpan;
      readonly members?: readonly { readonly name: string; readonly value: Expression | undefined }[];
    }
  | { readonly kind: 'typeof'; readonly of: Expression | TypeNode; readonly span: SourceSpan }
  | { readonly kind: 'pointer'; readonly to: TypeNode; readonly span: SourceSpan }
  | {
      readonly kind: 'array';
      readonly of: TypeNode;
      readonly length: Expression | undefined;
      readonly span: SourceSpan;
    }
  | {
      readonly kind: 'function';
      readonly returns: TypeNode;
      readonly parameters: readonly ParameterNode[];
      readonly variadic: boolean;
      readonly hole?: HoleNode;
      readonly span: SourceSpan;
    };

export interface Declarator {
  readonly name: string;
  readonly type: TypeNode;
  readonly initialiser: Initialiser | undefined;
  readonly span: SourceSpan;
}
export interface DeclarationNode {
  readonly kind: 'declaration';
  readonly span: SourceSpan;
  readonly storage: 'typedef' | 'static' | 'extern' | undefined;
  readonly base: TypeNode;
  readonly declarators: readonly Declarator[];
}
export interface FunctionNode {
  readonly kind: 'function';
  readonly span: SourceSpan;
  readonly head: SourceSpan;
  readonly name: string;
  readonly static: boolean;
  readonly type: Extract<TypeNode, { kind: 'function' }>;
  readonly body: CompoundNode;
}
export interface CompoundNode {
  readonly kind: 'compound';
  readonly span: SourceSpan;
  readonly items: readonly Statement[];
}

/** `head` of a compound statement is what a debugger marks: `if (...)` without its branches. */
export type Statement =
  | DeclarationNode
  | FunctionNode
  | CompoundNode
  | HoleNode
  | { readonly kind: 'expression'; readonly span: SourceSpan; readonly expression: Expression }
  | { readonly kind: 'empty'; readonly span: SourceSpan }
  | {
      readonly kind: 'if';
      readonly span: SourceSpan;
      readonly head: SourceSpan;
      readonly test: Expression;
      readonly then: Statement;
      readonly otherwise: Statement | undefined;
    }
  | {
      readonly kind: 'while';
      readonly span: SourceSpan;
      readonly head: SourceSpan;
      readonly test: Expression;
      readonly body: Statement;
    }
  | {
      readonly kind: 'do';
      readonly span: SourceSpan;
      readonly head: SourceSpan;
      readonly test: Expression;
      readonly body: Statement;
    }
  | {
      readonly kind: 'for';
      readonly span: SourceSpan;
      readonly head: SourceSpan;
      readonly initial: DeclarationNode | Expression | undefined;
      readonly test: Expression | undefined;
      readonly step: Expression | undefined;
      readonly body: Statement;
    }
  | {
      readonly kind: 'switch';
      readonly span: SourceSpan;
      readonly head: SourceSpan;
      readonly test: Expression;
      readonly body: Statement;
    }
  /** `value` absent: `default`. `to`: the end of a GNU case range. */
  | {
      readonly kind: 'case';
      readonly span: SourceSpan;
      readonly value: Expression | undefined;
      readonly to: Expression | undefined;
      readonly body: Statement;
    }
  | { readonly kind: 'label'; readonly span: SourceSpan; readonly name: string; readonly body: Statement }
  | { readonly kind: 'goto'; readonly span: SourceSpan; readonly label: string }
  | { readonly kind: 'break' | 'continue'; readonly span: SourceSpan }
  | { readonly kind: 'return'; readonly span: SourceSpan; readonly value: Expression | undefined }
  /** `#define NAME value`. */
  | { readonly kind: 'define'; readonly span: SourceSpan; readonly name: string; readonly value: Expression };

export type ParseMode = 'block' | 'expression' | 'file';

export interface CUnit {
  readonly mode: ParseMode;
  readonly text: string;
  readonly items: readonly Statement[];
  /** Every hole, in the order of the text. */
  readonly holes: readonly HoleNode[];
  readonly findings: readonly Finding[];
  /** The macros that stand at its end. */
  readonly macros: ReadonlyMap<string, Macro>;
}
