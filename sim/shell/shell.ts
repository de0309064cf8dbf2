/**
 * The command language: an administrator's command lines, and C over the registry.
 * One line is one program of one step.
 */
import { CStop } from '../c/environment.ts';
import { evaluateExpression } from '../c/evaluate.ts';
import { formatValue } from '../c/print.ts';
import { fieldsIn } from '../c/types.ts';
import { type CValue, errorOf } from '../c/value.ts';
import { deliver_fatal_signals } from '../kernel/exit.ts';
import { lookup } from '../kernel/names.ts';
import { createEnvironment } from '../machine/environment.ts';
import type { Kernel } from '../machine/kernel.ts';
import { lineProgram, type Machine } from '../machine/machine.ts';
import type { Program, ProgramSpec } from '../task/program.ts';
import type { KernelGenerator } from '../task/task.ts';
import type { Command } from './command.ts';
import { COMMANDS } from './commands.ts';
import { definedFunctions, defineFunctions } from './definitions.ts';
import { ShellError } from './error.ts';
import { grep, readGrep } from './grep.ts';
import { expand } from './variables.ts';

const MAX_LINE = 10_000;

/** A line without its comment; empty if there is nothing to do. */
export function stripComment(line: string): string {
  let quote = '';
  for (let i = 0; i < line.length; i++) {
    const c = line[i];
    if (c === '\\') i++;
    else if (quote) {
      if (c === quote) quote = '';
    } else if (c === '"' || c === "'") quote = c;
    else if (c === '#' && (i === 0 || /\s/.test(line[i - 1] ?? ''))) return line.slice(0, i).trim();
  }
  return line.trim();
}

/** Words of a command line; quotes group, a backslash takes the next character as it is. */
export function words(line: string): string[] {
  const found: string[] = [];
  let word: string | undefined;
  let quote = '';
  for (let i = 0; i < line.length; i++) {
    const c = line[i] ?? '';
    if (c === '\\' && quote !== "'") word = (word ?? '') + (line[++i] ?? '');
    else if (quote) {
      if (c === quote) quote = '';
      else word += c;
    } else if (c === '"' || c === "'") {
      quote = c;
      word ??= '';
    } else if (/[\s>|]/.test(c)) {
      if (word !== undefined) found.push(word);
      if (c === '>' || c === '|') found.push(c);
      word = undefined;
    } else word = (word ?? '') + c;
  }
  if (quote) throw new ShellError(`unfinished ${quote === '"' ? 'double' : 'single'} quote`);
  if (word !== undefined) found.push(word);
  return found;
}

/** `NAME = command ...`: the name, and the rest of the line. */
const ASSIGNMENT = /^([A-Za-z_]\w*)\s*=(?!=)\s*([A-Za-z_].*)$/s;

