/**
 * A machine and its timeline. Every change of the store belongs to exactly one step,
 * every step to one program; stepping back and forth is the store's travel, and a
 * program that was overtaken by going back is replayed when it is needed again.
 */

import { releaseLocksOf } from '../kernel/locking.ts';
import type { Release } from '../kernel/release.ts';
import { endInvalidationsOf } from '../mm/mmu_notifier_state.ts';
import type { Changes, Mark } from '../store/store.ts';
import { Program, type ProgramSpec } from '../task/program.ts';
import type { Point } from '../task/task.ts';
import { boot } from './boot.ts';
import type { MachineConfig } from './config.ts';
import type { Kernel } from './kernel.ts';
import type { LogLine } from './state.ts';
import type { TraceNode } from './trace.ts';

export interface Step {
  /** What was done, in one line. */
  readonly label: string;
  readonly program: number;
  /** Points of the program that this step passed. */
  readonly points: number;
  readonly from: Mark;
  readonly to: Mark;
  readonly trace: readonly TraceNode[];
  readonly printk: readonly LogLine[];
  /** What its commands printed. */
  readonly output: readonly string[];
}

/** Why `advance` came back. */
export type Stop = 'step' | 'pause' | 'waiting' | 'done' | 'failed' | 'slice';

/** Thrown into nothing: a program that reached its budget of points fails with it. */
export class BudgetExceeded extends Error {
  override readonly name = 'BudgetExceeded';
}

/** What a program fails with that would wait for itself through others; it waits for nothing then, and gives up its locks. */
export class Deadlock extends Error {
  override readonly name = 'Deadlock';
}

const POINT_BUDGET = 5_000_000;

interface AdvanceOptions {
  /** Asked at every point. */
  shouldPause?: (point: Point) => boolean;
  /** Asked at every point, too: does the caller want to breathe? */
  slice?: () => boolean;
  stopAfterStep?: boolean;
}

export class Machine {
  readonly kernel: Kernel;
  readonly config: MachineConfig;
  readonly release: Release;
  /** Rises with every change anyone could see; never falls. */
  revision = 0;
  private readonly timeline: Step[] = [];
  private applied = 0;
  private readonly programs = new Map<number, Program>();
  private nextProgram = 1;
  /** The mark and points at which the step that is being made began. */
  private open:
    | { program: Program; from: Mark; points: number; log: number; printed: number; label: string }
    | undefined;

  constructor(config: MachineConfig, release: Release) {
    this.config = config;
    this.release = release;
    this.kernel = boot(config, release);
  }

  /** All steps, undone ones last. */
  get steps(): readonly Step[] {
    return this.timeline;
  }
  /** How many steps are applied: where in the timeline the state stands. */
  get position(): number {
    return this.applied;
  }
  get lastStep(): Step | undefined {
    return this.timeline[this.applied - 1];
  }

  /** What the last step changed. */
  lastChanges(limit?: number): Changes {
    const step = this.lastStep;
    const { store } = this.kernel;
    // Of a step larger than the journal only the end is known.
    return step && step.to >= store.oldest
      ? store.changes(Math.max(step.from, store.oldest), step.to, limit)
      : { pages: [], objects: new Map() };
  }

  program(id: number): Program | undefined {
    return this.programs.get(id);
  }

  /** Programs that can go on at the current position: paused or waiting, oldest first. */
  get alive(): readonly Program[] {
    return [...this.programs.values()].filter((program) => this.isAliveAt(program));
  }

  private isAliveAt(program: Program): boolean {
    const first = this.timeline.findIndex((step) => step.program === program.id);
    if (first < 0 || first >= this.applied) return !program.isOver && this.applied === this.timeline.length;
    if (!program.isOver) return true;
    // It ended in a step that is undone now.
    return this.timeline.slice(this.applied).some((step) => step.program === program.id);
  }

  /* ---- running ---- */

  /** A new program at the current position; what lay ahead is forgotten. It has not run yet. */
  start(spec: ProgramSpec): Program {
    this.settle();
    const program = new Program(this.nextProgram++, spec);
    this.programs.set(program.id, program);
    return program;
  }

  /** The program as it stands at the current position, replayed if going back overtook it. */
  current(id: number): Program | undefined {
    if (!this.programs.has(id)) return undefined;
    this.settle();
    return this.programs.get(id);
  }

  /**
   * Runs a program: to the end of its next step, to a pause point, or until it waits or
   * ends.
   */
  advance(program: Program, options: AdvanceOptions = {}): Stop {
    const { kernel } = this;
    this.settle();
    this.open ??= this.opened(program);
    kernel.trace = program.trace;
    kernel.current = program.ref;
    let isSliced = false;
    const passes = (point: Point): boolean => {
      if (program.points >= POINT_BUDGET) return false;
      isSliced = options.slice?.() ?? false;
      if (!isSliced) program.pass(point);
      return !isSliced;
    };
    // To yield a point is a way through all generators of the task, which nobody needs where none is asked for.
    program.trace.passes = options.shouldPause ? undefined : passes;
    try {
      return this.toNextStop(program, options, () => isSliced);
    } finally {
      program.trace.passes = undefined;
    }
  }

