/** Marks the statement a running example stands at, with the reason, and what fills the holes of examples. */
import * as vscode from 'vscode';
import { framesOf } from '../debug/frames.ts';
import { DEBUG_TYPE } from '../debug/launch.ts';
import type { ReaderSession } from '../readerSession.ts';
import type { Reporter } from '../report.ts';
import type { ExampleState } from '../session/types.ts';
import type { Examples } from './examples.ts';
import type { Hole } from './holes.ts';
import type { KernelText, KernelTexts } from './kernelTexts.ts';
import type { PlacedScene } from './scenePlaces.ts';
import { VisibleEditors } from './visible.ts';

type Mark = 'next' | 'failed';

/** Beyond this a note hides the text it belongs to. */
const LONGEST_NOTE = 160;

function markOf({ status }: ExampleState): Mark | undefined {
  if (status === 'paused' || status === 'waiting') return 'next';
  return status === 'failed' ? 'failed' : undefined;
}

export class ExampleMarks implements vscode.Disposable {
  private readonly marks: Record<Mark, vscode.TextEditorDecorationType>;
  /** Only on the first line of a statement. */
  private readonly icons: Record<Mark, vscode.TextEditorDecorationType>;
  private readonly hole: vscode.TextEditorDecorationType;
  private readonly editors: VisibleEditors;
  private readonly examples: Examples;
  private readonly reader: ReaderSession;

  constructor(
    texts: KernelTexts,
    examples: Examples,
    reader: ReaderSession,
    report: Reporter,
    extensionUri: vscode.Uri,
  ) {
    this.examples = examples;
    this.reader = reader;
    const icon = (name: Mark): vscode.TextEditorDecorationType => {
      const file = (theme: string): vscode.ThemableDecorationRenderOptions => ({
        gutterIconPath: vscode.Uri.joinPath(extensionUri, 'media', 'icons', `${name}-${theme}.svg`),
        gutterIconSize: '85%',
      });
      return vscode.window.createTextEditorDecorationType({ light: file('light'), dark: file('dark') });
    };
    this.icons = { next: icon('next'), failed: icon('failed') };
    this.marks = {
      next: vscode.window.createTextEditorDecorationType({
        isWholeLine: true,
        backgroundColor: new vscode.ThemeColor('editor.stackFrameHighlightBackground'),
        outline: '1px dashed',
        outlineColor: new vscode.ThemeColor('contrastActiveBorder'),
        overviewRulerColor: new vscode.ThemeColor('editorOverviewRuler.warningForeground'),
        overviewRulerLane: vscode.OverviewRulerLane.Full,
      }),
      failed: vscode.window.createTextEditorDecorationType({
        isWholeLine: true,
        backgroundColor: new vscode.ThemeColor('inputValidation.errorBackground'),
        outline: '1px solid',
        outlineColor: new vscode.ThemeColor('contrastActiveBorder'),
        overviewRulerColor: new vscode.ThemeColor('editorOverviewRuler.errorForeground'),
        overviewRulerLane: vscode.OverviewRulerLane.Full,
      }),
    };
    this.hole = vscode.window.createTextEditorDecorationType({
      borderWidth: '0 0 1px 0',
      borderStyle: 'dashed',
      borderColor: new vscode.ThemeColor('editorInfo.foreground'),
    });
    const changes = [
      reader.onDidChange,
      examples.onDidChangeArguments,
      vscode.debug.onDidChangeActiveDebugSession,
      vscode.debug.onDidTerminateDebugSession,
    ];
    this.editors = new VisibleEditors(texts, report, changes, (editor, text) => this.draw(editor, text));
  }

  private async draw(editor: vscode.TextEditor, text: KernelText): Promise<void> {
    const { version } = editor.document;
    const placed = await this.examples.placed(text);
    if (editor.document.version !== version) return;
    this.drawExample(editor, placed);
    const holes = placed.flatMap((one) => this.examples.holes(text, one));
    editor.setDecorations(
      this.hole,
      holes.flatMap((hole) => holeMark(editor.document, hole) ?? []),
    );
  }

  private drawExample(editor: vscode.TextEditor, placed: readonly PlacedScene[]): void {
    const state = this.examples.stateIn(editor.document.uri.toString());
    const kind = state && !this.isMarkedByDebugger(state) ? markOf(state) : undefined;
    // A scene that runs lines of its own stands at the place it belongs to.
    const own = placed.find(({ scene }) => scene.id === state?.sceneId);
    const standing = state && own && this.examples.stepIn(own.scene, state);
    const step = own?.steps.find(({ index }) => index === standing);
    const span = state && (this.examples.spanOf(state) ?? step?.span ?? own?.span);
    for (const mark of Object.keys(this.marks) as Mark[]) {
      const marks = state && span && mark === kind ? [statementMark(editor.document, state, span, mark)] : [];
      editor.setDecorations(this.marks[mark], marks);
      editor.setDecorations(
        this.icons[mark],
        marks.map(({ range }) => new vscode.Range(range.start, range.start)),
      );
    }
  }

  /** A debugger marks the statement itself; ours beside it would be a second arrow. Calls from it are ours to mark. */
  private isMarkedByDebugger({ status }: ExampleState): boolean {
    if (status !== 'paused' || vscode.debug.activeDebugSession?.type !== DEBUG_TYPE) return false;
    const debuggee = this.reader.existing?.debuggee;
    return debuggee !== undefined && framesOf(debuggee)[0]?.source === 'text';
  }

  dispose(): void {
    this.editors.dispose();
    const types = [...Object.values(this.marks), ...Object.values(this.icons), this.hole];
    for (const type of types) type.dispose();
  }
}

function statementMark(
  document: vscode.TextDocument,
  { status, why }: ExampleState,
  span: { start: number; end: number },
  mark: Mark,
): vscode.DecorationOptions {
  const word = mark === 'failed' ? 'Failed' : status === 'waiting' ? 'Waiting' : 'Paused';
  const reason = why.replace(/\s+/g, ' ').trim();
  const note = reason.length > LONGEST_NOTE ? `${reason.slice(0, LONGEST_NOTE - 1)}…` : reason;
  const color = mark === 'failed' ? 'editorError.foreground' : 'editorInlayHint.foreground';
  return {
    range: new vscode.Range(document.positionAt(span.start), document.positionAt(span.end)),
    hoverMessage: new vscode.MarkdownString().appendText(`${word}: ${why}`),
    renderOptions: {
      after: {
        contentText: note === '' ? word : `${word}: ${note}`,
        color: new vscode.ThemeColor(color),
        fontStyle: 'italic',
        margin: '0 0 0 2em',
      },
    },
  };
}

function holeMark(document: vscode.TextDocument, { value, span }: Hole): vscode.DecorationOptions | undefined {
  if (span === undefined || value === '') return undefined;
  return {
    range: new vscode.Range(document.positionAt(span.start), document.positionAt(span.end)),
    renderOptions: {
      after: {
        contentText: ` ${value}`,
        color: new vscode.ThemeColor('editorInlayHint.foreground'),
        backgroundColor: new vscode.ThemeColor('editorInlayHint.background'),
        margin: '0 0 0 0.4em',
      },
    },
  };
}
