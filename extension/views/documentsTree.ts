/** The Documents view: the kernel's documents on this machine, each with the releases its text belongs to. */
import * as vscode from 'vscode';
import type { Release } from '../../sim/index.ts';
import { RELEASES } from '../../sim/index.ts';
import { type FoundDocument, type Located, locateDocuments, type Places } from '../docs/locate.ts';
import { uriToOpen, workspaceFiles } from '../files/readonlyFiles.ts';
import { nameOf } from '../language/examples.ts';
import { commandOf } from '../language/lensCommands.ts';
import type { Platform } from '../platform.ts';
import type { Reporter } from '../report.ts';

export type DocumentEntry = { readonly found: FoundDocument } | { readonly tour: true };

const SOURCES: Readonly<Record<FoundDocument['from'], string>> = {
  workspace: 'in the open folder',
  setting: 'from the setting zonescope.documentsPath',
  package: 'from an installed package',
  cache: 'fetched before',
};
/** A folder in the workspace that may be a kernel tree, or hold documents of a release. */
const RELEASE_FOLDER = /^(?:linux.*|v?\d+\.\d+.*)$/;
const MOST_FOLDERS = 40;

export class Documents implements vscode.TreeDataProvider<DocumentEntry>, vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<undefined>();
  readonly onDidChangeTreeData = this.changed.event;
  private readonly subscriptions: vscode.Disposable[] = [];
  private readonly storage: vscode.Uri;
  private readonly platform: Platform;
  private readonly report: Reporter;
  private located: Promise<Located> | undefined;

  constructor(globalStorage: vscode.Uri, platform: Platform, report: Reporter) {
    this.storage = vscode.Uri.joinPath(globalStorage, 'documents');
    this.platform = platform;
    this.report = report;
    this.subscriptions.push(
      vscode.workspace.onDidChangeWorkspaceFolders(() => this.refresh()),
      vscode.workspace.onDidChangeConfiguration((event) => {
        if (event.affectsConfiguration('zonescope.documentsPath')) this.refresh();
      }),
    );
  }

  refresh(): void {
    this.located = undefined;
    this.changed.fire(undefined);
  }

  /** Looked for once, until something says that it may be otherwise. */
  locate(): Promise<Located> {
    this.located ??= this.search();
    this.located.catch(() => {
      this.located = undefined;
    });
    return this.located;
  }

  private async search(): Promise<Located> {
    const setting = vscode.workspace.getConfiguration('zonescope').get<string>('documentsPath', '').trim();
    const named = setting === '' ? {} : { setting: uriOfSetting(setting) };
    const rooms: Places[] = [
      { ...NOWHERE, workspaceFolders: await this.folders(), ...named },
      ...this.platform.packages.map((packages) => ({ ...NOWHERE, packages })),
      ...[this.storage.toString(), ...this.platform.caches].map((cache) => ({ ...NOWHERE, cache })),
    ];
    const all: Located[] = [];
    for (const places of rooms) all.push(await locateDocuments(workspaceFiles, places));
    const looked = all.flatMap((one) => one.looked);
    for (const { from, path, why } of looked) this.report.log.debug(`documents: ${from} ${path} ${why}`);
    return { found: withoutCopies(all.flatMap((one) => one.found)), looked };
  }

  /** The open folders, and those in them that may be kernel trees. */
  private async folders(): Promise<string[]> {
    const all: string[] = [];
    for (const { uri } of vscode.workspace.workspaceFolders ?? []) {
      all.push(uri.toString());
      try {
        const entries = await vscode.workspace.fs.readDirectory(uri);
        const inside = entries.filter(([name, type]) => type & vscode.FileType.Directory && RELEASE_FOLDER.test(name));
        for (const [name] of inside.slice(0, MOST_FOLDERS)) all.push(vscode.Uri.joinPath(uri, name).toString());
      } catch {
        // A folder that cannot be listed has nothing for us.
      }
    }
    return all;
  }

  /** Nothing when there are no documents: then the view's welcome text says how to get them. */
  async getChildren(entry?: DocumentEntry): Promise<DocumentEntry[]> {
    if (entry !== undefined) return [];
    const located = await this.report.quietly('look for documents', () => this.locate());
    const found = located?.found ?? [];
    return found.length === 0 ? [] : [...found.map((one) => ({ found: one })), { tour: true }];
  }

  getTreeItem(entry: DocumentEntry): vscode.TreeItem {
    if ('tour' in entry) {
      const item = new vscode.TreeItem('Guided tour');
      item.iconPath = new vscode.ThemeIcon('compass');
      item.tooltip = 'The ideas of both documents in a few minutes, with examples to run.';
      item.command = commandOf('zonescope.openTour', 'Open Tour', []);
      return item;
    }
    const { found } = entry;
    const uri = vscode.Uri.parse(found.path, true);
    const item = new vscode.TreeItem(nameOf(uriToOpen(uri)));
    const releases = releasesText(found.recognition.releases);
    item.id = found.path;
    item.description = releases;
    item.iconPath = new vscode.ThemeIcon('book');
    item.tooltip = new vscode.MarkdownString()
      .appendText(`${uri.scheme === 'file' ? uri.fsPath : uri.path}\n`)
      .appendMarkdown(`\n${SOURCES[found.from]} · ${recognisedText(found)}`);
    item.accessibilityInformation = { label: `${nameOf(uriToOpen(uri))}, ${releases}, ${SOURCES[found.from]}` };
    item.command = commandOf('zonescope.openDocument', 'Open', [uriToOpen(uri).toString()]);
    return item;
  }

  dispose(): void {
    vscode.Disposable.from(...this.subscriptions).dispose();
    this.changed.dispose();
  }
}

const NOWHERE = { workspaceFolders: [], packages: '' };

/** An address stays one; a path is of the machine the extension runs on. */
function uriOfSetting(setting: string): string {
  return /^[a-z][\w+.-]+:\/\//i.test(setting) ? setting : vscode.Uri.file(setting).toString();
}

/** The same text found twice is listed where it was found first. */
function withoutCopies(found: readonly FoundDocument[]): FoundDocument[] {
  return found.filter((one, i) => found.findIndex(({ text }) => text === one.text) === i);
}

export function releasesText(releases: readonly Release[]): string {
  const first = releases[0];
  const last = releases.at(-1);
  if (first === undefined || last === undefined) return 'release unknown';
  if (first === last) return first;
  return releases.length === RELEASES.length ? 'any release' : `${first} – ${last}`;
}

function recognisedText({ recognition }: FoundDocument): string {
  if (recognition.by === 'sha256') return 'recognised exactly, by its checksum';
  return recognition.by === 'names' ? 'dated by the names it uses' : 'release not recognised';
}
