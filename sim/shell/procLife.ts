/** `proc new|fork|exit|list`. */
import { integer } from '../c/value.ts';
import { do_exit, wait4 } from '../kernel/exit.ts';
import { fork, newProcess } from '../kernel/fork.ts';
import { ShellError } from './error.ts';
import type { ProcCommand } from './proc.ts';
import { processOf, refuse } from './procArgs.ts';

const NEW = 'proc new [NAME]';
const FORK = 'proc fork PID';
const WAIT = 'proc wait PID';
const USE = 'proc use PID';
const EXIT = 'proc exit PID [SIGNAL]';
const SIGNALS: ReadonlyMap<string, number> = new Map([
  ['SIGBUS', 7],
  ['SIGKILL', 9],
  ['SIGSEGV', 11],
  ['SIGTERM', 15],
]);

const only = (count: number, args: readonly string[], usage: string): void => {
  if (args.length > count) throw new ShellError(`usage: ${usage}`);
};

export const PROC_LIFE: readonly ProcCommand[] = [
  {
    name: 'use',
    usage: USE,
    summary: 'C text speaks for this process from now on (current); without, for the youngest one',
    // biome-ignore lint/correctness/useYield: all commands of the table are generators
    *run({ kernel }, args) {
      only(1, args, USE);
      const { pid } = processOf(kernel, args[0], 'proc use', USE);
      if (kernel.state.usedPid !== pid) kernel.store.set(kernel.state, 'usedPid', pid);
      return integer(pid);
    },
  },
  {
    name: 'new',
    usage: NEW,
    summary: 'a process of an empty address space, in the memory cgroup of its name; prints its PID',
    // biome-ignore lint/correctness/useYield: all commands of the table are generators
    *run({ kernel, print }, args) {
      only(1, args, NEW);
      const [name] = args;
      if (name !== undefined && !/^[A-Za-z][\w.-]{0,14}$/.test(name))
        throw new ShellError(`proc new: ${name}: a name has 1 to 15 letters, digits, ., - and _`);
      const process = newProcess(kernel, name ?? 'process', name);
      if (typeof process === 'number') refuse('proc new', process);
      print(String(process.pid));
      return integer(process.pid);
    },
  },
  {
    name: 'fork',
    isCall: true,
    usage: FORK,
    summary: 'a child with a copy of the address space, pages shared until one writes; prints its PID',
    *run({ kernel, print }, args) {
      only(1, args, FORK);
      const child = yield* fork(kernel, processOf(kernel, args[0], 'proc fork', FORK));
      if (typeof child === 'number') refuse('proc fork', child);
      print(String(child.pid));
      return integer(child.pid);
    },
  },
  {
    name: 'exit',
    usage: EXIT,
    summary: 'ends a process by itself, or by SIGTERM, SIGKILL, SIGSEGV or SIGBUS; its memory is freed',
    *run({ kernel, print }, args) {
      only(2, args, EXIT);
      const process = processOf(kernel, args[0], 'proc exit', EXIT);
      const signal = args[1]?.replace(/^(?!SIG)/, 'SIG');
      const number = signal === undefined ? 0 : SIGNALS.get(signal);
      if (number === undefined) throw new ShellError(`proc exit: ${args[1]}: one of ${[...SIGNALS.keys()].join(', ')}`);
      yield* do_exit(kernel, process, number, signal);
      print(signal === undefined ? `${process.pid} exited with 0` : `${process.pid} was ended by ${signal}`);
      return integer(number);
    },
  },
  {
    name: 'wait',
    usage: WAIT,
    summary: 'waits until a child of the process is over; prints its PID',
    *run({ kernel, print }, args) {
      only(1, args, WAIT);
      const pid = yield* wait4(kernel, processOf(kernel, args[0], 'proc wait', WAIT));
      if (pid < 0) refuse('proc wait', pid, 'it has no child');
      print(String(pid));
      return integer(pid);
    },
  },
  {
    name: 'list',
    usage: 'proc list',
    summary: 'the processes: PID, name, state, pages mapped and resident',
    // biome-ignore lint/correctness/useYield: all commands of the table are generators
    *run({ kernel, print }, args) {
      only(0, args, 'proc list');
      for (const { pid, comm, mm, exit } of kernel.state.processes.values()) {
        const state = mm
          ? `${mm.total_vm} page(s) mapped, ${mm.rss[0] + mm.rss[1] + mm.rss[3]} resident`
          : `zombie, ${exit?.signal ?? `exit code ${exit?.code ?? 0}`}`;
        print(`${String(pid).padStart(5)} ${comm.padEnd(15)} ${state}`);
      }
      return undefined;
    },
  },
];
