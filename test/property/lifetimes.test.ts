/**
 * Processes and devices that do anything at any time: every page is held by whom it says, everybody reads what was
 * written, nobody waits for ever, and when all have gone nothing is left.
 * ZONESCOPE_TIER=long lives through at least 100,000 lines; else it takes seconds. A failure prints preset, release
 * and lines of the smallest case found; ZONESCOPE_SEED repeats a run.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { live, totals } from '../support/lifetime.ts';
import { history } from '../support/lifetimeHistories.ts';

const isLong = process.env.ZONESCOPE_TIER === 'long';
const LEAST = Number(process.env.ZONESCOPE_LINES ?? (isLong ? 100_000 : 3000));
const SEED = 20260;

describe('the lives of processes and of what they have on devices', () => {
  it.each([
    ['fixed', SEED],
    ['another', Number(process.env.ZONESCOPE_SEED ?? (isLong ? Date.now() % 2 ** 31 : SEED + 1000))],
  ])(
    'leave every count right, every page as it was written, nobody waiting and nothing behind (%s seed %i)',
    (_name, seed) => {
      let done = 0;
      for (let round = 0; done < LEAST / 2; round++) {
        fc.assert(
          fc.property(history, (each) => {
            done += live(each);
          }),
          { numRuns: isLong ? 20 : 5, seed: seed + round },
        );
        // A long run that is cut short has told how far it came.
        if (isLong) console.log(`lifetimes: ${done} lines so far, seed ${seed}`);
      }
      console.log(`lifetimes: ${done} lines, seed ${seed}; ${JSON.stringify(totals)}`);
      expect(done).toBeGreaterThanOrEqual(LEAST / 2);
      // Where a device is excused it is looked at no more: that must stay rare.
      expect(totals.stale).toBeLessThanOrEqual(2 + totals.lines / 5000);
    },
    isLong ? 3_600_000 : 120_000,
  );
});
