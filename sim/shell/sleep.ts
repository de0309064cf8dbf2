/** sleep: lets simulated time pass. Nothing else makes it pass at the shell. */
import { HZ } from '../mm/hmm_range.ts';
import type { Command } from './command.ts';
import { ShellError } from './error.ts';

const USAGE = 'sleep NUMBER[ms|s|m|h|j]';
/** Milliseconds of each unit; j are jiffies. */
const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, j: 1000 / HZ };
/** A year: jiffies stay numbers that are exact. */
const LONGEST_MS = 365 * 24 * 3_600_000;

export const SLEEP: Command = {
  name: 'sleep',
  usage: USAGE,
  summary: 'let time pass: seconds, or ms, m, h, or jiffies (j)',
  details: `  A second has ${HZ} jiffies; what is left of one counts as a whole one, as in msecs_to_jiffies().
  Whoever waits with a time limit, such as hmm_range_wait_until_valid(), goes on when that is over.`,
  run({ kernel: { state, store } }, [text, ...more]) {
    const [, number, unit = 's'] = /^(\d*\.?\d+|\d+\.)(ms|s|m|h|j)?$/.exec(text ?? '') ?? [];
    if (number === undefined || more.length > 0) throw new ShellError(`usage: ${USAGE}`);
    const ms = Number(number) * (UNITS[unit] ?? 0);
    if (ms > LONGEST_MS) throw new ShellError(`sleep: ${text}: at most a year`);
    const jiffies = Math.ceil(Math.round(ms * HZ) / 1000);
    if (jiffies > 0) store.set(state, 'jiffies', state.jiffies + jiffies);
    return undefined;
  },
};
