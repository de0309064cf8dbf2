/** What a finding means, as a text that can be opened: the words of its rule, or a claim with its evidence. */
import * as vscode from 'vscode';
import type { Release } from '../../sim/index.ts';
import { RELEASES } from '../../sim/index.ts';
import type { Verdicts } from '../session/verdicts.ts';
import { claimText } from './claimText.ts';
import type { Library } from './library.ts';

const EXPLANATIONS = 'zonescope-finding';

export function explanationUri(code: string, release?: Release): vscode.Uri {
  return vscode.Uri.from({ scheme: EXPLANATIONS, path: `/${code}.md`, ...(release ? { query: release } : {}) });
}

export class Explanations implements vscode.TextDocumentContentProvider, vscode.Disposable {
  private readonly registration: vscode.Disposable;
  private readonly library: Library;
  private readonly verdicts: Verdicts;

  constructor(library: Library, verdicts: Verdicts) {
    this.library = library;
    this.verdicts = verdicts;
    this.registration = vscode.workspace.registerTextDocumentContentProvider(EXPLANATIONS, this);
  }

  async provideTextDocumentContent({ path, query }: vscode.Uri): Promise<string> {
    const code = path.replace(/^\/|\.md$/g, '');
    const claimId = /^claim\/(.+)$/.exec(code)?.[1];
    if (claimId !== undefined) return this.explainClaim(claimId, query);
    const text = (await this.library.rules()).get(code);
    return text === undefined ? `# ${code}\n\nThere is no rule of this name.\n` : `# ${code}\n\n${text.trim()}\n`;
  }

  private async explainClaim(id: string, wanted: string): Promise<string> {
    const claim = (await this.library.claims()).find((one) => one.id === id);
    if (claim === undefined) return `# claim/${id}\n\nThere is no claim of this name.\n`;
    const release = RELEASES.find((one) => one === wanted);
    const verdict = release === undefined ? undefined : await this.verdicts.ask(claim, release);
    return `# claim/${id}\n\n${claimText(claim, verdict)}\n`;
  }

  dispose(): void {
    this.registration.dispose();
  }
}
