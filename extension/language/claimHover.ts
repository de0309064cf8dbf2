/** Why a sentence holds or does not, with the lines that show it. */
import * as vscode from 'vscode';
import type { CommandId } from '../commands.ts';
import { canBeShown } from '../docs/claimScene.ts';
import { claimText } from './claimText.ts';
import type { Findings } from './findings.ts';
import { claimsAt, isFailed } from './findingTypes.ts';
import type { KernelTexts } from './kernelTexts.ts';

const HOVER_COMMANDS = ['zonescope.runClaim', 'zonescope.explainFinding'] as const satisfies readonly CommandId[];
/** Two claims of one sentence are read; more are a list, and the Test Explorer has it. */
const MOST = 3;

export class ClaimHovers implements vscode.HoverProvider {
  private readonly texts: KernelTexts;
  private readonly findings: Findings;

  constructor(texts: KernelTexts, findings: Findings) {
    this.texts = texts;
    this.findings = findings;
  }

  provideHover(document: vscode.TextDocument, position: vscode.Position): vscode.Hover | undefined {
    const text = this.texts.of(document);
    const known = text && this.findings.of(text);
    if (text === undefined || known === undefined) return undefined;
    const judged = claimsAt(known.claims, document.offsetAt(position))
      .filter(({ verdict }) => verdict !== undefined)
      .sort((a, b) => Number(isFailed(b)) - Number(isFailed(a)));
    const [first] = judged;
    if (first === undefined) return undefined;
    const offset = document.offsetAt(position);
    const here = this.findings.shown(text).filter(({ start, end }) => start <= offset && offset <= end);
    const problems = new Set(here.map(({ code }) => code));
    const contents = judged.slice(0, MOST).map(({ claim, verdict }) => {
      const isBesideProblem = problems.has(`claim/${claim.id}`);
      const options = { isShort: true, icons: true, isBesideProblem };
      const markdown = new vscode.MarkdownString(claimText(claim, verdict, options), true);
      markdown.isTrusted = { enabledCommands: HOVER_COMMANDS };
      const link = (label: string, command: CommandId, args: readonly unknown[]): string =>
        `[${label}](command:${command}?${encodeURIComponent(JSON.stringify(args))})`;
      const links = [
        ...(canBeShown(claim)
          ? [link('$(terminal) Show in Shell', 'zonescope.runClaim', [text.uri.toString(), claim.id])]
          : []),
        link('$(book) Explain', 'zonescope.explainFinding', [`claim/${claim.id}`, known.release]),
      ];
      markdown.appendMarkdown(`\n\n${links.join('&nbsp; · &nbsp;')}`);
      return markdown;
    });
    const { start, end } = first.place.span;
    return new vscode.Hover(contents, new vscode.Range(document.positionAt(start), document.positionAt(end)));
  }
}
