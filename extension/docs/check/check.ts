/** Findings in a document by general rules, each in a file of its own. Nothing is run, and nothing is thrown. */
import { compareReleases, type Release } from '../../../sim/index.ts';
import { type Context, contextOf, tooLongBlocks } from './context.ts';
import { calls } from './rules/calls.ts';
import { fields } from './rules/fields.ts';
import { leaks } from './rules/leaks.ts';
import { literals } from './rules/literals.ts';
import { names } from './rules/names.ts';
import { references } from './rules/references.ts';
import { results } from './rules/results.ts';
import { syntax } from './rules/syntax.ts';
import { values } from './rules/values.ts';
import { variables } from './rules/variables.ts';
import type { CheckInput, DocFinding } from './types.ts';

const RULES: readonly ((context: Context) => void)[] = [
  syntax,
  literals,
  names,
  fields,
  variables,
  calls,
  leaks,
  results,
  values,
  references,
];

/** More than a reader would look through; a text with more of them is no document of the kernel. */
const MAX_FINDINGS = 500;
const MAX_SOURCE = 4 << 20;

/** The release a text is held against: the one asked for, or the newest it belongs to. */
export const releaseHeldAgainst = ({
  against,
  releases,
}: Pick<CheckInput, 'against' | 'releases'>): Release | undefined => against ?? releases.at(-1);

/** What is wrong in a document, in the order of the text. Without a release nothing can be said. */
export function checkDocument(input: CheckInput): DocFinding[] {
  const release = releaseHeldAgainst(input);
  if (release === undefined) return [];
  const findings: DocFinding[] = [];
  const { source, against, releases } = input;
  if (source.length > MAX_SOURCE) {
    const message = 'This text is far longer than a document of the kernel, and was not checked.';
    return [{ code: 'too-long', severity: 'information', start: 0, end: 0, message }];
  }
  for (const { start } of tooLongBlocks(input.document))
    findings.push({
      code: 'too-long',
      severity: 'information',
      start,
      end: start,
      message: 'This block is too long to be an example, and was not checked.',
    });
  const context = contextOf(input, release, findings);
  for (const rule of RULES) rule(context);
  return tidy(against === undefined ? findings.filter((finding) => isOfAll(finding, releases)) : findings);
}

/** Of a text of several releases only that is wrong which is wrong in all of them: nobody knows which one is meant. */
function isOfAll({ since }: DocFinding, releases: readonly Release[]): boolean {
  const [oldest] = releases;
  const newest = releases.at(-1);
  if (since === undefined || oldest === undefined || newest === undefined) return true;
  return compareReleases(since, oldest) <= 0 || compareReleases(since, newest) > 0;
}

function tidy(findings: readonly DocFinding[]): DocFinding[] {
  const seen = new Set<string>();
  return findings
    .filter(({ code, start, end }) => {
      const key = `${code} ${start} ${end}`;
      if (seen.has(key)) return false;
      seen.add(key);
      return true;
    })
    .sort((a, b) => a.start - b.start || a.end - b.end || (a.code < b.code ? -1 : 1))
    .slice(0, MAX_FINDINGS);
}
