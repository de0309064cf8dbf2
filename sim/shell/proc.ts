/** `proc`: processes and their memory, one system call a line. */
import type { CValue } from '../c/value.ts';
import type { Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import type { Command, CommandContext } from './command.ts';
import { ShellError } from './error.ts';
import { PROC_ACCESS } from './procAccess.ts';
import { GUP_PUT_USAGE, GUP_USAGE, runProcGup, runProcGupPut } from './procGup.ts';
import { PROC_LIFE } from './procLife.ts';
import { PROC_MAPPINGS } from './procMappings.ts';
import { sumOf } from './variables.ts';

/** One word behind `proc`. */
export interface ProcCommand {
  readonly name: string;
  /** The whole line: `proc munmap PID ADDR PAGES`. */
  readonly usage: string;
  readonly summary: string;
  run(context: CommandContext, args: readonly string[]): KernelGenerator<CValue | undefined>;
}

/** Process, address and count as plain numbers, for commands that read no variables themselves. */
const numbers = (kernel: Kernel, args: readonly string[]): string[] =>
  args.map((word, index) => (index < 3 ? String(sumOf(kernel, word) ?? word) : word));

const PROC_GUP: readonly ProcCommand[] = [
  {
    name: 'gup',
    usage: GUP_USAGE,
    summary: 'get_user_pages: references or pins on the pages of the range, kept until gup-put',
    *run(context, args) {
      yield* runProcGup(context, numbers(context.kernel, args));
      return undefined;
    },
  },
  {
    name: 'gup-put',
    usage: GUP_PUT_USAGE,
    summary: 'gives them back',
    *run(context, args) {
      yield* runProcGupPut(context, numbers(context.kernel, args));
      return undefined;
    },
  },
];

const PROC_COMMANDS: readonly ProcCommand[] = [...PROC_LIFE, ...PROC_MAPPINGS, ...PROC_ACCESS, ...PROC_GUP];

const TABLE = PROC_COMMANDS.map((command) => `  ${command.usage}\n      ${command.summary}`).join('\n');

export const PROC_COMMAND: Command = {
  name: 'proc',
  usage: `proc ${PROC_COMMANDS.map(({ name }) => name).join('|')} ...`,
  summary: 'processes and their memory, one system call a line; ADDR may be a sum of numbers and variables',
  details: TABLE,
  run(context, [word, ...args]) {
    const command = PROC_COMMANDS.find(({ name }) => name === word);
    if (!command) throw new ShellError(`usage:\n${TABLE}`);
    return command.run(context, args);
  },
};
