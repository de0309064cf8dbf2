/** Running a scene to one of its steps, and where a running one stands. */
import type { Release, ScriptEntry } from '../../sim/index.ts';
import type { Scene } from '../docs/scenes.ts';
import type { ExampleState, Session } from './types.ts';

/**
 * Runs the scene to the pause behind a step. One that is paused before that goes on from there with the steps that
 * have not run; otherwise, and where it has passed the step, it begins anew.
 */
export async function runToStep(
  session: Session,
  scene: Scene,
  uri: string,
  releases: readonly Release[] | undefined,
  index: number,
): Promise<ExampleState> {
  const { example } = session;
  if (example?.sceneId === scene.id && example.uri === uri && example.status === 'paused') {
    const at = stepAt(scene, example);
    // Someone who has gone back stands at no pause: going on shows where it is.
    const reached = at === undefined || at < index ? await goOn(session, scene, example, index) : undefined;
    if (reached !== undefined) return reached;
  }
  const begun = await session.runScene(scene, uri, releases);
  return (await goOn(session, scene, begun, index)) ?? session.example ?? begun;
}

/** On to the pause behind the step, or to what comes in between; undefined: it ran to its end without passing it. */
async function goOn(
  session: Session,
  scene: Scene,
  from: ExampleState,
  index: number,
): Promise<ExampleState | undefined> {
  let state: ExampleState | undefined = from;
  for (let left = (scene.steps?.length ?? 0) + 1; left > 0 && state?.status === 'paused'; left--) {
    if (stepAt(scene, state) === index) return state;
    state = await session.continueExample();
  }
  return state?.status === 'done' ? undefined : state;
}

/** The step whose pause the scene stands at; undefined: none. */
export function stepAt({ steps }: Scene, { status, why }: ExampleState): number | undefined {
  const found = status === 'paused' ? (steps ?? []).findIndex(({ shows }) => shows === why) : -1;
  return found < 0 ? undefined : found;
}

/** The step that a running scene is in, also where it waits, failed, or was gone back in: by the line it did last. */
export function stepIn(scene: Scene, state: ExampleState, lastLine: string | undefined): number | undefined {
  const paused = stepAt(scene, state);
  if (paused !== undefined || lastLine === undefined) return paused;
  const found = (scene.steps ?? []).findLastIndex(({ run }) => run.some((entry) => isLine(entry, lastLine)));
  return found < 0 ? undefined : found;
}

const isLine = (entry: ScriptEntry, line: string): boolean =>
  typeof entry === 'string' ? entry === line : Object.values(entry).includes(line);
