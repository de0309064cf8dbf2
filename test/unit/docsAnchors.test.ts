import { describe, expect, it } from 'vitest';
import { findBlock, findSection, resolveAnchor, sentencesOf } from '../../extension/docs/anchors.ts';
import { parseRst } from '../../extension/docs/rst.ts';

const SOURCE = [
  ...['Book', '====', '', 'The lamp is lit. It stays lit, e.g. at night.', ''],
  ...['2) The ``Lamp``', '---------------', '', 'It is lit by `light_lamp()`, which may', 'fail::', ''],
  ...['  if (light_lamp(&lamp))', '          return -EBUSY;', '', 'Again::', '', '  light_lamp(&other);', ''],
  ...['A lamp that fails is dark. Nobody sees it. The lamp', 'is changed.', ''],
].join('\n');
const document = parseRst(SOURCE);
const anchor = (section: string, words: string[], ordinal?: number) =>
  resolveAnchor(document, SOURCE, { document: 'hmm', section, words, ...(ordinal === undefined ? {} : { ordinal }) });
const textOf = (found: ReturnType<typeof anchor>) => found && SOURCE.slice(found.span.start, found.span.end);

describe('an anchor', () => {
  it('finds its section whatever its number, marks and case', () => {
    expect(findSection(document, 'the lamp')?.titleSpan.start).toBe(SOURCE.indexOf('2) The'));
    expect(findSection(document, 'The shade')).toBeUndefined();
  });

  it('finds the block with its words, and the next one by its ordinal', () => {
    expect(textOf(anchor('The Lamp', ['light_lamp', '-EBUSY']))).toContain('if (light_lamp');
    expect(textOf(anchor('The Lamp', ['light_lamp'], 2))?.trim()).toBe('light_lamp(&other);');
    expect(findBlock(document, SOURCE, ['lamp'], undefined, 3)).toBeUndefined();
  });

  it('finds the sentence with its words, over a line end too', () => {
    expect(textOf(anchor('The Lamp', ['lamp is changed']))).toBe('The lamp\nis changed.');
    expect(textOf(anchor('Book', ['stays']))).toBe('It stays lit, e.g. at night.');
  });

  it('finds the next such sentence by its ordinal, in a later paragraph too', () => {
    expect(textOf(anchor('', ['lit']))).toBe('The lamp is lit.');
    expect(textOf(anchor('', ['lit'], 2))).toBe('It stays lit, e.g. at night.');
    expect(textOf(anchor('', ['lit'], 3))).toContain('It is lit by');
    expect(anchor('', ['lit'], 4)).toBeUndefined();
  });

  it('takes the paragraph if the words are spread over its sentences', () => {
    expect(anchor('The Lamp', ['dark', 'changed'])?.kind).toBe('paragraph');
  });

  it('does not look into other sections, unless its own was renamed', () => {
    expect(anchor('Book', ['changed'])).toBeUndefined();
    expect(textOf(anchor('The Candle', ['lamp is changed']))).toBe('The lamp\nis changed.');
  });

  it('wants whole words, and all of them', () => {
    expect(anchor('', ['light_la'])).toBeUndefined();
    expect(anchor('', ['ight_lamp'])).toBeUndefined();
    expect(anchor('', ['lamp', 'candle'])).toBeUndefined();
  });

  it('without words is the title', () => {
    expect(textOf(anchor('Book', []))).toBe('Book');
    expect(anchor('', [])).toBeUndefined();
  });

  it('stays with its block when lines are put before it', () => {
    const edited = SOURCE.replace('Book\n====', 'A new line.\n\nBook\n====');
    const found = resolveAnchor(parseRst(edited), edited, { document: 'hmm', section: 'The Lamp', words: ['-EBUSY'] });
    expect(edited.slice(found?.span.start, found?.span.end)).toContain('return -EBUSY');
  });
});

describe('sentences', () => {
  it('end at full stops, but not at those of abbreviations, names and numbers', () => {
    const text = 'See a.b, i.e. 1.5 of it. Is it? Yes (see etc. and so on). ``End.`` It ends';
    expect(sentencesOf(text, { start: 0, end: text.length }).map(({ start, end }) => text.slice(start, end))).toEqual([
      'See a.b, i.e. 1.5 of it.',
      'Is it?',
      'Yes (see etc. and so on).',
      '``End.``',
      'It ends',
    ]);
  });
});
