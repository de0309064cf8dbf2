/** What the parts of the Test Explorer hand each other. */
import type * as vscode from 'vscode';
import type { KernelTexts } from '../language/kernelTexts.ts';
import type { Platform } from '../platform.ts';
import type { Reporter } from '../report.ts';
import type { Verdicts } from '../session/verdicts.ts';
import type { TestSubject } from './outline.ts';
import type { TestDocument, TestDocuments } from './testDocuments.ts';

export interface TestsParts {
  readonly texts: KernelTexts;
  readonly documents: TestDocuments;
  readonly verdicts: Verdicts;
  readonly platform: Platform;
  readonly report: Reporter;
}

/** A test that runs by itself. */
export interface TestLeaf {
  readonly item: vscode.TestItem;
  readonly subject: TestSubject;
  readonly document: TestDocument;
}
