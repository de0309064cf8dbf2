/** The Test Explorer: document, section, and in it the claims, examples and scenes of the text. */
import * as vscode from 'vscode';
import { nameOf } from '../language/examples.ts';
import { releasesText } from '../views/documentsTree.ts';
import { TextCoverage } from './coverage.ts';
import { debugTest } from './debugging.ts';
import type { TestEntry, TestSubject } from './outline.ts';
import { runTests } from './run.ts';
import type { TestDocument } from './testDocuments.ts';
import type { TestLeaf, TestsParts } from './types.ts';

const DELAY_MS = 400;
/** Tests that a debugger can step through. */
const STEPPABLE = new vscode.TestTag('steppable');

export class Tests implements vscode.Disposable {
  private readonly controller = vscode.tests.createTestController('zonescope', 'Zonescope');
  private readonly subscriptions: vscode.Disposable[] = [];
  private readonly parts: TestsParts;
  private readonly subjects = new WeakMap<vscode.TestItem, TestSubject>();
  /** Documents whose sections somebody has asked for. */
  private readonly resolved = new Set<string>();
  private isDiscovered = false;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(parts: TestsParts) {
    this.parts = parts;
    const { controller } = this;
    controller.resolveHandler = async (item) => {
      await parts.report.quietly('find tests', () => (item === undefined ? this.discover() : this.resolve(item)));
    };
    controller.refreshHandler = () => this.refresh();
    controller.createRunProfile(
      'Run',
      vscode.TestRunProfileKind.Run,
      (request, token) => this.run(request, token),
      true,
    );
    controller.createRunProfile(
      'Debug',
      vscode.TestRunProfileKind.Debug,
      (request, token) => this.debug(request, token),
      true,
      STEPPABLE,
    );
    const coverage = controller.createRunProfile(
      'Coverage',
      vscode.TestRunProfileKind.Coverage,
      (request, token) => this.run(request, token, true),
      true,
    );
    coverage.loadDetailedCoverage = (_run, file) =>
      Promise.resolve(file instanceof TextCoverage ? [...file.sentences] : []);
    this.subscriptions.push(
      parts.texts.onDidChange(() => {
        // Nobody has looked at tests yet: nothing to keep up to date.
        if (!this.isDiscovered) return;
        clearTimeout(this.timer);
        this.timer = setTimeout(() => parts.report.quietly('find tests', () => this.refresh()), DELAY_MS);
      }),
    );
  }

  private async discover(): Promise<void> {
    this.isDiscovered = true;
    const documents = await this.parts.documents.all();
    const before = new Map([...this.controller.items].map(([id, item]) => [id, item]));
    const items: vscode.TestItem[] = [];
    for (const [index, document] of documents.entries()) {
      const { text } = document;
      const uri = text.uri.toString();
      const item = before.get(uri) ?? this.controller.createTestItem(uri, nameOf(text.uri), text.uri);
      item.canResolveChildren = true;
      item.label = named(nameOf(text.uri), releasesText((await text.releases).releases));
      item.sortText = orderOf(index);
      items.push(item);
    }
    for (const uri of this.resolved) if (!items.some(({ id }) => id === uri)) this.resolved.delete(uri);
    this.controller.items.replace(items);
  }

  /** Fills a document that somebody has opened in the tree, or wants to run. */
  private async resolve(item: vscode.TestItem): Promise<void> {
    const document = this.parts.documents.current(item.id);
    if (document === undefined) return;
    item.busy = true;
    try {
      const outline = await this.parts.documents.outline(document);
      this.resolved.add(item.id);
      const sections = outline.map(({ id, title, span, entries }, index) => {
        const section = this.item(item.children, id, title, document, span, index);
        section.children.replace(entries.map((entry, at) => this.entryItem(section, entry, document, at)));
        return section;
      });
      item.children.replace(sections);
      item.error = undefined;
    } catch (error) {
      item.error = error instanceof Error ? error.message : String(error);
      throw error;
    } finally {
      item.busy = false;
    }
  }

  private entryItem(parent: vscode.TestItem, entry: TestEntry, document: TestDocument, at: number): vscode.TestItem {
    const label = named(entry.label, entry.description);
    const item = this.item(parent.children, entry.id, label, document, entry.span, at);
    this.subjects.set(item, entry.subject);
    if (entry.subject.kind !== 'claim') item.tags = [STEPPABLE];
    item.children.replace((entry.steps ?? []).map((step, index) => this.entryItem(item, step, document, index)));
    return item;
  }

  /** The item there is already, so that what is selected and expanded stays so; or a new one. */
  private item(
    siblings: vscode.TestItemCollection,
    id: string,
    label: string,
    document: TestDocument,
    span: { start: number; end: number },
    order: number,
  ): vscode.TestItem {
    const item = siblings.get(id) ?? this.controller.createTestItem(id, label, document.text.uri);
    item.label = label;
    item.range = document.range(span);
    item.sortText = orderOf(order);
    return item;
  }

  private async refresh(): Promise<void> {
    await this.discover();
    for (const uri of [...this.resolved]) {
      const item = this.controller.items.get(uri);
      if (item !== undefined) await this.resolve(item);
    }
  }

  private async run(request: vscode.TestRunRequest, token: vscode.CancellationToken, isCovered = false): Promise<void> {
    await this.parts.report.run('run tests', async () => {
      const leaves = await this.leaves(request);
      const run = this.controller.createTestRun(request);
      await runTests(run, leaves, this.parts, token, isCovered);
    });
  }

  private async debug(request: vscode.TestRunRequest, token: vscode.CancellationToken): Promise<void> {
    await this.parts.report.run('debug a test', async () => {
      // There is one machine to step through: of several the first.
      const first = (await this.leaves(request)).find(({ subject }) => subject.kind !== 'claim');
      if (first !== undefined && !token.isCancellationRequested) await debugTest(first);
    });
  }

  /** What a request means: tests, in the order of their text, each once. */
  private async leaves({ include, exclude }: vscode.TestRunRequest): Promise<TestLeaf[]> {
    if (include === undefined && !this.isDiscovered) await this.discover();
    const roots = include ?? [...this.controller.items].map(([, item]) => item);
    const excluded = new Set(exclude ?? []);
    const seen = new Set<vscode.TestItem>();
    const leaves: TestLeaf[] = [];
    const visit = (item: vscode.TestItem, document: TestDocument): void => {
      if (excluded.has(item) || seen.has(item)) return;
      seen.add(item);
      const subject = this.subjects.get(item);
      if (subject !== undefined) leaves.push({ item, subject, document });
      for (const [, child] of item.children) visit(child, document);
    };
    for (const root of roots) {
      const top = topOf(root);
      if (root === top && !this.resolved.has(top.id)) await this.resolve(root);
      const document = this.parts.documents.current(top.id);
      if (document !== undefined) visit(root, document);
    }
    return leaves;
  }

  dispose(): void {
    clearTimeout(this.timer);
    vscode.Disposable.from(...this.subscriptions).dispose();
    this.controller.dispose();
  }
}

function topOf(item: vscode.TestItem): vscode.TestItem {
  return item.parent === undefined ? item : topOf(item.parent);
}

const orderOf = (index: number): string => String(index).padStart(5, '0');

/** A screen reader is given the description of a test in place of its label: so one text says both. */
const named = (label: string, description = ''): string => (description === '' ? label : `${label} · ${description}`);
