/** What a buffer holds, said shortly: word i of the buffer is a number, or follows its index. */
import type { PageData } from '../include/mm_types.ts';
import { WORDS } from '../mm/contents.ts';

/** A pattern: word i of the whole buffer holds base + i * step. */
export interface Pattern {
  readonly base: number;
  readonly step: number;
}

/** `7`, `i`, `i+7`, `-i`, `-i+7`; undefined: no pattern. */
export function parsePattern(text: string): Pattern | undefined {
  const match = /^(-?)i([+-]\d{1,10})?$/.exec(text);
  if (match) return { base: Number(match[2] ?? 0) >>> 0, step: match[1] === '-' ? 0xffffffff : 1 };
  if (!/^(-?\d{1,10}|0x[0-9a-f]{1,8})$/i.test(text)) return undefined;
  return { base: Number(text) >>> 0, step: 0 };
}

/** The part of the pattern that page `page` of the buffer holds. */
export const patternPage = ({ base, step }: Pattern, page: number): PageData => ({
  base: (base + Math.imul(step, page * WORDS)) >>> 0,
  step,
});

function patternText(base: number, step: number): string {
  if (step === 0) return String(base | 0);
  const slope = step | 0;
  const index = slope === 1 ? 'i' : slope === -1 ? '-i' : `${slope}*i`;
  const offset = base | 0;
  return offset === 0 ? index : `${index}${offset > 0 ? '+' : ''}${offset}`;
}

/** Lines of what pages of a buffer hold: `words 0-2047: 0`, `words 2048-1048575: i`. */
export function describePages(pages: readonly PageData[]): string[] {
  const lines: string[] = [];
  let from = 0;
  let base = 0;
  let step = 0;
  const flush = (to: number): void => {
    if (to > from) lines.push(`words ${from}-${to - 1}: ${patternText(base, step)}`);
  };
  const add = (start: number, b: number, s: number): void => {
    if (b === base && s === step) return;
    flush(start);
    from = start;
    base = b;
    step = s;
  };
  for (const [page, data] of pages.entries()) {
    const start = page * WORDS;
    const b = (data.base - Math.imul(data.step, start)) >>> 0;
    const s = data.step >>> 0;
    add(start, b, s);
  }
  flush(pages.length * WORDS);
  return lines;
}
