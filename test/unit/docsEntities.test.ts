import { describe, expect, it } from 'vitest';
import { findMentions, type TermIndex } from '../../extension/docs/entities.ts';
import { parseRst } from '../../extension/docs/rst.ts';

const CODE = [
  ...[
    'struct lamp',
    'light_lamp',
    'dim',
    'lamp->flags',
    'lamp.range',
    'shine',
    '->burn',
    'LAMP_SIZE',
    'EBUSY',
    'CONFIG_LAMP',
  ],
  ...['Documentation/mm/lamp.rst', 'wick', 'LAMP_MAX'],
];
const index: TermIndex = {
  lookup: (text, how) =>
    how === 'code' && CODE.includes(text) ? text : how === 'prose' && text === 'oil' ? 'oil' : undefined,
  phrases: [
    { id: 'light', phrase: 'light' },
    { id: 'light bulb', phrase: 'light bulb' },
    { id: 'light bulb', phrase: 'light bulbs' },
    { id: 'bulb-holder', phrase: 'bulb-holder' },
    { id: '2MB', phrase: '2MB' },
    { id: 'maximum', phrase: 'lamp_max' },
    { id: 'lamp size', phrase: 'LAMP_SIZE worth' },
  ],
};
const mentions = (source: string) =>
  findMentions(parseRst(source), source, index).mentions.map(({ id, start, end, form }) => [
    form,
    id,
    source.slice(start, end).replace(/\s+/g, ' '),
  ]);
const forms = (source: string) => mentions(source).map(([form, id]) => `${form} ${id}`);

describe('a term is found', () => {
  it('in backticks, single and double, and wrapped over a line end', () => {
    expect(mentions('A `wick`, a ``wick`` and a `struct\nlamp *wick`.')).toEqual([
      ['defaultRole', 'wick', 'wick'],
      ['literal', 'wick', 'wick'],
      ['defaultRole', 'struct lamp', 'struct lamp'],
      ['defaultRole', 'wick', 'wick'],
    ]);
  });

  it('in roles, where a type need not say that it is a struct', () => {
    expect(mentions('Call :c:func:`light_lamp()` on a :c:type:`lamp`.')).toEqual([
      ['role', 'light_lamp', 'light_lamp()'],
      ['role', 'struct lamp', 'lamp'],
    ]);
  });

  it('as struct, also in the plural and over a line end', () => {
    expect(mentions('A struct lamp, many struct lamps, a struct\n  lamp.').map(([, id]) => id)).toEqual(
      Array(2).fill('struct lamp'),
    );
    expect(mentions('A struct\nlamp.')).toEqual([['struct', 'struct lamp', 'struct lamp']]);
  });

  it('as a call and as a bare name', () => {
    expect(mentions('Use light_lamp() or light_lamp.')).toEqual([
      ['call', 'light_lamp', 'light_lamp()'],
      ['bare', 'light_lamp', 'light_lamp'],
    ]);
  });

  it('as a member, the longest path that is known', () => {
    expect(mentions('Set lamp->flags, then my->lamp->flags, lamp.range.start, ops->shine() and ->burn().')).toEqual([
      ['bare', 'lamp->flags', 'lamp->flags'],
      ['bare', 'lamp->flags', 'lamp->flags'],
      ['bare', 'lamp.range', 'lamp.range'],
      ['call', 'shine', 'shine()'],
      ['call', '->burn', 'burn()'],
    ]);
    expect(forms('Use `lamp->range`.')).toEqual(['defaultRole lamp.range']);
  });

  it('as a constant, an error number, a config option, a path and an amount', () => {
    expect(forms('LAMP_MAX, -EBUSY, CONFIG_LAMP, 2MB. See Documentation/mm/lamp.rst.')).toEqual([
      'bare LAMP_MAX',
      'bare EBUSY',
      'bare CONFIG_LAMP',
      'prose 2MB',
      'bare Documentation/mm/lamp.rst',
    ]);
  });

  it('in code blocks, and in the words of their comments', () => {
    expect(mentions('Do::\n\n  x = light_lamp(&wick); /* a light\n   * light bulb */ return -EBUSY;\n')).toEqual([
      ['code', 'light_lamp', 'light_lamp'],
      ['code', 'wick', 'wick'],
      ['prose', 'light', 'light'],
      ['prose', 'light bulb', 'light bulb'],
      ['code', 'EBUSY', '-EBUSY'],
    ]);
  });

  it('in a formula, where underscores are escaped', () => {
    expect(mentions('.. math::\n\n   LAMP\\_MAX = 2 ^ {LAMP\\_SIZE}\n')).toEqual([
      ['code', 'LAMP_MAX', 'LAMP\\_MAX'],
      ['code', 'LAMP_SIZE', 'LAMP\\_SIZE'],
    ]);
  });

  it('as words of a sentence, whatever their case, over line ends and divided words', () => {
    expect(mentions('Light BULBS and a light\nbulb in a bulb-\nholder.')).toEqual([
      ['prose', 'light bulb', 'Light BULBS'],
      ['prose', 'light bulb', 'light bulb'],
      ['prose', 'bulb-holder', 'bulb- holder'],
    ]);
  });

  it('in titles, list items and tables', () => {
    expect(forms('The light\n=========\n\n- light\n\n=====  ===\nlight  oil\n=====  ===\n')).toEqual([
      'prose light',
      'prose light',
      'prose light',
      'prose oil',
    ]);
  });
});

describe('one place has one mention', () => {
  it('the longer one', () => {
    expect(forms('A light bulb, LAMP_SIZE worth of oil, LAMP_SIZE of it.')).toEqual([
      'prose light bulb',
      'prose lamp size',
      'prose oil',
      'bare LAMP_SIZE',
    ]);
  });

  it('and none inside a word, nor where an ordinary word is the name of a member', () => {
    expect(forms('Lightning, delight, my_light, dim the shine of it. Oilcan.')).toEqual([]);
  });
});

describe('a text longer than any document', () => {
  it('is searched up to a limit, and the place is told', () => {
    const source = 'light oil\n\n'.repeat(100);
    const { mentions: found, truncatedAt } = findMentions(parseRst(source), source, index, 90);
    expect(found).toHaveLength(20);
    expect(truncatedAt).toBe(110);
    expect(findMentions(parseRst(source), source, index).truncatedAt).toBeUndefined();
  });
});
