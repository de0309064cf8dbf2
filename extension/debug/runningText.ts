/** The text that a launch runs: its statements, and where its document shows them. */
import { functionsOf } from '../../sim/index.ts';
import { exampleText } from '../session/example.ts';
import { variantOfScene } from '../session/running.ts';
import type { Places } from './frames.ts';
import type { Launch } from './launch.ts';
import { type Place, statementsOf } from './statements.ts';

export interface RunningText {
  readonly uri: string;
  /** Where one can stop; statements that a scene puts in are no lines of the document. */
  readonly statements: readonly Place[];
  /** Functions that the text defines. */
  readonly functions: ReadonlySet<string>;
  /** Line from 1 in the document as it is now. */
  lineOf(offset: number): number;
}

export function runningText(launch: Launch, places: Places): RunningText | undefined {
  if (launch.kind === 'lines') return undefined;
  const { uri } = launch.request;
  const lineAt = (offset: number): number => places.positionOf(uri, offset).line;
  if (launch.kind === 'file') {
    const { text } = launch.request.file;
    return { uri, statements: statementsOf(text, 'file'), functions: namesIn(text), lineOf: lineAt };
  }
  const { request } = launch;
  const { text, toBlock, isInserted } = exampleText(request.text, variantOfScene(request));
  return {
    uri,
    statements: statementsOf(text, 'block').filter(({ start }) => !isInserted(start)),
    functions: namesIn(text),
    lineOf: (offset) => lineAt(request.toDocument(toBlock(offset))),
  };
}

const namesIn = (text: string): ReadonlySet<string> => new Set(functionsOf(text).map(({ name }) => name));
