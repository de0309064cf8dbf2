/**
 * The file system `zonescope:`: texts that can be read but not changed. The tour lives in it under its own name; a
 * compressed document is its unpacked text, with the address of the original as query.
 */
import * as vscode from 'vscode';
import { SCHEME } from '../commands.ts';
import { type DocumentFiles, readDocument } from '../docs/locate.ts';

const TOUR_PATH = '/tour.rst';

export const TOUR_URI = vscode.Uri.from({ scheme: SCHEME, path: TOUR_PATH });

/** What to open for a document that was found: its file, or the text unpacked from it. */
export function uriToOpen(found: vscode.Uri): vscode.Uri {
  if (!found.path.endsWith('.gz')) return found;
  return vscode.Uri.from({ scheme: SCHEME, path: found.path.replace(/\.gz$/, ''), query: found.toString() });
}

/** VS Code's file systems as `docs` asks for files: by the text of their URIs. */
export const workspaceFiles: DocumentFiles = {
  async exists(path) {
    try {
      await vscode.workspace.fs.stat(vscode.Uri.parse(path, true));
      return true;
    } catch {
      return false;
    }
  },
  async list(path) {
    const entries = await vscode.workspace.fs.readDirectory(vscode.Uri.parse(path, true));
    return entries.map(([name]) => name);
  },
  async read(path) {
    return vscode.workspace.fs.readFile(vscode.Uri.parse(path, true));
  },
};

export class ReadonlyFiles implements vscode.FileSystemProvider, vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<vscode.FileChangeEvent[]>();
  readonly onDidChangeFile = this.changed.event;
  private readonly tour: vscode.Uri;

  constructor(extensionUri: vscode.Uri) {
    this.tour = vscode.Uri.joinPath(extensionUri, 'media', 'tour', 'tour.rst');
  }

  async stat(uri: vscode.Uri): Promise<vscode.FileStat> {
    const content = await this.readFile(uri);
    return { type: vscode.FileType.File, ctime: 0, mtime: 0, size: content.length };
  }

  async readFile(uri: vscode.Uri): Promise<Uint8Array> {
    if (uri.path === TOUR_PATH && uri.query === '') return vscode.workspace.fs.readFile(this.tour);
    const original = uri.query === '' ? undefined : vscode.Uri.parse(uri.query, true);
    if (original === undefined || original.scheme === SCHEME) throw vscode.FileSystemError.FileNotFound(uri);
    try {
      return new TextEncoder().encode(await readDocument(workspaceFiles, original.toString()));
    } catch (error) {
      throw vscode.FileSystemError.Unavailable(
        `${original.path} cannot be unpacked: ${error instanceof Error ? error.message : error}`,
      );
    }
  }

  watch(): vscode.Disposable {
    return new vscode.Disposable(() => {});
  }
  readDirectory(): [string, vscode.FileType][] {
    return [['tour.rst', vscode.FileType.File]];
  }
  createDirectory(uri: vscode.Uri): void {
    throw vscode.FileSystemError.NoPermissions(uri);
  }
  writeFile(uri: vscode.Uri): void {
    throw vscode.FileSystemError.NoPermissions(uri);
  }
  delete(uri: vscode.Uri): void {
    throw vscode.FileSystemError.NoPermissions(uri);
  }
  rename(uri: vscode.Uri): void {
    throw vscode.FileSystemError.NoPermissions(uri);
  }

  dispose(): void {
    this.changed.dispose();
  }
}
