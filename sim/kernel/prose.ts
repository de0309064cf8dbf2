/**
 * The words of the records. They are written where the records are; the build takes
 * them out of the bundles of the extension into a file of their own, which is read when
 * a hover or `help` first needs it. In their place the bundle has `§` and a number.
 */
let table: readonly string[] = [];

/** Hands over the words that the build took out. */
export function provideProse(texts: readonly string[]): void {
  table = texts;
}

/** The words themselves, wherever they are now. */
export const prose = (text: string): string => (text.startsWith('§') ? (table[Number(text.slice(1))] ?? '') : text);

/** A record, or anything like it, with all its words in place. */
export function withProse<T>(value: T): T {
  if (typeof value === 'string') return prose(value) as T;
  if (Array.isArray(value)) return value.map(withProse) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, withProse(part)])) as T;
}
