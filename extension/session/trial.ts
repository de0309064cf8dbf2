/** Runs an example to its end on a machine of its own, pauses passed over, and says whether it showed what it should. */
import type { Release } from '../../sim/index.ts';
import type { Scene } from '../docs/scenes.ts';
import { endsAsSaid, type Verdict, verdicts } from './expectations.ts';
import { variantOfScene } from './running.ts';
import { createSession } from './session.ts';
import type { ExampleRequest, ExampleState, Session } from './types.ts';

export interface Trial {
  readonly state: ExampleState;
  readonly steps: ReturnType<Session['exampleSteps']>;
  /** Expectations that were not met, each with the pause it was about; none: the end. */
  readonly unmet: readonly (Verdict & { readonly pause?: number })[];
  /** How many pauses it came to. */
  readonly pauses: number;
  readonly outcome: 'passed' | 'failed' | 'cancelled' | 'endless';
}

export interface TrialOptions {
  readonly clock: { now(): number; breathe(): Promise<void> };
  readonly release: Release | undefined;
  isCancelled(): boolean;
}

/** What runs: a block with its scene, or a scene with lines of its own. */
export type Tried = { readonly request: ExampleRequest } | { readonly scene: Scene; readonly uri: string };

/** No example of a document needs a second. */
const LONGEST_MS = 15_000;
const MOST_PAUSES = 1000;

export async function tryExample(tried: Tried, { clock, release, isCancelled }: TrialOptions): Promise<Trial> {
  const began = clock.now();
  const isLate = (): boolean => clock.now() - began > LONGEST_MS;
  const session = createSession({
    storage: { get: () => undefined, set: () => undefined },
    clock: {
      now: () => clock.now(),
      async breathe() {
        await clock.breathe();
        if (isCancelled() || isLate()) session.stopExample();
      },
    },
    ...(release === undefined ? {} : { release }),
  });
  try {
    const releases = release === undefined ? [] : [release];
    const scene = 'request' in tried ? tried.request.scene : tried.scene;
    const variant = variantOfScene({ scene, variant: 'request' in tried ? tried.request.variant : '' });
    let state: ExampleState | undefined =
      'request' in tried
        ? await session.runExample({ ...tried.request, releases })
        : await session.runScene(tried.scene, tried.uri, releases);
    const unmet: (Verdict & { pause?: number })[] = [];
    const judge = async (pause?: number): Promise<void> => {
      for (const verdict of await verdicts(session, scene, pause, variant.id))
        if (!verdict.holds) unmet.push(pause === undefined ? verdict : { ...verdict, pause });
    };
    let pauses = 0;
    while (state.status === 'paused' && !isCancelled() && !isLate() && pauses < MOST_PAUSES) {
      await judge(++pauses);
      state = (await session.continueExample()) ?? state;
    }
    const isAsSaid = endsAsSaid(state, variant, session.release);
    if (isAsSaid) await judge();
    const outcome = isCancelled()
      ? 'cancelled'
      : isAsSaid && unmet.length === 0
        ? 'passed'
        : state.status === 'stopped' || state.status === 'paused'
          ? 'endless'
          : 'failed';
    return { state, steps: session.exampleSteps(), unmet, pauses, outcome };
  } finally {
    session.dispose();
  }
}
