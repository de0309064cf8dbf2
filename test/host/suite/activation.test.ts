import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import { test } from './registry.ts';

const ID = 'zonescope.zonescope';

function extension(): vscode.Extension<unknown> {
  const found = vscode.extensions.getExtension(ID);
  assert.ok(found, `${ID} is not installed`);
  return found;
}

async function documentNamed(name: string): Promise<vscode.Uri | undefined> {
  return (await vscode.workspace.findFiles(`**/${name}`, undefined, 1))[0];
}

test('opening memory-model.rst activates the extension', async () => {
  const uri = await documentNamed('memory-model.rst');
  if (uri) await vscode.window.showTextDocument(uri);
  else await vscode.window.showTextDocument(await vscode.workspace.openTextDocument({ language: 'restructuredtext' }));
  const deadline = Date.now() + 20_000;
  while (!extension().isActive && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 50));
  assert.ok(extension().isActive, 'not active 20 s after the document was opened');
});

test('every command of the manifest is registered', async () => {
  await extension().activate();
  const declared = (extension().packageJSON.contributes?.commands ?? []) as { command: string }[];
  const registered = new Set(await vscode.commands.getCommands(true));
  assert.deepEqual(
    declared.map(({ command }) => command).filter((command) => !registered.has(command)),
    [],
  );
});
