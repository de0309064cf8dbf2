/** The lenses over the steps of a scene: each runs to its own step, and the one where it stands goes on. */
import * as vscode from 'vscode';
import { stepVariant } from '../docs/sceneSteps.ts';
import type { ExampleState } from '../session/types.ts';
import { goOnCommands } from './lensCommands.ts';
import type { LensTargets } from './lensTargets.ts';
import type { PlacedScene } from './scenePlaces.ts';

/** `standing`: the step that the running scene is in, if it runs. */
export function stepLenses(
  targets: LensTargets,
  document: vscode.TextDocument,
  uri: string,
  { scene, steps }: PlacedScene,
  state: ExampleState | undefined,
  standing: number | undefined,
): vscode.CodeLens[] {
  return steps.flatMap(({ index, step, span }) => {
    const at = document.positionAt(span.start);
    const range = new vscode.Range(at, at);
    if (state !== undefined && index === standing)
      return goOnCommands(state).map((command) => new vscode.CodeLens(range, command));
    const icon =
      state === undefined ? 'play' : standing !== undefined && index < standing ? 'debug-restart' : 'run-below';
    const about = index === 0 ? `${scene.teaches}\n\n` : '';
    const before = index > 0 && state === undefined ? ' The steps before it run first.' : '';
    const title = `$(${icon}) ${step.title}`;
    const args: [string, string, string] = [uri, scene.id, stepVariant(index)];
    return [
      new vscode.CodeLens(
        range,
        targets.commandOf('zonescope.runScene', title, args, `${about}${step.shows}${before}`),
      ),
    ];
  });
}
