/** get_current(), as far as there is one: which process C text and the shell speak for. */
import type { Mm, Process } from '../include/mm_types.ts';
import type { Kernel } from '../machine/kernel.ts';

/** The process that was chosen, while it lives, or the youngest one that does. */
export function currentProcess({ state }: Kernel): (Process & { mm: Mm }) | undefined {
  const chosen = state.processes.get(state.usedPid);
  if (chosen?.mm) return chosen as Process & { mm: Mm };
  let youngest: Process | undefined;
  for (const process of state.processes.values()) if (process.mm) youngest = process;
  return youngest as (Process & { mm: Mm }) | undefined;
}
