/** The reader's session, made when something first needs it: the engine costs nothing until then. */
import * as vscode from 'vscode';
import type { Release } from '../sim/index.ts';
import { RELEASES } from '../sim/index.ts';
import type { Platform } from './platform.ts';
import type { Reporter } from './report.ts';
import type { Session } from './session/types.ts';

export interface SessionOptions {
  storage: { get(key: string): string | undefined; set(key: string, value: string): Thenable<void> | void };
  clock: { now(): number; breathe(): Promise<void> };
}

export interface PfnRange {
  startPfn: number;
  endPfn: number;
}

const PREFIX = 'session.';

export const isRelease = (text: unknown): text is Release => RELEASES.some((release) => release === text);

export class ReaderSession implements vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<void>();
  private readonly revealed = new vscode.EventEmitter<PfnRange>();
  /** After every change, and when the session comes into being. */
  readonly onDidChange = this.changed.event;
  readonly onDidReveal = this.revealed.event;
  private current: Session | undefined;
  private previous: Release | undefined;
  private readonly state: vscode.Memento;
  private readonly platform: Platform;
  private readonly report: Reporter;
  private readonly create: (options: SessionOptions) => Session;

  constructor(
    state: vscode.Memento,
    platform: Platform,
    report: Reporter,
    create: (options: SessionOptions) => Session,
  ) {
    this.state = state;
    this.platform = platform;
    this.report = report;
    this.create = create;
  }

  /** The session if there is one already. */
  get existing(): Session | undefined {
    return this.current;
  }

  /** Whether a window before this one left a session behind. */
  get isSaved(): boolean {
    return this.state.keys().some((key) => key.startsWith(PREFIX) && this.state.get(key) !== undefined);
  }

  get(): Session {
    if (this.current !== undefined) return this.current;
    const began = this.platform.now();
    const isSaved = this.isSaved;
    const session = this.create({
      storage: {
        get: (key) => this.state.get<string>(PREFIX + key),
        set: (key, value) => this.state.update(PREFIX + key, value),
      },
      clock: { now: () => this.platform.now(), breathe: () => this.platform.breathe() },
    });
    this.current = session;
    if (!isSaved) this.configure(session);
    session.onDidChange(() => this.changed.fire());
    session.onDidReveal((range) => this.revealed.fire(range));
    this.report.log.info(
      `machine ${session.machineName}, release ${session.release}: ready in ${Math.round(this.platform.now() - began)} ms`,
    );
    // Whoever asked may be in the middle of drawing.
    queueMicrotask(() => this.changed.fire());
    return session;
  }

  /** A new session is on the machine and release of the settings. */
  private configure(session: Session): void {
    const settings = vscode.workspace.getConfiguration('zonescope');
    const machine = settings.get<string>('machine', '');
    if (machine !== '' && machine !== session.machineName) {
      const { problems } = session.chooseMachine({ preset: machine });
      if (problems.length > 0) {
        this.report.log.warn(`setting zonescope.machine: ${problems.join('; ')}`);
        const names = session.machines().map(({ name }) => name);
        void vscode.window.showWarningMessage(
          `The setting zonescope.machine names "${machine}", which is no machine. It can be ${names.join(', ')}. ` +
            `The machine in use is ${session.machineName}.`,
        );
      }
    }
    const release = settings.get<string>('release', '');
    if (release === '' || release === session.release) return;
    if (isRelease(release)) session.chooseRelease(release);
    else
      void vscode.window.showWarningMessage(
        `The setting zonescope.release is "${release}", which is no release from ${RELEASES[0]} to ${RELEASES.at(-1)}. ` +
          `The release in use is ${session.release}.`,
      );
  }

  /** The release to go back to after a text of other releases was run. */
  get releaseBefore(): Release | undefined {
    return this.previous === this.current?.release ? undefined : this.previous;
  }

  /** Chooses the release a text is of; `releaseBefore` remembers the one it was. */
  switchRelease(release: Release): void {
    const session = this.get();
    const before = session.release;
    if (before === release) return;
    session.chooseRelease(release);
    this.rememberRelease(before);
  }

  rememberRelease(release: Release | undefined): void {
    this.previous = release;
    this.changed.fire();
  }

  dispose(): void {
    this.current?.dispose();
    this.changed.dispose();
    this.revealed.dispose();
  }
}
