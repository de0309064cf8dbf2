import { existsSync, readdirSync, readFileSync } from 'node:fs';
import MarkdownIt from 'markdown-it';
import { describe, expect, it } from 'vitest';
import { boot, sh } from '../support/machines.ts';

const ROOT = new URL('../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, ROOT), 'utf8');
const markdown = new MarkdownIt({ html: true });

type Token = ReturnType<typeof markdown.parse>[number];
const tokensOf = (text: string): Token[] =>
  markdown.parse(text, {}).flatMap((token) => [token, ...(token.children ?? [])]);

describe('the texts we ship, as Markdown', () => {
  const terms = readdirSync(new URL('media/glossary/', ROOT)).filter((name) => name.endsWith('.md'));
  it.each(terms)('%s has only what a hover can show: no HTML, no picture, no heading', (name) => {
    const body = read(`media/glossary/${name}`).split(/^---$/m).slice(2).join('---');
    const kinds = new Set(tokensOf(body).map((token) => token.type));
    for (const kind of ['html_block', 'html_inline', 'image', 'heading_open', 'fence'])
      expect(kinds).not.toContain(kind);
    expect(kinds).toContain('paragraph_open');
  });

  it.each(['README.md', 'CHANGELOG.md', 'ARCHITECTURE.md'])('%s leads nowhere that is not there', (name) => {
    const links = tokensOf(read(name)).flatMap((token) => [token.attrGet('href'), token.attrGet('src')]);
    for (const link of links) {
      if (typeof link !== 'string' || /^https:/.test(link)) continue;
      expect(existsSync(new URL(link, ROOT)), link).toBe(true);
    }
  });

  it('README names the two commands, and both exist', () => {
    const blocks = tokensOf(read('README.md'))
      .filter((token) => token.type === 'fence')
      .map((token) => token.content.trim());
    expect(blocks.slice(0, 2)).toEqual(['npm ci && npm start', 'npm ci && npm test']);
    expect(Object.keys(JSON.parse(read('package.json')).scripts)).toEqual(expect.arrayContaining(['start', 'test']));
  });

  it('the lines that README gives for the shell do what it says', () => {
    const [, , lines = '', ...more] = tokensOf(read('README.md'))
      .filter((token) => token.type === 'fence')
      .map((token) => token.content.trim());
    expect(more).toEqual([]);
    const machine = boot('laptop-16g');
    for (const line of lines.split('\n')) sh(machine, line.trim());
    expect(machine.steps.length).toBeGreaterThan(7);
    // The page that the CPU touched is home, the others are on the device.
    expect(sh(machine, 'gpu snapshot 0 p a 8').output.slice(1)).toEqual([
      'page 0: 0x2 WRITE',
      'pages 1-7: 0x22 DEVPRIV_LOCAL|WRITE',
    ]);
  });
});
