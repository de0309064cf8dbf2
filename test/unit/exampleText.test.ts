import { describe, expect, test } from 'vitest';
import { Drift } from '../../extension/language/drift.ts';
import { findHole, holesOf } from '../../extension/language/holes.ts';

const CALL = `res = f(&root, /* number
     * of bytes */,
        "a, b)");
range.start = ...;
range.end = ...;`;

const textOf = (key: string): string | undefined => {
  const span = findHole(CALL, key);
  return span && CALL.slice(span.start, span.end);
};

describe('holes of an example', () => {
  test('are found by the comment inside them, over line ends too', () => {
    expect(textOf('number of bytes')).toMatch(/^\/\* number[\s\S]*\*\/$/);
  });
  test('are found by their position in a call, past strings and comments', () => {
    expect(textOf('argument 1 of f')).toBe('&root');
    expect(textOf('argument 3 of f')).toBe('"a, b)"');
    expect(textOf('argument 4 of f')).toBeUndefined();
    expect(textOf('argument 1 of g')).toBeUndefined();
  });
  test('are found by what they are assigned to', () => {
    const span = findHole(CALL, 'range.end');
    expect(span?.start).toBe(CALL.lastIndexOf('...'));
    expect(textOf('end')).toBeUndefined();
  });
  test("the reader's value goes before the scene's", () => {
    const found = holesOf(CALL, { 'number of bytes': '1', nowhere: '2' }, { 'number of bytes': '3' });
    expect(found[0]?.value).toBe('3');
    expect(found.at(-1)).toEqual({ key: 'nowhere', value: '2' });
    // What the text leaves open and nobody fills is told as well.
    expect(found.slice(1, -1).map(({ key, value }) => [key, value])).toEqual([
      ['right-hand side of range.start', ''],
      ['right-hand side of range.end', ''],
    ]);
  });
});

describe('drift', () => {
  test('an offset behind an edit moves with the text, one before it stays', () => {
    const drift = new Drift();
    drift.note([{ rangeOffset: 10, rangeLength: 2, text: 'abcde' }]);
    expect([5, 10, 12, 20].map((offset) => drift.map(offset))).toEqual([5, 10, 15, 23]);
  });
  test('an offset inside what was replaced goes to its end', () => {
    const drift = new Drift();
    drift.note([{ rangeOffset: 10, rangeLength: 10, text: 'x' }]);
    expect(drift.map(15)).toBe(11);
  });
});
