/** The extension in a host that is a web worker. */
import type { ExtensionContext } from 'vscode';
import { start } from './activate.ts';
import type { Platform } from './platform.ts';

const platform: Platform = {
  breathe: () => new Promise((resolve) => setTimeout(resolve, 0)),
  now: () => performance.now(),
  packages: [],
  thisMachine: undefined,
  caches: [],
};

export function activate(context: ExtensionContext): void {
  start(context, platform);
}

export function deactivate(): void {}
