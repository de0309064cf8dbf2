/** What can be done about a finding: make it right where that is certain, read about it, switch its rule off. */
import * as vscode from 'vscode';
import type { DocFinding } from '../docs/check/types.ts';
import { diagnosticOf } from './diagnostics.ts';
import type { Findings } from './findings.ts';
import type { KernelText, KernelTexts } from './kernelTexts.ts';
import { commandOf } from './lensCommands.ts';

const FIX_ALL = vscode.CodeActionKind.SourceFixAll.append('zonescope');

export class QuickFixes implements vscode.CodeActionProvider {
  static readonly metadata: vscode.CodeActionProviderMetadata = {
    providedCodeActionKinds: [vscode.CodeActionKind.QuickFix, FIX_ALL],
  };
  private readonly texts: KernelTexts;
  private readonly findings: Findings;

  constructor(texts: KernelTexts, findings: Findings) {
    this.texts = texts;
    this.findings = findings;
  }

  provideCodeActions(
    document: vscode.TextDocument,
    range: vscode.Range,
    { only }: vscode.CodeActionContext,
  ): vscode.CodeAction[] {
    const text = this.texts.of(document);
    const known = text && this.findings.of(text);
    // Offsets of an older version would change the wrong place.
    if (text === undefined || known === undefined) return [];
    const all = this.findings.shown(text);
    const actions: vscode.CodeAction[] = [];
    if (only === undefined || only.contains(vscode.CodeActionKind.QuickFix)) {
      const start = document.offsetAt(range.start);
      const end = document.offsetAt(range.end);
      const here = all.filter((finding) => finding.start <= end && start <= finding.end);
      for (const finding of here) actions.push(...fixOf(document, finding));
      for (const finding of here) actions.push(...aboutOf(document, finding, known.release));
    }
    if (only?.contains(FIX_ALL) === true) actions.push(...fixAll(document, text, all));
    return actions;
  }
}

function fixOf(document: vscode.TextDocument, finding: DocFinding): vscode.CodeAction[] {
  const { fix } = finding;
  if (fix === undefined) return [];
  const action = new vscode.CodeAction(fix.title, vscode.CodeActionKind.QuickFix);
  action.edit = new vscode.WorkspaceEdit();
  action.edit.replace(document.uri, rangeOf(document, fix), fix.text);
  action.diagnostics = [diagnosticOf(document, finding)];
  action.isPreferred = true;
  return [action];
}

function aboutOf(document: vscode.TextDocument, finding: DocFinding, release: string): vscode.CodeAction[] {
  const { code } = finding;
  const diagnostics = [diagnosticOf(document, finding)];
  const explain = new vscode.CodeAction(`Explain ${code}`, vscode.CodeActionKind.QuickFix);
  explain.command = commandOf('zonescope.explainFinding', explain.title, [code, release]);
  explain.diagnostics = diagnostics;
  const off = new vscode.CodeAction(
    code.startsWith('claim/') ? `Turn off ${code}` : `Turn off the rule ${code}`,
    vscode.CodeActionKind.QuickFix,
  );
  off.command = commandOf('zonescope.turnOffFinding', off.title, [code]);
  off.diagnostics = diagnostics;
  return [explain, off];
}

/** Every certain fix at once; of two that overlap the second waits for the next time. */
function fixAll(document: vscode.TextDocument, text: KernelText, all: readonly DocFinding[]): vscode.CodeAction[] {
  const fixes = all.flatMap(({ fix }) => fix ?? []).sort((a, b) => a.start - b.start || a.end - b.end);
  const edit = new vscode.WorkspaceEdit();
  let last = -1;
  for (const fix of fixes) {
    if (fix.start < last || fix.end > text.source.length) continue;
    edit.replace(document.uri, rangeOf(document, fix), fix.text);
    last = Math.max(fix.end, fix.start + 1);
  }
  if (last < 0) return [];
  const action = new vscode.CodeAction('Fix all that Zonescope is certain of', FIX_ALL);
  action.edit = edit;
  return [action];
}

const rangeOf = (document: vscode.TextDocument, { start, end }: { start: number; end: number }): vscode.Range =>
  new vscode.Range(document.positionAt(start), document.positionAt(end));
