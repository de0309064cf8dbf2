/**
 * The terms of the two documents: names of the kernel, from the engine's records, and concepts and placeholders, from
 * the glossary. Finds the term a piece of text means, and says what the term is in a release.
 */
import type { KernelRecord, Release } from '../../sim/index.ts';
import { compareReleases, RELEASES, spanHolds } from '../../sim/index.ts';
import { recordTerms, type Term, type TermError, type TermVariant } from './glossaryTerms.ts';

export type { TermError } from './glossaryTerms.ts';

/** One file of the glossary as the build gathers it: its `key: value` lines, and the rest under `body`. */
export type GlossaryEntry = Readonly<Record<string, string>>;

export const GLOSSARY_KINDS = ['concept', 'placeholder', 'path', 'math'] as const;
export type GlossaryKind = (typeof GLOSSARY_KINDS)[number];

/** The two documents, as `documents` of an entry names them. */
const DOCUMENTS = ['memory-model', 'hmm'] as const;
export type GlossaryDocument = (typeof DOCUMENTS)[number];

export interface GlossaryTerm {
  readonly id: string;
  readonly kind: GlossaryKind;
  readonly title: string;
  readonly phrases: readonly string[];
  /** The documents whose use of the phrases is meant. Absent: both. */
  readonly documents?: readonly GlossaryDocument[];
  readonly since?: Release;
  readonly until?: Release;
  readonly live?: string;
  readonly source: string;
  /** Markdown. */
  readonly body: string;
}

export interface TermDescription {
  readonly title: string;
  readonly kind: string;
  /** A C declaration, or a name with its value. */
  readonly signature?: string;
  /** Kernel file, or the place in the documents a concept comes from. */
  readonly file?: string;
  /** The first release the engine knows that has it; things of `RELEASES[0]` may be older. */
  readonly since: Release;
  readonly until?: Release;
  /** `since 5.3`, `4.14 to 5.2`; empty for what every release has. */
  readonly releases: string;
  /** Markdown, two or three sentences. */
  readonly text: string;
  readonly errors?: readonly TermError[];
  /** What the reader of this release must know: that the name ended, changed, is yet to come, or never existed. */
  readonly note?: string;
  readonly live?: string;
}

export interface TermPhrase {
  readonly id: string;
  readonly phrase: string;
  readonly documents?: readonly GlossaryDocument[];
}

export interface TermIndex {
  /** The id of the term a piece of text means. `prose`: only what cannot be an ordinary word. */
  lookup(text: string, how: 'code' | 'prose'): string | undefined;
  /** Phrases to look for in prose, of one or more words. */
  readonly phrases: readonly TermPhrase[];
  /** Every id, in no particular order. */
  readonly ids: readonly string[];
  describe(id: string, release: Release): TermDescription | undefined;
}

const LIVE =
  /^(zone:[A-Z][A-Z0-9_]*|sections|maxPfn|memmap|pagemaps|resource:iomem|nodes|free|total|blocks|devicePages|notifiers|entries|rss|memcgs)$/;
const KEYS = new Set(['id', 'title', 'kind', 'phrases', 'documents', 'since', 'until', 'live', 'source', 'body']);

const list = (text: string, separator: string): string[] =>
  text
    .split(separator)
    .map((part) => part.trim())
    .filter((part) => part !== '');
const isKnown = <T extends string>(all: readonly T[], text: string): text is T =>
  (all as readonly string[]).includes(text);

/** Checks what the build gathered. Throws an Error that names the entry and what is wrong with it. */
export function parseGlossary(entries: readonly GlossaryEntry[]): GlossaryTerm[] {
  return entries.map((entry, index) => {
    const { id, title, kind, phrases, source, body, since, until, live } = entry;
    const fail = (what: string): Error => new Error(`media/glossary: ${id ?? `entry ${index + 1}`}: ${what}`);
    for (const key of Object.keys(entry)) if (!KEYS.has(key)) throw fail(`unknown key "${key}"`);
    if (!id || !/^[a-z0-9][a-z0-9-]*$/.test(id)) throw fail('"id" must be lower-case letters, digits and hyphens');
    if (!title || !source || !body) throw fail('"title", "source" and a body are required');
    if (!kind || !isKnown(GLOSSARY_KINDS, kind)) throw fail(`"kind" must be one of ${GLOSSARY_KINDS.join(', ')}`);
    const spellings = list(phrases ?? '', '|');
    if (spellings.length === 0) throw fail('"phrases" must have at least one');
    const documents = list(entry.documents ?? '', ',').map((name) => {
      if (!isKnown(DOCUMENTS, name)) throw fail(`"documents" may have ${DOCUMENTS.join(' and ')}, not ${name}`);
      return name;
    });
    const release = (key: string, text: string | undefined): Release | undefined => {
      if (text !== undefined && !isKnown<Release>(RELEASES, text))
        throw fail(`"${key}" must be a release, not ${text}`);
      return text;
    };
    const from = release('since', since);
    const to = release('until', until);
    if (live !== undefined && !LIVE.test(live)) throw fail(`"live" cannot be ${live}`);
    return {
      id: `${kind}:${id}`,
      kind,
      title,
      phrases: spellings,
      source,
      body,
      ...(documents.length > 0 ? { documents } : {}),
      ...(from ? { since: from } : {}),
      ...(to ? { until: to } : {}),
      ...(live ? { live } : {}),
    };
  });
}

