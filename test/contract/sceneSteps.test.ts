/** Scenes of the kernel's documents: in every release they are of they keep what they promise, and each step has its place. */
import { describe, expect, it } from 'vitest';
import type { PlacedScene } from '../../extension/docs/scenes.ts';
import { placeScenes, releasesOf, type Scene } from '../../extension/docs/scenes.ts';
import { verdicts } from '../../extension/session/expectations.ts';
import type { ExampleState, Session } from '../../extension/session/types.ts';
import type { Release } from '../../sim/index.ts';
import { type KernelText, kernelTexts } from '../support/kernelTexts.ts';
import { allScenes, newSession } from '../support/sessions.ts';

/** Lines of their own, at a place of memory-model or hmm. */
const SCENES = allScenes().filter(({ anchor, run }) => anchor.document !== 'tour' && run !== undefined);
const sceneOf = (id: string): Scene => {
  const found = SCENES.find((scene) => scene.id === id);
  if (!found) throw new Error(`no scene ${id}`);
  return found;
};

/** Everything that is not as promised, in words. */
async function broken(session: Session, scene: Scene, release: Release): Promise<string[]> {
  const found: string[] = [];
  let judged = 0;
  const judge = async (pause?: number): Promise<void> => {
    for (const { line, is, found: was, holds } of await verdicts(session, scene, pause)) {
      judged++;
      if (!holds) found.push(`${release}: ${line} at ${pause ?? 'the end'}: ${is} wanted, ${was} found`);
    }
  };
  let state: ExampleState | undefined = await session.runScene(scene, 'file:///text.rst', [release]);
  let pauses = 0;
  while (state?.status === 'paused') {
    await judge(++pauses);
    state = await session.continueExample();
  }
  await judge();
  if (state?.why !== 'ran to its end') found.push(`${release}: ${state?.status}: ${state?.why}`);
  const wanted = (scene.run ?? []).filter((entry) => typeof entry !== 'string' && 'pause' in entry).length;
  if (pauses !== wanted) found.push(`${release}: ${pauses} of ${wanted} pauses`);
  if (judged === 0) found.push(`${release}: nothing was judged`);
  for (const { line, status, output } of session.exampleSteps())
    if (status !== 0 || /^(error|warning|WARNING):/m.test(output))
      found.push(`${release}: ${line}: ${status} ${output}`);
  const left = await session.runLine('proc list');
  if (left.output !== '') found.push(`${release}: left behind: ${left.output}`);
  return found;
}

describe('scenes of the documents', () => {
  it('are there for the steps of migration, mirrors, exclusive access, accounting, and each section', () => {
    expect(SCENES.map(({ id }) => id)).toEqual(
      expect.arrayContaining(['hmm-steps', 'hmm-migrate-54', 'hmm-migrate-old', 'hmm-mirror-steps', 'hmm-mirror-52']),
    );
    expect(sceneOf('hmm-steps').steps).toHaveLength(7);
  });

  it.each(SCENES.map(({ id }) => id))('%s keeps what it promises in every release it is of', async (id) => {
    const scene = sceneOf(id);
    const found: string[] = [];
    for (const release of releasesOf(scene.release) ?? []) {
      const { session } = newSession({ machine: scene.machine ?? 'qemu-2g', release });
      found.push(...(await broken(session, scene, release)));
      session.dispose();
    }
    expect(found).toEqual([]);
  });

  it.each(['laptop-16g', 'workstation-gpu', 'server-2n-pmem'])(
    'that name no machine run on the reader’s %s',
    async (machine) => {
      for (const scene of SCENES.filter((each) => each.machine === undefined)) {
        const release = releasesOf(scene.release)?.at(-1) ?? '7.3';
        const { session } = newSession({ machine, release });
        expect(await broken(session, scene, release), scene.id).toEqual([]);
        expect(session.machineName).toBe(machine);
        session.dispose();
      }
    },
  );

  it('leave nothing behind, so that each can run again where it ran', async () => {
    for (const scene of SCENES) {
      // It lists processes by their numbers, and these are others the second time.
      if (scene.id === 'hmm-fork') continue;
      const release = releasesOf(scene.release)?.at(-1) ?? '7.3';
      const { session } = newSession({ machine: scene.machine ?? 'qemu-2g', release });
      await broken(session, scene, release);
      expect(await broken(session, scene, release), scene.id).toEqual([]);
      session.dispose();
    }
  });

  it.each([
    ['memory-model', 'FLATMEM', '5.2'],
    ['memory-model', 'SPARSEMEM', '5.2'],
    ['memory-model', 'DISCONTIGMEM', '5.2'],
    ['memory-model', 'ZONE_DEVICE', '5.3'],
    ['memory-model', 'Physical Memory Model', '5.2'],
    ['hmm', 'Address space mirroring implementation and API', '4.14'],
    ['hmm', 'Migration to and from device memory', '4.14'],
    ['hmm', 'Memory cgroup (memcg) and rss accounting', '4.14'],
    ['hmm', 'Exclusive access memory', '5.14'],
  ])('%s: the section %s has one in every release since %s', (document, section, since) => {
    const own = SCENES.filter(({ anchor }) => anchor.document === document && anchor.section === section);
    const held = new Set(own.flatMap(({ release }) => releasesOf(release) ?? []));
    const last = section === 'DISCONTIGMEM' ? '5.13' : '7.3';
    expect((releasesOf(`${since}..${last}`) ?? []).filter((release) => !held.has(release))).toEqual([]);
  });
});

