/** A file of C as a program: its functions, which of them runs, and what that is given. */
import type { Finding, FunctionNode, ParameterNode, Statement } from '../c/ast.ts';
import { CStop } from '../c/environment.ts';
import { makeProgram, prepare, run } from '../c/evaluate.ts';
import { parseC } from '../c/parse.ts';
import { argumentNames } from '../c/prototypes.ts';
import type { CValue } from '../c/value.ts';
import type { Program } from '../task/program.ts';
import type { KernelGenerator, SourceSpan } from '../task/task.ts';
import { type Block, textEnvironment } from './block.ts';
import type { Kernel } from './kernel.ts';

export interface FileSource {
  label: string;
  text: string;
  /** The function to run. Without it: what module_init() names and then what module_exit() names, or the only one. */
  entry?: string;
  /** C expressions for the parameters of `entry`, by name or by place from 1. */
  args?: Readonly<Record<string, string>>;
  /** As of a block. */
  holes?: Readonly<Record<string, string>>;
  standIns?: Readonly<Record<string, string>>;
}

/** A function that a text defines. */
export interface FileFunction {
  readonly name: string;
  readonly span: SourceSpan;
  /** Its first line: from its type to its parameters. */
  readonly head: SourceSpan;
  readonly isStatic: boolean;
  readonly parameters: readonly {
    readonly name: string;
    readonly type: string;
    /** It takes a number, for which no object of the machine can stand in. */
    readonly isNumber: boolean;
  }[];
  /** What the module runs when it is loaded or removed. */
  readonly role?: 'init' | 'exit';
}

/** The functions of a text, in order. Never throws. */
export function functionsOf(text: string): FileFunction[] {
  const { items } = parseC(text, 'file');
  const roles = rolesIn(items);
  return items.flatMap((item) => (item.kind === 'function' ? [described(text, item, roles)] : []));
}

function described(text: string, node: FunctionNode, roles: Roles): FileFunction {
  const { name, span, head, type } = node;
  const role = roles.init === name ? 'init' : roles.exit === name ? 'exit' : undefined;
  return {
    name,
    span,
    head,
    isStatic: node.static,
    parameters: type.parameters.map((parameter) => ({
      name: parameter.name,
      type: text.slice(parameter.type.span.start, parameter.span.start).replace(/\s+/g, ' ').trim(),
      isNumber: isNumber(parameter),
    })),
    ...(role ? { role } : {}),
  };
}

/** Of a name that a typedef of the file may give, nobody says so here: it is taken for a number. */
const isNumber = ({ type: { kind } }: ParameterNode): boolean => kind === 'named' || kind === 'enum';

interface Roles {
  init?: string;
  exit?: string;
}
function rolesIn(items: readonly Statement[]): Roles {
  const roles: Roles = {};
  for (const item of items) {
    if (item.kind !== 'expression' || item.expression.kind !== 'call') continue;
    const { callee, arguments: args } = item.expression;
    const [only] = args;
    if (callee.kind !== 'name' || only?.kind !== 'name') continue;
    if (/^(module|device|late|subsys|core|fs)_init(call)?$/.test(callee.name)) roles.init = only.name;
    else if (callee.name === 'module_exit') roles.exit = only.name;
  }
  return roles;
}

/** One step a statement, as a block. A module that was loaded pauses before it is removed. */
export function fileProgram(kernel: Kernel, source: FileSource): Block {
  const findings: Finding[] = [];
  return {
    findings,
    spec: {
      label: source.label,
      stepSize: 'statement',
      create: (program) => execute(kernel, source, findings, program),
      describe: ({ point, base }) => {
        if (!point) return `Set the scene: ${source.label}`;
        if (point.kind !== 'statement' || point.frame !== base) return source.label;
        const text = source.text.slice(point.span.start, point.span.end).replace(/\s+/g, ' ').trim();
        return text.length > 100 ? `${text.slice(0, 99)}…` : text;
      },
    },
  };
}

function* execute(
  kernel: Kernel,
  source: FileSource,
  findings: Finding[],
  task: Program,
): KernelGenerator<CValue | undefined> {
  findings.length = 0;
  const { text, entry, args = {}, holes = {}, standIns = {} } = source;
  const unit = parseC(text, 'file', { release: kernel.release });
  findings.push(...unit.findings);
  const { env: plain, definitions } = textEnvironment(kernel, { holes, standIns }, findings, task);
  const env = {
    ...plain,
    argument: (call: string, index: number, parameter: string): string | undefined =>
      [parameter, String(index + 1), ...argumentNames(call, index, parameter)]
        .map((name) => (Object.hasOwn(args, name) ? args[name] : undefined))
        .find((each) => each !== undefined) ?? plain.argument?.(call, index, parameter),
  };
  const program = makeProgram(unit);
  yield* prepare(definitions, env);
  const roles = rolesIn(unit.items);
  if (entry !== undefined || roles.init === undefined) {
    if (program.functions.size === 0) throw new CStop('no-entry', 'There is no function in this text.');
    return yield* run(unit, env, { program, ...(entry === undefined ? {} : { entry }) });
  }
  const loaded = yield* run(unit, env, { program, entry: roles.init });
  if (roles.exit === undefined || (loaded.kind === 'integer' && loaded.value !== 0n)) return loaded;
  yield { kind: 'pause', why: `${roles.init}() returned 0: the module is loaded. Continue removes it.` };
  yield* run(unit, env, { program, entry: roles.exit });
  return loaded;
}
