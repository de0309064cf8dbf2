/** A claim and its verdict in Markdown. Free of vscode. */
import type { Claim, ClaimVerdict } from '../docs/claims.ts';

/** Text as Markdown shows it unchanged. */
export const escaped = (text: string): string => text.replace(/[\\`*_{}[\]()#+!<>~$&|]/g, '\\$&');

/** Beyond these a hover is longer than what it explains. */
const MOST_LINES = 12;
const LONGEST_LINE = 110;
const MOST_STEPS = { holds: 2, fails: 4 };

export interface ClaimTextOptions {
  /** Shown whole, in a document, or cut down for a hover. */
  readonly isShort?: boolean;
  /** Without what a problem beside it says already. */
  readonly isBesideProblem?: boolean;
  /** With the icons of the editor. */
  readonly icons?: boolean;
}

/** `No longer holds since Linux 6.1 (checked in 6.12)`; short: without where it was checked. */
export function verdictWords(verdict: ClaimVerdict | undefined, options: { isShort?: boolean } = {}): string {
  if (verdict === undefined) return 'Not judged yet';
  const { holds, problem, release, since } = verdict;
  if (problem !== undefined) return `Could not be judged in Linux ${release}`;
  if (holds) return `Holds in Linux ${release}`;
  if (since === undefined) return `Does not hold in Linux ${release}`;
  return `No longer holds since Linux ${since}${since === release || options.isShort ? '' : ` (checked in ${release})`}`;
}

function iconOf({ holds, problem }: ClaimVerdict): string {
  if (problem !== undefined) return '$(circle-slash)';
  return holds ? '$(pass)' : '$(error)';
}

export function claimText(claim: Claim, verdict: ClaimVerdict | undefined, options: ClaimTextOptions = {}): string {
  const icon = options.icons && verdict !== undefined ? `${iconOf(verdict)} ` : '';
  const said = options.isBesideProblem ? '' : ` · ${escaped(claim.says)}`;
  const parts = [`${icon}**${verdictWords(verdict)}**${said}`];
  if (verdict === undefined) return parts.join('\n\n');
  const reason = verdict.problem ?? (verdict.holds || options.isBesideProblem ? undefined : verdict.why);
  if (reason !== undefined) parts.push(escaped(reason));
  const evidence = evidenceText(verdict, options.isShort ?? false);
  if (evidence !== '') parts.push(fenced(evidence));
  return parts.join('\n\n');
}

/** The lines as a shell shows them, each with what it printed. What decided it stands last. */
export function evidenceText({ evidence, holds }: ClaimVerdict, isShort: boolean): string {
  const most = holds ? MOST_STEPS.holds : MOST_STEPS.fails;
  const shown = isShort && evidence.length > most ? evidence.slice(-most) : evidence;
  const left = evidence.length - shown.length;
  const lines = left === 0 ? [] : [`… after ${left} ${left === 1 ? 'line' : 'lines'}`];
  for (const { line, output, wanted } of shown) {
    lines.push(...cut(`# ${line}`, isShort));
    if (output !== '') lines.push(...cut(output, isShort));
    if (wanted !== undefined && !holds) lines.push(...cut(`(the text wants: ${wanted})`, isShort));
  }
  return lines.join('\n');
}

function cut(text: string, isShort: boolean): string[] {
  const lines = text.replace(/\n$/, '').split('\n');
  if (!isShort) return lines;
  const shown = lines
    .slice(0, MOST_LINES)
    .map((line) => (line.length > LONGEST_LINE ? `${line.slice(0, LONGEST_LINE - 1)}…` : line));
  return lines.length > MOST_LINES ? [...shown, `… ${lines.length - MOST_LINES} more lines`] : shown;
}

/** A fence longer than any inside it. */
function fenced(text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}text\n${text}\n${fence}`;
}
