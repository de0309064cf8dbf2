/**
 * Runs the C of documents and of the shell on a machine, one statement at a time:
 * a generator that yields before every statement, so that whoever drives it can
 * stop, step, cancel, or let others run in between.
 */
import type { KernelGenerator } from '../task/task.ts';
import type { CUnit, Expression, FunctionNode } from './ast.ts';
import { BudgetExceeded, type CEnvironment, CStop, type Program } from './environment.ts';
import type { CDefinition } from './names.ts';
import { newFrame } from './objects.ts';
import { parseC } from './parse.ts';
import { formatValue } from './print.ts';
import { Activation, callDefinition, prepare } from './statements.ts';
import type { CFunction, CValue } from './value.ts';

/** Collects what a text defines. */
export function makeProgram(unit: CUnit, source: Program['source'] = 'text'): Program {
  const functions = new Map<string, FunctionNode>();
  const defines = new Map<string, Expression>();
  for (const item of unit.items) {
    if (item.kind === 'function') functions.set(item.name, item);
    else if (item.kind === 'define') defines.set(item.name, item.value);
  }
  return {
    unit,
    source,
    functions,
    defines,
    structs: new Map(),
    unions: new Set(),
    anonymous: new Map(),
    typedefs: new Map(),
    enumerators: new Map(),
    globals: newFrame('of the file'),
    globalsReady: false,
    told: new Set(),
  };
}

/** A run that ends the JavaScript stack has nested too deeply, whatever its calls were. */
function* guarded<T>(inner: KernelGenerator<T>): KernelGenerator<T> {
  try {
    return yield* inner;
  } catch (error) {
    if (error instanceof RangeError && /stack/i.test(error.message)) throw new BudgetExceeded('depth');
    throw error;
  }
}

/** Calls a C function as part of the calling task: `ops->page_free(page)` of the engine. */
export function* callC(callee: CFunction, args: readonly CValue[], env: CEnvironment): KernelGenerator<CValue> {
  if (callee.kind === 'kernel') return yield* env.call(callee.name, args, { start: 0, end: 0 });
  return yield* guarded(callDefinition(callee.definition as CDefinition, args, env, 0));
}

export interface RunOptions {
  /** The function to call. Without it: the text's statements, or its only function. */
  entry?: string;
  /** What the function is given. Without it: what the environment has for its parameters, and such as make sense. */
  args?: readonly CValue[];
  /** To share the state of file-level variables between runs. */
  program?: Program;
}

const RUNS = new Set([
  'expression',
  'if',
  'while',
  'do',
  'for',
  'switch',
  'label',
  'goto',
  'return',
  'compound',
  'break',
  'continue',
  'case',
]);

/**
 * Runs a parsed text: its statements in order, or if it has none, its function. Yields before
 * every statement. Ends with a value, or throws `BadAccess`, `CStop` or `BudgetExceeded`.
 */
export function* run(unit: CUnit, env: CEnvironment, options: RunOptions = {}): KernelGenerator<CValue> {
  const program = options.program ?? makeProgram(unit);
  return yield* guarded(start(program, env, options));
}
function* start(program: Program, env: CEnvironment, options: RunOptions): KernelGenerator<CValue> {
  const { unit } = program;
  const hasStatements = unit.items.some(
    (item) => RUNS.has(item.kind) || (env.declarations && item.kind === 'declaration'),
  );
  const name = options.entry ?? (hasStatements ? undefined : onlyFunction(program));
  if (name !== undefined) {
    const node = program.functions.get(name);
    if (!node) throw new CStop('no-entry', `There is no function ${name}() in this text.`);
    yield* prepare(program, env);
    const args = options.args ?? (yield* openArguments(node, program, env));
    return yield* callDefinition({ node, program }, args, env, 0);
  }
  if (unit.mode === 'file' && !hasStatements && program.functions.size > 0) {
    const names = [...program.functions.keys()].slice(0, 10).join(', ');
    throw new CStop('no-entry', `Which function should run? This text has ${names}.`);
  }
  const activation = new Activation(env, program, 'block', {});
  yield { kind: 'call', frame: activation.frame };
  const value = yield* activation.block(unit.items);
  yield { kind: 'return', frame: activation.frame, value: formatValue(value, { depth: 1 }) };
  return value;
}
function* openArguments(node: FunctionNode, program: Program, env: CEnvironment): KernelGenerator<CValue[]> {
  if (!env.argument) return [];
  const outside = new Activation(env, program, `the arguments of ${node.name}`, {});
  return yield* outside.argumentsFor(node.name, node.type.parameters, node.head);
}
function onlyFunction(program: Program): string | undefined {
  const names = [...program.functions.keys()];
  const open = names.filter((name) => !program.functions.get(name)?.static);
  return names.length === 1 ? names[0] : open.length === 1 ? open[0] : undefined;
}

/**
 * One line of the shell: an expression with or without effects, a declaration, or any statement.
 * Variables live in `env.shell`; a name that is assigned to and declared nowhere becomes one.
 */
export function* evaluateExpression(text: string, env: CEnvironment): KernelGenerator<CValue> {
  const unit = parseC(text, 'expression');
  const problem = unit.findings.find((finding) => finding.severity === 'error');
  if (problem) throw new CStop(problem.code, problem.message, problem.span);
  const program = { ...makeProgram(unit, 'line'), ...(env.program ? sharedTypes(env.program) : {}) };
  const activation = new Activation(env, program, 'shell', { shell: env.shell ?? newFrame('shell') });
  return yield* guarded(activation.block(unit.items));
}
const sharedTypes = (program: Program): Partial<Program> => ({
  structs: program.structs,
  unions: program.unions,
  anonymous: program.anonymous,
  typedefs: program.typedefs,
  enumerators: program.enumerators,
});

export { prepare } from './statements.ts';
