/** A quiet line under every term that explains itself. */
import * as vscode from 'vscode';
import type { Reporter } from '../report.ts';
import type { KernelText, KernelTexts } from './kernelTexts.ts';
import type { Library } from './library.ts';
import { onDidChangeSetting, VisibleEditors } from './visible.ts';

/** Enough for a document many times as long as the real ones. */
const MOST = 5000;

export class TermMarks implements vscode.Disposable {
  private readonly line = vscode.window.createTextEditorDecorationType({
    borderWidth: '0 0 1px 0',
    borderStyle: 'dotted',
    borderColor: new vscode.ThemeColor('editorCodeLens.foreground'),
    rangeBehavior: vscode.DecorationRangeBehavior.ClosedClosed,
  });
  private readonly editors: VisibleEditors;
  private readonly library: Library;

  constructor(texts: KernelTexts, library: Library, report: Reporter) {
    this.library = library;
    const changes = [onDidChangeSetting('zonescope.underlineTerms')];
    this.editors = new VisibleEditors(texts, report, changes, (editor, text) => this.draw(editor, text));
  }

  private async draw(editor: vscode.TextEditor, text: KernelText): Promise<void> {
    const { document } = editor;
    if (!vscode.workspace.getConfiguration('zonescope', document).get('underlineTerms', true)) {
      editor.setDecorations(this.line, []);
      return;
    }
    const { version } = document;
    const mentions = await this.library.mentions(text);
    if (document.version !== version) return;
    const ranges = mentions
      .slice(0, MOST)
      .map(({ start, end }) => new vscode.Range(document.positionAt(start), document.positionAt(end)));
    editor.setDecorations(this.line, ranges);
  }

  dispose(): void {
    this.editors.dispose();
    this.line.dispose();
  }
}
