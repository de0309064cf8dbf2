import { describe, expect, it } from 'vitest';
import { dedent } from '../../extension/docs/dedent.ts';
import { parsePlainText } from '../../extension/docs/rst.ts';

const RULE = '-'.repeat(40);
const SOURCE = [
  ...['A driver of ours', '', 'What it does.', '', '1) First part:', '2) Second part', '', RULE, ''],
  ...[
    '1) First part:',
    '',
    'Call it so:',
    '',
    ' int f(int a,',
    '       int b);',
    '',
    'and go on. Or:',
    ' g();',
    'and stop.',
    '',
  ],
  ...[
    RULE,
    '',
    '2) Second part',
    '',
    '3) A numbered remark is no title.',
    '',
    'An indented',
    '    remark is no code.',
    '',
  ],
].join('\n');

describe('a text without markup', () => {
  const document = parsePlainText(SOURCE);

  it('has its title and the numbered lines below a rule as sections, not its list of contents', () => {
    expect(document.sections.map(({ level, title }) => [level, title])).toEqual([
      [1, 'A driver of ours'],
      [2, 'First part'],
      [2, 'Second part'],
    ]);
  });

  it('has code where lines are indented after one that ends in a colon', () => {
    expect(document.blocks.map((block) => dedent(SOURCE, block).text)).toEqual(['int f(int a,\n      int b);', 'g();']);
  });

  it('keeps its paragraphs, but no marks', () => {
    expect(document.paragraphs.map(({ start, end }) => SOURCE.slice(start, end))).toContain('and stop.');
    expect(document.literals).toEqual([]);
    expect(parsePlainText('A `b` c\n').defaultRoles).toEqual([]);
  });
});
