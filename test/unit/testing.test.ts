import { describe, expect, test } from 'vitest';
import { loadClaims } from '../../extension/docs/claims.ts';
import { parseRst } from '../../extension/docs/rst.ts';
import { loadScenes } from '../../extension/docs/scenes.ts';
import { type Trial, type Tried, tryExample } from '../../extension/session/trial.ts';
import { LineMap } from '../../extension/testing/lines.ts';
import { outlineOf, type TestEntry } from '../../extension/testing/outline.ts';
import { claimResult, trialResult } from '../../extension/testing/results.ts';
import { allScenes } from '../support/sessions.ts';

const source = `Pages
=====

Every page frame has a number. The number never changes.

::

    unsigned long pfn = page_to_pfn(pfn_to_page(0x12345));

Steps
-----

1. First the driver looks.

2. Then it looks again.
`;
const document = parseRst(source);
const claims = loadClaims([
  {
    id: 'number',
    anchor: { document: 'hmm', section: 'Pages', words: ['never changes'] },
    says: 'A page frame keeps its number.',
    expect: [{ line: 'page_to_pfn(pfn_to_page(0x12345))', is: '74565 (0x12345)' }],
  },
  {
    id: 'elsewhere',
    anchor: { document: 'memory-model', section: '', words: ['never changes'] },
    says: 'It is said in another document.',
    expect: [{ line: 'x', is: '1' }],
  },
]).claims;
const step = (words: string, line: string, is: string) => ({
  anchor: { words: [words] },
  title: `Look ${words}`,
  run: [line],
  shows: `what ${words} shows`,
  expect: [{ line, is }],
});
const loaded = loadScenes([
  {
    id: 'looking',
    release: '4.14..',
    machine: 'qemu-2g',
    anchor: { document: 'hmm', section: 'Steps', words: [] },
    title: 'Looking twice',
    teaches: 'How to look.',
    steps: [
      step('First', 'page_to_pfn(pfn_to_page(0x12345))', '74565 (0x12345)'),
      step('again', 'page_to_pfn(pfn_to_page(0x12346))', 'something else'),
    ],
    variants: [{ id: 'run', title: 'Run' }],
  },
]);
const outline = outlineOf({
  document,
  source,
  kind: 'hmm',
  release: '6.12',
  releases: ['6.12'],
  claims,
  scenes: loaded.scenes,
});

let skew = 0;
const clock = {
  now: () => performance.now() + skew,
  breathe: () => new Promise<void>((resolve) => setImmediate(resolve)),
};
const attempt = (tried: Tried, isCancelled = () => false): Promise<Trial> =>
  tryExample(tried, { clock, release: '6.12', isCancelled });
const scene = loaded.scenes.find(({ id }) => id === 'looking');
const sceneTried = (): Tried => {
  if (scene === undefined) throw new Error('the scene was not loaded');
  return { scene, uri: 'file:///hmm.rst' };
};
const cTried = (text: string, variant: object = {}): Tried => ({
  request: {
    scene: {
      id: 'c',
      release: '4.14..',
      anchor: { document: 'hmm', section: '', words: [] },
      title: 'C',
      teaches: 'C',
      variants: [{ id: 'run', title: 'Run', ...variant }],
    },
    variant: 'run',
    text,
    toDocument: (offset) => offset + 100,
    uri: 'file:///hmm.rst',
  },
});

describe('what of a document can be tested', () => {
  test('claims, examples and scenes stand under their sections, in the order of the text', () => {
    expect(outline.map(({ title }) => title)).toEqual(['Pages', 'Steps']);
    const rows = outline.flatMap(({ entries }) => entries.map(({ id }) => id));
    expect(rows).toEqual(['claim number', 'example block-1 as-written', 'scene looking']);
  });
  test('a scene in steps has a test for each, at its own sentence', () => {
    const steps = outline[1]?.entries[0]?.steps ?? [];
    expect(steps.map(({ span }: TestEntry) => source.slice(span.start, span.start + 8))).toEqual([
      'First th',
      'Then it ',
    ]);
  });
  test('ids are unique, also where two sections have the same title', () => {
    const twice = `${source}\nPages\n=====\n\nThe frame number never changes.\n`;
    const [one] = claims;
    const again = outlineOf({
      document: parseRst(twice),
      source: twice,
      kind: 'hmm',
      release: '6.12',
      releases: ['6.12'],
      claims:
        one === undefined
          ? []
          : [one, { ...one, id: 'frame', anchor: { ...one.anchor, section: '', words: ['The frame number'] } }],
      scenes: [],
    });
    const ids = again.map(({ id }) => id);
    expect(ids.length).toBe(2);
    expect(new Set(ids).size).toBe(2);
  });
  test('an empty text has nothing', () => {
    expect(
      outlineOf({
        document: parseRst(''),
        source: '',
        kind: 'hmm',
        release: '6.12',
        releases: [],
        claims,
        scenes: allScenes(),
      }),
    ).toEqual([]);
  });
  test('lines are counted as an editor counts them, whatever ends them', () => {
    const map = new LineMap('ab\r\nc\nd\re');
    expect([0, 3, 4, 6, 8, 99].map((offset) => map.at(offset))).toEqual([
      { line: 0, character: 0 },
      { line: 0, character: 3 },
      { line: 1, character: 0 },
      { line: 2, character: 0 },
      { line: 3, character: 0 },
      { line: 3, character: 1 },
    ]);
  });
});

