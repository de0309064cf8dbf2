/** What commands and views are built from. `activate.ts` makes one of each. */
import type * as vscode from 'vscode';
import type { CommandArguments, CommandId } from './commands.ts';
import type { Comparison } from './language/comparison.ts';
import type { Examples } from './language/examples.ts';
import type { Findings } from './language/findings.ts';
import type { KernelTexts } from './language/kernelTexts.ts';
import type { Library } from './language/library.ts';
import type { Panels } from './panels/panels.ts';
import type { ReaderSession } from './readerSession.ts';
import type { Reporter } from './report.ts';
import type { Shell } from './shell/terminal.ts';
import type { Documents } from './views/documentsTree.ts';

export interface Services {
  readonly extensionUri: vscode.Uri;
  /** See Platform. */
  readonly thisMachine: string | undefined;
  readonly report: Reporter;
  readonly reader: ReaderSession;
  readonly texts: KernelTexts;
  readonly library: Library;
  readonly examples: Examples;
  readonly findings: Findings;
  readonly comparison: Comparison;
  readonly panels: Panels;
  readonly documents: Documents;
  readonly shell: Shell;
}

export type Handlers = { readonly [C in CommandId]: (...args: CommandArguments[C]) => unknown };
