/**
 * The documents in open editors that are ours to read: known by their name, parsed once for each version of their
 * text, forgotten when they close. Any other document costs a look at its name.
 */
import * as vscode from 'vscode';
import type { Release } from '../../sim/index.ts';
import { RELEASES } from '../../sim/index.ts';
import { isKernelDocument, type KernelDocument, recognise } from '../docs/release.ts';
import { parseDocument, type RstDocument } from '../docs/rst.ts';

export type TextKind = KernelDocument | 'tour';

/** Which releases a text belongs to, and how that was found. */
export interface TextReleases {
  readonly releases: readonly Release[];
  /** The one to speak of; undefined if the text says nothing about it. */
  readonly release: Release | undefined;
  readonly by: 'sha256' | 'names' | 'tour' | 'none';
}

/** One version of a document. */
export class KernelText {
  readonly uri: vscode.Uri;
  readonly kind: TextKind;
  readonly source: string;
  private parsed: RstDocument | undefined;
  private recognised: Promise<TextReleases> | undefined;

  constructor(uri: vscode.Uri, kind: TextKind, source: string) {
    this.uri = uri;
    this.kind = kind;
    this.source = source;
  }

  get rst(): RstDocument {
    this.parsed ??= parseDocument(this.uri.path, this.source);
    return this.parsed;
  }

  get releases(): Promise<TextReleases> {
    this.recognised ??= this.findReleases();
    return this.recognised;
  }

  private async findReleases(): Promise<TextReleases> {
    if (this.kind === 'tour') return { releases: RELEASES, release: undefined, by: 'tour' };
    const { releases, release, by } = await recognise(this.uri.path, this.source);
    return { releases, release, by };
  }
}

/** Why a file with the right name is not read. */
export interface Unreadable {
  readonly uri: vscode.Uri;
  /** `is not text`: goes on after the file's name. */
  readonly what: string;
  readonly advice: string;
}

/** A kernel document has 20 KB; reading this much takes a third of a second. In UTF-16 units, or bytes. */
export const MAX_LENGTH = 8 << 20;
const MAX_TEXT = `${MAX_LENGTH >> 20} MB`;
const TOUR = /(?:^|\/)tour\.rst$/;
/** What the tour says near its beginning, unlike anybody else's file of that name. */
const TOUR_WORD = 'Zonescope';
const TREATED = 'treatedFiles';

export const isNamedDocument = (path: string): boolean => isKernelDocument(path) !== undefined || TOUR.test(path);

export function unreadableBySize(uri: vscode.Uri, size: number): Unreadable | undefined {
  if (size <= MAX_LENGTH) return undefined;
  return {
    uri,
    what: `has ${(size / (1 << 20)).toFixed(0)} MB, and Zonescope reads documents of up to ${MAX_TEXT}`,
    advice: 'The kernel’s own document has some 20 KB: this is a different file, or a damaged copy.',
  };
}

export function unreadableByContent(uri: vscode.Uri, content: string): Unreadable | undefined {
  if (!content.includes('\0')) return undefined;
  return {
    uri,
    what: 'is not text: it holds zero bytes',
    advice: 'If it is a compressed document, unpack it first.',
  };
}

export class KernelTexts implements vscode.Disposable {
  private readonly cache = new Map<string, { version: number; text: KernelText | Unreadable | undefined }>();
  private readonly treated: Map<string, TextKind>;
  private readonly changed = new vscode.EventEmitter<void>();
  private readonly subscriptions: vscode.Disposable[] = [];
  private readonly state: vscode.Memento;
  /** A document of ours was opened, closed or edited. */
  readonly onDidChange = this.changed.event;

  constructor(state: vscode.Memento) {
    this.state = state;
    this.treated = new Map(Object.entries(state.get<Record<string, TextKind>>(TREATED, {})));
    this.subscriptions.push(
      vscode.workspace.onDidOpenTextDocument((document) => this.notice(document)),
      vscode.workspace.onDidChangeTextDocument(({ document }) => this.notice(document)),
      vscode.workspace.onDidCloseTextDocument((document) => {
        this.cache.delete(document.uri.toString());
        this.notice(document);
      }),
    );
  }

  private notice(document: vscode.TextDocument): void {
    if (this.kindOf(document.uri) !== undefined) this.changed.fire();
  }

  /** What a file is by its name, or because the reader said so. */
  kindOf(uri: vscode.Uri): TextKind | undefined {
    const named = isKernelDocument(uri.path);
    if (named !== undefined) return named.document;
    if (TOUR.test(uri.path)) return 'tour';
    return this.treated.size === 0 ? undefined : this.treated.get(uri.toString());
  }

  /** The text of a document of ours; undefined if it is none, or cannot be read. */
  of(document: vscode.TextDocument): KernelText | undefined {
    const text = this.read(document);
    return text instanceof KernelText ? text : undefined;
  }

  /** Why a document that has the right name is not read. */
  unreadable(document: vscode.TextDocument): Unreadable | undefined {
    const text = this.read(document);
    return text instanceof KernelText ? undefined : text;
  }

  private read(document: vscode.TextDocument): KernelText | Unreadable | undefined {
    const kind = this.kindOf(document.uri);
    if (kind === undefined) return undefined;
    const key = document.uri.toString();
    const known = this.cache.get(key);
    if (known !== undefined && known.version === document.version) return known.text;
    const text = readText(document, kind);
    if (!document.isClosed) this.cache.set(key, { version: document.version, text });
    return text;
  }

  /** Documents of ours that are open, in no particular order. */
  open(): KernelText[] {
    return vscode.workspace.textDocuments.flatMap((document) => this.of(document) ?? []);
  }

  byUri(uri: string): { document: vscode.TextDocument; text: KernelText } | undefined {
    const document = vscode.workspace.textDocuments.find((one) => one.uri.toString() === uri);
    const text = document && this.of(document);
    return document && text ? { document, text } : undefined;
  }

  /** From now on the file is a document of ours, whatever its name. */
  async treat(uri: vscode.Uri, kind: TextKind): Promise<void> {
    this.treated.set(uri.toString(), kind);
    this.cache.delete(uri.toString());
    this.changed.fire();
    await this.state.update(TREATED, Object.fromEntries(this.treated));
  }

  /** Files the reader named. */
  get treatedUris(): string[] {
    return [...this.treated.keys()];
  }

  dispose(): void {
    vscode.Disposable.from(...this.subscriptions).dispose();
    this.changed.dispose();
    this.cache.clear();
  }
}

function readText(document: vscode.TextDocument, kind: TextKind): KernelText | Unreadable | undefined {
  const last = document.lineCount - 1;
  const size = document.offsetAt(new vscode.Position(last, Number.MAX_SAFE_INTEGER));
  const tooLarge = unreadableBySize(document.uri, size);
  if (tooLarge !== undefined) return tooLarge;
  const source = document.getText();
  if (kind === 'tour' && !source.slice(0, 4096).includes(TOUR_WORD)) return undefined;
  return unreadableByContent(document.uri, source) ?? new KernelText(document.uri, kind, source);
}
