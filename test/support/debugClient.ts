/** A debugger's user interface for tests: sends requests, notes what comes back, one line each. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { DebugCore } from '../../extension/debug/core.ts';
import { positionIn } from '../../extension/debug/frames.ts';
import type { Launch, LaunchArguments } from '../../extension/debug/launch.ts';
import type { Event, Outgoing, Response, StackFrame, Variable } from '../../extension/debug/protocol.ts';
import type { Session } from '../../extension/session/types.ts';
import { newSession } from './sessions.ts';

export interface Opened {
  readonly session: Session;
  /** Documents by URI. */
  readonly texts: Readonly<Record<string, string>>;
  resolve(args: LaunchArguments): Launch | Promise<Launch>;
}

const PATIENCE_MS = 20_000;

export class Client {
  readonly log: string[] = [];
  readonly core: DebugCore;
  readonly session: Session;
  resolve: Opened['resolve'];
  private readonly received: Outgoing[] = [];
  private seen = 0;
  private seq = 1;

  constructor({ session, texts, resolve }: Opened) {
    this.session = session;
    this.resolve = resolve;
    this.core = new DebugCore({
      session: () => session,
      resolve: async (args) => await this.resolve(args),
      send: (message) => void this.received.push(message),
      uriOf: (path) => `file://${path}`,
      pathOf: (uri) => uri.replace('file://', ''),
      nameOf: (uri) => uri.split('/').at(-1) ?? uri,
      positionOf: (uri, offset) => positionIn(texts[uri] ?? '', offset),
      prose: async () => undefined,
      show: async (work) => await work(session),
    });
  }

  asked(): number {
    return this.seq - 1;
  }
  answers(): number {
    return this.received.filter(({ type }) => type === 'response').length;
  }

  /** The response, without a line of the log. */
  async ask(command: string, args: unknown = {}): Promise<Response> {
    const seq = this.seq++;
    const going = this.core.handle({ seq, type: 'request', command, arguments: args });
    const began = performance.now();
    for (;;) {
      const found = this.received.find(
        (message): message is Response => message.type === 'response' && message.request_seq === seq,
      );
      if (found) return found;
      if (performance.now() - began > PATIENCE_MS) throw new Error(`${command} was not answered`);
      await Promise.race([going, new Promise((resolve) => setTimeout(resolve, 5))]);
    }
  }

  async body<T>(command: string, args: unknown = {}): Promise<T> {
    const { success, body, message } = await this.ask(command, args);
    if (!success) throw new Error(`${command}: ${message}`);
    return body as T;
  }

  /** A request, its outcome, and the events up to one that says where it stands now. */
  async go(command: string, args: unknown = {}): Promise<void> {
    this.note(`> ${command}${shown(args)}`);
    const { success, message } = await this.ask(command, args);
    if (!success) return this.note(`< ${message}`);
    await this.untilStands();
  }

  /** A request and what it answers. */
  async tell(command: string, args: unknown = {}): Promise<void> {
    this.note(`> ${command}${shown(args)}`);
    const { success, message, body } = await this.ask(command, args);
    this.note(success ? `< ${body === undefined ? 'done' : JSON.stringify(body)}` : `< ${message}`);
  }

  async untilStands(): Promise<void> {
    const began = performance.now();
    for (;;) {
      const event = this.nextEvent();
      if (!event) {
        if (performance.now() - began > PATIENCE_MS) throw new Error('it neither stopped nor ended');
        await new Promise((resolve) => setTimeout(resolve, 2));
        continue;
      }
      this.noteEvent(event);
      if (event.event === 'terminated') return;
      if (event.event === 'stopped') return await this.where();
    }
  }

  /** Events that came meanwhile. */
  catchUp(): void {
    for (let event = this.nextEvent(); event; event = this.nextEvent()) this.noteEvent(event);
  }

  private nextEvent(): Event | undefined {
    while (this.seen < this.received.length) {
      const message = this.received[this.seen++];
      if (message?.type === 'event') return message;
    }
    return undefined;
  }

