/** Variables of the shell in command lines: `$a`, `$a+0x1000`, `/proc/$p/maps`. */
import type { Slot } from '../c/value.ts';
import type { Kernel } from '../machine/kernel.ts';

/** A variable that holds a number or an address. */
function variable(kernel: Kernel, name: string): bigint | undefined {
  const { shell } = kernel.state;
  const value: Slot | undefined = Object.hasOwn(shell, name) ? (shell[name] as Slot) : undefined;
  if (typeof value === 'bigint') return value;
  if (typeof value !== 'object' || !('kind' in value) || value.kind !== 'pointer') return undefined;
  const target = value.target as { kind?: unknown; address?: unknown } | undefined;
  return target?.kind === 'address' && typeof target.address === 'bigint' ? target.address : undefined;
}

const TERM = String.raw`(?:0x[0-9a-f]{1,16}|\d{1,20}|\$?[a-z_]\w*)`;
const SUM = new RegExp(`^[+-]?${TERM}(?:[+-]${TERM}){0,15}$`, 'i');
const TERMS = new RegExp(`[+-]?${TERM}`, 'gi');

/** A number, or a sum of numbers and variables; undefined: it is none. */
export function sumOf(kernel: Kernel, text: string): bigint | undefined {
  if (text.length > 400 || !SUM.test(text)) return undefined;
  let sum = 0n;
  for (const term of text.match(TERMS) ?? []) {
    const word = term.replace(/^[+-]?\$?/, '');
    const value = /^\d/.test(word) ? BigInt(word) : variable(kernel, word);
    if (value === undefined) return undefined;
    sum += term[0] === '-' ? -value : value;
  }
  return sum;
}

/** A word of a command line with its variables filled in: a whole sum becomes a number in hexadecimal. */
export function expand(kernel: Kernel, word: string): string {
  if (!word.includes('$')) return word;
  const sum = word.startsWith('$') ? sumOf(kernel, word) : undefined;
  if (sum !== undefined) return sum < 0n ? String(sum) : `0x${sum.toString(16)}`;
  return word.replace(/\$([A-Za-z_]\w*)/g, (all, name: string) => String(variable(kernel, name) ?? all));
}