function commandOf(line: string): { command: Command; args: string[] } | undefined {
  const name = /^[A-Za-z_][\w-]*/.exec(line)?.[0];
  const command = name === undefined ? undefined : COMMANDS.get(name);
  // `help = 3`, `cat(1)` and `pagemap.type = 1` are C, as anything is that is no command.
  if (!command || name === undefined || /^(\s*(=(?!=)|\()|\.\w|->|\[)/.test(line.slice(name.length))) return undefined;
  return { command, args: words(line.slice(name.length)) };
}

/** Whether a line is the shell's own, and not C: a command, or a variable that takes what a command returns. */
export function isShellLine(text: string): boolean {
  const line = stripComment(text);
  const rest = ASSIGNMENT.exec(line)?.[2];
  try {
    return commandOf(line) !== undefined || (rest !== undefined && commandOf(rest) !== undefined);
  } catch {
    // A quote that does not end: the shell says so.
    return true;
  }
}

export const commandNames = (): string[] => [...COMMANDS.keys()];

/** The program of one line. What it prints is in `program.output`. */
export function shellProgram(kernel: Kernel, line: string): ProgramSpec {
  return lineProgram(line, (program) => runLine(kernel, line, program));
}

/** A line, and behind it the end of whoever was killed while it was in the kernel. */
export function* runLine(kernel: Kernel, line: string, program: Program): KernelGenerator<CValue | undefined> {
  let value: CValue | undefined;
  let refusal: ShellError | undefined;
  try {
    value = yield* evaluateLine(kernel, line, program);
  } catch (error) {
    if (!(error instanceof ShellError)) throw error;
    refusal = error;
  }
  for (const { pid } of yield* deliver_fatal_signals(kernel)) program.output.push(`${pid} was ended by SIGKILL`);
  if (refusal) throw refusal;
  return value;
}

function* evaluateLine(kernel: Kernel, line: string, program: Program): KernelGenerator<CValue | undefined> {
  if (line.length > MAX_LINE) throw new ShellError(`the line has ${line.length} characters; ${MAX_LINE} is the limit`);
  const known = commandOf(line);
  if (known) return yield* runCommand(kernel, known, program);
  const [, name, rest] = ASSIGNMENT.exec(line) ?? [];
  const assigned = rest === undefined ? undefined : commandOf(rest);
  if (assigned && name !== undefined) {
    if (COMMANDS.has(name)) throw new ShellError(`${name} is a command and cannot be a variable`);
    const value = yield* runCommand(kernel, assigned, program);
    if (value?.kind !== 'integer')
      throw new ShellError(`${assigned.command.name} returns nothing that ${name} could keep`);
    // The evaluator knows how variables of the shell are declared.
    yield* evaluateExpression(
      `${name} = ${value.value}${value.type === 'int' ? '' : 'UL'};`,
      shellEnvironment(kernel, program),
    );
    return value;
  }
  if (defineFunctions(kernel, line)) return undefined;
  const value = yield* evaluateExpression(line, shellEnvironment(kernel, program));
  if (value.kind !== 'void') {
    program.valueText = printValue(kernel, value);
    if (!/;\s*$/.test(line)) program.output.push(program.valueText);
  }
  return value;
}

function* runCommand(
  kernel: Kernel,
  { command, args }: { command: Command; args: string[] },
  program: Program,
): KernelGenerator<CValue | undefined> {
  const filled = args.map((word) => expand(kernel, word));
  const pipe = filled.indexOf('|');
  const [next, ...wanted] = pipe < 0 ? [] : filled.slice(pipe + 1);
  if (pipe >= 0 && next !== 'grep') throw new ShellError('only grep can stand behind |');
  const request = pipe < 0 ? undefined : readGrep(wanted);
  const printed: string[] = request ? [] : program.output;
  const own = pipe < 0 ? filled : filled.slice(0, pipe);
  const run = command.run({ kernel, print: (text) => void printed.push(text) }, own);
  const value = run ? ((yield* run) ?? undefined) : undefined;
  const found = request ? grep(printed.join('\n'), request) : undefined;
  if (found !== undefined) program.output.push(found);
  if (value) program.valueText = printValue(kernel, value);
  return value;
}

function shellEnvironment(kernel: Kernel, program: Program) {
  const functions = definedFunctions(kernel);
  return createEnvironment(kernel, {
    shell: kernel.state.shell,
    ...(functions ? { program: functions } : {}),
    hole: () => undefined,
    standIn: () => undefined,
    report: (finding) => {
      if (finding.severity !== 'information') program.output.push(`${finding.severity}: ${finding.message}`);
    },
  });
}

function printValue(kernel: Kernel, value: CValue): string {
  const env = createEnvironment(kernel, { hole: () => undefined, standIn: () => undefined, report: () => {} });
  return formatValue(value, {
    addressOf: (target) => env.addressOf(target),
    fields: (name) => {
      const record = lookup(`struct ${name}`, kernel.release);
      return record?.kind === 'struct' ? fieldsIn(record, kernel.release) : undefined;
    },
    depth: 2,
  });
}

/** The result of a program as an exit status: 0, or the negative errno it returned or failed with. */
export function statusOf(program: Program): number {
  const { error, value } = program;
  if (error instanceof ShellError) return error.status;
  if (error) return -14;
  if (!value) return 0;
  const errno = errorOf(value);
  if (errno !== undefined) return errno;
  if (value.kind === 'integer' && value.value < 0n && value.value >= -4095n) return Number(value.value);
  return 0;
}

export function errorText(error: Error): string {
  return error instanceof CStop || error instanceof ShellError ? error.message : `${error.message}`;
}

/** Runs one line to its end, or until it waits. `undefined` for an empty line or a comment. */
export function runShellLine(machine: Machine, text: string): Program | undefined {
  const line = stripComment(text);
  return line === '' ? undefined : machine.run(shellProgram(machine.kernel, line));
}
