/** What can be typed in the console: variables in sight, members, commands of the shell, names of the kernel. */
import {
  ALL_RECORDS,
  commandNames,
  evaluateInFrame,
  globalsOf,
  lookup,
  partsOf,
  type Shown,
  variablesOf,
} from '../../sim/index.ts';
import type { Debuggee } from '../session/types.ts';

export interface Target {
  label: string;
  text?: string;
  type: string;
  start: number;
  length: number;
}

const MOST = 100;

/** `before`: the text up to the cursor. */
export function completions({ machine, program }: Debuggee, frame: number, before: string): Target[] {
  const word = /[A-Za-z_]\w*$/.exec(before)?.[0] ?? '';
  const start = before.length - word.length;
  const target = (label: string, type: string): Target => ({ label, type, start, length: word.length });
  const member = /([A-Za-z_][\w.[\]>-]*?)(->|\.)\w*$/.exec(before);
  if (member?.[1] !== undefined) {
    const result = evaluateInFrame(machine, program, frame, member[1]);
    if (!result.ok || result.value.kind === 'void' || result.value.kind === 'integer') return [];
    const slot = result.value.kind === 'aggregate' ? result.value.object : result.value;
    const shown: Shown = { slot, type: result.type };
    const names = partsOf(machine, shown).flatMap(({ name, access }) =>
      access === undefined || access.startsWith('[') ? [] : [name],
    );
    return names.filter((name) => name.startsWith(word)).map((name) => target(name, 'field'));
  }
  const variables = [...variablesOf(program, frame), ...globalsOf(program, frame)].map(({ name }) => name);
  const found = [...new Set(variables)].filter((name) => name.startsWith(word)).map((name) => target(name, 'variable'));
  if (start === 0)
    found.push(
      ...commandNames()
        .filter((name) => name.startsWith(word))
        .map((name) => target(name, 'keyword')),
    );
  if (word.length >= 2)
    for (const { name, kind } of ALL_RECORDS) {
      if (found.length >= MOST) break;
      if (!name.startsWith(word) || (kind !== 'function' && kind !== 'constant' && kind !== 'macro')) continue;
      if (lookup(name, machine.release)) found.push(target(name, kind === 'function' ? 'function' : 'value'));
    }
  return found.slice(0, MOST);
}
