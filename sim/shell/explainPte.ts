/** `explain pte` and `explain swap-types`: an entry as the hardware has it, and the numbers of swap entries. */
import {
  arm64SwapWord,
  genericSwapWord,
  PteKind,
  pte_pfn,
  pteBitNames,
  pteKind,
  pteWord,
  swapTypeName,
  swapTypeShift,
  swapTypes,
  swpEntry,
  x86SwapWhere,
  x86SwapWordIn,
} from '../arch/pte.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import { hugePmdAt, pteAt } from '../mm/pgtable.ts';
import { ShellError } from './error.ts';
import { addressOf, numberOf, processOf } from './procArgs.ts';

export const EXPLAIN_PTE = `explain pte PID ADDR
explain swap-types
explain swp_entry TYPE OFFSET`;

const word = (value: bigint): string => `0x${value.toString(16).padStart(16, '0')}`;

/** The entry of one page, the word the hardware finds, and for a swap entry its parts on either architecture. */
export function explainPte(kernel: Kernel, args: readonly string[]): string {
  const [pid, at, ...more] = args;
  if (more.length > 0) throw new ShellError(`usage: ${EXPLAIN_PTE}`);
  const { mm } = processOf(kernel, pid, 'explain pte', EXPLAIN_PTE);
  const vpn = addressOf(kernel, at, 'explain pte', EXPLAIN_PTE);
  const huge = hugePmdAt(mm, vpn);
  const entry = huge ? huge.entry : pteAt(mm, vpn);
  const kind = pteKind(entry);
  const level = huge ? 'PMD' : 'PTE';
  if (kind === PteKind.None) return `${level} ${word(0n)}: none`;
  const bits = pteBitNames(kernel, entry, huge !== undefined).join('|') || 'none';
  const head = `${level} ${word(pteWord(kernel, entry, huge !== undefined))}`;
  if (kind < PteKind.Swap) return `${head}: pfn ${hex(pte_pfn(entry))}, bits ${bits}`;
  const { type, offset } = swpEntry(kernel, entry);
  const name = swapTypeName(kernel, kind);
  const isSlot = kind === PteKind.Swap;
  return [
    `${head}: type ${type} (${name}), offset ${hex(offset)}${isSlot || kind === PteKind.Marker ? '' : `, pfn ${hex(pte_pfn(entry))}`}, bits ${bits}`,
    ...wordsOf(kernel, type, offset),
  ].join('\n');
}

const wordsOf = (kernel: Kernel, type: number, offset: bigint): string[] => {
  const shift = swapTypeShift(kernel);
  const arm64 = `  arm64       ${word(arm64SwapWord(type, offset))}: type in bits 6-10, the offset in bits 12-61`;
  return [
    `  swp_entry_t ${word(genericSwapWord(type, offset, shift))}: type << ${shift} | offset`,
    `  x86_64      ${word(x86SwapWordIn(kernel, type, offset))}: ${x86SwapWhere(kernel)}`,
    // In older releases it is not known where they stand there.
    ...(kernel.facts.arm64SwapTypeFromSix ? [arm64] : []),
  ];
};

/** Which types the kernel keeps for itself in this release, and how many are left for swap files. */
export function explainSwapTypes(kernel: Kernel): string {
  const { MAX_SWAPFILES, of } = swapTypes(kernel);
  return [
    `MAX_SWAPFILES ${MAX_SWAPFILES}`,
    ...[...of].map(([kind, type]) => `${type} ${swapTypeName(kernel, kind)}`),
  ].join('\n');
}

/** The words of any type and offset. */
export function explainSwpEntry(kernel: Kernel, args: readonly string[]): string {
  const [type, offset, ...more] = args;
  if (offset === undefined || more.length > 0) throw new ShellError(`usage: ${EXPLAIN_PTE}`);
  const number = numberOf(kernel, type, 'explain swp_entry', EXPLAIN_PTE);
  const value = numberOf(kernel, offset, 'explain swp_entry', EXPLAIN_PTE);
  if (number < 0n || number > 31n) throw new ShellError('explain swp_entry: a type is 0 to 31');
  if (value < 0n || value >= 1n << 50n) throw new ShellError('explain swp_entry: an offset has 50 bits');
  return wordsOf(kernel, Number(number), value).join('\n');
}
