/** Every kernel name the engine knows: the records with code and those without, by name and release. */
import { FUNCTIONS } from '../mm/functions.ts';
import { INIT_FUNCTIONS } from '../mm/initFunctions.ts';
import { RECORDS } from './records/all.ts';
import type { FunctionVariant, KernelRecord } from './registry.ts';
import { compareReleases, type Release, type Span, spanHolds } from './release.ts';

/** All records, those that run first. */
export const ALL_RECORDS: readonly KernelRecord[] = [...FUNCTIONS, ...INIT_FUNCTIONS, ...RECORDS];

let byName: Map<string, KernelRecord[]> | undefined;

/** The records of a name; structs also answer to `struct NAME`. */
export function recordsOf(name: string): readonly KernelRecord[] {
  if (!byName) {
    byName = new Map();
    for (const record of ALL_RECORDS) {
      const keys = record.kind === 'struct' ? [`struct ${record.name}`, record.name] : [record.name];
      for (const key of keys) {
        const list = byName.get(key);
        if (list) list.push(record);
        else byName.set(key, [record]);
      }
    }
  }
  return byName.get(name) ?? [];
}

/** The record of `name` that holds in `release`. A struct is found by `struct NAME` before anything else of that name. */
export function lookup(name: string, release: Release): KernelRecord | undefined {
  return recordsOf(name).find((record) => holds(record, release));
}

function holds(record: KernelRecord, release: Release): boolean {
  switch (record.kind) {
    case 'function':
      return record.variants.some((variant) => spanHolds(variant, release));
    case 'constant':
    case 'macro':
    case 'errno':
      return record.values.some((value) => spanHolds(value, release));
    case 'never':
      return false;
    default:
      return spanHolds(record, release);
  }
}

/** The spans of releases that have a name, those in which the value of a constant is not known included. */
export function spansOf(record: KernelRecord): readonly Span[] {
  switch (record.kind) {
    case 'function':
      return record.variants;
    case 'constant':
    case 'macro':
    case 'errno':
      return record.namedSince === undefined ? record.values : [{ since: record.namedSince }, ...record.values];
    case 'never':
      return [];
    default:
      return [record];
  }
}

/** Of a constant that a release has, but whose value there is not known: the release from which it is. */
export function valueKnownSince(record: KernelRecord, release: Release): Release | undefined {
  if (!('values' in record) || record.namedSince === undefined) return undefined;
  if (compareReleases(release, record.namedSince) < 0) return undefined;
  const [first] = record.values.map(({ since }) => since).sort(compareReleases);
  return first !== undefined && compareReleases(release, first) < 0 ? first : undefined;
}

/** The variant of a function in `release`. */
export function variantOf(record: KernelRecord, release: Release): FunctionVariant | undefined {
  return record.kind === 'function' ? record.variants.find((variant) => spanHolds(variant, release)) : undefined;
}

/** The value of a constant in `release` on `arch`. */
export function constantValue(name: string, release: Release, arch: string): bigint | undefined {
  for (const record of recordsOf(name)) {
    if (record.kind !== 'constant' && record.kind !== 'macro' && record.kind !== 'errno') continue;
    const held = record.values.filter((value) => spanHolds(value, release));
    const value =
      held.find((candidate) => candidate.arch === arch) ?? held.find((candidate) => candidate.arch === undefined);
    if (value) return value.value;
  }
  return undefined;
}
