/** Loading claims, and judging them: what could go wrong makes no verdict. */
import { describe, expect, it } from 'vitest';
import { type Claim, claimFinding, linesOf, loadClaims, placeClaims } from '../../extension/docs/claims.ts';
import { coverageOf } from '../../extension/docs/coverage.ts';
import { parseRst } from '../../extension/docs/rst.ts';
import { Judge } from '../../extension/session/claims.ts';

const ANCHOR = { document: 'memory-model', section: '', words: ['pages'] } as const;
const claim = (more: Partial<Claim>): Claim => ({
  id: 'one',
  anchor: ANCHOR,
  says: 'One is one.',
  expect: [{ line: '1', is: '1' }],
  ...more,
});
const judge = new Judge();
let next = 0;
const hear = (more: Partial<Claim>, release: '5.2' | '6.12' = '6.12') =>
  judge.judge(claim({ ...more, id: `c${next++}` }), release);

describe('loading', () => {
  it('puts the lines of setups before those of a claim, in order, and takes their machine', () => {
    const { claims, problems } = loadClaims([
      claim({ given: 'b', run: ['three'] }),
      { setup: 'b', given: 'a', lines: ['two', { '5.2': 'only in 5.2' }] },
      { setup: 'a', machine: 'laptop-16g', lines: ['one'] },
    ]);
    expect(problems).toEqual([]);
    expect(claims[0]?.machine).toBe('laptop-16g');
    expect(claims.map((each) => linesOf(each, '6.12'))).toEqual([['one', 'two', 'three']]);
    expect(claims.map((each) => linesOf(each, '5.2'))).toEqual([['one', 'two', 'only in 5.2', 'three']]);
  });

  it('leaves out what is wrong, names it, and keeps the rest', () => {
    const { claims, problems } = loadClaims([
      claim({ id: 'good' }),
      claim({ id: 'good' }),
      claim({ id: 'lost', given: 'nothing' }),
      claim({ id: 'circle', given: 'x' }),
      { setup: 'x', given: 'y', lines: ['1'] },
      { setup: 'y', given: 'x', lines: ['1'] },
      { setup: 'empty', lines: [] },
      { ...claim({ id: 'two-tests' }), expect: [{ line: '1', is: '1', has: '1' }] },
      claim({ id: 'span', release: '9.9..' }),
      claim({ id: 'says', holds: ['yesterday'] }),
      7,
      null,
    ]);
    expect(claims.map(({ id }) => id)).toEqual(['good']);
    expect(problems.map((problem) => problem.split(':')[0]).sort()).toEqual([
      'a claim without an id',
      'a claim without an id',
      'circle',
      'good',
      'lost',
      'says',
      'span',
      'the setup empty',
      'two-tests',
    ]);
    expect(loadClaims('claims').problems).toEqual(['claims: not a list']);
  });
});

