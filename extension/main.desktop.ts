/** The extension in a host that is Node: a desktop, or a remote machine. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { ExtensionContext } from 'vscode';
import { start } from './activate.ts';
import type { Platform } from './platform.ts';

function cacheBase(): string {
  const { XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  if (XDG_CACHE_HOME) return XDG_CACHE_HOME;
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Caches');
  if (process.platform === 'win32') return LOCALAPPDATA ?? join(homedir(), 'AppData', 'Local');
  return join(homedir(), '.cache');
}

const platform: Platform = {
  breathe: () => new Promise((resolve) => setImmediate(resolve)),
  now: () => performance.now(),
  packages: process.platform === 'linux' ? 'file:///usr/share/doc' : undefined,
  thisMachine: process.platform === 'linux' ? 'file:///' : undefined,
  get caches() {
    return [pathToFileURL(join(cacheBase(), 'zonescope', 'documents')).href];
  },
};

export function activate(context: ExtensionContext): void {
  start(context, platform);
}

export function deactivate(): void {}
