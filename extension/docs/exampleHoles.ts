/** The gaps of a block: what the text leaves open, what fills it, and whether that can be. */
import { holesOf as openHolesOf, parseC } from '../../sim/index.ts';

/** A value that is left out is zero until the reader says otherwise; statements that are left out are none. */
export function openHoles(text: string): Record<string, string> {
  const holes: Record<string, string> = {};
  for (const { name } of openHolesOf(text))
    if (!name.startsWith('parameters of ')) holes[name] = name === 'statement' ? ';' : '0';
  return holes;
}

/** A gap of a block, in the order of the text. */
export interface ExampleHole {
  /** What a scene calls it. */
  readonly key: string;
  /** Of an argument of a prototype: its other name, `hmm_range_fault.range`. */
  readonly alias?: string;
  /** How the text declares it: `struct hmm_range *range`. */
  readonly declared?: string;
  readonly start: number;
  readonly end: number;
}

/** Every gap that may be filled, each once: those of a prototype are its arguments. */
export function gapsOf(text: string): ExampleHole[] {
  const gaps = new Map<string, ExampleHole>();
  for (const { name, start, end, parameter } of openHolesOf(text, { declarations: true })) {
    if (gaps.has(name) || name.startsWith('parameters of ')) continue;
    const own = parameter && parameter.name !== name ? { alias: parameter.name } : {};
    const declared = parameter && `${parameter.type} ${text.slice(start, end)}`.replace('* ', '*').trim();
    gaps.set(name, { key: name, start, end, ...own, ...(declared ? { declared } : {}) });
  }
  return [...gaps.values()];
}

const LONGEST = 1000;

/** Why a text cannot fill a gap; undefined: it can. */
export function problemOfFilling(key: string, text: string): string | undefined {
  if (text.trim() === '') return undefined;
  if (text.length > LONGEST) return `At most ${LONGEST} characters`;
  const takesStatements = key === 'statement';
  const { items, findings } = parseC(text, takesStatements ? 'block' : 'expression');
  const problem = findings.find(({ severity }) => severity === 'error');
  if (problem !== undefined) return problem.message;
  if (takesStatements || (items.length === 1 && items[0]?.kind === 'expression' && !text.includes(';')))
    return undefined;
  return 'One C expression, without a semicolon';
}
