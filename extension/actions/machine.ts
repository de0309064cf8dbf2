/** Choosing the machine and the release. */
import * as vscode from 'vscode';
import type { Release } from '../../sim/index.ts';
import { nameOf } from '../language/examples.ts';
import type { ReaderSession } from '../readerSession.ts';
import { ReaderError } from '../report.ts';
import type { Handlers, Services } from '../services.ts';
import { importMachine } from './importMachine.ts';

/** A machine file has some kilobytes. */
const MAX_BYTES = 1 << 20;

export function machineActions(services: Services) {
  const { reader } = services;
  return {
    'zonescope.chooseMachine': () => chooseMachine(services),
    'zonescope.importMachine': () => importMachine(services),
    'zonescope.chooseRelease': async () => {
      const release = await askRelease(services);
      if (release !== undefined) reader.get().chooseRelease(release);
    },
    'zonescope.goBack': () => reader.get().goBack(),
  } satisfies Partial<Handlers>;
}

type MachineItem = vscode.QuickPickItem & { preset?: string; isFile?: true };

async function chooseMachine(services: Services): Promise<void> {
  const session = services.reader.get();
  const items: MachineItem[] = session.machines().map(({ name, description }) => ({
    label: name,
    detail: description,
    preset: name,
    ...(name === session.machineName ? { description: 'in use' } : {}),
  }));
  const file: MachineItem = { label: 'Machine file…', detail: 'A JSON file that describes a machine', isFile: true };
  const chosen = await vscode.window.showQuickPick([...items, file], {
    title: 'Choose Machine',
    placeHolder: 'The machine boots anew; what was run on the present one is left behind',
    matchOnDetail: true,
  });
  if (chosen?.isFile) await chooseMachineFile(services);
  else if (chosen?.preset !== undefined)
    report(session.chooseMachine({ preset: chosen.preset }).problems, chosen.label);
}

async function chooseMachineFile({ reader, report: reporter }: Services): Promise<void> {
  const [uri] =
    (await vscode.window.showOpenDialog({
      title: 'Choose a Machine File',
      openLabel: 'Boot',
      canSelectMany: false,
      filters: { 'Machine files': ['json'], 'All files': ['*'] },
    })) ?? [];
  if (uri === undefined) return;
  const problems = await bootFile(uri, reader);
  if (problems.length === 0) return;
  for (const problem of problems) reporter.log.error(`${nameOf(uri)}: ${problem}`);
  await showProblems(uri, problems, reader);
}

/** What keeps the file from being booted. */
async function bootFile(uri: vscode.Uri, reader: ReaderSession): Promise<readonly string[]> {
  const { size } = await vscode.workspace.fs.stat(uri);
  if (size > MAX_BYTES) {
    const megabytes = (size / (1 << 20)).toFixed(1);
    return [`it has ${megabytes} MB, and a machine file at most ${MAX_BYTES >> 20} MB; choose another`];
  }
  const json = new TextDecoder().decode(await vscode.workspace.fs.readFile(uri));
  return reader.get().chooseMachine({ json, name: nameOf(uri) }).problems;
}

/** All of them, in a dialogue: a list of what to mend in the file. */
async function showProblems(uri: vscode.Uri, problems: readonly string[], reader: ReaderSession): Promise<void> {
  const count = problems.length === 1 ? 'a problem' : `${problems.length} problems`;
  const shown = problems.slice(0, 8).map((problem) => `• ${problem}`);
  if (problems.length > shown.length) shown.push(`… and ${problems.length - shown.length} more, in the log.`);
  const open = 'Open the File';
  const choice = await vscode.window.showErrorMessage(
    `${nameOf(uri)} has ${count}; the machine is still ${reader.get().machineName}.`,
    { modal: true, detail: shown.join('\n') },
    open,
  );
  if (choice === open) await vscode.window.showTextDocument(uri);
}

function report(problems: readonly string[], name: string): void {
  if (problems.length > 0) throw new ReaderError(`The machine ${name} cannot be booted: ${problems.join('; ')}`);
}

async function askRelease({ reader, texts }: Services): Promise<Release | undefined> {
  const session = reader.get();
  const active = vscode.window.activeTextEditor;
  const text = active && texts.of(active.document);
  const own = text === undefined || text.kind === 'tour' ? [] : (await text.releases).releases;
  const name = text === undefined ? '' : nameOf(text.uri);
  const items = [...session.releases()].reverse().map((release) => ({
    release,
    label: `Linux ${release}`,
    description: [release === session.release ? 'in use' : '', own.includes(release) ? `${name} is of it` : '']
      .filter(Boolean)
      .join(' · '),
  }));
  const chosen = await vscode.window.showQuickPick(items, {
    title: 'Choose Release',
    placeHolder: 'The machine boots anew with the kernel of this release',
    matchOnDescription: true,
  });
  return chosen?.release;
}
