/** Checking documents, going from one failed claim to the next, and showing a claim on the reader's machine. */
import * as vscode from 'vscode';
import type { Release } from '../../sim/index.ts';
import { compareReleases, RELEASES } from '../../sim/index.ts';
import { canBeShown, claimScene, linesToShow } from '../docs/claimScene.ts';
import { count } from '../language/diagnostics.ts';
import { nameOf } from '../language/examples.ts';
import { explanationUri } from '../language/explanations.ts';
import { claimFindingIn, claimsAt, failedClaimFrom, type JudgedClaim, tallyOf } from '../language/findingTypes.ts';
import type { KernelText } from '../language/kernelTexts.ts';
import { ReaderError } from '../report.ts';
import type { Handlers, Services } from '../services.ts';
import { DEFAULT_MACHINE } from '../session/claims.ts';
import { releasesText } from '../views/documentsTree.ts';

export function findingActions(services: Services) {
  const { comparison } = services;
  return {
    'zonescope.checkDocument': () => checkDocument(services),
    'zonescope.checkAgainst': (release?: string) => checkAgainst(services, release),
    'zonescope.clearComparison': () => comparison.clear(),
    'zonescope.nextFailedClaim': () => goToFailed(services, 'next'),
    'zonescope.previousFailedClaim': () => goToFailed(services, 'previous'),
    'zonescope.runClaim': (uri?: string, claim?: string) => runClaim(services, uri, claim),
    'zonescope.explainFinding': async (code: string, release?: string) => {
      if (typeof code !== 'string' || !/^[\w/-]+$/.test(code)) return;
      const known = RELEASES.find((one) => one === release);
      await vscode.commands.executeCommand('markdown.showPreviewToSide', explanationUri(code, known));
    },
    'zonescope.turnOffFinding': (code: string) => turnOff(services, code),
  } satisfies Partial<Handlers>;
}

function activeText({ texts }: Services): { editor: vscode.TextEditor; text: KernelText } {
  const editor = vscode.window.activeTextEditor;
  const text = editor && texts.of(editor.document);
  if (editor === undefined || text === undefined)
    throw new ReaderError('Put the cursor into memory-model.rst or hmm.rst first.');
  if (text.kind === 'tour') throw new ReaderError('The tour states nothing of its own. Open one of the documents.');
  return { editor, text };
}

async function checkDocument(services: Services): Promise<void> {
  const { text } = activeText(services);
  const name = nameOf(text.uri);
  const known = await vscode.window.withProgress(
    { location: vscode.ProgressLocation.Window, title: `Checking ${name}` },
    () => services.findings.checked(text.uri.toString()),
  );
  if (known === undefined) return;
  const found = services.findings.shown(text);
  const { holding, failing, unjudged } = tallyOf(known.claims);
  const claims = holding + failing + unjudged;
  const parts = [
    found.length === 0 ? `Nothing was found in ${name}.` : `${name} has ${count(found.length, 'finding')}.`,
    ...(claims === 0 ? [] : [`${holding} of its ${count(claims, 'claim')} hold in Linux ${known.release}.`]),
  ];
  if (found.length > 0) await vscode.commands.executeCommand('workbench.actions.view.problems');
  void vscode.window.showInformationMessage(parts.join(' '));
}

type ReleaseItem = vscode.QuickPickItem & { release?: Release };

async function checkAgainst(services: Services, given?: string): Promise<void> {
  const { comparison } = services;
  const { text } = activeText(services);
  const release = RELEASES.find((one) => one === given) ?? (await askRelease(services, text));
  if (release === undefined) return;
  const name = nameOf(text.uri);
  const found = await vscode.window.withProgress(
    {
      location: vscode.ProgressLocation.Notification,
      title: `Checking ${name} against Linux ${release}`,
      cancellable: true,
    },
    (progress, token) =>
      comparison.compare(text, release, token, (done, of) =>
        progress.report({ message: `claim ${done + 1} of ${of}`, increment: 100 / of }),
      ),
  );
  if (found === undefined) return;
  if (found === 0) {
    void vscode.window.showInformationMessage(`All that ${name} says of its own release is as true of ${release}.`);
    return;
  }
  await vscode.commands.executeCommand('workbench.actions.view.problems');
  const clear = 'Clear';
  void vscode.window
    .showInformationMessage(`${name} has ${count(found, 'difference')} from Linux ${release}.`, clear)
    .then((choice) => {
      if (choice === clear) comparison.clear(text.uri);
    });
}

