/**
 * Claims: sentences of the documents that state something the engine can check. Data under media/claims, bound to a
 * place by section and key words, never to a copy of the sentence. Beside the claims the files hold the setups that
 * several of them begin with.
 */
import * as v from 'valibot';
import type { Release } from '../../sim/index.ts';
import { type Anchor, type ResolvedAnchor, resolveAnchor } from './anchors.ts';
import type { DocFinding } from './check/types.ts';
import type { RstDocument } from './rstTypes.ts';
import { releasesOf, textFor, wrongWith } from './scenes.ts';

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
  /** The preset to judge on. Default: that of its setup, or the machine of the recordings. */
  readonly machine?: string;
  /** Kernel options that are otherwise than on the preset: `vmemmap`. */
  readonly config?: Readonly<Record<string, boolean>>;
  /** The setup it begins with, by name. */
  readonly given?: string;
  /** The lines of that setup, put there by the loader. All of them have to succeed. */
  readonly setup?: readonly BySpan[];
  /** Shell lines, one after the other; a line for some releases only is `{span: line}`. */
  readonly run?: readonly BySpan[];
  readonly expect: readonly ClaimExpectation[];
  /** Spans of releases in which it holds; tests hold the engine against it. Default: all of `release`. */
  readonly holds?: readonly string[];
  /** Where it does not hold: why, in our own words, by span of releases. */
  readonly why?: BySpan;
}

/** Lines that several claims begin with. */
export interface ClaimSetup {
  /** Its name. */
  readonly setup: string;
  /** A setup that comes before it. */
  readonly given?: string;
  readonly machine?: string;
  readonly lines: readonly BySpan[];
}

export interface ClaimVerdict {
  readonly claim: Claim;
  readonly release: Release;
  readonly holds: boolean;
  /** Where it does not hold: the first release of the run of releases up to this one in which it does not. */
  readonly since?: Release;
  readonly why?: string;
  /** The line that did otherwise. */
  readonly failed?: string;
  /** Why it could not be judged: it neither holds nor fails then, and is no finding. */
  readonly problem?: string;
  /** The lines that show it, with what each printed; the failed expectation last. */
  readonly evidence: readonly { readonly line: string; readonly output: string; readonly wanted?: string }[];
}

export interface PlacedClaim {
  readonly claim: Claim;
  readonly place: ResolvedAnchor;
}

const word = v.pipe(v.string(), v.minLength(1));
/** An object, which to valibot a list is too. */
const plain = v.custom<Record<string, unknown>>(
  (input) => typeof input === 'object' && input !== null && !Array.isArray(input),
  'must be an object',
);
const object = <T extends v.ObjectEntries>(entries: T) => v.pipe(plain, v.strictObject(entries));
const span = v.pipe(
  v.string(),
  v.regex(/^\d+\.\d+(\.\.(\d+\.\d+)?)?$/),
  v.check((text) => releasesOf(text) !== undefined, 'is no span of known releases'),
);
const bySpan = v.union([v.string(), v.pipe(plain, v.record(span, v.string()))]);
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
const id = v.pipe(v.string(), v.regex(/^[A-Za-z0-9-]+$/));
const claimSchema = object({
  id,
  anchor,
  also: v.exactOptional(v.array(anchor)),
  says: word,
  release: v.exactOptional(span),
  machine: v.exactOptional(word),
  config: v.exactOptional(v.pipe(plain, v.record(v.string(), v.boolean()))),
  given: v.exactOptional(id),
  run: v.exactOptional(v.array(bySpan)),
  expect: v.pipe(v.array(expectation), v.minLength(1)),
  holds: v.exactOptional(v.array(span)),
  why: v.exactOptional(bySpan),
});
const setupSchema = object({
  setup: id,
  given: v.exactOptional(id),
  machine: v.exactOptional(word),
  lines: v.pipe(v.array(bySpan), v.minLength(1)),
});

type Entry = Record<string, unknown>;
const isEntry = (entry: unknown): entry is Entry => typeof entry === 'object' && entry !== null;
const isSetup = (entry: unknown): entry is Entry => isEntry(entry) && 'setup' in entry;

