/**
 * A document held against another release: what is no longer, or not yet, so there. Shown as problems of their own
 * until the reader clears them or closes the document; a change of the text holds it against the release again.
 */
import * as vscode from 'vscode';
import type { Release } from '../../sim/index.ts';
import type { Reporter } from '../report.ts';
import { count, diagnosticOf, SOURCE } from './diagnostics.ts';
import { nameOf } from './examples.ts';
import { type Findings, filterFor } from './findings.ts';
import { driftOf, isDisabled } from './findingTypes.ts';
import type { KernelText, KernelTexts } from './kernelTexts.ts';
import { commandOf } from './lensCommands.ts';

interface Compared {
  readonly release: Release;
  /** The version it was last done for. */
  text: KernelText | undefined;
  found: number;
}

export class Comparison implements vscode.Disposable {
  private readonly collection = vscode.languages.createDiagnosticCollection('zonescope against a release');
  private readonly compared = new Map<string, Compared>();
  private readonly changed = new vscode.EventEmitter<void>();
  /** A comparison began or was cleared. */
  readonly onDidChange = this.changed.event;
  private readonly status = vscode.window.createStatusBarItem('zonescope.comparison', vscode.StatusBarAlignment.Left);
  private readonly subscriptions: vscode.Disposable[] = [];
  private readonly texts: KernelTexts;
  private readonly findings: Findings;

  constructor(texts: KernelTexts, findings: Findings, report: Reporter) {
    this.texts = texts;
    this.findings = findings;
    this.status.name = 'Zonescope: Comparison';
    this.status.command = commandOf('zonescope.clearComparison', 'Clear', []);
    this.subscriptions.push(
      findings.onDidChange((uri) => {
        const compared = this.compared.get(uri.toString());
        if (compared === undefined) return;
        const open = texts.byUri(uri.toString());
        if (open === undefined) this.clear(uri);
        else if (compared.text !== open.text && findings.of(open.text)?.isPending === false)
          report.quietly('compare a document', () => this.compare(open.text, compared.release));
      }),
      vscode.window.onDidChangeActiveTextEditor(() => this.tell()),
    );
  }

  get isActive(): boolean {
    return this.compared.size > 0;
  }

  releaseFor(uri: vscode.Uri): Release | undefined {
    return this.compared.get(uri.toString())?.release;
  }

  /** How many findings the release adds; undefined if it was cancelled or overtaken. */
  async compare(
    text: KernelText,
    release: Release,
    token?: vscode.CancellationToken,
    progress?: (done: number, of: number) => void,
  ): Promise<number | undefined> {
    const key = text.uri.toString();
    const isStale = (): boolean => token?.isCancellationRequested === true || this.texts.byUri(key)?.text !== text;
    const own = await this.findings.checked(key);
    const found = await this.findings.against(text, release, isStale, progress);
    const open = this.texts.byUri(key);
    if (found === undefined || open === undefined || isStale()) return undefined;
    const { disabled } = filterFor(text.uri);
    const known = own === undefined ? [] : this.findings.shown(text);
    const drift = driftOf(found, known).filter(({ code }) => !isDisabled(code, disabled));
    this.collection.set(
      text.uri,
      drift.map((finding) => diagnosticOf(open.document, finding, release, `${SOURCE} against ${release}`)),
    );
    this.compared.set(key, { release, text, found: drift.length });
    this.tell();
    this.changed.fire();
    return drift.length;
  }

  /** Of one document, or of all. */
  clear(uri?: vscode.Uri): void {
    if (uri === undefined) this.compared.clear();
    else this.compared.delete(uri.toString());
    if (uri === undefined) this.collection.clear();
    else this.collection.delete(uri);
    this.tell();
    this.changed.fire();
  }

  private tell(): void {
    const uri = vscode.window.activeTextEditor?.document.uri;
    const compared = uri && this.compared.get(uri.toString());
    if (uri === undefined || compared === undefined) {
      this.status.hide();
      return;
    }
    const { release, found } = compared;
    this.status.text = `$(git-compare) against ${release}: ${count(found, 'difference')}`;
    this.status.tooltip = `What of ${nameOf(uri)} is otherwise in Linux ${release} is marked. Click to clear.`;
    this.status.show();
  }

  dispose(): void {
    vscode.Disposable.from(...this.subscriptions).dispose();
    this.collection.dispose();
    this.status.dispose();
    this.changed.dispose();
  }
}
