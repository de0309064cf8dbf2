/** Composition root: builds every service by hand. Nothing here reads a file, parses a text or boots a machine. */
import * as vscode from 'vscode';
import { SCHEME, VIEWS } from './commands.ts';
import { registerDebugger } from './debug/adapter.ts';
import { checkDocument } from './docs/check/check.ts';
import { ReadonlyFiles } from './files/readonlyFiles.ts';
import { ClaimHovers } from './language/claimHover.ts';
import { ClaimLenses } from './language/claimLens.ts';
import { ClaimMarks } from './language/claimMarks.ts';
import { Comparison } from './language/comparison.ts';
import { Diagnostics } from './language/diagnostics.ts';
import { ExampleMarks } from './language/exampleMarks.ts';
import { Examples } from './language/examples.ts';
import { Explanations } from './language/explanations.ts';
import { C_FILES, FileLenses } from './language/fileLens.ts';
import { Findings } from './language/findings.ts';
import { Hovers } from './language/hover.ts';
import { KernelTexts } from './language/kernelTexts.ts';
import { Lenses } from './language/lens.ts';
import { LensTargets } from './language/lensTargets.ts';
import { Library } from './language/library.ts';
import { QuickFixes } from './language/quickFixes.ts';
import { DOCUMENT_SELECTOR, TreatedFiles } from './language/selector.ts';
import { TermMarks } from './language/termMarks.ts';
import { UnreadableFiles } from './language/unreadable.ts';
import { Panels } from './panels/panels.ts';
import type { Platform } from './platform.ts';
import { ReaderSession } from './readerSession.ts';
import { ContextKeys, registerCommands } from './register.ts';
import { Reporter } from './report.ts';
import type { Services } from './services.ts';
import { createSession } from './session/session.ts';
import { Verdicts } from './session/verdicts.ts';
import { Shell } from './shell/terminal.ts';
import { Tests } from './testing/controller.ts';
import { TestDocuments } from './testing/testDocuments.ts';
import { Documents } from './views/documentsTree.ts';
import { StateTree } from './views/stateTree.ts';
import { StatusBar } from './views/statusBar.ts';
import { TimelineTree } from './views/timelineTree.ts';

export function start(context: vscode.ExtensionContext, platform: Platform): void {
  const began = platform.now();
  const { extensionUri, workspaceState, globalStorageUri } = context;
  const own = <T extends vscode.Disposable>(thing: T): T => {
    context.subscriptions.push(thing);
    return thing;
  };

  const report = own(new Reporter());
  const reader = own(new ReaderSession(workspaceState, platform, report, createSession));
  const texts = own(new KernelTexts(workspaceState));
  const library = new Library(extensionUri, report);
  const panels = own(new Panels({ extensionUri, reader, report }));
  const examples = own(new Examples(texts, library, reader, workspaceState, () => panels.openBoth()));
  const documents = own(new Documents(globalStorageUri, platform, report));
  const shell = own(new Shell(reader, report, workspaceState, () => library.prose()));
  const verdicts = new Verdicts(platform);
  const findings = own(new Findings({ texts, library, verdicts, report, platform, check: checkDocument }));
  const comparison = own(new Comparison(texts, findings, report));
  const services: Services = {
    extensionUri,
    thisMachine: platform.thisMachine,
    report,
    reader,
    texts,
    library,
    examples,
    findings,
    comparison,
    panels,
    documents,
    shell,
  };

  own(registerCommands(services));
  own(new ContextKeys(services));
  own(vscode.workspace.registerFileSystemProvider(SCHEME, own(new ReadonlyFiles(extensionUri)), { isReadonly: true }));

  const hovers = new Hovers(texts, library, examples, reader, report);
  const targets = own(new LensTargets());
  const lenses = own(new Lenses(texts, examples, reader, targets, report));
  const claimHovers = new ClaimHovers(texts, findings);
  const claimLenses = own(new ClaimLenses(texts, findings, targets));
  const quickFixes = new QuickFixes(texts, findings);
  const register = (selector: vscode.DocumentSelector): vscode.Disposable =>
    vscode.Disposable.from(
      vscode.languages.registerHoverProvider(selector, claimHovers),
      vscode.languages.registerHoverProvider(selector, hovers),
      vscode.languages.registerCodeLensProvider(selector, claimLenses),
      vscode.languages.registerCodeLensProvider(selector, lenses),
      vscode.languages.registerCodeActionsProvider(selector, quickFixes, QuickFixes.metadata),
    );
  own(register(DOCUMENT_SELECTOR));
  own(new TreatedFiles(texts, register));
  own(vscode.languages.registerCodeLensProvider(C_FILES, new FileLenses(targets, report)));
  own(registerDebugger(services));
  own(new Diagnostics(texts, findings));
  own(new Explanations(library, verdicts));
  own(new ClaimMarks(texts, findings, report, extensionUri));
  own(new TermMarks(texts, library, report));
  own(new ExampleMarks(texts, examples, reader, report, extensionUri));

  const testDocuments = new TestDocuments(texts, documents, library, findings);
  own(new Tests({ texts, documents: testDocuments, verdicts, platform, report }));

  const state = own(new StateTree(reader, report));
  own(vscode.window.createTreeView(VIEWS.state, { treeDataProvider: state, showCollapseAll: true }));
  own(vscode.window.createTreeView(VIEWS.documents, { treeDataProvider: documents }));
  own(vscode.window.createTreeView(VIEWS.timeline, { treeDataProvider: own(new TimelineTree(reader)) }));
  own(new StatusBar(reader, texts, own(new UnreadableFiles(texts))));

  if (reader.isSaved) own(resumeLater(reader, texts, report));
  report.log.info(`activated in ${Math.round(platform.now() - began)} ms`);
}

/** How long after its start a window shows the session it had before, if nothing needs it earlier. */
const RESUME_MS = 300;

/** A reader who comes back to a document finds the timeline there; one who does not pays nothing. */
function resumeLater(reader: ReaderSession, texts: KernelTexts, report: Reporter): vscode.Disposable {
  const timer = setTimeout(() => {
    if (texts.open().length > 0) report.quietly('bring back the session', () => reader.get());
  }, RESUME_MS);
  return new vscode.Disposable(() => clearTimeout(timer));
}