async function askRelease({ comparison, findings }: Services, text: KernelText): Promise<Release | undefined> {
  const { releases } = await text.releases;
  const own = await findings.releaseOf(text);
  const inForce = comparison.releaseFor(text.uri);
  const items: ReleaseItem[] = RELEASES.toReversed().map((release) => {
    const facts = [
      releases.includes(release) ? 'has this text' : '',
      release === inForce ? 'compared with now' : '',
    ].filter(Boolean);
    const order = compareReleases(release, own);
    const icon = order === 0 ? '$(circle-filled)' : order > 0 ? '$(arrow-up)' : '$(arrow-down)';
    return { label: `${icon} ${release}`, description: facts.join(' · '), release };
  });
  const chosen = await vscode.window.showQuickPick(items, {
    title: 'Check against Release',
    placeHolder: `${nameOf(text.uri)} belongs to ${releasesText(releases)}. With which release shall it be compared?`,
    matchOnDescription: true,
  });
  return chosen?.release;
}

async function goToFailed(services: Services, direction: 'next' | 'previous'): Promise<void> {
  const { editor, text } = activeText(services);
  const known = await services.findings.checked(text.uri.toString());
  if (known === undefined || services.texts.of(editor.document) !== text) return;
  const { document } = editor;
  const found = failedClaimFrom(known.claims, document.offsetAt(editor.selection.active), direction);
  if (found === undefined) {
    void vscode.window.showInformationMessage(`No claim of ${nameOf(text.uri)} fails in Linux ${known.release}.`);
    return;
  }
  const { start, end } = claimFindingIn(text.source, found) ?? found.place.span;
  const range = new vscode.Range(document.positionAt(start), document.positionAt(end));
  editor.selection = new vscode.Selection(range.start, range.start);
  editor.revealRange(range, vscode.TextEditorRevealType.InCenterIfOutsideViewport);
  await vscode.commands.executeCommand('editor.action.showHover');
}

/** The lines that change something become steps of the reader's timeline; those that look are typed into the shell. */
async function runClaim(services: Services, uri?: string, id?: string): Promise<void> {
  const { text, found } = await claimFor(services, uri, id);
  const { claim } = found;
  const release = found.verdict?.release ?? (await services.findings.releaseOf(text));
  if (!canBeShown(claim))
    throw new ReaderError('This claim is about a kernel that is configured otherwise than any of your machines.');
  const scene = claimScene(claim, release, DEFAULT_MACHINE);
  await services.examples.runLines(text, scene, release);
  services.shell.run(linesToShow(claim, release));
}

async function claimFor(
  services: Services,
  uri: string | undefined,
  id: string | undefined,
): Promise<{ text: KernelText; found: JudgedClaim }> {
  const isNamed = typeof uri === 'string' && typeof id === 'string';
  const open = isNamed ? services.texts.byUri(uri) : undefined;
  const active = open === undefined ? activeText(services) : undefined;
  const text = open?.text ?? active?.text;
  if (text === undefined) throw new ReaderError('The document of this claim is no longer open.');
  const claims = (await services.findings.checked(text.uri.toString()))?.claims ?? [];
  if (isNamed) {
    const found = claims.find(({ claim }) => claim.id === id);
    if (found === undefined) throw new ReaderError(`${nameOf(text.uri)} no longer says what the claim ${id} is about.`);
    return { text, found };
  }
  const offset = active === undefined ? 0 : active.editor.document.offsetAt(active.editor.selection.active);
  const here = claimsAt(claims, offset);
  const found = here.length === 1 ? here[0] : await askClaim(text, here.length > 0 ? here : claims);
  if (found === undefined) throw new vscode.CancellationError();
  return { text, found };
}

async function askClaim(text: KernelText, claims: readonly JudgedClaim[]): Promise<JudgedClaim | undefined> {
  if (claims.length === 0) throw new ReaderError(`${nameOf(text.uri)} has no claim that can be run.`);
  const iconOf = ({ verdict }: JudgedClaim): string =>
    verdict === undefined || verdict.problem !== undefined ? 'circle-outline' : verdict.holds ? 'pass' : 'error';
  const items = claims.map((one) => ({ label: `$(${iconOf(one)}) ${one.claim.says}`, detail: one.claim.id, one }));
  const chosen = await vscode.window.showQuickPick(items, {
    title: `Claims of ${nameOf(text.uri)}`,
    placeHolder: 'Which of them to run on your machine',
    matchOnDetail: true,
  });
  return chosen?.one;
}

/** In the folder's settings if they have such a list already, else in the reader's own. */
async function turnOff({ report }: Services, code: string): Promise<void> {
  if (typeof code !== 'string') return;
  const settings = vscode.workspace.getConfiguration('zonescope');
  const { workspaceValue, globalValue } = settings.inspect<string[]>('disabledFindings') ?? {};
  const before = workspaceValue ?? globalValue ?? [];
  const target =
    workspaceValue === undefined ? vscode.ConfigurationTarget.Global : vscode.ConfigurationTarget.Workspace;
  const write = (codes: readonly string[]): Thenable<void> => settings.update('disabledFindings', codes, target);
  await write([...before.filter((one) => one !== code), code]);
  const undo = 'Undo';
  const choice = await vscode.window.showInformationMessage(`${code} is no longer shown.`, undo);
  if (choice === undo) await report.run('turn a rule on again', () => write(before));
}
