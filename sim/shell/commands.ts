/** The commands of the shell: one table, from which `help` and completion come too. */
import { CGROUP } from '../fs/cgroup.ts';
import { type Mount, nodeAt, readNode } from '../fs/files.ts';
import { KPAGE } from '../fs/kpageflags.ts';
import { nodeFiles } from '../fs/node.ts';
import { PAGETYPEINFO } from '../fs/pagetypeinfo.ts';
import { PCI_DEVICES } from '../fs/pci.ts';
import { DAX_BUS, ND_BUS } from '../fs/pmem.ts';
import { PROC } from '../fs/proc.ts';
import { PROC_PID } from '../fs/procPid.ts';
import { SWAPS } from '../fs/swaps.ts';
import { MEMORY_HOTPLUG_PARAMETERS, SYS_MEMORY } from '../fs/sysMemory.ts';
import { NR_HUGEPAGES, TRANSPARENT_HUGEPAGE } from '../fs/vmSysctl.ts';
import { VMSTAT } from '../fs/vmstat.ts';
import { errnoName } from '../include/errno.ts';
import { variantOf } from '../kernel/names.ts';
import type { Kernel } from '../machine/kernel.ts';
import { FUNCTIONS } from '../mm/functions.ts';
import type { KernelGenerator } from '../task/task.ts';
import type { Command } from './command.ts';
import { DAX_COMMANDS } from './daxCommands.ts';
import { daxctlCommand } from './daxctl.ts';
import { DIMM_COMMANDS } from './dimm.ts';
import { ShellError } from './error.ts';
import { EXPLAIN } from './explain.ts';
import { GPU } from './gpu.ts';
import { GREP_SUMMARY, GREP_USAGE, grep, readGrep } from './grep.ts';
import { helpOfName } from './helpName.ts';
import { INJECT } from './inject.ts';
import { MKDIR, RMDIR } from './mkdir.ts';
import { MODULE_COMMANDS } from './modprobe.ts';
import { ndctlCommand } from './ndctl.ts';
import { OCCUPY } from './occupy.ts';
import { PAGEMAP } from './pagemapCommand.ts';
import { PAGE_TYPES } from './pageTypes.ts';
import { PROC_COMMAND } from './proc.ts';
import { SLEEP } from './sleep.ts';
import { SWAP_COMMANDS } from './swap.ts';

const findNode = (kernel: Kernel, path: string) => nodeAt(kernel, MOUNTS, path);

/** Everything that can be read or written by path. */
const MOUNTS: readonly Mount[] = [
  SWAPS,
  PROC,
  PROC_PID,
  CGROUP,
  PAGETYPEINFO,
  VMSTAT,
  KPAGE,
  nodeFiles(findNode),
  SYS_MEMORY,
  MEMORY_HOTPLUG_PARAMETERS,
  ND_BUS,
  DAX_BUS,
  PCI_DEVICES,
  NR_HUGEPAGES,
  TRANSPARENT_HUGEPAGE,
];

const FILE_COMMANDS: readonly Command[] = [
  {
    name: 'cat',
    usage: 'cat FILE...',
    summary: 'print files of /proc and /sys',
    run({ kernel, print }, args) {
      if (args.length === 0) throw new ShellError('cat: name a file, for example cat /proc/zoneinfo');
      for (const path of args) {
        const text = readFile(kernel, path);
        print(text.endsWith('\n') ? text.slice(0, -1) : text);
      }
      return undefined;
    },
  },
  {
    name: 'grep',
    usage: GREP_USAGE,
    summary: GREP_SUMMARY,
    run({ kernel, print }, args) {
      const request = readGrep(args);
      if (request.files.length === 0) throw new ShellError('grep: name a file, or write it behind a command and |');
      const found = grep(request.files.map((path) => readFile(kernel, path)).join(''), request);
      if (found !== undefined) print(found);
      return undefined;
    },
  },
  {
    name: 'echo',
    usage: 'echo TEXT [> FILE]',
    summary: 'print a text, or write it to a file of /sys',
    *run({ kernel, print }, args) {
      const at = args.indexOf('>');
      if (at < 0) {
        print(args.join(' '));
        return;
      }
      const [path, ...more] = args.slice(at + 1);
      if (path === undefined || more.length > 0) throw new ShellError('echo: name one file behind >');
      yield* writeFile(kernel, path, `${args.slice(0, at).join(' ')}\n`);
    },
  },
  {
    name: 'ls',
    usage: 'ls [DIRECTORY]',
    summary: 'list a directory of /proc or /sys',
    run({ kernel, print }, args) {
      const path = args[0] ?? '/proc';
      const node = nodeAt(kernel, MOUNTS, path);
      if (!node) throw new ShellError(`ls: ${path}: no such directory`, -2);
      print(node.kind === 'file' ? path : [...node.names()].sort(byNumber).join('\n'));
      return undefined;
    },
  },
];

