/** What a term is: signature, our own words, releases, and its value in the reader's machine. */
import * as vscode from 'vscode';
import type { Release } from '../../sim/index.ts';
import type { CommandId } from '../commands.ts';
import type { TermDescription } from '../docs/glossary.ts';
import type { ReaderSession } from '../readerSession.ts';
import type { Reporter } from '../report.ts';
import type { Session } from '../session/types.ts';
import type { Examples } from './examples.ts';
import { valueText } from './holes.ts';
import type { KernelText, KernelTexts } from './kernelTexts.ts';
import { type Library, mentionAt } from './library.ts';

/** The only commands a link in a hover can run. */
const HOVER_COMMANDS = [
  'zonescope.openZones',
  'zonescope.openPagemap',
  'zonescope.showState',
  'zonescope.goToTerm',
  'zonescope.editArguments',
  'zonescope.chooseRelease',
] as const satisfies readonly CommandId[];

const NEUTRAL_KINDS = new Set(['concept', 'placeholder', 'never', 'math', 'path']);
const KIND_WORDS: Readonly<Record<string, string>> = {
  config: 'config option',
  errno: 'error number',
  never: 'not a kernel name',
  placeholder: 'placeholder of the text',
  math: 'formula',
  symbol: 'global symbol',
};

export class Hovers implements vscode.HoverProvider {
  private readonly texts: KernelTexts;
  private readonly library: Library;
  private readonly examples: Examples;
  private readonly reader: ReaderSession;
  private readonly report: Reporter;

  constructor(texts: KernelTexts, library: Library, examples: Examples, reader: ReaderSession, report: Reporter) {
    this.texts = texts;
    this.library = library;
    this.examples = examples;
    this.reader = reader;
    this.report = report;
  }

  async provideHover(document: vscode.TextDocument, position: vscode.Position): Promise<vscode.Hover | undefined> {
    const text = this.texts.of(document);
    if (text === undefined) return undefined;
    return this.report.quietly('explain a term', () => this.hoverAt(document, text, document.offsetAt(position)));
  }

  private async hoverAt(
    document: vscode.TextDocument,
    text: KernelText,
    offset: number,
  ): Promise<vscode.Hover | undefined> {
    const hole = await this.holeAt(text, offset);
    const mention = mentionAt(await this.library.mentions(text), offset);
    const contents = hole === undefined ? [] : [hole];
    if (mention === undefined) return hole === undefined ? undefined : new vscode.Hover(contents);
    const release = await this.examples.releaseOf(text);
    const index = await this.library.terms(text.kind);
    const term = index.describe(mention.id, release);
    if (term === undefined) return undefined;
    contents.push(markdownOf(term, release, this.liveOf(term)));
    const range = new vscode.Range(document.positionAt(mention.start), document.positionAt(mention.end));
    return new vscode.Hover(contents, range);
  }

  private liveOf(term: TermDescription): { session: Session; value: string } | undefined {
    if (term.live === undefined) return undefined;
    const session = this.reader.get();
    const value = session.live(term.live);
    return value === undefined ? undefined : { session, value };
  }

  private async holeAt(text: KernelText, offset: number): Promise<vscode.MarkdownString | undefined> {
    for (const placed of await this.examples.placed(text)) {
      if (placed.block === undefined || offset < placed.span.start || offset > placed.span.end) continue;
      for (const hole of this.examples.holes(text, placed)) {
        if (hole.span === undefined || offset < hole.span.start || offset > hole.span.end) continue;
        const args = encodeURIComponent(JSON.stringify([text.uri.toString(), placed.scene.id]));
        const markdown = trusted();
        markdown.appendMarkdown('**A hole in the text** · when the example runs it is filled by');
        if (hole.value === '') markdown.appendText(` ${valueText(hole)}\n\n`);
        else markdown.appendCodeblock(hole.value, 'c');
        markdown.appendMarkdown(`[$(edit) Change…](command:zonescope.editArguments?${args})`);
        return markdown;
      }
    }
    return undefined;
  }
}

function trusted(): vscode.MarkdownString {
  const markdown = new vscode.MarkdownString('', true);
  markdown.isTrusted = { enabledCommands: HOVER_COMMANDS };
  return markdown;
}

export function markdownOf(
  term: TermDescription,
  release: Release,
  live: { session: Session; value: string } | undefined,
): vscode.MarkdownString {
  const markdown = trusted();
  const facts = [KIND_WORDS[term.kind] ?? term.kind, term.releases].filter((fact) => fact !== '');
  const title = NEUTRAL_KINDS.has(term.kind) ? escaped(term.title) : `\`${term.title}\``;
  markdown.appendMarkdown(`**${title}** · ${facts.join(' · ')}\n`);
  if (term.signature !== undefined) markdown.appendCodeblock(term.signature, 'c');
  if (term.note !== undefined) markdown.appendMarkdown(`\n$(info) ${escaped(term.note)}\n`);
  markdown.appendMarkdown(`\n${term.text}\n`);
  if (term.errors !== undefined && term.errors.length > 0) markdown.appendMarkdown(errorTable(term));
  if (live !== undefined) {
    markdown.appendMarkdown('\n---\n$(pulse) **Now**, on ');
    markdown.appendText(live.session.machineName);
    markdown.appendMarkdown(` with ${live.session.release}: `);
    markdown.appendText(live.value);
    markdown.appendMarkdown('\n');
  }
  const links = [
    ...(live === undefined
      ? []
      : ['[$(layers) Zones](command:zonescope.openZones)', '[$(list-tree) State](command:zonescope.showState)']),
    ...(term.file === undefined ? [] : [`$(file-code) ${escaped(term.file)}`]),
    `Linux ${release}`,
  ];
  markdown.appendMarkdown(`\n---\n${links.join('&nbsp; · &nbsp;')}`);
  return markdown;
}

function errorTable({ errors = [] }: TermDescription): string {
  const cell = (text: string): string => escaped(text).replaceAll('|', '\\|').replace(/\s+/g, ' ');
  const rows = errors.map(({ returns, when }) => `| \`${returns}\` | ${cell(when)} |`);
  return `\n| Returns | When |\n|---|---|\n${rows.join('\n')}\n`;
}

/** Text as Markdown shows it unchanged. */
const escaped = (text: string): string => text.replace(/[\\`*_{}[\]()#+!<>~$&]/g, '\\$&');
