import type { CValue } from '../c/value.ts';
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
  /** What `help NAME` says beyond it. */
  readonly details?: string;
  /** What it returns, if anything, is what `NAME = command` keeps. */
  run(
    context: CommandContext,
    args: readonly string[],
  ): KernelGenerator<CValue | undefined> | KernelGenerator<void> | undefined;
}