/** What the texts, and people, call a variable of each struct; and a type name that stands for one. */
const VARIABLES: Readonly<Record<string, string>> = {
  page: 'page',
  pagemap: 'dev_pagemap',
  pgmap: 'dev_pagemap',
  range: 'hmm_range',
  res: 'resource',
  args: 'migrate_vma',
  migrate: 'migrate_vma',
  interval_sub: 'mmu_interval_notifier',
  vma: 'vm_area_struct',
  mm: 'mm_struct',
  vmf: 'vm_fault',
  mirror: 'hmm_mirror',
  devmem: 'hmm_devmem',
  altmap: 'vmem_altmap',
  folio: 'folio',
  zone: 'zone',
  pgdat: 'pglist_data',
  pg_data_t: 'pglist_data',
};
/** Fields several structs have, that the texts also write alone. */
const BARE_FIELDS: Readonly<Record<string, string>> = {
  src: 'field:migrate_vma.src',
  dst: 'field:migrate_vma.dst',
  event: 'field:mmu_notifier_range.event',
  owner: 'field:mmu_notifier_range.owner',
  pfns: 'field:hmm_range.pfns',
  flags: 'field:page.flags',
  lru: 'field:page.lru',
  mapping: 'field:page.mapping',
  _refcount: 'field:page._refcount',
  _mapcount: 'field:page._mapcount',
};
/** Callbacks several structs have or had: the one a name alone means. */
const BARE_CALLBACKS: Readonly<Record<string, string>> = {
  page_free: 'callback:dev_pagemap_ops.page_free',
  page_fault: 'callback:hmm_devmem.page_fault',
  kill: 'callback:dev_pagemap_ops.kill',
  cleanup: 'callback:dev_pagemap_ops.cleanup',
  update: 'never:hmm_mirror_ops.update',
};

