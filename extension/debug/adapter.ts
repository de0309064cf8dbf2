/** The debug adapter of this window: messages of VS Code to the protocol core and back, without a process. */
import * as vscode from 'vscode';
import { Drift } from '../language/drift.ts';
import { nameOf } from '../language/examples.ts';
import type { Services } from '../services.ts';
import { DebugCore } from './core.ts';
import { Expressions } from './expressions.ts';
import { positionIn } from './frames.ts';
import { completed, DEBUG_TYPE } from './launch.ts';
import { type Resolved, resolveLaunch, uriOf } from './launcher.ts';

class InlineAdapter implements vscode.DebugAdapter {
  private readonly sent = new vscode.EventEmitter<vscode.DebugProtocolMessage>();
  readonly onDidSendMessage = this.sent.event;
  private readonly core: DebugCore;
  private readonly drift = new Drift();
  private readonly subscription: vscode.Disposable;
  private resolved: Resolved | undefined;

  constructor(services: Services) {
    const { examples, library, panels, reader, report } = services;
    this.subscription = vscode.workspace.onDidChangeTextDocument(({ document, contentChanges }) => {
      if (document.uri.toString() === this.resolved?.document.uri.toString()) this.drift.note(contentChanges);
    });
    this.core = new DebugCore({
      session: () => reader.get(),
      resolve: async (args) => {
        this.resolved = await resolveLaunch(services, args);
        this.drift.clear();
        return this.resolved.launch;
      },
      show: async (work) => {
        const { text } = this.resolved ?? {};
        if (text !== undefined) await examples.show(text, work);
        else {
          await panels.openBoth();
          await work(reader.get());
        }
      },
      send: (message) => this.sent.fire(message),
      uriOf: (path) => uriOf(path).toString(),
      pathOf: (uri) => {
        const parsed = vscode.Uri.parse(uri, true);
        return parsed.scheme === 'file' ? parsed.fsPath : uri;
      },
      nameOf: (uri) => nameOf(vscode.Uri.parse(uri, true)),
      positionOf: (_, offset) => this.positionOf(offset),
      prose: () => library.prose(),
      log: (text) => report.log.error(text),
    });
  }

  /** Where an offset of the launch stands now that the reader may have edited the document. */
  private positionOf(offset: number): { line: number; column: number } {
    const document = this.resolved?.document;
    if (document === undefined) return { line: 1, column: 1 };
    const at = this.drift.map(offset);
    if (document.isClosed) return positionIn(document.getText(), at);
    const { line, character } = document.positionAt(at);
    return { line: line + 1, column: character + 1 };
  }

  handleMessage(message: vscode.DebugProtocolMessage): void {
    void this.core.handle(message);
  }

  dispose(): void {
    void this.core.handle({ seq: 0, type: 'request', command: 'disconnect' });
    this.subscription.dispose();
    this.sent.dispose();
  }
}

export function registerDebugger(services: Services): vscode.Disposable {
  return vscode.Disposable.from(
    vscode.debug.registerDebugAdapterDescriptorFactory(DEBUG_TYPE, {
      createDebugAdapterDescriptor: () => new vscode.DebugAdapterInlineImplementation(new InlineAdapter(services)),
    }),
    vscode.languages.registerEvaluatableExpressionProvider(
      ['restructuredtext', 'plaintext', 'c'].map((language) => ({ language })),
      new Expressions(),
    ),
    vscode.debug.registerDebugConfigurationProvider(DEBUG_TYPE, new Configurations()),
  );
}

/** F5 without a launch.json: what stands at the cursor, or what ran last. */
class Configurations implements vscode.DebugConfigurationProvider {
  private last: vscode.DebugConfiguration | undefined;

  resolveDebugConfiguration(
    _: vscode.WorkspaceFolder | undefined,
    given: vscode.DebugConfiguration,
  ): vscode.DebugConfiguration {
    const config = { ...given, type: DEBUG_TYPE, request: given.request || 'launch', name: given.name || 'Example' };
    const editor = vscode.window.activeTextEditor;
    // A panel, or what the debugger shows of the kernel, is no place of its own to begin at.
    const isPlace = editor !== undefined && editor.document.uri.scheme !== 'debug';
    const cursor = isPlace
      ? { program: editor.document.uri.toString(), line: editor.selection.active.line + 1 }
      : undefined;
    return completed(config, cursor, this.last);
  }

  /** A variable of launch.json gives a text. */
  resolveDebugConfigurationWithSubstitutedVariables(
    _: vscode.WorkspaceFolder | undefined,
    config: vscode.DebugConfiguration,
  ): vscode.DebugConfiguration {
    const line: unknown = config.line;
    this.last = typeof line === 'string' && /^\d+$/.test(line) ? { ...config, line: Number(line) } : config;
    return this.last;
  }
}
