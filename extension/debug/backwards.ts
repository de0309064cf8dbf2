/** Going back: which of the points that were passed is meant, and taking the program there. */
import type { Debuggee, Session } from '../session/types.ts';
import { RequestError } from './protocol.ts';
import type { Steering, StopInfo } from './steering.ts';

export interface BackwardsHost {
  session(): Session;
  standing(): Debuggee;
  /** It moves, and nobody has to be told where it comes to stand in between. */
  moves(): void;
  /** It stands. */
  stands(stop: StopInfo): void;
}

/** Each is taken there for its condition to be asked: no more than this. */
const MOST_ASKED = 200;
const WHY = 'you went back; Continue runs it again from here';
const FIRST = 'This is its first statement: there is nothing before it.';

export class Backwards {
  private readonly host: BackwardsHost;
  private readonly steering: Steering;

  constructor(host: BackwardsHost, steering: Steering) {
    this.host = host;
    this.steering = steering;
  }

  /** One statement back, in this frame or those around it. */
  step(): () => Promise<void> {
    const { program } = this.host.standing();
    const depth = program.frames.length;
    // A scene of shell lines has its statements outside of all frames of the kernel.
    const most = Math.max(1, depth);
    const passed = this.steering.history.before(
      program.points,
      (one) => !one.isCall && (depth === 0 || one.depth <= most),
    );
    return () => this.to(passed?.points, { reason: 'step', description: 'Step back' });
  }

  restartFrame(frameId: number): () => Promise<void> {
    const { program } = this.host.standing();
    const index = frameId - 2;
    const frame = program.frames[index];
    if (!frame) throw new RequestError('This frame cannot be restarted.');
    const { call, statement } = this.steering.history.entryOf(program.points, index + 1);
    const points = frame.kind === 'kernel' ? call?.points : statement?.points;
    return () => this.to(points, { reason: 'restart', description: 'Frame restarted' });
  }

  /** To the last breakpoint that was passed and whose condition held there; without one, to the beginning. */
  toBreakpoint(): () => Promise<void> {
    const { program } = this.host.standing();
    return async () => {
      const { lines, history } = this.steering;
      const stopping = lines.filter(({ counted }) => counted.when.logMessage === undefined);
      const from = program.points;
      let points = from;
      for (let asked = 0; asked < MOST_ASKED; asked++) {
        const passed = history.before(
          points,
          (one) => !one.isCall && stopping.some(({ start }) => start === one.start),
        );
        if (!passed) break;
        points = passed.points;
        const here = stopping.filter(({ start }) => start === passed.start);
        if (!(await this.move(points))) return;
        const { machine, program: now } = this.host.session().debuggee ?? {};
        if (!machine || !now) return;
        const hit = here.filter(({ counted }) => counted.holds(machine, now) !== false).map(({ id }) => id);
        if (hit.length > 0)
          return this.host.stands({ reason: 'breakpoint', description: 'Breakpoint, backwards', hit });
      }
      const first = history.first();
      await this.to(first && first.points < from ? first.points : undefined, {
        reason: 'entry',
        description: 'At its beginning',
      });
    };
  }

  private async to(points: number | undefined, stop: StopInfo): Promise<void> {
    if (points === undefined) this.host.stands({ ...stop, text: FIRST });
    else if (await this.move(points)) this.host.stands(stop);
  }

  /** False: the journal does not reach so far, which was told. */
  private async move(points: number): Promise<boolean> {
    this.host.moves();
    this.steering.returned = undefined;
    try {
      await this.host.session().rewindExample(points, WHY);
      this.steering.history.cut(points);
      return true;
    } catch (error) {
      this.host.stands({
        reason: 'step',
        description: 'Not moved',
        text: error instanceof Error ? error.message : String(error),
      });
      return false;
    }
  }
}
