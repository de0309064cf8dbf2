/** The reader's session, made when something first needs it: the engine costs nothing until then. */
import * as vscode from 'vscode';
import type { Release } from '../sim/index.ts';
import { RELEASES } from '../sim/index.ts';
import type { Platform } from './platform.ts';
import type { Reporter } from './report.ts';
import type { SessionOptions } from './session/session.ts';
import type { Session } from './session/types.ts';

export interface PfnRange {
  startPfn: number;
  endPfn: number;
}

const PREFIX = 'session.';

const isRelease = (text: unknown): text is Release => RELEASES.some((release) => release === text);

export class ReaderSession implements vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<void>();
  private readonly revealed = new vscode.EventEmitter<PfnRange>();
  /** After every change, and when the session comes into being. */
  readonly onDidChange = this.changed.event;
  readonly onDidReveal = this.revealed.event;
  private current: Session | undefined;
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
    const wanted = isSaved ? {} : this.wanted();
    const session = this.create({
      storage: {
        get: (key) => this.state.get<string>(PREFIX + key),
        set: (key, value) => this.state.update(PREFIX + key, value),
      },
      clock: { now: () => this.platform.now(), breathe: () => this.platform.breathe() },
      ...wanted,
    });
    this.current = session;
    this.checkMachine(wanted.machine, session);
    session.onDidChange(() => this.changed.fire());
    session.onDidReveal((range) => this.revealed.fire(range));
    this.report.log.info(
      `machine ${session.machineName}, release ${session.release}: ready in ${Math.round(this.platform.now() - began)} ms`,
    );
    // Whoever asked may be in the middle of drawing.
    queueMicrotask(() => this.changed.fire());
    return session;
  }

  /** What the settings ask a new session to boot. */
  private wanted(): { machine?: string; release?: Release } {
    const settings = vscode.workspace.getConfiguration('zonescope');
    const machine = settings.get<string>('machine', '');
    const release = settings.get<string>('release', '');
    const isKnown = release === '' || isRelease(release);
    if (!isKnown) {
      const range = `from ${RELEASES[0]} to ${RELEASES.at(-1)}`;
      void vscode.window.showWarningMessage(
        `The setting zonescope.release is "${release}", which is no release ${range}. It is ignored.`,
      );
    }
    return { ...(machine === '' ? {} : { machine }), ...(isRelease(release) ? { release } : {}) };
  }

  private checkMachine(wanted: string | undefined, session: Session): void {
    const names = session.machines().map(({ name }) => name);
    if (wanted === undefined || names.includes(wanted)) return;
    void vscode.window.showWarningMessage(
      `The setting zonescope.machine is "${wanted}", which is no machine. It can be ${names.join(', ')}. ` +
        `The machine in use is ${session.machineName}.`,
    );
  }

  dispose(): void {
    this.current?.dispose();
    this.changed.dispose();
    this.revealed.dispose();
  }
}
