/** Releases are data. Code asks `kernel.facts.fact`, never compares version numbers inline. */
import { ADDRESS_SPACE_FACTS } from './facts/address_space.ts';
import { HMM_FACTS } from './facts/hmm.ts';
import { MEMORY_FACTS } from './facts/memory.ts';
import { ZONE_DEVICE_FACTS } from './facts/zone_device.ts';

export type Release = `${number}.${number}`;

/** Every release the engine knows, oldest first. */
// biome-ignore format: sixty-two versions read better in rows
export const RELEASES = [
  '4.3', '4.4', '4.5', '4.6', '4.7', '4.8', '4.9', '4.10', '4.11', '4.12', '4.13', '4.14', '4.15', '4.16', '4.17',
  '4.18', '4.19', '4.20', '5.0', '5.1', '5.2', '5.3', '5.4', '5.5', '5.6', '5.7', '5.8', '5.9', '5.10', '5.11', '5.12',
  '5.13', '5.14', '5.15', '5.16', '5.17', '5.18', '5.19', '6.0', '6.1', '6.2', '6.3', '6.4', '6.5', '6.6', '6.7', '6.8',
  '6.9', '6.10', '6.11', '6.12', '6.13', '6.14', '6.15', '6.16', '6.17', '6.18', '6.19', '7.0', '7.1', '7.2', '7.3',
] as const satisfies readonly Release[];

/** The releases in which a statement holds, both ends included. `until` absent: to the newest. */
export interface Span {
  since: Release;
  until?: Release;
}

/** A release as a number that grows with it. Asked for every name and fact, so it is worked out once. */
const ordinals = new Map<Release, number>();
function ordinal(release: Release): number {
  let found = ordinals.get(release);
  if (found === undefined) {
    const [major, minor] = release.split('.');
    found = Number(major) * 1000 + Number(minor);
    ordinals.set(release, found);
  }
  return found;
}

/** Negative if `a` is older than `b`, positive if it is newer, 0 if they are the same. */
export const compareReleases = (a: Release, b: Release): number => ordinal(a) - ordinal(b);

export function spanHolds(span: Span, release: Release): boolean {
  return (
    compareReleases(span.since, release) <= 0 && (span.until === undefined || compareReleases(release, span.until) <= 0)
  );
}

/** Something that is true of the kernel in some releases and not in others. */
export interface Fact extends Span {
  /** Further releases in which it holds: stable series that received the change as a backport. */
  also?: readonly Span[];
  /** Where it can be seen, and what it means, in our own words. */
  source: string;
}

/*
 * Machines follow the newest stable kernel of a release, so a change that a stable
 * series took over holds there even where the release of the same number lacked it.
 */
export const FACTS = {
  ...ZONE_DEVICE_FACTS,
  ...MEMORY_FACTS,
  ...HMM_FACTS,
  ...ADDRESS_SPACE_FACTS,
} as const satisfies Record<string, Fact>;

export type FactId = keyof typeof FACTS;

export function factHolds(fact: FactId, release: Release): boolean {
  const { also, ...span }: Fact = FACTS[fact];
  return spanHolds(span, release) || (also?.some((further) => spanHolds(further, release)) ?? false);
}

/** The facts of one release, ready to be asked. */
export type Facts = Readonly<Record<FactId, boolean>>;

const known = new Map<Release, Facts>();

export function factsOf(release: Release): Facts {
  let found = known.get(release);
  if (found === undefined) {
    // Facts are asked again and again for every page that moves. So many properties make an object a hash table, but
    // not while it is the prototype of another: then engines fold a fact into the code that asks.
    const facts = {} as Record<FactId, boolean>;
    for (const fact of Object.keys(FACTS) as FactId[]) facts[fact] = factHolds(fact, release);
    found = Object.create(facts) as Facts;
    known.set(release, found);
  }
  return found;
}
