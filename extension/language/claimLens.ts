/** Over a sentence that does not hold: since when, and a way to see it. Sentences that hold have no lens. */
import * as vscode from 'vscode';
import { canBeShown } from '../docs/claimScene.ts';
import { verdictWords } from './claimText.ts';
import type { Findings } from './findings.ts';
import { filterFor } from './findings.ts';
import { isDisabled, isFailed } from './findingTypes.ts';
import type { KernelTexts } from './kernelTexts.ts';
import type { LensTargets } from './lensTargets.ts';

export class ClaimLenses implements vscode.CodeLensProvider, vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<void>();
  readonly onDidChangeCodeLenses = this.changed.event;
  private readonly subscription: vscode.Disposable;
  private readonly texts: KernelTexts;
  private readonly findings: Findings;
  private readonly targets: LensTargets;
  private readonly shown = new Map<string, string>();

  constructor(texts: KernelTexts, findings: Findings, targets: LensTargets) {
    this.targets = targets;
    this.texts = texts;
    this.findings = findings;
    this.subscription = findings.onDidChange((uri) => {
      // Lenses jump while they are replaced, so only what they show counts.
      const open = texts.byUri(uri.toString());
      const failed = open === undefined ? '' : this.failed(open.document).map(({ claim }) => claim.id);
      const shown = String(failed);
      if (this.shown.get(uri.toString()) === shown) return;
      if (open === undefined) this.shown.delete(uri.toString());
      else this.shown.set(uri.toString(), shown);
      this.changed.fire();
    });
  }

  private failed(document: vscode.TextDocument) {
    const text = this.texts.of(document);
    const known = text && this.findings.of(text);
    // All at once when all are judged: every lens that comes in between would move the text under the reader.
    if (known === undefined || known.isPending) return [];
    const { disabled } = filterFor(document.uri);
    return known.claims.filter((one) => isFailed(one) && !isDisabled(`claim/${one.claim.id}`, disabled));
  }

  provideCodeLenses(document: vscode.TextDocument): vscode.CodeLens[] {
    if (!vscode.workspace.getConfiguration('zonescope', document).get('codeLens', true)) return [];
    return this.failed(document).flatMap(({ claim, verdict, place }) => {
      const at = document.positionAt(place.span.start);
      const range = new vscode.Range(at, at);
      const uri = document.uri.toString();
      const args: [string, string?] = verdict ? [`claim/${claim.id}`, verdict.release] : [`claim/${claim.id}`];
      const why = verdict?.why ?? claim.says;
      return [
        new vscode.CodeLens(
          range,
          this.targets.commandOf(
            'zonescope.explainFinding',
            `$(error) ${verdictWords(verdict, { isShort: true })}`,
            args,
            why,
          ),
        ),
        ...(canBeShown(claim)
          ? [
              new vscode.CodeLens(
                range,
                this.targets.commandOf('zonescope.runClaim', '$(terminal) Show in Shell', [uri, claim.id], claim.says),
              ),
            ]
          : []),
      ];
    });
  }

  dispose(): void {
    this.subscription.dispose();
    this.changed.dispose();
  }
}
