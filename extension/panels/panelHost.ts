/**
 * The host of one panel: keeps it supplied with whole snapshots while it can be seen, answers what it asks, and runs
 * nothing for it but the commands of the protocol.
 */
import * as vscode from 'vscode';
import { isParseError, type ParseError } from '../../webview/protocol/check.ts';
import {
  type AnyPanelToHost,
  type HostToAnyPanel,
  type CommandId as PanelCommand,
  PROTOCOL_VERSION,
} from '../../webview/protocol/common.ts';
import { type CommandId, PANELS } from '../commands.ts';
import type { PfnRange, ReaderSession } from '../readerSession.ts';
import type { Reporter } from '../report.ts';
import type { Session } from '../session/types.ts';
import { makeNonce, pageHtml } from './html.ts';

/** At most thirty snapshots a second. */
const FRAME_MS = 33;
/** How long a new panel may take to learn its column. */
const PLACED_MS = 1000;

const COMMAND_OF: Readonly<Record<Exclude<PanelCommand, 'copyText'>, CommandId>> = {
  stepBack: 'zonescope.stepBack',
  stepForward: 'zonescope.stepForward',
  reset: 'zonescope.resetMachine',
  chooseMachine: 'zonescope.chooseMachine',
  chooseRelease: 'zonescope.chooseRelease',
  continue: 'zonescope.continueExample',
  stop: 'zonescope.stopExample',
  openPagemap: 'zonescope.openPagemap',
  openZones: 'zonescope.openZones',
};

export interface PanelServices {
  readonly extensionUri: vscode.Uri;
  readonly reader: ReaderSession;
  readonly report: Reporter;
}

/** What tells one panel from another. */
export interface PanelKind<In extends { type: string }, Out> {
  readonly id: keyof typeof PANELS;
  readonly title: string;
  parse(data: unknown): In | ParseError;
  /** The messages that bring the panel up to date. */
  snapshot(session: Session): Out[];
  /** Answers what only this panel asks. */
  answer(message: Exclude<In, AnyPanelToHost>, session: Session): Out[];
}

export class PanelHost<In extends { type: string }, Out> implements vscode.WebviewPanelSerializer, vscode.Disposable {
  readonly kind: PanelKind<In, Out>;
  private readonly services: PanelServices;
  private readonly subscriptions: vscode.Disposable[] = [];
  private readonly opened = new vscode.EventEmitter<boolean>();
  /** True when the panel has opened, false when it has closed. */
  readonly onDidOpenOrClose = this.opened.event;
  private panel: vscode.WebviewPanel | undefined;
  private isReady = false;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private sentAt = 0;
  /** The panel has not seen it yet. */
  private pendingReveal: PfnRange | undefined;
  private isRevealing = false;

  constructor(kind: PanelKind<In, Out>, services: PanelServices) {
    this.kind = kind;
    this.services = services;
    this.subscriptions.push(
      vscode.window.registerWebviewPanelSerializer(PANELS[kind.id], this),
      services.reader.onDidChange(() => this.soon()),
      services.reader.onDidReveal((range) => this.reveal(range)),
    );
  }

  /** The column it stands in; a new panel learns it from the window some time after it was made. */
  async column(): Promise<vscode.ViewColumn | undefined> {
    const { panel } = this;
    if (panel === undefined || panel.viewColumn !== undefined) return panel?.viewColumn;
    return new Promise((resolve) => {
      const finish = (): void => {
        clearTimeout(timer);
        subscription.dispose();
        resolve(this.panel?.viewColumn ?? this.tabColumn());
      };
      const subscription = panel.onDidChangeViewState(() => {
        if (panel.viewColumn !== undefined) finish();
      });
      const timer = setTimeout(finish, PLACED_MS);
    });
  }

  /** Where the window lists its tab: a busy window is late to tell the panel itself. */
  private tabColumn(): vscode.ViewColumn | undefined {
    return vscode.window.tabGroups.all.find(({ tabs }) =>
      tabs.some(
        ({ input }) => input instanceof vscode.TabInputWebview && input.viewType.endsWith(PANELS[this.kind.id]),
      ),
    )?.viewColumn;
  }

  get isOpen(): boolean {
    return this.panel !== undefined;
  }

  get isVisible(): boolean {
    return this.panel?.visible ?? false;
  }

  get isActive(): boolean {
    return this.panel?.active ?? false;
  }

  show(column: vscode.ViewColumn, preserveFocus: boolean): void {
    if (this.panel !== undefined) {
      this.panel.reveal(this.panel.viewColumn, preserveFocus);
      return;
    }
    const place = { viewColumn: column, preserveFocus };
    this.adopt(vscode.window.createWebviewPanel(PANELS[this.kind.id], this.kind.title, place));
  }

  /** A panel of a window before this one comes back. */
  async deserializeWebviewPanel(panel: vscode.WebviewPanel): Promise<void> {
    if (this.panel === undefined) this.adopt(panel);
    else panel.dispose();
  }