describe('judging', () => {
  it('says what was wanted where a claim does not hold, and since which release of those it names', () => {
    const verdict = hear({
      run: ['x = 2'],
      expect: [{ line: 'x', is: '1' }],
      holds: ['4.3..5.9', '5.11..5.17'],
      why: { '5.18..': 'Two is not one.', '4.3..5.17': 'Never.' },
    });
    expect(verdict).toMatchObject({ holds: false, since: '5.18', why: 'Two is not one.' });
    expect(verdict.evidence).toEqual([
      { line: 'x = 2', output: '2' },
      { line: 'x', output: '2', wanted: '1' },
    ]);
  });

  it('takes a line that breaks off for no proof of what it does not print', () => {
    for (const test of [{ lacks: 'PRESENT' }, { isNot: '0' }, { differsFrom: '1' }]) {
      expect(hear({ expect: [{ line: 'explain pte nobody 0x1000', ...test }] })).toMatchObject({ holds: false });
      expect(hear({ expect: [{ line: '2', ...test }] })).toMatchObject({ holds: true });
    }
  });

  it('knows its tests', () => {
    const holds = (expectation: Claim['expect'][number]): boolean => hear({ expect: [expectation] }).holds;
    expect(holds({ line: 'echo abc', has: 'b' })).toBe(true);
    expect(holds({ line: 'echo abc', has: 'd' })).toBe(false);
    expect(holds({ line: 'echo abc', lacks: 'b' })).toBe(false);
    expect(holds({ line: 'echo abc', isNot: 'abc' })).toBe(false);
    expect(holds({ line: 'cat /proc/none', fails: 'ENOENT' })).toBe(true);
    expect(holds({ line: 'cat /proc/none', fails: '' })).toBe(false);
    expect(holds({ line: '1 + 1', sameAs: '2' })).toBe(true);
    expect(holds({ line: '1 + 1', differsFrom: '2' })).toBe(false);
  });

  it('leaves out an expectation that is about other releases; with none left there is no verdict', () => {
    const expectation = { line: '1', is: { '4.3..5.2': '2' } };
    expect(hear({ expect: [expectation, { line: '1', is: '1' }] }).holds).toBe(true);
    expect(hear({ expect: [expectation] }, '5.2')).toMatchObject({ holds: false });
    expect(hear({ expect: [expectation] }).problem).toBe('It expects nothing of 6.12.');
  });

  it.each([
    ['a machine that is not there', { machine: 'toaster' }, /no machine toaster/],
    ['an option that is not there', { config: { turbo: true } }, /no option turbo/],
    ['a setup that fails', { setup: ['no_such_function()'] }, /does not work: no_such_function/],
    ['a setup that gives an error', { setup: ['cat /proc/none'] }, /does not work: cat/],
    ['a release it is not about', { release: '4.3..5.2' }, /nothing of 6\.12/],
    ['a line without an end', { run: ['while (1) x = 1'] }, /no end: while/],
    [
      'a line that nests too deeply',
      { run: [`${'('.repeat(9000)}1`], expect: [{ line: 'while (1) ;', is: '1' }] },
      /no end/,
    ],
  ] as const)('%s makes no verdict, and no finding', (_name, more, problem) => {
    const verdict = hear(more);
    expect(verdict.holds).toBe(false);
    expect(verdict.problem).toMatch(problem);
    const place = { span: { start: 0, end: 1 }, kind: 'sentence' } as const;
    expect(claimFinding({ claim: verdict.claim, place }, verdict)).toBeUndefined();
    // Whoever comes next is judged as ever.
    expect(hear({ run: ['x = 1'], expect: [{ line: 'x', is: '1' }] }).holds).toBe(true);
  });

  it('nothing of one claim is there for the next, whatever they share', () => {
    const setup = ['p = proc new app', 'a = proc mmap p 4'];
    const writes = claim({
      id: 'w',
      setup,
      run: ['proc write p a 4'],
      expect: [{ line: 'grep VmRSS /proc/$p/status', has: '16 kB' }],
    });
    const looks = claim({ id: 'l', setup, expect: [{ line: 'grep VmRSS /proc/$p/status', has: ' 0 kB' }] });
    const other = claim({ id: 'o', expect: [{ line: 'ls /proc/100', fails: 'ENOENT' }] });
    const own = new Judge();
    const verdicts = own.judgeAll([writes, looks, other, { ...writes, id: 'again' }], '6.12');
    expect(verdicts.map(({ holds, evidence }) => [holds, evidence.at(-1)])).toEqual(
      verdicts.map(({ evidence }) => [true, evidence.at(-1)]),
    );
    expect(verdicts.map((verdict) => verdict.claim.id)).toEqual(['w', 'l', 'o', 'again']);
    expect(own.judge(looks, '6.12')).toBe(verdicts[1]);
  });

  it('a task that waits is told, and is gone for the next claim', () => {
    const setup = [
      'dev = root_device_register("d")',
      'struct dev_pagemap m',
      'm.type = MEMORY_DEVICE_GENERIC',
      'm.range.start = 0xf000000000; m.range.end = 0xf007ffffff; m.nr_range = 1',
      'devm_memremap_pages(dev, &m)',
    ];
    const waits = hear({
      setup,
      run: ['h = get_dev_pagemap(0xf000000, NULL)'],
      expect: [{ line: 'root_device_unregister(dev)', has: 'waits for' }],
    });
    expect(waits.holds).toBe(true);
    expect(hear({ setup, expect: [{ line: 'pfn_valid(0xf000000)', is: '1' }] }).holds).toBe(true);
    expect(hear({ expect: [{ line: 'pfn_valid(0xf000000)', is: '0' }] }).holds).toBe(true);
  });
});

describe('coverage', () => {
  const source = 'Title\n=====\n\nAll pages have `struct page`. This is prose. See pfn_valid() too.\n';
  const document = parseRst(source);
  it('counts sentences, those that can be checked, and those that are', () => {
    const placed = placeClaims([claim({})], 'memory-model', '6.12', document, source);
    const { sentences, covered, checkable } = coverageOf(document, source, placed);
    expect(sentences.map(({ isCheckable, claims }) => [isCheckable, claims])).toEqual([
      [true, ['one']],
      [false, []],
      [true, []],
    ]);
    expect([covered, checkable]).toEqual([1, 2]);
    expect(sentences[0]?.section?.title).toBe('Title');
  });
});
