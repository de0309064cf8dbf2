/**
 * The owner of the reader's machine and timeline: the one place commands, lenses and the
 * shell act through. Knows neither vscode nor node; works in slices so that its host
 * stays responsive.
 */
import {
  type Evaluation,
  evaluateInFrame,
  liveValue,
  type PagemapSnapshot,
  type PageView,
  type Position,
  pagemapSnapshot,
  pageView,
  presets,
  RELEASES,
  type Release,
  readMachine,
  setVariable,
  stateTree,
  type Tile,
  type TreeNode,
  tile,
  type ZonesView,
  zonesView,
} from '../../sim/index.ts';
import type { Scene } from '../docs/scenes.ts';
import { configOf, Desks, keepDesk, newDesk, restoreDesk } from './desk.ts';
import { ExampleRunner } from './exampleRunner.ts';
import { runLine } from './lines.ts';
import { Listeners } from './listeners.ts';
import { Runner } from './runner.ts';
import { type ExampleStep, stepsOf } from './running.ts';
import type {
  Debuggee,
  Disposable,
  ExampleRequest,
  ExampleState,
  FileRequest,
  LineResult,
  MachineChoice,
  RunControl,
  Session,
} from './types.ts';

export interface SessionOptions {
  storage: { get(key: string): string | undefined; set(key: string, value: string): unknown };
  clock: { now(): number; breathe(): Promise<void> };
  /** What to boot when nothing was kept. */
  machine?: string;
  release?: Release;
}

const STORAGE_KEY = 'zonescope.session';
const DEFAULT_RELEASE: Release = '6.12';

export function createSession(options: SessionOptions): Session {
  return new ReaderSession(options);
}

class ReaderSession implements Session {
  private readonly options: SessionOptions;
  /** Read by what runs lines. */
  readonly desks: Desks;
  readonly runner: Runner;
  private readonly examples: ExampleRunner;
  private readonly changed = new Listeners<void>();
  private readonly revealed = new Listeners<{ startPfn: number; endPfn: number }>();
  private pending = false;
  private needsSave = false;
  private disposed = false;
  private selectedPfn: number | undefined;

  constructor(options: SessionOptions) {
    this.options = options;
    const restored = restoreDesk(options.storage.get(STORAGE_KEY));
    const first =
      restored?.desk ?? newDesk({ preset: options.machine ?? 'laptop-16g' }, options.release ?? DEFAULT_RELEASE);
    const touch = (): void => this.touch();
    this.desks = new Desks(first, () => this.replaced());
    // While something runs it is shown; kept is what stands, or a long run would write itself down at every breath.
    const show = (): void => this.touch(false);
    this.runner = new Runner({ clock: options.clock, desks: this.desks, touch: show });
    this.examples = new ExampleRunner(this.desks, this.runner, touch);
    this.examples.running = restored?.running;
  }

  /* ---- machines ---- */

  private replaced(): void {
    this.examples.forget();
    this.selectedPfn = undefined;
    this.touch();
  }

  get machineName(): string {
    return this.desks.machine.config.name;
  }
  get isEstimated(): boolean {
    return this.desks.machine.config.estimated;
  }
  get release(): Release {
    return this.desks.machine.release;
  }
  machines(): MachineChoice[] {
    return presets().map(({ name, description }) => ({ name, description }));
  }
  releases(): readonly Release[] {
    return RELEASES;
  }

  chooseMachine(choice: { preset: string } | { json: string; name: string }): { problems: string[] } {
    if ('json' in choice) {
      const result = readMachine(choice.json, choice.name);
      if ('problems' in result)
        return { problems: result.problems.map(({ where, message }) => `${where}: ${message}`) };
    } else if (!configOf(choice)) {
      const names = presets().map((preset) => preset.name);
      return { problems: [`${choice.preset}: no such machine; there are ${names.join(', ')}`] };
    }
    this.desks.choose(choice, this.release);
    return { problems: [] };
  }

  chooseRelease(release: Release): void {
    this.desks.choose(this.desks.current.choice, release);
  }

  reset(): void {
    this.desks.replace(newDesk(this.desks.current.choice, this.release));
  }

  get setAside(): { machine: string; release: Release } | undefined {
    const { aside } = this.desks;
    return aside && { machine: aside.machine.config.name, release: aside.machine.release };
  }
  goBack(): void {
    this.desks.goBack();
  }

  /* ---- what there is to see ---- */

