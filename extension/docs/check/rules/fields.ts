/** Members that a struct does not have, and `.` where `->` belongs or the reverse. */
import type { Expression, SourceSpan, TypeNode } from '../../../../sim/index.ts';
import type { Code, Context } from '../context.ts';
import { fieldStanding, type Standing, saying, standing } from '../standing.ts';
import type { Fix } from '../types.ts';
import { type Body, type TypeRef, typeOf } from '../typing.ts';
import { WHOLE_STRUCTS } from '../uses.ts';
import { eachExpressionIn, eachStatement } from '../walk.ts';

type Member = Extract<Expression, { kind: 'member' }>;

export function fields(context: Context): void {
  for (const code of context.codes) {
    for (const body of code.bodies) {
      operators(context, code, body);
      members(context, code, body);
    }
    definitions(context, code);
  }
}

/** Fields of `object` that the release does not have. */
function members(context: Context, code: Code, body: Body): void {
  const { release } = context;
  const known = (name: string): TypeRef | undefined => body.declared.get(name) ?? body.used.get(name);
  const outer = new Map<Expression, Member>();
  eachExpressionIn(body.statements, (node) => {
    if (node.kind !== 'member') return undefined;
    outer.set(node.object, node);
    const type = typeOf(node.object, known, release);
    if (type?.tag === undefined || type.pointers > 1) return undefined;
    const wrong = missing(type.tag, node.field, context);
    if (wrong === undefined) return undefined;
    const instead = wrong.state === 'not-yet' ? undefined : wrong.instead;
    const at = context.at(code, node.fieldSpan);
    const fix =
      instead !== undefined && /^\w+$/.test(instead) && wrong.state === 'gone'
        ? { ...at, title: `Write ${instead}`, text: instead }
        : throughFix(context, code, type.tag, node, outer.get(node));
    tellField(context, type.tag, node.field, wrong, at, fix);
    return undefined;
  });
}

/** `a->b.c` where `b` is not there and `c` is a member of what `a` is: `a->c` is meant. */
function throughFix(
  context: Context,
  code: Code,
  tag: string,
  node: Member,
  outer: Member | undefined,
): Fix | undefined {
  if (outer === undefined || fieldStanding(tag, outer.field, context.release)?.state !== 'here') return undefined;
  const span = context.at(code, { start: node.fieldSpan.start, end: outer.fieldSpan.start });
  return { ...span, title: `Leave out ${node.field}`, text: '' };
}

function missing(tag: string, field: string, { release }: Context): Exclude<Standing, { state: 'here' }> | undefined {
  const known = fieldStanding(tag, field, release);
  if (known !== undefined) return known.state === 'here' ? undefined : known;
  if (!WHOLE_STRUCTS.has(tag) || standing(`struct ${tag}`, release)?.state !== 'here') return undefined;
  const never = standing(`${tag}.${field}`, release);
  return never?.state === 'never' ? never : { state: 'never' };
}

function tellField(
  context: Context,
  tag: string,
  field: string,
  wrong: Exclude<Standing, { state: 'here' }>,
  at: { start: number; end: number },
  fix: Fix | undefined,
): void {
  const message =
    wrong.state === 'never'
      ? `struct ${tag} has no member ${field}, in no release${wrong.instead === undefined ? '' : `: ${wrong.instead} is meant`}.`
      : `${field} of struct ${tag} ${saying(wrong, context.release)}`;
  const since = wrong.state === 'never' ? undefined : wrong.since;
  context.report('no-such-field', 'error', at, message, { since, fix });
}

interface Use {
  readonly form: 'object' | 'pointer';
  readonly span: SourceSpan;
  readonly member?: Member;
}

