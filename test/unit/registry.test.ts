import { describe, expect, it } from 'vitest';
import { standing } from '../../extension/docs/check/standing.ts';
import { ALL_RECORDS } from '../../sim/kernel/names.ts';
import { RECORDS } from '../../sim/kernel/records/all.ts';
import type { KernelRecord, Span } from '../../sim/kernel/registry.ts';
import {
  compareReleases,
  FACTS,
  type FactId,
  factHolds,
  factsOf,
  RELEASES,
  type Release,
  spanHolds,
} from '../../sim/kernel/release.ts';
import { helpOfName } from '../../sim/shell/helpName.ts';
import { boot } from '../support/machines.ts';

const known = (release: Release): boolean => (RELEASES as readonly Release[]).includes(release);
const isOrdered = ({ since, until }: Span): boolean => until === undefined || compareReleases(since, until) <= 0;
const overlap = (a: Span, b: Span): boolean =>
  RELEASES.some((release) => spanHolds(a, release) && spanHolds(b, release));

function grouped<T extends Span>(all: readonly T[], key: (one: T) => string): Record<string, Span[]> {
  const groups: Record<string, Span[]> = {};
  for (const one of all) {
    const name = key(one);
    groups[name] = [...(groups[name] ?? []), one];
  }
  return groups;
}

/** The spans that must not overlap, by what they are of. */
function spansOf(record: KernelRecord): Record<string, Span[]> {
  switch (record.kind) {
    case 'function':
      return { [record.name]: [...record.variants] };
    case 'constant':
    case 'macro':
    case 'errno':
      return grouped(record.values, ({ arch }) => arch ?? 'all');
    case 'struct':
      return grouped(record.fields, ({ name }) => name);
    case 'never':
      return { [record.name]: [record.documents] };
    default:
      return { [record.name]: [record] };
  }
}
const nameOf = (record: KernelRecord): string =>
  record.kind === 'callback' ? `${record.struct}.${record.name}` : record.name;

function record<K extends KernelRecord['kind']>(kind: K, name: string): Extract<KernelRecord, { kind: K }> {
  const found = ALL_RECORDS.find((candidate) => candidate.kind === kind && candidate.name === name);
  if (!found) throw new Error(`no ${kind} ${name}`);
  return found as Extract<KernelRecord, { kind: K }>;
}

function constantAt(name: string, release: Release, arch = 'x86_64'): bigint | undefined {
  for (const candidate of RECORDS) {
    if (!('values' in candidate) || candidate.name !== name) continue;
    return candidate.values.find(
      (value) => spanHolds(value, release) && (value.arch === undefined || value.arch === arch),
    )?.value;
  }
  return undefined;
}

describe('releases', () => {
  it('are in ascending order', () => {
    for (const [i, release] of RELEASES.entries()) {
      const next = RELEASES[i + 1];
      if (next) expect(compareReleases(release, next)).toBeLessThan(0);
    }
  });

  it('compare by number, not by letter', () => {
    expect(compareReleases('5.10', '5.9')).toBeGreaterThan(0);
    expect(compareReleases('6.1', '6.12')).toBeLessThan(0);
    expect(compareReleases('7.0', '6.19')).toBeGreaterThan(0);
    expect(compareReleases('5.4', '5.4')).toBe(0);
  });

  it('a span holds at both of its ends', () => {
    const span: Span = { since: '4.14', until: '5.2' };
    expect(RELEASES.filter((release) => spanHolds(span, release)).at(0)).toBe('4.14');
    expect(RELEASES.filter((release) => spanHolds(span, release)).at(-1)).toBe('5.2');
    expect(spanHolds({ since: '6.19' }, '7.3')).toBe(true);
    expect(spanHolds({ since: '6.19' }, '6.18')).toBe(false);
  });
});

