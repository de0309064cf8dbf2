/** Whether a scene shows what it says it shows: its expectations, asked of the machine at a pause or at its end. */
import type { Release } from '../../sim/index.ts';
import { type Scene, type SceneVariant, textFor } from '../docs/scenes.ts';
import type { ExampleState, Session } from './types.ts';

export interface Verdict {
  readonly line: string;
  /** What was wanted: all of it, or a part. */
  readonly is: string;
  /** What the line printed or gave. */
  readonly found: string;
  readonly holds: boolean;
}

/** The expectations of a scene at its `pause`th pause, or at its end. Those of other releases and variants are left out. */
export async function verdicts(session: Session, scene: Scene, pause?: number, variant?: string): Promise<Verdict[]> {
  const all: Verdict[] = [];
  for (const expectation of scene.expect ?? []) {
    const { line, has } = expectation;
    const wanted = expectation.is ?? has;
    const is = wanted === undefined ? undefined : textFor(wanted, session.release);
    if (expectation.pause !== pause || is === undefined) continue;
    if (expectation.variant !== undefined && expectation.variant !== (variant ?? scene.variants[0]?.id)) continue;
    const result = await session.runLine(line);
    const found = result.output === '' ? (result.value ?? '') : result.output;
    all.push({ line, is, found, holds: has === undefined ? found === is : found.includes(is) });
  }
  return all;
}

/** Whether it ended as its scene says: ran to its end, or failed for the reason that is told of this variant. */
export function endsAsSaid(
  { status, why }: Pick<ExampleState, 'status' | 'why'>,
  { fails }: SceneVariant,
  release: Release,
): boolean {
  const words = fails === undefined ? undefined : textFor(fails, release);
  return words === undefined ? status === 'done' : status === 'failed' && why.includes(words);
}

/** In what a run was not as its scene says of this variant, in words: how it ended, or what it printed. */
export function unkept(
  state: Pick<ExampleState, 'status' | 'why'>,
  printed: readonly { readonly output: string }[],
  variant: SceneVariant,
  release: Release,
): string | undefined {
  const reason = variant.fails === undefined ? undefined : textFor(variant.fails, release);
  if (!endsAsSaid(state, variant, release))
    return `it was to ${reason === undefined ? 'run to its end' : `fail with "${reason}"`}, and ${state.status}: ${state.why}`;
  const words = variant.says === undefined ? undefined : textFor(variant.says, release);
  const isSaid = words === undefined || printed.some(({ output }) => output.includes(words));
  return isSaid ? undefined : `it was to print "${words}"`;
}
