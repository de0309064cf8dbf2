/** Runs the examples of a document as a reader would, and judges what their scenes promise. */
import { examplesOf } from '../../extension/docs/examples.ts';
import type { DocExample } from '../../extension/docs/exampleTypes.ts';
import { parseDocument } from '../../extension/docs/rst.ts';
import type { Scene, SceneVariant } from '../../extension/docs/scenes.ts';
import { textFor } from '../../extension/docs/scenes.ts';
import { unkept, verdicts } from '../../extension/session/expectations.ts';
import type { ExampleState, Session } from '../../extension/session/types.ts';
import type { Release } from '../../sim/index.ts';
import { newSession } from './sessions.ts';

export interface BlockRun {
  readonly state: ExampleState;
  /** What was promised and is not so, in words. */
  readonly broken: readonly string[];
  /** How much was promised. */
  readonly promises: number;
}

export const examplesIn = (
  path: string,
  source: string,
  kind: 'hmm' | 'memory-model',
  releases: readonly Release[],
  scenes: readonly Scene[],
): DocExample[] => examplesOf(parseDocument(path, source), source, kind, releases, scenes);

/** Runs one way of an example on a machine of its own, or on the one given. */
export async function runBlock(
  example: DocExample,
  variant: SceneVariant,
  release: Release,
  session: Session = newSession({ release }).session,
): Promise<BlockRun> {
  const { scene, text, toSource } = example;
  const broken: string[] = [];
  let promises = 0;
  const judge = async (pause?: number): Promise<void> => {
    for (const { line, is, found, holds } of await verdicts(session, scene, pause, variant.id)) {
      promises++;
      if (!holds) broken.push(`${line}: ${found}, and not ${is}`);
    }
  };
  const request = { scene, variant: variant.id, text, toDocument: toSource, uri: 'file:///hmm.rst' };
  let state = await session.runExample({ ...request, releases: [release] });
  for (let pause = 1; state.status === 'paused' && pause < 10; pause++) {
    await judge(pause);
    state = (await session.continueExample()) ?? state;
  }
  await judge();
  const end = unkept(state, session.exampleSteps(), variant, release);
  if (end !== undefined) broken.push(end);
  for (const said of [variant.fails, variant.says])
    if (said !== undefined && textFor(said, release) !== undefined) promises++;
  return { state, broken, promises };
}