describe('facts', () => {
  it.each(Object.entries(FACTS))('%s has valid, ordered spans and says where it is from', (_id, fact) => {
    const spans: readonly Span[] = [fact, ...('also' in fact ? fact.also : [])];
    for (const span of spans) {
      expect(known(span.since)).toBe(true);
      if (span.until) expect(known(span.until)).toBe(true);
      expect(isOrdered(span)).toBe(true);
    }
    for (const [i, a] of spans.entries()) for (const b of spans.slice(i + 1)) expect(overlap(a, b)).toBe(false);
    expect(fact.source.length).toBeGreaterThan(10);
  });

  const table: readonly [FactId, Release, boolean][] = [
    ['zoneDevice', '4.3', true],
    ['subsectionHotplug', '5.2', false],
    ['subsectionHotplug', '5.3', true],
    ['zoneDeviceNeverShrinks', '5.3', false],
    ['zoneDeviceNeverShrinks', '5.4', true],
    ['devicePrivateOwnerRequired', '5.6', false],
    ['devicePrivateOwnerRequired', '5.7', true],
    ['pgmapRanges', '5.10', true],
    ['sectionTaintZoneDevice', '5.11', false],
    ['sectionTaintZoneDevice', '5.12', true],
    ['discontigmem', '5.13', true],
    ['discontigmem', '5.14', false],
    ['vmemmapShift', '5.17', true],
    ['pageFreeAtZero', '5.17', false],
    ['pageFreeAtZero', '5.18', true],
    ['deviceCoherent', '6.0', true],
    ['devicePageRestsAtZero', '6.0', false],
    ['devicePageRestsAtZero', '6.1', true],
    ['fsdaxRestsAtZero', '6.14', false],
    ['fsdaxRestsAtZero', '6.15', true],
    ['getDevPagemapOneArgument', '6.17', false],
    ['getDevPagemapOneArgument', '6.18', true],
    ['folioFreeCallback', '6.19', true],
    ['getPageTakesPagemapRef', '4.4', false],
    ['getPageTakesPagemapRef', '4.13', true],
    ['getPageTakesPagemapRef', '4.14', false],
    ['maxOrderInclusive', '6.3', false],
    ['maxOrderInclusive', '6.4', true],
    ['hmmRangeFaultUnlocked', '7.2', false],
    ['hmmRangeFaultUnlocked', '7.3', true],
  ];
  it.each(table)('%s at %s: %s', (fact, release, holds) => expect(factsOf(release)[fact]).toBe(holds));

  it('device memory leaves max_pfn alone in 6.15 and later, and in the stable 6.1 and 6.12', () => {
    const holds = RELEASES.filter((release) => factHolds('maxPfnIgnoresPagemap', release));
    expect(holds.slice(0, 3)).toEqual(['6.1', '6.12', '6.15']);
    expect(holds.at(-1)).toBe('7.3');
  });

  it('a page is freed to its driver at 1 or at 0, never both', () => {
    for (const release of RELEASES.slice(RELEASES.indexOf('4.14'))) {
      const facts = factsOf(release);
      expect([facts.pageFreeAtOne, facts.pageFreeAtZero].filter(Boolean)).toHaveLength(1);
    }
  });

  it('a RAM range is either returned or refused', () => {
    for (const release of RELEASES) {
      const facts = factsOf(release);
      expect(facts.ramRangeReturned).toBe(!facts.ramRangeRefused);
    }
  });
});

