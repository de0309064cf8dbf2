/**
 * A block of C text as a program: its holes filled, the names it leaves undefined
 * standing for something, one step a statement.
 */
import type { Expression, Finding, HoleNode } from '../c/ast.ts';
import type { CEnvironment, Program as CProgram } from '../c/environment.ts';
import { makeProgram, prepare, run } from '../c/evaluate.ts';
import { parseC } from '../c/parse.ts';
import { formatValue } from '../c/print.ts';
import { argumentNames, prototypesIn } from '../c/prototypes.ts';
import type { CValue } from '../c/value.ts';
import type { Program, ProgramSpec } from '../task/program.ts';
import type { KernelGenerator } from '../task/task.ts';
import { aliasIn, definitionsIn, keepResult, memberStandIn, namesIn, setScene, shellVariable } from './blockScene.ts';
import { createEnvironment } from './environment.ts';
import type { Kernel } from './kernel.ts';

export interface BlockSource {
  label: string;
  text: string;
  /** What fills a hole: by the comment in it, or by its place (see `holeName`). */
  holes: Readonly<Record<string, string>>;
  /** C definitions, by the name they define; `member NAME of STRUCT` gives the member that is read instead. */
  standIns: Readonly<Record<string, string>>;
  /** Shell lines that run before it, in the same first step. */
  setup?: readonly string[];
  /** Shell lines that run behind it, in the same last step, unless it failed. */
  after?: readonly string[];
  /**
   * The text shows an interface: each prototype is a statement that calls the function, with the arguments that
   * `holes` has for it (see `argumentNames`); a struct that it defines is held against the kernel's.
   */
  declarations?: boolean;
}

/** How a scene names a hole without a comment: `argument 2 of request_free_mem_region`, `right-hand side of range.start`. */
export function holeName(node: HoleNode): string {
  const { position } = node;
  switch (position.kind) {
    case 'argument':
      return `argument ${position.index + 1} of ${position.call}`;
    case 'parameters':
      return `parameters of ${position.function}`;
    case 'right-hand-side':
      return `right-hand side of ${position.of}`;
    case 'index':
      return `index of ${position.of}`;
    case 'condition':
      return `condition of ${position.of}`;
    default:
      return position.kind;
  }
}

/** A place of a text that a scene or its reader may fill. */
export interface OpenHole {
  readonly name: string;
  /** The words of the comment that stands there. */
  readonly words: string;
  readonly start: number;
  readonly end: number;
  /** Of an argument of a prototype: what it is declared as, and its other name. It need not be filled. */
  readonly parameter?: { readonly type: string; readonly name: string };
}

/** The holes of a text: what each is called, and where it stands. With `declarations` those of its prototypes too. */
export function holesOf(text: string, { declarations = false }: { declarations?: boolean } = {}): OpenHole[] {
  const unit = parseC(text, 'block');
  const holes = unit.holes
    .filter((hole) => hole.position.kind !== 'comment')
    .map(
      (hole): OpenHole => ({
        name: hole.words || holeName(hole),
        words: hole.words,
        start: hole.span.start,
        end: hole.span.end,
      }),
    );
  if (!declarations) return holes;
  const open = unit.items.flatMap((item) =>
    item.kind === 'declaration' ? prototypesIn(item).flatMap((declarator) => parameterHoles(text, declarator)) : [],
  );
  return [...holes, ...open].sort((a, b) => a.start - b.start);
}

function parameterHoles(text: string, { name, type }: ReturnType<typeof prototypesIn>[number]): OpenHole[] {
  return type.parameters.map((parameter, index) => {
    const [place = '', byName = place] = argumentNames(name, index, parameter.name);
    const { start, end } = parameter.span;
    const words = text.slice(parameter.type.span.start, Math.max(parameter.type.span.end, start)).replace(/\s+/g, ' ');
    return { name: place, words: '', start, end, parameter: { type: words.trim(), name: byName } };
  });
}

export interface Block {
  readonly spec: ProgramSpec;
  /** What was wrong with the text, so far. */
  readonly findings: Finding[];
}

