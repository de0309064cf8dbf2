import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import { test } from './registry.ts';

const driver = `#include <linux/hmm.h>
int probe(void) { return 0; }
`;

test('what a lens runs needs no arguments, which the editor forgets when newer lenses come', async () => {
  const document = await vscode.workspace.openTextDocument({
    language: 'c',
    content: `${driver}/* hmm_range_fault */`,
  });
  const lenses = async (): Promise<vscode.Command[]> => {
    const found = await vscode.commands.executeCommand<vscode.CodeLens[]>(
      'vscode.executeCodeLensProvider',
      document.uri,
      99,
    );
    return found.flatMap(({ command }) => command ?? []).filter(({ title }) => /Run in simulator|Debug/.test(title));
  };
  const deadline = Date.now() + 20_000;
  let first = await lenses();
  while (first.length < 2 && Date.now() < deadline) first = await lenses();
  assert.equal(first.length, 2);
  for (const command of first) assert.deepEqual(command.arguments ?? [], []);
  // The same lens asked for again is the same command, and an earlier one is still there.
  assert.deepEqual(
    (await lenses()).map(({ command }) => command),
    first.map(({ command }) => command),
  );
  const registered = new Set(await vscode.commands.getCommands(false));
  for (const { command } of first) assert.ok(registered.has(command), command);
});
