/** Documents with random damage: their examples are found in bounded time, each where it says it is, and none throws. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { placeExamples } from '../../extension/docs/examples.ts';
import { parseRst } from '../../extension/docs/rst.ts';
import { RELEASES } from '../../sim/index.ts';
import { documentOf, OLD_TEXTS } from '../support/oldBlocks.ts';
import { allScenes, DEVICE_MEMORY } from '../support/sessions.ts';

const TEXTS = [...OLD_TEXTS.map(documentOf), DEVICE_MEMORY];
const scenes = allScenes();
const PIECES = [
  '(',
  ')',
  '{',
  '}',
  ';',
  '...',
  '/* x */',
  '::\n\n    ',
  '\n',
  '\t',
  '"',
  '*/',
  '.. math::\n\n   a = 2^{b}\n',
  '\u0000',
  '\ud800',
];
const edit = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  length: fc.nat(40),
  text: fc.oneof(fc.constantFrom(...PIECES), fc.string({ maxLength: 20 }), fc.constant('')),
});

describe('the examples of a damaged document', () => {
  it('are where they say, in the order of the text, with ids of their own', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...TEXTS),
        fc.array(edit, { minLength: 1, maxLength: 12 }),
        fc.constantFrom(...RELEASES),
        (text, edits, release) => {
          let source = text;
          for (const { at, length, text: put } of edits) {
            const start = Math.floor(at * source.length);
            source = source.slice(0, start) + put + source.slice(start + length);
          }
          const began = performance.now();
          const placed = placeExamples(scenes, 'hmm', [release], parseRst(source), source);
          expect(performance.now() - began).toBeLessThan(1000);
          const starts = placed.map(({ span }) => span.start);
          expect(starts).toEqual(starts.toSorted((a, b) => a - b));
          const ids = placed.flatMap(({ example }) => (example && !example.isAuthored ? [example.id] : []));
          expect(new Set(ids).size).toBe(ids.length);
          for (const { example } of placed) {
            if (!example) continue;
            const { block, text: code, toSource } = example;
            for (const offset of [0, code.length >> 1, code.length]) {
              expect(toSource(offset)).toBeGreaterThanOrEqual(block.start);
              expect(toSource(offset)).toBeLessThanOrEqual(block.end);
            }
          }
        },
      ),
      { numRuns: Number(process.env.ZONESCOPE_RUNS ?? 300) },
    );
  });
});
