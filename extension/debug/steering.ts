/** Where the program is to stop next: asked at every point of it, so cheap where nobody wants anything. */
import {
  errnoName,
  evaluateInFrame,
  type Machine,
  type Point,
  type Program,
  type TraceNode,
  watched,
  watchTitle,
} from '../../sim/index.ts';
import type { ExampleState, RunControl } from '../session/types.ts';
import type { Counted } from './conditions.ts';
import { History } from './history.ts';

export type Mode =
  | { readonly kind: 'run' }
  | { readonly kind: 'in' }
  /** Frames that were open when the step began; one in the kernel goes from call to call. */
  | { readonly kind: 'over'; readonly depth: number; readonly inKernel: boolean }
  | { readonly kind: 'out'; readonly depth: number };

export interface StopInfo {
  readonly reason: string;
  readonly description: string;
  readonly text?: string;
  readonly hit?: readonly number[];
}

export interface LineBreakpoint {
  readonly id: number;
  /** Where its statement begins in the text that runs; undefined: it is not in it. */
  readonly start: number | undefined;
  readonly counted: Counted;
}
export interface FunctionBreakpoint {
  readonly id: number;
  readonly name: string;
  readonly counted: Counted;
}
export interface DataBreakpoint {
  readonly id: number;
  readonly key: string;
  readonly counted: Counted;
  last?: string | undefined;
}

export interface SteeringEvents {
  stopped(state: ExampleState, stop: StopInfo | undefined): void;
  resumed(): void;
  say(text: string): void;
}

