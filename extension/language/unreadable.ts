/**
 * Files that have the name of a kernel document and cannot be read: too large, or not text. The editor does not hand
 * out such files, so they are looked for among the tabs, by name.
 */
import * as vscode from 'vscode';
import { nameOf } from './examples.ts';
import {
  isNamedDocument,
  type KernelTexts,
  MAX_LENGTH,
  type Unreadable,
  unreadableByContent,
  unreadableBySize,
} from './kernelTexts.ts';

/** The editor hands out a document some time after its tab has appeared. */
const PATIENCE_MS = 400;

export class UnreadableFiles implements vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<void>();
  private readonly subscriptions: vscode.Disposable[] = [];
  private readonly texts: KernelTexts;
  private readonly told = new Set<string>();
  private found: Unreadable | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  readonly onDidChange = this.changed.event;

  constructor(texts: KernelTexts) {
    this.texts = texts;
    const soon = (): void => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => void this.look(), PATIENCE_MS);
    };
    this.subscriptions.push(
      vscode.window.tabGroups.onDidChangeTabs(soon),
      vscode.window.tabGroups.onDidChangeTabGroups(soon),
      texts.onDidChange(soon),
    );
    soon();
  }

  /** The one in the active tab. */
  get active(): Unreadable | undefined {
    return this.found;
  }

  private async look(): Promise<void> {
    const input = vscode.window.tabGroups.activeTabGroup.activeTab?.input;
    const uri = input instanceof vscode.TabInputText ? input.uri : undefined;
    const isOurs = uri !== undefined && (isNamedDocument(uri.path) || this.texts.kindOf(uri) !== undefined);
    const found = isOurs ? await this.examine(uri) : undefined;
    const before = this.found;
    this.found = found;
    if (found?.uri.toString() !== before?.uri.toString() || found?.what !== before?.what) this.changed.fire();
    if (found === undefined || this.told.has(found.uri.toString())) return;
    this.told.add(found.uri.toString());
    void vscode.window.showInformationMessage(`${nameOf(found.uri)} ${found.what}. ${found.advice}`);
  }

  private async examine(uri: vscode.Uri): Promise<Unreadable | undefined> {
    const open = vscode.workspace.textDocuments.find((document) => document.uri.toString() === uri.toString());
    if (open !== undefined) return this.texts.unreadable(open);
    try {
      const { size } = await vscode.workspace.fs.stat(uri);
      const tooLarge = unreadableBySize(uri, size);
      if (tooLarge !== undefined || size > MAX_LENGTH) return tooLarge;
      return unreadableByContent(uri, new TextDecoder().decode(await vscode.workspace.fs.readFile(uri)));
    } catch {
      // The editor itself says that the file is gone.
      return undefined;
    }
  }

  dispose(): void {
    clearTimeout(this.timer);
    vscode.Disposable.from(...this.subscriptions).dispose();
    this.changed.dispose();
  }
}
