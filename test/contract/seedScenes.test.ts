/** The scenes of the founding documents: each runs in its own release, from the place the tour gives it. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseRst } from '../../extension/docs/rst.ts';
import { placeScenes } from '../../extension/docs/scenes.ts';
import { RELEASES, type Release } from '../../sim/index.ts';
import { allScenes, newSession } from '../support/sessions.ts';

const SEEDS: readonly [string, Release, readonly RegExp[]][] = [
  ['seed-zone-device', '5.3', [/devm_memremap_pages|memremap_pages/]],
  ['seed-private-memory', '4.16', [/put_page/]],
  ['seed-the-zone', '4.3', [/arch_add_memory/]],
  ['seed-pagemap', '4.19', [/get_dev_pagemap/]],
  ['seed-dax-gup', '4.5', [/get_user_pages/]],
];

describe('the scenes of the founding documents', () => {
  const source = readFileSync(new URL('../../media/tour/tour.rst', import.meta.url), 'utf8');
  const placed = placeScenes(allScenes(), 'tour', RELEASES, parseRst(source), source);

  it.each(SEEDS)('%s has a place in the tour, and runs in %s to a pause and to its end', async (id, release, calls) => {
    const here = placed.find(({ scene }) => scene.id === id);
    if (!here) throw new Error(`${id} has no place`);
    expect(here.isBlock).toBe(false);
    const { session } = newSession();
    const state = await session.runScene(here.scene, 'file:///tour.rst', []);
    expect(state.why).toMatch(/Continue/);
    expect(state.status).toBe('paused');
    expect(session.release).toBe(release);
    expect((await session.continueExample())?.status).toBe('done');
    const steps = session.exampleSteps();
    const printed = steps.map(({ line, output }) => `${line}\n${output}`).join('\n');
    for (const call of calls) expect(printed).toMatch(call);
    // Only the scene that shows a refusal has one.
    expect(steps.filter(({ status }) => status !== 0).map(({ line }) => line)).toEqual(
      id === 'seed-pagemap' ? ['devm_memremap_pages(dev, &map);'] : [],
    );
    session.goBack();
    expect(session.release).toBe('6.12');
  });
});
