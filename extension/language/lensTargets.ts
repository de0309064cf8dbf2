/**
 * What lenses run, each under a command id of its own, without arguments. The editor forgets the arguments of its
 * lenses when newer ones have come, but shows the old ones until those are drawn: a click in between would end in an
 * error.
 */
import * as vscode from 'vscode';
import type { CommandArguments, CommandId } from '../commands.ts';

/** More than the lenses of all open documents. The oldest is given up: somebody writes functions all day. */
const MOST = 4000;

export class LensTargets implements vscode.Disposable {
  private readonly targets = new Map<string, { id: string; registration: vscode.Disposable }>();
  private count = 0;

  /** A command for a lens, checked against the table of commands. */
  commandOf<C extends CommandId>(
    command: C,
    title: string,
    args: CommandArguments[C],
    tooltip?: string,
  ): vscode.Command {
    return { command: this.idOf(command, args), title, ...(tooltip === undefined ? {} : { tooltip }) };
  }

  private idOf(command: CommandId, args: readonly unknown[]): string {
    if (args.length === 0) return command;
    const key = JSON.stringify([command, ...args]);
    const known = this.targets.get(key);
    if (known !== undefined) return known.id;
    // The underscore keeps it out of the list of keyboard shortcuts.
    const id = `_zonescope.lens.${this.count++}`;
    const registration = vscode.commands.registerCommand(id, () => vscode.commands.executeCommand(command, ...args));
    this.targets.set(key, { id, registration });
    const [oldest] = this.targets;
    if (oldest !== undefined && this.targets.size > MOST) {
      oldest[1].registration.dispose();
      this.targets.delete(oldest[0]);
    }
    return id;
  }

  dispose(): void {
    for (const { registration } of this.targets.values()) registration.dispose();
    this.targets.clear();
  }
}
