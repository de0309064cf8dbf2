/** Several shell lines as one program, one step a line, with pauses between them. */
import type { CValue } from '../c/value.ts';
import { type Release, spanHolds } from '../kernel/release.ts';
import type { Kernel } from '../machine/kernel.ts';
import type { Program, ProgramSpec } from '../task/program.ts';
import type { Frame, KernelGenerator } from '../task/task.ts';
import { runLine } from './shell.ts';

/** A line, what it is by span of releases (`{"5.10..5.15": line}`), or a pause with its reason. */
export type ScriptEntry =
  | string
  | { readonly pause: string }
  | { readonly [span: `${number}.${number}${string}`]: string };
type Resolved = string | { readonly pause: string };

export function scriptProgram(kernel: Kernel, label: string, all: readonly ScriptEntry[]): ProgramSpec {
  const entries = all.flatMap((entry) => resolved(entry, kernel.release) ?? []);
  const lines = entries.filter((entry) => typeof entry === 'string');
  return {
    label,
    stepSize: 'statement',
    create: (program) => execute(kernel, label, entries, program),
    // The span of a script's statement counts its lines.
    describe: ({ point, base }) =>
      point?.kind === 'statement' && point.frame === base ? (lines[point.span.start] ?? label) : label,
  };
}

const isPause = (entry: ScriptEntry): entry is { readonly pause: string } =>
  typeof entry !== 'string' && 'pause' in entry;

/** The entry as this release has it; undefined: it has none. */
function resolved(entry: ScriptEntry, release: Release): Resolved | undefined {
  if (typeof entry === 'string' || isPause(entry)) return entry;
  return Object.entries(entry).findLast(([span]) => isIn(span, release))?.[1];
}

/** `6.12`, `5.10..` or `5.10..5.15`. */
function isIn(text: string, release: Release): boolean {
  const [since, until] = text.split('..') as [Release, Release | '' | undefined];
  return spanHolds({ since, ...(until === '' ? {} : { until: until ?? since }) }, release);
}

function* execute(
  kernel: Kernel,
  label: string,
  entries: readonly Resolved[],
  program: Program,
): KernelGenerator<CValue | undefined> {
  const frame: Frame = { name: label, kind: 'command', args: [] };
  let last: CValue | undefined;
  let line = 0;
  for (const entry of entries) {
    if (typeof entry !== 'string') {
      yield { kind: 'pause', why: entry.pause };
      continue;
    }
    const span = { start: line, end: line + 1 };
    frame.span = span;
    yield { kind: 'statement', span, frame };
    last = yield* runLine(kernel, entry, program);
    line++;
  }
  return last;
}
