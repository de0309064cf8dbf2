/** The extension's own data: what terms mean, and what can be run where. Read when first needed. */
import * as vscode from 'vscode';
import { ALL_RECORDS, provideProse, withProse } from '../../sim/index.ts';
import { type Claim, loadClaims } from '../docs/claims.ts';
import { findMentions, type Mention } from '../docs/entities.ts';
import {
  buildTermIndex,
  type GlossaryEntry,
  type GlossaryTerm,
  parseGlossary,
  type TermIndex,
} from '../docs/glossary.ts';
import { loadScenes, type Scene } from '../docs/scenes.ts';
import { ReaderError, type Reporter } from '../report.ts';
import type { KernelText, TextKind } from './kernelTexts.ts';

export class Library {
  private readonly folder: vscode.Uri;
  private readonly report: Reporter;
  private glossary: Promise<readonly GlossaryTerm[]> | undefined;
  private words: Promise<void> | undefined;
  private loadedScenes: Promise<readonly Scene[]> | undefined;
  private loadedRules: Promise<ReadonlyMap<string, string>> | undefined;
  private loadedClaims: Promise<readonly Claim[]> | undefined;
  private readonly indexes = new Map<TextKind, Promise<TermIndex>>();
  private readonly mentioned = new WeakMap<KernelText, Promise<readonly Mention[]>>();

  constructor(extensionUri: vscode.Uri, report: Reporter) {
    this.folder = vscode.Uri.joinPath(extensionUri, 'dist');
    this.report = report;
  }

  /** The terms as a document of this kind means them. */
  terms(kind: TextKind): Promise<TermIndex> {
    let index = this.indexes.get(kind);
    if (index === undefined) {
      index = this.buildIndex(kind);
      this.indexes.set(kind, index);
      index.catch(() => this.indexes.delete(kind));
    }
    return index;
  }

  private async buildIndex(kind: TextKind): Promise<TermIndex> {
    this.glossary ??= this.readJson('glossary.json').then((json) => parseGlossary(json as GlossaryEntry[]));
    this.glossary.catch(() => {
      this.glossary = undefined;
    });
    await this.prose();
    return buildTermIndex(withProse(ALL_RECORDS), await this.glossary, kind === 'tour' ? undefined : kind);
  }

  /** The words of the kernel's names, for hovers and for `help` in the shell. */
  prose(): Promise<void> {
    this.words ??= this.readJson('prose.json').then((json) => provideProse(json as string[]));
    this.words.catch(() => {
      this.words = undefined;
    });
    return this.words;
  }

  scenes(): Promise<readonly Scene[]> {
    this.loadedScenes ??= this.readJson('scenes.json').then((json) => {
      const { scenes, problems } = loadScenes(json, { isOurs: true });
      for (const problem of problems) this.report.log.error(`scenes.json: ${problem}`);
      return scenes;
    });
    this.loadedScenes.catch(() => {
      this.loadedScenes = undefined;
    });
    return this.loadedScenes;
  }

  claims(): Promise<readonly Claim[]> {
    this.loadedClaims ??= this.readJson('claims.json').then((json) => {
      const { claims, problems } = loadClaims(json, { isOurs: true });
      for (const problem of problems) this.report.log.error(`claims.json: ${problem}`);
      return claims;
    });
    this.loadedClaims.catch(() => {
      this.loadedClaims = undefined;
    });
    return this.loadedClaims;
  }

  /** What each rule finds, by its code. */
  rules(): Promise<ReadonlyMap<string, string>> {
    this.loadedRules ??= this.readJson('findings.json').then(
      (json) =>
        new Map(Object.entries(json as Record<string, { says: string }>).map(([code, { says }]) => [code, says])),
    );
    this.loadedRules.catch(() => {
      this.loadedRules = undefined;
    });
    return this.loadedRules;
  }

  /** The terms that a text mentions, in the order of the text. */
  mentions(text: KernelText): Promise<readonly Mention[]> {
    let mentions = this.mentioned.get(text);
    if (mentions === undefined) {
      mentions = this.terms(text.kind).then((index) => findMentions(text.rst, text.source, index).mentions);
      this.mentioned.set(text, mentions);
      mentions.catch(() => this.mentioned.delete(text));
    }
    return mentions;
  }

  private async readJson(name: string): Promise<unknown> {
    const file = vscode.Uri.joinPath(this.folder, name);
    try {
      return JSON.parse(new TextDecoder().decode(await vscode.workspace.fs.readFile(file)));
    } catch (error) {
      throw new ReaderError(
        `Zonescope cannot read its own file ${name}: ${error instanceof Error ? error.message : error}. ` +
          'Installing the extension again puts it back.',
      );
    }
  }
}

/** The mention at an offset. */
export function mentionAt(mentions: readonly Mention[], offset: number): Mention | undefined {
  let low = 0;
  let high = mentions.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const mention = mentions[middle];
    if (mention === undefined || mention.start > offset) high = middle - 1;
    else if (mention.end <= offset) low = middle + 1;
    else return mention;
  }
  return undefined;
}
