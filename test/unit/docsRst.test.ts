import { describe, expect, it } from 'vitest';
import { dedent } from '../../extension/docs/dedent.ts';
import { parseDocument, parseRst, type RstDocument } from '../../extension/docs/rst.ts';

const lines = (...text: string[]) => text.join('\n');
const blockTexts = (source: string, document: RstDocument = parseRst(source)) =>
  document.blocks.map((block) => dedent(source, block).text);

describe('sections', () => {
  it('take their level from the order in which styles of title appear', () => {
    const source = lines(
      '====',
      'Book',
      '====',
      '',
      'Part',
      '====',
      '',
      'Leaf',
      '----',
      '',
      'Part two',
      '========',
      '',
    );
    expect(parseRst(source).sections.map(({ level, title }) => [level, title])).toEqual([
      [1, 'Book'],
      [2, 'Part'],
      [3, 'Leaf'],
      [2, 'Part two'],
    ]);
  });

  it('reach to the next title of the same or an outer level, their own text only to the next title', () => {
    const source = lines('One', '===', 'own', '', 'Inner', '-----', 'inner text', '', 'Two', '===', 'end');
    const [one, inner, two] = parseRst(source).sections;
    expect(source.slice(one?.body.start, one?.body.end).trim()).toBe('own');
    expect(source.slice(one?.titleSpan.start, one?.end)).toContain('inner text');
    expect(source.slice(inner?.body.start, inner?.body.end).trim()).toBe('inner text');
    expect(inner?.end).toBe(two?.titleSpan.start);
    expect(one?.end).toBe(two?.titleSpan.start);
    expect(two?.end).toBe(source.length);
  });

  it('are not made by an underline inside a list, nor by one that is too short', () => {
    expect(parseRst(lines('- item', '  ----', '', 'longer', '--', '')).sections).toEqual([]);
  });

  it('end before the overline of the next one', () => {
    const source = lines('====', 'Book', '====', 'text', '', '====', 'More', '====');
    const [book, more] = parseRst(source).sections;
    expect(source.slice(book?.body.start, book?.body.end).trim()).toBe('text');
    expect(more?.titleSpan.start).toBe(source.indexOf('More'));
  });
});

describe('literal blocks', () => {
  it('follow a paragraph that ends in two colons and end where the text goes back', () => {
    const source = lines('It is set up so::', '', '  int a;', '', '      int b;', 'Then it runs.');
    expect(blockTexts(source)).toEqual(['int a;\n\n    int b;']);
    const [block] = parseRst(source).blocks;
    expect(block).toMatchObject({ form: 'indented', column: 2 });
    expect(source.slice(block?.start, block?.end)).toBe('  int a;\n\n      int b;');
  });

  it('take the smallest column of their lines, tabs reaching to every eighth', () => {
    const source = lines('Use::', '', ' int f(int a,', '\t  int b);', '');
    expect(blockTexts(source)).toEqual(['int f(int a,\n         int b);']);
  });

  it('may be quoted by a character instead of indented', () => {
    const source = lines('They said::', '', '> one', '> two', '', 'End.');
    expect(blockTexts(source)).toEqual(['> one\n> two']);
    expect(parseRst(source).blocks[0]?.form).toBe('quoted');
  });

  it('of a directive carry its language and leave its options out', () => {
    const source = lines('.. code-block:: c', '   :linenos:', '', '   int a;', '', 'Text.');
    const document = parseRst(source);
    expect(document.blocks).toMatchObject([{ form: 'directive', directive: 'code-block', language: 'c' }]);
    expect(blockTexts(source)).toEqual(['int a;']);
  });

  it('without a language have that of the last highlight directive', () => {
    const source = lines(
      '.. highlight:: c',
      '',
      'Use::',
      '',
      '  x;',
      '',
      '.. highlight:: none',
      '',
      'Use::',
      '',
      '  y;',
    );
    expect(parseRst(source).blocks.map((block) => block.language)).toEqual(['c', undefined]);
  });

  it('are not announced by an escaped colon, nor by the term of a definition', () => {
    expect(parseRst(lines('Not here\\::', '', '  quote', '')).blocks).toEqual([]);
    expect(parseRst(lines('term::', '  its definition', '')).blocks).toEqual([]);
  });

  it('inside list items belong to the item', () => {
    const source = lines('1. first::', '', '     code', '', '   more ``text``', '2. second', '');
    const document = parseRst(source);
    expect(blockTexts(source)).toEqual(['code']);
    expect(document.literals.map((mark) => mark.text)).toEqual(['text']);
  });

  it('lead from each visible character of the dedented text back to the document, and from there again', () => {
    for (const end of ['\n', '\r\n', '\r']) {
      const source = lines('Use::', '', '\tif (a)', '\t\tb();  ', '', '    c;', 'End').replaceAll('\n', end);
      const [block] = parseRst(source).blocks;
      if (block === undefined) throw new Error('there is a block');
      const code = dedent(source, block);
      expect(code.text).toBe('    if (a)\n            b();\n\nc;');
      for (let i = 0; i < code.text.length; i++) {
        if (code.text.charAt(i).trim() === '') continue;
        expect(source.charAt(code.toSource(i))).toBe(code.text.charAt(i));
        expect(code.toText(code.toSource(i))).toBe(i);
      }
    }
  });
});

