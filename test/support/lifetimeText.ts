/** What `proc read` and `gpu read` print, as values page by page. */
import { type Value, wordsOf } from './lifetimeModel.ts';

interface Rule {
  readonly base: number;
  readonly step: number;
}

/** `7`, `0x10`, `-3`, `i`, `i+5`, `i-5`. */
function ruleOf(text: string): Rule | undefined {
  if (/^(0x[0-9a-f]+|-?\d+)$/.test(text)) return { base: Number(text) >>> 0, step: 0 };
  const match = /^i([+-]\d+)?$/.exec(text);
  return match ? { base: Number(match[1] ?? 0) >>> 0, step: 1 } : undefined;
}

const at = ({ base, step }: Rule, page: number): Value => wordsOf((base + step * page * 1024) >>> 0, step);

export const lines = {
  /** `0x7f0000000000 2 page(s): word i holds i+5`; word i is that of the whole range. */
  read(output: readonly string[], vpn: number, pages: number): (Value | undefined)[] {
    const found = new Array<Value | undefined>(pages).fill(undefined);
    for (const line of output) {
      const match = /^0x([0-9a-f]+) (\d+) page\(s\): (?:word i holds )?(\S+)$/.exec(line);
      const rule = match && ruleOf(match[3] ?? '');
      if (!match || !rule) continue;
      const first = Number(BigInt(`0x${match[1]}`) >> 12n) - vpn;
      for (let i = 0; i < Number(match[2]); i++) found[first + i] = at(rule, first + i);
    }
    return found;
  },

  /** `words 0-4095: i+5`. */
  buffer(output: readonly string[], pages: number): (Value | undefined)[] {
    const found = new Array<Value | undefined>(pages).fill(undefined);
    for (const line of output) {
      const match = /^words (\d+)-(\d+): (\S+)$/.exec(line);
      const rule = match && ruleOf(match[3] ?? '');
      if (!match || !rule) continue;
      const end = Math.floor((Number(match[2]) + 1) / 1024);
      for (let page = Math.ceil(Number(match[1]) / 1024); page < end; page++) found[page] = at(rule, page);
    }
    return found;
  },
};
