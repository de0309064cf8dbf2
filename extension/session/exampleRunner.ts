/** The example on the desk: started, followed to its next pause, taken back, stopped. */
import type { Evaluation, Machine, Point, Program, Release } from '../../sim/index.ts';
import { linesFor, type Scene, standInsFor } from '../docs/scenes.ts';
import type { Desks } from './desk.ts';
import { exampleText, isInterface } from './example.ts';
import type { ProgramSource } from './programs.ts';
import type { Runner } from './runner.ts';
import { type Running, spanOf, variantOfScene, whyItFailed } from './running.ts';
import type { Debuggee, ExampleRequest, ExampleState, FileRequest, RunControl } from './types.ts';

const WENT_BACK = 'you went back; Continue runs it again from here';

export class ExampleRunner {
  running: Running | undefined;
  private readonly desks: Desks;
  private readonly runner: Runner;
  private readonly touch: () => void;

  constructor(desks: Desks, runner: Runner, touch: () => void) {
    this.desks = desks;
    this.runner = runner;
    this.touch = touch;
  }

  get state(): ExampleState | undefined {
    return this.running?.state;
  }

  /** The block of a scene. */
  async runBlock(request: ExampleRequest, control?: RunControl): Promise<ExampleState> {
    this.end();
    this.desks.makeRoomFor(request.scene, request.releases);
    const { scene } = request;
    const text = exampleText(request.text, variantOfScene(request));
    const state: ExampleState = {
      sceneId: scene.id,
      uri: request.uri,
      blockStart: request.toDocument(0),
      status: 'running',
      why: '',
    };
    const source: ProgramSource = {
      kind: 'block',
      block: {
        label: scene.title,
        text: text.text,
        holes: { ...scene.holes, ...request.holes },
        standIns: standInsFor(scene, this.desks.machine.release),
        setup: linesFor(scene.setup, this.desks.machine.release),
        after: linesFor(scene.after, this.desks.machine.release),
        ...((request.declarations ?? isInterface(text.text)) ? { declarations: true } : {}),
      },
    };
    return await this.start(source, { state, text, request, toDocument: request.toDocument }, control);
  }

  /** The lines of a scene that runs no block. */
  async runLines(
    scene: Scene,
    uri: string,
    releases?: readonly Release[],
    control?: RunControl,
  ): Promise<ExampleState> {
    this.end();
    this.desks.makeRoomFor(scene, releases);
    const source: ProgramSource = {
      kind: 'script',
      label: scene.title,
      entries: [...(scene.setup ?? []), ...(scene.run ?? [])],
    };
    const state: ExampleState = { sceneId: scene.id, uri, blockStart: 0, status: 'running', why: '' };
    return await this.start(source, { state, text: undefined, request: undefined, toDocument: undefined }, control);
  }

  private async start(
    source: ProgramSource,
    what: Pick<Running, 'state' | 'text' | 'request' | 'toDocument'>,
    control: RunControl | undefined,
  ): Promise<ExampleState> {
    const { program, findings } = this.runner.begin(source);
    return await this.follow({
      ...what,
      program: program.id,
      shown: new Set(),
      findings,
      ...(control ? { control } : {}),
    });
  }

  async continue(): Promise<ExampleState | undefined> {
    const { running } = this;
    if (!running || !this.desks.machine.current(running.program)) return running?.state;
    return await this.follow(running);
  }

  stop(): void {
    this.runner.stopRequested = true;
    this.end();
  }

  /** At its next point, wherever that is. */
  pause(): void {
    if (this.running?.state.status === 'running') this.running.pauseRequested = true;
  }

  /** Ends what runs, for something else to run. */
  end(): void {
    const { running } = this;
    if (!running) return;
    const program = this.desks.machine.program(running.program);
    if (program && !program.isOver) {
      this.desks.machine.stop(program);
      running.state = { ...running.state, status: 'stopped', why: 'stopped by the reader' };
      this.touch();
      running.control?.stopped(running.state);
    }
  }

