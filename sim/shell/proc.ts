/** `proc`: processes and their memory, one system call a line. */
import type { CValue } from '../c/value.ts';
import { system_call } from '../kernel/exit.ts';
import type { KernelGenerator } from '../task/task.ts';
import type { Command, CommandContext } from './command.ts';
import { ShellError } from './error.ts';
import { PROC_ACCESS } from './procAccess.ts';
import { pidOf } from './procArgs.ts';
import { PROC_GUP } from './procGup.ts';
import { PROC_LIFE } from './procLife.ts';
import { PROC_MAPPINGS } from './procMappings.ts';
import { PROC_UFFD } from './procUffd.ts';

/** One word behind `proc`. */
export interface ProcCommand {
  /** A system call of the process that is named first. */
  readonly isCall?: true;
  readonly name: string;
  /** The whole line: `proc munmap PID ADDR PAGES`. */
  readonly usage: string;
  readonly summary: string;
  run(context: CommandContext, args: readonly string[]): KernelGenerator<CValue | undefined>;
}

const calls = (commands: readonly ProcCommand[]): ProcCommand[] =>
  commands.map((command) => ({ ...command, isCall: true }));
/** gup-put gives back pages of processes that are over, too. */
const PROC_COMMANDS: readonly ProcCommand[] = [
  ...PROC_LIFE,
  ...calls(PROC_MAPPINGS),
  ...calls(PROC_ACCESS),
  ...PROC_GUP,
  PROC_UFFD,
];

const TABLE = PROC_COMMANDS.map((command) => `  ${command.usage}\n      ${command.summary}`).join('\n');

export const PROC_COMMAND: Command = {
  name: 'proc',
  usage: `proc ${PROC_COMMANDS.map(({ name }) => name).join('|')} ...`,
  summary: 'processes and their memory, one system call a line; ADDR may be a sum of numbers and variables',
  details: TABLE,
  run(context, [word, ...args]) {
    const command = PROC_COMMANDS.find(({ name }) => name === word);
    if (!command) throw new ShellError(`usage:\n${TABLE}`);
    const mm = command.isCall ? context.kernel.state.processes.get(pidOf(context.kernel, args[0]))?.mm : undefined;
    const call = command.run(context, args);
    return mm ? system_call(context.kernel, mm, call) : call;
  },
};
