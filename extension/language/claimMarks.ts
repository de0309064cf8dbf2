/** A quiet check or cross in the gutter beside every sentence that was judged. */
import * as vscode from 'vscode';
import type { Reporter } from '../report.ts';
import type { Findings } from './findings.ts';
import { isFailed, type JudgedClaim } from './findingTypes.ts';
import type { KernelText, KernelTexts } from './kernelTexts.ts';
import { VisibleEditors } from './visible.ts';

type Mark = 'holds' | 'fails';

export class ClaimMarks implements vscode.Disposable {
  private readonly types: Record<Mark, vscode.TextEditorDecorationType>;
  private readonly editors: VisibleEditors;
  private readonly findings: Findings;

  constructor(texts: KernelTexts, findings: Findings, report: Reporter, extensionUri: vscode.Uri) {
    this.findings = findings;
    const icons = (mark: Mark) => {
      const file = (theme: string): vscode.ThemableDecorationRenderOptions => ({
        gutterIconPath: vscode.Uri.joinPath(extensionUri, 'media', 'icons', `claim-${mark}-${theme}.svg`),
        gutterIconSize: '80%',
      });
      return { light: file('light'), dark: file('dark') };
    };
    this.types = {
      holds: vscode.window.createTextEditorDecorationType(icons('holds')),
      fails: vscode.window.createTextEditorDecorationType({
        ...icons('fails'),
        overviewRulerColor: new vscode.ThemeColor('editorOverviewRuler.errorForeground'),
        overviewRulerLane: vscode.OverviewRulerLane.Left,
      }),
    };
    this.editors = new VisibleEditors(texts, report, [findings.onDidChange], (editor, text) => this.draw(editor, text));
  }

  private draw(editor: vscode.TextEditor, text: KernelText): void {
    const known = this.findings.of(text);
    // After an edit the marks move along with the text until it was looked at again.
    if (known === undefined) return;
    const marks = markedLines(known.claims, (offset) => editor.document.positionAt(offset).line);
    for (const [mark, type] of Object.entries(this.types) as [Mark, vscode.TextEditorDecorationType][])
      editor.setDecorations(
        type,
        marks.filter((one) => one.mark === mark).map(({ line }) => new vscode.Range(line, 0, line, 0)),
      );
  }

  dispose(): void {
    this.editors.dispose();
    for (const type of Object.values(this.types)) type.dispose();
  }
}

/** One mark a line: a sentence that fails hides those beside it that hold. */
function markedLines(claims: readonly JudgedClaim[], lineOf: (offset: number) => number) {
  const marks = new Map<number, Mark>();
  for (const one of claims) {
    const line = lineOf(one.place.span.start);
    if (isFailed(one)) marks.set(line, 'fails');
    else if (one.verdict?.holds === true && !marks.has(line)) marks.set(line, 'holds');
  }
  return [...marks].map(([line, mark]) => ({ line, mark }));
}
