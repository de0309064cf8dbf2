/** Several shell lines as one program, one step a line, with pauses between them. */
import type { CValue } from '../c/value.ts';
import type { Kernel } from '../machine/kernel.ts';
import type { Program, ProgramSpec } from '../task/program.ts';
import type { Frame, KernelGenerator } from '../task/task.ts';
import { runLine } from './shell.ts';

export type ScriptEntry = string | { readonly pause: string };

export function scriptProgram(kernel: Kernel, label: string, entries: readonly ScriptEntry[]): ProgramSpec {
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

function* execute(
  kernel: Kernel,
  label: string,
  entries: readonly ScriptEntry[],
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
