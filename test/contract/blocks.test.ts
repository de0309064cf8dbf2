/**
 * Every block of C of every text that is there runs as it is written, in each release that has the text, and shows what
 * its scene promises. Debian's texts of 6.12 and 6.1; others from the folder that ZONESCOPE_TEXTS names.
 */
import { describe, expect, it } from 'vitest';
import { releasesOf } from '../../extension/docs/scenes.ts';
import type { Release } from '../../sim/index.ts';
import { examplesIn, runBlock } from '../support/blockRuns.ts';
import { kernelTexts } from '../support/kernelTexts.ts';
import { documentOf, OLD_TEXTS } from '../support/oldBlocks.ts';
import { allScenes, newSession } from '../support/sessions.ts';

/** The blocks of C that hmm.rst or hmm.txt has, by the first release of each text. */
const COUNTS: Readonly<Record<string, number>> = {
  '4.14': 8,
  '4.17': 8,
  '4.18': 8,
  '4.20': 8,
  '5.2': 10,
  '5.3': 9,
  '5.4': 7,
  '5.6': 6,
  '5.7': 6,
  '5.8': 5,
  '5.10': 7,
  '5.14': 7,
  '5.16': 7,
  '6.3': 7,
  '6.6': 7,
  '6.12': 7,
  '6.17': 7,
  '7.3': 8,
};

const texts = await kernelTexts('hmm');
const models = await kernelTexts('memory-model');
const scenes = allScenes();
const spanOf = (releases: readonly Release[]): string => `${releases[0]} to ${releases.at(-1)}`;

/** What is not as promised in the examples of a text, in a release. */
async function wrongIn(path: string, source: string, release: Release): Promise<string[]> {
  const wrong: string[] = [];
  for (const example of examplesIn(path, source, 'hmm', [release], scenes))
    for (const variant of example.scene.variants) {
      const { broken, promises } = await runBlock(example, variant, release);
      const name = `${example.id}/${variant.id}`;
      if (!example.isAuthored) wrong.push(`${name} has no scene`);
      if (promises === 0) wrong.push(`${name} promises nothing`);
      wrong.push(...broken.map((each) => `${name}: ${each}`));
    }
  return wrong;
}

/** Where the kernel's own texts are not at hand, what they show is: each interface in the releases that had it. */
describe.each(OLD_TEXTS)('the interfaces of $since to $until', (text) => {
  const source = documentOf(text);
  const all = Object.values(text.sections).flat().length;
  it.each(releasesOf(`${text.since}..${text.until}`) ?? [])(
    'run in %s, and show what they promise',
    async (release) => {
      expect(examplesIn('hmm.rst', source, 'hmm', [release], scenes)).toHaveLength(all);
      expect(await wrongIn('hmm.rst', source, release)).toEqual([]);
    },
  );
});

describe.skipIf(texts.length === 0)('the blocks of C', () => {
  for (const { path, source, releases } of texts)
    describe(`of the text of ${spanOf(releases)}`, () => {
      it('are all found, and each has a scene of its own', () => {
        const examples = examplesIn(path, source, 'hmm', releases, scenes);
        expect(examples.length).toBe(COUNTS[releases[0] ?? '']);
        expect(examples.filter(({ isAuthored }) => !isAuthored).map(({ text }) => text)).toEqual([]);
        expect(new Set(examples.map(({ id }) => id)).size).toBe(examples.length);
      });

      for (const release of releases)
        it(`run as written in ${release}, and show what they promise`, async () => {
          expect(await wrongIn(path, source, release)).toEqual([]);
        });

      it('run one after the other, twice over, on the machine of the reader', async () => {
        const release = releases.at(-1);
        if (release === undefined) return;
        const { session } = newSession({ release });
        const ends = async (): Promise<string[]> => {
          const all: string[] = [];
          for (const example of examplesIn(path, source, 'hmm', [release], scenes))
            for (const variant of example.scene.variants)
              all.push(`${variant.id}: ${(await runBlock(example, variant, release, session)).state.status}`);
          return all;
        };
        const first = await ends();
        expect(await ends()).toEqual(first);
      });

      it('have a scene without ours as well: each runs or says where and why it cannot', async () => {
        const release = releases.at(-1);
        if (release === undefined) return;
        for (const example of examplesIn(path, source, 'hmm', [release], [])) {
          expect(example.isAuthored).toBe(false);
          for (const variant of example.scene.variants) {
            const { state } = await runBlock(example, variant, release);
            expect(['done', 'failed'], example.id).toContain(state.status);
            if (state.status === 'failed') expect(state.span, `${example.id}: ${state.why}`).toBeDefined();
          }
        }
      });
    });
});

const newest = texts.find(({ release }) => release === '6.14' || release === '6.12');
describe.skipIf(newest === undefined)('a text that lies in a tree of another release', () => {
  it.each(releasesOf('5.10..7.2') ?? [])('runs in %s as it does in its own', async (release) => {
    if (newest) expect(await wrongIn(newest.path, newest.source, release)).toEqual([]);
  });
});

describe.skipIf(models.length === 0)('the formula of the number of sections', () => {
  for (const { path, source, releases } of models)
    it(`of the text of ${spanOf(releases)} gives what the machine has`, async () => {
      for (const release of releases) {
        const examples = examplesIn(path, source, 'memory-model', [release], scenes);
        expect(examples.map(({ kind, scene }) => [kind, scene.title])).toEqual([['formula', 'NR_MEM_SECTIONS']]);
        for (const example of examples)
          for (const variant of example.scene.variants) {
            const { state, broken, promises } = await runBlock(example, variant, release);
            expect([state.status, broken, promises], release).toEqual(['done', [], 1]);
          }
      }
    });
});
