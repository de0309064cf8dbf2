/** The lenses over examples. They hold the scene and its variant, no line: an edit cannot mislead them. */
import * as vscode from 'vscode';
import type { ReaderSession } from '../readerSession.ts';
import type { Reporter } from '../report.ts';
import type { ExampleState } from '../session/types.ts';
import type { Examples } from './examples.ts';
import { valueText } from './holes.ts';
import type { KernelText, KernelTexts } from './kernelTexts.ts';
import { goOnCommands } from './lensCommands.ts';
import type { LensTargets } from './lensTargets.ts';
import type { PlacedScene } from './scenePlaces.ts';
import { stepLenses } from './stepLenses.ts';

const ENDED = new Set(['done', 'failed', 'stopped']);

export class Lenses implements vscode.CodeLensProvider, vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<void>();
  readonly onDidChangeCodeLenses = this.changed.event;
  private readonly subscriptions: vscode.Disposable[] = [];
  private readonly texts: KernelTexts;
  private readonly examples: Examples;
  private readonly report: Reporter;
  private readonly targets: LensTargets;
  private shown = '';

  constructor(texts: KernelTexts, examples: Examples, reader: ReaderSession, targets: LensTargets, report: Reporter) {
    this.texts = texts;
    this.examples = examples;
    this.targets = targets;
    this.report = report;
    this.subscriptions.push(
      reader.onDidChange(() => {
        // Lenses jump while they are replaced, so only what they show counts.
        const { release, example } = reader.existing ?? {};
        const shown = `${release} ${example?.uri} ${example?.sceneId} ${example?.status} ${example?.why}`;
        if (shown === this.shown) return;
        this.shown = shown;
        this.changed.fire();
      }),
      examples.onDidChangeArguments(() => this.changed.fire()),
      texts.onDidChange(() => this.changed.fire()),
      vscode.workspace.onDidChangeConfiguration((event) => {
        if (event.affectsConfiguration('zonescope.codeLens')) this.changed.fire();
      }),
    );
  }

  async provideCodeLenses(document: vscode.TextDocument): Promise<vscode.CodeLens[]> {
    if (!vscode.workspace.getConfiguration('zonescope', document).get('codeLens', true)) return [];
    const text = this.texts.of(document);
    if (text === undefined) return [];
    const placed = await this.report.quietly('find the examples of a document', () => this.examples.placed(text));
    return (placed ?? []).flatMap((one) => this.lensesOf(document, text, one));
  }

  private lensesOf(document: vscode.TextDocument, text: KernelText, placed: PlacedScene): vscode.CodeLens[] {
    const { scene, span } = placed;
    const uri = text.uri.toString();
    const at = document.positionAt(span.start);
    const range = new vscode.Range(at, at);
    const commands: vscode.Command[] = [];
    const state = this.examples.stateIn(uri);
    const isOwn = state?.sceneId === scene.id && !ENDED.has(state.status);
    const standing = isOwn ? this.examples.stepIn(scene, state) : undefined;
    // Where it stands at a step of its own, what to do next is there; and the lens of its first step begins it.
    const isElsewhere = placed.steps.some(({ index }) => index === (isOwn ? standing : 0));
    if (isOwn && !isElsewhere) commands.push(...goOnCommands(state));
    else if (!isOwn && !isElsewhere) {
      for (const { id, title } of scene.variants) {
        commands.push(
          this.targets.commandOf('zonescope.runScene', `$(play) ${title}`, [uri, scene.id, id], scene.teaches),
        );
      }
      commands.push(this.targets.commandOf('zonescope.debugScene', '$(debug-alt) Debug', [uri, scene.id]));
    }
    const holes = this.examples.holes(text, placed);
    if (holes.length > 0) {
      const values = holes.map((hole) => `${hole.key} = ${valueText(hole)}`).join('\n');
      commands.push(this.targets.commandOf('zonescope.editArguments', 'Arguments…', [uri, scene.id], values));
    }
    const lenses = [
      ...commands.map((command) => new vscode.CodeLens(range, command)),
      ...stepLenses(this.targets, document, uri, placed, isOwn ? state : undefined, standing),
    ];
    return state?.sceneId === scene.id ? [...lenses, ...this.failureLens(document, state)] : lenses;
  }

  /** The reason again, where a narrow editor does not cut it off. */
  private failureLens(document: vscode.TextDocument, state: ExampleState): vscode.CodeLens[] {
    const span = this.examples.spanOf(state);
    if (state.status !== 'failed' || span === undefined) return [];
    const at = document.positionAt(span.start);
    const title = `$(error) Failed: ${state.why.replace(/\s+/g, ' ')}`;
    return [new vscode.CodeLens(new vscode.Range(at, at), { command: '', title, tooltip: state.why })];
  }

  dispose(): void {
    vscode.Disposable.from(...this.subscriptions).dispose();
    this.changed.dispose();
  }
}
