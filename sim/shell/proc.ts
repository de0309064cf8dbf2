/** `proc`: processes and their memory, one system call a line. */
import type { CValue } from '../c/value.ts';
import type { KernelGenerator } from '../task/task.ts';
import type { Command, CommandContext } from './command.ts';
import { ShellError } from './error.ts';
import { PROC_ACCESS } from './procAccess.ts';
import { PROC_GUP } from './procGup.ts';
import { PROC_LIFE } from './procLife.ts';
import { PROC_MAPPINGS } from './procMappings.ts';
import { PROC_UFFD } from './procUffd.ts';

/** One word behind `proc`. */
export interface ProcCommand {
  readonly name: string;
  /** The whole line: `proc munmap PID ADDR PAGES`. */
  readonly usage: string;
  readonly summary: string;
  run(context: CommandContext, args: readonly string[]): KernelGenerator<CValue | undefined>;
}

const PROC_COMMANDS: readonly ProcCommand[] = [...PROC_LIFE, ...PROC_MAPPINGS, ...PROC_ACCESS, ...PROC_GUP, PROC_UFFD];

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