  get position(): Position {
    const { machine, base } = this.desks;
    const { state } = this.examples;
    const paused = state && (state.status === 'paused' || state.status === 'waiting');
    return {
      revision: base + machine.revision,
      step: machine.position,
      steps: machine.steps.length,
      machine: machine.config.name,
      release: machine.release,
      lastStep: machine.lastStep?.label ?? '',
      ...(paused
        ? { paused: { why: state.why, where: this.examples.label, canContinue: state.status === 'paused' } }
        : {}),
    };
  }
  zones(): ZonesView {
    return zonesView(this.desks.machine, this.position);
  }
  pagemap(): PagemapSnapshot {
    return pagemapSnapshot(this.desks.machine, this.position, this.selectedPfn);
  }
  tiles(level: number, indices: readonly number[]): Tile[] {
    const changes = this.desks.machine.lastChanges();
    return indices.map((index) => tile(this.desks.machine, level, index, changes));
  }
  page(pfn: number): PageView {
    return { ...pageView(this.desks.machine, pfn), revision: this.position.revision };
  }
  tree(): TreeNode[] {
    return stateTree(this.desks.machine, this.position);
  }
  live(term: string): string | undefined {
    return liveValue(this.desks.machine, term);
  }
  timeline(from = 0, to?: number): { label: string; current: boolean; undone: boolean; output: readonly string[] }[] {
    const { machine } = this.desks;
    return machine.steps.slice(from, to).map((step, index) => ({
      label: step.label,
      current: from + index === machine.position - 1,
      undone: from + index >= machine.position,
      output: step.output,
    }));
  }

  get selected(): number | undefined {
    return this.selectedPfn;
  }
  select(pfn: number | undefined): void {
    if (pfn === this.selectedPfn) return;
    this.selectedPfn = pfn;
    this.touch(false);
  }
  reveal(range: { startPfn: number; endPfn: number }): void {
    this.revealed.fire(range);
  }
  onDidReveal(listener: (range: { startPfn: number; endPfn: number }) => void): Disposable {
    return this.revealed.add(listener);
  }
  onDidChange(listener: () => void): Disposable {
    return this.changed.add(listener);
  }

  /** Tells everyone once a turn, and keeps the session. */
  private touch(keep = true): void {
    if (keep) this.needsSave = true;
    if (this.pending || this.disposed) return;
    this.pending = true;
    void Promise.resolve().then(() => {
      this.pending = false;
      if (this.disposed) return;
      if (this.needsSave) this.options.storage.set(STORAGE_KEY, keepDesk(this.desks.current, this.examples.running));
      this.needsSave = false;
      this.changed.fire();
    });
  }

  /* ---- running ---- */

  runLine(text: string, isCancelled?: () => boolean): Promise<LineResult> {
    return this.runner.enqueue(async () => {
      const result = await runLine(this, text, this.examples.running?.program, isCancelled);
      if (this.examples.isFreeAgain()) void this.continueExample();
      this.touch();
      return result;
    });
  }

  runExample(request: ExampleRequest, control?: RunControl): Promise<ExampleState> {
    return this.runner.enqueue(() => this.examples.runBlock(request, control));
  }

  runScene(scene: Scene, uri: string, releases?: readonly Release[], control?: RunControl): Promise<ExampleState> {
    return this.runner.enqueue(() => this.examples.runLines(scene, uri, releases, control));
  }

  runFile(request: FileRequest, control?: RunControl): Promise<ExampleState> {
    return this.runner.enqueue(() => this.examples.runFile(request, control));
  }

  get example(): ExampleState | undefined {
    return this.examples.state;
  }

  exampleSteps(): ExampleStep[] {
    const { running } = this.examples;
    return running ? stepsOf(running, this.desks.machine) : [];
  }

  continueExample(): Promise<ExampleState | undefined> {
    return this.runner.enqueue(() => this.examples.continue());
  }

  stopExample(): void {
    this.examples.stop();
  }

  pauseExample(): void {
    this.examples.pause();
  }

  rewindExample(points: number, why: string): Promise<ExampleState | undefined> {
    return this.runner.enqueue(() => this.examples.rewind(points, why));
  }

  get debuggee(): Debuggee | undefined {
    return this.examples.debuggee;
  }

  undoExample(): Promise<void> {
    return this.runner.enqueue(async () => this.examples.undo());
  }

  evaluateInExample(frame: number, text: string): Promise<Evaluation> {
    return this.runner.enqueue(async () =>
      this.examples.change(frame, text, (machine, program) => evaluateInFrame(machine, program, frame, text, 'keep')),
    );
  }

  setInExample(frame: number, place: string, value: string): Promise<Evaluation> {
    return this.runner.enqueue(async () =>
      this.examples.change(frame, `${place} = (${value})`, (machine, program) =>
        setVariable(machine, program, frame, place, value),
      ),
    );
  }

  /* ---- time ---- */

  stepBack(): void {
    this.travel(this.desks.machine.position - 1);
  }
  stepForward(): void {
    this.travel(this.desks.machine.position + 1);
  }
  travel(step: number): void {
    this.desks.machine.travel(step);
    this.examples.travelled();
    this.touch();
  }

  dispose(): void {
    this.disposed = true;
    this.runner.stopRequested = true;
  }
}