  /** The machine it ran on gave way to another. */
  forget(): void {
    const { running } = this;
    this.running = undefined;
    if (running && !isOver(running.state))
      running.control?.stopped({ ...running.state, status: 'stopped', why: 'the machine was replaced' });
  }

  /** What runs, as its reader calls it. */
  get label(): string {
    return this.debuggee?.program.spec.label ?? '';
  }

  get debuggee(): Debuggee | undefined {
    const { running } = this;
    const { machine } = this.desks;
    const program = running && machine.program(running.program);
    if (!running || !program) return undefined;
    const { text, toDocument, findings, state } = running;
    return {
      machine,
      program,
      findings,
      uri: state.uri,
      ...(text && toDocument ? { toDocument: (offset) => toDocument(text.toBlock(offset)) } : {}),
    };
  }

  /** Runs the example on and says where it stands. */
  private async follow(running: Running): Promise<ExampleState> {
    this.running = running;
    const { machine } = this.desks;
    const program = machine.current(running.program);
    if (!program) return running.state;
    const { control } = running;
    let pausedFor: string | undefined;
    const shouldPause = (point: Point): boolean => {
      pausedFor = control?.shouldPause(point, machine, program) ?? this.dueAt(running, program, point);
      return pausedFor !== undefined;
    };
    running.state = { ...running.state, status: 'running', why: '' };
    running.pauseRequested = false;
    control?.resumed(running.state);
    const logged = machine.kernel.state.log.length;
    const end = await this.runner.drive(program, { shouldPause });
    machine.runReady();
    const { point } = program;
    const why =
      end === 'paused'
        ? (pausedFor ?? (point?.kind === 'pause' ? point.why : 'paused'))
        : end === 'waiting'
          ? `waits for ${program.waitsFor?.what ?? 'something'}: held by ${program.waitsFor?.holders().join(', ') ?? 'nobody'}`
          : whyItEnded(program, machine, logged);
    this.stands(running, program, end === 'over' ? endOf(program) : end, why);
    return running.state;
  }

  private stands(running: Running, program: Program, status: ExampleState['status'], why: string): void {
    const span = spanOf(running, program);
    running.state = { ...running.state, status, why, ...(span ? { span } : {}) };
    if (!span) delete running.state.span;
    this.touch();
    if (running === this.running) running.control?.stopped(running.state);
  }

  /** A pause that its scene or the reader wants at a point. */
  private dueAt(running: Running, program: Program, point: Point): string | undefined {
    if (running.pauseRequested) return 'by the reader';
    if (point.kind !== 'statement' || point.frame !== program.base) return undefined;
    const due = running.text?.pauses.find((pause) => pause.after < point.span.start && !running.shown.has(pause.after));
    if (due) running.shown.add(due.after);
    return due?.why;
  }

  /** A command may have set a waiting example free. Says whether it can run on. */
  isFreeAgain(): boolean {
    const { running } = this;
    if (running?.state.status !== 'waiting') return false;
    const program = this.desks.machine.program(running.program);
    if (program?.status === 'waiting') return false;
    if (!program?.isOver) return true;
    const status = program.status === 'failed' ? 'failed' : 'done';
    running.state = { ...running.state, status, why: program.error?.message ?? 'ran to its end' };
    running.control?.stopped(running.state);
    return false;
  }

  /** Where the example stands after travel: before, inside, or behind its own steps. */
  travelled(): void {
    const { running } = this;
    if (!running) return;
    const { machine } = this.desks;
    const own = machine.steps.flatMap((each, index) => (each.program === running.program ? [index] : []));
    const inside = own.some((index) => index < machine.position) && own.some((index) => index >= machine.position);
    if (inside) {
      running.shown.clear();
      running.state = { ...running.state, status: 'paused', why: WENT_BACK };
    } else if (own.every((index) => index >= machine.position))
      running.state = { ...running.state, status: 'stopped', why: 'you went back to before it' };
    delete running.state.span;
    // A debugger shows frames and variables: the program is made again as it stood here.
    if (running.control && inside) {
      const program = machine.current(running.program);
      if (program) this.stands(running, program, 'paused', WENT_BACK);
    } else if (own.length > 0) running.control?.stopped(running.state);
  }

