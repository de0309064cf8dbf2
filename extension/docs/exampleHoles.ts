/** What fills the gaps of a block that no scene was written for: for every type of argument something that is of it. */
import { type CUnit, holesOf, type ParameterNode } from '../../sim/index.ts';

export interface Filled {
  /** C expressions, by the name of the hole. */
  readonly holes: Record<string, string>;
  /** C definitions that they need, by the name defined. */
  readonly standIns: Record<string, string>;
}

/** The arguments of a block of prototypes: `argument 1 of hmm_range_fault`. */
export function argumentsOf(unit: CUnit): Filled {
  const filled: Filled = { holes: {}, standIns: {} };
  for (const item of unit.items) {
    if (item.kind !== 'declaration') continue;
    for (const { name, type } of item.declarators) {
      if (type.kind !== 'function') continue;
      for (const [index, parameter] of type.parameters.entries())
        filled.holes[`argument ${index + 1} of ${name}`] = argumentFor(parameter, filled.standIns);
    }
  }
  return filled;
}

/** A gap without a value is zero until the reader says otherwise; statements that are left out are none. */
export function holesAndStandIns(unit: CUnit): Filled {
  const holes: Record<string, string> = {};
  for (const { name } of holesOf(unit.text)) {
    if (name.startsWith('parameters of ')) continue;
    holes[name] = name === 'statement' ? ';' : '0';
  }
  return { holes, standIns: {} };
}

function argumentFor({ type, name }: ParameterNode, standIns: Record<string, string>): string {
  if (type.kind !== 'pointer') return '0';
  const { to } = type;
  if (to.kind !== 'struct') return 'NULL';
  const current = OF_CURRENT[to.tag];
  if (current !== undefined) return current;
  const own = `scene_${name === '' ? to.tag : name}`;
  standIns[own] = `static struct ${to.tag} ${own};`;
  return `&${own}`;
}

/** What belongs to the process that is chosen. */
const OF_CURRENT: Readonly<Record<string, string>> = {
  mm_struct: 'current->mm',
  task_struct: 'current',
  vm_area_struct: 'find_vma(current->mm, 0)',
};