describe('records', () => {
  it('names are unique by kind, but for callbacks and functions that changed', () => {
    const seen = new Map<string, KernelRecord>();
    for (const one of RECORDS) {
      const key = `${one.kind}:${nameOf(one)}`;
      const other = seen.get(key);
      if (other && one.kind === 'callback' && other.kind === 'callback') expect(overlap(one, other), key).toBe(false);
      else expect(other, key).toBeUndefined();
      seen.set(key, one);
    }
  });

  it.each(RECORDS.map((one) => [`${one.kind} ${nameOf(one)}`, one] as const))('%s has valid spans', (_name, one) => {
    for (const [what, spans] of Object.entries(spansOf(one))) {
      expect(spans.length, what).toBeGreaterThan(0);
      for (const [i, span] of spans.entries()) {
        expect(known(span.since), what).toBe(true);
        if (span.until) expect(known(span.until), what).toBe(true);
        expect(isOrdered(span), what).toBe(true);
        for (const other of spans.slice(i + 1)) expect(overlap(span, other), what).toBe(false);
      }
      const sorted = [...spans].sort((a, b) => compareReleases(a.since, b.since));
      expect(spans, what).toEqual(sorted);
    }
  });

  it('a field is in its struct only while the struct exists', () => {
    for (const one of RECORDS) {
      if (one.kind !== 'struct') continue;
      for (const field of one.fields) {
        expect(compareReleases(field.since, one.since), `${one.name}.${field.name}`).toBeGreaterThanOrEqual(0);
        if (one.until) expect(field.until, `${one.name}.${field.name}`).toBeDefined();
      }
    }
  });

  it('a callback is a field of the struct it names', () => {
    for (const one of RECORDS) {
      if (one.kind !== 'callback') continue;
      const struct = record('struct', one.struct);
      expect(struct.fields.map(({ name }) => name)).toContain(one.name);
    }
  });

  it('what replaced a name is known itself', () => {
    const names = new Set(ALL_RECORDS.flatMap((one) => [one.name, nameOf(one)]));
    for (const one of RECORDS) if (one.kind === 'struct') for (const field of one.fields) names.add(field.name);
    for (const one of RECORDS) {
      if (one.kind !== 'struct') continue;
      for (const field of one.fields) names.add(`${one.name}.${field.name}`);
    }
    const exists = (name: string): boolean => names.has(name);
    for (const one of RECORDS) {
      const by = [
        'replacedBy' in one ? one.replacedBy : undefined,
        one.kind === 'never' ? one.instead : undefined,
        ...(one.kind === 'struct' ? one.fields.map(({ replacedBy }) => replacedBy) : []),
      ];
      for (const name of by) if (name) expect(exists(name), `${nameOf(one)} -> ${name}`).toBe(true);
    }
  });

  it('a name that ended has a contract all the same, and every contract is a few sentences of its own', () => {
    for (const one of RECORDS) {
      expect(one.contract.length, nameOf(one)).toBeGreaterThan(8);
      expect(one.contract, nameOf(one)).toMatch(/^[A-Z0-9_-].*[.!?]$/s);
      expect(one.contract.split(/[.!?](?:\s|$)/).filter(Boolean).length, nameOf(one)).toBeLessThanOrEqual(4);
    }
  });

  it('prototypes name their function and have no semicolon', () => {
    for (const one of RECORDS) {
      const prototypes =
        one.kind === 'function'
          ? one.variants.map(({ prototype }) => prototype)
          : one.kind === 'callback'
            ? [one.prototype]
            : [];
      for (const prototype of prototypes) {
        expect(prototype).toMatch(new RegExp(`\\b${one.name}\\b`));
        expect(prototype).not.toContain(';');
        expect(prototype.split('(').length).toBe(prototype.split(')').length);
      }
    }
  });

  it('a function that the engine runs has no second record', () => {
    const names = ALL_RECORDS.filter(({ kind }) => kind === 'function').map(({ name }) => name);
    expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
  });
});

describe('prototypes follow the release', () => {
  const prototype = (name: string, release: Release): string | undefined =>
    record('function', name).variants.find((variant) => spanHolds(variant, release))?.prototype;

  it('hmm_range_fault loses its flags in 5.7 and returns int from 5.8', () => {
    expect(prototype('hmm_range_fault', '5.2')).toContain('bool block');
    expect(prototype('hmm_range_fault', '5.4')).toContain('unsigned int flags');
    expect(prototype('hmm_range_fault', '5.7')).toBe('long hmm_range_fault(struct hmm_range *range)');
    expect(prototype('hmm_range_fault', '5.8')).toBe('int hmm_range_fault(struct hmm_range *range)');
    expect(prototype('hmm_range_fault', '5.1')).toBeUndefined();
  });

  it('make_device_exclusive takes the place of make_device_exclusive_range in 6.15', () => {
    expect(prototype('make_device_exclusive_range', '6.14')).toBeDefined();
    expect(prototype('make_device_exclusive_range', '6.15')).toBeUndefined();
    expect(prototype('make_device_exclusive', '6.15')).toContain('struct folio **foliop');
  });

  it('hmm_range_register has three forms in three releases', () => {
    expect(prototype('hmm_range_register', '5.2')).toContain('struct mm_struct *mm');
    expect(prototype('hmm_range_register', '5.3')).toContain('struct hmm_mirror *mirror');
    expect(prototype('hmm_range_register', '5.4')).not.toContain('start');
    expect(prototype('hmm_range_register', '5.6')).toBeUndefined();
  });

  it('a pagemap has range from 5.10 and res before', () => {
    const { fields } = record('struct', 'dev_pagemap');
    const names = (release: Release): string[] =>
      fields.filter((field) => spanHolds(field, release)).map(({ name }) => name);
    expect(names('6.12')).toEqual(
      expect.arrayContaining([
        'altmap',
        'ref',
        'done',
        'type',
        'flags',
        'vmemmap_shift',
        'ops',
        'owner',
        'nr_range',
        'range',
      ]),
    );
    expect(names('6.12')).not.toContain('res');
    expect(names('5.9')).toContain('res');
    expect(names('5.2')).toEqual(expect.arrayContaining(['altmap_valid', 'page_free', 'kill', 'cleanup', 'data']));
    expect(names('5.3')).not.toContain('page_free');
    expect(names('4.14')).toEqual(expect.arrayContaining(['page_fault', 'page_free', 'data', 'dev']));
  });

  it('the events of a driver are folio_free from 6.19, page_free before, and page_fault only to 5.2', () => {
    const names = (struct: string, release: Release): string[] =>
      RECORDS.flatMap((one) =>
        one.kind === 'callback' && one.struct === struct && spanHolds(one, release) ? [one.name] : [],
      );
    expect(names('dev_pagemap_ops', '6.18')).toEqual(['page_free', 'migrate_to_ram', 'memory_failure']);
    expect(names('dev_pagemap_ops', '6.19')).toEqual(['folio_free', 'folio_split', 'migrate_to_ram', 'memory_failure']);
    expect(names('dev_pagemap', '4.14')).toEqual(['page_fault', 'page_free']);
    expect(names('hmm_devmem', '5.2')).toEqual(['page_fault']);
  });

  it('hmm_range has hmm_pfns from 5.8 and pfns before', () => {
    const { fields } = record('struct', 'hmm_range');
    const type = (name: string, release: Release): string | undefined =>
      fields.find((field) => field.name === name && spanHolds(field, release))?.type;
    expect(type('hmm_pfns', '5.8')).toBe('unsigned long *');
    expect(type('pfns', '5.8')).toBeUndefined();
    expect(type('pfns', '5.7')).toBe('uint64_t *');
    expect(type('pfns', '4.16')).toBe('hmm_pfn_t *');
    expect(type('default_flags', '5.7')).toBe('uint64_t');
    expect(type('default_flags', '5.8')).toBe('unsigned long');
    expect(type('dev_private_owner', '5.6')).toBeUndefined();
  });
});

