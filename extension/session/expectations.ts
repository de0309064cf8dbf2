/** Whether a scene shows what it says it shows: its expectations, asked of the machine at a pause or at its end. */
import { type Scene, textFor } from '../docs/scenes.ts';
import type { Session } from './types.ts';

export interface Verdict {
  readonly line: string;
  /** What was wanted: all of it, or a part. */
  readonly is: string;
  /** What the line printed or gave. */
  readonly found: string;
  readonly holds: boolean;
}

/** The expectations of a scene at its `pause`th pause, or at its end. Those of other releases are left out. */
export async function verdicts(session: Session, scene: Scene, pause?: number): Promise<Verdict[]> {
  const all: Verdict[] = [];
  for (const expectation of scene.expect ?? []) {
    const { line, has } = expectation;
    const wanted = expectation.is ?? has;
    const is = wanted === undefined ? undefined : textFor(wanted, session.release);
    if (expectation.pause !== pause || is === undefined) continue;
    const result = await session.runLine(line);
    const found = result.output === '' ? (result.value ?? '') : result.output;
    all.push({ line, is, found, holds: has === undefined ? found === is : found.includes(is) });
  }
  return all;
}
