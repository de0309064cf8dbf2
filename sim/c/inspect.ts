/**
 * Looking into a program that is paused: its frames, their variables, and C expressions in their scope.
 * Looking takes back whatever it wrote, so it is no step; what is meant to change something becomes one.
 */
import { lookup, variantOf } from '../kernel/names.ts';
import { createEnvironment } from '../machine/environment.ts';
import type { Kernel } from '../machine/kernel.ts';
import type { Machine } from '../machine/machine.ts';
import { Trace } from '../machine/trace.ts';
import type { ProgramSpec, Program as Task } from '../task/program.ts';
import type { Frame, KernelGenerator, SourceSpan } from '../task/task.ts';
import type { Finding } from './ast.ts';
import { activationOf, type Declarations } from './declarations.ts';
import { BudgetExceeded, type CEnvironment, CStop, type Program } from './environment.ts';
import { makeProgram } from './evaluate.ts';
import type { Place } from './memory.ts';
import { isUnwritten } from './objects.ts';
import { parseC } from './parse.ts';
import { formatValue } from './print.ts';
import { Activation } from './statements.ts';
import { fieldsIn, spell } from './types.ts';
import type { CStruct, CValue } from './value.ts';
import { BadAccess } from './value.ts';

const MAX_TEXT = 10_000;
const STATEMENTS = 20_000;
const POINTS = 200_000;

/** One level of a paused program, for people. */
export interface FrameView {
  /** Its place in `Program.frames`: 0 is the outermost. */
  readonly index: number;
  readonly name: string;
  readonly kind: Frame['kind'];
  /** What it was called with; names are those of the kernel's prototype or of the C text, where they are known. */
  readonly args: readonly { readonly name: string; readonly value: string }[];
  /** Where it stands in `text`. */
  readonly span?: SourceSpan;
  /** The C text it runs, and what that is: the text that was started, or the definitions a scene adds to it. */
  readonly text?: string;
  readonly source?: Program['source'];
}

/** A variable of a C frame. What it holds is `object[key]`. */
export interface FrameVariable {
  readonly name: string;
  /** As C spells it. */
  readonly type: string;
  readonly object: CStruct;
  readonly key: string;
  /** Nothing was written to it since it was declared; it holds zero. */
  readonly isUnset: boolean;
}

export type Evaluation =
  | {
      readonly ok: true;
      readonly value: CValue;
      readonly text: string;
      /** As C spells it. */
      readonly type: string;
      /** It wrote something: taken back if it was only to be looked at. */
      readonly changed: boolean;
      readonly notes: readonly string[];
    }
  | { readonly ok: false; readonly message: string; readonly span?: SourceSpan; readonly notes: readonly string[] };

/** What becomes of what an expression writes: nothing, or a step of the timeline. */
export type Effects = 'take-back' | 'keep';

export function frameViews(machine: Machine, program: Task): FrameView[] {
  return program.frames.map((frame, index) => {
    const activation = activationOf(frame);
    const all = activation ? activation.parameterNames : parametersOf(machine.kernel, frame.name);
    // A trace may leave arguments out: then nobody knows which of them it has.
    const names = activation || all.length === frame.args.length ? all : [];
    return {
      index,
      name: frame.name,
      kind: frame.kind,
      args: frame.args.map((value, at) => ({ name: names[at] ?? '', value })),
      ...(frame.span ? { span: frame.span } : {}),
      ...(activation ? { text: activation.program.unit.text, source: activation.program.source } : {}),
    };
  });
}

const parameterNames = new Map<string, readonly string[]>();
/** The names of the parameters of a kernel function in the release that runs. */
function parametersOf(kernel: Kernel, name: string): readonly string[] {
  const record = lookup(name, kernel.release);
  const prototype = record && variantOf(record, kernel.release)?.prototype;
  if (prototype === undefined) return [];
  let names = parameterNames.get(prototype);
  if (!names) {
    const [item] = parseC(`${prototype};`, 'file').items;
    const type = item?.kind === 'declaration' ? item.declarators[0]?.type : undefined;
    names = type?.kind === 'function' ? type.parameters.map((parameter) => parameter.name) : [];
    parameterNames.set(prototype, names);
  }
  return names;
}

