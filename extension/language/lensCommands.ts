/** What lenses do, checked against the table of commands. */
import type * as vscode from 'vscode';
import { COMMANDS, type CommandArguments, type CommandId } from '../commands.ts';
import type { ExampleState } from '../session/types.ts';

/** A command with its arguments, checked against the table. */
export function commandOf<C extends CommandId>(
  command: C,
  title: string,
  args: CommandArguments[C],
  tooltip?: string,
): vscode.Command {
  return { command, title, arguments: args, ...(tooltip === undefined ? {} : { tooltip }) };
}

/** Continue or what it waits for, and Stop: what there is to do with a running example. */
export function goOnCommands({ status, why }: ExampleState): vscode.Command[] {
  const commands: vscode.Command[] = [];
  if (status === 'paused') {
    const { icon = 'debug-continue', title } = COMMANDS['zonescope.continueExample'];
    commands.push(commandOf('zonescope.continueExample', `$(${icon}) ${title}`, [], why));
  } else {
    const title = status === 'waiting' ? `$(watch) Waiting: ${why}` : '$(loading~spin) Running';
    commands.push({ command: '', title, tooltip: why });
  }
  const { icon = 'debug-stop', title } = COMMANDS['zonescope.stopExample'];
  commands.push(commandOf('zonescope.stopExample', `$(${icon}) ${title}`, []));
  return commands;
}