export function blockProgram(kernel: Kernel, source: BlockSource): Block {
  const findings: Finding[] = [];
  const spec: ProgramSpec = {
    label: source.label,
    stepSize: 'statement',
    create: (program) => execute(kernel, source, findings, program),
    describe: (program) => {
      const { point } = program;
      if (!point) return `Set the scene: ${source.label}`;
      if (point.kind !== 'statement' || point.frame !== program.base) return source.label;
      const text = source.text.slice(point.span.start, point.span.end).replace(/\s+/g, ' ').trim();
      return text.length > 100 ? `${text.slice(0, 99)}…` : text;
    },
  };
  return { spec, findings };
}

/** Expressions that are run for what they do. */
const ACTS: ReadonlySet<Expression['kind']> = new Set(['assign', 'call']);

function* execute(
  kernel: Kernel,
  source: BlockSource,
  findings: Finding[],
  task: Program,
): KernelGenerator<CValue | undefined> {
  findings.length = 0;
  const unit = parseC(source.text, 'block', { release: kernel.release });
  findings.push(...unit.findings);
  yield* setScene(kernel, source.setup ?? [], task);
  const { env, definitions } = textEnvironment(kernel, source, findings, task);
  yield* prepare(definitions, env);
  const value = yield* run(unit, env);
  keepResult(kernel, value);
  const [only] = unit.items;
  // A text that is nothing but a formula is run for its value.
  if (unit.items.length === 1 && only?.kind === 'expression' && !ACTS.has(only.expression.kind))
    task.output.push(`= ${formatValue(value)}`);
  yield* setScene(kernel, source.after ?? [], task);
  return value;
}

/** What a text of the reader's runs in: its holes filled, the names that its scene defines, its findings collected. */
export function textEnvironment(
  kernel: Kernel,
  {
    holes,
    standIns,
    setup = [],
    after = [],
    declarations = false,
    text,
  }: Pick<BlockSource, 'holes' | 'standIns' | 'setup' | 'after' | 'declarations'> & Partial<Pick<BlockSource, 'text'>>,
  findings: Finding[],
  task: Program,
): { env: CEnvironment; definitions: CProgram } {
  const definitions = makeProgram(parseC(definitionsIn(standIns), 'file', { release: kernel.release }), 'stand-ins');
  const named = namesIn([...setup, ...after, ...Object.values(holes), ...Object.values(standIns)]);
  const own = (name: string): string | undefined => (Object.hasOwn(holes, name) ? holes[name] : undefined);
  const env = createEnvironment(kernel, {
    program: definitions,
    outside: kernel.state.shell,
    declarations,
    hole: (node) => own(node.words) ?? own(holeName(node)),
    argument: (call, index, parameter) =>
      argumentNames(call, index, parameter)
        .map(own)
        .find((text) => text !== undefined),
    standIn: (asked) => {
      const name = aliasIn(standIns, asked);
      return standIn(definitions, name) ?? (named.has(name) ? shellVariable(kernel, name) : undefined);
    },
    fieldStandIn: memberStandIn(standIns),
    report: (finding) => {
      if (text === undefined || isOfText(finding, text)) findings.push(finding);
    },
    print: (line) => void task.output.push(line),
  });
  return { env, definitions };
}

/**
 * A name that a scene's own words use, of the shell or of another definition, is no fault of the text: the finding
 * stands at the hole then, or at the parameter, and not at the name.
 */
function isOfText({ code, message, span }: Finding, text: string): boolean {
  if (code !== 'undeclared' || !message.includes('stands for it')) return true;
  if (!message.startsWith(`${text.slice(span.start, span.end)} `)) return false;
  return !holesOf(text, { declarations: true }).some(
    ({ parameter, start, end }) => parameter && start === span.start && end === span.end,
  );
}

function standIn(definitions: CProgram, name: string): CValue | undefined {
  const node = definitions.functions.get(name);
  if (node)
    return {
      kind: 'pointer',
      to: name,
      target: { kind: 'function', function: { kind: 'c', name, definition: { node, program: definitions } } },
    };
  const slot = Object.hasOwn(definitions.globals, name) ? definitions.globals[name] : undefined;
  if (typeof slot !== 'object') return undefined;
  return 'kind' in slot ? (slot as CValue) : { kind: 'aggregate', object: slot };
}
