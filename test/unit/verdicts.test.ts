import { describe, expect, test } from 'vitest';
import type { Claim, ClaimVerdict } from '../../extension/docs/claims.ts';
import { Verdicts } from '../../extension/session/verdicts.ts';
import type { Release } from '../../sim/index.ts';

const claim = (id: string): Claim => ({
  id,
  anchor: { document: 'hmm', section: '', words: ['device'] },
  says: `What ${id} says.`,
  expect: [{ line: 'page_to_pfn(pfn_to_page(1))', is: '1' }],
});
const verdictOf = (one: Claim, release: Release): ClaimVerdict => ({ claim: one, release, holds: true, evidence: [] });

function counting() {
  const judged: string[] = [];
  let judges = 0;
  let breaths = 0;
  const verdicts = new Verdicts({
    now: () => performance.now(),
    breathe: async () => {
      breaths++;
      await new Promise((resolve) => setImmediate(resolve));
    },
    createJudge: () => {
      judges++;
      return {
        // biome-ignore lint/correctness/useYield: this one is quick
        *hearing(one, release) {
          judged.push(`${one.id} ${release}`);
          if (one.id === 'broken') throw new Error('no such machine');
          return verdictOf(one, release);
        },
      };
    },
  });
  return { verdicts, judged, judges: () => judges, breaths: () => breaths };
}

describe('verdicts on claims', () => {
  test('a claim is judged once for each release, however often it is asked for', async () => {
    const { verdicts, judged } = counting();
    const [a] = [claim('a')];
    await Promise.all([verdicts.ask(a, '6.12'), verdicts.ask(a, '6.12'), verdicts.ask(a, '6.1')]);
    await verdicts.ask(a, '6.12');
    expect(judged).toEqual(['a 6.12', 'a 6.1']);
    expect(verdicts.known(a, '6.12')?.holds).toBe(true);
    expect(verdicts.known(a, '5.10')).toBeUndefined();
  });

  test('the host breathes before every claim, and one judge serves all that wait', async () => {
    const { verdicts, judges, breaths } = counting();
    await Promise.all(['a', 'b', 'c'].map((id) => verdicts.ask(claim(id), '6.12')));
    expect(breaths()).toBe(3);
    expect(judges()).toBe(1);
    await verdicts.ask(claim('d'), '6.12');
    expect(judges(), 'the machines of the first were let go').toBe(2);
  });

  test('what is cancelled before its turn is not judged', async () => {
    const { verdicts, judged } = counting();
    let isCancelled = false;
    const first = verdicts.ask(claim('a'), '6.12');
    const second = verdicts.ask(claim('b'), '6.12', () => isCancelled);
    isCancelled = true;
    expect(await second).toBeUndefined();
    expect((await first)?.holds).toBe(true);
    expect(judged).toEqual(['a 6.12']);
  });

  test('a claim that cannot be judged fails its asker only', async () => {
    const { verdicts } = counting();
    const broken = verdicts.ask(claim('broken'), '6.12');
    const next = verdicts.ask(claim('next'), '6.12');
    await expect(broken).rejects.toThrow('no such machine');
    expect((await next)?.holds).toBe(true);
  });

  test('a claim with other lines under the same id is judged anew', async () => {
    const { verdicts, judged } = counting();
    await verdicts.ask(claim('a'), '6.12');
    await verdicts.ask(claim('a'), '6.12');
    expect(judged).toHaveLength(2);
  });

  test('a claim that takes long is judged in slices', async () => {
    let now = 0;
    let breaths = 0;
    const verdicts = new Verdicts({
      now: () => now,
      breathe: () => Promise.resolve(void breaths++),
      createJudge: () => ({
        *hearing(one, release) {
          for (let piece = 0; piece < 100; piece++) {
            now += 4;
            yield;
          }
          return verdictOf(one, release);
        },
      }),
    });
    await verdicts.ask(claim('long'), '6.12');
    expect(breaths).toBe(1 + 400 / 8);
  });

  test('the engine judges: a claim that is true holds, a false one does not', async () => {
    const verdicts = new Verdicts({ now: () => performance.now(), breathe: () => Promise.resolve() });
    const says = (is: string): Claim => ({
      ...claim(`is-${is}`),
      expect: [{ line: 'page_to_pfn(pfn_to_page(0x12345))', is }],
    });
    expect((await verdicts.ask(says('74565 (0x12345)'), '6.12'))?.holds).toBe(true);
    expect((await verdicts.ask(says('2'), '6.12'))?.holds).toBe(false);
  });
});
