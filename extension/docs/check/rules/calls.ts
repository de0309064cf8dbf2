/** Calls and prototypes that are not those of the release: too few arguments, other parameters, shifts too far. */
import {
  compareReleases,
  type Expression,
  type Release,
  recordsOf,
  type SourceSpan,
  spanHolds,
} from '../../../../sim/index.ts';
import type { Code, Context } from '../context.ts';
import {
  type Body,
  type FunctionType,
  functionAt,
  parametersOf,
  prototypeType,
  refOf,
  type TypeRef,
  typeOf,
} from '../typing.ts';
import { calledName, eachExpressionIn, eachStatement } from '../walk.ts';

export function calls(context: Context): void {
  for (const code of context.codes) {
    prototypes(context, code);
    for (const body of code.bodies) {
      const known = (name: string): TypeRef | undefined => body.declared.get(name);
      eachExpressionIn(body.statements, (node) => {
        if (node.kind === 'call') call(context, code, body, node, known);
        if (node.kind === 'binary' && node.operator === '<<') shift(context, code, node);
        return undefined;
      });
    }
  }
}

function call(
  context: Context,
  code: Code,
  body: Body,
  node: Extract<Expression, { kind: 'call' }>,
  known: (name: string) => TypeRef | undefined,
): void {
  const { release } = context;
  const name = calledName(node);
  const called = name === undefined || body.declared.has(name) ? undefined : functionAt(name, release);
  if (!called || name === undefined) return;
  const parameters = parametersOf(called.type);
  const given = node.arguments.length;
  // `f(...)` stands for any arguments.
  if (node.arguments.some((each) => each.kind === 'hole' && each.form === '...')) return;
  if (!called.type.variadic && given !== parameters.length) {
    const since = sinceOf(name, release, parameters.length);
    context.reportIn(
      code,
      'argument-count',
      'error',
      node.span,
      `${name} takes ${parameters.length} argument${parameters.length === 1 ? '' : 's'} in ${release}, not ${given}: ${called.variant.prototype}.`,
      { since },
    );
    return;
  }
  for (const [i, parameter] of parameters.entries()) {
    const argument = node.arguments[i];
    const wanted = refOf(parameter.type);
    const is = argument && typeOf(argument, known, release);
    if (!argument || wanted?.tag === undefined || is?.tag === undefined) continue;
    if (is.tag === wanted.tag && is.pointers === wanted.pointers) continue;
    context.reportIn(
      code,
      'argument-type',
      'error',
      argument.span,
      `Argument ${i + 1} of ${name} is ${spell(wanted)}; this is ${spell(is)}.`,
    );
  }
}

const spell = ({ tag, name, pointers }: TypeRef): string =>
  `${tag === undefined ? name : `struct ${tag}`}${pointers > 0 ? ` ${'*'.repeat(pointers)}` : ''}`;

/** Since when a function takes that many arguments without a break. */
function sinceOf(name: string, release: Release, count: number): Release | undefined {
  for (const record of recordsOf(name)) {
    if (record.kind !== 'function') continue;
    const variant = functionAt(name, release)?.variant;
    const at = variant ? record.variants.indexOf(variant) : -1;
    let first = at;
    while (first > 0 && countOf(record.variants[first - 1]?.prototype ?? '') === count) first--;
    return first > 0 ? record.variants[first]?.since : undefined;
  }
  return undefined;
}

const countOf = (prototype: string): number | undefined => {
  const type = prototypeType(prototype);
  return type && parametersOf(type).length;
};

/** Functions and callbacks that the text declares otherwise than the kernel does. */
function prototypes(context: Context, code: Code): void {
  const { release } = context;
  eachStatement(code.unit.items, (statement) => {
    if (statement.kind !== 'declaration') return;
    for (const { name, type, span } of statement.declarators) {
      const kernel = type.kind === 'function' ? functionAt(name, release) : undefined;
      if (type.kind === 'function' && kernel)
        compare(
          context,
          code,
          name,
          span,
          type,
          kernel.type,
          kernel.variant.prototype,
          earlier(name, type, kernel.variant.since),
        );
    }
    const { base } = statement;
    if (base.kind !== 'struct') return;
    for (const field of base.fields ?? []) {
      const to = field.type.kind === 'pointer' ? field.type.to : undefined;
      if (to?.kind !== 'function') continue;
      const record = recordsOf(field.name).find(
        (each) => each.kind === 'callback' && each.struct === base.tag && spanHolds(each, release),
      );
      const kernel = record?.kind === 'callback' ? prototypeType(record.prototype) : undefined;
      if (record?.kind === 'callback' && kernel)
        compare(context, code, field.name, field.span, to, kernel, record.prototype, undefined);
    }
  });
}

function compare(
  context: Context,
  code: Code,
  name: string,
  span: SourceSpan,
  text: FunctionType,
  kernel: FunctionType,
  prototype: string,
  since: Release | undefined,
): void {
  if (text.hole !== undefined) return;
  if (isAlike(text, kernel)) return;
  const at = code.unit.text.slice(span.start, span.end).indexOf(name);
  const start = span.start + Math.max(0, at);
  context.reportIn(
    code,
    'stale-prototype',
    'warning',
    { start, end: start + name.length },
    `${name} is declared otherwise in ${context.release}: ${prototype.replace(/\s+/g, ' ')}.`,
    { since },
  );
}

function isAlike(a: FunctionType, b: FunctionType): boolean {
  const mine = parametersOf(a).map(({ type }) => refOf(type));
  const theirs = parametersOf(b).map(({ type }) => refOf(type));
  return (
    mine.length === theirs.length &&
    mine.every((each, i) => isSame(each, theirs[i])) &&
    isSame(refOf(a.returns), refOf(b.returns))
  );
}

/** The release that made a prototype wrong, if an earlier one had it so. */
function earlier(name: string, text: FunctionType, since: Release): Release | undefined {
  for (const record of recordsOf(name)) {
    if (record.kind !== 'function') continue;
    const before = record.variants.filter((each) => compareReleases(each.since, since) < 0);
    const last = before.findLastIndex((each) => {
      const type = prototypeType(each.prototype);
      return type !== undefined && isAlike(text, type);
    });
    if (last >= 0) return before[last + 1]?.since ?? since;
  }
  return undefined;
}

function isSame(a: TypeRef | undefined, b: TypeRef | undefined): boolean {
  if (a === undefined || b === undefined) return true;
  return a.pointers === b.pointers && a.tag === b.tag && plain(a.name) === plain(b.name);
}

const plain = (name: string | undefined): string | undefined =>
  name === undefined ? undefined : name.replace(/^unsigned$/, 'unsigned int').replace(/^_Bool$/, 'bool');

/** A constant shifted out of its type: `1 << 63` is an int. */
function shift(context: Context, code: Code, node: Extract<Expression, { kind: 'binary' }>): void {
  const { left, right } = node;
  if (left.kind !== 'integer' || right.kind !== 'integer') return;
  const text = code.unit.text.slice(left.span.start, left.span.end);
  const bits = /l/i.test(text.replace(/^0x/i, '')) ? 64n : 32n;
  if (right.value < bits) return;
  context.reportIn(
    code,
    'shift-too-far',
    'warning',
    node.span,
    `${text} is an int of ${bits} bits: shifted by ${right.value} it has no defined value; ${text}UL is meant.`,
  );
}
