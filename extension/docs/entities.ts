/**
 * Finds the terms that a text mentions, in all the ways kernel documents write them: marked as code with one backtick
 * or two, by a role, as `struct x`, as `name()`, bare, in a code block, in a formula, or as words of a sentence.
 */
import { type Candidate, commentsIn, type Token, tokenAt } from './codeTokens.ts';
import { isWordCode, PhraseTree } from './phrases.ts';
import type { Marked, Role, RstDocument, Span } from './rstTypes.ts';

/** What is known by which name. The extension fills it from its glossary and from the engine's registry. */
export interface TermIndex {
  /**
   * The id of what `text` names. White space in it is single spaces. Calls are asked for with and without their `()`,
   * members as written (`page->flags`), with dots (`page.flags`) and alone (`->page_free`, `page_free`), error numbers
   * with and without their minus. `prose` asks for what a word means among ordinary words, where `flags` or `start`
   * say nothing; `code` for what it means where only code can be meant.
   */
  lookup(text: string, how: 'code' | 'prose'): string | undefined;
  /** Terms of one or more words, looked for in ordinary text whatever their case; plurals are listed. */
  readonly phrases: readonly { readonly id: string; readonly phrase: string }[];
}

export type MentionForm = 'role' | 'literal' | 'defaultRole' | 'struct' | 'call' | 'bare' | 'prose' | 'code';

/** The span is that of the term as written, without the marks around it. */
export interface Mention extends Span {
  readonly id: string;
  readonly form: MentionForm;
}

export interface Mentions {
  /** In the order of the text; no two overlap. */
  readonly mentions: readonly Mention[];
  /** Where the search stopped because the text is longer than a document can be. */
  readonly truncatedAt?: number;
}

/** A kernel document has some 20,000 characters; a text of this many is read in about a second. */
const MAX_CHARACTERS = 4 << 20;

export function findMentions(
  document: RstDocument,
  source: string,
  index: TermIndex,
  maxCharacters = MAX_CHARACTERS,
): Mentions {
  const finder = new Finder(source, index);
  const marks = marksOf(document);
  let nextMark = 0;
  let budget = maxCharacters;
  for (const whole of regionsOf(document)) {
    if (budget <= 0) return { mentions: finder.mentions, truncatedAt: whole.start };
    const region = { ...whole, end: Math.min(whole.end, whole.start + budget) };
    budget -= whole.end - whole.start;
    if (region.kind === 'code') {
      finder.code(region);
    } else {
      let at = region.start;
      for (let mark = marks[nextMark]; mark !== undefined && mark.end <= region.end; mark = marks[++nextMark]) {
        finder.prose(at, mark.start);
        finder.mark(mark);
        at = mark.end;
      }
      finder.prose(at, region.end);
    }
    if (budget < 0) return { mentions: finder.mentions, truncatedAt: region.end };
  }
  return { mentions: finder.mentions };
}

interface Region extends Span {
  readonly kind: 'prose' | 'code';
}

function regionsOf(document: RstDocument): Region[] {
  const regions: Region[] = [];
  for (const { titleSpan } of document.sections) regions.push({ ...titleSpan, kind: 'prose' });
  for (const { start, end } of document.paragraphs) regions.push({ start, end, kind: 'prose' });
  for (const { start, end } of document.blocks) regions.push({ start, end, kind: 'code' });
  for (const { name, body } of document.directives) if (name === 'math') regions.push({ ...body, kind: 'code' });
  return regions.sort((a, b) => a.start - b.start);
}

type Mark = Marked & { readonly form: 'role' | 'literal' | 'defaultRole'; readonly role?: string };

function marksOf(document: RstDocument): Mark[] {
  const marks: Mark[] = [];
  for (const mark of document.literals) marks.push({ ...mark, form: 'literal' });
  for (const mark of document.defaultRoles) marks.push({ ...mark, form: 'defaultRole' });
  for (const mark of document.roles satisfies readonly Role[]) marks.push({ ...mark, form: 'role' });
  return marks.sort((a, b) => a.start - b.start);
}

/** Asked for in this order. */
type Lookups = readonly ('code' | 'prose')[];
const CODE: Lookups = ['code'];
const PROSE: Lookups = ['prose'];
const EITHER: Lookups = ['code', 'prose'];

const TYPE_ROLES = new Set(['c:type', 'c:struct', 'c:union', 'c:enum']);
const HYPHEN = 45;
const UNDERSCORE = 95;
const trees = new WeakMap<TermIndex['phrases'], PhraseTree>();

class Finder {
  readonly mentions: Mention[] = [];
  private readonly source: string;
  private readonly index: TermIndex;
  private readonly phrases: PhraseTree;

  constructor(source: string, index: TermIndex) {
    this.source = source;
    this.index = index;
    let tree = trees.get(index.phrases);
    if (tree === undefined) {
      tree = new PhraseTree(index.phrases);
      trees.set(index.phrases, tree);
    }
    this.phrases = tree;
  }

  /** Code, and the prose in its comments. */
  code({ start, end }: Span): void {
    let at = start;
    for (const comment of commentsIn(this.source, start, end)) {
      this.scan(at, comment.start, 'code');
      this.scan(comment.start, comment.end, undefined);
      at = comment.end;
    }
    this.scan(at, end, 'code');
  }

  prose(start: number, end: number): void {
    this.scan(start, end, undefined);
  }

