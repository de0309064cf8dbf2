/** One command line on the reader's machine. */
import { errorText, type Program, statusOf, stripComment } from '../../sim/index.ts';
import type { Desks } from './desk.ts';
import type { Runner } from './runner.ts';
import type { LineResult } from './types.ts';

/** Runs a line to its end or until it waits. `example` is the program that is not told of as a line that ended. */
export async function runLine(
  { desks, runner }: { desks: Desks; runner: Runner },
  text: string,
  example: number | undefined,
  isCancelled: (() => boolean) | undefined,
): Promise<LineResult> {
  const line = stripComment(text);
  if (line === '' || isCancelled?.()) return { line: text, status: 0, output: '', steps: 0 };
  const { machine } = desks;
  const before = machine.position;
  const waited = machine.alive.filter(({ status }) => status === 'waiting');
  const { program } = runner.begin({ kind: 'line', line });
  const logged = machine.kernel.state.log.length;
  await runner.drive(program, { isCancelled });
  machine.runReady();
  const printk = machine.kernel.state.log
    .slice(logged)
    .map((entry) => (entry.warn ? `WARNING: ${entry.text}` : entry.text));
  const ended = waited
    .filter((one) => one.isOver && one.id !== example)
    .map((one) => ({ line: one.spec.label, status: statusOf(one), output: outputOf(one) }));
  return {
    line,
    status: statusOf(program),
    output: outputOf(program),
    steps: machine.steps.length - before,
    ...(program.valueText === undefined ? {} : { value: program.valueText }),
    ...(printk.length > 0 ? { printk } : {}),
    ...(ended.length > 0 ? { ended } : {}),
    ...(program.waitsFor ? { blockedOn: { what: program.waitsFor.what, holders: program.waitsFor.holders() } } : {}),
  };
}

/** What a line printed, and why it failed. */
function outputOf({ output, error }: Program): string {
  const printed = output.join('\n');
  const text = error ? errorText(error) : '';
  // What stops an expression has often been said of it already, as a finding.
  return printed.endsWith(text) ? printed : [...output, text].join('\n');
}
