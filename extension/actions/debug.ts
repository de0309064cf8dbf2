/** Commands that start the debugger, or run C files. */
import * as vscode from 'vscode';
import { DEBUG_TYPE } from '../debug/launch.ts';
import { isCFile } from '../debug/launcher.ts';
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

export function debugActions({ examples }: Services) {
  const runFunction = async (uri: unknown, name: unknown, noDebug: boolean): Promise<void> => {
    const editor = vscode.window.activeTextEditor;
    const isNamed = typeof uri === 'string';
    if (!isNamed && (editor === undefined || !isCFile(editor.document)))
      throw new ReaderError('Put the cursor into a function of a C file first.');
    const program = isNamed ? uri : (editor?.document.uri.toString() ?? '');
    const where =
      typeof name === 'string'
        ? { function: name }
        : isNamed || editor === undefined
          ? {}
          : { line: editor.selection.active.line + 1 };
    await launch(typeof name === 'string' ? `${name}()` : 'C file', { program, ...where }, { noDebug });
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
