/** Judges claims, each on a machine of its own that nobody sees: never in the reader's timeline. */
import {
  compareReleases,
  ERRNO,
  errorText,
  Machine,
  type MachineConfig,
  presets,
  RELEASES,
  type Release,
  shellProgram,
  statusOf,
} from '../../sim/index.ts';
import {
  type BySpan,
  type Claim,
  type ClaimExpectation,
  type ClaimVerdict,
  isAbout,
  isSaidToHold,
  linesOf,
  setupOf,
} from '../docs/claims.ts';
import { textFor } from '../docs/scenes.ts';

export const DEFAULT_MACHINE = 'qemu-2g';
/** Points that the lines of one claim may pass: C without an end is stopped here. */
const POINTS = 200_000;
/** Points between two chances for the host to do something else. */
const PIECE = 64;
/** Booted machines that are kept. */
const BENCHES = 6;

export interface JudgeOptions {
  /** Finds a machine by the name a claim gives. Default: the presets. */
  readonly machine?: (name: string) => MachineConfig | undefined;
  readonly points?: number;
}

interface Answer {
  readonly line: string;
  readonly status: number;
  readonly output: string;
  /** It ran to its end without an error. */
  readonly isDone: boolean;
}

/** A machine, and the lines of the setup that it stands behind. */
interface Bench {
  readonly machine: Machine;
  readonly done: { readonly answer: Answer; readonly position: number }[];
}

/** Work that can be left for a moment wherever it yields. */
export type Piecewise<T> = Generator<undefined, T, undefined>;

export function toItsEnd<T>(work: Piecewise<T>): T {
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
  }
}

/** Says why a claim could not be judged. */
class Unjudged extends Error {
  override readonly name = 'Unjudged';
}

export class Judge {
  private readonly benches = new Map<string, Bench>();
  private readonly verdicts = new Map<string, ClaimVerdict>();
  private readonly machine: NonNullable<JudgeOptions['machine']>;
  private readonly points: number;

  constructor(options: JudgeOptions = {}) {
    this.machine = options.machine ?? ((name) => presets().find((preset) => preset.name === name));
    this.points = options.points ?? POINTS;
  }

  /** The verdict in a release; the same one when asked again. */
  judge(claim: Claim, release: Release): ClaimVerdict {
    const key = `${claim.id} ${release}`;
    let verdict = this.verdicts.get(key);
    if (verdict?.claim !== claim) {
      verdict = toItsEnd(this.hearing(claim, release));
      this.verdicts.set(key, verdict);
    }
    return verdict;
  }

  /** All verdicts, in the order asked for. Those that begin alike are judged together: each setup runs once. */
  judgeAll(claims: readonly Claim[], release: Release): ClaimVerdict[] {
    const begins = new Map<Claim, string>();
    for (const claim of claims) begins.set(claim, `${keyOf(claim, release)}\n${setupOf(claim, release).join('\n')}`);
    const inTurn = [...begins].sort(([, a], [, b]) => (a < b ? -1 : a > b ? 1 : 0));
    for (const [claim] of inTurn) this.judge(claim, release);
    return claims.map((claim) => this.judge(claim, release));
  }

  /** The same, in pieces of some milliseconds. One hearing has to end before the next begins. */
  *hearing(claim: Claim, release: Release): Piecewise<ClaimVerdict> {
    const evidence: { line: string; output: string; wanted?: string }[] = [];
    const key = keyOf(claim, release);
    try {
      if (!isAbout(claim, release)) throw new Unjudged(`It says nothing of ${release}.`);
      const bench = this.benchFor(key, claim, release);
      const left = { points: this.points };
      const show = ({ line, output }: Answer): void => void evidence.push({ line, output });
      const setup = setupOf(claim, release);
      for (const answer of yield* prepare(bench, setup, left)) {
        show(answer);
        if (!answer.isDone || answer.status !== 0)
          throw new Unjudged(`What it begins with does not work: ${answer.line}`);
      }
      const run = function* (line: string): Piecewise<Answer> {
        const answer = yield* ask(bench.machine, line, left);
        show(answer);
        return answer;
      };
      for (const line of linesOf(claim, release).slice(setup.length)) yield* run(line);
      let asked = 0;
      for (const expectation of claim.expect) {
        const wish = wishIn(expectation, release);
        if (wish === undefined) continue;
        asked++;
        const wanted = yield* unmet(expectation, wish, run);
        if (wanted === undefined) continue;
        const last = evidence.at(-1);
        if (last) last.wanted = wanted;
        return { ...failedAt(claim, release, last?.line ?? expectation.line), evidence };
      }
      if (asked === 0) throw new Unjudged(`It expects nothing of ${release}.`);
      return { ...heldIn(claim, release), evidence };
    } catch (error) {
      // A machine in an unknown state judges nothing else.
      if (!(error instanceof Unjudged)) this.benches.delete(key);
      return {
        claim,
        release,
        holds: false,
        problem: error instanceof Error ? error.message : String(error),
        evidence,
      };
    }
  }

  /** One machine of each kind is kept. */
  private benchFor(key: string, claim: Claim, release: Release): Bench {
    let bench = this.benches.get(key);
    // What its journal has let go cannot be undone.
    if (bench === undefined || bench.machine.oldest > 0) {
      bench = { machine: new Machine(this.configFor(claim), release), done: [] };
    }
    // The last used is the last let go.
    this.benches.delete(key);
    this.benches.set(key, bench);
    for (const [oldest] of this.benches) if (this.benches.size > BENCHES) this.benches.delete(oldest);
    return bench;
  }

