import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dedent } from '../../extension/docs/dedent.ts';
import { findMentions } from '../../extension/docs/entities.ts';
import { parsePlainText, parseRst, type RstDocument, type Span } from '../../extension/docs/rst.ts';

const RUNS = Number(process.env.ZONESCOPE_RUNS ?? 600);

const WORD = fc.constantFrom(
  'page',
  'struct',
  'zone',
  'a',
  '::',
  'map_one()',
  '->f',
  'x.y',
  '-EIO',
  '\\',
  '`',
  '``',
  '*',
  '|',
  '_',
);
const MARK = fc.constantFrom(
  '``lit``',
  '`ref`',
  ':c:func:`f`',
  '`t`:c:type:',
  '`link`_',
  '**b**',
  '*e*',
  '|s|',
  '_`t`',
  '`open',
  '``open',
);
const TEXT = fc.array(fc.oneof(WORD, MARK), { minLength: 1, maxLength: 6 }).map((words) => words.join(' '));
const LINE = fc.oneof(
  TEXT,
  TEXT.map((text) => `${text}::`),
  TEXT.map((text) => `- ${text}`),
  TEXT.map((text) => `1. ${text}`),
  TEXT.map((text) => `:field: ${text}`),
  TEXT.map((text) => `-o  ${text}`),
  TEXT.map((text) => `| ${text}`),
  TEXT.map((text) => `.. note:: ${text}`),
  TEXT.map((text) => `.. [1] ${text}`),
  fc.constantFrom(
    '',
    '====',
    '----',
    '..',
    '.. code-block:: c',
    '.. math::',
    '== ==',
    '+--+--+',
    '>>> x',
    '__ x',
    '.. _t: u',
  ),
);
const INDENT = fc.constantFrom('', '', '', ' ', '  ', '   ', '     ', '\t', ' \t');
const SOURCE = fc
  .tuple(fc.array(fc.tuple(INDENT, LINE), { maxLength: 30 }), fc.constantFrom('\n', '\n', '\r\n', '\r'))
  .map(([lines, end]) => lines.map(([indent, line]) => indent + line).join(end));

/** Cuts a piece out and puts another one in, as an edit does. */
const EDITED = fc.tuple(SOURCE, SOURCE, fc.nat(), fc.nat(), fc.nat(20)).map(([source, other, from, at, length]) => {
  const cut = from % (source.length + 1);
  const piece = other.slice(at % (other.length + 1)).slice(0, length);
  return source.slice(0, cut) + piece + source.slice(cut + length);
});
const ANY = fc.oneof(EDITED, SOURCE, fc.string({ unit: 'binary', maxLength: 200 }));

const INDEX = {
  lookup: (text: string) => (text.length % 2 === 0 ? text : undefined),
  phrases: [
    { id: 'one', phrase: 'page' },
    { id: 'two', phrase: 'struct page' },
    { id: 'three', phrase: 'zone a page' },
  ],
};

function check(property: (source: string) => void): void {
  fc.assert(fc.property(ANY, property), { numRuns: RUNS });
}

function expectInOrder(spans: readonly Span[], length: number): void {
  let last = 0;
  for (const { start, end } of spans) {
    expect(start).toBeGreaterThanOrEqual(last);
    expect(end).toBeGreaterThan(start);
    last = end;
  }
  expect(last).toBeLessThanOrEqual(length);
}

