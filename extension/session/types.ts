/** What the reader's session offers to everything that shows or drives it. No vscode here: the command line uses it too. */
import type {
  Block,
  Evaluation,
  FileSource,
  Machine,
  PagemapSnapshot,
  PageView,
  Point,
  Position,
  Program,
  Release,
  Tile,
  TreeNode,
  ZonesView,
} from '../../sim/index.ts';
import type { Scene } from '../docs/scenes.ts';

export interface Disposable {
  dispose(): void;
}

/** What one executed line gave (CONTRACT of `--json`). */
export interface LineResult {
  line: string;
  /** 0, or a negative errno. */
  status: number;
  output: string;
  value?: string;
  printk?: string[];
  blockedOn?: { what: string; holders: readonly string[] };
  /** Earlier lines that waited, and have come to their end now. */
  ended?: { line: string; status: number; output: string }[];
  /** Steps it added to the timeline. */
  steps: number;
  /** Where and why C text could not be run as written. */
  findings?: { message: string; start: number; end: number }[];
}

export interface MachineChoice {
  name: string;
  description: string;
}

/** Where a running example stands, in offsets of the block's own text. */
export interface ExampleState {
  sceneId: string;
  uri: string;
  /** Offset of the block in the document when it was started. */
  blockStart: number;
  status: 'running' | 'paused' | 'waiting' | 'done' | 'failed' | 'stopped';
  /** The statement that comes next (paused), failed or is executing, in document offsets. */
  span?: { start: number; end: number };
  /** Why it stopped there. */
  why: string;
}

export interface ExampleRequest {
  scene: Scene;
  /** Which of the scene's ways to run, e.g. `as-written` or `owner-set`. */
  variant: string;
  /** Text of the block as it stands in the document, dedented. */
  text: string;
  /** Maps an offset of `text` to one of the document. */
  toDocument: (offset: number) => number;
  uri: string;
  /** The releases the text belongs to: another release in force gives way to the newest of them. */
  releases?: readonly Release[];
  /** Hole and argument values that override the scene's. */
  holes?: Record<string, string>;
  /** Whether prototypes are called; absent: where the text has nothing else. */
  declarations?: boolean;
}

/** A function of a reader's own file. */
export interface FileRequest {
  file: FileSource;
  uri: string;
  machine?: string;
  release?: Release;
}

/** Who drives an example: asked at each of its points, told when it goes on and where it comes to stand. */
export interface RunControl {
  /** Why to stop at this point; undefined to go on. */
  shouldPause(point: Point, machine: Machine, program: Program): string | undefined;
  resumed(state: ExampleState): void;
  /** Paused, waiting, or over. */
  stopped(state: ExampleState): void;
}

/** What a debugger looks at while the example stands. */
export interface Debuggee {
  readonly machine: Machine;
  readonly program: Program;
  readonly findings: readonly Pick<Block['findings'][number], 'message' | 'severity' | 'span'>[];
  readonly uri: string;
  /** From an offset of the text that runs to the document; absent for lines of a scene. */
  readonly toDocument?: (offset: number) => number;
}

/** The reader's machine and timeline. */
export interface Session {
  readonly position: Position;
  readonly machineName: string;
  /** The machine file does not say what memblock held: kernel image and memmap stand where they usually do. */
  readonly isEstimated: boolean;
  readonly release: Release;
  /** Fires after every change of state, position, machine or running example; coalesced to one a turn. */
  onDidChange(listener: () => void): Disposable;
  /** Page selected anywhere is the page selected everywhere. */
  readonly selected: number | undefined;
  select(pfn: number | undefined): void;
  /** Fires when a range is to be shown in the panels. */
  onDidReveal(listener: (range: { startPfn: number; endPfn: number }) => void): Disposable;
  reveal(range: { startPfn: number; endPfn: number }): void;

  zones(): ZonesView;
  pagemap(): PagemapSnapshot;
  tiles(level: number, indices: readonly number[]): Tile[];
  page(pfn: number): PageView;
  tree(): TreeNode[];
  /** A term's value in the machine now: `zone:ZONE_DEVICE`, `sections`, `maxPfn` ... */
  live(term: string): string | undefined;
  /** Steps of the timeline, all or those of a range, for the timeline view and `zonescope: go to step`. */
  timeline(
    from?: number,
    to?: number,
  ): { label: string; current: boolean; undone: boolean; output: readonly string[] }[];

  /** A line that is cancelled stops at its next statement, or does not begin. */
  runLine(line: string, isCancelled?: () => boolean): Promise<LineResult>;
  runExample(request: ExampleRequest, control?: RunControl): Promise<ExampleState>;
  /** The scene of a section (no C block): its shell lines, one after the other, pauses included. */
  runScene(scene: Scene, uri: string, releases?: readonly Release[], control?: RunControl): Promise<ExampleState>;
  /** A function of a C file, on the reader's machine. */
  runFile(request: FileRequest, control?: RunControl): Promise<ExampleState>;
  /** The steps that the running example made, and what each printed: for the command line. */
  exampleSteps(): { line: string; status: number; output: string }[];
  readonly example: ExampleState | undefined;
  continueExample(): Promise<ExampleState | undefined>;
  stopExample(): void;
  /** Pauses a running example at its next point. */
  pauseExample(): void;
  /** Takes the example back to where it had passed so many points; what came later is forgotten. */
  rewindExample(points: number, why: string): Promise<ExampleState | undefined>;
  readonly debuggee: Debuggee | undefined;
  /** Takes back all the example did, what its scene does first included. */
  undoExample(): Promise<void>;
  /** A C expression in a frame of the example that stands; what it changes is a step. */
  evaluateInExample(frame: number, text: string): Promise<Evaluation>;
  /** Gives a variable, member or element of a frame another value: one step. */
  setInExample(frame: number, place: string, value: string): Promise<Evaluation>;

  stepBack(): void;
  stepForward(): void;
  travel(step: number): void;
  /** The machine as booted, timeline emptied. */
  reset(): void;
  machines(): MachineChoice[];
  /** A preset's name, or the text of a machine file. Problems come back as text; the machine stays as it was. */
  chooseMachine(choice: { preset: string } | { json: string; name: string }): { problems: string[] };
  releases(): readonly Release[];
  chooseRelease(release: Release): void;
  /** The machine that gave way to a text of another release, if one did. */
  readonly setAside: { machine: string; release: Release } | undefined;
  /** Back to that machine, its timeline as it was. */
  goBack(): void;
  dispose(): void;
}
