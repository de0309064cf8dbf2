/** Redraws the visible editors of kernel documents, some time after something they show has changed. */
import * as vscode from 'vscode';
import type { Reporter } from '../report.ts';
import type { KernelText, KernelTexts } from './kernelTexts.ts';

export type Draw = (editor: vscode.TextEditor, text: KernelText) => void | Promise<void>;

const DELAY_MS = 60;

export class VisibleEditors implements vscode.Disposable {
  private readonly subscriptions: vscode.Disposable[] = [];
  private readonly texts: KernelTexts;
  private readonly report: Reporter;
  private readonly draw: Draw;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(texts: KernelTexts, report: Reporter, changes: readonly vscode.Event<unknown>[], draw: Draw) {
    this.texts = texts;
    this.report = report;
    this.draw = draw;
    const soon = (): void => this.soon();
    this.subscriptions.push(
      vscode.window.onDidChangeVisibleTextEditors(soon),
      texts.onDidChange(soon),
      ...changes.map((change) => change(soon)),
    );
    soon();
  }

  private soon(): void {
    if (this.timer !== undefined) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.now();
    }, DELAY_MS);
  }

  private now(): void {
    for (const editor of vscode.window.visibleTextEditors) {
      const text = this.texts.of(editor.document);
      if (text !== undefined) this.report.quietly('mark a document', () => this.draw(editor, text));
    }
  }

  dispose(): void {
    clearTimeout(this.timer);
    vscode.Disposable.from(...this.subscriptions).dispose();
  }
}

/** A change of one setting. */
export function onDidChangeSetting(name: string): vscode.Event<unknown> {
  return (listener) =>
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration(name)) listener(event);
    });
}