const isCodeLike = (text: string): boolean =>
  /_|\(|->|^-E[A-Z]|^(struct|union|enum) |^[A-Z][A-Z0-9]{2,}$/.test(text) || /^\w+\.\w+_\w+$/.test(text);

const hasLaterCapital = (phrase: string): boolean => /[A-Z]/.test(phrase.slice(1));
const squeeze = (text: string): string => text.replace(/\s+/g, ' ').trim();

class Index implements TermIndex {
  readonly phrases: readonly TermPhrase[];
  private readonly terms: ReadonlyMap<string, Term>;
  private readonly exact = new Map<string, string>();
  private readonly anyCase = new Map<string, string>();
  /** Names of members to the terms that have them. */
  private readonly members = new Map<string, Term[]>();

  constructor(terms: ReadonlyMap<string, Term>, glossary: readonly GlossaryTerm[]) {
    this.terms = terms;
    const phrases: TermPhrase[] = [];
    for (const { id, kind, phrases: spellings, documents } of glossary) {
      for (const phrase of spellings) {
        const map = hasLaterCapital(phrase) || kind === 'placeholder' ? this.exact : this.anyCase;
        const key = map === this.exact ? phrase : phrase.toLowerCase();
        if (!map.has(key)) map.set(key, id);
        if (kind !== 'placeholder') phrases.push({ id, phrase, ...(documents ? { documents } : {}) });
      }
    }
    for (const term of terms.values()) {
      if (term.kind === 'struct') phrases.push({ id: term.id, phrase: term.title });
      // Names that are no ordinary words although nothing in them looks like code.
      if (term.id === 'symbol:vmemmap') phrases.push({ id: term.id, phrase: term.name });
      if (!term.owner) continue;
      const same = this.members.get(term.name);
      if (same) same.push(term);
      else this.members.set(term.name, [term]);
    }
    this.phrases = phrases;
  }

  get ids(): readonly string[] {
    return [...this.terms.keys()];
  }

  lookup(text: string, how: 'code' | 'prose'): string | undefined {
    const plain = squeeze(text)
      .replace(/[;,.:]+$/, '')
      .trim();
    if (plain === '') return undefined;
    // The glossary knows phrases, placeholders and wrong expressions as a whole; a constant or symbol is its own term.
    return (
      this.known(`never:${plain}`) ??
      this.named(plain) ??
      this.exact.get(plain) ??
      this.anyCase.get(plain.toLowerCase()) ??
      (how === 'code' || isCodeLike(plain) ? this.code(plain) : undefined)
    );
  }

  private known(id: string): string | undefined {
    return this.terms.has(id) ? id : undefined;
  }
  private first(kinds: readonly string[], name: string): string | undefined {
    for (const kind of kinds) {
      const id = this.known(`${kind}:${name}`);
      if (id) return id;
    }
    return undefined;
  }

  /** A name in capitals: a constant, a macro, an error. */
  private named(text: string): string | undefined {
    if (!/^-?[A-Z_][A-Z0-9_]*$/.test(text)) return undefined;
    return this.first(['constant', 'macro', 'errno', 'config'], text.replace(/^-/, ''));
  }

  private code(text: string): string | undefined {
    const bare = text
      .replace(/^[&*(\s]+/, '')
      .replace(/\[[^\]]*\]?$/, '')
      .trim();
    const struct = /^(?:struct|union|enum)\s+(\w+)(?:\s*(\**)\s*(\w+))?/.exec(bare);
    if (struct?.[1]) return this.declared(struct[1], struct[3]);
    const call = /^(?:(.*?)(->|\.))?(\w+)\s*\(/.exec(bare);
    if (call?.[3]) return this.called(call[3], call[1]);
    if (bare.includes('->') || /^\w+\./.test(bare)) return this.member(bare);
    if (/^\w+$/.test(bare)) return this.word(bare);
    return undefined;
  }

  /** `struct page`, `struct page *vmemmap`, `struct list_head lru`. */
  private declared(struct: string, name: string | undefined): string | undefined {
    if (name) {
      const member = this.members
        .get(name)
        ?.find((term) => term.variants.some(({ signature }) => signature?.startsWith(`struct ${struct} `)));
      const found = this.known(`symbol:${name}`) ?? member?.id;
      if (found) return found;
    }
    return (
      this.known(`struct:${struct}`) ?? (struct.endsWith('s') ? this.known(`struct:${struct.slice(0, -1)}`) : undefined)
    );
  }

  /** `name()`, `->name()`, `ops->name()`. */
  private called(name: string, base: string | undefined): string | undefined {
    if (base === undefined) return this.known(`function:${name}`) ?? this.callback(name) ?? this.word(name);
    return this.callback(name) ?? this.known(`function:${name}`);
  }
  private callback(name: string): string | undefined {
    const usual = BARE_CALLBACKS[name];
    if (usual && this.terms.has(usual)) return usual;
    return this.members.get(name)?.find((term) => term.kind === 'callback')?.id;
  }

  /** `page->flags`, `pagemap.range.start`, `mem_section.section_mem_map`. */
  private member(text: string): string | undefined {
    const parts = text.split(/->|\./).map((part) => part.trim().replace(/\[.*$/, ''));
    const name = parts.at(-1) ?? '';
    if (parts.length < 2 || !/^\w+$/.test(name)) return undefined;
    let owner: string | undefined = this.structOf(parts[0] ?? '');
    for (const part of parts.slice(1, -1)) owner = owner && this.typeOf(owner, part);
    if (owner) {
      const id = this.first(['callback', 'field'], `${owner}.${name}`);
      if (id) return id;
    }
    // `->migrate_to_ram`, or a variable of a name nobody knows.
    const all = this.members.get(name) ?? [];
    if (parts[0] === '') return this.callback(name) ?? BARE_FIELDS[name] ?? all[0]?.id;
    return owner === undefined && all.length === 1 ? all[0]?.id : undefined;
  }
  private structOf(name: string): string | undefined {
    const struct = VARIABLES[name] ?? name;
    return this.terms.has(`struct:${struct}`) ? struct : undefined;
  }
  /** The struct a member of a struct is, or points to. */
  private typeOf(owner: string, name: string): string | undefined {
    const variant = this.terms.get(`field:${owner}.${name}`)?.variants.at(-1);
    const struct = /struct (\w+)/.exec(variant?.signature ?? '')?.[1];
    return struct && this.terms.has(`struct:${struct}`) ? struct : undefined;
  }

  private word(name: string): string | undefined {
    const id = this.first(['function', 'symbol', 'constant', 'macro'], name);
    if (id) return id;
    const config = /^[A-Z][A-Z0-9_]+$/.test(name) ? this.known(`config:CONFIG_${name}`) : undefined;
    if (config) return config;
    const struct = this.structOf(name);
    if (struct) return `struct:${struct}`;
    const usual = BARE_FIELDS[name];
    if (usual) return usual;
    const all = this.members.get(name) ?? [];
    const callback = all.find((term) => term.kind === 'callback');
    if (callback && name.includes('_')) return this.callback(name);
    const fields = all.filter((term) => term.kind === 'field');
    return fields.length === 1 ? fields[0]?.id : undefined;
  }

  describe(id: string, release: Release): TermDescription | undefined {
    const term = this.terms.get(id);
    if (!term) return undefined;
    const holds = (one: Term): boolean => one.variants.some((variant) => spanHolds(variant, release));
    // The same callback may belong to another struct in this release: `page_free` before there were ops.
    const stand =
      term.kind === 'callback' && !holds(term)
        ? this.members.get(term.name)?.find((other) => other.kind === 'callback' && holds(other))
        : undefined;
    const shown = stand ?? term;
    return describeTerm(shown, release, shown.kind === 'callback' ? this.earlier(shown) : '');
  }

  /** Where the callback was a member before it came to its struct. */
  private earlier(term: Term): string {
    const since = term.variants[0]?.since;
    const before = this.members.get(term.name)?.findLast(({ kind, owner, variants }) => {
      const until = variants.at(-1)?.until;
      return kind === 'callback' && owner !== term.owner && since && until && compareReleases(until, since) < 0;
    });
    const from = before?.variants[0]?.since;
    return before && from ? `From ${from} to ${before.variants.at(-1)?.until} a member of struct ${before.owner}.` : '';
  }
}

function describeTerm(term: Term, release: Release, earlier: string): TermDescription | undefined {
  const first = term.variants[0];
  const last = term.variants.at(-1);
  if (!first || !last) return undefined;
  const variant =
    term.variants.find((candidate) => spanHolds(candidate, release)) ??
    term.variants.findLast((candidate) => compareReleases(candidate.since, release) <= 0) ??
    first;
  const note = [noteOf(term, variant, release), earlier].filter(Boolean).join(' ');
  const more = term.more?.(release) ?? '';
  return {
    title: term.title,
    kind: term.kind,
    ...(variant.signature ? { signature: variant.signature } : {}),
    ...(variant.file ? { file: variant.file } : {}),
    since: first.since,
    ...(last.until ? { until: last.until } : {}),
    releases: term.never ? '' : spanText(first.since, last.until, term.bornFirst ?? false),
    text: more === '' ? variant.text : `${variant.text} ${more}`,
    ...(variant.errors ? { errors: variant.errors } : {}),
    ...(note === '' ? {} : { note }),
    ...(term.live ? { live: term.live } : {}),
  };
}

/** What is of the oldest release the engine knows may be older, so nothing is claimed of it. */
function spanText(since: Release, until: Release | undefined, bornFirst: boolean): string {
  const isOldest = since === RELEASES[0] && !bornFirst;
  if (until === undefined) return isOldest ? '' : `since ${since}`;
  if (since === until) return since;
  return isOldest ? `until ${until}` : `${since} to ${until}`;
}

const hasValue = ({ kind }: Term): boolean => kind === 'constant' || kind === 'macro';

function noteOf(term: Term, variant: TermVariant, release: Release): string {
  if (term.never) return term.never.note;
  const first = term.variants[0] ?? variant;
  const last = term.variants.at(-1) ?? variant;
  const instead = last.replacedBy ? `; replaced by ${last.replacedBy}` : '';
  if (compareReleases(release, first.since) < 0) return `Not in ${release}: it came with ${first.since}.`;
  if (last.until && compareReleases(last.until, release) < 0) return `Ended with ${last.until}${instead}.`;
  if (!spanHolds(variant, release)) return `Not in ${release}, though in releases before and after it.`;
  const notes: string[] = [];
  if (variant !== first) notes.push(`${hasValue(term) ? 'This value' : 'In this form'} since ${variant.since}.`);
  if (last.until) notes.push(`Ends with ${last.until}${instead}.`);
  return notes.join(' ');
}

function glossaryTerm(term: GlossaryTerm): Term {
  const { since = RELEASES[0], until } = term;
  return {
    id: term.id,
    kind: term.kind,
    title: term.title,
    name: term.title,
    variants: [{ since, ...(until ? { until } : {}), file: term.source, text: term.body }],
    ...(term.since ? { bornFirst: true } : {}),
    ...(term.live ? { live: term.live } : {}),
  };
}

/** The index over all records and the glossary; with `document`, without the phrases that mean something else there. */
export function buildTermIndex(
  records: readonly KernelRecord[],
  glossary: readonly GlossaryTerm[],
  document?: GlossaryDocument,
): TermIndex {
  const terms = recordTerms(records);
  for (const term of glossary) {
    if (terms.has(term.id)) throw new Error(`media/glossary: ${term.id} is there twice`);
    terms.set(term.id, glossaryTerm(term));
  }
  const spoken = glossary.filter(({ documents }) => !document || !documents || documents.includes(document));
  return new Index(terms, spoken);
}
