/** What `help` says of a kernel name in a release, from its records. */
import { constantValue, recordsOf, spansOf, valueKnownSince, variantOf } from '../kernel/names.ts';
import { prose } from '../kernel/prose.ts';
import type { KernelRecord } from '../kernel/registry.ts';
import { compareReleases, type Release, type Span, spanHolds } from '../kernel/release.ts';
import type { Kernel } from '../machine/kernel.ts';

type Real = Exclude<KernelRecord, { kind: 'never' }>;

/** Undefined: no record has that name. */
export function helpOfName({ release, arch }: Kernel, name: string): string | undefined {
  const records = recordsOf(name);
  const never = records.find((record) => record.kind === 'never');
  if (never) return `${name}: in no kernel\n  ${prose(never.contract)}`;
  const real = records.filter((record) => record.kind !== 'never');
  const here = real.filter((record) => spansOf(record).some((span) => spanHolds(span, release)));
  if (here.length > 0) return here.map((record) => present(record, release, arch.name)).join('\n');
  const gone = real.at(-1);
  if (!gone) return undefined;
  const lines = [`${name}: not in ${release}; ${spanText(real.flatMap(spansOf))}`];
  if ('replacedBy' in gone && gone.replacedBy !== undefined) lines.push(`  replaced by ${gone.replacedBy}`);
  return [...lines, `  ${prose(gone.contract)}`].join('\n');
}

function present(record: Real, release: Release, arch: string): string {
  const lines = [...declaration(record, release, arch), `  ${prose(record.contract)}`];
  const variant = variantOf(record, release);
  if (variant?.note !== undefined) lines.push(`  ${prose(variant.note)}`);
  for (const error of variant?.errors ?? []) lines.push(`  ${error.returns}: ${prose(error.when)}`);
  return lines.join('\n');
}

function declaration(record: Real, release: Release, arch: string): string[] {
  switch (record.kind) {
    case 'function':
      return [variantOf(record, release)?.prototype ?? record.name];
    case 'callback':
      return [`struct ${record.struct}: ${record.prototype}`];
    case 'struct':
      return [
        `struct ${record.name}`,
        ...record.fields
          .filter((field) => spanHolds(field, release))
          .map(({ name, type }) => `  ${memberText(name, type)};`),
      ];
    case 'symbol':
      return [memberText(record.name, record.type)];
    case 'config':
      return [record.name];
    default: {
      const known = valueKnownSince(record, release);
      if (known !== undefined)
        return [`${record.name}: its value in ${release} is not known, only that since ${known}`];
      const value = constantValue(record.name, release, arch);
      return [value === undefined ? `${record.name}: not on ${arch}` : `${record.name} = ${value}`];
    }
  }
}

/** `unsigned long flags`, `void (*free)(struct page *)`, `struct range ranges[]`. */
function memberText(name: string, type: string): string {
  if (type.includes('(*)')) return type.replace('(*)', `(*${name})`);
  const array = /\[.*\]$/.exec(type)?.[0] ?? '';
  const bare = type.slice(0, type.length - array.length);
  return `${bare}${bare.endsWith('*') ? '' : ' '}${name}${array}`;
}

function spanText(spans: readonly Span[]): string {
  const since = spans.map((span) => span.since).sort(compareReleases)[0] ?? '';
  const ends = spans.map((span) => span.until).filter((end) => end !== undefined);
  return ends.length < spans.length ? `since ${since}` : `${since} to ${ends.sort(compareReleases).at(-1)}`;
}
