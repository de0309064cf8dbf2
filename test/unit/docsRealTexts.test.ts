import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { recognise, recogniseByNames } from '../../extension/docs/release.ts';
import type { Release } from '../../sim/index.ts';

const ROOT = process.env.ZONESCOPE_DOCS ?? '';
const FILES: readonly (readonly [release: Release, document: 'memory-model' | 'hmm', first: Release, last: Release])[] =
  [
    ['6.12', 'memory-model', '6.3', '6.18'],
    ['6.12', 'hmm', '6.12', '6.14'],
    ['6.1', 'memory-model', '6.0', '6.2'],
    ['6.1', 'hmm', '5.16', '6.2'],
  ];

describe('the text a distribution ships', () => {
  for (const [release, document, first, last] of FILES) {
    it(`of ${document} in ${release} is known, and an edited one still dated`, async (context) => {
      const path = join(ROOT, release, 'Documentation/mm', `${document}.rst`);
      if (ROOT === '' || !existsSync(path)) return context.skip(`there is no ${path}: set ZONESCOPE_DOCS`);
      const text = readFileSync(path, 'utf8');
      const known = await recognise(path, text);
      expect(known).toMatchObject({ document, by: 'sha256', release });
      expect([known.releases[0], known.releases.at(-1)]).toEqual([first, last]);
      const edited = recogniseByNames('draft.rst', `${text}\nA line of mine.\n`);
      expect(edited).toMatchObject({ document, by: 'names', conflicts: [] });
      expect(edited.releases).toEqual(expect.arrayContaining([...known.releases]));
    });
  }
});
