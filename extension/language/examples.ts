/** Runs the scenes of a document, and knows where in its text a running one stands. */
import * as vscode from 'vscode';
import type { Release } from '../../sim/index.ts';
import type { Span } from '../docs/rst.ts';
import { stepOfVariant } from '../docs/sceneSteps.ts';
import type { Scene } from '../docs/scenes.ts';
import type { ReaderSession } from '../readerSession.ts';
import { ReaderError } from '../report.ts';
import { runToStep, stepIn } from '../session/steps.ts';
import type { ExampleState, Session } from '../session/types.ts';
import { Drift } from './drift.ts';
import { type Hole, holesOf } from './holes.ts';
import type { KernelText, KernelTexts } from './kernelTexts.ts';
import type { Library } from './library.ts';
import { exampleRequest, type PlacedScene, scenesIn } from './scenePlaces.ts';

const OVERRIDES = 'exampleArguments';

export class Examples implements vscode.Disposable {
  private readonly subscriptions: vscode.Disposable[] = [];
  private readonly drift = new Drift();
  private readonly changed = new vscode.EventEmitter<void>();
  /** A hole was given another value. */
  readonly onDidChangeArguments = this.changed.event;
  private readonly texts: KernelTexts;
  private readonly library: Library;
  private readonly reader: ReaderSession;
  private readonly state: vscode.Memento;
  /** Called before anything runs, to show it. */
  private readonly prepare: () => Promise<void>;

  constructor(
    texts: KernelTexts,
    library: Library,
    reader: ReaderSession,
    state: vscode.Memento,
    prepare: () => Promise<void>,
  ) {
    this.texts = texts;
    this.library = library;
    this.reader = reader;
    this.state = state;
    this.prepare = prepare;
    this.subscriptions.push(
      vscode.workspace.onDidChangeTextDocument(({ document, contentChanges }) => {
        const example = reader.existing?.example;
        if (example !== undefined && example.uri === document.uri.toString()) this.drift.note(contentChanges);
      }),
    );
  }

  /** The release a text speaks of: the machine's, if the text belongs to it, else the newest the text belongs to. */
  async releaseOf(text: KernelText): Promise<Release> {
    const { releases, release } = await text.releases;
    const inForce = this.reader.existing?.release;
    if (inForce !== undefined && releases.includes(inForce)) return inForce;
    return release ?? inForce ?? this.reader.get().release;
  }

  async placed(text: KernelText): Promise<PlacedScene[]> {
    const { releases } = await text.releases;
    return scenesIn(text, await this.library.scenes(), releases);
  }

  /** The example of a text that runs, waits or ended last, as it stands now. */
  stateIn(uri: string): ExampleState | undefined {
    const example = this.reader.existing?.example;
    return example?.uri === uri ? example : undefined;
  }

  /** The statement it stands at, in the text as it is now. */
  spanOf({ span }: ExampleState): Span | undefined {
    if (span === undefined || this.drift.isEmpty) return span;
    return { start: this.drift.map(span.start), end: this.drift.map(span.end) };
  }

  /** The step of a scene that it stands in. */
  stepIn(scene: Scene, state: ExampleState): number | undefined {
    return stepIn(scene, state, this.reader.existing?.position.lastStep);
  }

  overrides(uri: string, scene: string): Readonly<Record<string, string>> {
    return this.state.get<Record<string, Record<string, string>>>(OVERRIDES, {})[`${uri}#${scene}`] ?? {};
  }

  /** The reader's own value for a hole; undefined for the scene's again. */
  async override(uri: string, scene: string, key: string, value: string | undefined): Promise<void> {
    const all = { ...this.state.get<Record<string, Record<string, string>>>(OVERRIDES, {}) };
    const own = { ...this.overrides(uri, scene) };
    if (value === undefined) delete own[key];
    else own[key] = value;
    if (Object.keys(own).length === 0) delete all[`${uri}#${scene}`];
    else all[`${uri}#${scene}`] = own;
    await this.state.update(OVERRIDES, all);
    this.changed.fire();
  }