describe('inline marks', () => {
  const marks = (source: string) => {
    const { literals, defaultRoles, roles } = parseRst(source);
    return {
      literals: literals.map((mark) => mark.text),
      defaultRoles: defaultRoles.map((mark) => mark.text),
      roles: roles.map((mark) => `${mark.role} ${mark.text}`),
    };
  };

  it('are told apart by their backticks and roles', () => {
    expect(marks('A ``lit``, a `ref`, :c:func:`call` and `typed`:c:type: one.')).toEqual({
      literals: ['lit'],
      defaultRoles: ['ref'],
      roles: ['c:func call', 'c:type typed'],
    });
  });

  it('may wrap over a line end, which becomes one space', () => {
    const source = lines('- the `struct', '  page *map` and ``two', '  words``');
    expect(marks(source)).toMatchObject({ defaultRoles: ['struct page *map'], literals: ['two words'] });
    const [mark] = parseRst(source).defaultRoles;
    expect(source.slice(mark?.start, mark?.end)).toBe('`struct\n  page *map`');
  });

  it('are not begun inside words, nor in matching quotes, nor before a blank', () => {
    expect(marks("it`s not` one, '`' nor ` this one `")).toEqual({ literals: [], defaultRoles: [], roles: [] });
  });

  it('need no end to leave the rest of the text readable', () => {
    expect(marks('An `open one and ``another open, then `closed`.').defaultRoles).toEqual([
      'open one and ``another open, then `closed',
    ]);
    expect(marks('An ``open one, then `closed`.').defaultRoles).toEqual(['closed']);
  });

  it('end only behind a word, and have one role at most', () => {
    expect(marks('A `tick ` in it` is one.').defaultRoles).toEqual(['tick ` in it']);
    expect(marks('But :a:`x`:b: is none.')).toEqual({ literals: [], defaultRoles: [], roles: [] });
  });

  it('may wrap from the first line of a note to its second', () => {
    expect(marks('.. note:: one `that\n   wraps`').defaultRoles).toEqual(['that wraps']);
    expect(marks('.. seealso:: ``this`` and\n\n   ``that``').literals).toEqual(['this', 'that']);
  });

  it('are not links, footnotes or what is in bold', () => {
    expect(marks('See `the page`_, `that one <x>`__, **bold `x` text** and *this `y` too*.')).toEqual({
      literals: [],
      defaultRoles: [],
      roles: [],
    });
  });

  it('keep backslashes in literals and drop them elsewhere', () => {
    expect(marks('``a\\b`` and `c\\_d`')).toMatchObject({ literals: ['a\\b'], defaultRoles: ['c_d'] });
  });

  it('are found in titles, fields, terms, notes, tables and lines', () => {
    const source = lines(
      ...['The ``title``', '=============', ':``field``: ``body``', '', '``term``', '  ``definition``', ''],
      ...['.. note:: ``note``', '   ``more``', '', '==========  =====', '``cell``    x', '==========  =====', ''],
      ...['+--------+', '| ``gr`` |', '+--------+', '', '| ``line``', '', '.. [1] ``foot``', ''],
    );
    const found = ['title', 'field', 'body', 'term', 'definition', 'note', 'more', 'cell', 'gr', 'line', 'foot'];
    expect(marks(source).literals).toEqual(found);
  });

  it('are not looked for in comments, targets, code and directives that hold no text', () => {
    const source = lines(
      ...['.. a comment with ``this``', '   and ``that``', '', '.. _a`b`: c', '', '.. toctree::', '', '   ``x``', ''],
      ...['.. code::', '', '   ``y``', ''],
    );
    expect(marks(source).literals).toEqual([]);
  });
});

