/** What a test came to, in words. Free of vscode. */
import type { ClaimVerdict } from '../docs/claims.ts';
import { textFor } from '../docs/scenes.ts';
import { evidenceText, verdictWords } from '../language/claimText.ts';
import type { Trial } from '../session/trial.ts';

export interface Failure {
  readonly message: string;
  readonly expected?: string;
  readonly actual?: string;
  /** Where it failed, if that is not at the test itself. */
  readonly span?: { readonly start: number; readonly end: number };
}

export type Result =
  | { readonly kind: 'passed'; readonly output: string }
  | { readonly kind: 'failed' | 'errored'; readonly output: string; readonly failures: readonly Failure[] }
  | { readonly kind: 'skipped'; readonly output: string };

export function claimResult(verdict: ClaimVerdict): Result {
  const output = evidenceText(verdict, false);
  if (verdict.problem !== undefined)
    return {
      kind: 'errored',
      output,
      failures: [{ message: `It could not be judged in Linux ${verdict.release}. ${verdict.problem}` }],
    };
  if (verdict.holds) return { kind: 'passed', output };
  const last = verdict.evidence.at(-1);
  const message = [`${verdictWords(verdict)}.`, verdict.why, last === undefined ? undefined : `# ${last.line}`]
    .filter((part) => part !== undefined)
    .join('\n');
  const failure = last?.wanted === undefined ? { message } : failureOf(message, verdict, last.output, last.wanted);
  return { kind: 'failed', output, failures: [failure] };
}

/** Only a text that was wanted as a whole can be laid beside the one there is. */
function failureOf(message: string, { claim, release }: ClaimVerdict, actual: string, wanted: string): Failure {
  const isWhole = claim.expect.some(
    ({ is, sameAs }) => sameAs !== undefined || (is !== undefined && textFor(is, release) === wanted),
  );
  return isWhole ? { message, expected: wanted, actual } : { message: `${message}\nwanted: ${wanted}` };
}

/** Of an example, of all of a scene, or of one of its steps. */
export function trialResult(trial: Trial, step?: number): Result {
  const { state, outcome, unmet, pauses } = trial;
  const output = outputOf(trial);
  const failures: Failure[] = unmet
    .filter(({ pause }) => step === undefined || pause === step)
    .map(({ line, is, found }) => ({ message: `Expected of ${line}`, expected: is, actual: found }));
  if (outcome === 'cancelled') return { kind: 'skipped', output };
  const isReached = step === undefined || pauses >= step;
  if (outcome === 'endless' && !(isReached && step !== undefined))
    return { kind: 'failed', output, failures: [...failures, { message: 'It came to no end and was stopped.' }] };
  const hasFailed = outcome === 'failed' && (state.status === 'failed' || state.status === 'waiting');
  // A scene that fails fails at the step after its last pause; what comes later has not run.
  if (hasFailed && (step === undefined || step === pauses + 1))
    return {
      kind: 'failed',
      output,
      failures: [...failures, { message: state.why, ...(state.span ? { span: state.span } : {}) }],
    };
  if (!isReached) return { kind: 'skipped', output };
  return failures.length > 0 ? { kind: 'failed', output, failures } : { kind: 'passed', output };
}

function outputOf({ steps, state }: Trial): string {
  const lines = steps.map(({ line, output }) => (output === '' ? `> ${line}` : `> ${line}\n${indented(output)}`));
  return [...lines, `${state.status}: ${state.why}`].join('\n');
}

const indented = (text: string): string => text.replace(/^/gm, '    ');