describe('constants', () => {
  const table: readonly [string, Release, bigint][] = [
    ['PAGE_SHIFT', '6.12', 12n],
    ['PAGE_SIZE', '6.12', 4096n],
    ['PMD_SIZE', '6.12', 2097152n],
    ['SECTION_SIZE_BITS', '6.12', 27n],
    ['MAX_PHYSMEM_BITS', '6.12', 46n],
    ['NR_MEM_SECTIONS', '6.12', 524288n],
    ['PAGES_PER_SECTION', '6.12', 32768n],
    ['SUBSECTION_SHIFT', '6.12', 21n],
    ['PAGES_PER_SUBSECTION', '6.12', 512n],
    ['SUBSECTIONS_PER_SECTION', '6.12', 64n],
    ['MAX_ORDER', '6.3', 11n],
    ['MAX_ORDER', '6.4', 10n],
    ['MAX_PAGE_ORDER', '6.8', 10n],
    ['SECTION_MARKED_PRESENT', '6.12', 1n],
    ['SECTION_HAS_MEM_MAP', '6.12', 2n],
    ['SECTION_IS_ONLINE', '6.12', 4n],
    ['SECTION_IS_EARLY', '6.12', 8n],
    ['SECTION_TAINT_ZONE_DEVICE', '6.12', 16n],
    ['MIGRATE_PFN_VALID', '6.12', 1n],
    ['MIGRATE_PFN_MIGRATE', '6.12', 2n],
    ['MIGRATE_PFN_LOCKED', '5.15', 4n],
    ['MIGRATE_PFN_WRITE', '6.12', 8n],
    ['MIGRATE_PFN_DEVICE', '5.3', 16n],
    ['MIGRATE_PFN_ERROR', '5.3', 32n],
    ['MIGRATE_PFN_COMPOUND', '6.19', 16n],
    ['MIGRATE_PFN_SHIFT', '6.12', 6n],
    ['MIGRATE_VMA_SELECT_SYSTEM', '6.12', 1n],
    ['MIGRATE_VMA_SELECT_DEVICE_PRIVATE', '6.12', 2n],
    ['MIGRATE_VMA_SELECT_DEVICE_COHERENT', '6.12', 4n],
    ['MIGRATE_VMA_SELECT_COMPOUND', '6.19', 8n],
    ['HMM_PFN_VALID', '4.14', 1n],
    ['HMM_PFN_VALID', '5.7', 0n],
    ['HMM_PFN_VALID', '6.12', 0x8000000000000000n],
    ['HMM_PFN_REQ_FAULT', '6.12', 0x8000000000000000n],
    ['HMM_PFN_WRITE', '4.14', 4n],
    ['HMM_PFN_WRITE', '6.12', 0x4000000000000000n],
    ['HMM_PFN_REQ_WRITE', '6.12', 0x4000000000000000n],
    ['HMM_PFN_ERROR', '6.12', 0x2000000000000000n],
    ['HMM_PFN_ORDER_SHIFT', '6.16', 56n],
    ['HMM_PFN_ORDER_SHIFT', '6.17', 53n],
    ['HMM_PFN_FLAGS', '6.12', 0xff00000000000000n],
    ['HMM_PFN_FLAGS', '6.17', 0xffe0000000000000n],
    ['HMM_PFN_DMA_MAPPED', '6.17', 0x1000000000000000n],
    ['HMM_PFN_P2PDMA', '6.17', 0x0800000000000000n],
    ['HMM_PFN_P2PDMA_BUS', '6.17', 0x0400000000000000n],
    ['MEMORY_DEVICE_PRIVATE', '6.12', 1n],
    ['MEMORY_DEVICE_COHERENT', '6.12', 2n],
    ['MEMORY_DEVICE_FS_DAX', '6.12', 3n],
    ['MEMORY_DEVICE_GENERIC', '6.12', 4n],
    ['MEMORY_DEVICE_PCI_P2PDMA', '6.12', 5n],
    ['MMU_NOTIFY_UNMAP', '6.12', 0n],
    ['MMU_NOTIFY_CLEAR', '6.12', 1n],
    ['MMU_NOTIFY_PROTECTION_VMA', '6.12', 2n],
    ['MMU_NOTIFY_PROTECTION_PAGE', '6.12', 3n],
    ['MMU_NOTIFY_SOFT_DIRTY', '6.12', 4n],
    ['MMU_NOTIFY_RELEASE', '6.12', 5n],
    ['MMU_NOTIFY_MIGRATE', '6.12', 6n],
    ['MMU_NOTIFY_EXCLUSIVE', '6.12', 7n],
    ['HMM_RANGE_DEFAULT_TIMEOUT', '7.3', 1000n],
    ['PGMAP_ALTMAP_VALID', '6.12', 1n],
    ['EPERM', '6.12', 1n],
    ['EINTR', '6.12', 4n],
    ['ENXIO', '6.12', 6n],
    ['EAGAIN', '6.12', 11n],
    ['ENOMEM', '6.12', 12n],
    ['EFAULT', '6.12', 14n],
    ['EBUSY', '6.12', 16n],
    ['EEXIST', '6.12', 17n],
    ['EINVAL', '6.12', 22n],
    ['ERANGE', '6.12', 34n],
    ['EOVERFLOW', '6.12', 75n],
    ['EOPNOTSUPP', '6.12', 95n],
    ['EREMOTEIO', '6.12', 121n],
  ];
  it.each(table)('%s at %s is %s', (name, release, value) => expect(constantAt(name, release)).toBe(value));

  it('flags of the allocator are there before 5.0, where their numbers are not known', () => {
    const asked = ['GFP_KERNEL', '__GFP_ZERO', 'GFP_HIGHUSER_MOVABLE'];
    for (const name of asked)
      for (const release of ['4.14', '4.20'] as const) {
        expect(constantAt(name, release), name).toBeUndefined();
        expect(standing(name, release), name).toEqual({ state: 'here' });
      }
    expect(standing('__GFP_RETRY_MAYFAIL', '4.12')).toEqual({ state: 'not-yet', since: '4.13' });
    expect(helpOfName(boot('qemu-2g', '4.14').kernel, 'GFP_KERNEL')).toMatch(
      /its value in 4\.14 is not known, only that since 5\.0/,
    );
  });
  it('arm64 and 32-bit x86 differ', () => {
    expect(constantAt('NR_MEM_SECTIONS', '6.12', 'arm64')).toBe(2097152n);
    expect(constantAt('SECTION_SIZE_BITS', '5.4', 'x86_32')).toBe(29n);
    expect(constantAt('MAX_PHYSMEM_BITS', '5.4', 'x86_32')).toBe(36n);
  });

  it('the number of sections follows from the other two, in every release and on every architecture', () => {
    for (const arch of ['x86_64', 'x86_32', 'arm64'])
      for (const release of RELEASES) {
        const bits =
          (constantAt('MAX_PHYSMEM_BITS', release, arch) ?? 0n) -
          (constantAt('SECTION_SIZE_BITS', release, arch) ?? 0n);
        expect(constantAt('NR_MEM_SECTIONS', release, arch)).toBe(1n << bits);
      }
  });

  it('no two kinds of device memory share a number in one release', () => {
    for (const release of RELEASES) {
      const values = RECORDS.flatMap((one) =>
        'values' in one && one.name.startsWith('MEMORY_DEVICE_')
          ? one.values.filter((value) => spanHolds(value, release)).map(({ value }) => value)
          : [],
      );
      expect(new Set(values).size).toBe(values.length);
    }
  });
});