describe('trying an example', () => {
  test('a block that runs to its end has passed', async () => {
    const trial = await attempt(cTried('unsigned long pfn = page_to_pfn(pfn_to_page(0x12345));'));
    expect(trialResult(trial)).toMatchObject({ kind: 'passed' });
  });
  test('a block that fails tells why, at its statement', async () => {
    const trial = await attempt(cTried('int ok = 1;\nint *p = 0;\n*p = 1;'));
    const result = trialResult(trial);
    expect(result.kind).toBe('failed');
    const [failure] = result.kind === 'failed' ? result.failures : [];
    expect(failure?.span?.start).toBe(100 + 'int ok = 1;\nint *p = 0;\n'.length);
    expect(failure?.message).not.toBe('');
  });
  test('one that fails as its scene says has passed; one that should fail and does not has failed', async () => {
    const bad = 'int *p = 0;\n*p = 1;';
    const why = (await attempt(cTried(bad))).state.why;
    expect(trialResult(await attempt(cTried(bad, { fails: why.slice(0, 10) }))).kind).toBe('passed');
    expect((await attempt(cTried('int a = 1;', { fails: 'never' }))).outcome).toBe('failed');
  });
  test('one without an end is stopped, and says so', async () => {
    const slow = {
      ...clock,
      breathe() {
        skew += 20_000;
        return clock.breathe();
      },
    };
    const trial = await tryExample(cTried('again:\ngoto again;'), {
      clock: slow,
      release: '6.12',
      isCancelled: () => false,
    });
    expect(trial.outcome).toBe('endless');
    expect(trialResult(trial)).toMatchObject({ kind: 'failed' });
  });
  test('one that is cancelled is skipped', async () => {
    const trial = await attempt(cTried('again:\ngoto again;'), () => true);
    expect(trialResult(trial).kind).toBe('skipped');
  });
  test('of a scene in steps each step has a result of its own, with what was wanted and what was found', async () => {
    const trial = await attempt(sceneTried());
    expect(trialResult(trial, 1).kind).toBe('passed');
    expect(trialResult(trial, 2)).toMatchObject({
      kind: 'failed',
      failures: [{ expected: 'something else', actual: '74566 (0x12346)' }],
    });
    expect(trialResult(trial).kind).toBe('failed');
  });
});

describe('the result of a claim', () => {
  const one = claims[0];
  if (one === undefined) throw new Error('the claim was not loaded');
  const verdict = { claim: one, release: '6.12', holds: false, evidence: [] } as const;
  test('a text that was wanted as a whole is laid beside the one there is', () => {
    const evidence = [{ line: 'x', output: '7', wanted: '74565 (0x12345)' }];
    expect(claimResult({ ...verdict, evidence })).toMatchObject({
      failures: [{ expected: '74565 (0x12345)', actual: '7' }],
    });
  });
  test('a part that was wanted is told in words', () => {
    const result = claimResult({ ...verdict, evidence: [{ line: 'x', output: '7', wanted: '… a part …' }] });
    expect(result).toMatchObject({ failures: [{ message: expect.stringContaining('wanted: … a part …') }] });
    expect(result).not.toMatchObject({ failures: [{ expected: expect.anything() }] });
  });
  test('what could not be judged is an error, not a failure', () => {
    expect(claimResult({ ...verdict, problem: 'no such machine' }).kind).toBe('errored');
    expect(claimResult({ ...verdict, holds: true }).kind).toBe('passed');
  });
});