/** The variables that can be named in a C frame where it stands. Of a kernel frame: none. */
export function variablesOf(program: Task, frameIndex: number): FrameVariable[] {
  const frame = program.frames[frameIndex];
  const activation = frame && activationOf(frame);
  return activation ? [...activation.visibleVariables()].map(described) : [];
}

/** File-level and static variables of the text that a frame runs. */
export function globalsOf(program: Task, frameIndex: number): FrameVariable[] {
  const frame = program.frames[frameIndex];
  const globals = frame && activationOf(frame)?.program.globals;
  const types = globals?.$types as CStruct | undefined;
  if (!globals || !types) return [];
  return Object.keys(types)
    .filter((key) => !key.startsWith('$'))
    .map((key) => ({ name: key, type: String(types[key]), object: globals, key, isUnset: false }));
}

const described = ([name, { frame, key, type }]: readonly [
  string,
  { frame: CStruct; key: string; type: Parameters<typeof spell>[0] },
]): FrameVariable => ({
  name,
  type: spell(type),
  object: frame,
  key,
  isUnset: isUnwritten(frame, key),
});

/** A text that runs where another program's frame stands. */
class Looking extends Activation {
  readonly #at: Declarations | undefined;

  constructor(env: CEnvironment, program: Program, shell: CStruct, at: Declarations | undefined) {
    super(env, program, at?.frame.name ?? 'shell', { shell });
    this.#at = at;
  }
  protected override variableNamed(name: string): { place: Place } | undefined {
    const variable = this.scope.find(name) ? undefined : this.#at?.visible(name);
    if (variable) return { place: this.within(variable.frame, variable.key, variable.type) };
    return super.variableNamed(name);
  }
}

/** The C frame that an expression is about: that of the index, or the one that called the kernel there. */
function scopeOf(program: Task | undefined, frameIndex: number): Declarations | undefined {
  for (let index = frameIndex; index >= 0; index--) {
    const frame = program?.frames[index];
    const activation = frame && activationOf(frame);
    if (activation) return activation;
  }
  return undefined;
}

function* evaluate(
  kernel: Kernel,
  at: Declarations | undefined,
  text: string,
  notes: string[],
): KernelGenerator<CValue> {
  if (text.length > MAX_TEXT)
    throw new CStop('too-large', `The expression has ${text.length} characters; ${MAX_TEXT} is the limit.`);
  const unit = parseC(text, 'expression', at ? { macros: at.program.unit.macros } : {});
  const problem = unit.findings.find((finding) => finding.severity === 'error');
  if (problem) throw new CStop(problem.code, problem.message, problem.span);
  const report = (finding: Finding): void => {
    if (finding.severity !== 'information') notes.push(finding.message);
  };
  const plain = createEnvironment(kernel, {
    shell: kernel.state.shell,
    hole: () => undefined,
    standIn: () => undefined,
    report,
  });
  const env: CEnvironment = at
    ? { ...at.env, shell: kernel.state.shell, report, budget: { statements: STATEMENTS } }
    : { ...plain, budget: { statements: STATEMENTS } };
  const fresh = makeProgram(unit, 'line');
  const program = at ? { ...at.program, unit, source: fresh.source, told: fresh.told } : fresh;
  return yield* new Looking(env, program, kernel.state.shell, at).block(unit.items);
}

/**
 * A C expression, or statement, in the scope of a paused frame: its variables, those of its file and of the shell.
 * Where it waits for something it cannot be looked at. `keep` makes what changes something a step of the
 * timeline, which then ends where the machine stands; what changes nothing is no step either way.
 */
export function evaluateInFrame(
  machine: Machine,
  program: Task | undefined,
  frameIndex: number,
  text: string,
  effects: Effects = 'take-back',
): Evaluation {
  const { kernel } = machine;
  const looked = look(machine, program, scopeOf(program, frameIndex), text);
  if (effects === 'take-back' || (looked.ok ? !looked.changed : looked.waits !== true)) return looked;
  const task = machine.start(evaluationProgram(machine, { program: program?.id ?? 0, frame: frameIndex }, text));
  for (let stop: string = 'step'; stop === 'step' || stop === 'slice'; ) stop = machine.advance(task);
  machine.runReady();
  if (task.status === 'waiting')
    return { ok: false, message: `It waits for ${task.waitsFor?.what ?? 'something'}.`, notes: task.output };
  const value = task.value;
  if (!value) return { ok: false, message: task.error?.message ?? 'It was stopped.', notes: task.output };
  return { ok: true, value, text: print(kernel, value), type: typeName(value), changed: true, notes: task.output };
}

