/** Turns the engine's records of kernel names into terms: what a hover says of a name in each release. */
import type { KernelRecord, Release } from '../../sim/index.ts';
import { compareReleases, spanHolds } from '../../sim/index.ts';

type RecordOf<K extends KernelRecord['kind']> = Extract<KernelRecord, { kind: K }>;
type FieldRecord = RecordOf<'struct'>['fields'][number];
type ConstantRecord = Extract<KernelRecord, { values: unknown }>;
type ConstantValue = ConstantRecord['values'][number];

export interface TermError {
  readonly returns: string;
  readonly when: string;
}

/** What is true of a term in some releases. */
export interface TermVariant {
  readonly since: Release;
  readonly until?: Release;
  readonly text: string;
  readonly signature?: string;
  readonly file?: string;
  readonly errors?: readonly TermError[];
  readonly replacedBy?: string;
}

export interface Term {
  /** `function:memremap_pages`, `field:dev_pagemap.range`, `concept:section`. */
  readonly id: string;
  readonly kind: string;
  /** As people write it: `memremap_pages()`, `struct page`, `-EBUSY`. */
  readonly title: string;
  /** The bare name, without the struct it belongs to. */
  readonly name: string;
  /** The struct a field or callback is a member of. */
  readonly owner?: string;
  /** In the order of releases, not overlapping. */
  readonly variants: readonly TermVariant[];
  /** More to say of one release. */
  readonly more?: (release: Release) => string;
  /** Set if it is known to be as old as the oldest release the engine knows, and not older. */
  readonly bornFirst?: boolean;
  /** Set if no kernel ever had the name. */
  readonly never?: { readonly note: string };
  /** What of a running machine shows the term: `sections`, `zone:ZONE_DEVICE`. */
  readonly live?: string;
}

/** Names whose present value a running machine can show. */
const LIVE: Readonly<Record<string, string>> = {
  'symbol:iomem_resource': 'resource:iomem',
  'struct:resource': 'resource:iomem',
  'symbol:mem_section': 'sections',
  'struct:mem_section': 'sections',
  'field:mem_section.section_mem_map': 'sections',
  'macro:NR_MEM_SECTIONS': 'sections',
  'symbol:vmemmap': 'memmap',
  'symbol:mem_map': 'memmap',
  'symbol:max_pfn': 'maxPfn',
  'struct:dev_pagemap': 'pagemaps',
  'struct:pglist_data': 'nodes',
  'symbol:node_data': 'nodes',
};

/** A fragment such as `first address` as a sentence. */
const sentence = (fragment: string): string => {
  const whole = fragment.charAt(0).toUpperCase() + fragment.slice(1);
  return /[.!?]$/.test(whole) ? whole : `${whole}.`;
};

/** `name` declared with `type`, as C writes it. */
export function declaration(type: string, name: string): string {
  if (type.includes('(*)')) return type.replace('(*)', `(*${name})`);
  if (type.endsWith('[]')) return declaration(type.slice(0, -2).trim(), `${name}[]`);
  return type.endsWith('*') ? `${type}${name}` : `${type} ${name}`;
}

const span = (of: { since: Release; until?: Release }) => ({
  since: of.since,
  ...(of.until ? { until: of.until } : {}),
});
const replaced = (of: { replacedBy?: string }) => (of.replacedBy ? { replacedBy: of.replacedBy } : {});

function functionTerm(record: RecordOf<'function'>): Term {
  return {
    id: `function:${record.name}`,
    kind: 'function',
    title: `${record.name}()`,
    name: record.name,
    variants: record.variants.map((variant) => ({
      ...span(variant),
      ...replaced(record),
      signature: variant.prototype,
      file: variant.file,
      text: variant.note ? `${record.contract} ${variant.note}` : record.contract,
      ...(variant.errors && variant.errors.length > 0 ? { errors: variant.errors } : {}),
    })),
  };
}

function callbackTerm(record: RecordOf<'callback'>): Term {
  return {
    id: `callback:${record.struct}.${record.name}`,
    kind: 'callback',
    title: `${record.struct}.${record.name}()`,
    name: record.name,
    owner: record.struct,
    variants: [
      { ...span(record), ...replaced(record), signature: record.prototype, file: record.file, text: record.contract },
    ],
  };
}

