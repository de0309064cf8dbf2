/** Results that nothing looks at: errors ignored, and error pointers used as if they were good. */
import { type CallNode, type Expression, spanHolds } from '../../../../sim/index.ts';
import type { Code, Context } from '../context.ts';
import type { Flow } from '../flow.ts';
import { type Body, functionAt, type KnownFunction } from '../typing.ts';
import { COUNTS, MUST_CHECK } from '../uses.ts';
import { calledName, eachExpression, eachStatement } from '../walk.ts';

const TESTS = /^(?:IS_ERR|IS_ERR_OR_NULL|PTR_ERR_OR_ZERO|IS_ERR_VALUE|PTR_ERR)$/;

export function results(context: Context): void {
  for (const code of context.codes)
    for (const body of code.bodies) {
      ignored(context, code, body);
      used(context, code, code.flow(body));
      counted(context, code, code.flow(body));
    }
}

/** Whether a function returns an error number as a pointer. */
const givesErrorPointer = ({ type, variant }: KnownFunction): boolean =>
  type.returns.kind === 'pointer' && (variant.errors?.some(({ returns }) => /^-E|ERR_PTR/.test(returns)) ?? false);

function ignored(context: Context, code: Code, body: Body): void {
  eachStatement(body.statements, (statement) => {
    if (statement.kind !== 'expression' || statement.expression.kind !== 'call') return;
    const call = statement.expression;
    const name = calledName(call) ?? '';
    const known = functionAt(name, context.release);
    if (!known) return;
    if (givesErrorPointer(known))
      tell(context, code, call, `${name} returns an error as a pointer, and nothing looks at it.`);
    else if (MUST_CHECK.has(name)) tell(context, code, call, `${name} can fail, and nothing looks at what it returns.`);
  });
}

function tell(context: Context, code: Code, call: CallNode, message: string): void {
  context.reportIn(code, 'unchecked-result', 'warning', call.span, message);
}

/** Error pointers that are kept and followed before anything asked whether they are good. */
function used(context: Context, code: Code, flow: Flow): void {
  for (const [index, node] of flow.nodes.entries()) {
    const [expression] = node.expressions;
    const kept = node.declares
      ? { name: node.declares.name, call: expression }
      : expression?.kind === 'assign' && expression.operator === '=' && expression.left.kind === 'name'
        ? { name: expression.left.name, call: expression.right }
        : undefined;
    if (kept?.call?.kind !== 'call') continue;
    const { name, call } = kept;
    const called = calledName(call) ?? '';
    const known = functionAt(called, context.release);
    if (!known || !givesErrorPointer(known)) continue;
    const use = firstUse(flow, index, name);
    if (use)
      context.reportIn(
        code,
        'unchecked-result',
        'warning',
        call.span,
        `${called} may return an error as a pointer, and ${name} is used without a look at IS_ERR(${name}).`,
        { related: [{ ...context.at(code, use.span), message: 'used here' }] },
      );
  }
}

/** `ret = f(); if (ret)` where `f` returns how many it did: success is taken for failure. */
function counted(context: Context, code: Code, flow: Flow): void {
  for (const node of flow.nodes) {
    const [expression] = node.expressions;
    if (expression?.kind !== 'assign' || expression.left.kind !== 'name' || expression.right.kind !== 'call') continue;
    const { name } = expression.left;
    const called = calledName(expression.right);
    if (!COUNTS.some((each) => each.call === called && spanHolds(each, context.release))) continue;
    for (const next of node.next) {
      const [test] = flow.nodes[next]?.expressions ?? [];
      if (flow.nodes[next]?.yes === undefined || test?.kind !== 'name' || test.name !== name) continue;
      context.reportIn(
        code,
        'count-as-error',
        'warning',
        test.span,
        `${called} of ${context.release} returns how many pages it did: only ${name} < 0 is an error.`,
        { related: [{ ...context.at(code, expression.span), message: 'what is asked about' }] },
      );
    }
  }
}

function firstUse(flow: Flow, from: number, name: string): Expression | undefined {
  const seen = new Set<number>([from]);
  const todo = [...(flow.nodes[from]?.next ?? [])];
  for (let at = todo.shift(); at !== undefined; at = todo.shift()) {
    const node = flow.nodes[at];
    if (seen.has(at) || node === undefined) continue;
    seen.add(at);
    let ends = node.anything === true;
    let use: Expression | undefined;
    for (const expression of node.expressions)
      eachExpression(expression, (each) => {
        if (each.kind === 'call' && TESTS.test(calledName(each) ?? '')) ends = true;
        if (each.kind === 'assign' && each.left.kind === 'name' && each.left.name === name) ends = true;
        const followed =
          each.kind === 'member' || each.kind === 'index'
            ? each.object
            : each.kind === 'unary' && each.operator === '*'
              ? each.operand
              : undefined;
        if (followed?.kind === 'name' && followed.name === name) use ??= each;
        return undefined;
      });
    if (use !== undefined && !ends) return use;
    if (!ends) todo.push(...node.next);
  }
  return undefined;
}
