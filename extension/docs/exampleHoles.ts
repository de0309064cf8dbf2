/** What fills the gaps of a block that no scene was written for. */
import { holesOf } from '../../sim/index.ts';

/** A value that is left out is zero until the reader says otherwise; statements that are left out are none. */
export function openHoles(text: string): Record<string, string> {
  const holes: Record<string, string> = {};
  for (const { name } of holesOf(text))
    if (!name.startsWith('parameters of ')) holes[name] = name === 'statement' ? ';' : '0';
  return holes;
}