  /** Marked text is one term if it is known as a whole, else whatever is in it. */
  mark(mark: Mark): void {
    const { start, end } = mark.inner;
    const bare = mark.text.replace(/^[!~]/, '').replace(/\(\)$/, '');
    const names = [mark.text, bare];
    if (mark.role !== undefined && TYPE_ROLES.has(mark.role)) names.unshift(`struct ${bare}`);
    const id = this.lookup(names, EITHER);
    if (id === undefined) this.scan(start, end, mark.form);
    else this.mentions.push({ id, start, end, form: mark.form });
  }

  /** `form` is that of everything found, or undefined for ordinary text, where it depends. */
  private scan(start: number, end: number, form: MentionForm | undefined): void {
    const { source } = this;
    let at = start;
    while (at < end) {
      const code = source.charCodeAt(at);
      if (isWordCode(code)) {
        const next = this.word(at, end, form);
        // What is left of a word that was too long, or not in our alphabet.
        at = next > at ? next : at + 1;
        while (at < end && isWordCode(source.charCodeAt(at)) && isWordCode(source.charCodeAt(at - 1))) at++;
      } else if (code === HYPHEN && !isWordBefore(source, at, start)) {
        at = Math.max(at + 1, this.token(at, end, form, tokenAt(source, at, end)));
      } else {
        at++;
      }
    }
  }

  /** Reads the word, or the term of many words, at `at`; returns where to go on. */
  private word(at: number, limit: number, form: MentionForm | undefined): number {
    if (form === undefined) {
      const end = plainWordEnd(this.source, at, limit);
      if (end > at) return this.plainWord(at, end, limit);
    }
    return this.token(at, limit, form, tokenAt(this.source, at, limit));
  }

  private plainWord(at: number, end: number, limit: number): number {
    const phrase = this.phrases.longestAt(this.source, at, limit);
    const id = this.index.lookup(this.source.slice(at, end), 'prose');
    if (phrase !== undefined && (id === undefined || phrase.end > end)) {
      this.mentions.push({ id: phrase.id, start: at, end: phrase.end, form: 'prose' });
      return phrase.end;
    }
    if (id !== undefined) this.mentions.push({ id, start: at, end, form: 'prose' });
    return end;
  }

  private token(at: number, limit: number, form: MentionForm | undefined, token: Token | undefined): number {
    const known = this.known(token?.candidates ?? [], form);
    const knownEnd = known.at(-1)?.end ?? at;
    const phrase = form === 'code' ? undefined : this.phrases.longestAt(this.source, at, limit);
    if (phrase !== undefined && phrase.end > knownEnd) {
      this.mentions.push({ id: phrase.id, start: at, end: phrase.end, form: form ?? 'prose' });
      return phrase.end;
    }
    this.mentions.push(...known);
    return Math.max(knownEnd, token?.end ?? at);
  }

  /** Those of the candidates that are known and do not overlap a better one, in the order of the text. */
  private known(candidates: readonly Candidate[], form: MentionForm | undefined): Mention[] {
    const known: Mention[] = [];
    for (const { start, end, names, form: written, isCode } of candidates) {
      if (known.some((mention) => start < mention.end && mention.start < end)) continue;
      const how = form === 'code' ? CODE : form !== undefined || isCode ? EITHER : PROSE;
      const id = this.lookup(names, how);
      if (id !== undefined) known.push({ id, start, end, form: form ?? formOf(written, isCode) });
    }
    return known.sort((a, b) => a.start - b.start);
  }

  private lookup(names: readonly string[], hows: Lookups): string | undefined {
    for (const how of hows) {
      for (const name of names) {
        const id = this.index.lookup(name, how);
        if (id !== undefined) return id;
      }
    }
    return undefined;
  }
}

function formOf(written: Candidate['form'], isCode: boolean): MentionForm {
  if (written === 'struct') return isCode ? 'struct' : 'prose';
  if (!isCode) return 'prose';
  return written === 'call' ? 'call' : 'bare';
}

function isWordBefore(source: string, at: number, start: number): boolean {
  return at > start && isWordCode(source.charCodeAt(at - 1));
}

const KEYWORDS = new Set(['struct', 'union', 'enum']);
const LONGEST_KEYWORD = 6;
/** After a word they may make a longer name of it: `a.b`, `a->b`, `a()`, `a/b`, `a\_b`. */
const JOINING = new Set(Array.from('(.-/\\', (char) => char.charCodeAt(0)));

/** The end of a word of letters that nothing makes into a name; `at` if it may be more. */
function plainWordEnd(source: string, at: number, limit: number): number {
  let end = at;
  let isCapitals = true;
  for (; end < limit; end++) {
    const code = source.charCodeAt(end);
    if (!isWordCode(code)) break;
    if (code === UNDERSCORE || (code >= 48 && code <= 57)) return at;
    if (code > 90) isCapitals = false;
  }
  if (isCapitals || (end < limit && JOINING.has(source.charCodeAt(end)) && isJoined(source, end))) return at;
  return end - at <= LONGEST_KEYWORD && KEYWORDS.has(source.slice(at, end)) ? at : end;
}

/** Whether a name goes on behind the character at `at`, as it does not at the end of a sentence or in `hot-plug`. */
function isJoined(source: string, at: number): boolean {
  const char = source.charAt(at);
  if (char === '-') return source.charAt(at + 1) === '>';
  return char === '(' || isWordCode(source.charCodeAt(at + 1)) || source.charAt(at + 1) === '_';
}
