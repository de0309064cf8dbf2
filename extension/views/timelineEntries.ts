/** What the Timeline lists. Free of vscode. */
import type { Session } from '../session/types.ts';

export interface TimelineEntry {
  readonly step: number;
  readonly label: string;
  readonly current: boolean;
  readonly undone: boolean;
  /** What its commands printed. */
  readonly output: readonly string[];
  /** It stands for steps that are not listed, and is the one next to those that are. */
  readonly isGap?: boolean;
}

/** A loop that does not end makes steps without end: no more than these are listed, those around the present one. */
export const MOST_LISTED = 1000;

/** The steps, newest last, after the boot they began with. */
export function timelineEntries(session: Session): TimelineEntry[] {
  const { step, steps, machine } = session.position;
  const from = Math.max(0, Math.min(steps - MOST_LISTED, step - MOST_LISTED / 2));
  const to = Math.min(steps, from + MOST_LISTED);
  const gap = (at: number, label: string): TimelineEntry => ({
    step: at,
    label,
    current: false,
    undone: at > step,
    output: [],
    isGap: true,
  });
  return [
    { step: 0, label: `Boot of ${machine}`, current: step === 0, undone: false, output: [] },
    ...(from > 0 ? [gap(from, `… ${from} earlier ${from === 1 ? 'step' : 'steps'}`)] : []),
    ...session.timeline(from, to).map((one, i) => ({ step: from + i + 1, ...one })),
    ...(to < steps ? [gap(steps, `… ${steps - to} later ${steps - to === 1 ? 'step' : 'steps'}`)] : []),
  ];
}
