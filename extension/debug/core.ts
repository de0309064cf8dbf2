/**
 * A debug session: requests in, responses and events out. Knows the protocol and the reader's session, and neither
 * vscode nor files. Every request is answered, whatever it holds.
 */
import { textFor } from '../docs/scenes.ts';
import type { Debuggee, ExampleState, Session } from '../session/types.ts';
import { Backwards } from './backwards.ts';
import { BreakpointRequests } from './breakpointRequests.ts';
import { Breakpoints } from './breakpoints.ts';
import { framesOf, type Places } from './frames.ts';
import { type Launch, type LaunchArguments, launchArguments } from './launch.ts';
import { Looking } from './looking.ts';
import { Output } from './output.ts';
import {
  CAPABILITIES,
  type Fields,
  fieldsOf,
  needNumber,
  numberIn,
  type Outgoing,
  RequestError,
  textIn,
} from './protocol.ts';
import { type RunningText, runningText } from './runningText.ts';
import { type Mode, Steering, type StopInfo } from './steering.ts';

export interface DebugParts extends Places {
  session(): Session;
  /** What a launch means; what is wrong with it is thrown, in words for the reader. */
  resolve(args: LaunchArguments): Promise<Launch>;
  send(message: Outgoing): void;
  uriOf(path: string): string;
  /** Words of the kernel's names are there afterwards. */
  prose(): Promise<void>;
  /** Shows where the machine can be watched, and runs what is launched. */
  show(work: (session: Session) => Promise<ExampleState>): Promise<unknown>;
  log?(text: string): void;
}

const THREAD = 1;

/** An answer, and what goes on once it was given: the client hears the answer first. */
class Then {
  readonly work: () => Promise<unknown>;
  readonly body: unknown;

  constructor(work: () => Promise<unknown>, body?: unknown) {
    this.work = work;
    this.body = body;
  }
}

type Handler = (fields: Fields) => unknown;

export class DebugCore {
  private readonly parts: DebugParts;
  private readonly steering: Steering;
  private readonly breakpoints: Breakpoints;
  private readonly looking: Looking;
  private readonly asked: BreakpointRequests;
  private readonly output: Output;
  private readonly backwards: Backwards;
  private seq = 1;
  private args: LaunchArguments | undefined;
  private launch: Launch | undefined;
  private text: RunningText | undefined;
  private state: ExampleState | undefined;
  private isConfigured = false;
  private isTold = false;
  private hasEnded = false;
  /** It is taken back: where it comes to stand is told by whoever does so. */
  private isBack = false;
  private isMoving = false;

  constructor(parts: DebugParts) {
    this.parts = parts;
    this.steering = new Steering({
      stopped: (state, stop) => this.stopped(state, stop),
      resumed: () => this.resumed(),
      say: (text) => this.say(`${text}\n`),
    });
    this.breakpoints = new Breakpoints(this.steering);
    this.asked = new BreakpointRequests(this.breakpoints, this.steering, parts.uriOf, () => this.text);
    this.output = new Output((text, category) => this.say(text, category));
    this.backwards = new Backwards(
      {
        session: parts.session,
        standing: () => this.standing(),
        moves: () => {
          this.isBack = true;
          this.isMoving = true;
          this.looking.clear();
        },
        stands: (stop) => {
          this.isBack = false;
          this.isMoving = false;
          this.tellStop(stop);
        },
      },
      this.steering,
    );
    this.looking = new Looking({
      places: parts,
      session: parts.session,
      standing: () => this.standing(),
      lines: (debuggee) => this.linesOf(debuggee),
      returned: () => this.steering.returned,
      say: (text) => this.say(text),
      event: (event, body) => this.event(event, body),
      hasSeenLog: () => {
        const { debuggee } = parts.session();
        if (debuggee) this.output.hasSeenLog(debuggee);
      },
    });
  }

  /** Answers a message. Never throws, and never leaves a request without its answer. */
  async handle(message: unknown): Promise<void> {
    const request = fieldsOf(message);
    const command = textIn(request, 'command') ?? '';
    const seq = numberIn(request, 'seq') ?? 0;
    if (request.type !== 'request') return;
    const answer = (success: boolean, more: { message?: string; body?: unknown }): void =>
      this.parts.send({ seq: this.seq++, type: 'response', request_seq: seq, success, command, ...more });
    try {
      const handler = Object.hasOwn(this.handlers, command) ? this.handlers[command] : undefined;
      if (!handler) throw new RequestError(`"${command.slice(0, 40)}" is not supported.`);
      const result = await handler(fieldsOf(request.arguments));
      const body = result instanceof Then ? result.body : result;
      answer(true, body === undefined ? {} : { body });
      if (result instanceof Then) await this.begin(result.work);
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      answer(false, {
        message: text,
        body: { error: { id: 1, format: '{text}', variables: { text }, showUser: command === 'launch' } },
      });
    }
  }

