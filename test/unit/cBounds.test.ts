/** C that nobody should run: it ends soon, with a finding or a message, and the rest still works. */
import { describe, expect, it } from 'vitest';
import {
  blockProgram,
  fileProgram,
  functionsOf,
  holesOf,
  type Machine,
  type Program,
  parseC,
} from '../../sim/index.ts';
import { boot, sh } from '../support/machines.ts';

/** Seconds that anything here may take; none needs a tenth of it. */
const SECONDS = 20;

function ended(text: string, machine: Machine = boot(), asFile = false): { program: Program; codes: string[] } {
  const { kernel } = machine;
  const { spec, findings } = asFile
    ? fileProgram(kernel, { label: 'test', text })
    : blockProgram(kernel, { label: 'test', text, holes: {}, standIns: {}, declarations: true });
  const program = machine.start(spec);
  const began = performance.now();
  while (!program.isOver && performance.now() - began < SECONDS * 1000)
    machine.advance(program, { stopAfterStep: false });
  expect(program.isOver).toBe(true);
  // The machine goes on.
  expect(sh(machine, '1 + 1').value).toMatchObject({ value: 2n });
  return { program, codes: findings.map(({ code }) => code) };
}
const noise = (length: number): string => {
  let state = 7;
  return Array.from({ length }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return String.fromCharCode((state >>> 16) % 300);
  }).join('');
};

describe('texts', { timeout: 60_000 }, () => {
  it.each<[string, string, string]>([
    ['random bytes', noise(20_000), 'syntax'],
    ['10,000 nested brackets', `return ${'('.repeat(10_000)}1${')'.repeat(10_000)};`, 'too-deep'],
    ['10,000 nested blocks', '{'.repeat(10_000), 'too-deep'],
    ['10,000 nested calls', `${'f('.repeat(10_000)}`, 'too-deep'],
    ['10,000 stars', `int ${'*'.repeat(10_000)}p;`, ''],
    ['a line of a megabyte', `return ${'1 + '.repeat(262_144)}1;`, 'too-deep'],
    ['a name of a megabyte', 'a'.repeat(1 << 20), ''],
    ['a comment of a megabyte', `/* ${'x '.repeat(1 << 19)}`, ''],
    ['a string of a megabyte', `pr_info("${'x'.repeat(1 << 20)}");`, ''],
    ['100,000 lines', 'int n;\n'.repeat(100_000), ''],
    [
      'macros that double each other',
      `${Array.from({ length: 60 }, (_, i) => `#define A${i} A${i + 1} A${i + 1}\n`).join('')}A0`,
      'too-large',
    ],
    ['macros within their arguments', `#define F(x) x x\n${'F('.repeat(40)}1${')'.repeat(40)}`, 'too-large'],
    [
      'a thousand macros, each used',
      `${Array.from({ length: 1000 }, (_, i) => `#define M${i}(x) x\n`).join('')}${Array.from({ length: 1000 }, (_, i) => `M${i}(;)`).join('')}`,
      '',
    ],
    ['10,000 conditions', '#if 1\n'.repeat(10_000), ''],
  ])('%s', (_, text, code) => {
    const began = performance.now();
    const { codes } = ended(text);
    expect(holesOf(text, { declarations: true })).toBeDefined();
    expect(functionsOf(text)).toBeDefined();
    expect(performance.now() - began).toBeLessThan(SECONDS * 1000);
    if (code) expect(codes).toContain(code);
  });
});

describe('runs', { timeout: 120_000 }, () => {
  it.each<[string, string, RegExp]>([
    ['goto again', 'again: goto again;', /too many statements/],
    ['an empty loop', 'for (;;) ;', /too many statements/],
    ['a loop over a list in a circle', 'struct list_head a = { &a, &a }, b, *p; list_for_each(p, &b) ;', /./],
    ['recursion', 'int f(int n) { return f(n + 1) + 1; }', /too deeply/],
    [
      'recursion of two',
      'static int g(int n); static int f(int n) { return g(n); } static int g(int n) { return f(n); } int main_(void) { return f(1); }',
      /too deeply/,
    ],
    [
      'recursion by a callback',
      'static void release(struct kref *k) { kref_init(k); kref_put(k, release); } int main_(void) { struct kref k; kref_init(&k); return kref_put(&k, release); }',
      /too deeply/,
    ],
    ['allocation', 'for (;;) { unsigned long *p = kzalloc(1UL << 20, 0); p[0] = 1; }', /without end/],
    ['arrays of arrays', 'int a[1000][1000][1000];', /more than the simulation/],
    ['a huge array', 'int a[1UL << 40];', /./],
    ['an initialiser far away', 'int a[] = { [1UL << 31] = 1 };', /./],
    ['a growing string', 'char *s = "x"; for (;;) s = kasprintf(0, "%s%s", s, s);', /./],
    ['wide formats', 'for (;;) pr_info("%999999999d", 1);', /more than the simulation/],
    ['a struct of itself', 'struct s { struct s again; } x; return sizeof(x);', /./],
  ])('without end: %s', (_, text, message) => {
    const { program } = ended(text, boot(), text.includes('main_') || text.startsWith('int f'));
    expect(program.status).toBe('failed');
    expect(program.error?.message).toMatch(message);
  });
  it('the messages have a place', () => {
    const text = 'int n = 1;\nagain:\n\tgoto again;';
    const { program } = ended(text);
    const span = (program.error as { span?: { start: number; end: number } }).span;
    expect(text.slice(span?.start, span?.end)).toBe('goto again;');
  });
  it('a text that is no text of C at all is read in any mode', () => {
    for (const mode of ['block', 'file', 'expression'] as const)
      for (const text of [
        '',
        '\u0000',
        '\ud800',
        '#',
        '##',
        '/*',
        '"',
        "'",
        '\\',
        '#define',
        '#if',
        '...',
        '}{',
        'struct',
        'sizeof',
      ])
        expect(parseC(text, mode)).toBeDefined();
  });
});
