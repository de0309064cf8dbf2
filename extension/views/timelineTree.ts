/** The Timeline: what was run, step by step. A click goes there. */
import * as vscode from 'vscode';
import { commandOf } from '../language/lensCommands.ts';
import type { ReaderSession } from '../readerSession.ts';
import { type TimelineEntry, timelineEntries } from './timelineEntries.ts';

/** Lines of a tooltip. */
const MOST_LINES = 20;

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
