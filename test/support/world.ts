/** Lives through a history on a machine: invariants after each operation, then undo, redo, and a saved copy. */
import { expect } from 'vitest';
import type { ProgramSource } from '../../extension/session/programs.ts';
import { specOf } from '../../extension/session/programs.ts';
import {
  checkMachine,
  Machine,
  type MachineConfig,
  type Program,
  type Release,
  runShellLine,
  scriptProgram,
} from '../../sim/index.ts';
import { check, checkBlocks } from './invariants.ts';
import { preset } from './machines.ts';
import { short } from './same.ts';
import { linesOf, type Operation } from './worldLines.ts';
import { checkWorld, look } from './worldState.ts';

export interface History {
  /** A machine file, or the name of a preset. */
  readonly machine: object | string;
  readonly release: Release;
  readonly operations: readonly Operation[];
}

/** What a program may fail with: words for the person who typed, not a fault of the engine. */
const ANSWERS: ReadonlySet<string> = new Set(['ShellError', 'CStop', 'BadAccess', 'ParseStop']);

/** A failure with all that is needed to see it again. */
export class WorldError extends Error {
  override readonly name = 'WorldError';
}

function configOf(machine: object | string): MachineConfig {
  if (typeof machine === 'string') return preset(machine);
  const result = checkMachine(JSON.parse(JSON.stringify(machine)));
  if ('problems' in result) throw new Error(`no valid machine: ${JSON.stringify(result.problems)}`);
  return result.machine;
}

class Life {
  readonly machine: Machine;
  readonly typed: string[] = [];
  private readonly sources = new Map<number, ProgramSource>();
  /** States by position, to be found again. */
  private readonly seen = new Map<number, string>();
  private turn = 0;

  constructor(machine: Machine) {
    this.machine = machine;
    this.seen.set(0, this.state());
  }

  private state(): string {
    return short(this.machine.canonical());
  }

  run(line: string, isWrong: boolean): void {
    const { machine } = this;
    this.typed.push(line);
    const before = machine.position;
    const length = machine.steps.length;
    const { store } = machine.kernel;
    const mark = store.mark();
    const [, verb, argument = ''] = /^@(\w+) (.*)$/s.exec(line) ?? [];
    let program: Program | undefined;
    if (verb === 'travel') machine.travel(machine.position + Number(argument));
    else if (verb === 'script') {
      const entries = JSON.parse(argument) as string[];
      program = machine.start(scriptProgram(machine.kernel, 'script', entries));
      this.sources.set(program.id, { kind: 'script', label: 'script', entries });
      machine.advance(program);
      machine.runReady();
    } else if (verb === 'advance') {
      const [id] = machine.alive.slice(Number(argument) % Math.max(1, machine.alive.length)).map((each) => each.id);
      program = id === undefined ? undefined : machine.current(id);
      if (program && !program.isOver) machine.advance(program);
      machine.runReady();
    } else {
      program = runShellLine(machine, line);
      if (program) this.sources.set(program.id, { kind: 'line', line: program.spec.label });
    }
    const error = program?.error;
    if (error && !ANSWERS.has(error.name) && !ANSWERS.has(error.constructor.name)) throw error;
    if (isWrong && before === length) expect(store.mark(), 'a wrong line changed something').toBe(mark);
    if (machine.steps.length !== length || before !== length)
      for (const position of this.seen.keys())
        if (verb !== 'travel' && position > Math.min(before, machine.position)) this.seen.delete(position);
    this.check();
  }

  private check(): void {
    const { machine } = this;
    check(machine);
    checkBlocks(machine);
    checkWorld(machine);
    const { store } = machine.kernel;
    const before = [store.mark(), store.newest];
    look(machine, this.turn++);
    look(machine, this.turn++);
    expect([store.mark(), store.newest], 'looking changed something').toEqual(before);
    if (this.turn % 16 < 2) this.compare();
  }

  /** The state at a position is the one it was when it was there before. */
  private compare(): void {
    const { position } = this.machine;
    const known = this.seen.get(position);
    const now = this.state();
    if (known === undefined) this.seen.set(position, now);
    else expect(now, `the state at step ${position}`).toBe(known);
  }

  /** Back to the beginning, forward again, and made again from what a session keeps. */
  end(): void {
    const { machine } = this;
    const at = machine.position;
    const end = this.state();
    // A step that wrote more than the journal holds cannot be undone, nor what was before it.
    const first = machine.oldest;
    for (const position of [...this.seen.keys()].sort((a, b) => b - a)) {
      if (position < first) continue;
      machine.travel(position);
      this.compare();
    }
    machine.travel(0);
    expect(machine.position).toBe(first);
    if (first === 0) this.compare();
    machine.travel(at);
    expect(this.state(), 'after undoing and redoing all').toBe(end);
    const used = new Set(machine.steps.map((step) => step.program));
    const saved = JSON.stringify({
      programs: [...this.sources].filter(([id]) => used.has(id)).map(([id, source]) => ({ id, source })),
      steps: machine.steps.map(({ program, points, label }) => ({ program, points, label })),
    });
    const { programs, steps } = JSON.parse(saved) as {
      programs: { id: number; source: ProgramSource }[];
      steps: { program: number; points: number; label: string }[];
    };
    const copy = new Machine(machine.config, machine.release);
    copy.restore(
      programs.map(({ id, source }) => ({ id, spec: specOf(copy, source).spec })),
      steps,
      at,
    );
    expect([copy.position, copy.steps.length]).toEqual([at, machine.steps.length]);
    expect(short(copy.canonical()), 'saved, loaded and run again').toBe(end);
  }
}

/** Lives through a history; how many operations it had. Undefined for a machine that gives no kernel in the release. */
export function live({ machine: file, release, operations }: History): number | undefined {
  const config = configOf(file);
  let life: Life | undefined;
  try {
    life = new Life(new Machine(config, release));
  } catch (error) {
    if (error instanceof Error && error.name === 'ConfigureError') return undefined;
    throw told(error, file, release, ['boot']);
  }
  try {
    for (const operation of operations)
      for (const line of linesOf(life.machine, operation)) life.run(line, operation.kind === 'wrong');
    life.end();
  } catch (error) {
    throw told(error, file, release, life.typed);
  }
  return life.typed.length;
}

function told(error: unknown, machine: object | string, release: Release, typed: readonly string[]): WorldError {
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  const where = (stack ?? '')
    .split('\n')
    .filter((line) => /\/(sim|test)\//.test(line))
    .slice(0, 8);
  const lines = typed.map((line) => `  ${line}`);
  return new WorldError(
    [message, ...where, `machine ${JSON.stringify(machine)}`, `release ${release}`, ...lines].join('\n'),
  );
}
