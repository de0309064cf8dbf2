/** The Timeline: what was run, step by step. A click goes there. */
import * as vscode from 'vscode';
import { commandOf } from '../language/lens.ts';
import type { ReaderSession } from '../readerSession.ts';
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

/** Lines of a tooltip. */
const MOST_LINES = 20;

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

export class TimelineTree implements vscode.TreeDataProvider<TimelineEntry>, vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<undefined>();
  readonly onDidChangeTreeData = this.changed.event;
  private readonly subscription: vscode.Disposable;
  private readonly reader: ReaderSession;

  constructor(reader: ReaderSession) {
    this.reader = reader;
    this.subscription = reader.onDidChange(() => this.changed.fire(undefined));
  }

  /** The newest first, as logs are read. Nothing before a first step: then the view's welcome text speaks. */
  getChildren(entry?: TimelineEntry): TimelineEntry[] {
    const session = this.reader.existing;
    if (entry !== undefined || session === undefined || session.position.steps === 0) return [];
    return timelineEntries(session).reverse();
  }

  getTreeItem({ step, label, current, undone, output, isGap }: TimelineEntry): vscode.TreeItem {
    const item = new vscode.TreeItem(step === 0 || isGap ? label : `${step}  ${label}`);
    item.id = `step:${step}`;
    const standing = current ? 'now' : undone ? 'undone' : '';
    item.description = standing;
    item.iconPath = new vscode.ThemeIcon(
      isGap ? 'ellipsis' : current ? 'arrow-right' : undone ? 'circle-outline' : 'circle-filled',
    );
    const printed = output.slice(0, MOST_LINES);
    if (output.length > MOST_LINES) printed.push('...');
    const last = current
      ? 'The machine stands after this step.'
      : isGap
        ? `Click to go to step ${step}.`
        : 'Click to go there.';
    item.tooltip = [label, ...printed, last].join('\n');
    const word = step === 0 ? '' : `step ${step}`;
    item.accessibilityInformation = { label: [label, word, standing].filter(Boolean).join(', ') };
    item.command = commandOf('zonescope.goToStep', 'Go to Step', [step]);
    return item;
  }

  dispose(): void {
    this.subscription.dispose();
    this.changed.dispose();
  }
}
