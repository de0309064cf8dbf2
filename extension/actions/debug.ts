/** Commands that start the debugger, or run C files. */
import * as vscode from 'vscode';
import { functionsOf } from '../../sim/index.ts';
import { DEBUG_TYPE } from '../debug/launch.ts';
import { functionAt, isCFile, uriOf } from '../debug/launcher.ts';
import { problemOfFilling } from '../docs/exampleHoles.ts';
import { ReaderError } from '../report.ts';
import type { Handlers, Services } from '../services.ts';

let isStarting = false;

/**
 * Starts it; what goes wrong is told by the session itself. A second click on a lens, which is still there while the
 * debugger starts, is not meant to end what the first began.
 */
async function launch(name: string, more: object, options: vscode.DebugSessionOptions = {}): Promise<void> {
  if (isStarting) return;
  isStarting = true;
  try {
    await vscode.debug.startDebugging(undefined, { type: DEBUG_TYPE, request: 'launch', name, ...more }, options);
  } finally {
    isStarting = false;
  }
}

/** What a reader gave the numbers of a function last, by `uri function parameter`. */
const given = new Map<string, string>();

/** Numbers are asked for. For anything else the machine has something that fits. */
async function askNumbers(document: vscode.TextDocument, name: string): Promise<Record<string, string>> {
  const found = functionsOf(document.getText()).find((each) => each.name === name);
  const numbers = found?.parameters.filter((each) => each.isNumber && each.name !== '') ?? [];
  const args: Record<string, string> = {};
  for (const [index, { name: parameter, type }] of numbers.entries()) {
    const key = `${document.uri} ${name} ${parameter}`;
    const entered = await vscode.window.showInputBox({
      title: `${name}()${numbers.length > 1 ? `, ${index + 1} of ${numbers.length}` : ''}`,
      value: given.get(key) ?? '0',
      prompt: `${type} ${parameter}: a C expression`,
      validateInput: (input) => problemOfFilling(parameter, input),
    });
    if (entered === undefined) throw new vscode.CancellationError();
    args[parameter] = entered.trim() || '0';
    given.set(key, args[parameter]);
  }
  return args;
}

export function debugActions({ examples }: Services) {
  const runFunction = async (uri: unknown, name: unknown, noDebug: boolean): Promise<void> => {
    const editor = vscode.window.activeTextEditor;
    const isNamed = typeof uri === 'string';
    if (!isNamed && (editor === undefined || !isCFile(editor.document)))
      throw new ReaderError('Put the cursor into a function of a C file first.');
    const program = isNamed ? uri : (editor?.document.uri.toString() ?? '');
    const line = isNamed || editor === undefined ? undefined : editor.selection.active.line + 1;
    const document = await vscode.workspace.openTextDocument(uriOf(program));
    const entry = typeof name === 'string' ? name : line && functionAt(document, line)?.name;
    const args = entry && (await askNumbers(document, entry));
    const where = entry ? { function: entry, args } : line === undefined ? {} : { line };
    await launch(entry ? `${entry}()` : 'C file', { program, ...where }, { noDebug });
  };
  return {
    'zonescope.debugExampleHere': async () => {
      const editor = vscode.window.activeTextEditor;
      if (editor === undefined) throw new ReaderError('Put the cursor into an example or a C function first.');
      const program = editor.document.uri.toString();
      await launch('Example', { program, line: editor.selection.active.line + 1 });
    },
    'zonescope.debugScene': async (uri: string, scene: string, variant?: string) => {
      const { placed } = await examples.find(uri, scene);
      const { title, variants } = placed.scene;
      const items = variants.map((each) => ({ label: each.title, id: each.id }));
      const chosen =
        variant ??
        (items.length < 2
          ? items[0]?.id
          : (await vscode.window.showQuickPick(items, { title, placeHolder: 'How to run it' }))?.id);
      if (chosen !== undefined) await launch(title, { program: uri, scene, variant: chosen });
    },
    'zonescope.runFile': (uri?: string, name?: string) => runFunction(uri, name, true),
    'zonescope.debugFile': (uri?: string, name?: string) => runFunction(uri, name, false),
  } satisfies Partial<Handlers>;
}