/** Checks claims and setups as the build collected them, like {@link loadScenes}. A wrong one is left out and named. */
export function loadClaims(
  json: unknown,
  { isOurs = false } = {},
): { claims: readonly Claim[]; problems: readonly string[] } {
  if (!Array.isArray(json)) return { claims: [], problems: ['claims: not a list'] };
  const claims = new Map<string, Claim>();
  const setups = new Map<string, ClaimSetup>();
  const problems: string[] = [];
  const entries: readonly unknown[] = json;
  for (const entry of entries.filter(isSetup)) {
    const name = `the setup ${String(entry.setup)}`;
    const wrong = isOurs ? undefined : wrongWith(setupSchema, entry);
    if (wrong !== undefined) problems.push(`${name}: ${wrong}`);
    else if (setups.has(String(entry.setup))) problems.push(`${name}: there are two of this name`);
    else setups.set(String(entry.setup), entry as unknown as ClaimSetup);
  }
  for (const entry of entries.filter((each) => !isSetup(each))) {
    const name = isEntry(entry) && 'id' in entry ? String(entry.id) : 'a claim without an id';
    const twice = claims.has(name) ? 'there are two claims of this id' : undefined;
    const wrong = (isOurs ? undefined : wrongWith(claimSchema, entry)) ?? twice;
    if (wrong !== undefined) {
      problems.push(`${name}: ${wrong}`);
      continue;
    }
    const claim = entry as Claim;
    const setup = claim.given === undefined ? {} : chainOf(claim.given, setups);
    if (typeof setup === 'string') problems.push(`${name}: ${setup}`);
    else claims.set(name, { ...setup, ...claim });
  }
  return { claims: [...claims.values()], problems };
}

/** The lines of a setup behind those of the setups it is given, and the machine of the last that names one. */
function chainOf(
  name: string,
  setups: ReadonlyMap<string, ClaimSetup>,
): { setup: readonly BySpan[]; machine?: string } | string {
  const chain: ClaimSetup[] = [];
  for (let at: string | undefined = name; at !== undefined; ) {
    const setup = setups.get(at);
    if (setup === undefined) return `there is no setup ${at}`;
    if (chain.includes(setup)) return `the setup ${at} comes before itself`;
    chain.push(setup);
    at = setup.given;
  }
  const machine = chain.find((setup) => setup.machine !== undefined)?.machine;
  return {
    setup: chain.reverse().flatMap((setup) => setup.lines),
    ...(machine === undefined ? {} : { machine }),
  };
}

/** Whether a claim is about a release at all. */
export const isAbout = (claim: Claim, release: Release): boolean =>
  claim.release === undefined || (releasesOf(claim.release)?.includes(release) ?? false);

/** Whether the data says that it holds; the engine is held against it by tests. */
export const isSaidToHold = (claim: Claim, release: Release): boolean =>
  claim.holds === undefined || claim.holds.some((each) => releasesOf(each)?.includes(release));

const inRelease = (lines: readonly BySpan[] | undefined, release: Release): string[] =>
  (lines ?? []).flatMap((line) => textFor(line, release) ?? []);
/** The lines to begin with in a release. */
export const setupOf = (claim: Claim, release: Release): string[] => inRelease(claim.setup, release);
/** The lines to run in a release, those of its setup first. */
export const linesOf = (claim: Claim, release: Release): string[] => [
  ...setupOf(claim, release),
  ...inRelease(claim.run, release),
];

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

/** What rules say of a name that a release does not have. */
const OF_NAMES: ReadonlySet<string> = new Set(['gone-name', 'never-existed', 'not-yet']);

/** Whether a rule says the same at the name in the claim's sentence: then one finding is enough. */
export function isToldByRule(
  { place: { span } }: PlacedClaim,
  { failed }: ClaimVerdict,
  findings: readonly DocFinding[],
  source: string,
): boolean {
  const name = /^help (\w+)$/.exec(failed ?? '')?.[1];
  if (name === undefined) return false;
  return findings.some(
    ({ code, start, end }) =>
      OF_NAMES.has(code) && span.start <= start && end <= span.end && source.slice(start, end) === name,
  );
}

/** What a claim that does not hold is as a finding; undefined if it holds, or nobody knows. */
export function claimFinding({ claim, place }: PlacedClaim, verdict: ClaimVerdict): DocFinding | undefined {
  if (verdict.holds || verdict.problem !== undefined) return undefined;
  const reason = verdict.why ?? `The engine of ${verdict.release} does otherwise.`;
  return {
    code: `claim/${claim.id}`,
    severity: 'warning',
    start: place.span.start,
    end: place.span.end,
    message: `Not so${verdict.since === undefined ? '' : ` since ${verdict.since}`}: ${claim.says} ${reason}`,
    ...(verdict.since === undefined ? {} : { since: verdict.since }),
  };
}
