/** Variables that are read before they are set, and structs given to the kernel with fields that nothing set. */
import { type CallNode, type Declarator, type Expression, recordsOf, spanHolds } from '../../../../sim/index.ts';
import type { Code, Context } from '../context.ts';
import { fieldStanding } from '../standing.ts';
import { type Body, refOf } from '../typing.ts';
import { FIELDS_READ, FIELDS_WANTED } from '../uses.ts';
import { calledName, eachExpression, eachExpressionIn, eachStatement, rootOf } from '../walk.ts';

export function values(context: Context): void {
  for (const code of context.codes)
    for (const body of code.bodies) {
      eachStatement(body.statements, (statement) => {
        if (statement.kind !== 'declaration' || statement.storage !== undefined) return;
        for (const declarator of statement.declarators) {
          const type = refOf(declarator.type);
          if (declarator.name === '' || declarator.type.kind === 'array' || declarator.type.kind === 'function')
            continue;
          if (type?.tag !== undefined && type.pointers === 0) structs(context, code, body, declarator, type.tag);
          else if (declarator.initialiser === undefined) scalars(context, code, body, declarator);
        }
      });
    }
}

/** What a body does to a variable. */
interface Life {
  readonly set: ReadonlyMap<string, readonly Expression[]>;
  readonly calls: readonly CallNode[];
  /** Something else may set it: its address went somewhere that is not known. */
  readonly escapes: boolean;
}

const ZEROING = /^(?:memset|memcpy|memzero_explicit|\w*_init|init_\w+)$/;

function lifeOf(body: Body, { name, initialiser }: Declarator): Life {
  const set = new Map<string, Expression[]>();
  const calls: CallNode[] = [];
  let escapes = false;
  const note = (field: string, value: Expression): void => void set.set(field, [...(set.get(field) ?? []), value]);
  if (initialiser?.kind === 'initialiser-list') {
    for (const { designators, value } of initialiser.items) {
      const field = designators[0]?.field;
      if (field !== undefined && value.kind !== 'initialiser-list') note(field, value);
      else if (field !== undefined) set.set(field, set.get(field) ?? []);
    }
  }
  eachExpressionIn(body.statements, (node) => {
    if (node.kind === 'assign') {
      const field = fieldOfRoot(node.left, name);
      if (field !== undefined) note(field, node.right);
      if (node.left.kind === 'name' && node.left.name === name) escapes = true;
    }
    if (node.kind === 'unary' && node.operator === '&') {
      const field = fieldOfRoot(node.operand, name);
      if (field !== undefined) set.set(field, set.get(field) ?? []);
    }
    if (node.kind === 'call' && node.arguments.some((each) => isAddressOf(each, name))) {
      calls.push(node);
      const called = calledName(node) ?? '';
      if (ZEROING.test(called) || recordsOf(called).every((record) => record.kind !== 'function')) escapes = true;
    }
    return undefined;
  });
  return { set, calls, escapes };
}

const isAddressOf = (node: Expression | undefined, name: string): boolean =>
  node?.kind === 'unary' && node.operator === '&' && node.operand.kind === 'name' && node.operand.name === name;

/** `range` of `pagemap.range.start`. */
function fieldOfRoot(node: Expression, name: string): string | undefined {
  if (rootOf(node)?.name !== name) return undefined;
  let field: string | undefined;
  let at = node;
  for (;;) {
    if (at.kind === 'member') {
      field = at.field;
      at = at.object;
    } else if (at.kind === 'index') at = at.object;
    else return field;
  }
}

