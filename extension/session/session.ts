/**
 * The owner of the reader's machine and timeline: the one place commands, lenses and the
 * shell act through. Knows neither vscode nor node; works in slices so that its host
 * stays responsive.
 */
import {
  errorText,
  liveValue,
  Machine,
  type MachineConfig,
  type PagemapSnapshot,
  type PageView,
  type Point,
  type Position,
  type Program,
  pagemapSnapshot,
  pageView,
  presets,
  RELEASES,
  type Release,
  readMachine,
  stateTree,
  statusOf,
  stripComment,
  type Tile,
  type TreeNode,
  tile,
  type ZonesView,
  zonesView,
} from '../../sim/index.ts';
import { linesFor, releasesOf, type Scene, standInsFor } from '../docs/scenes.ts';
import { exampleText } from './example.ts';
import { isExample, keepExample, type ProgramSource, readSaved, type SavedSession, specOf } from './programs.ts';
import {
  type ExampleStep,
  type Running,
  runningAgain,
  spanOf,
  stepsOf,
  variantOfScene,
  whyItFailed,
} from './running.ts';
import type { Disposable, ExampleRequest, ExampleState, LineResult, MachineChoice, Session } from './types.ts';

export interface SessionOptions {
  storage: { get(key: string): string | undefined; set(key: string, value: string): unknown };
  clock: { now(): number; breathe(): Promise<void> };
  /** What to boot when nothing was kept. */
  machine?: string;
  release?: Release;
}

const STORAGE_KEY = 'zonescope.session';
const SLICE_MS = 10;
const DEFAULT_RELEASE: Release = '6.12';

class Listeners<T> {
  private readonly all = new Set<(value: T) => void>();
  add(listener: (value: T) => void): Disposable {
    this.all.add(listener);
    return { dispose: () => void this.all.delete(listener) };
  }
  fire(value: T): void {
    for (const listener of [...this.all]) listener(value);
  }
}

/** A machine with what runs on it. */
interface Desk {
  machine: Machine;
  choice: SavedSession['machine'];
  sources: Map<number, ProgramSource>;
}

export function createSession(options: SessionOptions): Session {
  return new ReaderSession(options);
}

class ReaderSession implements Session {
  private readonly options: SessionOptions;
  private desk: Desk;
  private aside: Desk | undefined;
  private running: Running | undefined;
  private readonly changed = new Listeners<void>();
  private readonly revealed = new Listeners<{ startPfn: number; endPfn: number }>();
  private pending = false;
  private disposed = false;
  /** Revisions keep rising over machines. */
  private base = 0;
  private queue: Promise<unknown> = Promise.resolve();
  private stopRequested = false;
  private selectedPfn: number | undefined;

  constructor(options: SessionOptions) {
    this.options = options;
    this.desk =
      this.restore() ?? this.newDesk({ preset: options.machine ?? 'laptop-16g' }, options.release ?? DEFAULT_RELEASE);
  }

  /* ---- machines ---- */

  private newDesk(choice: SavedSession['machine'], release: Release): Desk {
    const config = configOf(choice) ?? presets()[0];
    if (!config) throw new Error('no preset machine');
    return {
      machine: new Machine(config, release),
      choice: configOf(choice) ? choice : { preset: config.name },
      sources: new Map(),
    };
  }

  private restore(): Desk | undefined {
    const saved = readSaved(this.options.storage.get(STORAGE_KEY));
    if (!saved || !(RELEASES as readonly string[]).includes(saved.release) || !configOf(saved.machine))
      return undefined;
    const desk = this.newDesk(saved.machine, saved.release as Release);
    try {
      const made = saved.programs.map(({ id, source }) => ({ id, ...specOf(desk.machine, source) }));
      desk.machine.restore(made, saved.steps, saved.position);
      for (const { id, source } of saved.programs) desk.sources.set(id, source);
      const { example } = saved;
      const program = isExample(example) ? made.find(({ id }) => id === example.program) : undefined;
      if (isExample(example) && program) this.running = runningAgain(example, program.findings);
    } catch {
      // What was kept no longer runs: begin afresh rather than show something else.
      return undefined;
    }
    return desk;
  }

