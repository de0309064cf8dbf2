/** The examples of a document: which blocks are C, of what kind, and what they run with. */
import { describe, expect, it } from 'vitest';
import { gapsOf, problemOfFilling } from '../../extension/docs/exampleHoles.ts';
import { examplesOf, placeExamples } from '../../extension/docs/examples.ts';
import { parseRst } from '../../extension/docs/rst.ts';
import type { Scene } from '../../extension/docs/scenes.ts';
import { holesOf } from '../../extension/language/holes.ts';
import { exampleText } from '../../extension/session/example.ts';
import { runBlock } from '../support/blockRuns.ts';
import { allScenes, DEVICE_MEMORY, newSession } from '../support/sessions.ts';

const block = (code: string): string => `Title\n=====\n\nThis is it::\n\n${code.replace(/^(?=.)/gm, '    ')}\n`;
const of = (source: string, scenes: readonly Scene[] = []) =>
  examplesOf(parseRst(source), source, 'hmm', ['6.12'], scenes);
const only = (code: string) => {
  const [example] = of(block(code));
  if (!example) throw new Error('no example');
  return example;
};
const kindOf = (code: string): string | undefined => of(block(code))[0]?.kind;

describe('a literal block', () => {
  it.each([
    ['int f(int a);\nlong g(struct page *page,\n       unsigned long n);', 'prototypes'],
    ['int f(...)\n{\n\treturn 0;\n}', 'function'],
    ['struct ops {\n\tvoid (*done)(int);\n};', 'struct'],
    ['range->start = 1;\nrange->flags[2] = (1 << 3);', 'assignments'],
    ['struct page *page;\n\npage = alloc_page(GFP_KERNEL);\nput_page(page);', 'fragment'],
    ['if (x)\n\ty();', 'fragment'],
  ])('of C is an example: %#', (code, kind) => {
    expect(kindOf(code)).toBe(kind);
  });

  it('is C without its semicolons, where all it does is set something', () => {
    expect(kindOf('range->default_flags = (1 << 63)\nrange->pfn_flags_mask = 0')).toBe('assignments');
  });

  it.each([
    'VALID (1 << 63)\nWRITE (1 << 62)',
    '+-----+      +-----+\n| CPU | ---> | GPU |\n+-----+      +-----+',
    '# echo online > /sys/devices/system/memory/memory40/state\n$ cat /proc/zoneinfo',
    'Some words of prose, and more of them\nover two lines',
  ])('of anything else is none: %#', (text) => {
    expect(of(block(text))).toEqual([]);
  });

  it('of another language is none, whatever it looks like', () => {
    const source = 'Title\n=====\n\n.. code-block:: sh\n\n    x=1;\n\n.. code-block:: c\n\n    x = 1;\n';
    expect(of(source).map(({ text }) => text)).toEqual(['x = 1;']);
  });

  it('that is broken is an example all the same, and says where', async () => {
    const { state } = await runBlock(only('x = (1;\ny = 2;'), { id: 'as-written', title: '' }, '6.12');
    expect(['done', 'failed']).toContain(state.status);
  });

  it('of random bytes, of ten thousand parentheses or of a megabyte is bounded', () => {
    const noise = Array.from({ length: 4000 }, (_, i) => String.fromCharCode(33 + ((i * 7919) % 90))).join('');
    expect(() => of(block(noise))).not.toThrow();
    expect(() => of(block(`x = ${'('.repeat(10_000)};`))).not.toThrow();
    expect(of(block(`x = 1; ${'y'.repeat(1 << 20)};`))).toEqual([]);
  });
});

describe('a block without a scene of ours', () => {
  it('keeps its id when another is edited, and runs on the machine that is there', async () => {
    const source = `${block('x = 1;')}\nMore::\n\n    pr_info("two");\n`;
    const [, second] = of(source);
    expect(second?.id).toBe('block-2');
    expect(of(source.replace('x = 1;', 'x = 2;\n    y = 3;'))[1]?.id).toBe('block-2');
    if (!second) return;
    const { session } = newSession();
    const { state } = await runBlock(second, { id: 'as-written', title: '' }, '6.12', session);
    expect(state.status).toBe('done');
    expect((await session.runLine('dmesg')).output).toContain('two');
  });

  it('is asked for its arguments, each with its declaration; none has to be given', async () => {
    const example = only('struct page *pfn_to_page(unsigned long pfn);');
    expect(holesOf(example.text, example.scene.holes ?? {})).toEqual([
      {
        key: 'argument 1 of pfn_to_page',
        value: '',
        declared: 'unsigned long pfn',
        span: expect.anything(),
      },
    ]);
    const { session } = newSession();
    const request = { scene: example.scene, variant: 'as-written', text: example.text, uri: 'file:///hmm.rst' };
    const toDocument = example.toSource;
    const given = await session.runExample({
      ...request,
      toDocument,
      holes: { 'argument 1 of pfn_to_page': '0x1000' },
    });
    expect(given.status).toBe('done');
    expect((await session.runLine('page_to_pfn(result) == 0x1000')).value).toBe('1');
  });

  it('is placed with the scenes, and one that runs lines of its own leaves its block to it', () => {
    const document = parseRst(DEVICE_MEMORY);
    const ids = (scenes: readonly Scene[]) =>
      placeExamples(scenes, 'hmm', ['6.12'], document, DEVICE_MEMORY).map(({ scene, example }) => [
        scene.id,
        example?.isAuthored,
      ]);
    const own = allScenes().filter(({ id }) => id === 'hmm-device-memory');
    expect(ids(own)).toEqual([['hmm-device-memory', true]]);
    expect(ids([])).toEqual([['block-1', false]]);
    expect(ids(own.map((scene) => ({ ...scene, run: ['proc list'] })))).toEqual([
      ['hmm-device-memory', undefined],
      ['block-1', false],
    ]);
  });
});

