/** Functions that a line of the shell defines: kept like variables, so that a driver's callbacks can be given by hand. */
import { CStop } from '../c/environment.ts';
import { makeProgram } from '../c/evaluate.ts';
import { written } from '../c/objects.ts';
import { parseC } from '../c/parse.ts';
import type { CPointer, CStruct } from '../c/value.ts';
import type { Kernel } from '../machine/kernel.ts';

/** `static bool invalidate(...) { ... }`: a parameter list with a body behind it, to the end of the line. */
const DEFINITION = /^[A-Za-z_][^;={}]*\)\s*\{.*\}\s*;?\s*$/s;
/** Statements that look the same. */
const STATEMENT = /^(?:if|for|while|do|switch|else|return)\b/;

/** Defines the functions of a line; undefined: it is no definition. Their bodies see the variables of the shell. */
export function defineFunctions(kernel: Kernel, line: string): readonly string[] | undefined {
  if (!DEFINITION.test(line) || STATEMENT.test(line)) return undefined;
  const unit = parseC(line, 'file');
  if (unit.items.length === 0 || !unit.items.every((item) => item.kind === 'function')) return undefined;
  const problem = unit.findings.find(({ severity }) => severity === 'error');
  if (problem) throw new CStop(problem.code, problem.message, problem.span);
  const program = makeProgram(unit);
  const { shell } = kernel.state;
  for (const [name, node] of program.functions) {
    const definition = { node, program };
    const pointer: CPointer = {
      kind: 'pointer',
      to: name,
      target: { kind: 'function', function: { kind: 'c', name, definition } },
    };
    kernel.store.set(shell.$types as CStruct, name, 'void *');
    kernel.store.set(shell, name, pointer);
    written.get(shell)?.add(name);
  }
  return [...program.functions.keys()];
}
