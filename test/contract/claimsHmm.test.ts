/** Claims of hmm.txt and hmm.rst: the engine agrees with what they say of themselves, and each has its place. */
import { describe, expect, it } from 'vitest';
import { claimFinding, isAbout, isSaidToHold, linesOf, placeClaims } from '../../extension/docs/claims.ts';
import { coverageOf } from '../../extension/docs/coverage.ts';
import { Judge } from '../../extension/session/claims.ts';
import { RELEASES, type Release } from '../../sim/index.ts';
import { claimsOn, kernelTexts } from '../support/kernelTexts.ts';

const claims = claimsOn('hmm');
const texts = await kernelTexts('hmm');
const judge = new Judge();

/** What is wrong with the text of a release by its own kernel, and since when. */
const WRONG: Readonly<Record<string, readonly string[]>> = {
  '4.14': ['hmm-old-locked-variant'],
  '4.17': ['hmm-old-locked-variant'],
  '4.18': ['hmm-old-locked-variant'],
  '4.20': ['hmm-old-locked-variant'],
  '5.2': ['hmm-old-fault-all', 'hmm-old-locked-variant'],
  '5.3': ['hmm-old-fault-all'],
  '5.4': ['hmm-old-fault-all', 'hmm-both-functions 5.4'],
  '5.6': ['hmm-both-functions 5.4'],
  '5.7': ['hmm-both-functions 5.4'],
  '5.8': ['hmm-both-functions 5.4'],
  '5.10': ['B23', 'B24', 'hmm-both-functions 5.4'],
  '5.14': ['B23', 'B24', 'hmm-both-functions 5.4'],
  '6.1': ['B18 6.0', 'B22 6.0', 'B22-pin 6.0', 'B23', 'B24', 'hmm-both-functions 5.4'],
  '6.3': ['B18 6.0', 'B22 6.0', 'B22-pin 6.0', 'B23', 'B24', 'hmm-both-functions 5.4'],
  '6.6': ['B18 6.0', 'B22 6.0', 'B22-pin 6.0', 'B23', 'B24'],
  '6.12': ['B18 6.0', 'B22 6.0', 'B22-pin 6.0', 'B23', 'B24'],
  '6.17': ['B18 6.0', 'B22 6.0', 'B22-pin 6.0', 'B23', 'B24', 'hmm-exclusive-range 6.15'],
  '7.3': ['B18 6.0', 'B22 6.0', 'B22-pin 6.0', 'B23', 'B24', 'hmm-exclusive-range 6.15'],
};

describe('the claims of hmm.rst', () => {
  it('are at least seventy-five, and say why wherever they fail', () => {
    expect(claims.length).toBeGreaterThanOrEqual(75);
    for (const claim of claims)
      for (const release of RELEASES)
        if (isAbout(claim, release) && !isSaidToHold(claim, release))
          expect(judge.judge(claim, release).why, `${claim.id} in ${release}`).toMatch(/\.$/);
  });

  it.each(RELEASES.slice(RELEASES.indexOf('4.14')))('hold in %s where they say so, and nowhere else', (release) => {
    const about = claims.filter((claim) => isAbout(claim, release));
    const wrong = judge
      .judgeAll(about, release)
      .filter(({ claim, holds, problem }) => problem !== undefined || holds !== isSaidToHold(claim, release))
      .map(({ claim, problem, evidence }) => [claim.id, problem, evidence.at(-1)]);
    expect(wrong).toEqual([]);
  });

  it('are judged the same alone, after others and again', () => {
    const about = claims.filter((claim) => isAbout(claim, '6.12'));
    const together = judge.judgeAll(about, '6.12');
    const backwards = new Judge();
    for (const [index, claim] of [...about.entries()].reverse())
      expect(backwards.judge(claim, '6.12').evidence, claim.id).toEqual(together[index]?.evidence);
  });

  it('need the kernel: where the text fails, another device or a later text is what makes the difference', () => {
    const holds = (id: string, release: Release): boolean => {
      const claim = claims.find((each) => each.id === id);
      if (claim === undefined) throw new Error(`no claim ${id}`);
      return judge.judge(claim, release).holds;
    };
    for (const id of ['B18', 'B22', 'B22-pin'])
      expect([holds(id, '5.19'), holds(id, '6.0')], id).toEqual([true, false]);
    // hmm_range_fault() knows the zero page from 5.5 on; the claim of newer texts is another one.
    expect([holds('hmm-old-fault-all', '5.4'), holds('hmm-fault-all', '5.8')]).toEqual([false, true]);
  });

  it('show evidence that fits in a hover', () => {
    for (const claim of claims)
      for (const release of ['4.14', '5.3', '6.12', '7.3'] as const) {
        if (!isAbout(claim, release)) continue;
        const { evidence } = judge.judge(claim, release);
        expect(evidence.length, claim.id).toBeGreaterThan(0);
        expect(linesOf(claim, release).length, claim.id).toBeLessThan(32);
        for (const { line, output } of evidence) {
          expect(line.length, `${claim.id}: ${line}`).toBeLessThan(600);
          expect(output.split('\n').length, `${claim.id}: ${line}`).toBeLessThan(6);
        }
      }
  });
});

describe.skipIf(texts.length === 0).each(texts)('in the text of $release', ({ release, source, document }) => {
  const placed = placeClaims(claims, 'hmm', release, document, source);
  const plain = (start: number, end: number): string => source.slice(start, end).replace(/\s+/g, ' ').toLowerCase();

  it('no claim about the release is lost, and each has one place', () => {
    const about = claims.filter((claim) => isAbout(claim, release));
    expect(about.filter((claim) => !placed.some((each) => each.claim === claim)).map(({ id }) => id)).toEqual([]);
    for (const { claim, place } of placed) {
      expect(['sentence', 'block'], claim.id).toContain(place.kind);
      const anchors = [claim.anchor, ...(claim.also ?? [])];
      const text = plain(place.span.start, place.span.end);
      const meant = anchors.find(({ words }) => words.every((word) => text.includes(word.toLowerCase())));
      expect(meant, claim.id).toBeDefined();
      const again = anchors.map((anchor) => ({ ...anchor, ordinal: (anchor.ordinal ?? 1) + 1 }));
      const [anchor, ...also] = again;
      if (anchor) {
        const twice = placeClaims([{ ...claim, anchor, also }], 'hmm', release, document, source);
        expect(
          twice.map(({ place: other }) => plain(other.span.start, other.span.end)),
          claim.id,
        ).toEqual([]);
      }
    }
    console.log(`hmm of ${release}: ${placed.length} of ${claims.length} claims`);
  });

  it('most sentences that name something of the kernel are checked', () => {
    const { sentences, covered, checkable } = coverageOf(document, source, placed);
    expect(covered / checkable).toBeGreaterThan(0.8);
    console.log(`hmm of ${release}: ${covered} of ${sentences.length} sentences, ${checkable} checkable`);
  });

  it('what does not hold is a finding at its sentence', (context) => {
    const wrong = WRONG[release];
    if (wrong === undefined) return context.skip(`nobody has listed what is wrong in ${release}`);
    const findings = placed.flatMap((each) => claimFinding(each, judge.judge(each.claim, release)) ?? []);
    expect(findings.map(({ code, since }) => [code.slice('claim/'.length), since].join(' ').trim()).sort()).toEqual(
      [...wrong].sort(),
    );
    for (const finding of findings) expect(finding.message).toMatch(/^Not so( since \d\.\d+)?: .*\. .*\.$/);
  });
});