  private async begin(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.isMoving = false;
      this.parts.log?.(error instanceof Error ? (error.stack ?? error.message) : String(error));
      this.say(`${error instanceof Error ? error.message : String(error)}\n`, 'stderr');
      this.end();
    }
  }

  private event(event: string, body?: unknown): void {
    this.parts.send({ seq: this.seq++, type: 'event', event, ...(body === undefined ? {} : { body }) });
  }
  private say(output: string, category = 'console'): void {
    this.event('output', { category, output });
  }

  private readonly handlers: Readonly<Record<string, Handler>> = {
    initialize: () => CAPABILITIES,
    launch: (fields) => this.onLaunch(fields),
    attach: () => {
      throw new RequestError('There is nothing to attach to: examples are launched.');
    },
    configurationDone: () => {
      if (!this.launch || this.isConfigured) throw new RequestError('Nothing was launched.');
      this.isConfigured = true;
      return new Then(() => this.run());
    },
    setBreakpoints: (fields) => this.asked.setLines(fields),
    setFunctionBreakpoints: ({ breakpoints }) => ({
      breakpoints: this.breakpoints.setFunctions(
        breakpoints,
        this.parts.session().debuggee?.machine,
        this.text?.functions,
      ),
    }),
    setDataBreakpoints: ({ breakpoints }) => {
      const debuggee = this.isStanding() ? this.parts.session().debuggee : undefined;
      return { breakpoints: this.breakpoints.setData(breakpoints, debuggee?.machine, debuggee?.program) };
    },
    dataBreakpointInfo: (fields) => this.looking.dataInfo(fields),
    setExceptionBreakpoints: (fields) => this.asked.setExceptions(fields),
    breakpointLocations: (fields) => this.asked.locations(fields),
    threads: () => ({ threads: [{ id: THREAD, name: this.nameOfThread() }] }),
    stackTrace: (fields) => this.looking.stackTrace(fields),
    scopes: (fields) => this.looking.scopes(fields),
    variables: (fields) => this.looking.variablesOf(fields),
    source: (fields) => this.looking.source(fields),
    evaluate: (fields) => this.looking.evaluate(fields),
    completions: (fields) => this.looking.completions(fields),
    setVariable: (fields) => this.looking.setVariable(fields),
    setExpression: (fields) => this.looking.setExpression(fields),
    readMemory: (fields) => this.looking.readMemory(fields),
    exceptionInfo: () => ({
      exceptionId: this.told?.description ?? 'stopped',
      description: this.told?.text ?? this.state?.why ?? '',
      breakMode: 'always',
    }),
    continue: () => this.go({ kind: 'run' }, { allThreadsContinued: true }),
    next: () => this.go(this.over()),
    stepIn: () => this.go({ kind: 'in' }),
    stepOut: () => this.go({ kind: 'out', depth: this.standing().program.frames.length }),
    stepBack: () => new Then(this.backwards.step()),
    reverseContinue: () => new Then(this.backwards.toBreakpoint()),
    restartFrame: (fields) => new Then(this.backwards.restartFrame(needNumber(fields, 'frameId'))),
    restart: (fields) => this.restart(fields),
    pause: () => {
      if (this.isMoving) this.parts.session().pauseExample();
    },
    terminate: () => this.stop(),
    disconnect: () => this.stop(),
  };

  /* ---- launching ---- */

  private async onLaunch(fields: Fields): Promise<void> {
    if (this.launch) throw new RequestError('Something was launched already.');
    const args = launchArguments(fields);
    this.launch = await this.parts.resolve(args);
    this.args = args;
    await this.parts.prose().catch(() => undefined);
    this.text = runningText(this.launch, this.parts);
    this.event('initialized');
  }

  private async run(): Promise<void> {
    const { launch, args, steering } = this;
    if (!launch) return;
    steering.history.clear();
    steering.mode = args?.stopOnEntry && !args.noDebug ? { kind: 'in' } : { kind: 'run' };
    if (args?.noDebug) steering.mute();
    steering.isOwnText = () => this.isOwnText();
    steering.preparedLines = 0;
    this.output.begin();
    this.isTold = false;
    await this.parts.show((reader) => {
      if (launch.kind === 'block') return reader.runExample(launch.request, steering);
      if (launch.kind === 'file') return reader.runFile(launch.request, steering);
      return reader.runScene(launch.scene, launch.uri, launch.releases, steering);
    });
  }

  /** Whether the innermost frame runs the launched text itself. */
  private isOwnText(): boolean {
    const debuggee = this.parts.session().debuggee;
    const [top] = debuggee ? framesOf(debuggee) : [];
    return top?.source === 'text';
  }

  private async restart(fields: Fields): Promise<Then> {
    if (!this.launch) throw new RequestError('Nothing was launched.');
    const given = fieldsOf(fields.arguments);
    const args = textIn(given, 'program') === undefined ? this.args : launchArguments(given);
    if (!args) throw new RequestError('Nothing was launched.');
    this.isTold = true;
    this.parts.session().stopExample();
    await this.parts.session().undoExample();
    this.launch = await this.parts.resolve(args);
    this.args = args;
    const before = this.text?.uri;
    this.text = runningText(this.launch, this.parts);
    if (before !== this.text?.uri) this.steering.lines = [];
    this.hasEnded = false;
    return new Then(() => this.run());
  }

  private async stop(): Promise<void> {
    if (!this.launch || this.hasEnded) return;
    this.hasEnded = true;
    if (this.isConfigured) this.parts.session().stopExample();
    this.event('terminated');
  }

  private end(): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    this.event('exited', { exitCode: this.state?.status === 'failed' ? 1 : 0 });
    this.event('terminated');
  }

  /* ---- where it stands ---- */

  private resumed(): void {
    const wasStanding = this.state !== undefined && !this.isMoving;
    this.isMoving = true;
    this.looking.clear();
    const { debuggee } = this.parts.session();
    if (debuggee) this.output.goesOn(debuggee);
    if (debuggee?.program.base) this.steering.remember(debuggee.machine, debuggee.program);
    // The lens, or a command in the shell, has it go on: the client has not asked.
    if (wasStanding && !this.isTold) this.event('continued', { threadId: THREAD, allThreadsContinued: true });
    this.isTold = false;
  }

  private stopped(state: ExampleState, stop: StopInfo | undefined): void {
    this.state = state;
    if (this.isBack || (this.isTold && state.status === 'stopped')) return;
    this.isMoving = false;
    this.looking.clear();
    const { debuggee } = this.parts.session();
    if (debuggee) this.output.tell(debuggee, this.steering.preparedLines);
    if (state.status === 'paused') this.tellStop(stop ?? { reason: 'pause', description: 'Paused', text: state.why });
    else if (state.status === 'waiting') this.tellStop({ reason: 'pause', description: 'Waiting', text: state.why });
    else if (state.status === 'failed') this.tellFailure(state);
    else {
      if (state.status === 'done' && debuggee) this.output.tellValue(debuggee);
      this.end();
    }
  }

  /** What it failed of can be looked at, and one can step back from it. */
  private tellFailure({ why }: ExampleState): void {
    this.say(`${why}\n`, 'stderr');
    const hasBegun = this.parts.session().debuggee?.program.base !== undefined;
    if (this.asked.stopsAtFailure && !this.args?.noDebug && hasBegun)
      this.tellStop({ reason: 'exception', description: 'It cannot go on', text: why });
    else this.end();
  }
  private told: StopInfo | undefined;

  private tellStop(stop: StopInfo): void {
    this.told = stop;
    const { reason, description, text, hit } = stop;
    this.event('stopped', {
      reason,
      description,
      threadId: THREAD,
      allThreadsStopped: true,
      ...(text === undefined ? {} : { text }),
      ...(hit === undefined ? {} : { hitBreakpointIds: hit }),
    });
  }

  private isStanding(): boolean {
    return this.state !== undefined && !this.isMoving && !this.hasEnded && this.state.status !== 'done';
  }

  private standing(): Debuggee {
    if (this.isMoving) throw new RequestError('The program runs.');
    const debuggee = this.isStanding() ? this.parts.session().debuggee : undefined;
    if (!debuggee) throw new RequestError('Nothing stands here to look at.');
    return debuggee;
  }

  /** The shell lines of a scene, as its script counts them. */
  private linesOf({ machine }: Debuggee): string[] | undefined {
    if (this.launch?.kind !== 'lines') return undefined;
    const { setup = [], run = [] } = this.launch.scene;
    return [...setup, ...run].flatMap((entry) =>
      typeof entry === 'object' && 'pause' in entry ? [] : (textFor(entry, machine.release) ?? []),
    );
  }

  private nameOfThread(): string {
    const label = this.parts.session().debuggee?.program.spec.label ?? 'example';
    return this.state?.status === 'waiting' ? `${label} (waiting)` : label;
  }

  /* ---- going ---- */

  private over(): Mode {
    const { program } = this.standing();
    return { kind: 'over', depth: program.frames.length, inKernel: program.frames.at(-1)?.kind === 'kernel' };
  }

  private go(mode: Mode, body?: unknown): Then {
    this.standing();
    this.steering.mode = mode;
    this.isTold = true;
    if (this.state?.status === 'failed') return new Then(async () => this.end(), body);
    this.isMoving = true;
    return new Then(() => this.parts.session().continueExample(), body);
  }
}
