/** The machine on the reader's desk, the one set aside for it, and how a desk is kept and made again. */
import { Machine, type MachineConfig, presets, RELEASES, type Release, readMachine } from '../../sim/index.ts';
import { releasesOf, type Scene } from '../docs/scenes.ts';
import { isExample, keepExample, type ProgramSource, readSaved, type SavedSession, specOf } from './programs.ts';
import { type Running, runningAgain } from './running.ts';

/** A machine with what runs on it. */
export interface Desk {
  readonly machine: Machine;
  readonly choice: SavedSession['machine'];
  readonly sources: Map<number, ProgramSource>;
}

export function newDesk(choice: SavedSession['machine'], release: Release): Desk {
  const config = configOf(choice) ?? presets()[0];
  if (!config) throw new Error('no preset machine');
  return {
    machine: new Machine(config, release),
    choice: configOf(choice) ? choice : { preset: config.name },
    sources: new Map(),
  };
}

export function configOf(choice: SavedSession['machine']): MachineConfig | undefined {
  if ('preset' in choice) return presets().find((preset) => preset.name === choice.preset);
  const result = readMachine(choice.json, choice.name);
  return 'machine' in result ? result.machine : undefined;
}

/** The desk of a session that was kept, and the example that stood there. */
export function restoreDesk(kept: string | undefined): { desk: Desk; running?: Running } | undefined {
  const saved = readSaved(kept);
  if (!saved || !(RELEASES as readonly string[]).includes(saved.release) || !configOf(saved.machine)) return undefined;
  const desk = newDesk(saved.machine, saved.release as Release);
  try {
    const made = saved.programs.map(({ id, source }) => ({ id, ...specOf(desk.machine, source) }));
    desk.machine.restore(made, saved.steps, saved.position);
    for (const { id, source } of saved.programs) desk.sources.set(id, source);
    const { example } = saved;
    const program = isExample(example) ? made.find(({ id }) => id === example.program) : undefined;
    return isExample(example) && program ? { desk, running: runningAgain(example, program.findings) } : { desk };
  } catch {
    // What was kept no longer runs: begin afresh rather than show something else.
    return undefined;
  }
}

/** Of a program that makes more steps in a row, so many are kept at either end; those between become one. */
const KEPT_AT_ENDS = 500;

/** A loop that does not end makes steps without end: a text of all of them would stop the window at each change. */
function keptSteps({ steps, position }: Machine): Pick<SavedSession, 'steps' | 'position'> {
  const kept: SavedSession['steps'] = [];
  const keep = (some: Machine['steps']): void => {
    for (const { program, points, label } of some) kept.push({ program, points, label });
  };
  let keptPosition = 0;
  for (let from = 0, to = 0; from < steps.length; from = to) {
    const program = steps[from]?.program ?? 0;
    for (to = from + 1; to < steps.length && to !== position && steps[to]?.program === program; ) to++;
    const first = from + KEPT_AT_ENDS;
    const last = to - KEPT_AT_ENDS;
    if (last - first > 1) {
      keep(steps.slice(from, first));
      let points = 0;
      for (let index = first; index < last; index++) points += steps[index]?.points ?? 0;
      kept.push({ program, points, label: `… ${last - first} statements` });
      keep(steps.slice(last, to));
    } else keep(steps.slice(from, to));
    if (to <= position) keptPosition = kept.length;
  }
  return { steps: kept, position: keptPosition };
}

/** A desk as text, to be kept. */
export function keepDesk({ machine, choice, sources }: Desk, running: Running | undefined): string {
  const used = new Set<number>();
  for (const { program } of machine.steps) used.add(program);
  const saved: SavedSession = {
    version: 1,
    machine: choice,
    release: machine.release,
    programs: [...sources].filter(([id]) => used.has(id)).map(([id, source]) => ({ id, source })),
    ...keptSteps(machine),
  };
  if (running && used.has(running.program))
    saved.example = keepExample(running.program, running.state, running.shown, running.request);
  return JSON.stringify(saved);
}

/** The desk in use. Whoever replaces it tells everyone, so that nothing shows a machine that is gone. */
export class Desks {
  current: Desk;
  aside: Desk | undefined;
  /** Revisions keep rising over machines. */
  base = 0;
  private readonly onReplace: () => void;

  constructor(first: Desk, onReplace: () => void) {
    this.current = first;
    this.onReplace = onReplace;
  }

  get machine(): Machine {
    return this.current.machine;
  }

  replace(desk: Desk): void {
    this.base += this.machine.revision + 1;
    this.current = desk;
    this.onReplace();
  }

  /** Another machine or release for good: what was set aside is forgotten. */
  choose(choice: SavedSession['machine'], release: Release): void {
    this.aside = undefined;
    this.replace(newDesk(choice, release));
  }

  goBack(): void {
    const { aside } = this;
    if (!aside) return;
    this.aside = undefined;
    this.replace(aside);
  }

  /** Another release in force gives way to the newest that the text belongs to and the scene is of. */
  makeRoomFor(scene: Pick<Scene, 'release' | 'machine'>, releases: readonly Release[] | undefined): void {
    const { release, config } = this.machine;
    const own = releasesOf(scene.release) ?? [];
    const both = releases && releases.length > 0 ? releases.filter((each) => own.includes(each)) : own;
    const allowed = both.length > 0 ? both : (releases ?? []);
    const wanted = releases && !allowed.includes(release) ? allowed[allowed.length - 1] : undefined;
    this.makeRoom(scene.machine !== config.name ? scene.machine : undefined, wanted);
  }

  /** A machine or release that is wanted for what runs next; the desk as it is waits aside. */
  makeRoom(machine: string | undefined, release: Release | undefined): void {
    if (machine === undefined && (release === undefined || release === this.machine.release)) return;
    const before = this.current;
    this.replace(newDesk(machine === undefined ? before.choice : { preset: machine }, release ?? this.machine.release));
    this.aside = before;
  }
}
