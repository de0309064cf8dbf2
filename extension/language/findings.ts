/**
 * Checks the open documents of ours, some time after they were opened or edited: what the rules find, and the verdicts
 * on the claims. A check that an edit has overtaken is given up.
 */
import * as vscode from 'vscode';
import type { Release } from '../../sim/index.ts';
import { RELEASES } from '../../sim/index.ts';
import type { CheckInput, DocFinding } from '../docs/check/types.ts';
import { type Claim, placeClaims } from '../docs/claims.ts';
import { hasDocument, type KernelTree, kernelTreeOf, releaseOfPlace } from '../docs/kernelTree.ts';
import type { KernelDocument } from '../docs/release.ts';
import { workspaceFiles } from '../files/readonlyFiles.ts';
import type { Platform } from '../platform.ts';
import type { Reporter } from '../report.ts';
import type { Verdicts } from '../session/verdicts.ts';
import {
  claimFindingIn,
  type DocumentFindings,
  type FindingFilter,
  type JudgedClaim,
  shownFindings,
} from './findingTypes.ts';
import type { KernelText, KernelTexts } from './kernelTexts.ts';
import type { Library } from './library.ts';

export interface FindingsParts {
  readonly texts: KernelTexts;
  readonly library: Library;
  readonly verdicts: Verdicts;
  readonly report: Reporter;
  readonly platform: Platform;
  readonly check: (input: CheckInput) => readonly DocFinding[];
}

interface Tree extends KernelTree {
  /** Files that were asked for, by their path under the root. */
  readonly files: Map<string, boolean>;
}

interface Room {
  text: KernelText;
  /** Absent until the first look at this version is done; then that of the version before stays until it is. */
  shown?: { readonly text: KernelText; readonly findings: DocumentFindings };
  done: Promise<void>;
}

const DELAY_MS = 180;
/** Verdicts come in one after the other; this often they are shown. */
const SHOW_EVERY_MS = 250;
/** A document names some twenty files. */
const MOST_FILES = 200;
/** Copies of a document that nobody edits, and whose findings are those of another. */
const FOREIGN_SCHEMES = new Set(['git', 'gitfs', 'review', 'pr', 'vscode-local-history', 'vscode-notebook-cell']);