const RUN: Mode = { kind: 'run' };
const ERRNO_TEXT = /^(?:ERR_PTR\()?-(E[A-Z0-9]+|\d+)\b/;

export class Steering implements RunControl {
  readonly history = new History();
  mode: Mode = RUN;
  lines: LineBreakpoint[] = [];
  functions: FunctionBreakpoint[] = [];
  data: DataBreakpoint[] = [];
  /** Errors to stop at; an empty set is any. */
  errnos: ReadonlySet<string> | undefined;
  stopsAtWarnings = false;
  /** Lines of output that came from what a scene does first. */
  preparedLines = 0;
  /** Why it comes to stand, to be told with that; whoever else moves it has no reason of ours. */
  stop: StopInfo | undefined;
  /** What the call returned that the program stands behind. */
  returned: { readonly name: string; readonly value: string } | undefined;
  private readonly events: SteeringEvents;
  private called: string | undefined;
  private watchedProgram: Program | undefined;
  private logged = -1;

  constructor(events: SteeringEvents) {
    this.events = events;
  }

  /** Nothing stops it: it runs without debugging. */
  mute(): void {
    this.mode = RUN;
    [this.lines, this.functions, this.data] = [[], [], []];
    this.errnos = undefined;
    this.stopsAtWarnings = false;
  }

  /* ---- RunControl ---- */

  resumed(): void {
    this.stop = undefined;
    this.returned = undefined;
    this.called = undefined;
    this.failed = undefined;
    this.logged = -1;
    this.events.resumed();
  }

  stopped(state: ExampleState): void {
    if (state.status !== 'waiting') this.mode = RUN;
    const { stop } = this;
    this.stop = undefined;
    this.events.stopped(state, stop);
  }

  shouldPause(point: Point, machine: Machine, program: Program): string | undefined {
    this.watch(program);
    // What a scene does before its text begins is no part of what is debugged.
    if (!program.base) {
      this.preparedLines = program.output.length;
      return undefined;
    }
    const depth = program.frames.length;
    if (point.kind === 'statement') this.history.note(program.points, depth, point.span.start);
    else if (point.kind === 'call' && point.frame.kind === 'kernel') this.history.note(program.points, depth, -1);
    const stop =
      this.exceptionAt(point, machine) ??
      this.calledAt(point, machine, program) ??
      this.breakpointAt(point, machine, program) ??
      this.changeAt(point, machine, program) ??
      this.stepAt(point, depth, program);
    if (!stop) return undefined;
    this.called = undefined;
    this.stop = stop;
    this.returned = point.kind === 'return' ? { name: point.frame.name, value: point.value } : undefined;
    return stop.text ?? stop.description;
  }

  /* ---- what stops it ---- */

  private stepAt(point: Point, depth: number, program: Program): StopInfo | undefined {
    const { mode } = this;
    if (mode.kind === 'run') return undefined;
    const isStatement = point.kind === 'statement';
    const isKernelCall = point.kind === 'call' && point.frame.kind === 'kernel';
    const step: StopInfo = { reason: 'step', description: 'Step' };
    if (mode.kind === 'in') return isStatement || isKernelCall ? step : undefined;
    if (mode.kind === 'out') return depth < mode.depth && (point.kind === 'return' || isStatement) ? step : undefined;
    if (isStatement) return depth <= mode.depth ? step : undefined;
    if (isKernelCall) return depth <= mode.depth && mode.inKernel ? step : undefined;
    // A callback of C that is over goes back into the kernel, which has no statements.
    return point.kind === 'return' && depth < mode.depth && program.frames.at(-1)?.kind === 'kernel' ? step : undefined;
  }
  private breakpointAt(point: Point, machine: Machine, program: Program): StopInfo | undefined {
    if (point.kind === 'call' && point.frame.kind === 'c') this.entered(point.frame.name);
    if (point.kind !== 'statement' || this.lines.length === 0) return undefined;
    const here = this.lines.filter(({ start }) => start === point.span.start);
    if (here.length === 0 || !this.isOwnText(program)) return undefined;
    return this.stopFor(here, 'breakpoint', 'Breakpoint', machine, program);
  }

  /** Whether the innermost frame runs the text itself, not what a scene adds to it. */
  isOwnText: (program: Program) => boolean = () => true;

  private stopFor(
    all: readonly { id: number; counted: Counted }[],
    reason: string,
    description: string,
    machine: Machine,
    program: Program,
  ): StopInfo | undefined {
    const hit: number[] = [];
    let note: string | undefined;
    for (const { id, counted } of all) {
      const outcome = counted.reached(machine, program);
      if (outcome.kind === 'log') this.events.say(outcome.text);
      if (outcome.kind !== 'stop') continue;
      hit.push(id);
      note ??= outcome.note;
    }
    if (hit.length === 0) return undefined;
    if (note !== undefined) this.events.say(note);
    return { reason, description, hit, ...(note === undefined ? {} : { text: note }) };
  }

  private entered(name: string): void {
    if (this.functions.some((each) => each.name === name)) this.called ??= name;
  }

  /** A function that has points of its own stops where it is entered; of others the next statement is the place. */
  private calledAt(point: Point, machine: Machine, program: Program): StopInfo | undefined {
    const name = this.called;
    const isHere = point.kind === 'call' && point.frame.kind === 'kernel' && point.frame.name === name;
    if (name === undefined || (point.kind !== 'statement' && !isHere)) return undefined;
    this.called = undefined;
    const hit = this.functions.filter((each) => each.name === name);
    return this.stopFor(hit, 'function breakpoint', `${name}() ${isHere ? 'is' : 'was'} called`, machine, program);
  }

  private exceptionAt(point: Point, machine: Machine): StopInfo | undefined {
    if (this.stopsAtWarnings) {
      const { log } = machine.kernel.state;
      const warning = this.logged < 0 ? undefined : log.slice(this.logged).find(({ warn }) => warn);
      this.logged = log.length;
      if (warning) return { reason: 'exception', description: 'The kernel warned', text: warning.text };
    }
    if (this.failed !== undefined) {
      const { failed } = this;
      this.failed = undefined;
      return failed;
    }
    if (point.kind === 'return' && point.frame.kind === 'c') return this.errorIn(point.frame.name, point.value);
    return undefined;
  }
  private failed: StopInfo | undefined;

  private errorIn(name: string, value: string): StopInfo | undefined {
    const { errnos } = this;
    const found = errnos && ERRNO_TEXT.exec(value)?.[1];
    const error = found && (errnoName(Number(found)) ?? found);
    if (!error || (errnos.size > 0 && !errnos.has(error))) return undefined;
    return { reason: 'exception', description: 'An error was returned', text: `${name}() returned ${value}` };
  }

  /** Calls are told of as they happen: those of functions that run in one go pass no point of their own. */
  private watch(program: Program): void {
    if (this.watchedProgram === program) return;
    this.watchedProgram = program;
    program.trace.watcher = {
      called: (name) => {
        if (program.base) this.entered(name);
      },
      entered: ({ name }: TraceNode) => {
        if (program.base) this.entered(name);
      },
      left: ({ name, result }: TraceNode) => {
        if (this.errnos && program.base) this.failed ??= this.errorIn(name, result);
      },
    };
  }

  /* ---- data ---- */

  private changeAt(point: Point, machine: Machine, program: Program): StopInfo | undefined {
    if (point.kind !== 'statement' || this.data.length === 0) return undefined;
    const changes: string[] = [];
    const changed = this.data.filter((each) => {
      const { last } = each;
      const now = dataValue(each.key, machine, program);
      if (now === last) return false;
      each.last = now;
      // A variable that is gone, or not there yet, has not changed.
      if (now === undefined || last === undefined) return false;
      changes.push(`${dataTitle(each.key)}: ${last} → ${now}`);
      return true;
    });
    if (changed.length === 0) return undefined;
    const stop = this.stopFor(changed, 'data breakpoint', 'A value changed', machine, program);
    return stop && { ...stop, text: stop.text ?? changes.join('; ') };
  }

  /** The values as they are now are those to compare with. */
  remember(machine: Machine, program: Program): void {
    for (const each of this.data) each.last = dataValue(each.key, machine, program);
  }
}

/** A variable or an expression of a frame: its place in the stack, the function it is of, and what C calls it. */
export const variableKey = (frame: number, name: string, expression: string): string =>
  `var:${JSON.stringify([frame, name, expression])}`;

function partsOfKey(key: string): [frame: number, name: string, expression: string] | undefined {
  if (!key.startsWith('var:')) return undefined;
  try {
    const [frame, name, expression] = JSON.parse(key.slice(4)) as unknown[];
    return typeof frame === 'number' && typeof name === 'string' && typeof expression === 'string'
      ? [frame, name, expression]
      : undefined;
  } catch {
    return undefined;
  }
}

export function dataTitle(key: string): string {
  return partsOfKey(key)?.[2] ?? watchTitle(key);
}

export function dataValue(key: string, machine: Machine, program: Program | undefined): string | undefined {
  const parts = partsOfKey(key);
  if (!parts) return watched(machine, key);
  const [frame, name, expression] = parts;
  if (program?.frames[frame]?.name !== name) return undefined;
  const result = evaluateInFrame(machine, program, frame, expression);
  return result.ok ? result.text : undefined;
}