function structs(context: Context, code: Code, body: Body, declarator: Declarator, tag: string): void {
  const { release } = context;
  const { name, initialiser } = declarator;
  const life = lifeOf(body, declarator);
  const wanted = new Set<string>();
  for (const call of life.calls) {
    const called = calledName(call) ?? '';
    for (const rule of FIELDS_WANTED) {
      if (
        !rule.calls.includes(called) ||
        !spanHolds(rule, release) ||
        !isAddressOf(call.arguments[rule.argument], name)
      )
        continue;
      const kinds = life.set.get(rule.where.field) ?? [];
      const is = kinds.find((each) => each.kind === 'name' && rule.where.is.includes(each.name));
      if (is === undefined || life.set.has(rule.field) || life.escapes) continue;
      wanted.add(rule.field);
      context.reportIn(
        code,
        'missing-field',
        'warning',
        call.span,
        `${name}.${rule.field} is never set: for ${is.kind === 'name' ? is.name : 'this type'} ${called} ${rule.otherwise}.`,
        { since: rule.since, related: [{ ...context.at(code, is.span), message: 'the type that wants it' }] },
      );
    }
  }
  if (life.escapes || initialiser !== undefined) return;
  const unset = new Set<string>();
  const callers = new Map<string, CallNode>();
  for (const call of life.calls) {
    const called = calledName(call) ?? '';
    for (const rule of FIELDS_READ) {
      if (rule.struct !== tag || !rule.calls.includes(called) || !spanHolds(rule, release)) continue;
      if (!isAddressOf(call.arguments[rule.argument], name)) continue;
      if (rule.unless && call.arguments.some((each) => names(each).some((word) => rule.unless?.includes(word))))
        continue;
      for (const field of rule.fields)
        if (!life.set.has(field) && !wanted.has(field) && fieldStanding(tag, field, release)?.state === 'here') {
          unset.add(field);
          if (!callers.has(called)) callers.set(called, call);
        }
    }
  }
  const [first] = callers;
  if (first === undefined) return;
  const list = [...unset];
  const text = list.length === 1 ? list[0] : `${list.slice(0, -1).join(', ')} and ${list.at(-1)}`;
  context.reportIn(
    code,
    'uninitialised-field',
    'warning',
    declarator.span,
    `${name} lies on the stack, and ${text} ${list.length === 1 ? 'is' : 'are'} never set: ${first[0]} of ${release} reads whatever was there before.`,
    {
      related: [...callers].map(([called, call]) => ({ ...context.at(code, call.span), message: `read by ${called}` })),
    },
  );
}

function names(node: Expression): string[] {
  const found: string[] = [];
  eachExpression(node, (each) => {
    if (each.kind === 'name') found.push(each.name);
    return undefined;
  });
  return found;
}

function scalars(context: Context, code: Code, body: Body, declarator: Declarator): void {
  const { name } = declarator;
  let taken = false;
  eachExpressionIn(body.statements, (node) => {
    if (isAddressOf(node, name)) taken = true;
    return undefined;
  });
  if (taken) return;
  const flow = code.flow(body);
  const from = flow.nodes.findIndex((node) => node.declares === declarator);
  const seen = new Set<number>();
  const todo = [...(flow.nodes[from]?.next ?? [])];
  for (let at = todo.shift(); at !== undefined; at = todo.shift()) {
    const node = flow.nodes[at];
    if (seen.has(at) || node === undefined || node.anything) continue;
    seen.add(at);
    let state: 'unset' | 'set' | Expression = 'unset';
    for (const expression of node.expressions) if (state === 'unset') state = meets(expression, name);
    if (state === 'unset') todo.push(...node.next);
    else if (state !== 'set') {
      const related = [{ ...context.at(code, declarator.span), message: 'declared here' }];
      context.reportIn(
        code,
        'uninitialised-read',
        'warning',
        state.span,
        `${name} is read here and may not have been set.`,
        { related },
      );
      return;
    }
  }
}

/** Whether an expression reads the variable, or sets it first. */
function meets(node: Expression, name: string): 'unset' | 'set' | Expression {
  const all = (...parts: readonly (Expression | undefined)[]): 'unset' | 'set' | Expression => {
    for (const part of parts) {
      const state = part === undefined ? 'unset' : meets(part, name);
      if (state !== 'unset') return state;
    }
    return 'unset';
  };
  switch (node.kind) {
    case 'name':
      return node.name === name ? node : 'unset';
    case 'assign': {
      if (node.left.kind !== 'name' || node.left.name !== name) return all(node.right, node.left);
      const right = meets(node.right, name);
      return right !== 'unset' ? right : node.operator === '=' ? 'set' : node.left;
    }
    case 'unary':
    case 'update':
    case 'cast':
      return meets(node.operand, name);
    case 'binary': {
      const left = meets(node.left, name);
      if (left !== 'unset' || node.operator === '&&' || node.operator === '||') return left;
      return meets(node.right, name);
    }
    case 'comma':
      return all(node.left, node.right);
    case 'conditional':
      return meets(node.test, name);
    case 'member':
      return meets(node.object, name);
    case 'index':
      return all(node.object, node.index);
    case 'call':
      // A macro may set what it is given by name, as list_for_each_entry does.
      return node.arguments.some((each) => each.kind === 'name' && each.name === name) && !isFunction(node)
        ? 'set'
        : all(node.callee, ...node.arguments);
    default:
      return 'unset';
  }
}

const isFunction = (call: CallNode): boolean =>
  recordsOf(calledName(call) ?? '').some((record) => record.kind === 'function' && record.macro !== true);