describe('ordinary text', () => {
  const runs = (source: string) =>
    parseRst(source).paragraphs.map(({ kind, start, end }) => `${kind} ${source.slice(start, end)}`);

  it('is cut into the cells of a table, below its head too', () => {
    const source = lines(
      '=====  ====',
      'Head   Two',
      '=====  ====',
      'a      b',
      '',
      'c      d',
      '=====  ====',
      '',
      'End.',
    );
    expect(runs(source)).toEqual(['cell Head', 'cell Two', 'cell a', 'cell b', 'cell c', 'cell d', 'paragraph End.']);
  });

  it('is cut into the items of a list, if the numbers follow each other', () => {
    expect(runs('a. one\nb. two')).toEqual(['paragraph one', 'paragraph two']);
    expect(runs('iv) one\nv) two')).toEqual(['paragraph one', 'paragraph two']);
    expect(runs('A. Person\nwrote it')).toEqual(['paragraph A. Person\nwrote it']);
    expect(runs('mild. It\n\nis')).toEqual(['paragraph mild. It', 'paragraph is']);
  });
});

describe('directives', () => {
  it('give their name, argument and body', () => {
    const source = lines('.. math::', '', '   N\\_X = 2', '', 'Text.');
    const [directive] = parseRst(source).directives;
    expect(directive).toMatchObject({ name: 'math', argument: '' });
    expect(source.slice(directive?.body.start, directive?.body.end)).toContain('N\\_X = 2');
  });

  it('may stand in a substitution', () => {
    expect(parseRst('.. |so| replace:: a ``b``\n').literals.map((mark) => mark.text)).toEqual(['b']);
  });
});

describe('any text', () => {
  it('has the same structure with other line ends and a byte order mark', () => {
    const source = lines('Title', '=====', '', 'Use ``x``::', '', '  code', '', '* `item`', '');
    const read = (text: string) => {
      const document = parseRst(text);
      return [document.sections.map((s) => s.title), document.literals.map((l) => l.text), blockTexts(text, document)];
    };
    for (const other of [source.replaceAll('\n', '\r\n'), source.replaceAll('\n', '\r'), `\ufeff${source}`]) {
      expect(read(other)).toEqual(read(source));
    }
  });

  it('is read by the name of its file: .txt is plain, but the sources Sphinx keeps are not', () => {
    expect(parseDocument('Documentation/vm/hmm.txt', 'x').format).toBe('plain');
    expect(parseDocument('html/_sources/mm/hmm.rst.txt', 'x').format).toBe('rst');
    expect(parseDocument('mm/hmm.rst.gz', 'x').format).toBe('rst');
  });
});
