/**
 * Everything at once: random machines in random releases, and lines for every room of the engine.
 * ZONESCOPE_TIER=long lives through at least 100,000 operations; else it takes seconds.
 * A failure prints machine, release and lines of the smallest case found; ZONESCOPE_SEED repeats a run.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RELEASES } from '../../sim/index.ts';
import { live } from '../support/world.ts';
import { operations } from '../support/worldLines.ts';
import { anyMachine } from '../support/worldMachine.ts';

const isLong = process.env.ZONESCOPE_TIER === 'long';
const LEAST = isLong ? 100_000 : 800;
const SEED = 20260;

const history = fc.record({
  machine: anyMachine,
  release: fc.constantFrom(...RELEASES),
  operations,
});

describe('whatever is typed at whatever machine in whatever release', () => {
  it.each([
    ['fixed', SEED],
    ['another', Number(process.env.ZONESCOPE_SEED ?? (isLong ? Date.now() % 2 ** 31 : SEED + 1000))],
  ])(
    'all counters agree, looking changes nothing, and every state comes back by undo, redo and replay (%s seed %i)',
    (_name, seed) => {
      let done = 0;
      for (let round = 0; done < LEAST / 2; round++) {
        fc.assert(
          fc.property(history, (each) => {
            done += live(each) ?? 0;
          }),
          { numRuns: isLong ? 20 : 5, seed: seed + round },
        );
        // A long run that is cut short has told how far it came.
        if (isLong) console.log(`world: ${done} operations so far, seed ${seed}`);
      }
      console.log(`world: ${done} operations, seed ${seed}`);
      expect(done).toBeGreaterThanOrEqual(LEAST / 2);
    },
    isLong ? 3_600_000 : 60_000,
  );
});
