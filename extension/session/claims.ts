/** Judges claims, each on a machine of its own that nobody sees: never in the reader's timeline. */
import {
  compareReleases,
  ERRNO,
  errorText,
  Machine,
  presets,
  RELEASES,
  type Release,
  shellProgram,
  statusOf,
} from '../../sim/index.ts';
import {
  type Claim,
  type ClaimExpectation,
  type ClaimVerdict,
  isAbout,
  isSaidToHold,
  linesOf,
} from '../docs/claims.ts';
import { textFor } from '../docs/scenes.ts';

const DEFAULT_MACHINE = 'qemu-2g';

interface Answer {
  readonly status: number;
  readonly text: string;
}

export class Judge {
  private readonly machines = new Map<string, Machine>();
  private readonly verdicts = new Map<string, ClaimVerdict>();

  /** The verdict in a release; the same one when asked again. */
  judge(claim: Claim, release: Release): ClaimVerdict {
    const key = `${claim.id} ${release}`;
    let verdict = this.verdicts.get(key);
    if (verdict?.claim !== claim) {
      verdict = this.hear(claim, release);
      this.verdicts.set(key, verdict);
    }
    return verdict;
  }

  private hear(claim: Claim, release: Release): ClaimVerdict {
    const machine = this.machineFor(claim.machine ?? DEFAULT_MACHINE, release);
    const evidence: { line: string; output: string; wanted?: string }[] = [];
    const run = (line: string): Answer => {
      const answer = ask(machine, line);
      evidence.push({ line, output: answer.text });
      return answer;
    };
    for (const line of linesOf(claim, release)) run(line);
    for (const expectation of claim.expect) {
      const wanted = unmet(expectation, release, run);
      if (wanted === undefined) continue;
      const last = evidence.at(-1);
      if (last) last.wanted = wanted;
      return { claim, release, holds: false, ...reasons(claim, release), evidence };
    }
    return { claim, release, holds: true, evidence };
  }

  /** A machine as booted. One of each kind is kept, and taken back to its beginning. */
  private machineFor(name: string, release: Release): Machine {
    const key = `${name} ${release}`;
    let machine = this.machines.get(key);
    if (machine !== undefined && machine.oldest === 0) machine.travel(0);
    else {
      const config = presets().find((preset) => preset.name === name);
      if (config === undefined) throw new Error(`no preset machine is called ${name}`);
      machine = new Machine(config, release);
      this.machines.set(key, machine);
    }
    return machine;
  }
}

function ask(machine: Machine, line: string): Answer {
  const program = machine.run(shellProgram(machine.kernel, line));
  const printed = [...program.output, ...(program.error ? [errorText(program.error)] : [])].join('\n');
  return {
    status: statusOf(program),
    text: program.waitsFor ? `waits for ${program.waitsFor.what}` : printed || (program.valueText ?? ''),
  };
}

/** What was wanted, if it is not so. */
function unmet(expectation: ClaimExpectation, release: Release, run: (line: string) => Answer): string | undefined {
  const of = (text: ClaimExpectation['is']): string | undefined =>
    text === undefined ? undefined : textFor(text, release);
  const { status, text } = run(expectation.line);
  const [is, isNot, has, lacks, fails] = [
    of(expectation.is),
    of(expectation.isNot),
    of(expectation.has),
    of(expectation.lacks),
    of(expectation.fails),
  ];
  if (is !== undefined && text !== is) return is;
  if (isNot !== undefined && text === isNot) return `anything but ${isNot}`;
  if (has !== undefined && !text.includes(has)) return `… ${has} …`;
  if (lacks !== undefined && text.includes(lacks)) return `nothing of ${lacks}`;
  if (fails !== undefined) {
    const errno = fails === '' ? 0 : -(ERRNO.get(fails) ?? Number.NaN);
    if (status !== errno) return fails === '' ? 'success' : `-${fails}`;
  }
  const { sameAs, differsFrom } = expectation;
  if (sameAs !== undefined) {
    const other = run(sameAs);
    if (other.text !== text) return text;
  }
  if (differsFrom !== undefined) {
    const other = run(differsFrom);
    if (other.text === text) return `anything but ${text}`;
  }
  return undefined;
}

function reasons(claim: Claim, release: Release): Pick<ClaimVerdict, 'since' | 'why'> {
  const why = claim.why === undefined ? undefined : textFor(claim.why, release);
  const before = RELEASES.filter((each) => compareReleases(each, release) <= 0 && isAbout(claim, each));
  const last = before.findLastIndex((each) => isSaidToHold(claim, each));
  // Where it never held, no release made it wrong.
  const since = last < 0 ? undefined : before[last + 1];
  return { ...(since === undefined ? {} : { since }), ...(why === undefined ? {} : { why }) };
}
