/** What a function takes and does not give back on a way out of it. */
import type { CallNode, Expression } from '../../../../sim/index.ts';
import type { Code, Context } from '../context.ts';
import type { Flow, FlowNode } from '../flow.ts';
import type { Body } from '../typing.ts';
import { TAKE_AND_GIVE, type TakeAndGive } from '../uses.ts';
import { calledName, callsIn } from '../walk.ts';

const BY_TAKE = new Map(TAKE_AND_GIVE.map((pair) => [pair.take, pair]));

export function leaks(context: Context): void {
  for (const code of context.codes)
    for (const body of code.bodies) {
      const flow = code.flow(body);
      for (const [index, node] of flow.nodes.entries())
        for (const expression of node.expressions)
          for (const call of callsIn(expression)) {
            const pair = BY_TAKE.get(calledName(call) ?? '');
            if (pair) follow(context, code, body, flow, index, call, pair);
          }
    }
}

/** Where a walk is, and what it knows: held for certain, or if a variable says so. */
interface Place {
  readonly at: number;
  readonly variable: string | undefined;
}

function follow(
  context: Context,
  code: Code,
  body: Body,
  flow: Flow,
  index: number,
  call: CallNode,
  pair: TakeAndGive,
): void {
  const leaking = new Map<number, FlowNode>();
  const seen = new Set<string>();
  const todo = [...starts(flow, index, call, pair)];
  for (let place = todo.pop(); place !== undefined; place = todo.pop()) {
    const key = `${place.at} ${place.variable ?? ''}`;
    const node = flow.nodes[place.at];
    if (seen.has(key) || node === undefined) continue;
    seen.add(key);
    if (node.anything || gives(node, pair)) continue;
    if (node.returns !== undefined || (place.at === flow.end && body.node !== undefined)) {
      leaking.set(place.at, node);
      continue;
    }
    const { variable } = place;
    if (variable !== undefined && node.yes !== undefined && node.no !== undefined) {
      const truth = truthOf(node.expressions[0], variable);
      if (truth !== undefined) {
        // The edge on which the variable says that it is held.
        const onTrue = truth === (pair.taken === 'nonzero');
        if (truth !== 'error') {
          todo.push({ at: onTrue ? node.yes : node.no, variable: undefined });
          continue;
        }
        todo.push({ at: node.no, variable });
        if (pair.taken === 'nonzero') todo.push({ at: node.yes, variable });
        continue;
      }
    }
    if (variable !== undefined && node.expressions.some((each) => assigns(each, variable))) continue;
    for (const at of node.next) todo.push({ at, variable });
  }
  if (leaking.size === 0) return;
  const exits = [...leaking.values()].flatMap(({ returns }) => (returns ? [returns] : []));
  context.reportIn(
    code,
    'leak',
    'warning',
    call.span,
    `${pair.take} takes ${pair.what}, and ${exits.length > 1 ? `${exits.length} ways` : 'a way'} out of this ${body.node ? 'function' : 'code'} ${exits.length > 1 ? 'do' : 'does'} not give it back with ${pair.gives[0]}.`,
    {
      related: exits
        .sort((a, b) => a.start - b.start)
        .map((span) => ({ ...context.at(code, span), message: 'still held here' })),
    },
  );
}

function starts(flow: Flow, index: number, call: CallNode, pair: TakeAndGive): Place[] {
  const node = flow.nodes[index];
  if (node === undefined) return [];
  const onward = (variable: string | undefined): Place[] => node.next.map((at) => ({ at, variable }));
  if (pair.taken === 'always') return onward(undefined);
  const [expression] = node.expressions;
  const variable = node.declares?.name ?? (expression && assignedTo(expression, call));
  if (node.yes !== undefined && node.no !== undefined) {
    const truth = expression && truthOf(expression, call);
    if (truth === true || truth === false)
      return [{ at: truth === (pair.taken === 'nonzero') ? node.yes : node.no, variable: undefined }];
    return truth === 'error' ? [{ at: node.no, variable: undefined }] : onward(undefined);
  }
  return onward(variable);
}

/**
 * What a test asks of a variable or a call: `true` if it holds where that is not zero, `false` where it is zero,
 * `error` where it is below zero or one errno. Undefined: something else.
 */
function truthOf(test: Expression | undefined, of: string | Expression): boolean | 'error' | undefined {
  if (test === undefined) return undefined;
  const is = (node: Expression): boolean =>
    node === of ||
    (node.kind === 'name' && node.name === of) ||
    (node.kind === 'assign' && node.operator === '=' && (is(node.left) || is(node.right)));
  if (is(test)) return true;
  if (test.kind !== 'binary' || !is(test.left)) return undefined;
  const zero =
    (test.right.kind === 'integer' && test.right.value === 0n) ||
    (test.right.kind === 'name' && test.right.name === 'NULL');
  if (test.operator === '==' && zero) return false;
  if (test.operator === '!=' && zero) return true;
  if (test.operator === '<' && zero) return 'error';
  if (test.operator === '==' && test.right.kind === 'unary' && test.right.operator === '-') return 'error';
  return undefined;
}

function assignedTo(node: Expression, call: CallNode): string | undefined {
  if (node.kind === 'assign' && node.operator === '=' && node.right === call && node.left.kind === 'name')
    return node.left.name;
  return undefined;
}

function assigns(node: Expression, variable: string): boolean {
  return node.kind === 'assign' && node.left.kind === 'name' && node.left.name === variable;
}

function gives(node: FlowNode, pair: TakeAndGive): boolean {
  return node.expressions.some((each) => callsIn(each).some((call) => pair.gives.includes(calledName(call) ?? '')));
}