/** `a.b` of a pointer and `a->b` of an object; for names declared nowhere, uses that disagree with the others. */
function operators(context: Context, code: Code, body: Body): void {
  const { release } = context;
  const uses = new Map<string, Use[]>();
  const use = (name: string, each: Use): void => void uses.set(name, [...(uses.get(name) ?? []), each]);
  const known = (name: string): TypeRef | undefined => body.declared.get(name);
  eachExpressionIn(body.statements, (node) => {
    if (node.kind === 'member') {
      const type = typeOf(node.object, known, release);
      if (type !== undefined && (type.tag !== undefined || type.pointers > 0)) {
        const wanted = type.pointers > 0;
        if (node.arrow !== wanted && type.pointers < 2) tellOperator(context, code, node, wanted, 'declared');
      } else if (node.object.kind === 'name' && !body.declared.has(node.object.name))
        use(node.object.name, { form: node.arrow ? 'pointer' : 'object', span: node.span, member: node });
    }
    if (node.kind === 'unary' && node.operator === '&' && node.operand.kind === 'name')
      if (isWantedAsStruct(body, node.operand.name)) use(node.operand.name, { form: 'object', span: node.span });
    return undefined;
  });
  for (const [name, list] of uses) {
    if (body.declared.has(name)) continue;
    const objects = list.filter((each) => each.form === 'object');
    const pointers = list.filter((each) => each.form === 'pointer');
    const [odd, usual] = objects.length >= pointers.length ? [pointers, objects] : [objects, pointers];
    const [other] = usual;
    if (other === undefined) continue;
    for (const { member } of odd)
      if (member) tellOperator(context, code, member, odd === objects, 'used', context.at(code, other.span));
  }
}

/** Whether `&name` is given where a pointer to a struct is wanted, so that the name is the struct itself. */
const isWantedAsStruct = (body: Body, name: string): boolean => body.used.get(name)?.pointers === 0;

function tellOperator(
  context: Context,
  code: Code,
  node: Member,
  arrow: boolean,
  how: 'declared' | 'used',
  other?: { start: number; end: number },
): void {
  const { text } = code.unit;
  const object = text.slice(node.object.span.start, node.object.span.end);
  const from = text.indexOf(node.arrow ? '->' : '.', node.object.span.end);
  const end = from + (node.arrow ? 2 : 1);
  if (from < 0 || end > node.fieldSpan.start) return;
  const sort = arrow ? 'a pointer' : 'an object, not a pointer';
  const fix = {
    ...context.at(code, { start: from, end }),
    title: `Write "${arrow ? '->' : '.'}"`,
    text: arrow ? '->' : '.',
  };
  context.reportIn(
    code,
    'member-operator',
    'error',
    { start: from, end },
    how === 'declared'
      ? `${object} is ${sort}: its members are reached with "${arrow ? '->' : '.'}".`
      : `${object} is used as ${sort} elsewhere in this function: one of the two does not compile.`,
    {
      fix,
      related: other && [{ ...other, message: `used as ${sort}` }],
    },
  );
}

/** Members of a kernel struct that the text defines. */
function definitions(context: Context, code: Code): void {
  const seen = new Set<string>();
  const visit = (type: TypeNode): void => {
    if (type.kind !== 'struct' || type.fields === undefined || seen.has(type.tag)) return;
    seen.add(type.tag);
    for (const field of type.fields) {
      const wrong = missing(type.tag, field.name, context);
      if (wrong !== undefined)
        tellField(
          context,
          type.tag,
          field.name,
          wrong,
          context.at(code, named(code, field.span, field.name)),
          undefined,
        );
    }
  };
  eachStatement(code.unit.items, (statement) => {
    if (statement.kind !== 'declaration') return;
    visit(statement.base);
    for (const { type } of statement.declarators) visit(type);
  });
}

function named(code: Code, span: SourceSpan, name: string): SourceSpan {
  const at = code.unit.text.slice(span.start, span.end).search(new RegExp(`\\b${name}\\b`));
  return at < 0 ? span : { start: span.start + at, end: span.start + at + name.length };
}
