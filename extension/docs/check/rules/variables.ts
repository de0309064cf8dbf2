/** Names that a function uses and nothing declares, and calls that belong together but are given different things. */
import { type CallNode, type Expression, recordsOf, type SourceSpan } from '../../../../sim/index.ts';
import type { Code, Context } from '../context.ts';
import type { Body } from '../typing.ts';
import { SAME_ARGUMENT } from '../uses.ts';
import { calledName, eachExpressionIn, rootOf } from '../walk.ts';

const KEYWORDS = new Set(['NULL', 'true', 'false', '__func__', 'current', 'errno']);
const BUILTINS = new Set(['sizeof', 'offsetof', 'container_of', 'likely', 'unlikely', 'IS_ERR', 'PTR_ERR', 'ERR_PTR']);

export function variables(context: Context): void {
  for (const code of context.codes)
    for (const body of code.bodies) {
      const told = pairs(context, code, body);
      if (body.node) undeclared(context, code, body, told);
    }
}

/** Capitals are macros; what stands before `(` is a function of the driver's; the rest has to be declared. */
function isVariable(name: string): boolean {
  if (KEYWORDS.has(name) || BUILTINS.has(name) || /^[A-Z][A-Z0-9_]*$/.test(name)) return false;
  return recordsOf(name).every((record) => record.kind === 'struct' || record.kind === 'callback');
}

function undeclared(context: Context, code: Code, body: Body, told: ReadonlySet<string>): void {
  const first = new Map<string, SourceSpan>();
  const note = (node: Expression): void => {
    if (node.kind !== 'name' || body.declared.has(node.name) || !isVariable(node.name)) return;
    if (!first.has(node.name)) first.set(node.name, node.span);
  };
  const callees = new Set<Expression>();
  eachExpressionIn(body.statements, (node) => {
    if (node.kind === 'call') callees.add(node.callee);
    if (!callees.has(node)) note(node);
    return undefined;
  });
  for (const name of told) first.delete(name);
  if (first.size === 0 || !body.node) return;
  if (!body.isOpen) {
    for (const [name, span] of first)
      context.reportIn(code, 'undeclared-name', 'error', span, `${name} is declared nowhere in this text.`);
    return;
  }
  const names = [...first.keys()].sort();
  const related = [...first].map(([name, span]) => ({
    ...context.at(code, span),
    message: `${name}, used here first`,
  }));
  const list = names.length === 1 ? names[0] : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
  const { head, name } = body.node;
  const at = code.unit.text.slice(head.start, head.end).indexOf(name);
  const start = head.start + Math.max(0, at);
  context.reportIn(
    code,
    'undeclared-name',
    'information',
    { start, end: start + name.length },
    `${name} uses ${list} and shows no declaration of ${names.length === 1 ? 'it' : 'them'}: the "..." would have to.`,
    { related },
  );
}

/** Of two calls that belong together, the one that is given a name which nothing declares. */
function pairs(context: Context, code: Code, body: Body): Set<string> {
  const told = new Set<string>();
  const calls: CallNode[] = [];
  eachExpressionIn(body.statements, (node) => {
    if (node.kind === 'call') calls.push(node);
    return undefined;
  });
  for (const { first, later, argument } of SAME_ARGUMENT) {
    const given = calls.find((call) => calledName(call) === first)?.arguments[argument];
    const root = given && rootOf(given);
    if (given === undefined || root === undefined) continue;
    for (const call of calls) {
      if (calledName(call) !== later) continue;
      const other = call.arguments[argument];
      const name = other && rootOf(other);
      if (name === undefined || name.name === root.name || body.declared.has(name.name)) continue;
      // Used elsewhere, it is a name of its own and may stand for the same thing.
      if (usesOf(body, name.name) > 1) continue;
      told.add(name.name);
      const at = context.at(code, name.span);
      context.report(
        'mismatched-name',
        'error',
        at,
        `${name.name} is declared nowhere and used only here: ${first} was given ${root.name}.`,
        {
          fix: { ...at, title: `Write ${root.name}`, text: root.name },
          related: [{ ...context.at(code, root.span), message: `given to ${first}` }],
        },
      );
    }
  }
  return told;
}

function usesOf(body: Body, name: string): number {
  let uses = 0;
  eachExpressionIn(body.statements, (node) => {
    if (node.kind === 'name' && node.name === name) uses++;
    return undefined;
  });
  return uses;
}
