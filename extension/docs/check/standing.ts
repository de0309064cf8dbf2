/** How a kernel name stands in a release: there, gone, not there yet, or never there. */
import {
  ALL_RECORDS,
  compareReleases,
  type FieldRecord,
  type KernelRecord,
  RELEASES,
  type Release,
  recordsOf,
  type Span,
  spanHolds,
  spansOf,
} from '../../../sim/index.ts';

export type Standing =
  | { readonly state: 'here' }
  /** `since` is the first release without it. `instead` is there in the release that was asked for. */
  | { readonly state: 'gone'; readonly since: Release; readonly instead?: string }
  | { readonly state: 'not-yet'; readonly since: Release }
  /** No release had it; documents may. */
  | { readonly state: 'never'; readonly instead?: string };

export const HERE: Standing = { state: 'here' };

const after = (release: Release): Release =>
  RELEASES[RELEASES.indexOf(release as (typeof RELEASES)[number]) + 1] ?? release;

function standingOf(spans: readonly Span[], release: Release, instead: () => string | undefined): Standing {
  if (spans.some((span) => spanHolds(span, release))) return HERE;
  let ended: Release | undefined;
  let begins: Release | undefined;
  for (const { since, until } of spans) {
    if (until !== undefined && compareReleases(until, release) < 0) {
      if (ended === undefined || compareReleases(until, ended) > 0) ended = until;
    } else if (begins === undefined || compareReleases(since, begins) < 0) begins = since;
  }
  if (ended === undefined) return { state: 'not-yet', since: begins ?? release };
  const name = instead();
  return { state: 'gone', since: after(ended), ...(name === undefined ? {} : { instead: name }) };
}

const replacementOf = (record: KernelRecord): string | undefined =>
  'replacedBy' in record ? record.replacedBy : undefined;

/** How a name stands; undefined if it is not known at all, so that nothing can be said. */
export function standing(name: string, release: Release): Standing | undefined {
  return ofRecords(recordsOf(name), release, 0);
}

/** The same of a name in an expression or a declaration: there no struct goes by its tag alone. */
export function standingInCode(name: string, release: Release): Standing | undefined {
  const others = recordsOf(name).filter(({ kind }) => kind !== 'struct');
  return others.length === 0 ? standing(name, release) : ofRecords(others, release, 0);
}

function ofRecords(records: readonly KernelRecord[], release: Release, followed: number): Standing | undefined {
  if (records.length === 0) return undefined;
  const spans = records.flatMap(spansOf);
  if (spans.length === 0) {
    const never = records.find((record) => record.kind === 'never');
    const { instead } = never ?? {};
    // What was meant may be gone by now as well: then nothing is right.
    const isRight =
      instead !== undefined && (ofRecords(recordsOf(lastPart(instead)), release, followed)?.state ?? 'here') === 'here';
    return { state: 'never', ...(isRight ? { instead } : {}) };
  }
  return standingOf(spans, release, () => {
    const name = records.map(replacementOf).findLast((each) => each !== undefined);
    return name === undefined ? undefined : replacement(name, release, followed);
  });
}

const lastPart = (name: string): string => name.slice(name.lastIndexOf('.') + 1);

/** What takes the place of a name, followed to one that is there in the release. */
function replacement(name: string, release: Release, followed: number): string | undefined {
  if (followed > 5) return undefined;
  const known = ofRecords(recordsOf(lastPart(name)), release, followed + 1);
  if (known === undefined || known.state === 'here') return name;
  return known.state === 'gone' ? known.instead : undefined;
}

/** The records of `struct tag`. */
const structOf = (tag: string): Extract<KernelRecord, { kind: 'struct' }> | undefined =>
  recordsOf(`struct ${tag}`).find((record) => record.kind === 'struct');

/** How a field of a struct stands. Undefined: the struct or all its fields are not known well enough to say. */
export function fieldStanding(tag: string, field: string, release: Release): Standing | undefined {
  const record = structOf(tag);
  if (record === undefined) return undefined;
  const spans = record.fields.filter((each) => each.name === field);
  if (spans.length === 0) return undefined;
  return standingOf(spans, release, () => {
    const name = spans.findLast((each) => each.replacedBy !== undefined)?.replacedBy;
    if (name === undefined || name.includes('.')) return name;
    const next = record.fields.some((each) => each.name === name && spanHolds(each, release));
    return next || record.fields.every((each) => each.name !== name) ? name : undefined;
  });
}

/** The field of a struct in a release, or in any if it is not there in that one. */
export function fieldOf(tag: string, field: string, release: Release): FieldRecord | undefined {
  const fields = structOf(tag)?.fields.filter((each) => each.name === field) ?? [];
  return fields.find((each) => spanHolds(each, release)) ?? fields.at(-1);
}

let byField: Map<string, Set<string>> | undefined;

/** The structs that have, or ever had, a field of that name. */
export function structsWith(field: string): ReadonlySet<string> {
  if (byField === undefined) {
    byField = new Map();
    for (const record of ALL_RECORDS) {
      if (record.kind !== 'struct') continue;
      for (const { name } of record.fields) byField.set(name, (byField.get(name) ?? new Set()).add(record.name));
    }
  }
  return byField.get(field) ?? NONE;
}
const NONE: ReadonlySet<string> = new Set();

/** How a field stands that is named without its struct: there if any struct has it. */
export function looseFieldStanding(field: string, release: Release): Standing | undefined {
  const spans = [...structsWith(field)].flatMap(
    (tag) => structOf(tag)?.fields.filter((each) => each.name === field) ?? [],
  );
  if (spans.length === 0) return undefined;
  return standingOf(spans, release, () => spans.findLast((each) => each.replacedBy !== undefined)?.replacedBy);
}

/** What is wrong with a name, as the end of a sentence that begins with it. */
export function saying(standing: Exclude<Standing, { state: 'here' }>, release: Release, isFunction = false): string {
  switch (standing.state) {
    case 'gone':
      return `${isFunction ? 'cannot be called' : 'is not there'} in ${release}: it ended with ${before(standing.since)}${standing.instead === undefined ? '' : `; ${standing.instead} took its place`}.`;
    case 'not-yet':
      return `is not there in ${release} yet: it came with ${standing.since}.`;
    case 'never':
      return `is not in the kernel, and never was${standing.instead === undefined ? '' : `: ${standing.instead} is meant`}.`;
  }
}

const before = (release: Release): Release =>
  RELEASES[RELEASES.indexOf(release as (typeof RELEASES)[number]) - 1] ?? release;
