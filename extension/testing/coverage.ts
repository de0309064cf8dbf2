/** Which sentences of a document the claims of a run are about, as coverage of its text. */
import * as vscode from 'vscode';
import type { Release } from '../../sim/index.ts';
import { placeClaims } from '../docs/claims.ts';
import { coverageOf } from '../docs/coverage.ts';
import type { TestDocument } from './testDocuments.ts';
import type { TestLeaf } from './types.ts';

/** With the sentences behind the counts, so that they can be shown when somebody opens the document. */
export class TextCoverage extends vscode.FileCoverage {
  readonly sentences: readonly vscode.StatementCoverage[];

  constructor(uri: vscode.Uri, sentences: readonly vscode.StatementCoverage[]) {
    const covered = sentences.filter(({ executed }) => executed !== 0).length;
    super(uri, new vscode.TestCoverageCount(covered, sentences.length));
    this.sentences = sentences;
  }
}

/** Counts the sentences that state something that can be checked: covered are those that a claim of the run is about. */
export async function addCoverage(
  run: vscode.TestRun,
  leaves: readonly TestLeaf[],
  releaseOf: (document: TestDocument) => Promise<Release>,
): Promise<void> {
  for (const document of new Set(leaves.map((leaf) => leaf.document))) {
    const { text, kind } = document;
    const claims = leaves.flatMap((leaf) =>
      leaf.document === document && leaf.subject.kind === 'claim' ? [leaf.subject.claim] : [],
    );
    const placed = placeClaims(claims, kind, await releaseOf(document), text.rst, text.source);
    const sentences = coverageOf(text.rst, text.source, placed)
      .sentences.filter(({ isCheckable }) => isCheckable)
      .map((sentence) => new vscode.StatementCoverage(sentence.claims.length, document.range(sentence)));
    run.addCoverage(new TextCoverage(text.uri, sentences));
  }
}
