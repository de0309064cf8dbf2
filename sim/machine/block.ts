/**
 * A block of C text as a program: its holes filled, the names it leaves undefined
 * standing for something, one step a statement.
 */
import type { Finding, HoleNode } from '../c/ast.ts';
import type { Program as CProgram } from '../c/environment.ts';
import { makeProgram, prepare, run } from '../c/evaluate.ts';
import { parseC } from '../c/parse.ts';
import type { CValue } from '../c/value.ts';
import type { ProgramSpec } from '../task/program.ts';
import type { KernelGenerator } from '../task/task.ts';
import { createEnvironment } from './environment.ts';
import type { Kernel } from './kernel.ts';

export interface BlockSource {
  label: string;
  text: string;
  /** What fills a hole: by the comment in it, or by its place (see `holeName`). */
  holes: Readonly<Record<string, string>>;
  /** C definitions, by the name they define. */
  standIns: Readonly<Record<string, string>>;
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
    create: () => execute(kernel, source, findings),
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

function* execute(kernel: Kernel, source: BlockSource, findings: Finding[]): KernelGenerator<CValue | undefined> {
  findings.length = 0;
  const unit = parseC(source.text, 'block');
  findings.push(...unit.findings);
  const definitions = makeProgram(parseC(Object.values(source.standIns).join('\n'), 'file'));
  const env = createEnvironment(kernel, {
    program: definitions,
    hole: (node) => source.holes[node.words] ?? source.holes[holeName(node)],
    standIn: (name) => standIn(definitions, name),
    report: (finding) => void findings.push(finding),
  });
  yield* prepare(definitions, env);
  return yield* run(unit, env);
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
