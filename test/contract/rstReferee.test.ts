import { describe, expect, it, type TestContext } from 'vitest';
import { dedent } from '../../extension/docs/dedent.ts';
import { parseRst } from '../../extension/docs/rst.ts';
import { askDocutils, type Found, foldersOf, readSource } from './rstReferee.ts';

/** White space at line ends and tabs between words are no part of the comparison; indentation is. */
const shape = (block: string) =>
  block.split('\n').map((line) => `${/^ */.exec(line)?.[0].length}: ${line.trim().replace(/\s+/g, ' ')}`);
const squeezed = (text: string) => text.replace(/\s+/g, ' ').trim();

function ours(source: string) {
  const { sections, blocks, literals, roles, defaultRoles } = parseRst(source);
  return {
    sections: sections.map(({ level, title }) => `${level} ${squeezed(title)}`),
    blocks: blocks.map((block) => shape(dedent(source, block).text)),
    literals: literals.map((mark) => mark.text),
    roles: roles.map(({ role, text }) => `${role} ${text}`),
    defaultRoles: defaultRoles.map((mark) => mark.text),
  };
}

function theirs(found: Found): ReturnType<typeof ours> {
  return {
    sections: found.sections.map(([level, title]) => `${level} ${squeezed(title)}`),
    blocks: found.blocks.map(shape),
    literals: found.literals.map(squeezed),
    roles: found.roles.map(([role, text]) => `${role} ${squeezed(text)}`),
    defaultRoles: found.defaultRoles.map(squeezed),
  };
}

/** The default reporter does not say why a test was skipped. */
function skip(context: TestContext, why: string): void {
  console.log(`skipped: ${why}`);
  context.skip(why);
}

describe('docutils and we find the same, in the same order', () => {
  for (const release of ['6.12', '6.1']) {
    it(`in the memory management documents of ${release}`, { timeout: 120_000 }, (context) => {
      const where = foldersOf(release);
      if ('missing' in where) return skip(context, where.missing);
      const verdict = askDocutils(where.folders);
      if ('missing' in verdict) return skip(context, verdict.missing);
      const files = Object.entries(verdict.files);
      const counts = { sections: 0, blocks: 0, literals: 0, roles: 0, defaultRoles: 0 };
      expect(files.length).toBeGreaterThan(50);
      for (const [path, found] of files) {
        const read = ours(readSource(path));
        expect(read, path).toEqual(theirs(found));
        for (const key of Object.keys(counts) as (keyof typeof counts)[]) counts[key] += read[key].length;
      }
      console.log(`docutils ${verdict.docutils}, ${release}, ${files.length} files, equal:`, counts);
    });
  }
});
