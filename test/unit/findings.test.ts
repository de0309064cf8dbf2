import { describe, expect, test } from 'vitest';
import type { DocFinding } from '../../extension/docs/check/types.ts';
import { claimScene, linesToShow } from '../../extension/docs/claimScene.ts';
import type { Claim, ClaimVerdict } from '../../extension/docs/claims.ts';
import { kernelTreeOf, releaseInMakefile, releaseOfPlace } from '../../extension/docs/kernelTree.ts';
import { claimText, evidenceText, verdictWords } from '../../extension/language/claimText.ts';
import {
  claimFindingIn,
  claimsAt,
  type DocumentFindings,
  driftOf,
  failedClaimFrom,
  isDisabled,
  type JudgedClaim,
  shownFindings,
  tallyOf,
} from '../../extension/language/findingTypes.ts';

const source = `Pages of a device

A page of a device is counted as any other, and
   its count never falls below one while it
   is mapped. A second sentence says nothing.
`;
const start = source.indexOf('A page');
const end = source.indexOf(' A second');

const claim = (id: string, words: readonly string[] = ['never falls below one']): Claim => ({
  id,
  anchor: { document: 'hmm', section: '', words },
  says: 'The count never falls below one.',
  expect: [{ line: 'atomic_read(&page->_refcount)', is: '1' }],
  why: 'It rests at zero.',
});
function judged(one: Claim, more: Partial<ClaimVerdict> | undefined, span = { start, end }): JudgedClaim {
  const place = { kind: 'sentence' as const, span };
  if (more === undefined) return { claim: one, place };
  return { claim: one, place, verdict: { claim: one, release: '6.12', holds: false, evidence: [], ...more } };
}
const finding = (code: string, at: number): DocFinding => ({
  code,
  severity: 'error',
  start: at,
  end: at + 3,
  message: code,
});
const known = (findings: readonly DocFinding[], claims: readonly JudgedClaim[] = []): DocumentFindings => ({
  release: '6.12',
  findings,
  claims,
  isPending: false,
});
const on = { findings: true, claims: true, disabled: [] };

describe('what is shown of what was found', () => {
  const all = known([finding('gone-name', 80), finding('leak', 5)], [judged(claim('refcount'), { holds: false })]);
  const codes = (filter: Parameters<typeof shownFindings>[1]) =>
    shownFindings(all, filter, source).map(({ code }) => code);

  test('findings and failed claims stand in the order of the text', () => {
    expect(codes(on)).toEqual(['leak', 'gone-name', 'claim/refcount']);
  });
  test('each kind, and each code, can be switched off', () => {
    expect(codes({ ...on, claims: false })).toEqual(['leak', 'gone-name']);
    expect(codes({ ...on, findings: false })).toEqual(['claim/refcount']);
    expect(codes({ ...on, disabled: ['leak', 'claim/*'] })).toEqual(['gone-name']);
    expect(isDisabled('gone-name', ['gone'])).toBe(false);
    expect(isDisabled('gone-name', ['*'])).toBe(true);
  });
  test('a claim that holds, waits for its verdict or cannot be judged is no finding', () => {
    for (const one of [{ holds: true }, undefined, { holds: false, problem: 'no such machine' }])
      expect(shownFindings(known([], [judged(claim('a'), one)]), on, source)).toEqual([]);
  });

  test('a failed claim is marked at its key words, not along its whole sentence', () => {
    const found = claimFindingIn(source, judged(claim('a'), {}));
    expect(source.slice(found?.start, found?.end)).toBe('never falls below one');
  });
  test('key words that are far apart, or on different lines: the longest of them', () => {
    const found = claimFindingIn(source, judged(claim('a', ['page', 'its count', 'mapped']), {}));
    expect(source.slice(found?.start, found?.end)).toBe('its count');
  });
  test('a sentence without its key words is marked as a whole', () => {
    const found = claimFindingIn(source, judged(claim('a', ['nothing of the kind']), {}));
    expect([found?.start, found?.end]).toEqual([start, end]);
  });

  test('what a rule says at the name is not said again by the claim that the name is there', () => {
    const at = source.indexOf('count');
    const named = { ...finding('gone-name', at), end: at + 'count'.length };
    const failed = 'help count';
    const all = known([named], [judged(claim('a'), { failed })]);
    expect(shownFindings(all, on, source).map(({ code }) => code)).toEqual(['gone-name']);
    expect(shownFindings(all, { ...on, findings: false }, source).map(({ code }) => code)).toEqual(['claim/a']);
    expect(shownFindings(all, { ...on, disabled: ['gone-name'] }, source).map(({ code }) => code)).toEqual(['claim/a']);
    const other = known([{ ...named, code: 'leak' }], [judged(claim('a'), { failed })]);
    expect(shownFindings(other, on, source)).toHaveLength(2);
  });

  test('a comparison shows only what the text does not have already', () => {
    const own = [finding('leak', 5)];
    expect(driftOf([finding('leak', 5), finding('leak', 50), finding('gone-name', 5)], own)).toEqual([
      finding('leak', 50),
      finding('gone-name', 5),
    ]);
  });
});

