/**
 * Claims: sentences of the documents that state something the engine can check. Data under media/claims, bound to a
 * place by section and key words, never to a copy of the sentence.
 */
import * as v from 'valibot';
import type { Release } from '../../sim/index.ts';
import { type Anchor, type ResolvedAnchor, resolveAnchor } from './anchors.ts';
import type { DocFinding } from './check/types.ts';
import type { RstDocument } from './rstTypes.ts';
import { releasesOf, textFor } from './scenes.ts';

/** A text, or one for each span of releases. */
export type BySpan = string | Readonly<Record<string, string>>;

/** What has to be so of a line once all lines of `run` have run. Exactly one of the tests below is given. */
export interface ClaimExpectation {
  /** A shell line; it may change nothing. */
  readonly line: string;
  /** What it prints or, if it prints nothing, gives. */
  readonly is?: BySpan;
  readonly isNot?: BySpan;
  /** A part of what it prints. */
  readonly has?: BySpan;
  readonly lacks?: BySpan;
  /** The errno that it fails with: `EINVAL`; empty: it succeeds. */
  readonly fails?: BySpan;
  /** Another line that prints or gives the same. */
  readonly sameAs?: string;
  readonly differsFrom?: string;
}

export interface Claim {
  readonly id: string;
  readonly anchor: Anchor;
  /** Places in other texts that say the same. */
  readonly also?: readonly Anchor[];
  /** What the sentence claims, in our own words. */
  readonly says: string;
  /** The releases the engine can judge it in; everywhere else it is not placed. Default: all. */
  readonly release?: string;
  /** The preset to judge on. */
  readonly machine?: string;
  /** Shell lines, one after the other; a line for some releases only is `{span: line}`. */
  readonly run?: readonly BySpan[];
  readonly expect: readonly ClaimExpectation[];
  /** Spans of releases in which it holds; tests hold the engine against it. Default: all of `release`. */
  readonly holds?: readonly string[];
  /** Where it does not hold: why, in our own words, by span of releases. */
  readonly why?: BySpan;
}

export interface ClaimVerdict {
  readonly claim: Claim;
  readonly release: Release;
  readonly holds: boolean;
  /** Where it does not hold: the first release of the run of releases up to this one in which it does not. */
  readonly since?: Release;
  readonly why?: string;
  /** The lines that show it, with what each printed; the failed expectation last. */
  readonly evidence: readonly { readonly line: string; readonly output: string; readonly wanted?: string }[];
}

export interface PlacedClaim {
  readonly claim: Claim;
  readonly place: ResolvedAnchor;
}

const word = v.pipe(v.string(), v.minLength(1));
const object = <T extends v.ObjectEntries>(entries: T) =>
  v.pipe(
    v.custom<Record<string, unknown>>((input) => typeof input === 'object' && input !== null && !Array.isArray(input)),
    v.strictObject(entries),
  );
const bySpan = v.union([v.string(), v.record(v.string(), v.string())]);
const span = v.pipe(
  v.string(),
  v.check((text) => releasesOf(text) !== undefined, 'is no span of known releases'),
);
const anchor = object({
  document: v.picklist(['memory-model', 'hmm']),
  section: v.string(),
  words: v.pipe(v.array(word), v.minLength(1), v.maxLength(10)),
  ordinal: v.exactOptional(v.pipe(v.number(), v.integer(), v.minValue(1))),
});
const TESTS = ['is', 'isNot', 'has', 'lacks', 'fails', 'sameAs', 'differsFrom'] as const;
const expectation = v.pipe(
  object({
    line: word,
    is: v.exactOptional(bySpan),
    isNot: v.exactOptional(bySpan),
    has: v.exactOptional(bySpan),
    lacks: v.exactOptional(bySpan),
    fails: v.exactOptional(bySpan),
    sameAs: v.exactOptional(word),
    differsFrom: v.exactOptional(word),
  }),
  v.check((given) => TESTS.filter((test) => test in given).length === 1, 'has to have one test'),
);
const claimSchema = object({
  id: v.pipe(v.string(), v.regex(/^[A-Za-z0-9-]+$/)),
  anchor,
  also: v.exactOptional(v.array(anchor)),
  says: word,
  release: v.exactOptional(span),
  machine: v.exactOptional(word),
  run: v.exactOptional(v.array(bySpan)),
  expect: v.pipe(v.array(expectation), v.minLength(1)),
  holds: v.exactOptional(v.array(span)),
  why: v.exactOptional(bySpan),
});

/** Checks claims as the build collected them. A wrong one is left out and named. */
export function loadClaims(json: unknown): { claims: readonly Claim[]; problems: readonly string[] } {
  if (!Array.isArray(json)) return { claims: [], problems: ['claims: not a list'] };
  const claims = new Map<string, Claim>();
  const problems: string[] = [];
  for (const entry of json) {
    const name =
      typeof entry === 'object' && entry !== null && 'id' in entry ? String(entry.id) : 'a claim without an id';
    const { success, issues } = v.safeParse(claimSchema, entry);
    const [first] = issues ?? [];
    if (!success)
      problems.push(
        `${name}: /${(first?.path ?? []).map((part) => String(part.key)).join('/')} ${first?.message ?? 'is not a claim'}`,
      );
    else if (claims.has(name)) problems.push(`${name}: there are two claims of this id`);
    else claims.set(name, entry as Claim);
  }
  return { claims: [...claims.values()], problems };
}

/** Whether a claim is about a release at all. */
export const isAbout = (claim: Claim, release: Release): boolean =>
  claim.release === undefined || (releasesOf(claim.release)?.includes(release) ?? false);

/** Whether the data says that it holds; the engine is held against it by tests. */
export const isSaidToHold = (claim: Claim, release: Release): boolean =>
  claim.holds === undefined || claim.holds.some((each) => releasesOf(each)?.includes(release));

/** The lines to run in a release. */
export const linesOf = (claim: Claim, release: Release): string[] =>
  (claim.run ?? []).flatMap((line) => textFor(line, release) ?? []);

/** The claims a text makes, in the order of the text. Those whose sentence is not there are left out. */
export function placeClaims(
  claims: readonly Claim[],
  kind: Anchor['document'],
  release: Release,
  document: RstDocument,
  source: string,
): PlacedClaim[] {
  return claims
    .flatMap((claim): PlacedClaim[] => {
      if (!isAbout(claim, release)) return [];
      for (const each of [claim.anchor, ...(claim.also ?? [])]) {
        const place = each.document === kind ? resolveAnchor(document, source, each) : undefined;
        if (place !== undefined) return [{ claim, place }];
      }
      return [];
    })
    .sort((a, b) => a.place.span.start - b.place.span.start);
}

/** What a claim that does not hold is as a finding; undefined if it holds. */
export function claimFinding({ claim, place }: PlacedClaim, verdict: ClaimVerdict): DocFinding | undefined {
  if (verdict.holds) return undefined;
  const reason = verdict.why ?? `The engine of ${verdict.release} does otherwise.`;
  return {
    code: `claim/${claim.id}`,
    severity: 'warning',
    start: place.span.start,
    end: place.span.end,
    message: `${claim.says} ${reason}`,
    ...(verdict.since === undefined ? {} : { since: verdict.since }),
  };
}
