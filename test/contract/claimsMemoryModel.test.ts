/** Claims of memory-model.rst: the engine agrees with what they say of themselves, and each has its place. */
import { describe, expect, it } from 'vitest';
import { claimFinding, isAbout, isSaidToHold, placeClaims } from '../../extension/docs/claims.ts';
import { coverageOf } from '../../extension/docs/coverage.ts';
import { Judge } from '../../extension/session/claims.ts';
import { RELEASES, type Release } from '../../sim/index.ts';
import { claimsOn, kernelTexts, loadedClaims } from '../support/kernelTexts.ts';

const claims = claimsOn('memory-model');
const texts = await kernelTexts('memory-model');
const judge = new Judge();

/** What is wrong with the text of a release by its own kernel, and since when. */
const WRONG: Readonly<Record<string, readonly string[]>> = {
  '5.2': [],
  '5.3': ['B25 5.3', 'B26-old', 'S000-14 5.3'],
  '5.8': ['B25 5.3', 'B26', 'MM-each-node 5.8', 'S000-14 5.3'],
  '5.9': ['B25 5.3', 'B26', 'MM-each-node 5.8', 'S000-14 5.3'],
  '5.10': ['B25 5.3', 'B26', 'MM-each-node 5.8', 'S000-14 5.3'],
  '5.14': ['B25 5.3', 'B26', 'S000-14 5.3'],
  '6.1': ['B25 5.3', 'B26', 'M2 5.18', 'S000-14 5.3'],
  '6.12': ['B25 5.3', 'B26', 'M2 5.18', 'S000-14 5.3'],
  '6.19': ['B25 5.3', 'B26', 'M2 5.18', 'S000-14 5.3', 'S000-7 6.15'],
  '7.3': ['B25 5.3', 'B26', 'M2 5.18', 'MM-free-area-init 7.0', 'S000-14 5.3', 'S000-7 6.15'],
};

describe('the claims of memory-model.rst', () => {
  it('are all well formed, at least sixty, and say why wherever they fail', () => {
    expect(loadedClaims().problems).toEqual([]);
    expect(claims.length).toBeGreaterThanOrEqual(60);
    for (const claim of claims)
      for (const release of RELEASES)
        if (isAbout(claim, release) && !isSaidToHold(claim, release))
          expect(judge.judge(claim, release).why, `${claim.id} in ${release}`).toMatch(/\.$/);
  });

  it.each(RELEASES)('hold in %s where they say so, and nowhere else', (release) => {
    const about = claims.filter((claim) => isAbout(claim, release));
    const wrong = judge
      .judgeAll(about, release)
      .filter(({ claim, holds, problem }) => problem !== undefined || holds !== isSaidToHold(claim, release))
      .map(({ claim, problem, evidence }) => [claim.id, problem, evidence.at(-1)]);
    expect(wrong).toEqual([]);
  });

  it('show evidence that fits in a hover', () => {
    for (const claim of claims) {
      if (!isAbout(claim, '6.12')) continue;
      const { evidence } = judge.judge(claim, '6.12');
      expect(evidence.length, claim.id).toBeGreaterThan(0);
      expect(evidence.length, claim.id).toBeLessThan(20);
      for (const { line, output } of evidence) {
        expect(line.length, `${claim.id}: ${line}`).toBeLessThan(140);
        expect(output.split('\n').length, `${claim.id}: ${line}`).toBeLessThan(16);
      }
    }
  });
});

describe.skipIf(texts.length === 0).each(texts)('in the text of $release', ({ release, source, document }) => {
  const placed = placeClaims(claims, 'memory-model', release, document, source);
  const plain = (start: number, end: number): string => source.slice(start, end).replace(/\s+/g, ' ');

  it('every claim has one sentence, which has its words and no other sentence has', () => {
    for (const { claim, place } of placed) {
      expect(place.kind, claim.id).toBe('sentence');
      const { words, section } = claim.anchor;
      for (const word of words)
        expect(plain(place.span.start, place.span.end).toLowerCase()).toContain(word.toLowerCase());
      expect(place.section?.title, claim.id).toBe(section);
      const again = placeClaims(
        [{ ...claim, anchor: { ...claim.anchor, ordinal: (claim.anchor.ordinal ?? 1) + 1 } }],
        'memory-model',
        release,
        document,
        source,
      );
      expect(again, `${claim.id} has a second place`).toEqual([]);
    }
    console.log(`memory-model.rst of ${release}: ${placed.length} of ${claims.length} claims`);
  });

  it('nearly every sentence that can be checked is', () => {
    const { sentences, covered, checkable } = coverageOf(document, source, placed);
    expect(sentences.length - covered).toBeLessThanOrEqual(6);
    expect(checkable - covered).toBeLessThanOrEqual(3);
    expect(covered).toBe(sentences.filter(({ claims: about }) => about.length > 0).length);
    console.log(`memory-model.rst of ${release}: ${covered} of ${sentences.length} sentences, ${checkable} checkable`);
  });

  it('what does not hold is a finding at its sentence', (context) => {
    const wrong = WRONG[release];
    if (wrong === undefined) return context.skip(`nobody has listed what is wrong in ${release}`);
    const findings = placed.flatMap((each) => claimFinding(each, judge.judge(each.claim, release)) ?? []);
    expect(findings.map(({ code, since }) => [code.slice('claim/'.length), since].join(' ').trim()).sort()).toEqual(
      wrong,
    );
    for (const finding of findings) expect(finding.message).toMatch(/^Not so( since \d\.\d+)?: .*\. .*\.$/);
  });
});

describe('a claim in a text of another release', () => {
  const has = (release: Release, id: string): boolean =>
    claims.some((claim) => claim.id === id && isAbout(claim, release));
  it('can be judged in releases that changed what it says', () => {
    const claim = claims.find(({ id }) => id === 'MM-nodes');
    if (claim === undefined) throw new Error('no such claim');
    expect(judge.judge(claim, '5.13')).toMatchObject({ holds: true });
    expect(judge.judge(claim, '6.12')).toMatchObject({ holds: false, since: '5.14' });
  });
  it('is not asked of releases it says nothing of', () => {
    expect([has('5.2', 'S000-3'), has('5.3', 'S000-3')]).toEqual([false, true]);
  });
});