  private toNextStop(program: Program, options: AdvanceOptions, isSliced: () => boolean): Stop {
    for (;;) {
      if (program.points > POINT_BUDGET) {
        program.stop();
        program.error = new BudgetExceeded(`stopped after ${POINT_BUDGET} points without an end`);
        program.status = 'failed';
      }
      const point = this.next(program);
      if (!point) {
        this.close(program);
        return program.status === 'failed' ? 'failed' : 'done';
      }
      if (program.status === 'waiting') {
        this.close(program);
        return 'waiting';
      }
      const boundary =
        point.kind === 'statement' && program.spec.stepSize === 'statement' && point.frame === program.base;
      if (boundary) this.close(program);
      if (point.kind === 'pause' || options.shouldPause?.(point)) {
        this.close(program);
        return 'pause';
      }
      if (boundary && options.stopAfterStep !== false) return 'step';
      if (isSliced() || options.slice?.()) return 'slice';
      this.open ??= this.opened(program);
    }
  }

  /** The program's next point. Where it fails, or would wait in a circle, it ends and its locks are released. */
  private next(program: Program): Point | undefined {
    let point = program.next();
    for (;;) {
      const circle = program.status === 'waiting' ? this.circleOf(program) : undefined;
      if (!circle) break;
      if (!this.passTime(circle)) program.fail(new Deadlock(`deadlock: ${inWords(circle)}`));
      else if (!program.waitsFor?.ready()) break;
      else point = program.next();
    }
    if (program.status !== 'failed') return point;
    this.abandon(program);
    return undefined;
  }

  /** Nobody in a circle can go on: time passes until the first of them gives up. */
  private passTime(circle: readonly Program[]): boolean {
    const ends = circle.flatMap(({ waitsFor }) => waitsFor?.until ?? []);
    if (ends.length === 0) return false;
    const { state, store } = this.kernel;
    store.set(state, 'jiffies', Math.max(state.jiffies, Math.min(...ends)));
    return true;
  }

  /** The circle of tasks that this wait would close. */
  private circleOf(program: Program): readonly Program[] | undefined {
    const follow = (task: Program, path: readonly Program[]): readonly Program[] | undefined => {
      for (const id of task.waitsFor?.holderTasks?.() ?? []) {
        const holder = this.programs.get(id);
        if (holder === program) return path;
        if (holder?.status !== 'waiting' || path.includes(holder)) continue;
        const circle = follow(holder, [...path, holder]);
        if (circle) return circle;
      }
      return undefined;
    };
    return follow(program, [program]);
  }

  private opened(program: Program): NonNullable<Machine['open']> {
    return {
      program,
      from: this.kernel.mark(),
      points: program.points,
      log: this.kernel.state.log.length,
      printed: program.output.length,
      label: program.spec.describe?.(program) ?? program.spec.label,
    };
  }

  /** Ends the open step, if anything happened in it. */
  private close(program: Program): void {
    const { open, kernel } = this;
    this.open = undefined;
    if (!open || open.program !== program) return;
    const to = kernel.mark();
    const trace = program.trace.cut();
    const log = kernel.state.log.slice(open.log);
    const output = program.output.slice(open.printed);
    const points = program.points - open.points;
    if (points === 0) return;
    const last = this.timeline.at(-1);
    const idle = to === open.from && log.length === 0 && trace.length === 0;
    if (idle && last?.program === program.id) {
      // Nothing to see: it belongs to the step before.
      const shown = output.length > 0 ? [`> ${open.label}`, ...output] : [];
      const more = { points: last.points + points, output: [...last.output, ...shown] };
      this.timeline[this.timeline.length - 1] = { ...last, ...more };
      return;
    }
    // A command that only looked leaves nothing to go back to.
    if (idle && program.isOver && program.points === points) return;
    if (idle && output.length === 0 && program.spec.stepSize === 'statement' && program.points <= 2) {
      this.lead.set(program.id, (this.lead.get(program.id) ?? 0) + points);
      return;
    }
    const lead = this.lead.get(program.id) ?? 0;
    this.lead.delete(program.id);
    this.timeline.push({
      label: open.label,
      program: program.id,
      points: points + lead,
      from: open.from,
      to,
      trace,
      printk: log,
      output,
    });
    this.applied = this.timeline.length;
    this.revision++;
  }
  /** Points passed before a program's first step. */
  private readonly lead = new Map<number, number>();
  /** Waiting programs whose wait is over end the step they were in, first come, first served. Returns those that moved. */
  runReady(options: { slice?: () => boolean } = {}): Program[] {
    const moved: Program[] = [];
    for (;;) {
      const ready = [...this.programs.values()].find(
        (program) => program.status === 'waiting' && program.waitsFor?.ready(),
      );
      if (!ready) return moved;
      moved.push(ready);
      this.advance(ready, options);
      if (options.slice?.()) return moved;
    }
  }