/** Gives a variable, member or element of a paused frame another value: one step. */
export function setVariable(
  machine: Machine,
  program: Task | undefined,
  frameIndex: number,
  place: string,
  value: string,
): Evaluation {
  const unit = parseC(value, 'expression');
  const [only] = unit.items;
  const problem = unit.findings.find((finding) => finding.severity === 'error');
  if (problem || unit.items.length !== 1 || only?.kind !== 'expression')
    return { ok: false, message: problem?.message ?? `"${value}" is not a value.`, notes: [] };
  return evaluateInFrame(machine, program, frameIndex, `${place} = (${value})`, 'keep');
}

/** The same as a program, for whoever keeps programs: made again, it finds the frame that stands there then. */
export function evaluationProgram(
  machine: Machine,
  at: { readonly program: number; readonly frame: number },
  text: string,
): ProgramSpec {
  return {
    label: text,
    stepSize: 'whole',
    // The frame is looked for when it runs: programs are made again before any of them is.
    *create(task) {
      return yield* evaluate(machine.kernel, scopeOf(machine.program(at.program), at.frame), text, task.output);
    },
  };
}

type Look = Evaluation & { readonly waits?: boolean };

function look(machine: Machine, program: Task | undefined, at: Declarations | undefined, text: string): Look {
  const { kernel } = machine;
  const { store } = kernel;
  const { trace, current, callBack } = kernel;
  const notes: string[] = [];
  kernel.trace = new Trace();
  if (program) kernel.current = program.ref;
  try {
    return store.aside((): Look => {
      const from = store.mark();
      try {
        const value = finish(evaluate(kernel, at, text, notes));
        const { objects, pages } = store.changes(from, store.mark());
        objects.delete(kernel.state.addresses);
        objects.delete(kernel.state.addressEnd);
        const changed = objects.size > 0 || pages.length > 0;
        return { ok: true, value, text: print(kernel, value), type: typeName(value), changed, notes };
      } catch (error) {
        if (error instanceof Waits) return { ok: false, message: error.message, notes, waits: true };
        return { ok: false, message: messageOf(error), ...spanOf(error), notes };
      }
    });
  } finally {
    Object.assign(kernel, { trace, current, callBack });
  }
}

class Waits extends Error {}

/** Runs to the end at once. */
function finish(body: KernelGenerator<CValue>): CValue {
  for (let points = 0; ; points++) {
    const next = body.next();
    if (next.done) return next.value;
    const point = next.value;
    if (point.kind === 'wait' && !point.on.ready()) throw new Waits(`This would wait for ${point.on.what}.`);
    if (points > POINTS) throw new BudgetExceeded('statements');
  }
}

function messageOf(error: unknown): string {
  if (error instanceof RangeError && /stack/i.test(error.message)) return new BudgetExceeded('depth').message;
  return error instanceof Error ? error.message : String(error);
}
const spanOf = (error: unknown): { span?: SourceSpan } =>
  (error instanceof CStop || error instanceof BadAccess) && error.span ? { span: error.span } : {};

const typeName = (value: CValue): string => {
  switch (value.kind) {
    case 'integer':
      return value.type;
    case 'pointer':
      return value.to.endsWith('*') ? `${value.to}*` : `${value.to} *`;
    case 'aggregate':
      return '$struct' in value.object ? `struct ${value.object.$struct}` : `${value.object.$array}[]`;
    case 'void':
      return 'void';
  }
};

/** A value as the shell prints it. A pointer's address is one that was given to it, or the next that would be. */
function print(kernel: Kernel, value: CValue): string {
  return kernel.store.aside(() => printed(kernel, value));
}
const printed = (kernel: Kernel, value: CValue): string =>
  formatValue(value, {
    addressOf: (target) => addresses(kernel).addressOf(target),
    fields: (name) => {
      const record = lookup(`struct ${name}`, kernel.release);
      return record?.kind === 'struct' ? fieldsIn(record, kernel.release) : undefined;
    },
    depth: 2,
  });
const addresses = (kernel: Kernel): CEnvironment =>
  createEnvironment(kernel, { hole: () => undefined, standIn: () => undefined, report: () => {} });
