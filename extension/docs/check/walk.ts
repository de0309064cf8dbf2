/** Goes through C trees: every expression below a statement, in the order it is written. */
import type { CallNode, Expression, Initialiser, Statement } from '../../../sim/index.ts';

/** The expressions directly below one. */
export function partsOf(node: Expression): readonly Expression[] {
  switch (node.kind) {
    case 'unary':
    case 'update':
    case 'cast':
      return [node.operand];
    case 'binary':
    case 'assign':
    case 'comma':
      return [node.left, node.right];
    case 'conditional':
      return node.then === undefined ? [node.test, node.otherwise] : [node.test, node.then, node.otherwise];
    case 'literal':
      return valuesOf(node.initialiser);
    case 'member':
      return [node.object];
    case 'index':
      return [node.object, node.index];
    case 'call':
      return [node.callee, ...node.arguments];
    case 'sizeof':
      return isExpression(node.of) ? [node.of] : [];
    default:
      return [];
  }
}

/** The values of an initialiser, those of nested lists included. */
export function valuesOf(initialiser: Initialiser | undefined): readonly Expression[] {
  if (initialiser === undefined) return [];
  if (initialiser.kind !== 'initialiser-list') return [initialiser];
  return initialiser.items.flatMap((item) => valuesOf(item.value));
}

const TYPES = new Set(['named', 'struct', 'enum', 'typeof', 'pointer', 'array', 'function']);
const isExpression = (node: { readonly kind: string }): node is Expression => !TYPES.has(node.kind);

/** The expression and all below it. `false` from `visit` leaves out what is below. */
export function eachExpression(node: Expression, visit: (node: Expression) => boolean | undefined): void {
  const stack: Expression[] = [node];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    if (visit(next) === false) continue;
    const parts = partsOf(next);
    for (let i = parts.length - 1; i >= 0; i--) {
      const part = parts[i];
      if (part !== undefined) stack.push(part);
    }
  }
}

/** The expressions and statements directly below a statement. */
export function insideOf(statement: Statement): {
  readonly expressions: readonly Expression[];
  readonly statements: readonly Statement[];
} {
  const some = (...list: readonly (Expression | undefined)[]): readonly Expression[] =>
    list.filter((each) => each !== undefined);
  switch (statement.kind) {
    case 'declaration':
      return { expressions: statement.declarators.flatMap((each) => valuesOf(each.initialiser)), statements: [] };
    case 'function':
      return { expressions: [], statements: [statement.body] };
    case 'compound':
      return { expressions: [], statements: statement.items };
    case 'expression':
      return { expressions: [statement.expression], statements: [] };
    case 'if':
      return { expressions: [statement.test], statements: [statement.then, ...optional(statement.otherwise)] };
    case 'while':
    case 'do':
    case 'switch':
      return { expressions: [statement.test], statements: [statement.body] };
    case 'for': {
      const { initial, test, step, body } = statement;
      if (initial?.kind === 'declaration') return { expressions: some(test, step), statements: [initial, body] };
      return { expressions: some(initial, test, step), statements: [body] };
    }
    case 'case':
      return { expressions: some(statement.value, statement.to), statements: [statement.body] };
    case 'label':
      return { expressions: [], statements: [statement.body] };
    case 'return':
      return { expressions: some(statement.value), statements: [] };
    case 'define':
      return { expressions: [statement.value], statements: [] };
    default:
      return { expressions: [], statements: [] };
  }
}

const optional = (statement: Statement | undefined): readonly Statement[] =>
  statement === undefined ? [] : [statement];

/** All statements, each before what is in it. */
export function eachStatement(statements: readonly Statement[], visit: (statement: Statement) => void): void {
  for (const statement of statements) {
    visit(statement);
    eachStatement(insideOf(statement).statements, visit);
  }
}

/** All expressions of all statements. */
export function eachExpressionIn(
  statements: readonly Statement[],
  visit: (node: Expression) => boolean | undefined,
): void {
  eachStatement(statements, (statement) => {
    for (const expression of insideOf(statement).expressions) eachExpression(expression, visit);
  });
}

/** The name of the function that is called, if it is called by name. */
export const calledName = (call: CallNode): string | undefined =>
  call.callee.kind === 'name' ? call.callee.name : undefined;

export function callsIn(node: Expression): CallNode[] {
  const calls: CallNode[] = [];
  eachExpression(node, (each) => {
    if (each.kind === 'call') calls.push(each);
    return undefined;
  });
  return calls;
}

/** The variable an expression begins with: `a` of `&a->b[i].c`. */
export function rootOf(node: Expression): Extract<Expression, { kind: 'name' }> | undefined {
  let at = node;
  for (;;) {
    if (at.kind === 'name') return at;
    if (at.kind === 'member' || at.kind === 'index') at = at.object;
    else if ((at.kind === 'unary' && (at.operator === '&' || at.operator === '*')) || at.kind === 'cast')
      at = at.operand;
    else return undefined;
  }
}