/** memory2 before memory10. */
/** `memory2` before `memory10`. (A collator of Intl does the same, and takes long to be made.) */
const byNumber = (a: string, b: string): number => (padded(a) < padded(b) ? -1 : 1);
const padded = (name: string): string => name.replace(/\d+/g, (digits) => digits.padStart(20, '0'));

const KERNEL_COMMANDS: readonly Command[] = [
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
    summary: 'list commands and kernel functions, or explain one, or any other name of the kernel',
    run({ kernel, print }, args) {
      const [name] = args;
      if (name === undefined) {
        print(list.map((command) => `${shortUsage(command).padEnd(SHORT)} ${command.summary}`).join('\n'));
        print(
          '\nhelp NAME says more of one. Any C expression or statement is a command too: pfn_to_page(0x140000), p = memremap_pages(&m, 0).\nA C function of a driver is defined by typing it on one line.',
        );
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
        print(`${linesOf(command)}\n  ${command.summary}`);
        if (command.details) print(command.details);
        return undefined;
      }
      const text = helpOfName(kernel, args.join(' '));
      if (text === undefined) throw new ShellError(`help: ${name}: no such command or function`, -2);
      print(text);
      return undefined;
    },
  },
];

/** Usages that are longer than this are for `help NAME`. */
const SHORT = 28;
/** Each form on a line of its own. */
function linesOf({ name, usage }: Command): string {
  const forms = usage.split(' | ');
  return forms.every((form) => form.startsWith(`${name} `)) ? forms.join('\n') : usage;
}
const shortUsage = ({ name, usage }: Command): string => (usage.length <= SHORT ? usage : `${name} ...`);

const PMEM_COMMANDS: readonly Command[] = [ndctlCommand(findNode), daxctlCommand(findNode)];

const list: readonly Command[] = [
  ...FILE_COMMANDS,
  ...DIMM_COMMANDS,
  ...PMEM_COMMANDS,
  ...DAX_COMMANDS,
  PAGE_TYPES,
  PAGEMAP,
  MKDIR,
  RMDIR,
  OCCUPY,
  INJECT,
  ...MODULE_COMMANDS,
  GPU,
  EXPLAIN,
  PROC_COMMAND,
  ...SWAP_COMMANDS,
  SLEEP,
  ...KERNEL_COMMANDS,
];
export const COMMANDS: ReadonlyMap<string, Command> = new Map(list.map((command) => [command.name, command]));

export const readFile = (kernel: Kernel, path: string): string => readNode(kernel, MOUNTS, path);

/** echo TEXT > FILE: what write(2) refuses is the shell's error, in the shell's words. */
function* writeFile(kernel: Kernel, path: string, text: string): KernelGenerator<void> {
  const node = nodeAt(kernel, MOUNTS, path);
  if (!node) throw new ShellError(`sh: ${path}: no such file; ls lists what there is`, -2);
  if (node.kind === 'directory') throw new ShellError(`sh: ${path}: is a directory`, -21);
  if (!node.write) throw new ShellError(`sh: ${path}: permission denied: it can only be read`, -13);
  const result = node.write(text);
  const status = typeof result === 'number' ? result : yield* result;
  if (status < 0) throw new ShellError(`sh: write error: ${path}: -${errnoName(-status) ?? -status}`, status);
}