function fieldTerm(record: RecordOf<'struct'>, field: FieldRecord): Term {
  return {
    id: `field:${record.name}.${field.name}`,
    kind: 'field',
    title: `${record.name}.${field.name}`,
    name: field.name,
    owner: record.name,
    variants: [
      {
        ...span(field),
        ...replaced(field),
        signature: declaration(field.type, field.name),
        file: record.file,
        text: `A member of struct ${record.name}. ${sentence(field.contract)}`,
      },
    ],
  };
}

function structTerms(record: RecordOf<'struct'>): Term[] {
  const text = record.contract;
  const variants = [
    { ...span(record), ...replaced(record), signature: `struct ${record.name}`, file: record.file, text },
  ];
  return [
    { id: `struct:${record.name}`, kind: 'struct', title: `struct ${record.name}`, name: record.name, variants },
    ...record.fields.map((field) => fieldTerm(record, field)),
  ];
}

/** The architecture whose value stands for all in the signature. */
const MAIN_ARCH = 'x86_64';
const isMain = (value: ConstantValue): boolean => value.arch === undefined || value.arch === MAIN_ARCH;

function valueText({ value, expression }: ConstantValue): string {
  const number = value >= 0x10000n ? `0x${value.toString(16)}` : value.toString();
  return expression ? `${number} (${expression})` : number;
}

function constantTerm(record: ConstantRecord): Term {
  const main = record.values.some(isMain) ? record.values.filter(isMain) : record.values;
  const others = record.values.filter((value) => !main.includes(value));
  return {
    id: `${record.kind}:${record.name}`,
    kind: record.kind,
    title: record.kind === 'errno' ? `-${record.name}` : record.name,
    name: record.name,
    variants: main.map((value) => ({
      ...span(value),
      ...replaced(record),
      signature: `${record.name} = ${valueText(value)}`,
      file: record.file,
      text: record.contract,
    })),
    more: (release) => {
      const now = others.filter((value) => spanHolds(value, release));
      return now.length === 0 ? '' : `On ${now.map((value) => `${value.arch}: ${valueText(value)}`).join('; on ')}.`;
    },
  };
}

function neverTerm(record: RecordOf<'never'>): Term {
  const { since, until } = record.documents;
  const texts = until === undefined ? `since ${since}` : since === until ? `of ${since}` : `of ${since} to ${until}`;
  const note = `This name never existed in the kernel; the texts ${texts} use it.`;
  return {
    id: `never:${record.name}`,
    kind: 'never',
    title: record.name,
    name: record.name,
    variants: [{ ...span(record.documents), text: record.contract }],
    never: { note: record.instead ? `${note} Meant is ${record.instead}.` : note },
  };
}

function termsOf(record: KernelRecord): Term[] {
  switch (record.kind) {
    case 'function':
      return [functionTerm(record)];
    case 'callback':
      return [callbackTerm(record)];
    case 'struct':
      return structTerms(record);
    case 'constant':
    case 'macro':
    case 'errno':
      return [constantTerm(record)];
    case 'symbol': {
      const { name, file, type, contract } = record;
      const variants = [{ ...span(record), signature: declaration(type, name), file, text: contract }];
      return [{ id: `symbol:${name}`, kind: 'symbol', title: name, name, variants }];
    }
    case 'config': {
      const { name, file, contract } = record;
      const variants = [{ ...span(record), ...replaced(record), file, text: contract }];
      return [{ id: `config:${name}`, kind: 'config', title: name, name, variants }];
    }
    case 'never':
      return [neverTerm(record)];
  }
}

/** The terms of all records by id. Records of one name in different releases become one term. */
export function recordTerms(records: readonly KernelRecord[]): Map<string, Term> {
  const terms = new Map<string, Term>();
  for (const term of records.flatMap(termsOf)) {
    const known = terms.get(term.id);
    const variants = [...(known?.variants ?? []), ...term.variants].sort((a, b) => compareReleases(a.since, b.since));
    const live = LIVE[term.id];
    terms.set(term.id, { ...(known ?? term), variants, ...(live ? { live } : {}) });
  }
  return terms;
}