describe('going about claims', () => {
  const claims = [
    judged(claim('c'), {}, { start: 40, end: 50 }),
    judged(claim('a'), {}, { start: 10, end: 60 }),
    judged(claim('b'), { holds: true }, { start: 20, end: 30 }),
    judged(claim('d'), { problem: 'no machine' }, { start: 70, end: 80 }),
  ];
  const idOf = (one: JudgedClaim | undefined) => one?.claim.id;

  test('next and previous go to failed ones only, and around the ends of the text', () => {
    expect(idOf(failedClaimFrom(claims, 0, 'next'))).toBe('a');
    expect(idOf(failedClaimFrom(claims, 10, 'next'))).toBe('c');
    expect(idOf(failedClaimFrom(claims, 40, 'next'))).toBe('a');
    expect(idOf(failedClaimFrom(claims, 90, 'previous'))).toBe('c');
    expect(idOf(failedClaimFrom(claims, 5, 'previous'))).toBe('c');
    expect(failedClaimFrom([], 5, 'next')).toBeUndefined();
  });
  test('of sentences within each other the smaller comes first', () => {
    expect(claimsAt(claims, 45).map(({ claim: { id } }) => id)).toEqual(['c', 'a']);
  });
  test('what could not be judged counts neither way', () => {
    expect(tallyOf(claims)).toEqual({ holding: 1, failing: 2, unjudged: 1 });
  });
});

describe('a claim in words', () => {
  const one = claim('a');
  const verdict: ClaimVerdict = {
    claim: one,
    release: '6.12',
    holds: false,
    since: '6.1',
    why: 'It rests at *zero*.',
    evidence: [{ line: 'page', output: '`0`', wanted: '1' }],
  };
  test('says since when, in which release, why, and shows the lines', () => {
    expect(verdictWords(verdict)).toBe('No longer holds since Linux 6.1 (checked in 6.12)');
    expect(verdictWords(verdict, { isShort: true })).toBe('No longer holds since Linux 6.1');
    const text = claimText(one, verdict);
    expect(text).toContain('It rests at \\*zero\\*.');
    expect(text).toContain('# page\n`0`\n(the text wants: 1)');
  });
  test('beside the problem that says it already there is only the evidence', () => {
    const text = claimText(one, verdict, { isBesideProblem: true });
    expect(text).not.toContain('The count never falls');
    expect(text).not.toContain('rests at');
    expect(text).toContain('# page');
  });
  test('a hover stays short whatever a line prints', () => {
    const output = Array.from({ length: 500 }, (_, line) => `${line} ${'x'.repeat(500)}`).join('\n');
    const evidence = Array.from({ length: 100 }, () => ({ line: 'cat /proc/zoneinfo', output }));
    const text = evidenceText({ ...verdict, evidence }, true);
    expect(text.split('\n').length).toBeLessThan(130);
    expect(text.length).toBeLessThan(20_000);
    expect(evidenceText({ ...verdict, evidence }, false).split('\n').length).toBeGreaterThan(50_000);
  });
  test('what a line prints cannot end the block it is shown in', () => {
    const text = claimText(one, { ...verdict, evidence: [{ line: 'x', output: '```\n[a](command:b)' }] });
    expect(text).toMatch(/^````text$/m);
    expect(text).toMatch(/^````$/m);
  });
});

