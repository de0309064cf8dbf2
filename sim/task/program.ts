/**
 * A program: one task with its generator, how far it has run, and how to make it again.
 * Going back in time throws generators away; they are made anew and run to the same
 * number of points, which the engine's determinism turns into the same state.
 */
import type { CValue } from '../c/value.ts';
import type { TaskRef } from '../include/mm_types.ts';
import { Trace } from '../machine/trace.ts';
import type { Frame, KernelGenerator, Point, WaitObject } from './task.ts';

export type ProgramStatus = 'ready' | 'paused' | 'waiting' | 'done' | 'failed' | 'stopped';

/** How a program is cut into steps: a command line is one step, C text one step a statement. */
export type StepSize = 'whole' | 'statement';

export interface ProgramSpec {
  readonly label: string;
  readonly stepSize: StepSize;
  /** Makes the generator; called again when the program is replayed. Must not touch the store itself. */
  readonly create: (program: Program) => KernelGenerator<CValue | undefined>;
  /** What the step that begins where the program stands does, in one line. */
  readonly describe?: (program: Program) => string;
}

export class Program {
  readonly id: number;
  readonly spec: ProgramSpec;
  /** What locks know of it. */
  readonly ref: TaskRef;
  readonly trace = new Trace();
  /** Open frames, outermost first. */
  readonly frames: Frame[] = [];
  status: ProgramStatus = 'ready';
  /** Points passed since the start. */
  points = 0;
  /** The point it stands at. */
  point: Point | undefined;
  waitsFor: WaitObject | undefined;
  /** The outermost frame of its C text: its statements are the steps. */
  base: Frame | undefined;
  value: CValue | undefined;
  /** `value` as text, where it is the result of a command line. */
  valueText: string | undefined;
  error: Error | undefined;
  /** What it printed. */
  readonly output: string[] = [];
  private readonly generator: KernelGenerator<CValue | undefined>;

  constructor(id: number, spec: ProgramSpec) {
    this.id = id;
    this.spec = spec;
    this.ref = { id, label: spec.label };
    this.generator = spec.create(this);
  }

  get isOver(): boolean {
    return this.status === 'done' || this.status === 'failed' || this.status === 'stopped';
  }

  /** Runs to the next point. A wait that is not ready leaves it waiting; asked again it looks again. */
  next(): Point | undefined {
    if (this.isOver) return undefined;
    if (this.point?.kind === 'wait' && !this.point.on.ready()) {
      this.status = 'waiting';
      return this.point;
    }
    this.waitsFor = undefined;
    try {
      const result = this.generator.next();
      this.points++;
      if (result.done) {
        this.status = 'done';
        this.value = result.value;
        this.point = undefined;
        return undefined;
      }
      this.point = result.value;
    } catch (error) {
      this.points++;
      this.status = 'failed';
      this.error = error instanceof Error ? error : new Error(String(error));
      this.point = undefined;
      return undefined;
    }
    this.status = 'paused';
    this.track(this.point);
    return this.point;
  }

  /** Passes a point without standing at it: the task goes on at once. */
  pass(point: Point): void {
    this.points++;
    this.track(point);
  }

  private track(point: Point): void {
    if (point.kind === 'statement') {
      this.base ??= point.frame;
      this.trace.statement();
    }
    if (point.kind === 'call') this.frames.push(point.frame);
    else if (point.kind === 'return') this.frames.pop();
    else if (point.kind === 'wait' && !point.on.ready()) {
      this.status = 'waiting';
      this.waitsFor = point.on;
    }
  }

  /** Ends it with an error where it stands. */
  fail(error: Error): void {
    this.stop();
    this.status = 'failed';
    this.error = error;
  }

  /** Ends it where it stands; its `finally` blocks run. */
  stop(): void {
    if (this.isOver) return;
    this.status = 'stopped';
    this.waitsFor = undefined;
    this.point = undefined;
    try {
      this.generator.return(undefined);
    } catch {
      // A program that is thrown away has nobody to report to.
    }
  }
}
