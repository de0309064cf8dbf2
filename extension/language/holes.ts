/** Finds the holes of an example in its text: a comment where an argument should be, or `...`. Free of vscode. */
import { gapsOf } from '../docs/exampleHoles.ts';

export interface Hole {
  /** What the scene calls it. */
  readonly key: string;
  /** The C expression that fills it; empty: see `valueText`. */
  readonly value: string;
  /** How the text declares it, if it is an argument of a prototype. */
  readonly declared?: string;
  /** Offsets in the text, if it is found there. */
  readonly span?: { readonly start: number; readonly end: number };
}

/**
 * The holes of a block and its scene with the values in force, in the order of the text: the reader's before the
 * scene's. An argument of a prototype that neither gives has no value: the call finds one that fits its type.
 */
export function holesOf(
  text: string,
  values: Readonly<Record<string, string>>,
  overrides: Readonly<Record<string, string>> = {},
): Hole[] {
  const gaps = gapsOf(text).map(({ key, alias, declared, start, end }): Hole => {
    const name = alias !== undefined && alias in values ? alias : key;
    const value = overrides[name] ?? values[name] ?? '';
    return { key: name, value, span: { start, end }, ...(declared === undefined ? {} : { declared }) };
  });
  const known = new Set(gaps.map(({ key }) => key));
  const others = Object.entries(values).flatMap(([key, value]): Hole[] => {
    if (known.has(key)) return [];
    const span = findHole(text, key);
    return [{ key, value: overrides[key] ?? value, ...(span ? { span } : {}) }];
  });
  return [...gaps, ...others].sort((a, b) => (a.span?.start ?? text.length) - (b.span?.start ?? text.length));
}

/** The value for people: an argument of a prototype gets one that fits, anything else has to be filled. */
export const valueText = ({ value, declared }: Hole): string =>
  value || (declared === undefined ? 'still open' : 'what fits its type');

/**
 * By the comment inside it (`number of bytes`), by its position (`argument 2 of request_free_mem_region`), or by what
 * it is assigned to (`range.start`).
 */
export function findHole(text: string, key: string): Hole['span'] {
  return findComment(text, key) ?? findArgument(text, key) ?? findAssigned(text, key);
}

function findComment(text: string, key: string): Hole['span'] {
  const wanted = plain(key);
  for (const match of text.matchAll(/\/\*([\s\S]*?)\*\//g)) {
    if (plain(match[1] ?? '') === wanted) return { start: match.index, end: match.index + match[0].length };
  }
  return undefined;
}

function findArgument(text: string, key: string): Hole['span'] {
  const [, position, name] = /^argument (\d+) of (\w+)$/.exec(key) ?? [];
  if (position === undefined || name === undefined) return undefined;
  const call = new RegExp(`\\b${name}\\s*\\(`).exec(text);
  if (call === null) return undefined;
  const spans = argumentsAt(text, call.index + call[0].length);
  return spans[Number(position) - 1];
}

/** The arguments of a call whose opening parenthesis ends at `from`, without the white space around them. */
function argumentsAt(text: string, from: number): { start: number; end: number }[] {
  const spans: { start: number; end: number }[] = [];
  let depth = 0;
  let start = from;
  const take = (end: number): void => {
    const raw = text.slice(start, end);
    const lead = raw.length - raw.trimStart().length;
    spans.push({ start: start + lead, end: Math.max(start + lead, start + raw.trimEnd().length) });
  };
  for (let at = from; at < text.length; at++) {
    const skipped = skipToken(text, at);
    if (skipped > at) {
      at = skipped - 1;
      continue;
    }
    const char = text[at];
    if (char === '(' || char === '[' || char === '{') depth++;
    else if (char === ')' || char === ']' || char === '}') {
      if (depth === 0) {
        take(at);
        return spans;
      }
      depth--;
    } else if (char === ',' && depth === 0) {
      take(at);
      start = at + 1;
    } else if (char === ';') break;
  }
  return spans;
}

/** The end of the comment or string that begins at `at`; `at` if none does. */
function skipToken(text: string, at: number): number {
  if (text.startsWith('/*', at)) {
    const end = text.indexOf('*/', at + 2);
    return end < 0 ? text.length : end + 2;
  }
  if (text[at] !== '"') return at;
  for (let end = at + 1; end < text.length; end++) {
    if (text[end] === '\\') end++;
    else if (text[end] === '"') return end + 1;
  }
  return text.length;
}

function findAssigned(text: string, key: string): Hole['span'] {
  if (!/^[\w.>-]+$/.test(key)) return undefined;
  const escaped = key.replace(/[.]/g, '\\.');
  const match = new RegExp(`(?<![\\w.>])${escaped}\\s*=\\s*(\\.\\.\\.)`).exec(text);
  if (match === null) return undefined;
  const end = match.index + match[0].length;
  return { start: end - 3, end };
}

const plain = (text: string): string =>
  text
    .replace(/[\s*]+/g, ' ')
    .trim()
    .toLowerCase();