describe('in any text, however broken', () => {
  it('spans of a kind lie in the text, in order, and do not overlap', () => {
    check((source) => {
      for (const document of [parseRst(source), parsePlainText(source)]) {
        const { blocks, literals, defaultRoles, roles, paragraphs, sections } = document;
        for (const spans of [blocks, literals, defaultRoles, roles, paragraphs, sections.map((s) => s.titleSpan)]) {
          expectInOrder(spans, source.length);
        }
        const marks = [...literals, ...defaultRoles, ...roles].sort((a, b) => a.start - b.start);
        expectInOrder(marks, source.length);
        expectInOrder(
          [...paragraphs, ...blocks].sort((a, b) => a.start - b.start),
          source.length,
        );
      }
    });
  });

  it('each mark begins and ends with its own characters, and says what is between them', () => {
    const squeezed = (text: string) => text.replace(/\s+/g, ' ').trim();
    check((source) => {
      const { literals, defaultRoles, roles } = parseRst(source);
      for (const { start, end, text, inner } of literals) {
        expect(source.slice(start, end)).toMatch(/^``[\s\S]+``$/);
        expect(squeezed(source.slice(inner.start, inner.end))).toBe(squeezed(text));
      }
      for (const { start, end } of defaultRoles) expect(source.slice(start, end)).toMatch(/^`[^`]?[\s\S]*`$/);
      for (const { role, start, end, inner } of roles) {
        expect(source.slice(start, end).toLowerCase()).toMatch(/^:[\w:.+-]+:`[\s\S]+`$|^`[\s\S]+`:[\w:.+-]+:$/);
        expect(source.slice(start, end).toLowerCase()).toContain(`:${role}:`);
        expect(source.charAt(inner.start - 1) + source.charAt(inner.end)).toBe('``');
      }
    });
  });

  it('sections follow each other and lie within those they belong to', () => {
    check((source) => {
      const { sections } = parseRst(source);
      const open: (typeof sections)[number][] = [];
      for (const section of sections) {
        expect(section.titleSpan.end).toBeLessThanOrEqual(section.body.start);
        expect(section.body.start).toBeLessThanOrEqual(section.body.end);
        expect(section.body.end).toBeLessThanOrEqual(section.end);
        while ((open.at(-1)?.level ?? 0) >= section.level) open.pop();
        const outer = open.at(-1);
        if (outer !== undefined) expect(section.end).toBeLessThanOrEqual(outer.end);
        open.push(section);
      }
    });
  });

  it('each visible character of a dedented block leads to itself in the text and back', () => {
    check((source) => {
      for (const block of parseRst(source).blocks) {
        const code = dedent(source, block);
        for (let i = 0; i < code.text.length; i++) {
          if (code.text.charAt(i).trim() === '') continue;
          expect(source.charAt(code.toSource(i))).toBe(code.text.charAt(i));
          expect(code.toText(code.toSource(i))).toBe(i);
        }
      }
    });
  });

  it('mentions lie in the text, in order, and do not overlap', () => {
    check((source) => {
      for (const document of [parseRst(source), parsePlainText(source)]) {
        expectInOrder(findMentions(document, source, INDEX).mentions, source.length);
      }
    });
  });

  it('another kind of line end changes nothing but offsets', () => {
    const shape = ({ sections, blocks, literals, roles, defaultRoles }: RstDocument) => [
      sections.map((section) => [section.level, section.title]),
      blocks.map((block) => [block.column, block.form]),
      [...literals, ...roles, ...defaultRoles].map((mark) => mark.text),
    ];
    fc.assert(
      fc.property(EDITED, (source) => {
        const plain = source.replace(/\r\n?/g, '\n');
        expect(shape(parseRst(plain.replaceAll('\n', '\r\n')))).toEqual(shape(parseRst(plain)));
      }),
      { numRuns: RUNS },
    );
  });
});

describe('a text made to be slow takes no more time than its length asks for', () => {
  const N = 200_000;
  const nested = (count: number, line: string) =>
    Array.from({ length: count }, (_, i) => ' '.repeat(i) + line).join('\n');
  const texts: Record<string, string> = {
    'marks that never end': '`a ``b **c *d |e _`f '.repeat(N / 2),
    'one mark a line, never ended': '`a\n'.repeat(N),
    'empty marks': '```` '.repeat(N),
    'roles without text': ':a:`b '.repeat(N),
    'lists in lists on one line': '- '.repeat(N * 5),
    'lists in lists down the page': nested(3000, '- x'),
    'notes in notes': nested(3000, '.. note:: x'),
    'tables in lists that never end': nested(2000, '- == =='),
    'table heads': '== ==\n\nx\n\n'.repeat(N / 2),
    'fields in fields': ':a: '.repeat(N),
    'options without end': '-a, '.repeat(N),
    'footnotes in footnotes': '.. [1] '.repeat(N),
    'one long line': 'word '.repeat(N * 10),
    'one long name': 'a_'.repeat(N * 5),
    'one long path of members': 'a.'.repeat(N),
    'a field without end': `:${'\\a'.repeat(N * 5)}`,
    'a ruler': '='.repeat(N * 10),
    'nothing but line ends': '\n'.repeat(N * 20),
    'steps up and down': Array.from({ length: 2000 }, (_, i) => `${' '.repeat(i % 2 ? 2000 - i : i)}x`).join('\n'),
  };
  // A reader that takes the square of the length would need minutes for any of these; ours, a tenth of a second.
  const GENEROUS_MS = 30_000;

  for (const [name, source] of Object.entries(texts)) {
    it(name, () => {
      const began = performance.now();
      findMentions(parseRst(source), source, INDEX);
      parsePlainText(source);
      expect(performance.now() - began).toBeLessThan(GENEROUS_MS);
    });
  }
});
