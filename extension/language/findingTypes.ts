/** What is known to be right and wrong in one version of an open document. Free of vscode. */
import type { Release } from '../../sim/index.ts';
import type { DocFinding } from '../docs/check/types.ts';
import { type ClaimVerdict, claimFinding, isToldByRule, type PlacedClaim } from '../docs/claims.ts';
import type { Span } from '../docs/rst.ts';

export interface JudgedClaim extends PlacedClaim {
  /** Absent while nobody has judged it, or if it could not be judged. */
  readonly verdict?: ClaimVerdict;
}

export interface DocumentFindings {
  /** The release that the claims speak of, and names are held against. */
  readonly release: Release;
  /** What the rules found. */
  readonly findings: readonly DocFinding[];
  readonly claims: readonly JudgedClaim[];
  /** Whether claims are still being judged. */
  readonly isPending: boolean;
}

export interface FindingFilter {
  readonly findings: boolean;
  readonly claims: boolean;
  /** Codes the reader does not want to see. */
  readonly disabled: readonly string[];
}

/** Whether a code is switched off: by its name, or with all that begin like it: `claim/*`. */
export function isDisabled(code: string, disabled: readonly string[]): boolean {
  return disabled.some((one) => (one.endsWith('*') ? code.startsWith(one.slice(0, -1)) : code === one));
}

/** The findings that are to be shown, in the order of the text. */
export function shownFindings(
  { findings, claims }: DocumentFindings,
  filter: FindingFilter,
  source: string,
): DocFinding[] {
  const isShown = ({ code }: DocFinding): boolean => !isDisabled(code, filter.disabled);
  const ofRules = filter.findings ? findings.filter(isShown) : [];
  const failed = filter.claims ? claims.flatMap((one) => claimFindingIn(source, one, ofRules) ?? []) : [];
  return [...ofRules, ...failed.filter(isShown)].sort((a, b) => a.start - b.start || a.end - b.end);
}

/**
 * A failed claim as a finding at its key words: a sentence of four lines with a wave below all of it cannot be read.
 * None if one of the rules' findings says it already.
 */
export function claimFindingIn(
  source: string,
  one: JudgedClaim,
  ofRules: readonly DocFinding[] = [],
): DocFinding | undefined {
  const { verdict } = one;
  const finding = verdict && claimFinding(one, verdict);
  if (verdict === undefined || finding === undefined || isToldByRule(one, verdict, ofRules, source)) return undefined;
  return { ...finding, ...keySpanOf(source, one) };
}

/** From the first key word of a claim to its last, if they are near each other; else the longest of them. */
function keySpanOf(source: string, { claim, place }: PlacedClaim): Span {
  const text = source.slice(place.span.start, place.span.end);
  const words = [claim.anchor, ...(claim.also ?? [])].find(({ words }) => spansOf(text, words) !== undefined)?.words;
  const spans = words && spansOf(text, words);
  const [first] = spans ?? [];
  if (spans === undefined || first === undefined) return place.span;
  const start = Math.min(...spans.map((span) => span.start));
  const end = Math.max(...spans.map((span) => span.end));
  const isNear = end - start <= NEAR && !text.slice(start, end).includes('\n');
  const longest = spans.reduce((best, span) => (span.end - span.start > best.end - best.start ? span : best), first);
  const found = isNear ? { start, end } : longest;
  return { start: place.span.start + found.start, end: place.span.start + found.end };
}

const NEAR = 100;

/** Where the words stand in a text; undefined if not all of them do. */
function spansOf(text: string, words: readonly string[]): Span[] | undefined {
  const spans = words.flatMap((word): Span[] => {
    const escaped = word
      .trim()
      .replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
      .replace(/\s+/g, '\\s+');
    const match = new RegExp(escaped, 'i').exec(text);
    return match === null ? [] : [{ start: match.index, end: match.index + match[0].length }];
  });
  return spans.length === words.length ? spans : undefined;
}

/** What a comparison adds: the findings of one release that the text does not have already. */
export function driftOf(against: readonly DocFinding[], own: readonly DocFinding[]): DocFinding[] {
  const keyOf = ({ code, start, end }: DocFinding): string => `${code} ${start} ${end}`;
  const known = new Set(own.map(keyOf));
  return against.filter((finding) => !known.has(keyOf(finding)));
}

export interface Tally {
  readonly holding: number;
  readonly failing: number;
  readonly unjudged: number;
}

/** A claim that could not be judged neither holds nor fails. */
export const isFailed = ({ verdict }: JudgedClaim): boolean =>
  verdict !== undefined && !verdict.holds && verdict.problem === undefined;

export function tallyOf(claims: readonly JudgedClaim[]): Tally {
  const holding = claims.filter(({ verdict }) => verdict?.holds === true).length;
  const failing = claims.filter(isFailed).length;
  return { holding, failing, unjudged: claims.length - holding - failing };
}

/** The claims around an offset, the smallest sentence first. */
export function claimsAt<T extends PlacedClaim>(claims: readonly T[], offset: number): T[] {
  const length = ({ place: { span } }: PlacedClaim): number => span.end - span.start;
  return claims
    .filter(({ place: { span } }) => span.start <= offset && offset <= span.end)
    .sort((a, b) => length(a) - length(b));
}

/** The failed claim after, or before, an offset, around the ends of the text; undefined if there is none. */
export function failedClaimFrom(
  claims: readonly JudgedClaim[],
  offset: number,
  direction: 'next' | 'previous',
): JudgedClaim | undefined {
  const failed = claims.filter(isFailed).sort((a, b) => a.place.span.start - b.place.span.start);
  return direction === 'next'
    ? (failed.find(({ place }) => place.span.start > offset) ?? failed[0])
    : (failed.findLast(({ place }) => place.span.start < offset && place.span.end <= offset) ?? failed.at(-1));
}