  private noteEvent({ event, body }: Event): void {
    const { category, output, reason, description, text, hitBreakpointIds } = (body ?? {}) as Record<string, unknown>;
    if (event === 'output') this.note(`  ${category}: ${String(output).trimEnd()}`);
    else if (event === 'stopped')
      this.note(
        `  stopped: ${reason}, ${description}${text === undefined ? '' : `: ${text}`}${hitBreakpointIds === undefined ? '' : ` ${JSON.stringify(hitBreakpointIds)}`}`,
      );
    else if (event !== 'initialized') this.note(`  ${event}`);
  }

  async frames(): Promise<StackFrame[]> {
    return (await this.body<{ stackFrames: StackFrame[] }>('stackTrace', { threadId: 1 })).stackFrames;
  }

  async where(): Promise<void> {
    for (const { name, source, line, column } of await this.frames())
      this.note(`    ${name}${source?.path === undefined ? '' : ` ${source.name}:${line}:${column}`}`);
  }

  async scope(name: string, frame = 0): Promise<number> {
    const id = (await this.frames())[frame]?.id;
    const { scopes } = await this.body<{ scopes: { name: string; variablesReference: number }[] }>('scopes', {
      frameId: id,
    });
    return scopes.find((scope) => scope.name === name)?.variablesReference ?? 0;
  }

  async variables(reference: number, more: object = {}): Promise<Variable[]> {
    return (await this.body<{ variables: Variable[] }>('variables', { variablesReference: reference, ...more }))
      .variables;
  }

  /** What is below a scope, along the names of a path. */
  async at(scope: string, ...path: string[]): Promise<Variable[]> {
    let found = await this.variables(await this.scope(scope));
    for (const name of path) {
      const one = found.find((each) => each.name === name);
      if (!one || one.variablesReference === 0) throw new Error(`there is no ${name} with anything in it`);
      found = await this.variables(one.variablesReference);
    }
    return found;
  }

  /** The reference of what a path leads to. */
  async reference(scope: string, ...path: string[]): Promise<number> {
    const last = path.at(-1);
    const found = await this.at(scope, ...path.slice(0, -1));
    return found.find((each) => each.name === last)?.variablesReference ?? 0;
  }

  async show(scope: string, ...path: string[]): Promise<void> {
    this.note(`> ${[scope, ...path].join(' › ')}`);
    for (const { name, value, type } of await this.at(scope, ...path))
      this.note(`    ${name} = ${value}${type === undefined ? '' : ` (${type})`}`);
  }

  async evaluate(expression: string, context = 'watch'): Promise<void> {
    const { success, message, body } = await this.ask('evaluate', { expression, context });
    const { result } = (body ?? {}) as { result?: string };
    this.note(`> ${context} ${expression}\n    ${success ? result : `failed: ${message}`}`);
    this.catchUp();
  }

  async start(
    args: object,
    breakpoints: { path?: string; lines?: unknown[]; functions?: string[] } = {},
  ): Promise<void> {
    await this.ask('initialize', { adapterID: 'zonescope' });
    this.note(`> launch${shown(args)}`);
    const { success, message } = await this.ask('launch', args);
    if (!success) return this.note(`< ${message}`);
    const { path, lines = [], functions = [] } = breakpoints;
    if (path !== undefined) await this.tell('setBreakpoints', { source: { path }, breakpoints: lines });
    if (functions.length > 0)
      await this.tell('setFunctionBreakpoints', { breakpoints: functions.map((name) => ({ name })) });
    await this.go('configurationDone');
  }

  note(line: string): void {
    this.log.push(line);
  }
}

const shown = (args: unknown): string => {
  const text = JSON.stringify(args);
  return text === '{}' ? '' : ` ${text}`;
};

/** A session made of what another one kept. */
export const restored = (kept: ReadonlyMap<string, string>): Session =>
  newSession({ storage: { get: (key) => kept.get(key), set: () => undefined } }).session;

/** Holds a transcript against the one that is kept. Without one it is written, unless this is where it must be there. */
export function expectTranscript(name: string, { log }: Client): void {
  const path = join(import.meta.dirname, '../golden/debug', `${name}.txt`);
  const text = `${log.join('\n')}\n`;
  if (process.env.UPDATE_GOLDEN === '1' || (!existsSync(path) && process.env.CI === undefined)) {
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, text);
    return;
  }
  expect(existsSync(path) ? readFileSync(path, 'utf8') : `there is no ${path}`).toBe(text);
}