  /**
   * Takes the example back to where it had passed `points` points. What other programs did between its
   * steps before that stays; all later is forgotten.
   */
  async rewind(points: number, why: string): Promise<ExampleState | undefined> {
    const { running } = this;
    const { machine } = this.desks;
    const source = running && this.desks.current.sources.get(running.program);
    if (!running || !source) return running?.state;
    const own = machine.steps.flatMap((step, index) =>
      step.program === running.program && index < machine.position ? [{ index, points: step.points }] : [],
    );
    let passed = 0;
    let next = 0;
    for (const step of own) {
      if (passed + step.points > points) break;
      passed += step.points;
      next++;
    }
    if (own[0] && own[0].index < machine.oldest)
      throw new RangeError('so far back the journal of the machine does not reach any more');
    const later = own[next];
    if (later) machine.travel(later.index);
    let program = next > 0 ? machine.current(running.program) : undefined;
    if (!program || program.isOver) {
      const old = machine.program(running.program);
      if (old && !old.isOver) machine.stop(old);
      program = this.runner.begin(source).program;
      running.program = program.id;
    }
    const again = program;
    running.pauseRequested = false;
    if (again.points < points) {
      running.state = { ...running.state, status: 'running', why: '' };
      await this.runner.drive(again, { shouldPause: () => again.points >= points, quietly: true });
    }
    const at = again.base?.span?.start;
    for (const after of [...running.shown]) if (at === undefined || after >= at) running.shown.delete(after);
    const status = again.isOver ? endOf(again) : again.status === 'waiting' ? 'waiting' : 'paused';
    this.stands(running, again, status, why);
    return running.state;
  }

  /** Takes back all it did. */
  undo(): void {
    const { running } = this;
    const { machine } = this.desks;
    if (!running) return;
    this.end();
    const first = machine.steps.findIndex((step) => step.program === running.program);
    if (first >= 0 && first < machine.position) machine.travel(first);
    this.touch();
  }

  /** Something that is done to the program as it stands; the programs that this makes are kept with the session. */
  change(frame: number, text: string, run: (machine: Machine, program: Program) => Evaluation): Evaluation {
    const { machine, sources } = this.desks.current;
    const program = this.running && machine.current(this.running.program);
    if (!program) return { ok: false, message: 'Nothing stands here any more.', notes: [] };
    const before = machine.steps.length;
    const result = run(machine, program);
    for (const step of machine.steps.slice(before))
      if (!sources.has(step.program))
        sources.set(step.program, { kind: 'evaluation', program: program.id, frame, text });
    this.touch();
    return result;
  }

  /** A function of a file. */
  async runFile(request: FileRequest, control?: RunControl): Promise<ExampleState> {
    this.end();
    this.desks.makeRoom(
      request.machine === this.desks.machine.config.name ? undefined : request.machine,
      request.release,
    );
    const source: ProgramSource = { kind: 'file', file: request.file };
    const state: ExampleState = {
      sceneId: `function:${request.file.entry ?? ''}`,
      uri: request.uri,
      blockStart: 0,
      status: 'running',
      why: '',
    };
    const text = exampleText(request.file.text, { id: '', title: '' });
    return await this.start(source, { state, text, request: undefined, toDocument: (offset) => offset }, control);
  }
}

export const isOver = ({ status }: ExampleState): boolean =>
  status === 'done' || status === 'failed' || status === 'stopped';

const endOf = (program: Program): 'failed' | 'stopped' | 'done' =>
  program.status === 'failed' ? 'failed' : program.status === 'stopped' ? 'stopped' : 'done';

function whyItEnded(program: Program, machine: Machine, logged: number): string {
  if (program.error) return whyItFailed(program, machine, logged);
  return program.status === 'stopped' ? 'stopped by the reader' : 'ran to its end';
}
