/** The commands of the shell: one table, from which `help` and completion come too. */
import { PROC_FILES } from '../fs/proc.ts';
import { variantOf } from '../kernel/names.ts';
import { prose } from '../kernel/prose.ts';
import type { Kernel } from '../machine/kernel.ts';
import { FUNCTIONS } from '../mm/functions.ts';
import type { KernelGenerator } from '../task/task.ts';
import { ShellError } from './error.ts';

export interface CommandContext {
  readonly kernel: Kernel;
  print(text: string): void;
}
export interface Command {
  readonly name: string;
  readonly usage: string;
  readonly summary: string;
  run(context: CommandContext, args: readonly string[]): KernelGenerator<void> | undefined;
}

const list: readonly Command[] = [
  {
    name: 'cat',
    usage: 'cat FILE...',
    summary: 'print files of /proc',
    run({ kernel, print }, args) {
      if (args.length === 0) throw new ShellError('cat: name a file, for example cat /proc/zoneinfo');
      for (const path of args) print(readFile(kernel, path).replace(/\n$/, ''));
      return undefined;
    },
  },
  {
    name: 'ls',
    usage: 'ls [DIRECTORY]',
    summary: 'list what cat can read',
    run({ print }, args) {
      const directory = (args[0] ?? '/proc').replace(/\/+$/, '') || '/';
      const below = Object.keys(PROC_FILES).filter((path) => directory === '/' || path.startsWith(`${directory}/`));
      if (below.length === 0) throw new ShellError(`ls: ${directory}: no such directory`, -2);
      const names = below.map((path) => path.slice(directory === '/' ? 1 : directory.length + 1).split('/')[0] ?? '');
      print([...new Set(names)].sort().join('\n'));
      return undefined;
    },
  },
  {
    name: 'dmesg',
    usage: 'dmesg',
    summary: 'print the kernel log',
    run({ kernel, print }) {
      print(kernel.state.log.map((line) => (line.warn ? `WARNING: ${line.text}` : line.text)).join('\n'));
      return undefined;
    },
  },
  {
    name: 'help',
    usage: 'help [NAME]',
    summary: 'list commands and kernel functions, or explain one',
    run({ kernel, print }, args) {
      const [name] = args;
      if (name === undefined) {
        print(list.map((command) => `${command.usage.padEnd(20)} ${command.summary}`).join('\n'));
        print('\nAny C expression or statement is a command too: pfn_to_page(0x140000), p = memremap_pages(&m, 0).');
        print(`Kernel functions that run in ${kernel.release}:`);
        print(
          FUNCTIONS.filter((record) => variantOf(record, kernel.release)?.run)
            .map((record) => `  ${record.name}`)
            .join('\n'),
        );
        return undefined;
      }
      const command = COMMANDS.get(name);
      if (command) {
        print(`${command.usage}\n  ${command.summary}`);
        return undefined;
      }
      const record = FUNCTIONS.find((candidate) => candidate.name === name);
      const variant = record && variantOf(record, kernel.release);
      if (!record) throw new ShellError(`help: ${name}: no such command or function`, -2);
      print(`${variant?.prototype ?? `${name}: not in ${kernel.release}`}\n  ${prose(record.contract)}`);
      for (const error of variant?.errors ?? []) print(`  ${error.returns}: ${prose(error.when)}`);
      return undefined;
    },
  },
];

export const COMMANDS: ReadonlyMap<string, Command> = new Map(list.map((command) => [command.name, command]));

export function readFile(kernel: Kernel, path: string): string {
  const file = Object.hasOwn(PROC_FILES, path) ? PROC_FILES[path] : undefined;
  if (!file) throw new ShellError(`cat: ${path}: no such file; ls lists what there is`, -2);
  return file(kernel);
}
