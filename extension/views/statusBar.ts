/** The status bar item: which machine, which release, which step. */
import * as vscode from 'vscode';
import { nameOf } from '../language/examples.ts';
import type { KernelTexts } from '../language/kernelTexts.ts';
import type { UnreadableFiles } from '../language/unreadable.ts';
import type { ReaderSession } from '../readerSession.ts';
import type { Session } from '../session/types.ts';
import { releasesText } from './documentsTree.ts';

export class StatusBar implements vscode.Disposable {
  private readonly item = vscode.window.createStatusBarItem('zonescope.status', vscode.StatusBarAlignment.Left, 40);
  private readonly subscriptions: vscode.Disposable[] = [];
  private readonly reader: ReaderSession;
  private readonly texts: KernelTexts;
  private readonly unreadable: UnreadableFiles;

  constructor(reader: ReaderSession, texts: KernelTexts, unreadable: UnreadableFiles) {
    this.reader = reader;
    this.texts = texts;
    this.unreadable = unreadable;
    this.item.name = 'Zonescope';
    this.item.command = 'zonescope.showMenu';
    const update = (): void => void this.update();
    this.subscriptions.push(
      reader.onDidChange(update),
      texts.onDidChange(update),
      unreadable.onDidChange(update),
      vscode.window.onDidChangeActiveTextEditor(update),
      vscode.window.onDidChangeVisibleTextEditors(update),
    );
    update();
  }

  private async update(): Promise<void> {
    const session = this.reader.existing;
    const problem = this.unreadable.active;
    const isVisible = vscode.window.visibleTextEditors.some(({ document }) => this.texts.of(document) !== undefined);
    if (problem !== undefined) {
      this.item.text = `Zonescope: $(warning) ${nameOf(problem.uri)} ${problem.what.replace(/[:,].*/, '')}`;
      this.item.tooltip = `${nameOf(problem.uri)} ${problem.what}. ${problem.advice}`;
      this.item.accessibilityInformation = { label: `Zonescope: ${this.item.tooltip}` };
    } else if (session !== undefined) {
      this.item.text = statusText(session);
      this.item.tooltip = await this.tooltip(session);
      this.item.accessibilityInformation = { label: spoken(session) };
    } else {
      const settings = vscode.workspace.getConfiguration('zonescope');
      const machine = settings.get<string>('machine', '');
      const release = settings.get<string>('release', '');
      this.item.text = `Zonescope: ${[machine, release].filter(Boolean).join(' · ')}`;
      this.item.tooltip = 'The machine boots when something is run or looked at. Click for what can be done.';
      this.item.accessibilityInformation = { label: `${this.item.text}, not booted yet` };
    }
    if (isVisible || session !== undefined || problem !== undefined) this.item.show();
    else this.item.hide();
  }

  private async tooltip({
    machineName,
    release,
    position,
    setAside,
    isEstimated,
  }: Session): Promise<vscode.MarkdownString> {
    const tooltip = new vscode.MarkdownString('', true);
    tooltip.appendMarkdown('Machine **').appendText(machineName).appendMarkdown(`**, Linux ${release}\n\n`);
    if (position.lastStep !== '') tooltip.appendText(`Step ${position.step}: ${position.lastStep}`);
    else tooltip.appendText('As booted.');
    if (isEstimated)
      tooltip.appendText(
        '\n\nThe machine file does not say where the kernel image and the memmap lie; their places are estimated.',
      );
    if (position.paused) tooltip.appendMarkdown('\n\n$(debug-pause) ').appendText(position.paused.why);
    const active = vscode.window.activeTextEditor;
    const text = active && this.texts.of(active.document);
    if (text !== undefined && text.kind !== 'tour') {
      const { releases } = await text.releases;
      const isOther = releases.length > 0 && !releases.includes(release);
      tooltip.appendText(`\n\n${nameOf(text.uri)}: ${releasesText(releases)}`);
      if (isOther) tooltip.appendText(` (its examples run on ${releases.at(-1)})`);
    }
    if (setAside !== undefined) {
      tooltip.isTrusted = { enabledCommands: ['zonescope.goBack'] };
      tooltip.appendMarkdown('\n\n[$(discard) Go back](command:zonescope.goBack) to ');
      tooltip.appendText(`${setAside.machine}, ${setAside.release}`);
    }
    return tooltip;
  }

  dispose(): void {
    vscode.Disposable.from(...this.subscriptions).dispose();
    this.item.dispose();
  }
}

function statusText({ machineName, release, position, example }: Session): string {
  const { step, steps } = position;
  const mark = position.paused ? ' $(debug-pause)' : example?.status === 'running' ? ' $(loading~spin)' : '';
  return `Zonescope: ${machineName.replace(/\$\(/g, '(')} · ${release} · step ${step}/${steps}${mark}`;
}

function spoken({ machineName, release, position }: Session): string {
  const { step, steps, paused } = position;
  const where = steps === 0 ? 'booted' : `step ${step} of ${steps}`;
  return `Zonescope: machine ${machineName}, Linux ${release}, ${where}${paused ? `, paused: ${paused.why}` : ''}`;
}