export class Findings implements vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<vscode.Uri>();
  /** What is known of a document is other than before, or it was closed. */
  readonly onDidChange = this.changed.event;
  private readonly rooms = new Map<string, Room>();
  private readonly trees = new Map<string, Promise<Tree | undefined>>();
  private readonly subscriptions: vscode.Disposable[] = [];
  private readonly parts: FindingsParts;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(parts: FindingsParts) {
    this.parts = parts;
    this.subscriptions.push(
      parts.texts.onDidChange(() => this.soon()),
      vscode.workspace.onDidSaveTextDocument(({ uri }) => {
        // Another Makefile, or another document: whatever is known of a tree may be old.
        if (this.rooms.size > 0 && /\/(?:Makefile|[^/]+\.rst)$/.test(uri.path)) this.trees.clear();
      }),
      vscode.workspace.onDidChangeConfiguration((event) => {
        if (!SETTINGS.some((name) => event.affectsConfiguration(name))) return;
        this.forget();
        this.soon();
      }),
    );
    this.soon();
  }

  /** What is known of a version of a document; undefined while that version was not looked at. */
  of(text: KernelText): DocumentFindings | undefined {
    const shown = this.rooms.get(text.uri.toString())?.shown;
    return shown?.text === text ? shown.findings : undefined;
  }

  /** The same, filtered as the settings say. */
  shown(text: KernelText): DocFinding[] {
    const findings = this.of(text);
    return findings === undefined ? [] : shownFindings(findings, filterFor(text.uri), text.source);
  }

  /** Looks at a document now, and gives what is known once all of it is. */
  async checked(uri: string): Promise<DocumentFindings | undefined> {
    this.look();
    for (;;) {
      const room = this.rooms.get(uri);
      if (room === undefined) return undefined;
      await room.done;
      if (this.rooms.get(uri)?.text === room.text) return room.shown?.findings;
    }
  }

  private soon(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.look(), DELAY_MS);
  }

  private forget(): void {
    for (const room of this.rooms.values()) delete room.shown;
    this.rooms.clear();
  }

  private look(): void {
    clearTimeout(this.timer);
    const open = new Map(this.parts.texts.open().map((text) => [text.uri.toString(), text]));
    for (const uri of [...this.rooms.keys()]) {
      if (open.has(uri)) continue;
      this.rooms.delete(uri);
      this.changed.fire(vscode.Uri.parse(uri, true));
    }
    if (this.rooms.size === 0) this.trees.clear();
    for (const [uri, text] of open) {
      const before = this.rooms.get(uri);
      if (before?.text === text || FOREIGN_SCHEMES.has(text.uri.scheme) || text.kind === 'tour') continue;
      const room: Room = { text, done: Promise.resolve() };
      if (before?.shown !== undefined) room.shown = before.shown;
      this.rooms.set(uri, room);
      room.done = this.check(room, text.kind).catch((error: unknown) => {
        this.parts.report.failOnce(`check ${text.uri.path.split('/').at(-1)}`, error);
      });
    }
  }

  private async check(room: Room, kind: KernelDocument): Promise<void> {
    const { text } = room;
    const { library, verdicts, platform } = this.parts;
    const isStale = (): boolean => this.rooms.get(text.uri.toString()) !== room;
    const filter = filterFor(text.uri);
    if (!filter.findings && !filter.claims) {
      this.show(room, { release: await this.releaseOf(text), findings: [], claims: [], isPending: false });
      return;
    }
    const release = await this.releaseOf(text);
    const findings = filter.findings ? await this.staticFindings(text, kind, await this.namedRelease(text)) : [];
    const all = filter.claims ? await library.claims() : [];
    await platform.breathe();
    if (isStale()) return;
    const placed = placeClaims(all, kind, release, text.rst, text.source);
    const state = (isPending: boolean): DocumentFindings => ({
      release,
      findings,
      claims: placed.map((one): JudgedClaim => {
        const verdict = verdicts.known(one.claim, release);
        return verdict === undefined ? one : { ...one, verdict };
      }),
      isPending,
    });
    const unknown = placed.filter(({ claim }) => verdicts.known(claim, release) === undefined);
    this.show(room, state(unknown.length > 0));
    let shownAt = platform.now();
    for (const { claim } of unknown) {
      await this.ask(claim, release, isStale);
      if (isStale()) return;
      if (platform.now() - shownAt < SHOW_EVERY_MS) continue;
      this.show(room, state(true));
      shownAt = platform.now();
    }
    if (unknown.length > 0) this.show(room, state(false));
  }

  /** A claim that cannot be judged has no verdict, and the log says why. */
  private async ask(claim: Claim, release: Release, isCancelled: () => boolean) {
    try {
      return await this.parts.verdicts.ask(claim, release, isCancelled);
    } catch (error) {
      this.parts.report.log.error(`claim ${claim.id} in ${release}: ${error instanceof Error ? error.stack : error}`);
      return undefined;
    }
  }

  private show(room: Room, findings: DocumentFindings): void {
    if (this.rooms.get(room.text.uri.toString()) !== room) return;
    room.shown = { text: room.text, findings };
    this.changed.fire(room.text.uri);
  }

  private async namedRelease(text: KernelText): Promise<Release | undefined> {
    const tree = await this.treeOf(text.uri);
    return releaseOfPlace(tree, text.uri.path, (await text.releases).releases);
  }

  /** The one it names, else the newest that has the text, or whose words it uses. */
  async releaseOf(text: KernelText): Promise<Release> {
    const { release } = await text.releases;
    return (await this.namedRelease(text)) ?? release ?? RELEASES.at(-1) ?? '6.12';
  }

  private async staticFindings(
    text: KernelText,
    kind: KernelDocument,
    against: Release | undefined,
  ): Promise<readonly DocFinding[]> {
    const tree = await this.treeOf(text.uri);
    const { releases } = await text.releases;
    const asked = new Set<string>();
    const hasFile = (path: string): boolean | undefined => {
      const known = tree?.files.get(path);
      if (known === undefined && asked.size < MOST_FILES) asked.add(path);
      return known;
    };
    const input: CheckInput = {
      document: text.rst,
      source: text.source,
      kind,
      releases,
      ...(against === undefined ? {} : { against }),
      ...(tree?.hasAllDocuments ? { hasFile } : {}),
    };
    const found = this.parts.check(input);
    if (tree === undefined || asked.size === 0) return found;
    for (const path of asked) tree.files.set(path, await hasDocument(workspaceFiles, tree.root, path));
    return this.parts.check(input);
  }

  private treeOf(uri: vscode.Uri): Promise<Tree | undefined> {
    const folder = vscode.Uri.joinPath(uri, '..').toString();
    let tree = this.trees.get(folder);
    if (tree === undefined) {
      const path = uri.with({ query: '', fragment: '' }).toString();
      tree = kernelTreeOf(workspaceFiles, path).then((found) => found && { ...found, files: new Map() });
      this.trees.set(folder, tree);
      tree.catch(() => this.trees.delete(folder));
    }
    return tree;
  }

  /** What is found when a text is held against a release; undefined if that was cancelled. */
  async against(
    text: KernelText,
    release: Release,
    isCancelled: () => boolean,
    progress: (done: number, of: number) => void = () => {},
  ): Promise<DocFinding[] | undefined> {
    if (text.kind === 'tour') return [];
    const filter = filterFor(text.uri);
    const found = filter.findings ? [...(await this.staticFindings(text, text.kind, release))] : [];
    const all = filter.claims ? await this.parts.library.claims() : [];
    const placed = placeClaims(all, text.kind, release, text.rst, text.source);
    for (const [index, one] of placed.entries()) {
      if (isCancelled()) return undefined;
      progress(index, placed.length);
      const verdict = await this.ask(one.claim, release, isCancelled);
      const finding = verdict && claimFindingIn(text.source, { ...one, verdict }, found);
      if (finding !== undefined) found.push(finding);
    }
    return isCancelled() ? undefined : found;
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.rooms.clear();
    vscode.Disposable.from(...this.subscriptions).dispose();
    this.changed.dispose();
  }
}

const SETTINGS = ['zonescope.findings', 'zonescope.claims', 'zonescope.disabledFindings'];

export function filterFor(uri: vscode.Uri): FindingFilter {
  const settings = vscode.workspace.getConfiguration('zonescope', uri);
  const disabled = settings.get<unknown>('disabledFindings', []);
  return {
    findings: settings.get('findings', true),
    claims: settings.get('claims', true),
    disabled: Array.isArray(disabled) ? disabled.filter((code) => typeof code === 'string') : [],
  };
}
