/**
 * A debug session: requests in, responses and events out. Knows the protocol and the reader's session, and neither
 * vscode nor files. Every request is answered, whatever it holds.
 */
import { evaluateInFrame, functionsOf, isShellLine, textOf } from '../../sim/index.ts';
import { exampleText } from '../session/example.ts';
import { variantOfScene } from '../session/running.ts';
import type { Debuggee, ExampleState, Session } from '../session/types.ts';
import { Breakpoints, type RunningText } from './breakpoints.ts';
import { completions } from './completions.ts';
import { framesOf, type Places, stackFrame, VirtualTexts } from './frames.ts';
import { type Launch, type LaunchArguments, launchArguments } from './launch.ts';
import { base64 } from './memory.ts';
import {
  CAPABILITIES,
  type Fields,
  fieldsOf,
  listOf,
  needNumber,
  needText,
  numberIn,
  type Outgoing,
  RequestError,
  textIn,
  textsIn,
} from './protocol.ts';
import { statementsOf } from './statements.ts';
import { dataTitle, dataValue, type Mode, Steering, type StopInfo, variableKey } from './steering.ts';
import { Variables } from './variables.ts';

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
type Handler = (fields: Fields) => unknown;

export class DebugCore {
  private readonly parts: DebugParts;
  private readonly steering: Steering;
  private readonly breakpoints: Breakpoints;
  private readonly variables = new Variables();
  private readonly texts = new VirtualTexts();
  private seq = 1;
  private args: LaunchArguments | undefined;
  private launch: Launch | undefined;
  private text: RunningText | undefined;
  private state: ExampleState | undefined;
  private isConfigured = false;
  private isTold = false;
  private hasEnded = false;
  private isMoving = false;
  private printed = 0;
  private logged = 0;
  private begun: Promise<unknown> | undefined;

