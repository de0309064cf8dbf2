/** The documents that tests are about: those that are open, and those that were found on this machine. */
import * as vscode from 'vscode';
import type { Release } from '../../sim/index.ts';
import type { KernelDocument } from '../docs/release.ts';
import { uriToOpen } from '../files/readonlyFiles.ts';
import type { Findings } from '../language/findings.ts';
import { KernelText, type KernelTexts } from '../language/kernelTexts.ts';
import type { Library } from '../language/library.ts';
import type { Documents } from '../views/documentsTree.ts';
import { LineMap } from './lines.ts';
import { outlineOf, type TestSection } from './outline.ts';

/** A document with a text as it is now. */
export class TestDocument {
  readonly text: KernelText;
  readonly kind: KernelDocument;
  private lines: LineMap | undefined;

  constructor(text: KernelText, kind: KernelDocument) {
    this.text = text;
    this.kind = kind;
  }

  range({ start, end }: { start: number; end: number }): vscode.Range {
    this.lines ??= new LineMap(this.text.source);
    const from = this.lines.at(start);
    const to = this.lines.at(end);
    return new vscode.Range(from.line, from.character, to.line, to.character);
  }
}

export class TestDocuments {
  private readonly texts: KernelTexts;
  private readonly documents: Documents;
  private readonly library: Library;
  private readonly findings: Findings;
  /** By the text of the URI; kept while the text is the same one. */
  private readonly known = new Map<string, TestDocument>();

  constructor(texts: KernelTexts, documents: Documents, library: Library, findings: Findings) {
    this.texts = texts;
    this.documents = documents;
    this.library = library;
    this.findings = findings;
  }

  /** Open ones as the editor has them, the others as they were found. */
  async all(): Promise<TestDocument[]> {
    const found = new Map<string, TestDocument>();
    for (const text of this.texts.open()) {
      if (text.kind !== 'tour' && text.uri.scheme !== 'git') found.set(text.uri.toString(), this.keep(text, text.kind));
    }
    for (const { document, path, text } of (await this.documents.locate()).found) {
      const uri = uriToOpen(vscode.Uri.parse(path, true));
      const key = uri.toString();
      if (found.has(key)) continue;
      const before = this.known.get(key);
      const isSame = before !== undefined && before.text.source === text;
      found.set(key, isSame ? before : this.keep(new KernelText(uri, document, text), document));
    }
    for (const key of this.known.keys()) if (!found.has(key)) this.known.delete(key);
    return [...found.values()];
  }

  /** As it is now: an edit makes it another one. */
  current(uri: string): TestDocument | undefined {
    const open = this.texts.byUri(uri)?.text;
    if (open !== undefined && open.kind !== 'tour') return this.keep(open, open.kind);
    return this.known.get(uri);
  }

  private keep(text: KernelText, kind: KernelDocument): TestDocument {
    const key = text.uri.toString();
    const before = this.known.get(key);
    if (before?.text === text) return before;
    const document = new TestDocument(text, kind);
    this.known.set(key, document);
    return document;
  }

  releaseOf({ text }: TestDocument): Promise<Release> {
    return this.findings.releaseOf(text);
  }

  async outline(document: TestDocument): Promise<TestSection[]> {
    const { text, kind } = document;
    const { releases } = await text.releases;
    const release = await this.releaseOf(document);
    const [claims, scenes] = [await this.library.claims(), await this.library.scenes()];
    return outlineOf({ document: text.rst, source: text.source, kind, release, releases, claims, scenes });
  }
}
