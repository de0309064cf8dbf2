/** The extension in a host that is Node: a desktop, or a remote machine. */
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
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

/** `doc` in each of the system's data folders. */
function packageFolders(): string[] {
  if (process.platform !== 'linux') return [];
  const folders = (process.env.XDG_DATA_DIRS || '/usr/local/share:/usr/share').split(':').filter(isAbsolute);
  return [...new Set(folders.map((folder) => pathToFileURL(join(folder, 'doc')).href))];
}

const platform: Platform = {
  breathe: () => new Promise((resolve) => setImmediate(resolve)),
  now: () => performance.now(),
  get packages() {
    return packageFolders();
  },
  thisMachine: process.platform === 'linux' ? 'file:///' : undefined,
  get caches() {
    return [pathToFileURL(join(cacheBase(), 'zonescope', 'documents')).href];
  },
};

export function activate(context: ExtensionContext): void {
  start(context, platform);
}

export function deactivate(): void {}