  private adopt(panel: vscode.WebviewPanel): void {
    const { extensionUri } = this.services;
    const folder = vscode.Uri.joinPath(extensionUri, 'dist', 'webview');
    const { webview } = panel;
    this.panel = panel;
    this.isReady = false;
    const icon = (theme: string): vscode.Uri =>
      vscode.Uri.joinPath(extensionUri, 'media', 'icons', `panel-${theme}.svg`);
    panel.iconPath = { light: icon('light'), dark: icon('dark') };
    webview.options = { enableScripts: true, localResourceRoots: [folder] };
    panel.onDidDispose(() => this.forget());
    panel.onDidChangeViewState(() => {
      if (panel.visible) this.soon();
      // A hidden page is thrown away, and says that it is ready when it is built again.
      else this.isReady = false;
    });
    webview.onDidReceiveMessage((data: unknown) => {
      this.services.report.quietly(`answer the ${this.kind.title} panel`, () => this.receive(data));
    });
    const address = (name: string): string => webview.asWebviewUri(vscode.Uri.joinPath(folder, name)).toString();
    webview.html = pageHtml({
      title: this.kind.title,
      cspSource: webview.cspSource,
      script: address(`${this.kind.id}.js`),
      style: address('codicon.css'),
      nonce: makeNonce(),
    });
    this.opened.fire(true);
  }

  private forget(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.panel = undefined;
    this.isReady = false;
    this.opened.fire(false);
  }

  private receive(data: unknown): void {
    const message = this.kind.parse(data);
    if (isParseError(message)) {
      this.services.report.log.warn(`${this.kind.title} panel: message ignored: ${message.error}`);
      return;
    }
    if (isCommon(message)) this.receiveCommon(message);
    else this.post(...this.kind.answer(message as Exclude<In, AnyPanelToHost>, this.services.reader.get()));
  }

  private receiveCommon(message: AnyPanelToHost): void {
    const { reader, report } = this.services;
    switch (message.type) {
      case 'ready':
        if (message.version !== PROTOCOL_VERSION) {
          this.post({
            type: 'error',
            message: 'This panel is from another version of Zonescope. Close it and open it again.',
          });
          return;
        }
        this.isReady = true;
        this.send();
        return;
      case 'select':
        reader.get().select(message.pfn);
        return;
      case 'selectRange':
        this.isRevealing = true;
        try {
          reader.get().reveal({ startPfn: message.startPfn, endPfn: message.endPfn });
        } finally {
          this.isRevealing = false;
        }
        return;
      case 'command':
        if (message.id !== 'copyText') void vscode.commands.executeCommand(COMMAND_OF[message.id]);
        else void vscode.env.clipboard.writeText(message.text ?? '');
        return;
      case 'log':
        report.log[message.level](`${this.kind.title} panel: ${message.text}`);
        return;
    }
  }

  /** Sends a snapshot when the last one is old enough. */
  private soon(): void {
    if (!this.isReady || !this.isVisible || this.timer !== undefined) return;
    const wait = Math.max(0, this.sentAt + FRAME_MS - Date.now());
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.services.report.quietly(`draw the ${this.kind.title} panel`, () => this.send());
    }, wait);
  }

  private send(): void {
    if (!this.isReady || !this.isVisible) return;
    this.sentAt = Date.now();
    try {
      const session = this.services.reader.get();
      const { example } = session;
      this.post(...this.kind.snapshot(session));
      if (example?.status === 'running') this.post({ type: 'busy', what: 'Running' });
      else if (example?.status === 'waiting') this.post({ type: 'busy', what: `Waiting: ${example.why}` });
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.post({ type: 'error', message: `The machine cannot be shown: ${message}. The log has the details.` });
      throw error;
    }
    const reveal = this.pendingReveal;
    this.pendingReveal = undefined;
    if (reveal !== undefined) this.post({ type: 'reveal', ...reveal });
  }

  private reveal({ startPfn, endPfn }: PfnRange): void {
    if (this.isRevealing || endPfn <= startPfn) return;
    if (this.isReady && this.isVisible) this.post({ type: 'reveal', startPfn, endPfn });
    else this.pendingReveal = { startPfn, endPfn };
  }

  private post(...messages: (Out | HostToAnyPanel)[]): void {
    for (const message of messages) {
      this.panel?.webview.postMessage(message).then(undefined, (error: unknown) => {
        this.services.report.log.warn(`${this.kind.title} panel: a message was lost: ${error}`);
      });
    }
  }

  dispose(): void {
    clearTimeout(this.timer);
    vscode.Disposable.from(...this.subscriptions).dispose();
    this.opened.dispose();
  }
}

const COMMON = new Set(['ready', 'select', 'selectRange', 'command', 'log']);

function isCommon(message: { type: string }): message is AnyPanelToHost {
  return COMMON.has(message.type);
}
