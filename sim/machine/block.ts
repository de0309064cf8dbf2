/**
 * A block of C text as a program: its holes filled, the names it leaves undefined
 * standing for something, one step a statement.
 */
import type { Finding, HoleNode } from '../c/ast.ts';
import type { Program as CProgram } from '../c/environment.ts';
import { makeProgram, prepare, run } from '../c/evaluate.ts';
import { parseC } from '../c/parse.ts';
import type { CValue } from '../c/value.ts';
import type { Program, ProgramSpec } from '../task/program.ts';
import type { KernelGenerator } from '../task/task.ts';
import { definitionsIn, keepResult, memberStandIn, namesIn, setScene, shellVariable } from './blockScene.ts';
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

/** The holes of a text: what each is called, and where it stands. */
export function holesOf(text: string): { name: string; words: string; start: number; end: number }[] {
  return parseC(text, 'block')
    .holes.filter((hole) => hole.position.kind !== 'comment')
    .map((hole) => ({
      name: hole.words || holeName(hole),
      words: hole.words,
      start: hole.span.start,
      end: hole.span.end,
    }));
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

function* execute(
  kernel: Kernel,
  source: BlockSource,
  findings: Finding[],
  program: Program,
): KernelGenerator<CValue | undefined> {
  findings.length = 0;
  const unit = parseC(source.text, 'block');
  findings.push(...unit.findings);
  const { setup = [] } = source;
  yield* setScene(kernel, setup, program);
  const definitions = makeProgram(parseC(definitionsIn(source.standIns), 'file'));
  const named = namesIn([...setup, ...Object.values(source.holes), definitions.unit.text]);
  const env = createEnvironment(kernel, {
    program: definitions,
    hole: (node) => source.holes[node.words] ?? source.holes[holeName(node)],
    standIn: (name) => standIn(definitions, name) ?? (named.has(name) ? shellVariable(kernel, name) : undefined),
    fieldStandIn: memberStandIn(source.standIns),
    report: (finding) => {
      if (isOfText(finding, source.text)) findings.push(finding);
    },
  });
  yield* prepare(definitions, env);
  const value = yield* run(unit, env);
  keepResult(kernel, value);
  return value;
}

/** A name that a scene's own words use, of the shell or of another definition, is no fault of the text. */
const isOfText = ({ code, message, span }: Finding, text: string): boolean =>
  code !== 'undeclared' ||
  !message.includes('stands for it') ||
  message.startsWith(`${text.slice(span.start, span.end)} `);

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
