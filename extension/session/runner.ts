/** Runs programs on the machine of the desk, one after the other, in slices that let the host breathe. */
import type { Point, Program } from '../../sim/index.ts';
import type { Desks } from './desk.ts';
import { type ProgramSource, specOf } from './programs.ts';
import type { Running } from './running.ts';

const SLICE_MS = 10;
/** Whoever looks on is told no more often: a window that is told of every slice has no time left for its reader. */
const TELL_MS = 100;

export interface RunnerParts {
  readonly clock: { now(): number; breathe(): Promise<void> };
  readonly desks: Desks;
  /** Something changed that is shown somewhere. */
  touch(): void;
}

export interface DriveOptions {
  shouldPause?: (point: Point) => boolean;
  isCancelled?: (() => boolean) | undefined;
  /** Passes points that were passed before: whoever looks on is not told of each slice. */
  quietly?: boolean;
}

export class Runner {
  private readonly parts: RunnerParts;
  private queue: Promise<unknown> = Promise.resolve();
  stopRequested = false;

  constructor(parts: RunnerParts) {
    this.parts = parts;
  }

  /** One thing after the other: what is asked for while something runs waits its turn. */
  enqueue<T>(work: () => Promise<T>): Promise<T> {
    const next = this.queue.then(work, work);
    this.queue = next.catch(() => undefined);
    return next;
  }

  begin(source: ProgramSource): { program: Program; findings: Running['findings'] } {
    const { machine, sources } = this.parts.desks.current;
    const { spec, findings } = specOf(machine, source);
    const program = machine.start(spec);
    sources.set(program.id, source);
    return { program, findings };
  }

  /** Runs until the program pauses, waits or ends, breathing between slices. */
  async drive(program: Program, options: DriveOptions = {}): Promise<'paused' | 'waiting' | 'over'> {
    const { clock, desks, touch } = this.parts;
    const { shouldPause, isCancelled, quietly } = options;
    const { machine } = desks;
    this.stopRequested = false;
    let told = clock.now();
    for (;;) {
      const start = clock.now();
      const slice = (): boolean => clock.now() - start > SLICE_MS;
      for (;;) {
        const stop = machine.advance(program, { slice, ...(shouldPause ? { shouldPause } : {}) });
        if (stop === 'pause') return 'paused';
        if (stop === 'waiting') return 'waiting';
        if (stop === 'done' || stop === 'failed') return 'over';
        if (stop === 'slice' || slice()) break;
      }
      if (!quietly && clock.now() - told >= TELL_MS) {
        told = clock.now();
        touch();
      }
      await clock.breathe();
      if (this.stopRequested || isCancelled?.() || desks.machine !== machine) {
        machine.stop(program);
        return 'over';
      }
    }
  }
}
