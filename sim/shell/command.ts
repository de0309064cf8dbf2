import type { Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';

export interface CommandContext {
  readonly kernel: Kernel;
  print(text: string): void;
}

/** A command line tool. What it refuses it throws as a ShellError, before it has changed anything. */
export interface Command {
  readonly name: string;
  readonly usage: string;
  readonly summary: string;
  run(context: CommandContext, args: readonly string[]): KernelGenerator<void> | undefined;
}
