/**
 * What a block of C is run in: shell lines before it, variables of the shell that its scene names, members that
 * stand for others, and what it gives kept where the shell finds it.
 */
import { written } from '../c/objects.ts';
import { parseTypeName, spell } from '../c/types.ts';
import type { CArray, CObject, CStruct, CValue, Slot } from '../c/value.ts';
import { runLine } from '../shell/shell.ts';
import type { Program } from '../task/program.ts';
import type { KernelGenerator } from '../task/task.ts';
import type { Kernel } from './kernel.ts';

/** The variable of the shell that holds what the last block gave. */
export const RESULT = 'result';

/**
 * Runs shell lines as part of a block's program. Their statements are no places to stop at: the block's are. What they
 * set and give is no output of the block; what commands print, and what goes wrong, is.
 */
export function* setScene(kernel: Kernel, lines: readonly string[], program: Program): KernelGenerator<void> {
  for (const line of lines) {
    const before = program.output.length;
    program.valueText = undefined;
    const running = runLine(kernel, line, program);
    for (let next = running.next(); !next.done; next = running.next())
      if (next.value.kind !== 'statement') yield next.value;
    const isSet = /^[A-Za-z_]\w*\s*=(?!=)/.test(line);
    const printed = program.output.splice(before);
    program.output.push(
      ...printed.filter((text) => /^(error|warning): /.test(text) || (!isSet && text !== program.valueText)),
    );
  }
}

const WORD = /[A-Za-z_]\w*/g;

/** The names that a scene says anywhere: of the shell's variables a block sees these, and none that the reader happens to have. */
export function namesIn(texts: Iterable<string>): ReadonlySet<string> {
  const names = new Set<string>();
  for (const text of texts) for (const [name] of text.matchAll(WORD)) names.add(name);
  return names;
}

/** A variable of the shell: the object itself, or the value. */
export function shellVariable(kernel: Kernel, name: string): CValue | undefined {
  const { shell } = kernel.state;
  const types = shell.$types as CStruct;
  const slot: Slot | undefined = Object.hasOwn(shell, name) ? shell[name] : undefined;
  const type = Object.hasOwn(types, name) ? types[name] : undefined;
  if (slot === undefined || typeof type !== 'string') return undefined;
  if (typeof slot === 'bigint') {
    const parsed = parseTypeName(type);
    if (parsed.kind === 'integer') return { kind: 'integer', type: parsed.type, value: slot };
    if (parsed.kind !== 'pointer') return undefined;
    return { kind: 'pointer', to: spell(parsed.to), target: { kind: 'address', address: slot } };
  }
  if (typeof slot !== 'object') return undefined;
  return 'kind' in slot ? (slot as CValue) : { kind: 'aggregate', object: slot as CObject | CArray };
}

const MEMBER = /^member (\w+) of (\w+)$/;
const NAME = /^[A-Za-z_]\w*$/;

/** What a scene says of members: `member notifier of mmu_interval_notifier`, and the one that is read instead; `.` is the struct itself. */
export function memberStandIn(
  standIns: Readonly<Record<string, string>>,
): (struct: string, field: string) => string | undefined {
  return (struct, field) => {
    const key = `member ${field} of ${struct}`;
    const instead = Object.hasOwn(standIns, key) ? standIns[key] : undefined;
    return instead === '.' ? '' : instead;
  };
}
/** Another name for the same object: a stand-in that is nothing but that name. */
export function aliasIn(standIns: Readonly<Record<string, string>>, name: string): string {
  const text = Object.hasOwn(standIns, name) ? standIns[name] : undefined;
  return text !== undefined && NAME.test(text) ? text : name;
}

/** The definitions among a scene's stand-ins, as one C text. */
export const definitionsIn = (standIns: Readonly<Record<string, string>>): string =>
  Object.entries(standIns)
    .filter(([name, text]) => !MEMBER.test(name) && !NAME.test(text))
    .map(([, text]) => text)
    .join('\n');

/** Keeps a number or a pointer that a block gave. */
export function keepResult(kernel: Kernel, value: CValue | undefined): void {
  const { store, state } = kernel;
  if (value?.kind !== 'integer' && value?.kind !== 'pointer') return;
  store.set(state.shell.$types as CStruct, RESULT, value.kind === 'integer' ? value.type : `${value.to} *`);
  store.set(state.shell, RESULT, value.kind === 'integer' ? value.value : value);
  written.get(state.shell)?.add(RESULT);
}
