/** Shows findings as problems: those of the documents as they are, and beside them those of a comparison. */
import * as vscode from 'vscode';
import type { Release } from '../../sim/index.ts';
import type { DocFinding, Severity } from '../docs/check/types.ts';
import { explanationUri } from './explanations.ts';
import type { Findings } from './findings.ts';
import { tallyOf } from './findingTypes.ts';
import type { KernelTexts } from './kernelTexts.ts';
import { commandOf } from './lensCommands.ts';
import { DOCUMENT_SELECTOR } from './selector.ts';

const SEVERITIES: Readonly<Record<Severity, vscode.DiagnosticSeverity>> = {
  error: vscode.DiagnosticSeverity.Error,
  warning: vscode.DiagnosticSeverity.Warning,
  information: vscode.DiagnosticSeverity.Information,
  hint: vscode.DiagnosticSeverity.Hint,
};

/** Rules about names that the kernel had once: those are struck out. */
const GONE = new Set(['gone-name']);

export const SOURCE = 'Zonescope';

export function diagnosticOf(
  document: vscode.TextDocument,
  finding: DocFinding,
  release?: Release,
  source = SOURCE,
): vscode.Diagnostic {
  const range = ({ start, end }: { start: number; end: number }): vscode.Range =>
    new vscode.Range(document.positionAt(start), document.positionAt(end));
  const { since } = finding;
  const isNamed = since === undefined || finding.message.includes(since);
  const diagnostic = new vscode.Diagnostic(
    range(finding),
    isNamed ? finding.message : `${finding.message} (since ${since})`,
    SEVERITIES[finding.severity],
  );
  diagnostic.source = source;
  if (GONE.has(finding.code)) diagnostic.tags = [vscode.DiagnosticTag.Deprecated];
  diagnostic.code = { value: finding.code, target: explanationUri(finding.code, release) };
  if (finding.related !== undefined && finding.related.length > 0)
    diagnostic.relatedInformation = finding.related.map(
      (one) => new vscode.DiagnosticRelatedInformation(new vscode.Location(document.uri, range(one)), one.message),
    );
  return diagnostic;
}

export class Diagnostics implements vscode.Disposable {
  private readonly collection = vscode.languages.createDiagnosticCollection('zonescope');
  private readonly status = vscode.languages.createLanguageStatusItem('zonescope.findings', DOCUMENT_SELECTOR);
  private readonly subscriptions: vscode.Disposable[] = [];
  private readonly texts: KernelTexts;
  private readonly findings: Findings;

  constructor(texts: KernelTexts, findings: Findings) {
    this.texts = texts;
    this.findings = findings;
    this.status.name = SOURCE;
    this.status.text = SOURCE;
    this.status.command = commandOf('zonescope.checkDocument', 'Check', []);
    this.subscriptions.push(
      findings.onDidChange((uri) => this.publish(uri)),
      vscode.window.onDidChangeActiveTextEditor(() => this.tell()),
    );
  }

  private publish(uri: vscode.Uri): void {
    const open = this.texts.byUri(uri.toString());
    if (open === undefined) this.collection.delete(uri);
    // Those of an older version move along with the text until this one was looked at.
    else {
      const known = this.findings.of(open.text);
      const found = this.findings.shown(open.text);
      if (known !== undefined)
        this.collection.set(
          uri,
          found.map((finding) => diagnosticOf(open.document, finding, known.release)),
        );
    }
    this.tell();
  }

  /** The claims of the active document, in the list behind the braces of the status bar. */
  private tell(): void {
    const document = vscode.window.activeTextEditor?.document;
    const text = document && this.texts.of(document);
    const known = text && this.findings.of(text);
    this.status.busy = known?.isPending ?? false;
    if (known === undefined || text === undefined) return;
    const { holding, failing, unjudged } = tallyOf(known.claims);
    const found = this.findings.shown(text).length;
    const judged = holding + failing;
    this.status.text =
      judged + unjudged === 0
        ? count(found, 'finding')
        : `${count(found, 'finding')}, ${holding} of ${count(judged + unjudged, 'claim')} hold`;
    this.status.detail = `Linux ${known.release}`;
    this.status.severity =
      failing > 0 ? vscode.LanguageStatusSeverity.Warning : vscode.LanguageStatusSeverity.Information;
  }

  dispose(): void {
    vscode.Disposable.from(...this.subscriptions).dispose();
    this.collection.dispose();
    this.status.dispose();
  }
}

export const count = (number: number, what: string): string => `${number} ${what}${number === 1 ? '' : 's'}`;