  /** The holes of a scene, with offsets in the document. */
  holes(text: KernelText, placed: PlacedScene): Hole[] {
    const request = exampleRequest(text, placed, '', [], {});
    if (request === undefined && placed.scene.holes === undefined) return [];
    const overrides = this.overrides(text.uri.toString(), placed.scene.id);
    return holesOf(request?.text ?? '', placed.scene.holes ?? {}, overrides).map((hole) =>
      hole.span === undefined || request === undefined
        ? hole
        : { ...hole, span: { start: request.toDocument(hole.span.start), end: request.toDocument(hole.span.end) } },
    );
  }

  /** The scene with this id in an open document. */
  async find(uri: string, scene: string): Promise<{ text: KernelText; placed: PlacedScene }> {
    const text = await this.textOf(uri);
    const placed = (await this.placed(text)).find((one) => one.scene.id === scene);
    if (placed === undefined) {
      throw new ReaderError(
        `${nameOf(text.uri)} no longer has the place that the example "${scene}" belongs to. ` +
          'Undo the edit, or choose an example of the text as it is.',
      );
    }
    return { text, placed };
  }

  private async textOf(uri: string): Promise<KernelText> {
    const open = this.texts.byUri(uri);
    if (open !== undefined) return open.text;
    const document = await vscode.workspace.openTextDocument(vscode.Uri.parse(uri, true));
    const text = this.texts.of(document);
    if (text === undefined) throw new ReaderError(`${nameOf(document.uri)} is not a kernel document.`);
    return text;
  }

  /** Runs a scene in one of its ways. */
  async run(uri: string, sceneId: string, variant: string): Promise<ExampleState> {
    const { text, placed } = await this.find(uri, sceneId);
    const { releases, by } = await text.releases;
    const own = by === 'tour' ? [] : releases;
    const request = exampleRequest(text, placed, variant, own, this.overrides(uri, sceneId));
    const step = stepOfVariant(placed.scene, variant);
    if (step !== undefined) return this.show(text, (session) => runToStep(session, placed.scene, uri, own, step));
    return this.show(text, (session) =>
      request === undefined ? session.runScene(placed.scene, uri, own) : session.runExample(request),
    );
  }

  /** Runs lines that belong to a text, on the release they were written for. */
  async runLines(text: KernelText, scene: Scene, release: Release): Promise<ExampleState> {
    return this.show(text, (session) => session.runScene(scene, text.uri.toString(), [release]));
  }

  /** Shows the panels, runs what belongs to a text, and tells if another machine took the reader's place. */
  async show(text: KernelText, work: (session: Session) => Promise<ExampleState>): Promise<ExampleState> {
    await this.prepare();
    const session = this.reader.get();
    const before = JSON.stringify(session.setAside);
    this.drift.clear();
    const state = await work(session);
    const { setAside } = session;
    if (setAside !== undefined && JSON.stringify(setAside) !== before) this.tellSetAside(text, setAside);
    return state;
  }

  /** Another machine took the place of the reader's, which is kept. */
  private tellSetAside(text: KernelText, { machine, release }: { machine: string; release: Release }): void {
    const session = this.reader.get();
    const told =
      session.release === release
        ? `This example needs another machine: it runs on ${session.machineName}.`
        : `${nameOf(text.uri)} is not of ${release}: its examples run on a machine with ${session.release}.`;
    const back = `Go Back to ${machine}, ${release}`;
    void vscode.window.showInformationMessage(told, back).then((choice) => {
      if (choice === back) this.reader.get().goBack();
    });
  }

  dispose(): void {
    vscode.Disposable.from(...this.subscriptions).dispose();
    this.changed.dispose();
  }
}

export const nameOf = (uri: vscode.Uri): string => uri.path.split('/').at(-1) ?? uri.path;
