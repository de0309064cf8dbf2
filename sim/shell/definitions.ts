/** C functions that lines of the shell define: callbacks of a driver, called by later lines and by the kernel. */
import type { Program as CProgram } from '../c/environment.ts';
import { makeProgram } from '../c/evaluate.ts';
import { parseC } from '../c/parse.ts';
import type { Kernel } from '../machine/kernel.ts';
import { ShellError } from './error.ts';

const MOST_DEFINITIONS = 200;

/** A body behind a list of parameters: all others are left to the evaluator unread. */
const LOOKS_LIKE_ONE = /^[A-Za-z_][\w\s*]*\([^{;]*\)\s*\{/;

/** Keeps the functions of a line that holds nothing else; their names. Undefined: the line is something else. */
export function defineFunctions(kernel: Kernel, line: string): string[] | undefined {
  if (!LOOKS_LIKE_ONE.test(line) || /^\s*(?:if|for|while|switch|do)\b/.test(line)) return undefined;
  const { items, findings } = parseC(line, 'file');
  const functions = items.flatMap((item) => (item.kind === 'function' ? [item] : []));
  if (functions.length === 0 || functions.length < items.length) return undefined;
  const problem = findings.find((finding) => finding.severity === 'error');
  if (problem) throw new ShellError(problem.message);
  const { functions: known } = kernel.state;
  const names = functions.map(({ name }) => name);
  if (known.size + names.filter((name) => !known.has(name)).length > MOST_DEFINITIONS)
    throw new ShellError(`the shell keeps at most ${MOST_DEFINITIONS} functions`);
  for (const { name, span } of functions) kernel.store.mapSet(known, name, line.slice(span.start, span.end));
  return names;
}

/** Static variables of the functions live in the program: one is kept as long as the texts are the same. */
const programs = new WeakMap<Kernel, { text: string; program: CProgram }>();

/** What the lines so far define, for whoever evaluates C for the shell. */
export function definedFunctions(kernel: Kernel): CProgram | undefined {
  const { functions } = kernel.state;
  if (functions.size === 0) return undefined;
  const text = [...functions.values()].join('\n');
  const known = programs.get(kernel);
  if (known?.text === text) return known.program;
  const program = makeProgram(parseC(text, 'file'));
  programs.set(kernel, { text, program });
  return program;
}