describe('a claim as something to run', () => {
  const one: Claim = {
    ...claim('Ref-Count'),
    setup: ['a'],
    run: ['b', { '6.13..': 'later' }],
    expect: [
      { line: 'c', is: '1' },
      { line: 'c', sameAs: 'd' },
      { line: 'e', is: { '6.13..': '2' } },
    ],
  };
  test('the lines of its release are run, and those that show it are looked at once', () => {
    expect(claimScene(one, '6.12', 'qemu-2g')).toMatchObject({
      id: 'claim-ref-count',
      machine: 'qemu-2g',
      run: ['a', 'b'],
    });
    expect(linesToShow(one, '6.12')).toEqual(['c', 'd']);
    expect(linesToShow(one, '6.13')).toEqual(['c', 'd', 'e']);
  });
});

describe('the tree a document lies in', () => {
  const files = (texts: Readonly<Record<string, string>>) => ({
    exists: (path: string) => Promise.resolve(path in texts),
    list: () => Promise.resolve([]),
    read: (path: string) => Promise.resolve(new TextEncoder().encode(texts[path])),
  });
  const makefile = '# SPDX-License-Identifier: GPL-2.0\nVERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 0\n';
  test('says its release in its Makefile', async () => {
    const tree = await kernelTreeOf(
      files({ '/src/Makefile': makefile, '/src/Documentation/index.rst.gz': '' }),
      '/src/Documentation/mm/hmm.rst',
    );
    expect(tree).toEqual({ root: '/src', release: '6.12', hasAllDocuments: true });
  });
  test('without a Makefile it has no release, and without an index nobody knows which documents it has', async () => {
    expect(await kernelTreeOf(files({}), '/src/Documentation/vm/hmm.txt')).toEqual({
      root: '/src',
      hasAllDocuments: false,
    });
    expect(await kernelTreeOf(files({}), '/home/me/hmm.rst')).toBeUndefined();
  });
  test('begins where a folder is called Documentation and nothing else, with either separator, or here', async () => {
    const here = files({ './Makefile': makefile });
    expect(await kernelTreeOf(here, 'Documentation/mm/hmm.rst')).toMatchObject({ root: '.', release: '6.12' });
    expect(await kernelTreeOf(files({}), 'C:\\src\\Documentation\\mm\\hmm.rst')).toMatchObject({ root: 'C:\\src' });
    expect(await kernelTreeOf(files({}), '/Documentation/mm/hmm.rst')).toMatchObject({ root: '' });
    expect(await kernelTreeOf(files({}), '/src/MyDocumentation/mm/hmm.rst')).toBeUndefined();
  });
  test('a folder named after a release counts only for a text that the release has', async () => {
    const tree = await kernelTreeOf(files({ '/src/Makefile': makefile }), '/src/Documentation/mm/hmm.rst');
    expect(releaseOfPlace(tree, '/src/Documentation/mm/hmm.rst', ['6.1'])).toBe('6.12');
    expect(releaseOfPlace(undefined, '/texts/5.9/hmm.rst', ['5.8', '5.9'])).toBe('5.9');
    expect(releaseOfPlace(undefined, '/work-6.12/old/hmm.rst', ['5.8', '5.9'])).toBeUndefined();
  });
  test('a release nobody knows, or a Makefile of something else, is none', () => {
    expect(releaseInMakefile('VERSION = 99\nPATCHLEVEL = 1\n')).toBeUndefined();
    expect(releaseInMakefile('all:\n\techo VERSION\n')).toBeUndefined();
  });
});