  private configFor({ machine: name = DEFAULT_MACHINE, config: options = {} }: Claim): MachineConfig {
    const config = this.machine(name);
    if (config === undefined) throw new Unjudged(`There is no machine ${name}.`);
    const unknown = Object.keys(options).find((option) => !Object.hasOwn(config.config, option));
    if (unknown !== undefined) throw new Unjudged(`There is no option ${unknown}.`);
    return { ...config, config: { ...config.config, ...options } };
  }
}

const keyOf = ({ machine = DEFAULT_MACHINE, config = {} }: Claim, release: Release): string =>
  `${release} ${machine} ${JSON.stringify(config)}`;

/** Takes a machine to just behind the lines of a setup; those that it is behind already are not run again. */
function* prepare(
  { machine, done }: Bench,
  setup: readonly string[],
  left: { points: number },
): Piecewise<readonly Answer[]> {
  const differs = setup.findIndex((line, index) => done[index]?.answer.line !== line);
  done.length = Math.min(done.length, differs < 0 ? setup.length : differs);
  machine.travel(done.at(-1)?.position ?? 0);
  for (const line of setup.slice(done.length)) {
    const answer = yield* ask(machine, line, left);
    if (!answer.isDone) return [...done.map((each) => each.answer), answer];
    done.push({ answer, position: machine.position });
  }
  return done.map((each) => each.answer);
}

/** Runs a line to its end, or until it waits, and whatever it set free. */
function* ask(machine: Machine, line: string, left: { points: number }): Piecewise<Answer> {
  const isOver = (): boolean => --left.points < 0;
  let passed = 0;
  const slice = (): boolean => isOver() || ++passed % PIECE === 0;
  const program = machine.start(shellProgram(machine.kernel, line));
  for (;;) {
    const stop = machine.advance(program, { slice });
    if (stop === 'slice' && left.points >= 0) yield;
    else if (stop !== 'step') break;
  }
  machine.runReady({ slice: isOver });
  if (left.points < 0) {
    for (const each of machine.alive) machine.stop(each);
    throw new Unjudged(`It comes to no end: ${line}`);
  }
  const printed = [...program.output, ...(program.error ? [errorText(program.error)] : [])].join('\n');
  return {
    line,
    status: statusOf(program),
    output: program.waitsFor ? `waits for ${program.waitsFor.what}` : printed || (program.valueText ?? ''),
    isDone: program.status === 'done',
  };
}

const TEXTS = ['is', 'isNot', 'has', 'lacks', 'fails'] as const;
type Wish = Partial<Record<(typeof TEXTS)[number], string>>;

/** What is expected in a release; undefined if the expectation is about others. */
function wishIn(expectation: ClaimExpectation, release: Release): Wish | undefined {
  const wish: Wish = {};
  for (const test of TEXTS) {
    const given: BySpan | undefined = expectation[test];
    if (given === undefined) continue;
    const text = textFor(given, release);
    if (text === undefined) return undefined;
    wish[test] = text;
  }
  return wish;
}

/** What was wanted, if it is not so. */
function* unmet(
  expectation: ClaimExpectation,
  wish: Wish,
  run: (line: string) => Piecewise<Answer>,
): Piecewise<string | undefined> {
  const { status, output, isDone } = yield* run(expectation.line);
  const { is, isNot, has, lacks, fails } = wish;
  const { sameAs, differsFrom } = expectation;
  // A line that breaks off or waits proves nothing by what it does not print.
  if (!isDone && (isNot ?? lacks ?? differsFrom) !== undefined) return 'a line that runs to its end';
  if (is !== undefined && output !== is) return is;
  if (isNot !== undefined && output === isNot) return `anything but ${isNot}`;
  if (has !== undefined && !output.includes(has)) return `… ${has} …`;
  if (lacks !== undefined && output.includes(lacks)) return `nothing of ${lacks}`;
  if (fails !== undefined) {
    const errno = fails === '' ? 0 : -(ERRNO.get(fails) ?? Number.NaN);
    if (status !== errno) return fails === '' ? 'success' : `-${fails}`;
  }
  if (sameAs !== undefined && (yield* run(sameAs)).output !== output) return output;
  if (differsFrom !== undefined && (yield* run(differsFrom)).output === output) return `anything but ${output}`;
  return undefined;
}

/** The verdict on a claim that holds, or fails at a line; without its evidence. */
export const heldIn = (claim: Claim, release: Release): ClaimVerdict => ({ claim, release, holds: true, evidence: [] });
export const failedAt = (claim: Claim, release: Release, line: string): ClaimVerdict => ({
  claim,
  release,
  holds: false,
  ...reasons(claim, release),
  failed: line,
  evidence: [],
});

function reasons(claim: Claim, release: Release): Pick<ClaimVerdict, 'since' | 'why'> {
  const why = claim.why === undefined ? undefined : textFor(claim.why, release);
  const before = RELEASES.filter((each) => compareReleases(each, release) <= 0 && isAbout(claim, each));
  const last = before.findLastIndex((each) => isSaidToHold(claim, each));
  // Where it never held, no release made it wrong.
  const since = last < 0 ? undefined : before[last + 1];
  return { ...(since === undefined ? {} : { since }), ...(why === undefined ? {} : { why }) };
}
