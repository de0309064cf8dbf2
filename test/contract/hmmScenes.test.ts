/** The scenes of processes and a device: in every kind of release that has them they show what they say they show. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseRst } from '../../extension/docs/rst.ts';
import { placeScenes, releasesOf, type Scene } from '../../extension/docs/scenes.ts';
import { type Verdict, verdicts } from '../../extension/session/expectations.ts';
import type { ExampleState, Session } from '../../extension/session/types.ts';
import { RELEASES, type Release } from '../../sim/index.ts';
import { allScenes, newSession } from '../support/sessions.ts';

/** Those of the tour; what else there is has tests of its own. */
const SCENES = allScenes().filter(
  ({ expect: expectations, anchor, also = [] }) =>
    expectations !== undefined && [anchor, ...also].some(({ document }) => document === 'tour'),
);
const KINDS: readonly Release[] = ['5.8', '5.15', '6.1', '6.12', '6.15', '7.3'];
const CASES = SCENES.flatMap((scene) =>
  KINDS.filter((release) => releasesOf(scene.release)?.includes(release)).map(
    (release) => [scene.id, release] as const,
  ),
);
const sceneOf = (id: string): Scene => {
  const found = SCENES.find((scene) => scene.id === id);
  if (!found) throw new Error(`no scene ${id}`);
  return found;
};

/** Runs a scene to its end; the verdicts of each pause, and of the end as the last. */
async function play(session: Session, scene: Scene): Promise<Verdict[][]> {
  const all: Verdict[][] = [];
  let state: ExampleState | undefined = await session.runScene(scene, 'file:///hmm.rst', [session.release]);
  while (state?.status === 'paused') {
    all.push(await verdicts(session, scene, all.length + 1));
    state = await session.continueExample();
  }
  expect([state?.status, state?.why]).toEqual(['done', 'ran to its end']);
  return [...all, await verdicts(session, scene)];
}

describe('scenes of processes and a device', () => {
  it('are there for migration, mirroring, exclusive access, charges and fork', () => {
    expect(SCENES.map(({ id }) => id)).toEqual([
      'hmm-charge',
      'hmm-exclusive',
      'hmm-fork',
      'hmm-mirror',
      'hmm-round-trip',
    ]);
  });

  it.each(CASES)('%s keeps what it promises in %s', async (id, release) => {
    const { session } = newSession();
    session.chooseRelease(release);
    const scene = sceneOf(id);
    const found = await play(session, scene);
    expect(found.flat().filter(({ holds }) => !holds)).toEqual([]);
    expect(found.flat()).toHaveLength(scene.expect?.length ?? 0);
    expect(found).toHaveLength((scene.run ?? []).filter((entry) => typeof entry !== 'string').length + 1);
  });

  it('leave nothing behind, so that each can follow another on the reader’s own machine', async () => {
    const { session } = newSession({ machine: 'laptop-16g' });
    for (const scene of [...SCENES, ...SCENES]) {
      await play(session, scene);
      expect((await session.runLine('proc list')).output).toBe('');
    }
  });

  it('are judged: a promise that is not kept is found out', async () => {
    const { session } = newSession();
    const scene = sceneOf('hmm-round-trip');
    const wrong = { line: 'proc list', is: 'nobody' };
    const last = (await play(session, { ...scene, expect: [wrong] })).at(-1);
    expect(last).toEqual([{ ...wrong, found: '', holds: false }]);
    // What holds in other releases only is not asked.
    const older = { line: 'proc list', is: { '5.8..6.1': 'nobody' } };
    expect(await play(session, { ...scene, expect: [older] })).toEqual([[], [], []]);
  });

  it('have a place in the tour, each at its own sentence', () => {
    const source = readFileSync(new URL('../../media/tour/tour.rst', import.meta.url), 'utf8');
    const placed = placeScenes(SCENES, 'tour', RELEASES, parseRst(source), source);
    expect(placed.map(({ scene }) => scene.id).sort()).toEqual(SCENES.map(({ id }) => id));
    expect(new Set(placed.map(({ span }) => span.start)).size).toBe(SCENES.length);
    expect(placed.filter(({ isBlock }) => isBlock)).toEqual([]);
  });

  for (const release of ['6.12', '6.1'] as const)
    it(`have a place in the text a distribution ships of ${release}`, (context) => {
      const root = process.env.ZONESCOPE_DOCS ?? '';
      const path = join(root, release, 'Documentation/mm/hmm.rst');
      if (root === '' || !existsSync(path)) return context.skip(`there is no ${path}: set ZONESCOPE_DOCS`);
      const source = readFileSync(path, 'utf8');
      const placed = placeScenes(SCENES, 'hmm', [release], parseRst(source), source);
      expect(placed.map(({ scene }) => scene.id).sort()).toEqual(['hmm-fork', 'hmm-round-trip']);
    });
});