const TEXTS = [...(await kernelTexts('memory-model')), ...(await kernelTexts('hmm'))];
const name = ({ path, release }: KernelText): string => `${path.split('/').at(-1)} of ${release}`;
const kindOf = ({ path }: KernelText): 'memory-model' | 'hmm' => (/memory-model/.test(path) ? 'memory-model' : 'hmm');
const placedIn = (text: KernelText): PlacedScene[] =>
  placeScenes(SCENES, kindOf(text), text.releases, text.document, text.source);

describe.runIf(TEXTS.length > 0)('in the texts', () => {
  it.each(TEXTS.map((text) => [name(text), text] as const))(
    '%s has a place for every scene of its releases',
    (_, text) => {
      const due = SCENES.filter(
        ({ anchor, also = [], release }) =>
          [anchor, ...also].some(({ document }) => document === kindOf(text)) &&
          text.releases.every((each) => releasesOf(release)?.includes(each)),
      );
      expect(due.length).toBeGreaterThan(2);
      const ids = placedIn(text).map(({ scene }) => scene.id);
      expect(due.filter(({ id }) => !ids.includes(id)).map(({ id }) => id)).toEqual([]);
    },
  );

  it.each(TEXTS.map((text) => [name(text), text] as const))(
    '%s has its steps in the order of the text, each at a sentence of its own',
    (_, text) => {
      for (const { scene, steps } of placedIn(text)) {
        expect(
          steps.map(({ index }) => index),
          scene.id,
        ).toEqual((scene.steps ?? []).map((_step, index) => index));
        const starts = steps.map(({ span }) => span.start);
        expect(
          [...new Set(starts)].sort((a, b) => a - b),
          scene.id,
        ).toEqual(starts);
        for (const [at, { extent, span }] of steps.entries()) {
          expect(extent.start).toBe(span.start);
          expect(extent.end).toBeLessThan(steps[at + 1]?.span.start ?? Number.POSITIVE_INFINITY);
        }
      }
    },
  );

  it.each(
    TEXTS.map((text) => [name(text), text] as const).filter(
      ([, text]) => kindOf(text) === 'hmm' && releasesOf('5.10..')?.includes(text.releases[0] as Release),
    ),
  )('%s has step N of a migration at its item N', (_, text) => {
    const steps = placedIn(text).find(({ scene }) => scene.id === 'hmm-steps')?.steps ?? [];
    const items = steps.map(({ span }) => /^(\d)\. /m.exec(text.source.slice(span.start - 3, span.end))?.[1]);
    expect(items).toEqual(['1', '2', '3', '4', '5', '6', '7']);
  });
});
