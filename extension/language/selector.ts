/** Which documents the providers are asked about: by name, or because the reader said so. */
import * as vscode from 'vscode';
import type { KernelTexts } from './kernelTexts.ts';

const NAMES = ['memory-model.rst', 'hmm.rst', 'hmm.txt', 'memory-model.rst.txt', 'hmm.rst.txt', 'tour.rst'];

export const DOCUMENT_SELECTOR: vscode.DocumentSelector = NAMES.map((name) => ({ pattern: `**/${name}` }));

const literally = (text: string): string => text.replace(/[[\]{}*?]/g, '[$&]');

function selectorOf(uri: vscode.Uri): vscode.DocumentFilter {
  const folder = vscode.Uri.joinPath(uri, '..');
  const name = uri.path.split('/').at(-1) ?? '';
  return { scheme: uri.scheme, pattern: new vscode.RelativePattern(folder, literally(name)) };
}

/** Asks the providers about files with other names as well. */
export class TreatedFiles implements vscode.Disposable {
  private readonly registered = new Map<string, vscode.Disposable>();
  private readonly subscription: vscode.Disposable;
  private readonly texts: KernelTexts;
  private readonly register: (selector: vscode.DocumentSelector) => vscode.Disposable;

  constructor(texts: KernelTexts, register: (selector: vscode.DocumentSelector) => vscode.Disposable) {
    this.texts = texts;
    this.register = register;
    this.subscription = texts.onDidChange(() => this.update());
    this.update();
  }

  private update(): void {
    for (const uri of this.texts.treatedUris) {
      if (this.registered.has(uri)) continue;
      this.registered.set(uri, this.register(selectorOf(vscode.Uri.parse(uri, true))));
    }
  }

  dispose(): void {
    this.subscription.dispose();
    vscode.Disposable.from(...this.registered.values()).dispose();
  }
}