describe('a formula', () => {
  const math = (text: string): string => `Title\n=====\n\nIt is\n\n.. math::\n\n   ${text}\n`;
  it('is computed with the constants of the machine, and leads back to its place', async () => {
    const source = math('NR\\_MEM\\_SECTIONS = 2 ^ {(MAX\\_PHYSMEM\\_BITS - SECTION\\_SIZE\\_BITS)}');
    const [example] = of(source);
    expect(example?.text).toBe('1UL << ((MAX_PHYSMEM_BITS - SECTION_SIZE_BITS))');
    if (!example) return;
    const at = example.text.indexOf('SECTION_SIZE');
    expect(source.slice(example.toSource(at)).startsWith('SECTION\\_SIZE')).toBe(true);
    const { session } = newSession();
    const { state, broken } = await runBlock(example, { id: 'as-written', title: '' }, '6.12', session);
    expect([state.status, broken]).toEqual(['done', []]);
    expect((await session.runLine('result')).value).toMatch(/^524288\b/);
    // A wrong one is found out.
    const [wrong] = of(source.replace('SECTION\\_SIZE\\_BITS)', 'PAGE\\_SHIFT)'));
    expect(wrong && (await runBlock(wrong, { id: 'as-written', title: '' }, '6.12')).broken).toHaveLength(1);
  });

  it.each(['\\sum_{i=0}^{n} i', 'x^2', 'a = b^c', 'a = \\frac{1}{2}', '= 3', 'a ='])('beyond C is none: %s', (text) => {
    expect(of(math(text))).toEqual([]);
  });
});

describe('what is typed for a gap', () => {
  it('has to be one expression of C', () => {
    expect(problemOfFilling('argument 1 of f', '&range')).toBeUndefined();
    expect(problemOfFilling('argument 1 of f', '')).toBeUndefined();
    for (const text of ['1;', 'int x = 1', '1 +', '(', 'a b', '1; 2', 'x'.repeat(2000)])
      expect(problemOfFilling('argument 1 of f', text), text.slice(0, 20)).toEqual(expect.any(String));
  });
  it('may be statements where statements are left out', () => {
    expect(problemOfFilling('statement', 'int ret; x = 1;')).toBeUndefined();
    expect(problemOfFilling('statement', 'if (')).toEqual(expect.any(String));
  });
  it('fills a gap that is told once, however often the text has it', () => {
    expect(gapsOf('int f(...)\n{\n\t...\n\tx = ...;\n\t...\n}').map(({ key }) => key)).toEqual([
      'statement',
      'right-hand side of x',
    ]);
  });
});

describe('a variant that runs other words', () => {
  const CODE = 'a(&x);\nb(&x);\na(&x);\n';
  const { text, toBlock, isInserted } = exampleText(CODE, {
    id: 'v',
    title: '',
    insert: [{ before: 'b(', text: 'c();' }],
    replace: [{ words: 'a(&x)', text: 'a(&x, 1, 2)' }],
  });
  it('has them wherever the words stood, beside what is inserted', () => {
    expect(text).toBe('a(&x, 1, 2);\nc();\nb(&x);\na(&x, 1, 2);\n');
  });
  it('leads back to the words of the block', () => {
    expect(toBlock(text.indexOf('b('))).toBe(CODE.indexOf('b('));
    expect(toBlock(text.lastIndexOf('a('))).toBe(CODE.lastIndexOf('a('));
    expect(toBlock(text.indexOf(', 1'))).toBeLessThanOrEqual(CODE.indexOf(';'));
    expect([text.indexOf('c()'), text.indexOf(', 1'), text.indexOf('b(')].map(isInserted)).toEqual([
      true,
      false,
      false,
    ]);
  });
});
