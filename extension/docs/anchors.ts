/**
 * Where a lens or a claim belongs in a text: a section, and a few words of a block or a sentence in it. An anchor
 * holds no line number, so it finds its place again after an edit and in other releases.
 */
import type { KernelDocument } from './release.ts';
import type { LiteralBlock, RstDocument, Section, Span } from './rstTypes.ts';

export interface Anchor {
  readonly document: KernelDocument | 'tour';
  /** The title of a section, subsections not included. Empty: anywhere. */
  readonly section: string;
  /** Words or phrases that are all in the block or sentence meant. Case and line ends do not matter. */
  readonly words: readonly string[];
  /** Which one, counted from 1 in the order of the text, if the words are in several. */
  readonly ordinal?: number;
}

export interface ResolvedAnchor {
  readonly span: Span;
  readonly kind: 'block' | 'sentence' | 'paragraph' | 'section';
  readonly section?: Section;
}

const titles = new WeakMap<RstDocument, Map<string, Section>>();

/** The section of a title. Numbering, case, marks and white space do not matter. */
export function findSection(document: RstDocument, title: string): Section | undefined {
  let byTitle = titles.get(document);
  if (byTitle === undefined) {
    byTitle = new Map();
    for (const section of document.sections) {
      const plain = plainTitle(section.title);
      if (!byTitle.has(plain)) byTitle.set(plain, section);
    }
    titles.set(document, byTitle);
  }
  return byTitle.get(plainTitle(title));
}

/** The literal block that has all the words. `ordinal` counts from 1 those that do. */
export function findBlock(
  document: RstDocument,
  source: string,
  words: readonly string[],
  section?: Section,
  ordinal = 1,
): LiteralBlock | undefined {
  const matches = matcher(words);
  return inSection(document.blocks, section).filter((block) => matches(source, block))[ordinal - 1];
}

/** The sentence that has all the words, or the paragraph if they are spread over several sentences of it. */
export function findSentence(
  document: RstDocument,
  source: string,
  words: readonly string[],
  section?: Section,
  ordinal = 1,
): ResolvedAnchor | undefined {
  const matches = matcher(words);
  let left = ordinal;
  for (const paragraph of inSection(document.paragraphs, section)) {
    if (!matches(source, paragraph)) continue;
    const sentences = sentencesOf(source, paragraph).filter((sentence) => matches(source, sentence));
    const kind = sentences.length > 0 ? 'sentence' : 'paragraph';
    const candidates: readonly Span[] = sentences.length > 0 ? sentences : [paragraph];
    const span = candidates[left - 1];
    if (span !== undefined)
      return { span: { start: span.start, end: span.end }, kind, ...(section ? { section } : {}) };
    left -= candidates.length;
  }
  return undefined;
}

/**
 * The place of an anchor in a text, undefined if it has none: then the text does not say it, and there is nothing to
 * show. A block is preferred to a sentence with the same words; without words the place is the section's title. If the
 * section was renamed the words are looked for in the whole text.
 */
export function resolveAnchor(document: RstDocument, source: string, anchor: Anchor): ResolvedAnchor | undefined {
  const section = anchor.section === '' ? undefined : findSection(document, anchor.section);
  if (anchor.words.length === 0) {
    return section === undefined ? undefined : { span: section.titleSpan, kind: 'section', section };
  }
  const block = findBlock(document, source, anchor.words, section, anchor.ordinal);
  if (block !== undefined) {
    return { span: { start: block.start, end: block.end }, kind: 'block', ...(section ? { section } : {}) };
  }
  return findSentence(document, source, anchor.words, section, anchor.ordinal);
}

/** The sentences of a run of text, without the white space between them. */
export function sentencesOf(source: string, { start, end }: Span): Span[] {
  const text = source.slice(start, end);
  const sentences: Span[] = [];
  let from = 0;
  for (const match of text.matchAll(SENTENCE_END)) {
    const to = match.index + match[0].trimEnd().length;
    if (ABBREVIATION.test(text.slice(Math.max(from, to - 8), to))) continue;
    sentences.push({ start: start + from, end: start + to });
    from = match.index + match[0].length;
  }
  if (from < text.length) sentences.push({ start: start + from, end });
  return sentences;
}

const SENTENCE_END = /[.!?]["')\]`]{0,3}\s+(?=\S)/g;
const ABBREVIATION = /(?:^|[\s(])(?:e\.g|i\.e|etc|vs|cf|viz|ie|eg)\.$/i;

function inSection<T extends Span>(spans: readonly T[], section: Section | undefined): readonly T[] {
  if (section === undefined) return spans;
  return spans.filter((span) => span.start >= section.body.start && span.end <= section.body.end);
}

function plainTitle(title: string): string {
  return title
    .replace(/^\s*\d+[.)]\s+/, '')
    .replace(/[`*]/g, '')
    .replace(/\s+/g, ' ')
    .replace(/\s*:?\s*$/, '')
    .trim()
    .toLowerCase();
}

/** A test for spans of a source that contain all the words, each as whole words. */
function matcher(words: readonly string[]): (source: string, span: Span) => boolean {
  const phrases = words.map((word) => word.trim().replace(/\s+/g, ' ').toLowerCase());
  // Most spans lack a part of the words: to look for that is much cheaper.
  const parts = words.map((word) => new Part(word));
  return (source, { start, end }) => {
    const lower = lowered(source);
    if (lower !== undefined && !parts.every((part) => part.isIn(lower, start, end))) return false;
    const text = source.slice(start, end).toLowerCase().replace(/\s+/g, ' ');
    return phrases.every((phrase) => says(text, phrase));
  };
}

/** Whether a text has a phrase, not as a part of longer words. */
function says(text: string, phrase: string): boolean {
  for (let at = text.indexOf(phrase); at >= 0; at = text.indexOf(phrase, at + 1)) {
    const end = at + phrase.length;
    if (!(isWord(text[at - 1]) && isWord(text[at])) && !(isWord(text[end - 1]) && isWord(text[end]))) return true;
  }
  return false;
}

const isWord = (char: string | undefined): boolean => char !== undefined && /\w/.test(char);

/** The longest run of letters in a phrase, and where it was found last: spans are asked for in their order. */
class Part {
  private readonly text: string;
  private from = 0;
  private at = -2;

  constructor(phrase: string) {
    const runs = phrase.toLowerCase().match(/[a-z0-9_]+/g) ?? [];
    this.text = runs.reduce((longest, run) => (run.length > longest.length ? run : longest), '');
  }

  isIn(lower: string, start: number, end: number): boolean {
    if (this.at === -2 || start < this.from || (this.at >= 0 && this.at < start)) {
      this.from = start;
      this.at = lower.indexOf(this.text, start);
    }
    return this.at >= 0 && this.at + this.text.length <= end;
  }
}

let last: { source: string; lower: string | undefined } | undefined;

/** The source in lower case, if every character keeps its place. */
function lowered(source: string): string | undefined {
  if (last?.source !== source) {
    const lower = source.toLowerCase();
    last = { source, lower: lower.length === source.length ? lower : undefined };
  }
  return last.lower;
}
