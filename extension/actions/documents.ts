/** Opening documents, views and panels. */
import * as vscode from 'vscode';
import { VIEWS } from '../commands.ts';
import { recogniseByNames } from '../docs/release.ts';
import { TOUR_URI, uriToOpen } from '../files/readonlyFiles.ts';
import { nameOf } from '../language/examples.ts';
import { MAX_LENGTH, type TextKind, unreadableByContent, unreadableBySize } from '../language/kernelTexts.ts';
import { ReaderError } from '../report.ts';
import type { Handlers, Services } from '../services.ts';
import { releasesText } from '../views/documentsTree.ts';

export function documentActions(services: Services) {
  const { panels, documents, shell, report } = services;
  return {
    'zonescope.openDocuments': () => openDocuments(services),
    'zonescope.openDocument': async (uri: string) => {
      await openText(vscode.Uri.parse(uri, true));
    },
    'zonescope.openTour': () => openText(TOUR_URI),
    'zonescope.openZones': () => panels.openZones(),
    'zonescope.openPagemap': () => panels.openPagemap(),
    'zonescope.showState': () => vscode.commands.executeCommand(`${VIEWS.state}.focus`),
    'zonescope.openShell': () => shell.open(),
    'zonescope.refreshDocuments': () => documents.refresh(),
    'zonescope.showLog': () => report.log.show(),
    'zonescope.treatAsKernelDocument': () => treat(services),
    'zonescope.showMenu': () => showMenu(services),
  } satisfies Partial<Handlers>;
}

async function openText(uri: vscode.Uri): Promise<void> {
  await vscode.window.showTextDocument(uri, { preview: false });
}

type DocumentItem = vscode.QuickPickItem & { address: vscode.Uri };

async function openDocuments({ documents }: Services): Promise<void> {
  const { found } = await documents.locate();
  const items: DocumentItem[] = found.map(({ path, recognition }) => {
    const original = vscode.Uri.parse(path, true);
    const uri = uriToOpen(original);
    const detail = original.scheme === 'file' ? original.fsPath : original.path;
    return { label: `$(book) ${nameOf(uri)}`, description: releasesText(recognition.releases), detail, address: uri };
  });
  items.push({
    label: '$(compass) Guided tour',
    description: 'the ideas of both, with examples to run',
    address: TOUR_URI,
  });
  const chosen = await vscode.window.showQuickPick(items, {
    title: 'Open Documents',
    placeHolder:
      found.length > 0
        ? 'The kernel’s documents on this machine'
        : 'The kernel’s documents were not found; the view Documents says how to get them',
    matchOnDescription: true,
    matchOnDetail: true,
  });
  if (chosen !== undefined) await openText(chosen.address);
}

async function treat({ texts }: Services): Promise<void> {
  const document = vscode.window.activeTextEditor?.document;
  if (document === undefined) throw new ReaderError('Open the file first that is to be treated as a kernel document.');
  const name = nameOf(document.uri);
  if (texts.of(document) !== undefined) {
    void vscode.window.showInformationMessage(`${name} is treated as a kernel document already.`);
    return;
  }
  const unreadable =
    texts.unreadable(document) ??
    unreadableBySize(document.uri, document.offsetAt(document.lineAt(document.lineCount - 1).range.end)) ??
    unreadableByContent(document.uri, document.getText().slice(0, MAX_LENGTH));
  if (unreadable !== undefined) throw new ReaderError(`${name} ${unreadable.what}. ${unreadable.advice}`);
  const kind = recogniseByNames(document.uri.path, document.getText()).document ?? (await askKind(name));
  if (kind !== undefined) await texts.treat(document.uri, kind);
}

async function askKind(name: string): Promise<TextKind | undefined> {
  const items: (vscode.QuickPickItem & { like: TextKind })[] = [
    { label: 'memory-model.rst', detail: 'Physical memory: FLATMEM, SPARSEMEM, ZONE_DEVICE', like: 'memory-model' },
    { label: 'hmm.rst', detail: 'Heterogeneous memory: mirroring, migration, device memory', like: 'hmm' },
  ];
  const options = { title: `Treat ${name} as a Kernel Document`, placeHolder: 'Which of the two it is like' };
  return (await vscode.window.showQuickPick(items, options))?.like;
}

type MenuItem = vscode.QuickPickItem & { command?: keyof Handlers };

/** What can be done now, from the status bar. */
async function showMenu({ reader }: Services): Promise<void> {
  const session = reader.existing;
  const { step = 0, steps = 0, paused } = session?.position ?? {};
  const before = session?.setAside;
  const rule = (label: string): MenuItem => ({ label, kind: vscode.QuickPickItemKind.Separator });
  const items: (MenuItem | false)[] = [
    paused?.canContinue === true && { label: '$(debug-continue) Continue', command: 'zonescope.continueExample' },
    paused !== undefined && { label: '$(debug-stop) Stop', command: 'zonescope.stopExample' },
    rule('Machine'),
    { label: '$(server) Choose machine…', description: session?.machineName ?? '', command: 'zonescope.chooseMachine' },
    { label: '$(tag) Choose release…', description: session?.release ?? '', command: 'zonescope.chooseRelease' },
    before !== undefined && {
      label: `$(discard) Go back to ${before.machine}, ${before.release}`,
      command: 'zonescope.goBack',
    },
    rule('Timeline'),
    step > 0 && { label: '$(arrow-left) Step back', command: 'zonescope.stepBack' },
    step < steps && { label: '$(arrow-right) Step forward', command: 'zonescope.stepForward' },
    steps > 0 && { label: '$(history) Go to step…', description: `${step} of ${steps}`, command: 'zonescope.goToStep' },
    { label: '$(debug-restart) Reset machine', command: 'zonescope.resetMachine' },
    rule('Show'),
    { label: '$(layers) Zones', command: 'zonescope.openZones' },
    { label: '$(table) Pagemap', command: 'zonescope.openPagemap' },
    { label: '$(list-tree) State', command: 'zonescope.showState' },
    { label: '$(terminal) Shell', command: 'zonescope.openShell' },
    { label: '$(book) Documents…', command: 'zonescope.openDocuments' },
  ];
  const shown = items.filter((item) => item !== false);
  const chosen = await vscode.window.showQuickPick(shown, { title: 'Zonescope' });
  if (chosen?.command !== undefined) await vscode.commands.executeCommand(chosen.command);
}
