/** Running, continuing and stopping examples; filling their holes. */
import * as vscode from 'vscode';
import { problemOfFilling } from '../docs/exampleHoles.ts';
import { stepVariant } from '../docs/sceneSteps.ts';
import { nameOf } from '../language/examples.ts';
import { type Hole, valueText } from '../language/holes.ts';
import type { KernelText } from '../language/kernelTexts.ts';
import { mentionAt } from '../language/library.ts';
import { type PlacedScene, sceneAt, stepAround } from '../language/scenePlaces.ts';
import { ReaderError } from '../report.ts';
import type { Handlers, Services } from '../services.ts';

export function exampleActions(services: Services) {
  const { examples, reader } = services;
  return {
    'zonescope.runScene': async (uri: string, scene: string, variant: string) => {
      await examples.run(uri, scene, variant);
    },
    'zonescope.runExampleHere': async () => {
      const { text, placed } = await sceneHere(services);
      const variants = placed.scene.variants;
      const { editor } = activeText(services);
      const step = stepAround(placed, editor.document.offsetAt(editor.selection.active));
      if (step !== undefined) {
        await examples.run(text.uri.toString(), placed.scene.id, stepVariant(step.index));
        return;
      }
      const variant = variants.length === 1 ? variants[0] : await askVariant(placed);
      if (variant !== undefined) await examples.run(text.uri.toString(), placed.scene.id, variant.id);
    },
    'zonescope.continueExample': async () => {
      await reader.get().continueExample();
    },
    'zonescope.stopExample': () => reader.get().stopExample(),
    'zonescope.editArguments': async (uri?: string, scene?: string) => {
      const isNamed = typeof uri === 'string' && typeof scene === 'string';
      const { text, placed } = isNamed ? await examples.find(uri, scene) : await sceneHere(services);
      await editArguments(services, text, placed);
    },
    'zonescope.goToTerm': () => goToTerm(services),
  } satisfies Partial<Handlers>;
}

function activeText({ texts }: Services): { editor: vscode.TextEditor; text: KernelText } {
  const editor = vscode.window.activeTextEditor;
  const text = editor && texts.of(editor.document);
  if (editor === undefined || text === undefined) {
    throw new ReaderError('Put the cursor into memory-model.rst, hmm.rst or the tour first.');
  }
  return { editor, text };
}

async function sceneHere(services: Services): Promise<{ text: KernelText; placed: PlacedScene }> {
  const { editor, text } = activeText(services);
  const all = await services.examples.placed(text);
  const placed = sceneAt(all, editor.document.offsetAt(editor.selection.active));
  if (placed !== undefined) return { text, placed };
  if (all.length === 0) throw new ReaderError(`${nameOf(text.uri)} has no example that can be run.`);
  const chosen = await vscode.window.showQuickPick(
    all.map((one) => ({ label: one.scene.title, detail: one.scene.teaches, one })),
    { title: 'Examples of This Document', placeHolder: 'There is none at the cursor' },
  );
  if (chosen === undefined) throw new vscode.CancellationError();
  return { text, placed: chosen.one };
}

async function askVariant({ scene }: PlacedScene) {
  const items = scene.variants.map((variant) => ({ label: variant.title, variant }));
  return (await vscode.window.showQuickPick(items, { title: scene.title, placeHolder: 'How to run it' }))?.variant;
}

type ArgumentItem = vscode.QuickPickItem & { hole?: Hole; variant?: string };

/** Shows what fills the holes until the reader runs the example or goes away. */
async function editArguments(services: Services, text: KernelText, placed: PlacedScene): Promise<void> {
  const { examples } = services;
  const uri = text.uri.toString();
  const { scene } = placed;
  for (;;) {
    const holes = examples.holes(text, placed);
    if (holes.length === 0) {
      throw new ReaderError(`"${scene.title}" has no arguments that the text leaves open.`);
    }
    const items: ArgumentItem[] = [
      ...holes.map((hole) => ({
        label: `$(edit) ${hole.key}`,
        description: valueText(hole),
        ...(hole.declared === undefined ? {} : { detail: hole.declared }),
        hole,
      })),
      { label: '', kind: vscode.QuickPickItemKind.Separator },
      ...scene.variants.map(({ id, title }) => ({ label: `$(play) ${title}`, variant: id })),
    ];
    const chosen = await vscode.window.showQuickPick(items, {
      title: `Arguments of ${scene.title}`,
      placeHolder: 'What the text leaves open, and what fills it',
    });
    if (chosen?.variant !== undefined) await examples.run(uri, scene.id, chosen.variant);
    if (chosen?.hole === undefined) return;
    const { key, value } = chosen.hole;
    const own = scene.holes?.[key] ?? '';
    const entered = await vscode.window.showInputBox({
      title: key,
      value,
      prompt: `${key === 'statement' ? 'C' : 'A C expression'}. Empty: ${own === '' ? valueText({ ...chosen.hole, value: '' }) : `as the example has it, ${own}`}`,
      validateInput: (input) => problemOfFilling(key, input),
    });
    if (entered === undefined) continue;
    const expression = entered.trim();
    await examples.override(uri, scene.id, key, expression === '' || expression === own ? undefined : expression);
  }
}

type TermItem = vscode.QuickPickItem & { start: number; end: number };

/** Goes to the first place, after the cursor and around again, where the active document mentions a term. */
async function goToTerm(services: Services): Promise<void> {
  const { editor, text } = activeText(services);
  const { document } = editor;
  const release = await services.examples.releaseOf(text);
  const index = await services.library.terms(text.kind);
  const mentions = await services.library.mentions(text);
  const cursor = document.offsetAt(editor.selection.active);
  const items = new Map<string, TermItem & { count: number }>();
  for (const { id, start, end } of mentions) {
    const known = items.get(id);
    if (known !== undefined) {
      known.count++;
      if (known.start <= cursor && start > cursor) Object.assign(known, { start, end });
      continue;
    }
    const term = index.describe(id, release);
    if (term !== undefined) items.set(id, { label: term.title, description: term.kind, start, end, count: 1 });
  }
  const here = mentionAt(mentions, cursor)?.id;
  const sorted = [...items]
    .sort(([a, one], [b, other]) => Number(b === here) - Number(a === here) || one.label.localeCompare(other.label))
    .map(([, item]) => ({ ...item, description: `${item.description} · ${item.count}×` }));
  const chosen = await vscode.window.showQuickPick(sorted, {
    title: `Terms of ${nameOf(text.uri)}`,
    placeHolder: 'Go to where the text mentions it next',
    matchOnDescription: true,
  });
  if (chosen === undefined) return;
  const range = new vscode.Range(document.positionAt(chosen.start), document.positionAt(chosen.end));
  const shown = await vscode.window.showTextDocument(document, {
    selection: new vscode.Range(range.start, range.start),
    ...(editor.viewColumn === undefined ? {} : { viewColumn: editor.viewColumn }),
  });
  shown.revealRange(range, vscode.TextEditorRevealType.InCenterIfOutsideViewport);
  await vscode.commands.executeCommand('editor.action.showHover');
}
