/** A machine from the files of a real one: of this machine, or of a folder of copies. */
import * as vscode from 'vscode';
import { noteText } from '../../sim/index.ts';
import { nameOf } from '../language/examples.ts';
import { ReaderError } from '../report.ts';
import type { Services } from '../services.ts';
import { type FolderFiles, importFolder } from '../session/machineFolder.ts';

const files: FolderFiles = {
  async list(path) {
    try {
      return (await vscode.workspace.fs.readDirectory(vscode.Uri.parse(path, true))).map(([name]) => name);
    } catch {
      return [];
    }
  },
  async readText(path, limit) {
    const uri = vscode.Uri.parse(path, true);
    try {
      // Files of /proc are as large as they are read; others say so before.
      const { size } = await vscode.workspace.fs.stat(uri);
      if (size > limit) throw new ReaderError(`${nameOf(uri)} has ${size} bytes, and at most ${limit} are read.`);
      return new TextDecoder().decode(await vscode.workspace.fs.readFile(uri));
    } catch (error) {
      if (error instanceof ReaderError) throw error;
      return undefined;
    }
  },
};

type Item = vscode.QuickPickItem & { folder?: string };

/** The folder as a URI; undefined if the reader thought better of it. */
async function askFolder({ thisMachine }: Services): Promise<{ folder: string; name: string } | undefined> {
  if (thisMachine !== undefined) {
    const chosen = await vscode.window.showQuickPick<Item>(
      [
        {
          label: 'This machine',
          detail: 'The running kernel, from /proc and /sys; what only root may read is estimated',
          folder: thisMachine,
        },
        { label: 'Folder…', detail: 'Copies of proc and sys files, or an unpacked sosreport' },
      ],
      { title: 'Import Machine', matchOnDetail: true },
    );
    if (chosen === undefined) return undefined;
    if (chosen.folder !== undefined) return { folder: chosen.folder, name: 'this machine' };
  }
  const [uri] =
    (await vscode.window.showOpenDialog({
      title: 'Choose a Folder with proc and sys in It',
      openLabel: 'Import',
      canSelectFolders: true,
      canSelectFiles: false,
      canSelectMany: false,
    })) ?? [];
  return uri && { folder: uri.toString(), name: nameOf(uri) };
}

export async function importMachine(services: Services): Promise<void> {
  const asked = await askFolder(services);
  if (asked === undefined) return;
  const result = await vscode.window.withProgress(
    { location: vscode.ProgressLocation.Notification, title: `Importing ${asked.name}` },
    () => importFolder(files, asked.folder, asked.name),
  );
  if ('problems' in result) throw new ReaderError(`${asked.name} cannot be imported: ${result.problems.join('; ')}`);
  const session = services.reader.get();
  if (result.release !== undefined) session.chooseRelease(result.release);
  const { problems } = session.chooseMachine({ json: result.json, name: asked.name });
  if (problems.length > 0) throw new ReaderError(`${asked.name} cannot be booted: ${problems.join('; ')}`);
  const notes = result.notes.map(noteText);
  for (const line of result.setup) {
    const { status, output } = await session.runLine(line);
    if (status !== 0) notes.push(`could not be done again: ${line}: ${output}`);
  }
  if (notes.length === 0) return;
  const show = 'Show What Differs';
  const count = notes.length === 1 ? 'one thing is' : `${notes.length} things are`;
  const choice = await vscode.window.showInformationMessage(
    `${session.machineName} runs; ${count} estimated or not as it was.`,
    show,
  );
  if (choice !== show) return;
  const content = `${asked.name}: what is estimated, and what differs\n\n${notes.map((note) => `- ${note}`).join('\n')}\n`;
  await vscode.window.showTextDocument(await vscode.workspace.openTextDocument({ content }));
}
