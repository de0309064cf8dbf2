import { writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { it } from 'vitest';
import { RELEASES } from '../../sim/index.ts';
import { type History, live } from '../support/world.ts';
import { operations } from '../support/worldLines.ts';
import { anyMachine } from '../support/worldMachine.ts';

const history = fc.record({
  machine: anyMachine,
  release: fc.constantFrom(...RELEASES),
  operations,
});
const SECONDS = Number(process.env.FUZZ_SECONDS ?? 100);
const SEED = Number(process.env.FUZZ_SEED ?? Date.now() % 1e9);
const OUT = process.env.FUZZ_OUT ?? '/tmp/fuzz.txt';
const keyOf = (e: Error) => {
  const l = e.message.split('\n');
  const m = (l[0] ?? '').replace(/0x[0-9a-f]+|\b[0-9a-f]{5,}\b|\d+/g, 'N').slice(0, 160);
  return `${m} | ${(l.find((x) => /^\s*at /.test(x)) ?? '').replace(/.*\/(sim|test)\//, '$1/')}`;
};
const fail = (h: History): Error | undefined => {
  try {
    live(h);
    return undefined;
  } catch (e) {
    return e as Error;
  }
};
it('fuzz', () => {
  const t0 = Date.now();
  let ops = 0,
    runs = 0,
    skipped = 0;
  const found = new Map<string, { count: number; text: string }>();
  for (let s = SEED; Date.now() - t0 < SECONDS * 1000; s++) {
    for (const h of fc.sample(history, { seed: s, numRuns: 4 })) {
      runs++;
      const t = Date.now();
      let e: Error | undefined;
      try {
        const n = live(h);
        if (n === undefined) skipped++;
        ops += n ?? 0;
      } catch (x) {
        e = x as Error;
        ops += 20;
      }
      if (Date.now() - t > 10000)
        writeFileSync(OUT + '.slow', JSON.stringify(h) + '\n' + (Date.now() - t) + '\n', { flag: 'a' });
      if (!e) continue;
      const key = keyOf(e);
      const old = found.get(key);
      if (old) {
        old.count++;
        continue;
      }
      // shrink operations greedily
      let best = h,
        text = e.message;
      const ts = Date.now();
      for (let chunk = 16; chunk >= 1; chunk >>= 1)
        for (let i = best.operations.length - chunk; i >= 0 && Date.now() - ts < 15000; i--) {
          const ops2 = best.operations.filter((_, j) => j < i || j >= i + chunk);
          if (ops2.length === best.operations.length) continue;
          const x = fail({ ...best, operations: ops2 });
          if (x && keyOf(x) === key) {
            best = { ...best, operations: ops2 };
            text = x.message;
          }
        }
      found.set(key, { count: 1, text: text + '\nHIST ' + JSON.stringify(best) });
      dump();
    }
  }
  function dump() {
    writeFileSync(
      OUT,
      [
        `ops ${ops} runs ${runs} skipped ${skipped} in ${(Date.now() - t0) / 1000}s`,
        ...[...found].sort((a, b) => b[1].count - a[1].count).map(([k, v]) => `##### ${v.count}x ${k}\n${v.text}`),
      ].join('\n\n'),
    );
  }
  dump();
}, 10_000_000);