  private save(): void {
    const { machine, choice, sources } = this.desk;
    const used = new Set(machine.steps.map((step) => step.program));
    const saved: SavedSession = {
      version: 1,
      machine: choice,
      release: machine.release,
      programs: [...sources].filter(([id]) => used.has(id)).map(([id, source]) => ({ id, source })),
      steps: machine.steps.map(({ program, points, label }) => ({ program, points, label })),
      position: machine.position,
    };
    const { running } = this;
    if (running && used.has(running.program))
      saved.example = keepExample(running.program, running.state, running.shown, running.request);
    this.options.storage.set(STORAGE_KEY, JSON.stringify(saved));
  }

  private replaceDesk(desk: Desk): void {
    this.base += this.desk.machine.revision + 1;
    this.desk = desk;
    this.running = undefined;
    this.selectedPfn = undefined;
    this.touch();
  }

  get machineName(): string {
    return this.desk.machine.config.name;
  }
  get isEstimated(): boolean {
    return this.desk.machine.config.estimated;
  }
  get release(): Release {
    return this.desk.machine.release;
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
      return {
        problems: [
          `${choice.preset}: no such machine; there are ${presets()
            .map((preset) => preset.name)
            .join(', ')}`,
        ],
      };
    }
    this.aside = undefined;
    this.replaceDesk(this.newDesk(choice, this.release));
    return { problems: [] };
  }

  chooseRelease(release: Release): void {
    this.aside = undefined;
    this.replaceDesk(this.newDesk(this.desk.choice, release));
  }

  reset(): void {
    this.replaceDesk(this.newDesk(this.desk.choice, this.release));
  }

  get setAside(): { machine: string; release: Release } | undefined {
    return this.aside && { machine: this.aside.machine.config.name, release: this.aside.machine.release };
  }
  goBack(): void {
    const { aside } = this;
    if (!aside) return;
    this.aside = undefined;
    this.replaceDesk(aside);
  }

  /** Another release in force gives way to the newest that the text belongs to and the scene is of. */
  private makeRoomFor(scene: Scene, releases: readonly Release[] | undefined): void {
    const own = releasesOf(scene.release) ?? [];
    const both = releases && releases.length > 0 ? releases.filter((release) => own.includes(release)) : own;
    const allowed = both.length > 0 ? both : (releases ?? []);
    const wanted = releases && !allowed.includes(this.release) ? allowed[allowed.length - 1] : undefined;
    const machine = scene.machine && scene.machine !== this.machineName ? scene.machine : undefined;
    if (!wanted && !machine) return;
    const before = this.desk;
    const choice = machine ? { preset: machine } : before.choice;
    this.replaceDesk(this.newDesk(choice, wanted ?? this.release));
    this.aside = before;
  }

  /* ---- what there is to see ---- */

  get position(): Position {
    const { machine } = this.desk;
    const { running } = this;
    const paused = running && (running.state.status === 'paused' || running.state.status === 'waiting');
    return {
      revision: this.base + machine.revision,
      step: machine.position,
      steps: machine.steps.length,
      machine: machine.config.name,
      release: machine.release,
      lastStep: machine.lastStep?.label ?? '',
      ...(paused
        ? {
            paused: {
              why: running.state.why,
              where: running.state.sceneId,
              canContinue: running.state.status === 'paused',
            },
          }
        : {}),
    };
  }
  zones(): ZonesView {
    return zonesView(this.desk.machine, this.position);
  }
  pagemap(): PagemapSnapshot {
    return pagemapSnapshot(this.desk.machine, this.position, this.selectedPfn);
  }
  tiles(level: number, indices: readonly number[]): Tile[] {
    const changes = this.desk.machine.lastChanges();
    return indices.map((index) => tile(this.desk.machine, level, index, changes));
  }
  page(pfn: number): PageView {
    return { ...pageView(this.desk.machine, pfn), revision: this.position.revision };
  }
  tree(): TreeNode[] {
    return stateTree(this.desk.machine, this.position);
  }
  live(term: string): string | undefined {
    return liveValue(this.desk.machine, term);
  }
  timeline(): { label: string; current: boolean; undone: boolean; output: readonly string[] }[] {
    const { machine } = this.desk;
    return machine.steps.map((step, index) => ({
      label: step.label,
      current: index === machine.position - 1,
      undone: index >= machine.position,
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
      if (this.needsSave) this.save();
      this.needsSave = false;
      this.changed.fire();
    });
  }
  private needsSave = false;

  /* ---- running ---- */

  /** One thing after the other: what is asked for while something runs waits its turn. */
  private enqueue<T>(work: () => Promise<T>): Promise<T> {
    const next = this.queue.then(work, work);
    this.queue = next.catch(() => undefined);
    return next;
  }

  private begin(source: ProgramSource): { program: Program; findings: Running['findings'] } {
    const { machine, sources } = this.desk;
    const { spec, findings } = specOf(machine, source);
    const program = machine.start(spec);
    sources.set(program.id, source);
    return { program, findings };
  }

  /** Runs until the program pauses, waits or ends, breathing between slices. */
  private async drive(
    program: Program,
    shouldPause?: (point: Point) => boolean,
    isCancelled?: () => boolean,
  ): Promise<'paused' | 'waiting' | 'over'> {
    const { machine } = this.desk;
    this.stopRequested = false;
    for (;;) {
      const start = this.options.clock.now();
      const slice = (): boolean => this.options.clock.now() - start > SLICE_MS;
      for (;;) {
        const stop = machine.advance(program, { slice, ...(shouldPause ? { shouldPause } : {}) });
        if (stop === 'pause') return 'paused';
        if (stop === 'waiting') return 'waiting';
        if (stop === 'done' || stop === 'failed') return 'over';
        if (stop === 'slice' || slice()) break;
      }
      this.touch();
      await this.options.clock.breathe();
      if (this.stopRequested || isCancelled?.() || this.desk.machine !== machine) {
        machine.stop(program);
        return 'over';
      }
    }
  }

  runLine(text: string, isCancelled?: () => boolean): Promise<LineResult> {
    return this.enqueue(async () => {
      const line = stripComment(text);
      if (line === '' || isCancelled?.()) return { line: text, status: 0, output: '', steps: 0 };
      const { machine } = this.desk;
      const before = machine.steps.length - (machine.steps.length - machine.position);
      const waited = machine.alive.filter(({ status }) => status === 'waiting');
      const { program } = this.begin({ kind: 'line', line });
      const logged = machine.kernel.state.log.length;
      await this.drive(program, undefined, isCancelled);
      machine.runReady();
      this.refreshExample();
      this.touch();
      const printk = machine.kernel.state.log
        .slice(logged)
        .map((entry) => (entry.warn ? `WARNING: ${entry.text}` : entry.text));
      const ended = waited
        .filter((one) => one.isOver && one.id !== this.running?.program)
        .map((one) => ({ line: one.spec.label, status: statusOf(one), output: outputOf(one) }));
      return {
        line,
        status: statusOf(program),
        output: outputOf(program),
        steps: machine.steps.length - before,
        ...(program.valueText === undefined ? {} : { value: program.valueText }),
        ...(printk.length > 0 ? { printk } : {}),
        ...(ended.length > 0 ? { ended } : {}),
        ...(program.waitsFor
          ? { blockedOn: { what: program.waitsFor.what, holders: program.waitsFor.holders() } }
          : {}),
      };
    });
  }

  runExample(request: ExampleRequest): Promise<ExampleState> {
    return this.enqueue(async () => {
      this.endExample();
      this.makeRoomFor(request.scene, request.releases);
      const text = exampleText(request.text, variantOfScene(request));
      const { program, findings } = this.begin({
        kind: 'block',
        block: {
          label: request.scene.title,
          text: text.text,
          holes: { ...request.scene.holes, ...request.holes },
          standIns: standInsFor(request.scene, this.release),
          declarations: true,
          setup: linesFor(request.scene.setup, this.release),
          after: linesFor(request.scene.after, this.release),
        },
      });
      return await this.follow({
        program: program.id,
        state: {
          sceneId: request.scene.id,
          uri: request.uri,
          blockStart: request.toDocument(0),
          status: 'running',
          why: '',
        },
        text,
        request,
        shown: new Set(),
        findings,
      });
    });
  }

  runScene(scene: Scene, uri: string, releases?: readonly Release[]): Promise<ExampleState> {
    return this.enqueue(async () => {
      this.endExample();
      this.makeRoomFor(scene, releases);
      const { program } = this.begin({
        kind: 'script',
        label: scene.title,
        entries: [...(scene.setup ?? []), ...(scene.run ?? [])],
      });
      return await this.follow({
        program: program.id,
        state: { sceneId: scene.id, uri, blockStart: 0, status: 'running', why: '' },
        text: undefined,
        request: undefined,
        shown: new Set(),
        findings: [],
      });
    });
  }

  get example(): ExampleState | undefined {
    return this.running?.state;
  }

  exampleSteps(): ExampleStep[] {
    return this.running ? stepsOf(this.running, this.desk.machine) : [];
  }

  continueExample(): Promise<ExampleState | undefined> {
    return this.enqueue(async () => {
      const { running } = this;
      if (!running || !this.desk.machine.current(running.program)) return running?.state;
      return await this.follow(running);
    });
  }

  stopExample(): void {
    this.stopRequested = true;
    this.endExample();
  }

  private endExample(): void {
    const { running } = this;
    if (!running) return;
    const program = this.desk.machine.program(running.program);
    if (program && !program.isOver) {
      this.desk.machine.stop(program);
      running.state = { ...running.state, status: 'stopped', why: 'stopped by the reader' };
      this.touch();
    }
  }

  /** Runs the example on and says where it stands. */
  private async follow(running: Running): Promise<ExampleState> {
    this.running = running;
    const { machine } = this.desk;
    const program = machine.current(running.program);
    if (!program) return running.state;
    let pausedFor: string | undefined;
    const shouldPause = (point: Point): boolean => {
      if (point.kind !== 'statement' || point.frame !== program.base) return false;
      const due = running.text?.pauses.find(
        (pause) => pause.after < point.span.start && !running.shown.has(pause.after),
      );
      if (!due) return false;
      running.shown.add(due.after);
      pausedFor = due.why;
      return true;
    };
    running.state = { ...running.state, status: 'running', why: '' };
    const logged = machine.kernel.state.log.length;
    const end = await this.drive(program, shouldPause);
    machine.runReady();
    const { point } = program;
    const span = spanOf(running, program);
    const why =
      end === 'paused'
        ? (pausedFor ?? (point?.kind === 'pause' ? point.why : 'paused'))
        : end === 'waiting'
          ? `waits for ${program.waitsFor?.what ?? 'something'}: held by ${program.waitsFor?.holders().join(', ') ?? 'nobody'}`
          : program.error
            ? whyItFailed(program, machine, logged)
            : program.status === 'stopped'
              ? 'stopped by the reader'
              : 'ran to its end';
    const status =
      end === 'over'
        ? program.status === 'failed'
          ? 'failed'
          : program.status === 'stopped'
            ? 'stopped'
            : 'done'
        : end;
    running.state = { ...running.state, status, why, ...(span ? { span } : {}) };
    if (!span) delete running.state.span;
    this.touch();
    return running.state;
  }

  /** A command may have set a waiting example free. */
  private refreshExample(): void {
    const { running } = this;
    if (running?.state.status !== 'waiting') return;
    const program = this.desk.machine.program(running.program);
    if (program?.status === 'waiting') return;
    if (program?.isOver)
      running.state = {
        ...running.state,
        status: program.status === 'failed' ? 'failed' : 'done',
        why: program.error?.message ?? 'ran to its end',
      };
    else void this.continueExample();
  }

  /* ---- time ---- */

  stepBack(): void {
    this.travel(this.desk.machine.position - 1);
  }
  stepForward(): void {
    this.travel(this.desk.machine.position + 1);
  }
  travel(step: number): void {
    const { machine } = this.desk;
    machine.travel(step);
    const { running } = this;
    if (running) {
      // Where the example stands at this step: before, inside, or behind its own steps.
      const own = machine.steps.flatMap((each, index) => (each.program === running.program ? [index] : []));
      const inside = own.some((index) => index < machine.position) && own.some((index) => index >= machine.position);
      if (inside) {
        running.shown.clear();
        running.state = { ...running.state, status: 'paused', why: 'you went back; Continue runs it again from here' };
      } else if (own.every((index) => index >= machine.position))
        running.state = { ...running.state, status: 'stopped', why: 'you went back to before it' };
      delete running.state.span;
    }
    this.touch();
  }

  dispose(): void {
    this.disposed = true;
    this.stopRequested = true;
  }
}

/** What a line printed, and why it failed. */
function outputOf({ output, error }: Program): string {
  const printed = output.join('\n');
  const text = error ? errorText(error) : '';
  // What stops an expression has often been said of it already, as a finding.
  return printed.endsWith(text) ? printed : [...output, text].join('\n');
}

function configOf(choice: SavedSession['machine']): MachineConfig | undefined {
  if ('preset' in choice) return presets().find((preset) => preset.name === choice.preset);
  const result = readMachine(choice.json, choice.name);
  return 'machine' in result ? result.machine : undefined;
}