  /** Runs a program to its end, a pause or a wait; then whatever it set free. */
  run(spec: ProgramSpec): Program {
    const program = this.start(spec);
    while (this.advance(program) === 'step');
    this.runReady();
    return program;
  }

  /** What a program held that failed or was stopped is given up, as at the death of a task. */
  private abandon(program: Program): void {
    endInvalidationsOf(this.kernel, program.id);
    releaseLocksOf(this.kernel, program.id);
  }

  /** Ends a program where it stands; what it did stays done. */
  stop(program: Program): void {
    const isAlive = !program.isOver && this.isAliveAt(program);
    const before = this.kernel.mark();
    program.stop();
    if (isAlive) this.abandon(program);
    if (this.open?.program === program) this.close(program);
    // What it gave up belongs to the step in which it was left.
    const last = this.timeline.at(-1);
    const now = this.kernel.mark();
    if (last && last.to === before && now !== before && this.applied === this.timeline.length)
      this.timeline[this.applied - 1] = { ...last, to: now };
    this.revision++;
  }

  /* ---- time ---- */

  /** Moves to just after step `position` (0: as booted). */
  travel(position: number): void {
    const target = Math.max(this.oldest, Math.min(this.timeline.length, Math.trunc(position)));
    if (target === this.applied) return;
    const mark = target === 0 ? this.timeline[0]?.from : this.timeline[target - 1]?.to;
    if (mark === undefined) return;
    this.kernel.store.travel(mark);
    this.applied = target;
    this.revision++;
  }

  /** The earliest position that can still be reached. */
  get oldest(): number {
    const { oldest } = this.kernel.store;
    const index = this.timeline.findIndex((step) => step.from >= oldest);
    return index < 0 ? this.timeline.length : index;
  }

  /**
   * Makes the current position the end of the timeline, so that something new can follow.
   * Programs that had run further are run again to where they were.
   */
  private settle(): void {
    if (this.applied === this.timeline.length) return;
    const cut = this.applied;
    const undone = new Set(this.timeline.slice(cut).map((step) => step.program));
    const firstStep = (id: number): number => this.timeline.findIndex((step) => step.program === id);
    let start = cut;
    for (const id of undone) start = Math.min(start, firstStep(id));
    // Programs with steps among those to be replayed must be replayed from their own beginning.
    for (let moved = true; moved; ) {
      moved = false;
      for (const step of this.timeline.slice(start, cut)) {
        const first = firstStep(step.program);
        if (first < start) {
          start = first;
          moved = true;
        }
      }
    }
    const replay = this.timeline.slice(start, cut);
    const from = this.timeline[start]?.from;
    if (replay.length > 0 && from !== undefined) this.kernel.store.travel(from);
    const gone = new Set(this.timeline.slice(start).map((step) => step.program));
    for (const id of gone) {
      const old = this.programs.get(id);
      old?.stop();
      if (old) this.programs.set(id, new Program(id, old.spec));
    }
    this.timeline.length = start;
    this.applied = start;
    for (const step of replay) this.replayStep(step);
    for (const id of gone) if (!this.timeline.some((step) => step.program === id)) this.programs.delete(id);
  }

  private replayStep(step: Step): void {
    const { kernel } = this;
    const program = this.programs.get(step.program);
    if (!program) return;
    const from = kernel.mark();
    const log = kernel.state.log.length;
    const printed = program.output.length;
    kernel.trace = program.trace;
    kernel.current = program.ref;
    const target = program.points + step.points;
    while (program.points < target && !program.isOver) this.next(program);
    this.timeline.push({
      ...step,
      from,
      to: kernel.mark(),
      trace: program.trace.cut(),
      printk: kernel.state.log.slice(log),
      output: program.output.slice(printed),
    });
    this.applied = this.timeline.length;
  }

  /** Rebuilds a saved timeline on a freshly booted machine; the programs stand where they stood. */
  restore(
    programs: readonly { id: number; spec: ProgramSpec }[],
    steps: readonly Pick<Step, 'program' | 'points' | 'label'>[],
    position: number,
  ): void {
    for (const { id, spec } of programs) {
      this.programs.set(id, new Program(id, spec));
      this.nextProgram = Math.max(this.nextProgram, id + 1);
    }
    for (const step of steps) this.replayStep({ ...step, from: 0, to: 0, trace: [], printk: [], output: [] });
    this.travel(position);
    this.revision++;
  }

  /** The whole state as text: equal states give equal bytes. */
  canonical(): string {
    return this.kernel.store.canonical(this.kernel.roots());
  }
}

function inWords(circle: readonly Program[]): string {
  const each = circle.map((task, index) => {
    const holder = circle[index + 1] ?? circle[0];
    return `"${task.spec.label}" waits for ${task.waitsFor?.what ?? 'a lock'}, held by "${holder?.spec.label}"`;
  });
  return each.join('; ');
}

/** A program that runs `body` as one step. */
export const lineProgram = (label: string, create: ProgramSpec['create']): ProgramSpec => ({
  label,
  stepSize: 'whole',
  create,
});
