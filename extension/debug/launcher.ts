/** What a launch means in this editor: the example of a document at a line or by its id, or a function of a C file. */
import * as vscode from 'vscode';
import { functionsOf } from '../../sim/index.ts';
import { type DocExample, examplesOf } from '../docs/examples.ts';
import type { Scene } from '../docs/scenes.ts';
import { nameOf } from '../language/examples.ts';
import type { KernelText } from '../language/kernelTexts.ts';
import { exampleRequest, type PlacedScene, sceneAt } from '../language/scenePlaces.ts';
import type { Services } from '../services.ts';
import type { Launch, LaunchArguments } from './launch.ts';
import { RequestError } from './protocol.ts';

const SCHEME = /^[A-Za-z][A-Za-z0-9+.-]+:/;

/** A path as launch.json or the debugger's user interface writes it: of this file system, or a URI. */
export const uriOf = (path: string): vscode.Uri =>
  SCHEME.test(path) ? vscode.Uri.parse(path, true) : vscode.Uri.file(path);

export const isCFile = (document: vscode.TextDocument): boolean =>
  document.languageId === 'c' || /\.[ch]$/i.test(document.uri.path);

export interface Resolved {
  readonly launch: Launch;
  readonly document: vscode.TextDocument;
  /** The kernel document, if it is one. */
  readonly text: KernelText | undefined;
}

export async function resolveLaunch(services: Services, args: LaunchArguments): Promise<Resolved> {
  const { machine } = args;
  if (
    machine !== undefined &&
    !services.reader
      .get()
      .machines()
      .some(({ name }) => name === machine)
  )
    throw new RequestError(
      `There is no machine "${machine}"; there are ${services.reader
        .get()
        .machines()
        .map(({ name }) => name)
        .join(', ')}.`,
    );
  const document = await openDocument(args.program);
  const text = services.texts.of(document);
  if (text !== undefined) return { launch: await inDocument(services, text, document, args), document, text };
  if (isCFile(document)) return { launch: inFile(document, args), document, text: undefined };
  throw new RequestError(
    `${nameOf(document.uri)} is neither a kernel document nor a C file. Open memory-model.rst, hmm.rst, or a file of C.`,
  );
}

async function openDocument(path: string): Promise<vscode.TextDocument> {
  try {
    return await vscode.workspace.openTextDocument(uriOf(path));
  } catch (error) {
    throw new RequestError(`${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

async function inDocument(
  { examples, library }: Services,
  text: KernelText,
  document: vscode.TextDocument,
  args: LaunchArguments,
): Promise<Launch> {
  const { releases, by } = await text.releases;
  const own = args.release !== undefined ? [args.release] : by === 'tour' ? [] : releases;
  const placed = await examples.placed(text);
  const blocks = examplesOf(text.rst, text.source, text.kind, releases, await library.scenes());
  const found = find(placed, blocks, document, args);
  if (found === undefined) throw new RequestError(nothingHere(text, blocks, document, args));
  const scene = { ...found.scene, ...(args.machine === undefined ? {} : { machine: args.machine }) };
  const variant = variantOf(scene, args.variant);
  const uri = text.uri.toString();
  const holes = { ...examples.overrides(uri, scene.id), ...args.holes };
  const request = exampleRequest(text, { ...found, scene }, variant, own, holes);
  return request === undefined ? { kind: 'lines', scene, uri, releases: own } : { kind: 'block', request };
}

/** The scene that is meant: an authored one first, or else the block as it stands. */
function find(
  placed: readonly PlacedScene[],
  blocks: readonly DocExample[],
  document: vscode.TextDocument,
  { scene, line = 1 }: LaunchArguments,
): PlacedScene | undefined {
  if (scene !== undefined) {
    const known = placed.find((one) => one.scene.id === scene);
    return known ?? asPlaced(blocks.find((one) => one.id === scene || one.scene.id === scene));
  }
  const offset = document.offsetAt(new vscode.Position(line - 1, Number.MAX_SAFE_INTEGER));
  const block = blocks.find((one) => one.block.start <= offset && offset <= one.block.end);
  return (block && placed.find((one) => one.scene.id === block.scene.id)) ?? asPlaced(block) ?? sceneAt(placed, offset);
}

const asPlaced = (example: DocExample | undefined): PlacedScene | undefined => {
  if (example === undefined) return undefined;
  const { scene, block } = example;
  const span = { start: block.start, end: block.end };
  return { scene, span, extent: span, block, steps: [] };
};

function nothingHere(
  text: KernelText,
  blocks: readonly DocExample[],
  document: vscode.TextDocument,
  { scene, line }: LaunchArguments,
): string {
  const name = nameOf(text.uri);
  const lines = blocks.slice(0, 8).map(({ block }) => document.positionAt(block.start).line + 1);
  const there = lines.length === 0 ? `${name} has no example.` : `Its examples begin at line ${lines.join(', ')}.`;
  return scene !== undefined
    ? `${name} has no example "${scene}". ${there}`
    : `There is no example at line ${line ?? 1} of ${name}. ${there}`;
}

function variantOf({ title, variants }: Scene, wanted: string | undefined): string {
  const found = wanted === undefined ? variants[0] : variants.find(({ id }) => id === wanted);
  if (found === undefined && wanted !== undefined)
    throw new RequestError(
      `"${title}" has no variant "${wanted}"; it can be ${variants.map(({ id }) => id).join(', ')}.`,
    );
  return found?.id ?? '';
}

/** The function of a C file around a line, counted from 1. */
export function functionAt(document: vscode.TextDocument, line: number, functions = functionsOf(document.getText())) {
  const offset = document.offsetAt(new vscode.Position(line - 1, Number.MAX_SAFE_INTEGER));
  return functions.find(({ span }) => span.start <= offset && offset <= span.end + 1);
}

function inFile(document: vscode.TextDocument, args: LaunchArguments): Launch {
  const text = document.getText();
  const functions = functionsOf(text);
  const name = nameOf(document.uri);
  if (functions.length === 0) throw new RequestError(`${name} defines no function that could run.`);
  const names = functions.map((each) => each.name);
  const hasInit = functions.some(({ role }) => role === 'init');
  const around = args.line === undefined ? undefined : functionAt(document, args.line, functions);
  const entry = args.function ?? around?.name ?? (hasInit || names.length === 1 ? undefined : 'main');
  if (entry !== undefined && !names.includes(entry))
    throw new RequestError(
      args.function === undefined
        ? `Put the cursor into the function of ${name} that is to run, or name it in "function": ${names.slice(0, 20).join(', ')}.`
        : `${name} defines no function ${args.function}(); it has ${names.slice(0, 20).join(', ')}.`,
    );
  return {
    kind: 'file',
    request: {
      uri: document.uri.toString(),
      file: {
        label: entry === undefined ? name : `${entry}() of ${name}`,
        text,
        ...(entry === undefined ? {} : { entry }),
        args: args.args,
        holes: args.holes,
      },
      ...(args.release === undefined ? {} : { release: args.release }),
      ...(args.machine === undefined ? {} : { machine: args.machine }),
    },
  };
}
