/** Gives every command of the table its handler, and sets the keys that say when commands make sense. */
import * as vscode from 'vscode';
import { debugActions } from './actions/debug.ts';
import { documentActions } from './actions/documents.ts';
import { exampleActions } from './actions/examples.ts';
import { findingActions } from './actions/findings.ts';
import { machineActions } from './actions/machine.ts';
import { timelineActions } from './actions/timeline.ts';
import { COMMAND_IDS, COMMANDS, type ContextKey } from './commands.ts';
import type { Handlers, Services } from './services.ts';

export function registerCommands(services: Services): vscode.Disposable {
  const handlers: Handlers = {
    ...timelineActions(services),
    ...machineActions(services),
    ...exampleActions(services),
    ...debugActions(services),
    ...documentActions(services),
    ...findingActions(services),
  };
  const disposables = COMMAND_IDS.map((id) => {
    // The arguments come from whoever runs the command; handlers check what they use.
    const handler = handlers[id] as (...args: unknown[]) => unknown;
    const what = COMMANDS[id].title.toLowerCase().replace(/…$/, '');
    return vscode.commands.registerCommand(id, (...args: unknown[]) =>
      services.report.run(what, () => handler(...args)),
    );
  });
  return vscode.Disposable.from(...disposables);
}

/** Sets each key only when its value is another one. */
export class ContextKeys implements vscode.Disposable {
  private readonly shown = new Map<ContextKey, string>();
  private readonly subscriptions: vscode.Disposable[] = [];
  private readonly services: Services;

  constructor(services: Services) {
    this.services = services;
    const update = (): void => this.update();
    const { reader, texts, comparison } = services;
    this.subscriptions.push(reader.onDidChange(update), texts.onDidChange(update), comparison.onDidChange(update));
    update();
  }

  private update(): void {
    const { reader, texts, comparison } = this.services;
    const session = reader.existing;
    const { step = 0, steps = 0, paused } = session?.position ?? {};
    const status = session?.example?.status;
    const isPaused = status === 'paused' || (paused?.canContinue ?? false);
    this.set('zonescope.openDocuments', Object.fromEntries(texts.open().map(({ uri }) => [uri.fsPath, true])));
    this.set('zonescope.canStepBack', step > 0);
    this.set('zonescope.canStepForward', step < steps);
    this.set('zonescope.examplePaused', isPaused);
    this.set('zonescope.exampleActive', isPaused || status === 'running' || status === 'waiting');
    this.set('zonescope.machineSetAside', session?.setAside !== undefined);
    this.set('zonescope.isComparing', comparison.isActive);
  }

  private set(key: ContextKey, value: unknown): void {
    const text = JSON.stringify(value);
    if (this.shown.get(key) === text) return;
    this.shown.set(key, text);
    void vscode.commands.executeCommand('setContext', key, value);
  }

  dispose(): void {
    vscode.Disposable.from(...this.subscriptions).dispose();
  }
}