  constructor(parts: DebugParts) {
    this.parts = parts;
    this.steering = new Steering({
      stopped: (state, stop) => this.stopped(state, stop),
      resumed: () => this.resumed(),
      say: (text) => this.say(`${text}\n`),
    });
    this.breakpoints = new Breakpoints(this.steering);
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
      const body = await handler(fieldsOf(request.arguments));
      answer(true, body === undefined ? {} : { body });
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      answer(false, {
        message: text,
        body: { error: { id: 1, format: '{text}', variables: { text }, showUser: command === 'launch' } },
      });
    }
    const after = this.after;
    this.after = undefined;
    if (after) await this.begin(after);
  }

  /** What goes on once a request is answered: the answer comes first. */
  private after: (() => Promise<unknown>) | undefined;

  private async begin(work: () => Promise<unknown>): Promise<void> {
    try {
      this.begun = work();
      await this.begun;
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
      this.after = () => this.run();
    },
    setBreakpoints: (fields) => this.onSetBreakpoints(fields),
    setFunctionBreakpoints: ({ breakpoints }) => ({
      breakpoints: this.breakpoints.setFunctions(breakpoints, this.parts.session().debuggee?.machine),
    }),
    setDataBreakpoints: ({ breakpoints }) => {
      const debuggee = this.isStanding() ? this.parts.session().debuggee : undefined;
      return { breakpoints: this.breakpoints.setData(breakpoints, debuggee?.machine, debuggee?.program) };
    },
    dataBreakpointInfo: (fields) => this.onDataInfo(fields),
    setExceptionBreakpoints: (fields) => this.onExceptions(fields),
    breakpointLocations: (fields) => this.onLocations(fields),
    threads: () => ({ threads: [{ id: THREAD, name: this.nameOfThread() }] }),
    stackTrace: (fields) => this.onStackTrace(fields),
    scopes: (fields) => this.onScopes(fields),
    variables: (fields) => this.onVariables(fields),
    source: (fields) => {
      const reference =
        numberIn(fields, 'sourceReference') ?? numberIn(fieldsOf(fields.source), 'sourceReference') ?? 0;
      const content = this.texts.text(reference);
      if (content === undefined) throw new RequestError('There is no such text.');
      return { content };
    },
    evaluate: (fields) => this.onEvaluate(fields),
    completions: (fields) => this.onCompletions(fields),
    setVariable: (fields) => this.onSetVariable(fields),
    setExpression: (fields) => this.onSetExpression(fields),
    readMemory: (fields) => this.onReadMemory(fields),
    exceptionInfo: () => ({
      exceptionId: this.told?.description ?? 'stopped',
      description: this.told?.text ?? this.state?.why ?? '',
      breakMode: 'always',
    }),
    continue: () => {
      this.go({ kind: 'run' });
      return { allThreadsContinued: true };
    },
    next: () => this.go(this.over()),
    stepIn: () => this.go({ kind: 'in' }),
    stepOut: () => this.go({ kind: 'out', depth: this.standing().program.frames.length }),
    stepBack: () => this.back(),
    reverseContinue: () => this.reverse(),
    restartFrame: (fields) => this.restartFrame(needNumber(fields, 'frameId')),
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
    this.text = this.textOf(this.launch);
    this.event('initialized');
  }

  /** The statements one can stop at. */
  private textOf(launch: Launch): RunningText | undefined {
    if (launch.kind === 'lines') return undefined;
    const uri = launch.request.uri;
    if (launch.kind === 'file') {
      const { text } = launch.request.file;
      const own = new Set(functionsOf(text).map(({ name }) => name));
      this.breakpoints.isOwn = (name) => own.has(name);
      return {
        uri,
        statements: statementsOf(text, 'file'),
        lineOf: (offset) => this.parts.positionOf(uri, offset).line,
      };
    }
    const { request } = launch;
    const { text, toBlock, isInserted } = exampleText(request.text, variantOfScene(request));
    const own = new Set(functionsOf(text).map(({ name }) => name));
    this.breakpoints.isOwn = (name) => own.has(name);
    return {
      uri,
      statements: statementsOf(text, 'block').filter(({ start }) => !isInserted(start)),
      lineOf: (offset) => this.parts.positionOf(uri, request.toDocument(toBlock(offset))).line,
    };
  }

  private async run(): Promise<void> {
    const { launch, args, steering } = this;
    if (!launch) return;
    const session = this.parts.session();
    steering.history.clear();
    steering.mode = args?.stopOnEntry && !args.noDebug ? { kind: 'in' } : { kind: 'run' };
    if (args?.noDebug) steering.mute();
    steering.isOwnText = () => this.isOwnText();
    this.printed = 0;
    steering.preparedLines = 0;
    this.logged = session.debuggee?.machine.kernel.state.log.length ?? -1;
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

  private async restart(fields: Fields): Promise<void> {
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
    this.text = this.textOf(this.launch);
    if (before !== this.text?.uri) this.steering.lines = [];
    this.hasEnded = false;
    this.after = () => this.run();
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
    this.variables.clear();
    const debuggee = this.parts.session().debuggee;
    if (debuggee?.program.base) this.steering.remember(debuggee.machine, debuggee.program);
    // The lens, or a command in the shell, has it go on: the client has not asked.
    if (wasStanding && !this.isTold) this.event('continued', { threadId: THREAD, allThreadsContinued: true });
    this.isTold = false;
  }

  private stopped(state: ExampleState, stop: StopInfo | undefined): void {
    this.state = state;
    if (this.isTold && state.status === 'stopped') return;
    this.isMoving = false;
    this.variables.clear();
    this.tellOutput();
    if (state.status === 'paused') this.tellStop(stop ?? { reason: 'pause', description: 'Paused', text: state.why });
    else if (state.status === 'waiting') this.tellStop({ reason: 'pause', description: 'Waiting', text: state.why });
    else if (state.status === 'failed') this.tellFailure(state);
    else {
      if (state.status === 'done') this.tellValue();
      this.end();
    }
  }

  /** What it failed of can be looked at, and one can step back from it. */
  private tellFailure({ why }: ExampleState): void {
    this.say(`${why}\n`, 'stderr');
    const hasBegun = this.parts.session().debuggee?.program.base !== undefined;
    if (this.stopsAtFailure && !this.args?.noDebug && hasBegun)
      this.tellStop({ reason: 'exception', description: 'It cannot go on', text: why });
    else this.end();
  }
  private stopsAtFailure = true;

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

  /** What it printed since it stood the last time, and what the kernel said. */
  private tellOutput(): void {
    const debuggee = this.parts.session().debuggee;
    if (!debuggee) return;
    const { output } = debuggee.program;
    if (this.printed > output.length) this.printed = 0;
    for (const line of output.slice(Math.max(this.printed, this.steering.preparedLines)))
      this.say(`${line}\n`, 'stdout');
    this.printed = output.length;
    const { log } = debuggee.machine.kernel.state;
    if (this.logged < 0 || this.logged > log.length) this.logged = log.length;
    for (const { text, warn } of log.slice(this.logged)) this.say(`${warn ? 'WARNING: ' : ''}${text}\n`, 'stdout');
    this.logged = log.length;
  }

  private tellValue(): void {
    const debuggee = this.parts.session().debuggee;
    const value = debuggee?.program.value;
    if (!debuggee || !value || value.kind === 'void') return;
    const slot = value.kind === 'integer' ? value.value : value.kind === 'aggregate' ? value.object : value;
    this.say(`returned ${textOf(debuggee.machine, { slot, type: value.kind === 'integer' ? value.type : '' })}\n`);
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

  private nameOfThread(): string {
    const label = this.parts.session().debuggee?.program.spec.label ?? 'example';
    return this.state?.status === 'waiting' ? `${label} (waiting)` : label;
  }

  /* ---- going ---- */

  private over(): Mode {
    const { program } = this.standing();
    return { kind: 'over', depth: program.frames.length, inKernel: program.frames.at(-1)?.kind === 'kernel' };
  }

  private go(mode: Mode): void {
    this.standing();
    this.steering.mode = mode;
    this.isTold = true;
    if (this.state?.status === 'failed') {
      this.after = async () => this.end();
      return;
    }
    this.isMoving = true;
    this.after = () => this.parts.session().continueExample();
  }

  /** Back to a point that was passed; without one, it stays where it is and says so. */
  private goBackTo(points: number | undefined, stop: StopInfo): void {
    this.isTold = true;
    if (points === undefined) {
      this.after = async () => {
        this.isTold = false;
        this.tellStop({ ...stop, text: 'This is its first statement: there is nothing before it.' });
      };
      return;
    }
    this.steering.mode = { kind: 'run' };
    this.steering.history.cut(points);
    this.isMoving = true;
    this.variables.clear();
    this.after = async () => {
      this.steering.stop = stop;
      await this.parts.session().rewindExample(points, 'you went back; Continue runs it again from here');
      this.isTold = false;
    };
  }

  private back(): void {
    const { program } = this.standing();
    const depth = Math.max(1, program.frames.length);
    const isBase = program.frames.length === 0;
    const passed = this.steering.history.before(program.points, (one) => !one.isCall && (isBase || one.depth <= depth));
    this.goBackTo(passed?.points, { reason: 'step', description: 'Step back' });
  }

  private reverse(): void {
    const { program } = this.standing();
    const starts = new Set(this.steering.lines.map(({ start }) => start));
    const passed = this.steering.history.before(program.points, (one) => !one.isCall && starts.has(one.start));
    const first = this.steering.history.first();
    const points = passed?.points ?? (first && first.points < program.points ? first.points : undefined);
    this.goBackTo(
      points,
      passed
        ? { reason: 'breakpoint', description: 'Breakpoint, backwards' }
        : { reason: 'entry', description: 'At its beginning' },
    );
  }

  private restartFrame(frameId: number): void {
    const { program } = this.standing();
    const index = frameId - 2;
    if (index < 0 || index >= program.frames.length) throw new RequestError('This frame cannot be restarted.');
    const { call, statement } = this.steering.history.entryOf(program.points, index + 1);
    const points = program.frames[index]?.kind === 'kernel' ? call?.points : statement?.points;
    this.goBackTo(points, { reason: 'restart', description: 'Frame restarted' });
  }

  /* ---- breakpoints ---- */

  private onSetBreakpoints(fields: Fields): unknown {
    const source = fieldsOf(fields.source);
    const path = textIn(source, 'path');
    const given = fields.breakpoints ?? listOf(fields.lines).map((line) => ({ line }));
    if (path === undefined)
      return {
        breakpoints: listOf(given).map(() => ({
          id: 0,
          verified: false,
          message: 'One cannot stop in this text by its lines; step instead.',
        })),
      };
    return { breakpoints: this.breakpoints.setLines(this.parts.uriOf(path), given, this.text) };
  }

  private onLocations(fields: Fields): unknown {
    const path = textIn(fieldsOf(fields.source), 'path');
    const from = needNumber(fields, 'line');
    const to = numberIn(fields, 'endLine') ?? from;
    const { text } = this;
    if (!text || path === undefined || this.parts.uriOf(path) !== text.uri) return { breakpoints: [] };
    const lines = new Set(text.statements.map(({ start }) => text.lineOf(start)));
    return { breakpoints: [...lines].filter((line) => line >= from && line <= to).map((line) => ({ line })) };
  }

  private onExceptions(fields: Fields): unknown {
    const options = listOf(fields.filterOptions).map(fieldsOf);
    const chosen = new Map<string, string>(textsIn(fields, 'filters').map((filter) => [filter, '']));
    for (const option of options) chosen.set(textIn(option, 'filterId') ?? '', textIn(option, 'condition') ?? '');
    this.stopsAtFailure = chosen.has('stop');
    this.steering.stopsAtWarnings = chosen.has('warn');
    const errno = chosen.get('errno');
    this.steering.errnos = errno === undefined ? undefined : new Set(errno.toUpperCase().match(/E[A-Z0-9]+/g) ?? []);
    return { breakpoints: [...textsIn(fields, 'filters'), ...options].map(() => ({ verified: true })) };
  }

  private onDataInfo(fields: Fields): unknown {
    const debuggee = this.standing();
    const name = needText(fields, 'name');
    const reference = numberIn(fields, 'variablesReference') ?? 0;
    const frame = (numberIn(fields, 'frameId') ?? 0) - 2;
    const child =
      reference > 0
        ? this.variables
            .children(debuggee, reference, indexIn(name) ?? 0, indexIn(name) === undefined ? undefined : 1)
            ?.find((each) => each.name === name)
        : undefined;
    const top = debuggee.program.frames.length - 1;
    const index = frame >= 0 ? frame : top;
    const key =
      reference > 0
        ? child?.watch
        : /^(page|pte|zone):/.test(name)
          ? name
          : variableKey(index, debuggee.program.frames[index]?.name ?? '', name);
    const now = key === undefined ? undefined : dataValue(key, debuggee.machine, debuggee.program);
    if (key === undefined || now === undefined) return { dataId: null, description: `${name} cannot be watched.` };
    return {
      dataId: key,
      description: `${dataTitle(key)}, now ${now}`,
      accessTypes: ['write'],
      canPersist: !key.startsWith('var:'),
    };
  }

  /* ---- looking ---- */

  private onStackTrace(fields: Fields): unknown {
    const debuggee = this.standing();
    const all = framesOf(debuggee);
    const start = Math.max(0, numberIn(fields, 'startFrame') ?? 0);
    const levels = numberIn(fields, 'levels') ?? 0;
    const shown = all.slice(start, levels > 0 ? start + levels : undefined);
    const lines = this.launch?.kind === 'lines' ? this.linesOf(this.launch) : undefined;
    return {
      stackFrames: shown.map((view) => stackFrame(view, debuggee, this.parts, this.texts, lines)),
      totalFrames: all.length,
    };
  }

  /** The shell lines of a scene, as its script counts them. */
  private linesOf({ scene }: Extract<Launch, { kind: 'lines' }>): string[] {
    return [...(scene.setup ?? []), ...(scene.run ?? [])].flatMap((entry) =>
      typeof entry === 'string' ? [entry] : 'pause' in entry ? [] : Object.values(entry).slice(-1),
    );
  }

  private onScopes(fields: Fields): unknown {
    const debuggee = this.standing();
    const frame = needNumber(fields, 'frameId') - 2;
    const { returned } = this.steering;
    const isTop = frame === debuggee.program.frames.length - 1;
    const row = isTop && returned ? { name: returned.name, value: returned.value } : undefined;
    return { scopes: this.variables.scopes(debuggee, frame, () => this.parts.session().tree(), row) };
  }

  private onVariables(fields: Fields): unknown {
    const debuggee = this.standing();
    const start = Math.max(0, numberIn(fields, 'start') ?? 0);
    const children = this.variables.children(
      debuggee,
      needNumber(fields, 'variablesReference'),
      start,
      numberIn(fields, 'count'),
    );
    if (!children) throw new RequestError('The program went on: this is no longer what it holds.');
    const filter = textIn(fields, 'filter');
    const isIndexed = (name: string): boolean => /^\[\d+\]$|^0x/.test(name);
    const kept = children.filter(({ name }) => filter === undefined || (filter === 'indexed') === isIndexed(name));
    return { variables: kept.map(({ watch: _, ...variable }) => variable) };
  }

  private async onEvaluate(fields: Fields): Promise<unknown> {
    const expression = needText(fields, 'expression');
    const context = textIn(fields, 'context') ?? 'watch';
    const debuggee = this.standing();
    const id = numberIn(fields, 'frameId');
    const frame = id === undefined ? debuggee.program.frames.length - 1 : id - 2;
    if (context === 'repl') return await this.onCommand(expression, frame);
    const result = evaluateInFrame(debuggee.machine, debuggee.program, frame, expression);
    if (!result.ok) throw new RequestError(result.message);
    return this.shownResult(debuggee, result, expression, frame);
  }

  /** A line of the console: of the shell, or C in the frame. What it changes is a step. */
  private async onCommand(text: string, frame: number): Promise<unknown> {
    const session = this.parts.session();
    if (text.trim() === '') return { result: '', variablesReference: 0 };
    if (isShellLine(text)) {
      const { output, value, printk = [], blockedOn } = await session.runLine(text);
      this.variables.clear();
      const waits = blockedOn ? [`waits for ${blockedOn.what}: held by ${blockedOn.holders.join(', ')}`] : [];
      this.logged = this.parts.session().debuggee?.machine.kernel.state.log.length ?? -1;
      this.event('invalidated', { areas: ['variables'] });
      const lines = [output || value || '', ...printk, ...waits].filter((line) => line !== '');
      return { result: lines.join('\n'), variablesReference: 0 };
    }
    const result = await session.evaluateInExample(frame, text);
    for (const note of result.notes) this.say(`${note}\n`);
    if (!result.ok) throw new RequestError(result.message);
    if (result.changed) {
      this.variables.clear();
      this.event('invalidated', { areas: ['variables'] });
    }
    const isExpression = !/;\s*$/.test(text);
    const debuggee = this.standing();
    return this.shownResult(debuggee, result, isExpression && !result.changed ? text : undefined, frame);
  }

  private shownResult(
    debuggee: Debuggee,
    result: Extract<ReturnType<typeof evaluateInFrame>, { ok: true }>,
    expression: string | undefined,
    frame: number,
  ): unknown {
    const { value } = result;
    if (value.kind === 'void') return { result: '', type: 'void', variablesReference: 0 };
    const slot = value.kind === 'integer' ? value.value : value.kind === 'aggregate' ? value.object : value;
    const {
      value: text,
      evaluateName: _,
      ...shown
    } = this.variables.shown(debuggee, { slot, type: result.type }, expression, frame);
    return { result: value.kind === 'integer' && value.type === 'bool' ? result.text : text, ...shown };
  }

  private async onSetVariable(fields: Fields): Promise<unknown> {
    this.standing();
    const place = this.variables.placeOf(needNumber(fields, 'variablesReference'), needText(fields, 'name'));
    if (!place) throw new RequestError('This is no variable of C: it cannot be set here.');
    return await this.set(place.frame, place.expression, needText(fields, 'value'), 'value');
  }

  private async onSetExpression(fields: Fields): Promise<unknown> {
    const { program } = this.standing();
    const id = numberIn(fields, 'frameId');
    const frame = id === undefined ? program.frames.length - 1 : id - 2;
    return await this.set(frame, needText(fields, 'expression'), needText(fields, 'value'), 'value');
  }

  private async set(frame: number, place: string, value: string, key: string): Promise<unknown> {
    const result = await this.parts.session().setInExample(frame, place, value);
    if (!result.ok) throw new RequestError(result.message);
    const debuggee = this.standing();
    const { result: text, ...more } = this.shownResult(debuggee, result, place, frame) as { result: string };
    this.event('invalidated', { areas: ['variables'] });
    return { [key]: text, ...more };
  }

  private onCompletions(fields: Fields): unknown {
    const text = needText(fields, 'text');
    const column = numberIn(fields, 'column') ?? text.length + 1;
    const debuggee = this.standing();
    const id = numberIn(fields, 'frameId');
    return {
      targets: completions(
        debuggee,
        id === undefined ? debuggee.program.frames.length - 1 : id - 2,
        text.slice(0, column - 1),
      ),
    };
  }

  private onReadMemory(fields: Fields): unknown {
    const { machine } = this.standing();
    const count = needNumber(fields, 'count');
    const offset = numberIn(fields, 'offset') ?? 0;
    const { address, bytes } = this.variables.memory.read(machine, needText(fields, 'memoryReference'), offset, count);
    const missing = count - bytes.length;
    return {
      address,
      ...(missing > 0 ? { unreadableBytes: missing } : {}),
      ...(bytes.length > 0 ? { data: base64(bytes) } : {}),
    };
  }
}

const indexIn = (name: string): number | undefined => {
  const match = /^\[(\d+)\]$/.exec(name);
  return match ? Number(match[1]) : undefined;
};
